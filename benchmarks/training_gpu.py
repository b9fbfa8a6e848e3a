"""Measure stacked training on a GPU against transformers' ViTMAE trained one model after another.

    python benchmarks/training_gpu.py --out benchmarks/results/training_gpu.json

Every row is one optimiser, masking ratio and number of stacks side by side: the time of a step (median of the
timed blocks of steps), images per second over all stacks, and the peer's time of a step for one model of the
same sizes and batch (its own defaults otherwise, bf16 autocast, fused AdamW, the same images made on the
device). The ratio is images per second of the stacks over those of the peer.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from itertools import product
from pathlib import Path
from typing import Any

import torch

from maestrata.geometry import patchify
from maestrata.masks import MaskPatches, draw_masks, visible_count
from maestrata.model.mae import MAEConfig
from maestrata.model.sizes import Sizes
from maestrata.training.noise import CHUNK, DeviceNoise, unpack
from maestrata.training.recipe import Recipe
from maestrata.training.stacked import StackedTrainer
from maestrata.worlds import make

BATCH = Recipe.batch


def trainer(cell: dict, members: int, recipe: Recipe, **options: Any) -> StackedTrainer:
    """Return a stack for a cell: two training seeds of every world seed."""
    device = torch.device("cuda")
    worlds = [make(cell["world"], k // 2, **cell["settings"]) for k in range(members)]
    patches = MaskPatches.parse(cell["patch"], worlds[0].grid)
    visible = visible_count(patches.n_patches, cell["mask_ratio"])
    cfg = MAEConfig.of(worlds[0], Sizes(**cell["model"]))
    return StackedTrainer(
        worlds, [k % 2 for k in range(members)], patches, visible, cfg, recipe, device, **options
    )


def time_stacks(cell: dict, optimiser: str, members: int, at_once: int, steps: int, compiled: bool) -> dict:
    """Time `steps` steps of `at_once` equal stacks side by side: five blocks, after a warm-up."""
    recipe = Recipe(images=BATCH * steps * 8, batch=BATCH, optimiser=optimiser)
    torch.cuda.reset_peak_memory_stats()
    started = time.perf_counter()
    running = []
    for _ in range(at_once):
        stream = torch.cuda.Stream()
        with torch.cuda.stream(stream):
            running.append((stream, trainer(cell, members, recipe, compiled=compiled).steps()))
            next(running[-1][1])
    torch.cuda.synchronize()
    ready = time.perf_counter() - started
    blocks = []
    for _ in range(6):
        torch.cuda.synchronize()
        started = time.perf_counter()
        for _ in range(steps):
            for stream, taken in running:
                with torch.cuda.stream(stream):
                    next(taken)
        torch.cuda.synchronize()
        blocks.append((time.perf_counter() - started) / steps)
    median = statistics.median(blocks[1:])
    return {
        **{k: v for k, v in cell.items() if k != "model"},
        "optimiser": optimiser,
        "members": members,
        "at_once": at_once,
        "step_ms": 1e3 * median,
        "step_ms_range": [1e3 * min(blocks[1:]), 1e3 * max(blocks[1:])],
        "images_per_s": at_once * members * recipe.batch / median,
        "start_s": ready,
        "peak_gb": torch.cuda.max_memory_allocated() / 1e9,
    }


def time_peer(cell: dict, steps: int) -> dict:
    """Time transformers' ViTMAE on one model of the cell."""
    from transformers import ViTMAEConfig, ViTMAEForPreTraining

    device = torch.device("cuda")
    world = make(cell["world"], 0, **cell["settings"])
    patches = MaskPatches(world.grid)
    n = world.grid.n_tokens
    visible = visible_count(n, cell["mask_ratio"])
    side, pixels = world.image_shape[1], world.token_pixels  # of square images, as the peer wants them
    cfg = MAEConfig.of(world, Sizes(**cell["model"]))
    peer = ViTMAEForPreTraining(
        ViTMAEConfig(
            hidden_size=cfg.width,
            num_hidden_layers=cfg.depth,
            num_attention_heads=cfg.heads,
            intermediate_size=cfg.mlp_ratio * cfg.width,
            image_size=side,
            patch_size=pixels,
            decoder_hidden_size=cfg.decoder_width,
            decoder_num_hidden_layers=cfg.decoder_depth,
            decoder_num_attention_heads=cfg.decoder_heads,
            decoder_intermediate_size=cfg.mlp_ratio * cfg.decoder_width,
            mask_ratio=1 - (visible + 0.5) / n,  # it floors: this keeps `visible` tokens
        )
    ).to(device)
    optimiser = torch.optim.AdamW(
        peer.parameters(), lr=Recipe.lr, weight_decay=0.05, betas=(0.9, 0.95), fused=True
    )
    noise = DeviceNoise(world, [(0, 0)], BATCH, patches.n_patches, device)
    params = world.convert_params(torch.zeros((), device=device))

    draws = noise.draw(0)

    def step(i: int) -> None:
        normal, uniform = draws["normal"][:, i % CHUNK], draws["uniform"][:, i % CHUNK]
        parts, _ = unpack(world, BATCH, n, normal, uniform)
        images = world.forward(params, {level: p[0] for level, p in parts.items()})[0]
        with torch.autocast("cuda", torch.bfloat16):
            loss = peer(pixel_values=images).loss
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(peer.parameters(), 1.0)
        optimiser.step()

    for i in range(20):
        step(i)
    torch.cuda.synchronize()
    started = time.perf_counter()
    for i in range(steps):
        step(i)
    torch.cuda.synchronize()
    took = (time.perf_counter() - started) / steps
    return {"peer_step_ms": 1e3 * took, "peer_images_per_s": BATCH / took}


def check_masks_equal() -> None:
    """Stop if the masks of a geometry differ between NumPy and the device."""
    patches = MaskPatches.parse("2x2", make("gaussian_tree", 0, leaves=64).grid)
    u = torch.rand(4, 16)
    here, there = draw_masks(patches, 4, u.numpy()), draw_masks(patches, 4, u.cuda())
    if any((torch.as_tensor(a) != b.cpu()).any() for a, b in zip(here, there, strict=True)):
        raise SystemExit("masks drawn on the device differ from NumPy's")
    assert patchify(torch.zeros(1, 3, 16, 16), 2).shape == (1, 64, 12)


def main() -> None:
    """Measure and save."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--world", default="grammar_tree")
    parser.add_argument("--settings", type=json.loads, default={"leaves": 16}, help="of the world")
    parser.add_argument("--width", type=int, default=64, help="of encoder and decoder")
    parser.add_argument("--members", type=int, default=24)
    parser.add_argument("--at-once", type=int, nargs="+", default=[1, 3], help="stacks side by side")
    parser.add_argument("--optimisers", nargs="+", default=["adamw", "muon"], help="of the stacks")
    parser.add_argument("--ratios", type=float, nargs="+", default=[0.1, 0.5, 0.9])
    parser.add_argument("--patch", default="1x1")
    parser.add_argument("--steps", type=int, default=50, help="steps in a timed block; five blocks")
    parser.add_argument("--peer-steps", type=int, default=100, help="0 leaves the peer out")
    parser.add_argument("--eager", action="store_true", help="do not compile")
    args = parser.parse_args()
    check_masks_equal()
    rows = []
    for ratio in args.ratios:
        cell = {
            "world": args.world,
            "settings": args.settings,
            "patch": args.patch,
            "mask_ratio": ratio,
            "model": {"width": args.width, "decoder_width": args.width},
        }
        peer = time_peer(cell, args.peer_steps) if args.peer_steps else {}
        for optimiser, at_once in product(args.optimisers, args.at_once):
            times = time_stacks(cell, optimiser, args.members, at_once, args.steps, not args.eager)
            row = {**times, **peer}
            if peer:
                row["ratio"] = row["images_per_s"] / row["peer_images_per_s"]
            rows.append(row)
            print({k: round(v, 3) if isinstance(v, float) else v for k, v in row.items()}, flush=True)
    about = {"device": torch.cuda.get_device_name(), "torch": torch.__version__, "batch": BATCH}
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps({"about": about, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
