"""A tree whose tokens hide their parents from every conditional mean: each pair of values has a random phase.

The additive tree down to the tokens' own variables; then every pair of a token's values is turned by
``2 pi Phi(noise)``, Phi the standard normal distribution function: by a phase that is uniform on the circle
and independent of all else. So ``E[token | everything but its own noise] = 0``, and the least mean squared
error of a masked token is reached by predicting 0, whatever is visible. What a token tells of its parent is
in the radii of its pairs.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import pi, sqrt
from typing import Any

import numpy as np
from array_api_compat import array_namespace
from scipy.special import erf

from maestrata.errors import WorldError
from maestrata.worlds.additive_tree import AdditiveTree
from maestrata.worlds.base import NoiseSpec


class PhaseTree(AdditiveTree):
    """Phase tree.

    Parameters
    ----------
    seed : int
    leaves, dim, token_pixels : int
    rho, fold : float
        As in `AdditiveTree`; dim is even.

    Notes
    -----
    Functions and latents are those of the additive tree of the same seed and settings, number for number. The
    noise of a token has ``dim + dim / 2`` dimensions: that of the additive tree, then one for the phase of
    each pair. A token's variable has mean 0, uncorrelated values and, on average, unit variance.
    """

    name = "phase_tree"
    folds = False  # a token's phase is no fold

    def _complete(self, rng: np.random.Generator) -> None:
        dim = self.settings["dim"]
        if dim % 2:
            raise WorldError(f"{self.name}: dim={dim!r} must be even: values are turned in pairs")
        super()._complete(rng)
        self.noise_spec[0] = NoiseSpec("normal", (self.grid.n_tokens, dim + dim // 2))

    def token_variables(self, params: Mapping[str, Any], parents: Any, noise: Any) -> Any:
        """Return the variables of the tokens, turned by their phases; see `NoisyTree`."""
        dim = self.settings["dim"]
        return _turn(super().token_variables(params, parents, noise[..., :dim]), noise[..., dim:])


def _turn(values: Any, noise: Any) -> Any:
    """Turn the pairs (0, 1), (2, 3), ... of values (..., dim) by 2 pi Phi(noise), noise (..., dim / 2)."""
    xp = array_namespace(values)
    # the array API has no error function: an array library of its own (torch) has, NumPy has SciPy's
    angle = pi * (1 + getattr(xp, "erf", erf)(noise / sqrt(2)))
    cos, sin = xp.cos(angle), xp.sin(angle)
    x, y = values[..., 0::2], values[..., 1::2]
    return xp.reshape(xp.stack([cos * x - sin * y, sin * x + cos * y], axis=-1), values.shape)
