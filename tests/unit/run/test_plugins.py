"""Worlds, probes, experiments and figures from files outside the package."""

from __future__ import annotations

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from maestrata import modules, worlds
from maestrata.config.load import load_config
from maestrata.errors import ConfigError
from maestrata.run.code import code_of
from maestrata.run.fingerprint import clear_cache
from maestrata.run.plan import Plan

WORLD = '''
"""A Gaussian tree under another name."""
from maestrata.worlds.gaussian_tree import GaussianTree


class MyWorld(GaussianTree):
    """As it is."""

    name = "my_world"
    scale = 1.0
'''
PROBE = '''
"""The mean of the training rows."""
import numpy as np


class Probe:
    """Predicts it."""

    last_layer_only, poolings, eval_ratios = True, ("global",), ("0",)

    def fit(self, x, y):
        self.mean = y.mean(0)
        return self

    def predict(self, x):
        return np.tile(self.mean, (len(x), 1)).astype(x.dtype)
'''
FIGURE = '''
TITLE, CAPTION, NEEDS = "T", "C", ("regression",)
TITLE = "Mine"
CAPTION = "Mine."
NEEDS = ("regression",)


def draw(cubes, style):
    """Draw nothing."""
'''
CONFIG = """
run: mine
plugins: [parts/my_world.py, parts/my_probe.py, parts/my_figure.py]
worlds: {mine: {kind: my_world, settings: {leaves: 4}}, other: {kind: grammar_tree, settings: {leaves: 4}}}
grid: [{worlds: [mine, other], mask_ratios: [0.5]}]
evaluation: {probes: [ridge, my_probe], detail: all}
figures: {names: [my_figure]}
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "parts").mkdir()
    for name, text in (("my_world", WORLD), ("my_probe", PROBE), ("my_figure", FIGURE)):
        (tmp_path / "parts" / f"{name}.py").write_text(text)
    (tmp_path / "config.yaml").write_text(CONFIG)
    yield tmp_path
    modules.use(())


def codes(folder):
    for cached in (clear_cache, code_of.cache_clear):
        cached()
    plan = Plan(load_config(folder / "config.yaml"))
    return {
        (rule, world): plan.code(rule, SimpleNamespace(world=world))
        for rule in ("pretrain", "regress", "theory")
        for world in ("mine", "other")
    } | {"figure": plan.code("figure", SimpleNamespace(figure="my_figure"))}


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_what_a_file_outside_defines_is_found_by_its_name(folder):
    config = load_config(folder / "config.yaml")
    assert {"my_world", "grammar_tree"} <= set(worlds.available())
    assert worlds.make("my_world", 3, leaves=4).sample(2).images.shape == (2, 3, 4, 4)
    assert modules.constant("figures", "my_figure", "TITLE") == "Mine"
    assert modules.load("regression.probes", "my_probe").Probe.last_layer_only
    assert "my_probe" not in modules.available("figures")
    plan = Plan(config)
    assert any(path.endswith("figures/my_figure.pdf") for path in plan.everything)
    modules.use(())
    assert "my_world" not in worlds.available()


def test_a_job_finds_the_files_of_its_config(folder):
    """Jobs are programs of their own, and are told by the environment."""
    load_config(folder / "config.yaml")
    output = folder / "world.nc"
    flags = ["--world-kind", "my_world", "--world-settings", '{"leaves": 4}', "--output", str(output)]
    command = [sys.executable, "-m", "maestrata.steps.worlds", *flags]
    subprocess.run(command, check=True, env=os.environ, cwd=folder.parent)
    assert output.is_file()
    output.unlink()
    lost = {key: value for key, value in os.environ.items() if key != modules.PLUGINS}
    told = subprocess.run(command, env=lost, capture_output=True, text=True, check=False)
    assert told.returncode == 2 and "'my_world' must be one of" in told.stderr and not output.exists()


def test_editing_a_file_reruns_the_jobs_that_use_it_and_no_others(folder):
    before = codes(folder)
    edit(folder / "parts" / "my_world.py", "As it is.", "A word more.")
    assert codes(folder) == before  # a docstring is no code
    edit(folder / "parts" / "my_world.py", "scale = 1.0", "scale = 2.0")
    after = codes(folder)
    changed = {key for key in before if before[key] != after[key]}
    assert changed == {(rule, "mine") for rule in ("pretrain", "regress", "theory")}
    edit(folder / "parts" / "my_probe.py", "y.mean(0)", "y.mean(0) * 1")
    last = codes(folder)
    assert {key for key in after if after[key] != last[key]} == {("regress", "mine"), ("regress", "other")}
    edit(folder / "parts" / "my_figure.py", '"C"', '"D"')
    assert codes(folder)["figure"] != last["figure"]


def test_what_a_file_outside_imports_of_ours_counts(folder):
    edit(folder / "parts" / "my_world.py", "import GaussianTree\n", "import GaussianTree, nothing\n")
    with pytest.raises(ConfigError, match=r"my_world.py cannot be imported: ImportError"):
        load_config(folder / "config.yaml")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("grammar_tree", WORLD, r"there is a world 'grammar_tree' already \(config: plugins\[0\]"),
        ("nothing", "x = 1", r"nothing.py must define one of: `name` \(world\)"),
        ("broken", "def x(:", r"broken.py cannot be read as Python"),
        ("lost", None, r"lost.py cannot be read as Python: No such file"),
    ],
)
def test_a_file_that_will_not_do_is_refused_in_one_line(folder, name, text, message):
    path = folder / "parts" / f"{name}.py"
    if text is not None:
        path.write_text(text)
    edit(folder / "config.yaml", "parts/my_figure.py", "parts/my_figure.py")
    (folder / "other.yaml").write_text(f"extends: config.yaml\nplugins: [parts/{name}.py]\n")
    with pytest.raises(ConfigError, match=message) as refused:
        load_config(folder / "other.yaml")
    assert "\n" not in str(refused.value) and "other.yaml" in str(refused.value)


def test_a_path_that_cannot_be_told_from_two_is_refused(tmp_path):
    path = tmp_path / f"a{os.pathsep}b" / "my_world.py"
    path.parent.mkdir()
    path.write_text(WORLD)
    with pytest.raises(ConfigError, match=f"must not hold '{os.pathsep}'"):
        modules.use([path])
