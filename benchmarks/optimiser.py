"""How many images AdamW and Muon need: progress of models trained by each, in worlds that decide nothing.

    OMP_NUM_THREADS=1 python benchmarks/optimiser.py            # some fifteen minutes of one core

Stacks of four models, one a world (seeds 0 to 3), with the model and the worlds of config/config.yaml.
Progress is the share explained of what can be explained, on fresh images. Times are of the processor, a step
of one model, on one thread.

Writes benchmarks/results/optimiser.md.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch

from maestrata.config.load import load_config
from maestrata.machine import processor
from maestrata.masks import MaskPatches, visible_count
from maestrata.model.mae import MAE, MAEConfig
from maestrata.training.loop import reproducible
from maestrata.training.progress import Explainable
from maestrata.training.recipe import Recipe
from maestrata.training.stacked import StackedTrainer
from maestrata.worlds import make_of

ROOT = Path(__file__).parents[1]
SEEDS = range(4)


class Trial(NamedTuple):
    """A row of the table."""

    world: str
    ratio: float
    images: int
    optimiser: str
    ambiguity: float | None = None  # in place of the world's own


TRIALS = [
    *(
        Trial("symbols", ratio, images, optimiser)
        for ratio in (0.5, 0.9)
        for images, optimiser in ((112_000, "adamw"), (64_000, "adamw"), (64_000, "muon"))
    ),
    *(
        Trial("grammar", 0.5, images, optimiser)
        for images, optimiser in ((224_000, "adamw"), (120_000, "adamw"), (120_000, "muon"))
    ),
    # at 2 neither saves images; config.yaml takes 1.8
    *(
        Trial("symbols_ambiguous", 0.25, images, optimiser, ambiguity)
        for images, optimiser, ambiguity in (
            (256_000, "adamw", 2.0),
            (256_000, "muon", 2.0),
            (128_000, "adamw", 1.8),
            (128_000, "muon", 1.8),
        )
    ),
]


def measure(trial: Trial) -> tuple[list[float], float]:
    """Return the progress of each model, and the milliseconds of a step of one."""
    config = load_config(ROOT / "config" / "config.yaml")
    declared = config.worlds[trial.world]
    settings = dict(declared.settings)
    if trial.ambiguity is not None:
        settings["ambiguity"] = trial.ambiguity
    worlds = [make_of(declared.kind, seed, settings) for seed in SEEDS]
    patches = MaskPatches(worlds[0].grid)
    visible = visible_count(patches.n_patches, trial.ratio)
    cfg = MAEConfig.of(worlds[0], config.model)
    recipe = Recipe(images=trial.images, optimiser=trial.optimiser)
    started = time.process_time()
    with reproducible("cpu"):
        trained = StackedTrainer(
            worlds, [0] * len(worlds), patches, visible, cfg, recipe, torch.device("cpu")
        ).run()
    seconds = time.process_time() - started
    shares = []
    for k, world in enumerate(worlds):
        model = MAE(cfg)
        model.load_state_dict({name: weights[k] for name, weights in trained.weights.items()})
        held = Explainable.of(world, patches, visible, replicates=2)
        shares.append(float(held.progress(model).share[0]))
    return shares, 1000 * seconds / recipe.steps / len(worlds)


def main() -> None:
    """Measure every row, and write the table."""
    lines = [
        "# AdamW and Muon: images and progress",
        "",
        f"`python benchmarks/optimiser.py`, one core of: {processor()}. Means of n = {len(SEEDS)} worlds",
        "(seeds 0 to 3, which decide nothing), with the least and the most. Beside a world: its ambiguity.",
        "",
        "| world | ratio | optimiser | images | progress | ms a step of one model |",
        "|---|---|---|---|---|---|",
    ]
    for trial in TRIALS:
        shares, cost = measure(trial)
        spread = f"{np.mean(shares):.3f} [{min(shares):.3f}, {max(shares):.3f}]"
        world = trial.world if trial.ambiguity is None else f"{trial.world}, {trial.ambiguity:g}"
        row = (world, f"{trial.ratio:g}", trial.optimiser, f"{trial.images:,}", spread, f"{cost:.1f}")
        lines.append(f"| {' | '.join(row)} |")
        print(lines[-1], flush=True)
    (ROOT / "benchmarks" / "results" / "optimiser.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
