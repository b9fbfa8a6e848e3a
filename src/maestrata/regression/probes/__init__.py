"""Probes: regressions from features to targets, one file each, found by name.

A probe is a module with a class ``Probe``. Adding one is adding a file; nothing else names it.
"""

from __future__ import annotations

import inspect
from typing import Any, ClassVar, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from maestrata import modules
from maestrata.errors import ProbeError, one_of

__all__ = ["ProbeProtocol", "available", "make", "probe_class"]


class ProbeProtocol(Protocol):
    """What the class ``Probe`` of every probe module is.

    A new instance holds settings only; `fit` standardises features and targets by their moments over the
    training rows, chooses its hyperparameters per target on a validation part of those rows, and draws
    nothing at random. Rows are independent samples: the validation part may be any fixed range of them.

    Attributes
    ----------
    last_layer_only : bool
        Run on the last layer alone.
    poolings : tuple of str
    eval_ratios : tuple of str, or None
        Labels of the evaluation ratios that it is run at; None: all.
    """

    last_layer_only: ClassVar[bool]
    poolings: ClassVar[tuple[str, ...]]
    eval_ratios: ClassVar[tuple[str, ...] | None]

    def fit(self, x: NDArray[np.float32], y: NDArray[np.float32]) -> ProbeProtocol:
        """Fit features (n, p) to targets (n, t); returns self."""
        ...

    def predict(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Predict targets (m, t) from features (m, p)."""
        ...


def available() -> tuple[str, ...]:
    """Names of the probes: the modules of this package that define a class `Probe`."""
    return modules.available("regression.probes")


def probe_class(name: str) -> type[ProbeProtocol]:
    """Return the class of a probe.

    Raises
    ------
    ProbeError
        If there is no probe of that name; the message lists those there are.
    """
    return cast("type[ProbeProtocol]", modules.load("regression.probes", name).Probe)


def make(name: str, /, **settings: Any) -> ProbeProtocol:
    """Make a probe that is ready to be fitted.

    Parameters
    ----------
    name : str
        One of `available()`.
    **settings
        Settings of that probe; see its class.

    Raises
    ------
    ProbeError
        If the name or a setting is unknown, or a setting is of a wrong type or out of its range.
    """
    cls = probe_class(name)
    known = list(inspect.signature(cls).parameters)
    for key in settings:
        if key not in known:
            raise ProbeError(f"probe {name}: setting {one_of(key, known)}").at(key)
    return cls(**settings)
