"""Theorem 1 and 2 on worlds where they can be computed: what c leaves shared, and what E[x_m | c] shows of c.

Masked and visible part, and c, are named as in ``world.graph``: ``z{level}.{i}`` and ``x{i}``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray

from maestrata.errors import InferenceError
from maestrata.inference.invertible_tree import redraw
from maestrata.inference.linear_gaussian import GaussianModel
from maestrata.random import stream
from maestrata.worlds.base import Sample, World, apply_maps

Floats = NDArray[np.float64]
MAX_DERIVATIONS = 1 << 22


def conditional_information(world: World, masked: Iterable[str], given: Iterable[str] = ()) -> float:
    """Exact conditional mutual information I(x_m; x_v | c) of masked and visible tokens, in nats.

    Parameters
    ----------
    world : World
        gaussian_tree (log-determinants; any size), or a grammar_tree small enough to list all its
        derivations (token symbols, without pixel noise; a node of c stands for its symbol and its
        production, as in the graph).
    masked : iterable of str
        Masked tokens, ``x{i}``; the others are visible.
    given : iterable of str
        Latents in c.

    Raises
    ------
    InferenceError
        If a name is not in the graph, nothing is masked or visible, or the world is of another kind or too
        large.
    """
    hidden, shown, c = _split(world, masked, given)
    if world.name == "gaussian_tree":
        return GaussianModel.from_world(world).mutual_information(hidden, shown, c)
    if world.name == "grammar_tree":
        table = derivations(world)
        return _discrete_information(*(_codes(table, names) for names in (hidden, shown, c)))
    raise InferenceError(
        f"world {world.name!r} has no exact conditional information (supported: gaussian_tree, grammar_tree)"
    )


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
    used, found = 1, {}
    for level in range(top, 0, -1):
        nodes = world.n_nodes[level]
        chosen = choices[:, used : used + nodes]
        used += nodes
        for i, name in enumerate(world.node_names(level)):
            found[name] = np.stack([symbols[:, i], chosen[:, i]], -1)
        pairs = world.params[f"rules{level}"][symbols, chosen]  # (derivations, nodes, 2)
        symbols = np.empty((len(choices), world.n_nodes[level - 1]), np.int64)
        symbols[:, world.grid.children(level)] = pairs
    return found | {name: symbols[:, i] for i, name in enumerate(world.node_names(0))}


def masked_mean_given(world: World, sample: Sample, masked: Iterable[str], given: Iterable[str]) -> Floats:
    """E[x_m | c]: all that a decoder trained by squared error can show of c.

    Parameters
    ----------
    world : World
        gaussian_tree (closed form), or invertible_tree, where c determines its ancestors and the rest is
        redrawn.
    sample : Sample
        n images of this world.
    masked, given : iterable of str
        Masked tokens and the latents of c.

    Returns
    -------
    array (n, masked tokens, values)
    """
    hidden, _, c = _split(world, masked, given)
    tokens = [int(name[1:]) for name in hidden]
    if world.name == "gaussian_tree":
        gain, _ = GaussianModel.from_world(world).condition(c, hidden)
        values = [_latent(world, sample, name) for name in c]
        flat = np.concatenate(values, 1) @ gain.T if c else np.zeros((len(sample.images), len(gain)))
        variables = flat.reshape(len(flat), len(hidden), -1)
    elif world.name == "invertible_tree":
        variables = _forward_mean(world, sample, c)[:, tokens]
    else:
        raise InferenceError(
            f"world {world.name!r} has no E[x_m | c] (supported: gaussian_tree, invertible_tree)"
        )
    return np.asarray(apply_maps(world.params["P"][tokens], variables))


def _forward_mean(world: World, sample: Sample, c: Sequence[str], draws: int = 64) -> Floats:
    graph, shared = world.graph, {}
    kept = set(c) | set(graph.ancestors_of(c))
    for level in range(world.levels + 1):
        shared[level] = np.array([name in kept for name in world.node_names(level)])
    known = {level: np.asarray(values, dtype=np.float64) for level, values in sample.latents.items()}
    known[0] = np.zeros((len(sample.images), world.grid.n_tokens, world.dims[0]))
    rng = stream(world.seed, "inference", 8)
    return np.mean([redraw(world, known, shared, rng)[0] for _ in range(draws)], axis=0)


def readable_r2(shown: Floats, c: Floats, fit: int | None = None) -> float:
    """R2 of c from E[x_m | c], mean over dimensions: the reference for reading c from a trained model.

    Parameters
    ----------
    shown : array (n, ...)
        E[x_m | c].
    c : array (n, dims)
    fit : int, optional
        Images that the regression is fitted on, at most 2,000; the others are scored. Default: half.

    Returns
    -------
    float
        The better of ridge and RBF kernel ridge, chosen by cross-validation on the images fitted on.
    """
    from sklearn.kernel_ridge import KernelRidge
    from sklearn.linear_model import RidgeCV
    from sklearn.model_selection import GridSearchCV, cross_val_score
    from sklearn.preprocessing import StandardScaler

    count = min(fit or len(c) // 2, 2000)
    x = StandardScaler().fit_transform(shown.reshape(len(shown), -1))
    train, test = slice(0, count), slice(count, None)
    wide = 1 / max(x.shape[1], 1)
    grid = {"alpha": [1e-3, 1e-1], "gamma": [wide / 3, wide]}
    models = [RidgeCV(alphas=np.logspace(-6, 3, 10)), GridSearchCV(KernelRidge(kernel="rbf"), grid, cv=3)]
    models[1].fit(x[train], c[train])
    models[1] = models[1].best_estimator_
    best = max(
        models, key=lambda model: cross_val_score(model, x[train], c[train], cv=3, scoring="r2").mean()
    )
    guess = np.asarray(best.fit(x[train], c[train]).predict(x[test])).reshape(c[test].shape)
    error, total = np.square(c[test] - guess).sum(0), np.square(c[test] - c[test].mean(0)).sum(0)
    return float((1 - error / total).mean())


def _latent(world: World, sample: Sample, name: str) -> Floats:
    level, node = map(int, name[1:].split("."))
    return np.asarray(sample.latents[level][:, node], dtype=np.float64)


def _split(
    world: World, masked: Iterable[str], given: Iterable[str]
) -> tuple[list[str], list[str], list[str]]:
    tokens = world.node_names(0)
    latents = [name for level in range(1, world.levels + 1) for name in world.node_names(level)]
    masked, given = set(masked), set(given)
    for what, names, allowed in (("masked", masked, tokens), ("given", given, latents)):
        for name in sorted(names - set(allowed)):
            raise InferenceError(
                f"{what}: {name!r} must be one of {allowed[0]} ... {allowed[-1]} ({world.name})"
            )
    if not masked or len(masked) == len(tokens):
        raise InferenceError(
            f"{len(masked)} of {len(tokens)} tokens masked: some must be masked and some visible"
        )
    return (
        [t for t in tokens if t in masked],
        [t for t in tokens if t not in masked],
        [z for z in latents if z in given],
    )


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
