"""Every recipe of docs/extending.md, done to a copy of the package word for word: found, planned and run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xarray as xr
import yaml

import maestrata
import paste

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "extending.md"
LINES = PAGE.read_text(encoding="utf-8").splitlines()
TITLES = {line.removeprefix("## "): at for at, line in enumerate(LINES) if line.startswith("## ")}
PUBLISHED = ROOT / "reference" / "default" / "experiments" / "invariance.nc"
INVARIANCE = {"experiments": [{"name": "invariance", "worlds": ["symbols"], "world_seeds": [100]}]}
IGNORED = shutil.ignore_patterns("__pycache__")

TINY = """
run: tiny
worlds:
  symbols: {kind: gaussian_tree, settings: {leaves: 4}}
model: {width: 8, depth: 1, decoder_width: 8}
training: {images: 256, batch: 32, lr: 2.0e-3}
grid:
  - {worlds: [symbols], world_seeds: [100], mask_ratios: [0.5]}
evaluation: {probe_train: 200, test: 200, replicates: 5, probes: [ridge]}
theory: {samples: 20}
limits: {grid_samples: 32, bound_samples: 32}
figures: {names: [world]}
"""
"""What the config of a recipe extends."""

# Arguments: the recipe's file, and a cube. Runs jobs by the flags of the plan; then tells, as JSON, which
# files of the run have another fingerprint once the recipe's file has one more statement.
SCRIPT = """
import importlib, json, shlex, sys
from types import SimpleNamespace
from maestrata import modules
from maestrata.config.load import load_config
from maestrata.run import code, fingerprint, plan

planned = plan.Plan(load_config("tiny.yaml", "recipe.yaml"))
flags = planned.flags


def step(rule, place, *given):
    importlib.import_module(f"maestrata.steps.{rule}").main([*place, *shlex.split(" ".join(given))])


def the(name):
    place = SimpleNamespace(**planned.places(name)[0])
    return place, planned.path(name).format(**vars(place))

{jobs}

before = planned.expected()
with open(sys.argv[1], "a", encoding="utf-8") as file:
    file.write("\\nANOTHER = 1\\n")
fingerprint.clear_cache()
code.code_of.cache_clear()
after = planned.expected()
print(json.dumps([file for file in before if before[file] != after[file]]))
"""

WORLDS = """
place, path = the("worlds")
step("worlds", ["--output", path], flags.world(place))
place, path = the("theory")
step("theory", ["--output", path], flags.world(place), flags.masks(place), flags.section("theory"))
"""
PRETRAIN = """
place, weights = the("weights")
history = the("history")[1]
step("pretrain", ["--weights", weights, "--history", history], flags.world(place), flags.cell(place),
     flags.section("model"), flags.training(place))
"""
CONTROLS = """
place, path = the("controls")
step("controls", ["--output", path], flags.world(place), flags.section("model"), flags.null(place),
     flags.evaluation(place))
"""
EXPERIMENT = (
    PRETRAIN
    + """
place, path = the("experiment")
step("experiment", [place.experiment, "--output", path, "--seed", place.seed], flags.world(place),
     flags.experiment(place))
kind = "experiments/" + place.experiment
step("collect", ["--kind", "experiments", "--manifest", planned.manifest(kind),
     "--output", planned.path("cube").format(kind=kind)])
"""
)
# claims and figures: of the cube of a published run
CLAIM = """
place, path = the("verdicts")
step("claims", ["--output", path, "--cubes", sys.argv[2]], flags.claims)
"""
FIGURE = """
path = planned.path("png").format(figure="token_noise")
step("figure", ["token_noise", "--cubes", sys.argv[2], "--output", path])
"""


@dataclass(frozen=True)
class Recipe:
    """A section of the page: the one file that it names, what it does to it, and what a config says."""

    path: str
    blocks: tuple[paste.Block, ...]
    config: dict[str, Any]

    @classmethod
    def of(cls, title: str) -> Recipe:
        start = TITLES[title]
        end = min((at for at in TITLES.values() if at > start), default=len(LINES))
        blocks = [block for block in paste.blocks(PAGE) if start < block.line <= end]
        code = tuple(b for b in blocks if b.language in ("python", "diff") and b.marked("file"))
        (path,) = {block.marked("file") for block in code}
        config = next((yaml.safe_load(b.text) for b in blocks if b.language == "yaml"), {})
        return cls(path, code, {key: config[key] for key in config.keys() - {"extends", "run"}})

    def do(self, folder: Path) -> None:
        """Write or edit the file in a folder that holds ``src``."""
        path = folder / self.path
        for block in self.blocks:
            if block.language == "diff":
                paste.apply(block.text, path)
            else:
                assert not path.exists()
                path.write_text(block.text, encoding="utf-8")


def run(title: str, jobs: str, folder: Path, config: Any = None, *given: Path) -> set[str]:
    """Do a recipe in a folder, run jobs with it, and return what an edit of its file would make anew.

    Of a run's files the folder is told; of those of cells, figures and verdicts the name.
    """
    recipe = Recipe.of(title)
    shutil.copytree(Path(maestrata.__file__).parent, folder / "src" / "maestrata", ignore=IGNORED)
    recipe.do(folder)
    (folder / "tiny.yaml").write_text(TINY, encoding="utf-8")
    (folder / "recipe.yaml").write_text(json.dumps(recipe.config | (config or {})), encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(folder / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", SCRIPT.replace("{jobs}", jobs), folder / recipe.path, *given]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    parts = [
        Path(file).relative_to("results/tiny").parts for file in json.loads(done.stdout.splitlines()[-1])
    ]
    return {part[-1] if part[0] in ("cells", "figures", "verdicts") else part[0] for part in parts}


def test_the_page_has_a_recipe_for_each() -> None:
    assert len(TITLES) == 7
    assert all(Recipe.of(title).blocks for title in TITLES)


def test_a_world(tmp_path):
    made_anew = run("A world", WORLDS, tmp_path)
    cells = {"weights.safetensors", "history.nc", "scores.nc", "reconstructions.nc"}
    assert made_anew == {"worlds", "theory", "limits", "controls", "explorer.html", *cells}
    assert (tmp_path / "results/tiny/theory/turning/w0.nc").is_file()


def test_a_probe(tmp_path):
    made_anew = run("A probe", CONTROLS, tmp_path)
    assert made_anew == {"controls", "scores.nc", "reconstructions.nc"}
    scores = maestrata.open_cube(tmp_path / "results/tiny/controls/symbols/w100/s0.nc").r2
    r2 = scores.sel(encoder="pixels", probe="neighbours", target="latent", pooling="global", eval_ratio="0")
    assert r2.max() > 0.1


def test_a_control_encoder(tmp_path):
    made_anew = run("A control encoder", CONTROLS, tmp_path)
    assert {"controls", "scores.nc"} <= made_anew and "weights.safetensors" not in made_anew
    # not by open_cube, since the schema of this process does not know the encoder
    scores = xr.open_dataset(tmp_path / "results/tiny/controls/symbols/w100/s0.nc").r2
    r2 = scores.sel(encoder="mean_colour", probe="ridge", target="latent", pooling="global")
    assert r2.sel(eval_ratio="0").max() > 0.02


def test_a_setting(tmp_path):
    assert {"weights.safetensors", "history.nc"} <= run("A setting", PRETRAIN, tmp_path)
    history = next((tmp_path / "results/tiny/cells").rglob("history.nc"))
    rates = maestrata.open_cube(history).learning_rate.values
    assert rates[-1] > 0.25 * rates.max()


def test_an_experiment(tmp_path):
    assert run("An experiment", EXPERIMENT, tmp_path) == {"experiments"}
    cube = maestrata.open_cube(tmp_path / "results/tiny/cubes/experiments/coarse_pixels.nc")
    assert -1 < cube.value.sel(world="symbols", quantity="r2_change", level=1, arm="random_init").item() < 0


def test_a_claim(tmp_path):
    config = INVARIANCE | {"claims": {"names": ["c90_token_noise"]}}
    made_anew = run("A claim", CLAIM, tmp_path, config, PUBLISHED)
    assert made_anew == {"verdicts.nc", "verdicts.md", "verdicts.html"}
    assert maestrata.open_cube(tmp_path / "results/tiny/verdicts/verdicts.nc")


def test_a_figure(tmp_path):
    config = INVARIANCE | {"figures": {"names": "all"}}
    assert run("A figure", FIGURE, tmp_path, config, PUBLISHED) == {"token_noise.pdf", "token_noise.png"}
    assert (tmp_path / "results/tiny/figures/token_noise.png").stat().st_size > 10_000
