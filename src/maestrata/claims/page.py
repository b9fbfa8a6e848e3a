"""The verdicts as one HTML page with a small picture for each test.

The page needs no other file and no network; verdicts are told by word and sign, and by colours that the
colour-blind can tell apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from math import isfinite

from maestrata.claims.picture import LOOKS, picture
from maestrata.claims.report import (
    ABOUT,
    HELP,
    PROGRESS,
    PROGRESS_HELP,
    about,
    fixed,
    p_text,
    page_title,
    parts,
    progress_rows,
    seeds_text,
    summary,
)
from maestrata.claims.rule import Contrast
from maestrata.claims.verdict import Outcome
from maestrata.claims.words import worlds
from maestrata.text import one_line


def page(outcomes: Sequence[Outcome], note: str = "", commit: str = "") -> str:
    """Return the verdicts as one self-contained HTML page (see `markdown`)."""
    title = escape(page_title(one_line(note)))
    blocks = "\n".join(
        "\n".join([f"<h2>{heading}</h2>", *(_article(outcome) for outcome in part)])
        for heading, part in parts(outcomes)
    )
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
<p>{escape(summary(outcomes))} {escape(fixed(commit))}</p>
<p class="help">{escape(HELP)} Dots: one world each. Bar and diamond: mean over worlds and its
interval. Dashed: the threshold; shaded: where the claim would be supported. An arrow: it goes on beyond.</p>
{blocks}
</main>
</body>
</html>
"""


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
        else f" · p = {p_text(outcome.p)}, {p_text(outcome.p_holm)} after Holm's correction"
    )
    look = LOOKS[outcome.verdict]
    badge = f'<span class="verdict" style="background:{look.color}">{look.text}</span>'
    told = worlds(outcome.n_worlds)
    if outcome.contrasts:
        told += f": {seeds_text(outcome)}"
    return f"""<article id="claim-{outcome.label.replace(" ", "-")}">
<h3><span class="number">{outcome.label}</span> {escape(outcome.claim.TITLE)}
{badge}</h3>
<p>{escape(outcome.sentence)}</p>
{pictures}
<details><summary>{escape(told)}{p} · what would sink it, and all contrasts</summary>
<p>{escape(outcome.claim.SAYS)}</p>
<p>{escape(outcome.claim.RULE)}</p>
{_contrast_table(outcome.contrasts)}{_progress_table(outcome)}</details>
</article>"""


def _contrast_table(contrasts: Sequence[Contrast]) -> str:
    return _html_table(ABOUT, map(about, contrasts)) if contrasts else ""


def _progress_table(outcome: Outcome) -> str:
    rows = progress_rows(outcome)
    return f"<p>{escape(PROGRESS_HELP)}</p>\n{_html_table(PROGRESS, rows)}" if rows else ""


def _html_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["<table>", "<tr>" + "".join(f"<th>{name}</th>" for name in head) + "</tr>"]
    lines += ["<tr>" + "".join(f"<td>{escape(text)}</td>" for text in row) + "</tr>" for row in rows]
    return "\n".join([*lines, "</table>", ""])


_STYLE = """\
body { font: 15px/1.5 system-ui, sans-serif; color: #222; background: #fff; margin: 0; }
main { max-width: 50rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; }
h2 { font-size: 1.2rem; }
h3 { font-size: 1.05rem; margin: 0 0 .3rem; }
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
