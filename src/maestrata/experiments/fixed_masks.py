"""Masked autoencoders trained with one fixed mask each: the paper's Figure 4, and a ladder at ratio .5."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from maestrata.experiments._features import score_levels
from maestrata.experiments.base import Job, Table, last_loss
from maestrata.experiments.measures import Whitening, leak, noise_below, redraw
from maestrata.model.mae import MAE
from maestrata.random import stream
from maestrata.representation.encode import last_layer
from maestrata.theory.examples import example_masks, ladder_mask
from maestrata.training.data import fixed_masks
from maestrata.worlds.base import World

SUMMARY = "Leak of low-level noise, and R2 by level, of models trained with one fixed mask each"
SETTINGS = {"images": 60_000, "pairs": 1024, "fit": 3072, "test": 3072}
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
    _add_leak(table, ("random_init",), "leak_whole", images.whole(start), images)
    for arms, mask in masks(job.world):
        same = fixed_masks(mask, job.recipe.batch)
        model, losses = job.train(f"fixed_masks {arms[0]}", int((~mask).sum()), masks=same)
        for arm in arms:
            table.add(arm, "mask_ratio", 0, float(mask.mean()))
            table.add(arm, "loss", 0, last_loss(losses, 20))
            if arm.startswith("ladder"):
                table.place(arm, int(arm.removeprefix("ladder")))
        for which, suffix in ((model, ""), (start, "_random_init")):
            _add_leak(table, arms, f"leak{suffix}", images.seen(which, mask), images)
            scores = score_levels(_features(which, images.data.images, mask), images.data)
            for arm in arms:
                table.add_levels(arm, f"r2{suffix}", scores, images.n_test)
        _add_leak(table, arms, "leak_whole", images.whole(model), images)
    return table


class _Images:
    """The images of which all models of a job give features.

    Pairs for the leak are test images, each with its altered selves: with the noise below level l drawn anew,
    l = 1..L. Whitening is fitted on probe-training images.
    """

    def __init__(self, job: Job) -> None:
        world, settings = job.world, job.settings
        n_fit, self.n_test = min(job.probe_train, settings["fit"]), min(job.test, settings["test"])
        self.data = replace(job, probe_train=n_fit, test=self.n_test).data
        self.n_fit = n_fit
        self.pairs = min(settings["pairs"], self.n_test)
        noise = {level: eps[: self.pairs] for level, eps in world.sample(self.n_test, "test").noise.items()}
        self.levels = range(1, world.levels + 1)
        # the same generator each time: what is drawn anew for a level is a part of what is for the next
        altered = [
            redraw(world, noise, noise_below(world, level), stream(world.seed, "experiment", _KEY))
            for level in self.levels
        ]
        self.altered = np.concatenate([world.generate(eps).images for eps in altered])
        self.weights = job.weights(self.pairs)

    def seen(self, model: MAE, mask: NDArray[np.bool_] | None) -> tuple[Float32, Float32]:
        """Features of the images for whitening and the pairs, and of the altered images."""
        images = self.data.images[: self.n_fit + self.pairs]
        return _features(model, images, mask), _features(model, self.altered, mask)

    def whole(self, model: MAE) -> tuple[Float32, Float32]:
        """Return the same of whole images: the input is then the same for all masks."""
        return self.seen(model, None)


def _add_leak(
    table: Table, arms: tuple[str, ...], quantity: str, features: tuple[Float32, Float32], images: _Images
) -> None:
    plain, altered = features
    whitening = Whitening(plain[: images.n_fit])
    kept = whitening.apply(plain[images.n_fit :])
    for level, part in zip(images.levels, np.split(altered, len(images.levels)), strict=True):
        share = leak(kept, whitening.apply(part), images.weights)
        for arm in arms:
            table.add(arm, quantity, level, share, images.pairs)


def _features(model: MAE, images: Float32, mask: NDArray[np.bool_] | None) -> Float32:
    """Primary features, (n, width), of the tokens that a mask shows, or of whole images."""
    shown = None if mask is None else np.tile(np.flatnonzero(~mask), (len(images), 1))
    return last_layer(model, images, visible_ids=shown)
