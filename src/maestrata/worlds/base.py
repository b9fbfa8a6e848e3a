"""What every world is: named functions on arrays, a graph, and a description of the noise that drives it.

A world is a data-generating process whose latents are known. Its functions are drawn once, from the
stream ``("world", seed)``, and kept as float64 parameters; everything else is a pure map
``(params, noise) -> (images, latents)`` that runs on NumPy and on torch alike (and under
``torch.func.vmap`` over parameters and noise together). The caller draws the noise: `World.draw` does it
from a NumPy stream, and a trainer on a device may do it there from the same `noise_spec`.
"""

from __future__ import annotations

import abc
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from array_api_compat import array_namespace, device
from numpy.typing import NDArray

from maestrata.bounds import MOST_COVARIANCE, MOST_LEAVES, MOST_WORLD
from maestrata.errors import MaskError, WorldError
from maestrata.geometry import TokenGrid
from maestrata.graphs import LatentGraph, node_names, tree_graph
from maestrata.random import stream as named_stream
from maestrata.worlds.maps import one_hot

GREY_LEVELS = 255.0
"""Range of the grey levels by which images are judged."""
HALF_RANGE = 4.0
"""Pixel value that is grey level 255, its negative being 0."""
TargetKind = Literal["latent", "noise", "class", "texture", "layout"]
"""What a target is: a variable of the world, the noise injected at it, or a factor of a whole image: its
class, its texture, its layout."""

Noise = dict[int, Any]
"""Noise of each level: ``level -> (..., nodes, dim)``; level 0 is that of the tokens, level L the root's."""


@dataclass(frozen=True)
class NoiseSpec:
    """How the noise of a level is drawn: standard normal, or uniform over ``0 .. high - 1`` per dimension."""

    kind: Literal["normal", "choice"]
    shape: tuple[int, int]
    high: tuple[int, ...] = ()


@dataclass(frozen=True)
class Sample:
    """Images with everything that made them.

    Attributes
    ----------
    images : float array (n, channel, y, x)
    latents : dict of arrays
        ``level -> (n, nodes, dim)`` for levels 1 to L; integer symbols in a discrete world.
    noise : dict of arrays
        ``level -> (n, nodes, dim)`` for levels 0 to L.
    """

    images: Any
    latents: dict[int, Any]
    noise: Noise

    def __iter__(self) -> Any:
        return iter((self.images, self.latents, self.noise))


@dataclass(frozen=True)
class Target:
    """What a probe regresses at one node: float32 values (n, dims), and symbols (n,) where it is discrete."""

    kind: TargetKind
    level: int
    node: int
    values: NDArray[np.float32]
    labels: NDArray[np.int64] | None = None


class World(abc.ABC):
    """Base of all worlds. A subclass sets the attributes below and writes `forward`.

    Attributes
    ----------
    name : str
    seed : int
    settings : dict
        All settings, defaults included.
    grid : TokenGrid
    levels : int
        Level of the root, L.
    token_pixels, channels : int
    images : int or None
        Training images that there are; None: as many as are asked for.
    data : dict or None
        What is known of images that are given (`maestrata.worlds.images.ImageWorld`).
    discrete : bool
        Whether latents are symbols.
    kinds : tuple of str
        Kinds of its targets, the one that decides first.
    latent : bool
        Whether it is made of latents and noise that are known. Else it is a set of images
        (`maestrata.worlds.images`): there is nothing to draw anew and no exact inference.
    folds : bool
        Whether every node is a sum of folds of its parents plus noise, with parameters as
        `maestrata.inference.folds` reads them.
    n_symbols : dict
        ``level -> symbols``, 0 to L; empty where latents are no symbols.
    dims : dict
        ``level -> dimension of a node`` (level 0: of the token's own variable).
    params : dict of float64 (or integer) arrays
        The functions of the world.
    noise_spec : dict
        ``level -> NoiseSpec``.
    """

    name: ClassVar[str]
    images: int | None = None
    data: dict[str, Any] | None = None
    discrete: ClassVar[bool] = False
    kinds: ClassVar[tuple[TargetKind, ...]] = ("latent", "noise")
    latent: ClassVar[bool] = True
    folds: ClassVar[bool] = False
    stackable: bool = True  # worlds of other seeds differ in `params` alone: `forward` can be vmapped
    channels: int = 3

    def __init__(self, seed: int, *, leaves: int, token_pixels: int, settings: Mapping[str, Any]) -> None:
        if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**32:
            raise WorldError(f"{self.name}: seed={seed!r} must be an integer in [0, 2**32)")
        if isinstance(token_pixels, bool) or not isinstance(token_pixels, int) or token_pixels < 1:
            raise WorldError(f"{self.name}: token_pixels={token_pixels!r} must be an integer, at least 1")
        self.seed = seed
        self.settings: dict[str, Any] = {"leaves": leaves, **settings, "token_pixels": token_pixels}
        try:
            self.grid = TokenGrid.for_leaves(leaves)
        except MaskError as error:
            raise WorldError(f"{self.name}: {error}") from None
        if leaves > MOST_LEAVES:
            raise WorldError(f"{self.name}: leaves={leaves} must be at most {MOST_LEAVES}")
        if self.latent and leaves * (self.channels * token_pixels**2) ** 2 > MOST_WORLD:
            raise WorldError(
                f"{self.name}: token_pixels={token_pixels} makes a world of {leaves} leaves too large: "
                f"leaves x (values of a token)^2 must be at most {MOST_WORLD:_}"
            )
        self.levels = self.grid.levels
        self.token_pixels = token_pixels
        self.n_symbols: dict[int, int] = {}
        self.params: dict[str, NDArray[Any]] = {}
        self.dims: dict[int, int] = {}
        self.noise_spec: dict[int, NoiseSpec] = {}
        self._converted: dict[tuple[str, str], dict[str, Any]] = {}

    @abc.abstractmethod
    def forward(self, params: Mapping[str, Any], noise: Noise) -> tuple[Any, dict[int, Any]]:
        """Map noise to images and latents: pure, on any array library, with any leading batch axes.

        Parameters
        ----------
        params : mapping
            `self.params`, in the library and dtype of the noise.
        noise : dict of arrays (..., nodes, dim)

        Returns
        -------
        images : array (..., channel, y, x)
        latents : dict of arrays (..., nodes, dim), levels 1 to L
        """

    # what every world has

    @property
    def token_values(self) -> int:
        """Values in a token: channels times pixels."""
        return self.channels * self.token_pixels**2

    @property
    def has_covariance(self) -> bool:
        """Whether an image has few enough values for their covariance to be taken, as linear models do."""
        return self.grid.n_tokens * self.token_values <= MOST_COVARIANCE

    @property
    def offers(self) -> frozenset[str]:
        """What an experiment can ask for: the ``NEEDS`` of `maestrata.experiments.registry`."""
        return frozenset({"latents", "images", "classes", "textures"})

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(channel, y, x) of an image."""
        return self.channels, self.grid.height * self.token_pixels, self.grid.width * self.token_pixels

    @property
    def n_nodes(self) -> dict[int, int]:
        """Nodes at each level, 0 to L."""
        return {level: self.grid.n_nodes(level) for level in range(self.levels + 1)}

    def node_names(self, level: int) -> tuple[str, ...]:
        """Names of the nodes at `level` in the graph: ``z{level}.{i}``, and ``x{i}`` for tokens."""
        return node_names(self.grid, level)

    @property
    def graph(self) -> LatentGraph:
        """The latent graph, with the dimension of every node."""
        return tree_graph(self.grid, self.dims)

    def draw(self, n: int, rng: np.random.Generator, dtype: Any = np.float32) -> Noise:
        """Draw noise for `n` images, from the root down, with a NumPy generator.

        Returns
        -------
        dict of arrays (n, nodes, dim)
            Of type `dtype` where the noise is normal, int64 where it is a choice.
        """
        noise: Noise = {}
        for level in sorted(self.noise_spec, reverse=True):
            spec = self.noise_spec[level]
            if spec.kind == "normal":
                noise[level] = rng.standard_normal((n, *spec.shape), dtype=dtype)
            else:
                noise[level] = rng.integers(0, np.asarray(spec.high), (n, *spec.shape))
        return noise

    def convert_params(self, like: Any) -> dict[str, Any]:
        """Return the parameters in the library, floating dtype and device of the array `like` (cached)."""
        xp, where = array_namespace(like), device(like)
        key = (str(like.dtype), str(where))
        if key not in self._converted:
            self._converted[key] = {
                name: xp.asarray(value, dtype=like.dtype if value.dtype.kind == "f" else None, device=where)
                for name, value in self.params.items()
            }
        return self._converted[key]

    def generate(self, noise: Noise) -> Sample:
        """Make images and latents from noise, in the noise's own library, dtype and device."""
        like = next((a for a in noise.values() if array_namespace(a).isdtype(a.dtype, "real floating")), None)
        if like is None:
            raise WorldError(f"{self.name}: the noise holds no floating-point array to take the dtype from")
        images, latents = self.forward(self.convert_params(like), noise)
        return Sample(images, latents, noise)

    def sample(self, n: int, stream: str = "test", index: tuple[int, ...] = ()) -> Sample:
        """Draw `n` images (float32, NumPy) from the named stream ``(self.seed, stream, *index)``.

        Parameters
        ----------
        n : int
            At least 1.
        stream : str
            Name in `maestrata.random.STREAMS`; streams never share a sample.
        index : tuple of int
            Further coordinates of the stream, such as a seed and a step.
        """
        if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 1:
            raise WorldError(f"{self.name}: n={n!r} must be an integer, at least 1")
        return self._sampled(int(n), stream, index, named_stream(self.seed, stream, *index))

    def _sampled(self, n: int, stream: str, index: tuple[int, ...], rng: np.random.Generator) -> Sample:
        return self.generate(self.draw(n, rng))

    def with_texture(self, noise: Noise, half: NDArray[np.int64]) -> Noise:
        """Return the noise with one half of the world's textures, 0 or 1 an image, (n,), all else as it was.

        Raises
        ------
        WorldError
            If images have no textures that are known.
        """
        raise WorldError(f"{self.name}: its images have no textures that are known")

    def grey(self, images: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return images in grey levels, nominally 0 to 255: pixels have mean 0 and variance about 1."""
        return np.asarray((images.astype(np.float64) / HALF_RANGE + 1) * (GREY_LEVELS / 2))

    def targets(self, sample: Sample) -> list[Target]:
        """List what can be regressed: the latents of levels 1 to L and the noise injected at every level.

        A discrete variable is given one-hot, with its symbols beside it.
        """
        targets = []
        for level, values in sorted(sample.latents.items()):
            symbols = [self.n_symbols[level]] if self.discrete else None
            nodes = range(values.shape[-2])
            targets += [_target("latent", level, node, values[:, node], symbols) for node in nodes]
        for level, spec in sorted(self.noise_spec.items()):
            values, high = sample.noise[level], list(spec.high) if spec.kind == "choice" else None
            nodes = range(spec.shape[0])
            targets += [_target("noise", level, node, values[:, node], high) for node in nodes]
        return targets


def _target(kind: TargetKind, level: int, node: int, values: Any, high: list[int] | None) -> Target:
    values = np.asarray(values)
    if high is None:
        return Target(kind, level, node, values.astype(np.float32))
    if len(high) != values.shape[1]:
        raise WorldError(f"{kind} of level {level}: {values.shape[1]} dimensions, {len(high)} symbol counts")
    columns = np.concatenate([one_hot(values[:, i], h) for i, h in enumerate(high)], 1)
    # several choices at once have no single label
    return Target(kind, level, node, columns, values[:, 0].astype(np.int64) if len(high) == 1 else None)
