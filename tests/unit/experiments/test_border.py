"""Border tokens, the partial loss, and the three arms."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from maestrata import worlds
from maestrata.errors import ExperimentError
from maestrata.experiments import border
from maestrata.experiments._features import explainable
from maestrata.experiments.base import Job
from maestrata.experiments.settings import inner_share
from maestrata.geometry import TokenGrid
from maestrata.masks import MaskPatches, border_tokens, draw_masks, mask_matrix
from maestrata.model.mae import MAE, MAEConfig
from maestrata.training.data import Batches
from maestrata.training.loop import fit
from maestrata.training.recipe import Recipe

SMALL = MAEConfig(width=16, depth=1, decoder_width=16)
RECIPE = Recipe(images=640, batch=64)


def job(settings, **world):
    defaults = {**border.SETTINGS, "images": 640}
    return Job(
        worlds.make("additive_tree", 1, **world),
        0,
        SMALL,
        RECIPE,
        settings={**defaults, **settings},
        probe_train=400,
        test=300,
        replicates=20,
    )


def test_border_tokens_are_those_with_a_visible_neighbour():
    grid = TokenGrid(4, 4)
    uniforms = np.random.default_rng(0).random((50, 16))
    shown = mask_matrix(draw_masks(MaskPatches(grid), 4, uniforms)[0], 16)
    borders = border_tokens(shown, grid)
    for row, visible in zip(borders, shown, strict=True):
        for token in range(16):
            y, x = divmod(token, 4)
            near = [(y + 1, x), (y - 1, x), (y, x + 1), (y, x - 1)]
            beside = any(visible[4 * a + b] for a, b in near if 0 <= a < 4 and 0 <= b < 4)
            assert row[token] == (beside and not visible[token])


def test_a_patch_of_2x2_has_four_border_tokens_of_twelve():
    assert inner_share(job({}).world, MaskPatches(TokenGrid(4, 4), 2, 2), 1, 256) == pytest.approx(8 / 12)


def test_with_all_tokens_counted_it_is_the_standard_training():
    world = worlds.make("additive_tree", 1)
    batches = Batches(world, MaskPatches(world.grid), 4, 0, RECIPE)
    one, two = MAE(SMALL), MAE(SMALL)
    plain = fit(one, batches, one.loss, RECIPE, "plain")
    everything = fit(
        two, lambda step: (*batches(step), torch.ones(64, 12, dtype=torch.bool)), two.loss, RECIPE, "all"
    )
    assert np.allclose(plain, everything, rtol=1e-4)


def test_the_random_control_leaves_out_as_many_of_every_image():
    one = job({})
    batches = Batches(one.world, MaskPatches(one.grid), 4, 0, RECIPE)
    inner, random = (border.counted(arm, one)(3, batches(3)) for arm in border.ARMS[1:])
    assert torch.equal(inner.sum(1), random.sum(1))
    assert not torch.equal(inner, random)
    again = border.counted("no_random", one)(3, batches(3))
    assert torch.equal(random, again)


def test_arms_quantities_and_repeatability():
    table = border.run(job({"patches": ("2x2",)}))
    axes, data = table.arrays()
    assert axes["arm"] == ["2x2/standard", "2x2/no_border", "2x2/no_random"]
    assert axes["quantity"] == ["progress", "mask_ratio", "r2", "counted", "over_standard", "over_random"]
    assert axes["level"] == [0, 1, 2, 3, 4]
    r2, gains = data["value"][:, 2], data["value"][1, 4:, 1:]
    assert np.allclose(gains, r2[1, 1:] - r2[[0, 2], 1:])
    assert (data["low"][1, 4:, 1:] < gains).all() and (gains < data["high"][1, 4:, 1:]).all()
    assert np.isfinite(r2[:, 1:]).all()
    assert data["setting"] == pytest.approx([1, 2 / 3, 2 / 3])
    values = r2[:, 1:]
    assert len({tuple(row) for row in values}) == 3  # three losses, three models
    again = border.run(job({"patches": ("2x2",)})).arrays()[1]
    for name in data:
        assert np.array_equal(data[name], again[name], equal_nan=True)


def test_without_the_border_progress_is_that_of_inner_tokens():
    """A model that fills inner tokens exactly, and border tokens with nonsense, has progress 1."""
    one = job({"patches": ("2x1",)}, leaves=8)
    one = replace(one.in_world(worlds.make("grammar_tree", 1, leaves=8, symbols=6)), test=300)
    patches = MaskPatches.parse("2x1", one.grid)
    held = border.asked_for("no_border", one, explainable(one, 1, patches))
    inner = border_tokens(held.visible, one.grid) | held.visible
    filled = np.where(inner[..., None], 9.0, held.best)
    assert held.of_predictions(filled).share[0] == pytest.approx(1)
    standard = border.asked_for("standard", one, explainable(one, 1, patches))
    assert standard.of_predictions(filled).share[0] < 0


def test_a_mask_without_inner_tokens_is_refused():
    with pytest.raises(ExperimentError, match="1 of 2 patches 1x1 visible every masked token is next to"):
        border.run(job({"patches": ("1x1",)}, leaves=2))
