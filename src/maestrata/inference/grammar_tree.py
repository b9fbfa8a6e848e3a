"""Posterior on the grammar by belief propagation, in the log domain, in batches.

Upward, a node's symbol s gathers ``u(s) = log mean_p exp(u_left(r_sp0) + u_right(r_sp1))`` over its
productions; downward, a child's symbol gathers what its parent's productions say that yield it. Masked
tokens say nothing; a visible one has the likelihood of its pixels, ``N(x; pattern_s, pixel_noise^2)``.
Logs, because pixels far from all patterns (a model's reconstruction, say) have likelihoods that no
floating-point number holds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maestrata.errors import InferenceError
from maestrata.inference.base import Levels, Posterior
from maestrata.worlds.base import World

Array = NDArray[np.float64]
MAX_DERIVATIONS = 1 << 22
BLOCK = 1 << 18  # numbers in a working array: small enough to stay in the cache


def infer(
    world: World, tokens: NDArray[np.float64], visible: NDArray[np.bool_], noise: bool, dtype: np.dtype[Any]
) -> Posterior:
    """Compute the posterior; see `maestrata.inference.posterior`."""
    n, q, m = len(tokens), world.settings["symbols"], world.settings["productions"]
    mean: Levels = {level: np.empty((n, nodes, q), dtype) for level, nodes in world.n_nodes.items()}
    drawn: Levels = {
        level: np.empty((n, world.n_nodes[level], m), dtype) for level in range(1, world.levels + 1)
    }
    if not noise:
        drawn = {}
    step = max(16, BLOCK // (world.n_nodes[1] * q * m))
    for start in range(0, n, step):
        rows = slice(start, min(start + step, n))
        _propagate(
            world,
            tokens[rows],
            visible[rows],
            {level: part[rows] for level, part in mean.items()},
            {level: part[rows] for level, part in drawn.items()},
        )

    patterns = world.params["patterns"]
    expected = mean[0] @ patterns.astype(dtype)
    power = mean[0] @ np.square(patterns).mean(1).astype(dtype)
    variance = power - np.square(expected).mean(-1) + world.settings["pixel_noise"] ** 2
    if noise:
        # layout of the targets: the root draws its symbol and its production
        drawn[world.levels] = np.concatenate([mean[world.levels], drawn[world.levels]], -1)
        pixel = (tokens - expected) / world.settings["pixel_noise"]
        drawn[0] = np.where(visible[..., None], pixel, 0.0).astype(dtype)
    return Posterior(
        world=world.name,
        method="belief propagation",
        mean=mean,
        covariance=None,
        tokens=np.where(visible[..., None], tokens, expected).astype(dtype, copy=False),
        token_variance=np.where(visible, 0.0, np.maximum(variance, 0.0)).astype(dtype, copy=False),
        noise=drawn if noise else None,
    )


def _propagate(world: World, tokens: Array, visible: NDArray[np.bool_], mean: Levels, drawn: Levels) -> None:
    """Fill the symbol probabilities (and production probabilities) of one batch, in place.

    Working arrays are (nodes, symbols, images): gathering symbols then copies whole rows.
    """
    q, m, top = world.settings["symbols"], world.settings["productions"], world.levels
    up = {0: _token_evidence(world, tokens, visible)}
    sides: dict[int, tuple[Array, Array]] = {}
    for level in range(1, top + 1):
        children, rules = world.grid.children(level), world.params[f"rules{level}"].reshape(-1, 2)
        # evidence of each child for the symbol that each production gives it: (nodes, q * m, images)
        left, right = (up[level - 1][children[:, side]][:, rules[:, side]] for side in (0, 1))
        sides[level] = left, right
        joint = (left + right).reshape(len(children), q, m, -1)
        up[level] = _center(_log_sum(joint, 2))

    down = np.zeros((1, q, len(tokens)))
    for level in range(top, 0, -1):
        _write(mean[level], up[level] + down)
        left, right = sides.pop(level)
        children, rules = world.grid.children(level), world.params[f"rules{level}"].reshape(-1, 2)
        from_parent = np.repeat(down, m, 1)
        if drawn:
            chosen = _softmax(from_parent + left + right).reshape(len(children), q, m, -1).sum(1)
            drawn[level][:] = chosen.transpose(2, 0, 1)
        down = np.empty((world.n_nodes[level - 1], q, len(tokens)))
        down[children[:, 0]] = _center(_log_scatter(from_parent + right, rules[:, 0], q))
        down[children[:, 1]] = _center(_log_scatter(from_parent + left, rules[:, 1], q))
    _write(mean[0], up[0] + down)


def _token_evidence(world: World, tokens: Array, visible: NDArray[np.bool_]) -> Array:
    """Log-likelihood of each symbol at each token, up to a constant: (n_tokens, symbols, images)."""
    patterns, precision = world.params["patterns"], world.settings["pixel_noise"] ** -2.0
    fit = np.einsum("ntv,qv->tqn", tokens, patterns, optimize=True)
    fit -= np.square(patterns).sum(1)[:, None] / 2
    fit *= precision * visible.T[:, None, :]
    return _center(fit)


def _center(logs: Array) -> Array:
    """Subtract the largest over the symbols (axis 1): nothing drifts, whatever the depth."""
    logs -= logs.max(1, keepdims=True)
    return logs


def _log_sum(logs: Array, axis: int) -> Array:
    peak = logs.max(axis, keepdims=True)
    # a symbol that nothing can produce: exp(-inf - 0) is the 0 that is meant
    peak = np.where(np.isfinite(peak), peak, 0.0)
    shifted = np.subtract(logs, peak)
    total = np.exp(shifted, out=shifted).sum(axis)
    with np.errstate(divide="ignore"):
        return np.log(total, out=total) + peak.squeeze(axis)


def _log_scatter(logs: Array, symbol: NDArray[np.int64], q: int) -> Array:
    """Log-sum of the productions (axis 1) that yield each symbol; -inf where none does."""
    out = np.full((logs.shape[0], q, logs.shape[2]), -np.inf)
    for s in np.unique(symbol):
        at = np.flatnonzero(symbol == s)
        out[:, s] = logs[:, at[0]] if len(at) == 1 else _log_sum(logs[:, at], 1)
    return out


def _softmax(logs: Array) -> Array:
    p = np.exp(logs - logs.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    return p


def _write(out: NDArray[Any], logs: Array) -> None:
    out[:] = _softmax(logs).transpose(2, 0, 1)


def symbol_paths(world: World) -> Iterator[tuple[dict[int, Array], dict[int, Array]]]:
    """Yield, token by token, how its symbol depends on those of its ancestors.

    Yields
    ------
    below : dict of arrays (q, q)
        ``level -> P(token's symbol | symbol of its ancestor at the level)``, rows given; level 0: the
        identity.
    marginal : dict of arrays (q,)
        ``level -> P(symbol of its ancestor at the level)``.
    """
    q, top = world.settings["symbols"], world.levels
    step = {}
    for level in range(1, top + 1):
        rules = world.params[f"rules{level}"]
        for side in (0, 1):
            step[level, side] = np.eye(q)[rules[:, :, side]].mean(1)
    for token in range(world.grid.n_tokens):
        above = [int(world.grid.node_of_token(level)[token]) for level in range(top + 1)]
        sides = [
            int(world.grid.children(level)[above[level], 1] == above[level - 1])
            for level in range(1, top + 1)
        ]
        below = {0: np.eye(q)}
        for level in range(1, top + 1):
            below[level] = step[level, sides[level - 1]] @ below[level - 1]
        marginal = {top: np.full(q, 1 / q)}
        for level in range(top, 0, -1):
            marginal[level - 1] = marginal[level] @ step[level, sides[level - 1]]
        yield below, marginal


def explained(world: World) -> dict[int, float]:
    """Share of the variance of tokens that the symbols of each level explain, from `symbol_paths`."""
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


def information(world: World, masked: Sequence[str], visible: Sequence[str], given: Sequence[str]) -> float:
    """I(masked; visible | given) in nats, by listing all derivations: of symbols, without pixel noise.

    A node of `given` stands for its symbol and its production, as in the graph.
    """
    table = derivations(world)
    return _discrete_information(*(_codes(table, names) for names in (masked, visible, given)))


def derivations(world: World) -> dict[str, NDArray[np.int64]]:
    """All derivations of a grammar, equally probable.

    Returns
    -------
    dict of arrays (derivations,) or (derivations, 2)
        Latent -> (symbol, production); token -> symbol; named as in ``world.graph``.

    Raises
    ------
    InferenceError
        If there are more than 2**22 derivations.
    """
    q, m, top = world.settings["symbols"], world.settings["productions"], world.levels
    latents = sum(world.n_nodes[level] for level in range(1, top + 1))
    if q * float(m) ** latents > MAX_DERIVATIONS:
        raise InferenceError(
            f"grammar_tree with symbols={q}, productions={m} and {world.grid.n_tokens} leaves has "
            f"{q * float(m) ** latents:.3g} derivations: at most {MAX_DERIVATIONS} can be listed"
        )
    choices = np.array(list(product(range(q), *([range(m)] * latents))), dtype=np.int64)
    symbols = choices[:, :1]
    used, table = 1, {}
    for level in range(top, 0, -1):
        nodes = world.n_nodes[level]
        chosen = choices[:, used : used + nodes]
        used += nodes
        for i, name in enumerate(world.node_names(level)):
            table[name] = np.stack([symbols[:, i], chosen[:, i]], -1)
        pairs = world.params[f"rules{level}"][symbols, chosen]  # (derivations, nodes, 2)
        symbols = np.empty((len(choices), world.n_nodes[level - 1]), np.int64)
        symbols[:, world.grid.children(level)] = pairs
    return table | {name: symbols[:, i] for i, name in enumerate(world.node_names(0))}


def _codes(table: dict[str, NDArray[np.int64]], names: Sequence[str]) -> NDArray[np.int64]:
    """Number the joint values of several variables, (derivations,)."""
    if not names:
        return np.zeros(len(next(iter(table.values()))), np.int64)
    columns = np.column_stack([table[name] for name in names])
    return np.unique(columns, axis=0, return_inverse=True)[1].ravel()


def _discrete_information(a: NDArray[np.int64], b: NDArray[np.int64], c: NDArray[np.int64]) -> float:
    """I(a; b | c) = H(a, c) + H(b, c) - H(a, b, c) - H(c) of equally probable rows."""
    both = [np.column_stack(parts) for parts in ((a, c), (b, c), (a, b, c), (c,))]
    entropies = []
    for rows in both:
        p = np.unique(rows, axis=0, return_counts=True)[1] / len(rows)
        entropies.append(-np.sum(p * np.log(p)))
    return max(0.0, float(entropies[0] + entropies[1] - entropies[2] - entropies[3]))
