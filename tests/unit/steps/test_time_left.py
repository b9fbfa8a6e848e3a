"""What a sweep begins in the time that it was given."""

from __future__ import annotations

import pytest

from maestrata.steps import _time_left
from maestrata.steps._time_left import TimeLeft


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr(_time_left.time, "monotonic", lambda: now[0])
    return now


def test_before_a_stack_has_ended_the_time_alone_counts(clock: list[float]) -> None:
    left = TimeLeft(1, at_once=2)
    assert left.enough_for(10**9)
    clock[0] += 61
    assert not left.enough_for(1)


def test_a_stack_is_judged_by_its_own_number_of_images(clock: list[float]) -> None:
    left = TimeLeft(3, at_once=1)
    clock[0] += 120
    left.ended(images=1200, seconds=120)
    assert left.enough_for(600)
    assert not left.enough_for(601)


def test_the_wait_for_the_compiler_is_forgotten(clock: list[float]) -> None:
    left = TimeLeft(4, at_once=2)
    left.ended(images=1000, seconds=200)  # slow: it waited for the compiler
    left.ended(images=1000, seconds=90)
    clock[0] += 150
    assert not left.enough_for(1000)
    left.ended(images=1000, seconds=90)
    assert left.enough_for(1000)


def test_no_limit(clock: list[float]) -> None:
    left = TimeLeft(float("inf"), at_once=1)
    left.ended(images=1, seconds=1e9)
    assert left.enough_for(10**9)
