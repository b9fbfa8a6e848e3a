"""Files of a run: which there are, and which a cube, a figure or the verdicts are made from."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

from maestrata import modules
from maestrata.config.grid import Cell, build_cells
from maestrata.config.sections import Config, Experiment
from maestrata.figures import registry
from maestrata.run.layout import CELL, EXPERIMENTS, FILES, SOURCES, wildcards_of


class RunFiles:
    """Files of a run.

    Parameters
    ----------
    config : Config
    partial : bool
        Take only what is there: of what cubes are joined from, the files that exist; of cubes and figures,
        those that can then be made.

    Attributes
    ----------
    folder : str
        Where the run's results are.
    cells : tuple of Cell
    """

    def __init__(self, config: Config, partial: bool = False) -> None:
        self.config = config
        self.partial = partial
        self.folder = f"{config.results}/{config.run}"
        self.cells = build_cells(config)
        self._places = [place_of(cell) for cell in self.cells]
        self._by_place = {
            tuple(place.values()): cell for place, cell in zip(self._places, self.cells, strict=True)
        }
        self._files: dict[str, list[str]] = {}

    def path(self, name: str) -> str:
        """Return the pattern of a file, with its wildcards."""
        return f"{self.folder}/{FILES[name][0]}"

    def beside(self, what: str, rule: str) -> str:
        """Return the pattern of what a rule writes beside its outputs: its ``logs`` or ``benchmarks``."""
        place = next(pattern for pattern, made_by in FILES.values() if made_by == rule)
        name = "_".join(f"{{{field}}}" for field in wildcards_of(place)) or rule
        ending = {"logs": "log", "benchmarks": "tsv"}[what]
        return f"{self.folder}/{what}/{rule}/{name}.{ending}"

    def places(self, name: str) -> list[dict[str, str]]:
        """List the wildcards of all files of a name that the run makes."""
        fields = wildcards_of(FILES[name][0])
        if not fields:
            return [{}] if self.evidence else []
        if fields == ("kind",):
            return [{"kind": kind} for kind in self.kinds if self.sources(kind)]
        if fields == ("figure",):
            return [{"figure": figure} for figure in self.figures if self._can_draw(figure)]
        if name == "experiment":
            return self._there(name, self._experiments)
        chosen = dict.fromkeys(tuple([place[f] for f in fields]) for place in self._places)
        return self._there(name, [dict(zip(fields, values, strict=True)) for values in chosen])

    def _there(self, name: str, places: list[dict[str, str]]) -> list[dict[str, str]]:
        if not self.partial:
            return places
        return [place for place in places if Path(self.path(name).format(**place)).exists()]

    @cached_property
    def _experiments(self) -> list[dict[str, str]]:
        """Wildcards of every experiment's jobs."""
        return list(map(dict, self._entries))

    @cached_property
    def _entries(self) -> dict[tuple[tuple[str, str], ...], Experiment]:
        """Entry of the config that each job of an experiment is from, by its wildcards."""
        return {
            (
                ("experiment", entry.name),
                ("world", world),
                ("world_seed", str(world_seed)),
                ("seed", str(seed)),
            ): entry
            for entry in self.config.experiments
            for world in entry.worlds
            for world_seed in entry.world_seeds
            for seed in entry.seeds
        }

    @cached_property
    def _experiment_names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(entry.name for entry in self.config.experiments))

    def files(self, name: str) -> list[str]:
        """List all files of a name that the run makes."""
        if name not in self._files:  # asked for by several rules, and there may be ten thousand
            pattern = self.path(name)
            self._files[name] = [pattern.format(**place) for place in self.places(name)]
        return list(self._files[name])

    def sources(self, kind: str) -> list[str]:
        """List the files that a cube is joined from."""
        if kind.startswith(EXPERIMENTS):
            pattern, name = self.path("experiment"), kind.removeprefix(EXPERIMENTS)
            places = self.places("experiment")
            return [pattern.format(**place) for place in places if place["experiment"] == name]
        return [path for name in SOURCES[kind] for path in self.files(name)]

    @property
    def kinds(self) -> tuple[str, ...]:
        """Names of the cubes: their kinds, and ``experiments/NAME``."""
        return (*SOURCES, *(f"{EXPERIMENTS}{name}" for name in self._experiment_names))

    @staticmethod
    def kind(wildcards: Any) -> str:
        """Return the kind of a cube."""
        return str(wildcards.kind).split("/")[0]

    def shown(self, figure: str) -> list[str]:
        """List the files that a figure is drawn from: what it needs, and what it shows where it is there."""
        kinds = modules.cubes_of("figures", figure, "NEEDS", "USES")
        return [file for kind in kinds for file in self._of_kind(kind)]

    def _can_draw(self, figure: str) -> bool:
        return all(self._of_kind(kind) for kind in modules.cubes_of("figures", figure, "NEEDS"))

    def _of_kind(self, kind: str) -> list[str]:
        """List the files of a kind that figures and claims take."""
        if kind in ("worlds", "verdicts"):
            return self.files(kind)
        there = kind in self.kinds and self.sources(kind)
        return [self.path("cube").format(kind=kind)] if there else []

    @property
    def claims(self) -> tuple[str, ...]:
        """Names of the claims to judge."""
        names = self.config.claims.names
        return modules.available("claims") if names == "all" else names

    @cached_property
    def evidence(self) -> list[str]:
        """List the cubes that the claims are judged on, as far as the run makes them."""
        kinds = [kind for claim in self.claims for kind in modules.cubes_of("claims", claim, "NEEDS", "USES")]
        return [file for kind in dict.fromkeys(kinds) for file in self._of_kind(kind)]

    @property
    def everything(self) -> list[str]:
        """List all files that the run makes."""
        names = [
            name
            for name, (_, rule) in FILES.items()
            if not self.partial or rule in ("collect", "claims", "figure")
        ]
        return [file for name in names for file in self.files(name)]

    @property
    def figures(self) -> tuple[str, ...]:
        """Names of the figures to draw."""
        names = self.config.figures.names
        return tuple(registry.available()) if names == "all" else names

    @cached_property
    def constraints(self) -> dict[str, str]:
        """What each wildcard may be, as a regular expression: the values of the grid."""
        values: dict[str, dict[str, None]] = {
            "kind": dict.fromkeys(self.kinds),
            "figure": dict.fromkeys(self.figures),
            "experiment": dict.fromkeys(self._experiment_names),
        }
        for place in (*self._places, *self._experiments):
            for name, value in place.items():
                values.setdefault(name, {})[value] = None
        return {name: "|".join(found) or "none" for name, found in values.items()}


def place_of(cell: Cell) -> dict[str, str]:
    """Return the wildcards of a cell's files."""
    return {name: str(getattr(cell, name)) for name in wildcards_of(CELL)}
