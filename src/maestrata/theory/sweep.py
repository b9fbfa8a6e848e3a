"""Everything that the theory says of one world, for each mask distribution of a sweep."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maestrata.graphs import tree_graph
from maestrata.masks import MaskPatches, MaskSweep, realised_ratio, visible_count
from maestrata.random import stream
from maestrata.theory.arrays import GraphArrays
from maestrata.theory.distributions import distribution, token_of_leaf
from maestrata.theory.ensembles import ENUMERATED, mask_ensemble
from maestrata.theory.examples import EXAMPLES, example_masks
from maestrata.theory.linear_world import (
    MOMENT_SAMPLES,
    linear_levels,
    linear_reach,
    meeting_level,
    second_moments,
)
from maestrata.theory.profiles import DRAWINGS, level_profile
from maestrata.theory.settings import TheorySettings
from maestrata.theory.shared import READINGS, TIES, shared_of_masks
from maestrata.theory.supply import supply_and_demand
from maestrata.worlds.base import World

# of worlds that set no correlation per edge themselves
_RHO = 0.9


class WorldTheory:
    """What the theory predicts for a world, at any mask distribution.

    Parameters
    ----------
    world : World
    settings : TheorySettings
    moment_samples : int
        Images that the covariance of the linear MAE is estimated from.

    Attributes
    ----------
    rho : float
        Correlation per edge of the Gaussian twin: the world's own where it has one, else .9.
    """

    def __init__(
        self,
        world: World,
        settings: TheorySettings = TheorySettings(),
        moment_samples: int = MOMENT_SAMPLES,
    ) -> None:
        self.world = world
        self.arrays = GraphArrays(world.graph)
        self.levels = int(self.arrays.level.max())
        samples = settings.samples
        # where the graph is no tree each mask costs some milliseconds
        self.samples = samples if world.graph.is_tree else min(samples, settings.dag_samples)
        # what can be enumerated at no more than the cost of a sample is
        self.enumerate_up_to = max(self.samples, ENUMERATED if world.graph.is_tree else 0)
        self.linear_rank = settings.linear_rank
        self.rho = float(world.settings.get("rho", _RHO))
        self.tokens = token_of_leaf(world.graph, world.grid)
        self.moments = second_moments(world, moment_samples) if world.has_covariance else None
        # a tree that is estimated may be higher than the grid's, at whose root classes are filed
        if self.moments is not None and self.levels > world.levels:
            top = np.where(self.moments.level == world.levels, self.levels, self.moments.level)
            self.moments = replace(self.moments, level=top)
        self.meeting = meeting_level(self.arrays, self.tokens)

    def at(self, patches: MaskPatches, mask_ratio: float) -> dict[str, NDArray[np.float64]]:
        """Return every variable of the theory cube that depends on the masks, for one distribution.

        Returns
        -------
        dict
            Variable -> array over the axes that the schema gives it after those of the sweep.
        """
        visible = visible_count(patches.n_patches, mask_ratio)
        cube: dict[str, Any] = self._shared(patches, mask_ratio, visible)
        ensemble = mask_ensemble(
            patches, mask_ratio, "fixed", self.samples, self._masks(patches, visible, 0), self.enumerate_up_to
        )
        rivals = supply_and_demand(self.arrays, ensemble, ensemble.masked[:, self.tokens], self.rho)
        for name, (mean, error) in rivals.items():
            cube[name], cube[f"{name}_error"] = mean, error
        cube["supply_demand"] = cube["climb"] * cube["supply"][-1]
        cube["linear_reach"], cube["linear_r2"] = [np.nan] * 2, [np.nan] * self.levels
        if self.moments is not None:
            cube["linear_reach"] = linear_reach(self.moments, patches, mask_ratio, self.meeting)
            cube["linear_r2"] = linear_levels(
                self.moments, patches, mask_ratio, self.linear_rank, self.levels
            )
        cube["realised_ratio"] = realised_ratio(patches.n_patches, visible)
        return {name: np.asarray(values, np.float64) for name, values in cube.items()}

    def _masks(self, patches: MaskPatches, visible: int, drawing: int) -> np.random.Generator:
        # not keyed by the world: on the same graph, the same masks
        return stream(0, "theory", patches.height, patches.width, int(patches.offset), visible, drawing)

    def _shared(self, patches: MaskPatches, ratio: float, visible: int) -> dict[str, NDArray[Any]]:
        """Variables whose first axis is the drawing."""
        by_drawing = []
        dyadic = self.arrays.graph == tree_graph(self.world.grid, self.world.dims)
        regular = dyadic and patches.level is not None and self.arrays.monotone
        for i, drawing in enumerate(DRAWINGS):
            rng = self._masks(patches, visible, i)
            ensemble = mask_ensemble(patches, ratio, drawing, self.samples, rng, self.enumerate_up_to)
            variables = distribution(self.arrays, self.tokens, ensemble)
            p, mean = np.full((len(READINGS), self.levels), np.nan), np.full(len(READINGS), np.nan)
            for j, reading in enumerate(READINGS if regular else ()):
                form = level_profile(2, self.levels, ratio, reading, patches.level or 0, drawing)
                p[j], mean[j] = form.p_in_c, form.mean_level
            values = {name: array for name, (dims, array) in variables.items() if "node" not in dims}
            by_drawing.append(values | {"closed_p_in_c": p, "closed_mean_level": mean})
        return {name: np.stack([values[name] for values in by_drawing]) for name in by_drawing[0]}

    def examples(self) -> tuple[list[str], dict[str, NDArray[np.float64]]]:
        """Return the node names, and c of the three fixed masks.

        Returns
        -------
        names : list of str
            The graph's nodes, topological order.
        data : dict
            ``example_masked`` (example, node), NaN for latents; ``example_in_c`` (example, reading, tie,
            node), NaN for tokens.
        """
        masks = example_masks(self.world.grid)
        masked = np.stack([masks[name] for name in EXAMPLES])[:, self.tokens]
        sets, _, _ = shared_of_masks(self.arrays, masked)
        of_tokens = np.full((len(EXAMPLES), self.arrays.n_nodes), np.nan)
        of_tokens[:, self.arrays.leaves] = masked
        in_c = np.stack(
            [np.stack([sets[reading, tie] for tie in TIES], 1) for reading in READINGS], 1
        ).astype(float)
        in_c[..., self.arrays.leaves] = np.nan
        return [str(node) for node in self.world.graph.nodes], {
            "example_masked": of_tokens,
            "example_in_c": in_c,
        }


def sweep(theory: WorldTheory, asked: MaskSweep) -> tuple[dict[str, list[Any]], dict[str, NDArray[Any]]]:
    """Theory of every mask distribution of a sweep.

    Parameters
    ----------
    theory : WorldTheory
    asked : MaskSweep

    Returns
    -------
    coords : dict
        Axes of a file of kind ``theory``, without world and world seed.
    data : dict of arrays
        Its variables, without these axes; NaN where a patch and ratio were not asked for.
    """
    nodes, data = theory.examples()
    coords: dict[str, list[Any]] = asked.coords | {
        "drawing": list(DRAWINGS),
        "reading": list(READINGS),
        "tie": list(TIES),
        "level": list(range(1, theory.levels + 1)),
        "linear_loss": ["masked", "all"],
        "example": list(EXAMPLES),
        "node": nodes,
    }
    tree = getattr(theory.world, "tree", None)  # of given images
    if tree is not None:
        data["tree_support"] = np.asarray(tree.support)
        data["tree_estimated"] = np.asarray(float(tree.kind == "estimated"))
    data |= {"twin_rho": np.asarray(theory.rho), "linear_rank": np.asarray(theory.linear_rank)}
    sizes = tuple(map(len, asked.coords.values()))
    for at, patches, ratio in asked:
        for name, values in theory.at(patches, ratio).items():
            data.setdefault(name, np.full((*sizes, *values.shape), np.nan))[at] = values
    return coords, data | asked.shapes
