"""Settings: frozen dataclasses of plain values, each value declared once, with its meaning and its range.

The config reads them as its sections, the steps make their flags of them, and each dataclass refuses a wrong
value wherever it is made, in the same words: its ``__post_init__`` calls `check`. Settings that are a plain
mapping, as those of experiments are, are checked by `check_values` in the same words.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from math import isfinite
from numbers import Integral, Real
from typing import Any, TypeVar

from maestrata.errors import MaestrataError, one_of

__all__ = ["Range", "Scalar", "check", "check_values", "flag_of", "read", "setting"]

T = TypeVar("T")
Scalar = bool | int | float | str | None
"""A value of a mapping of settings."""


@dataclass(frozen=True)
class Range:
    """What a value, or each item of a list, may be.

    Attributes
    ----------
    least, above, most, below : float, optional
        Of a number: the least it may be, or what it lies above; the most it may be, or what it lies below.
    choices : sequence of str
        Of a text.
    distinct : bool
        Whether the numbers of a list differ; names in a list always do.
    """

    least: float | None = None
    above: float | None = None
    most: float | None = None
    below: float | None = None
    choices: tuple[str, ...] = ()
    distinct: bool = False

    @property
    def text(self) -> str:
        """What is allowed, after the name and the value."""
        low = self.above if self.least is None else self.least
        high = self.below if self.most is None else self.most
        if low is None:
            return f"must be {'below' if self.most is None else 'at most'} {_show(high)}"
        if high is None:
            return f"must be {'above' if self.least is None else 'at least'} {_show(low)}"
        opening, closing = "(" if self.least is None else "[", ")" if self.most is None else "]"
        return f"must lie in {opening}{_show(low)}, {_show(high)}{closing}"

    def holds(self, value: float) -> bool:
        """Whether a number is allowed."""
        return (
            (self.least is None or value >= self.least)
            and (self.above is None or value > self.above)
            and (self.most is None or value <= self.most)
            and (self.below is None or value < self.below)
        )

    def schema(self, default: Any) -> dict[str, Any]:
        """What a JSON schema says of a setting with this default."""
        if self.choices and isinstance(default, str):
            return {"enum": list(self.choices)}
        if self.choices:
            return {"items": {"type": "string", "enum": list(self.choices)}, "uniqueItems": True}
        named = {
            "minimum": self.least,
            "exclusiveMinimum": self.above,
            "maximum": self.most,
            "exclusiveMaximum": self.below,
        }
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
    most: float | None = None,
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
    least, above, most, below, choices
        Its `Range`; of a list, that of each item.
    """
    limits = Range(least, above, most, below, tuple(choices))
    metadata = {"description": about, "range": limits, "json_schema_extra": limits.schema(default)}
    if isinstance(default, type):
        return field(default_factory=default, metadata=metadata)
    return field(default=default, metadata=metadata)


def check(settings: Any, error: type[MaestrataError], owner: str = "") -> None:
    """Refuse a value of a wrong type or out of its range, an empty list, and an item that is listed twice.

    Parameters
    ----------
    settings : dataclass
        Its fields are declared by `setting`; others are not looked at, nor is None.
    error : type
        What is raised; its `key` names the setting.
    owner : str
        Whose settings they are, told before the message.
    """
    declared = [each for each in fields(settings) if "range" in each.metadata]
    check_values(
        {each.name: getattr(settings, each.name) for each in declared},
        {each.name: None if each.default is MISSING else each.default for each in declared},
        {each.name: each.metadata["range"] for each in declared},
        error,
        owner,
    )


def check_values(
    values: Mapping[str, Any],
    defaults: Mapping[str, Any],
    ranges: Mapping[str, Range],
    error: type[MaestrataError],
    owner: str = "",
) -> None:
    """Refuse values as `check` does, of settings that are a mapping.

    Parameters
    ----------
    values : mapping
        What was given; None passes where it is the default.
    defaults : mapping
        Each value must be of the type of its default: a whole number passes for a number, a list for a tuple.
    ranges : mapping
        Of the settings that have one.
    error : type
        What is raised; its `key` names the setting.
    owner : str
        Whose settings they are, told before the message.
    """
    for name, value in values.items():
        default, limits = defaults.get(name), ranges.get(name, Range())
        if value is None and default is None:
            continue
        for problem, *at in _problems(value, default, limits):
            raise error(f"{owner}{name}{problem}").at(name, *at)


def read(cls: type[T], values: Mapping[str, Any]) -> T:
    """Make settings of what JSON or a command line gives: lists become tuples.

    Raises
    ------
    TypeError
        If a name is none of the settings'.
    """
    return cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in values.items()})


def flag_of(name: str) -> str:
    """Return the flag of a setting: ``--mask-ratios`` of ``mask_ratios``."""
    return f"--{name.replace('_', '-')}"


def _problems(value: Any, default: Any, limits: Range) -> Iterator[tuple[Any, ...]]:
    """Yield what is wrong with a value, and where in it."""
    kind = _kind(default)
    if kind and kind != _kind(value) and (kind, _kind(value)) != ("a number", "a whole number"):
        yield (f"={value!r} must be {kind}",)
    elif isinstance(value, tuple | list):
        if not value:
            yield ("=[] must not be empty",)
        for i, item in enumerate(value):
            like = default[0] if isinstance(default, tuple | list) and default else None
            for problem, *at in _problems(item, like, limits):
                yield f"[{i}]{problem}", i, *at
            if item in value[:i] and (limits.distinct or isinstance(item, str)):
                yield (f"={list(value)} must not name anything twice",)
    elif isinstance(value, str):
        if limits.choices and value not in limits.choices:
            yield (f"={one_of(value, limits.choices)}",)
    elif _kind(value) in ("a number", "a whole number"):
        if not limits.holds(value):
            yield (f"={value!r} {limits.text}",)
        elif not isfinite(value):
            yield (f"={value!r} must be finite",)


def _kind(value: Any) -> str:
    """Name the type of a value in plain words; empty where there is nothing to say."""
    words = {bool: "true or false", Integral: "a whole number", Real: "a number", str: "text"}
    words |= {list: "a list", tuple: "a list"}
    return next((word for kind, word in words.items() if isinstance(value, kind)), "")


def _show(number: float | None) -> str:
    """Write a limit: digits in groups of three, as a config may write them."""
    return "" if number is None else f"{number:_}" if number == int(number) else f"{number:g}"
