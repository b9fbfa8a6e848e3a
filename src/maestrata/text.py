"""Text of a user, such as the note of a run, written literally wherever it goes.

What a user writes is never markup: no formula, no heading, no emphasis, no substitution.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Container

__all__ = ["any_encoding", "in_markdown", "in_mathtext", "in_rst", "one_line", "width", "with_glyphs", "wrap"]

_MARKUP = re.compile(r"([\\`*_{}\[\]#|<>~$&^])")


def one_line(text: str) -> str:
    r"""Return text on one line: line breaks, tabs and control characters become single spaces.

    Half of a surrogate pair, which no file can hold, becomes ``?``.

    Examples
    --------
    >>> one_line(" first\nsecond\t third ")
    'first second third'
    """
    whole = text.encode("utf-8", "replace").decode("utf-8")
    return " ".join("".join(" " if unicodedata.category(c) == "Cc" else c for c in whole).split())


def in_markdown(text: str) -> str:
    r"""Return text as markdown that shows it literally.

    Examples
    --------
    >>> print(in_markdown("$x_1$ *not* evidence"))
    \$x\_1\$ \*not\* evidence
    """
    return _MARKUP.sub(r"\\\1", one_line(text))


def in_rst(text: str) -> str:
    """Return text as reStructuredText, of Snakemake's report, that shows it literally."""
    return re.sub(r"([^\w\s])", r"\\\1", one_line(text)).replace("_", r"\_")


def in_mathtext(text: str) -> str:
    """Return text as matplotlib shows it literally: no ``$`` begins a formula."""
    return text.replace("$", r"\$")


def with_glyphs(text: str, known: Container[int]) -> str:
    r"""Replace the characters that a font lacks by their code points.

    Parameters
    ----------
    text : str
    known : container of int
        Code points of the font's glyphs.

    Examples
    --------
    >>> with_glyphs("試験 run", {ord(c) for c in " run"})
    'U+8A66 U+9A13 run'
    """
    told = ""
    for character in text:
        if ord(character) in known:
            told += character
        else:
            told += f"{' ' if told and told[-1] not in ' [(' else ''}U+{ord(character):04X}"
    return told


def width(text: str) -> float:
    """Return the columns that text takes in a proportional font: capitals take more, Chinese takes two.

    Examples
    --------
    >>> width("a試")
    3.0
    """
    return sum(_width(character) for character in text)


def _width(character: str) -> float:
    if unicodedata.combining(character):
        return 0.0
    if unicodedata.east_asian_width(character) in "WF":
        return 2.0
    return 1.25 if character.isupper() or character in "+%@" else 1.0


def wrap(text: str, columns: int) -> list[str]:
    """Break text into lines of at most `columns`, between words where it can, else within one.

    Spaces that do not break keep words together as long as they fit on a line.

    Examples
    --------
    >>> wrap("one two threefour", 7)
    ['one two', 'threefo', 'ur']
    """
    lines = [""]
    for word in text.split(" "):
        joined = f"{lines[-1]} {word}".strip(" ")
        if width(joined) <= columns:
            lines[-1] = joined
            continue
        if "\u00a0" in word and width(word) > columns:
            more = wrap(f"{lines[-1]} {word}".strip(" ").replace("\u00a0", " "), columns)
            lines[-1:] = more
            continue
        lines.append("")
        for character in word:
            if width(lines[-1] + character) > columns:
                lines.append("")
            lines[-1] += character
    return [line for line in lines if line]


def any_encoding() -> None:
    """Let standard output take every character: one that its encoding lacks is told by its code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
