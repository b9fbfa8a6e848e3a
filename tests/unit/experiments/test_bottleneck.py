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
from maestrata.experiments.measures import Whitening, leak, redraw
from maestrata.experiments.settings import fill_settings
from maestrata.geometry import TokenGrid, patchify
from maestrata.inference import posterior
from maestrata.model.mae import MAEConfig
from maestrata.worlds import make

TINY = {"levels": [1, 3], "images": 512, "growth": 1, "width": 16, "depth": 1, "points": 100, "test": 120}


def job(settings=None, **world):
    made = make("invertible_tree", 0, **({"leaves": 8} | world))
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
    error = np.square(predicted.numpy() - hidden.numpy()).mean()
    assert coder.loss(seen, hidden).item() == pytest.approx(error, rel=1e-5)


def test_the_response_of_a_linear_decoder_is_its_matrix_squared():
    coder = model(child_mask(TokenGrid.for_leaves(8), 1))
    coder.decoder = torch.nn.Linear(3, 12)
    matrix = coder.decoder.weight.detach().double().numpy()
    codes = np.random.default_rng(0).standard_normal((7, 3)).astype(np.float32)
    np.testing.assert_allclose(coder.response(codes), matrix.T @ matrix, rtol=1e-5)


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
    assert leak(*map(Whitening(told[0]).apply, told))[0] < 0.02
    assert leak(*map(Whitening(seen[0]).apply, seen))[0] > 0.1


def test_every_arm_is_measured_at_every_level():
    values = numbers(run(job()))
    trained = {"trained/0.5d", "trained/1d", "trained/2d"}
    coded = trained | {"null_trained/1d", "random_init/1d", "pca/1d"}
    assert {arm for arm, _ in values} == {f"l{level}/{arm}" for level in (1, 3) for arm in coded | {"exact"}}
    for level in (1, 3):
        for arm in sorted(coded):
            at = f"l{level}/{arm}"
            assert {"r2", "r2_linear", "skill", "leak", "outputs"} <= {q for a, q in values if a == at}
            assert 0 < values[at, "leak"] < 1.2
            assert ((at, "progress") in values) == (arm in trained)
            assert ((at, "leak_used") in values) == (arm != "pca/1d")
            if arm in trained:
                # the decoder's optimum on the visible part is the exact posterior's
                assert values[at, "progress"] < 1.05
    # noise over c and its ancestors: root 2, and one a level
    assert values["l1/trained/1d", "outputs"] == 4 and values["l1/trained/2d", "outputs"] == 8
    assert values["l3/trained/1d", "outputs"] == 2


def test_equal_jobs_give_equal_numbers():
    one, two = (run(job({"levels": [1]})).arrays()[1]["value"] for _ in range(2))
    np.testing.assert_array_equal(one, two)


def test_a_world_without_turns_is_learnt_in_seconds_and_not_from_targets_of_other_images():
    # then E[masked | visible] is linear in the d_c numbers that a node and its ancestors have
    settings = {"images": 25_600, "batch": 64, "width": 32, "test": 1000, "levels": [1]}
    values = numbers(run(job(settings, omega=0.0)))
    assert values["l1/trained/1d", "progress"] > 0.9 > 0.8 > values["l1/trained/0.5d", "progress"]
    assert values["l1/trained/1d", "skill"] > 0.9
    assert values["l1/trained/1d", "leak"] < 0.1 < values["l1/random_init/1d", "leak"]
    assert values["l1/null_trained/1d", "leak"] > 0.3
    assert values["l1/null_trained/1d", "skill"] < 0.6
