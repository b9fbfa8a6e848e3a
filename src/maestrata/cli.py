"""The command ``maestrata``: shared information on a graph of one's own, plans and progress of sweeps.

``maestrata locate graph.json --masked x0,x3`` reads ``{"edges": [["z0", "x0"], ...], "dims": {"z0": 2}}`` and
prints the shared information; docs/locate.md explains both. ``maestrata plan config/full.yaml`` prints the
plan that `maestrata.steps.sweep` carries out on a machine without the workflow engine. ``maestrata progress``
prints how far a run is, and the time left (docs/workflow.md).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NoReturn

from maestrata import __version__
from maestrata.errors import GraphError, MaestrataError
from maestrata.graphs import LatentGraph
from maestrata.text import any_encoding

EXIT_ERROR = 2
_KEYS = {"edges": (list, "a list of pairs"), "dims": (dict, "an object"), "observables": (list, "a list")}
"""Keys of a graph's file, with what each must be."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status: 0, or 2 after one line on standard error."""
    any_encoding()
    parser = _parser()
    args = parser.parse_args(argv)
    if args.command is None:
        parser.print_help()
        return 0
    try:
        {"locate": locate, "plan": plan, "progress": progress}[args.command](args)
        sys.stdout.flush()
    except BrokenPipeError:
        # whoever reads has closed the pipe (as `head` does): no more to say, here or at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except MaestrataError as error:
        print(f"maestrata: error: {error}", file=sys.stderr)
        return EXIT_ERROR
    return 0


class _Parser(argparse.ArgumentParser):
    """Parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and where help is."""
        self.exit(EXIT_ERROR, f"{self.prog}: error: {message} (see {self.prog} --help)\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="maestrata", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action="version", version=f"maestrata {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    locate = commands.add_parser(
        "locate",
        help="shared information of one mask on a graph",
        description="Shared information of one mask.",
    )
    locate.add_argument("graph", help="JSON file with edges, dims and observables; - reads standard input")
    locate.add_argument("--masked", required=True, help="masked observables, separated by commas")
    locate.add_argument("--reading", default="separator", choices=("separator", "invertible"))
    locate.add_argument(
        "--tie", default="highest", choices=("highest", "lowest"), help="of several smallest sets"
    )
    locate.add_argument("--json", action="store_true", help="print JSON instead of a table")
    plan = commands.add_parser(
        "plan",
        help="plan of a sweep, for a machine without the workflow engine",
        description="Print a config as a sweep plan (JSON) for python -m maestrata.steps.sweep.",
    )
    plan.add_argument("config", nargs="+", help="config file; later ones change earlier ones")
    progress = commands.add_parser(
        "progress",
        help="how far a run is, and the time left",
        description="Files there, time and memory of the jobs done, and time left, for every rule of a run.",
    )
    progress.add_argument(
        "config",
        nargs="*",
        default=["config/config.yaml"],
        help="config file; later ones change earlier ones (default: config/config.yaml)",
    )
    progress.add_argument(
        "--cores",
        type=_count,
        default=os.cpu_count() or 1,
        help="jobs at a time (default: processors of this machine)",
    )
    progress.add_argument("--json", action="store_true", help="print JSON instead of a table")
    return parser


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} must be an integer of at least 1")
    return int(text)


def plan(args: argparse.Namespace) -> None:
    """Print a config as a sweep plan."""
    from maestrata.config.load import load_config
    from maestrata.run.sweep import sweep_plan

    print(json.dumps(sweep_plan(load_config(*args.config)), allow_nan=False))


def progress(args: argparse.Namespace) -> None:
    """Print how far a run is, rule by rule, and the time left."""
    from maestrata.config.load import load_config
    from maestrata.run.plan import Plan
    from maestrata.run.progress import progress_of

    run = progress_of(Plan(load_config(*args.config)), args.cores)
    if args.json:
        total = {"left_s": run.left_s, "lower_bound": bool(run.unknown)}
        about: dict[str, Any] = {"run": run.run, "cores": run.cores} | total
        print(json.dumps(about | {"rules": [asdict(rule) for rule in run.rules]}, indent=2))
        return
    print(f"{'rule':<10}{'files':>13}{'jobs':>13}{'median time':>14}{'peak memory':>14}{'time left':>14}")
    for rule in run.rules:
        files, jobs = f"{rule.files}/{rule.files_wanted}", f"{rule.jobs}/{rule.jobs_wanted}"
        time = "-" if rule.median_s is None else _duration(rule.median_s)
        peak = "-" if rule.peak_mb is None else f"{rule.peak_mb:.0f} MB"
        left = "unknown" if rule.left_s is None else _duration(rule.left_s)
        print(f"{rule.rule:<10}{files:>13}{jobs:>13}{time:>14}{peak:>14}{left:>14}")
    bound = "at least " if run.unknown else ""
    print(f"\ntime left of run {run.run} with {run.cores} at a time: {bound}{_duration(run.left_s)}")
    if run.unknown:
        print(f"a lower bound: no time is known yet of a job of {', '.join(run.unknown)}")


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s" if 0 < seconds < 10 else f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    hours, days = minutes // 60, minutes // 1440
    if days:
        return f"{days} d {hours % 24:02} h"
    return f"{hours} h {minutes % 60:02} min" if hours else f"{minutes} min"


def read_graph(source: str) -> LatentGraph:
    """Read a graph from a JSON file, or from standard input if `source` is ``-``.

    Raises
    ------
    GraphError
        If it cannot be read, is not JSON, or is no valid graph; the message begins with the file.
    """
    where = "<standard input>" if source == "-" else source
    try:
        text = sys.stdin.read() if source == "-" else Path(source).expanduser().read_text(encoding="utf-8")
        text = text.removeprefix("\ufeff")  # the byte order mark with which some editors begin a file
        content = json.loads(text, object_pairs_hook=_no_repeats)
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise GraphError(f"{where}: cannot be read as JSON: {reason}") from None
    except GraphError as error:
        raise GraphError(f"{where}: {error}") from None
    if not isinstance(content, dict) or "edges" not in content:
        raise GraphError(f'{where}: must hold an object with "edges", such as {{"edges": [["z0", "x0"]]}}')
    for key, value in content.items():
        if key not in _KEYS:
            raise GraphError(f"{where}: key {key!r} must be one of: {', '.join(_KEYS)}")
        kind, what = _KEYS[key]
        if not isinstance(value, kind):
            raise GraphError(f"{where}: {key} must be {what}")
    for edge in content["edges"]:
        for name in edge if isinstance(edge, list) else ():
            if not isinstance(name, str):
                raise GraphError(f"{where}: node {name!r} in edges must be a string")
    try:
        return LatentGraph(content["edges"], content.get("dims"), content.get("observables"))
    except MaestrataError as error:
        raise GraphError(f"{where}: {error}") from None


def _no_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for key, value in pairs:
        if key in content:
            raise GraphError(f"key {key!r} is given twice")
        content[key] = value
    return content


def locate(args: argparse.Namespace) -> None:
    """Compute the shared information of one mask and print it."""
    # scipy is needed from here on only: help and version come at once
    from maestrata.theory.shared import shared_information

    graph = read_graph(args.graph)
    masked = [name for name in (part.strip() for part in args.masked.split(",")) if name]
    shared = shared_information(graph, masked, reading=args.reading, tie=args.tie)
    # the graph's own order, highest level first
    nodes = sorted((n for n in graph.nodes if n in shared.nodes), key=lambda n: -graph.level(n))
    if args.json:
        report = {
            "nodes": [{"node": n, "level": graph.level(n), "dim": graph.dims[n]} for n in nodes],
            "dim": shared.dim,
            "intrinsic_dim": shared.intrinsic_dim,
            "unique": shared.unique,
            "tied": shared.tied,
            "reading": args.reading,
            "tie": args.tie,
            "masked": sorted(set(masked)),
        }
        print(json.dumps(report, indent=2, ensure_ascii=False))
        return
    width = max([4, *(len(str(node)) for node in nodes)])
    print(f"{'node':<{width}}  level  dim")
    for node in nodes:
        print(f"{node!s:<{width}}  {graph.level(node):>5}  {graph.dims[node]:>3}")
    if not nodes:
        print("(none: masked and visible part share nothing)")
    print()
    unknown = "unknown: the dimensions rule invertibility out"
    intrinsic = unknown if shared.intrinsic_dim is None else shared.intrinsic_dim
    rows = [("reading", args.reading), ("dimension", shared.dim), ("intrinsic dimension", intrinsic)]
    rows.append(("unique", "yes" if shared.unique else f"no: the {args.tie} of several is shown"))
    if shared.tied:
        rows.append(("tied", "yes: several are equally so; the one nearest the visible observables is shown"))
    for name, value in rows:
        print(f"{name:<20} {value}")


if __name__ == "__main__":
    sys.exit(main())
