"""Theorem 2 at fixed masks: an encoder with w outputs, and a decoder that sees these alone.

A mask hides one of the two children of one node at a level l, so that c is that node (`invertible` reading).
Its intrinsic dimension d_c, the noise dimensions over it and its ancestors, is what Theorem 2 wants w to be.
One mask a level; models of their own for each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from math import ceil

import numpy as np
import torch
from numpy.typing import NDArray

from maestrata.experiments._bottleneck_model import Bottleneck
from maestrata.experiments._features import r2_estimates
from maestrata.experiments._kept import Kept
from maestrata.experiments._shared_part import Shared, child_mask
from maestrata.experiments.base import Job, Table
from maestrata.experiments.measures import Whitening, leak, redraw
from maestrata.random import integer_seed, stream
from maestrata.regression import probes
from maestrata.regression.controls import principal_axes
from maestrata.resampling import Estimates
from maestrata.training.data import as_tokens, training_images
from maestrata.training.loop import Batch, fit
from maestrata.training.progress import Explainable
from maestrata.training.recipe import Recipe

SUMMARY = "recovery of c, and leak of what is not c, behind a bottleneck of w outputs at fixed masks"
# A step of 64 images costs half of one of 256 here, so steps are larger than elsewhere. One level up takes
# some six times as many images.
SETTINGS = {
    "levels": (1,),
    "multiples": (0.5, 1.0, 2.0),
    "images": 196_608,
    "growth": 6,
    "batch": 256,
    "lr": 3e-3,
    "width": 64,
    "depth": 4,
    "points": 1500,
    "test": 2048,
}
RANGES = {
    "levels": {"least": 1, "most": "levels"},
    "multiples": {"above": 0, "most": 64},
    "images": {"least": "batch", "most": 10_000_000_000},
    "growth": {"least": 1, "most": 64},
    "batch": {"least": 1, "most": 1_000_000},
    "lr": {"above": 0, "below": 1},
    "width": {"least": 1, "most": 4096},
    "depth": {"least": 0, "most": 64},
    "points": {"least": 100, "most": 1_000_000},
    "test": {"least": 100, "most": 1_000_000},
}
WORLDS = ("invertible_tree",)
COST = 0.09  # three small networks
FINDS = ("regression.probes.kernel_ridge",)

_REDRAWN = 0  # index, in the stream "experiment", of the noise drawn anew

Float32 = NDArray[np.float32]


def run(job: Job) -> Table:
    """Train at every level and width, and score the codes and the controls.

    Arms at level l of c: ``l1/trained/1d`` (w = d_c outputs; so for the other multiples, which are their
    places), ``l1/null_trained/1d`` (the same, the targets rolled over the batch), ``l1/random_init/1d``,
    ``l1/pca/1d`` and ``l1/exact`` (E[masked tokens | visible ones]). Quantities in docs/experiments.md.
    """
    table = Table()
    for level in job.settings["levels"]:
        mask, ceiling = _Mask.of(job, level), None
        for code in mask.codes(table):  # that of the exact prediction comes first
            r2 = mask.score(table, code, ceiling)
            ceiling = r2 if ceiling is None else ceiling
    return table


@dataclass(frozen=True)
class _Code:
    """A representation of all images, and of the scored ones with their own noise drawn anew.

    `metric` (w, w) is the decoder's response to it, where it has a decoder.
    """

    arm: str
    values: Float32
    redrawn: Float32 | None = None
    metric: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class _Mask:
    """A mask, its c, and the images that all its arms share: those that probes are fitted to come first."""

    job: Job
    level: int
    masked: NDArray[np.bool_]
    d_c: int
    tokens: Float32
    redrawn: Float32
    c: Float32
    n_fit: int
    held: Explainable

    @classmethod
    def of(cls, job: Job, level: int) -> _Mask:
        world, points = job.world, job.settings["points"]
        masked = child_mask(job.grid, level)
        shared = Shared.of(world, masked)
        n_fit = min(job.probe_train, points + points // 2)
        n_test = min(job.test, job.settings["test"])
        fitted, scored = world.sample(n_fit, "probe-train"), world.sample(n_test, "test")
        own = {at: ~nodes for at, nodes in shared.above.items()}
        noise = redraw(world, scored.noise, own, stream(world.seed, "experiment", _REDRAWN))
        images = np.concatenate([fitted.images, scored.images])
        return cls(
            job=job,
            level=level,
            masked=masked,
            d_c=shared.intrinsic_dim,
            tokens=as_tokens(world, images),
            redrawn=as_tokens(world, world.generate(noise).images),
            c=np.concatenate([shared.values(fitted), shared.values(scored)]),
            n_fit=n_fit,
            held=Explainable.under(world, images, ~masked, job.replicates),
        )

    @property
    def n_test(self) -> int:
        return len(self.tokens) - self.n_fit

    @property
    def scored(self) -> Explainable:
        """The scored images alone."""
        start, weights = self.n_fit, self.job.weights(self.n_test)
        held = self.held
        best = None if held.best is None else held.best[start:]
        return Explainable(held.tokens[start:], held.visible[start:], held.counted[start:], best, weights)

    def codes(self, table: Table) -> Iterator[_Code]:
        """Yield the codes of every arm, the exact prediction first; trained ones with their progress."""
        assert self.held.best is not None
        yield _Code(
            "exact", np.ascontiguousarray(self.held.best[:, self.masked]).reshape(len(self.tokens), -1)
        )
        images = self.job.recipe.images * self.job.settings["growth"] ** (self.level - 1)
        recipe = replace(self.job.recipe, images=images)
        batches = Kept(partial(self._batch, recipe))
        multiples = dict.fromkeys(self.job.settings["multiples"])
        for kind, multiple in [*(("trained", m) for m in multiples), ("null_trained", 1.0)]:
            model, arm = self._model(multiple), f"{kind}/{multiple:g}d"
            self._train(model, arm, recipe, batches)
            if kind == "trained":
                table.place(self._arm(arm), multiple)
                table.add(self._arm(arm), "progress", 0, self.scored.progress(model.fill).share, self.n_test)
            yield self._code(arm, model.codes, model)
        start = self._model(1.0)
        yield self._code("random_init/1d", start.codes, start)
        axes = principal_axes(self._seen(self.tokens[: self.n_fit]), self.d_c)
        yield self._code("pca/1d", lambda tokens: self._seen(tokens) @ axes)

    def score(self, table: Table, code: _Code, ceiling: Estimates | None) -> Estimates:
        """Add what an arm knows of c, over a ceiling too, and what else it holds; return the R2 of c."""
        arm, weights = self._arm(code.arm), self.job.weights(self.n_test)
        whitening = Whitening(code.values[self.n_fit :])
        white = whitening.apply(code.values).astype(np.float32)
        r2 = {"r2_linear": self._recovery(white, "ridge"), "r2": self._recovery(white, "kernel_ridge")}
        for quantity, values in r2.items():
            table.add(arm, quantity, 0, values, self.n_test)
        if ceiling is not None:
            table.add(arm, "skill", 0, r2["r2"] / ceiling, self.n_test)
        if code.redrawn is None:
            return r2["r2"]
        table.add(arm, "outputs", 0, code.values.shape[1])
        table.add(arm, "rank", 0, whitening.rank, n=self.n_test)
        kept, redrawn = white[self.n_fit :], whitening.apply(code.redrawn)
        table.add(arm, "leak", 0, leak(kept, redrawn, weights), self.n_test)
        if code.metric is not None:
            variance, axes = np.linalg.eigh(code.metric)
            root = axes * np.sqrt(np.maximum(variance, 0))
            used = leak(code.values[self.n_fit :] @ root, code.redrawn @ root, weights)
            table.add(arm, "leak_used", 0, used, self.n_test)
        return r2["r2"]

    def _arm(self, arm: str) -> str:
        return f"l{self.level}/{arm}"

    def _seen(self, tokens: Float32) -> Float32:
        return tokens[:, ~self.masked].reshape(len(tokens), -1)

    def _code(self, arm: str, coder: Callable[[Float32], Float32], model: Bottleneck | None = None) -> _Code:
        values = coder(self.tokens)
        metric = None if model is None else model.response(values[self.n_fit :])
        return _Code(arm, values, coder(self.redrawn), metric)

    def _model(self, multiple: float) -> Bottleneck:
        world, settings = self.job.world, self.job.settings
        weights = torch.Generator().manual_seed(integer_seed(self.job.seed, "init", world.seed))
        outputs = max(1, ceil(multiple * self.d_c))
        sizes = settings["width"], settings["depth"]
        return Bottleneck(self.masked, world.token_values, outputs, *sizes, weights)

    def _batch(self, recipe: Recipe, step: int) -> Float32:
        """Draw the tokens of a step, which are the same for all arms."""
        world = self.job.world
        return as_tokens(world, training_images(world, self.job.seed, recipe, step).images)

    def _train(self, model: Bottleneck, arm: str, recipe: Recipe, batches: Kept) -> None:
        def batch(step: int) -> Batch:
            seen, hidden = model.split(batches(step))
            return seen, hidden.roll(-1, 0) if arm.startswith("null") else hidden

        fit(model, batch, model.loss, recipe, f"bottleneck {self._arm(arm)}")

    def _recovery(self, features: Float32, probe: str) -> Estimates:
        """R2 of c from whitened features: a one-to-one function need not be linear, hence the kernel."""
        points = self.job.settings["points"]
        settings = {"points": points, "validation": max(1, points // 2)} if probe == "kernel_ridge" else {}
        fitted = probes.make(probe, **settings).fit(features[: self.n_fit], self.c[: self.n_fit])
        truth = self.c[self.n_fit :].astype(np.float64)
        predicted = fitted.predict(features[self.n_fit :])
        return r2_estimates(truth, predicted, self.job.weights(self.n_test)).mean(1)
