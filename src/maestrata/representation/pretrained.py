"""A trained model and what its images must look like: read from a file or from Hugging Face, then encode.

A model takes images of the scale of its training. Images of floating point are taken as they are; those of 8
bit are brought to that scale by the mean and the deviation of each channel, where the model knows them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maestrata.errors import ProbeError, one_of
from maestrata.model import vitmae
from maestrata.model.mae import MAE
from maestrata.model.sizes import Tokens
from maestrata.model.stored import stated
from maestrata.representation.attention import attention_weights
from maestrata.representation.encode import BATCH, represent
from maestrata.representation.rescaled import Rescaled
from maestrata.training import weights
from maestrata.training.data import initial_model
from maestrata.worlds.base import World

if TYPE_CHECKING:
    from transformers import ViTMAEForPreTraining

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of values from 0 to 1, by channel: what the published checkpoints of He et al. were trained with."""

LARGEST = 50.0
"""Images of mean 0 and variance about 1 hold no value beyond it; those from 0 to 255 do."""

Channels = Literal["first", "last"]


@dataclass(frozen=True, eq=False)
class Pretrained:
    """A masked autoencoder, and the scale of its images.

    Attributes
    ----------
    mae : MAE
    mean, std : tuple of float, optional
        Of each channel, of values from 0 to 1: what images of 8 bit are normalised by. Without them the model
        takes images of floating point alone, as those of a world are.
    """

    mae: MAE
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if (self.mean is None) != (self.std is None) or len(self.mean or ()) != len(self.std or ()):
            raise ProbeError(
                f"mean={self.mean}, std={self.std}: both must be there, with a value each a channel"
            )
        if self.std is not None and not all(0 < value < np.inf for value in self.std):
            raise ProbeError(f"std={self.std} must hold numbers above 0")

    @property
    def depth(self) -> int:
        """Last layer; layer 0 is embedding and position."""
        return self.mae.cfg.depth

    def encode(
        self,
        images: ArrayLike,
        layer: int | None = None,
        visible_ids: NDArray[np.int64] | None = None,
        channels: Channels | None = None,
        batch: int = BATCH,
    ) -> NDArray[np.float32]:
        """Encode images: the tokens of one layer.

        Parameters
        ----------
        images : array (n, channel, y, x), (n, y, x, channel), or (n, y, x) where there is one channel
            uint8, or floating point of the scale of the model's training (mean 0, variance about 1).
        layer : int, optional
            0 (embedding) to `depth` (last block, after the final LayerNorm), which is the default.
        visible_ids : ndarray (n, k) of int, optional
            Raster ids of the visible tokens, ascending; all by default (k = number of tokens).
        channels : {"first", "last"}, optional
            Where the channels are; needed only where the model fits either.
        batch : int
            Images encoded at a time.

        Returns
        -------
        ndarray of float32, (n, 1 + k, width)
            [CLS] first, then the visible tokens in the order of their ids.

        Raises
        ------
        ProbeError
            If the images do not fit the model or are not of its scale, or there is no such layer or mask.
        """
        at = self.depth if layer is None else layer
        ids = None if visible_ids is None else self._checked(visible_ids)
        return represent(self.mae, self.prepared(images, channels), ids, [at], batch)[at]

    def attention(
        self,
        images: ArrayLike,
        layer: int | None = None,
        visible_ids: NDArray[np.int64] | None = None,
        channels: Channels | None = None,
        batch: int = BATCH,
    ) -> NDArray[np.float32]:
        """Return the self-attention of one block, 1 to `depth` (the default): whose output is that layer.

        Parameters, errors: as of `encode`.

        Returns
        -------
        ndarray of float32, (n, heads, 1 + k, 1 + k)
            Queries, then keys, each [CLS] first, then the visible tokens; each row sums to 1.
        """
        ids = None if visible_ids is None else self._checked(visible_ids)
        return attention_weights(self.mae, self.prepared(images, channels), layer, ids, batch)

    def prepared(self, images: ArrayLike, channels: Channels | None = None) -> NDArray[np.float32]:
        """Return images as the model takes them: (n, channel, y, x) of float32, normalised.

        Parameters, errors: as of `encode`.
        """
        array = np.asarray(images)
        if array.dtype.kind != "f" and array.dtype != np.uint8:
            raise ProbeError(f"images of type {array.dtype} must be uint8 or floating point")
        array = self._channels_first(array, channels)
        if array.dtype == np.uint8:
            return self._normalised(array)
        array = array.astype(np.float32, copy=False)
        largest = float(np.abs(array).max(initial=0))
        if not largest <= LARGEST:  # true of NaN
            raise ProbeError(
                f"images of floating point hold {largest:g}: they must be finite and of the scale of the "
                f"model's training (mean 0, variance about 1), so at most {LARGEST:g}; pixels of 0 to 255 "
                "must be uint8"
            )
        return array

    def at_tokens_of(self, world: World) -> MAE | Rescaled:
        """Return the model as an encoder of a world's images: itself, or `Rescaled` to the world's tokens.

        Raises
        ------
        ProbeError
            If it cannot be.
        """
        cfg = self.mae.cfg
        tokens = Tokens(world.grid.height, world.grid.width, world.token_values)
        if tokens == Tokens(cfg.grid_height, cfg.grid_width, cfg.token_values):
            return self.mae
        return Rescaled(self.mae, len(self.mean or (0,) * 3), tokens, world.channels)

    def untrained(self, seed: int) -> Pretrained:
        """Return a model of the same sizes with the weights that training would start from."""
        return Pretrained(initial_model(self.mae.cfg, seed, 0), self.mean, self.std)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model as a safetensors file (docs/models.md), from which `load_model` reads it again."""
        scale = {} if self.mean is None else {"mean": json.dumps(self.mean), "std": json.dumps(self.std)}
        weights.save_weights(self.mae, path, scale)

    def _normalised(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        if self.mean is None or self.std is None:
            raise ProbeError(
                "images of type uint8 need mean and deviation of each channel, of values from 0 to 1, "
                "that the images of the model's training were normalised by, and its file holds none: "
                "load_model(path, mean=..., std=...); or give images of floating point"
            )
        if len(self.mean) != images.shape[1]:
            raise ProbeError(f"mean={self.mean} must have a value for each of the {images.shape[1]} channels")
        mean, std = (np.float32(255) * np.array(v, np.float32)[:, None, None] for v in (self.mean, self.std))
        return (images - mean) / std

    def _channels_first(self, images: NDArray[Any], channels: Channels | None) -> NDArray[Any]:
        if channels not in (None, "first", "last"):
            raise ProbeError(f"channels {one_of(channels, ('first', 'last'))}")
        shape = images.shape
        ways = {}
        if images.ndim == 3:
            ways = {"first": images[:, None]}
        elif images.ndim == 4:
            ways = {"first": images, "last": np.moveaxis(images, -1, 1)}
            ways = ways if channels is None else {channels: ways[channels]}
        fit = {where: view for where, view in ways.items() if self._fits(view.shape)}
        if len(fit) > 1:
            raise ProbeError(
                f"images of shape {shape} fit the model either way: say channels='first' or 'last'"
            )
        if not fit:
            cfg = self.mae.cfg
            raise ProbeError(
                f"images of shape {shape} must be (n, channel, y, x) or (n, y, x, channel), and fit a model "
                f"of {cfg.grid_height}x{cfg.grid_width} tokens of {cfg.token_values} values (channels x "
                "pixels)"
            )
        return next(iter(fit.values()))

    def _fits(self, shape: tuple[int, ...]) -> bool:
        cfg, (_, channels, height, width) = self.mae.cfg, shape
        side = isqrt(cfg.token_values // channels) if channels else 0
        sides = (side * cfg.grid_height, side * cfg.grid_width, channels * side**2)
        return sides == (height, width, cfg.token_values)

    def _checked(self, visible_ids: NDArray[np.int64]) -> NDArray[np.int64]:
        ids, n = np.asarray(visible_ids), self.mae.cfg.n_tokens
        good = ids.ndim == 2 and ids.dtype.kind in "iu" and ids.shape[1] > 0
        if not good or ids.min(initial=0) < 0 or ids.max(initial=0) >= n or (np.diff(ids, axis=1) <= 0).any():
            raise ProbeError(
                f"visible_ids of shape {ids.shape} must hold token ids in 0..{n - 1}, ascending, (n, k)"
            )
        return ids.astype(np.int64)


def load_model(
    path: str | os.PathLike[str], mean: Sequence[float] | None = None, std: Sequence[float] | None = None
) -> Pretrained:
    """Read a model from its safetensors file.

    Parameters
    ----------
    path : path-like
        ``weights.safetensors`` of a cell (``results/RUN/cells/...``), or what `Pretrained.save` wrote.
    mean, std : sequence of float, optional
        Of each channel, of values from 0 to 1, by which the images of its training were normalised; by
        default those in the file, if any.

    Raises
    ------
    TrainingError
        If the file is not there, truncated, changed since it was written, or not weights of a MAE.

    Examples
    --------
    ``maestrata.load_model("weights.safetensors").encode(images)`` has shape (n, 1 + tokens, width).
    """
    mae = weights.load_mae(path)
    stored = _scale(stated(Path(path).expanduser()))
    mean, std = (stored.get(key) if given is None else given for key, given in (("mean", mean), ("std", std)))
    return Pretrained(mae, _numbers(mean), _numbers(std))


def from_vitmae(
    hf: ViTMAEForPreTraining,
    mean: Sequence[float] | None = IMAGENET_MEAN,
    std: Sequence[float] | None = IMAGENET_STD,
) -> Pretrained:
    """Turn a ViTMAEForPreTraining of transformers into a model of ours that is the same function.

    Parameters
    ----------
    hf : ViTMAEForPreTraining
    mean, std : sequence of float, optional
        What its images of 8 bit are normalised by (its image processor has them); ImageNet's by default.

    Raises
    ------
    ConfigError
        If it is no such model, or is not the function of a MAE (`maestrata.model.vitmae.from_vitmae`).
    """
    return Pretrained(vitmae.from_vitmae(hf), _numbers(mean), _numbers(std))


def to_vitmae(model: Pretrained | MAE, channels: int = 3) -> ViTMAEForPreTraining:
    """Turn a model of ours into a ViTMAEForPreTraining of transformers that is the same function.

    See `maestrata.model.vitmae.to_vitmae`.
    """
    return vitmae.to_vitmae(model.mae if isinstance(model, Pretrained) else model, channels)


def _scale(about: Mapping[str, Any]) -> dict[str, list[float]]:
    """Return mean and deviation of a model's images, of values from 0 to 1, where its file says them.

    A run on given images says them in the config of its jobs, in the images' own scale: of 8 bit where they
    deviate by more than 1.
    """
    if "mean" in about:
        return {key: json.loads(about[key]) for key in ("mean", "std")}
    data = json.loads(about.get("config", "{}")).get("world_data", {})
    if not data or max(data["deviation"]) <= 1:
        return {}
    return {key: [v / 255 for v in data[of]] for key, of in (("mean", "mean"), ("std", "deviation"))}


def _numbers(values: Sequence[float] | None) -> tuple[float, ...] | None:
    return None if values is None else tuple(float(value) for value in values)
