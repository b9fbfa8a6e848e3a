"""What a file of weights says of itself, and whether it is whole, read without torch.

A safetensors file is a length (8 bytes), a header of that length in JSON, and the tensors. Its metadata are
one text, ``maestrata``: JSON with the model's sizes, what made it, and ``sha256``, a checksum of all of it.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from maestrata.errors import TrainingError

__all__ = ["check_weights", "digest", "stated"]


def digest(data: bytes, about: Mapping[str, Any]) -> str:
    """Return the checksum of weights.

    Parameters
    ----------
    data : bytes
        Of a safetensors file, whatever its metadata.
    about : mapping
        Metadata that the checksum holds for; one of ``sha256`` is left out.
    """
    header, start = _header(data)
    header.pop("__metadata__", None)
    rest = {key: value for key, value in about.items() if key != "sha256"}
    told = json.dumps([header, rest], sort_keys=True)
    return hashlib.sha256(told.encode() + memoryview(data)[start:]).hexdigest()


def stated(path: str | Path) -> dict[str, Any]:
    """Return what a file of weights says of itself; empty if it says nothing.

    Raises
    ------
    TrainingError
        If it is truncated, or no file of weights.
    """
    return _stated(Path(path).read_bytes(), path)


def check_weights(path: str | Path) -> None:
    """Check that a file of weights is as it was written; one without a checksum, which is older, passes.

    Raises
    ------
    TrainingError
        If it is truncated, or any byte that matters has changed.
    OSError
        If it cannot be read.
    """
    data = Path(path).read_bytes()
    about = _stated(data, path)
    if "sha256" in about and about["sha256"] != digest(data, about):
        raise TrainingError(
            f"{path}: cannot be trusted: bytes have changed since it was written; delete it and run again"
        )


def _stated(data: bytes, path: str | Path) -> dict[str, Any]:
    try:
        header, start = _header(data)
        metadata = header.pop("__metadata__", {})
        if len(data) != max([start, *(start + tensor["data_offsets"][1] for tensor in header.values())]):
            raise ValueError("its length is not that of its tensors")
        return dict(json.loads(metadata.get("maestrata", "{}")))
    except (struct.error, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise TrainingError(
            f"{path} does not hold the weights of a model (truncated, or another format?): {error}"
        ) from None


def _header(data: bytes) -> tuple[dict[str, Any], int]:
    """Return the header, and where the tensors begin."""
    (length,) = struct.unpack_from("<Q", data)
    return dict(json.loads(data[8 : 8 + length])), 8 + length
