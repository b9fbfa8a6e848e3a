"""Fixed masks: which they are, what is read of them, and that training sees no other."""

from __future__ import annotations

import numpy as np
import pytest

from maestrata.experiments import base
from maestrata.experiments import fixed_masks as module
from maestrata.experiments.base import Job
from maestrata.experiments.settings import fill_settings
from maestrata.model.mae import MAEConfig
from maestrata.worlds import make

TINY = {"images": 256, "pairs": 50, "fit": 200, "test": 120}


def job(kind, leaves=4):
    world = make(kind, 0, leaves=leaves)
    cfg = MAEConfig(
        world.grid.height, world.grid.width, world.token_values, width=8, depth=1, decoder_width=8
    )
    settings = fill_settings("fixed_masks", TINY, module.SETTINGS)
    return Job(world, 0, cfg, settings=settings, replicates=20)


def test_masks_are_those_of_the_figure_and_the_ladder():
    masks = {arm: mask for arms, mask in module.masks(make("gaussian_tree", 0, leaves=16)) for arm in arms}
    assert {arm: int(mask.sum()) for arm, mask in masks.items()} == {
        "conservative": 4,
        "ideal": 8,
        "aggressive": 12,
        "ladder1": 8,
        "ladder2": 8,
        "ladder3": 8,
        "ladder4": 8,
    }
    np.testing.assert_array_equal(masks["ideal"], masks["ladder4"])


@pytest.mark.parametrize("kind", ["invertible_tree", "symbol_tree"])
def test_every_mask_is_read(kind):
    axes, data = module.run(job(kind)).arrays()
    at = {
        (arm, quantity): data["value"][i, j]
        for i, arm in enumerate(axes["arm"])
        for j, quantity in enumerate(axes["quantity"])
    }
    assert axes["level"] == [0, 1, 2]
    for arm in ("conservative", "ideal", "aggressive", "ladder1", "ladder2"):
        for quantity in ("leak", "leak_random_init", "leak_whole"):
            leaks = at[arm, quantity][1:]
            # the noise below level 2 holds that below level 1
            assert 0 < leaks[0] < leaks[1] < 1.3
        for quantity in ("r2", "r2_random_init"):
            assert np.isfinite(at[arm, quantity][1:]).all()
        assert at[arm, "progress"][0] < 1.05
    np.testing.assert_array_equal(at["ideal", "leak"], at["ladder2", "leak"])
    assert [at[arm, "mask_ratio"][0] for arm in ("conservative", "ideal", "aggressive")] == [0.25, 0.5, 0.75]
    places = dict(zip(axes["arm"], data["setting"], strict=True))
    assert (places["ladder1"], places["ladder2"]) == (1, 2)
    # whole images of the untrained model have no mask: one number for all
    assert np.isfinite(at["random_init", "leak_whole"][1:]).all()


def test_training_is_handed_the_fixed_mask_at_every_step(monkeypatch):
    seen = []

    def record(model, batches, loss, recipe, name):
        for step in (0, 3):
            _, shown, hidden = batches(step)
            assert shown.shape == (recipe.batch, batches.visible)
            assert (shown == shown[0]).all() and (hidden == hidden[0]).all()
            seen.append((name, tuple(hidden[0].tolist())))
        return np.ones(4, np.float32)

    monkeypatch.setattr(base, "fit", record)
    given = job("gaussian_tree")
    module.run(given)
    wanted = {arms[0]: tuple(np.flatnonzero(mask)) for arms, mask in module.masks(given.world)}
    assert {name.split()[1]: hidden for name, hidden in seen} == wanted
    assert len(seen) == 2 * len(wanted)
