"""Claim 1: c separates masked from visible, and is minimal and unique. No model is trained for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations, pairwise
from math import log10

import numpy as np
from numpy.typing import NDArray

from maestrata.claims.base import Evidence, Row, Test
from maestrata.geometry import TokenGrid
from maestrata.graphs import LatentGraph
from maestrata.inference.information import conditional_information
from maestrata.inference.linear_gaussian import GaussianModel
from maestrata.random import stream
from maestrata.theory.distributions import tree_graph
from maestrata.theory.shared import Reading, shared_information
from maestrata.worlds import make

NUMBER = 1
TITLE = "Theorem 1: c separates, is minimal, and is unique"
SAYS = (
    "For every mask there is one set c of latents, and no smaller one, that holds all that the masked and "
    "the visible part share."
)
RULE = (
    "All masks of a binary tree of 8 leaves, against all sets of its latents, by exact conditional mutual "
    "information: the most that is left given c (below 1e-6 nats), the least that is left given a smaller "
    "set (above 1e-6 nats; counted up to 30, and averaged over trees as logarithms), and the share of masks "
    "for which no other set as small will do (all). Under both readings: the invertible one, which is "
    "Assumption 1 to the letter (in trees where each node is an invertible linear map of parent and noise; a "
    "set counts if masked and visible part each determine it), and the separator, without invertibility "
    "(random linear trees; what is left given c also in grammars). A check: no model is trained, and "
    "intervals are over random trees."
)
NEEDS = ()
TRAINS = False
# Rounding leaves less than 1e-12 nats, and is rounded away: machines differ in it.
DECIMALS = 12
TOLERANCE = 1e-6
MOST = 30.0
TESTS = (
    Test("invertible: left given c", "below", TOLERANCE, units="nat"),
    Test("invertible: left given a smaller set", "above", log10(TOLERANCE), units="log10 nat"),
    Test("invertible: share of unique masks", "above", 0.999, units="1"),
    Test("separator: left given c", "below", TOLERANCE, units="nat"),
    Test("separator: left given a smaller set", "above", log10(TOLERANCE), units="log10 nat"),
    Test("separator: share of unique masks", "above", 0.999, units="1"),
)

LEAVES = 8
SEEDS = (0, 1, 2, 3, 4)
GRAMMAR_SEEDS = (0, 1)
GRAMMAR = {"symbols": 5, "productions": 2}
NUMBERS = ("left given c", "left given a smaller set", "share of unique masks")
READINGS: tuple[Reading, ...] = ("invertible", "separator")


@dataclass(frozen=True)
class Check:
    """What all masks of one tree show."""

    left: float
    left_smaller: float
    unique: float


def rows(evidence: Evidence) -> dict[str, list[Row]]:
    """Check the theorem in each random tree; the run's cubes have no part in it."""
    found: dict[str, list[Row]] = {test.name: [] for test in TESTS}
    for reading in READINGS:
        for seed in SEEDS:
            check = check_tree(reading, seed)
            label = f"{reading} linear tree"
            numbers = (check.left, round(log10(max(check.left_smaller, 1e-300)), 9), check.unique)
            for name, number in zip(NUMBERS, numbers, strict=True):
                found[f"{reading}: {name}"].append(Row(label, seed, number))
    for seed in GRAMMAR_SEEDS:
        found["separator: left given c"].append(Row("grammar tree", seed, left_in_grammar(seed)))
    return found


def sentence(means: Mapping[str, tuple[float, float, float]]) -> str:
    """What was found, in a sentence."""
    masks = 2**LEAVES - 2
    shares = {reading: means[f"{reading}: share of unique masks"][0] for reading in READINGS}
    least = min(means[f"{reading}: left given a smaller set"][0] for reading in READINGS)
    unique = {reading: round(share * masks) for reading, share in shares.items()}
    return (
        f"Given any set smaller than c some {10**least:.1g} nats or more are left, given c none; c is unique "
        f"for {unique['invertible']} of {masks} masks where every node is invertible (Assumption 1), and for "
        f"{unique['separator']} as the smallest separating set, without invertibility."
    )


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
    world = make("grammar_tree", seed=seed, leaves=leaves, **GRAMMAR)
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
    rng = stream(seed, "claims", 1, READINGS.index(reading))
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
