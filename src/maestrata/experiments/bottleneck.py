"""Theorem 2 at one fixed mask: an encoder with w outputs, and a decoder that sees these alone.

The mask hides one of the two children of one node at a level l, so that c is that node (`invertible`
reading). Its intrinsic dimension d_c, the noise dimensions over it and its ancestors, is what Theorem 2 wants
w to be.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

import numpy as np
import torch
from numpy.typing import NDArray

from maestrata.errors import InferenceError
from maestrata.experiments._bottleneck_model import Bottleneck
from maestrata.experiments._features import r2_estimates
from maestrata.experiments._shared_part import Shared, child_mask
from maestrata.experiments.base import Job, Table
from maestrata.experiments.measures import Whitening, leak, redraw
from maestrata.geometry import unpatchify
from maestrata.inference.base import Posterior, is_determined, is_slow, posterior
from maestrata.random import integer_seed, stream
from maestrata.regression import probes
from maestrata.regression.controls import principal_axes
from maestrata.resampling import Estimates
from maestrata.training.data import as_tokens, training_images
from maestrata.training.loop import Batch, fit
from maestrata.training.progress import Explainable
from maestrata.worlds.base import World

SUMMARY = "Recovery of c, and leak of what is not c, behind a bottleneck of w outputs at one fixed mask"
SETTINGS = {
    "level": 1,
    "multiples": (0.5, 1.0, 2.0),
    "images": 200_000,
    "batch": 64,
    "lr": 1e-3,
    "width": 256,
    "depth": 2,
    "points": 1500,
    "test": 4096,
}
RANGES = {
    "level": {"least": 1, "most": "levels"},
    "multiples": {"above": 0, "most": 64},
    "images": {"least": "batch", "most": 10_000_000_000},
    "batch": {"least": 1, "most": 1_000_000},
    "lr": {"above": 0, "below": 1},
    "width": {"least": 1, "most": 4096},
    "depth": {"least": 0, "most": 64},
    "points": {"least": 100, "most": 1_000_000},
    "test": {"least": 100, "most": 1_000_000},
}
WORLDS = ("invertible_tree", "gaussian_tree", "additive_tree")
FINDS = ("regression.probes.kernel_ridge",)

FEW = 768
"""Most images to fit on, and to score, where the posterior is slow: some 20 ms an image."""

_REDRAWN = 0  # index, in the stream "experiment", of the noise drawn anew

Float32 = NDArray[np.float32]


@dataclass
class _Images:
    """The images that all arms share: some that probes are fitted to, then those that are scored."""

    tokens: Float32
    redrawn: Float32
    c: Float32
    n_fit: int
    weights: Float32

    @classmethod
    def draw(cls, job: Job, shared: Shared) -> _Images:
        world, points = job.world, job.settings["points"]
        most = FEW if is_slow(world) else job.probe_train + job.test
        n_fit = min(job.probe_train, points + points // 2, most)
        n_test = min(job.test, job.settings["test"], most)
        fitted, scored = world.sample(n_fit, "probe-train"), world.sample(n_test, "test")
        own = {level: ~nodes for level, nodes in shared.above.items()}
        noise = redraw(world, scored.noise, own, stream(world.seed, "experiment", _REDRAWN))
        return cls(
            tokens=as_tokens(world, np.concatenate([fitted.images, scored.images])),
            redrawn=as_tokens(world, world.generate(noise).images),
            c=np.concatenate([shared.values(fitted), shared.values(scored)]),
            n_fit=n_fit,
            weights=job.weights(n_test),
        )

    @property
    def n_test(self) -> int:
        return len(self.tokens) - self.n_fit

    def predict(
        self, features: NDArray[np.floating], targets: NDArray[np.floating], probe: str, points: int
    ) -> Float32:
        """Fit a probe on the first images and predict the targets of the others."""
        settings = {"points": points, "validation": max(1, points // 2)} if probe == "kernel_ridge" else {}
        x, y = features.astype(np.float32), targets.astype(np.float32)
        return probes.make(probe, **settings).fit(x[: self.n_fit], y[: self.n_fit]).predict(x[self.n_fit :])


def run(job: Job) -> Table:
    """Train at every width, and score the codes, those of an untrained model, components, exact predictions.

    Arms ``trained/1d`` (w = d_c outputs; so for the other multiples), ``random_init/1d``, ``pca/1d`` and
    ``exact`` (E[masked tokens | visible ones]); quantities in docs/experiments.md.
    """
    world, settings = job.world, job.settings
    masked = child_mask(job.grid, settings["level"])
    shared = Shared.of(world, masked)
    images = _Images.draw(job, shared)
    table = Table()
    exact = _exact(world, images, masked)
    ceiling = None
    if exact is not None:
        told = np.asarray(exact.tokens[:, masked], np.float32).reshape(len(images.tokens), -1)
        ceiling = _recovery(table, "exact", told, images, settings["points"])
    codes = _codes(job, shared.intrinsic_dim, masked, images, table, exact)
    whitened: dict[str, Float32] = {}
    for arm, (code, redrawn) in codes.items():
        whitening = Whitening(code[images.n_fit :])
        white = whitened[arm] = whitening.apply(code).astype(np.float32)
        table.add(arm, "rank", 0, whitening.rank, n=images.n_test)
        recovered = _recovery(table, arm, white, images, settings["points"])
        if ceiling is not None:
            table.add(arm, "skill", 0, recovered / ceiling, images.n_test)
        leaked = leak(white[images.n_fit :], whitening.apply(redrawn), images.weights)
        table.add(arm, "leak_redrawn", 0, leaked, images.n_test)
        if is_determined(world):
            table.add(arm, "leak", 0, leaked, images.n_test)
    if exact is not None:
        _regressed_leak(table, whitened, shared.belief(exact), images, settings["points"], world)
    return table


def _codes(
    job: Job,
    d_c: int,
    masked: NDArray[np.bool_],
    images: _Images,
    table: Table,
    exact: Posterior | None,
) -> dict[str, tuple[Float32, Float32]]:
    """Code of all images, and of the scored ones with their own noise drawn anew, by arm."""
    world, settings = job.world, job.settings
    codes: dict[str, tuple[Float32, Float32]] = {}

    def seen(tokens: Float32) -> Float32:
        return tokens[:, ~masked].reshape(len(tokens), -1)

    def model(outputs: int) -> Bottleneck:
        weights = torch.Generator().manual_seed(integer_seed(job.seed, "init", world.seed))
        return Bottleneck(masked, world.token_values, outputs, settings["width"], settings["depth"], weights)

    def file(arm: str, outputs: int, coder: Callable[[Float32], Float32]) -> None:
        codes[arm] = coder(images.tokens), coder(images.redrawn)
        table.add(arm, "outputs", 0, outputs)

    for multiple in settings["multiples"]:
        outputs = max(1, ceil(multiple * d_c))
        trained = model(outputs)

        def batch(step: int, coder: Bottleneck = trained) -> Batch:
            return coder.split(as_tokens(world, training_images(world, job.seed, job.recipe, step).images))

        arm = f"trained/{multiple:g}d"
        fit(trained, batch, trained.loss, job.recipe, f"bottleneck {arm}")
        file(arm, outputs, trained.codes)
        table.place(arm, multiple)
        _progress(table, arm, trained, images, masked, exact)
    file("random_init/1d", d_c, model(d_c).codes)
    axes = principal_axes(seen(images.tokens[: images.n_fit]), d_c)
    file("pca/1d", d_c, lambda tokens: seen(tokens) @ axes)
    return codes


def _progress(
    table: Table,
    arm: str,
    model: Bottleneck,
    images: _Images,
    masked: NDArray[np.bool_],
    exact: Posterior | None,
) -> None:
    """Add the share of the masked values' variance that is explained, and that over what could be."""
    scored = images.tokens[images.n_fit :]
    visible = np.broadcast_to(~masked, scored.shape[:2])
    best = None if exact is None else exact.tokens[images.n_fit :]
    reached = Explainable(scored, visible, ~visible, best, images.weights).progress(model.fill)
    table.add(arm, "explained", 0, 1 - reached.loss / reached.variance, images.n_test)
    if exact is not None:
        table.add(arm, "progress", 0, reached.share, images.n_test)


def _recovery(table: Table, arm: str, features: Float32, images: _Images, points: int) -> Estimates:
    """Add the R2 of c from features, by ridge and by kernel ridge; return the latter."""
    truth = images.c[images.n_fit :].astype(np.float64)
    # a one-to-one function need not be linear, hence the kernel; whitening lets all directions count alike
    spread = Whitening(features).apply(features)
    for quantity, probe in (("r2_linear", "ridge"), ("r2", "kernel_ridge")):
        predicted = images.predict(spread, images.c, probe, points)
        r2 = r2_estimates(truth, predicted, images.weights).mean(1)
        table.add(arm, quantity, 0, r2, images.n_test)
    return r2


def _regressed_leak(
    table: Table, whitened: dict[str, Float32], belief: Float32, images: _Images, points: int, world: World
) -> None:
    """Add the share of the whitened codes that the exact posterior of c does not predict."""
    together = np.concatenate(list(whitened.values()), axis=1)
    predicted = images.predict(belief, together, "kernel_ridge", points)
    truth = together[images.n_fit :].astype(np.float64)
    lost = 1 - r2_estimates(truth, predicted, images.weights)
    start = 0
    for arm, code in whitened.items():
        columns = slice(start, start + code.shape[1])
        start = columns.stop
        leaked = lost[:, columns].mean(1)
        table.add(arm, "leak_regressed", 0, leaked, images.n_test)
        if not is_determined(world):
            table.add(arm, "leak", 0, leaked, images.n_test)


def _exact(world: World, images: _Images, masked: NDArray[np.bool_]) -> Posterior | None:
    """Posterior given the visible part, or None where it cannot be computed."""
    try:
        return posterior(world, unpatchify(images.tokens, world.grid, world.token_pixels), ~masked)
    except InferenceError:
        return None
