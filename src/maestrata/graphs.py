"""Latent graphs: a directed acyclic graph of latents over observables (Assumption 1 of the paper).

The observables are the leaves, the variables without children; everything else is latent. Every variable
is a vector with a number of dimensions. This module holds and checks the graph; what a mask must share on
it is computed in `maestrata.theory`.
"""

from __future__ import annotations

import operator
from collections.abc import Hashable, Iterable, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import Any

from maestrata.errors import GraphError
from maestrata.geometry import TokenGrid

Node = Hashable
Families = dict[Any, tuple[Any, ...]]


class LatentGraph:
    """A directed acyclic graph whose leaves are the observables.

    Parameters
    ----------
    edges : iterable of (parent, child)
        Node names are hashable, strings as a rule. Skip edges, several parents, chains and several
        components are allowed.
    dims : mapping from node to int, optional
        Dimensions of the nodes, at least 1; 1 where a node is not named.
    observables : iterable of nodes, optional
        The observables, where they are to be checked: each must be a leaf, and every leaf one of them.

    Attributes
    ----------
    nodes : tuple
        All nodes, parents before children.
    edges : tuple of (parent, child)
        As given.
    latents, leaves : tuple
        The nodes with and without children, in the order of `nodes`; `observables` is another name for
        `leaves`.
    dims : read-only mapping from node to int

    Raises
    ------
    GraphError
        If there are no edges; an edge is not a pair or is given twice; the graph has a cycle or an isolated
        node; a dimension is not a positive integer; an observable has children; a leaf is no observable.

    Examples
    --------
    >>> g = LatentGraph([("z0", "z1"), ("z1", "x0"), ("z1", "x1"), ("z0", "x2")], dims={"z1": 2})
    >>> g.latents, g.leaves, g.level("z0"), sorted(g.ancestors("x0"))
    (('z0', 'z1'), ('x2', 'x0', 'x1'), 2, ['z0', 'z1'])
    """

    def __init__(
        self,
        edges: Iterable[tuple[Any, Any]],
        dims: Mapping[Any, int] | None = None,
        observables: Iterable[Any] | None = None,
    ) -> None:
        self.edges = _read_edges(edges)
        parents: dict[Any, list[Any]] = {}
        children: dict[Any, list[Any]] = {}
        for parent, child in self.edges:
            for node in (parent, child):
                parents.setdefault(node, [])
                children.setdefault(node, [])
            parents[child].append(parent)
            children[parent].append(child)
        self._parents = {node: tuple(relatives) for node, relatives in parents.items()}
        self._children = {node: tuple(relatives) for node, relatives in children.items()}
        self.nodes = _topological(self._parents, self._children)
        self.latents = tuple(node for node in self.nodes if self._children[node])
        self.leaves = tuple(node for node in self.nodes if not self._children[node])
        self.dims: Mapping[Any, int] = MappingProxyType(self._read_dims(dims or {}))
        if observables is not None:
            self._check_observables(observables)

    def _read_dims(self, dims: Mapping[Any, int]) -> dict[Any, int]:
        for node in dims:
            if node not in self._parents:
                raise GraphError(f"node {node!r} (in dims) is isolated: every node must be in an edge")
        return {node: _read_dim(node, dims.get(node, 1)) for node in self.nodes}

    def _check_observables(self, observables: Iterable[Any]) -> None:
        if isinstance(observables, str):
            raise GraphError(f"observables={observables!r} must be a collection of nodes, not a string")
        named = list(observables)
        for node in named:
            if node not in self._parents:
                raise GraphError(f"node {node!r} (in observables) is isolated: every node must be in an edge")
            if self._children[node]:
                shown = ", ".join(map(repr, self._children[node]))
                raise GraphError(f"observable {node!r} has children ({shown}); an observable must have none")
        for node in self.leaves:
            if node not in named:
                raise GraphError(f"node {node!r} has no children, so it must be among the observables")

    @property
    def observables(self) -> tuple[Any, ...]:
        """The leaves, under the name that the theory gives them."""
        return self.leaves

    def parents(self, node: Node) -> tuple[Any, ...]:
        """Parents of a node, in the order of the edges."""
        return self._parents[self._known(node)]

    def children(self, node: Node) -> tuple[Any, ...]:
        """Children of a node, in the order of the edges; empty for an observable."""
        return self._children[self._known(node)]

    def level(self, node: Node) -> int:
        """Longest path from a node to a leaf: 0 for an observable, 1 just above the leaves."""
        return self._levels[self._known(node)]

    def ancestors(self, node: Node) -> frozenset[Any]:
        """All nodes from which a directed path leads to `node`, without the node itself."""
        return self.ancestors_of([self._known(node)])

    def ancestors_of(self, nodes: Iterable[Any]) -> frozenset[Any]:
        """Union of the ancestors of several nodes (a node itself only where it is above another)."""
        above: set[Any] = set()
        stack = list(nodes)
        while stack:
            for parent in self._parents[self._known(stack.pop())]:
                if parent not in above:
                    above.add(parent)
                    stack.append(parent)
        return frozenset(above)

    @cached_property
    def _levels(self) -> dict[Any, int]:
        levels: dict[Any, int] = {}
        for node in reversed(self.nodes):
            levels[node] = max((levels[child] + 1 for child in self._children[node]), default=0)
        return levels

    @property
    def height(self) -> int:
        """Highest level of any node, L."""
        return max(self._levels.values())

    @cached_property
    def is_tree(self) -> bool:
        """Whether no node has more than one parent (several roots are allowed)."""
        return all(len(parents) <= 1 for parents in self._parents.values())

    @cached_property
    def noise_dims(self) -> Mapping[Any, int] | None:
        """Noise dimensions of every node under Assumption 1; None where the dimensions rule it out.

        An invertible ``z = g(parents, eps)`` needs ``dim(z) = dim(parents) + dim(eps)``, so no node may
        have fewer dimensions than its parents together.
        """
        dims = self.dims
        noise = {node: dims[node] - sum(dims[p] for p in self._parents[node]) for node in self.nodes}
        return None if min(noise.values()) < 0 else MappingProxyType(noise)

    def _known(self, node: Node) -> Node:
        if node not in self._parents:
            shown = ", ".join(map(str, self.nodes[:8])) + (", ..." if len(self.nodes) > 8 else "")
            raise GraphError(f"node {node!r} is not in the graph; its nodes are: {shown}")
        return node

    def __contains__(self, node: object) -> bool:
        return node in self._parents

    def __len__(self) -> int:
        return len(self.nodes)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, LatentGraph):
            return NotImplemented
        return set(self.edges) == set(other.edges) and self.dims == other.dims

    def __hash__(self) -> int:
        return hash((frozenset(self.edges), frozenset(self.dims.items())))

    def __repr__(self) -> str:
        counts = f"{len(self.latents)} latents, {len(self.leaves)} observables, {len(self.edges)} edges"
        return f"LatentGraph({counts})"


def node_names(grid: TokenGrid, level: int) -> tuple[str, ...]:
    """Names of the nodes at `level` of the tree over a grid: ``z{level}.{i}``, and ``x{i}`` for tokens."""
    stem = f"z{level}." if level else "x"
    return tuple(f"{stem}{i}" for i in range(grid.n_nodes(level)))


def tree_graph(grid: TokenGrid, dims: Mapping[int, int] | None = None) -> LatentGraph:
    """Return the binary tree over a token grid: nodes ``z{level}.{i}``, tokens ``x{i}``, i in raster order.

    Parameters
    ----------
    grid : TokenGrid
    dims : dict, optional
        Dimension by level, 0 (tokens) to L; 1 where a level is not named.
    """
    names = [node_names(grid, level) for level in range(grid.levels + 1)]
    edges = [
        (names[level + 1][parent], names[level][i])
        for level in range(grid.levels - 1, -1, -1)
        for i, parent in enumerate(grid.parent(level))
    ]
    by_node = {name: (dims or {}).get(level, 1) for level, row in enumerate(names) for name in row}
    return LatentGraph(edges, by_node)


def _read_edges(edges: Iterable[Any]) -> tuple[tuple[Any, Any], ...]:
    read: dict[tuple[Any, Any], None] = {}
    for position, edge in enumerate(edges):
        if isinstance(edge, str) or not isinstance(edge, Iterable):
            raise GraphError(f"edges[{position}]={edge!r} must be a pair (parent, child)")
        pair = tuple(edge)
        if len(pair) != 2 or not all(isinstance(node, Hashable) for node in pair):
            raise GraphError(f"edges[{position}]={edge!r} must be a pair (parent, child) of names")
        if pair in read:
            raise GraphError(f"edges[{position}]={pair!r} is given twice")
        read[pair] = None
    if not read:
        raise GraphError("edges must hold at least one (parent, child); an isolated node shares nothing")
    return tuple(read)


def _read_dim(node: Node, dim: object) -> int:
    try:
        value = -1 if isinstance(dim, bool) else operator.index(dim)  # type: ignore[arg-type]
    except TypeError:
        value = -1
    if value < 1:
        raise GraphError(f"dims[{node!r}]={dim!r} must be an integer of at least 1")
    return value


def _topological(parents: Families, children: Families) -> tuple[Any, ...]:
    """Order the nodes parents first (breadth first, ties by first appearance), or refuse a cycle."""
    waiting = {node: len(relatives) for node, relatives in parents.items()}
    order = [node for node, count in waiting.items() if count == 0]
    for node in order:  # the list grows while it is walked
        for child in children[node]:
            waiting[child] -= 1
            if waiting[child] == 0:
                order.append(child)
    if len(order) < len(parents):
        raise GraphError(f"edges hold a cycle: {' -> '.join(map(str, _cycle(parents, waiting)))}")
    return tuple(order)


def _cycle(parents: Families, waiting: dict[Any, int]) -> list[Any]:
    """Return one cycle among the nodes still waiting: each of them has a parent that waits too."""
    node = next(node for node, count in waiting.items() if count)
    walk: list[Any] = []
    while node not in walk:
        walk.append(node)
        node = next(parent for parent in parents[node] if waiting[parent])
    return [node, *reversed(walk[walk.index(node) :])]
