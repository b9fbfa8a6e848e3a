"""What experiments share: settings, tables, training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from maestrata import modules
from maestrata.cells import Cell
from maestrata.errors import ExperimentError, TrainingError
from maestrata.experiments import registry
from maestrata.experiments.base import Table, TrainedCell
from maestrata.experiments.settings import fill_settings
from maestrata.geometry import TokenGrid
from maestrata.masks import MaskPatches
from maestrata.model.mae import MAE, MAEConfig
from maestrata.training.data import Batches, fixed_masks, initial_model
from maestrata.training.loop import fit
from maestrata.training.recipe import Recipe
from maestrata.training.train import train
from maestrata.worlds import make

CFG = MAEConfig(grid_height=2, grid_width=2, width=16, depth=1, decoder_width=16)
RECIPE = Recipe(images=512, batch=32)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"image": 5}, "setting 'image' must be one of: images, ratios"),
        ({"images": "many"}, "images='many' must be a whole number"),
        ({"images": True}, "images=True must be a whole number"),
        ({"ratios": []}, "ratios=[] must not be empty"),
        ({"ratios": ["a"]}, "ratios[0]='a' must be a number"),
    ],
)
def test_settings_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ExperimentError) as caught:
        fill_settings("made_up", given, {"images": 10, "ratios": (0.5,)})
    assert said in str(caught.value)


def test_settings_given_stand_in_the_place_of_defaults() -> None:
    filled = fill_settings("made_up", {"ratios": [1, 0.5]}, {"images": 10, "ratios": (0.5,)})
    assert filled == {"images": 10, "ratios": (1, 0.5)}


def test_an_unknown_experiment_is_named_with_those_there_are() -> None:
    with pytest.raises(ExperimentError, match="'none_such' must be one of"):
        registry.load("none_such")


@pytest.mark.parametrize("name", registry.available())
def test_every_experiment_says_what_the_workflow_needs(name: str) -> None:
    """The constants that the workflow reads from the source are those of the imported module."""
    module = registry.load(name)
    assert len(module.SUMMARY) > 20 and callable(module.run)
    for key in ("SETTINGS", "RANGES", "WORLDS", "CELLS", "SEEDS", "PATCHES", "FILLS_IN", "FINDS"):
        assert modules.constant("experiments", name, key) == getattr(module, key, None)
    assert fill_settings(name, {}, module.SETTINGS) == {
        key: tuple(v) if isinstance(v, list) else v for key, v in module.SETTINGS.items()
    }


def test_a_table_puts_numbers_at_their_places() -> None:
    table = Table()
    table.add("b", "leak", 2, 0.5, 100, (0.4, 0.6))
    table.add("a", "loss", 0, 1.5)
    table.place("b", 0.75)
    axes, data = table.arrays()
    assert axes == {"arm": ["b", "a"], "quantity": ["leak", "loss"], "level": [0, 2]}
    assert data["value"][0, 0, 1] == 0.5 and data["value"][1, 1, 0] == 1.5 and data["n"][0, 0, 1] == 100
    assert np.isnan(data["value"]).sum() == 6
    np.testing.assert_array_equal(data["setting"], [0.75, np.nan])
    with pytest.raises(ExperimentError, match="twice"):
        table.add("a", "loss", 0, 1.0)
    with pytest.raises(ExperimentError, match="finite"):
        table.add("a", "loss", 1, np.inf)


def test_replicates_become_their_percentiles() -> None:
    table = Table()
    table.add("a", "r2", 1, [0.5, *np.linspace(0, 1, 101), np.nan], n=7)
    data = table.arrays()[1]
    assert data["low"].item() == pytest.approx(0.025) and data["high"].item() == pytest.approx(0.975)


def test_an_empty_table_is_an_error() -> None:
    with pytest.raises(ExperimentError, match="nothing"):
        Table().arrays()


def test_the_same_masks_and_images_give_the_model_of_the_sweep() -> None:
    world, patches = make("additive_tree", 3, leaves=4), MaskPatches(TokenGrid(2, 2))
    expected, its_losses = train(world, patches, 2, 5, CFG, RECIPE)
    model = initial_model(CFG, 5, world.seed)
    losses = fit(model, Batches(world, patches, 2, 5, RECIPE), model.loss, RECIPE, "again")
    np.testing.assert_array_equal(losses, its_losses)
    for name, value in expected.state_dict().items():
        assert value.equal(model.state_dict()[name]), name


def test_a_fixed_mask_is_the_same_at_every_step() -> None:
    source = fixed_masks(np.array([True, False, True, False]), 3)
    for step in (0, 9):
        seen, hidden = source(step)
        assert seen.tolist() == [[1, 3]] * 3 and hidden.tolist() == [[0, 2]] * 3


def test_a_loss_that_is_not_finite_is_told_with_its_step() -> None:
    world, patches = make("additive_tree", 3, leaves=4), MaskPatches(TokenGrid(2, 2))
    model = MAE(CFG)
    batches = Batches(world, patches, 2, 5, RECIPE)

    def broken(step: int) -> tuple[Any, ...]:
        tokens, *ids = batches(step)
        return (tokens / 0 if step >= 3 else tokens, *ids)

    with pytest.raises(TrainingError, match=r"made up: the loss is nan at step 3 of 16"):
        fit(model, broken, model.loss, RECIPE, "made up")


def test_a_trained_cell_knows_its_ratio_and_its_arm() -> None:
    patches = MaskPatches(TokenGrid(4, 4), 2, 1)
    cell = TrainedCell(Cell("w", 0, "2x1", 6, 3), patches, Path("weights"))
    assert cell.arm == "2x1/v6" and cell.mask_ratio == 0.25 and cell.seed == 3
