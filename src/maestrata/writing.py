"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import itertools
import os
import platform
from collections.abc import Iterator
from pathlib import Path

from maestrata.errors import MaestrataError

_NUMBERS = itertools.count()


@contextlib.contextmanager
def whole(
    path: str | os.PathLike[str],
    what: str = "",
    raised: type[MaestrataError] = MaestrataError,
    temporary: Path | None = None,
) -> Iterator[Path]:
    """Yield a temporary file beside `path`, to be written to; at the end it takes its place.

    Parameters
    ----------
    path : path-like
        Folders that are not there are made.
    what : str
        What it holds, for the error.
    raised : type
        What is raised.
    temporary : Path, optional
        Name of the temporary file; by default one that no other process has, on any machine.

    Raises
    ------
    MaestrataError
        If it cannot be written; nothing half-written stays, and what stood at `path` before stays as it was.
    """
    path = Path(path)
    # machines of a cluster share folders, not numbers of processes
    own = f"{platform.node()}-{os.getpid()}-{next(_NUMBERS)}"
    temporary = temporary or path.with_name(f".{path.name}.{own}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        subject = f"{what} cannot be written to {path}" if what else f"{path}: cannot be written"
        raise raised(f"{subject}: {error.strerror or error}") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write a text file, in UTF-8, whole or not at all (see `whole`)."""
    with whole(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")
