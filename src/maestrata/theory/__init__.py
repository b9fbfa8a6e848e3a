"""What masked and visible part must share, computed: on any graph, for any mask, without training.

Exports are resolved when first used. docs/theory.md tells what each computes and where it comes from.
"""

from __future__ import annotations

from maestrata.modules import lazy

_EXPORTS = {
    "LatentGraph": "maestrata.graphs",
    "LinearMAE": "maestrata.theory.linear",
    "MaskEnsemble": "maestrata.theory.ensembles",
    "SharedInformation": "maestrata.theory.shared",
    "climb_of_masks": "maestrata.theory.supply",
    "demand": "maestrata.theory.supply",
    "level_profile": "maestrata.theory.profiles",
    "linear_mae": "maestrata.theory.linear",
    "mask_distribution": "maestrata.theory.distributions",
    "mask_ensemble": "maestrata.theory.ensembles",
    "shared_information": "maestrata.theory.shared",
    "supply_of_masks": "maestrata.theory.supply",
    "tree_graph": "maestrata.graphs",
}
__all__ = list(_EXPORTS)
__getattr__ = lazy(__name__, _EXPORTS)
