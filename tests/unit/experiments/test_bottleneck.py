"""The bottleneck: its mask and c, what code and decoder can see, and its numbers where they are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from maestrata.errors import ExperimentError
from maestrata.experiments._bottleneck_model import Bottleneck
from maestrata.experiments._shared_part import Shared, child_mask
from maestrata.experiments.base import Job
from maestrata.experiments.bottleneck import SETTINGS, run
from maestrata.experiments.measures import leak, redraw, whiten
from maestrata.experiments.settings import fill_settings
from maestrata.geometry import TokenGrid, patchify
from maestrata.inference import posterior
from maestrata.model.mae import MAEConfig
from maestrata.worlds import make

TINY = {"images": 640, "width": 16, "depth": 1, "points": 100, "test": 120}


def job(kind, settings=None, **world):
    made = make(kind, 0, **({"leaves": 8} | world))
    cfg = MAEConfig(made.grid.height, made.grid.width, made.token_values)
    full = fill_settings("bottleneck", TINY | (settings or {}), SETTINGS)
    return Job(made, 0, cfg, settings=full, replicates=20)


def numbers(table):
    axes, data = table.arrays()
    return {
        (arm, quantity): float(data["value"][i, j, 0])
        for i, arm in enumerate(axes["arm"])
        for j, quantity in enumerate(axes["quantity"])
        if np.isfinite(data["value"][i, j, 0])
    }


def model(masked, outputs=3, values=12):
    return Bottleneck(masked, values, outputs, 16, 1, torch.Generator().manual_seed(1))


@pytest.mark.parametrize("level, masked, d_c", [(1, 1, 7), (2, 2, 6), (3, 4, 5), (4, 8, 4)])
def test_c_is_the_node_whose_child_is_masked(level, masked, d_c):
    world = make("invertible_tree", 0, leaves=16, root_dim=4, noise_dim=1, omega=0.8)
    mask = child_mask(world.grid, level)
    assert mask.sum() == masked
    shared = Shared.of(world, mask)
    assert shared.c == ((level, 0),)
    assert shared.intrinsic_dim == d_c
    # the node and its ancestors, one a level
    assert {at: nodes.sum() for at, nodes in shared.above.items()} == {
        at: int(at >= level) for at in range(5)
    }


def test_a_level_that_is_not_there_is_refused():
    with pytest.raises(ExperimentError, match=r"level=5 must be an integer in 1\.\.4"):
        child_mask(TokenGrid.for_leaves(16), 5)


def test_code_sees_the_visible_tokens_alone_and_the_decoder_the_code_alone():
    masked = child_mask(TokenGrid.for_leaves(8), 2)
    coder = model(masked)
    tokens = np.random.default_rng(0).standard_normal((5, 8, 12)).astype(np.float32)
    other = tokens.copy()
    other[:, masked] += 1.0
    np.testing.assert_array_equal(coder.codes(tokens), coder.codes(other))
    assert coder.codes(tokens).shape == (5, 3)
    other[:, ~masked] += 1.0
    assert not np.allclose(coder.codes(tokens), coder.codes(other))
    seen, hidden = coder.split(tokens)
    np.testing.assert_array_equal(hidden.numpy(), tokens[:, masked].reshape(5, -1))
    with torch.no_grad():
        predicted = coder.decoder(torch.from_numpy(coder.codes(tokens)))
        np.testing.assert_array_equal(coder(seen).numpy(), predicted.numpy())
    errors = np.square(predicted.numpy() - hidden.numpy()).mean(1)
    ids = (torch.from_numpy(np.flatnonzero(part)).expand(5, -1) for part in (~masked, masked))
    filled = coder.fill(torch.from_numpy(tokens), *ids)
    assert torch.equal(filled, coder(seen).view(5, -1, 12))
    assert coder.loss(seen, hidden).item() == pytest.approx(errors.mean(), rel=1e-5)


def test_weights_come_from_the_generator_alone():
    masked = child_mask(TokenGrid.for_leaves(8), 1)
    one, two = model(masked).state_dict(), model(masked).state_dict()
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_redrawing_keeps_c_and_the_conditional_mean_and_changes_all_else_that_is_visible():
    world = make("invertible_tree", 1, leaves=8, root_dim=2, noise_dim=1, omega=0.8)
    masked = child_mask(world.grid, 1)
    shared = Shared.of(world, masked)
    sample = world.sample(400)
    own = {level: ~nodes for level, nodes in shared.above.items()}
    again = world.generate(redraw(world, sample.noise, own, np.random.default_rng(0)))
    np.testing.assert_array_equal(shared.values(sample), shared.values(again))
    sibling = world.grid.children(1)[0, 1]
    seen = [patchify(s.images, world.token_pixels)[:, sibling] for s in (sample, again)]
    # E[masked | visible] is a function of c: no leak; the visible token has its own noise beside c
    told = [posterior(world, s.images, ~masked).tokens[:, masked].reshape(400, -1) for s in (sample, again)]
    assert leak(*whiten(*told))[0] < 0.02
    assert leak(*whiten(*seen))[0] > 0.1


def test_posterior_of_c_is_its_mean_alone_where_the_covariance_is_constant():
    for kind, settings, width in (("gaussian_tree", {"dim": 3}, 3), ("additive_tree", {"dim": 2}, 5)):
        world = make(kind, 0, leaves=4, **settings)
        masked = child_mask(world.grid, 1)
        found = posterior(world, world.sample(60).images, ~masked)
        assert Shared.of(world, masked).belief(found).shape == (60, width)


def test_where_the_visible_part_determines_c_the_posterior_is_c():
    world = make("invertible_tree", 0, leaves=4)
    masked = child_mask(world.grid, 1)
    sample = world.sample(50)
    shared = Shared.of(world, masked)
    belief = shared.belief(posterior(world, sample.images, ~masked))
    np.testing.assert_allclose(belief, shared.values(sample), atol=1e-4)


@pytest.mark.parametrize(
    "kind, world, exact",
    [
        ("invertible_tree", {}, True),
        ("gaussian_tree", {}, True),
        ("additive_tree", {"dim": 2, "leaves": 4}, True),
        ("additive_tree", {"dim": 4}, False),
    ],
)
def test_every_arm_is_measured(kind, world, exact):
    found = numbers(run(job(kind, **world)))
    arms = {arm for arm, _ in found}
    trained = {"trained/0.5d", "trained/1d", "trained/2d"}
    assert arms == trained | {"random_init/1d", "pca/1d"} | ({"exact"} if exact else set())
    for arm in arms - {"exact"}:
        assert {"r2", "r2_linear", "leak_redrawn", "outputs"} <= {q for a, q in found if a == arm}
        assert 0 < found[arm, "leak_redrawn"] < 1.2
        assert ((arm, "skill") in found) == ((arm, "leak") in found) == exact
    d_c = found["trained/1d", "outputs"]
    assert found["trained/2d", "outputs"] == 2 * d_c
    # the decoder's optimum on the visible part is the exact posterior's
    for arm in trained:
        assert (found.get((arm, "progress"), 0.0)) < 1.05
    if exact:
        which = "leak_redrawn" if kind == "invertible_tree" else "leak_regressed"
        assert found["trained/1d", "leak"] == found["trained/1d", which]


def test_equal_jobs_give_equal_numbers():
    one, two = (run(job("gaussian_tree")).arrays()[1]["value"] for _ in range(2))
    np.testing.assert_array_equal(one, two)


def test_a_linear_world_is_learnt_in_seconds():
    # with 2 dimensions E[masked | visible] is linear in 2 numbers
    settings = {"images": 25_600, "lr": 5e-3, "width": 32, "test": 1000, "multiples": [0.5, 1.0]}
    found = numbers(run(job("gaussian_tree", settings, dim=2)))
    assert found["trained/1d", "progress"] > 0.8 > found["trained/0.5d", "progress"]
    assert found["trained/1d", "skill"] > 0.8
    assert found["trained/1d", "leak"] < 0.3 < found["random_init/1d", "leak"]
