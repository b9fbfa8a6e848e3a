"""What is advised, and how it reads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

LEAST_EXPLAINED = 0.02
"""Of a masked token's variance: where the visible ones explain no more, nothing is shared to go by."""
BEYOND = 1.5
"""A model that explains this many times what the covariance explains sees what the advice cannot."""
SWEEPS, FAMILIES = 48, 5
"""Sweeps, and families of worlds, that it was validated on (benchmarks/results/advice.json)."""
REGRET = {"adviser": 0.022, ".75, one token": 0.045, "best constant of other families": 0.023}
"""Mean regret there over families, for the whole image, in R2 or accuracy."""
EXPERIMENTAL = (
    f"experimental: over {SWEEPS} sweeps of {FAMILIES} families of worlds its mean regret for the whole "
    "image, in R2 or accuracy, was {:.3f}; that of always .75 {:.3f}, of what is best elsewhere {:.3f} "
    "(docs/advice.md)"
).format(*REGRET.values())


@dataclass(frozen=True)
class Row:
    """One way to mask, and what it is expected to do for the goal.

    Attributes
    ----------
    patch : str
    ratio : float
        Share that is masked.
    visible : int
        Visible patches.
    supply, demand, gain : float
        See `maestrata.advice.curves`.
    low, high : float
        95 % interval of the gain, over bootstrap samples of images and of masks.
    linear : float
        R2 of the goal's factors from the features of the linear masked autoencoder trained so: the rival.
    tied : bool
        Whether it cannot be told from the best.
    """

    patch: str
    ratio: float
    visible: int
    supply: float
    demand: float
    gain: float
    low: float
    high: float
    linear: float
    tied: bool


@dataclass(frozen=True)
class Advice:
    """What is advised.

    Attributes
    ----------
    best : Row or None
        None where it cannot be told; `reason` says why.
    rows : tuple of Row
        Every way to mask that was looked at.
    reason : str
    goal : str
    tree : {"estimated", "dyadic"}
    support : float
        Median support of the estimated tree's splits.
    explained : dict
        Share of a masked token's variance, at half of the tokens masked: ``linear`` in pixels, ``factors``,
        and ``model`` where one was trained.
    about : str
        The images.
    """

    best: Row | None
    rows: tuple[Row, ...]
    reason: str
    goal: str
    tree: str
    support: float
    explained: dict[str, float]
    about: str

    def __str__(self) -> str:
        sure = "" if np.isnan(self.support) else f" (support of its splits: {self.support:.2f})"
        tree = f"estimated from the images{sure}" if self.tree == "estimated" else f"the dyadic grid{sure}"
        shares = ", ".join(f"{name} {share:.2f}" for name, share in self.explained.items())
        lines = [self.about, f"tree: {tree}", f"explained of a masked token, half masked: {shares}"]
        lines += [f"goal: {self.goal}", "", "patch  ratio  supply  demand   gain  95 % interval   linear MAE"]
        for row in self.rows:
            numbers = (
                f"{row.supply:6.2f}  {row.demand:6.3f}  {row.gain:5.3f}  {row.low:5.3f} to {row.high:5.3f}"
            )
            mark = "  best" if row is self.best else "  as good" if row.tied and self.best else ""
            lines.append(f"{row.patch:<5}  {row.ratio:5.3f}  {numbers}  {row.linear:11.3f}{mark}")
        return "\n".join([*lines, "", self.reason, EXPERIMENTAL])


def decide(rows: tuple[Row, ...], explained: dict[str, float]) -> tuple[Row | None, str]:
    """Return the best row, or None, and the reason."""
    best = max(rows, key=lambda row: row.gain)
    # a predictor that is worse than the mean has explained nothing
    seen, model = max(0.0, explained["linear"], explained["factors"]), explained.get("model")
    tied = [row for row in rows if row.tied]
    reason = ""
    if model is not None and model > max(BEYOND * seen, seen + LEAST_EXPLAINED):
        reason = (
            f"a small model explains {model:.2f} of a masked token, the covariance {seen:.2f}: "
            "what is shared here is not in the covariance; train at two or three ratios and compare"
        )
    elif seen < LEAST_EXPLAINED:
        reason = f"visible tokens explain {seen:.3f} of a masked one, so that next to nothing is shared"
    elif best.low <= 0:
        reason = "within error, masked tokens gain nothing by what is wanted, however they are masked"
    elif 2 * len(tied) > len(rows):
        reason = f"{len(tied)} of {len(rows)} ways to mask are as good as the best, within error"
    if reason:
        return None, f"cannot tell: {reason}"
    others = [f"{row.patch} at {row.ratio:.3g}" for row in tied if row is not best]
    told = f"advice: mask patches of {best.patch} tokens, ratio {best.ratio:.3g}"
    return best, told + (f"; as good within error: {', '.join(others)}" if others else "")
