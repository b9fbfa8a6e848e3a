"""Advice before training: which mask patch and masking ratio, from images alone."""

from __future__ import annotations

from maestrata.modules import lazy

_EXPORTS = {"Advice": "maestrata.advice.result", "advise": "maestrata.advice.decide"}
__all__ = list(_EXPORTS)
__getattr__ = lazy(__name__, _EXPORTS)
