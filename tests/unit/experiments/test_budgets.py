"""Equal masked tokens in the loss, and equal compute."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from maestrata import worlds
from maestrata.experiments import budgets
from maestrata.experiments.base import Job
from maestrata.masks import MaskPatches
from maestrata.model.mae import MAE, MAEConfig
from maestrata.training.data import Batches
from maestrata.training.recipe import Recipe

SMALL = MAEConfig(grid_height=4, grid_width=2, width=16, depth=1, decoder_width=16)


def job(**settings):
    world = worlds.make("additive_tree", 1, leaves=8)
    given = {**budgets.SETTINGS, "images": 640, **settings}
    return Job(world, 0, SMALL, Recipe(batch=64), given, probe_train=300, test=300, replicates=20)


@pytest.mark.parametrize("visible", [2, 8, 14])
@pytest.mark.parametrize("changes", [{}, {"decoder_depth": 2, "decoder_width": 32, "mlp_ratio": 2}])
def test_products_are_those_that_torch_counts(visible, changes):
    cfg = replace(MAEConfig(), **changes)
    ids = torch.arange(16).expand(3, 16)
    # attention as plain products: the counter does not know the fused kernel of CPUs
    with FlopCounterMode(display=False) as counter, torch.no_grad(), sdpa_kernel(SDPBackend.MATH):
        MAE(cfg)(torch.zeros(3, 16, 12), ids[:, :visible], ids[:, visible:])
    assert counter.get_total_flops() == 2 * 3 * budgets.forward_products(cfg, visible)


def test_as_many_masked_tokens_count_at_every_ratio():
    one = job()
    for visible in (1, 4, 7):
        batches = Batches(one.world, MaskPatches(one.grid), visible, 0, one.recipe)
        first, second = (budgets.some_counted(one, 1)(step, batches(step)) for step in (0, 1))
        assert first.shape == (64, 8 - visible) and (first.sum(1) == 1).all()
        assert visible == 7 or not torch.equal(first, second)


def test_each_budget_is_equal_over_the_ratios():
    axes, data = budgets.run(job()).arrays()
    assert axes["arm"] == [f"{b}/v{v}" for b in ("tokens", "compute") for v in (7, 6, 4, 2, 1)]
    spent = {q: data["value"][:, j, 0] for j, q in enumerate(axes["quantity"]) if q not in ("r2", "progress")}
    assert (spent["tokens_in_loss"][:5] == 640).all() and (spent["images"][:5] == 640).all()
    # equal but for the last batch, which is rounded down
    cost = spent["products"][5:]
    batch = 64 * np.array([budgets.forward_products(SMALL, v) for v in (7, 6, 4, 2, 1)])
    limit = 640 * budgets.forward_products(SMALL, 2)
    assert (cost <= limit).all() and (cost > limit - batch).all()
    assert spent["tokens_in_loss"][5:] == pytest.approx(spent["images"][5:] * [1, 2, 4, 6, 7])
    assert (np.diff(spent["images"][5:]) >= 0).all()  # more images where fewer tokens are shown
    r2 = data["value"][:, axes["quantity"].index("r2")]
    assert np.isfinite(r2[:, 1:]).all() and len({tuple(row[1:]) for row in r2}) == 10
    assert data["setting"] == pytest.approx(2 * [1 / 8, 2 / 8, 4 / 8, 6 / 8, 7 / 8])


def test_one_budget_alone():
    axes, _ = budgets.run(job(budgets=("compute",), mask_ratios=(0.5, 0.75))).arrays()
    assert axes["arm"] == ["compute/v4", "compute/v2"]


def test_an_unknown_budget_is_refused():
    with pytest.raises(ValueError, match="budget 'steps' must be one of: compute, tokens"):
        budgets.run(job(budgets=("steps",)))
