"""One style for every figure: sizes, colours, markers, and where titles, n and intervals are written.

Colours are safe for the colour-blind and never alone: each comes with its marker and a label. Levels,
which are ordered, take a dark-to-light scale; encoders, which are not, take the Okabe-Ito colours.
"""

from __future__ import annotations

import contextlib
import math
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

__all__ = ["ENCODERS", "MARKERS", "Style", "level_color"]

# Full width of a two-column page, as tueplots gives for the venue; a panel of a row shares it.
WIDTH = 6.75
PANEL_HEIGHT = 2.0
MIN_WIDTH = 5.5  # title and footer need room
MARKERS = "osD^vPXph*"
WORLD_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")  # Okabe-Ito

# encoder -> (label, colour, marker)
ENCODERS: dict[str, tuple[str, str, str]] = {
    "trained": ("trained MAE", "#0072B2", "o"),
    "random_init": ("random init", "#D55E00", "s"),
    "pixels": ("pixels", "#666666", "^"),
    "pca": ("PCA", "#009E73", "v"),
    "shuffled": ("shuffled labels", "#CC79A7", "x"),
    "linear_mae": ("linear MAE", "#E69F00", "D"),
    "autoencoder": ("autoencoder (r = 0)", "#56B4E9", "P"),
    "positions": ("positions only", "#999999", "+"),
    "supervised": ("supervised", "#000000", "*"),
    "posterior": ("exact posterior", "#000000", "_"),
}


def level_color(level: int, top: int) -> tuple[float, float, float, float]:
    """Colour of a level of a hierarchy whose root is at `top`: the root darkest, so that it stands out."""
    # The light end of the map is left out: it vanishes in print.
    position = 0.05 + 0.78 * (top - level) / max(top, 1)
    red, green, blue, alpha = mpl.colormaps["viridis"](position)
    return float(red), float(green), float(blue), float(alpha)


def level_marker(level: int) -> str:
    """Marker of a level."""
    return MARKERS[level % len(MARKERS)]


@dataclass(frozen=True)
class Style:
    """How a figure is drawn.

    Attributes
    ----------
    note : what is told about the run in every title, such as "smoke: not evidence".
    """

    note: str = ""

    @contextlib.contextmanager
    def context(self) -> Iterator[None]:
        """Matplotlib settings under which a figure is drawn and saved, whatever the user's own are."""
        with mpl.rc_context():
            mpl.rcdefaults()
            settings: Any = _settings()
            mpl.rcParams.update(settings)
            yield

    def figure(
        self,
        rows: int,
        columns: int,
        *,
        panel_height: float = PANEL_HEIGHT,
        panel_width: float | None = None,
        sharex: Any = False,
        sharey: Any = False,
        more_height: float = 0.0,
        **grid: Any,
    ) -> tuple[Figure, NDArray[Any]]:
        """Make a figure with `rows` x `columns` panels; axes come as a two-dimensional array.

        Parameters
        ----------
        rows, columns : int
        panel_height, panel_width : float
            Inches; without a width, the panels share that of a page.
        sharex, sharey : as in `Figure.subplots`.
        more_height : float
            Inches for what stands beside panels, title and footer.
        **grid : passed to the grid (width_ratios, height_ratios).
        """
        width = WIDTH if panel_width is None else max(MIN_WIDTH, panel_width * columns + 0.5)
        figure = Figure(figsize=(width, panel_height * rows + 1.1 + more_height), layout="constrained")
        axes = figure.subplots(rows, columns, squeeze=False, sharex=sharex, sharey=sharey, gridspec_kw=grid)
        return figure, axes

    def flow(
        self,
        count: int,
        *,
        columns: int = 3,
        panel_height: float = PANEL_HEIGHT,
        panel_width: float = 2.6,
        **grid: Any,
    ) -> tuple[Figure, list[Axes]]:
        """Make a figure with `count` panels that share axes, row by row; the lowest have tick labels."""
        columns = min(columns, count)
        rows = -(-count // columns)
        figure, axes = self.figure(
            rows,
            columns,
            panel_height=panel_height,
            panel_width=panel_width,
            sharex=True,
            sharey=True,
            **grid,
        )
        panels = list(axes.flat)
        for unused in panels[count:]:
            unused.remove()
        for panel in panels[max(0, count - columns) : count]:
            panel.tick_params(labelbottom=True)
        return figure, panels[:count]

    def title(self, figure: Figure, text: str, legend: Sequence[Any] = ()) -> None:
        """Write the title, with the run's note, and under it a row that names what is drawn.

        Parameters
        ----------
        figure : Figure
        text : str
        legend : sequence of artists with a label
        """
        # A note is not broken: no-break spaces while the title is wrapped.
        note = f" [{self.note}]".replace(" ", "\u00a0").replace("\u00a0", " ", 1) if self.note else ""
        title = _wrap(f"{text}{note}", figure, 10.5).replace("\u00a0", " ")
        # Some 15 characters of a legend, its marks included, take an inch.
        room = sum(len(str(handle.get_label())) + 6 for handle in legend) / (15 * figure.get_figwidth())
        rows = math.ceil(room)
        # Empty lines keep the layout clear of the legend.
        lines = "\n" * (rows + 1 if legend else 0)
        figure.suptitle(f"{title}{lines}", x=0.01, ha="left", fontsize="large", linespacing=1.3)
        if legend:
            height = figure.get_figheight()
            figure.legend(
                handles=legend,
                loc="upper left",
                bbox_to_anchor=(0.0, 1 - (0.06 + 0.19 * len(title.splitlines())) / height),
                ncols=math.ceil(len(legend) / rows),
                fontsize="small",
                handletextpad=0.5,
                columnspacing=1.5,
            )

    def footer(self, figure: Figure, lines: str | Sequence[str]) -> None:
        """Write n, the intervals and the reading under the panels, where every figure has them."""
        given = [lines] if isinstance(lines, str) else [line.strip("; ") for line in lines if line]
        text = "\n".join(_wrap(line, figure, 20) for line in given)
        figure.supxlabel(text, fontsize="x-small", color="#333333", x=0.01, ha="left")

    def curve(
        self,
        axes: Axes,
        x: ArrayLike,
        y: ArrayLike,
        low: ArrayLike | None = None,
        high: ArrayLike | None = None,
        *,
        color: Any,
        marker: str | None = "o",
        label: str | None = None,
        **line: Any,
    ) -> None:
        """Draw a curve with intervals; points that are NaN are left out, and the line runs on past them."""
        x, y = np.asarray(x, float), np.asarray(y, float)
        there = np.isfinite(x) & np.isfinite(y)
        order = np.argsort(x[there], kind="stable")
        x, y = x[there][order], y[there][order]
        line = {"linewidth": 1.2, "markersize": 3.5} | line
        axes.plot(x, y, color=color, marker=marker, label=label, **line)
        if low is not None and high is not None:
            low, high = np.asarray(low, float)[there][order], np.asarray(high, float)[there][order]
            axes.vlines(x, low, high, color=color, linewidth=1.0, alpha=line.get("alpha", 1.0))

    def from_zero(self, axes: Sequence[Axes]) -> None:
        """Let the y axis, which the panels share, begin at 0 or at the lowest value."""
        lowest = min((panel.dataLim.y0 for panel in axes if panel.has_data()), default=0.0)
        axes[0].set_ylim(bottom=min(0.0, lowest) - 0.02)

    def label(self, axes: Axes, x: str, y: str) -> None:
        """Name the axes of a panel of `flow` where it shows their tick labels."""
        if axes.xaxis.get_tick_params().get("labelbottom", True):
            axes.set_xlabel(x)
        if axes.yaxis.get_tick_params().get("labelleft", True):
            axes.set_ylabel(y)

    def missing(self, axes: Axes, text: str = "not in this run") -> None:
        """Say in an empty panel that its data are not there."""
        axes.text(
            0.5,
            0.5,
            text,
            transform=axes.transAxes,
            ha="center",
            va="center",
            color="#777777",
            style="italic",
        )

    def direct_labels(
        self, axes: Axes, x: float, labels: Sequence[tuple[float, str, Any]], gap: float = 0.075
    ) -> None:
        """Write labels beside the ends of curves, moved apart where they would overlap.

        Parameters
        ----------
        axes : Axes
            With its final limits.
        x : float
            Data coordinate of the labels' left edge.
        labels : sequence of (y, text, colour)
        gap : float
            Least distance, as a share of the axes' height.
        """
        bottom, top = axes.get_ylim()
        wanted = sorted(
            ((y - bottom) / (top - bottom), text, color) for y, text, color in labels if np.isfinite(y)
        )
        if not wanted:
            return
        heights = spread([h for h, _, _ in wanted], gap)
        for height, (_, text, color) in zip(heights, wanted, strict=True):
            axes.text(
                x,
                height,
                text,
                transform=axes.get_yaxis_transform(),
                color=color,
                va="center",
                fontsize="x-small",
            )


def _wrap(text: str, figure: Figure, per_inch: float) -> str:
    """Break a line that the figure has no room for."""
    return "\n".join(textwrap.wrap(text, int(per_inch * figure.get_figwidth())))


def spread(heights: Sequence[float], gap: float) -> list[float]:
    """Move sorted heights apart to at least `gap`, keeping their order and, on the whole, their place.

    Examples
    --------
    >>> [round(h, 2) for h in spread([.5, .5, .9], .1)]
    [0.45, 0.55, 0.9]
    """
    groups: list[list[float]] = []
    for height in heights:
        groups.append([height])
        # Groups that touch become one, centred on the mean of what its members wanted.
        while len(groups) > 1 and _first(groups[-1], gap) - _last(groups[-2], gap) < gap - 1e-12:
            groups[-2:] = [groups[-2] + groups[-1]]
    return [_first(g, gap) + k * gap for g in groups for k in range(len(g))]


def _first(group: list[float], gap: float) -> float:
    return float(np.mean(group)) - gap * (len(group) - 1) / 2


def _last(group: list[float], gap: float) -> float:
    return float(np.mean(group)) + gap * (len(group) - 1) / 2


def _settings() -> dict[str, Any]:
    from tueplots import axes, cycler, fontsizes
    from tueplots.constants.color import palettes

    settings: dict[str, Any] = {}
    settings |= axes.lines(base_width=0.6)
    settings |= fontsizes.neurips2024(default_smaller=1)
    settings |= cycler.cycler(color=palettes.paultol_muted)
    return settings | {
        "text.usetex": False,
        "font.family": "DejaVu Sans",  # comes with matplotlib: the same glyphs on every machine
        "mathtext.fontset": "dejavusans",
        "pdf.fonttype": 42,  # TrueType, embedded: text stays text
        "svg.hashsalt": "maestrata",
        "savefig.dpi": 200,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlelocation": "left",
        "axes.titlesize": 8,
        "axes.labelsize": 8,
        "legend.frameon": False,
        "figure.constrained_layout.use": False,  # asked for per figure
        "image.interpolation": "nearest",
    }
