"""The committed table of claims, from their constants: ``python -m maestrata.claims.table > docs/claims.md``.

A test compares the two, so that no statistic, threshold or direction moves without being seen to move.
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterable
from types import ModuleType

from maestrata.claims import registry
from maestrata.claims.rule import ALPHA, MIN_WORLDS, MOST_WORLDS, Test

_HEAD = f"""\
# The claims, and what would sink each

For each claim: what it says, which numbers are compared in which worlds, and what counts for and against it.
[Reading the results](reading-the-results.md) explains the words, [findings](findings.md) say what came out.

`python -m maestrata.claims.table` writes this page from the constants of `src/maestrata/claims/c*.py`.
Statistics, thresholds and directions are fixed before any model that they judge is trained. A rule that was
written when numbers of some worlds were known does not count these: it names them.

A test *speaks for* its claim where the whole 95 % t interval over worlds lies on the side named, and
*against* it where the whole interval lies beyond the number in the column "against". A claim is
**supported** where all its tests speak for it, **contradicted** where any speaks against it, either with
p < {ALPHA:g} after Holm's correction over the claims that train models; else **inconclusive**, and by rule
with fewer than {MIN_WORLDS} worlds. The p value for a claim is the largest of its tests (all must hold); the
one against it is the joint sign-flip test of all its tests (max-T); both are doubled one-sided values, exact
over worlds. A test that is made at every level of a world counts as one test a level. Secondary tests
are shown and never decide.

**Progress.** A model that explains less than its gate of what can be explained (.8 up to r = .5, .6 above,
or what the claim says) is *not trained*, and has no number. A claim most of whose models are not is **not
run**.

**The probe.** A deciding test on scores of the sweep is made at the primary features and from all tokens.
Where the two speak clearly for and against, it is open: *depends on the probe*.

**What is open** is told with the number of worlds that would decide it with a power of .8, if mean and spread
over worlds are what they are; or it says that even {MOST_WORLDS} would not decide it.

Claims 1 to 16 are the paper's, 17 and 18 ours. The cube of verdicts keeps a digest of every claim's file,
and the page names the commit that fixed them.

**How often this errs** is simulated ([calibration](../benchmarks/results/calibration.md)): with twelve
worlds at most one null in twenty is called supported, but for one of claim 18: where the best ratio is the
same in all worlds, and only the fall at r = .9 gets deeper the less sure a part is, its rule supports it
always, its secondary slope of the best of the five ratios never. A claim of one test finds an effect of 1.5
standard deviations over worlds four times in five at Holm's first step, one of three tests three times in
five. Nulls are called contradicted more often, as they should be where a claim says more than the null: in
up to .08 of runs for claim 6 on flat curves, in half for claim 10 where the encoder is no better than three
equal controls.
"""


def render(claims: Iterable[ModuleType] | None = None) -> str:
    """Return the table as markdown.

    Parameters
    ----------
    claims : iterable of modules, optional
        All by default.
    """
    lines = [_HEAD]
    for claim in registry.load_all() if claims is None else claims:
        needs = ", ".join(f"`{key}`" for key in claim.NEEDS) or "nothing"
        uses = ", ".join(f"`{key}`" for key in getattr(claim, "USES", ()))
        needs += f" (and {uses}, where a run has them)" if uses else ""
        family = "in Holm's family" if claim.TRAINS else "outside Holm's family (trains nothing)"
        whose = " (ours)" if registry.ours(claim) else ""
        lines += [f"## {registry.label(claim)}. {claim.TITLE}{whose}", "", _wrapped(claim.SAYS), ""]
        lines += [_wrapped(f"*What sinks it.* {claim.RULE}"), ""]
        lines += ["| deciding test | speaks for | against | units |", "|---|---|---|---|"]
        lines += [_row(test) for test in claim.TESTS]
        lines.append("")
        tests = "; ".join(f"{test.name} ({test.asked})" for test in registry.secondary(claim))
        lines += [_wrapped(f"{f'*Secondary*: {tests}. ' if tests else ''}Needs {needs}; {family}."), ""]
    return "\n".join(lines)


def _wrapped(text: str) -> str:
    """Break a paragraph into lines; none begins with a sign, which would make a list of it."""
    kept = text.replace(" - ", "\0-\0").replace(" + ", "\0+\0")
    lines = textwrap.wrap(kept, 120, break_on_hyphens=False, break_long_words=False)
    return "\n".join(lines).replace("\0", " ")


def _row(test: Test) -> str:
    beyond = {"above": "below ", "below": "above ", "within": "outside ±"}[test.side]
    name = test.name.replace("|", "\\|")
    return f"| {name} | {test.asked} | {beyond}{test.contrary:g} | {test.units} |"


if __name__ == "__main__":
    sys.stdout.write(render())
