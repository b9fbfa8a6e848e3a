"""One fixed mask, which hides a child of one node, and c: what the hidden and the visible part share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maestrata.errors import ExperimentError
from maestrata.geometry import TokenGrid
from maestrata.theory.shared import shared_information
from maestrata.worlds.base import Sample, World

Float32 = NDArray[np.float32]


def child_mask(grid: TokenGrid, level: int) -> NDArray[np.bool_]:
    """Return the mask (n_tokens,) that hides the first child of the first node at `level`, True where masked.

    Raises
    ------
    ExperimentError
        If the grid has no such level above the tokens.

    Examples
    --------
    >>> child_mask(TokenGrid.for_leaves(4), 1).tolist()
    [True, False, False, False]
    """
    if isinstance(level, bool) or not 1 <= level <= grid.levels:
        raise ExperimentError(f"level={level!r} must be an integer in 1..{grid.levels} (bottleneck)")
    masked = np.zeros(grid.n_tokens, bool)
    masked[grid.blocks(level - 1)[grid.children(level)[0, 0]]] = True
    return masked


@dataclass(frozen=True)
class Shared:
    """c of a mask.

    Attributes
    ----------
    c : tuple of (level, node)
        Its members.
    above : dict of bool arrays
        ``level -> (nodes,)``: members and their ancestors, which masked and visible part have in common.
    intrinsic_dim : int
        d_c.
    """

    c: tuple[tuple[int, int], ...]
    above: dict[int, NDArray[np.bool_]]
    intrinsic_dim: int

    @classmethod
    def of(cls, world: World, masked: NDArray[np.bool_]) -> Shared:
        """Compute c by the ``invertible`` reading of Theorem 1."""
        graph = world.graph
        shared = shared_information(graph, [f"x{i}" for i in np.flatnonzero(masked)], "invertible")
        above = {level: np.zeros(nodes, bool) for level, nodes in world.n_nodes.items()}
        for level in above:
            for node, name in enumerate(world.node_names(level)):
                above[level][node] = name in shared.nodes or name in graph.ancestors_of(shared.nodes)
        places = [
            (level, i) for level in above for i, n in enumerate(world.node_names(level)) if n in shared.nodes
        ]
        if shared.intrinsic_dim is None:
            raise ExperimentError(f"world {world.name!r} has no intrinsic dimension of c (bottleneck)")
        return cls(tuple(places), above, shared.intrinsic_dim)

    def values(self, sample: Sample) -> Float32:
        """Return the value of c in every image, (n, dimensions)."""
        return np.concatenate([np.asarray(sample.latents[level][:, i]) for level, i in self.c], axis=1)
