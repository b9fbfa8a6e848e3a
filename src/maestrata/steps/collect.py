"""Join a sweep's files into one cube.

Cells whose file is not there become NaN, with `status` 2: a sweep that is not finished gives a cube too.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from maestrata.cubes.collect import COLLECTED, collect
from maestrata.cubes.manifest import Manifest
from maestrata.steps._run import Parser, add_provenance, provenance, run

log = logging.getLogger(__name__)


def main(argv: Sequence[str] | None = None) -> None:
    """Read the manifest, join, and say how many files there were."""
    parser = Parser(__doc__)
    parser.add_argument("--kind", required=True, choices=sorted(COLLECTED), help="kind of the cube")
    parser.add_argument(
        "--manifest", required=True, help="cells and paths (docs/cubes.md): JSON, or a file of it"
    )
    parser.add_argument("--output", type=Path, required=True, help="the cube")
    add_provenance(parser)
    args = parser.parse_args(argv)

    if args.manifest.lstrip().startswith("{"):
        manifest = Manifest.parse(args.manifest, "--manifest")
    else:
        manifest = Manifest.parse(Path(args.manifest).read_text(encoding="utf-8"), args.manifest)
    # The cube itself says what it holds; where the parts lay is no part of it.
    del args.manifest
    counts = collect(args.kind, manifest, args.output, provenance(args))
    log.info("%s: %s files joined, %s missing", args.output, counts["done"], counts["missing"])


if __name__ == "__main__":
    run(main)
