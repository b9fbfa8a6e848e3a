"""Muon: steps of the matrices of transformer blocks along the orthogonal matrix nearest to their momentum.

AdamW scales every weight by itself; Muon (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/)
scales the singular values of a matrix instead: all of a step's are about 1. PyTorch has it as
`torch.optim.Muon`, which takes one matrix after the other, in bfloat16. Models this small have many small
matrices, so that here all of one shape, of all layers and members, are one batch, in float32.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from maestrata.training.recipe import Recipe, decays

MOMENTUM = 0.95
ITERATIONS = 5
LINEAR, CUBIC, QUINTIC = 3.4445, -4.7750, 2.0315
"""Of the polynomial that pulls singular values towards 1 (Jordan et al.): to .7 to 1.2 in five times."""


class Part(NamedTuple):
    """Parameters that are stepped alike.

    Attributes
    ----------
    decayed : bool
    matrix : tuple of two int, or None
        Shape of the matrices that Muon steps; None: AdamW steps them.
    """

    decayed: bool
    matrix: tuple[int, int] | None = None


def part_of(recipe: Recipe, name: str, shape: tuple[int, ...]) -> Part:
    """Return the part that a parameter belongs to.

    Muon takes the matrices of blocks, queries, keys and values each as one. What reads pixels or writes them,
    tokens, norms and biases are left to AdamW, as its authors advise.
    """
    decayed = decays(name, shape)
    if recipe.optimiser != "muon" or not decayed or "blocks." not in name:
        return Part(decayed)
    rows, columns = shape
    return Part(decayed, (columns, columns) if rows == 3 * columns else (rows, columns))


def orthogonal(matrices: Tensor) -> Tensor:
    """Replace the singular values of matrices (n, rows, columns) by values of about 1.

    By a Newton-Schulz iteration: matrix products alone, no decomposition.
    """
    tall = matrices.shape[-2] > matrices.shape[-1]
    x = matrices.mT if tall else matrices  # the smaller square is cheaper
    x = x / (torch.linalg.matrix_norm(x, keepdim=True) + 1e-7)
    for _ in range(ITERATIONS):
        square = torch.bmm(x, x.mT)
        polynomial = torch.baddbmm(square, square, square, beta=CUBIC, alpha=QUINTIC)
        x = torch.baddbmm(x, polynomial, x, beta=LINEAR)
    return x.mT if tall else x


@torch.no_grad()
def muon_step(
    values: Tensor,
    gradient: Tensor,
    momentum: Tensor,
    shape: tuple[int, int],
    rate: float | Tensor,
    decay: float,
) -> None:
    """Step matrices in place, and their momentum.

    Parameters
    ----------
    values, gradient, momentum : Tensor
        Of one size; matrices of `shape` one behind the other.
    shape : tuple of two int
    rate : float or Tensor
        Length of the step: spectral norm of the change of a matrix that is not tall.
    decay : float
        Weight decay.
    """
    momentum.lerp_(gradient, 1 - MOMENTUM)
    rows, columns = shape
    direction = orthogonal(gradient.lerp(momentum, MOMENTUM).view(-1, rows, columns))
    values.mul_(1 - rate * decay)
    values.sub_(direction.reshape(values.shape) * (rate * max(1.0, rows / columns) ** 0.5))
