"""All claims that there are, found by name, and the committed table of their constants."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from maestrata.claims import registry, table
from maestrata.claims.rule import Test
from maestrata.cubes.schema import KINDS
from maestrata.errors import ClaimError
from maestrata.results import Select

OF = Select("regression", "skill")
ROOT = Path(__file__).parents[3]


def test_found_by_name_in_the_order_of_their_numbers():
    names = registry.available()
    claims = registry.load_all()
    labels = [registry.label(claim) for claim in claims]
    assert labels[:2] == ["1", "2"] and labels[-1] == "18" and "16a root" in labels
    assert sorted(claims, key=registry.order) == claims
    assert len(set(labels)) == len(labels) == len(names)


@pytest.mark.parametrize("name", registry.available())
def test_what_a_claim_declares(name):
    claim = registry.load(name)
    for text in (claim.TITLE, claim.SAYS, claim.RULE):
        assert text == text.strip()
        assert "\n" not in text
    assert isinstance(claim.TRAINS, bool)
    for key in claim.NEEDS:
        assert key in KINDS or key.startswith("experiments/"), key
    assert claim.TRAINS == bool(claim.NEEDS), (
        "a claim that trains models reads a run, one that does not does not"
    )


def test_the_committed_table_is_that_of_the_constants():
    committed = (ROOT / "docs" / "claims.md").read_text(encoding="utf-8")
    assert committed == table.render(), "run: python -m maestrata.claims.table > docs/claims.md"


def test_the_table_is_printed():
    done = subprocess.run(
        [sys.executable, "-m", "maestrata.claims.table"], capture_output=True, text=True, encoding="utf-8"
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == table.render()


def test_a_moved_threshold_changes_the_table():
    claim = registry.load("c06_masking_ratio")
    attributes = {
        name: getattr(claim, name) for name in ("NUMBER", "TITLE", "SAYS", "RULE", "NEEDS", "TRAINS")
    }
    moved = SimpleNamespace(
        **attributes, TESTS=(Test("root: peak over .1", OF, "above", 0.001, units="skill"),)
    )
    assert "| root: peak over .1 | above 0 | below 0 | skill |" in table.render([claim])
    assert "| root: peak over .1 | above 0.001 | below 0.001 | skill |" in table.render([moved])


def test_unknown_claim_lists_those_there_are():
    with pytest.raises(ClaimError, match=r"claim 'c99_nothing' must be one of: c01_shared_information"):
        registry.load("c99_nothing")


GOOD = {
    "NUMBER": 5,
    "TITLE": "title",
    "SAYS": "s",
    "RULE": "r",
    "NEEDS": (),
    "TRAINS": False,
    "TESTS": (Test("a", OF, "above", 0.0),),
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"TESTS": ()}, "TESTS must hold the tests that decide"),
        ({"NUMBER": 6}, "NUMBER=6 must be the number in its name"),
        ({"TITLE": "t" * 61}, "1 to 60 characters, not 61"),
        ({"SECONDARY": (Test("a", OF, "below", 0.0),)}, "two tests share a name"),
        ({"TESTS": (Test("a", OF, "over", 0.0),)}, "side 'over' must be one of: above, below, within"),
        (
            {"TESTS": (Test("a", OF, "above", 0.0, world="grammar"),)},
            "world 'grammar' must be one of: ambiguous, any, between, certain",
        ),
        ({"TESTS": (Test("a", OF, "within", 0.0),)}, "must be above 0"),
        (
            {"TESTS": (Test("a", OF, "below", 0.1, against=0.0),)},
            "must lie on the other side of threshold=0.1",
        ),
        (
            {"TESTS": (Test("a", OF, "above", 0.1, against=0.2),)},
            "must lie on the other side of threshold=0.1",
        ),
    ],
)
def test_what_cannot_be_judged(change, message):
    registry.check(SimpleNamespace(**GOOD), "c05_some")
    with pytest.raises(ClaimError, match=message):
        registry.check(SimpleNamespace(**(GOOD | change)), "c05_some")


def test_a_missing_attribute_is_named():
    with pytest.raises(ClaimError, match=r"must define RULE"):
        registry.check(SimpleNamespace(**{k: v for k, v in GOOD.items() if k != "RULE"}), "c05_some")


def test_a_contrast_by_its_name():
    (first, second) = registry.load("c07_symmetry").TESTS
    assert registry.test_of("7", "r = .9 minus r = .1, level 2") is first
    assert registry.test_of("7", "r = .75 minus r = .25, level 4 [grammar]") is second
    assert registry.test_of("7", "r = .9 minus r = .1, level 2, all tokens") is first
    with pytest.raises(ClaimError, match="claim 7 has no test of the name"):
        registry.test_of("7", "r = .9 beyond r = .1")
    with pytest.raises(ClaimError, match="claim 16 has no test"):
        registry.test_of("16", "root: aligned minus offset masks")


def test_the_fingerprint_of_a_claim_covers_what_it_shares(tmp_path):
    folder = ROOT / "src" / "maestrata" / "claims"
    copies = [tmp_path / path.name for path in folder.glob("*.py")]
    for path in copies:
        path.write_bytes((folder / path.name).read_bytes())
    claim = SimpleNamespace(__file__=str(tmp_path / "c06_masking_ratio.py"))
    before = registry.fingerprint(claim)
    assert before == registry.fingerprint(registry.load("c06_masking_ratio"))
    (tmp_path / "c07_symmetry.py").write_text("")
    assert registry.fingerprint(claim) == before
    peak = tmp_path / "peak.py"
    peak.write_text(peak.read_text().replace("0.25, 0.5", "0.25, 0.4"))
    assert registry.fingerprint(claim) != before
    assert registry.fingerprint(SimpleNamespace()) == ""
