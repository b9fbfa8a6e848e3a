"""A sweep's axes: of its cells, from the manifest, and of its files, from those that are there."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maestrata.cubes.fields import MISSING
from maestrata.cubes.manifest import Entry
from maestrata.cubes.part import Part
from maestrata.cubes.schema import AXES, CELL, KINDS
from maestrata.errors import CubeError

__all__ = ["Grid", "Scan", "any_of", "merge_configs", "ordered", "stated"]

Arrays = dict[str, NDArray[Any]]


class Grid:
    """Axes of the cells, and where each cell stands on them."""

    def __init__(self, entries: Sequence[Entry], where: str) -> None:
        cells = [entry.cell for entry in entries]
        self.coords: dict[str, list[Any]] = {
            "world": list(dict.fromkeys(c.world for c in cells)),
            "world_seed": sorted({c.world_seed for c in cells}),
            "patch_size": sorted({e.shape.size for e in entries}),
            "offset": sorted({int(e.shape.offset) for e in entries}),
            "mask_ratio": sorted({r for e in entries for r in e.mask_ratios}),
            "seed": sorted({c.seed for c in cells}),
        }
        self._at = {axis: {v: i for i, v in enumerate(values)} for axis, values in self.coords.items()}
        self.shape = tuple(len(self.coords[axis]) for axis in CELL)
        self.status = np.zeros(self.shape, np.int8)
        n = {axis: len(values) for axis, values in self.coords.items()}
        self.beside: Arrays = {
            "patch_height": np.zeros(n["patch_size"], np.int64),
            "patch_width": np.zeros(n["patch_size"], np.int64),
            "realised_ratio": np.full(
                (n["patch_size"], n["offset"], n["mask_ratio"], n["world"]), np.nan, np.float64
            ),
        }
        for entry in entries:
            for at in self.index(entry):
                if self.status[at]:
                    raise CubeError(
                        f"{where}: two cells stand at {dict(zip(CELL, self.labels(at), strict=True))}"
                    )
                self.status[at] = MISSING
                self._describe(entry, at, where)

    def index(self, entry: Entry) -> list[tuple[int, ...]]:
        """Positions of a cell: one for each asked ratio that it stands for."""
        cell, shape = entry.cell, entry.shape
        places = (
            (cell.world, cell.world_seed, shape.size, int(shape.offset), ratio, cell.seed)
            for ratio in entry.mask_ratios
        )
        return [
            tuple(self._at[axis][value] for axis, value in zip(CELL, place, strict=True)) for place in places
        ]

    def labels(self, at: tuple[int, ...]) -> list[Any]:
        """Labels of a position."""
        return [self.coords[axis][i] for axis, i in zip(CELL, at, strict=True)]

    def _describe(self, entry: Entry, at: tuple[int, ...], where: str) -> None:
        world, _, patch, offset, ratio, _ = at
        described = (
            ("patch_height", (patch,), entry.shape.height),
            ("patch_width", (patch,), entry.shape.width),
            ("realised_ratio", (patch, offset, ratio, world), entry.realised_ratio),
        )
        for name, position, value in described:
            old = self.beside[name][position]
            if old not in (0, value) and not np.isnan(old):
                raise CubeError(
                    f"{where}: {name} is {old} and {value} at {entry.shape.size} tokens a patch "
                    f"({entry.cell.patch}, ratios {list(entry.mask_ratios)}, world {entry.cell.world}); "
                    "a cube holds one"
                )
            self.beside[name][position] = value


class Scan:
    """Axes, sizes and variables of the files looked at so far, and what they say of themselves.

    Parameters
    ----------
    kind : str
        Kind of the files.
    where : str
        Named in errors.
    """

    def __init__(self, kind: str, where: str) -> None:
        self.kind = kind
        self.where = where
        self.sizes: dict[str, int] = {}
        self.names: set[str] = set()
        self.attrs: dict[str, Any] = {}
        self._axes: dict[str, dict[Any, None]] = {}  # labels in the order in which they were met
        self._said: dict[str, dict[str, None]] = {}

    def start(self, groups: Mapping[Any, Sequence[Path]]) -> None:
        """Look at the first file there is of each group, or raise `CubeError` if there is none at all."""
        firsts = [next((p for p in paths if p.is_file()), None) for paths in groups.values()]
        for path in filter(None, firsts):
            with Part(path, self.kind) as part:
                self.look(part)
        if not any(firsts):
            n = sum(len(paths) for paths in groups.values())
            first = next(iter(groups.values()))[0]
            raise CubeError(
                f"{self.where}: none of the {n} files of kind {self.kind!r} is there, such as {first}"
            )

    def look(self, part: Part) -> bool:
        """Take note of an open file; tell whether it holds labels, lengths or variables that are new.

        Raises
        ------
        CubeError
            If an attribute that the kind requires is another than in a file before.
        """
        for name in KINDS[self.kind].attrs:
            here, before = part.attrs[name], self.attrs.setdefault(name, part.attrs[name])
            if here != before:
                raise CubeError(f"{part.path}: {name}={here!r}, in another file {before!r}")
        for name in ("fingerprint", "versions", "device", "threads", "config"):
            if isinstance(part.attrs.get(name), str):
                self._said.setdefault(name, {})[part.attrs[name]] = None
        grown = not self.names >= set(part.names)
        self.names |= set(part.names)
        for axis, values in part.coords.items():
            known = self._axes.setdefault(axis, {})
            n_known = len(known)
            known |= dict.fromkeys(values.tolist())
            grown |= len(known) > n_known
        for dim, size in part.sizes.items():
            grown |= size > self.sizes.get(dim, 0)
            self.sizes[dim] = max(size, self.sizes.get(dim, 0))
        return grown

    @property
    def coords(self) -> dict[str, list[Any]]:
        """Labels of every axis, in order."""
        return {axis: ordered(axis, values) for axis, values in self._axes.items()}

    def provenance(self) -> dict[str, str]:
        """What the parts say: one value where they agree, else a JSON list; of configs, key by key.

        Beside that ``parts_worlds``: kind and settings of each world, by label, as JSON.
        """
        out = {}
        for name, texts in self._said.items():
            if name == "config" and all(t.startswith("{") for t in texts):
                configs = [json.loads(t) for t in texts]
                out["parts_config"] = json.dumps(merge_configs(configs), sort_keys=True)
                out["parts_worlds"] = json.dumps(_worlds(configs), sort_keys=True)
            else:
                out[f"parts_{name}"] = next(iter(texts)) if len(texts) == 1 else json.dumps(sorted(texts))
        return out


def merge_configs(configs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Value of each key where all agree, else ``{"any of": the values that occur}``."""
    values: dict[str, dict[str, Any]] = {}
    for config in configs:
        for key, stated in config.items():
            for value in any_of(stated):
                values.setdefault(key, {})[json.dumps(value, sort_keys=True)] = value
    return {
        key: next(iter(each.values())) if len(each) == 1 else {"any of": [each[t] for t in sorted(each)]}
        for key, each in values.items()
    }


def any_of(stated: Any) -> list[Any]:
    """Values that `merge_configs` gives for a key."""
    return list(stated["any of"]) if isinstance(stated, dict) and set(stated) == {"any of"} else [stated]


def stated(attrs: Mapping[str, Any], key: str) -> list[Any]:
    """Values of a key that the parts of a cube say they were made with; none where they do not say."""
    config = json.loads(attrs.get("parts_config", "{}"))
    return any_of(config[key]) if key in config else []


def _worlds(configs: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Kind and settings of each world, by its label: key by key they are told without it."""
    return {
        config["world"]: {"kind": config["world_kind"], "settings": config.get("world_settings", {})}
        for config in configs
        if config.get("world") is not None and "world_kind" in config
    }


def ordered(axis: str, values: Mapping[Any, None]) -> list[Any]:
    """Labels in order: numbers rising; names in the order of the schema, or of the files."""
    declared = AXES[axis]
    if declared.allowed:
        return [v for v in declared.allowed if v in values]
    return list(values) if declared.dtype == "str" else sorted(values)
