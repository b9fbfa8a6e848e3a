"""Compare finished cubes with published ones, cell by cell and score by score, within stated tolerances.

On the machine that made the published cubes all is equal to the bit. Another kind of processor sums in
another order, and what follows depends on what is compared. Default runs on an Intel and on an AMD processor
were compared, and their largest differences are what a tolerance is made of:

- Theory is arithmetic in double precision on masks drawn by integers: it agrees to about ten digits, and
  1e-9 catches every change of a formula. What rests on a decomposition of a covariance that is estimated
  from images (`supply`, `linear_r2`, ...) may lose some digits more: 1e-6.
- Limits and controls are R2 on 8,192 test images. An image whose symbol or label stands at an edge may
  change, one in thousands; and where features are reduced to principal components, rounding may decide which
  of two equal ones is kept: seen .001, allowed .003.
- A trained model amplifies rounding step by step, until two trainings differ like two draws of the last
  batches. What is told of one model may be the processor's: seen .36 of an R2, in one of twelve worlds, and
  half as much again is allowed. What is told of means over worlds is not: seen .030, allowed .06. Verdicts
  are made of these. The mean over all cells: seen .009, allowed .02.
- What a model explains differs by less than what is read from it: progress seen .033 of one model, allowed
  .1; mean .003, allowed .01.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from maestrata.cubes.io import open_cube
from maestrata.cubes.sweep import any_of
from maestrata.modules import constant
from maestrata.run.differences import Comparison, Pair, Tolerance, cell_name

if TYPE_CHECKING:
    import xarray as xr

    from maestrata.config.sections import World

KINDS = ("theory", "limits", "training", "regression")
TRAINED = frozenset(constant("regression", "encoders", "TRAINED"))
"""Encoders whose scores carry the rounding of a whole training."""

# keys of what a step was given that say which cell it was, not how it was made
_WHICH = frozenset(
    {"world", "world_kind", "world_settings", "world_seed", "patch", "visible", "seed", "masks", "images"}
)
_WHERE = frozenset({"checkpoint", "device", "kind"})


EXACT = Tolerance(1e-9, 1e-9)
DECOMPOSED = Tolerance(1e-6, 1e-6)
MEASURED = Tolerance(3e-3, encoders=dict.fromkeys(TRAINED, Tolerance(0.55, mean=0.06, overall=0.02)))
LOSS = Tolerance(0.0, 0.03)

TOLERANCES: dict[str, dict[str, Tolerance]] = {
    "theory": {
        **dict.fromkeys(("p_in_c", "number", "dim", "intrinsic_dim", "mean_level", "tied_share"), EXACT),
        **dict.fromkeys(("unique_share", "demand", "climb", "n_masks", "example_in_c"), EXACT),
        **dict.fromkeys(("closed_p_in_c", "closed_mean_level", "example_masked", "linear_rank"), EXACT),
        **dict.fromkeys(("supply", "supply_demand", "twin_rho", "linear_reach", "linear_r2"), DECOMPOSED),
    },
    "limits": {
        **dict.fromkeys(("r2", "r2_present", "accuracy", "explainable_share"), MEASURED),
        **dict.fromkeys(("bayes_loss", "bayes_loss_test"), Tolerance(1e-6, 2e-3)),
        "n_test": EXACT,
    },
    # the loss of a step is that of one batch: what is compared is its mean over the last tenth of the steps
    "training": {"loss": LOSS},
    "regression": {
        **dict.fromkeys(("r2", "accuracy"), MEASURED),
        "n_test": EXACT,
        "test_loss": LOSS,
        **dict.fromkeys(("test_variance", "test_bayes_loss"), Tolerance(1e-6, 2e-3)),
        "progress": Tolerance(0.1, mean=0.01),
    },
}
"""Kind -> variable -> how closely it must agree. Interval ends follow from these and are left out."""


def compare_run(folder: Path, reference: Path, worlds: Mapping[str, World]) -> list[Comparison]:
    """Compare the cubes of a finished run with published ones.

    Parameters
    ----------
    folder : Path
        Of the run's cubes.
    reference : Path
        Of the published cubes: one ``KIND.nc`` for each of `KINDS` that is to be compared.
    worlds : mapping of str to World
        Worlds of the run's config.

    Returns
    -------
    list of Comparison
        For each kind that both folders hold.

    Raises
    ------
    CubeError
        If a cube cannot be read.
    """
    pairs = {kind: (folder / f"{kind}.nc", reference / f"{kind}.nc") for kind in KINDS}
    cubes = {
        kind: (open_cube(here), open_cube(there))
        for kind, (here, there) in pairs.items()
        if here.is_file() and there.is_file()
    }
    return [
        compare_cubes(kind, *pair, worlds, cubes.get("training") if kind == "regression" else None)
        for kind, pair in cubes.items()
    ]


def compare_cubes(
    kind: str,
    here: xr.Dataset,
    there: xr.Dataset,
    worlds: Mapping[str, World],
    training: tuple[xr.Dataset, xr.Dataset] | None = None,
) -> Comparison:
    """Compare two cubes of a kind.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    here, there : xarray.Dataset
        The run's cube, and the published one.
    worlds : mapping of str to World
        Worlds of the run's config: one with other settings than the published run had is not compared.
    training : pair of xarray.Dataset, optional
        Cubes of kind training of the two runs: scores follow from the settings of the training too.
    """
    import xarray as xr

    result = Comparison(kind)
    result.versions = _other_versions(here, there)
    settings = [_settings(cube) for cube in (here, there)]
    for stated, cube in zip(settings, training or (), strict=False):
        stated |= _settings(cube)
    for key in sorted(settings[0].keys() & settings[1].keys() - _WHICH - _WHERE):
        if settings[0][key] != settings[1][key]:
            values = [json.dumps(s[key], sort_keys=True) for s in settings]
            result.apart.append(
                f"{kind} not compared: {key} is {values[0]} here, {values[1]} in the reference"
            )
    if result.apart:
        return result
    same = [str(w) for w in here.world.values if w in there.world.values]
    for world in list(same):
        if world in worlds and not _is_among(world, worlds[world], there):
            entry = f"{worlds[world].kind} {json.dumps(worlds[world].settings, sort_keys=True)}"
            result.apart.append(f"{kind}: world {world} not compared: it is not {entry} in the reference")
            same.remove(world)
    if not same:
        return result
    here, there = here.sel(world=same), there.sel(world=same)
    trained_alike = _trained_alike(here, there, result) if "images_seen" in here else None
    compared: set[tuple[Any, ...]] = set()
    for name, tolerance in TOLERANCES[kind].items():
        if name not in here or name not in there:
            continue
        mine, theirs = here[name], there[name]
        if "record" in mine.dims:
            mine, theirs = _end(mine), _end(theirs)
        mine, theirs = xr.align(mine, theirs, join="inner")
        if trained_alike is not None:
            mine, theirs = mine.where(trained_alike), theirs.where(trained_alike)
        pair = Pair.of(name, mine, theirs)
        result.values += int(pair.both.sum())
        result.equal += int((pair.both & (pair.difference == 0)).sum())
        result.largest |= pair.largest()
        for each in (pair, pair.means(), pair.overall()):
            lines = each.differing(each.allowed(tolerance), here)
            result.differing += [f"{kind}: {line}" for line in lines]
        compared |= pair.cells()
    # what holds for a whole world is no cell of its own
    longest = max(map(len, compared), default=0)
    result.cells = sum(len(cell) == longest for cell in compared)
    return result


def _other_versions(here: xr.Dataset, there: xr.Dataset) -> str:
    """Say which packages had other versions, if any had; a development version is no difference."""
    made = [cube.attrs.get("parts_versions", cube.attrs.get("versions", "")) for cube in (here, there)]
    if any(text.startswith("[") or not text for text in made):
        return ""
    one, other = (dict(part.rsplit(" ", 1) for part in text.split(", ")) for text in made)
    return ", ".join(
        f"{name} {one[name]} here, {other[name]} there"
        for name in one.keys() & other.keys()
        if one[name].split("+")[0] != other[name].split("+")[0]
    )


def _settings(cube: xr.Dataset) -> dict[str, Any]:
    """What the files of a cube say that they were made with."""
    return dict(json.loads(cube.attrs.get("parts_config", "{}")))


def _is_among(label: str, world: World, cube: xr.Dataset) -> bool:
    """Tell whether a cube's world of this label has the kind and settings of `world`.

    Older cubes have no ``parts_worlds``: they name all kinds and all settings, without the label.
    """
    if "parts_worlds" in cube.attrs:
        known = json.loads(cube.attrs["parts_worlds"]).get(label)
        return known is None or known == {"kind": world.kind, "settings": world.settings}
    stated = _settings(cube)
    pairs = {"world_kind": world.kind, "world_settings": world.settings}
    return all(value in any_of(stated.get(key, value)) for key, value in pairs.items())


def _trained_alike(here: xr.Dataset, there: xr.Dataset, result: Comparison) -> xr.DataArray:
    """Which cells both have, trained on as many images; those with other numbers are told."""
    import xarray as xr

    one, other = xr.align(_images(here), _images(there), join="inner")
    unlike = (one.values != other.values) & (one.values > 0) & (other.values > 0)
    for at in map(tuple, np.argwhere(unlike)):
        labels = {str(dim): one[dim].values[i].item() for dim, i in zip(one.dims, at, strict=True)}
        result.apart.append(
            f"{result.kind}: {cell_name(labels, here)} not compared: trained on {one.values[at]:,.0f} images "
            f"here, {other.values[at]:,.0f} in the reference"
        )
    return (one == other) & (one > 0)


def _images(cube: xr.Dataset) -> xr.DataArray:
    """Images that each cell was trained on; 0 where there is none."""
    images = cube["images_seen"]
    return (images.max("record") if "record" in images.dims else images).fillna(0)


def _end(loss: xr.DataArray) -> xr.DataArray:
    """Mean over the last tenth of the steps that each cell recorded."""
    import xarray as xr

    recorded = loss.notnull().sum("record")
    step = xr.DataArray(np.arange(loss.sizes["record"]), dims="record")
    return loss.where(step >= 0.9 * recorded).mean("record")
