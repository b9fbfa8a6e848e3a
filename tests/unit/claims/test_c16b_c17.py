"""Claims 16b and 17, and what claim 10 takes from an experiment, on small made-up cubes."""

from __future__ import annotations

import numpy as np
import pytest

from maestrata.claims import c10_hierarchy, c16_b_root, c16_b_tilt, c17_samples
from maestrata.cubes.io import build
from maestrata.results import CubeSet

WORLDS = 12
HALF = 0.01  # half of every interval over samples


def spread(n=WORLDS):
    """Differences between worlds, mean 0."""
    return np.linspace(-0.004, 0.004, n)


def table(name, numbers, world="grammar", n_worlds=WORLDS, seeds=2, progress=None):
    """Cube of an experiment, numbers by (arm, quantity, level): the same in all worlds, or plus `spread`.

    Numbers that are tuples (number, scale) have `scale` times the spread added. `progress` is by arm.
    """
    numbers = numbers | {(arm, "progress", 0): (value, 0) for arm, value in (progress or {}).items()}
    arms, quantities = (list(dict.fromkeys(key[i] for key in numbers)) for i in (0, 1))
    levels = sorted({key[2] for key in numbers})
    shape = (1, n_worlds, seeds, len(arms), len(quantities), len(levels))
    data = {key: np.full(shape, np.nan) for key in ("value", "low", "high", "n")}
    for (arm, quantity, level), given in numbers.items():
        number, scale = given if isinstance(given, tuple) else (given, 1)
        at = (..., arms.index(arm), quantities.index(quantity), levels.index(level))
        values = number + scale * np.broadcast_to(spread(n_worlds)[None, :, None], (1, n_worlds, seeds))
        data["value"][at] = values
        data["low"][at], data["high"][at], data["n"][at] = values - HALF, values + HALF, 4096
    axes = {"world": [world], "world_seed": range(100, 100 + n_worlds), "seed": range(seeds)}
    axes |= {"arm": arms, "quantity": quantities, "level": levels}
    return build("experiments", axes, data | {"setting": np.full(len(arms), np.nan)}, {"experiment": name})


def border(low, high, over_random=None, progress=0.9, **more):
    """Losses of which the one without the border gains these at level 1 and at the root."""
    numbers, losses = {}, ("standard", "no_random", "no_border")
    for patch in ("2x1", "2x2"):
        for loss in losses:
            gains = (0, 0) if loss == "standard" else (low, high)
            if loss == "no_random":
                gains = (0, 0) if over_random is None else (low - over_random[0], high - over_random[1])
            for level, gain in ((1, gains[0]), (2, 0), (3, gains[1])):
                numbers[(f"{patch}/{loss}", "r2", level)] = (0.5 + gain, 1 if loss == "no_border" else 0)
    arms = {f"{patch}/{loss}": progress for patch in ("2x1", "2x2") for loss in losses}
    return table("border", numbers, "symbols_between", progress=arms, **more)


def samples(lost=-0.5, root=0.005, mean=0.004, progress=0.9, **more):
    """R2 of level 1, 2 and the root by size of the training set."""
    at_next = {1: 0.9, 2: 0.7 - 3 * mean + root, 3: 0.5 - root}
    numbers = {("s256", "r2", level): (0.9 + lost if level == 1 else 0.1, 1) for level in (1, 2, 3)}
    numbers |= {("s16384", "r2", level): (value, 1) for level, value in at_next.items()}
    numbers |= {("s65536", "r2", level): (value, 0) for level, value in ((1, 0.9), (2, 0.7), (3, 0.5))}
    numbers |= {("s65536/2x", "r2", level): (0.51, 0) for level in (1, 2, 3)}
    arms = {"s256": -1.0, "s16384": 0.5, "s65536": progress}
    return table("samples", numbers, progress=arms, **more)


@pytest.mark.parametrize(
    ("given", "tilt", "root"),
    [
        ({"low": -0.05, "high": 0.05}, "supported", "supported"),
        ({"low": 0.05, "high": -0.05}, "contradicted", "contradicted"),
        ({"low": -0.2, "high": -0.05}, "supported", "contradicted"),
        # not better than leaving out as many at random
        ({"low": -0.05, "high": 0.05, "over_random": (0.05, -0.05)}, "contradicted", "contradicted"),
        ({"low": -0.05, "high": 0.05, "over_random": (0.0, 0.0)}, "inconclusive", "inconclusive"),
    ],
)
def test_16b_tilt_and_root_are_two_verdicts(verdict_of, given, tilt, root):
    cube = border(**given)
    one, other = verdict_of(c16_b_tilt, cube), verdict_of(c16_b_root, cube)
    assert (one.verdict, other.verdict) == (tilt, root)
    assert (one.label, other.label) == ("16b tilt", "16b root")
    assert one.deciding[0].estimate == pytest.approx((given["high"] - given["low"]) / 2)
    assert other.deciding[0].estimate == pytest.approx(given["high"])


def test_16b_models_below_the_gate_of_75_percent(verdict_of):
    assert verdict_of(c16_b_root, border(-0.05, 0.05, progress=0.65)).verdict == "supported"
    outcome = verdict_of(c16_b_root, border(-0.05, 0.05, progress=0.55))
    assert outcome.verdict == "not_run" and "models not trained" in outcome.sentence


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "supported"),
        ({"root": -0.005}, "supported"),
        ({"root": 0.05}, "contradicted"),
        ({"root": -0.05}, "contradicted"),
        ({"mean": 0.06}, "contradicted"),
        ({"root": 0.0195}, "inconclusive"),
        # the positive control: with few images even level 1 must be lost
        ({"lost": -0.01}, "contradicted"),
        ({"lost": -0.0505}, "inconclusive"),
    ],
)
def test_17(verdict_of, given, expected):
    outcome = verdict_of(c17_samples, samples(**given))
    assert outcome.verdict == expected
    asked = {"lost": -0.5, "root": 0.005, "mean": 0.004} | given
    assert [c.estimate for c in outcome.deciding] == pytest.approx(list(asked.values()), abs=1e-9)
    (longer,) = (c for c in outcome.contrasts if "2 times the steps" in c.name)
    assert longer.estimate == pytest.approx(0.01) and not longer.decides


def test_17_asks_of_the_largest_set_alone_that_it_was_learnt(verdict_of):
    assert verdict_of(c17_samples, samples(progress=0.9)).verdict == "supported"
    outcome = verdict_of(c17_samples, samples(progress=0.5))
    assert outcome.verdict == "not_run"


def test_what_is_theirs_and_what_is_ours():
    from maestrata.claims import registry

    claims = registry.load_all()
    assert [registry.label(claim) for claim in claims if registry.ours(claim)] == ["17", "18"]
    parts = ["16a root", "16a tilt", "16b root", "16b tilt"]
    assert [registry.label(c) for c in claims if not registry.ours(c)] == [*map(str, range(1, 16)), *parts]


def surrogate(progress):
    """R2 of the root in the world (.2, .5, .3 over the ratios) and in its surrogate (.2, .3, .2)."""
    numbers, models = {}, {}
    for place, scores in (("world", (0.2, 0.5, 0.3)), ("surrogate", (0.2, 0.3, 0.2))):
        for visible, ratio, score in zip((7, 4, 1), (0.125, 0.5, 0.875), scores, strict=True):
            arm = f"{place}/v{visible}"
            numbers |= {(arm, "mask_ratio", 0): (ratio, 0), (arm, "r2", 3): (score, int(arm == "world/v4"))}
            models[arm] = progress.get(arm, 0.9)
    return table("surrogate", numbers, progress=models)


def test_10_the_inverted_u_is_that_of_models_that_have_learnt():
    def apart(progress):
        return c10_hierarchy.shape().numbers(CubeSet([surrogate(progress)]), "grammar").value

    assert apart({}).mean() == pytest.approx((0.5 - 0.25) - (0.3 - 0.2))
    for arm, gate in (("world/v4", 0.8), ("surrogate/v1", 0.6)):
        assert np.isfinite(apart({arm: gate})).all()
        assert np.isnan(apart({arm: gate - 0.01})).all()


def test_10_the_inverted_u_decides_nothing(contrasts_of):
    assert not contrasts_of(c10_hierarchy, surrogate({}))  # the sweep decides


@pytest.mark.parametrize(
    ("claim", "cube"), [(c16_b_root, border(0.05, 0.05, n_worlds=9)), (c17_samples, samples(n_worlds=9))]
)
def test_under_ten_worlds_it_is_inconclusive_by_rule(verdict_of, claim, cube):
    outcome = verdict_of(claim, cube)
    assert outcome.verdict == "inconclusive" and "by rule" in outcome.sentence


@pytest.mark.parametrize(
    ("claim", "cube", "message"),
    [
        (
            c16_b_root,
            table("border", {("2x2/standard", "r2", 4): 0.1}, "symbols_between"),
            "no arm '2x1/no_border'",
        ),
        (c17_samples, table("samples", {("s64", "r2", 4): 0.1}), "no arm 's256'"),
    ],
)
def test_what_lacks_what_is_needed_is_not_run(verdict_of, claim, cube, message):
    outcome = verdict_of(claim, cube)
    assert outcome.verdict == "not_run" and message in outcome.sentence
