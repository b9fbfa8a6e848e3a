"""Make .venv and keep it in step with the locks (used by the Makefile).

python3 scripts/environment.py venv                    an environment with pip in it, nothing else
python3 scripts/environment.py runtime|dev             ... and what requirements[-dev].lock says
python3 scripts/environment.py runtime --wheelhouse W  ... without a network, beside what the interpreter has

Standard library only: it runs before anything is installed, and on interpreters that are too old for
maestrata, so that they get one line and not a traceback. What was installed is remembered in
.venv/installed.json; a second call with the same locks does nothing. Nothing outside .venv is written.
"""

import argparse
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OLDEST_PYTHON = (3, 11)
OLDEST_TORCH = (2, 9)

# Run by the environment's own interpreter, which does not see what the interpreter that made it sees.
PROBE = """
import importlib.metadata
try:
    print(importlib.metadata.version("torch"))
except importlib.metadata.PackageNotFoundError:
    pass
"""


class SetupError(Exception):
    """The environment cannot be made; the message is one line for the user."""


def release(version):
    """Return the first two numbers of a version.

    >>> release("2.13.0+cpu")
    (2, 13)
    """
    return tuple(int(n) for n in re.findall(r"\d+", version)[:2])


def check_place(root):
    """Refuse a folder whose path PATH, PYTHONPATH or Snakemake would take for something else."""
    wrong = [character for character in (os.pathsep, "\n", "{", "}") if character in str(root)]
    if wrong:
        raise SetupError(
            f"the path of this folder, {str(root)!r}, must not hold {wrong[0]!r}: move or rename it"
        )


def python_of(venv):
    """Return the path of an environment's interpreter."""
    return venv / "bin" / "python"


def sees_base(prefix):
    """Tell whether an environment sees the packages of its base interpreter."""
    return bool(re.search(r"(?m)^include-system-site-packages = true", (prefix / "pyvenv.cfg").read_text()))


def make_venv(venv, see_interpreter):
    """Make `venv` unless it is there.

    Parameters
    ----------
    venv : Path
        Folder of the environment.
    see_interpreter : bool
        Let it see the packages of the running interpreter. An environment made inside another one looks
        through to the base interpreter only: the packages of the one between are added by a .pth file.
    """
    inside = sys.prefix != sys.base_prefix
    outer = "outer_environment.pth"
    if python_of(venv).exists():
        if see_interpreter and not (sees_base(venv) or list(venv.glob(f"lib/python*/site-packages/{outer}"))):
            raise SetupError(f"{venv} was made without its interpreter's packages: `make clean`, then again")
        return
    if venv.exists() and any(venv.iterdir()):
        raise SetupError(f"{venv} has no working interpreter any more: `make clean`, then again")
    if importlib.util.find_spec("ensurepip") is None or importlib.util.find_spec("venv") is None:
        raise SetupError(
            f"{sys.executable} cannot make virtual environments, it has no ensurepip "
            "(Debian, Ubuntu: install python3-venv; or name another Python: `make ... PYTHON=/path/to/it`)"
        )
    see_base = see_interpreter and (not inside or sees_base(Path(sys.prefix)))
    made = subprocess.run(
        [sys.executable, "-m", "venv", *(["--system-site-packages"] if see_base else []), str(venv)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    if made.returncode:
        shutil.rmtree(str(venv), ignore_errors=True)
        last = made.stdout.decode(errors="replace").strip().splitlines()[-1:] or ["no message"]
        raise SetupError(f"{sys.executable} -m venv failed: {last[0]}")
    if see_interpreter and inside:
        paths = sysconfig.get_paths()
        folders = sorted({paths["purelib"], paths["platlib"]})
        for site in venv.glob("lib/python*/site-packages"):
            # not bare paths: .pth files inside the outer environment (editable installs) count too
            (site / outer).write_text("".join(f"import site; site.addsitedir({f!r})\n" for f in folders))


def installed_torch(venv):
    """Return the version of the torch that the environment sees, or None; refuse one that is too old."""
    seen = subprocess.run(
        [str(python_of(venv)), "-c", PROBE], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    if seen.returncode:
        raise SetupError(f"{python_of(venv)} does not run: `make clean`, then again")
    torch = seen.stdout.decode().strip() or None
    if torch and release(torch) < OLDEST_TORCH:
        # it is the user's own, so it is not replaced
        raise SetupError(f"torch {torch} is too old, {'.'.join(map(str, OLDEST_TORCH))} or newer is needed")
    return torch


def pip_install(venv, arguments, offline=False):
    """Run pip in the environment; `offline` also puts aside whatever pip's configuration would add."""
    environment = dict(os.environ, PIP_REQUIRE_VIRTUALENV="1", PIP_USER="0")
    if offline:
        environment = {key: value for key, value in environment.items() if not key.startswith("PIP_")}
        environment["PIP_CONFIG_FILE"] = os.devnull
        arguments = ["--no-index", *arguments]
    environment["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"
    # what is imported is compiled then: compiling all of torch takes longer than installing everything
    command = [str(python_of(venv)), "-m", "pip", "install", "--quiet", "--no-compile", *arguments]
    if subprocess.run(command, env=environment).returncode:
        raise SetupError(f"pip could not install (its message is above): {' '.join(command[1:])}")


def install_lock(venv, lock, torch):
    """Install a lock. A torch that is there already stays: its build was chosen by the user."""
    lines = lock.read_text().splitlines()
    locked = next(line.split("==")[1].split()[0] for line in lines if line.startswith("torch=="))
    if torch and torch.split("+")[0] != locked:
        print(f"maestrata: keeping the installed torch {torch} (the lock says {locked})", flush=True)
        lines = [line for line in lines if not line.startswith("torch==")]
    print(f"maestrata: installing {lock.name} into {venv.name} (minutes the first time)", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        requirements, constraints = Path(folder, lock.name), Path(folder, "constraints.txt")
        requirements.write_text("\n".join(lines) + "\n")
        constraints.write_text(f"torch=={torch}\n" if torch else "")
        pip_install(venv, ["-r", str(requirements), "-c", str(constraints)])


def install_wheelhouse(venv, wheelhouse, which, torch):
    """Install from a folder of wheels alone, and only what the environment does not see already."""
    import tomllib  # since Python 3.11, which main() has checked

    if not torch and not list(wheelhouse.glob("torch-*.whl")):
        raise SetupError(f"no torch: neither {sys.executable} nor {wheelhouse} has one")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    needs = project["project"]["dependencies"] + project["build-system"]["requires"]
    if which == "dev":
        needs += project["project"]["optional-dependencies"]["dev"]
    print(f"maestrata: adding to {venv.name} what is missing, from {wheelhouse} alone", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        constraints = Path(folder, "constraints.txt")
        constraints.write_text(f"torch=={torch}\n" if torch else "")
        # ranges, not pins: what the interpreter has stays wherever it will do
        pip_install(venv, ["--find-links", str(wheelhouse), "-c", str(constraints), *needs], offline=True)


def digest(*parts):
    """Hash texts, to tell whether anything that decides an installation has changed."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def install(venv, which, wheelhouse):
    """Bring the environment to what the lock (or the wheelhouse) says, unless it is there already."""
    torch = installed_torch(venv)
    stamp = venv / "installed.json"
    done = json.loads(stamp.read_text()) if stamp.exists() else {}
    project = (ROOT / "pyproject.toml").read_text()
    locks = {"runtime": ROOT / "requirements.lock", "dev": ROOT / "requirements-dev.lock"}
    if wheelhouse:
        packages = {which: digest(project, *sorted(wheel.name for wheel in wheelhouse.glob("*.whl")))}
    else:
        # the development lock holds every line of the other one (a test says so)
        packages = {name: digest(locks[name].read_text()) for name in {"runtime", which}}
    editable = {"project": digest(project, str(ROOT))}
    if {**done, **packages} != done or not torch:
        stamp.unlink(missing_ok=True)
        if wheelhouse:
            install_wheelhouse(venv, wheelhouse, which, torch)
        else:
            install_lock(venv, locks[which], torch)
    elif {**done, **editable} == done:
        return
    # the build backend is among the packages, so this needs no network
    pip_install(venv, ["--no-deps", "--no-build-isolation", "-e", str(ROOT)], offline=True)
    stamp.write_text(json.dumps({**done, **packages, **editable}, indent=1) + "\n")


def main(argv=None):
    """Make the environment; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["venv", "runtime", "dev"])
    parser.add_argument("--venv", type=Path, default=ROOT / ".venv")
    parser.add_argument("--wheelhouse", type=Path, help="install from this folder alone")
    arguments = parser.parse_args(argv)
    try:
        check_place(ROOT)
        if sys.version_info < OLDEST_PYTHON:
            raise SetupError(
                "Python {}.{} ({}) is too old, {}.{} or newer is needed: `make ... PYTHON=python3.12`".format(
                    *sys.version_info[:2], sys.executable, *OLDEST_PYTHON
                )
            )
        wheelhouse = arguments.wheelhouse and arguments.wheelhouse.resolve()
        if wheelhouse and not list(wheelhouse.glob("*.whl")):
            raise SetupError(f"no wheels in {wheelhouse} (`make wheelhouse` collects them)")
        make_venv(arguments.venv, see_interpreter=bool(wheelhouse))
        if arguments.what != "venv":
            install(arguments.venv, arguments.what, wheelhouse)
    except SetupError as error:
        print(f"maestrata: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
