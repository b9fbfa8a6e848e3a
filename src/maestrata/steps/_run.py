"""What every step shares: how it starts, what it says when it fails, and what it writes about itself.

A step is a module with `main(argv=None)` that ends with ``if __name__ == "__main__": run(main)``.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import logging
import os
import platform
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from threadpoolctl import threadpool_limits

from maestrata.errors import MaestrataError

EXIT_ERROR = 2
PACKAGES = ("maestrata", "numpy", "scipy", "xarray", "netCDF4", "torch", "safetensors", "matplotlib")
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


def run(main: Callable[[], Any]) -> NoReturn:
    """Run a step as a program: one thread unless the environment says otherwise, errors in one line.

    A `MaestrataError` or a file that cannot be read or written ends it with exit status 2 and one line on
    standard error, without a traceback; any other exception is a bug and keeps its traceback.
    """
    threads = int(os.environ.setdefault("OMP_NUM_THREADS", "1"))
    for name in _THREADS:  # for libraries that are imported only later, inside the step
        os.environ.setdefault(name, str(threads))
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(message)s")
    logging.getLogger("fontTools").setLevel(logging.WARNING)  # tells every glyph of every PDF
    try:
        with threadpool_limits(threads):
            main()
    except (MaestrataError, OSError) as error:
        sys.exit(_fail(error))
    except MemoryError as error:
        sys.exit(_fail(str(error) or "out of memory"))
    sys.exit(0)


def _fail(error: object) -> int:
    message = " ".join(str(error).split())
    print(f"maestrata {Path(sys.argv[0]).stem}: error: {message}", file=sys.stderr, flush=True)
    return EXIT_ERROR


class Parser(argparse.ArgumentParser):
    """Argument parser of a step: exact flags only, the help from the module's docstring."""

    def __init__(self, doc: str | None = None, **kwargs: Any) -> None:
        style = argparse.RawDescriptionHelpFormatter
        super().__init__(description=doc, allow_abbrev=False, formatter_class=style, **kwargs)


def add_provenance(parser: argparse.ArgumentParser) -> None:
    """Add ``--fingerprint``: what the workflow computed over the code of this step."""
    parser.add_argument("--fingerprint", default="", help="of the step's code; kept in the output")


def provenance(
    args: argparse.Namespace,
    *,
    device: str = "cpu",
    packages: Iterable[str] = PACKAGES,
    seeds: Sequence[str] = (),
) -> dict[str, str]:
    """Describe what makes an output: no time, host or path, so that equal runs write equal bytes.

    Parameters
    ----------
    args : argparse.Namespace
        All arguments count as config, except the fingerprint and those that are a `Path` (where, not what).
    device : str
        Where it ran.
    packages : iterable of str
        Distributions whose versions are told; those that are not installed are left out.
    seeds : sequence of str
        Names of the arguments that are seeds; by default every argument whose name ends in ``seed``.

    Returns
    -------
    dict of str
        ``fingerprint``, ``config`` (JSON), ``seeds`` (JSON), ``versions``, ``device``, ``threads``.
    """
    values = {k: v for k, v in sorted(vars(args).items()) if k != "fingerprint" and not _is_path(v)}
    named = seeds or [k for k in values if k.endswith("seed")]
    return {
        "fingerprint": args.fingerprint,
        "config": json.dumps(values, sort_keys=True, default=str),
        "seeds": json.dumps({k: values[k] for k in named}),
        "versions": versions(packages),
        "device": device,
        "threads": os.environ.get("OMP_NUM_THREADS", "1"),
    }


def versions(packages: Iterable[str] = PACKAGES) -> str:
    """Return ``python X, numpy Y, ...`` for the packages that are installed, without importing them."""
    found = [f"python {platform.python_version()}"]
    for name in packages:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return ", ".join(found)


def _is_path(value: Any) -> bool:
    values = value if isinstance(value, list | tuple) else [value]
    return any(isinstance(item, Path) for item in values)
