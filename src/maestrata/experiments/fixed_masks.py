"""Masked autoencoders trained with one fixed mask each: the paper's Figure 4, and a ladder at ratio .5."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from maestrata.experiments._features import score_levels
from maestrata.experiments.base import Job, Table
from maestrata.experiments.measures import leak, noise_below, redraw
from maestrata.model.mae import MAE
from maestrata.random import stream
from maestrata.representation.encode import last_layer
from maestrata.theory.examples import example_masks, ladder_mask
from maestrata.training.data import fixed_masks
from maestrata.training.progress import Explainable
from maestrata.worlds.base import World

SUMMARY = "Leak of low-level noise, and R2 by level, of models trained with one fixed mask each"
SETTINGS = {"images": 48_000, "pairs": 2048, "fit": 3072, "test": 3072}
RANGES = {
    "images": {"least": "batch", "most": 10_000_000_000},
    "pairs": {"least": 2},
    "fit": {"least": 100},
    "test": {"least": 100},
}

_KEY = 5  # of the stream "experiment"

Float32 = NDArray[np.float32]


def masks(world: World) -> Iterator[tuple[tuple[str, ...], NDArray[np.bool_]]]:
    """Yield the masks (n_tokens,), True where masked, with the arms that they stand for.

    The ideal mask hides one child of the root, so it is the top of the ladder too.
    """
    top = world.levels
    for name, mask in example_masks(world.grid).items():
        yield ((name, f"ladder{top}") if name == "ideal" else (name,)), mask
    for level in range(1, top):
        yield (f"ladder{level}",), ladder_mask(world.grid, level)


def run(job: Job) -> Table:
    """Train one model a mask, and score it and the untrained model.

    Arms ``conservative``, ``ideal``, ``aggressive``, and ``ladder1`` to ``ladderL`` (placed at their rung);
    ``random_init`` holds what the untrained model gives for whole images. Quantities by level in
    docs/experiments.md.
    """
    table, images, start = Table(), _Images(job), job.initial()
    _add_leak(table, ("random_init",), "leak_whole", images.features(start, None), images)
    for arms, mask in masks(job.world):
        same = fixed_masks(mask, job.recipe.batch)
        model, _ = job.train(f"fixed_masks {arms[0]}", int((~mask).sum()), masks=same)
        held = Explainable.under(job.world, images.plain, ~mask, job.replicates)
        progress = held.progress(model).share
        for arm in arms:
            table.add(arm, "mask_ratio", 0, float(mask.mean()))
            table.add(arm, "progress", 0, progress, images.pairs)
            if arm.startswith("ladder"):
                table.place(arm, int(arm.removeprefix("ladder")))
        for which, suffix in ((model, ""), (start, "_random_init")):
            _add_leak(table, arms, f"leak{suffix}", images.features(which, mask), images)
            scores = score_levels(_features(which, images.data.images, mask), images.data)
            for arm in arms:
                table.add_levels(arm, f"r2{suffix}", scores, images.n_test)
        _add_leak(table, arms, "leak_whole", images.features(model, None), images)
    return table


class _Images:
    """The images of which all models of a job give features.

    Pairs for the leak are test images, `plain`, each with its altered selves: with the noise below level l
    drawn anew, l = 1..L.
    """

    def __init__(self, job: Job) -> None:
        world, settings = job.world, job.settings
        n_fit, self.n_test = min(job.probe_train, settings["fit"]), min(job.test, settings["test"])
        self.data = replace(job, probe_train=n_fit, test=self.n_test).data
        self.pairs = min(settings["pairs"], self.n_test)
        self.plain = self.data.images[n_fit : n_fit + self.pairs]
        noise = {level: eps[: self.pairs] for level, eps in world.sample(self.n_test, "test").noise.items()}
        self.levels = range(1, world.levels + 1)
        # the same generator each time: what is drawn anew for a level is a part of what is for the next
        altered = [
            redraw(world, noise, noise_below(world, level), stream(world.seed, "experiment", _KEY))
            for level in self.levels
        ]
        self.altered = np.concatenate([world.generate(eps).images for eps in altered])
        self.weights = job.weights(self.pairs)

    def features(self, model: MAE, mask: NDArray[np.bool_] | None) -> tuple[Float32, Float32]:
        """Features of the pairs, and of their altered selves, under a mask or of whole images."""
        return _features(model, self.plain, mask), _features(model, self.altered, mask)


def _add_leak(
    table: Table, arms: tuple[str, ...], quantity: str, features: tuple[Float32, Float32], images: _Images
) -> None:
    plain, altered = features
    for level, part in zip(images.levels, np.split(altered, len(images.levels)), strict=True):
        share = leak(plain, part, images.weights)
        for arm in arms:
            table.add(arm, quantity, level, share, images.pairs)


def _features(model: MAE, images: Float32, mask: NDArray[np.bool_] | None) -> Float32:
    """Mean of the tokens that a mask shows, (n, width), or of those of whole images."""
    shown = None if mask is None else np.tile(np.flatnonzero(~mask), (len(images), 1))
    return last_layer(model, images, visible_ids=shown)
