"""What the claims about Section 3.6 share: masks that follow the structure, and a loss without the border."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from maestrata.claims.rule import Test
from maestrata.results import Combined, Expression, Select, mean_of
from maestrata.results.progress import gate_at
from maestrata.results.read import Level

SIZES = (2, 4)
RATIOS = (0.1, 0.25, 0.5, 0.75, 0.9)
PATCHES = ("2x1", "2x2")
BORDER_RATIO = 0.75
"""The paper's own setting: r = .75, and mask patches larger than a token."""

Of = Callable[[Expression], Expression]

test = partial(Test, side="above", threshold=0.0, world="between")
"""A `rule.Test` where a part tells its cause less than surely: nothing is claimed for where it does.

Threshold 0: what is claimed is a gain. Dividing by a ceiling, the same for both sides, would not change the
sign."""


def aligned_minus_offset(level: Level, of: Of) -> Combined:
    """Contrast masks that follow the structure with the same masks shifted: mean over pairs that a run has.

    Parameters
    ----------
    level : Level
    of : callable
        What is made of the selection of R2.
    """
    cell = partial(Select, "regression", "r2", level=level)
    return mean_of(
        *(of(cell(ratio=r, patch=s)) - of(cell(ratio=r, patch=s, offset=1)) for s in SIZES for r in RATIOS),
        lacking="the sweep has no mask patches both aligned and offset",
    )


def border_minus(other: str, level: Level, of: Of, patches: tuple[str, ...] = PATCHES) -> Combined:
    """Contrast the loss without border tokens with another one: mean over the patches that a run has.

    Parameters
    ----------
    other : {"standard", "no_random"}
        All masked tokens count, or all but as many drawn at random.
    level, of
        As in `aligned_minus_offset`.
    patches : tuple of str
    """
    arm = partial(Select, "experiments/border", "r2", level=level, gate=gate_at(BORDER_RATIO))
    return mean_of(*(of(arm(f"{patch}/no_border")) - of(arm(f"{patch}/{other}")) for patch in patches))


def itself(of: Expression) -> Expression:
    """Return R2 as it is."""
    return of
