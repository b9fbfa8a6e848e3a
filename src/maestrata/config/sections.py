"""Sections of a config, as typed and frozen models: every key, its default and what it may be."""

from __future__ import annotations

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
    WithJsonSchema,
    model_validator,
)

# Names become folders: what they are made of cannot leave the results folder, nor mean anything to a shell.
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
_PART = "[A-Za-z0-9_][A-Za-z0-9_.-]*"
Folder = Annotated[str, StringConstraints(pattern=rf"^/?{_PART}(/{_PART})*$")]
Scalar = bool | int | float | str | None


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


_OPEN = {"exclusiveMinimum": 0, "exclusiveMaximum": 1}
Ratio = Annotated[float, AfterValidator(_ratio), Field(json_schema_extra=_OPEN)]
Ratios = Annotated[tuple[Ratio, ...], AfterValidator(_distinct)]
Names = Annotated[tuple[Name, ...], AfterValidator(_distinct)]
Seeds = Annotated[
    tuple[NonNegativeInt, ...],
    BeforeValidator(_seeds),
    AfterValidator(_distinct),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 1},
                {"type": "array", "items": {"type": "integer", "minimum": 0}},
            ]
        }
    ),
]


class Section(BaseModel):
    """A section: frozen, no unknown key, no value taken for one of another type."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class World(Section):
    """A world of the sweep: which one, and the settings in which it differs from that world's defaults."""

    kind: str = Field(description="name of a world: a module of maestrata.worlds")
    settings: dict[str, Scalar] = Field(default={}, description="arguments of that world's class")


class Model(Section):
    """The masked autoencoder: a ViT encoder on visible tokens only, a light decoder on all of them."""

    width: PositiveInt = 64
    depth: PositiveInt = 3
    heads: PositiveInt = 2
    decoder_width: PositiveInt = 64
    decoder_depth: PositiveInt = 1
    decoder_heads: PositiveInt = 2
    mlp_ratio: PositiveInt = 4
    norm_pixels: bool = Field(default=False, description="reconstruct pixels normalised per token")

    @model_validator(mode="after")
    def _splits(self) -> Model:
        for part in ("", "decoder_"):
            width, heads = getattr(self, f"{part}width"), getattr(self, f"{part}heads")
            if width % 4 or width % heads:
                raise ValueError(f"{part}width={width} must be a multiple of 4 and of {part}heads={heads}")
        return self


class Training(Section):
    """Optimisation of every cell; a block of the grid may set any of these anew."""

    images: PositiveInt = Field(
        default=240_000, description="images seen in all; fresh ones unless `samples` is set"
    )
    batch: PositiveInt = 256
    lr: Ratio = Field(default=2e-3, description="peak of the one-cycle schedule (AdamW)")
    weight_decay: Annotated[float, Field(ge=0, lt=1)] = 0.05
    betas: tuple[Ratio, Ratio] = (0.9, 0.95)
    warmup: Annotated[float, Field(ge=0, lt=1)] = Field(
        default=0.1, description="share of steps in which the rate rises"
    )
    clip: PositiveFloat = Field(default=1.0, description="largest norm of the gradient")
    samples: PositiveInt | None = Field(
        default=None, description="size of a finite training set; null: an endless stream"
    )


class Block(Section):
    """One block of the grid: the product of its lists. The grid is the union of its blocks."""

    worlds: Names = Field(description="labels of `worlds`")
    world_seeds: Seeds = Field(default=(0,), description="a count n (seeds 0 to n-1) or a list")
    patches: Annotated[tuple[str, ...], AfterValidator(_distinct)] = Field(
        default=("1x1",), description="mask patches HxW in tokens; 2x1o is the offset twin of 2x1"
    )
    mask_ratios: Ratios = Field(
        description="asked masking ratios; cells are keyed by the count they leave visible"
    )
    seeds: Seeds = Field(default=(0,), description="training seeds: a count n (seeds 0 to n-1) or a list")
    images: PositiveInt | None = Field(default=None, description="images a cell; null: as in `training`")
    training: Training | None = Field(
        default=None, description="the keys of `training` that differ in this block"
    )


class Evaluation(Section):
    """What is read from every model, on how many samples."""

    probe_train: Annotated[int, Field(ge=100)] = Field(
        default=8192, description="images that probes are fitted on"
    )
    test: Annotated[int, Field(ge=100)] = Field(
        default=8192, description="fresh images that R2 is measured on"
    )
    probes: Names = Field(
        default=("ridge", "kernel_ridge"), description="modules of maestrata.regression.probes"
    )
    probe_settings: dict[Name, dict[str, Scalar]] = Field(default={}, description="probe -> its settings")
    poolings: Annotated[
        tuple[Literal["global", "cls", "concat", "aligned"], ...], AfterValidator(_distinct)
    ] = Field(default=("global", "cls", "concat", "aligned"), description="how tokens become one vector")
    replicates: PositiveInt = Field(default=500, description="bootstrap replicates over test images")
    control_images: NonNegativeInt = Field(
        default=0, description="training images of the trained controls (0: neither is trained)"
    )


class Theory(Section):
    """Where the shared information sits, for every mask patch and ratio of the grid."""

    samples: PositiveInt = Field(
        default=20_000, description="masks drawn where they are too many to enumerate"
    )
    dag_samples: PositiveInt = Field(default=1000, description="the same where the graph is no tree")
    linear_rank: PositiveInt = Field(default=16, description="width of the linear MAE's bottleneck")


class Limits(Section):
    """Exact inference, or bounds, at every visibility of the grid, on the test images of the evaluation."""

    grid_samples: PositiveInt = Field(default=2048, description="test images of inference on a grid")
    bound_samples: PositiveInt = Field(default=1024, description="test images of the upper bound")


class Sweep(Section):
    """How `maestrata.steps.sweep` trains on a GPU; the workflow itself trains one cell a job."""

    stack: PositiveInt | None = Field(
        default=None, description="models trained as one; null: as many as the device's memory holds"
    )


class Experiment(Section):
    """An experiment: in which worlds it is made, and how. One may be listed again for other worlds."""

    name: Name = Field(description="module of maestrata.experiments")
    worlds: Names = Field(description="labels of `worlds`")
    world_seeds: Seeds = Field(default=(0,), description="a count n (seeds 0 to n-1) or a list")
    seeds: Seeds = Field(default=(0,), description="training seeds: a count n (seeds 0 to n-1) or a list")
    settings: dict[str, Scalar | tuple[Scalar, ...]] = Field(
        default={}, description="settings in which it differs from the module's own"
    )


class Claims(Section):
    """Which claims are judged."""

    names: Literal["all"] | Names = Field(default="all", description="modules of maestrata.claims")


class Figures(Section):
    """Which figures are drawn."""

    names: Literal["all"] | Names = Field(default="all", description="modules of maestrata.figures")


class Config(Section):
    """A run: every value that anything depends on."""

    run: Name = Field(description="results go to RESULTS/RUN/")
    results: Folder = Field(
        default="results", description="folder of all runs, beside the Snakefile unless absolute"
    )
    note: str = Field(default="", description="printed in the title of every figure")
    worlds: dict[Name, World]
    model: Model = Model()
    training: Training = Training()
    grid: Annotated[tuple[Block, ...], AfterValidator(_filled)]
    evaluation: Evaluation = Evaluation()
    theory: Theory = Theory()
    limits: Limits = Limits()
    experiments: tuple[Experiment, ...] = Field(
        default=(), description="what only a known world allows, and where it is made"
    )
    claims: Claims = Claims()
    figures: Figures = Figures()
    sweep: Sweep = Sweep()
