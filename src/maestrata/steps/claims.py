"""Judge the paper's claims on the cubes of a run: verdicts as a cube, a markdown table and an HTML page.

Cubes may be of any kind and in any order; a claim that needs one that is not given is "not run".
"""

from __future__ import annotations

import json
import logging
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from maestrata.claims import page, registry, report
from maestrata.claims.rule import WORLDS
from maestrata.claims.verdict import judge
from maestrata.cubes.io import open_cube, write_cube
from maestrata.results import CubeSet
from maestrata.steps._flags import settings
from maestrata.steps._run import Parser, add_provenance, provenance, run
from maestrata.writing import write_text

log = logging.getLogger(__name__)


def main(argv: Sequence[str] | None = None) -> None:
    """Open the cubes, judge, write."""
    parser = Parser(__doc__)
    parser.add_argument("--cubes", type=Path, nargs="+", required=True, help="cubes of a run")
    parser.add_argument(
        "--claims", nargs="+", default=registry.available(), help="names of claims; all by default"
    )
    parser.add_argument(
        "--worlds",
        type=settings,
        default={},
        help="labels of the worlds that claims are judged in, where they are not "
        f"{json.dumps(dict(WORLDS))}, as a JSON object",
    )
    parser.add_argument("--note", default="", help="told in the title, such as 'smoke: not evidence'")
    parser.add_argument("--output", type=Path, required=True, help="the cube of verdicts, .nc")
    parser.add_argument("--table", type=Path, default=None, help="markdown, .md")
    parser.add_argument("--page", type=Path, default=None, help="HTML page, .html")
    add_provenance(parser)
    args = parser.parse_args(argv)

    claims = sorted(map(registry.load, args.claims), key=registry.order)
    cubes = CubeSet(open_cube(path) for path in args.cubes)
    for kind in cubes:
        cubes.get(kind)  # an error where there are two
    outcomes = judge(cubes, claims, args.worlds)
    for outcome in outcomes:
        log.info("%-8s %-13s %s", outcome.label, outcome.verdict.replace("_", " "), outcome.claim.TITLE)
    commit = last_change(path for claim in registry.load_all() for path in registry.files_of(claim))
    write_cube(report.dataset(outcomes, commit), args.output, provenance(args))
    # neither page shows it
    mark = f"<!-- fingerprint: {args.fingerprint} -->\n" if args.fingerprint else ""
    if args.table is not None:
        write_text(args.table, report.markdown(outcomes, args.note, commit) + mark)
    if args.page is not None:
        write_text(args.page, page.page(outcomes, args.note, commit) + mark)


def last_change(files: Iterable[Path]) -> str:
    """Return the last commit that changed any of these files, when, and whether one was changed since.

    Of claims outside the package nothing is told. Empty where git knows none, as in a clone without its
    history.
    """
    folder = Path(registry.__file__).parent
    own = sorted({path.name for path in files if path.parent == folder})

    def git(*flags: str) -> str:
        try:
            done = subprocess.run(
                ["git", *flags], cwd=folder, capture_output=True, text=True, timeout=60, check=True
            )
        except (OSError, subprocess.SubprocessError):
            return ""
        return done.stdout.strip()

    if git("rev-parse", "--is-shallow-repository") != "false":
        return ""
    commit = git("log", "-1", "--format=%h (%ci)", "--", *own)
    return f"{commit}, with changes since" if commit and git("status", "--porcelain", "--", *own) else commit


if __name__ == "__main__":
    run(main)
