"""Project file, locks, conda environment and Makefile agree with each other and hold nothing local."""

from __future__ import annotations

import ast
import importlib
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import environment
import lock
import maestrata

ROOT = Path(__file__).parents[2]
LOCKS = ("requirements.lock", "requirements-dev.lock")
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())

# Where conda-forge has another name; its full `snakemake` (not snakemake-minimal) brings what reports need.
CONDA_NAMES = {"torch": "pytorch", "matplotlib": "matplotlib-base"}


def pins(name: str) -> dict[str, str]:
    return dict(re.findall(r"(?m)^([\w.-]+)==(\S+)", (ROOT / name).read_text()))


def requirements(*extras: str) -> list[Requirement]:
    listed = PROJECT["project"]["dependencies"] + PROJECT["build-system"]["requires"]
    for extra in extras:
        listed = listed + PROJECT["project"]["optional-dependencies"][extra]
    return [Requirement(text) for text in listed]


# ---------------------------------------------------------------------------------------------- the locks
def local_lines(text: str) -> list[str]:
    """Lines of a lock that are no plain pin, or whose comment holds an option, an address or a path."""
    pin = re.compile(r"([a-z0-9][a-z0-9.-]*==[0-9][\w.]*)?\s*(#(?!.*(://|file:|--| /\w|\+cpu)).*)?")
    return [line for line in text.splitlines() if not pin.fullmatch(line)]


@pytest.mark.parametrize("name", LOCKS)
def test_lock_holds_exact_versions_and_nothing_local(name: str) -> None:
    """No index, folder, file, local build (+cpu) or hash: the lock installs wherever pip finds packages."""
    assert local_lines((ROOT / name).read_text()) == []


def test_local_lines_are_found() -> None:
    local = ["torch==2.13.0+cpu", "--find-links /x", "-i https://x", "--index-url https://x", "./x", "x>=1"]
    local += ["a @ file:///x", "# pip-compile --no-index", "numpy==2.4.6  # via -r /home/x", "-e ."]
    assert local_lines("\n".join(["# made by make lock", "numpy==2.4.6  # via scipy", "", *local])) == local


@pytest.mark.parametrize("name, extras", [("requirements.lock", ()), ("requirements-dev.lock", ("dev",))])
def test_lock_meets_every_range_of_the_project(name: str, extras: tuple[str, ...]) -> None:
    locked = pins(name)
    for need in requirements(*extras):
        pin = locked.get(canonicalize_name(need.name))
        assert pin, f"{need} is not in {name}: make lock"
        assert need.specifier.contains(pin, prereleases=True), f"{need} against {pin} in {name}: make lock"


def test_development_lock_holds_every_line_of_the_other() -> None:
    """So that `make reproduce` after `make test` has nothing to install."""
    assert pins("requirements.lock").items() <= pins("requirements-dev.lock").items()


@pytest.mark.parametrize("name", LOCKS)
def test_lock_pins_one_plain_torch(name: str) -> None:
    assert pins(name)["torch"] == lock.TORCH
    assert not [package for package in pins(name) if re.match("nvidia|cuda|triton", package)]


def test_lock_is_cleaned_of_local_builds_and_of_what_one_build_needs() -> None:
    compiled = (
        "torch==2.13.0+cpu  # via -r requirements.in\n"
        "nvidia-nccl-cu13==2.28  # via torch\n"
        "numpy==2.4.6  # via -c constraints.txt, -r requirements.in, scipy\n"
        "\n# The following packages are considered to be unsafe in a requirements file:\n# pip\n"
    )
    assert lock.clean(compiled) == "torch==2.13.0  # via maestrata\nnumpy==2.4.6  # via maestrata, scipy"


# ------------------------------------------------------------------------------------ conda and the project
def test_conda_environment_has_the_ranges_of_the_project() -> None:
    *entries, from_pip = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    conda = {}
    for entry in [*entries, *from_pip["pip"]]:
        need = Requirement(entry)
        conda[need.name] = need.specifier
    assert conda.pop("pip") == ""
    expected = {CONDA_NAMES.get(n.name, canonicalize_name(n.name)): n.specifier for n in requirements()}
    expected["python"] = Requirement(f"python{PROJECT['project']['requires-python']}").specifier
    assert conda == expected


# Distribution -> what it is imported as, where that differs.
IMPORTED_AS = {
    "array-api-compat": "array_api_compat",
    "pillow": "PIL",
    "pyyaml": "yaml",
    "scikit-image": "skimage",
    "scikit-learn": "sklearn",
}


def test_dependencies_are_what_the_library_imports() -> None:
    """No more (each is a download and a risk), no less (or a fresh machine lacks it)."""
    imported = set()
    for path in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                imported.add(node.module.partition(".")[0])
    imported -= {"maestrata", *sys.stdlib_module_names}
    names = {Requirement(text).name for text in PROJECT["project"]["dependencies"]}
    declared = {IMPORTED_AS.get(name, name) for name in names}
    comes_with = {"pydantic_core", "typing_extensions"}  # parts and needs of pydantic
    asked_for = {"transformers"}  # of what it alone can do, an error says that it is missing
    assert imported - comes_with - asked_for == declared


def test_one_version_everywhere() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert maestrata.__version__ == PROJECT["project"]["version"] == citation["version"]
    assert citation["license"] == PROJECT["project"]["license"] == "MIT"


def test_commands_are_there() -> None:
    for target in PROJECT["project"]["scripts"].values():
        module, function = target.split(":")
        assert callable(getattr(importlib.import_module(module), function)), target


def test_oldest_versions_agree() -> None:
    """The set-up script cannot read pyproject.toml before Python 3.11, so it repeats two numbers."""
    torch = next(need for need in requirements() if need.name == "torch")
    assert str(torch.specifier) == ">=" + ".".join(map(str, environment.OLDEST_TORCH))
    assert PROJECT["project"]["requires-python"] == ">=" + ".".join(map(str, environment.OLDEST_PYTHON))


# -------------------------------------------------------------------------------------------------- make, CI
def recipe(*arguments: str) -> str:
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(
        ["make", "-n", *arguments], cwd=ROOT, env=environ, capture_output=True, text=True, check=True
    ).stdout


def test_make_hands_its_settings_on() -> None:
    assert '"python3" scripts/environment.py runtime' in recipe("reproduce")
    assert '"python3.12" scripts/environment.py venv' in recipe("venv", "PYTHON=3.12")
    assert '"/opt/my python" scripts/environment.py dev' in recipe("lint", "PYTHON=/opt/my python")
    assert 'runtime --wheelhouse "a folder"' in recipe("reproduce", "WHEELHOUSE=a folder")
    stacked = recipe("reproduce", "CORES=3")
    assert "--plan /dev/stdin --device cpu  --workers 3" in stacked
    assert "--device cpu --stack 4" in recipe("reproduce", "STACK=4")
    assert stacked.index("steps.sweep") < stacked.index("-m snakemake")
    for alone in ("STACK=0", "ARGS=--dry-run"):
        assert "sweep" not in recipe("reproduce", alone)
    collecting = recipe("wheelhouse", "PYTHON=3.12", "SKIP_INSTALLED=torch, numpy")
    assert '"python3" scripts/environment.py venv' in collecting
    assert '--python 3.12 --skip "torch, numpy"' in collecting


def test_help_names_every_target() -> None:
    public = set(re.findall(r"(?m)^([a-z-]+):.*##", (ROOT / "Makefile").read_text()))
    wanted = {"venv", "install", "reproduce", "test", "lint", "docs", "lock", "wheelhouse", "verify", "clean"}
    wanted.add("help")
    assert wanted <= public
    text = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert all(f"make {target} " in text for target in public)


def test_ci_runs_make_test_with_slurm() -> None:
    path = ROOT / ".ci/run"
    assert os.access(path, os.X_OK)
    lines = path.read_text().splitlines()
    assert {"export MAESTRATA_TEST_SLURM=1", 'make test 2>&1 | tee "$log"'} <= set(lines)
