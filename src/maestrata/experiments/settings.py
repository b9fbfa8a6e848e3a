"""What the settings of an experiment may be: the config and the step both ask here, before anything is made.

An experiment says in its constant ``RANGES`` what its settings may be: setting -> ``{"least": 2}``, with the
names of `maestrata.settings.Range`. A limit may be the name of another number, or a list of names of which
the smallest counts: a setting of the experiment, ``batch`` and ``images`` of the training, ``test`` and
``probe_train`` of the evaluation, ``depth`` and ``heads`` of the encoder, ``levels`` and ``n_tokens`` of the
world. What two settings must be to each
other is a function below.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from maestrata.cells import one_ratio
from maestrata.errors import ExperimentError, MaestrataError, one_of
from maestrata.masks import MaskPatches, border_tokens, evaluation_masks, mask_matrix, visible_count
from maestrata.settings import Range, check_values
from maestrata.worlds.base import World

__all__ = [
    "check_pixels",
    "check_settings",
    "fill_settings",
    "large_images",
    "middle_ratio",
]

Settings = Mapping[str, Any]


def fill_settings(name: str, given: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of an experiment: its defaults, with those given in their place.

    Raises
    ------
    ExperimentError
        If a setting is unknown, or of another type than its default (a whole number passes for a number; a
        list must be non-empty and of the default's kind of items).
    """
    for key in given:
        if key not in defaults:
            raise ExperimentError(f"experiment {name}: setting {one_of(key, defaults)}").at(key)
    settings = {key: _plain(given.get(key, default)) for key, default in defaults.items()}
    check_values(settings, defaults, {}, ExperimentError, f"experiment {name}: ")
    return settings


def check_settings(
    name: str,
    given: Mapping[str, Any],
    defaults: Mapping[str, Any],
    ranges: Mapping[str, Mapping[str, Any]],
    world: World,
    numbers: Mapping[str, int],
) -> dict[str, Any]:
    """Return the settings of an experiment, complete, if it can be made with them.

    Parameters
    ----------
    name : str
        Of the experiment.
    given : mapping
    defaults, ranges : mapping
        Its ``SETTINGS`` and ``RANGES``.
    world : World
        In which it is made.
    numbers : mapping
        ``batch``, ``images``, ``test``, ``probe_train``, ``depth`` and ``heads`` of the run.

    Raises
    ------
    ExperimentError
        As `fill_settings`, and if a setting is out of its range or does not fit another setting or the world;
        `key` names the setting.
    """
    owner = f"experiment {name}: "
    settings = fill_settings(name, given, defaults)  # types first: a limit may be another setting
    known: dict[str, float] = {"levels": world.levels, "n_tokens": world.grid.n_tokens, **numbers}
    known |= {key: value for key, value in settings.items() if isinstance(value, int | float)}
    limits = {key: _range(limit, known) for key, limit in ranges.items()}
    check_values(settings, defaults, limits, ExperimentError, owner)
    for key, value in settings.items():
        if "ratio" in key and isinstance(value, tuple):
            _check_ratios(owner, key, value)
    try:
        grid = (TOGETHER[name](settings, world) if name in TOGETHER else world).grid
        for label in settings.get("patches", ()):
            MaskPatches.parse(label, grid)
    except MaestrataError as error:
        raise ExperimentError(f"{owner}{error}").at(*error.key) from None
    return settings


def check_pixels(name: str, judged: bool, norm_pixels: bool) -> None:
    """Refuse to judge pixels that a model has not predicted.

    With `norm_pixels` a model predicts tokens up to their mean and deviation. To show them these are taken
    from the image, from what is masked: a score of such pixels would hold what the model could not see.

    Parameters
    ----------
    name : str
        Of the experiment.
    judged : bool
        Its ``FILLS_IN``: whether it judges pixels that a model fills in.
    norm_pixels : bool
        Of the model.

    Raises
    ------
    ExperimentError
        If both are true.
    """
    if judged and norm_pixels:
        raise ExperimentError(
            f"experiment {name}: judges the pixels that a model fills in, and with model.norm_pixels=true "
            "their mean and deviation are those of the masked original; it must be false"
        ).at("name")


def inner_share(world: World, patches: MaskPatches, visible: int, images: int) -> float:
    """Share of masked tokens that have no visible neighbour, over evaluation masks of a world.

    Raises
    ------
    ExperimentError
        If there are none: the loss without the others would be empty.
    """
    visible_ids, masked_ids = evaluation_masks(world.seed, patches, visible, images)
    shown = mask_matrix(visible_ids, world.grid.n_tokens)
    share = 1 - float(border_tokens(shown, world.grid).sum()) / masked_ids.size
    if share <= 0:
        raise ExperimentError(
            f"with {visible} of {patches.n_patches} patches {patches.label} visible every masked token is "
            "next to a visible one; choose larger patches or a larger mask_ratio"
        )
    return share


def inner_tokens(settings: Settings, world: World) -> World:
    """Refuse mask patches and a ratio that leave no masked token without a visible neighbour."""
    for label in settings["patches"]:
        patches = MaskPatches.parse(label, world.grid)
        inner_share(world, patches, visible_count(patches.n_patches, settings["mask_ratio"]), _LOOKED_AT)
    return world


def middle_ratio(settings: Settings, world: World) -> World:
    """Refuse a peak that is not among the ratios, or is the lowest or the highest of those realised."""
    n = MaskPatches(world.grid).n_patches
    counts = sorted({visible_count(n, ratio) for ratio in settings["mask_ratios"]}, reverse=True)
    peak = visible_count(n, settings["peak"])
    if not (peak in counts and counts[0] > peak > counts[-1]):
        raise ExperimentError(
            f"peak={settings['peak']} must be among mask_ratios={list(settings['mask_ratios'])}, and not the "
            f"lowest or the highest (visible patches: {peak} of {counts})"
        ).at("peak")
    return world


def large_images(settings: Settings, world: World) -> World:
    """Refuse a world whose images are too small for the similarity indices."""
    side = min(world.image_shape[1:])
    if side < WINDOW:
        raise ExperimentError(
            f"world {world.name!r} has images of {side} pixels a side; SSIM and FSIM need {WINDOW}"
        )
    return world


WINDOW = 11
"""Pixels across SSIM's Gaussian window, which has deviation 1.5; FSIM asks for no more."""

_LOOKED_AT = 1000  # masks by which it is judged whether any has such a token

TOGETHER: dict[str, Callable[[Settings, World], World]] = {
    "border": inner_tokens,
    "surrogate": middle_ratio,
    "reconstruction": large_images,
}
"""Experiment -> check of its settings together; it returns the world whose tokens its patches are of."""


def _range(limits: Mapping[str, Any], known: Mapping[str, float]) -> Range:
    numbers: dict[str, Any] = {
        key: value if key == "choices" or isinstance(value, int | float) else _number(value, known)
        for key, value in limits.items()
    }
    return Range(**{"distinct": True, **numbers})


def _number(names: str | list[str], known: Mapping[str, float]) -> float:
    return min(known[name] for name in ([names] if isinstance(names, str) else names))


def _check_ratios(owner: str, key: str, ratios: tuple[float, ...]) -> None:
    if len(set(one_ratio(ratios).values())) < len(ratios):
        raise ExperimentError(f"{owner}{key}={list(ratios)} must not name anything twice").at(key)


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
