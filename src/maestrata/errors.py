"""Errors of maestrata: each message names the value, what is allowed, and where it came from."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self


class MaestrataError(ValueError):
    """Base of every error that maestrata raises on purpose.

    Attributes
    ----------
    key : tuple of str and int
        The setting that is wrong, such as ``("probes", 0)``; empty where the error is about no setting.
    """

    key: tuple[str | int, ...] = ()

    def at(self, *key: str | int) -> Self:
        """Say which setting is wrong; returns the error."""
        self.key = key
        return self


class ConfigError(MaestrataError):
    """A configuration that cannot be run."""


class CubeError(MaestrataError):
    """A file that is not what its kind demands."""


class GraphError(MaestrataError):
    """A latent graph that is not a valid data-generating process."""


class MaskError(MaestrataError):
    """A mask, mask patch or masking ratio that cannot be drawn."""


class WorldError(MaestrataError):
    """A world that does not exist or cannot be built with these settings."""


class InferenceError(MaestrataError):
    """A posterior that cannot be computed."""


class TrainingError(MaestrataError):
    """A training run that cannot start or go on."""


class ProbeError(MaestrataError):
    """A probe that does not exist or cannot be fitted."""


class ExperimentError(MaestrataError):
    """An experiment that does not exist or cannot be made."""


class ClaimError(MaestrataError):
    """A claim that does not exist or cannot be judged."""


class FigureError(MaestrataError):
    """A figure that does not exist or cannot be drawn."""


class AdviceError(MaestrataError):
    """Images or a goal that no advice can be given for."""


class RandomError(MaestrataError):
    """A random stream that is not registered."""


class FingerprintError(MaestrataError):
    """A module whose code cannot be fingerprinted."""


def reason(error: Exception) -> str:
    """Say why, of an `OSError` in the system's words without its number and path."""
    return getattr(error, "strerror", None) or str(error)


def one_of(value: object, allowed: Iterable[object]) -> str:
    """Say what is allowed instead of `value`, for the end of an error message."""
    return f"{value!r} must be one of: {', '.join(sorted(map(str, allowed)))}"
