"""A run: it learns, equal runs are equal to the bit, and what goes wrong is named."""

import dataclasses
import logging
import subprocess
import sys

import numpy as np
import pytest
import torch

from maestrata.errors import TrainingError
from maestrata.model.mae import MAE
from maestrata.training import loop
from maestrata.training.data import Batches, initial_model
from maestrata.training.optimiser import Optimiser
from maestrata.training.recipe import Recipe, decays, learning_rate
from maestrata.training.train import train


def test_learns(cell):
    _, losses = train(**{**cell, "recipe": Recipe(images=400 * 32, batch=32, lr=5e-3)})
    variance = float(np.var(cell["world"].sample(512, stream="test").images))
    assert losses[:5].mean() > 0.9 * variance
    assert losses[-40:].mean() < 0.7 * variance
    assert len(losses) == 400


def test_equal_runs_are_equal_and_seeds_differ(cell, same):
    first = train(**cell)
    assert same(first, train(**cell))
    other = train(**{**cell, "seed": 6})
    assert not np.array_equal(first[1], other[1])


def test_bfloat16_is_asked_for_and_stays_near(cell, same):
    """On a CPU products are float32 unless the recipe says otherwise; then equal runs are equal, too."""
    coarse = {**cell, "recipe": dataclasses.replace(cell["recipe"], precision="bfloat16")}
    (model, losses), (_, exact) = train(**coarse), train(**cell)
    assert same((model, losses), train(**coarse))
    assert not np.array_equal(losses, exact)
    np.testing.assert_allclose(losses, exact, rtol=0.02)
    assert {p.dtype for p in model.parameters()} == {torch.float32}


@pytest.mark.parametrize(
    ("precision", "on"), [("auto", ["cuda"]), ("float32", []), ("bfloat16", ["cpu", "cuda"])]
)
def test_precision_by_device(precision, on):
    recipe = Recipe(precision=precision)
    assert [device for device in ("cpu", "cuda") if recipe.in_bfloat16(device)] == on


def test_threads_do_not_matter(cell, same):
    first, threads = train(**cell), torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert same(first, train(**cell))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)


def test_one_step_is_torchs_own(cell):
    """Against the model's own loss, torch's clipping and AdamW on the parameters as they are."""
    recipe = dataclasses.replace(cell["recipe"], clip=0.1)  # so small that it acts
    arguments = {k: v for k, v in cell.items() if k not in ("cfg", "recipe")}
    model = initial_model(cell["cfg"], cell["seed"], cell["world"].seed)
    groups = [
        {
            "params": [p for n, p in model.named_parameters() if decays(n, tuple(p.shape)) is flag],
            "weight_decay": recipe.weight_decay if flag else 0.0,
        }
        for flag in (True, False)
    ]
    adam = torch.optim.AdamW(groups, betas=recipe.betas)
    batches, losses = Batches(**arguments, recipe=recipe), []
    for step in range(6):
        adam.zero_grad()
        loss = model.loss(*batches(step))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), recipe.clip)
        for group in adam.param_groups:
            group["lr"] = learning_rate(recipe, step)
        adam.step()
        losses.append(loss.item())
    _, ours = train(**{**cell, "recipe": recipe})
    np.testing.assert_allclose(ours[:6], losses, rtol=1e-4)


def test_matrices_alone_are_decayed(cell):
    model = MAE(cell["cfg"])
    decayed = {n for n, p in model.named_parameters() if decays(n, tuple(p.shape))}
    assert {"embed.weight", "blocks.0.qkv.weight", "head.weight"} <= decayed
    rest = {n for n, _ in model.named_parameters()} - decayed
    assert {"cls_token", "mask_token", "embed.bias", "norm.weight", "blocks.1.norm2.bias"} <= rest


def test_optimiser_lays_parameters_out_flat_without_changing_them(cell):
    model = MAE(cell["cfg"])
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    Optimiser(model, cell["recipe"])
    assert all(torch.equal(p, before[n]) for n, p in model.named_parameters())
    for tensors in ([p.data for p in model.parameters()], [p.grad for p in model.parameters()]):
        assert len({t.untyped_storage().data_ptr() for t in tensors}) == 1


def test_deeper_decoder_trains(cell, same):
    cfg = dataclasses.replace(cell["cfg"], decoder_depth=2)
    run = train(**{**cell, "cfg": cfg})
    assert np.isfinite(run[1]).all()
    assert same(run, train(**{**cell, "cfg": cfg}))


def test_loss_that_is_not_finite_is_named_with_its_step(cell, monkeypatch):
    honest = Batches.__call__

    def spoilt(self, step):
        tokens, visible, masked = honest(self, step)
        return (tokens * torch.inf if step == 13 else tokens), visible, masked

    monkeypatch.setattr(Batches, "__call__", spoilt)
    with pytest.raises(TrainingError, match=r"cell A: the loss is (nan|inf) at step 13 of 40"):
        train(**cell, name="cell A")


def test_finite_set_is_gone_through_epoch_by_epoch(cell):
    recipe = dataclasses.replace(cell["recipe"], samples=72)
    arguments = {k: v for k, v in cell.items() if k not in ("cfg", "recipe")}
    batches = Batches(**arguments, recipe=recipe)
    rows = np.concatenate([batches.rows(step) for step in range(9)])  # 288 = 4 epochs of 72
    for epoch in rows.reshape(4, 72):
        assert sorted(epoch) == list(range(72))
    assert not np.array_equal(rows[:72], rows[72:144])
    again = Batches(**arguments, recipe=recipe)
    assert np.array_equal(again.rows(5), rows[5 * 32 : 6 * 32])  # a step alone is what it is in the run
    fresh = Batches(**arguments, recipe=cell["recipe"])
    every = np.concatenate([fresh(step)[0].numpy() for step in range(3)])[:72]
    tokens = batches(4)[0].numpy()
    assert np.array_equal(
        tokens, every[rows[4 * 32 : 5 * 32]]
    )  # the first images of the endless stream, and no others
    train(**{**cell, "recipe": recipe})


def test_learning_rate_rises_then_falls_to_zero():
    recipe = Recipe(images=1000 * 4, batch=4, lr=1e-2, warmup=0.1)
    rates = np.array([learning_rate(recipe, step) for step in range(1000)])
    assert np.argmax(rates) == 100
    assert rates.max() == pytest.approx(1e-2)
    assert np.allclose(np.diff(rates[:100], n=2), 0, atol=1e-9)  # linear
    assert (np.diff(rates[101:]) < 0).all()
    assert 0 < rates[-1] < 1e-6 * 10


def test_progress_is_logged_now_and_then(cell, caplog):
    with caplog.at_level(logging.INFO, logger="maestrata.training.bar"):
        train(**cell, name="cell A")
    lines = [r.getMessage() for r in caplog.records]
    assert 5 <= len(lines) <= 12
    assert lines[-1].startswith("cell A: step 40/40, loss ")
    assert "images/s" in lines[0] and "left" in lines[0]


def test_losses_are_read_only_now_and_then(cell, monkeypatch):
    reads = []
    honest = loop.check_finite
    monkeypatch.setattr(loop, "check_finite", lambda *a: (reads.append(1), honest(*a)))
    train(**cell)
    assert len(reads) == 1


def test_every_world_and_every_seed_has_a_start_of_its_own(cell):
    starts = [initial_model(cell["cfg"], *key).embed.weight for key in ((0, 0), (0, 1), (1, 0), (0, 0))]
    assert torch.equal(starts[0], starts[3])
    assert not any(torch.equal(starts[0], other) for other in starts[1:3])
    assert not torch.equal(starts[1], starts[2])


def test_training_on_a_cpu_does_not_import_the_compiler():
    """Importing it takes seconds, in a job that may take ten."""
    code = """
import sys
from maestrata.masks import MaskPatches
from maestrata.model.mae import MAEConfig
from maestrata.training.recipe import Recipe
from maestrata.training.train import train
from maestrata.worlds import make
world = make("gaussian_tree", 0, leaves=4, dim=2)
train(world, MaskPatches(world.grid), 2, 0, MAEConfig(2, 2, width=16, depth=1), Recipe(images=320, batch=64))
sys.exit(any(name in sys.modules for name in ("torch._dynamo", "torch._inductor")))
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
