"""By which code the files of a rule are made: the fingerprint of its step, and of what this finds by name."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from maestrata import modules
from maestrata.run.fingerprint import fingerprint
from maestrata.run.layout import STACK

_PACKAGE = Path(__file__).parent.parent

# Rule -> modules of maestrata that its step finds by a name: what reading the step's imports cannot see.
# {kind}: that of the job's world, or of every world where the job has none; {probe}: every probe of the
# config; {claim}: every claim. One that does not exist is left out (not every world has an exact posterior).
PLUGINS: dict[str, tuple[str, ...]] = {
    "worlds": ("worlds.{kind}",),
    "theory": ("worlds.{kind}",),
    "limits": ("worlds.{kind}", "inference.{kind}"),
    "pretrain": ("worlds.{kind}",),
    "regress": ("worlds.{kind}", "inference.{kind}", "regression.probes.{probe}"),
    "controls": ("worlds.{kind}", "inference.{kind}", "regression.probes.{probe}"),
    "experiment": (
        "worlds.{kind}",
        "inference.{kind}",
        "experiments.{experiment}",
        "regression.probes.ridge",
    ),
    "collect": (),
    "claims": ("claims.{claim}",),
    "figure": ("figures.{figure}",),
    "explorer": ("worlds.{kind}",),
    STACK: ("worlds.{kind}", "steps._trained"),
}


@lru_cache
def code_of(
    rule: str,
    kinds: tuple[str, ...],
    figure: str,
    experiment: str,
    probes: tuple[str, ...],
    claims: tuple[str, ...],
    plugins: tuple[str, ...],
) -> str:
    """Return the fingerprint of a rule's code: of its step, and of the modules that `PLUGINS` names for it.

    `plugins` are the files outside the package, by which a name may mean another module.
    """
    one = {"figure": figure, "experiment": experiment}
    names = {
        template.format(**one, kind=kind, probe=probe, claim=claim)
        for template in PLUGINS[rule]
        for kind in kinds
        for probe in probes
        for claim in claims
    }
    if experiment:
        names |= set(modules.constant("experiments", experiment, "FINDS", ()))
    there = [name for name in names if _PACKAGE.joinpath(*name.split(".")).with_suffix(".py").is_file()]
    step = "training.stacked" if rule == STACK else f"steps.{rule}"
    files = [path for name in sorted(names) if (path := modules.outside(*name.rpartition(".")[::2]))]
    return fingerprint(f"maestrata.{step}", [f"maestrata.{name}" for name in there], files=files)
