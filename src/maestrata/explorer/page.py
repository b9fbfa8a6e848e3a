"""The explorer's page: one HTML file that holds its data, its scripts and its looks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape
from importlib.resources import files
from typing import Any

from maestrata.text import one_line

SCRIPTS = ("shared.js", "svg.js", "scores.js", "tree.js", "verdicts.js")
"""Scripts of the page, in their order; each may use those before it."""


def page(data: Mapping[str, Any], fingerprint: str = "") -> str:
    """Return the page of a run.

    Parameters
    ----------
    data : mapping
        As `maestrata.explorer.data.data_of` gives it.
    fingerprint : str
        Of the code that makes it, told in a comment.
    """
    note = f" [{one_line(data['note'])}]" if data["note"] else ""
    title = escape(f"Explorer: run {one_line(data['title'])}{note}")
    # the data must not end the script that they stand in
    held = json.dumps(data, separators=(",", ":"), ensure_ascii=False, allow_nan=False).replace(
        "<", "\\u003c"
    )
    scripts = "\n".join(_read(name) for name in SCRIPTS)
    body = _read("body.html").replace("TITLE", title)
    return f"""<!DOCTYPE html>
<html lang="en">
<!-- fingerprint: {fingerprint} -->
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>{title}</title>
<style>
{_read("page.css")}</style>
</head>
<body>
{body}<script>
"use strict";
const DATA = {held};
{scripts}</script>
</body>
</html>
"""


def _read(name: str) -> str:
    return files("maestrata.explorer").joinpath(name).read_text(encoding="utf-8")
