"""Claim 1 judged on what the check of the theorem gives."""

from __future__ import annotations

from maestrata.claims import c01_shared_information as c01
from maestrata.theory import check


def test_verdict_and_sentence_from_its_rows(monkeypatch, verdict_of):
    unique = {"invertible": 1.0, "separator": 144 / 254}
    monkeypatch.setattr(c01, "check_tree", lambda reading, seed: check.Check(0.0, 0.01, unique[reading]))
    monkeypatch.setattr(c01, "left_in_grammar", lambda seed: 0.0)
    outcome = verdict_of(c01)
    # Assumption 1 decides; what is lost without it is told
    assert outcome.verdict == "supported"
    assert "unique for 254 of 254 masks" in outcome.sentence
    assert outcome.sentence.endswith("as the smallest separating set, for 144.")
    unique["invertible"] = 0.9
    outcome = verdict_of(c01)
    assert outcome.verdict == "contradicted"
    assert outcome.sentence.endswith("Against the claim: invertible: share of unique masks.")
