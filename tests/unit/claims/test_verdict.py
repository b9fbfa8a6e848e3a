"""The rules of the verdict, on rows made by hand."""

from __future__ import annotations

import re
from types import SimpleNamespace

import numpy as np
import pytest

from maestrata.claims import registry
from maestrata.claims.rule import MIN_WORLDS, Test, contrast
from maestrata.claims.verdict import correct, judge, outcome_of
from maestrata.errors import ClaimError
from maestrata.results import CubeSet, Expression, Model, Numbers, Row

NOISE = np.random.default_rng(1).standard_normal(40)
NOISE = (NOISE - NOISE.mean()) * 0.1


def claim(*tests, number=2, trains=True, secondary=(), **more):
    return SimpleNamespace(
        NUMBER=number,
        TITLE="title",
        SAYS="says",
        RULE="rule",
        NEEDS=(),
        TRAINS=trains,
        TESTS=tests,
        SECONDARY=secondary,
        **more,
    )


def rows(mean, n=12, bound=False, label="a", seed=0):
    noise = np.roll(NOISE, seed)[:n]
    return [Row(label, i, mean + float(v), bound=bound) for i, v in enumerate(noise - noise.mean())]


def verdict(one, measured, family=()):
    """Judge a claim on rows by test name, or on what it lacks, among others of its family."""

    def outcome(claim, rows):
        if isinstance(rows, str):
            return outcome_of(claim, [], rows)
        tests = [(test, True) for test in claim.TESTS] + [(test, False) for test in claim.SECONDARY]
        return outcome_of(
            claim, [contrast(t, rows[t.name], decides) for t, decides in tests if t.name in rows]
        )

    return correct([outcome(one, measured), *(outcome(*other) for other in family)])[0]


class Given(Expression):
    """Numbers by world label; levels apart where a label has several."""

    def __init__(self, **numbers):
        self.given = numbers

    def numbers(self, cubes, world):
        given = self.given.get(world, "nothing of it")
        return Numbers.none(given) if isinstance(given, str) else given

    def worlds(self, cubes):
        return list(self.given)


def by_level(*means, n=12):
    """Numbers of levels 1, 2, ..., each about its mean."""
    values = np.stack([[row.value for row in rows(mean, n)] for mean in means], 1)[:, None]
    nothing = np.full_like(values, np.nan)
    return Numbers.measured(np.arange(n), np.arange(1, len(means) + 1), values, nothing, nothing)


NOTHING = Given()
ABOVE = Test("gain", NOTHING, "above", 0.0)
BELOW = Test("leak", NOTHING, "below", 0.1, against=0.2)
WITHIN = Test("same", NOTHING, "within", 0.5, units="skill")


@pytest.mark.parametrize(
    ("test", "mean", "expected"),
    [
        (ABOVE, 1.0, "supported"),
        (ABOVE, 0.0, "inconclusive"),
        (ABOVE, -1.0, "contradicted"),
        (BELOW, -0.1, "supported"),
        (BELOW, 0.15, "inconclusive"),
        (BELOW, 0.5, "contradicted"),
        (WITHIN, 0.0, "supported"),
        (WITHIN, 0.5, "inconclusive"),
        (WITHIN, 1.0, "contradicted"),
        (WITHIN, -1.0, "contradicted"),
    ],
)
def test_one_test(test, mean, expected):
    outcome = verdict(claim(test), {test.name: rows(mean)})
    assert outcome.verdict == expected
    assert outcome.contrasts[0].estimate == pytest.approx(mean)
    if expected != "inconclusive":
        assert outcome.p == 2 / 2**12
    else:
        assert outcome.p > 0.05


def test_all_must_speak_for_and_any_can_sink():
    both = claim(ABOVE, WITHIN)
    assert verdict(both, {"gain": rows(1), "same": rows(0)}).verdict == "supported"
    assert verdict(both, {"gain": rows(1), "same": rows(0.5)}).verdict == "inconclusive"
    sunk = verdict(both, {"gain": rows(1), "same": rows(2)})
    assert sunk.verdict == "contradicted"
    assert sunk.sentence.endswith("Against the claim: same.")


def test_p_for_is_the_largest_of_the_tests():
    weak = [Row("a", i, v) for i, v in enumerate([-0.3, *np.linspace(0.1, 1, 11)])]
    outcome = verdict(claim(ABOVE, WITHIN), {"gain": weak, "same": rows(0)})
    single = contrast(ABOVE, weak)
    assert outcome.p == single.p_for > 2 / 2**12


def test_p_against_pays_for_the_number_of_tests():
    tests = [Test(f"t{k}", NOTHING, "above", 0.0) for k in range(8)]
    weak = [Row("a", i, v) for i, v in enumerate([0.5, 0.2, *np.linspace(-1, -0.1, 10)])]
    alone = verdict(claim(tests[0]), {"t0": weak})
    others = {f"t{k}": rows(0.05, seed=k) for k in range(1, 8)}
    among = verdict(claim(*tests), {"t0": weak, **others})
    assert alone.verdict == "contradicted"
    assert among.p > alone.p


def test_under_ten_worlds_is_inconclusive_by_rule_and_the_number_is_there():
    few = verdict(claim(ABOVE), {"gain": rows(1, n=MIN_WORLDS - 1)})
    assert few.verdict == "inconclusive"
    assert few.contrasts[0].estimate == pytest.approx(1)
    assert "by rule: 9 worlds, of at least 10" in few.sentence
    assert verdict(claim(ABOVE), {"gain": rows(1, n=MIN_WORLDS)}).verdict == "supported"
    # two tests: the fewer worlds count
    short = verdict(claim(ABOVE, WITHIN), {"gain": rows(1), "same": rows(0, n=9)})
    assert (short.verdict, short.n_worlds) == ("inconclusive", 9)


def test_ten_worlds_are_the_least_that_can_pass_the_family():
    """The reason for the rule: so many claims train models."""
    family = sum(claim.TRAINS for claim in registry.load_all())
    assert family * 2 / 2**MIN_WORLDS < 0.05 < family * 2 / 2 ** (MIN_WORLDS - 1)


def test_holm_over_those_that_train_and_could_be_run():
    weak = [Row("a", i, v) for i, v in enumerate([-0.1, *np.linspace(0.05, 1, 9)])]  # p = .0078
    alone = verdict(claim(ABOVE), {"gain": weak})
    assert alone.verdict == "supported"
    family = [(claim(ABOVE, number=3 + k), {"gain": rows(0, seed=k)}) for k in range(15)]
    among = verdict(claim(ABOVE), {"gain": weak}, family)
    assert among.verdict == "inconclusive"
    assert among.p == alone.p
    assert among.p_holm == pytest.approx(min(1, 16 * alone.p))
    assert "after Holm's correction" in among.sentence
    # claims that train nothing, or were not run, are none of the family
    outside = [(claim(ABOVE, number=3 + k, trains=False), {"gain": rows(0)}) for k in range(15)]
    assert verdict(claim(ABOVE), {"gain": weak}, outside).verdict == "supported"
    missing = [(claim(ABOVE, number=3 + k), "no cube") for k in range(15)]
    assert verdict(claim(ABOVE), {"gain": weak}, missing).verdict == "supported"


def test_a_claim_that_trains_nothing_needs_no_ten_worlds():
    outcome = verdict(claim(ABOVE, trains=False), {"gain": rows(1, n=3)})
    assert outcome.verdict == "supported"
    assert np.isnan([outcome.p, outcome.p_holm]).all()
    # ... but an interval
    one = verdict(claim(ABOVE, trains=False), {"gain": rows(1, n=1)})
    assert one.verdict == "inconclusive"
    assert "one world has no interval" in one.sentence


@pytest.mark.parametrize(
    ("test", "mean", "expected"),
    [
        (WITHIN, 0.0, "inconclusive"),  # the difference in skill may be larger
        (WITHIN, 1.0, "contradicted"),
        (WITHIN, -1.0, "contradicted"),
        (ABOVE, 1.0, "supported"),
        (ABOVE, -1.0, "contradicted"),
        (BELOW, 0.05, "inconclusive"),
        (BELOW, -1.0, "supported"),
    ],
)
def test_a_bound_rejects_equivalence_and_never_supports_it(test, mean, expected):
    noisy = [Row(r.world, r.world_seed, r.value * 0.1 + mean * 0.9, bound=True) for r in rows(mean)]
    outcome = verdict(claim(test), {test.name: noisy})
    assert outcome.verdict == expected
    if test is WITHIN:
        assert outcome.contrasts[0].units.startswith("R2 (not skill")
        assert "In R2, not skill: no exact ceiling in this world." in outcome.sentence
    if test is WITHIN and mean == 0:
        assert "only a lower bound of the difference in skill" in outcome.sentence


def test_rows_without_a_number_are_left_out_and_counted():
    given = [*rows(1), Row("a", 99, float("nan"))]
    gain = contrast(ABOVE, given)
    assert (len(gain.rows), gain.left_out) == (12, 1)
    assert gain.estimate == pytest.approx(1)


def test_not_run():
    asked = claim(ABOVE)
    asked.NEEDS = ("experiments/none",)
    outcome = judge(CubeSet([]), [asked])[0]
    assert outcome.verdict == "not_run"
    assert outcome.sentence == "Not run: the run has no cube 'experiments/none'."
    assert outcome.contrasts == ()
    lacks = claim(Test("gain", Given(grammar="no arm 'ideal'"), "above", 0.0))
    assert judge(CubeSet([]), [lacks])[0].sentence == "Not run: no arm 'ideal'."
    # a deciding test without any number: what is there is told
    half = verdict(claim(ABOVE, WITHIN), {"gain": rows(1), "same": []})
    assert half.verdict == "not_run"
    assert "no world has a number for: same." in half.sentence
    assert "gain: +1" in half.sentence


def test_levels_decide_each_and_other_worlds_never():
    def outcome(second):
        of = Given(additive=by_level(-1, -1), grammar=by_level(1, second))
        return judge(CubeSet([]), [claim(Test("gain", of, "above", 0.0))])[0]

    good = outcome(1)
    assert good.verdict == "supported"
    assert [c.decides for c in good.contrasts] == [True, True, False, False]
    names = ["gain, level 1", "gain, level 2", "gain, level 1 [additive]", "gain, level 2 [additive]"]
    assert [c.name for c in good.contrasts] == names
    assert outcome(-1).verdict == "contradicted"


def test_the_world_of_a_role_is_what_the_config_says():
    of = Given(grammar=by_level(1), additive=by_level(-1))
    one = claim(Test("gain", of, "above", 0.0))
    assert judge(CubeSet([]), [one])[0].verdict == "supported"
    there = judge(CubeSet([]), [one], {"sweep": "additive"})[0]
    assert there.verdict == "contradicted"
    assert [c.name for c in there.contrasts] == ["gain", "gain [grammar]"]
    fixed = claim(Test("gain", of, "above", 0.0, world="one_mask"))
    assert judge(CubeSet([]), [fixed], {"one_mask": "grammar"})[0].verdict == "supported"
    with pytest.raises(ClaimError, match=r"role of a world 'sweeps' must be one of: ambiguous, between"):
        judge(CubeSet([]), [one], {"sweeps": "additive"})


def test_a_test_of_any_world_takes_all_of_them():
    of = Given(grammar=by_level(1, n=6), additive=by_level(1, n=6), dag="nothing of it")
    outcome = judge(CubeSet([]), [claim(Test("gain", of, "above", 0.0, world="any"))])[0]
    assert outcome.verdict == "supported"
    assert [row.world for row in outcome.contrasts[0].rows] == ["additive"] * 6 + ["grammar"] * 6
    lacks = claim(Test("gain", Given(dag="nothing of it"), "above", 0.0, world="any"))
    assert judge(CubeSet([]), [lacks])[0].sentence == "Not run: nothing of it."


def test_secondary_tests_are_shown_last_and_never_decide():
    other = Test("other", NOTHING, "above", 0.0)
    outcome = verdict(claim(ABOVE, secondary=(other,)), {"other": rows(-1), "gain": rows(1)})
    assert outcome.verdict == "supported"
    assert [(c.name, c.decides) for c in outcome.contrasts] == [("gain", True), ("other", False)]


def test_the_claims_own_sentence_comes_first():
    seen = {}

    def sentence(contrasts):
        seen.update(contrasts)
        return "It rose."

    outcome = verdict(claim(ABOVE, sentence=sentence), {"gain": rows(1)})
    assert outcome.sentence == "It rose."
    assert seen["gain"].estimate == pytest.approx(1)
    assert seen["gain"].low < 1 < seen["gain"].high


def test_errors():
    with pytest.raises(ClaimError, match="a world has two rows"):
        contrast(ABOVE, [Row("a", 0, 1.0), Row("a", 0, 2.0)])


# ----------------------------------------------------------------------------- what is open, and what decides
@pytest.mark.parametrize(
    ("test", "mean", "told"),
    [
        (ABOVE, 0.02, "worlds would decide it (power .8)"),
        (ABOVE, -0.02, "worlds would decide it (power .8)"),
        (ABOVE, 0.001, "too near to be decided by any sensible number of worlds (more than 500)"),
        (BELOW, 0.15, "its mean lies between what speaks for the claim and what speaks against it"),
        (WITHIN, 0.48, "worlds would decide it (power .8)"),
    ],
)
def test_what_is_open_says_what_would_decide_it(test, mean, told):
    outcome = verdict(claim(test), {test.name: rows(mean)})
    assert outcome.verdict == "inconclusive"
    assert told in outcome.sentence


def test_the_worlds_that_would_decide_pay_for_holms_first_step():
    weak = rows(0.02)
    alone = verdict(claim(ABOVE), {"gain": weak}).sentence
    family = [(claim(ABOVE, number=3 + k), {"gain": rows(0, seed=k)}) for k in range(15)]
    among = verdict(claim(ABOVE), {"gain": weak}, family).sentence
    numbers = [int(re.search(r"about (\d+) worlds", text)[1]) for text in (alone, among)]
    assert 12 < numbers[0] < numbers[1]


# ------------------------------------------------------------------------------------ models that have learnt
def models(n, below, progress=0.5):
    return tuple(Model("m", "a", i, 0, progress if i < below else 0.95, 0.8) for i in range(n))


@pytest.mark.parametrize(("below", "expected"), [(6, "supported"), (7, "not_run")])
def test_a_claim_most_of_whose_models_have_not_learnt_is_not_run(below, expected):
    one = contrast(ABOVE, rows(1), models=models(12, below))
    outcome = correct([outcome_of(claim(ABOVE), [one])])[0]
    assert outcome.verdict == expected
    if expected == "not_run":
        assert "models not trained: 7 of 12 explain less than their gate" in outcome.sentence
        assert np.isnan(outcome.p)  # and so none of Holm's family


def test_worlds_left_out_for_want_of_training_are_told():
    few = [Row("a", i, 1.0 if i > 2 else float("nan")) for i in range(12)]
    one = contrast(ABOVE, few, models=models(12, 3))
    told = correct([outcome_of(claim(ABOVE), [one])])[0].sentence
    assert "by rule: 9 worlds, of at least 10 (3 left out: models not trained)." in told


def test_models_of_contrasts_that_do_not_decide_are_none_of_it():
    deciding = contrast(ABOVE, rows(1), models=models(12, 0))
    other = contrast(WITHIN, rows(1), decides=False, models=models(12, 12))
    assert (
        correct([outcome_of(claim(ABOVE, secondary=(WITHIN,)), [deciding, other])])[0].verdict == "supported"
    )


def test_unknown_progress_gates_nothing_and_nothing_to_learn_everything():
    unknown = contrast(ABOVE, rows(1), models=models(12, 12, float("nan")))
    assert correct([outcome_of(claim(ABOVE), [unknown])])[0].verdict == "supported"
    nothing = contrast(ABOVE, rows(1), models=models(12, 12, 0.0))
    assert correct([outcome_of(claim(ABOVE), [nothing])])[0].verdict == "not_run"
