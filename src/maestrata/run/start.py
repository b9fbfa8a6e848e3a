"""What a run needs before its first job: what was asked, the jobs' environment, and a folder to write to.

Without a place for its log no job can say why it failed.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from maestrata.errors import ConfigError
from maestrata.run.layout import FILES
from maestrata.run.record import damage

__all__ = [
    "check_folder",
    "check_inputs",
    "check_place",
    "inputs_there",
    "job_environment",
    "remember_signatures",
    "split_partial",
    "stop_timers",
]

# of a path in PYTHONPATH and PATH, and in Snakemake's own commands
_BREAKS = {
    os.pathsep: f"{os.pathsep!r}, which parts the folders of PYTHONPATH",
    "\n": "a line break",
    "{": "braces, which Snakemake fills in",
    "}": "braces, which Snakemake fills in",
}


def job_environment(root: Path) -> dict[str, str]:
    """Return the environment in which jobs find the code of the checkout at `root`, and this interpreter.

    They also keep what Python compiles, whatever was set: a run is hundreds of short processes, and compiling
    what one imports takes longer than importing it.

    Raises
    ------
    ConfigError
        If the path of either holds what such a variable, or Snakemake, takes for something else.
    """
    for place in (root, Path(sys.executable).parent):
        wrong = next((name for name in _BREAKS if name in str(place)), None)
        if wrong is not None:
            raise ConfigError(
                f"{str(place)!r} must not hold {_BREAKS[wrong]}: jobs find their code by this path; move or "
                "rename the folder"
            )
    first = {"PYTHONPATH": str(root / "src"), "PATH": str(Path(sys.executable).parent)}
    made = {name: os.pathsep.join(filter(None, [path, os.environ.get(name)])) for name, path in first.items()}
    return made | {"PYTHONDONTWRITEBYTECODE": ""}  # empty is as if it were not set


def remember_signatures() -> None:
    """Let Snakemake look once at the parameters of a function that a rule names.

    It looks anew for every job and parameter, some twenty times a job, which is an eighth of planning.
    """
    from snakemake import common, jobs, rules  # slow to import, and the rest of this file needs none

    look = getattr(common, "get_function_params", None)
    if look is None:  # a Snakemake that looks elsewhere: slower, and nothing else
        return
    known = cache(look)
    for module in (common, jobs, rules):
        if getattr(module, "get_function_params", None) is look:
            module.get_function_params = known


def split_partial(arguments: Sequence[str]) -> tuple[list[str], bool]:
    """Take ``partial`` out of the values of ``snakemake --config``, which are as they were typed.

    Returns
    -------
    list of str
        The other values, ``KEY=VALUE``.
    bool
        Whether a partial run is asked for.

    Raises
    ------
    ConfigError
        If its value is neither true nor false.

    Examples
    --------
    >>> split_partial(["run=a", "partial=false"])
    (['run=a'], False)
    """
    others, partial = [], False
    for argument in arguments:
        key, _, value = argument.partition("=")
        if key != "partial":
            others.append(argument)
        elif value.lower() in ("true", "false"):
            partial = value.lower() == "true"
        else:
            raise ConfigError(f"partial={value!r} must be true or false (config: --config)")
    return others, partial


def check_place(folder: str | Path) -> None:
    """Refuse a file where a folder of the run belongs, before anybody looks into it.

    Parameters
    ----------
    folder : path
        Of the run, ``RESULTS/RUN``.

    Raises
    ------
    ConfigError
        If one of its folders, or of those above it, is a file.
    """
    for place in _places(Path(folder)):
        there = _nearest(place)
        if not there.is_dir():
            raise ConfigError(f"results cannot be written to {folder}: {there} must be a folder")


def check_folder(folder: str | Path) -> None:
    """Check that everything that a run writes has a place.

    Parameters
    ----------
    folder : path
        Of the run, ``RESULTS/RUN``; what is not there yet is made by the jobs.

    Raises
    ------
    ConfigError
        If a file stands where a folder belongs, or a folder cannot be written: it is read-only or another's.
    """
    check_place(folder)
    for place in _places(Path(folder)):
        there = _nearest(place)
        # the system is asked, since on a read-only file system the owner has every right and cannot write
        if not os.access(there, os.W_OK | os.X_OK):
            raise ConfigError(
                f"results cannot be written to {folder}: {there} is read-only or another user's; make it "
                "writable, or name another folder (results: in the config, --config results=FOLDER)"
            )


def check_inputs(files: Iterable[str]) -> None:
    """Check that what jobs are about to read can be opened, before a job is begun.

    Snakemake removes the outputs of a job before it runs it. A job that then finds its input damaged has
    cost them.

    Parameters
    ----------
    files : iterable of str
        Inputs that no job of this run makes; those that are not there are Snakemake's to name.

    Raises
    ------
    ConfigError
        If one is damaged.
    """
    for file in files:
        wrong = damage(Path(file), whole=False) if Path(file).is_file() else None
        if wrong:
            raise ConfigError(f"{file}: {wrong}; delete it and run again: nothing has been made or removed")


def inputs_there(dag: Any) -> list[str]:
    """List the files that the jobs to be run read and none of them makes, from Snakemake's graph of jobs."""
    jobs = list(dag.needrun_jobs())
    made = {str(file) for job in jobs for file in job.output}
    return sorted({str(file) for job in jobs if not job.is_norun for file in job.input} - made)


def _places(folder: Path) -> Iterator[Path]:
    """Yield the run's folder and those that its rules write to: outputs, logs and benchmarks."""
    root = folder.absolute()
    rules = sorted({rule for _, rule in FILES.values()})
    yield root
    tops = {path.partition("/")[0] for path, _ in FILES.values() if "/" in path}
    yield from (root / name for name in sorted(tops))
    for what in ("logs", "benchmarks"):
        yield from (root / what, *(root / what / rule for rule in rules))


def _nearest(place: Path) -> Path:
    """Return a path, or the lowest above it at which there is anything."""
    return next(path for path in (place, *place.parents) if os.path.lexists(path))


def stop_timers() -> None:
    """Let Snakemake end at once: it waits for the timers by which it would have looked for jobs again."""
    for thread in threading.enumerate():
        if isinstance(thread, threading.Timer):
            thread.cancel()
