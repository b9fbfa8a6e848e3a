"""A figure in the making: panels, what is drawn in them, and what is told of it above and below."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from maestrata.figures.looks import REFERENCES, Look
from maestrata.figures.style import Style, curve
from maestrata.figures.words import intervals_text, n_text, short
from maestrata.results import Series

RATIO_TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)
RATIO = "realised masking ratio r"


class Sheet:
    """A figure in the making.

    Parameters
    ----------
    style : Style
    figure : Figure
    axes : array of Axes
        Its panels.

    Attributes
    ----------
    shown : list of Series
        All that was drawn with `plot` and `reference`.
    """

    def __init__(self, style: Style, figure: Figure, axes: NDArray[Any]) -> None:
        self.style = style
        self.figure = figure
        self.axes = axes
        self.shown: list[Series] = []
        self._split = False

    @classmethod
    def grid(cls, style: Style, rows: int, columns: int, **size: Any) -> Sheet:
        """Make `rows` x `columns` panels (see `Style.figure`)."""
        return cls(style, *style.figure(rows, columns, **size))

    @classmethod
    def flow(cls, style: Style, count: int, *, columns: int = 3, **size: Any) -> Sheet:
        """Make `count` panels that share axes, at most `columns` in a row; the lowest have tick labels."""
        columns = even_columns(count, columns)
        size |= {"sharex": True, "sharey": True}
        figure, axes = style.figure(-(-count // columns), columns, **size)
        panels = axes.ravel()
        for unused in panels[count:]:
            unused.remove()
        for panel in panels[max(0, count - columns) : count]:
            panel.tick_params(labelbottom=True)
        return cls(style, figure, panels[:count])

    def plot(
        self,
        axes: Axes,
        s: Series | None,
        look: Look,
        *,
        shift: float = 0.0,
        worlds: Literal["thin", "own", "none"] = "none",
        bars: bool = True,
        **line: Any,
    ) -> None:
        """Draw a series with its intervals, where there is one.

        Parameters
        ----------
        axes : Axes
        s : Series or None
        look : Look
        shift : float
            Added to x, where intervals of several series would lie on each other.
        worlds : {"thin", "own", "none"}
            How single worlds are shown where there are several: as thin curves behind the mean; each with
            its own interval where they are too few for one of the mean; or not at all.
        bars : bool
            Whether intervals are drawn.
        **line : what differs from the look.
        """
        if s is None:
            return
        self.shown.append(s)
        x, drawn = s.x + shift, look.drawn | line
        several = s.n_worlds > 1
        if worlds == "own" and several and not s.over_worlds:
            self._split = True
            for ends in zip(s.each, s.each_low, s.each_high, strict=True):
                curve(axes, x, *ends, **(drawn | {"linewidth": 0.6, "markersize": 2.2}))
            curve(axes, x, s.mean, **({"linewidth": 1.6} | drawn | {"marker": None}))
            return
        if worlds == "thin" and several:
            for each in s.each:
                curve(axes, x, each, color=look.color, marker=None, linewidth=0.4, alpha=0.3, zorder=1)
        curve(axes, x, s.mean, *((s.low, s.high) if bars else ()), **drawn)

    def reference(self, axes: Axes, s: Series | None, name: str) -> None:
        """Draw a number that does not depend on the x axis: a line in its dashes, its interval a band."""
        if s is None:
            return
        self.shown.append(s)
        look, (mean, low, high) = REFERENCES[name], (part[0] for part in (s.mean, s.low, s.high))
        axes.axhline(mean, color=look.color, linestyle=look.line, linewidth=1.0, zorder=1.5)
        if np.isfinite([low, high]).all():
            axes.axhspan(low, high, color=look.color, alpha=0.13, linewidth=0, zorder=0.5)
            axes.axhspan(mean, mean, alpha=0)  # the line counts in the limits

    def label(self, axes: Axes, x: str, y: str) -> None:
        """Name the axes of a panel of `flow` where it shows their tick labels."""
        if axes.xaxis.get_tick_params().get("labelbottom", True):
            axes.set_xlabel(x)
        if axes.yaxis.get_tick_params().get("labelleft", True):
            axes.set_ylabel(y)

    def from_zero(self) -> None:
        """Let the y axis, which the panels share, begin at 0 or at the lowest value."""
        lowest = min((panel.dataLim.y0 for panel in self.axes.flat if panel.has_data()), default=0.0)
        self.axes.flat[0].set_ylim(bottom=min(0.0, lowest) - 0.02)

    def n_text(self, what: str = "test images", unit: str = "world") -> str:
        """Say how many samples are behind each number of a unit: a world, or a split of given images."""
        return n_text(self.shown, what, unit=unit)

    def intervals_text(self, drawn: str = "bars", unit: str = "world") -> str:
        """Say what the intervals are, and what shows them."""
        split = f"; thin: single {unit}s, thick: their mean" if self._split else ""
        return intervals_text(self.shown, drawn, unit) + split

    def done(self, title: str, sentence: str, legend: Iterable[Any], notes: Iterable[str]) -> Figure:
        """Say in each empty panel that its data are not there; write what stands above and below.

        Parameters
        ----------
        title : str
        sentence : str
            What the figure shows, from the numbers drawn; empty where it shows no result.
        legend : iterable of Look or artists
        notes : iterable of str
        """
        for panel in self.axes.flat:
            if not panel.texts:
                missing(panel)
        handles = [h.handle() if isinstance(h, Look) else h for h in legend]
        self.style.frame(self.figure, title, sentence, handles, notes)
        return self.figure


def even_columns(count: int, most: int) -> int:
    """Choose into how many columns panels are laid, so that the last row is as full as can be.

    Examples
    --------
    >>> [even_columns(count, 3) for count in (1, 2, 3, 4, 5, 9)]
    [1, 2, 3, 2, 3, 3]
    """
    fewer = range(min(most, count), min(2, count) - 1, -1)
    return min(fewer, key=lambda columns: (count % columns == 1 < columns, -count % columns, -columns))


def missing(axes: Axes, text: str = "not in this run") -> None:
    """Say in a panel that is empty that its data are not there."""
    if not axes.has_data():
        look: dict[str, Any] = {"ha": "center", "va": "center", "color": "#777777", "style": "italic"}
        axes.text(0.5, 0.5, text, transform=axes.transAxes, **look)


def zero(axes: Axes) -> None:
    """Draw the line of no difference in a panel that shows some."""
    if axes.has_data():
        axes.axhline(0, color="#888888", linewidth=0.6, zorder=0)


def ratio_axis(axes: Axes, name: str = RATIO, ticks: Sequence[float] = RATIO_TICKS) -> None:
    """Let the x axis be the masking ratio."""
    axes.set_xlim(0, 1)
    axes.set_xticks(ticks, [short(ratio) for ratio in ticks])
    axes.set_xlabel(name)


def level_axis(axes: Axes, name: str = "level") -> None:
    """Let the x axis be the levels that are drawn."""
    axes.set_xlabel(name)
    if axes.has_data():
        low, high = axes.dataLim.intervalx.round().astype(int)
        axes.set_xticks(range(low, high + 1))


def small_legend(axes: Axes, rows: int, **where: Any) -> None:
    """Name what is drawn inside a panel that shows something, in so many rows above the curves."""
    if axes.has_data():
        bottom, top = axes.get_ylim()
        axes.set_ylim(bottom, top + (top - bottom) * rows * 0.16 / (1 - rows * 0.1))
        look = {"loc": "upper left", "borderaxespad": 0.1, "handlelength": 1.4, "columnspacing": 1.0}
        axes.legend(**(look | where))
