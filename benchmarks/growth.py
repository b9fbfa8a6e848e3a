"""How the cost grows: images a second against width, tokens and stack; cells against wall time. As a figure.

    OMP_NUM_THREADS=1 python benchmarks/growth.py --results results/default    # under three minutes
    OMP_NUM_THREADS=1 python benchmarks/growth.py --quick                      # under twenty seconds, rough
    python benchmarks/growth.py --draw                                         # anew from the JSON

One CPU core, float32, the recipe's batch, r = .5. Width and tokens: our trainer's step on ready images, as in
`training_cpu.py`. Stacks (64 tokens): `StackedTrainer`, whose step also makes the images, from the NumPy
streams that runs on their own have. Rounds go through all points in turn, so that whatever else the machine
does falls on all of them; a point is the median over rounds, its bar the range. GPU stacks are taken from
results/training_gpu.json where it is there. Cells against wall time are read from the training jobs of a
results folder, as Snakemake measured them (benchmarks/pretrain/*.tsv): when each file was written, and the
jobs' seconds added up and divided by the cores.

Writes benchmarks/results/growth.json and growth.png.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

sys.path.insert(0, str(Path(__file__).parent))
from training_cpu import ours, processor, product_flops, seconds_a_step

from maestrata.figures.looks import BLUE, GREEN, PINK, VERMILION
from maestrata.figures.style import Style, curve
from maestrata.geometry import TokenGrid
from maestrata.masks import MaskPatches, visible_count
from maestrata.model.mae import MAEConfig
from maestrata.training.products import fast_float32
from maestrata.training.recipe import Recipe
from maestrata.training.stacked import StackedTrainer
from maestrata.worlds import make

RESULTS = Path(__file__).parent / "results"
RATIO = 0.5
WIDTHS, TOKENS, STACKS = (32, 64, 128, 256), (8, 16, 64), (1, 2, 4, 8)
WIDTH_TOKENS, TOKENS_WIDTH, STACK_TOKENS = 16, 64, 64
Step = Callable[[], Any]


def sizes(tokens: int, width: int) -> MAEConfig:
    """Sizes of a model: the decoder as wide as the encoder, 32 dimensions a head."""
    grid, heads = TokenGrid.for_leaves(tokens), width // 32
    decoder = {"decoder_width": width, "decoder_depth": 1, "decoder_heads": heads}
    return MAEConfig(grid.height, grid.width, 12, width, 3, heads, **decoder)


def one(tokens: int, width: int) -> Step:
    """A step of our trainer."""
    recipe = Recipe(images=10**7)
    images = make("additive_tree", 0, leaves=tokens).sample(recipe.batch, stream="train").images
    return ours(sizes(tokens, width), visible_count(tokens, RATIO), recipe, images)


def stack(members: int) -> Step:
    """A step of a stack of two training seeds a world, as `training_gpu.py` has them."""
    worlds = [make("additive_tree", k // 2, leaves=STACK_TOKENS) for k in range(members)]
    seeds = [k % 2 for k in range(members)]
    recipe, patches = Recipe(images=10**7), MaskPatches(worlds[0].grid)
    visible = visible_count(patches.n_patches, RATIO)
    cfg = sizes(STACK_TOKENS, TOKENS_WIDTH)
    trainer = StackedTrainer(worlds, seeds, patches, visible, cfg, recipe, torch.device("cpu"))
    trainer._set_rate(1e-3)
    at = 0

    def run() -> None:
        nonlocal at
        with fast_float32():
            trainer._step(trainer.noise.draw(at))
        at += 1

    return run


def measure(
    rounds: int, seconds: float, stacks: Sequence[int]
) -> dict[tuple[str, int, int, int], list[float]]:
    """Measure images a second of all points: ``(kind, tokens, width, members) -> one value a round``."""
    places = dict.fromkeys([*((WIDTH_TOKENS, w) for w in WIDTHS), *((n, TOKENS_WIDTH) for n in TOKENS)])
    steps: dict[tuple[str, int, int, int], Step] = {("one", n, w, 1): one(n, w) for n, w in places}
    steps |= {("stack", STACK_TOKENS, TOKENS_WIDTH, m): stack(m) for m in stacks}
    batch = Recipe().batch
    counts, found = {}, {}
    for key, step in steps.items():
        if rounds > 1:
            step()  # the first is slower; without rounds to spare, timing it is the warm-up
        counts[key], found[key] = max(1, round(seconds / seconds_a_step(step, 1))), []
    for _ in range(rounds):
        for key, step in steps.items():
            found[key].append(key[3] * batch / seconds_a_step(step, counts[key]))
    return found


def as_rows(found: dict[tuple[str, int, int, int], list[float]]) -> list[dict[str, Any]]:
    """Sum the rounds up: median, least and most."""
    rows = []
    for (kind, tokens, width, members), values in found.items():
        row = {"kind": kind, "tokens": tokens, "width": width, "members": members, "rounds": len(values)}
        row |= {"images_per_s": statistics.median(values), "least": min(values), "most": max(values)}
        rows.append(row)
    return rows


def cells_of(folder: Path, cores: int) -> dict[str, Any]:
    """Read when the cells of a run were trained."""
    ended, took = [], []
    for path in sorted((folder / "benchmarks" / "pretrain").glob("*.tsv"), key=lambda p: p.stat().st_mtime):
        with path.open() as file:
            took.append(statistics.fmean(float(row["s"]) for row in csv.DictReader(file, delimiter="\t")))
        ended.append(path.stat().st_mtime)
    if not took:
        raise SystemExit(f"{folder}: no benchmarks/pretrain/*.tsv")
    start = min(end - s for end, s in zip(ended, took, strict=True))
    clock = [end - start for end in ended]
    added = [sum(took[: k + 1]) / cores for k in range(len(took))]
    # Files that were copied have lost their times: they would show less than the jobs took.
    kept = clock if clock[-1] >= 0.95 * added[-1] else None
    return {"folder": folder.name, "cores": cores, "training_s": added, "clock_s": kept}


def gpu_rows(path: Path) -> tuple[str, list[dict[str, Any]]]:
    """Read the stacks on a GPU at the ratio of this benchmark."""
    if not path.is_file():
        return "", []
    found = json.loads(path.read_text())
    rows = [row for row in found["rows"] if row["mask_ratio"] == RATIO and row["patch"] == "1x1"]
    return found["about"]["device"], sorted(rows, key=lambda row: row["members"])


def log_axes(axes: Axes, x: Sequence[int] | None, x_name: str, y_name: str) -> None:
    """Make both axes logarithmic, with plain numbers; `x` are the ticks, where they are few."""
    axes.set_xscale("log")
    axes.set_yscale("log")
    plain = FuncFormatter(lambda value, _: f"{value:,.0f}")
    for axis, ticks, (low, high) in ((axes.xaxis, x, axes.get_xlim()), (axes.yaxis, None, axes.get_ylim())):
        if ticks:
            axis.set_major_locator(NullLocator())
            axis.set_ticks(ticks, [str(tick) for tick in ticks])
        else:
            axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high / low < 200 else (1,)))
            axis.set_major_formatter(plain)
        axis.set_minor_locator(NullLocator())
        axis.set_minor_formatter(NullFormatter())
    axes.set_xlabel(x_name)
    axes.set_ylabel(y_name)
    axes.grid(alpha=0.25, linewidth=0.5)


def draw(data: dict[str, Any], path: Path, gpu: tuple[str, list[dict[str, Any]]]) -> None:
    """Draw the figure."""
    style, about, rows = Style(), data["about"], data["rows"]
    device, stacks_gpu = gpu
    runs = data["cells"]
    with style.context():
        n_rows, n_columns = (2, 2) if runs else (1, 3)
        figure, grid = style.figure(n_rows, n_columns, panel_height=2.1)
        panels = list(grid.flat)
        single = [row for row in rows if row["kind"] == "one"]
        by_width = [row for row in single if row["tokens"] == WIDTH_TOKENS]
        by_tokens = [row for row in single if row["width"] == TOKENS_WIDTH]
        points(panels[0], by_width, "width", BLUE, "o")
        points(panels[1], by_tokens, "tokens", BLUE, "o")
        guide(panels[0], by_width, "width")
        guide(panels[1], by_tokens, "tokens")
        log_axes(panels[0], WIDTHS, "width", "images / s")
        log_axes(panels[1], TOKENS, "tokens", "images / s")
        panels[0].set_title(f"Width, {WIDTH_TOKENS} tokens")
        panels[1].set_title(f"Tokens, width {TOKENS_WIDTH}")

        panel = panels[2]
        points(panel, [row for row in rows if row["kind"] == "stack"], "members", VERMILION, "s")
        alone = next(row for row in by_tokens if row["tokens"] == STACK_TOKENS)["images_per_s"]
        panel.axhline(alone, color=BLUE, linewidth=1.0, linestyle=":")
        legend = [
            handle("one model, CPU core", BLUE, "o", "-"),
            handle("stack, CPU core", VERMILION, "s", "-"),
            handle("as the operations of the products", "#666666", "", "--"),
        ]
        ticks = set(STACKS)
        if stacks_gpu:
            ticks |= {row["members"] for row in stacks_gpu}
            x, y = zip(*((row["members"], row["images_per_s"]) for row in stacks_gpu), strict=True)
            curve(panel, x, y, color=GREEN, marker="D", markersize=4.5)
            legend.insert(2, handle("stack, GPU", GREEN, "D", "-"))
            if peer := stacks_gpu[0].get("peer_images_per_s"):
                panel.plot([1], [peer], color=PINK, marker="^", markersize=5, linestyle="")
                legend.insert(3, handle("transformers' ViTMAE, GPU", PINK, "^", ""))
        log_axes(panel, sorted(ticks), "models in the stack", "images / s, all models")
        panel.set_title(f"Stack, {STACK_TOKENS} tokens, width {TOKENS_WIDTH}")

        if runs:
            for run, color, marker in zip(runs, (BLUE, VERMILION, GREEN), "osD", strict=False):
                cells(panels[3], run, color, marker)
            log_axes(panels[3], None, "wall time, s", "cells trained")
            panels[3].set_title(f"Cells, {' and '.join(run['folder'] for run in runs)}")
            panels[3].legend(fontsize="x-small", loc="upper left")
        style.title(figure, f"How the cost of training grows (r = {RATIO:g}, batch {about['batch']})", legend)
        style.footer(figure, caption(about, device, stacks_gpu, runs))
        figure.savefig(path)


def points(axes: Axes, rows: list[dict[str, Any]], x: str, color: str, marker: str) -> None:
    """Draw medians with the range over rounds."""
    values = [[row[name] for row in rows] for name in (x, "images_per_s", "least", "most")]
    curve(axes, *values, color=color, marker=marker, markersize=4)


def handle(label: str, color: str, marker: str, line: str) -> Line2D:
    """Return an entry of the legend."""
    return Line2D(
        [], [], color=color, marker=marker, linestyle=line, linewidth=1.2, markersize=4, label=label
    )


def guide(axes: Axes, rows: list[dict[str, Any]], x: str) -> None:
    """Draw what matrix products alone would give, at the rate of the largest model."""
    places = [(row["tokens"], row["width"]) for row in rows]
    flops = [product_flops(sizes(n, width), visible_count(n, RATIO), 1) for n, width in places]
    largest = max(range(len(rows)), key=lambda k: flops[k])
    rate = rows[largest]["images_per_s"] * flops[largest]
    order = sorted(range(len(rows)), key=lambda k: rows[k][x])
    line = {"color": "#666666", "linestyle": "--", "linewidth": 1, "zorder": 1}
    axes.plot([rows[k][x] for k in order], [rate / flops[k] for k in order], **line)


def cells(axes: Axes, run: dict[str, Any], color: str, marker: str) -> None:
    """Draw the cells of a run against the time by the clock, and against the jobs' seconds."""
    count = range(1, len(run["training_s"]) + 1)
    if run["clock_s"]:
        curve(axes, run["clock_s"], count, color=color, marker=marker, label="by the clock")
    label = f"jobs' seconds / {run['cores']} cores"
    curve(axes, run["training_s"], count, color=color, marker=None, linestyle="--", label=label)


def caption(about: dict[str, Any], device: str, stacks: list[dict[str, Any]], runs: list[Any]) -> list[str]:
    """Say what is shown, on what machine, with which n."""
    lines = [
        f"CPU: {about['processor']}, one core, float32, torch {about['torch']}; median of n = "
        f"{about['rounds']} rounds of {about['seconds']:g} s (or one step), bars their range. Images of "
        "additive_tree; decoder as wide as the encoder.",
        "Dashed grey: images/s if only the operations of matrix products counted, at the rate of the largest "
        "model shown. Stacks also make their images; dotted: one model, on ready images.",
    ]
    if stacks:
        lines.append(f"GPU: {device}, bfloat16, one run (training_gpu.json).")
    for run in runs:
        lines.append(
            f"Cells: n = {len(run['training_s'])} of run {run['folder']} on {run['cores']} cores; by the "
            "clock, the workflow's other jobs run in between."
        )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.7, help="least time of a point in a round")
    parser.add_argument("--quick", action="store_true", help="1 round of .1 s, smaller stacks")
    parser.add_argument("--draw", action="store_true", help="measure nothing")
    parser.add_argument("--results", type=Path, nargs="+", default=[], help="folders of runs, three at most")
    parser.add_argument("--cores", type=int, default=len(os.sched_getaffinity(0)), help="that the runs had")
    parser.add_argument("--gpu", type=Path, default=RESULTS / "training_gpu.json")
    parser.add_argument("--output", type=Path, default=RESULTS / "growth.json")
    args = parser.parse_args()
    if args.quick:
        args.rounds, args.seconds = 1, 0.1
    torch.set_num_threads(1)
    if args.draw:
        data = json.loads(args.output.read_text())
    else:
        load, started = os.getloadavg()[0], time.perf_counter()
        rows = as_rows(measure(args.rounds, args.seconds, STACKS[:-1] if args.quick else STACKS))
        about = {
            "command": " ".join(["python", "benchmarks/growth.py", *sys.argv[1:]]),
            "processor": processor(),
            "torch": torch.__version__,
            "threads": torch.get_num_threads(),
            "rounds": args.rounds,
            "seconds": args.seconds,
            "batch": Recipe().batch,
            "load_average": load,
            "took_s": time.perf_counter() - started,
        }
        data = {"about": about, "rows": rows, "cells": []}
    if args.results:
        data["cells"] = [cells_of(folder, args.cores) for folder in args.results[:3]]
    args.output.parent.mkdir(parents=True, exist_ok=True)
    args.output.write_text(json.dumps(data, indent=1) + "\n")
    draw(data, args.output.with_suffix(".png"), gpu_rows(args.gpu))
    for row in data["rows"]:
        print(json.dumps({k: round(v) if isinstance(v, float) else v for k, v in row.items()}))


if __name__ == "__main__":
    main()
