"""Posterior on the grammar with hidden signs: that of the grammar, with a mixture for the likelihood."""

from __future__ import annotations

from math import log, pi
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maestrata.inference import symbols
from maestrata.inference.base import Posterior
from maestrata.inference.grammar_tree import information, noise_of
from maestrata.masks import mask_matrix
from maestrata.worlds.sign_hidden import SignHidden
from maestrata.worlds.symbols import DiscreteTree, mean_noise

__all__ = ["explained", "infer", "information", "token_log_density"]


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


def token_log_density(
    world: SignHidden, tokens: NDArray[np.floating], visible_ids: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Log-density of every token given the tokens that are visible, (n, n_tokens), in nats.

    Parameters
    ----------
    world : SignHidden
    tokens : ndarray (n, n_tokens, values)
    visible_ids : ndarray (n, k) of int
        Of tokens that are visible themselves the density means nothing.
    """
    values = np.asarray(tokens, np.float64)
    visible = mask_matrix(visible_ids, world.grid.n_tokens)
    beliefs, _ = symbols.propagate(world, values, visible, mixture_likelihood, False, np.dtype(np.float64))
    precision = world.settings["pixel_noise"] ** -2.0
    # what `normal_likelihood` leaves out: the square of the token, and the constant of the density
    left_out = precision * np.square(values).sum(-1) + values.shape[-1] * log(2 * pi / precision)
    with np.errstate(divide="ignore"):  # a symbol that cannot be has log probability -inf
        joint = np.log(beliefs[0]) + mixture_likelihood(world, values).transpose(2, 0, 1)
    return np.asarray(np.logaddexp.reduce(joint, -1) - log(2) - left_out / 2)


def explained(world: SignHidden) -> dict[int, float]:
    """Nothing, at any level: the mean of a token is 0 given all symbols."""
    return dict.fromkeys(range(1, world.levels + 1), 0.0)
