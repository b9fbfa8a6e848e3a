"""Scores of a model that was trained elsewhere, by the probes and on the features of a run's own models."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from maestrata.model.mae import MAE
from maestrata.regression.cell import draw_data
from maestrata.regression.controls import pixels
from maestrata.regression.encoders import of_model
from maestrata.regression.evaluate import Evaluator
from maestrata.regression.scorebook import ScoreBook
from maestrata.regression.settings import Evaluation
from maestrata.representation.encode import BATCH, image_tokens
from maestrata.representation.pretrained import Pretrained
from maestrata.worlds.base import World

if TYPE_CHECKING:
    import xarray as xr


def score_model(
    model: Pretrained,
    world: World,
    settings: Evaluation | None = None,
    seed: int = 0,
    device: str = "cpu",
    batch: int = BATCH,
) -> xr.Dataset:
    """Score a model on a world that it was not trained on, beside the same model untrained, and pixels.

    Parameters
    ----------
    model : Pretrained
        Where it was made for other tokens, those of the world are enlarged
        (`maestrata.representation.rescaled`).
    world : World
        Its images are taken as they are, of mean 0 and variance about 1.
    settings : Evaluation, optional
        Detailed, every layer, pooling and probe is scored.
    seed : int
        The untrained model starts from it.
    device : str
        Where images are encoded.
    batch : int
        Images encoded at a time.

    Returns
    -------
    xarray.Dataset
        ``r2``, ``r2_low``, ``r2_high``, ``accuracy`` and ``n_test`` over (encoder, layer, pooling,
        eval_ratio, probe, target, level), as in a regression cube: `maestrata.results.scores` reads it.
        Encoders are ``trained``, ``random_init``, ``pixels`` and, where it is detailed, ``shuffled``.

    Raises
    ------
    ProbeError
        If the model cannot take the world's images, or a probe or one of its settings cannot be.
    """
    import xarray as xr

    settings = (settings or Evaluation()).asked()
    brief = not settings.detailed
    # what takes features asks an encoder for `cfg` and `encode` alone, and both kinds have these
    trained, start = (cast(MAE, one.at_tokens_of(world).to(device)) for one in (model, model.untrained(seed)))
    data, masks = draw_data(world, settings)
    features = {
        "trained": of_model(trained, data.images, batch, brief),
        "random_init": of_model(start, data.images, batch, brief),
        "pixels": pixels(image_tokens(data.images, trained.cfg), trained.cfg.depth),
    }
    names = [*features] if brief else [*features, "shuffled"]
    book = ScoreBook(world, names, trained.cfg.depth, [mask.label for mask in masks], settings)
    evaluator = Evaluator(data, settings, seed)
    for name, encode in features.items():
        shuffled = "shuffled" if name == "trained" and not brief else None
        evaluator.score(book, name, encode, masks, shuffled=shuffled)
    axes = [axis for axis in book.coords if axis != "node"]
    variables = {name: (axes, values) for name, values in book.values.items()}
    return xr.Dataset(variables, {axis: book.coords[axis] for axis in axes})
