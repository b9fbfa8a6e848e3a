"""Speed of exact inference and of bounds, on one core.

    OMP_NUM_THREADS=1 python benchmarks/inference.py            # all, about three minutes
    OMP_NUM_THREADS=1 python benchmarks/inference.py grammar    # one

Prints CPU seconds (process time), so that other work on the machine counts little, and elapsed seconds.
Making the images is not counted.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from maestrata import worlds
from maestrata.inference.base import posterior
from maestrata.inference.bounds import Predictor, bounds
from maestrata.inference.limits import Limits, sweep


def _timed(label: str, n: int, work: Callable[[], Any]) -> None:
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    print(f"{label:58s} n={n:<7d} {cpu:7.2f} s CPU {wall:7.2f} s elapsed {n / cpu:10.0f} /s", flush=True)


def _posterior(label: str, name: str, n: int, ratio: float, **settings: Any) -> None:
    world = worlds.make(name, 0, **settings)
    tokens = world.grid.n_tokens
    images = np.concatenate([world.sample(min(10_000, n), index=(i,)).images for i in range(-(-n // 10_000))])
    visible = np.random.default_rng(0).random((n, tokens)) >= ratio
    visible[:, 0] |= ~visible.any(1)

    def work() -> None:
        for start in range(0, n, 10_000):
            rows = slice(start, start + 10_000)
            posterior(world, images[rows], visible[rows], dtype=np.float32)

    _timed(f"{label}, {tokens} leaves, r={ratio}", n, work)


def grammar() -> None:
    """100,000 images of a 64-leaf, 16-symbol tree: to be under 40 s on one core."""
    for ratio in (0.0, 0.5, 0.9):
        _posterior(
            "grammar_tree, 16 symbols, belief propagation",
            "grammar_tree",
            100_000,
            ratio,
            leaves=64,
            symbols=16,
        )


def gaussian() -> None:
    """Message passing with a mask for each image."""
    for leaves in (16, 64):
        _posterior("gaussian_tree, closed form", "gaussian_tree", 100_000, 0.5, leaves=leaves)


def invertible() -> None:
    """Inversion, and 64 draws of every hidden node."""
    for leaves in (16, 64):
        _posterior("invertible_tree, inversion and draws", "invertible_tree", 8192, 0.5, leaves=leaves)


def grid() -> None:
    """Belief propagation on grids, two dimensions."""
    for ratio in (0.0, 0.5, 0.9):
        _posterior("additive_tree, dim 2, grid", "additive_tree", 1024, ratio, leaves=16, dim=2, fold=0.5)


def bound() -> None:
    """Upper and lower bound where there is no posterior."""
    for name in ("additive_tree", "latent_dag"):
        world = worlds.make(name, 0)
        predictor, sample = Predictor(), world.sample(1024)
        _timed(f"{name}, supervised predictor", predictor.samples, lambda p=predictor, w=world: p.fit(w))
        visible = np.arange(16) % 2 == 0
        _timed(
            f"{name}, bounds",
            1024,
            lambda p=predictor, w=world, s=sample, v=visible: bounds(w, s, v, predictor=p),
        )


def default() -> None:
    """The limits of the default sweep, at most 60 core-seconds in all."""
    five = {"1x1": [0.1, 0.25, 0.5, 0.75, 0.9]}
    three = {"1x1": [0.1, 0.5, 0.75]}
    plan = [
        ("additive_tree", 0, {**five, "2x1": [0.5, 0.75], "2x2": [0.5, 0.75]}),
        ("additive_tree", 1, five),
        ("grammar_tree", 0, three),
        ("gaussian_tree", 0, five),
        ("invertible_tree", 0, three),
        ("latent_dag", 0, {"1x1": [0.5]}),
    ]
    for name, seed, masks in plan:
        limits = Limits(worlds.make(name, seed), 8192, 500)
        _timed(f"limits of {name}, seed {seed}", limits.samples, lambda x=limits, m=masks: sweep(x, m))


ALL = {f.__name__: f for f in (grammar, gaussian, invertible, grid, bound, default)}

if __name__ == "__main__":
    for chosen in sys.argv[1:] or ALL:
        if chosen not in ALL:
            sys.exit(f"benchmark {chosen!r} must be one of: {', '.join(ALL)}")
        ALL[chosen]()
