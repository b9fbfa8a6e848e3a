"""The noise of test images is shifted, the rules of the world kept: how much of a probe's accuracy is lost.

Shifts, each of test images only (probes are fitted to images of the world as it is):

* ``noise=a``: the noise of the tokens times a (pixel noise in a tree of symbols);
* ``middle=a``: in a continuous world, the noise of the levels between tokens and root times a;
* ``tilt=w``: in a tree of symbols, the first production of every symbol (or digit of every node) w times as
  likely as each other one;
* ``textures``: in a world whose images have textures of their own (composites), those of one half; probes are
  fitted, and scored without a shift, on images with those of the other half alone.

All shifted images share with the plain ones whatever noise is not shifted, so that losses are paired. The
ceiling loses something too: in a grammar it is belief propagation that knows of the shift, on the same
images.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from math import nan
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from maestrata.experiments._features import encoders
from maestrata.experiments.base import Job, Table
from maestrata.experiments.measures import root_class, with_pixel_noise
from maestrata.inference.base import posterior
from maestrata.random import stream
from maestrata.regression.probes import make
from maestrata.resampling import Estimates, mean_bootstrap
from maestrata.worlds.base import Noise, Sample, World
from maestrata.worlds.maps import one_hot

SUMMARY = "accuracy for the root's class lost under shifted noise, rules kept, and what the ceiling loses"
SETTINGS = {"noise": [2.0, 3.0], "middle": 1.5, "tilt": 3, "fit": 6144, "test": 3072, "ceiling": 2048}
RANGES = {
    "noise": {"above": 0, "most": 1000},
    "middle": {"above": 0, "most": 1000},
    "tilt": {"least": 2, "most": 1000},
    "fit": {"least": 100},
    "test": {"least": 100},
    "ceiling": {"least": 2},
}
CELLS = True
NEEDS = "textures"

MIN_ABOVE_CHANCE = 0.02
"""An accuracy that is closer to chance than this on plain images can lose no share worth the name: NaN."""

_KEY = 13  # of the stream "experiment"

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Shift:
    """A shift of the noise.

    Attributes
    ----------
    name : str
    size : float
        What the name says by how much.
    noise : dict of arrays (n, nodes, dim)
        Of the test images.
    world : World
        That draws such noise by itself: what exact inference is told. Only in a discrete world.
    """

    name: str
    size: float
    noise: Noise
    world: World


def shifts(world: World, noise: Noise, settings: Mapping[str, Any]) -> list[Shift]:
    """Return the shifts that this kind of world has; `settings` are those of the module."""
    if not world.latent:
        n = len(next(iter(noise.values())))
        return [Shift("textures", 1.0, world.with_texture(noise, np.ones(n, np.int64)), world)]
    shifted = []
    for size in map(float, settings["noise"]):
        twin = copy.copy(world)
        if "pixel_noise" in world.settings:
            twin.settings = {**world.settings, "pixel_noise": world.settings["pixel_noise"] * size}
        louder = with_pixel_noise(world, noise, partial(np.multiply, np.float32(size)))
        shifted.append(Shift(f"noise={size:g}", size, louder, twin))
    if not world.discrete:
        size = float(settings["middle"])
        middle = {
            level: part * np.float32(size) if 0 < level < world.levels else part
            for level, part in noise.items()
        }
        return [*shifted, Shift(f"middle={size:g}", size, middle, world)]
    if world.settings.get("productions", 2) > 1:
        shifted.append(_tilt(world, noise, int(settings["tilt"])))
    return shifted


def _tilt(world: World, noise: Noise, times: int) -> Shift:
    """Draw productions (or digits) anew, the first `times` as likely as each other one.

    A world that lists its first production `times` over, and draws evenly from that list, is the same world
    tilted; inference is asked of that one.
    """
    key, axis, root = ("productions", 1, 1) if "productions" in world.settings else ("digits", 2, 0)
    options = world.settings[key]
    listed = np.array([0] * times + list(range(1, options)))
    rng = stream(world.seed, "experiment", _KEY)

    def drawn(shape: tuple[int, ...]) -> NDArray[np.int64]:
        return listed[rng.integers(0, len(listed), shape)]

    tilted = dict(noise)
    for level in range(world.levels - 1 + root, 0, -1):  # the root's symbol is kept, and has no digit
        own = drawn(noise[level][..., -1:].shape)
        tilted[level] = np.concatenate([noise[level][..., :-1], own], -1)
    if key == "digits":  # those of the tokens are led by a normal variable (`worlds.symbols.choose`)
        own = drawn(noise[0][..., :1].shape)
        lead = ndtri(np.clip((own + rng.random(own.shape)) / options, 1e-9, 1 - 1e-9))
        tilted[0] = np.concatenate([lead.astype(noise[0].dtype), noise[0][..., 1:]], -1)
    twin = copy.copy(world)
    twin.settings = {**world.settings, key: len(listed)}
    twin.params = {
        name: np.take(part, listed, axis) if name.startswith(("rules", "tables")) else part
        for name, part in world.params.items()
    }
    return Shift(f"tilt={times}", float(times), tilted, twin)


def run(job: Job) -> Table:
    """Measure every trained model of the world, the untrained one, pixels, components and the ceiling.

    Parameters
    ----------
    job : Job
        Its settings: the sizes of the shifts; `fit` and `test` images (no more than the job's own numbers),
        of which the first `ceiling` are given to exact inference.

    Returns
    -------
    Table
        At level 0. Arm of an encoder: ``accuracy`` on plain images, ``lost_share`` and ``shifted_accuracy``,
        their means over the shifts, ``mask_ratio``. Arm ``ENCODER/SHIFT``: ``accuracy``, ``lost`` (accuracy
        on plain images minus accuracy) and ``lost_share`` (lost, over the accuracy above chance there).
        In a grammar also ``excess_share``: `lost_share` minus the ceiling's. Encoder ``ceiling``: exact
        inference. Arm ``chance``: ``accuracy`` of guessing, one over the
        number of classes.
    """
    world, settings = job.world, dict(job.settings)
    fit, test = (
        _plain(world, job.sample(split, key)) for split, key in (("probe-train", "fit"), ("test", "test"))
    )
    labels, classes = root_class(world, test.latents[world.levels])
    moved = shifts(world, test.noise, settings)
    images = [test.images, *(world.generate(shift.noise).images for shift in moved)]
    weights = job.weights(len(labels))
    chance = 1 / classes

    table = Table()
    table.add("chance", "accuracy", 0, chance)
    beyond = None
    if world.latent and world.discrete:
        n = min(int(job.settings["ceiling"]), len(labels))
        worlds = [world, *(shift.world for shift in moved)]
        right = [_ceiling(w, x[:n]) == labels[:n] for w, x in zip(worlds, images, strict=True)]
        # the same replicates as the encoders' below, so that what is above the ceiling is paired
        beyond = _file(table, "ceiling", right, moved, chance, weights[:, :n])
    targets = one_hot(root_class(world, fit.latents[world.levels])[0], classes)
    for arm, encode in encoders(job, table, fit=fit.images):
        probe = make("ridge").fit(encode(fit.images), targets)
        right = [probe.predict(encode(x)).argmax(1) == labels for x in images]
        _file(table, arm, right, moved, chance, weights, beyond)
    return table


def _plain(world: World, sample: Sample) -> Sample:
    """Return a sample as it is where nothing is shifted: with the textures of one half, where it has any."""
    if world.latent:
        return sample
    return world.generate(world.with_texture(sample.noise, np.zeros(len(sample.images), np.int64)))


def _ceiling(world: World, images: NDArray[np.float32]) -> NDArray[np.int64]:
    """Most probable symbol of the root, (n,)."""
    seen = np.ones(world.grid.n_tokens, bool)
    probabilities = posterior(world, images, seen).probabilities[world.levels][:, 0]
    return np.asarray(probabilities.argmax(1))


def _file(
    table: Table,
    arm: str,
    right: list[NDArray[np.bool_]],
    moved: list[Shift],
    chance: float,
    weights: NDArray[np.float32],
    ceiling: list[Estimates] | None = None,
) -> list[Estimates]:
    """File one encoder's answers, plain ones first; return its shares lost, shift by shift."""
    n = len(right[0])
    plain = mean_bootstrap(right[0], weights)
    table.add(arm, "accuracy", 0, plain, n)
    above = plain - chance
    # a replicate at chance has no share: it would be a division by nothing
    above = np.where(above > 0, above, nan) if above[0] >= MIN_ABOVE_CHANCE else np.full(len(plain), nan)
    shares, accuracies = [], []
    for k, (shift, answers) in enumerate(zip(moved, right[1:], strict=True)):
        label = f"{arm}/{shift.name}"
        table.place(label, shift.size)
        accuracy = mean_bootstrap(answers, weights)
        lost = plain - accuracy
        share = lost / above
        quantities = {"accuracy": accuracy, "lost": lost, "lost_share": share}
        if ceiling is not None:
            quantities["excess_share"] = share - ceiling[k]
        for name, estimate in quantities.items():
            table.add(label, name, 0, estimate, n)
        shares.append(share)
        accuracies.append(accuracy)
    mean: Estimates = np.mean(shares, axis=0)
    table.add(arm, "lost_share", 0, mean, n)
    if ceiling is not None:
        table.add(arm, "excess_share", 0, mean - np.mean(ceiling, axis=0), n)
    table.add(arm, "shifted_accuracy", 0, np.mean(accuracies, axis=0), n)
    return shares
