"""Attention: that of the model itself, and what counts as shared."""

from __future__ import annotations

import numpy as np
import pytest

from maestrata.errors import ExperimentError
from maestrata.experiments import attention
from maestrata.experiments.attention import shared_mass
from maestrata.geometry import TokenGrid
from maestrata.representation.attention import attention_weights
from maestrata.worlds import make

WORLD = make("gaussian_tree", 0, leaves=8)


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


@pytest.mark.parametrize(("layer", "head"), [(1, 0), (1, 2), (2, 1)])
def test_any_block_and_head_is_measured(cells_job, layer, head):
    job = cells_job("attention", WORLD, test=60, token=2, shown=1, shown_world_seed=0, layer=layer, head=head)
    axes, data = attention.run(job).arrays()
    arm, model = job.cells[0].arm, job.cells[0].model()
    every = attention_weights(model, WORLD.sample(60, "test").images, layer)
    of_token = (every[:, head - 1] if head else every.mean(1))[:, 1 + 2, 1:]
    level = axes["level"].index(1)
    mass = data["value"][axes["arm"].index(arm), axes["quantity"].index("chosen_mass"), level]
    assert mass == pytest.approx(shared_mass(of_token, WORLD.grid, 1, np.full(60, 2)).mean())
    mean = of_token.mean(0)
    at = [axes["arm"].index(f"{arm}/mean/t{t:02d}") for t in range(8)]
    shares = data["value"][at, axes["quantity"].index("chosen_attention"), axes["level"].index(0)]
    np.testing.assert_allclose(shares, mean / mean.sum(), rtol=1e-5)


def test_a_token_that_is_not_there_is_refused(cells_job):
    with pytest.raises(ExperimentError, match=r"token=8 must lie in 0\.\.7"):
        attention.run(cells_job("attention", WORLD, token=8))
