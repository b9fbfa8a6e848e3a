"""Whether a GPU gives the same bits twice, and how far it is from the CPU.

    python benchmarks/gpu_determinism.py [--images 60000] [--optimiser adamw]

One cell of a grammar is trained on its own, as the workflow does it (bfloat16 autocast, deterministic
kernels), two times on CUDA and once on the CPU; and as a stack of four, as a sweep does it: alone, again, and
beside two other stacks. Prints as JSON the largest difference of any weight and of any loss: 0 where the
device keeps the promise. Without a CUDA device it says so and measures nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from functools import partial
from pathlib import Path

# read when CUDA starts: set later, cuBLAS picks its own workspaces, and sums may be taken in another order
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "src"))

import numpy as np  # noqa: E402
import torch  # noqa: E402

from maestrata.masks import MaskPatches  # noqa: E402
from maestrata.model.mae import MAE, MAEConfig  # noqa: E402
from maestrata.model.sizes import Sizes  # noqa: E402
from maestrata.training.recipe import Recipe  # noqa: E402
from maestrata.training.stacked import StackedTrainer, StackResult  # noqa: E402
from maestrata.training.together import train_together  # noqa: E402
from maestrata.training.train import train  # noqa: E402
from maestrata.worlds import make  # noqa: E402

VISIBLE = 4
WORLDS = [make("grammar_tree", seed, leaves=8) for seed in range(4)]
PATCHES = MaskPatches(WORLDS[0].grid)
CFG = MAEConfig.of(WORLDS[0], Sizes(width=32, decoder_width=32))

Run = tuple[dict[str, torch.Tensor], np.ndarray]  # weights and losses


def apart(one: Run, other: Run) -> dict[str, float]:
    """Return the largest absolute differences of the weights and of the losses of two runs."""
    weights = [
        float((w.cpu().float() - other[0][name].cpu().float()).abs().max()) for name, w in one[0].items()
    ]
    return {"weights": max(weights), "losses": float(np.abs(one[1] - other[1]).max())}


def single(recipe: Recipe, device: str) -> Run:
    """Train one model on its own."""
    trained: tuple[MAE, np.ndarray] = train(WORLDS[0], PATCHES, VISIBLE, 0, CFG, recipe, device)
    return {name: p.detach() for name, p in trained[0].named_parameters()}, trained[1]


def stacks(recipe: Recipe, count: int) -> Run:
    """Train `count` stacks of four side by side, and return the first."""

    def maker(seed: int) -> StackedTrainer:
        return StackedTrainer(WORLDS, [seed] * 4, PATCHES, VISIBLE, CFG, recipe, torch.device("cuda"))

    named = iter([(seed, partial(maker, seed)) for seed in range(count)])
    results: dict[int, StackResult] = {
        seed: result for seed, result, _ in train_together(named, count, torch.device("cuda"))
    }
    return results[0].weights, results[0].losses


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=60_000)
    parser.add_argument("--optimiser", choices=["adamw", "muon"], default="adamw")
    args = parser.parse_args()
    if not torch.cuda.is_available():
        print("nothing measured: torch finds no CUDA device here")
        return
    recipe = Recipe(images=args.images, optimiser=args.optimiser)
    first, stack = single(recipe, "cuda"), stacks(recipe, 1)
    report = {
        "device": torch.cuda.get_device_name(),
        "torch": torch.__version__,
        "images": args.images,
        "optimiser": args.optimiser,
        "one model, twice": apart(first, single(recipe, "cuda")),
        "one model, GPU and CPU": apart(first, single(recipe, "cpu")),
        "a stack, twice": apart(stack, stacks(recipe, 1)),
        "a stack, alone and beside two": apart(stack, stacks(recipe, 3)),
    }
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
