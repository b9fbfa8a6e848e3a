"""What masked and visible part must share, computed: on any graph, for any mask, without training.

Exports are resolved when first used. docs/theory.md tells what each computes and where it comes from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from maestrata.modules import lazy

if TYPE_CHECKING:
    from maestrata.graphs import LatentGraph
    from maestrata.theory.climb import climb_of_masks, demand
    from maestrata.theory.distributions import mask_distribution, tree_graph
    from maestrata.theory.ensembles import MaskEnsemble, mask_ensemble
    from maestrata.theory.linear import LinearMAE, linear_mae
    from maestrata.theory.profiles import level_profile
    from maestrata.theory.shared import SharedInformation, shared_information
    from maestrata.theory.supply import supply_of_masks

__all__ = [
    "LatentGraph",
    "LinearMAE",
    "MaskEnsemble",
    "SharedInformation",
    "climb_of_masks",
    "demand",
    "level_profile",
    "linear_mae",
    "mask_distribution",
    "mask_ensemble",
    "shared_information",
    "supply_of_masks",
    "tree_graph",
]

_EXPORTS = {
    "LatentGraph": "maestrata.graphs",
    "LinearMAE": "maestrata.theory.linear",
    "MaskEnsemble": "maestrata.theory.ensembles",
    "SharedInformation": "maestrata.theory.shared",
    "climb_of_masks": "maestrata.theory.climb",
    "demand": "maestrata.theory.climb",
    "level_profile": "maestrata.theory.profiles",
    "linear_mae": "maestrata.theory.linear",
    "mask_distribution": "maestrata.theory.distributions",
    "mask_ensemble": "maestrata.theory.ensembles",
    "shared_information": "maestrata.theory.shared",
    "supply_of_masks": "maestrata.theory.supply",
    "tree_graph": "maestrata.theory.distributions",
}

__getattr__ = lazy(__name__, _EXPORTS)


def __dir__() -> list[str]:
    return sorted(__all__)
