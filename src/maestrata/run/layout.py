"""Layout of a run: where each file is, which rule makes it, and what cubes are joined from."""

from __future__ import annotations

import re
from functools import lru_cache

from maestrata.cells import PATH

# File -> where it is below results/RUN/, and the rule that makes it.
FILES = {
    "worlds": ("worlds/{world}/w{world_seed}.nc", "worlds"),
    "theory": ("theory/{world}/w{world_seed}.nc", "theory"),
    "limits": ("limits/{world}/w{world_seed}.nc", "limits"),
    "weights": (f"cells/{PATH}/weights.safetensors", "pretrain"),
    "history": (f"cells/{PATH}/history.nc", "pretrain"),
    "scores": (f"cells/{PATH}/scores.nc", "regress"),
    "reconstruction": (f"cells/{PATH}/reconstructions.nc", "regress"),
    "controls": ("controls/{world}/w{world_seed}/s{seed}.nc", "controls"),
    "experiment": ("experiments/{experiment}/{world}/w{world_seed}/s{seed}.nc", "experiment"),
    "cube": ("cubes/{kind}.nc", "collect"),
    "verdicts": ("verdicts/verdicts.nc", "claims"),
    "verdict_table": ("verdicts/verdicts.md", "claims"),
    "verdict_page": ("verdicts/verdicts.html", "claims"),
    "explorer": ("explorer.html", "explorer"),
    "pdf": ("figures/{figure}.pdf", "figure"),
    "png": ("figures/{figure}.png", "figure"),
}

STACK = "stack"
"""What trains in place of the rule `pretrain` where `maestrata.steps.sweep` does, without the workflow."""

# Cube -> what it is joined from. There is also one for every experiment of the config.
SOURCES: dict[str, tuple[str, ...]] = {
    "regression": ("scores", "controls"),
    "training": ("history",),
    "reconstructions": ("reconstruction",),
    "theory": ("theory",),
    "limits": ("limits",),
}
EXPERIMENTS = "experiments/"
"""Cubes of experiments are named by this and the experiment."""


@lru_cache
def wildcards_of(pattern: str) -> tuple[str, ...]:
    """Return the names of a pattern's wildcards, in order."""
    return tuple(re.findall(r"{(\w+)}", pattern))
