"""The grid of a config: which cells there are, each once, and whether all that they need exists.

A cell is one trained model: (world, world seed, mask patch, visible count, training seed). Two asked ratios
that leave the same number of patches visible are the same cell.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import TYPE_CHECKING, Any

from maestrata import modules
from maestrata.config.files import Key
from maestrata.errors import MaestrataError, one_of
from maestrata.experiments.registry import available as experiments
from maestrata.experiments.registry import check_settings
from maestrata.figures import registry
from maestrata.masks import MaskPatches, visible_count
from maestrata.worlds import available, make

if TYPE_CHECKING:
    from maestrata.config.sections import Block, Config, Training
    from maestrata.geometry import TokenGrid


class KeyedError(Exception):
    """What is wrong, and at which key of the config."""

    def __init__(self, message: object, *key: str | int) -> None:
        super().__init__(str(message))
        self.key: Key = key


@dataclass(frozen=True)
class Cell:
    """One trained model.

    Attributes
    ----------
    world : str
        Label in the config.
    world_seed : int
    patch : str
        Label of the mask patches.
    visible : int
        Visible mask patches.
    seed : int
        Training seed.
    mask_ratios : tuple of float
        The asked ratios that this cell stands for, ascending.
    training : Training
    """

    world: str
    world_seed: int
    patch: str
    visible: int
    seed: int
    mask_ratios: tuple[float, ...]
    training: Training

    @property
    def stem(self) -> str:
        """Folder of the cell's files under ``cells/``."""
        return f"{self.world}/w{self.world_seed}/p{self.patch}/v{self.visible}/s{self.seed}"


def build_cells(config: Config) -> tuple[Cell, ...]:
    """List the cells of a config, each once, in an order that does not depend on that of the grid.

    Raises
    ------
    KeyedError
        If a cell is asked for twice with different training, or with too few images.
    """
    found: dict[tuple[Any, ...], tuple[Cell, int]] = {}
    for index, block in enumerate(config.grid):
        training = block_training(config, block)
        for world, world_seed, patch, (visible, ratios), seed in _product(config, block):
            cell = Cell(world, world_seed, patch, visible, seed, ratios, training)
            old, where = found.get(key := (world, world_seed, patch, visible, seed), (cell, index))
            if old.training != training:
                raise KeyedError(
                    f"cell {cell.stem} is also in grid[{where}], with other training "
                    f"({_differences(old.training, training)}): a cell can be trained in one way only",
                    "grid",
                    index,
                )
            merged = tuple(sorted({*old.mask_ratios, *ratios}))
            found[key] = (Cell(*key, merged, training), where)
    order = {label: position for position, label in enumerate(config.worlds)}
    cells = (cell for cell, _ in found.values())
    return tuple(sorted(cells, key=lambda c: (order[c.world], c.world_seed, c.patch, c.visible, c.seed)))


def block_training(config: Config, block: Block) -> Training:
    """Return the training of a block: the config's, with what the block sets anew."""
    anew = block.training
    new = {key: getattr(anew, key) for key in anew.model_fields_set} if anew else {}
    if block.images is not None:
        new["images"] = block.images
    return config.training.model_copy(update=new)


def world_grid(config: Config, label: str) -> TokenGrid:
    """Return the token grid of a world of the config."""
    entry = config.worlds[label]
    return _grid_of(entry.kind, json.dumps(entry.settings, sort_keys=True))


@lru_cache
def _grid_of(kind: str, settings: str) -> TokenGrid:
    # a world that can be made has settings in their ranges: the one place that knows them is its own module
    return make(kind, 0, **json.loads(settings)).grid


_Place = tuple[str, int, str, tuple[int, tuple[float, ...]], int]


def _product(config: Config, block: Block) -> Iterator[_Place]:
    """Yield (world, world seed, patch, (visible count, the ratios that ask for it), seed)."""
    for world in block.worlds:
        for patch in block.patches:
            n = MaskPatches.parse(patch, world_grid(config, world)).n_patches
            counts: dict[int, tuple[float, ...]] = {}
            for ratio in block.mask_ratios:
                visible = visible_count(n, ratio)
                counts[visible] = (*counts.get(visible, ()), ratio)
            for world_seed in block.world_seeds:
                for count in counts.items():
                    for seed in block.seeds:
                        yield world, world_seed, patch, count, seed


def _differences(one: Training, other: Training) -> str:
    a, b = one.model_dump(), other.model_dump()
    return ", ".join(f"{key}: {a[key]} and {b[key]}" for key in a if a[key] != b[key])


def probe_names() -> tuple[str, ...]:
    """List the probes there are, without importing one."""
    return modules.available("regression.probes")


def check(config: Config) -> None:
    """Check what the types of the config cannot say.

    Raises
    ------
    KeyedError
        At the first thing that is wrong.
    """
    for label, world in config.worlds.items():
        if world.kind not in available():
            raise KeyedError(f"kind={one_of(world.kind, available())}", "worlds", label, "kind")
        try:
            world_grid(config, label)
        except (MaestrataError, TypeError) as error:
            raise KeyedError(error, "worlds", label, "settings") from None
    _check_names("probe", config.evaluation.probes, probe_names(), "evaluation", "probes")
    if config.figures.names != "all":
        _check_names("figure", config.figures.names, registry.available(), "figures", "names")
    for probe in config.evaluation.probe_settings:
        if probe not in config.evaluation.probes:
            message = f"settings of probe {one_of(probe, config.evaluation.probes)}"
            raise KeyedError(message, "evaluation", "probe_settings", probe)
    if config.claims.names != "all":
        _check_names("claim", config.claims.names, modules.available("claims"), "claims", "names")
    shapes: dict[tuple[int, bool], str] = {}
    for index, block in enumerate(config.grid):
        _check_block(config, block, index, shapes)
    cells = build_cells(config)
    asked: set[tuple[Any, ...]] = set()
    for index in range(len(config.experiments)):
        _check_experiment(config, index, cells, asked)


def _check_names(name: str, values: tuple[str, ...], allowed: Collection[str], *key: str) -> None:
    for index, value in enumerate(values):
        if value not in allowed:
            raise KeyedError(f"{name} {one_of(value, allowed)}", *key, index)


def _check_experiment(
    config: Config, index: int, cells: tuple[Cell, ...], asked: set[tuple[Any, ...]]
) -> None:
    entry, here = config.experiments[index], ("experiments", index)
    name = entry.name
    if name not in experiments():
        raise KeyedError(f"experiment {one_of(name, experiments())}", *here, "name")
    try:
        check_settings(name, entry.settings, modules.constant("experiments", name, "SETTINGS", {}))
    except MaestrataError as error:
        raise KeyedError(error, *here, "settings") from None
    known = modules.constant("experiments", name, "WORLDS", ())
    reads = modules.constant("experiments", name, "CELLS", False)
    there = {(cell.world, cell.world_seed, cell.seed) for cell in cells}
    for at, label in enumerate(entry.worlds):
        if label not in config.worlds:
            raise KeyedError(f"world {one_of(label, config.worlds)}", *here, "worlds", at)
        if known and (kind := config.worlds[label].kind) not in known:
            message = f"world {label!r} is of kind {kind!r}; {name} knows: {', '.join(known)}"
            raise KeyedError(message, *here, "worlds", at)
        for place in product([label], entry.world_seeds, entry.seeds):
            if (name, *place) in asked:
                message = f"{name} in world {label!r}, world seed {place[1]}, seed {place[2]} is listed twice"
                raise KeyedError(message, *here)
            asked.add((name, *place))
            if reads and place not in there:
                message = (
                    f"{name} reads trained models, and the grid has none of world {label!r}, "
                    f"world seed {place[1]}, seed {place[2]}"
                )
                raise KeyedError(message, *here)


def _check_block(config: Config, block: Block, index: int, shapes: dict[tuple[int, bool], str]) -> None:
    for at, label in enumerate(block.worlds):
        if label not in config.worlds:
            raise KeyedError(f"world {one_of(label, config.worlds)}", "grid", index, "worlds", at)
    for at, patch in enumerate(block.patches):
        for label in block.worlds:
            try:
                patches = MaskPatches.parse(patch, world_grid(config, label))
            except MaestrataError as error:
                raise KeyedError(f"{error} of world {label!r}", "grid", index, "patches", at) from None
        # cubes are indexed by size and offset: two shapes of one size would be one place
        other = shapes.setdefault((patches.size, patches.offset), patch)
        if other != patch:
            raise KeyedError(
                f"mask patch {patch!r} has as many tokens as {other!r}; patches must differ in size",
                "grid",
                index,
                "patches",
                at,
            )
    if block.images is not None and block.training and "images" in block.training.model_fields_set:
        raise KeyedError("images is given twice in one block", "grid", index, "training", "images")
    training = block_training(config, block)
    for name in ("images", "samples"):
        value = getattr(training, name)
        if value is not None and value < training.batch:
            key = (name,) if name in block.model_fields_set else ("training",)
            message = f"{name}={value} must be at least one batch of {training.batch}"
            raise KeyedError(message, "grid", index, *key)
