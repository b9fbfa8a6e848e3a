"""One style for every figure: sizes, and where titles, n and intervals are written."""

from __future__ import annotations

import contextlib
import math
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont
from matplotlib.ft2font import FT2Font
from numpy.typing import ArrayLike, NDArray

from maestrata.text import in_mathtext, one_line, with_glyphs, wrap

# Full width of a two-column page, as tueplots gives for the venue; a panel of a row shares it.
WIDTH = 6.75
PANEL_HEIGHT = 2.0
FONT = "DejaVu Sans"
MIN_WIDTH = 5.5  # title and footer need room


@dataclass(frozen=True)
class Style:
    """How a figure is drawn.

    Attributes
    ----------
    note : what is told about the run in every title, such as "smoke: not evidence"; shown literally.
    """

    note: str = ""

    @property
    def lacking(self) -> str:
        """Characters of the note for which the figures' font has no glyph: titles show their code points."""
        return "".join(dict.fromkeys(c for c in one_line(self.note) if ord(c) not in _glyphs()))

    def noted(self, text: str) -> str:
        """Return a title with the run's note behind it, as Matplotlib shows it literally."""
        note = in_mathtext(with_glyphs(one_line(self.note), _glyphs()))
        return f"{text} [{note}]" if note else text

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

    def title(self, figure: Figure, text: str, legend: Sequence[Any] = ()) -> None:
        """Write the title, with the run's note, and under it a row that names what is drawn.

        Parameters
        ----------
        figure : Figure
        text : str
        legend : sequence of artists with a label
        """
        # A note is broken only where a line cannot hold it: no-break spaces while the title is wrapped.
        note = self.noted("").strip().replace(" ", "\u00a0")
        lines = wrap(f"{text} {note}".strip(), int(10.5 * figure.get_figwidth()))
        title = "\n".join(lines).replace("\u00a0", " ")
        # Some 15 characters of a legend, its marks included, take an inch.
        room = sum(len(str(handle.get_label())) + 6 for handle in legend) / (15 * figure.get_figwidth())
        rows = math.ceil(room)
        # Empty lines keep the layout clear of the legend.
        below = "\n" * (rows + 1 if legend else 0)
        figure.suptitle(f"{title}{below}", x=0.01, ha="left", fontsize="large", linespacing=1.3)
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
        """Write n, the intervals and the features under the panels, where every figure has them."""
        given = [lines] if isinstance(lines, str) else [line.strip("; ") for line in lines if line]
        room = int(20 * figure.get_figwidth())  # characters of a line
        text = "\n".join(textwrap.fill(line, room) for line in given)
        figure.supxlabel(text, fontsize="x-small", color="#333333", x=0.01, ha="left")


def curve(
    axes: Axes,
    x: ArrayLike,
    y: ArrayLike,
    low: ArrayLike | None = None,
    high: ArrayLike | None = None,
    *,
    color: Any,
    **line: Any,
) -> None:
    """Draw a curve with intervals; points that are NaN are left out, and the line runs on past them."""
    x, y = np.asarray(x, float), np.asarray(y, float)
    there = np.isfinite(x) & np.isfinite(y)
    order = np.flatnonzero(there)[np.argsort(x[there], kind="stable")]
    line = {"linewidth": 1.2, "markersize": 3.5} | line
    axes.plot(x[order], y[order], color=color, **line)
    if low is not None and high is not None:
        low, high = (np.asarray(end, float)[order] for end in (low, high))
        axes.vlines(x[order], low, high, color=color, linewidth=1.0, alpha=line.get("alpha", 1.0))


@lru_cache
def _glyphs() -> frozenset[int]:
    """Code points that the figures' font has a glyph for."""
    return frozenset(FT2Font(findfont(FONT)).get_charmap())


def _settings() -> dict[str, Any]:
    from tueplots import axes, cycler, fontsizes
    from tueplots.constants.color import palettes

    settings: dict[str, Any] = {}
    settings |= axes.lines(base_width=0.6)
    settings |= fontsizes.neurips2024(default_smaller=1)
    settings |= cycler.cycler(color=palettes.paultol_muted)
    return settings | {
        "text.usetex": False,
        "font.family": FONT,  # comes with matplotlib: the same glyphs on every machine
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
