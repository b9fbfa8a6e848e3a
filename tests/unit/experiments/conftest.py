"""Jobs with small models in the place of trained ones: what is tested is how models are read."""

from __future__ import annotations

import pytest
import torch

from maestrata.cells import Cell
from maestrata.experiments.base import Job, TrainedCell
from maestrata.experiments.registry import load
from maestrata.experiments.settings import fill_settings
from maestrata.masks import MaskPatches
from maestrata.model.mae import MAE, MAEConfig
from maestrata.training.weights import save_weights
from maestrata.worlds import make


@pytest.fixture
def cells_job(tmp_path):
    """Make a job of an experiment that reads cells, with weights drawn at random."""

    def build(name, world=None, visible=(1, 3), seeds=(0,), patches="1x1", draw=None, **settings):
        world = world or make("gaussian_tree", 0, leaves=4)
        grid = world.grid
        cfg = MAEConfig(grid.height, grid.width, world.token_values, 8, 2, 2, 8, 1, 2)
        cells = []
        for seed in seeds:
            for count in visible:
                path = tmp_path / f"{patches}-v{count}-s{seed}.safetensors"
                number = 100 * seed + count if draw is None else draw(seed, count)
                save_weights(MAE(cfg).initialise(torch.Generator().manual_seed(number)), path)
                cell = Cell("w", world.seed, patches, count, seed)
                cells.append(TrainedCell(cell, MaskPatches.parse(patches, grid), path))
        return Job(
            world=world,
            seed=0,
            cfg=cfg,
            settings=fill_settings(name, settings, load(name).SETTINGS),
            cells=tuple(cells),
            probe_train=400,
            test=300,
            replicates=40,
        )

    return build


@pytest.fixture
def grammar():
    return make("grammar_tree", 0, leaves=4, symbols=5, productions=2, pixel_noise=0.3)
