"""Ceilings are scored exactly as probes are."""

import numpy as np
import pytest

from maestrata import worlds
from maestrata.inference.base import pool_up, posterior
from maestrata.inference.limits import predictions_of_upper, score_levels
from maestrata.resampling import bootstrap_weights
from maestrata.scoring import Scorer, TargetTable

N = 1200


@pytest.fixture(scope="module", params=["gaussian_tree", "grammar_tree"])
def scored(request):
    world = worlds.make(request.param, 0, leaves=8)
    sample = world.sample(N)
    visible = np.random.default_rng(0).random((N, 8)) < 0.3
    visible[:, 0] |= ~visible.any(1)
    inferred = posterior(world, sample.images, visible, noise=True)
    return world, sample, visible, inferred.predictions, bootstrap_weights(0, N, 40)


@pytest.mark.parametrize("restricted", [False, True])
def test_equal_to_the_scores_of_probes(scored, restricted):
    world, sample, visible, predictions, weights = scored
    table = TargetTable.of(world.targets(sample))
    present = pool_up(world.grid, visible) if restricted else None
    scores = score_levels(world.targets(sample), predictions, weights, present)
    flat = np.concatenate([predictions[g.kind, g.level][:, g.node] for g in table.groups], 1).astype(
        np.float32
    )
    expected = Scorer(table, weights, present).score(flat)
    assert set(scores) == set(expected)
    for key, limit in scores.items():
        other = expected[key]
        np.testing.assert_allclose(limit.r2, other.r2, atol=1e-5)
        np.testing.assert_allclose([limit.low, limit.high], [other.low, other.high], atol=1e-4)
        np.testing.assert_allclose(limit.boot, other.boot, atol=1e-4)
        np.testing.assert_allclose(limit.node, other.node, atol=1e-5)
        np.testing.assert_allclose(limit.accuracy, other.accuracy, atol=1e-12)
        assert limit.n == other.n


def test_predictions_for_the_first_images_alone(scored):
    world, sample, _, predictions, weights = scored
    some = {key: values[:700] for key, values in predictions.items()}
    scores = score_levels(world.targets(sample), some, weights)
    short = worlds.base.Sample(
        sample.images[:700],
        {k: v[:700] for k, v in sample.latents.items()},
        {k: v[:700] for k, v in sample.noise.items()},
    )
    expected = score_levels(world.targets(short), some, weights[:, :700])
    assert all(scores[key].r2 == expected[key].r2 and scores[key].n == 700 for key in scores)


def test_too_few_images_have_no_r2(scored):
    world, sample, _, predictions, weights = scored
    present = {level: np.zeros((N, nodes), bool) for level, nodes in world.n_nodes.items()}
    for level in present:
        present[level][:99] = True
    scores = score_levels(world.targets(sample), predictions, weights, present)
    assert all(np.isnan(limit.r2) and np.isnan(limit.low) and limit.n == 99 for limit in scores.values())


def test_upper_bound_as_r2():
    """1 - E|z - z'|^2 / (2 Var z), dimension by dimension."""
    world = worlds.make("gaussian_tree", 0, leaves=2, dim=2)
    sample = world.sample(N)
    rng = np.random.default_rng(1)
    targets = world.targets(sample)
    upper = {(t.kind, t.level): np.zeros((N, world.n_nodes[t.level], 2)) for t in targets}
    for target in targets:
        upper[target.kind, target.level][:, target.node] = target.values + rng.normal(
            size=target.values.shape
        )
    limits = score_levels(
        targets,
        predictions_of_upper(upper, targets),
        bootstrap_weights(0, N, 5),
    )
    z, other = sample.latents[1][:, 0], upper["latent", 1][:, 0]
    expected = np.mean(1 - ((z - other) ** 2).mean(0) / (2 * z.var(0)))
    assert limits["latent", 1].r2 == pytest.approx(expected, abs=1e-6)
