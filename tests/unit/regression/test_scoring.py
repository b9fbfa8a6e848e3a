"""Scores against `maestrata.resampling`, and what becomes of images that are left out."""

import numpy as np
import pytest

import maestrata.worlds as worlds
from maestrata.regression.scoring import MIN_TEST, Scorer, by_level, interval
from maestrata.regression.targets import Group, TargetTable
from maestrata.resampling import bootstrap_weights, r2_bootstrap, r2_score

N, REPLICATES = 600, 50


def _scorer(n=N, seed=0):
    """Two nodes of two dimensions at level 1, one discrete node of three symbols at level 2."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, n)
    values = np.concatenate([rng.standard_normal((n, 4)) * 5 + 20, np.eye(3)[labels]], axis=1).astype(
        np.float32
    )
    groups = (
        Group("latent", 1, 0, slice(0, 2), None),
        Group("latent", 1, 1, slice(2, 4), None),
        Group("latent", 2, 0, slice(4, 7), labels),
    )
    return Scorer(TargetTable(values, groups), bootstrap_weights(0, n, REPLICATES))


def _prediction(scorer, noise=0.7, seed=1):
    values = scorer.targets.values
    error = np.random.default_rng(seed).standard_normal(values.shape) * values.std(0)
    return (values + noise * error).astype(np.float32)


def test_whole_images_are_scored_as_resampling_does():
    scorer = _scorer()
    prediction = _prediction(scorer)
    found = scorer.score(prediction, scorer.totals())
    np.testing.assert_allclose(found.r2, r2_score(scorer.targets.values, prediction), rtol=1e-5)
    expected = r2_bootstrap(scorer.targets.values, prediction, scorer.weights)
    np.testing.assert_allclose(found.r2_boot, expected, atol=1e-5)
    assert (found.n == N).all()


def test_absent_images_are_as_if_they_were_not_there():
    scorer = _scorer()
    prediction = _prediction(scorer)
    present = np.random.default_rng(2).random((N, 7)) < [0.9, 0.9, 0.3, 0.3, 0.5, 0.5, 0.5]
    found = scorer.score(np.where(present, prediction, np.nan).astype(np.float32), scorer.totals(present))
    y = scorer.targets.values
    for k in range(7):
        rows = present[:, k]
        assert found.n[k] == rows.sum()
        np.testing.assert_allclose(found.r2[k], r2_score(y[rows, k], prediction[rows, k]), rtol=1e-5)
        expected = r2_bootstrap(y[rows, k], prediction[rows, k], scorer.weights[:, rows])[:, 0]
        np.testing.assert_allclose(found.r2_boot[:, k], expected, atol=1e-5)
    right = prediction[:, 4:].argmax(1) == scorer.targets.groups[2].labels
    assert right.mean() != pytest.approx(right[present[:, 4]].mean())


def test_accuracy_is_that_of_the_largest_prediction_among_present_images():
    scorer = _scorer()
    prediction = _prediction(scorer)
    right = prediction[:, 4:].argmax(1) == scorer.targets.groups[2].labels
    assert scorer.score(prediction, scorer.totals()).accuracy[2] == right.mean()
    present = np.repeat((np.arange(N) % 2 == 0)[:, None], 7, axis=1)
    assert scorer.score(prediction, scorer.totals(present)).accuracy[2] == right[::2].mean()
    assert np.isnan(scorer.score(prediction, scorer.totals()).accuracy[:2]).all()


def test_too_few_images_give_no_score_but_their_number():
    scorer = _scorer()
    present = np.ones((N, 7), bool)
    present[MIN_TEST - 1 :, :2] = False
    present[MIN_TEST:, 2:4] = False
    levels = by_level(scorer.score(_prediction(scorer), scorer.totals(present)), scorer.targets)
    level = levels["latent", 1]
    assert np.isnan(level.r2_node[0]) and np.isfinite(level.r2_node[1])
    assert np.isnan([level.r2, level.r2_low, level.r2_high]).all() and np.isnan(level.r2_boot).all()
    assert level.n == MIN_TEST - 1
    assert np.isfinite(levels["latent", 2].r2)


def test_level_r2_is_the_plain_mean_over_nodes_and_dimensions():
    scorer = _scorer()
    score = scorer.score(_prediction(scorer), scorer.totals())
    level = by_level(score, scorer.targets)["latent", 1]
    np.testing.assert_allclose(level.r2, score.r2[:4].mean())
    np.testing.assert_allclose(level.r2_node, [score.r2[:2].mean(), score.r2[2:4].mean()])
    np.testing.assert_allclose(level.r2_boot, score.r2_boot[:, :4].mean(1), rtol=1e-6)
    np.testing.assert_allclose(
        [level.r2_low, level.r2_high], np.quantile(level.r2_boot, [0.025, 0.975]), atol=1e-6
    )
    assert level.r2_low < level.r2 < level.r2_high


def test_a_symbol_that_never_occurs_is_left_out_of_the_mean():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, N)
    values = np.eye(3, dtype=np.float32)[labels]
    table = TargetTable(values, (Group("latent", 1, 0, slice(0, 3), labels),))
    scorer = Scorer(table, bootstrap_weights(0, N, REPLICATES))
    prediction = (values + 0.3 * rng.standard_normal((N, 3))).astype(np.float32)
    score = scorer.score(prediction, scorer.totals())
    assert np.isnan(score.r2[2]) and np.isnan(score.r2_boot[:, 2]).all()
    level = by_level(score, table)["latent", 1]
    np.testing.assert_allclose(level.r2, score.r2[:2].mean())
    assert np.isfinite(level.r2_boot).all()


def test_interval_covers_the_true_r2():
    """On 200 simulated test sets of a probe whose true R2 is .5, a 95 % interval misses it about 10 times."""
    rng = np.random.default_rng(0)
    n, missed = 300, 0
    weights = bootstrap_weights(0, n, 400)
    for _ in range(200):
        signal, noise = rng.standard_normal((2, n, 1)).astype(np.float32)
        table = TargetTable(signal + noise, (Group("latent", 1, 0, slice(0, 1), None),))
        scorer = Scorer(table, weights)
        level = by_level(scorer.score(signal, scorer.totals()), table)["latent", 1]
        missed += not level.r2_low <= 0.5 <= level.r2_high
    assert 3 <= missed <= 22


def test_interval_of_nothing():
    assert np.isnan(interval(np.full(5, np.nan))).all()
    assert interval(np.array([np.nan, 1.0])) == (1.0, 1.0)


def test_targets_of_a_world_are_its_latents_and_noise():
    world = worlds.make("grammar_tree", 0, leaves=8, symbols=5)
    sample = world.sample(40)
    table = TargetTable.of(world, sample)
    assert table.levels == (0, 1, 2, 3)
    by_name = {(g.kind, g.level, g.node): g for g in table.groups}
    root = by_name["latent", 3, 0]
    np.testing.assert_array_equal(table.values[:, root.columns].argmax(1), sample.latents[3][:, 0, 0])
    np.testing.assert_array_equal(root.labels, sample.latents[3][:, 0, 0])
    np.testing.assert_array_equal(table.values[:, by_name["noise", 0, 7].columns], sample.noise[0][:, 7])
    columns = [table.node_columns(level, node) for level in range(4) for node in range(world.n_nodes[level])]
    assert sorted(np.concatenate(columns)) == list(range(table.values.shape[1]))


def test_what_is_known_of_nodes_is_spread_over_their_columns():
    table = _scorer(4).targets
    by_level_ = {1: np.array([[True, False]] * 4), 2: np.array([[True], [True], [False], [True]])}
    expected = np.array([[1, 1, 0, 0, k, k, k] for k in (1, 1, 0, 1)], bool)
    np.testing.assert_array_equal(table.per_column(by_level_), expected)
