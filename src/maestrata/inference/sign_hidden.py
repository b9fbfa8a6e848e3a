"""Posterior on the grammar with hidden signs: that of the grammar, with a mixture for the likelihood."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from maestrata.inference import symbols
from maestrata.inference.base import Posterior
from maestrata.inference.grammar_tree import information, noise_of
from maestrata.worlds.sign_hidden import SignHidden
from maestrata.worlds.symbols import DiscreteTree, mean_noise

__all__ = ["explained", "infer", "information"]


def infer(
    world: SignHidden,
    tokens: NDArray[np.float64],
    visible: NDArray[np.bool_],
    noise: bool,
    dtype: np.dtype[Any],
) -> Posterior:
    """Compute the posterior; see `maestrata.inference.posterior`."""
    beliefs, productions = symbols.propagate(world, tokens, visible, mixture_likelihood, noise, dtype)
    patterns, deviation = world.params["patterns"], world.settings["pixel_noise"]
    power = beliefs[0] @ np.square(patterns).mean(1) + deviation**2
    drawn = None
    if noise:
        # given the symbol, P(+) - P(-) is the hyperbolic tangent of the match
        signed = beliefs[0] * np.tanh(tokens @ patterns.T / deviation**2)
        lead = mean_noise(2)[1] * np.where(visible, signed.sum(-1), 0.0)
        pixels = symbols.pixel_noise(world, tokens, visible, signed @ patterns)
        drawn = noise_of(world, beliefs, productions) | {0: np.concatenate([lead[..., None], pixels], -1)}
    return symbols.assemble(world, tokens, visible, beliefs, np.zeros_like(tokens), power, drawn, dtype)


def mixture_likelihood(world: DiscreteTree, tokens: symbols.Array) -> symbols.Array:
    """Log of the mean of the two likelihoods, of pattern and minus pattern (`symbols.Likelihood`)."""
    either = [symbols.normal_likelihood(world, sign * tokens) for sign in (1, -1)]
    return np.asarray(np.logaddexp(*either))


def explained(world: SignHidden) -> dict[int, float]:
    """Nothing, at any level: the mean of a token is 0 given all symbols."""
    return dict.fromkeys(range(1, world.levels + 1), 0.0)
