"""How often the rules err, and how often they find what is there: verdicts on simulated rows and sweeps.

Two kinds of simulation. *Rows* take a claim's tests as they are and draw a number a world: enough for
statistics that are plain means over worlds, and the same for all claims with as many one-sided tests and
equivalences. *Sweeps* draw whole regression cubes, for the statistics with a choice or a square
in them (claims 6 to 10 and 18).

Numbers of a world share half of their variance over its tests. Nothing here is fitted to results.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from maestrata.claims import c09_patch_size, c18_determinism, registry
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
    """A simulated sweep: profiles of R2 by ratio and level, and what varies.

    Attributes
    ----------
    claim : str
        Label of the claim that is judged on it.
    profiles : mapping
        (world, patch size) -> means over worlds, (ratios, levels).
    null : bool
        Whether the claim does not hold.
    seeds : int
        Training seeds.
    controls : mapping
        Encoder -> its mean R2 at the root, where that is not 0.
    noise : mapping
        World -> how many times as large its cells' noise is.
    tests : tuple of Test
        In place of the claim's own.
    """

    claim: str
    profiles: Mapping[tuple[str, int], Floats]
    null: bool
    seeds: int = 2
    controls: Mapping[str, float] = field(default_factory=dict)
    noise: Mapping[str, float] = field(default_factory=dict)
    tests: tuple[Test, ...] = ()


# Spread of R2 over worlds (shared by its ratios), over worlds and ratios, and over training seeds.
WORLD_SD, CELL_SD, SEED_SD = 0.05, 0.02, 0.01
LEVELS = 4
CONTROLS = ("null_trained", "random_init", "pixels")
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


def _top(ratio: float, bend: float = 0.02) -> Floats:
    """Curve over the logit of the ratio with its top at a ratio."""
    x = np.log(RATIOS) - np.log1p(-np.array(RATIOS))
    return _by_ratio(*(-bend * np.square(x - np.log(ratio / (1 - ratio)))))


def _moving(a_step: float) -> dict[tuple[str, int], Floats]:
    """Gain that tilts by so much more a level from patches of 1 to 2 to 4 tokens."""
    levels = np.arange(1, LEVELS + 1) - (LEVELS + 1) / 2
    tilts = {s: 0.4 + a_step * np.log2(s) * levels for s in (1, 2, 4)}
    return {(WORLDS["certain"], s): np.tile(of, (len(RATIOS), 1)) for s, of in tilts.items()}


def _sweeps() -> dict[str, Sweep]:
    d = _DIFFERENCE_SD

    def grammar(claim: str, profile: Floats, null: bool, **more: Any) -> Sweep:
        return Sweep(claim, {(WORLDS["sweep"], 1): profile}, null, **more)

    def certain(profile: Floats, null: bool) -> Sweep:
        return Sweep("7", {(WORLDS["certain"], 1): profile}, null)

    def tops(null: bool, *ratios: float, bend: float = 0.02, noise: float = 1.0) -> Sweep:
        return ambiguities(null, *(_top(ratio, bend) for ratio in ratios), noise=noise)

    def ambiguities(null: bool, *profiles: Floats, noise: float = 1.0) -> Sweep:
        worlds = [WORLDS[role] for role in ("certain", "between", "ambiguous")]
        by_world = {(w, 1): profile for w, profile in zip(worlds, profiles, strict=True)}
        return Sweep("18", by_world, null, noise={worlds[-1]: noise})

    def slope(threshold: float, null: bool) -> Sweep:
        of = c09_patch_size.GAIN
        test = Test("slope", of, "above", threshold, units="share a level", world="certain", elsewhere=False)
        return Sweep("9", _moving(0.05), null, tests=(test,))

    flat, plateau = _by_ratio(0, 0, 0, 0, 0), _by_ratio(-0.1, 0, 0, 0, -0.1)
    best = {"random_init": 0.3, "pixels": 0.1}
    sweeps = {
        "6, null: flat": grammar("6", flat, True),
        "6, null: as good at .9, .1 far below": grammar("6", _by_ratio(-FAR * d, 0, 0, 0, 0), True),
        "7, null: one level at the margin": certain(_mirrored(0.05), True),
        "7, mirrored": certain(_mirrored(0.0), False),
        "8, null: equal profiles": grammar("8", flat, True),
        "8, null: .9 as far from .1 as from .5": grammar("8", _spread_out(-FAR * d, FAR * d, 0), True),
        "8, null: the same, one training seed": grammar(
            "8", _spread_out(-FAR * d, FAR * d, 0), True, seeds=1
        ),
        "9, null: slope at what it is held against": slope(0.05, True),
        "9, slope of .05 against .035": slope(0.035, False),
        "10, null: as good as the best control": grammar("10", flat, True, controls=best),
        "10, null: as good as three equal controls": grammar(
            "10", flat, True, controls=dict.fromkeys(CONTROLS, 0.3)
        ),
        "18, null: all three peak at .75": tops(True, 0.75, 0.75, 0.75),
        "18, null: no peak at all": tops(True, 0.5, 0.5, 0.5, bend=0.0),
        "18, null: as good from .25 to .75": ambiguities(True, *[plateau] * 3),
        "18, null: all at .75, the ambiguous twice as noisy": tops(True, 0.75, 0.75, 0.75, noise=2.0),
        "18, null: all at .75, the ambiguous flatter": ambiguities(
            True, _top(0.75), _top(0.75, 0.015), _top(0.75, 0.007)
        ),
        "18, best ratios of .75, .6 and .45": tops(False, 0.75, 0.6, 0.45),
        "18, best ratios of .75, .7 and .6": tops(False, 0.75, 0.7, 0.6),
    }
    for size in (1.0, 1.5, 2.0):
        sweeps[f"6, peak of {size:g} sd at .75"] = grammar("6", _by_ratio(0, 0, 0, size * d, 0), False)
        apart = _spread_out(0, size * d, 0)
        sweeps[f"8, .1 and .9 equal, .5 apart by {size:g} sd"] = grammar("8", apart, False)
        sweeps[f"10, above the best control by {size:g} sd"] = grammar(
            "10", flat + size * d, False, controls=best
        )
    # the top of a parabola moves with one end of a curve, though the best ratio does not
    falling = [_by_ratio(-0.1, -0.05, 0, -0.05, -0.1 - more) for more in (0.0, 0.1, 0.2)]
    one_sided = ambiguities(True, *falling)
    sweeps["18, null: all best at .5, falling at .9 the more the less sure"] = one_sided
    by_name = {test.name: test for test in c18_determinism.SECONDARY}
    measured = by_name["slope of the best of the five ratios"]
    sweeps["18, null: the same, by the best of the five ratios"] = replace(one_sided, tests=(measured,))
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
        The claim of that label.
    n_worlds, simulations, rng, family : as in `row_rates`
    """
    if name not in SWEEPS:
        raise ClaimError(f"sweep {one_of(name, SWEEPS)}")
    sweep = SWEEPS[name]
    if registry.label(claim) != sweep.claim:
        raise ClaimError(
            f"sweep {name!r} is one of claim {sweep.claim}, not of claim {registry.label(claim)}"
        )
    labels, sizes = (sorted({key[k] for key in sweep.profiles}) for k in (0, 1))
    pooling = "concat" if sweep.claim == "10" else PRIMARY["pooling"]
    cube = _cube(n_worlds, sweep.seeds, labels, sizes, pooling)
    ceilings = _limits(n_worlds, labels)
    deciding = _claim(sweep.tests or claim.TESTS)
    means = np.zeros((len(labels), 1, len(sizes), len(RATIOS), 1, LEVELS))
    for (label, size), profile in sweep.profiles.items():
        means[labels.index(label), 0, sizes.index(size), :, 0] = profile
    louder = np.array([sweep.noise.get(label, 1.0) for label in labels])[:, None, None, None, None, None]
    at_root = np.array([sweep.controls.get(name, 0.0) for name in CONTROLS])
    shape = (len(labels), n_worlds, len(sizes), len(RATIOS), sweep.seeds)
    variables = [
        cube[v].values.reshape(*shape, 1 + len(CONTROLS), LEVELS) for v in cube.data_vars if v in SCORES
    ]

    def draw() -> Outcome:
        world = WORLD_SD * rng.standard_normal((len(labels), n_worlds, 1, 1, 1, LEVELS))
        cell = CELL_SD * rng.standard_normal((*shape[:4], 1, LEVELS))
        seed = SEED_SD * rng.standard_normal((*shape, LEVELS))
        values = means + world + louder * (cell + seed)
        # controls that hold anything share what a world has of its own
        own = world[0, :, 0, 0, 0, -1:] + CELL_SD * rng.standard_normal((n_worlds, len(CONTROLS)))
        of_controls = at_root + (at_root > 0) * own
        for variable in variables:
            variable[..., 0, :] = values
            variable[..., 1:, -1] = of_controls[None, :, None, None, None]
        return correct([evaluate(deciding, CubeSet([cube, ceilings]))])[0]

    return _count((draw() for _ in range(simulations)), family)


SCORES = ("r2", "r2_low", "r2_high", "gain", "gain_low", "gain_high")


def _cube(n_worlds: int, seeds: int, labels: list[str], sizes: list[int], pooling: str) -> xr.Dataset:
    coords: dict[str, Any] = {
        "world": labels,
        "world_seed": range(n_worlds),
        "patch_size": sizes,
        "offset": [0],
        "mask_ratio": RATIOS,
        "seed": range(seeds),
        "encoder": ["trained", *CONTROLS],
        "layer": [1],
        **{axis: [label] for axis, label in (PRIMARY | {"pooling": pooling}).items()},
        "level": range(1, LEVELS + 1),
    }
    cell = (len(labels), n_worlds, len(sizes), 1, len(RATIOS), seeds)
    shape = (*cell, 1 + len(CONTROLS), 1, 1, 1, 1, 1, LEVELS)
    data: dict[str, Any] = {name: np.zeros(shape) for name in SCORES}
    data |= {"n_test": np.full(shape, 1.0), "images_seen": np.ones(cell), "status": np.ones(cell, np.int8)}
    data |= {"patch_height": [1 + (s > 1) for s in sizes], "patch_width": [1 + (s > 2) for s in sizes]}
    data["realised_ratio"] = np.broadcast_to(
        np.array(RATIOS)[:, None], (len(sizes), 1, len(RATIOS), len(labels))
    )
    return build("regression", coords, data)


def _limits(n_worlds: int, labels: list[str]) -> xr.Dataset:
    """Exact ceilings of 1; with a null of 0, skill is R2."""
    coords: dict[str, Any] = {
        "world": labels,
        "world_seed": range(n_worlds),
        "patch_size": [1],
        "offset": [0],
        "mask_ratio": RATIOS,
        "eval_ratio": ["0"],
        "bound": ["exact"],
        "target": ["latent"],
        "level": range(1, LEVELS + 1),
    }
    place = (len(labels), n_worlds, 1, 1, len(RATIOS))
    full = (*place, 1, 1, 1, LEVELS)
    names = ("r2", "r2_low", "r2_high", "r2_present", "r2_present_low", "r2_present_high")
    data: dict[str, Any] = {name: np.ones(full) for name in (*names, "n_test")}
    data |= {name: np.zeros((*place, 1)) for name in ("bayes_loss", "bayes_loss_error", "bayes_loss_test")}
    data["explainable_share"] = np.ones((len(labels), n_worlds, LEVELS))
    data |= {"patch_height": [1], "patch_width": [1]}
    data["realised_ratio"] = np.broadcast_to(np.array(RATIOS)[:, None], (1, 1, len(RATIOS), len(labels)))
    return build("limits", coords, data)
