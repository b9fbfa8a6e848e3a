"""Saving of figures: pdf and png, the same bytes for the same figure."""

from __future__ import annotations

import os
from pathlib import Path

from matplotlib.figure import Figure

from maestrata.errors import FigureError
from maestrata.figures.style import Style
from maestrata.writing import whole

# No dates and no program names: they would make equal figures unequal.
FORMATS: dict[str, dict[str, None]] = {
    "pdf": {"CreationDate": None, "ModDate": None},
    "png": {"Software": None},
}


# Where a file of each format keeps the fingerprint of the code that drew it (`maestrata.run.record`).
_FINGERPRINT = {"pdf": "Keywords", "png": "fingerprint"}


def save(figure: Figure, path: str | os.PathLike[str], style: Style, fingerprint: str = "") -> None:
    """Save a figure in the format that the path's ending names; the file appears whole or not at all.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    path : path-like
    style : Style
    fingerprint : str
        Of the code that drew it, kept in the file.

    Raises
    ------
    FigureError
        If the ending is not one of `FORMATS`.
    MaestrataError
        If the file cannot be written.
    """
    path = Path(path)
    kind = path.suffix.removeprefix(".")
    if kind not in FORMATS:
        raise FigureError(f"{path}: a figure's ending must be one of: {', '.join(f'.{k}' for k in FORMATS)}")
    metadata = FORMATS[kind] | ({_FINGERPRINT[kind]: fingerprint} if fingerprint else {})
    with whole(path) as temporary, style.context():
        figure.savefig(temporary, format=kind, metadata=metadata)
    # The layout stays what it was in the first format: half the time, and the same places in both.
    figure.set_layout_engine("none")
