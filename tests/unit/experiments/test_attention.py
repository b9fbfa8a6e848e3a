"""Attention: that of the model itself, and what counts as shared."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from maestrata.errors import ExperimentError
from maestrata.experiments import attention
from maestrata.experiments.attention import attention_weights, shared_mass
from maestrata.geometry import TokenGrid, patchify
from maestrata.worlds import make

WORLD = make("gaussian_tree", 0, leaves=8)


@torch.no_grad()
def test_weights_are_those_that_the_last_block_applies(cells_job):
    model = cells_job("attention", WORLD).cells[0].model()
    images = WORLD.sample(5).images
    weights = attention_weights(model, images, batch=2)
    assert weights.shape == (5, 2, 9, 9)
    np.testing.assert_allclose(weights.sum(-1), 1, rtol=1e-5)
    tokens = torch.from_numpy(np.ascontiguousarray(patchify(images, 2)))
    layers = model.encode(tokens, layers=True)
    block, x = model.blocks[-1], layers[-2]
    values = block.split_heads(block.qkv(block.norm1(x)).chunk(3, -1)[2])
    x = x + block.proj((torch.from_numpy(weights) @ values).transpose(1, 2).flatten(2))
    x = x + block.fc2(torch.nn.functional.gelu(block.fc1(block.norm2(x))))
    np.testing.assert_allclose(model.norm(x), layers[-1], atol=1e-5)


def test_even_attention_has_the_even_share():
    grid = TokenGrid.for_leaves(16)
    anchors = np.arange(16)
    for level in (1, 2, 3):
        mass = shared_mass(np.full((16, 16), 0.3), grid, level, anchors)
        np.testing.assert_allclose(mass, (2**level - 1) / 15)


def test_only_what_others_get_is_shared_out():
    grid = TokenGrid.for_leaves(4)  # columns are the pairs of level 1: 0 above 2, 1 above 3
    given = np.array([[0.7, 0.1, 0.15, 0.05]])
    assert shared_mass(given, grid, 1, np.array([0])) == pytest.approx([0.5])
    assert shared_mass(given, grid, 2, np.array([0])) == pytest.approx([1.0])


def test_models_are_measured_and_mapped(cells_job):
    job = cells_job("attention", WORLD, test=60, token=2, shown=1, shown_world_seed=0)
    axes, data = attention.run(job).arrays()

    def at(arm, quantity, level=0):
        return data["value"][
            axes["arm"].index(arm), axes["quantity"].index(quantity), axes["level"].index(level)
        ]

    assert axes["level"] == [0, 1, 2]
    assert at("even", "token_mass", 2) == pytest.approx(3 / 7)
    for arm in ("1x1/v1", "1x1/v3", "random_init"):
        for name in ("token_mass", "chosen_mass", "cls_mass"):
            assert 0 < at(arm, name, 1) < at(arm, name, 2) < 1
        assert 0 < at(arm, "self_mass") < 1
        for image in ("d0", "mean"):
            for name in ("cls_attention", "chosen_attention"):
                shares = [at(f"{arm}/{image}/t{t:02d}", name) for t in range(8)]
                assert sum(shares) == pytest.approx(1, abs=1e-5)
    hidden = attention.run(cells_job("attention", WORLD, test=60)).arrays()[0]
    assert hidden["arm"] == ["even", "1x1/v1", "1x1/v3", "random_init"]


def test_a_token_that_is_not_there_is_refused(cells_job):
    with pytest.raises(ExperimentError, match=r"token=8 must lie in 0\.\.7"):
        attention.run(cells_job("attention", WORLD, token=8))
