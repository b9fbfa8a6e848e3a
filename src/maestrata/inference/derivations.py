"""All that a small tree of symbols can be, listed, and what variables of it tell of one another."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray

from maestrata.errors import InferenceError
from maestrata.worlds.symbols import DiscreteTree

MAX_DERIVATIONS = 1 << 22
Table = dict[str, NDArray[np.int64]]


def derivations(world: DiscreteTree) -> Table:
    """All derivations of a tree of symbols, equally probable.

    Returns
    -------
    dict of arrays (derivations,) or (derivations, 2)
        Latent -> (symbol, its pair of children, as `DiscreteTree.rules` numbers them); token -> symbol; named
        as in ``world.graph``.

    Raises
    ------
    InferenceError
        If there are more than 2**22 derivations.
    """
    rules = {level: world.rules(level) for level in range(world.levels, 0, -1)}
    pairs = [rules[level].shape[1] for level in rules for _ in range(world.n_nodes[level])]
    roots = world.n_symbols[world.levels]
    count = roots * float(np.prod(pairs, dtype=float))
    if count > MAX_DERIVATIONS:
        raise InferenceError(
            f"{world.name} with {world.settings} has {count:.3g} derivations: at most {MAX_DERIVATIONS} "
            "can be listed"
        )
    choices = np.array(list(product(range(roots), *map(range, pairs))), dtype=np.int64)
    symbols, used = choices[:, :1], 1
    table: Table = {}
    for level in rules:
        nodes = world.n_nodes[level]
        chosen = choices[:, used : used + nodes]
        used += nodes
        for i, name in enumerate(world.node_names(level)):
            table[name] = np.stack([symbols[:, i], chosen[:, i]], -1)
        drawn = rules[level][symbols, chosen]  # (derivations, nodes, 2)
        symbols = np.empty((len(choices), world.n_nodes[level - 1]), np.int64)
        symbols[:, world.grid.children(level)] = drawn
    return table | {name: symbols[:, i] for i, name in enumerate(world.node_names(0))}


def information(table: Table, *names: Sequence[str]) -> float:
    """I(a; b | c) in nats of three lists of variables, all rows of the table being equally probable."""
    return discrete_information(*(_codes(table, part) for part in names))


def _codes(table: Table, names: Sequence[str]) -> NDArray[np.int64]:
    """Number the joint values of several variables, (derivations,)."""
    if not names:
        return np.zeros(len(next(iter(table.values()))), np.int64)
    columns = np.column_stack([table[name] for name in names])
    return np.unique(columns, axis=0, return_inverse=True)[1].ravel()


def discrete_information(a: NDArray[np.int64], b: NDArray[np.int64], c: NDArray[np.int64]) -> float:
    """I(a; b | c) = H(a, c) + H(b, c) - H(a, b, c) - H(c) of equally probable rows."""
    both = [np.column_stack(parts) for parts in ((a, c), (b, c), (a, b, c), (c,))]
    entropies = []
    for rows in both:
        p = np.unique(rows, axis=0, return_counts=True)[1] / len(rows)
        entropies.append(-np.sum(p * np.log(p)))
    return max(0.0, float(entropies[0] + entropies[1] - entropies[2] - entropies[3]))
