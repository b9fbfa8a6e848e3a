"""Limits of a world at every visibility of a sweep, on the images and masks that its models are scored on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maestrata.errors import InferenceError
from maestrata.inference.base import declared, is_exact, is_slow, pool_up, posterior, read_input
from maestrata.inference.bounds import Predictor, bounds
from maestrata.inference.ceiling import (
    predictions_of,
    predictions_of_upper,
    score_levels,
)
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
from maestrata.scoring import Scores
from maestrata.worlds.base import Sample, World

EVAL_RATIOS = ("0", "0.5", "training")


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
    def _targets(self) -> Sequence[Any]:
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
            return {"exact": self._limit(predictions_of(exact), visible, loss)}
        below = self._predictor.predict(self.world, *read_input(self.world, self._sample.images, visible))
        reached = bayes_loss(visible, None, truth, below.tokens)
        found_bounds = {"lower": self._limit(predictions_of(below), visible, reached)}
        if "upper" in self.bound_names:
            n = min(self.samples, self.settings.bound_samples)
            above = bounds(self.world, _first(self._sample, n), visible[:n], predictor=self._predictor)
            # what no loss is below has no prediction of its own
            floor = bayes_loss(visible[:n], above.loss_low)
            found_bounds["upper"] = self._limit(predictions_of_upper(above, self._targets), visible, floor)
        return found_bounds

    def _limit(self, predictions: Mapping[Any, Any], visible: NDArray[np.bool_], loss: Loss) -> Limit:
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
        "target": ["latent", "noise"],
        "level": list(range(world.levels + 1)),
    }
    data = _empty(coords, limits.replicates) | asked.shapes
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
                _put(data, (*at, i, j), cache[key][name], coords)
            _put_loss(data, (*at, j), cache[own][name].loss)
    return coords, data


def _empty(coords: dict[str, list[Any]], replicates: int) -> dict[str, NDArray[Any]]:
    sizes = [len(values) for values in coords.values()]
    data: dict[str, NDArray[Any]] = {}
    for key in (
        "r2",
        "r2_low",
        "r2_high",
        "accuracy",
        "n_test",
        "r2_present",
        "r2_present_low",
        "r2_present_high",
    ):
        data[key] = np.full(sizes, np.nan, np.float32)
    for key in ("r2_boot", "r2_present_boot"):
        data[key] = np.full((*sizes, replicates), np.nan, np.float32)
    for key in ("bayes_loss", "bayes_loss_error", "bayes_loss_test"):
        data[key] = np.full((*sizes[:3], sizes[4]), np.nan)
    data["realised_ratio"] = np.full(sizes[:3], np.nan)
    return data


def _put(
    data: dict[str, NDArray[Any]], at: tuple[int, ...], limit: Limit, coords: dict[str, list[Any]]
) -> None:
    for stem, scores in (("r2", limit.scores), ("r2_present", limit.present)):
        for (kind, level), score in scores.items():
            where = (*at, coords["target"].index(kind), coords["level"].index(level))
            data[stem][where] = score.r2
            data[f"{stem}_low"][where], data[f"{stem}_high"][where] = score.low, score.high
            data[f"{stem}_boot"][where] = score.boot
            if stem == "r2":
                data["accuracy"][where], data["n_test"][where] = score.accuracy, score.n


def _put_loss(data: dict[str, NDArray[Any]], at: tuple[int, ...], loss: Loss | None) -> None:
    if loss is not None:
        data["bayes_loss"][at], data["bayes_loss_error"][at] = loss.expected, loss.error
        data["bayes_loss_test"][at] = loss.realised


def _first(sample: Sample, n: int) -> Sample:
    return Sample(
        sample.images[:n],
        {level: values[:n] for level, values in sample.latents.items()},
        {level: values[:n] for level, values in sample.noise.items()},
    )
