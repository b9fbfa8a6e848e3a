"""Compare what a run's files say made them with the code at hand: for when Snakemake's own memory is gone.

``maestrata verify [FILE]``, or ``snakemake verify``, names every file that differs, and compares the finished
cubes with published ones (`maestrata.run.compare`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from maestrata.errors import MaestrataError
from maestrata.run.compare import KINDS, compare_run
from maestrata.run.differences import Comparison
from maestrata.run.plan import Plan
from maestrata.run.record import damage, recorded


def verify(plan: Plan) -> list[str]:
    """Name every file of a run that is missing, damaged, or was made by other code than that at hand.

    All of each file is read, and checked against its checksum and its schema.

    Parameters
    ----------
    plan : Plan
        Its paths are taken from the working directory.

    Returns
    -------
    list of str
        One line a file, in the order of the stages; empty if all is as it should be.
    """
    problems = []
    for path, expected in plan.expected().items():
        if not Path(path).is_file():
            problems.append(f"{path}: missing")
            continue
        wrong = damage(Path(path))
        if wrong is not None:
            problems.append(f"{path}: {wrong}")
            continue
        code = recorded(Path(path))
        if code not in expected:
            made = f"made by code {code}" if code else "records no fingerprint"
            problems.append(f"{path}: {made}; the code at hand is {expected[0]}")
    return problems


def left_behind(plan: Plan) -> list[str]:
    """List the temporary files that killed jobs left beside their outputs, or would have gone on from."""
    patterns = (".*.tmp", "checkpoint.bin")
    return sorted(str(path) for pattern in patterns for path in Path(plan.folder).rglob(pattern))


def _tell(comparisons: Sequence[Comparison], reference: Path) -> None:
    """Print what was compared, what was not and why, and what differs."""
    if not comparisons:
        print(f"no cube of {', '.join(KINDS)} is both here and in {reference}: nothing compared with it")
    for one in comparisons:
        print(one.summary, *one.apart, *one.differing, sep="\n")
    beyond = sum(len(one.differing) for one in comparisons)
    versions = next((one.versions for one in comparisons if one.versions), "")
    if beyond:
        told = f"{beyond} differences from {reference} are larger than those between two processors"
        print(f"{told}{'; other versions: ' + versions if versions else ''} (docs/reruns.md, Verify)")
    elif any(one.values for one in comparisons):
        print(f"what was compared agrees with {reference} as closely as two processors do")


def tell(plan: Plan, reference: Path) -> int:
    """Verify a run, compare its cubes with published ones, and print what is wrong.

    Parameters
    ----------
    plan : Plan
    reference : Path
        Folder of published cubes.

    Returns
    -------
    int
        0 if every file is whole and of the code at hand, and cubes agree with the published ones as closely
        as two processors do; 1 if not.
    """
    problems = verify(plan)
    print(
        *problems,
        f"{len(plan.expected())} files, {len(problems)} not as the code at hand makes them",
        sep="\n",
    )
    left = left_behind(plan)
    if left:
        print(f"{len(left)} temporary files of jobs that were killed or still run, such as {left[0]}")
    try:
        comparisons = compare_run(Path(plan.path("cube")).parent, reference, plan.config.worlds)
    except MaestrataError as error:
        print(f"not compared with {reference}: {error}")
        return 1
    _tell(comparisons, reference)
    return 1 if problems or any(one.differing for one in comparisons) else 0
