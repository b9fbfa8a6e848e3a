"""What the rules need of a config: which files a run has, what each is made from, and by which code.

Rules hold no logic of their own: they take everything from a `Plan`. A value reaches a job through `params`
only, so that a change of the config replans the jobs that use it and no others.
"""

from __future__ import annotations

from collections import defaultdict
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from maestrata import modules
from maestrata.cells import Cell, first_seeds
from maestrata.config.grid import build_cells, world_grid, world_of
from maestrata.config.sections import Config, Experiment
from maestrata.run.code import code_of
from maestrata.run.cost import Cost
from maestrata.run.flags import Flags
from maestrata.run.layout import EXPERIMENTS, FILES, SOURCES, STACK, wildcards_of
from maestrata.run.manifest import manifest
from maestrata.training.recipe import PlannedCell, plainest

_EXPERIMENT = ("experiment", "world", "world_seed", "seed")


class Plan:
    """A run as a plan: its files, and for each what it is made from, with which flags, by which code.

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
    cells : tuple of PlannedCell
    flags : Flags
        Of the jobs' commands.
    cost : Cost
        Of the jobs, and their priorities.

    Notes
    -----
    `wildcards` are those of a Snakemake job: an object with an attribute, of type str, for each wildcard.
    """

    def __init__(self, config: Config, partial: bool = False) -> None:
        modules.use(config.plugins)
        self.config = config
        self.partial = partial
        self.folder = f"{config.results}/{config.run}"
        self.cells = build_cells(config)
        self.flags = Flags(self)
        self.cost = Cost(self)
        self._places = [{name: str(value) for name, value in one.cell.json.items()} for one in self.cells]
        self._files: dict[str, list[str]] = {}

    # Where files are, and which there are.

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
            from_cubes = self.explored if name == "explorer" else self.evidence
            return [{}] if from_cubes else []
        if fields == ("kind",):
            return [{"kind": kind} for kind in self.kinds if self.sources(kind)]
        if fields == ("figure",):
            return [{"figure": figure} for figure in self.figures if self._can_draw(figure)]
        if name == "experiment":
            places = [dict(zip(_EXPERIMENT, job, strict=True)) for job in self._experiments]
        else:
            chosen = dict.fromkeys(
                tuple([place[field] for field in fields])
                for place in self._places
                if self._has(name, place["world"])
            )
            places = [dict(zip(fields, values, strict=True)) for values in chosen]
        if self.partial:
            return [place for place in places if Path(self.path(name).format(**place)).exists()]
        return places

    def _has(self, name: str, world: str) -> bool:
        """Whether a world has files of a name: without latents there are no limits."""
        return name != "limits" or world_of(self.config, world).latent

    def files(self, name: str) -> list[str]:
        """List all files of a name that the run makes."""
        if name not in self._files:  # asked for by several rules, and there may be ten thousand
            pattern = self.path(name)
            self._files[name] = [pattern.format(**place) for place in self.places(name)]
        return list(self._files[name])

    @property
    def everything(self) -> list[str]:
        """List all files that the run makes."""
        names = [
            name
            for name, (_, rule) in FILES.items()
            if not self.partial or rule in ("collect", "claims", "figure", "explorer")
        ]
        return [file for name in names for file in self.files(name)]

    @cached_property
    def constraints(self) -> dict[str, str]:
        """What each wildcard may be, as a regular expression: the values of the grid."""
        values: dict[str, dict[str, None]] = {
            "kind": dict.fromkeys(self.kinds),
            "figure": dict.fromkeys(self.figures),
            "experiment": {},
        }
        experiments = (dict(zip(_EXPERIMENT, job, strict=True)) for job in self._experiments)
        for place in (*self._places, *experiments):
            for name, value in place.items():
                values.setdefault(name, {})[value] = None
        return {name: "|".join(allowed) or "none" for name, allowed in values.items()}

    # What cubes, figures and verdicts are made from.

    @property
    def kinds(self) -> tuple[str, ...]:
        """Names of the cubes: their kinds, and ``experiments/NAME``."""
        names = dict.fromkeys(entry.name for entry in self.config.experiments)
        return (*SOURCES, *(f"{EXPERIMENTS}{name}" for name in names))

    @staticmethod
    def kind(wildcards: Any) -> str:
        """Return the kind of a cube."""
        return str(wildcards.kind).split("/")[0]

    def sources(self, kind: str) -> list[str]:
        """List the files that a cube is joined from."""
        if kind.startswith(EXPERIMENTS):
            pattern, name = self.path("experiment"), kind.removeprefix(EXPERIMENTS)
            places = self.places("experiment")
            return [pattern.format(**place) for place in places if place["experiment"] == name]
        return [path for name in SOURCES[kind] for path in self.files(name)]

    def manifest(self, kind: str) -> str:
        """Return as JSON which cells a cube joins and where their files are."""
        return manifest(self, kind)

    @property
    def figures(self) -> tuple[str, ...]:
        """Names of the figures to draw."""
        names = self.config.figures.names
        return modules.available("figures") if names == "all" else names

    def shown(self, figure: str) -> list[str]:
        """List the files that a figure is drawn from: what it needs, and what it shows where it is there."""
        kinds = modules.cubes_of("figures", figure, "NEEDS", "USES")
        return [file for kind in kinds for file in self._of_kind(kind)]

    def _can_draw(self, figure: str) -> bool:
        return all(self._of_kind(kind) for kind in modules.cubes_of("figures", figure, "NEEDS"))

    def title(self, wildcards: Any) -> dict[str, str]:
        """Return what the report lists of a figure."""
        return {"figure": modules.constant("figures", wildcards.figure, "TITLE")}

    def caption(self, wildcards: Any) -> str:
        """Return the caption of a figure."""
        return str(modules.constant("figures", wildcards.figure, "CAPTION"))

    @property
    def claims(self) -> tuple[str, ...]:
        """Names of the claims to judge."""
        names = self.config.claims.names
        if isinstance(names, str):
            return modules.available("claims") if names == "all" else ()
        return names

    @cached_property
    def evidence(self) -> list[str]:
        """List the cubes that the claims are judged on, as far as the run makes them."""
        kinds = [kind for claim in self.claims for kind in modules.cubes_of("claims", claim, "NEEDS", "USES")]
        return [file for kind in dict.fromkeys(kinds) for file in self._of_kind(kind)]

    @property
    def explored(self) -> list[str]:
        """List the cubes that the explorer's page is made from; none where there are no scores."""
        kinds = ("regression", "limits", "verdicts") if self.sources("regression") else ()
        return [file for kind in kinds for file in self._of_kind(kind)]

    def _of_kind(self, kind: str) -> list[str]:
        """List the files of a kind that figures and claims take."""
        if kind in ("worlds", "verdicts"):
            return self.files(kind)
        there = kind in self.kinds and self.sources(kind)
        return [self.path("cube").format(kind=kind)] if there else []

    # What a job is about.

    def cell(self, wildcards: Any) -> PlannedCell:
        """Return the cell that a job is about."""
        return self._planned[tuple(getattr(wildcards, name) for name in self._places[0])]

    @cached_property
    def first_seed(self) -> dict[str, int]:
        """The lowest world seed of each world in the grid."""
        return first_seeds(one.cell for one in self.cells)

    @cached_property
    def _planned(self) -> dict[tuple[str, ...], PlannedCell]:
        return {tuple(place.values()): one for place, one in zip(self._places, self.cells, strict=True)}

    def plainest(self, wildcards: Any) -> PlannedCell:
        """Return the cell whose masks and recipe the control `null_trained` of a job takes."""
        cells = [one for one in self._of_world(wildcards) if str(one.cell.seed) == str(wildcards.seed)]
        return plainest(cells, world_grid(self.config, wildcards.world).n_tokens)

    def _of_world(self, wildcards: Any) -> list[PlannedCell]:
        """List the cells of a job's world and world seed."""
        return self._by_world[wildcards.world, str(wildcards.world_seed)]

    @cached_property
    def _by_world(self) -> dict[tuple[str, str], list[PlannedCell]]:
        cells: dict[tuple[str, str], list[PlannedCell]] = defaultdict(list)
        for one in self.cells:
            cells[one.cell.world, str(one.cell.world_seed)].append(one)
        return cells

    def experiment(self, wildcards: Any) -> Experiment:
        """Return the entry of the config that an experiment's job is from."""
        return self._experiments[tuple(getattr(wildcards, name) for name in _EXPERIMENT)]

    @cached_property
    def _experiments(self) -> dict[tuple[str, ...], Experiment]:
        """Jobs of the experiments, each with the entry of the config that it is from."""
        return {
            (entry.name, world, str(world_seed), str(seed)): entry
            for entry in self.config.experiments
            for world in entry.worlds
            for world_seed in entry.world_seeds
            for seed in entry.seeds
        }

    def read_weights(self, wildcards: Any) -> list[str]:
        """List the trained models that an experiment's job reads."""
        return [self.path("weights").format(**cell.json) for cell in self.cells_read(wildcards)]

    def cells_read(self, wildcards: Any) -> list[Cell]:
        """List the cells whose trained models an experiment's job reads."""
        name = wildcards.experiment
        if not modules.constant("experiments", name, "CELLS", False):
            return []
        every = modules.constant("experiments", name, "SEEDS", "own") == "all"
        cells = [one.cell for one in self._of_world(wildcards)]
        return [cell for cell in cells if every or str(cell.seed) == str(wildcards.seed)]

    # By which code.

    def code(self, rule: str, wildcards: Any) -> str:
        """Return the fingerprint of the code that a job runs: its step, and what the step finds by name."""
        chosen = [wildcards.world] if hasattr(wildcards, "world") else self.config.worlds
        return code_of(
            rule,
            tuple(sorted({self.config.worlds[label].kind for label in chosen})),
            getattr(wildcards, "figure", ""),
            getattr(wildcards, "experiment", ""),
            self.config.evaluation.probes,
            self.claims if rule == "claims" else ("",),
            self.config.plugins,
        )

    def expected(self) -> dict[str, tuple[str, ...]]:
        """Return every file that the run makes, with the fingerprints that it may carry.

        The first is that of its rule; what was trained in a stack carries that of the stack.
        """
        return {
            self.path(name).format(**place): tuple(
                self.code(each, SimpleNamespace(**place))
                for each in ((rule, STACK) if rule == "pretrain" else (rule,))
            )
            for name, (_, rule) in FILES.items()
            for place in self.places(name)
        }
