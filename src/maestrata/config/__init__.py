"""Configuration of a run, for the Snakefile and the command line; no step imports any of it.

`load`: `load_config`. `sections`: the keys. `files`: reading and merging them. `grid`: the cells.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from maestrata.modules import lazy

if TYPE_CHECKING:
    from maestrata.config.load import load_config

__all__ = ["load_config"]

_EXPORTS = {"load_config": "maestrata.config.load"}

__getattr__ = lazy(__name__, _EXPORTS)
