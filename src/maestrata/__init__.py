"""maestrata: which stratum of a latent hierarchy does a masked autoencoder recover?

Exports are resolved when first used: ``import maestrata`` is instant and loads neither torch nor xarray.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from maestrata.config import load_config
    from maestrata.cubes.io import open_cube
    from maestrata.cubes.join import join

__version__ = "0.1.0"
__all__ = ["__version__", "join", "load_config", "open_cube"]

_EXPORTS = {
    "join": "maestrata.cubes.join",
    "load_config": "maestrata.config",
    "open_cube": "maestrata.cubes.io",
}


def __getattr__(name: str) -> Any:
    if name in _EXPORTS:
        return getattr(import_module(_EXPORTS[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
