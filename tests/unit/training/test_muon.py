"""Muon: singular values, which parameters it steps, and PyTorch's own beside it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.optim._muon import Muon as TorchMuon

from maestrata.masks import MaskPatches
from maestrata.model.mae import MAE, MAEConfig
from maestrata.training import muon
from maestrata.training.muon import Part, muon_step, orthogonal, part_of
from maestrata.training.optimiser import Optimiser
from maestrata.training.recipe import Recipe
from maestrata.training.train import train
from maestrata.worlds import make

CFG = MAEConfig(4, 2, 12, width=16, depth=2, heads=2, decoder_width=16)
RECIPE = Recipe(images=16 * 30, batch=16, optimiser="muon")


def _random(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("shape", [(5, 16, 16), (5, 64, 16), (5, 16, 64)])
def test_singular_values_become_about_one(shape: tuple[int, ...]) -> None:
    """Directions stay: U f(S) V of U S V, f between .65 and 1.25 but for values near zero."""
    matrices = _random(*shape)
    u, s, v = torch.linalg.svd(matrices, full_matrices=False)
    inner = torch.linalg.multi_dot
    for k in range(5):
        values = inner([u[k].mT, orthogonal(matrices)[k], v[k].mT])
        assert torch.allclose(values, values.diag().diag(), atol=1e-4)
        assert ((values.diag() > 0.65) & (values.diag() < 1.25))[s[k] > 0.05 * s[k].max()].all()


def test_a_step_is_that_of_pytorch() -> None:
    """Three steps of one matrix each way; PyTorch iterates in bfloat16, hence the tolerance."""
    for shape in ((16, 16), (64, 16), (16, 64)):
        start = _random(*shape)
        theirs = torch.nn.Parameter(start.clone())
        peer = TorchMuon([theirs], lr=0.02, weight_decay=0.1, momentum=0.95, adjust_lr_fn="original")
        ours, momentum = start.flatten().clone(), torch.zeros(start.numel())
        for step in range(3):
            gradient = torch.randn(shape, generator=torch.Generator().manual_seed(step))
            theirs.grad = gradient.clone()
            peer.step()
            muon_step(ours, gradient.flatten(), momentum, shape, 0.02, 0.1)
        change, expected = ours.view(shape) - start, theirs.detach() - start
        assert float((change - expected).norm() / expected.norm()) < 0.03


def test_muon_takes_the_matrices_of_blocks_alone() -> None:
    parts = {n: part_of(RECIPE, n, tuple(p.shape)) for n, p in MAE(CFG).named_parameters()}
    assert parts["blocks.1.qkv.weight"] == parts["blocks.0.proj.weight"] == Part(True, (16, 16))
    assert parts["decoder_blocks.0.fc1.weight"] == Part(True, (64, 16))
    for name in ("embed.weight", "head.weight", "decoder_embed.weight"):
        assert parts[name] == Part(True)
    for name in ("cls_token", "blocks.0.qkv.bias", "blocks.0.norm1.weight"):
        assert parts[name] == Part(False)
    plain = replace(RECIPE, optimiser="adamw")
    assert all(part_of(plain, n, tuple(p.shape)).matrix is None for n, p in MAE(CFG).named_parameters())


def test_each_matrix_is_stepped_by_itself() -> None:
    """Queries, keys and values as three, whatever lies beside them in the buffer."""
    model = MAE(CFG).initialise(torch.Generator().manual_seed(0))
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    optimiser = Optimiser(model, replace(RECIPE, weight_decay=0.0, clip=1e9))
    gradients = {n: torch.randn_like(p) for n, p in before.items()}
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None
        parameter.grad.copy_(gradients[name])
    optimiser.step(RECIPE.lr)
    for name, parameter in model.named_parameters():
        if "blocks." not in name or parameter.ndim < 2:
            continue
        scale = RECIPE.muon_lr * max(1.0, parameter.shape[0] / parameter.shape[1]) ** 0.5
        if "qkv" in name:
            expected = orthogonal(gradients[name].view(3, 16, 16)).flatten(0, 1) * RECIPE.muon_lr
        else:
            expected = orthogonal(gradients[name][None])[0] * scale
        # the first momentum and the gradient have one direction
        torch.testing.assert_close(before[name] - parameter.detach(), expected, rtol=1e-3, atol=1e-5)


@pytest.fixture(name="steps")
def _counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    calls: list[int] = []
    honest = muon.orthogonal

    def counting(matrices: torch.Tensor) -> torch.Tensor:
        calls.append(len(matrices))
        return honest(matrices)

    monkeypatch.setattr(muon, "orthogonal", counting)
    yield calls


def test_matrices_of_one_shape_are_one_batch(steps: list[int]) -> None:
    """A step calls the iteration three times: of 12, 3 and 3 matrices in three blocks."""
    world = make("gaussian_tree", 0, leaves=8)
    _, losses = train(world, MaskPatches(world.grid), 3, 0, CFG, RECIPE)
    assert np.isfinite(losses).all() and losses[-5:].mean() < losses[:5].mean()
    assert len(steps) == 3 * RECIPE.steps and sorted(steps[:3]) == [3, 3, 12]
