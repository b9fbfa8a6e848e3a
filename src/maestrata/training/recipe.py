"""The training recipe: how many images, in what steps, with which optimiser."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, pi

from maestrata.errors import TrainingError


@dataclass(frozen=True)
class Recipe:
    """Recipe of one run.

    Parameters
    ----------
    images : int
        Images seen in training; the number of steps is this over `batch`, rounded down.
    batch : int
        Images in a step.
    lr : float
        Peak learning rate of AdamW.
    weight_decay : float
        Of matrices; biases, norms, [CLS] and the mask token are not decayed.
    betas : tuple of float
    warmup : float
        Fraction of the steps in which the learning rate rises linearly; it then falls to 0 on a cosine.
    clip : float
        Largest norm of the gradient.
    samples : int, optional
        Size of a finite training set; None draws fresh images at every step.

    Raises
    ------
    TrainingError
        If a value is out of range.
    """

    images: int = 240_000
    batch: int = 256
    lr: float = 2e-3
    weight_decay: float = 0.05
    betas: tuple[float, float] = (0.9, 0.95)
    warmup: float = 0.1
    clip: float = 1.0
    samples: int | None = None

    def __post_init__(self) -> None:
        checks = {
            "batch": (self.batch >= 1, "at least 1"),
            "images": (self.images >= self.batch, f"at least one batch of {self.batch}"),
            "lr": (0 < self.lr < 1, "in (0, 1)"),
            "weight_decay": (0 <= self.weight_decay < 1, "in [0, 1)"),
            "betas": (len(self.betas) == 2 and all(0 <= b < 1 for b in self.betas), "two numbers in [0, 1)"),
            "warmup": (0 <= self.warmup < 1, "in [0, 1)"),
            "clip": (self.clip > 0, "above 0"),
            "samples": (
                self.samples is None or self.samples >= self.batch,
                f"at least one batch of {self.batch}",
            ),
        }
        for name, (good, allowed) in checks.items():
            if not good:
                raise TrainingError(f"{name}={getattr(self, name)!r} must be {allowed} (training recipe)")

    @property
    def steps(self) -> int:
        """Optimiser steps."""
        return self.images // self.batch


def learning_rate(recipe: Recipe, step: int) -> float:
    """Learning rate at `step` (0 to steps - 1): linear warm-up, then a cosine that ends at 0."""
    rise = recipe.warmup * recipe.steps
    if step < rise:
        return recipe.lr * (step + 1) / (rise + 1)
    done = (step - rise) / max(recipe.steps - rise, 1)
    return recipe.lr * 0.5 * (1 + cos(pi * done))


def decays(name: str, shape: tuple[int, ...]) -> bool:
    """Whether weight decay acts on a parameter: on matrices alone."""
    return len(shape) >= 2 and name.endswith("weight")
