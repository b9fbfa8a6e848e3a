"""Configuration of a run: read from YAML, checked whole before anything runs, frozen.

`load_config` gives a `Config`, or a `ConfigError` of one line that names the key, its value, what is allowed, and the
file. The Snakefile and the command line read it; the steps never do (they get plain values).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    StringConstraints,
    ValidationError,
    WithJsonSchema,
    model_validator,
)

from pydantic_core import ErrorDetails

from maestrata.config_file import Key, Layers, key_path, read_layers
from maestrata.errors import ConfigError

# Names become folders: what they are made of cannot leave the results folder, nor mean anything to a shell.
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
Folder = Annotated[str, StringConstraints(pattern=r"^/?[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*$")]
Pooling = Literal["global", "cls", "concat", "aligned"]


def _ratio(value: float) -> float:
    if not 0 < value < 1:
        raise ValueError("must lie in (0, 1)")
    return value


def _seeds(value: Any) -> Any:
    """Read a count n as the seeds 0 to n-1; a list is taken as it is."""
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return tuple(range(value))
    if not isinstance(value, list):
        raise ValueError("must be a count, at least 1, or a list of seeds")
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


Ratio = Annotated[float, AfterValidator(_ratio), Field(json_schema_extra={"exclusiveMinimum": 0, "exclusiveMaximum": 1})]
Ratios = Annotated[tuple[Ratio, ...], AfterValidator(_distinct)]
Names = Annotated[tuple[Name, ...], AfterValidator(_distinct)]
Seeds = Annotated[
    tuple[NonNegativeInt, ...],
    BeforeValidator(_seeds),
    AfterValidator(_distinct),
    WithJsonSchema(
        {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "array", "items": {"type": "integer", "minimum": 0}}]}
    ),
]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class World(_Section):
    """A world of the sweep: which one, and the settings in which it differs from that world's defaults."""

    kind: str = Field(description="name of a world: a module of maestrata.worlds")
    settings: dict[str, bool | int | float | str | None] = Field({}, description="arguments of that world's class")


class Model(_Section):
    """The masked autoencoder: a ViT encoder on visible tokens only, a light decoder on all of them."""

    width: PositiveInt = 64
    depth: PositiveInt = 3
    heads: PositiveInt = 2
    decoder_width: PositiveInt = 64
    decoder_depth: PositiveInt = 1
    decoder_heads: PositiveInt = 2
    mlp_ratio: PositiveInt = 4
    norm_pixels: bool = Field(False, description="reconstruct pixels normalised per token")

    @model_validator(mode="after")
    def _splits(self) -> Model:
        for part in ("", "decoder_"):
            width, heads = getattr(self, f"{part}width"), getattr(self, f"{part}heads")
            if width % 4 or width % heads:
                raise ValueError(f"{part}width={width} must be a multiple of 4 and of {part}heads={heads}")
        return self


class Training(_Section):
    """Optimisation of every cell; a block of the grid may set any of these anew."""

    images: PositiveInt = Field(240_000, description="images seen in all; fresh ones unless `samples` is set")
    batch: PositiveInt = 256
    lr: Ratio = Field(2e-3, description="peak of the one-cycle schedule (AdamW)")
    weight_decay: Annotated[float, Field(ge=0, lt=1)] = 0.05
    betas: tuple[Ratio, Ratio] = (0.9, 0.95)
    warmup: Annotated[float, Field(ge=0, lt=1)] = Field(0.1, description="share of steps in which the rate rises")
    clip: PositiveFloat = Field(1.0, description="largest norm of the gradient")
    samples: PositiveInt | None = Field(None, description="size of a finite training set; null: an endless stream")


class Block(_Section):
    """One block of the grid: the product of its lists. The grid is the union of its blocks."""

    worlds: Names = Field(description="labels of `worlds`")
    world_seeds: Seeds = Field((0,), description="a count n (seeds 0 to n-1) or a list")
    patches: Annotated[tuple[str, ...], AfterValidator(_distinct)] = Field(("1x1",), description="mask patches HxW in tokens; 2x1o is the offset twin of 2x1")
    mask_ratios: Ratios = Field(description="asked masking ratios; cells are keyed by the count they leave visible")
    seeds: Seeds = Field((0,), description="training seeds: a count n (seeds 0 to n-1) or a list")
    images: PositiveInt | None = Field(None, description="images a cell; null: as in `training`")
    training: Training | None = Field(None, description="the keys of `training` that differ in this block")


class Evaluation(_Section):
    """What is read from every model, on which samples."""

    probe_train: Annotated[int, Field(ge=64)] = Field(8192, description="images that probes are fitted on")
    test: Annotated[int, Field(ge=64)] = Field(8192, description="fresh images that R2 is measured on")
    eval_ratios: Annotated[tuple[Literal["0", "0.5", "training"], ...], AfterValidator(_distinct)] = ("0", "0.5", "training")
    layers: Literal["all"] | Annotated[tuple[NonNegativeInt, ...], AfterValidator(_distinct)] = "all"
    poolings: Annotated[tuple[Pooling, ...], AfterValidator(_distinct)] = ("global", "cls", "concat", "aligned")
    probes: Names = Field(("ridge", "kernel_ridge"), description="modules of maestrata.regression.probes")
    kernel_points: PositiveInt = Field(2000, description="images that kernel ridge is fitted on")
    replicates: PositiveInt = Field(500, description="bootstrap replicates over test images")


class Theory(_Section):
    """Where the shared information sits, for every mask patch and ratio of the grid."""

    masks: PositiveInt = Field(20_000, description="masks drawn where the theory is not exact")


class Limits(_Section):
    """Exact inference, or bounds, at every visibility of the grid."""

    samples: PositiveInt = Field(8192, description="test images")


class Figures(_Section):
    """Which figures are drawn, and how."""

    names: Literal["all"] | Names = Field("all", description="modules of maestrata.figures")
    style: dict[str, bool | int | float | str] = Field({}, description="settings of maestrata.figures.style")


class Config(_Section):
    """A run: every value that anything depends on."""

    run: Name = Field(description="results go to RESULTS/RUN/")
    results: Folder = Field("results", description="folder of all runs, beside the Snakefile unless absolute")
    note: str = Field("", description="printed in the title of every figure")
    worlds: dict[Name, World]
    model: Model = Model()
    training: Training = Training()
    grid: Annotated[tuple[Block, ...], AfterValidator(_filled)]
    evaluation: Evaluation = Evaluation()
    theory: Theory = Theory()
    limits: Limits = Limits()
    figures: Figures = Figures()


def load_config(path: str | Path, *more: str | Path, overrides: dict[str, Any] | None = None) -> Config:
    """Read, merge and check a config.

    Parameters
    ----------
    path, *more : str or Path
        YAML files; each may name a file it `extends`, and later ones win over earlier ones.
    overrides : dict, optional
        Values that win over all files, such as those of ``snakemake --config``.

    Returns
    -------
    Config
        Frozen.

    Raises
    ------
    ConfigError
        In one line: key path, value, what is allowed, and the file it is from.
    """
    layers = read_layers([path, *more], overrides)
    from maestrata.config_grid import KeyedError, check  # it builds on the sections above

    try:
        # as JSON: lists are read as tuples, and strictly nothing else is coerced
        config = Config.model_validate_json(json.dumps(layers.merged(), default=str))
        check(config)
    except ValidationError as error:
        raise ConfigError(_explain(error.errors(), layers)) from None
    except KeyedError as error:
        raise ConfigError(f"{error} (config: {key_path(error.key)}, {layers.origin(error.key)})") from None
    return config


def json_schema() -> str:
    """Return the JSON schema of a config file, as text; workflow/schemas/config.schema.json holds it."""
    schema = Config.model_json_schema()
    schema["properties"]["extends"] = {"type": "string", "description": "config file that this one builds on"}
    schema.pop("required")  # an extending file may leave out anything
    return json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}, indent=2) + "\n"


def _explain(errors: list[ErrorDetails], layers: Layers) -> str:
    """Say in one line what is wrong first; a union has one error per branch, which are told together."""
    raw = layers.merged()
    first = errors[0]
    key = _key_in_file(first, raw)
    name, value = key_path(key), first["input"]
    match first["type"]:
        case "extra_forbidden":
            section = _section_at(key[:-1])
            known = f"; allowed here: {', '.join(section.model_fields)}" if section else ""
            text = f"{name}: unknown key{known}"
        case "missing":
            text = f"{name} must be given"
        case "string_pattern_mismatch":
            folder = "/" in first["ctx"]["pattern"]
            what = "plain names joined by /, without '..'" if folder else "letters, digits, - and _ (64 at most)"
            text = f"{name}={value!r} must be made of {what}, beginning with a letter or digit"
        case _:
            branches = [e["msg"].removeprefix("Value error, ") for e in errors if _key_in_file(e, raw) == key]
            subject = name + (":" if isinstance(value, dict) else f"={value!r}")
            text = f"{subject} {' or '.join(branches).replace('Input should', 'must')}"
            text = text.replace("valid array", "list").replace("an object", "a mapping")
    return f"{text} (config: {layers.origin(key)})"


def _key_in_file(error: ErrorDetails, raw: Any) -> Key:
    """Drop from pydantic's location what is no key of the file, such as the branch of a union."""
    key: list[str | int] = []
    for part in error["loc"]:
        if isinstance(raw, dict) and part in raw or isinstance(raw, list) and isinstance(part, int) and part < len(raw):
            key.append(part)
            raw = raw[part]
    return (*key, error["loc"][-1]) if error["type"] == "missing" else tuple(key)


def _section_at(key: Key) -> type[BaseModel] | None:
    """Find the section that holds the keys under `key`."""
    parts = [part for part in key if isinstance(part, str)]
    if parts[:1] == ["worlds"]:
        return World if len(parts) == 2 else None
    sections: dict[tuple[str, ...], type[BaseModel]] = {(): Config, ("grid",): Block, ("grid", "training"): Training}
    sections |= {(name,): type(field.default) for name, field in Config.model_fields.items() if isinstance(field.default, _Section)}
    return sections.get(tuple(parts))
