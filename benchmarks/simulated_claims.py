"""How often the rules err, and how often they find what is there: verdicts on simulated rows and sweeps.

Two kinds of simulation. *Rows* take a claim's tests as they are and draw a number a world: enough for
statistics that are plain means over worlds, and the same for all claims with as many one-sided tests and
equivalences. *Sweeps* draw whole regression cubes, for the statistics with a choice or a square in them
(claims 6, 7 and 8).

Numbers of a world share half of their variance over its tests. Nothing here is fitted to results.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from maestrata.claims.rule import ALPHA, WORLDS, Contrast, Test, contrast
from maestrata.claims.verdict import Outcome, correct, evaluate, outcome_of
from maestrata.cubes.io import build
from maestrata.errors import ClaimError, one_of
from maestrata.results import PRIMARY, CubeSet, Row, Select

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["SCENARIOS", "SWEEPS", "Rates", "Signature", "row_rates", "signature", "sweep_rates"]

Floats = NDArray[np.float64]
RATIOS = (0.1, 0.25, 0.5, 0.75, 0.9)
# Spread over worlds of a number whose margin of equivalence is 1: the claim holds at 2 sd and no farther.
WITHIN_SD = 0.5
FAR = 5.0


@dataclass(frozen=True)
class Signature:
    """What of a claim's tests matters to its rates: how many of each sort there are."""

    one_sided: int
    within: int

    def tests(self) -> tuple[Test, ...]:
        """Tests of this signature, with thresholds 0 and margins 1."""
        of = Select("simulated", "number")  # their rows are drawn, not read
        plain = [Test(f"mean {k}", of, "above", 0.0) for k in range(self.one_sided)]
        return (*plain, *(Test(f"equal {k}", of, "within", 1.0) for k in range(self.within)))

    def __str__(self) -> str:
        parts = [f"{self.one_sided} one-sided"] * bool(self.one_sided)
        return " + ".join([*parts, *([f"{self.within} within"] * bool(self.within))])


def signature(claim: ModuleType) -> Signature:
    """Signature of a claim (a test at every level of a world counts once)."""
    within = sum(test.side == "within" for test in claim.TESTS)
    return Signature(len(claim.TESTS) - within, within)


@dataclass(frozen=True)
class Rates:
    """Verdicts on simulated runs.

    Attributes
    ----------
    simulations : int
    supported, contradicted : int
        Of a claim judged alone.
    supported_first, contradicted_first : int
        At the first step of Holm's correction in a family of the size asked for.
    """

    simulations: int
    supported: int
    contradicted: int
    supported_first: int
    contradicted_first: int


def _one_at_edge(k: int) -> float:
    return 0.0 if k == 0 else FAR


# Where the means of the tests lie, in sd over worlds from the threshold, towards the claim.
SCENARIOS: dict[str, Callable[[int], float]] = {
    "null: one at its threshold, the others far inside": _one_at_edge,
    "null: all at their thresholds": lambda k: 0.0,
    "effect of 1 sd": lambda k: 1.0,
    "effect of 1.5 sd": lambda k: 1.5,
    "effect of 2 sd": lambda k: 2.0,
}


def row_rates(
    tests: Signature,
    scenario: str,
    n_worlds: int,
    simulations: int,
    rng: np.random.Generator,
    family: int = 1,
) -> Rates:
    """Judge simulated rows.

    Parameters
    ----------
    tests : Signature
    scenario : str
        One of `SCENARIOS`.
    n_worlds, simulations : int
    rng : numpy.random.Generator
        From a registered stream.
    family : int
        Claims in Holm's family, for its first step.
    """
    if scenario not in SCENARIOS:
        raise ClaimError(f"scenario {one_of(scenario, SCENARIOS)}")
    if n_worlds < 1 or simulations < 1:
        raise ClaimError(f"n_worlds={n_worlds} and simulations={simulations} must both be at least 1")
    claim = _claim(tests.tests())
    outcomes = (
        correct([outcome_of(claim, _contrasts(claim.TESTS, SCENARIOS[scenario], n_worlds, rng))])[0]
        for _ in range(simulations)
    )
    return _count(outcomes, family)


def _contrasts(
    tests: Sequence[Test], where: Callable[[int], float], n_worlds: int, rng: np.random.Generator
) -> list[Contrast]:
    common = rng.standard_normal(n_worlds)
    contrasts = []
    for k, test in enumerate(tests):
        values = np.sqrt(0.5) * (common + rng.standard_normal(n_worlds)) + where(k)
        if test.side == "within":
            # From the upper end of the margin towards 0, which is as far inside as it goes.
            values = 1.0 - WITHIN_SD * (values - where(k) + min(where(k), 1 / WITHIN_SD))
        contrasts.append(contrast(test, [Row("simulated", i, float(v)) for i, v in enumerate(values)]))
    return contrasts


def _claim(tests: tuple[Test, ...]) -> ModuleType:
    made = SimpleNamespace(NUMBER=99, TITLE="simulated", SAYS="", RULE="", NEEDS=(), TRAINS=True, TESTS=tests)
    return cast("ModuleType", made)


def _count(outcomes: Iterable[Outcome], family: int) -> Rates:
    counts = [0, 0, 0, 0]
    simulations = 0
    for outcome in outcomes:
        simulations += 1
        first = outcome.p * family < ALPHA
        for k, verdict in enumerate(("supported", "contradicted")):
            counts[k] += outcome.verdict == verdict
            counts[k + 2] += outcome.verdict == verdict and first
    return Rates(simulations, *counts)


@dataclass(frozen=True)
class Sweep:
    """A simulated sweep: profile of R2 by ratio and level, and what varies.

    Attributes
    ----------
    claim : int
        Number of the claim that is judged on it.
    profile : array (ratios, levels)
        Means over worlds.
    seeds : int
        Training seeds.
    null : bool
        Whether the claim does not hold.
    """

    claim: int
    profile: Floats
    seeds: int
    null: bool


# Spread of R2 over worlds (shared by its ratios), over worlds and ratios, and over training seeds.
WORLD_SD, CELL_SD, SEED_SD = 0.05, 0.02, 0.01
LEVELS = 4
# Spread over worlds of the difference of two ratios, seeds averaged.
_DIFFERENCE_SD = float(np.sqrt(2 * (CELL_SD**2 + SEED_SD**2 / 2)))


def _by_ratio(*rises: float) -> Floats:
    """Same rise of all levels at each ratio, above .3."""
    return np.repeat(0.3 + np.array(rises)[:, None], LEVELS, axis=1)


def _mirrored(difference: float) -> Floats:
    """.9 above .1 by a difference at the first level; all else mirrored."""
    profile = _by_ratio(0.0, 0.0, 0.0, 0.0, 0.0)
    profile[-1, 0] += difference
    return profile


def _spread_out(low: float, middle: float, high: float) -> Floats:
    """Profiles of .1, .5 and .9 apart along the levels' common direction."""
    return _by_ratio(low, 0.0, middle, 0.0, high)


def _sweeps() -> dict[str, Sweep]:
    d = _DIFFERENCE_SD
    sweeps = {
        "6, null: flat": Sweep(6, _by_ratio(0, 0, 0, 0, 0), 2, True),
        "6, null: as good at .9, .1 far below": Sweep(6, _by_ratio(-FAR * d, 0, 0, 0, 0), 2, True),
        "7, null: one level at the margin": Sweep(7, _mirrored(0.05), 2, True),
        "7, mirrored": Sweep(7, _mirrored(0.0), 2, False),
        "8, null: equal profiles": Sweep(8, _spread_out(0, 0, 0), 2, True),
        "8, null: .9 as far from .1 as from .5": Sweep(8, _spread_out(-FAR * d, FAR * d, 0), 2, True),
        "8, null: the same, one training seed": Sweep(8, _spread_out(-FAR * d, FAR * d, 0), 1, True),
    }
    for size in (1.0, 1.5, 2.0):
        sweeps[f"6, peak of {size:g} sd at .75"] = Sweep(6, _by_ratio(0, 0, 0, size * d, 0), 2, False)
        sweeps[f"8, .1 and .9 equal, .5 apart by {size:g} sd"] = Sweep(
            8, _spread_out(0, size * d, 0), 2, False
        )
    return sweeps


SWEEPS: dict[str, Sweep] = _sweeps()


def sweep_rates(
    name: str, claim: ModuleType, n_worlds: int, simulations: int, rng: np.random.Generator, family: int = 1
) -> Rates:
    """Judge a claim on simulated sweeps.

    Parameters
    ----------
    name : str
        One of `SWEEPS`.
    claim : module
        The claim of that number.
    n_worlds, simulations, rng, family : as in `row_rates`
    """
    if name not in SWEEPS:
        raise ClaimError(f"sweep {one_of(name, SWEEPS)}")
    sweep = SWEEPS[name]
    if claim.NUMBER != sweep.claim:
        raise ClaimError(f"sweep {name!r} is one of claim {sweep.claim}, not of claim {claim.NUMBER}")
    cube, limits = _cube(n_worlds, sweep.seeds), _limits(n_worlds)
    cubes = CubeSet([cube, limits])
    deciding = _claim(claim.TESTS)
    variables = [cube[v].values for v in ("r2", "r2_low", "r2_high")]

    def draw() -> Outcome:
        world = WORLD_SD * rng.standard_normal((n_worlds, 1, 1, LEVELS))
        cell = CELL_SD * rng.standard_normal((n_worlds, len(RATIOS), 1, LEVELS))
        seed = SEED_SD * rng.standard_normal((n_worlds, len(RATIOS), sweep.seeds, LEVELS))
        values = sweep.profile[None, :, None, :] + world + cell + seed
        for variable in variables:
            variable.reshape(values.shape)[...] = values
        return correct([evaluate(deciding, cubes)])[0]

    return _count((draw() for _ in range(simulations)), family)


def _cube(n_worlds: int, seeds: int) -> xr.Dataset:
    coords: dict[str, Any] = {
        "world": [WORLDS["sweep"]],
        "world_seed": range(n_worlds),
        "patch_size": [1],
        "offset": [0],
        "mask_ratio": RATIOS,
        "seed": range(seeds),
        "encoder": ["trained"],
        "layer": [1],
        **{axis: [label] for axis, label in PRIMARY.items()},
        "level": range(1, LEVELS + 1),
    }
    cell = (1, n_worlds, 1, 1, len(RATIOS), seeds)
    shape = (*cell, 1, 1, 1, 1, 1, 1, LEVELS)
    scores = ("r2", "r2_low", "r2_high", "gain", "gain_low", "gain_high")
    data: dict[str, Any] = {name: np.zeros(shape) for name in scores}
    data |= {"n_test": np.full(shape, 1.0), "images_seen": np.ones(cell), "status": np.ones(cell, np.int8)}
    data |= {"patch_height": [1], "patch_width": [1]}
    data["realised_ratio"] = np.array(RATIOS).reshape(1, 1, -1, 1)
    return build("regression", coords, data)


def _limits(n_worlds: int) -> xr.Dataset:
    """Exact ceilings of 1: skill is R2."""
    coords: dict[str, Any] = {
        "world": [WORLDS["sweep"]],
        "world_seed": range(n_worlds),
        "patch_size": [1],
        "offset": [0],
        "mask_ratio": RATIOS,
        "eval_ratio": ["0"],
        "bound": ["exact"],
        "target": ["latent"],
        "level": range(1, LEVELS + 1),
    }
    place = (1, n_worlds, 1, 1, len(RATIOS))
    full = (*place, 1, 1, 1, LEVELS)
    names = ("r2", "r2_low", "r2_high", "r2_present", "r2_present_low", "r2_present_high")
    data: dict[str, Any] = {name: np.ones(full) for name in (*names, "n_test")}
    data |= {name: np.zeros((*place, 1)) for name in ("bayes_loss", "bayes_loss_error", "bayes_loss_test")}
    data["explainable_share"] = np.ones((1, n_worlds, LEVELS))
    data |= {"patch_height": [1], "patch_width": [1]}
    data["realised_ratio"] = np.array(RATIOS).reshape(1, 1, -1, 1)
    return build("limits", coords, data)
