"""The encoders that are scored: adding a control is adding it to `NAMES` and `ENCODERS`, and nowhere else.

A cell scores what belongs to it at every evaluation ratio: the trained model, and the controls that depend
on it or on its patches and ratio. All else depends on the world and the training seed alone, and a job of its
own scores it at the common ratios, once for all cells of a (world, world seed, seed).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from maestrata.masks import MaskPatches
from maestrata.model.mae import MAE, MAEConfig
from maestrata.regression.controls import has_posterior, linear, pixels, posterior_means
from maestrata.regression.data import Encode, EvalMasks, Labelled, ProbeData, Vectors
from maestrata.regression.settings import Evaluation
from maestrata.representation.encode import BATCH, image_tokens, layer_passes, represent
from maestrata.representation.pooling import pool, pooled
from maestrata.training.controls import train_autoencoder, train_null, train_supervised
from maestrata.training.data import initial_model
from maestrata.training.recipe import PlannedCell

NAMES = (
    "trained",
    "random_init",
    "null_trained",
    "pixels",
    "shuffled",
    "linear_mae",
    "autoencoder",
    "positions",
    "supervised",
    "posterior",
)
"""All of them, in the order of a cube's axis."""
TRAINED = ("trained", "null_trained", "shuffled", "autoencoder", "positions", "supervised")
"""Encoders whose scores carry the rounding of a whole training, so that two machines differ by more."""


@dataclass(frozen=True)
class Case:
    """What the encoders of a world and training seed are made from.

    Attributes
    ----------
    data : ProbeData
    cfg : MAEConfig
        Sizes of the models.
    seed : int
        Training seed of the models.
    settings : Evaluation
    device : str
        Where images are encoded, and controls trained.
    batch : int
        Images encoded at a time.
    """

    data: ProbeData
    cfg: MAEConfig
    seed: int
    settings: Evaluation
    device: str
    batch: int

    @property
    def tokens(self) -> Vectors:
        """All images as tokens, (n, n_tokens, v); made when asked for: they take as much as the images."""
        return image_tokens(self.data.images, self.cfg)


@dataclass(frozen=True)
class CellCase(Case):
    """What the encoders of a cell are made from.

    Attributes
    ----------
    model : MAE
        Trained, on the device.
    patches : MaskPatches
    visible : int
        Visible patches in training.
    """

    model: MAE
    patches: MaskPatches
    visible: int


@dataclass(frozen=True)
class ControlsCase(Case):
    """What the controls of a world and training seed are made from.

    Attributes
    ----------
    null : PlannedCell or MAE, optional
        The cell whose masks and recipe `null_trained` is trained with, or `null_trained` itself.
    """

    null: PlannedCell | MAE | None


@dataclass(frozen=True)
class Encoder:
    """Declaration of an encoder.

    Attributes
    ----------
    name : str
    scored : {"cell", "both", "controls"}
        By the cell, under all masks; by the cell under its training masks and by the controls' job under the
        common ones; by the controls' job alone, under the common masks.
    encode : callable
        A `Case` (a `CellCase` where it is the cell's alone) -> its features.
    brief : bool
        Whether ridge alone is run, and of a model the last layer.
    there : callable
        Whether a case has this encoder.
    shuffles : str
        The encoder whose features it shares, with probes fitted to permuted latents; it has no `encode`.
    """

    name: str
    scored: Literal["cell", "both", "controls"]
    encode: Callable[[Any], Encode] | None = None
    brief: bool = False
    there: Callable[[Any], bool] = lambda case: True
    shuffles: str = ""


def of_model(model: MAE, images: NDArray[np.float32], batch: int = BATCH, brief: bool = False) -> Encode:
    """Features of a masked autoencoder's encoder: every layer of it, as many in memory as fit.

    ``concat`` and ``tokens`` are there at the last layer alone.

    Parameters
    ----------
    model : MAE
    images : ndarray (n, channel, y, x)
        Training images, then test images.
    batch : int
        Images encoded at a time.
    brief : bool
        The last layer alone.
    """
    cfg = model.cfg

    def encode(masks: EvalMasks, poolings: Sequence[str]) -> Labelled:
        tokens = 1 + (cfg.n_tokens if masks.visible_ids is None else masks.visible_ids.shape[1])
        layers = range(cfg.depth if brief else 0, cfg.depth + 1)
        for group in layer_passes(layers, len(images) * tokens * cfg.width):
            encoded = represent(model, images, masks.visible_ids, group, batch)
            for layer in group:
                wanted = [p for p in poolings if layer == cfg.depth or p not in ("concat", "tokens")]
                for kind, features in pooled(encoded.pop(layer), masks.visible_ids, wanted, masks.grid):
                    yield layer, kind, features

    return encode


def of_positions(model: MAE, image_shape: tuple[int, int, int], batch: int = BATCH) -> Encode:
    """Features of an encoder on tokens without content: all they can tell is which tokens are visible.

    Masks are drawn without a look at the image, so nothing can be regressed from them: an R2 above what
    chance gives would say that the evaluation leaks. The last layer, ``global`` and ``cls``, under masks that
    hide something; whole images would all be the same.

    Parameters
    ----------
    model : MAE
    image_shape : tuple of int
        (channel, y, x). Images are zero throughout, which is what those of a world average to.
    batch : int
        Masks encoded at a time. Each mask is encoded once.
    """
    layer = model.cfg.depth

    def encode(masks: EvalMasks, poolings: Sequence[str]) -> Labelled:
        if masks.visible_ids is None:
            return
        patterns, which = np.unique(masks.visible_ids, axis=0, return_inverse=True)
        blank = np.zeros((len(patterns), *image_shape), np.float32)
        tokens = represent(model, blank, patterns, [layer], batch)[layer]
        for pooling in ("global", "cls"):
            if pooling in poolings:
                yield layer, pooling, pool(tokens, patterns, pooling, masks.grid)[which.ravel()]

    return encode


def _trained(case: CellCase) -> Encode:
    return _features(case, case.model)


def _features(case: Case, model: MAE) -> Encode:
    return of_model(model, case.data.images, case.batch, brief=not case.settings.detailed)


def _start(case: Case) -> Encode:
    model = initial_model(case.cfg, case.seed, case.data.world.seed).to(case.device)
    return _features(case, model)


def _pixels(case: Case) -> Encode:
    return pixels(case.tokens, case.cfg.depth)


def _linear(case: CellCase) -> Encode:
    sizes = (case.cfg.depth, case.data.n_train, case.cfg.width)
    return linear(case.tokens, *sizes, case.patches, case.visible)


def _positions(case: CellCase) -> Encode:
    return of_positions(case.model, case.data.world.image_shape, case.batch)


def _posterior(case: Case) -> Encode:
    return posterior_means(case.data.world, case.data.images, case.cfg.depth)


def _null(case: ControlsCase) -> Encode:
    world, null = case.data.world, case.null
    assert null is not None  # or the encoder is not there
    if isinstance(null, MAE):
        return _features(case, null.to(case.device))
    masks = MaskPatches.parse(null.cell.patch, world.grid), null.cell.visible
    model, _ = train_null(world, *masks, case.cfg, case.seed, null.training, case.device)
    return _features(case, model)


def _control(train: Callable[..., tuple[MAE, Any]]) -> Callable[[Case], Encode]:
    """Features of a control that is trained first."""

    def encode(case: Case) -> Encode:
        recipe = case.settings.control_recipe
        model, _ = train(case.data.world, case.cfg, case.seed, recipe, case.device)
        return of_model(model, case.data.images, case.batch, brief=True)

    return encode


def _wanted(case: Case) -> bool:
    return case.settings.control_images > 0


def _detailed(case: Case) -> bool:
    return case.settings.detailed


ENCODERS = (
    Encoder("trained", "cell", _trained),
    Encoder("random_init", "both", _start),
    Encoder("pixels", "both", _pixels),
    Encoder("shuffled", "cell", shuffles="trained", there=_detailed),
    Encoder("linear_mae", "cell", _linear, brief=True, there=lambda case: case.data.world.has_covariance),
    Encoder("positions", "cell", _positions, brief=True, there=_detailed),
    Encoder("null_trained", "controls", _null, there=lambda case: case.null is not None),
    Encoder("posterior", "controls", _posterior, there=lambda case: has_posterior(case.data.world)),
    Encoder("autoencoder", "controls", _control(train_autoencoder), brief=True, there=_wanted),
    Encoder("supervised", "controls", _control(train_supervised), brief=True, there=_wanted),
)
