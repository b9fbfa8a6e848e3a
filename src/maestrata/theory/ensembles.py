"""Ensembles of masks: all of them with their weights where they are few, random ones otherwise.

``fixed`` ensembles hold the masks that training draws, all with the same number of visible patches;
``independent`` ones mask every patch on its own with probability r, empty and full masks counted, as the
closed forms assume.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maestrata.errors import MaskError
from maestrata.masks import MaskPatches, draw_masks, mask_matrix, visible_count
from maestrata.theory.profiles import Drawing, check_drawing

ENUMERATED = 20_000
"""Ensembles of at most this many masks are enumerated instead of sampled."""


@dataclass(frozen=True)
class MaskEnsemble:
    """Masks with weights.

    Attributes
    ----------
    masked : bool array (n_masks, n_tokens)
        True where a token is masked; tokens in raster order.
    weights : float array (n_masks,)
        Probabilities; they sum to 1.
    exact : bool
        Whether these are all masks of the distribution; if not, they are independent draws from it.
    """

    masked: NDArray[np.bool_]
    weights: NDArray[np.float64]
    exact: bool

    def mean(self, values: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the mean over masks of values (n_masks, ...) and its standard error (0 where exact)."""
        flat = np.asarray(values, np.float64).reshape(len(values), -1)
        # weights sum to 1 up to rounding only: a mean must not leave the range of what it averages
        mean = np.clip(self.weights @ flat, flat.min(0), flat.max(0))
        shape = np.shape(values)[1:]
        if self.exact:
            return mean.reshape(shape), np.zeros(shape)
        error = flat.std(0, ddof=1) / np.sqrt(len(flat))
        return mean.reshape(shape), error.reshape(shape)

    def ratio(self, above: NDArray[Any], below: NDArray[Any]) -> tuple[float, float]:
        """Return the ratio of two means over masks, values (n_masks,), and its error (delta method)."""
        bottom = float(self.weights @ below)
        if bottom == 0:
            return float("nan"), float("nan")
        ratio = float(self.weights @ above) / bottom
        if self.exact:
            return ratio, 0.0
        spread = np.std(above - ratio * below, ddof=1) / np.sqrt(len(above))
        return ratio, float(spread) / bottom


def mask_ensemble(
    patches: MaskPatches,
    mask_ratio: float,
    drawing: Drawing = "fixed",
    n_masks: int = ENUMERATED,
    rng: np.random.Generator | None = None,
    enumerate_up_to: int = ENUMERATED,
) -> MaskEnsemble:
    """Return the masks of a distribution, all of them or a sample.

    Parameters
    ----------
    patches : MaskPatches
    mask_ratio : float
        r, in (0, 1). With fixed counts, what is realised is `maestrata.masks.visible_count`.
    drawing : {"fixed", "independent"}
    n_masks : int
        Masks to draw where there are too many to enumerate; at least 2.
    rng : numpy.random.Generator, optional
        Needed only where masks are drawn.
    enumerate_up_to : int
        Most masks that are enumerated; 0 always draws.

    Returns
    -------
    MaskEnsemble

    Raises
    ------
    MaskError
        If an argument is out of range, or a sample is needed and no generator is given.
    """
    check_drawing(drawing)
    visible = visible_count(patches.n_patches, mask_ratio)
    n = patches.n_patches
    n_all = comb(n, visible) if drawing == "fixed" else 2**n
    if n_all <= enumerate_up_to:
        chosen, weights = _all_masks(n, visible, mask_ratio, drawing, n_all)
        return MaskEnsemble(chosen[:, patches.patch_of_token], weights, True)
    if rng is None:
        raise MaskError(
            f"{n_all} masks are too many to enumerate: a generator is needed to draw {n_masks} of them"
        )
    if n_masks < 2:
        raise MaskError(f"n_masks={n_masks!r} must be at least 2")
    uniforms = rng.random((n_masks, n))
    if drawing == "fixed":
        visible_ids, _ = draw_masks(patches, visible, uniforms)
        masked = ~mask_matrix(visible_ids, patches.grid.n_tokens)
    else:
        masked = (uniforms < mask_ratio)[:, patches.patch_of_token]
    return MaskEnsemble(masked, np.full(n_masks, 1 / n_masks), False)


def _all_masks(
    n: int, visible: int, r: float, drawing: Drawing, n_all: int
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """All masks over patches, True where masked, shape (n_all, n), and their probabilities."""
    if drawing == "fixed":
        masked = np.ones((n_all, n), bool)
        np.put_along_axis(masked, np.array(list(combinations(range(n), visible))), False, 1)
        return masked, np.full(n_all, 1 / n_all)
    masked = (np.arange(n_all)[:, None] >> np.arange(n) & 1).astype(bool)
    count = masked.sum(1)
    return masked, r**count * (1 - r) ** (n - count)
