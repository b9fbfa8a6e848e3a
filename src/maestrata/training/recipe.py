"""The training recipe: how many images, in what steps, with which optimiser; and the cell that it is for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import cos, pi

from maestrata.bounds import MOST_IMAGES, MOST_ROWS
from maestrata.cells import Cell, PatchShape
from maestrata.errors import TrainingError
from maestrata.settings import check, setting


@dataclass(frozen=True)
class Recipe:
    """Training of a model: how many images, in what steps, with which optimiser.

    The number of steps is `images` over `batch`, rounded down. The rate rises linearly, then falls to 0 on a
    cosine. Biases, norms, [CLS] and the mask token are not decayed.

    Raises
    ------
    TrainingError
        If a value is out of range.
    """

    images: int = setting(
        240_000, "images seen in all; fresh ones unless `samples` is set", least=1, most=MOST_IMAGES
    )
    batch: int = setting(64, "images in a step", least=1, most=MOST_ROWS)
    optimiser: str = setting(
        "adamw", "adamw, or muon: for the matrices of blocks (AdamW for the rest)", choices=("adamw", "muon")
    )
    lr: float = setting(3e-3, "peak of the one-cycle schedule (AdamW)", above=0, below=1)
    muon_lr: float = setting(0.02, "the same peak, of Muon", above=0, below=1)
    weight_decay: float = setting(0.05, "of matrices; nothing else is decayed", least=0, below=1)
    betas: tuple[float, float] = setting((0.9, 0.95), "of AdamW", least=0, below=1)
    warmup: float = setting(0.1, "share of steps in which the rate rises", least=0, below=1)
    clip: float = setting(1.0, "largest norm of the gradient", above=0)
    samples: int | None = setting(
        None, "size of a finite training set; null: an endless stream", least=1, most=MOST_IMAGES
    )
    precision: str = setting(
        "auto",
        "of matrix products: float32, bfloat16, or auto: bfloat16 on a GPU alone",
        choices=("auto", "float32", "bfloat16"),
    )

    def __post_init__(self) -> None:
        check(self, TrainingError)
        for name in ("images", "samples"):
            value = getattr(self, name)
            if value is not None and value < self.batch:
                raise TrainingError(f"{name}={value} must be at least one batch of {self.batch}").at(name)
        if len(self.betas) != 2:
            raise TrainingError(f"betas={self.betas} must be two numbers").at("betas")

    @property
    def steps(self) -> int:
        """Optimiser steps."""
        return self.images // self.batch

    def in_bfloat16(self, device: str) -> bool:
        """Whether matrix products on a device (``cpu``, ``cuda``) are in bfloat16, else in float32."""
        return self.precision == "bfloat16" or (self.precision == "auto" and device != "cpu")


@dataclass(frozen=True)
class PlannedCell:
    """A cell, and how it is trained.

    Attributes
    ----------
    cell : Cell
    training : Recipe
    mask_ratios : tuple of float
        The asked ratios that it stands for, ascending.
    """

    cell: Cell
    training: Recipe
    mask_ratios: tuple[float, ...] = ()


def plainest(cells: Iterable[PlannedCell], n_tokens: int) -> PlannedCell:
    """Return the cell whose masks and recipe `null_trained` takes: small patches, then a ratio near .5, then
    many images.

    Parameters
    ----------
    cells : iterable of PlannedCell
        Of one world and world seed; the first of the best is taken.
    n_tokens : int
        Tokens of an image.

    Examples
    --------
    >>> cells = [PlannedCell(Cell("w", 0, patch, visible, 0), Recipe())
    ...          for patch, visible in (("2x2", 2), ("1x1", 15), ("1x1", 12), ("1x1", 4))]
    >>> plainest(cells, 16).cell.stem
    'w/w0/p1x1/v12/s0'
    """

    def order(planned: PlannedCell) -> tuple[float, ...]:
        shape = PatchShape.parse(planned.cell.patch)
        ratio = 1 - planned.cell.visible * shape.size / n_tokens
        return shape.size, shape.offset, round(abs(ratio - 0.5), 9), -planned.training.images

    return min(cells, key=order)


def learning_rate(recipe: Recipe, step: int) -> float:
    """AdamW's learning rate at `step` (0 to steps - 1): linear warm-up, then a cosine that ends at 0.

    Muon's is to it as `muon_lr` is to `lr`.
    """
    rise = recipe.warmup * recipe.steps
    if step < rise:
        return recipe.lr * (step + 1) / (rise + 1)
    done = (step - rise) / max(recipe.steps - rise, 1)
    return recipe.lr * 0.5 * (1 + cos(pi * done))


def decays(name: str, shape: tuple[int, ...]) -> bool:
    """Whether weight decay acts on a parameter: on matrices alone."""
    return len(shape) >= 2 and name.endswith("weight")
