"""Sections of a config, typed and frozen: every key, its default and what it may be.

What is the config's own stands here. The other sections are the settings that the library itself takes
(`maestrata.settings`), each declared where it is used.
"""

from __future__ import annotations

import re
from dataclasses import fields
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_type_hints

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
)
from typing_extensions import TypedDict  # the standard library's hides from pydantic which keys it has

from maestrata.bounds import MOST_CELLS, MOST_IMAGES, MOST_ROWS, MOST_SEED
from maestrata.cells import one_ratio
from maestrata.inference.settings import LimitSettings
from maestrata.model.sizes import Sizes
from maestrata.regression.settings import Evaluation
from maestrata.settings import Scalar
from maestrata.theory.settings import TheorySettings
from maestrata.training.recipe import Recipe

# Names become folders: what they are made of cannot leave the results folder, nor mean anything to a shell.
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
_PART = "[A-Za-z0-9_][A-Za-z0-9_.-]*"
Folder = Annotated[str, StringConstraints(pattern=rf"^/?{_PART}(/{_PART})*$")]


def _ratio(value: float) -> float:
    if not 0 < value < 1:
        raise ValueError("must lie in (0, 1)")
    return value


_SPAN = r"^\d{1,10}-\d{1,10}$"


def _seeds(value: Any) -> Any:
    """Read a count n as the seeds 0 to n-1 and ``100-111`` as these twelve; a list is taken as it is."""
    if isinstance(value, str) and re.match(_SPAN, value):
        first, last = map(int, value.split("-"))
        if not first <= last < first + MOST_CELLS:
            raise ValueError(f"must be a span of 1 to {MOST_CELLS:_} seeds, the first one first: 100-111")
        return tuple(range(first, last + 1))
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MOST_CELLS:
        return tuple(range(value))
    if not isinstance(value, list) or len(value) > MOST_CELLS:
        what = f", such as [{value}]" if isinstance(value, int) and value > 0 else ""
        raise ValueError(
            f"must be a count, 1 to {MOST_CELLS:_}, a span (100-111) or a list of no more seeds{what}"
        )
    return tuple(value)


def _filled(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if not values:
        raise ValueError("must not be empty")
    return values


def _distinct(values: tuple[Any, ...]) -> tuple[Any, ...]:
    _filled(values)
    if len(set(values)) < len(values):
        raise ValueError("must not name anything twice")
    return values


def _apart(values: tuple[float, ...]) -> tuple[float, ...]:
    """Refuse a ratio that is another one, written or computed in another way."""
    if len(set(one_ratio(_distinct(values)).values())) < len(values):
        raise ValueError("must not name anything twice")
    return values


_OPEN = {"exclusiveMinimum": 0, "exclusiveMaximum": 1}
Ratio = Annotated[float, AfterValidator(_ratio), Field(json_schema_extra=_OPEN)]
Ratios = Annotated[tuple[Ratio, ...], AfterValidator(_apart)]
Names = Annotated[tuple[Name, ...], AfterValidator(_distinct)]
Seed = Annotated[int, Field(ge=0, le=MOST_SEED)]
Seeds = Annotated[
    tuple[Seed, ...],
    BeforeValidator(_seeds),
    AfterValidator(_distinct),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 1, "maximum": MOST_CELLS},
                {"type": "string", "pattern": _SPAN},
                {"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": MOST_SEED}},
            ]
        }
    ),
]


class Section(BaseModel):
    """A section: frozen, no unknown key, no value taken for one of another type."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


def _part(cls: type, name: str) -> Any:
    """Return the type of a mapping that holds some of the settings of a dataclass."""
    hints = get_type_hints(cls)
    about = {
        each.name: Field(**{key: each.metadata[key] for key in ("description", "json_schema_extra")})
        for each in fields(cls)
    }
    keys = {key: Annotated[hints[key], about[key]] for key in about}
    part: Any = TypedDict(name, keys, total=False)  # type: ignore[misc]  # keys known at run time
    part.__doc__ = cls.__doc__
    return part


if TYPE_CHECKING:
    RecipePart = dict[str, Any]
else:
    RecipePart = _part(Recipe, "RecipePart")


class World(Section):
    """A world of the sweep: which one, and the settings in which it differs from that world's defaults."""

    kind: str = Field(description="name of a world: a module of maestrata.worlds")
    path: str | None = Field(
        default=None, description="where the images of a world are that reads them, relative to this file"
    )
    settings: dict[str, Scalar] = Field(default={}, description="arguments of that world's class")


class Block(Section):
    """One block of the grid: the product of its lists. The grid is the union of its blocks."""

    worlds: Names = Field(description="labels of `worlds`")
    world_seeds: Seeds = Field(default=(0,), description="a count n (0 to n-1), a span (100-111) or a list")
    patches: Annotated[tuple[str, ...], AfterValidator(_distinct)] = Field(
        default=("1x1",), description="mask patches HxW in tokens; 2x1o is the offset twin of 2x1"
    )
    mask_ratios: Ratios = Field(
        description="asked masking ratios; cells are keyed by the count they leave visible"
    )
    seeds: Seeds = Field(default=(0,), description="training seeds: a count, a span or a list")
    images: Annotated[int, Field(ge=1, le=MOST_IMAGES)] | None = Field(
        default=None, description="images a cell; null: as in `training`"
    )
    training: RecipePart | None = Field(
        default=None, description="the keys of `training` that differ in this block"
    )


class Sweep(Section):
    """How `maestrata.steps.sweep` trains on a GPU; the workflow itself trains one cell a job."""

    stack: Annotated[int, Field(ge=1, le=MOST_ROWS)] | None = Field(
        default=None, description="models trained as one on a GPU; null: as many as its memory holds"
    )


class Experiment(Section):
    """An experiment: in which worlds it is made, and how. One may be listed again for other worlds."""

    name: Name = Field(description="module of maestrata.experiments")
    worlds: Names = Field(description="labels of `worlds`")
    world_seeds: Seeds = Field(default=(0,), description="a count n (0 to n-1), a span (100-111) or a list")
    seeds: Seeds = Field(default=(0,), description="training seeds: a count, a span or a list")
    settings: dict[str, Scalar | tuple[Scalar, ...]] = Field(
        default={}, description="settings in which it differs from the module's own"
    )


class Claims(Section):
    """Which claims are judged, and in which worlds."""

    names: Literal["all", "none"] | Names = Field(default="all", description="modules of maestrata.claims")
    worlds: dict[Name, Name] = Field(
        default={},
        description="labels of the worlds that claims are judged in, by role, where they are not those of "
        "maestrata.claims.rule.WORLDS",
    )


class Figures(Section):
    """Which figures are drawn."""

    names: Literal["all"] | Names = Field(default="all", description="modules of maestrata.figures")


class Config(Section):
    """A run: every value that anything depends on."""

    run: Name = Field(description="results go to RESULTS/RUN/")
    results: Folder = Field(
        default="results", description="folder of all runs, in the working directory unless absolute"
    )
    note: str = Field(default="", description="printed in the title of every figure")
    plugins: tuple[str, ...] = Field(
        default=(),
        description="files of worlds, probes, experiments, claims and figures, relative to this file",
    )
    worlds: dict[Name, World]
    model: Sizes = Sizes()
    training: Recipe = Recipe()
    grid: Annotated[tuple[Block, ...], AfterValidator(_filled)]
    evaluation: Evaluation = Evaluation()
    theory: TheorySettings = TheorySettings()
    limits: LimitSettings = LimitSettings()
    experiments: tuple[Experiment, ...] = Field(
        default=(), description="what only a known world allows, and where it is made"
    )
    claims: Claims = Claims()
    figures: Figures = Figures()
    sweep: Sweep = Sweep()
