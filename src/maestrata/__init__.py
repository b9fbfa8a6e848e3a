"""maestrata: which stratum of a latent hierarchy does a masked autoencoder recover?

Exports are resolved when first used: ``import maestrata`` is instant and loads neither torch nor xarray.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from maestrata.modules import lazy

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

__getattr__ = lazy(__name__, _EXPORTS)


def __dir__() -> list[str]:
    return sorted(__all__)
