"""Flags of the steps' commands, from a config. A value reaches a job through them alone."""

from __future__ import annotations

import json
import shlex
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any

from maestrata.config.grid import world_of
from maestrata.inference.settings import Samples
from maestrata.settings import flag_of
from maestrata.text import one_line

if TYPE_CHECKING:
    from maestrata.regression.settings import Evaluation
    from maestrata.run.plan import Plan


def as_flags(values: Mapping[str, Any]) -> str:
    """Write values as flags of a step: lists as several values, mappings as JSON, None and False as nothing.

    Examples
    --------
    >>> as_flags({"mask_ratios": (0.1, 0.5), "norm_pixels": True, "samples": None})
    '--mask-ratios 0.1 0.5 --norm-pixels'
    """
    parts: list[str] = []
    for key, value in values.items():
        if value is None or value is False:
            continue
        flag = flag_of(key)
        if isinstance(value, str) and value.startswith("-"):  # else it would be taken for a flag itself
            parts.append(f"{flag}={value}")
            continue
        parts.append(flag)
        if isinstance(value, Mapping):
            parts.append(json.dumps(value, sort_keys=True))
        elif value is not True:
            parts += map(str, value) if isinstance(value, list | tuple) else [str(value)]
    return shlex.join(parts)


class Flags:
    """Flags of the jobs of a run (a `Plan`, which says what `wildcards` are)."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._config = plan.config
        self._known: dict[Any, str] = {}  # of what many jobs share
        self._evaluated: dict[tuple[str, bool], Evaluation] = {}

    def world(self, wildcards: Any) -> str:
        """Return the flags that name the world of a job."""
        key = (wildcards.world, wildcards.world_seed)
        if key not in self._known:
            entry = self._config.worlds[wildcards.world]
            about = {"world": wildcards.world, "world_kind": entry.kind, "world_settings": entry.settings}
            # what given images hold too: other images are another run
            images = {"world_path": entry.path, "world_data": world_of(self._config, wildcards.world).data}
            self._known[key] = as_flags(about | {"world_seed": wildcards.world_seed} | images)
        return self._known[key]

    def masks(self, wildcards: Any) -> str:
        """Return the flag that gives the mask patches of a world and world seed, with their asked ratios."""
        return as_flags({"masks": self._masks[wildcards.world, wildcards.world_seed]})

    def cell(self, wildcards: Any) -> str:
        """Return the flags that name a cell within its world."""
        return as_flags({name: getattr(wildcards, name) for name in ("patch", "visible", "seed")})

    def training(self, wildcards: Any) -> str:
        """Return the flags of a cell's training."""
        training = self._plan.cell(wildcards).training
        if training not in self._known:
            self._known[training] = as_flags(asdict(training))
        return self._known[training]

    def null(self, wildcards: Any) -> str:
        """Return the flags by which `null_trained` of a world, world seed and training seed is trained."""
        one = self._plan.plainest(wildcards)
        masks = {name: getattr(one.cell, name) for name in ("patch", "visible", "seed")}
        return as_flags(masks | asdict(one.training))

    def section(self, name: str) -> str:
        """Return the flags of a section of the config that is the same for all jobs."""
        if name not in self._known:
            self._known[name] = as_flags(asdict(getattr(self._config, name)))
        return self._known[name]

    def evaluation(self, wildcards: Any) -> str:
        """Return the flags by which a cell or the controls are scored: in detail, or in brief."""
        settings, of_cell = self.evaluated(wildcards), hasattr(wildcards, "patch")
        if (settings.detail, of_cell) not in self._known:
            read = asdict(settings)
            if of_cell:
                del read["control_images"]
            self._known[settings.detail, of_cell] = as_flags(read)
        return self._known[settings.detail, of_cell]

    def evaluated(self, wildcards: Any) -> Evaluation:
        """Return how the models of a world and world seed are scored: in detail, or in brief."""
        first = str(self._plan.first_seed.get(wildcards.world)) == str(wildcards.world_seed)
        if (wildcards.world, first) not in self._evaluated:
            read = self._config.evaluation.of_world(wildcards.world, first)
            self._evaluated[wildcards.world, first] = read
        return self._evaluated[wildcards.world, first]

    def limits(self) -> str:
        """Return the flags of the limits: the images and replicates are those that models are scored on."""
        shared = {"samples": self._config.evaluation.test, "replicates": self._config.evaluation.replicates}
        return as_flags(shared | asdict(self._config.limits))

    def experiment(self, wildcards: Any) -> str:
        """Return the flags of an experiment: its settings, and the models that it reads."""
        plan, config = self._plan, self._config
        read = {each.name: getattr(config.evaluation, each.name) for each in fields(Samples)}
        weights = plan.path("weights")
        cells = [
            f"{cell.patch}/v{cell.visible}/s{cell.seed}={weights.format(**cell.json)}"
            for cell in plan.cells_read(wildcards)
        ]
        values = {"settings": plan.experiment(wildcards).settings, **asdict(config.model)}
        return as_flags({**values, **asdict(config.training), **read, "cells": cells or None})

    @property
    def claims(self) -> str:
        """Return the flags that name the claims to judge, and the worlds that they are judged in."""
        return as_flags({"claims": self._plan.claims, "worlds": self._config.claims.worlds or None})

    @property
    def note(self) -> str:
        """Return the flag that gives what every figure's title says of the run; it may be empty."""
        return as_flags({"note": one_line(self._config.note)})

    @cached_property
    def _masks(self) -> dict[tuple[str, str], dict[str, tuple[float, ...]]]:
        """Mask patches and asked ratios of each world and world seed."""
        asked: dict[tuple[str, str], dict[str, set[float]]] = defaultdict(lambda: defaultdict(set))
        for one in self._plan.cells:
            asked[one.cell.world, str(one.cell.world_seed)][one.cell.patch].update(one.mask_ratios)
        return {
            place: {patch: tuple(sorted(ratios)) for patch, ratios in patches.items()}
            for place, patches in asked.items()
        }
