"""What every step shares: how it starts, what it says when it fails, and what it writes about itself.

A step is a module with `main(argv=None)` that ends with ``if __name__ == "__main__": run(main)``.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import importlib.metadata
import json
import logging
import os
import platform
import sys
import traceback
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, TextIO

from threadpoolctl import threadpool_limits

from maestrata.errors import ConfigError, MaestrataError
from maestrata.machine import processor
from maestrata.text import any_encoding

EXIT_ERROR = 2
TERMINAL = "MAESTRATA_TERMINAL"
"""Environment variable that holds the file descriptor of the terminal, where a rule keeps one (Snakefile)."""
PACKAGES = ("maestrata", "numpy", "scipy", "xarray", "netCDF4", "torch", "safetensors", "matplotlib")
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
_MOST_THREADS = 1024


def run(main: Callable[[], Any]) -> NoReturn:
    """Run a step as a program: one thread unless the environment says otherwise, errors in one line.

    A `MaestrataError`, a file that cannot be read, written or unpacked, a lack of memory or Ctrl-C ends it
    with exit status 2 and one line on standard error, without a traceback; any other exception is a bug and
    keeps its traceback. Where standard error cannot be written either, being a log on the disk that is full,
    the line goes to the terminal (`TERMINAL`).
    """
    any_encoding()
    sys.excepthook = _tell_bug
    gc.freeze()
    gc.set_threshold(700, 10, 10)  # Python's own
    try:
        threads = threads_asked(os.environ.get("OMP_NUM_THREADS", ""))
        os.environ["OMP_NUM_THREADS"] = str(threads)
        for name in _THREADS:  # for libraries that are imported only later, inside the step
            os.environ.setdefault(name, str(threads))
        if "torch" in sys.modules:
            sys.modules["torch"].set_num_threads(threads)
        logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(message)s")
        logging.raiseExceptions = False  # a log that cannot be written is no reason to stop
        logging.getLogger("fontTools").setLevel(logging.WARNING)  # tells every glyph of every PDF
        with threadpool_limits(threads):
            main()
    except (MaestrataError, OSError, zlib.error) as error:
        _fail(error)
    except MemoryError as error:
        _fail(str(error) or "out of memory")
    except KeyboardInterrupt:
        _fail("stopped: finished files stay, and the same command goes on from them")
    _leave(0)


def threads_asked(text: str) -> int:
    """Read how many threads ``OMP_NUM_THREADS`` asks for; 1 if it is empty, the first of a list (``4,2``).

    Raises
    ------
    ConfigError
        If it is no number of at least 1.
    """
    first = text.split(",")[0].strip()
    if not first and not text.strip():
        return 1
    if not (first.isascii() and first.isdigit() and 1 <= int(first) <= _MOST_THREADS):
        raise ConfigError(
            f"OMP_NUM_THREADS={text!r} must be a number of threads, from 1 to {_MOST_THREADS} (environment)"
        )
    return int(first)


def _fail(error: object) -> NoReturn:
    line = _line(error)
    _write(line, line)
    _leave(EXIT_ERROR)


def _tell_bug(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print the traceback of what nobody expected."""
    _write("".join(traceback.format_exception(kind, error, trace)), _line(f"{kind.__name__}: {error}"))


def _line(error: object) -> str:
    return f"maestrata {Path(sys.argv[0]).stem}: error: {' '.join(str(error).split())}\n"


def _write(text: str, line: str) -> None:
    """Write `text` to standard error, or where that cannot be, `line` to the terminal."""
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except (OSError, ValueError):
        with contextlib.suppress(OSError, ValueError, KeyError):
            os.write(int(os.environ[TERMINAL]), line.encode("utf-8", "backslashreplace"))


def _leave(status: int) -> NoReturn:
    """End the program with this status, also where what is still to be written cannot be."""
    for stream in (sys.stdout, sys.stderr):
        if not _writable(stream):
            # Python would end with a status of its own after it failed to write what is left
            with contextlib.suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    sys.exit(status)


def _writable(stream: TextIO) -> bool:
    """Tell whether what was written to a stream has arrived."""
    try:
        stream.flush()
    except (OSError, ValueError):
        return False
    return True


class Parser(argparse.ArgumentParser):
    """Argument parser of a step: exact flags only, the help from the module's docstring."""

    def __init__(self, doc: str | None = None, **kwargs: Any) -> None:
        style = argparse.RawDescriptionHelpFormatter
        super().__init__(description=doc, allow_abbrev=False, formatter_class=style, **kwargs)


def add_provenance(parser: argparse.ArgumentParser) -> None:
    """Add ``--fingerprint``: what the workflow computed over the code of this step."""
    parser.add_argument("--fingerprint", default="", help="of the step's code; kept in the output")


def provenance(args: argparse.Namespace, *, device: str = "cpu") -> dict[str, str]:
    """Describe what makes an output: no time, host or path, so that equal runs write equal bytes.

    Parameters
    ----------
    args : argparse.Namespace
        All arguments count as config, except the fingerprint and those that are a `Path` (where, not what).
        Those whose names end in ``seed`` are seeds.
    device : str
        Where it ran; ``cpu`` is kept as the name of the processor, since bits are those of one kind.

    Returns
    -------
    dict of str
        ``fingerprint``, ``config`` (JSON), ``seeds`` (JSON), ``versions``, ``device``, ``threads``.
    """
    values = {k: v for k, v in sorted(vars(args).items()) if k != "fingerprint" and not _is_path(v)}
    return {
        "fingerprint": args.fingerprint,
        "config": json.dumps(values, sort_keys=True, default=str, allow_nan=False),
        "seeds": json.dumps({k: v for k, v in values.items() if k.endswith("seed")}),
        "versions": versions(),
        "device": processor() if device == "cpu" else device,
        "threads": os.environ.get("OMP_NUM_THREADS", "1"),
    }


def versions(packages: Iterable[str] = PACKAGES) -> str:
    """Return ``python X, numpy Y, ...`` for the packages that are installed, without importing them."""
    told = [f"python {platform.python_version()}"]
    for name in packages:
        try:
            told.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return ", ".join(told)


def _is_path(value: Any) -> bool:
    values = value if isinstance(value, list | tuple) else [value]
    return any(isinstance(item, Path) for item in values)
