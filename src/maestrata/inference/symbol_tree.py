"""Posterior on the symbol tree: belief propagation (`maestrata.inference.symbols`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maestrata.inference import derivations, symbols
from maestrata.inference.base import Levels, Posterior
from maestrata.worlds.symbol_tree import SymbolTree
from maestrata.worlds.symbols import mean_noise

explained = symbols.explained


def infer(
    world: SymbolTree,
    tokens: NDArray[np.float64],
    visible: NDArray[np.bool_],
    noise: bool,
    dtype: np.dtype[Any],
) -> Posterior:
    """Compute the posterior; see `maestrata.inference.posterior`."""
    beliefs, pairs = symbols.propagate(world, tokens, visible, symbols.normal_likelihood, noise, dtype)
    expected, variance = symbols.pattern_moments(world, beliefs[0], dtype)
    drawn = None
    if noise:
        drawn = _digits(world, pairs) | {world.levels: beliefs[world.levels]}
        lead = drawn[0] @ mean_noise(world.settings["digits"])
        pixels = symbols.pixel_noise(world, tokens, visible, expected)
        drawn[0] = np.concatenate([lead[..., None], pixels], -1)
    return symbols.assemble(world, tokens, visible, beliefs, expected, variance, drawn, dtype)


def _digits(world: SymbolTree, pairs: Levels) -> Levels:
    """Probabilities of the digits of every node, ``level -> (n, nodes, digits)``, levels 0 to L-1."""
    m = world.settings["digits"]
    digits = {}
    for level, joint in pairs.items():
        n, nodes, _ = joint.shape
        both = joint.reshape(n, nodes, m, m)
        digits[level - 1] = np.empty((n, 2 * nodes, m), joint.dtype)
        for side, other in ((0, -1), (1, -2)):
            digits[level - 1][:, world.grid.children(level)[:, side]] = both.sum(other)
    return digits


def information(
    world: SymbolTree, masked: Sequence[str], visible: Sequence[str], given: Sequence[str]
) -> float:
    """I(masked; visible | given) in nats, by listing all derivations: of symbols, without pixel noise."""
    table = derivations.derivations(world)
    return derivations.information(
        {k: v.reshape(len(v), -1)[:, 0] for k, v in table.items()}, masked, visible, given
    )
