"""Claims by name. Adding one is adding a module ``cNN_name.py`` to this package.

A claim module has

- ``NUMBER``: its number, the NN of its name;
- ``TITLE``: at most 60 characters;
- ``SAYS``: what the paper claims, in a sentence or two;
- ``RULE``: the statistic, its threshold and direction, in words;
- ``NEEDS``: keys of the cubes without which it cannot be judged (``regression``, ``experiments/NAME``);
- ``TRAINS``: whether models are trained for it, which puts it into the family of Holm's correction;
- ``TESTS``: the tests that decide (`rule.Test`), all of which must speak for it;
- ``SECONDARY`` (optional): tests that are shown and never decide;
- ``sentence(contrasts) -> str`` (optional): what came out, from the name of a test to its `rule.Contrast`.

`NUMBER`, `NEEDS` and `TRAINS` must be plain: the workflow reads them without importing the module.

Other modules of the package are what the claims share.
"""

from __future__ import annotations

import re
from types import ModuleType

from maestrata import modules
from maestrata.claims.rule import ANY, WORLDS, Test, named
from maestrata.errors import ClaimError, one_of

_NAME = re.compile(r"c(\d\d)_[a-z0-9_]+")
_ATTRIBUTES = ("NUMBER", "TITLE", "SAYS", "RULE", "NEEDS", "TRAINS", "TESTS")
_TITLE_LENGTH = 60
MOST_LEVELS = 64


def available() -> tuple[str, ...]:
    """Return the names of all claims, ordered by number: the modules of this package that define `NUMBER`."""
    return modules.available("claims")


def load(name: str) -> ModuleType:
    """Return the module of a claim.

    Raises
    ------
    ClaimError
        If there is none of that name (the message lists those there are), or the module does not define what
        a claim must, or defines it so that no verdict can rest on it.
    """
    module = modules.load("claims", name)
    check(module, name)
    return module


def load_all() -> list[ModuleType]:
    """Return the modules of all claims, ordered by number."""
    return [load(name) for name in available()]


def secondary(claim: ModuleType) -> tuple[Test, ...]:
    """Return the tests of a claim that never decide."""
    return tuple(getattr(claim, "SECONDARY", ()))


def test_of(number: int, name: str, world: str = "") -> Test:
    """Return the test of a claim that has a contrast of this name.

    Parameters
    ----------
    number : int
        The claim's.
    name : str
        As in a cube of verdicts.
    world : str
        Label of the worlds of its rows.

    Raises
    ------
    ClaimError
        If there is none.
    """
    name = name.replace(" less ", " minus ")  # as the first edition wrote its cubes
    claim = next((claim for claim in load_all() if number == claim.NUMBER), None)
    tests = () if claim is None else (*claim.TESTS, *secondary(claim))
    for test in tests:
        if name in {named(test.name, k, label) for k in (None, *range(MOST_LEVELS)) for label in ("", world)}:
            return test
    raise ClaimError(f"claim {number} has no test of the name {name!r}")


def check(claim: ModuleType, name: str) -> None:
    """Raise `ClaimError` unless the module is a claim that can be judged."""
    where = f"claim {name!r} (maestrata/claims/{name}.py)"
    for attribute in _ATTRIBUTES:
        if not hasattr(claim, attribute):
            raise ClaimError(f"{where}: must define {attribute}")
    match = _NAME.fullmatch(name)
    if match is None or int(match[1]) != claim.NUMBER:
        raise ClaimError(f"{where}: NUMBER={claim.NUMBER} must be the number in its name")
    if not 0 < len(claim.TITLE) <= _TITLE_LENGTH:
        raise ClaimError(f"{where}: TITLE must have 1 to {_TITLE_LENGTH} characters, not {len(claim.TITLE)}")
    if not claim.TESTS:
        raise ClaimError(f"{where}: TESTS must hold the tests that decide")
    tests = (*claim.TESTS, *secondary(claim))
    names = [test.name for test in tests]
    if len(set(names)) < len(names):
        raise ClaimError(f"{where}: two tests share a name, of {', '.join(names)}")
    for test in tests:
        _check_test(test, where)


def _check_test(test: Test, where: str) -> None:
    at = f"{where}: test {test.name!r}"
    if test.side not in ("above", "below", "within"):
        raise ClaimError(f"{at}: side {one_of(test.side, ('above', 'below', 'within'))}")
    if test.world not in (*WORLDS, ANY):
        raise ClaimError(f"{at}: world {one_of(test.world, (*WORLDS, ANY))}")
    if test.side == "within" and not test.threshold > 0:
        raise ClaimError(f"{at}: the margin {test.threshold} of an equivalence must be above 0")
    gap = test.contrary - test.threshold if test.side != "above" else test.threshold - test.contrary
    if gap < 0:
        raise ClaimError(
            f"{at}: against={test.against} must lie on the other side of threshold={test.threshold}"
        )
