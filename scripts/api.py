"""Write the reference of what one imports, from the docstrings: ``python scripts/api.py`` fills docs/api/."""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from pathlib import Path

import pdoc
import pdoc.render

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "api"
PACKAGES = ("maestrata", "maestrata.inference", "maestrata.results", "maestrata.theory", "maestrata.worlds")
"""Each names what it exports in ``__all__``."""


def write(folder: Path) -> None:
    """Write a page for each package."""
    for name in PACKAGES:
        package = import_module(name)
        for (
            export
        ) in package.__all__:  # those that are resolved when first used: pdoc looks into the namespace
            setattr(package, export, getattr(package, export))
    pdoc.render.configure(docformat="numpy", show_source=False)
    pdoc.pdoc(*PACKAGES, output_directory=folder)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=FOLDER)
    write(parser.parse_args().folder)
    sys.exit()
