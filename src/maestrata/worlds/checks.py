"""Checks of a world's settings, each with one clear error."""

from __future__ import annotations

from typing import Any

from maestrata.errors import WorldError


def check_number(world: str, key: str, value: Any, low: float, high: float, *, integer: bool = False) -> None:
    """Refuse a setting outside [low, high] or of another type, with one clear WorldError."""
    kinds: Any = int if integer else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds) or not low <= value <= high:
        what = "an integer" if integer else "a number"
        raise WorldError(f"{world}: {key}={value!r} must be {what} in [{low}, {high}]")


def check_bool(world: str, key: str, value: Any) -> None:
    """Refuse a setting that is neither true nor false."""
    if not isinstance(value, bool):
        raise WorldError(f"{world}: {key}={value!r} must be true or false")
