"""Shared information of one mask, on a latent graph of one's own (docs/locate.md).

GRAPH reads {"edges": [["z0", "x0"], ...], "dims": {"z0": 2}}: docs/graph.json is an example.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from maestrata.commands._arguments import add_json, add_version_of_c
from maestrata.errors import GraphError, MaestrataError, reason
from maestrata.graphs import LatentGraph

HELP = "shared information of one mask on a graph of one's own"

_KEYS = {"edges": (list, "a list of pairs"), "dims": (dict, "an object"), "observables": (list, "a list")}
"""Keys of a graph's file, with what each must be."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("graph", help="JSON file with edges, dims and observables; - reads standard input")
    parser.add_argument("--masked", required=True, help="masked observables, separated by commas")
    add_version_of_c(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> None:
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
        raise GraphError(f"{where}: cannot be read as JSON: {reason(error)}") from None
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
