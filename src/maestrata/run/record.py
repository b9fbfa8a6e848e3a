"""What a file of a run says made it, and whether it is as it was written."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import netCDF4

from maestrata.cubes.io import open_cube
from maestrata.cubes.seal import check_seal
from maestrata.errors import MaestrataError
from maestrata.model.stored import check_weights, stated

__all__ = ["damage", "recorded"]


def recorded(path: Path) -> str | None:
    """Return the fingerprint that a file carries: of a cube, weights, a figure or a table of verdicts.

    Raises
    ------
    MaestrataError, OSError, ValueError, struct.error
        If it cannot be read.
    """
    if path.suffix == ".nc":
        with netCDF4.Dataset(path) as file:
            return str(file.getncattr("fingerprint")) if "fingerprint" in file.ncattrs() else None
    if path.suffix == ".safetensors":
        about = stated(path)
        return str(about["fingerprint"]) if "fingerprint" in about else None
    if path.suffix == ".png":
        texts = (text for kind, text in _png_chunks(path.read_bytes()) if kind == b"tEXt")
        told = dict(text.partition(b"\0")[::2] for text in texts)
        return told[b"fingerprint"].decode("latin-1") if b"fingerprint" in told else None
    if path.suffix == ".pdf":
        keywords = re.search(rb"/Keywords \((\w+)\)", path.read_bytes())
        return keywords[1].decode() if keywords else None
    if path.suffix in (".md", ".html"):
        said = re.search(r"fingerprint\W+([0-9a-f]{16})\b", path.read_text(encoding="utf-8"))
        return said[1] if said else None
    raise ValueError(f"no fingerprint is read from {path.suffix} files")


def damage(path: Path, *, whole: bool = True) -> str | None:
    """Say what is wrong with a file, if anything is.

    Parameters
    ----------
    path : Path
        A file of a run.
    whole : bool
        Read all of it: every variable of a cube against its schema, and checksums of cubes, weights and PNG.
        Else only look whether it can be opened.

    Returns
    -------
    str or None
        Without the file's name. A PDF or a text has no checksum: it is only seen to be complete.
    """
    try:
        _check(path, whole)
    except (MaestrataError, OSError, ValueError, KeyError, struct.error, StopIteration) as error:
        said = " ".join(str(error).split()) or "truncated"
        for name in (f"{path}: ", f"{path} "):
            said = said.removeprefix(name)
        return said if said.startswith("cannot") else f"cannot be read ({said})"
    return None


def _check(path: Path, whole: bool) -> None:
    if path.suffix == ".nc":
        if whole:
            check_seal(path)
            open_cube(path).close()
        else:
            netCDF4.Dataset(path).close()
    elif path.suffix == ".safetensors":
        if whole:
            check_weights(path)
        else:
            stated(path)
    elif path.suffix == ".png":
        for _ in _png_chunks(path.read_bytes()):
            pass
    elif path.suffix == ".pdf":
        data = path.read_bytes()
        if not (data.startswith(b"%PDF-") and data.rstrip().endswith(b"%%EOF")):
            raise ValueError("truncated, or not a PDF file")
    else:
        path.read_text(encoding="utf-8")


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield kind and content of the chunks of a PNG file, each checked by its checksum."""
    if data[:8] != b"\x89PNG\r\n\x1a\n":
        raise ValueError("not a PNG file")
    at, kind = 8, b""
    while kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", data, at)
        content = data[at + 8 : at + 8 + length]
        (checksum,) = struct.unpack_from(">I", data, at + 8 + length)
        if zlib.crc32(kind + content) != checksum:
            raise ValueError("bytes have changed since it was written")
        yield kind, content
        at += 12 + length
