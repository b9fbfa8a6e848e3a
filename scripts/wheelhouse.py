"""Collect the wheels that a machine without a network needs (``make wheelhouse PYTHON=3.12``).

Takes the pins of requirements.lock for the target's Python, builds wheels of packages that come as source
only, and adds what those wheels need beyond the lock there (the CUDA libraries of a torch build, say). What
the target has already (``SKIP_INSTALLED``) is left out, unless its version is too old for something that is
collected. Runs in .venv, with pip and packaging, on Linux; the target is taken to have this machine's
processor and C library, or a newer one.
"""

from __future__ import annotations

import argparse
import email
import os
import platform
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.tags import compatible_tags, cpython_tags
from packaging.utils import canonicalize_name, parse_wheel_filename

ROOT = Path(__file__).resolve().parent.parent
Version = tuple[int, int]


class WheelhouseError(Exception):
    """A wheel that is not to be had; the message is one line for the user."""


def read_skip(text: str) -> dict[str, str]:
    """Read what the target has: a file (``pip freeze`` or ``pip list``), or names with commas or spaces.

    Returns
    -------
    dict of str to str
        Name -> version, empty where it is not told (then it is taken to do).

    Examples
    --------
    >>> read_skip("torch==2.11.0+cu130, NumPy")
    {'torch': '2.11.0+cu130', 'numpy': ''}
    """
    is_file = os.path.exists(text)
    if not is_file and ("/" in text or text.endswith(".txt")):
        raise WheelhouseError(f"SKIP_INSTALLED={text} is neither a file nor a list of names")
    entries = Path(text).read_text().splitlines() if is_file else re.split(r"[,\s]+", text)
    skip = {}
    for entry in entries:
        match = re.match(r"([A-Za-z0-9][\w.-]*)\s*(?:==\s*|\s+(?=\d)|$|(?=\s+@))([\w.+!-]*)", entry.strip())
        if match and match[1] != "Package":  # the heading of `pip list`
            skip[canonicalize_name(match[1])] = match[2]
    return skip


def read_pins(lock: Path) -> dict[str, str]:
    """Return name -> version of a lock."""
    pinned = re.findall(r"(?m)^([\w.-]+)==(\S+)", lock.read_text())
    return {canonicalize_name(name): version for name, version in pinned}


def needs_of(wheel: Path, version: Version, extras: set[str]) -> list[Requirement]:
    """Return what a wheel requires on the target, with some of its extras."""
    with zipfile.ZipFile(wheel) as archive:
        name = next(n for n in archive.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", n))
        metadata = email.message_from_bytes(archive.read(name))
    python = f"{version[0]}.{version[1]}"
    target = {"python_version": python, "python_full_version": f"{python}.0"}
    targets = [{**target, "extra": extra} for extra in {"", *extras}]
    needs = [Requirement(line) for line in metadata.get_all("Requires-Dist") or ()]
    return [n for n in needs if n.marker is None or any(n.marker.evaluate(target) for target in targets)]


def satisfies(version: str, need: Requirement) -> bool:
    """Tell whether a version (empty: unknown, taken to do) meets a requirement."""
    return not version or need.specifier.contains(version, prereleases=True)


def platforms() -> list[str]:
    """Return the wheel platforms that run here, newest C library first."""
    library, number = platform.libc_ver()
    if library != "glibc":
        raise WheelhouseError(f"wheels are collected on Linux with glibc only, not on {platform.platform()}")
    machine = platform.machine()
    major, minor = (int(n) for n in number.split(".")[:2])
    manylinux = [f"manylinux_{major}_{n}_{machine}" for n in range(minor, 4, -1)]
    return [*manylinux, *(f"manylinux{n}_{machine}" for n in ("2014", "2010", "1")), f"linux_{machine}"]


def runs_on(wheel: Path, version: Version) -> bool:
    """Tell whether a wheel runs on the target."""
    tags = {*cpython_tags(version, platforms=platforms()), *compatible_tags(version, platforms=platforms())}
    return bool(parse_wheel_filename(wheel.name)[3] & tags)


def pip(*arguments: str) -> None:
    """Run pip of this environment."""
    environment = os.environ | {"PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    if subprocess.run([sys.executable, "-m", "pip", *arguments], env=environment).returncode:
        raise WheelhouseError("pip could not get them (its message is above)")


def fetch(requirements: list[str], folder: Path, version: Version) -> None:
    """Download wheels for the target, without what they need; build those that come as source."""
    target = [f"--python-version={version[0]}.{version[1]}", "--implementation=cp"]
    target += [f"--platform={name}" for name in platforms()]
    pip("download", "--quiet", "--no-deps", "--dest", str(folder), *target, *requirements)
    for source in [path for path in folder.iterdir() if path.name.endswith((".tar.gz", ".zip"))]:
        pip("wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(source))
        source.unlink()
    for wheel in folder.glob("*.whl"):
        if not runs_on(wheel, version):
            wheel.unlink()
            raise WheelhouseError(
                f"{wheel.name} was built for this Python and does not run on {version[0]}.{version[1]}: "
                "collect on a machine with that Python"
            )


def contents(folder: Path) -> dict[str, tuple[str, Path]]:
    """Return name -> version and file of the wheels in a folder."""
    parsed = {wheel: parse_wheel_filename(wheel.name) for wheel in sorted(folder.glob("*.whl"))}
    return {name: (str(number), wheel) for wheel, (name, number, *_) in parsed.items()}


def collect(folder: Path, version: Version, skip: dict[str, str]) -> None:
    """Fill `folder`, following needs until none is open."""
    pins = read_pins(ROOT / "requirements.lock")
    for name, (number, wheel) in contents(folder).items():  # of an earlier collection
        if number != pins.get(name, number) or not runs_on(wheel, version):
            wheel.unlink()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = {name: f"{name}=={pin}" for name, pin in pins.items() if name not in skip}
    while wanted:
        print(f"maestrata: collecting {len(wanted)} packages into {folder}", flush=True)
        fetch(sorted(wanted.values()), folder, version)
        have = contents(folder)
        needs = [Requirement(text) for text in project["project"]["dependencies"]]
        extras = {canonicalize_name(need.name): set(need.extras) for need in needs}
        for name, (_, wheel) in have.items():
            needs += needs_of(wheel, version, extras.get(name, set()))
        wanted = {}
        for need in needs:
            name = canonicalize_name(need.name)
            if name in skip and not satisfies(skip[name], need):
                note = f"{name} {skip[name]} of the target does not do, {need} is needed"
                if name == "torch":  # never replaced
                    raise WheelhouseError(note)
                print(f"maestrata: {note}: collected as well", flush=True)
                del skip[name]
            if name not in skip and name not in have:
                wanted[name] = f"{name}=={pins[name]}" if name in pins else f"{name}{need.specifier}"


def main(argv: list[str] | None = None) -> int:
    """Collect; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=ROOT / "wheelhouse")
    parser.add_argument("--python", default=platform.python_version(), help="the target's, such as 3.12")
    parser.add_argument("--skip", default="", help="what the target has: a file as of pip freeze, or names")
    arguments = parser.parse_args(argv)
    try:
        match = re.match(r"3\.(\d+)", arguments.python)
        if not match or int(match[1]) < 11:
            raise WheelhouseError(f"PYTHON={arguments.python} must be a version, 3.11 or newer")
        arguments.folder.mkdir(parents=True, exist_ok=True)
        collect(arguments.folder, (3, int(match[1])), read_skip(arguments.skip))
    except (WheelhouseError, InvalidRequirement) as error:
        print(f"maestrata: {error}", file=sys.stderr)
        return 2
    wheels = list(arguments.folder.glob("*.whl"))
    size = sum(wheel.stat().st_size for wheel in wheels) / 1e6
    print(f"maestrata: {len(wheels)} wheels, {size:.0f} MB, for Python 3.{match[1]} in {arguments.folder}")
    print(f"there: make reproduce WHEELHOUSE={arguments.folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
