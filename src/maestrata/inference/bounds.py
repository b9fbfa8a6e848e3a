"""Bounds where the posterior cannot be had (additive_tree with dim > 2, latent_dag, new worlds).

Bounds, and never called a ceiling.

Upper bound. The true latents of an image are a draw from their posterior given its visible tokens. A chain
that keeps this posterior (`chain`) is started there and run for a while; half the mean squared distance
between its start and end is at most the posterior variance, and comes near it as the chain runs longer. One
move of a node alone gives the bound of its exact Markov blanket; more moves are tighter. So

    R2 <= 1 - E |z - z'|^2 / (2 Var z).

Lower bound. What a supervised network predicts from the visible tokens, on images it has not seen: no fixed
predictor beats the posterior mean. One network serves all visibilities: it is trained under masks of every
count.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maestrata.errors import InferenceError
from maestrata.geometry import patchify
from maestrata.inference.base import Predictions, read_input
from maestrata.inference.chain import Chain
from maestrata.inference.folds import Folds
from maestrata.inference.masked import true_tokens
from maestrata.random import integer_seed, stream
from maestrata.worlds.base import Sample, World
from maestrata.worlds.maps import apply_maps, token_variables

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Bounds:
    """Bounds on what n images' visible tokens tell.

    Attributes
    ----------
    world : str
    upper : dict of arrays
        ``(kind, level) -> (n, nodes, dim)``, kind ``latent`` or ``noise``: values drawn again, z' above.
        ``1 - mean((z - z')**2) / (2 var(z))`` is an upper bound of R2. Empty where the world is not made of
        folds: then nothing but 1 is known.
    lower : dict of arrays
        The same for predictions of latents and noise (a symbol one-hot): their R2 is a lower bound.
    tokens : array (n, n_tokens, values)
        Visible tokens as they are, masked ones as predicted.
    loss_low : array (n, n_tokens)
        Per value of each masked token: their mean is a lower bound of the Bayes loss. 0 where visible, and
        everywhere where `upper` is empty.
    """

    world: str
    upper: Predictions
    lower: Predictions
    tokens: NDArray[Any]
    loss_low: Array


def bounds(
    world: World,
    sample: Sample,
    visible: ArrayLike,
    *,
    predictor: Predictor | None = None,
    sweeps: int = 5,
) -> Bounds:
    """Bound what visible tokens tell of the latents of a sample.

    Parameters
    ----------
    world : World
        Any; an upper bound is had for worlds of folds (additive_tree of any dim, latent_dag).
    sample : Sample
        Of this world: the upper bound starts from its true latents. Not the sample of a predictor's training.
    visible : bool array (n_tokens,) or (n, n_tokens)
    predictor : Predictor, optional
        Fitted; by default one is fitted here (some seconds).
    sweeps : int
        Length of the chain, at least 1: sweeps over all latents, forth and back.

    Raises
    ------
    InferenceError
        If a shape does not fit.
    """
    tokens, shown = read_input(world, sample.images, visible)
    if sweeps < 1:
        raise InferenceError(f"sweeps={sweeps} must be at least 1")
    upper: Predictions = {}
    loss = np.zeros(shown.shape)
    if world.folds:
        upper, loss = _redraw(world, Folds.of(world), sample, shown, sweeps)
    fitted = predictor or Predictor().fit(world)
    return Bounds(world.name, upper, *fitted.predict(world, tokens, shown), loss)


def _redraw(
    world: World, folds: Folds, sample: Sample, visible: NDArray[np.bool_], sweeps: int
) -> tuple[Predictions, Array]:
    latents = [np.asarray(sample.latents[level], dtype=np.float64) for level in range(world.levels, 0, -1)]
    leaves = token_variables(world.params["P"], true_tokens(world, sample.images))
    truth = np.concatenate([*latents, leaves], 1)
    chain = Chain(folds, truth, visible)
    start = chain.mean.copy()
    chain.mix(sweeps, stream(world.seed, "inference", 2))
    noise = (chain.z - chain.mean) / chain.scale[:, None]
    upper = {("latent", level): chain.z[:, folds.rows[level]] for level in range(1, world.levels + 1)}
    upper |= {("noise", level): noise[:, folds.rows[level]] for level in range(world.levels + 1)}
    apart = (chain.mean - start)[:, folds.rows[0]]
    # a masked token: its own noise, and what its parents leave open of its mean
    loss = folds.sigma**2 + np.square(apart).mean(-1) / 2
    return upper, np.where(visible, 0.0, loss)


@dataclass
class Predictor:
    """A supervised network from visible tokens and the mask to all latents, noise and tokens.

    Parameters
    ----------
    samples : int
        Images it is trained on.
    width, layers, epochs : int
        Of scikit-learn's MLPRegressor.
    """

    samples: int = 32_000
    width: int = 256
    layers: int = 2
    epochs: int = 8
    network_: Any = field(default=None, init=False)

    def fit(self, world: World) -> Predictor:
        """Fit on images of the stream ``inference``, each under a mask of its own: all counts, all masks."""
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.neural_network import MLPRegressor

        sample = world.sample(self.samples, "inference", (3,))
        leaves = _read(world, patchify(sample.images, world.token_pixels))
        masks = _any_masks(stream(world.seed, "inference", 4), leaves.shape[:2])
        targets = [target.values for target in world.targets(sample)]
        outputs = np.concatenate([*targets, leaves.reshape(len(leaves), -1)], axis=1, dtype=np.float32)
        self.network_ = MLPRegressor(
            hidden_layer_sizes=(self.width,) * self.layers,
            batch_size=min(256, self.samples),
            learning_rate_init=2e-3,
            max_iter=self.epochs,
            tol=0.0,
            random_state=integer_seed(world.seed, "inference", 5) % (1 << 32),
        )
        with warnings.catch_warnings():
            # it stops when its epochs are spent, as meant
            warnings.simplefilter("ignore", ConvergenceWarning)
            self.network_.fit(_inputs(leaves, masks), outputs)
        return self

    def predict(
        self, world: World, tokens: Array, visible: NDArray[np.bool_]
    ) -> tuple[Predictions, NDArray[Any]]:
        """Predict `lower` and `tokens` of `Bounds` from tokens (n, n_tokens, values) and masks."""
        leaves = _read(world, tokens)
        flat = self.network_.predict(_inputs(leaves, visible))
        parts: dict[tuple[str, int], list[NDArray[Any]]] = {}
        start = 0
        for target in world.targets(world.sample(1, "inference", (9,))):
            end = start + target.values.shape[1]
            parts.setdefault((target.kind, target.level), []).append(flat[:, start:end])
            start = end
        filled = _write(world, flat[:, start:].reshape(leaves.shape))
        filled = np.where(visible[..., None], tokens, filled)
        return {key: np.stack(nodes, 1) for key, nodes in parts.items()}, filled


def _read(world: World, tokens: NDArray[Any]) -> NDArray[Any]:
    """Token variables where pixels are an orthogonal map of them, else pixels: what the network sees."""
    if not world.folds:
        return tokens
    return np.asarray(token_variables(world.params["P"], tokens))


def _write(world: World, seen: NDArray[Any]) -> NDArray[Any]:
    """Undo `_read`."""
    return np.asarray(apply_maps(world.params["P"], seen)) if world.folds else seen


def _any_masks(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Draw masks of every visible count from 1 to all, a fifth of them showing all."""
    n, tokens = shape
    count = np.where(rng.random(n) < 0.2, tokens, rng.integers(1, tokens + 1, n))
    rank = rng.random((n, tokens)).argsort(1).argsort(1)
    return rank < count[:, None]


def _inputs(leaves: NDArray[Any], visible: NDArray[np.bool_]) -> NDArray[np.float32]:
    shown = np.where(visible[..., None], leaves, 0).reshape(len(leaves), -1)
    return np.concatenate([shown, visible], axis=1).astype(np.float32)
