"""Which cells of a sweep train together: plan entries grouped into stacks that fit the device's memory."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from maestrata.cells import Cell, first_seeds
from maestrata.errors import TrainingError
from maestrata.masks import MaskPatches
from maestrata.model.mae import MAEConfig
from maestrata.model.sizes import Sizes
from maestrata.settings import read
from maestrata.training.recipe import PlannedCell, Recipe
from maestrata.worlds import make_of
from maestrata.worlds.base import World

MEMORY_SHARE = 0.6  # of the device's free memory that a stack may take: evaluation runs beside it
TENSORS_PER_BLOCK = 40
"""Tensors of the width that a block holds a token for the backward pass, in bfloat16: hidden layers and both
residual streams. Set a third above the peak measured on an H100 (benchmarks/results/training_gpu.json)."""
MOST_ON_CPU = 8
CACHE = 2**20
"""Bytes that a block's tokens of all members may take on a CPU, to stay in a core's cache. Stacks that take
more are slower than their models one by one (benchmarks/results/training_cpu.md)."""


@dataclass(frozen=True)
class Sweep:
    """A sweep as plain values, so that it can be carried out where the config's libraries are not installed.

    Attributes
    ----------
    root : Path
        Results of the run.
    worlds : mapping
        Label -> ``{"kind": ..., "settings": {...}}``.
    model : Sizes
    evaluation : mapping
        Settings of `maestrata.regression.settings.Evaluation`.
    cells : tuple of PlannedCell
    code : mapping
        World's label -> rule of the workflow, or ``stack`` -> fingerprint of the code that makes its files.
    stack : int, optional
        Members in a stack; None: as many as memory holds.
    """

    root: Path
    worlds: Mapping[str, Mapping[str, Any]]
    model: Sizes
    evaluation: Mapping[str, Any]
    cells: tuple[PlannedCell, ...]
    code: Mapping[str, Mapping[str, str]]
    stack: int | None = None

    @cached_property
    def first_seeds(self) -> dict[str, int]:
        """The first world seed of each world: its cells are scored in every way."""
        return first_seeds(one.cell for one in self.cells)

    @classmethod
    def read(cls, path: Path) -> Sweep:
        """Read a plan (JSON).

        Raises
        ------
        TrainingError
            If it is not a plan.
        """
        try:
            content = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse)
            cells = tuple(_planned(**cell) for cell in content["cells"])
            return cls(
                root=Path(content["root"]),
                worlds=content["worlds"],
                model=read(Sizes, content["model"]),
                evaluation=content["evaluation"],
                cells=cells,
                code=content["code"],
                stack=content.get("stack"),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise TrainingError(
                f"{path} is no sweep plan, as `maestrata plan CONFIG` of this version writes it ({error!r})"
            ) from None

    def world(self, cell: Cell) -> World:
        """Make the world of a cell."""
        entry = self.worlds[cell.world]
        return make_of(entry["kind"], cell.world_seed, entry["settings"])


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _planned(training: Mapping[str, Any], **cell: Any) -> PlannedCell:
    return PlannedCell(Cell(**cell), read(Recipe, training))


def group(cells: Sequence[PlannedCell]) -> list[list[PlannedCell]]:
    """Group cells that differ in world seed and seed alone, in order of first appearance."""
    groups: dict[tuple[Any, ...], list[PlannedCell]] = {}
    for planned in cells:
        cell = planned.cell
        groups.setdefault((cell.world, cell.patch, cell.visible, planned.training), []).append(planned)
    return list(groups.values())


def stack_limit(cfg: MAEConfig, patches: MaskPatches, visible: int, batch: int, device: torch.device) -> int:
    """Members that a stack may have: what fits the GPU's free memory, or the cache of a core (1 to 8)."""
    k = visible * patches.size
    if device.type != "cuda":
        return min(MOST_ON_CPU, max(1, CACHE // (batch * (1 + k) * cfg.width * 4)))
    per_token = cfg.depth * (1 + k) * cfg.width + cfg.decoder_depth * (1 + cfg.n_tokens) * cfg.decoder_width
    free = torch.cuda.mem_get_info(device)[0]
    return max(1, int(MEMORY_SHARE * free / (batch * per_token * TENSORS_PER_BLOCK * 2)))


def split(cells: Sequence[PlannedCell], limit: int) -> list[list[PlannedCell]]:
    """Split one group into as few stacks of at most `limit` members as there can be, as even as possible."""
    count = -(-len(cells) // limit)
    size = -(-len(cells) // count)
    return [list(cells[i : i + size]) for i in range(0, len(cells), size)]
