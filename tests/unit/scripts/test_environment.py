"""Set-up of .venv, with wheels of straw: what is installed, what is kept, what is said when it cannot be."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

import environment

ROOT = Path(__file__).parents[3]

BACKEND = """
import zipfile

def build_editable(folder, config_settings=None, metadata_directory=None):
    name = "maestrata-1.0-py3-none-any.whl"
    with zipfile.ZipFile(folder + "/" + name, "w") as wheel:
        wheel.writestr("maestrata_editable.pth", "")
        info = "maestrata-1.0.dist-info/"
        wheel.writestr(info + "METADATA", "Metadata-Version: 2.1\\nName: maestrata\\nVersion: 1.0\\n")
        wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\\nTag: py3-none-any\\n")
        wheel.writestr(info + "RECORD", "")
    return name
"""


class Checkout:
    """A project of straw with our set-up script, and an index of wheels to install it from."""

    def __init__(self, folder: Path, make: Callable[..., Path]) -> None:
        self.root, self.wheels, self.venv = folder / "checkout", folder / "wheels", folder / "checkout/.venv"
        (self.root / "scripts").mkdir(parents=True)
        text = (ROOT / "scripts/environment.py").read_text()
        (self.root / "scripts/environment.py").write_text(text)
        (self.root / "pyproject.toml").write_text(
            '[build-system]\nrequires = ["flit_core>=3"]\nbuild-backend = "flit_core.buildapi"\n'
            '[project]\nname = "maestrata"\nversion = "1.0"\n'
            'dependencies = ["alpha>=1", "beta>=1", "torch>=2.9"]\n'
        )
        for version in ("2.8.0", "2.10.0", "2.13.0"):
            make(self.wheels, "torch", version)
        for version in ("1.5", "2.0", "2.1"):
            make(self.wheels, "alpha", version)
        make(self.wheels, "beta", "1.0", "torch>=2")
        make(self.wheels, "flit_core", "4.0", files={"flit_core/buildapi.py": BACKEND})
        self.lock("alpha==2.0")

    def lock(self, alpha: str) -> None:
        pins = ["# made by hand", alpha, "beta==1.0", "flit-core==4.0", "torch==2.13.0  # via maestrata"]
        (self.root / "requirements.lock").write_text("\n".join(pins) + "\n")

    def files(self) -> set[Path]:
        return {path for path in self.root.rglob("*") if self.venv not in (path, *path.parents)}

    def setup(self, *arguments: str, python: str | Path = sys.executable, **env: str) -> tuple[int, str, str]:
        """Run the script with the wheels as pip's only source; return status, output, errors."""
        pip = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self.wheels), "PIP_CONFIG_FILE": os.devnull}
        done = subprocess.run(
            [str(python), "scripts/environment.py", *arguments],
            cwd=self.root,
            env=os.environ | pip | env,
            capture_output=True,
            text=True,
        )
        return done.returncode, done.stdout, done.stderr

    def pip(self, *arguments: str) -> None:
        options = ["--no-index", "--find-links", str(self.wheels), "--quiet"]
        subprocess.run([self.venv / "bin/python", "-m", "pip", "install", *options, *arguments], check=True)

    def sees(self, **env: str) -> dict[str, str]:
        """Name -> version of what the environment's interpreter finds, marked where it lies elsewhere."""
        code = (
            "import importlib.metadata as m, json\n"
            "print(json.dumps({d.name: (d.version, str(d._path)) for d in reversed([*m.distributions()])}))"
        )
        command = [self.venv / "bin/python", "-c", code]
        done = subprocess.run(command, env=os.environ | env, check=True, capture_output=True, text=True)
        return {
            name: f"{version}{'' if str(self.venv) in path else ' outside'}"
            for name, (version, path) in json.loads(done.stdout).items()
        }


@pytest.fixture
def checkout(tmp_path: Path, make_wheel: Callable[..., Path]) -> Checkout:
    return Checkout(tmp_path, make_wheel)


def test_python_without_ensurepip_gets_one_clear_line(checkout: Checkout, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['ensurepip'] = None\n")
    status, _, errors = checkout.setup("venv", PYTHONPATH=str(tmp_path))
    assert status == 2
    assert errors.count("\n") == 1 and "no ensurepip" in errors and sys.executable in errors
    assert not checkout.venv.exists()


def test_old_python_gets_one_clear_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(environment.sys, "version_info", (3, 10, 13))
    assert environment.main(["venv"]) == 2
    errors = capsys.readouterr().err
    assert errors.count("\n") == 1 and "Python 3.10" in errors and "3.11 or newer" in errors


def test_lock_is_installed_once_and_again_when_it_changes(checkout: Checkout) -> None:
    before = checkout.files()
    assert checkout.setup("runtime")[0] == 0
    seen = checkout.sees()
    assert (seen["alpha"], seen["torch"], seen["maestrata"]) == ("2.0", "2.13.0", "1.0")
    assert checkout.files() == before, "nothing is written outside .venv"
    assert checkout.setup("runtime") == (0, "", "")
    checkout.lock("alpha==2.1")
    assert checkout.setup("runtime")[0] == 0
    assert checkout.sees()["alpha"] == "2.1"


def test_torch_of_the_user_is_kept(checkout: Checkout) -> None:
    assert checkout.setup("venv") == (0, "", "")
    assert set(checkout.sees()) <= {"pip", "setuptools"}
    checkout.pip("torch==2.10.0")
    status, output, _ = checkout.setup("runtime")
    assert status == 0 and "keeping the installed torch 2.10.0" in output
    assert (checkout.sees()["torch"], checkout.sees()["alpha"]) == ("2.10.0", "2.0")
    checkout.pip("torch==2.8.0")
    status, _, errors = checkout.setup("runtime")
    assert status == 2 and errors.count("\n") == 1 and "torch 2.8.0 is too old, 2.9 or newer" in errors


@pytest.mark.parametrize("inside", [True, False], ids=["in an environment", "base interpreter"])
def test_wheelhouse_adds_only_what_the_interpreter_lacks(
    checkout: Checkout, tmp_path: Path, inside: bool
) -> None:
    """Torch and alpha are there already, older than the wheels beside them: both stay, beta comes."""
    has = tmp_path / "has"
    if inside:
        venv.create(has, symlinks=True)
        python, site, path = has / "bin/python", next(has.glob("lib/python*/site-packages")), {}
    else:
        python, site, path = Path(sys._base_executable), has, {"PYTHONPATH": str(has)}
    for name in ("torch-2.10.0", "alpha-1.5"):
        zipfile.ZipFile(checkout.wheels / f"{name}-py3-none-any.whl").extractall(site)
    nothing = {"PIP_FIND_LINKS": str(tmp_path / "nowhere"), "PIP_INDEX_URL": "http://127.0.0.1:9/none"}
    elsewhere = nothing | path
    arguments = ("runtime", "--wheelhouse", str(checkout.wheels))
    assert checkout.setup(*arguments, python=python, **elsewhere)[0] == 0
    seen = checkout.sees(**path)
    assert (seen["torch"], seen["alpha"], seen["beta"]) == ("2.10.0 outside", "1.5 outside", "1.0")
    assert seen["maestrata"] == "1.0"
    assert checkout.setup(*arguments, python=python, **elsewhere) == (0, "", "")


def test_wheelhouse_needs_wheels(checkout: Checkout) -> None:
    status, _, errors = checkout.setup("runtime", "--wheelhouse", "nothing")
    assert status == 2 and errors.count("\n") == 1 and "no wheels in" in errors
    assert not checkout.venv.exists()


def test_wheelhouse_needs_an_environment_that_sees_its_interpreter(checkout: Checkout) -> None:
    venv.create(checkout.venv, symlinks=True)
    status, _, errors = checkout.setup("runtime", "--wheelhouse", str(checkout.wheels))
    assert status == 2 and errors.count("\n") == 1 and "make clean" in errors


def test_broken_environment_is_not_a_traceback(checkout: Checkout) -> None:
    """Its interpreter was uninstalled: the link in bin/ leads nowhere."""
    (checkout.venv / "bin").mkdir(parents=True)
    (checkout.venv / "bin/python").symlink_to("/nonexistent/python")
    status, _, errors = checkout.setup("runtime")
    assert status == 2 and errors.count("\n") == 1 and "make clean" in errors


@pytest.mark.parametrize("name", ["a:b", "a{b", "a\nb"])
def test_a_path_that_means_something_else_is_refused_in_one_line(name: str, tmp_path: Path) -> None:
    place = tmp_path / name / "scripts"
    place.mkdir(parents=True)
    (place / "environment.py").write_text((ROOT / "scripts/environment.py").read_text())
    done = subprocess.run(
        [sys.executable, place / "environment.py", "venv"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "must not hold" in done.stderr
    assert not (tmp_path / name / ".venv").exists()
