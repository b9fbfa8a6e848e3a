"""Statistics over worlds: exact tests, corrections, and choices that do not flatter.

The unit is the world. Nothing here knows a claim or a cube: plain arrays in, plain numbers out. NaN is not
handled: callers leave such worlds out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maestrata.errors import ClaimError
from maestrata.random import stream

Floats = NDArray[np.float64]

# Up to this many worlds all sign assignments are counted: two sorted halves of at most 2^15 sums.
EXACT_UP_TO = 30
# ... and of several columns at once, whose pairs of halves must be gone through.
JOINT_UP_TO = 20
DRAWS = (1 << 17) - 1
_CHUNK = 1 << 14


def sign_flip(
    values: ArrayLike, centre: float = 0.0, side: Literal["greater", "less", "two-sided"] = "two-sided"
) -> float:
    """Sign-flip test: values symmetric about `centre` are as likely with any sign flipped.

    All ``2^n`` assignments of signs are counted up to `EXACT_UP_TO` values (the halves' sums are enumerated,
    sorted, and their pairs counted by bisection); beyond, `DRAWS` are drawn from the stream ``claims``, the
    observed one included.

    Not `scipy.stats.permutation_test`: it misses ties where the sum is about 0 (its tolerance is relative to
    the sum), takes 2^n memory and 150 times as long at n = 12, and has no joint test. Else its p is ours.

    Parameters
    ----------
    values : array, shape (n,)
    centre : float
        Mean under the null hypothesis.
    side : {"greater", "less", "two-sided"}
        Alternative: the mean lies above, below, or on either side of `centre`.

    Returns
    -------
    float
        The p value: in ``[2^-n, 1]`` for one side, ``[2^(1-n), 1]`` for two; 1 for no value.

    Examples
    --------
    >>> sign_flip([1, 2, 3], side="greater"), sign_flip([1, 2, 3])
    (0.125, 0.25)
    """
    x = _vector(values) - centre
    if side not in ("greater", "less", "two-sided"):
        raise ClaimError(f"side={side!r} must be one of: greater, less, two-sided (sign-flip test)")
    if not len(x):
        return 1.0
    if side == "less":
        x = -x
    observed = abs(float(x.sum())) if side == "two-sided" else float(x.sum())
    # Equal sums added in another order differ by rounding; they count as equal.
    reached = observed - 1e-12 * float(np.abs(x).sum())
    if len(x) <= EXACT_UP_TO:
        share = _share_of_assignments(x, reached)
    else:
        signs = stream(0, "claims", len(x)).integers(0, 2, size=(DRAWS, len(x)), dtype=np.int8)
        sums = (2.0 * signs - 1.0) @ x
        share = (1 + int((sums >= reached).sum())) / (1 + DRAWS)
    # The distribution of sums is symmetric about 0.
    return min(1.0, 2 * share) if side == "two-sided" else share


def _share_of_assignments(x: Floats, reached: float) -> float:
    half = len(x) // 2
    one, other = _sums(x[:half]), np.sort(_sums(x[half:]))
    count = int((len(other) - np.searchsorted(other, reached - one, side="left")).sum())
    return count / (len(one) * len(other))


def _sums(x: Floats) -> Floats:
    """Sums of the rows under every assignment of signs, (2**n, ...)."""
    sums = np.zeros((1, *x.shape[1:]))
    for value in x:
        sums = np.concatenate([sums + value, sums - value])
    return sums


def joint_sign_flip(table: ArrayLike) -> float:
    """One-sided sign-flip test of several quantities at once: the mean of any of them lies above 0.

    A world's quantities share its sign, so whatever they have in common is kept. The statistic is the largest
    of the columns' sums over the root of their sums of squares, which no flip changes (Westfall and Young's
    max-T). With one column it is `sign_flip`.

    Parameters
    ----------
    table : array, shape (worlds, quantities)
        0 where a world lacks a quantity. All assignments up to `JOINT_UP_TO` worlds, else `DRAWS` of them.

    Returns
    -------
    float
        The p value, in ``[2^-n, 1]``, corrected for the number of quantities; 1 for none.

    Examples
    --------
    >>> joint_sign_flip([[1.0, 0.1], [2.0, -0.3], [3.0, 0.1]])
    0.125
    """
    x = np.asarray(table, np.float64)
    if x.ndim != 2 or not np.isfinite(x).all():
        raise ClaimError("a joint sign-flip test needs a finite table (worlds, quantities)")
    length = np.sqrt(np.square(x).sum(0))
    x = x[:, length > 0] / length[length > 0]
    if not x.size:
        return 1.0
    n = len(x)
    reached = float(x.sum(0).max()) - 1e-12 * n
    if n <= JOINT_UP_TO:
        other = _sums(x[n // 2 :])
        count = sum(int(((other + one).max(1) >= reached).sum()) for one in _sums(x[: n // 2]))
        return count / (1 << n)
    signs = stream(0, "claims", n, x.shape[1]).integers(0, 2, size=(DRAWS, n), dtype=np.int8)
    count = sum(
        int((((2.0 * signs[k : k + _CHUNK] - 1.0) @ x).max(1) >= reached).sum())
        for k in range(0, DRAWS, _CHUNK)
    )
    return (1 + count) / (1 + DRAWS)


def equivalence(values: ArrayLike, margin: float) -> float:
    """Equivalence, by two one-sided sign-flip tests: the mean lies within ``-margin .. margin``.

    Parameters
    ----------
    values : array, shape (n,)
    margin : float
        Above 0.

    Returns
    -------
    float
        The p value: the larger of the two one-sided ones (TOST; Schuirmann 1987).
    """
    if not margin > 0:
        raise ClaimError(f"margin={margin} must be above 0 (equivalence)")
    return max(sign_flip(values, -margin, "greater"), sign_flip(values, margin, "less"))


def holm(p: Sequence[float] | Floats) -> Floats:
    """Holm's adjusted p values, in the order given (Holm 1979).

    Parameters
    ----------
    p : sequence of float
        NaN for what was not tested: it stays NaN and does not count.

    Examples
    --------
    >>> holm([.01, .04, .03]).round(3).tolist()
    [0.03, 0.06, 0.06]
    """
    given = np.asarray(p, np.float64)
    adjusted = np.full(given.shape, np.nan)
    tested = np.flatnonzero(np.isfinite(given))
    order = tested[np.argsort(given[tested], kind="stable")]
    scaled = given[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(scaled))
    return adjusted


def leave_one_out_choice(table: ArrayLike) -> NDArray[np.intp]:
    """For each world, the option that is best on average in all the other worlds.

    A world's own noise then has no part in its choice, so the chosen option is not flattered by it.

    Parameters
    ----------
    table : array, shape (worlds, options)
        Two worlds or more.

    Returns
    -------
    ndarray of int, shape (worlds,)
        Position of the option; the first of equals.
    """
    x = np.asarray(table, np.float64)
    if x.ndim != 2 or len(x) < 2:
        raise ClaimError(f"a choice from the other worlds needs two worlds or more, not shape {x.shape}")
    return np.argmax(x.sum(0) - x, axis=1)


def squared_distance(differences: ArrayLike) -> float:
    """Unbiased squared length of the mean of a difference that was measured several times.

    The plain square of a mean is too large by its variance. The product of two independent measurements is
    not, so with ``D_s`` the difference in replicate s the estimate is the mean of ``D_s . D_t`` over pairs of
    different replicates. It may be below 0.

    Parameters
    ----------
    differences : array, shape (replicates, levels)
        Two replicates or more.

    Examples
    --------
    >>> squared_distance([[1.0, 0.0], [3.0, 0.0]])
    3.0
    """
    d = np.asarray(differences, np.float64)
    if d.ndim != 2 or len(d) < 2:
        raise ClaimError(f"an unbiased squared distance needs two replicates or more, not shape {d.shape}")
    total = d.sum(0)
    return float((total @ total - np.square(d).sum()) / (len(d) * (len(d) - 1)))


def squared_distance_pseudovalues(differences: ArrayLike) -> Floats:
    """Jackknife pseudo-values of `squared_distance`: one number a replicate, whose mean is the estimate.

    For where the replicates are the worlds themselves. A t interval of the pseudo-values is the jackknife's:
    their spread allows for what the pairs of replicates have in common.

    Parameters
    ----------
    differences : array, shape (replicates, levels)
        Three replicates or more.
    """
    d = np.asarray(differences, np.float64)
    if d.ndim != 2 or len(d) < 3:
        raise ClaimError(f"pseudo-values need three replicates or more, not shape {d.shape}")
    whole = squared_distance(d)
    without = np.array([squared_distance(np.delete(d, i, axis=0)) for i in range(len(d))])
    return len(d) * whole - (len(d) - 1) * without


def worlds_needed(effect: float, alpha: float, power: float = 0.8, most: int = 500) -> int | None:
    """Worlds for which a two-sided t test of a standardised effect has a power; None for more than `most`.

    By the noncentral t distribution. A planning figure: the effect is an estimate itself.

    Parameters
    ----------
    effect : float
        Distance of the mean from what it is held against, over the standard deviation over worlds.
    alpha, power : float
        Level of the test and chance of passing it, in (0, 1).
    most : int

    Examples
    --------
    >>> worlds_needed(1.0, 0.05), worlds_needed(0.05, 0.05)
    (10, None)
    """
    from scipy.special import nctdtr, stdtrit

    if not effect > 0:
        return None
    n = np.arange(2, most + 1)
    missed = nctdtr(n - 1, effect * np.sqrt(n), stdtrit(n - 1, 1 - alpha / 2))
    # far out the distribution is lost to rounding, where nothing is missed
    enough = np.flatnonzero(~(missed > 1 - power))
    return int(n[enough[0]]) if len(enough) else None


def _vector(values: ArrayLike) -> Floats:
    x = np.asarray(values, np.float64)
    if x.ndim != 1 or not np.isfinite(x).all():
        raise ClaimError(f"values over worlds must be one finite number each, not {x.tolist()}")
    return x
