"""Images a second of our trainer and of transformers' ViTMAE on one CPU core.

    OMP_NUM_THREADS=1 python benchmarks/training_cpu.py            # the whole table: 15 minutes
    OMP_NUM_THREADS=1 python benchmarks/training_cpu.py --quick    # 3 minutes, rougher

Both train on ready images, with the same sizes, batch and optimiser steps, and draw masks anew at every step.
So does a stack of models (`maestrata.training.stacked`), of as many as `make reproduce` puts into one; a step
of it is one of each, and its images a second are those of all its models. Beside these, both with products in
bfloat16 (`training.precision`), where the peer stays at float32. Rounds of a few steps alternate between the
contenders, so that whatever else the machine does falls on all; the first round is not counted. Times are of
the processor, on one thread. A ratio is the median over rounds of the peer's time over ours in that round,
with the least and the most. `products` is a step's time over what its matrix products alone would take at the
rate that products of these sizes reach by themselves.

Writes benchmarks/results/training_cpu.json and training_cpu.md, where each processor has a part of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent))
from peer import Peer

from maestrata.geometry import TokenGrid, patchify
from maestrata.machine import processor
from maestrata.masks import MaskPatches, draw_masks, visible_count
from maestrata.model.mae import MAE, MAEConfig
from maestrata.random import stream
from maestrata.training.optimiser import Optimiser
from maestrata.training.recipe import Recipe, learning_rate
from maestrata.training.stacked import StackedTrainer
from maestrata.training.stacks import stack_limit
from maestrata.worlds import make

RESULTS = Path(__file__).parent / "results"
AIM = 2.0
CONTENDERS = {
    "ours": "one model",
    "stack": "a stack",
    "bfloat16": "one model in bfloat16",
    "stack_bfloat16": "a stack in bfloat16",
}


class Place(NamedTuple):
    """What a row of the table is about."""

    batch: int
    tokens: int
    width: int
    ratio: float


def ours(cfg: MAEConfig, visible: int, recipe: Recipe, images: Any) -> Callable[[], Any]:
    """One step of our trainer, on given images."""
    model = MAE(cfg)
    optimiser = Optimiser(model, recipe)
    patches = MaskPatches(TokenGrid(cfg.grid_height, cfg.grid_width))
    step = 0

    def run() -> None:
        nonlocal step
        uniforms = stream(0, "masks", 0, step).random((recipe.batch, cfg.n_tokens), dtype="float32")
        masks = (torch.from_numpy(ids) for ids in draw_masks(patches, visible, uniforms))
        with torch.autocast("cpu", torch.bfloat16, enabled=recipe.in_bfloat16("cpu")):
            loss = model.loss(torch.from_numpy(patchify(images, 2)), *masks)
        loss.backward()
        optimiser.step(learning_rate(recipe, step))
        step += 1

    return run


def product_flops(cfg: MAEConfig, visible: int, batch: int) -> float:
    """Floating-point operations of the matrix products of our step, forward and backward."""
    n, k, d, e, v = cfg.n_tokens, visible, cfg.width, cfg.decoder_width, cfg.token_values
    t, m = 1 + k, n - k
    block = t * (4 * d * d + 2 * cfg.mlp_ratio * d * d) + 2 * t * t * d  # linear maps; scores and their use
    decoder = t * (d * e + 2 * e * e) + m * (e * e + 2 * cfg.mlp_ratio * e * e + e * v) + 2 * m * (1 + n) * e
    embed = t * v * d  # no gradient of the images: two products instead of three
    return 2.0 * batch * (3 * (cfg.depth * block + decoder) + 2 * embed)


class Rate:
    """Floating-point operations a second of products of a block's sizes alone."""

    def __init__(self, cfg: MAEConfig, visible: int, batch: int) -> None:
        rows, d, hidden = batch * (1 + visible), cfg.width, cfg.mlp_ratio * cfg.width
        shapes = [(rows, d, 3 * d), (rows, d, hidden), (rows, hidden, d), (hidden, rows, d)]
        self.products = [(torch.randn(a, b), torch.randn(b, c), torch.empty(a, c)) for a, b, c in shapes]
        self.flops = sum(2.0 * a * b * c for a, b, c in shapes)

    def __call__(self) -> float:
        """Measure once."""
        started = time.process_time()
        for _ in range(5):
            for a, b, out in self.products:
                torch.mm(a, b, out=out)
        return 5 * self.flops / (time.process_time() - started)


def seconds_a_step(step: Callable[[], Any], steps: int) -> float:
    """Processor time of a step, mean of `steps`."""
    started = time.process_time()
    for _ in range(steps):
        step()
    return (time.process_time() - started) / steps


def sizes(tokens: int, width: int) -> MAEConfig:
    """Sizes of a model: the decoder as wide as the encoder, 32 dimensions a head."""
    grid, heads = TokenGrid.for_leaves(tokens), width // 32
    decoder = {"decoder_width": width, "decoder_depth": 1, "decoder_heads": heads}
    return MAEConfig(grid.height, grid.width, 12, width, 3, heads, **decoder)


def stack(cfg: MAEConfig, visible: int, recipe: Recipe, members: int) -> Callable[[], Any]:
    """One step of a stack of models, on ready images."""
    worlds = [make("additive_tree", k, leaves=cfg.n_tokens) for k in range(members)]
    patches = MaskPatches(worlds[0].grid)
    trainer = StackedTrainer(worlds, [0] * members, patches, visible, cfg, recipe, torch.device("cpu"))
    images = torch.from_numpy(
        np.stack([world.sample(recipe.batch, stream="train").images for world in worlds])
    )
    tokens = patchify(images, worlds[0].token_pixels)
    shape = (members, recipe.batch, patches.n_patches)
    step = 0

    def run() -> None:
        nonlocal step
        uniforms = torch.from_numpy(stream(0, "masks", 0, step).random(shape, dtype="float32"))
        trainer._set_rate(learning_rate(recipe, step))
        trainer._step(tokens, *draw_masks(patches, visible, uniforms))
        step += 1

    return run


def measure(place: Place, rounds: int, seconds: float) -> dict[str, Any]:
    """Measure one row of the table."""
    cfg, recipe = sizes(place.tokens, place.width), Recipe(images=10**7, batch=place.batch)
    visible = visible_count(place.tokens, place.ratio)
    images = make("additive_tree", 0, leaves=place.tokens).sample(recipe.batch, stream="train").images
    as_tensor = torch.from_numpy(images)
    peer, rate = Peer(cfg, visible, recipe), Rate(cfg, visible, recipe.batch)
    contenders: dict[str, Callable[[], Any]] = {
        "ours": ours(cfg, visible, recipe, images),
        "bfloat16": ours(cfg, visible, replace(recipe, precision="bfloat16"), images),
        "peer": lambda: peer.step(as_tensor),
    }
    patches = MaskPatches(TokenGrid.for_leaves(place.tokens))
    members = stack_limit(cfg, patches, visible, place.batch, torch.device("cpu"))
    contenders["stack"] = stack(cfg, visible, recipe, members)
    contenders["stack_bfloat16"] = stack(cfg, visible, replace(recipe, precision="bfloat16"), members)
    steps, models = {}, {name: members if name.startswith("stack") else 1 for name in contenders}
    for name, step in contenders.items():
        step()  # the first is slower
        steps[name] = max(1, round(seconds / seconds_a_step(step, 1)))
    times: dict[str, list[float]] = {name: [] for name in contenders}
    rates: list[float] = []
    for counted in (False, *[True] * rounds):
        for name, step in contenders.items():
            took = seconds_a_step(step, steps[name]) / models[name]
            times[name] += [took] if counted else []
        rates.append(rate())
    row = place._asdict() | {"visible": visible, "members": members}
    row |= {f"{name}_images_per_s": recipe.batch / statistics.median(t) for name, t in times.items()}
    for name in CONTENDERS:
        row[f"{name}_over_peer"] = spread(
            other / own for own, other in zip(times[name], times["peer"], strict=True)
        )
    flops = product_flops(cfg, visible, recipe.batch)
    row["step_over_products"] = statistics.median(times["ours"]) * statistics.median(rates) / flops
    return row


def spread(ratios: Iterable[float]) -> dict[str, float]:
    """Sum rounds up."""
    values = list(ratios)
    return {"median": statistics.median(values), "least": min(values), "most": max(values)}


def table(rows: list[dict[str, Any]]) -> str:
    """Lay the rows out as markdown."""
    names = ["batch", "tokens", "width", "r", "ours, images/s", "peer, images/s", "step / products"]
    names += [f"{words} / peer" for words in CONTENDERS.values()]
    lines = [f"| {' | '.join(names)} |", "|" + "---|" * len(names)]
    for row in rows:
        ratios = [as_text(row.get(f"{name}_over_peer")) for name in CONTENDERS]
        if "stack_over_peer" in row:
            ratios[list(CONTENDERS).index("stack")] += f", of {row['members']}"
        lines.append(
            f"| {row['batch']} | {row['tokens']} | {row['width']} | {row['ratio']} "
            f"| {row['ours_images_per_s']:,.0f} | {row['peer_images_per_s']:,.0f} "
            f"| {row['step_over_products']:.2f} | {' | '.join(ratios)} |"
        )
    return "\n".join(lines)


def as_text(found: dict[str, float] | None) -> str:
    """Write a ratio with its spread."""
    if found is None:
        return "not measured"
    return f"{found['median']:.2f} ({found['least']:.2f} to {found['most']:.2f})"


def summary(rows: list[dict[str, Any]]) -> str:
    """Say what the rows show."""
    told = []
    for name, words in CONTENDERS.items():
        ratios = [row[f"{name}_over_peer"]["median"] for row in rows if f"{name}_over_peer" in row]
        if ratios:
            told.append(
                f"- {words}: {min(ratios):.2f} to {max(ratios):.2f} times the peer in {len(ratios)} "
                f"settings, geometric mean {statistics.geometric_mean(ratios):.2f}; "
                f"{sum(r < AIM for r in ratios)} are below the aim of {AIM}"
            )
    return "\n".join(told)


def page(parts: dict[str, Any]) -> str:
    """Lay out what was measured, processor by processor."""
    lines = ["# Training on one CPU core, over transformers' ViTMAE", ""]
    for name, part in parts.items():
        about = "; ".join(f"{key} {value}" for key, value in part["about"].items())
        lines += [f"## {name}", "", summary(part["rows"]), "", f"{about}.", "", table(part["rows"]), ""]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--batches", type=int, nargs="+", default=[64, 256])
    parser.add_argument("--tokens", type=int, nargs="+", default=[8, 16, 64])
    parser.add_argument("--widths", type=int, nargs="+", default=[32, 64, 128])
    parser.add_argument("--ratios", type=float, nargs="+", default=[0.5, 0.75])
    parser.add_argument("--rounds", type=int, default=7, help="n, beside the first, which is not counted")
    parser.add_argument("--seconds", type=float, default=0.35, help="time of a contender in a round")
    parser.add_argument("--quick", action="store_true", help="3 rounds of .1 s, one ratio")
    parser.add_argument("--output", type=Path, default=RESULTS / "training_cpu.json")
    args = parser.parse_args()
    if args.quick:
        args.rounds, args.seconds, args.ratios = 3, 0.1, args.ratios[:1]
    torch.set_num_threads(1)
    places = [Place(*p) for p in product(args.batches, args.tokens, args.widths, args.ratios)]
    rows = []
    for place in places:
        rows.append(measure(place, args.rounds, args.seconds))
        print(place, json.dumps(rows[-1]["ours_over_peer"]), flush=True)
    import transformers

    about = {
        "command": " ".join(["python", "benchmarks/training_cpu.py", *sys.argv[1:]]),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "threads": torch.get_num_threads(),
        "n": f"{args.rounds} rounds of {args.seconds:g} s",
        "load average": round(os.getloadavg()[0], 1),
        "took": f"{time.process_time():.0f} s of processor time",
    }
    parts = json.loads(args.output.read_text()) if args.output.is_file() else {}
    parts[processor()] = {"about": about, "rows": rows}
    args.output.parent.mkdir(parents=True, exist_ok=True)
    args.output.write_text(json.dumps(parts, indent=1) + "\n")
    args.output.with_suffix(".md").write_text(page(parts))
    print(page(parts))


if __name__ == "__main__":
    main()
