"""A latent graph as index arrays: what the algorithms of `maestrata.theory` run on."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maestrata.graphs import LatentGraph


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
    def tree_parent(self) -> NDArray[np.int64]:
        """Parent of each node of a tree, -1 at the roots, shape (n_nodes,)."""
        parent = np.full(self.n_nodes, -1, np.int64)
        parent[self.child] = self.parent
        return parent

    @cached_property
    def monotone(self) -> bool:
        """Whether the graph is a tree in which no latent has fewer dimensions than its parent."""
        inner = ~np.isin(self.child, self.leaves)
        return self.graph.is_tree and bool(
            np.all(self.dims[self.child] >= self.dims[self.parent], where=inner)
        )

    @cached_property
    def by_level(self) -> list[NDArray[np.int64]]:
        """Edges (positions in `parent` and `child`) grouped by the level of the parent, lowest first.

        Every child lies on a lower level than its parent, so a pass over the groups goes strictly up, and
        a pass over them reversed strictly down.
        """
        order = np.lexsort((self.parent, self.level[self.parent]))
        cuts = np.flatnonzero(np.diff(self.level[self.parent][order])) + 1
        return np.split(order, cuts)

    @cached_property
    def by_child(self) -> list[NDArray[np.int64]]:
        """Edges grouped by the depth of the child (longest path from a root), so that parents come first."""
        depth = np.zeros(self.n_nodes, np.int64)
        for parent, child in sorted(zip(self.parent.tolist(), self.child.tolist(), strict=True)):
            # edges are walked by parent, and a parent's own depth is final once all nodes before it are done
            depth[child] = max(depth[child], depth[parent] + 1)
        order = np.lexsort((self.child, depth[self.child]))
        cuts = np.flatnonzero(np.diff(depth[self.child][order])) + 1
        return np.split(order, cuts)

    @cached_property
    def closure(self) -> NDArray[np.bool_]:
        """``closure[a, b]``: a is b or an ancestor of b, shape (n_nodes, n_nodes)."""
        closure = np.eye(self.n_nodes, dtype=bool)
        above: list[list[int]] = [[] for _ in range(self.n_nodes)]
        for parent, child in zip(self.parent, self.child, strict=True):
            above[child].append(int(parent))
        for node in range(self.n_nodes):  # parents come first, so theirs are known
            for parent in above[node]:
                closure[:, node] |= closure[:, parent]
        return closure

    def leaf_mask(self, masked: Any) -> NDArray[np.bool_]:
        """Turn named masked leaves into a boolean array (n_leaves,), True where masked."""
        chosen = set(masked)
        return np.array([leaf in chosen for leaf in self.graph.leaves], bool)
