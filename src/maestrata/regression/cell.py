"""All scores of one cell of the sweep, and of the controls that no cell's mask touches.

Which encoder is scored by which, and under which masks: `encoders.ENCODERS`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

import numpy as np

from maestrata.masks import MaskPatches
from maestrata.model.mae import MAE, MAEConfig
from maestrata.regression.data import EvalMasks, ProbeData
from maestrata.regression.encoders import ENCODERS, Case, CellCase, ControlsCase
from maestrata.regression.evaluate import Evaluator
from maestrata.regression.probes import make
from maestrata.regression.scorebook import ScoreBook
from maestrata.regression.settings import Evaluation
from maestrata.representation.encode import BATCH
from maestrata.training.progress import Explainable, Progress
from maestrata.training.recipe import PlannedCell
from maestrata.worlds.base import World

log = logging.getLogger(__name__)

COMMON_RATIOS = (0.0, 0.5)
TRAINING = "training"


def score_cell(
    model: MAE,
    world: World,
    patches: MaskPatches,
    visible: int,
    seed: int,
    settings: Evaluation | None = None,
    device: str = "cpu",
    batch: int = BATCH,
) -> ScoreBook:
    """Score a trained model with the controls of its own, and the other controls at its training ratio.

    Parameters
    ----------
    model : MAE
        Trained.
    world : World
        The world it was trained on.
    patches : MaskPatches
    visible : int
        Visible patches in training.
    seed : int
        Training seed: `random_init` starts from it.
    settings : Evaluation, optional
    device : str
        Where images are encoded.
    batch : int
        Images encoded at a time.

    Returns
    -------
    ScoreBook

    Raises
    ------
    ProbeError, MaskError
        If the model does not fit the world, or a probe, one of its settings or the mask cannot be.
    """
    settings = (settings or Evaluation()).asked()
    data, common = draw_data(world, settings)
    case = CellCase(data, model.cfg, seed, settings, device, batch, model.to(device), patches, visible)
    book = _in_detail(case, common) if settings.detailed else _score(case, {"cell": common}, common)
    book.add_progress(_progress(case))
    return book


def score_controls(
    cfg: MAEConfig,
    world: World,
    seed: int,
    settings: Evaluation | None = None,
    device: str = "cpu",
    batch: int = BATCH,
    null: PlannedCell | MAE | None = None,
) -> ScoreBook:
    """Score the controls at the common evaluation ratios; train those that are trained.

    Parameters
    ----------
    cfg : MAEConfig
        Sizes of the models they are compared with.
    world : World
    seed : int
        Training seed of those models.
    settings, device, batch
        As of `score_cell`.
    null : PlannedCell or MAE, optional
        The cell whose masks and recipe `null_trained` is trained with, or `null_trained` itself; without
        either there is none.

    Returns
    -------
    ScoreBook
    """
    settings = (settings or Evaluation()).asked()
    data, common = draw_data(world, settings)
    case = ControlsCase(data, cfg, seed, settings, device, batch, null)
    return _score(case, {"both": common, "controls": common}, common)


def draw_data(world: World, settings: Evaluation) -> tuple[ProbeData, list[EvalMasks]]:
    """Draw the images, and the masks that all models of a world share; whole images alone if it is brief.

    Raises
    ------
    ProbeError
        If a probe cannot be made: before anything is computed.
    """
    for name in settings.probes:
        make(name, **settings.probe_settings.get(name, {}))
    most = None if settings.detailed else 1
    ratios, kinds = COMMON_RATIOS[:most], world.kinds[:most]
    data = ProbeData.draw(world, settings.probe_train, settings.test, settings.replicates, kinds)
    return data, [data.common_masks(ratio) for ratio in ratios]


def _in_detail(case: CellCase, common: list[EvalMasks]) -> ScoreBook:
    """Score a cell under its own masks too; where those are common ones, once."""
    own = case.data.masks(TRAINING, case.patches, case.visible)
    twin = next((masks for masks in common if masks.same_as(own)), None)
    every = common if twin else [*common, own]
    book = _score(case, {"cell": every, "both": [own]}, [*common, own])
    if twin:
        for encoder in ENCODERS:
            if encoder.scored == "cell" and encoder.there(case):
                book.copy_ratio(twin.label, own.label, encoder.name)
    return book


def _progress(case: CellCase) -> Progress:
    """Measure how far the cell's model has learnt."""
    settings = case.settings
    held = Explainable.of(case.data.world, case.patches, case.visible, settings.test, settings.replicates)
    if case.cfg.norm_pixels:
        log.info("a model that predicts normalised pixels (norm_pixels) has no progress")
        return held.of_predictions(np.full_like(held.tokens, np.nan))
    return held.progress(case.model, case.device)


def _score(case: Case, masks: Mapping[str, Sequence[EvalMasks]], every: Sequence[EvalMasks]) -> ScoreBook:
    """Score each encoder of a case under the masks that its declaration names."""
    encoders = [encoder for encoder in ENCODERS if encoder.scored in masks and encoder.there(case)]
    if not case.data.train.groups:
        log.info("images without classes have nothing that a probe could be fitted to: no scores")
    book = ScoreBook(
        case.data.world,
        [encoder.name for encoder in encoders],
        case.cfg.depth,
        [mask.label for mask in every],
        case.settings,
    )
    evaluator = Evaluator(case.data, case.settings, case.seed)
    shuffled = {encoder.shuffles: encoder.name for encoder in encoders}
    for encoder in encoders:
        if encoder.encode is not None and case.data.train.groups:
            evaluator.score(
                book,
                encoder.name,
                encoder.encode(case),
                masks[encoder.scored],
                brief=encoder.brief,
                shuffled=shuffled.get(encoder.name),
            )
    return book
