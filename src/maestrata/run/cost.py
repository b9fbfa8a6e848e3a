"""What a job costs, roughly, so that long ones start first and none runs alone at the end.

Seconds of one core are guessed from what a config says. Their order matters: what is begun early may take
twice as long as thought, and what is begun late is short. `maestrata.run.progress` scales them by the jobs
that are done.
"""

from __future__ import annotations

from collections import Counter
from functools import cached_property
from typing import TYPE_CHECKING, Any

from maestrata import modules
from maestrata.config.grid import world_grid
from maestrata.training.recipe import PlannedCell

if TYPE_CHECKING:
    from maestrata.run.plan import Plan

_SHORT = {
    "worlds": 5,
    "theory": 15,
    "limits": 15,
    "regress": 15,
    "controls": 20,
    "collect": 3,
    "claims": 10,
    "figure": 5,
    "explorer": 10,
}
"""Seconds of a job, where nothing in the config makes it longer."""
_READING = 25  # an experiment that reads trained models
_IMAGES = 4_000  # images of 16 tokens that a small model is trained on in a second, in batches of 64
_MODELS = 10  # models that an experiment trains on its images
_CONTROL_IMAGES = 1_000  # images a second of the two trained controls together


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

    def seconds(self, rule: str, wildcards: Any) -> float:
        """Guess how long a job takes on one core, in s."""
        config = self._plan.config
        match rule:
            case "pretrain":
                return self._training(self._plan.cell(wildcards))
            case "experiment":
                if modules.constant("experiments", wildcards.experiment, "CELLS", False):
                    return _READING
                given = modules.constant("experiments", wildcards.experiment, "SETTINGS", {})
                images = (given | self._plan.experiment(wildcards).settings).get("images", 0)
                return _READING + images * _MODELS / _IMAGES
            case "limits":
                world = config.worlds[wildcards.world]
                milliseconds = 0.0
                if world.kind in modules.available("inference"):
                    exact = modules.constant("inference", world.kind, "EXACT", {})
                    if all(world.settings.get(key, value) == value for key, value in exact.items()):
                        milliseconds = modules.constant("inference", world.kind, "COST", 0)
                masks = self._masks[wildcards.world, wildcards.world_seed]
                return _SHORT[rule] + milliseconds / 1000 * config.limits.grid_samples * masks
            case "controls":
                null = self._training(self._plan.plainest(wildcards))
                return _SHORT[rule] + null + config.evaluation.control_images / _CONTROL_IMAGES
            case _:
                return _SHORT[rule]

    def priority(self, rule: str, wildcards: Any) -> int:
        """Return the priority of a job: its seconds, and those of the longest chain of jobs that wait for it.

        Of two jobs that can start, Snakemake starts the one of higher priority.
        """
        waiting = 0.0
        if rule not in ("claims", "figure", "explorer"):
            waiting += sum(_SHORT[each] for each in ("collect", "claims", "figure") if each != rule)
        elif rule == "claims":
            waiting += _SHORT["figure"]
        if rule == "pretrain":
            waiting += max(_SHORT["regress"], _READING if wildcards.world in self._read else 0)
        return round(self.seconds(rule, wildcards) + waiting)

    def _training(self, planned: PlannedCell) -> float:
        tokens = world_grid(self._plan.config, planned.cell.world).n_tokens
        return planned.training.images * tokens / 16 / _IMAGES

    @cached_property
    def _read(self) -> set[str]:
        """Labels of the worlds whose trained models experiments read."""
        entries = self._plan.config.experiments
        reading = [e for e in entries if modules.constant("experiments", e.name, "CELLS", False)]
        return {world for entry in reading for world in entry.worlds}

    @cached_property
    def _masks(self) -> Counter[tuple[str, str]]:
        """How many ways of masking each world and world seed has."""
        cells = {
            (c.cell.world, str(c.cell.world_seed), c.cell.patch, c.cell.visible) for c in self._plan.cells
        }
        return Counter((world, world_seed) for world, world_seed, _, _ in cells)
