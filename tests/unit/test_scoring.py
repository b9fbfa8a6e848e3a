"""Scores by level: means over dimensions and nodes, accuracy, and images that are left out."""

from itertools import chain

import numpy as np
import pytest
from sklearn.metrics import r2_score

import maestrata.worlds as worlds
from maestrata.errors import MaestrataError
from maestrata.resampling import R2, bootstrap_weights
from maestrata.scoring import MIN_TEST, Group, Scorer, TargetTable

N, REPLICATES = 600, 50


def _scorer(n=N, seed=0, present=None):
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
    return Scorer(TargetTable(values, groups), bootstrap_weights(0, n, REPLICATES), present)


def _prediction(scorer, noise=0.7, seed=1):
    values = scorer.targets.values
    error = np.random.default_rng(seed).standard_normal(values.shape) * values.std(0)
    return (values + noise * error).astype(np.float32)


def test_level_scores_are_plain_means_over_nodes_and_dimensions():
    scorer = _scorer()
    prediction = _prediction(scorer)
    r2, boot = R2(scorer.targets.values, scorer.weights).of(prediction)
    np.testing.assert_allclose(
        r2, r2_score(scorer.targets.values, prediction, multioutput="raw_values"), rtol=1e-5
    )
    level = scorer.score(prediction)["latent", 1]
    np.testing.assert_allclose(level.r2, r2[:4].mean())
    np.testing.assert_allclose(level.node, [r2[:2].mean(), r2[2:4].mean()])
    np.testing.assert_allclose(level.boot, boot[:, :4].mean(1), rtol=1e-6)
    np.testing.assert_allclose([level.low, level.high], np.quantile(level.boot, [0.025, 0.975]), atol=1e-6)
    assert level.low < level.r2 < level.high
    assert level.n == N and np.isnan(level.accuracy)


def test_absent_images_are_as_if_they_were_not_there():
    rng = np.random.default_rng(2)
    present = {1: rng.random((N, 2)) < [0.9, 0.3], 2: rng.random((N, 1)) < 0.5}
    scorer = _scorer(present=present)
    prediction = _prediction(scorer)
    y, shown = scorer.targets.values, scorer.targets.per_column(present)
    levels = scorer.score(np.where(shown, prediction, np.nan).astype(np.float32))
    for (_, at), level in levels.items():
        assert level.n == present[at].sum(0).min()
        boots = []
        for node, columns in enumerate((slice(0, 2), slice(2, 4)) if at == 1 else (slice(4, 7),)):
            rows = present[at][:, node]
            np.testing.assert_allclose(
                level.node[node], r2_score(y[rows, columns], prediction[rows, columns]), rtol=1e-5
            )
            boots.append(
                R2(y[rows, columns], scorer.weights[:, rows]).of(prediction[rows, columns])[1].mean(1)
            )
        np.testing.assert_allclose(level.boot, np.mean(boots, 0), atol=1e-5)
    right = prediction[:, 4:].argmax(1) == scorer.targets.groups[2].labels
    assert right.mean() != pytest.approx(right[shown[:, 4]].mean())
    assert levels["latent", 2].accuracy == right[shown[:, 4]].mean()


def test_accuracy_is_that_of_the_largest_prediction():
    scorer = _scorer()
    prediction = _prediction(scorer)
    right = prediction[:, 4:].argmax(1) == scorer.targets.groups[2].labels
    assert scorer.score(prediction)["latent", 2].accuracy == right.mean()


def test_too_few_images_give_no_score_but_their_number():
    first = np.arange(N)[:, None]
    present = {1: first < [MIN_TEST - 1, MIN_TEST], 2: np.ones((N, 1), bool)}
    scorer = _scorer(present=present)
    levels = scorer.score(_prediction(scorer))
    level = levels["latent", 1]
    assert np.isnan(level.node[0]) and np.isfinite(level.node[1])
    assert np.isnan([level.r2, level.low, level.high]).all() and np.isnan(level.boot).all()
    assert level.n == MIN_TEST - 1
    assert np.isfinite(levels["latent", 2].r2)


def test_a_symbol_that_never_occurs_is_left_out_of_the_mean():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, N)
    values = np.eye(3, dtype=np.float32)[labels]
    table = TargetTable(values, (Group("latent", 1, 0, slice(0, 3), labels),))
    scorer = Scorer(table, bootstrap_weights(0, N, REPLICATES))
    prediction = (values + 0.3 * rng.standard_normal((N, 3))).astype(np.float32)
    r2, boot = R2(values, scorer.weights).of(prediction)
    assert np.isnan(r2[2]) and np.isnan(boot[:, 2]).all()
    level = scorer.score(prediction)["latent", 1]
    np.testing.assert_allclose(level.r2, r2[:2].mean())
    assert np.isfinite(level.boot).all()


def test_interval_covers_the_true_r2():
    """On 200 simulated test sets of a probe whose true R2 is .5, a 95 % interval misses it about 10 times."""
    rng = np.random.default_rng(0)
    n, missed = 300, 0
    weights = bootstrap_weights(0, n, 400)
    for _ in range(200):
        signal, noise = rng.standard_normal((2, n, 1)).astype(np.float32)
        table = TargetTable(signal + noise, (Group("latent", 1, 0, slice(0, 1), None),))
        level = Scorer(table, weights).score(signal)["latent", 1]
        missed += not level.low <= 0.5 <= level.high
    assert 3 <= missed <= 22


def test_targets_of_a_world_are_its_latents_and_noise():
    world = worlds.make("grammar_tree", 0, leaves=8, symbols=5)
    sample = world.sample(40)
    table = TargetTable.of(world.targets(sample))
    assert table.levels == (0, 1, 2, 3)
    by_name = {(g.kind, g.level, g.node): g for g in table.groups}
    root = by_name["latent", 3, 0]
    np.testing.assert_array_equal(table.values[:, root.columns].argmax(1), sample.latents[3][:, 0, 0])
    np.testing.assert_array_equal(root.labels, sample.latents[3][:, 0, 0])
    np.testing.assert_array_equal(table.values[:, by_name["noise", 0, 7].columns], sample.noise[0][:, 7])
    columns = [
        table.columns(level=level, node=node) for level in range(4) for node in range(world.n_nodes[level])
    ]
    assert sorted(chain(*columns)) == list(range(table.values.shape[1]))
    assert table.columns("latent", 3) == list(range(root.columns.start, root.columns.stop))
    first = table.first(7)
    assert first.values.shape == (7, table.values.shape[1]) and len(first.groups[-1].labels or range(7)) == 7


def test_a_world_without_targets_has_no_scores():
    with pytest.raises(MaestrataError, match="at least one target"):
        TargetTable.of([])


def test_what_is_known_of_nodes_is_spread_over_their_columns():
    table = _scorer(4).targets
    by_level_ = {1: np.array([[True, False]] * 4), 2: np.array([[True], [True], [False], [True]])}
    expected = np.array([[1, 1, 0, 0, k, k, k] for k in (1, 1, 0, 1)], bool)
    np.testing.assert_array_equal(table.per_column(by_level_), expected)
