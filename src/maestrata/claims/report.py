"""The verdicts as a cube and in markdown, and the words that the HTML page (`page`) shares.

The same outcomes give the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import isfinite, nan
from typing import TYPE_CHECKING, Any

import numpy as np

from maestrata.claims import registry
from maestrata.claims.picture import LOOKS, counted
from maestrata.claims.rule import MIN_WORLDS, Contrast
from maestrata.claims.verdict import Outcome
from maestrata.claims.words import ranges
from maestrata.cubes.io import build
from maestrata.cubes.schema import KINDS
from maestrata.results import Model
from maestrata.text import in_markdown

if TYPE_CHECKING:
    import xarray as xr


def dataset(outcomes: Sequence[Outcome], commit: str = "") -> xr.Dataset:
    """Return a cube of kind ``verdicts`` (docs/cubes.md); `commit` is the one that fixed the claims."""
    variables = KINDS["verdicts"].variables
    flags = variables["verdict"].flags or {}
    code = {name: number for number, name in flags.items()}
    contrasts = [(outcome, c) for outcome in outcomes for c in outcome.contrasts]
    rows = [(k, row) for k, (_, c) in enumerate(contrasts) for row in c.rows]
    models = [(outcome, model) for outcome in outcomes for model in outcome.models]
    data: dict[str, Any] = {
        "verdict": [code[o.verdict] for o in outcomes],
        "title": [str(o.claim.TITLE) for o in outcomes],
        "sentence": [o.sentence for o in outcomes],
        "rule": [str(o.claim.RULE) for o in outcomes],
        "ours": [int(registry.ours(o.claim)) for o in outcomes],
        "claim_fingerprint": [registry.fingerprint(o.claim) for o in outcomes],
        "p": [o.p for o in outcomes],
        "p_holm": [o.p_holm for o in outcomes],
        "n_worlds": [o.n_worlds for o in outcomes],
        "contrast_claim": [o.label for o, _ in contrasts],
        "contrast_name": [c.name for _, c in contrasts],
        "contrast_units": [c.units for _, c in contrasts],
        "decides": [int(c.decides) for _, c in contrasts],
        "estimate": [c.estimate for _, c in contrasts],
        "low": [c.low for _, c in contrasts],
        "high": [c.high for _, c in contrasts],
        "threshold": [c.test.threshold for _, c in contrasts],
        "contrast_worlds": [len(c.rows) for _, c in contrasts],
        "row_contrast": [k for k, _ in rows],
        "row_world": [row.world for _, row in rows],
        "row_world_seed": [row.world_seed for _, row in rows],
        "row_seeds": [row.seeds for _, row in rows],
        "row_value": [row.value for _, row in rows],
        "row_low": [row.low for _, row in rows],
        "row_high": [row.high for _, row in rows],
        "model_claim": [o.label for o, _ in models],
        "model_name": [model.name for _, model in models],
        "model_world": [model.world for _, model in models],
        "model_world_seed": [model.world_seed for _, model in models],
        "model_seed": [model.seed for _, model in models],
        "model_progress": [model.progress for _, model in models],
        "model_gate": [model.gate if isfinite(model.gate) else nan for _, model in models],
    }
    # An empty list has no type of its own.
    typed = {name: np.array(values, dtype=variables[name].dtype) for name, values in data.items()}
    return build("verdicts", {"claim": [o.label for o in outcomes]}, typed, {"claims_commit": commit})


def markdown(outcomes: Sequence[Outcome], note: str = "", commit: str = "") -> str:
    """Return the verdicts as a markdown page: a row a claim, then every contrast, then the models' progress.

    Parameters
    ----------
    outcomes : sequence of Outcome
    note : str
        Told in the title, such as "smoke: not evidence".
    commit : str
        The commit that fixed the claims.
    """
    lines = [f"# {page_title(in_markdown(note))}", "", summary(outcomes), "", fixed(commit), ""]
    for heading, part in parts(outcomes):
        lines += [f"## {heading}", "", *_markdown_table(_VERDICT, map(_verdict, part)), ""]
    head = ("#", *ABOUT, "lies")
    contrasts = [(o.label, *about(c), c.lies if c.decides else "") for o in outcomes for c in o.contrasts]
    lines += ["## Contrasts", "", HELP, "", *_markdown_table(head, contrasts), ""]
    progress = [(o.label, *row) for o in outcomes for row in progress_rows(o)]
    lines += ["## Progress of the models that decide", "", PROGRESS_HELP, ""]
    lines += _markdown_table(("#", *PROGRESS), progress)
    return "\n".join(lines) + "\n"


def _markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    told = [f"| {' | '.join(_cell(text) for text in row)} |" for row in (head, *rows)]
    return [told[0], "|---" * len(head) + "|", *told[1:]]


_VERDICT = ("#", "claim", "verdict", "what came out", "worlds", "p", "p (Holm)")


def _verdict(o: Outcome) -> tuple[str, ...]:
    worlds = f"{o.n_worlds}{f' ({seeds})' if (seeds := seeds_text(o)) else ''}"
    return o.label, o.claim.TITLE, LOOKS[o.verdict].text, o.sentence, worlds, p_text(o.p), p_text(o.p_holm)


def parts(outcomes: Sequence[Outcome]) -> list[tuple[str, list[Outcome]]]:
    """Split the claims into the paper's and ours; none that is empty."""
    headings = (("The paper's claims", False), ("Ours", True))
    split = [(heading, [o for o in outcomes if registry.ours(o.claim) == ours]) for heading, ours in headings]
    return [(heading, part) for heading, part in split if part]


def seeds_text(outcome: Outcome) -> str:
    """Say of which worlds the deciding contrasts are, such as ``grammar 100-111``.

    Seeds without a gap are told as a range.
    """
    worlds: dict[str, set[int]] = {}
    for c in outcome.deciding:
        for row in c.rows:
            worlds.setdefault(row.world, set()).add(row.world_seed)
    return "; ".join(f"{world} {ranges(sorted(seeds))}" for world, seeds in sorted(worlds.items()))


PROGRESS = ("models", "world", "number", "median progress", "least", "gate", "below it")
PROGRESS_HELP = (
    "Share explained of what can be explained of masked tokens, on fresh images: (variance - loss) / "
    "(variance - Bayes loss). Models below their gate are not trained, and left out. A dash: no exact "
    "inference, so it is not known and there is no gate."
)


def progress_rows(outcome: Outcome) -> list[tuple[str, ...]]:
    """Rows of the table of progress: the models of a claim's deciding contrasts, by where they are from."""
    groups: dict[tuple[str, str], list[Model]] = {}
    for model in outcome.models:
        groups.setdefault((model.name, model.world), []).append(model)
    rows: list[tuple[str, ...]] = []
    for (name, world), models in groups.items():
        known = [model.progress for model in models if isfinite(model.progress)]
        numbers = (f"{np.median(known):.2f}", f"{min(known):.2f}") if known else ("–", "–")
        gate = f"{models[0].gate:g}" if known and isfinite(models[0].gate) else "none"
        below = sum(not model.trained for model in models)
        rows.append((name, world, str(len(models)), *numbers, gate, str(below)))
    return rows


def worlds_text(c: Contrast) -> str:
    """Say how many worlds are in a contrast, and how many are left out."""
    return f"{len(c.rows)}" + (f" ({c.left_out} left out)" if c.left_out else "")


ABOUT = ("contrast", "decides", "mean over worlds [95 %]", "units", "speaks for", "worlds")


def about(c: Contrast) -> tuple[str, ...]:
    """Cells of a table of contrasts."""
    decides = "yes" if c.decides else "secondary"
    return c.name, decides, c.text(".3g"), c.units, c.test.asked, worlds_text(c)


def page_title(note: str) -> str:
    """Return the title of both pages."""
    return "Verdicts on the claims" + (f" [{note}]" if note else "")


def fixed(commit: str) -> str:
    """Say as of which commit claims are judged: whether it is older than the models, the reader can tell."""
    named = f", last changed by commit {commit}" if commit else ""
    return f"Statistics, thresholds and directions are those of the claims' files{named}."


def summary(outcomes: Sequence[Outcome]) -> str:
    """Count the verdicts."""
    return counted([outcome.verdict for outcome in outcomes])


HELP = (
    "Intervals are 95 % t intervals over worlds (ci_world), training seeds averaged within a world; p "
    "values are exact sign-flip tests, corrected by Holm over the claims that train models. With fewer "
    f"than {MIN_WORLDS} worlds such a claim is inconclusive by rule, whatever its number."
)


def p_text(p: float) -> str:
    """Write a p value; a dash for none."""
    return f"{p:.2g}" if isfinite(p) else "–"


def _cell(text: str) -> str:
    """Text for a cell of a markdown table."""
    return " ".join(text.split()).replace("|", "\\|")
