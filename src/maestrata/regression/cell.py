"""All scores of one cell of the sweep, and of the controls that its mask does not touch.

A cell scores the trained encoder at every evaluation ratio, with ``shuffled`` beside it and the controls
that are of the cell: ``linear_mae``, which depends on patch and ratio, and ``positions``, which is the
trained encoder. The other controls it scores at the training ratio. At the common ratios those are the same
for all cells of a (world, world seed, seed): a job of their own scores them once, and with them what no
cell's mask touches: ``posterior``, and ``autoencoder`` and ``supervised``, which are trained there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from maestrata.masks import MaskPatches
from maestrata.model.mae import MAE, MAEConfig
from maestrata.regression.controls import LinearMAEControl, Pca, Pixels
from maestrata.regression.encoders import ModelEncoder, PositionsEncoder
from maestrata.regression.evaluate import Evaluation, Reader
from maestrata.regression.posterior import PosteriorEncoder, has_posterior
from maestrata.regression.probes import make
from maestrata.regression.scorebook import ScoreBook
from maestrata.regression.settings import Evaluation as Settings
from maestrata.regression.views import Encoder, EvalMasks, Vectors, standard_masks
from maestrata.representation.encode import BATCH, image_tokens
from maestrata.settings import setting
from maestrata.training.controls import train_autoencoder, train_supervised
from maestrata.training.data import initial_model
from maestrata.worlds.base import World

COMMON_RATIOS = (0.0, 0.5)
TRAINING = "training"
CONTROLS = ("random_init", "pixels", "pca")
OF_CELL = ("trained", "shuffled", "linear_mae", "positions")
"""Encoders that a cell scores at every evaluation ratio."""


@dataclass(frozen=True)
class Plan(Settings):
    """How encoders are read: the evaluation, and where and how many at a time images are encoded.

    Attributes
    ----------
    batch : int
        Images encoded at a time.
    device : str
        Where images are encoded, and those controls trained.
    """

    batch: int = setting(BATCH, "images encoded at a time", least=1)
    device: str = "cpu"

    def check(self) -> None:
        """Raise ProbeError for a probe, or a setting of one, that does not exist."""
        for name in self.probes:
            make(name, **self.probe_settings.get(name, {}))


def score_cell(
    model: MAE, world: World, patches: MaskPatches, visible: int, seed: int, plan: Plan | None = None
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
    names = ("trained", *CONTROLS, *OF_CELL[1:])
    book = _book(world, names, [*common, own], model.cfg.depth, plan)
    reader = Reader(evaluation, book, plan.probes, model.cfg.depth, plan.probe_settings, seed, plan.poolings)
    twin = next((m for m in common if m.same_as(own)), None)
    masks = common if twin else [*common, own]
    trained = ModelEncoder("trained", model.to(plan.device), evaluation.images, plan.batch)
    reader.read(trained, masks, shuffled=True)
    positions = PositionsEncoder(model, world.image_shape, plan.batch)
    reader.read(positions, masks, every_probe=False)
    tokens = image_tokens(evaluation.images, model)
    linear = LinearMAEControl(tokens, model.cfg.depth, evaluation.n_train, model.cfg.width, patches, visible)
    reader.read(linear, masks, every_probe=False)
    if twin:
        for name in OF_CELL:
            book.copy_ratio(twin.label, own.label, name)
    for control in _controls(evaluation, model.cfg, tokens, seed, plan):
        reader.read(control, [own])
    return book


def score_controls(cfg: MAEConfig, world: World, seed: int, plan: Plan | None = None) -> ScoreBook:
    """Score the controls at the common evaluation ratios; train those that are trained.

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
    controls = _controls(evaluation, cfg, image_tokens(evaluation.images, MAE(cfg)), seed, plan)
    if has_posterior(world):
        controls.append(PosteriorEncoder(world, evaluation.images, cfg.depth))
    brief = [
        ModelEncoder(name, model, evaluation.images, plan.batch, brief=True)
        for name, model in _trained_controls(world, cfg, seed, plan)
    ]
    names = [control.name for control in (*controls, *brief)]
    book = _book(world, names, masks, cfg.depth, plan)
    reader = Reader(evaluation, book, plan.probes, cfg.depth, plan.probe_settings, seed, plan.poolings)
    for control in controls:
        reader.read(control, masks)
    for trained in brief:
        reader.read(trained, masks, every_probe=False)
    return book


def _controls(
    evaluation: Evaluation, cfg: MAEConfig, tokens: Vectors, seed: int, plan: Plan
) -> list[Encoder]:
    start = initial_model(cfg, seed)
    return [
        ModelEncoder("random_init", start.to(plan.device), evaluation.images, plan.batch),
        Pixels(tokens, cfg.depth),
        Pca(tokens, cfg.depth, evaluation.n_train, cfg.width),
    ]


def _trained_controls(world: World, cfg: MAEConfig, seed: int, plan: Plan) -> Iterator[tuple[str, MAE]]:
    recipe = plan.control_recipe
    if recipe is not None:
        yield "autoencoder", train_autoencoder(world, cfg, seed, recipe, plan.device)[0]
        yield "supervised", train_supervised(world, cfg, seed, recipe, plan.device)[0]


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
