"""Limits of a world at every visibility of a sweep, on the images and masks that its models are scored on.

A posterior mean is scored exactly as a probe's prediction is, by `maestrata.scoring`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maestrata.errors import InferenceError
from maestrata.inference.base import (
    Predictions,
    declared,
    is_exact,
    is_slow,
    pool_up,
    posterior,
    read_input,
)
from maestrata.inference.bounds import Predictor, bounds
from maestrata.inference.masked import Loss, bayes_loss, true_tokens
from maestrata.inference.settings import LimitSettings
from maestrata.masks import (
    MaskPatches,
    MaskSweep,
    evaluation_masks,
    mask_matrix,
    realised_ratio,
    visible_count,
)
from maestrata.resampling import bootstrap_weights
from maestrata.scoring import KINDS, Scorer, Scores, TargetTable
from maestrata.worlds.base import Sample, Target, World

EVAL_RATIOS = ("0", "0.5", "training")

# variable of the cube -> field of `Loss`
_LOSSES = {"bayes_loss": "expected", "bayes_loss_error": "error", "bayes_loss_test": "realised"}


@dataclass(frozen=True)
class Limit:
    """One bound (``exact``, ``upper`` or ``lower``) at one visibility.

    Attributes
    ----------
    scores : dict of (kind, level) to LevelScore
        Over all test images.
    present : dict of (kind, level) to LevelScore
        Over the images in which a token of the node is visible.
    loss : Loss or None
        Of the masked part; None where nothing is masked.
    """

    scores: Scores
    present: Scores
    loss: Loss | None


@dataclass
class Limits:
    """Computes the limits of a world.

    Parameters
    ----------
    world : World
    samples : int
        Test images: as many as models are scored on, so that both are paired.
    replicates : int
        Bootstrap replicates.
    settings : LimitSettings
        How many of them slow inference (on a grid), and the upper bound, are run on.
    """

    world: World
    samples: int
    replicates: int
    settings: LimitSettings = LimitSettings()

    def __post_init__(self) -> None:
        for key in ("samples", "replicates"):
            if getattr(self, key) < 1:
                raise InferenceError(f"{key}={getattr(self, key)} must be at least 1")

    @property
    def exact(self) -> bool:
        """Whether the posterior can be had; else there are bounds."""
        return is_exact(self.world)

    @property
    def bound_names(self) -> tuple[str, ...]:
        """The bounds that `at` gives."""
        if self.exact:
            return ("exact",)
        return ("upper", "lower") if self.world.folds else ("lower",)

    @cached_property
    def _sample(self) -> Sample:
        return self.world.sample(self.samples, stream="test")

    @cached_property
    def _weights(self) -> NDArray[np.float32]:
        return bootstrap_weights(self.world.seed, self.samples, self.replicates)

    @cached_property
    def _targets(self) -> list[Target]:
        return self.world.targets(self._sample)

    @cached_property
    def _predictor(self) -> Predictor:
        return Predictor().fit(self.world)

    def visible(self, patches: MaskPatches | None, count: int = 0) -> NDArray[np.bool_]:
        """Return the evaluation masks of the test images, (samples, n_tokens); None: the whole image."""
        n_tokens = self.world.grid.n_tokens
        if patches is None:
            return np.ones((self.samples, n_tokens), bool)
        return mask_matrix(evaluation_masks(self.world.seed, patches, count, self.samples)[0], n_tokens)

    def at(self, visible: NDArray[np.bool_]) -> dict[str, Limit]:
        """Return the limits under masks (samples, n_tokens), by the name of the bound."""
        truth = true_tokens(self.world, self._sample.images)
        if self.exact:
            n = min(self.samples, self.settings.grid_samples) if is_slow(self.world) else self.samples
            exact = posterior(self.world, self._sample.images[:n], visible[:n], noise=True)
            loss = bayes_loss(visible[:n], exact.token_variance, truth[:n], exact.tokens)
            return {"exact": self._limit(exact.predictions, visible, loss)}
        lower, tokens = self._predictor.predict(
            self.world, *read_input(self.world, self._sample.images, visible)
        )
        limits = {"lower": self._limit(lower, visible, bayes_loss(visible, None, truth, tokens))}
        if "upper" in self.bound_names:
            n = min(self.samples, self.settings.bound_samples)
            above = bounds(self.world, _first(self._sample, n), visible[:n], predictor=self._predictor)
            # what no loss is below has no prediction of its own
            floor = bayes_loss(visible[:n], above.loss_low)
            limits["upper"] = self._limit(predictions_of_upper(above.upper, self._targets), visible, floor)
        return limits

    def _limit(self, predictions: Predictions, visible: NDArray[np.bool_], loss: Loss) -> Limit:
        scores = score_levels(self._targets, predictions, self._weights)
        if visible.all():
            return Limit(scores, scores, None)
        present = score_levels(self._targets, predictions, self._weights, pool_up(self.world.grid, visible))
        return Limit(scores, present, loss)

    def halving_error(self, images: int = 16) -> dict[int, float]:
        """Error of numerical inference, ``level -> value``, at half the tokens visible; {} without any."""
        error = declared(self.world, "halving_error")
        if error is None or not self.exact:
            return {}
        patches = MaskPatches(self.world.grid)
        shown = self.visible(patches, visible_count(patches.n_patches, 0.5))[:images]
        by_level: dict[int, float] = error(
            self.world, *read_input(self.world, self._sample.images[:images], shown)
        )
        return by_level


def sweep(
    limits: Limits, masks: Mapping[str, Sequence[float]]
) -> tuple[dict[str, list[Any]], dict[str, NDArray[Any]]]:
    """Limits at every visibility: axes and variables of a file of kind ``limits``, without world and world
    seed.

    Parameters
    ----------
    limits : Limits
    masks : mapping
        Label of the mask patch -> asked mask ratios.

    Returns
    -------
    coords : dict
        ``patch_size, offset, mask_ratio, eval_ratio, bound, target, level``.
    data : dict of arrays
        NaN where a patch and ratio were not asked for. The whole image and half of it stand at every patch
        and ratio.
    """
    world = limits.world
    asked = MaskSweep.read(masks, world.grid)
    coords: dict[str, list[Any]] = asked.coords | {
        "eval_ratio": list(EVAL_RATIOS),
        "bound": list(limits.bound_names),
        "target": list(KINDS),
        "level": list(range(world.levels + 1)),
    }
    sizes = tuple(map(len, coords.values()))
    data: dict[str, NDArray[Any]] = {"realised_ratio": np.full(sizes[:3], np.nan)}
    single = MaskPatches(world.grid)
    half = ("1x1", visible_count(single.n_patches, 0.5))
    cache: dict[Any, dict[str, Limit]] = {
        None: limits.at(limits.visible(None)),
        half: limits.at(limits.visible(single, half[1])),
    }
    for at, patches, ratio in asked:
        count = visible_count(patches.n_patches, ratio)
        own = (patches.label, count)
        data["realised_ratio"][at] = realised_ratio(patches.n_patches, count)
        if own not in cache:
            cache[own] = limits.at(limits.visible(patches, count))
        for j, name in enumerate(coords["bound"]):
            for i, key in enumerate((None, half, own)):
                for variable, values in _score_arrays(cache[key][name], world.levels).items():
                    empty = np.full((*sizes[:5], *values.shape), np.nan, np.float32)
                    data.setdefault(variable, empty)[(*at, i, j)] = values
            for variable, part in _LOSSES.items():  # the masked part of a cell is never empty
                empty = np.full((*sizes[:3], sizes[4]), np.nan)
                data.setdefault(variable, empty)[(*at, j)] = getattr(cache[own][name].loss, part)
    return coords, data | asked.shapes


def _score_arrays(limit: Limit, levels: int) -> dict[str, NDArray[np.float32]]:
    """Scores of one bound by variable: (target, level[, replicate]), NaN where there is no score."""
    arrays: dict[str, NDArray[np.float32]] = {}
    for stem, scores in (("r2", limit.scores), ("r2_present", limit.present)):
        for (kind, level), score in scores.items():
            values = {"": score.r2, "_low": score.low, "_high": score.high, "_boot": score.boot}
            by_name: dict[str, Any] = {f"{stem}{ending}": value for ending, value in values.items()}
            if stem == "r2":
                by_name |= {"accuracy": score.accuracy, "n_test": score.n}
            for name, value in by_name.items():
                empty = np.full((len(KINDS), levels + 1, *np.shape(value)), np.nan, np.float32)
                arrays.setdefault(name, empty)[KINDS.index(kind), level] = value
    return arrays


def predictions_of_upper(upper: Predictions, targets: Sequence[Target]) -> Predictions:
    """Return predictions whose R2 is the upper bound: their squared error is half that of the redraw."""
    n = len(next(iter(upper.values())))
    out = {key: values.copy() for key, values in upper.items()}
    for target in targets:
        values = out[target.kind, target.level][:, target.node]
        truth = target.values[:n]
        values[:] = truth - (truth - values) / np.sqrt(2)
    return out


def score_levels(
    targets: Sequence[Target],
    predictions: Predictions,
    weights: NDArray[np.float32],
    present: Mapping[int, NDArray[np.bool_]] | None = None,
) -> Scores:
    """Score predictions of every target.

    Parameters
    ----------
    targets : sequence of Target
        Of the n test images, from `World.targets`.
    predictions : Predictions
        For n images or for the first few of them, which alone are then scored.
    weights : array (replicates, n)
        From `maestrata.resampling.bootstrap_weights`.
    present : mapping, optional
        ``level -> (n, nodes)``: images that count for a node, such as those that show a part of it.

    Returns
    -------
    dict of (kind, level) to LevelScore
    """
    n = min(len(values) for values in predictions.values())
    table = TargetTable.of(targets).first(n)
    shown = None if present is None else {level: nodes[:n] for level, nodes in present.items()}
    flat = np.concatenate([predictions[g.kind, g.level][:n, g.node] for g in table.groups], 1)
    return Scorer(table, weights[:, :n], shown).score(flat)


def _first(sample: Sample, n: int) -> Sample:
    return Sample(
        sample.images[:n],
        {level: values[:n] for level, values in sample.latents.items()},
        {level: values[:n] for level, values in sample.noise.items()},
    )
