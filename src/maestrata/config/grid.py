"""The grid of a config: which cells there are, each once, and whether all that they need exists.

A cell is one trained model: (world, world seed, mask patch, visible count, training seed). Two asked ratios
that leave the same number of patches visible are the same cell.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, replace
from functools import lru_cache
from itertools import product
from typing import TYPE_CHECKING, Any

from maestrata import modules
from maestrata.cells import Cell
from maestrata.errors import ConfigError, MaestrataError, TrainingError, one_of
from maestrata.experiments.registry import check_settings
from maestrata.masks import MaskPatches, visible_count
from maestrata.training.recipe import PlannedCell, Recipe
from maestrata.worlds import available, make

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
    for index, block in enumerate(config.grid):
        training = block_training(config, block)
        for cell, ratios in _product(config, block):
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
    entry = config.worlds[label]
    return _grid_of(entry.kind, json.dumps(entry.settings, sort_keys=True))


@lru_cache
def _grid_of(kind: str, settings: str) -> TokenGrid:
    # a world that can be made has settings in their ranges: the one place that knows them is its own module
    return make(kind, 0, **json.loads(settings)).grid


def _product(config: Config, block: Block) -> Iterator[tuple[Cell, tuple[float, ...]]]:
    """Yield the cells of a block, each with the ratios that ask for it."""
    for world in block.worlds:
        for patch in block.patches:
            n = MaskPatches.parse(patch, world_grid(config, world)).n_patches
            counts: dict[int, tuple[float, ...]] = {}
            for ratio in block.mask_ratios:
                visible = visible_count(n, ratio)
                counts[visible] = (*counts.get(visible, ()), ratio)
            for world_seed, visible, seed in product(block.world_seeds, counts, block.seeds):
                yield Cell(world, world_seed, patch, visible, seed), counts[visible]


def _differences(one: Recipe, other: Recipe) -> str:
    a, b = asdict(one), asdict(other)
    return ", ".join(f"{key}: {a[key]} and {b[key]}" for key in a if a[key] != b[key])


def check(config: Config) -> None:
    """Check what the types of the config cannot say.

    Raises
    ------
    ConfigError
        At the first thing that is wrong.
    """
    for label, world in config.worlds.items():
        if world.kind not in available():
            raise ConfigError(f"kind={one_of(world.kind, available())}").at("worlds", label, "kind")
        try:
            world_grid(config, label)
        except (MaestrataError, TypeError) as error:
            raise ConfigError(str(error)).at("worlds", label, "settings") from None
    for section, word, chosen in (("figures", "figure", config.figures), ("claims", "claim", config.claims)):
        for index, name in enumerate(chosen.names if chosen.names != "all" else ()):
            _check_name(word, name, modules.available(section), section, "names", index)
    roles = modules.constant("claims", "rule", "WORLDS")
    for role, label in config.claims.worlds.items():
        _check_name("role", role, roles, "claims", "worlds")
        _check_name("world", label, config.worlds, "claims", "worlds", role)
    shapes: dict[tuple[int, bool], str] = {}
    for index, block in enumerate(config.grid):
        _check_block(config, block, index, shapes)
    cells = [one.cell for one in build_cells(config)]
    asked: set[tuple[Any, ...]] = set()
    for index in range(len(config.experiments)):
        _check_experiment(config, index, cells, asked)


def _check_name(word: str, value: str, allowed: Collection[str], *key: str | int) -> None:
    if value not in allowed:
        raise ConfigError(f"{word} {one_of(value, allowed)}").at(*key)


def _check_experiment(config: Config, index: int, cells: Sequence[Cell], asked: set[tuple[Any, ...]]) -> None:
    entry, here = config.experiments[index], ("experiments", index)
    name = entry.name
    _check_name("experiment", name, modules.available("experiments"), *here, "name")
    try:
        check_settings(name, entry.settings, modules.constant("experiments", name, "SETTINGS", {}))
    except MaestrataError as error:
        raise ConfigError(str(error)).at(*here, "settings") from None
    known = modules.constant("experiments", name, "WORLDS", ())
    reads = modules.constant("experiments", name, "CELLS", False)
    there = {(cell.world, cell.world_seed, cell.seed) for cell in cells}
    for at, label in enumerate(entry.worlds):
        _check_name("world", label, config.worlds, *here, "worlds", at)
        if known and (kind := config.worlds[label].kind) not in known:
            message = f"world {label!r} is of kind {kind!r}; {name} knows: {', '.join(known)}"
            raise ConfigError(message).at(*here, "worlds", at)
        for place in product([label], entry.world_seeds, entry.seeds):
            if (name, *place) in asked:
                message = f"{name} in world {label!r}, world seed {place[1]}, seed {place[2]} is listed twice"
                raise ConfigError(message).at(*here)
            asked.add((name, *place))
            if reads and place not in there:
                message = (
                    f"{name} reads trained models, and the grid has none of world {label!r}, "
                    f"world seed {place[1]}, seed {place[2]}"
                )
                raise ConfigError(message).at(*here)


def _check_block(config: Config, block: Block, index: int, shapes: dict[tuple[int, bool], str]) -> None:
    here = ("grid", index)
    for at, label in enumerate(block.worlds):
        _check_name("world", label, config.worlds, *here, "worlds", at)
    for at, patch in enumerate(block.patches):
        for label in block.worlds:
            try:
                patches = MaskPatches.parse(patch, world_grid(config, label))
            except MaestrataError as error:
                raise ConfigError(f"world {label!r}: {error}").at(*here, "patches", at) from None
        # cubes are indexed by size and offset: two shapes of one size would be one place
        other = shapes.setdefault((patches.size, patches.offset), patch)
        if other != patch:
            raise ConfigError(
                f"mask patch {patch!r} has as many tokens as {other!r}; patches must differ in size"
            ).at(*here, "patches", at)
    anew: dict[str, Any] = block.training or {}
    if block.images is not None and "images" in anew:
        raise ConfigError("images is given twice in one block").at(*here, "training", "images")
    try:
        block_training(config, block)
    except TrainingError as error:
        name = error.key[0]
        if name == "images" and block.images is not None:
            raise ConfigError(str(error)).at(*here, name) from None
        raise ConfigError(str(error)).at(*here, "training", *([name] if name in anew else [])) from None
