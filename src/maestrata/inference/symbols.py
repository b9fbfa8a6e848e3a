"""Posterior on trees of symbols by belief propagation, in the log domain, in batches.

Upward, a node's symbol s gathers ``u(s) = log mean_p (u_left(r_sp0) + u_right(r_sp1))`` over the pairs p of
children that it may have (`DiscreteTree.rules`); downward, a child's symbol gathers what its parent's pairs
say that hold it. Masked tokens say nothing; a visible one has the likelihood of its pixels. Logs, because
pixels far from all patterns (a model's reconstruction, say) have likelihoods that no floating-point number
holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maestrata.inference.base import Levels, Posterior, cast
from maestrata.worlds.symbols import DiscreteTree

Array = NDArray[np.float64]
Likelihood = Callable[[DiscreteTree, Array], Array]
"""(world, tokens (n, n_tokens, values)) -> log-likelihood of each symbol, (n_tokens, symbols, n)."""
FLOOR = -700.0
"""Logs below this count as those of 0: numbers too small for normal form make some processors slow."""
BLOCK = 1 << 18  # numbers in a working array: small enough to stay in the cache


def propagate(
    world: DiscreteTree,
    tokens: Array,
    visible: NDArray[np.bool_],
    likelihood: Likelihood,
    pairs: bool,
    dtype: np.dtype[Any],
) -> tuple[Levels, Levels]:
    """Return the probabilities of every node's symbol and, where asked for, of its pair of children.

    Returns
    -------
    symbols : dict of arrays
        ``level -> (n, nodes, symbols)``, levels 0 to L.
    pairs : dict of arrays
        ``level -> (n, nodes, pairs)``, levels 1 to L, in the order of `DiscreteTree.rules`; or empty.
    """
    n, levels = len(tokens), range(1, world.levels + 1)
    rules = {level: world.rules(level) for level in levels}
    symbols = {
        level: np.empty((n, nodes, world.n_symbols[level]), dtype) for level, nodes in world.n_nodes.items()
    }
    drawn = {
        level: np.empty((n, world.n_nodes[level], rules[level].shape[1]), dtype) for level in levels if pairs
    }
    step = max(16, BLOCK // max(world.n_nodes[level] * rules[level][..., 0].size for level in levels))
    for start in range(0, n, step):
        part = slice(start, min(start + step, n))
        fit = likelihood(world, tokens[part])
        fit *= visible[part].T[:, None, :]
        _propagate(
            world, rules, _center(fit), *({k: v[part] for k, v in out.items()} for out in (symbols, drawn))
        )
    return symbols, drawn


def _propagate(
    world: DiscreteTree, rules: dict[int, NDArray[np.int64]], fit: Array, symbols: Levels, drawn: Levels
) -> None:
    """Fill the probabilities of one batch, in place.

    Working arrays are (nodes, symbols, images): gathering symbols then copies whole rows.
    """
    top, n = world.levels, fit.shape[2]
    up = {0: fit}
    sides: dict[int, tuple[Array, Array]] = {}
    for level in range(1, top + 1):
        children, (q, m, _) = world.grid.children(level), rules[level].shape
        # evidence of each child for the symbol that each pair gives it: (nodes, q * m, images)
        left, right = (
            up[level - 1][children[:, side]][:, rules[level][..., side].ravel()] for side in (0, 1)
        )
        sides[level] = left, right
        joint = (left + right).reshape(len(children), q, m, n)
        up[level] = _center(_log_sum(joint, 2))

    down = np.zeros((1, world.n_symbols[top], n))
    for level in range(top, 0, -1):
        _write(symbols[level], up[level] + down)
        left, right = sides.pop(level)
        children, (q, m, _) = world.grid.children(level), rules[level].shape
        from_parent = np.repeat(down, m, 1)
        if drawn:
            chosen = _softmax(from_parent + left + right).reshape(len(children), q, m, n).sum(1)
            drawn[level][:] = chosen.transpose(2, 0, 1)
        below = world.n_symbols[level - 1]
        down = np.empty((world.n_nodes[level - 1], below, n))
        for side, sibling in enumerate((right, left)):
            held = rules[level][..., side].ravel()
            down[children[:, side]] = _center(_log_scatter(from_parent + sibling, held, below))
    _write(symbols[0], up[0] + down)


def normal_likelihood(world: DiscreteTree, tokens: Array) -> Array:
    """``log N(x; pattern, pixel_noise^2)`` of each symbol at each token, up to a constant (`Likelihood`)."""
    patterns, precision = world.params["patterns"], world.settings["pixel_noise"] ** -2.0
    fit = np.einsum("ntv,qv->tqn", tokens, patterns, optimize=True)
    fit -= np.square(patterns).sum(1)[:, None] / 2
    return np.asarray(fit * precision)


def pattern_moments(
    world: DiscreteTree, beliefs: NDArray[Any], dtype: np.dtype[Any]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the mean (n, n_tokens, values), and variance per value, of tokens that add noise to patterns.

    `beliefs` are the probabilities of the tokens' symbols, (n, n_tokens, symbols).
    """
    patterns = world.params["patterns"].astype(dtype)
    mean = beliefs @ patterns
    power = beliefs @ np.square(patterns).mean(1)
    return mean, power - np.square(mean).mean(-1) + world.settings["pixel_noise"] ** 2


def pixel_noise(
    world: DiscreteTree, tokens: Array, visible: NDArray[np.bool_], pattern: NDArray[Any]
) -> NDArray[Any]:
    """Return the posterior mean of the pixels' noise, from that of what it is added to; 0 where masked."""
    return np.where(visible[..., None], (tokens - pattern) / world.settings["pixel_noise"], 0.0)


def assemble(
    world: DiscreteTree,
    tokens: Array,
    visible: NDArray[np.bool_],
    symbols: Levels,
    expected: NDArray[Any],
    variance: NDArray[Any],
    noise: Levels | None,
    dtype: np.dtype[Any],
) -> Posterior:
    """Put together the posterior, with the mean and the variance that masked tokens have."""
    return Posterior(
        world=world.name,
        method="belief propagation",
        mean=symbols,
        covariance=None,
        tokens=np.where(visible[..., None], tokens, expected).astype(dtype, copy=False),
        token_variance=np.where(visible, 0.0, np.maximum(variance, 0.0)).astype(dtype, copy=False),
        noise=None if noise is None else cast(noise, dtype),
    )


def _center(logs: Array) -> Array:
    """Subtract the largest over the symbols (axis 1): nothing drifts, whatever the depth."""
    logs -= logs.max(1, keepdims=True)
    return logs


def _log_sum(logs: Array, axis: int) -> Array:
    peak = logs.max(axis, keepdims=True)
    # a symbol that nothing can produce: exp(-inf - 0) is the 0 that is meant
    peak = np.where(np.isfinite(peak), peak, 0.0)
    total = _exp(np.subtract(logs, peak)).sum(axis)
    with np.errstate(divide="ignore"):
        return np.log(total, out=total) + peak.squeeze(axis)


def _exp(logs: Array) -> Array:
    """Exponentiate in place; what is below `FLOOR` becomes 0."""
    return np.exp(np.where(logs < FLOOR, -np.inf, logs), out=logs)


def _log_scatter(logs: Array, symbol: NDArray[np.int64], q: int) -> Array:
    """Log-sum of the pairs (axis 1) that hold each symbol; -inf where none does."""
    out = np.full((logs.shape[0], q, logs.shape[2]), -np.inf)
    for s in np.unique(symbol):
        at = np.flatnonzero(symbol == s)
        out[:, s] = logs[:, at[0]] if len(at) == 1 else _log_sum(logs[:, at], 1)
    return out


def _softmax(logs: Array) -> Array:
    p = _exp(logs - logs.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    return p


def _write(out: NDArray[Any], logs: Array) -> None:
    out[:] = _softmax(logs).transpose(2, 0, 1)


def symbol_paths(world: DiscreteTree) -> Iterator[tuple[dict[int, Array], dict[int, Array]]]:
    """Yield, token by token, how its symbol depends on those of its ancestors.

    Yields
    ------
    below : dict of arrays (symbols of the level, symbols of level 0)
        ``level -> P(token's symbol | symbol of its ancestor at the level)``, rows given; level 0: the
        identity.
    marginal : dict of arrays (symbols,)
        ``level -> P(symbol of its ancestor at the level)``.
    """
    q, top = world.n_symbols, world.levels
    step = {}
    for level in range(1, top + 1):
        rules = world.rules(level)
        for side in (0, 1):
            step[level, side] = np.eye(q[level - 1])[rules[:, :, side]].mean(1)
    for token in range(world.grid.n_tokens):
        above = [int(world.grid.node_of_token(level)[token]) for level in range(top + 1)]
        sides = [
            int(world.grid.children(level)[above[level], 1] == above[level - 1])
            for level in range(1, top + 1)
        ]
        below = {0: np.eye(q[0])}
        for level in range(1, top + 1):
            below[level] = step[level, sides[level - 1]] @ below[level - 1]
        marginal = {top: np.full(q[top], 1 / q[top])}
        for level in range(top, 0, -1):
            marginal[level - 1] = marginal[level] @ step[level, sides[level - 1]]
        yield below, marginal


def explained(world: DiscreteTree) -> dict[int, float]:
    """Share of the variance of tokens that the symbols of each level explain, from `symbol_paths`.

    Of tokens that add noise to patterns.
    """
    patterns, noise = world.params["patterns"], world.settings["pixel_noise"]
    explained: dict[int, list[float]] = {level: [] for level in range(1, world.levels + 1)}
    total = []
    for below, marginal in symbol_paths(world):
        mean = marginal[0] @ patterns
        spread = marginal[0] @ np.square(patterns - mean)
        total.append(float(spread.sum()) + patterns.shape[1] * noise**2)
        for level in explained:
            given = below[level] @ patterns
            explained[level].append(float((marginal[level] @ np.square(given - mean)).sum()))
    return {level: float(np.sum(parts) / np.sum(total)) for level, parts in explained.items()}
