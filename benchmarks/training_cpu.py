"""Images a second of our trainer and of transformers' ViTMAE on one CPU core.

    OMP_NUM_THREADS=1 python benchmarks/training_cpu.py            # the whole table, on a quiet machine
    OMP_NUM_THREADS=1 python benchmarks/training_cpu.py --quick    # a few minutes, rougher

Both train on one ready batch of images, with the same sizes, batch and optimiser steps, and draw masks anew
at every step. Rounds of a few steps alternate between the two, so that whatever else the machine does falls
on both; a ratio is the median over rounds. `products` is a step's time over what its matrix products alone
would take at the rate that products of these sizes reach by themselves: with the library that our trainer
uses, and with the one that PyTorch uses by default.

Writes benchmarks/results/training_cpu.json and training_cpu.md.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch

sys.path.insert(0, str(Path(__file__).parent))
from machine import processor
from peer import Peer

from maestrata.geometry import TokenGrid, patchify
from maestrata.masks import MaskPatches, draw_masks, visible_count
from maestrata.model.mae import MAE, MAEConfig
from maestrata.random import stream
from maestrata.training.optimiser import Optimiser
from maestrata.training.products import fast_float32, onednn_keeps_float32
from maestrata.training.recipe import Recipe, learning_rate
from maestrata.worlds import make

RESULTS = Path(__file__).parent / "results"


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
        with fast_float32():
            model.loss(torch.from_numpy(patchify(images, 2)), *masks).backward()
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
        started = time.perf_counter()
        for _ in range(5):
            for a, b, out in self.products:
                torch.mm(a, b, out=out)
        return 5 * self.flops / (time.perf_counter() - started)


def seconds_a_step(step: Callable[[], Any], steps: int) -> float:
    """Wall time of a step, mean of `steps`."""
    started = time.perf_counter()
    for _ in range(steps):
        step()
    return (time.perf_counter() - started) / steps


def measure(tokens: int, width: int, ratio: float, rounds: int, seconds: float) -> dict[str, Any]:
    """Measure one row of the table."""
    grid, recipe = TokenGrid.for_leaves(tokens), Recipe(images=10**7)
    visible = visible_count(tokens, ratio)
    heads = width // 32
    cfg = MAEConfig(
        grid.height,
        grid.width,
        12,
        width,
        3,
        heads,
        decoder_width=width,
        decoder_depth=1,
        decoder_heads=heads,
    )
    images = make("additive_tree", 0, leaves=tokens).sample(recipe.batch, stream="train").images
    peer, rate = Peer(cfg, visible, recipe), Rate(cfg, visible, recipe.batch)
    as_tensor = torch.from_numpy(images)
    contenders: dict[str, Callable[[], Any]] = {
        "ours": ours(cfg, visible, recipe, images),
        "peer": lambda: peer.step(as_tensor),
    }
    for step in contenders.values():
        seconds_a_step(step, 2)
    steps = {name: max(1, round(seconds / seconds_a_step(step, 2))) for name, step in contenders.items()}
    times: dict[str, list[float]] = {name: [] for name in contenders}
    rates: dict[str, list[float]] = {"used": [], "default": []}
    for _ in range(rounds):
        for name, step in contenders.items():
            times[name].append(seconds_a_step(step, steps[name]))
        with fast_float32():
            rates["used"].append(rate())
        rates["default"].append(rate())
    middle = {name: statistics.median(values) for name, values in times.items()}
    flops = product_flops(cfg, visible, recipe.batch)
    row: dict[str, Any] = {"tokens": tokens, "width": width, "ratio": ratio, "visible": visible}
    row |= {f"{name}_images_per_s": recipe.batch / value for name, value in middle.items()}
    pairs = zip(times["ours"], times["peer"], strict=True)
    row["over_peer"] = statistics.median(other / own for own, other in pairs)
    for name, values in rates.items():
        best = statistics.median(values)
        row[f"gflops_{name}"] = best / 1e9
        row[f"step_over_products_{name}"] = middle["ours"] * best / flops
    return row


def table(rows: list[dict[str, Any]]) -> str:
    """Lay the rows out as markdown."""
    names = ("tokens", "width", "r", "visible", "ours, images/s", "peer, images/s", "ratio")
    names += ("step / products, used library", "default library")
    lines = [f"| {' | '.join(names)} |", "|" + "---|" * len(names)]
    for row in rows:
        lines.append(
            f"| {row['tokens']} | {row['width']} | {row['ratio']} | {row['visible']} "
            f"| {row['ours_images_per_s']:,.0f} | {row['peer_images_per_s']:,.0f} | {row['over_peer']:.2f} "
            f"| {row['step_over_products_used']:.2f} | {row['step_over_products_default']:.2f} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tokens", type=int, nargs="+", default=[16, 64])
    parser.add_argument("--widths", type=int, nargs="+", default=[64, 128])
    parser.add_argument("--ratios", type=float, nargs="+", default=[0.1, 0.5, 0.75, 0.9])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=1.0, help="time of a contender in a round")
    parser.add_argument("--quick", action="store_true", help="5 rounds of .3 s")
    parser.add_argument("--output", type=Path, default=RESULTS / "training_cpu.json")
    args = parser.parse_args()
    if args.quick:
        args.rounds, args.seconds = 5, 0.3
    torch.set_num_threads(1)
    rows = []
    for tokens in args.tokens:
        for width in args.widths:
            for ratio in args.ratios:
                rows.append(measure(tokens, width, ratio, args.rounds, args.seconds))
                print(json.dumps({k: round(v, 3) for k, v in rows[-1].items()}), flush=True)
    import transformers

    about = {
        "command": " ".join(["python", "benchmarks/training_cpu.py", *sys.argv[1:]]),
        "processor": processor(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "threads": torch.get_num_threads(),
        "products": "oneDNN" if onednn_keeps_float32() else "default",
        "load_average": os.getloadavg()[0],
        "rounds": args.rounds,
        "batch": Recipe().batch,
    }
    args.output.parent.mkdir(parents=True, exist_ok=True)
    args.output.write_text(json.dumps({"about": about, "rows": rows}, indent=1) + "\n")
    text = "\n".join(f"{key}: {value}  " for key, value in about.items())
    args.output.with_suffix(".md").write_text(f"{text}\n\n{table(rows)}\n")
    print(table(rows))


if __name__ == "__main__":
    main()
