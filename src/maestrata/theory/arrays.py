"""A latent graph as index arrays: what the algorithms of `maestrata.theory` run on."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maestrata.graphs import LatentGraph


class Families:
    """Nodes, each with its relatives on one side (children, or parents), as flat arrays.

    Attributes
    ----------
    nodes : int64 array (n,)
        Each once.
    relatives : int64 array (m,)
        Those of the first node, then those of the second, and so on.
    owner : int64 array (m,)
        The node that each relative is listed for.
    """

    def __init__(self, owner: NDArray[np.int64], relatives: NDArray[np.int64]) -> None:
        self.owner = owner
        self.relatives = relatives
        self.nodes, self._starts = np.unique(owner, return_index=True)
        sizes = np.diff([*self._starts, len(owner)])
        # relatives of each node, where all have as many
        self._each = int(sizes[0]) if (sizes == sizes[0]).all() else None

    def reduce(self, operation: np.ufunc, values: NDArray[Any]) -> NDArray[Any]:
        """Combine values (m, ...) of the relatives of each node by a ufunc: result (n, ...)."""
        if self._each is not None:  # the common case, and several times faster than reduceat
            blocks = values.reshape(len(self.nodes), self._each, *values.shape[1:])
            result = blocks[:, 0]
            for i in range(1, self._each):
                result = operation(result, blocks[:, i])
            return result
        return np.asarray(operation.reduceat(values, self._starts, axis=0))


def _groups(owner: NDArray[np.int64], relatives: NDArray[np.int64], key: NDArray[np.int64]) -> list[Families]:
    """Split edges by a key of their owners, in its order."""
    order = np.lexsort((owner, key))
    cuts = np.flatnonzero(np.diff(key[order])) + 1
    return [Families(owner[part], relatives[part]) for part in np.split(order, cuts)]


class GraphArrays:
    """Index arrays of a `LatentGraph`; a node's index is its place in ``graph.nodes`` (parents first).

    Attributes
    ----------
    dims, level : int64 arrays (n_nodes,)
    leaves, latents : int64 arrays
        Node indices, in the order of ``graph.leaves`` and ``graph.latents``.
    parent, child : int64 arrays (n_edges,)
        Ends of the edges, in the order of ``graph.edges``.
    noise_dims : int64 array (n_nodes,) or None
        None where the dimensions rule Assumption 1 out.
    """

    def __init__(self, graph: LatentGraph) -> None:
        self.graph = graph
        self.index = {node: i for i, node in enumerate(graph.nodes)}
        self.n_nodes = len(graph.nodes)
        self.dims = np.array([graph.dims[node] for node in graph.nodes], np.int64)
        self.level = np.array([graph.level(node) for node in graph.nodes], np.int64)
        self.leaves = self.indices(graph.leaves)
        self.latents = self.indices(graph.latents)
        self.parent = self.indices(edge[0] for edge in graph.edges)
        self.child = self.indices(edge[1] for edge in graph.edges)
        noise = graph.noise_dims
        self.noise_dims = None if noise is None else np.array([noise[node] for node in graph.nodes], np.int64)

    def indices(self, nodes: Any) -> NDArray[np.int64]:
        """Indices of nodes, in the order given."""
        return np.array([self.index[node] for node in nodes], np.int64)

    @cached_property
    def parents(self) -> list[list[int]]:
        """Parents of each node, in the order of the edges."""
        parents: list[list[int]] = [[] for _ in range(self.n_nodes)]
        for parent, child in zip(self.parent.tolist(), self.child.tolist(), strict=True):
            parents[child].append(parent)
        return parents

    @cached_property
    def monotone(self) -> bool:
        """Whether the graph is a tree in which no latent has fewer dimensions than its parent."""
        inner = ~np.isin(self.child, self.leaves)
        return self.graph.is_tree and bool(
            np.all(self.dims[self.child] >= self.dims[self.parent], where=inner)
        )

    @cached_property
    def upward(self) -> list[Families]:
        """Parents with their children, by the parents' level, lowest first.

        Every child lies on a lower level than its parent, so a pass over the groups goes strictly up, and
        a pass over them reversed strictly down.
        """
        return _groups(self.parent, self.child, self.level[self.parent])

    @cached_property
    def downward(self) -> list[Families]:
        """Children with their parents, by the children's depth (longest path from a root), highest first."""
        depth = np.zeros(self.n_nodes, np.int64)
        for node, parents in enumerate(self.parents):
            depth[node] = max((depth[parent] + 1 for parent in parents), default=0)
        return _groups(self.child, self.parent, depth[self.child])

    @cached_property
    def closure(self) -> NDArray[np.bool_]:
        """``closure[a, b]``: a is b or an ancestor of b, shape (n_nodes, n_nodes)."""
        closure = np.eye(self.n_nodes, dtype=bool)
        for node, parents in enumerate(self.parents):  # parents come first, so theirs are known
            closure[:, node] = closure[:, [node, *parents]].any(1)
        return closure

    def above(self, leaves: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Tell which nodes have such a leaf at or below them: (n_sets, n_leaves) to (n_nodes, n_sets)."""
        above = np.zeros((self.n_nodes, len(leaves)), bool)
        above[self.leaves] = leaves.T
        for group in self.upward:
            above[group.nodes] = group.reduce(np.logical_or, above[group.relatives])
        return above

    def leaf_mask(self, masked: Any) -> NDArray[np.bool_]:
        """Turn named masked leaves into a boolean array (n_leaves,), True where masked."""
        chosen = set(masked)
        return np.array([leaf in chosen for leaf in self.graph.leaves], bool)
