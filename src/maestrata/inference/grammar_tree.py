"""Posterior on the grammar: belief propagation (`maestrata.inference.symbols`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maestrata.inference import derivations, symbols
from maestrata.inference.base import Levels, Posterior
from maestrata.worlds.grammar_tree import GrammarTree

explained = symbols.explained


def infer(
    world: GrammarTree,
    tokens: NDArray[np.float64],
    visible: NDArray[np.bool_],
    noise: bool,
    dtype: np.dtype[Any],
) -> Posterior:
    """Compute the posterior; see `maestrata.inference.posterior`."""
    beliefs, productions = symbols.propagate(world, tokens, visible, symbols.normal_likelihood, noise, dtype)
    expected, variance = symbols.pattern_moments(world, beliefs[0], dtype)
    drawn = None
    if noise:
        drawn = noise_of(world, beliefs, productions)
        drawn[0] = symbols.pixel_noise(world, tokens, visible, expected)
    return symbols.assemble(world, tokens, visible, beliefs, expected, variance, drawn, dtype)


def noise_of(world: GrammarTree, beliefs: Levels, productions: Levels) -> Levels:
    """Lay the productions out as the targets have them: the root draws its symbol, too."""
    top = world.levels
    return {**productions, top: np.concatenate([beliefs[top], productions[top]], -1)}


def information(
    world: GrammarTree, masked: Sequence[str], visible: Sequence[str], given: Sequence[str]
) -> float:
    """I(masked; visible | given) in nats, by listing all derivations: of symbols, without pixel noise.

    A node of `given` stands for its symbol and its production, as in the graph.
    """
    return derivations.information(derivations.derivations(world), masked, visible, given)
