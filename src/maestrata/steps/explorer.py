"""Write a run as one HTML page to explore (docs/explorer.md), from its cubes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from maestrata.cubes.io import open_cube
from maestrata.explorer.data import data_of
from maestrata.explorer.page import page
from maestrata.results import CubeSet
from maestrata.steps._run import Parser, add_provenance, run
from maestrata.writing import write_text


def main(argv: Sequence[str] | None = None) -> None:
    """Open the cubes, take what the page shows, write it."""
    parser = Parser(__doc__)
    parser.add_argument(
        "--cubes", type=Path, nargs="+", required=True, help="cubes of a run, regression among them"
    )
    parser.add_argument("--run", required=True, help="name of the run")
    parser.add_argument("--note", default="", help="told in the title, such as 'smoke: not evidence'")
    parser.add_argument("--output", type=Path, required=True, help="HTML page, .html")
    add_provenance(parser)
    args = parser.parse_args(argv)

    cubes = CubeSet(open_cube(path) for path in args.cubes)
    write_text(args.output, page(data_of(cubes, args.run, args.note), args.fingerprint))


if __name__ == "__main__":
    run(main)
