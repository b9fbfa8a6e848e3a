"""Exact inference: posteriors of every latent given visible tokens, the ceilings they set, and named bounds.

One module per world, found by the world's name; see docs/inference.md. NumPy and SciPy only.
"""

from __future__ import annotations

from maestrata.modules import lazy

_EXPORTS = {
    "Posterior": "maestrata.inference.base",
    "posterior": "maestrata.inference.base",
    "supported": "maestrata.inference.base",
    "Bounds": "maestrata.inference.bounds",
    "bounds": "maestrata.inference.bounds",
    "GaussianModel": "maestrata.inference.linear_gaussian",
}
__all__ = list(_EXPORTS)
__getattr__ = lazy(__name__, _EXPORTS)
