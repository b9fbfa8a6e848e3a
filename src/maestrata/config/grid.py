"""The grid of a config: which cells there are, each once.

A cell is one trained model: (world, world seed, mask patch, visible count, training seed). Two asked ratios
that leave the same number of patches visible are the same cell; a ratio that is written or computed in two
ways is one ratio (`maestrata.cells.same_ratio`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from functools import lru_cache
from itertools import product
from typing import TYPE_CHECKING, Any

from maestrata.cells import Cell, one_ratio
from maestrata.errors import ConfigError
from maestrata.masks import MaskPatches, visible_count
from maestrata.training.recipe import PlannedCell, Recipe
from maestrata.worlds import World, make_of

if TYPE_CHECKING:
    from maestrata.config.sections import Block, Config
    from maestrata.geometry import TokenGrid


def build_cells(config: Config) -> tuple[PlannedCell, ...]:
    """List the cells of a config, each once, in an order that does not depend on that of the grid.

    Raises
    ------
    ConfigError
        If a cell is asked for twice with different training, or with too few images.
    """
    planned: dict[Cell, tuple[PlannedCell, int]] = {}
    known = one_ratio(ratio for block in config.grid for ratio in block.mask_ratios)
    for index, block in enumerate(config.grid):
        training = block_training(config, block)
        for cell, ratios in _product(config, block, known):
            old, where = planned.get(cell, (PlannedCell(cell, training), index))
            if old.training != training:
                raise ConfigError(
                    f"cell {cell.stem} is also in grid[{where}], with other training "
                    f"({_differences(old.training, training)}): a cell can be trained in one way only"
                ).at("grid", index)
            merged = tuple(sorted({*old.mask_ratios, *ratios}))
            planned[cell] = (PlannedCell(cell, training, merged), where)
    order = {label: position for position, label in enumerate(config.worlds)}
    cells = (one for one, _ in planned.values())
    return tuple(sorted(cells, key=lambda one: (order[one.cell.world], one.cell)))


def block_training(config: Config, block: Block) -> Recipe:
    """Return the training of a block: the config's, with what the block sets anew.

    Raises
    ------
    TrainingError
        If a value is out of range.
    """
    new: dict[str, Any] = dict(block.training or {})
    if block.images is not None:
        new["images"] = block.images
    return replace(config.training, **new)


def world_grid(config: Config, label: str) -> TokenGrid:
    """Return the token grid of a world of the config."""
    return world_of(config, label).grid


def world_of(config: Config, label: str) -> World:
    """Return a world of the config, of world seed 0.

    Raises
    ------
    WorldError
        If a setting is unknown or out of range: its own module knows which are.
    """
    entry = config.worlds[label]
    return _made(entry.kind, json.dumps(entry.settings, sort_keys=True), entry.path, config.plugins)


@lru_cache(maxsize=64)
def _made(kind: str, settings: str, path: str | None, plugins: tuple[str, ...]) -> World:
    return make_of(kind, 0, json.loads(settings), path)


def _product(
    config: Config, block: Block, known: Mapping[float, float]
) -> Iterator[tuple[Cell, tuple[float, ...]]]:
    """Yield the cells of a block, each with the ratios that ask for it."""
    for world in block.worlds:
        for patch in block.patches:
            n = MaskPatches.parse(patch, world_grid(config, world)).n_patches
            counts: dict[int, tuple[float, ...]] = {}
            for ratio in dict.fromkeys(known[ratio] for ratio in block.mask_ratios):
                visible = visible_count(n, ratio)
                counts[visible] = (*counts.get(visible, ()), ratio)
            for world_seed, visible, seed in product(block.world_seeds, counts, block.seeds):
                yield Cell(world, world_seed, patch, visible, seed), counts[visible]


def _differences(one: Recipe, other: Recipe) -> str:
    a, b = asdict(one), asdict(other)
    return ", ".join(f"{key}: {a[key]} and {b[key]}" for key in a if a[key] != b[key])
