"""Claim 1 judged on what the check of the theorem gives."""

from __future__ import annotations

from maestrata.claims import c01_shared_information as c01
from maestrata.theory import check


def test_verdict_and_sentence_from_its_rows(monkeypatch, verdict_of):
    unique = {"invertible": 1.0, "separator": 144 / 254}
    monkeypatch.setattr(c01, "check_tree", lambda reading, seed: check.Check(0.0, 0.01, unique[reading]))
    monkeypatch.setattr(c01, "left_in_grammar", lambda seed: 0.0)
    outcome = verdict_of(c01)
    assert outcome.verdict == "contradicted"
    assert "254 of 254 masks where every node is invertible" in outcome.sentence
    assert "144 as the smallest separating set" in outcome.sentence
    assert outcome.sentence.endswith("Against the claim: separator: share of unique masks.")
    unique["separator"] = 1.0
    assert verdict_of(c01).verdict == "supported"
