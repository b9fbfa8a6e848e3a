"""All scores of one cell of the sweep, and of the controls that its mask does not touch.

A cell scores the trained encoder at every evaluation ratio (with ``shuffled`` beside it), and every
control at the training ratio. The controls at the common ratios are the same for all cells of a (world,
world seed, seed): a job of their own scores them once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from maestrata.errors import ProbeError
from maestrata.masks import MaskPatches
from maestrata.model.mae import MAE, MAEConfig
from maestrata.regression.controls import Pca, Pixels
from maestrata.regression.encoders import ModelEncoder, initial_model
from maestrata.regression.evaluate import Evaluation, Reader
from maestrata.regression.probes import make
from maestrata.regression.scorebook import ScoreBook
from maestrata.regression.views import Encoder, EvalMasks, standard_masks
from maestrata.representation.encode import BATCH, image_tokens
from maestrata.representation.pooling import POOLINGS
from maestrata.worlds.base import World

COMMON_RATIOS = (0.0, 0.5)
TRAINING = "training"
CONTROLS = ("random_init", "pixels", "pca")


@dataclass(frozen=True)
class Plan:
    """How encoders are read; the fields are the keys of the config's section `evaluation`, and two more.

    Attributes
    ----------
    probe_train, test : int
        Images that probes are fitted and scored on.
    probes : tuple of str
    probe_settings : mapping
        Probe -> its settings.
    poolings : tuple of str
        Poolings that are read; `concat` and `aligned` grow fast with the number of tokens.
    replicates : int
        Bootstrap replicates.
    batch : int
        Images encoded at a time.
    device : str
        Where images are encoded.
    """

    probe_train: int = 8192
    test: int = 8192
    probes: tuple[str, ...] = ("ridge", "kernel_ridge")
    probe_settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    poolings: tuple[str, ...] = POOLINGS
    replicates: int = 500
    batch: int = BATCH
    device: str = "cpu"

    def check(self) -> None:
        """Raise ProbeError for a probe or a setting that does not exist, before anything is computed."""
        if not self.probes:
            raise ProbeError("probes=() must name at least one probe")
        for name in self.probes:
            make(name, **self.probe_settings.get(name, {}))
        if not self.poolings or not set(self.poolings) <= set(POOLINGS):
            raise ProbeError(f"poolings={self.poolings} must be one or more of: {', '.join(POOLINGS)}")
        for name in self.probe_settings:
            if name not in self.probes:
                raise ProbeError(f"settings of probe {name!r}, which is not among the probes {self.probes}")


def score_cell(
    model: MAE, world: World, patches: MaskPatches, visible: int, seed: int, plan: Plan | None = None
) -> ScoreBook:
    """Score a trained model, and the controls at its training ratio.

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
    plan : Plan, optional

    Returns
    -------
    ScoreBook

    Raises
    ------
    ProbeError, MaskError
        If the model does not fit the world, or the plan or the mask cannot be.
    """
    plan = plan or Plan()
    plan.check()
    evaluation = Evaluation.draw(world, plan.probe_train, plan.test, plan.replicates)
    counts = (plan.probe_train, plan.test)
    common = [standard_masks(ratio, world.grid, world.seed, counts) for ratio in COMMON_RATIOS]
    own = EvalMasks.draw(TRAINING, world.grid, world.seed, counts, patches, visible)
    book = _book(world, ("trained", *CONTROLS, "shuffled"), [*common, own], model.cfg.depth, plan)
    reader = Reader(evaluation, book, plan.probes, model.cfg.depth, plan.probe_settings, seed, plan.poolings)
    twin = next((m for m in common if m.same_as(own)), None)
    trained = ModelEncoder("trained", model.to(plan.device), evaluation.images, plan.batch)
    reader.read(trained, common if twin else [*common, own], shuffled=True)
    if twin:
        for name in ("trained", "shuffled"):
            book.copy_ratio(twin.label, own.label, name)
    for control in _controls(evaluation, model.cfg, seed, plan):
        reader.read(control, [own])
    return book


def score_controls(cfg: MAEConfig, world: World, seed: int, plan: Plan | None = None) -> ScoreBook:
    """Score the controls at the common evaluation ratios.

    Parameters
    ----------
    cfg : MAEConfig
        Sizes of the models they stand beside.
    world : World
    seed : int
        Training seed of those models.
    plan : Plan, optional

    Returns
    -------
    ScoreBook
    """
    plan = plan or Plan()
    plan.check()
    evaluation = Evaluation.draw(world, plan.probe_train, plan.test, plan.replicates)
    counts = (plan.probe_train, plan.test)
    masks = [standard_masks(ratio, world.grid, world.seed, counts) for ratio in COMMON_RATIOS]
    book = _book(world, CONTROLS, masks, cfg.depth, plan)
    reader = Reader(evaluation, book, plan.probes, cfg.depth, plan.probe_settings, seed, plan.poolings)
    for control in _controls(evaluation, cfg, seed, plan):
        reader.read(control, masks)
    return book


def _controls(evaluation: Evaluation, cfg: MAEConfig, seed: int, plan: Plan) -> list[Encoder]:
    start = initial_model(cfg, seed)
    tokens = image_tokens(evaluation.images, start)
    return [
        ModelEncoder("random_init", start.to(plan.device), evaluation.images, plan.batch),
        Pixels(tokens, cfg.depth),
        Pca(tokens, cfg.depth, evaluation.n_train, cfg.width),
    ]


def _book(
    world: World, encoders: Sequence[str], masks: Sequence[EvalMasks], depth: int, plan: Plan
) -> ScoreBook:
    return ScoreBook(
        encoders=encoders,
        depth=depth,
        eval_ratios=[m.label for m in masks],
        probes=plan.probes,
        levels=world.levels,
        replicates=plan.replicates,
        discrete=world.discrete,
        nodes={level: world.node_names(level) for level in range(world.levels + 1)},
    )
