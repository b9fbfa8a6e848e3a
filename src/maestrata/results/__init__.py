"""Reading finished cubes, for claims and figures: no torch, nothing of how a run was made.

`CubeSet` holds the cubes of a run; `scores` takes those of the primary features from a regression cube;
`Select` declares one number a world, ``Select(...) - Select(...)`` a contrast; a `Series` is a quantity along
arms, levels or cells, summed up over worlds.
"""

from maestrata.results.cubes import CubeSet
from maestrata.results.numbers import Numbers, Row, aligned
from maestrata.results.primary import PRIMARY, PRIMARY_TEXT, primary, scores
from maestrata.results.progress import GATES, UNGATED, Model
from maestrata.results.select import Combined, Expression, InRole, Select, largest_of, mean_of, slope_of
from maestrata.results.series import (
    Series,
    along,
    along_arms,
    along_cells,
    along_levels,
    cells,
    levels_with,
    numbered,
    root,
    sum_up,
    worlds_of,
)
from maestrata.results.statistics import LEAST_WORLDS, t_interval

__all__ = [
    "GATES",
    "LEAST_WORLDS",
    "PRIMARY",
    "PRIMARY_TEXT",
    "UNGATED",
    "Combined",
    "CubeSet",
    "Expression",
    "InRole",
    "Model",
    "Numbers",
    "Row",
    "Select",
    "Series",
    "aligned",
    "along",
    "along_arms",
    "along_cells",
    "along_levels",
    "cells",
    "largest_of",
    "levels_with",
    "mean_of",
    "numbered",
    "primary",
    "root",
    "scores",
    "slope_of",
    "sum_up",
    "t_interval",
    "worlds_of",
]
