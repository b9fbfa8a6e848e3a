"""After a finished smoke run, each change plans exactly the jobs that it concerns."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from maestrata.cubes.io import open_cube

if TYPE_CHECKING:
    from conftest import Checkout

EXPERIMENT = "experiments/invariance"
CUBES = {"regression", "training", "reconstructions", "theory", "limits", EXPERIMENT}
CELLS = {  # of config/smoke.yaml
    "additive": {"patch=1x1, visible=4, seed=0"},
    "grammar": {"patch=2x1, visible=1, seed=0"},
}


def place(world: str) -> str:
    return f"world={world}, world_seed=0"


def jobs(rule: str, *worlds: str) -> set[str]:
    """Jobs of a rule for some worlds of the smoke run, or for all."""
    worlds = worlds or tuple(CELLS)
    if rule in ("pretrain", "regress"):
        return {f"{rule} {place(world)}, {cell}" for world in worlds for cell in CELLS[world]}
    if rule == "experiment":
        return {f"experiment experiment=invariance, {place('additive')}, seed=0"}
    if rule == "controls":
        return {f"{rule} {place(world)}, seed=0" for world in worlds}
    return {f"{rule} {place(world)}" for world in worlds}


def constants(path: Path) -> set[str]:
    """Kinds of cube that the module of a figure or a claim names."""
    lists = re.findall(r"^(?:NEEDS|USES) = \((.*?)\)$", path.read_text(), re.MULTILINE | re.DOTALL)
    return set(re.findall(r'"([\w/]+)"', " ".join(lists)))


def figures(checkout: Checkout) -> dict[str, set[str]]:
    """Figures of the smoke run, and the kinds that each shows."""
    names = {p.stem for p in (checkout.folder / "results/smoke/figures").glob("*.png")}
    return {name: constants(checkout.folder / f"src/maestrata/figures/{name}.py") for name in names}


def after(checkout: Checkout, *changed: str) -> set[str]:
    """Jobs that follow when files of these kinds change: cubes, claims judged on them, figures, explorer."""
    claims = (checkout.folder / "src/maestrata/claims").glob("c*.py")
    judged = any(constants(path) & set(changed) for path in claims)
    shown = {*changed, *(["verdicts"] if judged else [])}
    drawn = {f"figure figure={name}" for name, kinds in figures(checkout).items() if kinds & shown}
    return (
        {f"collect kind={kind}" for kind in changed if kind in CUBES}
        | drawn
        | ({"claims"} if judged else set())
        | ({"explorer"} if shown & {"regression", "limits", "verdicts"} else set())
    )


# what follows from every trained model
TRAINED = ("regression", "training", "reconstructions", EXPERIMENT)
READ = ("regression", "reconstructions")


def test_nothing_to_do_after_a_run(finished: Checkout) -> None:
    assert "Nothing to be done" in finished.run("--dry-run")
    assert finished.planned() == set()


def test_a_smoke_run_is_at_most_25_jobs(finished: Checkout) -> None:
    (count,) = re.findall(r"(\d+) of \1 steps \(100%\) done", (finished.folder / "run.log").read_text())
    assert int(count) <= 25


def test_comments_docstrings_and_times_plan_nothing(checkout: Checkout) -> None:
    for path in (checkout.folder / "src").rglob("*.py"):
        path.touch()
    checkout.edit("src/maestrata/worlds/additive_tree.py", lambda text: text.replace('"""', '"""Anew. ', 1))
    checkout.edit("src/maestrata/model/mae.py", lambda text: f"{text}\n# a comment\n")
    checkout.edit("config/smoke.yaml", lambda text: f"# a comment\n{text}")
    assert checkout.planned() == set()


def test_a_moved_checkout_plans_nothing(checkout: Checkout, tmp_path: Path) -> None:
    assert checkout.move(tmp_path / "elsewhere").planned() == set()


def test_a_world_edited_plans_its_jobs_alone(checkout: Checkout) -> None:
    checkout.add_code("worlds/grammar_tree")
    rules = ("worlds", "theory", "limits", "pretrain", "regress", "controls")
    expected = set().union(*(jobs(rule, "grammar") for rule in rules))
    assert checkout.planned() == expected | after(checkout, "worlds", *CUBES - {EXPERIMENT})


def test_a_probe_edited_plans_what_is_read(checkout: Checkout) -> None:
    checkout.add_code("regression/probes/kernel_ridge")
    assert checkout.planned() == jobs("regress") | jobs("controls") | after(checkout, *READ)


def test_a_transitive_import_edited_plans_what_reaches_it(checkout: Checkout) -> None:
    """The step of the theory imports it through another module."""
    text = (checkout.folder / "src/maestrata/steps/theory.py").read_text()
    assert "theory.supply" not in text
    checkout.add_code("theory/supply")
    assert jobs("theory") | after(checkout, "theory") <= checkout.planned()
    assert not checkout.planned() & (jobs("worlds") | jobs("pretrain") | jobs("limits"))


def test_the_model_edited_plans_no_theory(checkout: Checkout) -> None:
    checkout.add_code("model/mae")
    expected = set().union(*map(jobs, ("pretrain", "regress", "controls", "experiment")))
    assert checkout.planned() == expected | after(checkout, *TRAINED)


def test_masks_edited_plan_all_but_the_worlds(checkout: Checkout) -> None:
    checkout.add_code("masks")
    rules = ("theory", "limits", "pretrain", "regress", "controls", "experiment")
    drawn = {"figure figure=world"}  # it shows a mask
    assert checkout.planned() == set().union(*map(jobs, rules)) | after(checkout, *CUBES) | drawn


def test_a_figure_edited_plans_itself(checkout: Checkout) -> None:
    name = sorted((checkout.folder / "results/smoke/figures").glob("*.png"))[0].stem
    checkout.add_code(f"figures/{name}")
    assert checkout.planned() == {f"figure figure={name}"}


def test_the_style_edited_plans_figures_alone(checkout: Checkout) -> None:
    checkout.add_code("figures/style")
    assert checkout.planned() == {f"figure figure={name}" for name in figures(checkout)}


def test_a_claim_edited_plans_the_verdicts(checkout: Checkout) -> None:
    checkout.add_code("claims/c06_masking_ratio")
    shown = {f"figure figure={name}" for name, kinds in figures(checkout).items() if "verdicts" in kinds}
    assert checkout.planned() == {"claims", "explorer"} | shown


def test_an_experiment_edited_plans_its_jobs(checkout: Checkout) -> None:
    checkout.add_code("experiments/invariance")
    assert checkout.planned() == jobs("experiment") | after(checkout, EXPERIMENT)


def test_a_new_import_counts(checkout: Checkout) -> None:
    (checkout.folder / "src/maestrata/worlds/extra.py").write_text("X = 1\n")
    checkout.edit(
        "src/maestrata/steps/worlds.py",
        lambda text: text.replace("import json\n", "import json\nimport maestrata.worlds.extra\n", 1),
    )
    assert checkout.planned() == jobs("worlds") | after(checkout, "worlds")


def change_config(checkout: Checkout, **changes: object) -> None:
    """Replace keys of config/smoke.yaml; mappings are merged."""

    def change(text: str) -> str:
        content = yaml.safe_load(text)
        for key, value in changes.items():
            content[key] = {**content.get(key, {}), **value} if isinstance(value, dict) else value
        return yaml.safe_dump(content)

    checkout.edit("config/smoke.yaml", change)


def grid(*additive_ratios: float, seeds: int = 1) -> list[dict[str, object]]:
    """The grid of config/smoke.yaml with other ratios or seeds of the additive world."""
    return [
        {"worlds": ["additive"], "mask_ratios": list(additive_ratios), "seeds": seeds},
        {"worlds": ["grammar"], "patches": ["2x1"], "mask_ratios": [0.75]},
    ]


def test_a_value_of_one_stage_plans_that_stage(checkout: Checkout) -> None:
    change_config(checkout, theory={"samples": 501})
    assert checkout.planned() == jobs("theory") | after(checkout, "theory")


def test_a_value_of_the_evaluation_trains_nothing(checkout: Checkout) -> None:
    change_config(checkout, evaluation={"replicates": 101})
    expected = set().union(*map(jobs, ("regress", "controls", "limits", "experiment")))
    assert checkout.planned() == expected | after(checkout, *READ, "limits", EXPERIMENT)


def test_a_value_of_the_training_plans_no_theory(checkout: Checkout) -> None:
    change_config(checkout, training={"lr": 0.001})
    # the controls train nothing by this value; the experiment trains models of its own
    expected = set().union(*map(jobs, ("pretrain", "regress", "experiment")))
    assert checkout.planned() - jobs("controls") == expected | after(checkout, *TRAINED)


def test_a_value_of_the_model_plans_what_has_one(checkout: Checkout) -> None:
    change_config(checkout, model={"width": 36})
    expected = set().union(*map(jobs, ("pretrain", "regress", "controls", "experiment")))
    assert checkout.planned() == expected | after(checkout, *TRAINED)


def test_a_value_of_the_limits_plans_the_limits(checkout: Checkout) -> None:
    change_config(checkout, limits={"grid_samples": 128})
    assert checkout.planned() == jobs("limits") | after(checkout, "limits")


def test_a_value_of_one_world_plans_that_world(checkout: Checkout) -> None:
    change_config(checkout, worlds={"grammar": {"settings": {"leaves": 8, "symbols": 8}}})
    rules = ("worlds", "theory", "limits", "pretrain", "regress", "controls")
    expected = set().union(*(jobs(rule, "grammar") for rule in rules))
    assert checkout.planned() == expected | after(checkout, "worlds", *CUBES - {EXPERIMENT})


def test_a_key_that_no_step_uses_plans_nothing(checkout: Checkout) -> None:
    change_config(checkout, sweep={"stack": 3})
    assert checkout.planned() == set()


def test_the_note_plans_figures_alone(checkout: Checkout) -> None:
    change_config(checkout, note="another note")
    expected = {f"figure figure={name}" for name in figures(checkout)}
    assert checkout.planned() == expected | {"claims", "explorer"}  # their pages say it too


def test_a_ratio_added_plans_its_cell_and_on(checkout: Checkout) -> None:
    change_config(checkout, grid=grid(0.5, 0.25))
    cell = f"{place('additive')}, patch=1x1, visible=6, seed=0"
    expected = (
        {f"pretrain {cell}", f"regress {cell}"} | jobs("theory", "additive") | jobs("limits", "additive")
    )
    # an experiment that reads the world's models reads the new one too
    assert checkout.planned() == expected | jobs("experiment") | after(checkout, *CUBES)


def test_a_patch_added_plans_its_cell_and_on(checkout: Checkout) -> None:
    patches = [{"worlds": ["additive"], "patches": ["1x1", "2x1"], "mask_ratios": [0.5]}, *grid(0.5)[1:]]
    change_config(checkout, grid=patches)
    cell = f"{place('additive')}, patch=2x1, visible=2, seed=0"
    expected = (
        {f"pretrain {cell}", f"regress {cell}"} | jobs("theory", "additive") | jobs("limits", "additive")
    )
    assert checkout.planned() == expected | jobs("experiment") | after(checkout, *CUBES)


def test_a_world_added_plans_its_jobs_and_the_cubes(checkout: Checkout) -> None:
    block = {"worlds": ["gaussian"], "mask_ratios": [0.5]}
    change_config(checkout, grid=[*grid(0.5), block])
    world = place("gaussian")
    cell = f"{world}, patch=1x1, visible=8, seed=0"
    expected = {f"{rule} {world}" for rule in ("worlds", "theory", "limits")}
    expected |= {f"pretrain {cell}", f"regress {cell}", f"controls {world}, seed=0"}
    assert checkout.planned() == expected | after(checkout, "worlds", *CUBES - {EXPERIMENT})


def test_a_world_seed_added_plans_its_jobs_and_the_cubes(checkout: Checkout) -> None:
    blocks = grid(0.5)
    blocks[0]["world_seeds"] = 2
    change_config(checkout, grid=blocks)
    world = "world=additive, world_seed=1"
    cell = f"{world}, patch=1x1, visible=4, seed=0"
    expected = {f"{rule} {world}" for rule in ("worlds", "theory", "limits")}
    expected |= {f"pretrain {cell}", f"regress {cell}", f"controls {world}, seed=0"}
    assert checkout.planned() == expected | after(checkout, "worlds", *CUBES - {EXPERIMENT})


def test_a_ratio_that_is_the_same_cell_trains_nothing(checkout: Checkout) -> None:
    change_config(checkout, grid=grid(0.5, 0.52))
    expected = jobs("theory", "additive") | jobs("limits", "additive")
    assert checkout.planned() == expected | after(checkout, *CUBES - {EXPERIMENT})


def test_a_world_removed_plans_from_collect_on(checkout: Checkout) -> None:
    change_config(checkout, grid=grid(0.5)[:1])
    assert checkout.planned() == after(checkout, "worlds", *CUBES - {EXPERIMENT})


def test_reordered_values_plan_nothing(checkout: Checkout) -> None:
    change_config(checkout, grid=grid(0.5)[::-1])
    assert checkout.planned() == set()


def test_a_seed_added_plans_its_cells_and_controls(checkout: Checkout) -> None:
    change_config(checkout, grid=grid(0.5, seeds=2))
    cell = f"{place('additive')}, patch=1x1, visible=4, seed=1"
    expected = {f"pretrain {cell}", f"regress {cell}", f"controls {place('additive')}, seed=1"}
    assert checkout.planned() == expected | after(checkout, "regression", "training", "reconstructions")


def test_a_deleted_output_is_made_again(checkout: Checkout) -> None:
    cell = "cells/grammar/w0/p2x1/v1/s0"
    (checkout.folder / f"results/smoke/{cell}/reconstructions.nc").unlink()
    # the job writes the scores as well, so what follows from them is made too
    assert checkout.planned() == jobs("regress", "grammar") | after(checkout, *READ)


def test_a_truncated_output_plans_what_reads_it(checkout: Checkout) -> None:
    """Snakemake sees that it is newer; the job that reads it then names it (test_faults.py)."""
    file = checkout.folder / "results/smoke/theory/grammar/w0.nc"
    file.write_bytes(file.read_bytes()[: len(file.read_bytes()) // 2])
    assert checkout.planned() == after(checkout, "theory")


def test_deleted_weights_are_trained_again(checkout: Checkout) -> None:
    (checkout.folder / "results/smoke/cells/grammar/w0/p2x1/v1/s0/weights.safetensors").unlink()
    expected = jobs("pretrain", "grammar") | jobs("regress", "grammar")
    assert checkout.planned() == expected | after(checkout, "regression", "training", "reconstructions")


def test_verify_names_what_other_code_made(checkout: Checkout) -> None:
    assert "0 not as the code at hand makes them" in checkout.run("verify", "--cores", "1")
    shutil.rmtree(checkout.folder / ".snakemake")
    checkout.add_code("worlds/grammar_tree")
    done = checkout.snakemake("verify", "--cores", "1")
    assert done.returncode != 0
    named = set(re.findall(r"^(results/\S+): made by code", done.stdout, re.MULTILINE))
    made_with_it = {p for p in named if "/grammar/" in p}
    # the page draws the trees of its worlds
    assert named == made_with_it | {"results/smoke/explorer.html"}
    assert len(made_with_it) == 3 + 4 + 1  # world, theory, limits; a cell's four files; controls


@pytest.mark.parametrize("what", ["missing", "truncated"])
def test_verify_names_broken_files(checkout: Checkout, what: str) -> None:
    path = "results/smoke/cells/grammar/w0/p2x1/v1/s0/weights.safetensors"
    file = checkout.folder / path
    file.unlink() if what == "missing" else file.write_bytes(file.read_bytes()[:4])
    done = checkout.snakemake("verify", "--cores", "1")
    assert done.returncode != 0
    assert re.search(rf"^{path}: (missing|cannot be read)", done.stdout, re.MULTILINE)


def test_a_part_of_a_sweep_gives_cubes_and_figures(checkout: Checkout) -> None:
    cell = checkout.folder / "results/smoke/cells/grammar/w0/p2x1/v1/s0"
    shutil.rmtree(cell)
    (checkout.folder / "results/smoke/cubes/regression.nc").unlink()
    partial = ("--configfile", "config/smoke.yaml", "--config", "partial=true")
    kinds = ("regression", "training", "reconstructions")
    assert checkout.planned(config=partial) == after(checkout, *kinds)
    checkout.run("--cores", "2", config=partial)
    assert not cell.exists()
    status = open_cube(checkout.folder / "results/smoke/cubes/regression.nc").status
    assert int((status == 2).sum()) == 1
    assert int((status == 1).sum()) == 1
    # what was missing is then made, and joined again
    assert jobs("pretrain", "grammar") | after(checkout, *kinds) <= checkout.planned()
