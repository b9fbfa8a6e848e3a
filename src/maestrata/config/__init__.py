"""Configuration of a run, for the Snakefile and the command line; no step imports any of it.

`load`: `load_config`. `sections`: the keys. `files`: reading and merging them. `grid`: the cells.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from maestrata.config.load import load_config

__all__ = ["load_config"]

_EXPORTS = {"load_config": "maestrata.config.load"}


def __getattr__(name: str) -> Any:
    if name in _EXPORTS:
        return getattr(import_module(_EXPORTS[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
