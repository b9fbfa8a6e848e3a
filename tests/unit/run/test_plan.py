"""What the rules are given: paths, flags, manifests, fingerprints."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from maestrata.config.load import load_config
from maestrata.cubes.manifest import Manifest
from maestrata.run.flags import as_flags
from maestrata.run.layout import FILES
from maestrata.run.plan import Plan
from maestrata.steps._run import Parser

CONFIGS = Path(__file__).parents[3] / "config"


GRID = [
    {"worlds": ["grammar"], "world_seeds": 2, "mask_ratios": [0.1, 0.5], "images": 160_000},
    {"worlds": ["gaussian"], "mask_ratios": [0.75]},
]


@pytest.fixture(scope="module")
def plan() -> Plan:
    """A run of the default config's worlds, in a grid of this test's own."""
    return Plan(load_config(CONFIGS / "config.yaml", overrides={"grid": GRID, "experiments": []}))


def test_flags_leave_out_what_is_not_set() -> None:
    assert as_flags({"a_b": 0, "c": None, "d": False, "e": True, "f": (1, 2), "g": {"x": "y z"}}) == (
        """--a-b 0 --e --f 1 2 --g '{"x": "y z"}'"""
    )


def test_every_file_of_a_cell_is_listed_once(plan: Plan) -> None:
    assert len(plan.files("weights")) == len(plan.cells)
    assert len(plan.everything) == len(set(plan.everything))
    assert all(path.startswith("results/default/") for path in plan.everything)
    assert "results/default/cells/grammar/w1/p1x1/v7/s0/scores.nc" in plan.files("scores")
    assert set(plan.files("controls")) == {
        f"results/default/controls/{world}/w{seed}/s0.nc"
        for world, seed in [("grammar", 0), ("grammar", 1), ("gaussian", 0)]
    }


def test_the_patterns_match_the_paths(plan: Plan) -> None:
    for name in FILES:
        for place, path in zip(plan.places(name), plan.files(name), strict=True):
            assert all(value in plan.constraints[field].split("|") for field, value in place.items())
            assert plan.path(name).format(**place) == path


def test_the_manifest_stands_for_exactly_the_cells(plan: Plan) -> None:
    manifest = Manifest.parse(plan.manifest("regression"))
    by_path = {str(manifest.path("scores", entry.cell)): entry for entry in manifest.entries}
    assert sorted(by_path) == sorted(plan.files("scores"))
    assert {str(manifest.path("controls", cell)) for cell in manifest.cells} == set(plan.files("controls"))
    for one in plan.cells:
        other = by_path[f"results/default/cells/{one.cell.stem}/scores.nc"]
        assert (other.mask_ratios, other.images) == (one.mask_ratios, one.training.images)
    theory = Manifest.parse(plan.manifest("theory"))
    assert sorted(str(theory.path("theory", cell)) for cell in theory.cells) == sorted(plan.files("theory"))


def test_a_cube_knows_nothing_that_it_does_not_hold() -> None:
    longer = Plan(load_config(CONFIGS / "smoke.yaml", overrides={"training": {"images": 9000}}))
    plan = Plan(load_config(CONFIGS / "smoke.yaml"))
    assert longer.manifest("regression") != plan.manifest("regression")
    for kind in ("training", "theory", "limits", "reconstructions"):
        assert longer.manifest(kind) == plan.manifest(kind)


def job(**wildcards: str) -> Any:
    return SimpleNamespace(**wildcards)


def test_flags_of_a_cell(plan: Plan) -> None:
    cell = job(world="grammar", world_seed="0", patch="1x1", visible="4", seed="0")
    assert plan.flags.world(cell).startswith("--world grammar --world-kind grammar_tree --world-settings")
    assert plan.flags.cell(cell) == "--patch 1x1 --visible 4 --seed 0"
    assert "--images 160000 --batch 64 --optimiser muon --lr 0.003" in plan.flags.training(cell)
    assert "samples" not in plan.flags.training(cell)


def test_the_null_has_masks_and_recipe_of_the_plainest_cell() -> None:
    grid = [
        {"worlds": ["grammar"], "patches": ["2x1"], "mask_ratios": [0.5], "images": 9_000},
        {"worlds": ["grammar"], "mask_ratios": [0.1, 0.5], "seeds": 2, "images": 7_000},
        {"worlds": ["symbols"], "patches": ["2x1"], "mask_ratios": [0.75], "images": 8_000},
    ]
    plan = Plan(load_config(CONFIGS / "smoke.yaml", overrides={"grid": grid, "experiments": []}))
    flags = {
        place["world"] + place["seed"]: plan.flags.null(job(**place)) for place in plan.places("controls")
    }
    assert flags["grammar1"].startswith(
        "--patch 1x1 --visible 4 --seed 1 --images 7000 --batch 128 --optimiser muon --lr"
    )
    assert flags["grammar0"].startswith("--patch 1x1 --visible 4 --seed 0 --images 7000")
    assert flags["symbols0"].startswith("--patch 2x1 --visible 1 --seed 0 --images 8000")


def test_the_first_seed_of_each_world_is_read_in_detail() -> None:
    grid = [
        {"worlds": ["grammar"], "mask_ratios": [0.5], "world_seeds": [4, 2]},
        {"worlds": ["symbols"], "mask_ratios": [0.5], "world_seeds": [4]},
    ]
    given = {"grid": grid, "experiments": []}
    plan = Plan(load_config(CONFIGS / "smoke.yaml", overrides=given))
    for name in ("scores", "controls"):
        told = {
            place["world"] + place["world_seed"]: plan.flags.evaluation(job(**place)).split("--detail ")[1]
            for place in plan.places(name)
        }
        detail = {key: flags.split()[0] for key, flags in told.items()}
        assert detail == {"grammar4": "none", "grammar2": "all", "symbols4": "all"}
        assert all(("--control-images" in flags) == (name == "controls") for flags in told.values())
    named = Plan(
        load_config(CONFIGS / "smoke.yaml", overrides=given | {"evaluation": {"detail_worlds": ["symbols"]}})
    )
    read = {place["world"]: named.flags.evaluated(job(**place)).detailed for place in named.places("scores")}
    assert read == {"grammar": False, "symbols": True}
    every = Plan(load_config(CONFIGS / "smoke.yaml", overrides=given | {"evaluation": {"detail": "all"}}))
    assert all("--detail all" in every.flags.evaluation(job(**place)) for place in every.places("scores"))


@pytest.mark.parametrize("note", ["-draft", "--x", "$$ 'a' \"b\" \\ {c} %", "two\nlines", "試験"])
def test_a_note_is_one_argument_whatever_it_holds(note: str) -> None:
    config = load_config(CONFIGS / "smoke.yaml", overrides={"note": note})
    parser = Parser()
    parser.add_argument("--note")
    assert parser.parse_args(shlex.split(Plan(config).flags.note)).note == " ".join(note.split())


def test_an_empty_note_is_an_argument_too(plan: Plan) -> None:
    assert plan.flags.note == "--note ''"


def test_code_differs_by_what_is_found_by_name(plan: Plan) -> None:
    worlds = [plan.code("worlds", job(world=w, world_seed="0")) for w in ("grammar", "gaussian", "symbols")]
    assert len(set(worlds)) == 3
    again = plan.code("worlds", job(world="grammar", world_seed="1"))
    assert again == worlds[0]


def test_a_partial_plan_takes_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = load_config(CONFIGS / "smoke.yaml")
    assert Plan(config, partial=True).everything == []
    there = Plan(config).files("history")[1]
    os.makedirs(Path(there).parent)
    Path(there).touch()
    partial = Plan(config, partial=True)
    assert partial.sources("training") == [there]
    assert "results/smoke/cubes/training.nc" in partial.everything
    assert not any("cells/" in path or "theory" in path for path in partial.everything)
    # a cube still tells of the cells that are not there
    assert partial.manifest("training") == Plan(config).manifest("training")


EXPERIMENTED = {
    "experiments": [
        {"name": "invariance", "worlds": ["additive"]},
        {"name": "border", "worlds": ["additive"], "world_seeds": 2, "settings": {"images": 999}},
        {"name": "border", "worlds": ["grammar"], "seeds": [4]},
    ]
}


def test_an_experiment_reads_the_models_of_its_world_and_seed() -> None:
    plan = Plan(load_config(CONFIGS / "smoke.yaml", overrides=EXPERIMENTED))
    here = job(experiment="invariance", world="additive", world_seed="0", seed="0")
    (weights,) = plan.read_weights(here)
    assert weights == "results/smoke/cells/additive/w0/p1x1/v4/s0/weights.safetensors"
    assert plan.flags.experiment(here).endswith(f"--cells 1x1/v4/s0={weights}")
    border = job(experiment="border", world="additive", world_seed="1", seed="0")
    assert plan.read_weights(border) == []
    flags = plan.flags.experiment(border)
    assert flags.startswith("--settings '{\"images\": 999}'") and "--cells" not in flags
    assert "--width 32" in flags and "--images 8000" in flags and "--probe-train 1024" in flags


def test_the_cube_of_an_experiment_is_joined_from_all_its_entries() -> None:
    plan = Plan(load_config(CONFIGS / "smoke.yaml", overrides=EXPERIMENTED))
    assert plan.sources("experiments/border") == [
        "results/smoke/experiments/border/additive/w0/s0.nc",
        "results/smoke/experiments/border/additive/w1/s0.nc",
        "results/smoke/experiments/border/grammar/w0/s4.nc",
    ]
    manifest = json.loads(plan.manifest("experiments/border"))
    assert manifest["paths"] == {
        "experiments": "results/smoke/experiments/border/{world}/w{world_seed}/s{seed}.nc"
    }
    assert [cell["world"] for cell in manifest["cells"]] == ["additive", "grammar"]
    assert "results/smoke/cubes/experiments/border.nc" in plan.everything
    assert plan.kind(job(kind="experiments/border")) == "experiments"


def test_code_of_an_experiment_is_its_own() -> None:
    plan = Plan(load_config(CONFIGS / "smoke.yaml", overrides=EXPERIMENTED))
    one, other = (
        plan.code("experiment", job(experiment=name, world="additive", world_seed="0", seed="0"))
        for name in ("invariance", "border")
    )
    assert one != other


def test_claims_that_are_judged_are_those_asked_for(plan: Plan) -> None:
    two = Plan(load_config(CONFIGS / "smoke.yaml", overrides={"claims": {"names": ["c06_masking_ratio"]}}))
    assert two.flags.claims == """--claims c06_masking_ratio --worlds '{"sweep": "symbols"}'"""
    section = {"names": ["c06_masking_ratio"], "worlds": {"sweep": "grammar"}}
    other = Plan(load_config(CONFIGS / "smoke.yaml", overrides={"claims": section}))
    assert other.flags.claims == """--claims c06_masking_ratio --worlds '{"sweep": "grammar"}'"""
    assert len(plan.claims) > 10 and two.code("claims", job()) != plan.code("claims", job())
    assert "results/smoke/cubes/regression.nc" in two.evidence
    assert not any("experiments" in path for path in two.evidence)


@pytest.mark.parametrize("name", ["config", "smoke", "evening", "full"])
def test_every_job_of_every_config_has_a_fingerprint_of_its_code(name: str) -> None:
    """Not an import that cannot be followed, in any module that a job finds by name."""
    expected = Plan(load_config(CONFIGS / f"{name}.yaml")).expected()
    assert expected and all(len(code) == 16 for codes in expected.values() for code in codes)
