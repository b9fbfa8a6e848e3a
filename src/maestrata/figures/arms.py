"""What figures of experiments share: curves of the models of a sweep, and lines of what no ratio changes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import xarray as xr
from matplotlib.axes import Axes

from maestrata.figures.looks import UNTRAINED, Look, ratio_looks
from maestrata.figures.sheet import Sheet, level_axis
from maestrata.results import along_arms, along_levels, cells, worlds_of

START = "random_init"


def measured(*cubes: xr.Dataset | None) -> list[str]:
    """List the worlds of some cubes of experiments in which anything was measured; one at least."""
    there = [
        world
        for world in worlds_of(*cubes)
        if any(cube["value"].sel(world=world).notnull().any() for cube in cubes if cube is not None
               and world in cube["world"].values)
    ]  # fmt: skip
    return there or worlds_of(*cubes)[:1]


class ByRatio:
    """Models of mask patches of one token, with one look a masking ratio.

    Parameters
    ----------
    cube : Dataset
        Of an experiment.
    worlds : iterable of str

    Attributes
    ----------
    models : dict
        World -> arm -> ratio.
    looks : dict
        Ratio -> look.
    """

    def __init__(self, cube: xr.Dataset, worlds: Iterable[str]) -> None:
        self.cube = cube
        self.models: Mapping[str, Mapping[str, float]] = {world: cells(cube, world) for world in worlds}
        self.looks = ratio_looks(ratio for ratios in self.models.values() for ratio in ratios.values())

    @property
    def legend(self) -> list[Look]:
        """What names the curves."""
        return [*self.looks.values(), UNTRAINED]

    def draw(self, sheet: Sheet, axes: Axes, world: str, quantity: str, x_name: str) -> None:
        """Draw a quantity by level: the untrained encoder, and a curve a ratio."""
        sheet.plot(axes, along_levels(self.cube, world, START, quantity), UNTRAINED)
        for arm, ratio in self.models[world].items():
            sheet.plot(axes, along_levels(self.cube, world, arm, quantity), self.looks[ratio])
        level_axis(axes, x_name)


def references(
    sheet: Sheet,
    axes: Axes,
    cube: xr.Dataset | None,
    world: str,
    quantity: str,
    names: Iterable[str],
    level: int = 0,
    stem: str = "",
) -> None:
    """Draw a quantity of arms that do not depend on the ratio, ``stem + name``, as lines."""
    for name in names:
        sheet.reference(axes, along_arms(cube, world, quantity, {f"{stem}{name}": 0.0}, level), name)
