"""One style for every figure: its size, and where title, sentence, legend and notes stand.

Every figure is `WIDTH` inches wide, the width of a page of text, and is read at that size: in print, and at
650 to 850 pixels in README, docs and report. No letter is smaller than `SMALLEST` points there.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import ceil
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont
from matplotlib.ft2font import FT2Font
from matplotlib.legend import Legend
from numpy.typing import ArrayLike, NDArray

from maestrata.text import in_mathtext, one_line, with_glyphs, wrap

WIDTH = 6.75
SIZE, SMALLEST = 8.0, 6.5  # points: of titles and labels; of ticks, legends and notes ("small") at least
PANEL_HEIGHT = 2.0
FONT = "DejaVu Sans"
# characters of a line: of the title, of the sentence under it, of a note
TITLE, SENTENCE, NOTE = 80, 112, 136
LEFT, GAP = 0.04, 0.07  # inches: beside what stands above and below the panels, and between its parts


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
        sharex: Any = False,
        sharey: Any = False,
        **grid: Any,
    ) -> tuple[Figure, NDArray[Any]]:
        """Make a figure with `rows` x `columns` panels; axes come as a two-dimensional array.

        Parameters
        ----------
        rows, columns : int
        panel_height : float
            Inches.
        sharex, sharey : as in `Figure.subplots`.
        **grid : passed to the grid (width_ratios, height_ratios).
        """
        figure = Figure(figsize=(WIDTH, panel_height * rows), layout="constrained")
        axes = figure.subplots(rows, columns, squeeze=False, sharex=sharex, sharey=sharey, gridspec_kw=grid)
        return figure, axes

    def frame(
        self,
        figure: Figure,
        title: str,
        sentence: str = "",
        legend: Sequence[Artist] = (),
        notes: str | Iterable[str] = (),
    ) -> tuple[float, float]:
        """Write what stands above and below the panels; the figure grows by its height.

        Parameters
        ----------
        figure : Figure
            As high as its panels.
        title : str
            The run's note is put behind it.
        sentence : str
            What the figure shows.
        legend : sequence of artists with a label
        notes : str or iterable of str
            Below: n, the intervals, the features.

        Returns
        -------
        (float, float)
            Inches added above and below the panels.
        """
        FigureCanvasAgg(figure)  # measures
        # A note is broken only where a line cannot hold it: no-break spaces while the title is wrapped.
        note = self.noted("").strip().replace(" ", "\u00a0")
        told = "\n".join(wrap(f"{title} {note}".strip(), TITLE)).replace("\u00a0", " ")
        left = LEFT / figure.get_figwidth()
        place: dict[str, Any] = {"x": left, "ha": "left", "va": "top", "linespacing": 1.25}
        above: list[Any] = [figure.suptitle(told, y=1.0, fontsize="large", **place)]
        if sentence:
            above.append(
                figure.text(s="\n".join(wrap(sentence, SENTENCE)), y=1.0, fontsize="medium", **place)
            )
        if legend:
            above.append(_legend(figure, legend))
        lines = [notes] if isinstance(notes, str) else [line.strip("; ") for line in notes]
        text = "\n".join(line for part in lines for line in wrap(part, NOTE))
        below = figure.supxlabel(text, y=0.0, fontsize="small", color="#333333", **place | {"va": "bottom"})

        heights = [part.get_window_extent().height / figure.dpi for part in above]
        top, bottom = sum(heights) + GAP * (len(above) + 1), GAP
        if text:
            bottom += below.get_window_extent().height / figure.dpi + GAP
        total = figure.get_figheight() + top + bottom
        figure.set_size_inches(figure.get_figwidth(), total)
        at = GAP
        for part, height in zip(above, heights, strict=True):
            y = 1 - at / total
            part.set_bbox_to_anchor((left, y)) if isinstance(part, Legend) else part.set_y(y)
            at += height + GAP
        below.set_y(GAP / total)
        for part in (*above, below):
            part.set_in_layout(False)
        engine: Any = figure.get_layout_engine()
        if engine is not None:
            engine.set(rect=(0, bottom / total, 1, 1 - (top + bottom) / total))
        return top, bottom


def _legend(figure: Figure, handles: Sequence[Artist]) -> Legend:
    """Name what is drawn, in as few rows as the width allows."""
    for rows in range(1, len(handles) + 1):
        legend = figure.legend(
            handles=list(handles),
            loc="upper left",
            bbox_to_anchor=(0.0, 1.0),
            ncols=ceil(len(handles) / rows),
            borderaxespad=0,
            borderpad=0,
            handletextpad=0.5,
            columnspacing=1.5,
        )
        if legend.get_window_extent().width < (figure.get_figwidth() - 2 * LEFT) * figure.dpi:
            break
        if rows < len(handles):
            legend.remove()
    return legend


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
    from tueplots import axes, cycler
    from tueplots.constants.color import palettes

    settings: dict[str, Any] = {}
    settings |= axes.lines(base_width=0.6)
    settings |= cycler.cycler(color=palettes.paultol_muted)
    small = dict.fromkeys(("xtick.labelsize", "ytick.labelsize", "legend.fontsize"), "small")
    return settings | small | {
        "text.usetex": False,
        "font.size": SIZE,
        "font.family": FONT,  # comes with matplotlib: the same glyphs on every machine
        "mathtext.fontset": "dejavusans",
        "pdf.fonttype": 42,  # TrueType, embedded: text stays text
        "svg.hashsalt": "maestrata",
        "savefig.dpi": 200,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlelocation": "left",
        "axes.titlesize": "medium",
        "axes.labelsize": "medium",
        "legend.frameon": False,
        "figure.constrained_layout.use": False,  # asked for per figure
        "image.interpolation": "nearest",
    }  # fmt: skip
