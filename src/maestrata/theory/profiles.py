"""Level profiles of the shared information in closed form, on regular trees.

On a regular tree whose levels all have the same dimension, whether a node is in c depends only on what its
children pass up: each child is all masked, all visible, neither (nothing of it is left uncut), or cut. The
probabilities obey a recursion from the leaves up. With independent masks it runs on numbers; with a fixed
number of masked patches it runs on polynomials whose coefficient k counts the masks of k masked patches, in
integers, and is exact for what training draws.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import comb
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from maestrata.errors import MaskError, one_of
from maestrata.masks import visible_count
from maestrata.theory.shared import Reading, check_reading

if TYPE_CHECKING:
    import xarray as xr

Drawing = Literal["fixed", "independent"]
DRAWINGS: tuple[Drawing, ...] = get_args(Drawing)


def level_profile(
    branching: int = 2,
    levels: int = 6,
    mask_ratio: float = 0.5,
    reading: Reading = "separator",
    patch_level: int = 0,
    drawing: Drawing = "independent",
) -> xr.Dataset:
    """Return the level profile of c on a regular tree, in closed form (highest tie).

    With ``m``, ``v`` and ``n`` the probabilities that a node passes up masked, visible and nothing, from
    ``m = r``, ``v = 1 - r``, ``n = 0`` at the patches, the separator reading has at every level::

        cut = 1 - (1 - v)^b - (1 - m)^b + n^b
        m'  = (1 - v)^b - n^b,   v' = (1 - m)^b - n^b,   n' = 1 - m' - v'

    and the invertible reading ``P = (m + v)^b - m^b - v^b`` with ``m = r^(b^(l-1))``, ``v =
    (1-r)^(b^(l-1))``, l counted from the patches.

    Parameters
    ----------
    branching : int
        Children per node, b, at least 1.
    levels : int
        Level of the root, L, at least 1.
    mask_ratio : float
        r, in (0, 1).
    reading : {"separator", "invertible"}
    patch_level : int
        Level of the subtrees that are masked as a whole, 0 to L - 1.
    drawing : {"independent", "fixed"}
        Every patch masked independently with probability r, empty and full masks counted; or exactly
        the number of visible patches that training draws (`maestrata.masks.visible_count`).

    Returns
    -------
    xarray.Dataset
        ``p_in_c(level)``, the probability that a node is in c, levels 1 to L; ``number(level)``, the expected
        number of nodes in c; ``mean_level``, the level of a member of c,
        ``sum(level * number) / sum(number)``.

    Raises
    ------
    MaskError
        If an argument is out of range.

    Examples
    --------
    >>> [round(float(level_profile(mask_ratio=r).mean_level), 2) for r in (.1, .25, .5, .75, .9)]
    [1.06, 1.21, 1.5, 1.21, 1.06]
    """
    import xarray as xr

    check_profile(branching, levels, mask_ratio, patch_level, drawing)
    check_reading(reading)
    depth = levels - patch_level
    if drawing == "independent":
        # differences of nearly equal powers can come out as -1e-17
        cuts = _cuts(branching, depth, float(mask_ratio), 1.0 - mask_ratio, 1.0, reading)
        above = [max(p, 0.0) for p in cuts]
    else:
        above = _fixed(branching, depth, mask_ratio, reading)
    p = np.concatenate([np.zeros(patch_level), above])
    level = np.arange(1, levels + 1)
    number = p * float(branching) ** (levels - level)
    total = number.sum()
    mean = float(level @ number / total) if total > 0 else float("nan")
    return xr.Dataset(
        {"p_in_c": ("level", p), "number": ("level", number), "mean_level": ((), mean)},
        coords={"level": level},
        attrs={"branching": branching, "mask_ratio": mask_ratio, "reading": reading, "drawing": drawing},
    )


def _cuts(b: int, depth: int, m: Any, v: Any, every: Any, reading: Reading) -> Iterator[Any]:
    """Yield how much of `every` mask cuts a node, level by level, from the patches up.

    `m` and `v`: what a patch passes up masked and visible. All three are probabilities (`every` is 1), or
    polynomials with integer coefficients that count masks.
    """
    n = 0 * every
    for _ in range(depth):
        if reading == "separator":
            yield every**b - (every - v) ** b - (every - m) ** b + n**b
            m, v = (every - v) ** b - n**b, (every - m) ** b - n**b
            every = every**b
            n = every - m - v
        else:
            yield (m + v) ** b - m**b - v**b
            m, v = m**b, v**b


def _fixed(b: int, depth: int, mask_ratio: float, reading: Reading) -> list[float]:
    """Count masks by `_cuts`: 1 becomes (1 + t)^(patches below)."""
    n = b**depth
    masked = n - visible_count(n, mask_ratio)
    # Python's integers, which never overflow; poly1d lists the highest power first
    m, v, every = (np.poly1d(np.array(c, object)) for c in ([1, 0], [1], [1, 1]))
    p_in_c = []
    for level, cut in enumerate(_cuts(b, depth, m, v, every, reading), 1):
        elsewhere = n - b**level
        # the patches elsewhere are masked in any way that makes up the number
        ways = sum(
            count * comb(elsewhere, masked - k)
            for k, count in enumerate(cut.coeffs[::-1])
            if 0 <= masked - k <= elsewhere
        )
        p_in_c.append(ways / comb(n, masked))
    return p_in_c


def check_profile(branching: Any, levels: Any, mask_ratio: Any, patch_level: Any, drawing: Any) -> None:
    """Refuse arguments of a closed form on a regular tree that are out of range, with a MaskError."""
    for name, value, low in (
        ("branching", branching, 1),
        ("levels", levels, 1),
        ("patch_level", patch_level, 0),
    ):
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < low:
            raise MaskError(f"{name}={value!r} must be an integer of at least {low}")
    if patch_level >= levels:
        raise MaskError(f"patch_level={patch_level} must be below the root's level, {levels}")
    number = isinstance(mask_ratio, int | float | np.floating) and not isinstance(mask_ratio, bool)
    if not number or not 0 < mask_ratio < 1:
        raise MaskError(f"mask_ratio={mask_ratio!r} must lie in (0, 1)")
    check_drawing(drawing)


def check_drawing(drawing: str) -> None:
    """Refuse an unknown way of drawing masks."""
    if drawing not in DRAWINGS:
        raise MaskError(f"drawing={one_of(drawing, DRAWINGS)}")
