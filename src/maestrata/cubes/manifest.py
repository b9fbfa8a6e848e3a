"""The manifest: which cells a sweep has, and where their files are. JSON, written by the workflow.

.. code-block:: json

    {"paths": {"scores": "results/x/cells/{world}/w{world_seed}/p{patch}/v{visible}/s{seed}/scores.nc",
               "controls": "results/x/controls/{world}/w{world_seed}/s{seed}.nc"},
     "cells": [{"world": "additive", "world_seed": [0, 1], "patch": "2x1", "visible": 4,
                "mask_ratio": [0.5], "realised_ratio": 0.5, "seed": 0, "images": 240000}]}

A path is a template over ``world, world_seed, patch, visible, seed``. ``world_seed`` and ``seed`` may be
lists, and an entry then stands for their product, so that ten thousand cells fit on a command line. Entries
of ``world, world_seed, seed`` alone are for what is no cell's: the files of an experiment.
"""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from maestrata.cells import Cell, PatchShape
from maestrata.errors import CubeError, MaskError, one_of

__all__ = ["Entry", "Manifest"]

_PATHS = ("scores", "controls", "history", "reconstruction", "theory", "limits", "experiments")
_PLACE = ("world", "world_seed", "seed")
_FIELDS = ("world", "world_seed", "patch", "visible", "mask_ratio", "realised_ratio", "seed", "images")


@dataclass(frozen=True)
class Entry:
    """A cell, and what its cube says beside its labels.

    Attributes
    ----------
    cell : Cell
    shape : PatchShape
        Of its mask patches.
    mask_ratios : tuple of float
        The asked ratios that it stands for.
    realised_ratio : float
    images : int
        Training images.
    """

    cell: Cell
    shape: PatchShape
    mask_ratios: tuple[float, ...]
    realised_ratio: float
    images: int


@dataclass(frozen=True)
class Manifest:
    """Entries of a sweep, one a cell, and templates of their files' paths."""

    paths: dict[str, str]
    entries: tuple[Entry, ...]

    @classmethod
    def parse(cls, text: str, where: str = "manifest") -> Manifest:
        """Read a manifest.

        Parameters
        ----------
        text : str
            JSON.
        where : str
            Named in errors.

        Raises
        ------
        CubeError
            Naming the entry, the value and what is allowed.
        """
        try:
            content = json.loads(text)
        except json.JSONDecodeError as error:
            raise CubeError(f"{where}: is not JSON: {error}") from None
        if not isinstance(content, dict) or set(content) != {"paths", "cells"}:
            raise CubeError(f"{where}: must be a JSON object with the keys 'paths' and 'cells'")
        paths = content["paths"]
        if not isinstance(paths, dict):
            raise CubeError(f"{where}: paths must be a JSON object, not {paths!r}")
        for kind, template in paths.items():
            if kind not in _PATHS:
                raise CubeError(f"{where}: paths: {one_of(kind, _PATHS)}")
            try:
                _fill(template, Cell("w", 0, "1x1", 1, 0))
            except (KeyError, IndexError, ValueError, AttributeError) as error:
                raise CubeError(f"{where}: paths.{kind}={template!r} is no template ({error!r})") from None
        entries = content["cells"]
        if not isinstance(entries, list) or not entries:
            raise CubeError(f"{where}: cells must be a list of at least one entry")
        expanded = [one for i, entry in enumerate(entries) for one in _expand(entry, f"{where}: cells[{i}]")]
        return cls(dict(paths), tuple(expanded))

    @property
    def cells(self) -> tuple[Cell, ...]:
        """The cells alone."""
        return tuple(entry.cell for entry in self.entries)

    def path(self, kind: str, cell: Cell) -> Path:
        """Return where the file of a kind is for a cell."""
        if kind not in self.paths:
            raise CubeError(
                f"manifest: paths has no {kind!r}, which this cube is made from; given: {list(self.paths)}"
            )
        return _fill(self.paths[kind], cell)


def _fill(template: str, cell: Cell) -> Path:
    return Path(template.format(**cell.json))


def _expand(entry: Any, where: str) -> list[Entry]:
    if isinstance(entry, dict) and set(entry) == set(_PLACE):  # what is of a world, and of no cell in it
        entry = {"patch": "1x1", "visible": 1, "mask_ratio": 0.5, "realised_ratio": 0.5, "images": 0} | entry
    if not isinstance(entry, dict) or set(entry) != set(_FIELDS):
        raise CubeError(
            f"{where}: must be an object with exactly the keys {', '.join(_FIELDS)}, or {', '.join(_PLACE)}"
        )
    try:
        shape = PatchShape.parse(entry["patch"])
    except MaskError as error:
        raise CubeError(f"{where}: {error}") from None
    ratios = tuple(_numbers(entry, "mask_ratio", int | float, where))
    for ratio in (*ratios, entry["realised_ratio"]):
        if not isinstance(ratio, int | float) or not 0 < ratio < 1:
            raise CubeError(f"{where}: ratio {ratio!r} must lie in (0, 1)")
    product = itertools.product(
        _numbers(entry, "world_seed", int, where), _numbers(entry, "seed", int, where)
    )
    visible, images = (_numbers(entry, key, int, where)[0] for key in ("visible", "images"))
    world, realised = str(entry["world"]), float(entry["realised_ratio"])
    return [
        Entry(
            Cell(world, world_seed, shape.label, visible, seed),
            shape,
            tuple(map(float, ratios)),
            realised,
            images,
        )
        for world_seed, seed in product
    ]


def _numbers(entry: dict[str, Any], key: str, types: Any, where: str) -> list[Any]:
    value = entry[key]
    values = value if isinstance(value, list) else [value]
    for item in values:
        if not isinstance(item, types) or isinstance(item, bool) or item < 0:
            raise CubeError(f"{where}: {key}={value!r} must be a number of at least 0, or a list of them")
    if not values:
        raise CubeError(f"{where}: {key} must not be empty")
    return values
