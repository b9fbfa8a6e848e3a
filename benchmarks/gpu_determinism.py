"""Whether a GPU gives the same bits twice: one cell trained two times, and how far the two are apart.

    python benchmarks/gpu_determinism.py [--config config/config.yaml] [--images 60000]

Trains the first cell of a config twice on CUDA, as the workflow does (bfloat16 autocast, deterministic
kernels), and once on the CPU. Prints as JSON the largest difference of any weight and of any loss between the
two runs on the GPU, which is 0 where the device keeps the promise, and between GPU and CPU, which is not.
Without a CUDA device it says so and measures nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import replace
from pathlib import Path

# read when CUDA starts: set later, cuBLAS picks its own workspaces, and sums may be taken in another order
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "src"))

import numpy as np  # noqa: E402
import torch  # noqa: E402

from maestrata.config.grid import build_cells  # noqa: E402
from maestrata.config.load import load_config  # noqa: E402
from maestrata.masks import MaskPatches  # noqa: E402
from maestrata.model.mae import MAE, MAEConfig  # noqa: E402
from maestrata.training.train import train  # noqa: E402
from maestrata.worlds import make  # noqa: E402

Run = tuple[MAE, np.ndarray]  # what `train` returns


def apart(one: Run, other: Run) -> dict[str, float]:
    """Return the largest absolute differences of the weights and of the losses of two runs."""
    (model, losses), (again, its) = one, other
    theirs = dict(again.named_parameters())
    weights = [
        float((w.detach().cpu().float() - theirs[name].detach().cpu().float()).abs().max())
        for name, w in model.named_parameters()
    ]
    return {"weights": max(weights), "losses": float(np.abs(losses - its).max())}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config", type=Path, default=ROOT / "config" / "config.yaml")
    parser.add_argument("--images", type=int, default=60_000)
    args = parser.parse_args()
    if not torch.cuda.is_available():
        print("nothing measured: torch finds no CUDA device here")
        return
    config = load_config(args.config)
    planned = build_cells(config)[0]
    cell = planned.cell
    entry = config.worlds[cell.world]
    world = make(entry.kind, cell.world_seed, **entry.settings)
    patches = MaskPatches.parse(cell.patch, world.grid)
    cfg = MAEConfig.of(world, config.model)
    recipe = replace(planned.training, images=args.images)

    def once(device: str) -> Run:
        return train(world, patches, cell.visible, cell.seed, cfg, recipe, device)

    first, second = once("cuda"), once("cuda")
    report = {
        "device": torch.cuda.get_device_name(),
        "torch": torch.__version__,
        "cell": cell.stem,
        "images": args.images,
        "twice on the GPU": apart(first, second),
        "GPU and CPU": apart(first, once("cpu")),
    }
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
