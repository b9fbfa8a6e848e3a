"""The verdict table: as a cube, in markdown, and as one HTML page with a small picture for each claim.

The same outcomes give the same bytes. The page needs no other file and no network; verdicts are told by
word and sign, and by colours that the colour-blind can tell apart.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from html import escape
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from maestrata.claims.picture import LOOKS, picture
from maestrata.claims.rule import Contrast
from maestrata.claims.verdict import MIN_WORLDS, Outcome, Verdict
from maestrata.cubes.io import build
from maestrata.cubes.schema import KINDS
from maestrata.errors import ClaimError
from maestrata.text import in_markdown, one_line

if TYPE_CHECKING:
    import xarray as xr


def dataset(outcomes: Sequence[Outcome]) -> xr.Dataset:
    """Return a cube of kind ``verdicts`` (docs/cubes.md)."""
    variables = KINDS["verdicts"].variables
    flags = variables["verdict"].flags or {}
    code = {name: number for number, name in flags.items()}
    contrasts = [(outcome, c) for outcome in outcomes for c in outcome.contrasts]
    rows = [(k, row) for k, (_, c) in enumerate(contrasts) for row in c.rows]
    data: dict[str, Any] = {
        "verdict": [code[o.verdict] for o in outcomes],
        "title": [str(o.claim.TITLE) for o in outcomes],
        "sentence": [o.sentence for o in outcomes],
        "rule": [str(o.claim.RULE) for o in outcomes],
        "p": [o.p for o in outcomes],
        "p_holm": [o.p_holm for o in outcomes],
        "n_worlds": [o.n_worlds for o in outcomes],
        "contrast_claim": [o.number for o, _ in contrasts],
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
    }
    # An empty list has no type of its own.
    typed = {name: np.array(values, dtype=variables[name].dtype) for name, values in data.items()}
    return build("verdicts", {"claim": [o.number for o in outcomes]}, typed)


def markdown(outcomes: Sequence[Outcome], note: str = "") -> str:
    """Return the verdicts as a markdown page: a row a claim, then every contrast.

    Parameters
    ----------
    outcomes : sequence of Outcome
    note : str
        Told in the title, such as "smoke: not evidence".
    """
    lines = [f"# {_title(in_markdown(note))}", "", _summary(outcomes), "", *_markdown_table(outcomes), ""]
    lines += ["## Contrasts", "", _help(), ""]
    lines += ["| # | contrast | decides | mean over worlds [95 %] | units | speaks for | worlds | lies |"]
    lines += ["|---|---|---|---|---|---|---|---|"]
    for outcome in outcomes:
        for c in outcome.contrasts:
            cells = (str(outcome.number), *_about(c), c.lies if c.decides else "")
            lines.append(f"| {' | '.join(_cell(text) for text in cells)} |")
    return "\n".join(lines) + "\n"


def _markdown_table(outcomes: Sequence[Outcome]) -> list[str]:
    lines = [
        "| # | claim | verdict | what came out | worlds | p | p (Holm) |",
        "|---|---|---|---|---|---|---|",
    ]
    for o in outcomes:
        verdict = f"{LOOKS[o.verdict].sign} {LOOKS[o.verdict].word}"
        cells = (str(o.number), o.claim.TITLE, verdict, o.sentence, str(o.n_worlds), _p(o.p), _p(o.p_holm))
        lines.append(f"| {' | '.join(_cell(text) for text in cells)} |")
    return lines


def page(outcomes: Sequence[Outcome], note: str = "") -> str:
    """Return the verdicts as one self-contained HTML page (see `markdown`)."""
    title = escape(_title(one_line(note)))
    blocks = "\n".join(_article(outcome) for outcome in outcomes)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
{_STYLE}</style>
</head>
<body>
<main>
<h1>{title}</h1>
<p>{escape(_summary(outcomes))}</p>
<p class="help">{escape(_help())} Dots: one world each. Bar and diamond: mean over worlds and its
interval. Dashed: the threshold; shaded: where the claim would be supported. An arrow: it goes on beyond.</p>
{blocks}
</main>
</body>
</html>
"""


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write a text file, whole or not at all.

    Raises
    ------
    ClaimError
        If it cannot be written.
    """
    path = Path(path)
    temporary = path.parent / f".{path.name}.{os.getpid()}.tmp"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(text, encoding="utf-8", newline="\n")
        os.replace(temporary, path)
    except OSError as error:
        raise ClaimError(f"{path}: cannot be written: {error}") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def worlds_text(c: Contrast) -> str:
    """Say how many worlds are in a contrast, and how many are left out."""
    return f"{len(c.rows)}" + (f" ({c.left_out} left out)" if c.left_out else "")


def _article(outcome: Outcome) -> str:
    deciding = [c for c in outcome.contrasts if c.decides and c.rows]
    pictures = "\n".join(
        f"<figure><figcaption>{escape(c.name)}: <b>{escape(c.text('.3g'))}</b> {escape(c.units)}"
        f" <span>(for the claim: {escape(c.test.asked)})</span></figcaption>{picture(c)}</figure>"
        for c in deciding
    )
    p = (
        ""
        if not isfinite(outcome.p)
        else f" · p = {_p(outcome.p)}, {_p(outcome.p_holm)} after Holm's correction"
    )
    look = LOOKS[outcome.verdict]
    badge = f'<span class="verdict" style="background:{look.color}">{look.sign} {look.word}</span>'
    return f"""<article id="claim-{outcome.number}">
<h2><span class="number">{outcome.number}</span> {escape(outcome.claim.TITLE)}
{badge}</h2>
<p>{escape(outcome.sentence)}</p>
{pictures}
<details><summary>{outcome.n_worlds} worlds{p} · what would sink it, and all contrasts</summary>
<p>{escape(outcome.claim.SAYS)}</p>
<p>{escape(outcome.claim.RULE)}</p>
{_contrast_table(outcome.contrasts)}</details>
</article>"""


def _contrast_table(contrasts: Sequence[Contrast]) -> str:
    if not contrasts:
        return ""
    head = ("contrast", "decides", "mean over worlds [95 %]", "units", "speaks for", "worlds")
    lines = ["<table>", "<tr>" + "".join(f"<th>{name}</th>" for name in head) + "</tr>"]
    for c in contrasts:
        lines.append("<tr>" + "".join(f"<td>{escape(text)}</td>" for text in _about(c)) + "</tr>")
    return "\n".join([*lines, "</table>", ""])


def _about(c: Contrast) -> tuple[str, ...]:
    """Cells of a table of contrasts."""
    decides = "yes" if c.decides else "secondary"
    return c.name, decides, c.text(".3g"), c.units, c.test.asked, worlds_text(c)


def _title(note: str) -> str:
    return "Verdicts on the paper's claims" + (f" [{note}]" if note else "")


_ORDER: tuple[Verdict, ...] = ("supported", "contradicted", "inconclusive", "not_run")


def _summary(outcomes: Sequence[Outcome]) -> str:
    counts = [(sum(o.verdict == verdict for o in outcomes), verdict) for verdict in _ORDER]
    told = ", ".join(f"{count} {LOOKS[verdict].word}" for count, verdict in counts if count)
    return f"{len(outcomes)} claim{'s' * (len(outcomes) != 1)}: {told or 'none'}."


def _help() -> str:
    return (
        "Intervals are 95 % t intervals over worlds (ci_world), training seeds averaged within a world; p "
        "values are exact sign-flip tests, corrected by Holm over the claims that train models. With fewer "
        f"than {MIN_WORLDS} worlds such a claim is inconclusive by rule, whatever its number."
    )


def _p(p: float) -> str:
    return f"{p:.2g}" if isfinite(p) else "–"


def _cell(text: str) -> str:
    """Text for a cell of a markdown table."""
    return " ".join(text.split()).replace("|", "\\|")


_STYLE = """\
body { font: 15px/1.5 system-ui, sans-serif; color: #222; background: #fff; margin: 0; }
main { max-width: 50rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; }
h2 { font-size: 1.05rem; margin: 0 0 .3rem; }
article { border-top: 1px solid #ccc; padding: .9rem 0; }
article p { margin: .3rem 0; }
figure { margin: .5rem 0; }
figcaption { font-size: .85rem; }
figcaption span, .help { color: #555; font-size: .85rem; }
svg { display: block; width: 100%; max-width: 30rem; height: auto; }
.number { color: #555; }
.verdict { color: #fff; font-size: .8rem; border-radius: .3rem; padding: .1rem .5rem; white-space: nowrap; }
details { font-size: .85rem; margin-top: .4rem; overflow-x: auto; }
summary { cursor: pointer; color: #555; }
table { border-collapse: collapse; margin: .4rem 0; }
th, td { text-align: left; padding: .1rem .7rem .1rem 0; border-bottom: 1px solid #eee; }
"""
