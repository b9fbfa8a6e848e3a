"""All scores of one cell of the sweep, and of the controls that its mask does not touch.

A cell scores the trained encoder at every evaluation ratio, with ``shuffled`` beside it and the controls
that are of the cell: ``linear_mae``, which depends on patch and ratio, and ``positions``, which is the
trained encoder. The other controls it scores at the training ratio. At the common ratios those are the same
for all cells of a (world, world seed, seed): a job of their own scores them once, and with them what no
cell's mask touches: ``posterior``, and ``autoencoder`` and ``supervised``, which are trained there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from maestrata.errors import ProbeError
from maestrata.masks import MaskPatches
from maestrata.model.mae import MAE, MAEConfig
from maestrata.regression.controls import LinearMAEControl, Pca, Pixels
from maestrata.regression.encoders import ModelEncoder, PositionsEncoder
from maestrata.regression.evaluate import Evaluation, Reader
from maestrata.regression.posterior import PosteriorEncoder, has_posterior
from maestrata.regression.probes import make
from maestrata.regression.scorebook import ScoreBook
from maestrata.regression.views import Encoder, EvalMasks, Vectors, standard_masks
from maestrata.representation.encode import BATCH, image_tokens
from maestrata.representation.pooling import POOLINGS
from maestrata.training.controls import train_autoencoder, train_supervised
from maestrata.training.data import initial_model
from maestrata.training.recipe import Recipe
from maestrata.worlds.base import World

COMMON_RATIOS = (0.0, 0.5)
TRAINING = "training"
CONTROLS = ("random_init", "pixels", "pca")
OF_CELL = ("trained", "shuffled", "linear_mae", "positions")
"""Encoders that a cell scores at every evaluation ratio."""


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
    control_images : int
        Images that the controls ``autoencoder`` and ``supervised`` are trained on; 0: they are left out.
    device : str
        Where images are encoded, and those controls trained.
    """

    probe_train: int = 8192
    test: int = 8192
    probes: tuple[str, ...] = ("ridge", "kernel_ridge")
    probe_settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    poolings: tuple[str, ...] = POOLINGS
    replicates: int = 500
    batch: int = BATCH
    control_images: int = 0
    device: str = "cpu"

    @property
    def control_recipe(self) -> Recipe | None:
        """Recipe of the controls that are trained: the defaults but for the images; None without them."""
        return Recipe(images=self.control_images) if self.control_images else None

    def check(self) -> None:
        """Raise ProbeError for what does not exist or is out of range, before anything is computed."""
        least = Recipe.batch
        if self.control_images != 0 and self.control_images < least:
            raise ProbeError(
                f"control_images={self.control_images} must be 0 (no trained controls) or at least {least}, "
                "one batch"
            )
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
