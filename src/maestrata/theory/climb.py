"""Demand: how far up the hierarchy a masked leaf needs the visible part's help.

From a masked leaf one climbs to the first ancestor that has a visible leaf below it; what lies beneath
is hidden altogether. The climb grows with the masking ratio, with no optimum inside (docs/theory.md).
"""

from __future__ import annotations

from math import comb
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from maestrata.masks import visible_count
from maestrata.theory.arrays import GraphArrays
from maestrata.theory.profiles import Drawing, check_profile

if TYPE_CHECKING:
    import xarray as xr


def demand(
    branching: int = 2,
    levels: int = 6,
    mask_ratio: float = 0.5,
    patch_level: int = 0,
    drawing: Drawing = "independent",
) -> xr.Dataset:
    """Return the climb from a masked leaf on a regular tree, in closed form.

    With independent masks a leaf climbs beyond level l with probability ``r^(b^l - 1)`` (b^l patches below,
    its own being masked), so ``climb = sum_{l=0}^{L-1} r^(b^l - 1)``. With exactly k of n patches masked
    the probability is ``C(n - s, k - s) / C(n - 1, k - 1)``, s = b^l. Where nothing is visible the climb
    ends at the root.

    Parameters
    ----------
    branching, levels, mask_ratio, patch_level, drawing
        As in `maestrata.theory.profiles.level_profile`.

    Returns
    -------
    xarray.Dataset
        ``share(level)``: share of masked leaves whose climb ends at the level, 1 to L; ``climb``: its mean.

    Raises
    ------
    MaskError
        If an argument is out of range.

    Examples
    --------
    >>> [round(float(demand(mask_ratio=r).climb), 2) for r in (.1, .25, .5, .75, .9)]
    [1.1, 1.27, 1.63, 2.32, 3.35]
    """
    import xarray as xr

    check_profile(branching, levels, mask_ratio, patch_level, drawing)
    n = branching ** (levels - patch_level)
    beyond = []
    for level in range(levels):
        # patches under the ancestor at this level, all of which must be masked to climb on
        size = branching ** max(level - patch_level, 0)
        if drawing == "independent":
            beyond.append(float(mask_ratio) ** (size - 1))
        else:
            masked = n - visible_count(n, mask_ratio)
            beyond.append(comb(n - size, masked - size) / comb(n - 1, masked - 1) if size <= masked else 0.0)
    share = -np.diff([*beyond, 0.0])
    return xr.Dataset(
        {"share": ("level", share), "climb": ((), float(sum(beyond)))},
        coords={"level": np.arange(1, levels + 1)},
        attrs={"branching": branching, "mask_ratio": mask_ratio, "drawing": drawing},
    )


def climb_of_masks(arrays: GraphArrays, masked: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return how far every leaf must climb, for many masks on any graph.

    With several parents the lowest ancestor that has a visible leaf below counts.

    Parameters
    ----------
    arrays : GraphArrays
    masked : bool array (n_masks, n_leaves)

    Returns
    -------
    int64 array (n_masks, n_leaves)
        Level of the first ancestor with a visible leaf below; 0 for a visible leaf; the graph's height where
        there is none.
    """
    height = int(arrays.level.max())
    sees = np.zeros((arrays.n_nodes, masked.shape[0]), bool)
    sees[arrays.leaves] = ~masked.T
    for group in arrays.upward:
        sees[group.nodes] = group.reduce(np.logical_or, sees[group.relatives])
    climb = np.where(sees, arrays.level[:, None], height)
    # down again, parents before children: what does not see takes the lowest of what its parents found
    for group in arrays.downward:
        least = group.reduce(np.minimum, climb[group.relatives])
        climb[group.nodes] = np.where(sees[group.nodes], climb[group.nodes], least)
    return climb[arrays.leaves].T
