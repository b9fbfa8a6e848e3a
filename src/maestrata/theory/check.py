"""The check of Theorem 1: c against every other set of latents, by exact conditional mutual information.

In random linear-Gaussian trees all of it can be computed: what masked and visible part share given c, given
every smaller set, and how many sets as small as c will do. Claim 1 is judged on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations, pairwise

import numpy as np
from numpy.typing import NDArray

from maestrata.geometry import TokenGrid
from maestrata.graphs import LatentGraph, tree_graph
from maestrata.inference.information import conditional_information
from maestrata.inference.linear_gaussian import GaussianModel
from maestrata.random import stream
from maestrata.theory.shared import Reading, shared_information
from maestrata.worlds import make

__all__ = ["LEAVES", "TOLERANCE", "Check", "check_tree", "left_in_grammar"]

LEAVES = 8
TOLERANCE = 1e-6
"""Information below this, in nats, counts as none."""

MOST = 30.0
"""Information is counted up to this, in nats."""

# Rounding leaves less than 1e-12 nats, and is rounded away: machines differ in it.
DECIMALS = 12


@dataclass(frozen=True)
class Check:
    """What all masks of one tree show.

    Attributes
    ----------
    left : float
        The most information that is left given c, in nats.
    left_smaller : float
        The least that is left given a smaller set, in nats.
    unique : float
        Share of masks for which no other set as small will do.
    """

    left: float
    left_smaller: float
    unique: float


@lru_cache
def check_tree(reading: Reading, seed: int, leaves: int = LEAVES) -> Check:
    """Compare c with every other set of latents, for every mask of a random linear-Gaussian tree.

    Parameters
    ----------
    reading : {"invertible", "separator"}
        Also says what tree is drawn, and whether a set counts only if both parts determine it.
    seed : int
    leaves : int
        A power of two; the work grows as 2**(2 leaves).
    """
    graph, model = _tree(reading, seed, leaves)
    tokens = [f"x{i}" for i in range(leaves)]
    latents = [node for node in graph.nodes if node not in tokens]
    chosen = [s for size in range(len(latents) + 1) for s in combinations(latents, size)]
    sets = [frozenset(s) for s in chosen]
    dims = np.array([sum(graph.dims[node] for node in s) for s in sets])
    # in the order of the latents: that of a set would differ from run to run, and the rounding with it
    covariances = np.stack([model.condition(list(s), tokens)[1] for s in chosen])
    width = graph.dims[tokens[0]]
    left, left_smaller, unique = [], [], []
    # Masked and visible part may change places in all of this: masks without the first token are enough.
    for code in range(1, 1 << (leaves - 1)):
        masked = np.array([bool(code >> i & 1) for i in range(leaves)])
        given_c = shared_information(graph, [tokens[i] for i in np.flatnonzero(masked)], reading)
        at = sets.index(given_c.nodes)
        relevant = dims <= dims[at]
        if reading == "invertible":
            known = _determined(model, tokens, masked, latents) & _determined(model, tokens, ~masked, latents)
            names = {node for node, both in zip(latents, known, strict=True) if both}
            relevant &= np.array([s <= names for s in sets])
        information = np.full(len(sets), MOST)
        information[relevant] = _information(covariances[relevant], np.repeat(masked, width))
        left.append(information[at])
        left_smaller.append(information[relevant & (dims < dims[at])].min())
        unique.append((relevant & (dims == dims[at]) & (information < TOLERANCE)).sum() == 1)
    return Check(round(float(max(left)), DECIMALS) + 0.0, float(min(left_smaller)), float(np.mean(unique)))


def left_in_grammar(seed: int, leaves: int = LEAVES) -> float:
    """Most that masked and visible tokens of a grammar share given the separator, over all masks, in nats."""
    world = make("grammar_tree", seed=seed, leaves=leaves, symbols=5, productions=2)
    left = []
    for code in range(1, 1 << (leaves - 1)):
        masked = [f"x{i}" for i in range(leaves) if code >> i & 1]
        c = shared_information(world.graph, masked, "separator").nodes
        left.append(conditional_information(world, masked, c))
    return round(max(left), DECIMALS) + 0.0


def _tree(reading: Reading, seed: int, leaves: int) -> tuple[LatentGraph, GaussianModel]:
    """A random linear-Gaussian binary tree: any edges, or ``child = Q [parent, noise]``, Q orthogonal."""
    grid = TokenGrid.for_leaves(leaves)
    invertible = reading == "invertible"
    by_level = {level: 1 + grid.levels - level if invertible else 2 for level in range(grid.levels + 1)}
    graph = tree_graph(grid, by_level)
    rng = stream(seed, "claims", 1, int(reading == "separator"))
    weights, noise = {}, {}
    for node in graph.nodes:
        own = graph.dims[node]
        noise[node] = np.eye(own)
        for parent in graph.parents(node):
            drawn = rng.standard_normal((own, own))
            if invertible:
                q = np.linalg.qr(drawn)[0]
                above = graph.dims[parent]
                weights[parent, node], noise[node] = q[:, :above], q[:, above:] @ q[:, above:].T
            else:
                weights[parent, node] = drawn
    return graph, GaussianModel.from_dag(graph, weights, noise)


def _information(covariances: NDArray[np.float64], a: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Mutual information of coordinates `a` and the others, in nats, under each covariance (n, d, d).

    ``-sum(log(1 - rho^2)) / 2`` over canonical correlations; directions without variance are left out, and a
    direction of one side that the other determines counts as `MOST`.
    """
    one, other = _whitener(covariances[:, a][:, :, a]), _whitener(covariances[:, ~a][:, :, ~a])
    rho = np.linalg.svd(np.swapaxes(one, 1, 2) @ covariances[:, a][:, :, ~a] @ other, compute_uv=False)
    rest = np.maximum(1 - np.square(rho), np.exp(-2 * MOST))
    return np.clip(-np.log(rest).sum(-1) / 2, 0.0, MOST)


def _whitener(covariances: NDArray[np.float64]) -> NDArray[np.float64]:
    values, vectors = np.linalg.eigh(covariances)
    there = values > 1e-9
    scale = np.where(there, 1 / np.sqrt(np.where(there, values, 1.0)), 0.0)
    return vectors * scale[:, None, :]


def _determined(
    model: GaussianModel, tokens: list[str], part: NDArray[np.bool_], latents: list[str]
) -> NDArray[np.bool_]:
    """Which latents a part of the tokens determines."""
    given = [token for token, there in zip(tokens, part, strict=True) if there]
    variance = np.diag(model.condition(given, latents)[1])
    ends = np.cumsum([0, *(len(model.index([node])) for node in latents)])
    return np.array([variance[a:b].max() < 1e-9 for a, b in pairwise(ends)])
