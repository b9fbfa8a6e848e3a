"""How cost grows: time and memory against images, tokens, width, worlds and cells. As a figure.

    OMP_NUM_THREADS=1 python benchmarks/growth.py            # some 8 minutes, on a quiet machine
    OMP_NUM_THREADS=1 python benchmarks/growth.py --quick    # smaller, and two rounds
    python benchmarks/growth.py --draw                       # anew from the JSON

Every point is the work of a process of its own, whose peak of memory is then that of the point:

- *images, tokens, width*: a model is trained, as a job of the workflow does; without Python's start;
- *worlds*: a whole run through Snakemake, a short one of one cell a world, with all its jobs;
- *cells planned*: ``snakemake --dry-run``, as in `planning.py`;
- *cells joined*: cells' scores into a cube, as in `collect_scale.py`, one world of 20 in every detail.

Rounds go through all points in turn, so that whatever else the machine does falls on all of them. A slope is
that of a straight line through the logarithms of the points of one round: 1 means twice the cost for twice
as much. The figure names its mean over rounds, the least and the most.

Writes benchmarks/results/growth.json and growth.png.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import yaml
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator

sys.path.insert(0, str(Path(__file__).parent))
from measured import measured

from maestrata.figures.looks import BLUE, VERMILION
from maestrata.figures.style import Style, curve
from maestrata.machine import processor

HERE = Path(__file__).parent
TOKENS, WIDTH, IMAGES = 16, 64, 6_400  # of the models whose images, tokens or width do not grow
Cost = dict[str, float]


def train(tokens: int, width: int, images: int) -> Cost:
    """Train a model."""
    import torch
    from training_cpu import sizes

    from maestrata.masks import MaskPatches
    from maestrata.training.recipe import Recipe
    from maestrata.training.train import train as train_cell
    from maestrata.worlds import make

    torch.set_num_threads(1)
    world = make("additive_tree", 0, leaves=tokens)
    patches, cfg = MaskPatches(world.grid), sizes(tokens, width)
    train_cell(world, patches, tokens // 2, 0, cfg, Recipe(images=256))  # the first steps are slower
    started = time.process_time()
    train_cell(world, patches, tokens // 2, 0, cfg, Recipe(images=images))
    return {"seconds": time.process_time() - started, "megabytes": peak()}


def peak() -> float:
    """Peak memory of this process, in MB."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


def run(worlds: int) -> Cost:
    """Make a whole run, of one cell a world."""
    config = {
        "extends": str(HERE.parent / "config" / "smoke.yaml"),
        "run": "growth",
        "grid": [{"worlds": ["additive"], "mask_ratios": [0.5], "world_seeds": worlds}],
        "training": {"images": 1_280, "batch": 64},
        "experiments": [],
        "claims": {"names": "none"},
        "figures": {"names": ["recovery_by_level"]},
    }
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "growth.yaml"
        path.write_text(yaml.safe_dump(config))
        command = [sys.executable, "-m", "snakemake", "--snakefile", str(HERE.parent / "Snakefile")]
        command += ["--workflow-profile", str(HERE.parent / "profiles/default"), "--directory", name]
        return measured([*command, "--cores", "all", "--configfile", str(path)])


def plan(cells: int) -> Cost:
    """Plan a grid."""
    import planning

    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "planning.yaml"
        path.write_text(yaml.safe_dump(planning.config(cells)))
        return planning.plan(path, Path(name), quiet=True)


def join(cells: int) -> Cost:
    """Join cells into a cube."""
    import collect_scale

    found = collect_scale.join(cells, "first")
    return {name: found[name] for name in ("seconds", "megabytes")}


WORK: dict[str, Callable[..., Cost]] = {"train": train, "run": run, "plan": plan, "join": join}
# panel -> its work, the values that grow, those of --quick, and from one of them the work's arguments
PANELS: dict[str, tuple[str, list[int], list[int], Callable[[int], list[int]]]] = {
    "images trained on": (
        "train",
        [6_400, 12_800, 25_600, 51_200],
        [640, 1_280],
        lambda n: [TOKENS, WIDTH, n],
    ),
    "tokens of a model": ("train", [8, 16, 32, 64], [8, 16], lambda n: [n, WIDTH, IMAGES]),
    "width of a model": ("train", [32, 64, 128, 256], [32, 64], lambda n: [TOKENS, n, IMAGES]),
    "worlds of a run": ("run", [1, 2, 4], [1, 2], lambda n: [n]),
    "cells planned": ("plan", [100, 300, 1_000], [100, 200], lambda n: [n]),
    "cells joined": ("join", [100, 300, 1_000], [100, 200], lambda n: [n]),
}
COSTS = {"seconds": ("processor time, s", BLUE, "o"), "megabytes": ("peak memory, MB", VERMILION, "s")}


def measure(rounds: int, quick: bool) -> dict[str, list[dict[str, Any]]]:
    """Measure all points of all panels, ``panel -> rows``, each row with one value a round."""
    rows: dict[str, list[dict[str, Any]]] = {}
    for panel, (_, values, fewer, _) in PANELS.items():
        rows[panel] = [{"x": x} | {cost: [] for cost in COSTS} for x in (fewer if quick else values)]
    known: dict[tuple[Any, ...], Cost] = {}  # panels share a point where all of them meet
    for at in range(rounds):
        for panel, (work, _, _, arguments) in PANELS.items():
            for row in rows[panel]:
                key = (at, work, *arguments(row["x"]))
                if key not in known:
                    known[key] = child(work, arguments(row["x"]))
                for cost in COSTS:
                    row[cost].append(known[key][cost])
                print(f"round {at + 1}: {panel} {row['x']}: {known[key]}", flush=True)
    return rows


def child(work: str, arguments: list[int]) -> Cost:
    """Do a piece of work in a process of its own."""
    command = [sys.executable, __file__, "--work", work, *map(str, arguments)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    cost: Cost = json.loads(done.stdout.splitlines()[-1])
    return cost


def slopes(rows: list[dict[str, Any]], cost: str) -> list[float]:
    """Slope of each round: of a straight line through the logarithms."""
    x = np.log([row["x"] for row in rows])
    return [float(np.polyfit(x, np.log(y), 1)[0]) for y in zip(*(row[cost] for row in rows), strict=True)]


def draw(data: dict[str, Any], path: Path) -> None:
    """Draw the figure: time above memory, for three ways to grow in the upper half and three in the lower."""
    style, about, panels = Style(), data["about"], data["panels"]
    with style.context():
        figure, axes = style.figure(4, 3, panel_height=1.5)
        for k, (panel, rows) in enumerate(panels.items()):
            for row, cost in enumerate(COSTS):
                draw_panel(axes[2 * (k // 3) + row, k % 3], panel, rows, cost)
        for row, (label, _, _) in enumerate([*COSTS.values()] * 2):
            axes[row, 0].set_ylabel(label)
        style.frame(
            figure,
            "How cost grows",
            "Slopes of log-log lines: mean over rounds (least to most). 1: in proportion; 0: constant.",
            (),
            [
                f"{about['processor']}, one core (runs: {about['cores']}), torch {about['torch']}. Points: "
                f"medians of n = {about['rounds']} rounds, bars: least to most.",
                f"Training: additive_tree, r = .5, batch 64, depth 3 + 1; {TOKENS} tokens, width {WIDTH} and "
                f"{IMAGES:,} images where they do not grow. Worlds: a whole short run of one cell a world. "
                "Memory: of the largest process, Python and its libraries included.",
            ],
        )
        figure.savefig(path)


def draw_panel(axes: Axes, panel: str, rows: list[dict[str, Any]], cost: str) -> None:
    """Draw one cost against one thing that grows."""
    _, color, marker = COSTS[cost]
    x = [row["x"] for row in rows]
    middle, low, high = ([of(row[cost]) for row in rows] for of in (statistics.median, min, max))
    curve(axes, x, middle, low, high, color=color, marker=marker)
    slope = slopes(rows, cost)
    axes.set_title(f"slope {statistics.fmean(slope):.2f} ({min(slope):.2f} to {max(slope):.2f})")
    axes.set(xlabel=panel, xscale="log", yscale="log")
    # a whole factor of two at least, so that what is constant looks so
    centre = (min(low) * max(high)) ** 0.5
    axes.set_ylim(min(min(low) / 1.2, centre / 2), max(max(high) * 1.2, centre * 2))
    plain = FuncFormatter(lambda value, _: f"{value:,.0f}" if value >= 10 else f"{value:g}")
    axes.xaxis.set_major_locator(FixedLocator(x))
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(plain)
        axis.set_minor_locator(NullLocator())
    axes.grid(alpha=0.25, linewidth=0.5)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="two small points a panel, two rounds")
    parser.add_argument("--draw", action="store_true", help="measure nothing")
    parser.add_argument("--work", nargs="+", help=argparse.SUPPRESS)  # what a process of its own does
    parser.add_argument("--output", type=Path, default=HERE / "results" / "growth.json")
    args = parser.parse_args()
    if args.work:
        work, *arguments = args.work
        print(json.dumps(WORK[work](*map(int, arguments))))
        return
    if not args.draw:
        import torch

        load, started = os.getloadavg()[0], time.perf_counter()
        rounds = 2 if args.quick else args.rounds
        panels = measure(rounds, args.quick)
        about = {
            "command": " ".join(["python", "benchmarks/growth.py", *sys.argv[1:]]),
            "processor": processor(),
            "cores": len(os.sched_getaffinity(0)),
            "torch": torch.__version__,
            "rounds": rounds,
            "load_average": load,
            "took_s": round(time.perf_counter() - started),
        }
        args.output.parent.mkdir(parents=True, exist_ok=True)
        args.output.write_text(json.dumps({"about": about, "panels": panels}, indent=1) + "\n")
    draw(json.loads(args.output.read_text()), args.output.with_suffix(".png"))


if __name__ == "__main__":
    main()
