"""Joining a sweep's files into cubes, one file at a time: memory stays that of one cell.

The axes of a cube are those of the manifest and of all files that are there, so a sweep that is not
finished gives a cube too: NaN, and `status`, where a file is missing. A file that is there but damaged is
an error, not a missing cell.

The axes are taken from one file of each group; a file that widens them starts the filling anew.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from maestrata.cubes.fields import DONE, MISSING, PROGRESS
from maestrata.cubes.manifest import Entry, Manifest
from maestrata.cubes.netcdf import CubeFile, write
from maestrata.cubes.part import Part
from maestrata.cubes.schema import AXES, KINDS, SCORE
from maestrata.cubes.scores import CellScores
from maestrata.cubes.sweep import Arrays, Grid, Scan
from maestrata.errors import CubeError, one_of

__all__ = ["COLLECTED", "collect"]

_SCORES = ("r2", "r2_low", "r2_high", "accuracy", "n_test")


def collect(
    kind: str, manifest: Manifest, path: str | os.PathLike[str], provenance: Mapping[str, str] | None = None
) -> dict[str, int]:
    """Join the files of a sweep into the cube of a kind.

    Parameters
    ----------
    kind : {"regression", "training", "reconstructions", "theory", "limits", "experiments"}
    manifest : Manifest
    path : path-like
        The cube.
    provenance : mapping of str to str, optional
        Of the joining; what the parts say of theirs is summed up beside it, as ``parts_...``.

    Returns
    -------
    dict of str to int
        Of cells: how many places of the grid are ``done`` and how many ``missing`` (a model of two asked
        ratios has two). Of worlds: the same of files.

    Raises
    ------
    CubeError
        If none of the files is there, one is damaged, or two do not fit together.
    """
    if kind not in COLLECTED:
        raise CubeError(f"{path}: kind {one_of(kind, COLLECTED)}")
    return COLLECTED[kind](kind, manifest, str(path), dict(provenance or {}))


class _Grown(Exception):
    """A file holds labels or lengths that the cube being filled has no room for."""


def _fill(attempt: Callable[[], dict[str, int]]) -> dict[str, int]:
    """Fill a cube anew whenever a file widens its axes.

    Nearly always the first file of each group tells them all, so that every file is opened once only.
    """
    while True:
        try:
            return attempt()
        except _Grown:
            continue


def _groups(paths: Mapping[Entry, Path], key: Callable[[Entry], Any]) -> dict[Any, list[Path]]:
    groups: dict[Any, list[Path]] = {}
    for entry, path in paths.items():
        groups.setdefault(key(entry), []).append(path)
    return groups


def _regression(kind: str, manifest: Manifest, where: str, provenance: dict[str, str]) -> dict[str, int]:
    scores = {entry: manifest.path("scores", entry.cell) for entry in manifest.entries}
    controls: dict[Entry, Path] = {}
    if "controls" in manifest.paths:
        controls = {entry: manifest.path("controls", entry.cell) for entry in manifest.entries}
    scan = Scan("scores", where)
    scan.start(_groups(scores, lambda entry: entry.cell.world))

    def attempt() -> dict[str, int]:
        grid = Grid(manifest.entries, where)
        coords = {axis: scan.coords[axis] for axis in SCORE}
        names = [name for name in _SCORES if name in scan.names]
        variables = [
            n for n, v in KINDS[kind].variables.items() if not v.optional or n in (*names, *PROGRESS)
        ]
        whole = {name: np.full(grid.shape, np.nan) for name in ("images_seen", *PROGRESS)}
        with CubeFile(where, kind, {**grid.coords, **coords}, {}, variables, {}, provenance) as cube:
            shared = CellScores(coords, names)
            shared_path: Path | None = None
            # Cells that share controls follow each other, so that those are read once.
            for entry in sorted(manifest.entries, key=lambda e: str(controls.get(e))):
                if not scores[entry].is_file():
                    continue
                control = controls.get(entry)
                if control is not None and control != shared_path:
                    shared, shared_path = CellScores(coords, names), control
                    if control.is_file():
                        _add(shared, control, scan)
                joined = CellScores(coords, names, shared)
                _add(joined, scores[entry], scan)
                for at in grid.index(entry):
                    for name, values in joined.values.items():
                        cube.put(name, values, at)
                    for name, value in ({"images_seen": entry.images} | joined.progress).items():
                        whole[name][at] = value
                    grid.status[at] = DONE
            cube.annotate(scan.provenance())
            return _finish(cube, grid, whole)

    return _fill(attempt)


def _add(to: CellScores, path: Path, scan: Scan) -> None:
    with Part(path, scan.kind) as part:
        if scan.look(part):
            raise _Grown
        to.add(part)


def _per_cell(kind: str, manifest: Manifest, where: str, provenance: dict[str, str]) -> dict[str, int]:
    """Join files that hold arrays of their own, padded with NaN to the longest."""
    source = {"training": "history", "reconstructions": "reconstruction"}[kind]
    names = [name for name in KINDS[source].variables if name in KINDS[kind].variables]
    paths = {entry: manifest.path(source, entry.cell) for entry in manifest.entries}
    scan = Scan(source, where)
    scan.start(_groups(paths, lambda entry: (entry.cell.world, entry.cell.patch, entry.cell.visible)))

    def attempt() -> dict[str, int]:
        grid = Grid(manifest.entries, where)
        sizes = {"record" if dim == "step" else dim: size for dim, size in scan.sizes.items()}
        with CubeFile(where, kind, grid.coords, sizes, None, {}, provenance) as cube:
            for entry, path in paths.items():
                if not path.is_file():
                    continue
                with Part(path, source) as part:
                    # Steps may differ between cells; only their number matters here.
                    if scan.look(part) and any(
                        sizes.get(d, 0) < n for d, n in part.sizes.items() if d != "step"
                    ):
                        raise _Grown
                    if part.sizes.get("step", 0) > sizes.get("record", 0):
                        raise _Grown
                    data = {name: part.read(name).astype(np.float64) for name in names}
                for at in grid.index(entry):
                    for name, values in data.items():
                        cube.put(name, values, (*at, *(slice(0, n) for n in values.shape)))
                    grid.status[at] = DONE
            cube.annotate(scan.provenance())
            return _finish(cube, grid, {})

    return _fill(attempt)


def _finish(cube: CubeFile, grid: Grid, arrays: Arrays) -> dict[str, int]:
    for name, values in (grid.beside | arrays | {"status": grid.status}).items():
        cube.put(name, values)
    return {"done": int((grid.status == DONE).sum()), "missing": int((grid.status == MISSING).sum())}


def _per_world(kind: str, manifest: Manifest, where: str, provenance: dict[str, str]) -> dict[str, int]:
    """Join small files that are cubes of one world each, by their labels."""
    paths = list(dict.fromkeys(manifest.path(kind, entry.cell) for entry in manifest.entries))
    scan = Scan(kind, where)
    there = [path for path in paths if path.is_file()]
    scan.start({path: [path] for path in there} or {None: paths})
    # Replicates stay in the files of a world.
    declared = {
        n: v for n, v in KINDS[kind].variables.items() if n in scan.names and all(d in AXES for d in v.dims)
    }
    coords = dict(scan.coords)
    # Worlds in the order of the config, as in the other cubes.
    order = [entry.cell.world for entry in manifest.entries]
    coords["world"] = sorted(coords["world"], key=lambda w: (order.index(w) if w in order else len(order), w))
    joined = {name: np.full([len(coords[d]) for d in v.dims], np.nan) for name, v in declared.items()}
    for path in there:
        with Part(path, kind) as part:
            for name in filter(declared.__contains__, part.names):
                values = part.read(name).astype(np.float64)
                index = np.ix_(*part.places(declared[name].dims, coords))
                old = joined[name][index]
                clash = np.isfinite(old) & np.isfinite(values) & (old != values)
                if clash.any():
                    raise CubeError(
                        f"{path}: {name}={values[clash].flat[0]}, in another file {old[clash].flat[0]}; "
                        "files of a kind must agree where they overlap"
                    )
                joined[name][index] = np.where(np.isnan(values), old, values)
    whole = {name: v.astype(np.int64) if declared[name].dtype == "int64" else v for name, v in joined.items()}
    write(where, kind, coords, whole, scan.attrs, provenance | scan.provenance())
    return {"done": len(there), "missing": len(paths) - len(there)}


COLLECTED: dict[str, Callable[[str, Manifest, str, dict[str, str]], dict[str, int]]] = {
    "regression": _regression,
    "training": _per_cell,
    "reconstructions": _per_cell,
    "theory": _per_world,
    "limits": _per_world,
    "experiments": _per_world,
}
"""Kinds that are joined from others, and how."""
