"""Reading finished cubes, for claims and figures: no torch, nothing of how a run was made.

`CubeSet` holds the cubes of a run; `scores` takes those of the primary features from a regression cube;
`Select` declares one number a world, ``Select(...) - Select(...)`` a contrast; `summarise` and `t_interval`
sum up over worlds.
"""

from maestrata.results.cubes import CubeSet
from maestrata.results.numbers import Numbers, Row
from maestrata.results.primary import PRIMARY, PRIMARY_TEXT, last_layer, scores
from maestrata.results.select import Combined, Expression, Select, largest_of, mean_of, slope_of
from maestrata.results.statistics import MIN_WORLDS, over_worlds, t_interval
from maestrata.results.summary import Summary, summarise

__all__ = [
    "MIN_WORLDS",
    "PRIMARY",
    "PRIMARY_TEXT",
    "Combined",
    "CubeSet",
    "Expression",
    "Numbers",
    "Row",
    "Select",
    "Summary",
    "largest_of",
    "last_layer",
    "mean_of",
    "over_worlds",
    "scores",
    "slope_of",
    "summarise",
    "t_interval",
]
