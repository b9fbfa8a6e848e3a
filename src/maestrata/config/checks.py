"""Checks of a whole config: what its types cannot say. Nothing that a job would refuse gets past them.

Worlds, settings and mask patches are made here as the jobs make them, and the same code refuses them.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from itertools import product
from typing import TYPE_CHECKING, Any

from maestrata import modules
from maestrata.bounds import MOST_CELLS
from maestrata.cells import Cell
from maestrata.config.grid import block_training, build_cells, world_of
from maestrata.errors import ConfigError, ExperimentError, MaestrataError, TrainingError, WorldError, one_of
from maestrata.experiments.settings import check_pixels, check_settings
from maestrata.masks import MaskPatches
from maestrata.results.primary import PRIMARY
from maestrata.worlds import available
from maestrata.worlds.images import ImageWorld

if TYPE_CHECKING:
    from maestrata.config.sections import Block, Config, Experiment

RENAMED = {"hidden_phase": "hidden_sign"}
"""Experiments of earlier versions, with their names of today."""


def check(config: Config) -> None:
    """Check a config whose values are of the right types.

    Raises
    ------
    ConfigError
        At the first thing that is wrong.
    """
    for label, world in config.worlds.items():
        if world.kind not in available():
            raise ConfigError(f"kind={one_of(world.kind, available())}").at("worlds", label, "kind")
        try:
            world_of(config, label)
        except (MaestrataError, TypeError) as error:
            key = "settings" if world.path is None else "path"
            raise ConfigError(str(error)).at("worlds", label, key) from None
    _check_images(config)
    _check_number("cells", config.grid, "patches", "mask_ratios", "world_seeds", "seeds", at="grid")
    shapes: dict[int, tuple[str, tuple[int, int]]] = {}
    for index, block in enumerate(config.grid):
        _check_block(config, block, index, shapes)
    cells = [one.cell for one in build_cells(config)]
    _check_number("jobs", config.experiments, "world_seeds", "seeds", at="experiments")
    asked: set[tuple[Any, ...]] = set()
    for index, entry in enumerate(config.experiments):
        _check_experiment(config, entry, index, cells, asked)
    _check_evaluation(config)
    _check_shown(config)


def _check_images(config: Config) -> None:
    """Refuse more images for probes, or for their scores, than there are."""
    for block in config.grid:
        for label in filter(config.worlds.__contains__, block.worlds):
            world = world_of(config, label)
            if not isinstance(world, ImageWorld):
                continue
            for seed in block.world_seeds:
                try:
                    world.with_seed(seed).check_counts(config.evaluation.probe_train, config.evaluation.test)
                except WorldError as error:
                    raise ConfigError(str(error)).at("evaluation", *error.key) from None


def _check_name(word: str, value: str, allowed: Collection[str], *key: str | int) -> None:
    if value not in allowed:
        raise ConfigError(f"{word} {one_of(value, allowed)}").at(*key)


def _check_number(what: str, blocks: Sequence[Any], *lists: str, at: str) -> None:
    """Refuse more cells, or jobs, than can be planned; how many there are is known before any is made."""
    total = 0
    for index, block in enumerate(blocks):
        total += math.prod(len(getattr(block, name)) for name in ("worlds", *lists))
        if total > MOST_CELLS:
            raise ConfigError(f"{total:_} {what} up to here must be at most {MOST_CELLS:_}").at(at, index)


def _check_block(
    config: Config, block: Block, index: int, shapes: dict[int, tuple[str, tuple[int, int]]]
) -> None:
    here = ("grid", index)
    for at, label in enumerate(block.worlds):
        _check_name("world", label, config.worlds, *here, "worlds", at)
    for at, patch in enumerate(block.patches):
        for label in block.worlds:
            try:
                patches = MaskPatches.parse(patch, world_of(config, label).grid)
            except MaestrataError as error:
                raise ConfigError(f"world {label!r}: {error}").at(*here, "patches", at) from None
        # cubes are indexed by size: two shapes of one size would be one place
        shape = (patches.height, patches.width)
        other, there = shapes.setdefault(patches.size, (patch, shape))
        if shape != there:
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


def _check_experiment(
    config: Config, entry: Experiment, index: int, cells: Sequence[Cell], asked: set[tuple[Any, ...]]
) -> None:
    here, name = ("experiments", index), entry.name
    if name in RENAMED:
        raise ConfigError(f"experiment {name!r} is now called {RENAMED[name]!r}").at(*here, "name")
    _check_name("experiment", name, modules.available("experiments"), *here, "name")
    try:
        check_pixels(name, modules.constant("experiments", name, "FILLS_IN", False), config.model.norm_pixels)
    except MaestrataError as error:
        raise ConfigError(str(error)).at(*here, "name") from None
    known = modules.constant("experiments", name, "WORLDS", ())
    reads = modules.constant("experiments", name, "CELLS", False)
    patches = modules.constant("experiments", name, "PATCHES")
    defaults, ranges = (modules.constant("experiments", name, key, {}) for key in ("SETTINGS", "RANGES"))
    there = {(c.world, c.world_seed, c.seed) for c in cells if patches in (None, c.patch)}
    numbers = {key: getattr(config.evaluation, key) for key in ("test", "probe_train")}
    numbers |= {key: getattr(config.training, key) for key in ("batch", "images")}
    numbers |= {key: getattr(config.model, key) for key in ("depth", "heads")}
    for at, label in enumerate(entry.worlds):
        _check_name("world", label, config.worlds, *here, "worlds", at)
        world = world_of(config, label)
        needs = modules.constant("experiments", name, "NEEDS", "latents")
        if needs not in world.offers:
            message = f"{name} needs {needs}, which the images of world {label!r} do not have"
            raise ConfigError(message).at(*here, "worlds", at)
        if known and (kind := config.worlds[label].kind) not in known:
            message = f"world {label!r} is of kind {kind!r}; {name} knows: {', '.join(known)}"
            raise ConfigError(message).at(*here, "worlds", at)
        try:
            check_settings(name, entry.settings, defaults, ranges, world_of(config, label), numbers)
        except ExperimentError as error:
            key = error.key if error.key and error.key[0] in entry.settings else ()
            raise ConfigError(f"{error}, in world {label!r}").at(*here, "settings", *key) from None
        for place in product([label], entry.world_seeds, entry.seeds):
            if (name, *place) in asked:
                message = f"{name} in world {label!r}, world seed {place[1]}, seed {place[2]} is listed twice"
                raise ConfigError(message).at(*here)
            asked.add((name, *place))
            if reads and place not in there:
                message = (
                    f"{name} reads trained models, and the grid has none of world {label!r}, world seed "
                    f"{place[1]}, seed {place[2]}{f', mask patches {patches}' if patches else ''}; "
                    "`experiments: []` makes none of those that are inherited"
                )
                raise ConfigError(message).at(*here)


def _check_evaluation(config: Config) -> None:
    """Refuse an evaluation without the primary features, which claims and figures take."""
    for key, name in (("probes", "probe"), ("poolings", "pooling")):
        values = getattr(config.evaluation, key)
        if PRIMARY[name] not in values:
            raise ConfigError(
                f"{key}={list(values)} must hold {PRIMARY[name]!r}: claims and figures read that {name}"
            ).at("evaluation", key)
    for i, label in enumerate(config.evaluation.detail_worlds or ()):
        _check_name("world", label, config.worlds, "evaluation", "detail_worlds", i)


def _check_shown(config: Config) -> None:
    """Refuse figures and claims that do not exist, and figures of experiments that are not made."""
    roles = modules.constant("claims", "rule", "WORLDS")
    for role, label in config.claims.worlds.items():
        _check_name("role", role, roles, "claims", "worlds")
        _check_name("world", label, config.worlds, "claims", "worlds", role)
    made = {f"experiments/{entry.name}" for entry in config.experiments}
    for section, word, chosen in (("figures", "figure", config.figures), ("claims", "claim", config.claims)):
        for index, name in enumerate(() if isinstance(chosen.names, str) else chosen.names):
            here = (section, "names", index)
            _check_name(word, name, modules.available(section), *here)
            needs = modules.cubes_of("figures", name, "NEEDS") if section == "figures" else ()
            for cube in needs:
                if cube.startswith("experiments/") and cube not in made:
                    message = f"figure {name!r} needs the experiment {cube.partition('/')[2]!r}"
                    raise ConfigError(f"{message}, which is not among `experiments`").at(*here)
