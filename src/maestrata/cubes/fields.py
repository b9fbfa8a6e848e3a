"""What a kind of cube is declared with: axes, variables, and the kind that joins them.

Plain frozen dataclasses without any behaviour, so that `schema.py` reads as a table.
"""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Axis", "Kind", "Variable"]


@dataclass(frozen=True)
class Axis:
    """A named dimension with a coordinate of its own.

    Attributes
    ----------
    dtype : "int64", "float64" or "str". Ratios are float64, or ``.sel(mask_ratio=.1)`` would find nothing.
    long_name, units : written to the file.
    allowed : the only values there may be, in their natural order (None: any).
    pattern : regular expression that a string must match in full.
    low, high : closed range of a number.
    open_range : the ends themselves are excluded.
    """

    dtype: str
    long_name: str
    units: str = "1"
    allowed: tuple[str, ...] | None = None
    pattern: str | None = None
    low: float | None = None
    high: float | None = None
    open_range: bool = False


@dataclass(frozen=True)
class Variable:
    """A data variable (or a coordinate that does not name a dimension).

    Attributes
    ----------
    dims : dimensions, in the order of the file.
    long_name, units : written to the file.
    dtype : NumPy name, or "str". Missing is NaN for floats; integers and strings cannot be missing.
    within : closed range (low, high) of the values that are not NaN, None for no end; infinities never pass.
    flags : for integers: meaning of each value (CF `flag_values`, `flag_meanings`); nothing else may occur.
    nan : False where a float must be there for every index.
    optional : a file without it is valid.
    beside : describes an axis rather than a result; xarray shows it among the coordinates.
    sparse : mostly NaN and otherwise without pattern (replicates): stored in small chunks, those of NaN left
        out, the others not compressed, which takes about the same space and a tenth of the time.
    """

    dims: tuple[str, ...]
    long_name: str
    units: str = "1"
    dtype: str = "float32"
    within: tuple[float | None, float | None] = (None, None)
    flags: dict[int, str] | None = None
    nan: bool = True
    optional: bool = False
    beside: bool = False
    sparse: bool = False


@dataclass(frozen=True)
class Kind:
    """One kind of file.

    Attributes
    ----------
    summary : one sentence, written as the `title` attribute.
    variables : name -> `Variable`. Dimensions are those the variables use; a dimension that is named in
        `schema.AXES` carries that coordinate, any other is a plain index without one.
    attrs : required attributes, name -> type.
    ordered : pairs (lower, upper) of variables that must not cross.
    """

    summary: str
    variables: dict[str, Variable]
    attrs: dict[str, type] = field(default_factory=dict)
    ordered: tuple[tuple[str, str], ...] = ()

    @property
    def dims(self) -> tuple[str, ...]:
        """All dimensions, in the order in which the variables first use them."""
        return tuple(dict.fromkeys(dim for variable in self.variables.values() for dim in variable.dims))
