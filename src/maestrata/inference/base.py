"""The posterior of every latent given the visible tokens: what it holds, how it is asked for.

A world's inference is the module of this package that has the world's name, so adding one is adding one file.
It defines

- ``infer(world, tokens, visible, noise, dtype) -> Posterior``;

and, where the default does not hold,

- ``EXACT``: settings that `infer` needs, such as ``{"dim": 2}``; default: none;
- ``COST``: milliseconds of one core for an image; default: less than one;
- ``halving_error(world, tokens, visible) -> dict``: error of numerical inference, by level;
- ``explained(world) -> dict``: `maestrata.inference.masked.explainable_share` in closed form;
- ``information(world, masked, visible, given) -> float``: of names, as
  `maestrata.inference.information.conditional_information` has it.

Nobody else asks for a world's name.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from maestrata import modules
from maestrata.errors import InferenceError
from maestrata.geometry import TokenGrid, patchify
from maestrata.worlds.base import World
from maestrata.worlds.maps import apply_maps

Levels = dict[int, NDArray[Any]]
Predictions = dict[tuple[str, int], NDArray[Any]]
"""``(kind, level) -> (n, nodes, columns)`` in the layout of `World.targets`; kind is latent or noise."""


@dataclass(frozen=True)
class Posterior:
    """What the visible tokens of n images tell about everything else.

    Attributes
    ----------
    world : str
        Name of the world.
    method : str
        How it was computed.
    mean : dict of arrays
        ``level -> (n, nodes, dim)``, levels 0 (the tokens' own variables) to L: posterior means. In a
        discrete world they are the probabilities of the symbols, dim = number of symbols.
    covariance : dict of arrays or None
        ``level -> (n, nodes, dim, dim)``; None in a discrete world.
    tokens : array (n, n_tokens, values)
        E[token's values | visible tokens]; a visible token is itself.
    token_variance : array (n, n_tokens)
        Posterior variance per value of a token, 0 where visible: its mean over masked tokens is the Bayes
        loss of masked reconstruction.
    noise : dict of arrays or None
        ``level -> (n, nodes, dim)``: posterior mean of the injected noise in the layout of `World.targets`
        (choices as probabilities). Only where it was asked for.
    """

    world: str
    method: str
    mean: Levels
    covariance: Levels | None
    tokens: NDArray[Any]
    token_variance: NDArray[Any]
    noise: Levels | None = field(default=None)

    @property
    def discrete(self) -> bool:
        """Whether the latents are symbols."""
        return self.covariance is None

    @property
    def probabilities(self) -> Levels:
        """``level -> (n, nodes, symbols)``; an InferenceError where the latents are no symbols."""
        if not self.discrete:
            raise InferenceError(
                f"{self.world} has no symbols: read mean and covariance (Posterior.probabilities)"
            )
        return self.mean

    @property
    def predictions(self) -> Predictions:
        """The posterior means as predictions of the targets; noise where it was asked for."""
        latents = {("latent", level): values for level, values in self.mean.items() if level}
        return latents | {("noise", level): values for level, values in (self.noise or {}).items()}


def supported() -> tuple[str, ...]:
    """Names of the worlds whose posterior can be computed (at some settings at least)."""
    return modules.available("inference")


def declared(world: World, name: str, default: Any = None) -> Any:
    """Return what the world's inference file defines under a name; the default where it does not."""
    if world.name not in supported():
        return default
    return getattr(modules.load("inference", world.name), name, default)


def is_exact(world: World) -> bool:
    """Whether the posterior can be had at the settings of the world."""
    return world.name in supported() and _has(world, declared(world, "EXACT", {}))


def _has(world: World, settings: dict[str, Any]) -> bool:
    return all(world.settings[key] == value for key, value in settings.items())


def is_slow(world: World) -> bool:
    """Whether inference takes milliseconds an image, where it takes microseconds elsewhere."""
    return bool(declared(world, "COST", 0) >= 1)


def posterior(
    world: World, images: ArrayLike, visible: ArrayLike, *, noise: bool = False, dtype: DTypeLike = np.float64
) -> Posterior:
    """Compute the exact posterior of every latent of every level given the visible tokens.

    Parameters
    ----------
    world : World
    images : array (n, channel, y, x)
        Masked tokens are never looked at, whatever they hold.
    visible : bool array (n_tokens,) or (n, n_tokens)
        True where a token is visible; one mask for all images, or one for each.
    noise : bool
        Also compute the posterior mean of the injected noise.
    dtype : float type
        Type of the result.

    Returns
    -------
    Posterior

    Raises
    ------
    InferenceError
        If a shape does not fit the world, a mask shows no token, a visible token is not finite, or the
        posterior of this world cannot be computed; the message then names the bounds that can be had
        instead.
    """
    tokens, shown = read_input(world, images, visible)
    if world.name not in supported():
        raise InferenceError(
            f"world {world.name!r} has no exact posterior (supported: {', '.join(supported())}); "
            "maestrata.inference.bounds gives bounds"
        )
    inference = modules.load("inference", world.name)
    result: Posterior = inference.infer(world, tokens, shown, noise, np.dtype(dtype))
    return result


def read_input(
    world: World, images: ArrayLike, visible: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Check images and masks; return tokens (n, n_tokens, values), masked ones zeroed, and masks (n,
    n_tokens).
    """
    pixels, shown = np.asarray(images), np.asarray(visible)
    if pixels.ndim != 4 or pixels.shape[1:] != world.image_shape or pixels.dtype.kind not in "fiu":
        expected = ", ".join(map(str, world.image_shape))
        raise InferenceError(
            f"images of shape {pixels.shape} and type {pixels.dtype} must be numbers of shape "
            f"(n, {expected}) for {world.name}"
        )
    n, n_tokens = len(pixels), world.grid.n_tokens
    if shown.dtype != np.bool_ or shown.shape not in ((n_tokens,), (n, n_tokens)):
        raise InferenceError(
            f"visible of shape {shown.shape} and type {shown.dtype} must be bool of shape ({n_tokens},) or "
            f"({n}, {n_tokens})"
        )
    shown = np.broadcast_to(shown, (n, n_tokens))
    empty = ~shown.any(1)
    if empty.any():
        raise InferenceError(
            f"visible has no visible token for image {int(np.argmax(empty))}: at least one is needed"
        )
    tokens = np.where(shown[..., None], patchify(pixels, world.token_pixels), 0).astype(np.float64)
    if not np.isfinite(tokens).all():
        bad = int(np.argmax(~np.isfinite(tokens).all((1, 2))))
        raise InferenceError(f"image {bad} holds visible values that are not finite")
    return tokens, shown


def pool_up(grid: TokenGrid, visible: NDArray[np.bool_]) -> dict[int, NDArray[np.bool_]]:
    """Return, for each level, whether a node has a visible token below it: ``level -> (n, nodes)``."""
    seen: dict[int, NDArray[np.bool_]] = {0: visible}
    for level in range(1, grid.levels + 1):
        seen[level] = np.asarray(seen[level - 1][:, grid.children(level)].any(-1))
    return seen


def continuous_posterior(
    world: World,
    method: str,
    tokens: NDArray[np.float64],
    visible: NDArray[np.bool_],
    mean: Levels,
    covariance: Levels,
    noise: Levels | None,
    dtype: np.dtype[Any],
) -> Posterior:
    """Put together the posterior of a world whose tokens are a map ``P`` of the variables of level 0."""
    filled = np.where(visible[..., None], tokens, apply_maps(world.params["P"], mean[0]))
    # the map's columns have squared length values / dim: variance per value is the mean over the dimensions
    spread = np.trace(covariance[0], axis1=-2, axis2=-1) / world.dims[0]
    return Posterior(
        world=world.name,
        method=method,
        mean=cast(mean, dtype),
        covariance=cast(covariance, dtype),
        tokens=filled.astype(dtype, copy=False),
        token_variance=spread.astype(dtype, copy=False),
        noise=None if noise is None else cast(noise, dtype),
    )


def cast(levels: Levels, dtype: np.dtype[Any]) -> Levels:
    """Convert every level to `dtype`, without a copy where it has it already."""
    return {level: values.astype(dtype, copy=False) for level, values in levels.items()}
