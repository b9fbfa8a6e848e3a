"""Claims by name. Adding one is adding a module ``cNN_name.py`` to this package.

A claim module has

- ``NUMBER``: its number, the NN of its name;
- ``PART`` (optional): which part of the claim of that number it is, such as ``a root``;
- ``OURS`` (optional): True where the claim is not the paper's;
- ``TITLE``: at most 60 characters;
- ``SAYS``: what the paper claims, in a sentence or two;
- ``RULE``: the statistic, its threshold and direction, in words;
- ``NEEDS``: keys of the cubes without which it cannot be judged (``regression``, ``experiments/NAME``);
- ``USES`` (optional): keys of further cubes that it reads where a run has them, such as ``limits``;
- ``TRAINS``: whether models are trained for it, which puts it into the family of Holm's correction;
- ``SEEN`` (optional): seeds of worlds whose numbers were known when the rule was written: they do not decide;
- ``TESTS``: the tests that decide (`rule.Test`), all of which must speak for it;
- ``SECONDARY`` (optional): tests that are shown and never decide;
- ``sentence(contrasts) -> str`` (optional): what came out, from the name of a test to its `rule.Contrast`.

`NUMBER`, `NEEDS`, `USES` and `TRAINS` must be plain: the workflow reads them without importing the module.

Other modules of the package are what the claims share.
"""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import Path
from types import ModuleType

from maestrata import modules
from maestrata.claims.rule import ANY, WORLDS, Test
from maestrata.errors import ClaimError, one_of

_NAME = re.compile(r"c(\d\d)_[a-z0-9_]+")
_ATTRIBUTES = ("NUMBER", "TITLE", "SAYS", "RULE", "NEEDS", "TRAINS", "TESTS")
_IMPORTS = re.compile(r"^from maestrata\.claims\.(\w+) import", re.MULTILINE)
_TITLE_LENGTH = 60


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
    return sorted((load(name) for name in available()), key=order)


def order(claim: ModuleType) -> tuple[int, str]:
    """Return what claims are sorted by."""
    return int(claim.NUMBER), str(getattr(claim, "PART", ""))


def label(claim: ModuleType) -> str:
    """Return a claim's name on pages and in cubes: number and part, such as ``6`` or ``16a root``."""
    return f"{claim.NUMBER}{getattr(claim, 'PART', '')}"


def ours(claim: ModuleType) -> bool:
    """Tell whether a claim is ours rather than the paper's."""
    return bool(getattr(claim, "OURS", False))


def fingerprint(claim: ModuleType) -> str:
    """Digest of a claim's files (`files_of`): changes with any threshold that stands in them.

    The gates of progress, the same for all claims, stand in `maestrata.results.progress`, and how much room
    skill needs in `maestrata.results.read`. Empty for what has no file.
    """
    texts = (f"{path.stem}\0{path.read_text(encoding='utf-8')}" for path in files_of(claim))
    joined = "\0".join(texts)
    return sha256(joined.encode()).hexdigest()[:12] if joined else ""


def files_of(claim: ModuleType) -> list[Path]:
    """List a claim's file and those of this package that it imports, by name."""
    path = getattr(claim, "__file__", None)
    left, known = [] if path is None else [Path(path)], set[Path]()
    while left:
        file = left.pop()
        if file not in known:
            known.add(file)
            left += [
                file.with_name(f"{name}.py") for name in _IMPORTS.findall(file.read_text(encoding="utf-8"))
            ]
    return sorted(known, key=lambda file: file.stem)


def secondary(claim: ModuleType) -> tuple[Test, ...]:
    """Return the tests of a claim that never decide."""
    return tuple(getattr(claim, "SECONDARY", ()))


def seen(claim: ModuleType) -> frozenset[int]:
    """Return the seeds of worlds that a claim is not judged in: its rule was written after their numbers."""
    return frozenset(getattr(claim, "SEEN", ()))


def test_of(of: str, name: str) -> Test:
    """Return the test of a claim that has a contrast of this name.

    Parameters
    ----------
    of : str
        The claim's `label`.
    name : str
        As in a cube of verdicts: it begins with the test's (`rule.named`). Of several tests the longest.

    Raises
    ------
    ClaimError
        If there is none.
    """
    claim = next((claim for claim in load_all() if of == label(claim)), None)
    tests = () if claim is None else (*claim.TESTS, *secondary(claim))
    chosen = [test for test in tests if name.startswith(test.name)]
    if not chosen:
        raise ClaimError(f"claim {of} has no test of the name {name!r}")
    return max(chosen, key=lambda test: len(test.name))


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
