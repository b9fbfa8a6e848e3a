"""Exact inference: posteriors of every latent given visible tokens, the ceilings they set, and named bounds.

One module per world, found by the world's name; see docs/inference.md. NumPy and SciPy only.
"""

from __future__ import annotations

import importlib
from typing import Any

_EXPORTS = {
    "Posterior": "maestrata.inference.base",
    "posterior": "maestrata.inference.base",
    "supported": "maestrata.inference.base",
    "Bounds": "maestrata.inference.bounds",
    "bounds": "maestrata.inference.bounds",
    "GaussianModel": "maestrata.inference.linear_gaussian",
}
__all__ = list(_EXPORTS)


def __getattr__(name: str) -> Any:
    if name in _EXPORTS:
        return getattr(importlib.import_module(_EXPORTS[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
