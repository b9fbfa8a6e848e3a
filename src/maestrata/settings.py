"""Settings: frozen dataclasses of plain values, each value declared once, with its meaning and its range.

The config reads them as its sections, the steps make their flags of them, and each dataclass refuses a wrong
value wherever it is made, in the same words: its ``__post_init__`` calls `check`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

from maestrata.errors import MaestrataError, one_of

__all__ = ["Scalar", "check", "read", "setting"]

T = TypeVar("T")
Scalar = bool | int | float | str | None
"""A value of a mapping of settings."""


@dataclass(frozen=True)
class _Range:
    """What a value, or each item of a list, may be."""

    least: float | None
    above: float | None
    below: float | None
    choices: tuple[str, ...]

    @property
    def text(self) -> str:
        low = self.above if self.least is None else self.least
        if self.below is not None:
            return f"must lie in {'(' if self.least is None else '['}{low:g}, {self.below:g})"
        return f"must be above {low:g}" if self.least is None else f"must be at least {low:g}"

    def holds(self, value: float) -> bool:
        return (
            (self.least is None or value >= self.least)
            and (self.above is None or value > self.above)
            and (self.below is None or value < self.below)
        )

    def schema(self, default: Any) -> dict[str, Any]:
        """What a JSON schema says of a setting with this default."""
        if self.choices:
            return {"items": {"type": "string", "enum": list(self.choices)}, "uniqueItems": True}
        named = {"minimum": self.least, "exclusiveMinimum": self.above, "exclusiveMaximum": self.below}
        limits = {name: limit for name, limit in named.items() if limit is not None}
        if isinstance(default, tuple) and limits:
            return {"prefixItems": [{"type": "number", **limits} for _ in default]}
        return limits


def setting(
    default: Any,
    about: str,
    *,
    least: float | None = None,
    above: float | None = None,
    below: float | None = None,
    choices: Sequence[str] = (),
) -> Any:
    """Declare a setting: a field of a dataclass.

    Parameters
    ----------
    default : value or type
        A type, such as ``dict``, is called for each instance anew.
    about : str
        What it is, with its unit: the description in the config's schema and the help of the flag.
    least, above, below : float, optional
        Of a number, or of each of several: the least it may be, or what it lies above; what it lies below.
    choices : sequence of str, optional
        What each item of a list of names may be.
    """
    limits = _Range(least, above, below, tuple(choices))
    metadata = {"description": about, "range": limits, "json_schema_extra": limits.schema(default)}
    if isinstance(default, type):
        return field(default_factory=default, metadata=metadata)
    return field(default=default, metadata=metadata)


def check(settings: Any, error: type[MaestrataError]) -> None:
    """Refuse a value that is out of its range, an empty list of names, and a name that is listed twice.

    Parameters
    ----------
    settings : dataclass
        Its fields are declared by `setting`; others are not looked at, nor is None.
    error : type
        What is raised; its `key` names the setting.
    """
    for each in fields(settings):
        value, limits = getattr(settings, each.name), each.metadata.get("range")
        if limits is None or value is None or isinstance(value, bool):
            continue
        if isinstance(value, int | float):
            if not limits.holds(value):
                raise error(f"{each.name}={value!r} {limits.text}").at(each.name)
        elif isinstance(value, tuple | list):
            for problem, *at in _problems(value, limits):
                raise error(f"{each.name}{problem}").at(each.name, *at)


def read(cls: type[T], values: Mapping[str, Any]) -> T:
    """Make settings of what JSON or a command line gives: lists become tuples.

    Raises
    ------
    TypeError
        If a name is none of the settings'.
    """
    return cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in values.items()})


def _problems(values: Sequence[Any], limits: _Range) -> Iterator[tuple[Any, ...]]:
    """Yield what is wrong with a list, and where."""
    if not values:
        yield ("=[] must not be empty",)
    for i, value in enumerate(values):
        if isinstance(value, str):
            if limits.choices and value not in limits.choices:
                yield f"[{i}]={one_of(value, limits.choices)}", i
            if value in values[:i]:
                yield (f"={list(values)} must not name anything twice",)
        elif not limits.holds(value):
            yield f"[{i}]={value!r} {limits.text}", i
