"""Draw one figure from cubes: pdf and png, without dates, the same bytes for the same cubes."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from maestrata.cubes.io import open_cube
from maestrata.figures import registry
from maestrata.figures.save import save
from maestrata.figures.style import Style
from maestrata.results import CubeSet
from maestrata.steps._run import Parser, add_provenance, run

log = logging.getLogger(__name__)


def main(argv: Sequence[str] | None = None) -> None:
    """Open the cubes, draw, save."""
    parser = Parser(__doc__)
    parser.add_argument("figure", help=f"one of: {', '.join(registry.available())}")
    parser.add_argument("--cubes", type=Path, nargs="+", required=True, help="cubes, of any kind and order")
    parser.add_argument("--note", default="", help="told in the title, such as 'smoke: not evidence'")
    parser.add_argument("--output", type=Path, nargs="+", required=True, help="files, .pdf or .png")
    add_provenance(parser)
    args = parser.parse_args(argv)

    module = registry.load(args.figure)
    style = Style(note=args.note)
    if style.lacking:
        log.info("the figures' font has no glyph for %s: titles show code points", style.lacking)
    cubes = CubeSet(open_cube(path) for path in args.cubes)
    with style.context():
        figure = module.draw(cubes, style)
    for path in args.output:
        save(figure, path, style, args.fingerprint)
        log.info("%s", path)


if __name__ == "__main__":
    run(main)
