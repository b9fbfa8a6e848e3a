"""Flags that several steps share: those of a world, of a cell, and of the settings of a dataclass."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import MISSING, Field, fields
from functools import partial
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from maestrata.settings import flag_of, read
from maestrata.worlds import make_of
from maestrata.worlds.base import World

T = TypeVar("T")


def add_world(parser: argparse.ArgumentParser) -> None:
    """Add the flags that name a world: ``--world`` (its label), ``--world-kind, -settings, -seed``."""
    parser.add_argument("--world", default=None, help="label of the world in the sweep (default: its kind)")
    parser.add_argument("--world-kind", required=True, help="name of the world, such as additive_tree")
    parser.add_argument("--world-settings", type=settings, default={}, help="settings as a JSON object")
    parser.add_argument("--world-seed", type=int, default=0, help="seed of the world's functions")
    # not there unless given: most worlds read no images
    given = partial(parser.add_argument, default=argparse.SUPPRESS)
    given("--world-path", type=Path, help="file or folder of a world's images")
    given("--world-data", type=settings, help="what they held when the run was planned, as JSON")


def read_world(args: argparse.Namespace) -> World:
    """Make the world that the flags of `add_world` name."""
    path, data = (getattr(args, f"world_{key}", None) for key in ("path", "data"))
    return make_of(args.world_kind, args.world_seed, args.world_settings, path and str(path), data)


def add_cell(parser: argparse.ArgumentParser) -> None:
    """Add the flags that name a cell within its world: ``--patch``, ``--visible``, ``--seed``."""
    parser.add_argument("--patch", required=True, help="mask patches, such as 2x1, or 2x1o for offset")
    parser.add_argument("--visible", type=int, required=True, help="visible patches in training")
    parser.add_argument("--seed", type=int, required=True, help="training seed")


def add_settings(parser: argparse.ArgumentParser, *classes: type, only: Sequence[str] = ()) -> None:
    """Add a flag for each setting of some dataclasses (`maestrata.settings`), as the workflow writes it.

    Parameters
    ----------
    parser : ArgumentParser
    *classes : type
        Dataclasses. A flag that is not given has the setting's default.
    only : sequence of str
        The settings that the step takes, where it does not take all.
    """
    for cls in classes:
        types = get_type_hints(cls)
        for each in fields(cls):
            if each.name in (only or types) and "description" in each.metadata:
                parser.add_argument(flag_of(each.name), **_options(each, types[each.name]))


def _options(setting: Field[Any], kind: Any) -> dict[str, Any]:
    """Return what `argparse` is told of a setting of a type."""
    default: Any = setting.default if setting.default_factory is MISSING else setting.default_factory()
    about: dict[str, Any] = {"help": setting.metadata["description"]}
    if get_origin(kind) is UnionType:  # of a type and None, which is the default
        kind = get_args(kind)[0]
    items = get_args(kind)
    if kind is bool:
        return about | {"action": "store_true"}
    if get_origin(kind) is tuple:
        many = "+" if Ellipsis in items else len(items)
        return about | {"type": items[0], "nargs": many, "default": default and list(default)}
    if get_origin(kind) is dict:
        return about | {"type": settings, "default": default}
    return about | {"type": kind, "default": default}


def read_settings(args: argparse.Namespace, cls: type[T]) -> T:
    """Return the settings that the flags of `add_settings` give; those without a flag have their defaults."""
    names = [each.name for each in fields(cls) if hasattr(args, each.name)]  # type: ignore[arg-type]
    return read(cls, {name: getattr(args, name) for name in names})


def settings(text: str) -> dict[str, Any]:
    """Read a JSON object from the command line, such as ``'{"dim": 4}'``."""
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise argparse.ArgumentTypeError(f"{text!r} must be a JSON object ({error})") from None
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError(f"{text!r} must be a JSON object")
    return value
