"""What a job costs, roughly, so that long ones start first and none runs alone at the end.

Seconds of one core are guessed from what a config says. Their order matters: what is begun early may take
twice as long as thought, and what is begun late is short. `maestrata.run.progress` scales them by the jobs
that are done.

The numbers below were fitted to Snakemake's benchmarks (column ``cpu_time``) of the 357 jobs of the default
run and of the evening run's bottlenecks: Intel Xeon (family 6, model 207), two busy cores, models of width 32
and depth 3 + 1, 16,384 images to read. A quiet machine takes about half.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from maestrata import modules
from maestrata.config.grid import world_of
from maestrata.training.recipe import PlannedCell

if TYPE_CHECKING:
    from maestrata.run.plan import Plan

_SECONDS = {
    "worlds": 1,
    "theory": 4,
    "limits": 3,
    "pretrain": 7,
    "experiment": 8,
    "regress": 8,
    "controls": 7,
    "collect": 2,
    "claims": 13,
    "figure": 9,
    "explorer": 5,
}
"""Seconds of a job without what the config adds: for most, Python and PyTorch come up."""
_DETAIL = {"regress": 4, "controls": 23}  # more, where models are scored in every way
_VALUE_PAIR = 25e-6  # more, for each pair of pixel values of an image: the probes of all pixels
_BOUNDS = 10  # more for limits, where there are bounds instead of exact inference
_BUSY = 2.5  # times what a quiet core takes, as COST has it
_SLOW_IMAGES = 512  # that progress is measured on, where inference is slow
_TOKEN = 8.4e-6  # of an image that is trained on, at width 32 and depth 3 + 1
_MODELS = 4  # that an experiment trains on its images, unless it states its COST
_CONTROL_IMAGES = 1_000  # images a second of the two trained controls together


class _World(NamedTuple):
    """Seconds that are a world's own."""

    image: float  # in training
    pixels: float  # more, where models are scored in every way
    inference: float | None  # of an image, where that is slow; None where there are bounds


class Cost:
    """Costs and priorities of the jobs of a run.

    Parameters
    ----------
    plan : Plan

    Notes
    -----
    `wildcards` are those of a Snakemake job: an object with an attribute, of type str, for each wildcard.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._worlds: dict[str, _World] = {}

    def seconds(self, rule: str, wildcards: Any) -> float:
        """Guess how long a job takes on one core, in s."""
        return _SECONDS[rule] + self._more(rule, wildcards)

    def _more(self, rule: str, wildcards: Any) -> float:
        config = self._plan.config
        match rule:
            case "pretrain":
                return self._training(self._plan.cell(wildcards))
            case "experiment":
                return self._experiment(wildcards)
            case "limits":
                if (slow := self._world(wildcards.world).inference) is None:
                    return _BOUNDS
                seen = self._masks[wildcards.world, wildcards.world_seed] + 1  # and the whole image
                return slow * config.limits.grid_samples * seen
            case "regress":
                slow = self._world(wildcards.world).inference or 0.0
                return self._detail(rule, wildcards) + slow * min(_SLOW_IMAGES, config.evaluation.test)
            case "controls":
                null = self._training(self._plan.plainest(wildcards))
                trained = config.evaluation.control_images / _CONTROL_IMAGES
                return self._detail(rule, wildcards) + null + trained
            case _:
                return 0.0

    def priority(self, rule: str, wildcards: Any) -> int:
        """Return the priority of a job: its seconds, and those of the longest chain of jobs that wait for it.

        Of two jobs that can start, Snakemake starts the one of higher priority.
        """
        waiting = 0.0
        if rule not in ("claims", "figure", "explorer"):
            waiting += sum(_SECONDS[each] for each in ("collect", "claims", "figure") if each != rule)
        elif rule == "claims":
            waiting += _SECONDS["figure"]
        if rule == "pretrain":
            reads = _SECONDS["experiment"] if wildcards.world in self._read else 0
            waiting += max(self.seconds("regress", wildcards), reads)
        return round(self.seconds(rule, wildcards) + waiting)

    def _training(self, planned: PlannedCell) -> float:
        return planned.training.images * self._world(planned.cell.world).image

    def _experiment(self, wildcards: Any) -> float:
        """Seconds of what an experiment trains; one that has `images` trains."""
        name = wildcards.experiment
        given = modules.constant("experiments", name, "SETTINGS", {})
        settings = given | self._plan.experiment(wildcards).settings
        if "images" not in settings or modules.constant("experiments", name, "CELLS", False):
            return 0.0
        growth, levels = settings.get("growth", 1), settings.get("levels", (1,))
        images = settings["images"] * sum(growth ** (level - 1) for level in levels)
        own = modules.constant("experiments", name, "COST")
        return images * (_MODELS * self._world(wildcards.world).image if own is None else own / 1000)

    def _detail(self, rule: str, wildcards: Any) -> float:
        """Seconds of what only models that are scored in every way are scored in."""
        if not self._plan.flags.evaluated(wildcards).detailed:
            return 0.0
        return _DETAIL[rule] + self._world(wildcards.world).pixels

    def _world(self, label: str) -> _World:
        if label not in self._worlds:  # ten thousand jobs ask
            config = self._plan.config
            model, world = config.model, world_of(config, label)
            # products weigh as the square of the width, all else in a step is the same
            size = (1 + (model.width / 64) ** 2) / 1.25 * (model.depth + model.decoder_depth) / 4
            values = world.grid.n_tokens * world.token_values
            self._worlds[label] = _World(
                image=_TOKEN * world.grid.n_tokens * size,
                pixels=_VALUE_PAIR * values**2,
                inference=_inference(config.worlds[label].kind, world.settings),
            )
        return self._worlds[label]

    @cached_property
    def _read(self) -> set[str]:
        """Labels of the worlds whose trained models experiments read."""
        entries = self._plan.config.experiments
        of_models = [e for e in entries if modules.constant("experiments", e.name, "CELLS", False)]
        return {world for entry in of_models for world in entry.worlds}

    @cached_property
    def _masks(self) -> Counter[tuple[str, str]]:
        """How many ways of masking each world and world seed has."""
        cells = {
            (c.cell.world, str(c.cell.world_seed), c.cell.patch, c.cell.visible) for c in self._plan.cells
        }
        return Counter((world, world_seed) for world, world_seed, _, _ in cells)


def _inference(kind: str, settings: Mapping[str, Any]) -> float | None:
    """Seconds of exact inference an image; None where there is none at these settings, defaults included."""
    if kind not in modules.available("inference"):
        return None
    exact = modules.constant("inference", kind, "EXACT", {})
    if any(settings[key] != value for key, value in exact.items()):
        return None
    return float(modules.constant("inference", kind, "COST", 0)) / 1000 * _BUSY
