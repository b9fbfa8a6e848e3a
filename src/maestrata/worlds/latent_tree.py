"""The latent tree over the tokens: estimated from how much any two of them share, or the dyadic grid.

On a tree, correlations multiply along a path, so that minus their logarithms add up: they are distances, from
which neighbour joining (Saitou and Nei, 1987) finds the tree (Choi, Tan, Anandkumar and Willsky, 2011, on
latent trees). Bootstrap replicates of the images say how sure its splits are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from maestrata.geometry import TokenGrid
from maestrata.graphs import LatentGraph
from maestrata.resampling import bootstrap_weights
from maestrata.worlds.token_features import TokenFeatures, covariance_of, token_distances

Floats = NDArray[np.float64]
Split = frozenset[int]

REPLICATES = 20
SUPPORT = 0.7
"""Share of the bootstrap trees in which the median split must stand for an estimated tree to be used."""


@dataclass(frozen=True)
class Block:
    """A node of a rooted tree, and the tokens below it.

    Attributes
    ----------
    leaves : tuple of int
        Tokens, ascending.
    halves : tuple of int, or None
        Positions of its two children in ``Tree.blocks``; None for a token.
    """

    leaves: tuple[int, ...]
    halves: tuple[int, int] | None = None

    @property
    def level(self) -> int:
        """log2 of the number of tokens, rounded up: 0 for a token."""
        return (len(self.leaves) - 1).bit_length()


@dataclass(frozen=True)
class Tree:
    """A rooted binary tree over tokens.

    Attributes
    ----------
    blocks : tuple of Block
        Tokens in order, then inner nodes, children before parents, the root last.
    kind : str
        ``estimated`` or ``dyadic``.
    support : float
        Median over the inner splits of the estimated tree of the share of bootstrap trees that have them; NaN
        where none was estimated.
    """

    blocks: tuple[Block, ...]
    kind: str
    support: float = float("nan")

    @property
    def levels(self) -> int:
        """Level of the root."""
        return self.blocks[-1].level

    @property
    def graph(self) -> LatentGraph:
        """The tree as a graph, named as that of a grid: ``x{token}``, and ``z{level}.{i}`` for inner nodes.

        The level of a node is that of the graph, its longest path to a token: where the tree is not balanced,
        above log2 of its tokens. Nodes of a level are counted by their first tokens.
        """
        height = [0] * len(self.blocks)
        levels: dict[int, list[int]] = {}
        for place, block in self.inner():  # children come before parents
            height[place] = 1 + max(height[half] for half in block.halves or ())
            levels.setdefault(height[place], []).append(place)
        names = {place: f"x{place}" for place, block in enumerate(self.blocks) if block.halves is None}
        for level, places in levels.items():
            ordered = sorted(places, key=lambda place: self.blocks[place].leaves)
            names |= {place: f"z{level}.{i}" for i, place in enumerate(ordered)}
        down = reversed(list(self.inner()))
        return LatentGraph([(names[at], names[half]) for at, block in down for half in block.halves or ()])

    def inner(self, level: int | None = None) -> Iterator[tuple[int, Block]]:
        """Yield the inner nodes with their positions, of one level or of all."""
        for place, block in enumerate(self.blocks):
            if block.halves is not None and level in (None, block.level):
                yield place, block


def dyadic_tree(grid: TokenGrid, support: float = float("nan")) -> Tree:
    """Return the tree that halves a grid."""
    blocks, start = [Block((token,)) for token in range(grid.n_tokens)], 0
    for level in range(1, grid.levels + 1):
        below = start
        start = len(blocks)
        for leaves, (left, right) in zip(grid.blocks(level), grid.children(level), strict=True):
            blocks.append(Block(tuple(leaves.tolist()), (below + int(left), below + int(right))))
    return Tree(tuple(blocks), "dyadic", support)


def estimate_tree(features: TokenFeatures, seed: int) -> Tree:
    """Estimate the tree over the tokens of images, or take the dyadic one where its splits are not sure.

    Parameters
    ----------
    features : TokenFeatures
    seed : int
        Of the bootstrap samples.
    """
    from sklearn.covariance import ledoit_wolf_shrinkage  # slow to import, and most worlds need no tree

    values = np.concatenate(features.features, 1)
    ends = np.cumsum([0, *(part.shape[1] for part in features.features)])
    columns = [np.arange(a, b) for a, b in pairwise(ends)]
    shrinkage = ledoit_wolf_shrinkage(values)
    weights = bootstrap_weights(seed, len(values), REPLICATES)

    def distances(replicate: int) -> Floats:
        counted = weights[replicate - 1] if replicate else None
        # a replicate holds fewer different images, so that chance gives more
        n = len(values) / (2 if replicate else 1)
        return token_distances(covariance_of(values, shrinkage, counted), columns, n)

    return find_tree(features.grid, distances, REPLICATES)


def find_tree(grid: TokenGrid, distances: Callable[[int], Floats], replicates: int) -> Tree:
    """Estimate the tree; fall back to the dyadic one where its splits are not sure.

    Parameters
    ----------
    grid : TokenGrid
    distances : callable
        Replicate -> distances (tokens, tokens); 0 is all images, 1 to `replicates` bootstrap samples.
    replicates : int
    """
    if grid.n_tokens < 4:  # one tree alone
        return dyadic_tree(grid)
    joined = neighbour_joining(distances(0))
    wanted = splits(joined, grid.n_tokens)
    counts = dict.fromkeys(wanted, 0)
    for replicate in range(1, replicates + 1):
        for split in splits(neighbour_joining(distances(replicate)), grid.n_tokens) & wanted:
            counts[split] += 1
    support = float(np.median([count / replicates for count in counts.values()]))
    if support < SUPPORT:
        return dyadic_tree(grid, support)
    return Tree(tuple(_rooted(joined, grid.n_tokens)), "estimated", support)


def neighbour_joining(distances: Floats) -> nx.Graph:
    """Join leaves by their distances to an unrooted tree.

    Parameters
    ----------
    distances : float array (n, n)
        Symmetric, n at least 3.

    Returns
    -------
    networkx.Graph
        Leaves 0 to n - 1, inner nodes from n on; edges with their `length`, at least 0.
    """
    n = len(distances)
    tree = nx.Graph()
    active, d = list(range(n)), np.zeros((2 * n, 2 * n))
    d[:n, :n] = distances
    new = n
    while len(active) > 2:
        part = d[np.ix_(active, active)]
        m, total = len(active), part.sum(1)
        criterion = (m - 2) * part - total[:, None] - total[None]
        np.fill_diagonal(criterion, np.inf)
        i, j = np.unravel_index(criterion.argmin(), criterion.shape)
        one, other = active[i], active[j]
        length = part[i, j] / 2 + (total[i] - total[j]) / (2 * (m - 2))
        tree.add_edge(new, one, length=max(length, 0.0))
        tree.add_edge(new, other, length=max(part[i, j] - length, 0.0))
        d[new, active] = d[active, new] = (d[one, active] + d[other, active] - part[i, j]) / 2
        active = [node for node in active if node not in (one, other)] + [new]
        new += 1
    tree.add_edge(*active, length=max(d[active[0], active[1]], 0.0))
    return tree


def splits(tree: nx.Graph, n: int) -> set[Split]:
    """Return the inner splits of an unrooted tree: the leaves on the side of each edge away from leaf 0."""
    below = _leaves_below(tree, 0, n)
    return {leaves for leaves in below.values() if 1 < len(leaves) < n - 1}


def _leaves_below(tree: nx.Graph, root: int, n: int) -> dict[int, Split]:
    below: dict[int, Split] = {}
    parents = dict(nx.bfs_predecessors(tree, root))
    for node in nx.dfs_postorder_nodes(tree, root):
        children = [other for other in tree[node] if parents.get(other) == node]
        own = {node} if node < n and node != root else set()
        below[node] = frozenset(own.union(*(below[child] for child in children)))
    return below


def _rooted(tree: nx.Graph, n: int) -> list[Block]:
    """Root a tree in the middle of its longest path, and list its blocks, children before parents."""
    far = _farthest(tree, 0)
    path = nx.shortest_path(tree, far, _farthest(tree, far))
    lengths = np.cumsum([tree.edges[edge]["length"] for edge in nx.utils.pairwise(path)])
    middle = int(np.searchsorted(lengths, lengths[-1] / 2))
    one, other = path[middle], path[middle + 1]
    rooted = tree.copy()
    rooted.remove_edge(one, other)
    root = 2 * n  # a number that no node has
    rooted.add_edges_from([(root, one), (root, other)])
    below = _leaves_below(rooted, root, n)
    order = [*range(n), *sorted((node for node in rooted if node >= n), key=lambda node: len(below[node]))]
    place = {node: i for i, node in enumerate(order)}
    parents = dict(nx.bfs_predecessors(rooted, root))
    children = {node: [other for other in rooted[node] if parents.get(other) == node] for node in order}
    blocks = []
    for node in order:
        halves = sorted((place[child] for child in children[node]), key=lambda i: min(below[order[i]]))
        blocks.append(Block(tuple(sorted(below[node])), (halves[0], halves[1]) if halves else None))
    return blocks


def _farthest(tree: nx.Graph, start: int) -> int:
    reached: Iterable[tuple[int, float]] = nx.single_source_dijkstra_path_length(
        tree, start, weight="length"
    ).items()
    return max(reached, key=lambda item: item[1])[0]
