"""The grid: which cells a config has, each once."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from maestrata.claims.c18_determinism import AMBIGUITY
from maestrata.claims.rule import WORLDS
from maestrata.config.grid import build_cells
from maestrata.config.load import load_config
from maestrata.config.sections import Config
from maestrata.training.recipe import PlannedCell

CONFIGS = Path(__file__).parents[3] / "config"


def config(*blocks: dict[str, Any]) -> Config:
    return Config.model_validate_json(
        json.dumps(
            {
                "run": "try",
                "worlds": {"b": {"kind": "gaussian_tree"}, "a": {"kind": "grammar_tree"}},
                "grid": blocks,
            }
        )
    )


def cells(*blocks: dict[str, Any]) -> tuple[PlannedCell, ...]:
    return build_cells(config(*blocks))


def test_a_block_is_a_product_and_the_grid_a_union() -> None:
    planned = cells(
        {"worlds": ["a", "b"], "world_seeds": 2, "mask_ratios": [0.25, 0.75], "seeds": [3, 5]},
        {"worlds": ["a"], "patches": ["2x1", "2x1o"], "mask_ratios": [0.5]},
    )
    assert len(planned) == 2 * 2 * 2 * 2 + 2
    assert len({c.cell.stem for c in planned}) == len(planned)
    assert planned[-1].cell.stem == "a/w1/p1x1/v12/s5"


def test_ratios_that_leave_the_same_patches_visible_are_one_cell() -> None:
    (one,) = cells({"worlds": ["a"], "mask_ratios": [0.52, 0.5]})
    assert (one.cell.visible, one.mask_ratios) == (8, (0.5, 0.52))
    (one,) = cells({"worlds": ["a"], "mask_ratios": [0.52]}, {"worlds": ["a"], "mask_ratios": [0.5]})
    assert (one.cell.visible, one.mask_ratios) == (8, (0.5, 0.52))


def test_the_order_of_the_grid_does_not_matter() -> None:
    one = {"worlds": ["a", "b"], "patches": ["1x1", "2x1"], "mask_ratios": [0.25, 0.5], "seeds": [0, 1]}
    other = {"worlds": ["b", "a"], "patches": ["2x1", "1x1"], "mask_ratios": [0.5, 0.25], "seeds": [1, 0]}
    assert cells(one) == cells(other)


def test_blocks_set_training_anew() -> None:
    planned = cells(
        {"worlds": ["a"], "mask_ratios": [0.5], "images": 5000, "training": {"lr": 0.001, "samples": 1000}},
        {"worlds": ["b"], "mask_ratios": [0.5]},
    )
    by_world = {c.cell.world: c.training for c in planned}
    assert (by_world["a"].images, by_world["a"].lr, by_world["a"].samples) == (5000, 0.001, 1000)
    assert by_world["a"].batch == by_world["b"].batch
    assert by_world["b"] == config({"worlds": ["b"], "mask_ratios": [0.5]}).training


def test_planning_imports_neither_torch_nor_what_is_found_by_name() -> None:
    code = (
        "import sys; from maestrata.config.load import load_config; from maestrata.run.plan import Plan\n"
        f"Plan(load_config({str(CONFIGS / 'config.yaml')!r})).expected()\n"
        "heavy = {'torch', 'matplotlib', 'xarray', 'netCDF4', 'maestrata.regression.probes.ridge'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


RATIOS = (0.1, 0.25, 0.5, 0.75, 0.9)
FRESH = set(range(100, 112))  # world seeds from 100 up: nobody looked at one before the thresholds stood


def ratios_by_seed(name: str, world: str, patch: str = "1x1") -> dict[int, tuple[float, ...]]:
    """Ratios trained in each world seed of a label, for masks of one patch."""
    planned = build_cells(load_config(CONFIGS / f"{name}.yaml"))
    cells = [c for c in planned if c.cell.world == world and c.cell.patch == patch]
    return {
        seed: tuple(sorted(r for c in cells if c.cell.world_seed == seed for r in c.mask_ratios))
        for seed in {c.cell.world_seed for c in cells}
    }


def test_the_default_run_decides_in_twelve_fresh_worlds_and_shows_every_other() -> None:
    config = load_config(CONFIGS / "config.yaml")
    assert ratios_by_seed("config", "symbols") == dict.fromkeys(FRESH, RATIOS)
    assert set(ratios_by_seed("config", "grammar")) == FRESH
    planned = build_cells(config)
    assert {c.cell.world for c in planned} == set(config.worlds)
    assert min(c.cell.world_seed for c in planned) >= 100


@pytest.mark.parametrize("world", ["symbols", "symbols_between", "symbols_ambiguous"])
def test_the_evening_run_has_all_ratios_in_twelve_fresh_worlds(world: str) -> None:
    assert ratios_by_seed("evening", world) == dict.fromkeys(FRESH, RATIOS)


@pytest.mark.parametrize("name", ["config", "evening", "full"])
def test_a_run_that_judges_claim_18_has_worlds_as_ambiguous_as_it_says(name: str) -> None:
    worlds = load_config(CONFIGS / f"{name}.yaml").worlds
    there = {role: worlds[WORLDS[role]].settings["ambiguity"] for role in AMBIGUITY}
    assert there == pytest.approx(AMBIGUITY, abs=1e-4)


def test_the_full_run_is_larger_and_trains_every_cell_twice() -> None:
    planned = build_cells(load_config(CONFIGS / "full.yaml"))
    assert {c.cell.seed for c in planned} == {0, 1}
    assert ratios_by_seed("full", "grammar16").keys() == FRESH
    evening = build_cells(load_config(CONFIGS / "evening.yaml"))
    seen = [sum(c.training.images for c in cells) for cells in (planned, evening)]
    assert seen[0] > 2 * seen[1]


def test_the_smoke_grid_is_small_and_of_two_kinds() -> None:
    config = load_config(CONFIGS / "smoke.yaml")
    planned = build_cells(config)
    assert config.note == "smoke: not evidence"
    assert len({c.cell.patch for c in planned}) > 1
    assert len({r for c in planned for r in c.mask_ratios}) > 1
    assert {config.worlds[c.cell.world].kind for c in planned} == {"additive_tree", "grammar_tree"}
