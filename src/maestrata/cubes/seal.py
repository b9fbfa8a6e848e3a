"""The seal of a file: its last bytes are a checksum of all before them, so that a changed byte is named.

NetCDF-4 has checksums of its own for data alone. Labels, texts and the index of chunks have none: a byte of
these that changes on a disk or in a copy gives other numbers without any error. Readers of NetCDF do not
look behind the end of the data, where the seal stands.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from maestrata.errors import CubeError

__all__ = ["check_seal", "seal"]

_MARK = b"\nmaestrata sha256 "
_LENGTH = len(_MARK) + 64 + 1  # the mark, the digest in hexadecimal, a line break
_PIECE = 1 << 22  # bytes read at a time


def seal(path: str | os.PathLike[str]) -> None:
    """Append a file's checksum to it.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    digest = _digest(Path(path), os.path.getsize(path))
    with open(path, "ab") as file:
        file.write(_MARK + digest + b"\n")


def check_seal(path: str | os.PathLike[str]) -> bool:
    """Check that a file is as it was sealed, and tell whether it has a seal: one that is older has none.

    Raises
    ------
    CubeError
        If any byte has changed, or something was appended.
    OSError
        If the file cannot be read.
    """
    path, size = Path(path), os.path.getsize(path)
    with path.open("rb") as file:
        file.seek(max(0, size - _LENGTH))
        last = file.read()
    if not last.startswith(_MARK):
        return False
    if last != _MARK + _digest(path, size - _LENGTH) + b"\n":
        raise CubeError(
            f"{path}: cannot be trusted: bytes have changed since it was written; delete it and run again"
        )
    return True


def _digest(path: Path, size: int) -> bytes:
    """SHA-256 of the first `size` bytes, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while size > 0:
            piece = file.read(min(size, _PIECE))
            if not piece:
                break
            digest.update(piece)
            size -= len(piece)
    return digest.hexdigest().encode()
