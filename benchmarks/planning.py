"""How long Snakemake takes to plan a grid, against the number of its cells.

    python benchmarks/planning.py [--cells 300 1000 3000 10000] [--repeats 1] [--draw]

Each point is ``snakemake --dry-run`` in an empty folder, on a grid of one world (20 to 40 world seeds, five
ratios, as many training seeds as make the number): every job is planned, with its inputs, flags and
fingerprint, and with ``--quiet`` none is printed. What is told is processor time (user and system), which
other programs on the machine lengthen less than the time on the clock, and the largest resident memory.

Beside it, what Snakemake takes by itself, without a line of ours: a Snakefile of as many jobs and files. Once
with no more than these, and once with what our rules declare too (logs, benchmarks, environment, resources,
five params), all of it constant.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import yaml

sys.path.insert(0, str(Path(__file__).parent))
from measured import measured

from maestrata.machine import processor

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results"
RATIOS = [0.1, 0.25, 0.5, 0.75, 0.9]
AIMS = {1000: 3.0, 10000: 20.0}  # seconds


HEAD = """import gc
gc.disable()
wildcard_constraints: w="[0-9]+", v="[0-9]+", s="[0-9]+"
rule all:
    input:
        expand("{cell}/{{name}}", w=range(20), v=range(5), s=range({seeds}),
               name=["weights", "history", "scores", "examples"]),
        expand("{model}/controls", w=range(20), s=range({seeds})),
"""
RULE = """rule {name}:
    input: {input}
    output: {output}
{more}    shell: "python -m {name} {flags} {{input}} {{output}}"
"""
MORE = """    log: "{place}/logs/{name}"
    benchmark: "{place}/benchmarks/{name}"
    conda: "environment.yml"
    threads: 1
    resources: mem_mb=lambda wildcards, attempt: 1500 * attempt, runtime=60
    params: a="a", b="b", c="c", d="d", e="e"
"""


def bare(cells: int, declared: bool) -> str:
    """Return a Snakefile of as many cells: two rules a cell and one of its controls, or what ours declare."""
    cell, model = "w{w}/v{v}/s{s}", "w{w}/s{s}"
    text = HEAD.format(cell=cell, model=model, seeds=cells // (len(RATIOS) * 20))
    rules = [
        ("pretrain", cell, "", ("weights", "history")),
        ("regress", cell, f'"{cell}/weights"', ("scores", "examples")),
        ("controls", model, "", ("controls",)),
    ]
    for name, place, needed, made in rules:
        text += RULE.format(
            name=name,
            input=needed,
            output=", ".join(f'"{place}/{one}"' for one in made),
            more=MORE.format(name=name, place=place) if declared else "",
            flags=" ".join(f"{{params.{flag}}}" for flag in "abcde") if declared else "",
        )
    return text


def config(cells: int) -> dict[str, Any]:
    """Return a config of as many cells: the default run's stages without its experiments."""
    world_seeds = 40 if cells > 3000 else 20
    seeds = cells // (len(RATIOS) * world_seeds)
    return {
        "extends": str(ROOT / "config" / "config.yaml"),
        "run": "planning",
        "experiments": [],
        "grid": [{"worlds": ["additive"], "world_seeds": world_seeds, "mask_ratios": RATIOS, "seeds": seeds}],
    }


def plan(snakefile: Path, folder: Path, *flags: str) -> dict[str, float]:
    """Plan once, in a process of its own."""
    command = [sys.executable, "-m", "snakemake", "--dry-run", "--snakefile", str(snakefile)]
    command += ["--workflow-profile", str(ROOT / "profiles/default"), "--directory", str(folder), *flags]
    # the Snakefile finds its code itself, and jobs keep what Python compiles
    env = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE")}
    return measured(command, env=env)


def measure(cells: int, repeats: int) -> dict[str, Any]:
    """Plan a grid, printed and not, and Snakemake's share of it, `repeats` times each, in turns."""
    quiet = ("--quiet", "all")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        of_grid = ("--configfile", str(folder / "planning.yaml"))
        (folder / "planning.yaml").write_text(yaml.safe_dump(config(cells)))
        (folder / "environment.yml").write_text("dependencies: []\n")
        for declared in (False, True):
            (folder / f"bare{declared}.smk").write_text(bare(cells, declared))
        ours = ROOT / "Snakefile"
        runs = {
            "quiet": lambda: plan(ours, folder, *of_grid, *quiet),
            "printed": lambda: plan(ours, folder, *of_grid),
            "bare": lambda: plan(folder / "bareFalse.smk", folder, *quiet),
            "declared": lambda: plan(folder / "bareTrue.smk", folder, *quiet),
        }
        every = [{kind: run() for kind, run in runs.items()} for _ in range(repeats)]
    seconds = {kind: min(one[kind]["seconds"] for one in every) for kind in runs}
    return {
        "cells": cells,
        **{f"seconds_{kind}": value for kind, value in seconds.items()},
        "megabytes": max(one[kind]["megabytes"] for one in every for kind in ("quiet", "printed")),
        "n": repeats,
        "load": round(os.getloadavg()[0], 1),
    }


def table(rows: list[dict[str, Any]]) -> str:
    """Write the measurements as markdown."""
    lines = [
        "# Planning time",
        "",
        "    python benchmarks/planning.py",
        "",
        f"`snakemake --dry-run` of a grid of which nothing is there. {processor()}, one core; processor time "
        "(user and system), least of n.",
        "",
        "Snakemake alone: as many jobs and files, without our code ([how](../planning.py)).",
        "",
        "| cells | planned | and printed | Snakemake alone | with what our rules declare "
        "| planned, over the latter | memory | asked | n | load average |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        asked = f"{AIMS[row['cells']]:.0f} s" if row["cells"] in AIMS else ""
        lines.append(
            f"| {row['cells']:,} | {row['seconds_quiet']:.1f} s | {row['seconds_printed']:.1f} s "
            f"| {row['seconds_bare']:.1f} s | {row['seconds_declared']:.1f} s "
            f"| {row['seconds_quiet'] / row['seconds_declared']:.2f} "
            f"| {row['megabytes']:.0f} MB | {asked} | {row['n']} | {row['load']} |"
        )
    return "\n".join(lines) + "\n"


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """Draw seconds against cells, with what was asked."""
    figure, axes = plt.subplots(figsize=(3.5, 2.6), layout="constrained")
    cells = [row["cells"] for row in rows]
    axes.loglog(cells, [row["seconds_quiet"] for row in rows], "o-", color="#0072B2", label="planned")
    axes.loglog(cells, [row["seconds_bare"] for row in rows], "s--", color="#D55E00", label="Snakemake alone")
    axes.plot(AIMS.keys(), AIMS.values(), "_", color="black", markersize=14, label="asked")
    axes.set(xlabel="cells of the grid", ylabel="processor time (s)", xticks=cells)
    axes.xaxis.set_major_formatter(matplotlib.ticker.FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.yaxis.set_major_formatter(matplotlib.ticker.FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_yticks([2, 3, 5, 10, 20, 30])
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_minor_locator(matplotlib.ticker.NullLocator())
    axes.legend(frameon=False)
    figure.savefig(path, dpi=200, metadata={"Software": None})


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cells", type=int, nargs="+", default=[300, 1000, 3000, 10_000])
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--draw", action="store_true", help="from the results that are there")
    args = parser.parse_args()
    kept = RESULTS / "planning.json"
    if not args.draw:
        rows = [measure(cells, args.repeats) for cells in args.cells]
        kept.write_text(json.dumps(rows, indent=1) + "\n")
    rows = json.loads(kept.read_text())
    (RESULTS / "planning.md").write_text(table(rows))
    draw(rows, RESULTS / "planning.png")
    print(table(rows), end="")


if __name__ == "__main__":
    main()
