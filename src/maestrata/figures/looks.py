"""How things are drawn and named: colours, markers, dashes; the same in panels and in legends.

Colours are safe for the colour-blind and never alone: each comes with its marker and a label. What is
ordered takes a dark-to-light scale, levels violet to green and ratios blue to orange; encoders and worlds,
which are not, take the Okabe-Ito colours.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import matplotlib as mpl
from matplotlib.lines import Line2D

from maestrata.figures.words import short

BLUE, VERMILION, GREEN, PINK, ORANGE, SKY, BLACK = OKABE_ITO = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"
)  # fmt: skip
GREY = "#888888"
MARKERS = "osD^vPXph*"


@dataclass(frozen=True)
class Look:
    """How one thing is drawn and named.

    Attributes
    ----------
    label : str
    color : colour of Matplotlib
    marker : str or None
    line : style of the line, or its dashes
    open : bool
        Whether markers are filled with white.
    """

    label: str
    color: Any
    marker: str | None = "o"
    line: Any = "-"
    open: bool = False

    @property
    def drawn(self) -> dict[str, Any]:
        """What `Axes.plot` takes."""
        white = {"markerfacecolor": "white"} if self.open else {}
        return {"color": self.color, "marker": self.marker, "linestyle": self.line} | white

    def handle(self, **changes: Any) -> Line2D:
        """Return an entry of a legend."""
        line: dict[str, Any] = {"markersize": 4, "linewidth": 1.2, "label": self.label} | self.drawn
        return Line2D([], [], **(line | changes))


ENCODERS: dict[str, Look] = {
    "trained": Look("trained MAE", BLUE, "o"),
    "random_init": Look("random init", VERMILION, "s"),
    "null_trained": Look("null-trained", PINK, "d"),
    "pixels": Look("pixels", "#666666", "^"),
    "pca": Look("PCA", GREEN, "v"),
    "shuffled": Look("shuffled labels", "#AA4499", "x"),
    "linear_mae": Look("linear MAE", ORANGE, "D"),
    "autoencoder": Look("autoencoder (r = 0)", SKY, "P"),
    "positions": Look("positions only", "#999999", "+"),
    "supervised": Look("supervised", BLACK, "*"),
    "posterior": Look("exact posterior", BLACK, "_"),
}

UNTRAINED = replace(ENCODERS["random_init"], color="#555555", line="--", open=True)
"""The encoder before training, where it is a curve among those of ratios."""


# what does not depend on the x axis: lines, which differ in their dashes too
REFERENCES: dict[str, Look] = {
    "random_init": replace(ENCODERS["random_init"], marker=None, line=(0, (4, 2))),
    "linear": Look("best linear (all pixels)", PINK, None, (0, (7, 1.5))),
    "exact": Look("exact posterior mean", BLACK, None, (0, (7, 1.5))),
    "even": Look("even attention", BLACK, None, (0, (1, 1.5))),
}


def cycle(i: int, label: str = "") -> Look:
    """Return the look of the i-th of some things without an order."""
    return Look(label, OKABE_ITO[i % len(OKABE_ITO)], MARKERS[i % len(MARKERS)])


def level_look(level: int, top: int) -> Look:
    """Return the look of a level of a hierarchy whose root is at `top`: the root is the darkest."""
    # The light end of the map is left out: it vanishes in print.
    red, green, blue, alpha = mpl.colormaps["viridis"](0.05 + 0.78 * (top - level) / max(top, 1))
    color = (float(red), float(green), float(blue), float(alpha))
    return Look(f"level {level}{' (root)' if level == top else ''}", color, MARKERS[level % len(MARKERS)])


def ratio_look(ratio: float) -> Look:
    """Return the look of a masking ratio, which is the same in every figure."""
    red, green, blue, alpha = mpl.colormaps["plasma"](0.88 * ratio)
    # the plainest markers are those of the ratios that eight tokens allow and runs take
    marker = "osXDP^v"[min(max(round(8 * ratio), 1), 7) - 1]
    return Look(f"r = {short(ratio)}", (float(red), float(green), float(blue), float(alpha)), marker)


def ratio_looks(ratios: Iterable[float]) -> dict[float, Look]:
    """Return the looks of masking ratios, in rising order."""
    return {ratio: ratio_look(ratio) for ratio in sorted(set(ratios))}
