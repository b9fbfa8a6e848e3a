"""maestrata: which stratum of a latent hierarchy does a masked autoencoder recover?

Exports are resolved when first used: ``import maestrata`` is instant and loads neither torch nor xarray.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from maestrata.modules import lazy

if TYPE_CHECKING:
    from maestrata.advice.decide import advise
    from maestrata.config import load_config
    from maestrata.cubes.io import open_cube
    from maestrata.cubes.join import join
    from maestrata.regression.pretrained import score_model
    from maestrata.representation.pretrained import from_vitmae, load_model, to_vitmae
    from maestrata.results.primary import primary

__version__ = "0.1.0"
__all__ = [
    "__version__",
    "advise",
    "from_vitmae",
    "join",
    "load_config",
    "load_model",
    "open_cube",
    "primary",
    "score_model",
    "to_vitmae",
]

_EXPORTS = {
    "from_vitmae": "maestrata.representation.pretrained",
    "join": "maestrata.cubes.join",
    "load_config": "maestrata.config",
    "advise": "maestrata.advice.decide",
    "load_model": "maestrata.representation.pretrained",
    "open_cube": "maestrata.cubes.io",
    "primary": "maestrata.results.primary",
    "score_model": "maestrata.regression.pretrained",
    "to_vitmae": "maestrata.representation.pretrained",
}

__getattr__ = lazy(__name__, _EXPORTS)


def __dir__() -> list[str]:
    return sorted(__all__)
