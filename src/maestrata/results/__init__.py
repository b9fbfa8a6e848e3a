"""Reading finished cubes, for claims and figures: no torch, nothing of how a run was made.

`CubeSet` holds the cubes of a run; `scores` takes those of the primary features from a regression cube;
`summarise` and `t_interval` sum up over worlds.
"""

from maestrata.results.cubes import CubeSet
from maestrata.results.primary import PRIMARY, PRIMARY_TEXT, last_layer, scores
from maestrata.results.statistics import MIN_WORLDS, nanmean, over_worlds, t_interval
from maestrata.results.summary import Summary, summarise

__all__ = [
    "MIN_WORLDS",
    "PRIMARY",
    "PRIMARY_TEXT",
    "CubeSet",
    "Summary",
    "last_layer",
    "nanmean",
    "over_worlds",
    "scores",
    "summarise",
    "t_interval",
]
