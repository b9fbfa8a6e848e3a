"""The default grid as a whole: our workflow's wall time over a plain script's that trains the same cells.

    python benchmarks/default_grid.py                                  # the peer alone
    python benchmarks/default_grid.py --results results/default --wall 1500 [--before FOLDER]

The plain script trains the cells of the config one after another in one process: transformers' ViTMAE
(`peer.py`) with the same sizes, batch, steps and optimiser, on the same images, made at every step by the
same worlds. It is not run to its end: `--steps` steps of every distinct (world and settings, patch, visible)
are timed after a warm-up, and the median step is multiplied by the steps of the cells that it stands for.
Starting the process, building worlds and models, and saving are not counted for it.

With `--results`, ours is what Snakemake has measured of each training job, column s of
benchmarks/pretrain/*.tsv in that folder: from the start of its process to its end, beside whatever else ran.
`--wall` is the time of the whole workflow by the clock, which also evaluates every model, computes theory and
limits, and draws the figures; the peer's side has none of that. The core-seconds of all jobs are told by
rule (`rules.py`), and with `--before` beside those of an earlier run.

Writes benchmarks/results/default_grid.json and default_grid.md.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import statistics
import sys
import time
from collections import defaultdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent))
from peer import Peer
from rules import rules_of, table_of_rules
from threadpoolctl import threadpool_limits

from maestrata.config.load import load_config
from maestrata.config.sections import Config
from maestrata.machine import processor
from maestrata.masks import MaskPatches
from maestrata.model.mae import MAEConfig
from maestrata.run.plan import Plan
from maestrata.training.recipe import PlannedCell
from maestrata.worlds import make

HERE = Path(__file__).parent
AIM = 2.5


def time_peer(
    config: Config, planned: PlannedCell, threads: int, warmup: int, steps: int
) -> dict[str, float]:
    """Time steps of the plain script on a cell: seconds a step, and of that what the images take."""
    cell, recipe = planned.cell, planned.training
    entry = config.worlds[cell.world]
    world = make(entry.kind, cell.world_seed, **entry.settings)
    cfg = MAEConfig.of(world, config.model)
    visible = cell.visible * MaskPatches.parse(cell.patch, world.grid).size
    torch.set_num_threads(threads)
    peer = Peer(cfg, visible, recipe)
    pixels = torch.zeros(1, *world.image_shape)
    kept = peer.model.vit.embeddings(pixels)[0].shape[1] - 1
    if kept != visible:
        raise SystemExit(f"{cell.stem}: the peer keeps {kept} tokens, not {visible}")
    whole, images = [], []
    with threadpool_limits(threads, "blas"):  # of NumPy; a plain script has all cores there, too
        torch.set_num_threads(threads)
        for step in range(warmup + steps):
            started = time.perf_counter()
            sample = world.sample(recipe.batch, stream="train", index=(cell.seed, step))
            batch = torch.from_numpy(np.ascontiguousarray(sample.images, dtype=np.float32))
            made = time.perf_counter()
            peer.step(batch)
            whole.append(time.perf_counter() - started)
            images.append(made - started)
    return {
        "step_s": statistics.median(whole[warmup:]),
        "step_s_mean": statistics.fmean(whole[warmup:]),
        "step_s_least": min(whole[warmup:]),
        "step_s_most": max(whole[warmup:]),
        "images_s": statistics.median(images[warmup:]),
    }


def groups_of(config: Config, plan: Plan) -> dict[tuple[str, ...], list[PlannedCell]]:
    """Group the cells whose steps take the same time."""
    groups: dict[tuple[str, ...], list[PlannedCell]] = defaultdict(list)
    for planned in plan.cells:
        cell, training = planned.cell, planned.training
        if training.samples is not None:
            raise SystemExit(f"{cell.stem}: training.samples is set; this benchmark makes fresh images only")
        entry = config.worlds[cell.world]
        settings = json.dumps(entry.settings, sort_keys=True)
        key = (entry.kind, settings, cell.patch, str(cell.visible), str(training.batch))
        groups[key].append(planned)
    return groups


def seconds_of_jobs(plan: Plan, folder: Path) -> dict[str, float]:
    """Read the time of each cell's training job, ``stem -> s``."""
    pattern = plan.beside("benchmarks", "pretrain").removeprefix(f"{plan.folder}/")
    found, missing = {}, []
    for cell in (planned.cell for planned in plan.cells):
        path = folder / pattern.format(**cell.json)
        if path.is_file():
            found[cell.stem] = seconds_in(path)
        else:
            missing.append(cell.stem)
    if missing:
        raise SystemExit(
            f"{folder}: no training job of {len(missing)} of {len(plan.cells)} cells: {missing[:3]}"
        )
    return found


def seconds_in(path: Path) -> float:
    """Read the seconds of a job from Snakemake's benchmark file: the mean over its rows."""
    with path.open() as file:
        return statistics.fmean(float(row["s"]) for row in csv.DictReader(file, delimiter="\t"))


def summarise(
    rows: list[dict[str, Any]], jobs: dict[str, float], cores: int, wall: float | None
) -> dict[str, Any]:
    """Add the rows up and compare."""
    threads = sorted(rows[0]["peer"], key=int)
    summary: dict[str, Any] = {
        "cells": sum(row["cells"] for row in rows),
        "steps": sum(row["steps"] for row in rows),
        "peer_s": {t: sum(row["steps"] * row["peer"][t]["step_s"] for row in rows) for t in threads},
        "peer_s_by_mean_step": {
            t: sum(row["steps"] * row["peer"][t]["step_s_mean"] for row in rows) for t in threads
        },
    }
    if jobs:
        total = sum(jobs.values())
        summary |= {"jobs_s": total, "training_s": total / cores}
        summary["peer_over_training"] = {t: s * cores / total for t, s in summary["peer_s"].items()}
    if wall is not None:
        summary["wall_s"] = wall
        summary["peer_over_workflow"] = {t: s / wall for t, s in summary["peer_s"].items()}
    return summary


def tables(about: dict[str, Any], rows: list[dict[str, Any]], summary: dict[str, Any], cores: int) -> str:
    """Lay everything out as markdown."""
    threads = sorted(rows[0]["peer"], key=int, reverse=True)  # the plain script's own choice first
    names = ["world", "settings", "patch", "visible", "cells", "steps"]
    names += [f"peer, {t} thread{'s' * (t != '1')}: ms a step (images)" for t in threads]
    names += [f"peer, {t}: s" for t in threads] + ["ours, jobs: s"]
    lines = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    for row in rows:
        cells = [row["world"], row["settings"], row["patch"], row["visible"], row["cells"], row["steps"]]
        for t in threads:
            cells.append(f"{1e3 * row['peer'][t]['step_s']:.1f} ({1e3 * row['peer'][t]['images_s']:.1f})")
        cells += [f"{row['steps'] * row['peer'][t]['step_s']:.0f}" for t in threads]
        cells.append(f"{row['jobs_s']:.0f}" if "jobs_s" in row else "")
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    text = "\n".join(f"{key}: {value}  " for key, value in about.items())
    text += "\n\n" + "\n".join(lines) + "\n\n"
    text += (
        f"The peer's seconds are extrapolated: the median of {about['timed steps']} steps of each row, "
        f"after {about['warm-up steps']} to warm up, times the steps of the row's cells. Starting its "
        "process, building worlds and models, and saving are not counted.\n"
    )
    over = [f"peer, {t} thread{'s' * (t != '1')}" for t in threads]
    lines = [f"| | s | {' | '.join(f'{name}: over ours' for name in over)} |", "|" + "---|" * (2 + len(over))]
    for t, name in zip(threads, over, strict=True):
        mean = summary["peer_s_by_mean_step"][t]
        lines.append(
            f"| {name}, {summary['cells']} cells (by the mean step: {mean:.0f} s) "
            f"| {summary['peer_s'][t]:.0f} |" + " |" * len(over)
        )
    for key, ratio, name in (
        ("training_s", "peer_over_training", f"ours, training alone: seconds of the jobs / {cores} cores"),
        ("wall_s", "peer_over_workflow", "ours, whole workflow by the clock"),
    ):
        if key in summary:
            ratios = " | ".join(f"{summary[ratio][t]:.2f}" for t in threads)
            lines.append(f"| {name} | {summary[key]:.0f} | {ratios} |")
    text += "\n" + "\n".join(lines) + "\n"
    if "wall_s" in summary:
        text += (
            f"\nAim: {AIM} times. The whole workflow also evaluates, computes "
            "theory and limits, and draws; the peer only trains.\n"
        )
    if "rules" in summary:
        rules = table_of_rules(summary["before"], summary["rules"])
        text += f"\nProcessor time of our jobs by rule:\n\n{rules}\n"
    return text


def parse() -> SimpleNamespace:
    cores = len(os.sched_getaffinity(0))
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config", type=Path, default=HERE.parent / "config" / "config.yaml")
    parser.add_argument("--threads", type=int, nargs="+", default=sorted({cores, 1}), help="of the peer")
    parser.add_argument("--steps", type=int, default=40, help="timed steps of each distinct cell")
    parser.add_argument("--warmup", type=int, default=5)
    parser.add_argument("--results", type=Path, help="folder of our run")
    parser.add_argument("--before", type=Path, help="folder of an earlier run, for its core-seconds by rule")
    parser.add_argument("--cores", type=int, default=cores, help="that our run had")
    parser.add_argument("--wall", type=float, help="seconds of the whole workflow")
    parser.add_argument("--output", type=Path, default=HERE / "results" / "default_grid.json")
    return SimpleNamespace(**vars(parser.parse_args()))


def _named(argument: str) -> str:
    """Name a folder without the place that it has on this machine: ``results/default``."""
    path = Path(argument)
    return "/".join(path.parts[-2:]) if path.is_absolute() else argument


def main() -> None:
    args = parse()
    config = load_config(args.config)
    plan = Plan(config)
    jobs = seconds_of_jobs(plan, args.results) if args.results else {}
    load = os.getloadavg()[0]
    rows = []
    for (kind, settings, patch, visible, _), cells in groups_of(config, plan).items():
        row: dict[str, Any] = {
            "world": kind,
            "settings": ", ".join(f"{k} {v}" for k, v in json.loads(settings).items()),
            "patch": patch,
            "visible": int(visible),
            "cells": len(cells),
            "steps": sum(cell.training.images // cell.training.batch for cell in cells),
            "peer": {
                str(t): time_peer(config, cells[0], t, args.warmup, args.steps) for t in sorted(args.threads)
            },
        }
        if jobs:
            row["jobs_s"] = sum(jobs[planned.cell.stem] for planned in cells)
        rows.append(row)
        took = {t: round(1e3 * found["step_s"], 1) for t, found in row["peer"].items()}
        print(f"{kind} {patch} v{visible}: {row['steps']} steps, ms a step by threads {took}", flush=True)
    summary = summarise(rows, jobs, args.cores, args.wall)
    if args.results:
        summary["rules"] = rules_of(args.results)
        summary["before"] = rules_of(args.before) if args.before else {}
    import transformers

    about = {
        "command": " ".join(["python", "benchmarks/default_grid.py", *map(_named, sys.argv[1:])]),
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "n": f"{summary['cells']} cells, {len(rows)} distinct, {summary['steps']} steps",
        "batch": ", ".join(map(str, sorted({planned.training.batch for planned in plan.cells}))),
        "timed steps": args.steps,
        "warm-up steps": args.warmup,
        "load average at the start": load,
    }
    args.output.parent.mkdir(parents=True, exist_ok=True)
    everything = {"about": about, "rows": rows, "summary": summary}
    args.output.write_text(json.dumps(everything, indent=1) + "\n")
    text = tables(about, rows, summary, args.cores)
    args.output.with_suffix(".md").write_text(f"# The default grid as a whole\n\n{text}")
    print(text)


if __name__ == "__main__":
    main()
