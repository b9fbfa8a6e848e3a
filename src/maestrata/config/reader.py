"""YAML as a reader sees it: what is plain means what it looks like, or is refused in one line.

PyYAML follows YAML 1.1, where ``010`` is 8, ``1:30`` is 90, ``no`` is false and ``2024-05-01`` is a date,
while ``2e-3`` is text. Other programs read the same file in that way (Snakemake among them), so such literals
are not given another meaning here: they are refused, with the way to write them.
"""

from __future__ import annotations

import re
from math import isfinite
from typing import Any

import yaml

from maestrata.bounds import MOST_NESTED, MOST_VALUES

Key = tuple[str | int, ...]

_WORDS: dict[str, bool | None] = dict.fromkeys(("null", "Null", "NULL", "~", ""))
_WORDS |= dict.fromkeys(("true", "True", "TRUE"), True) | dict.fromkeys(("false", "False", "FALSE"), False)
_DIGITS = r"(?:0|[1-9][0-9]*|[1-9][0-9]{0,2}(?:_[0-9]{3})+)"
_NUMBER = re.compile(rf"[-+]?(?:{_DIGITS}(\.[0-9]*)?|(\.[0-9]+))([eE][-+]?[0-9]+)?")
# What looks like a number and is none of those: leading zeros, groups that are not of three, 0x1f, 0o17.
_LIKE_A_NUMBER = re.compile(r"[-+]?(?:[0-9][0-9_]*(?:\.[0-9_]*)?(?:[eE][-+]?[0-9]+)?|0[oxbOXB][0-9a-fA-F_]+)")
_MERGE = "tag:yaml.org,2002:merge"
_TOO_LARGE = 2**63


class Literal(yaml.MarkedYAMLError):
    """A value that cannot be taken as it is written; `key` says where it stands."""

    def __init__(self, problem: str, node: Any, key: Key = ()) -> None:
        super().__init__(problem=problem, problem_mark=node.start_mark)
        self.key = key


def read_yaml(text: str) -> Any:
    """Read one YAML document into mappings, lists, text, numbers, truth values and None.

    A merge key (``<<``) takes the keys of another mapping, and those written beside it win. A key given
    twice, a tag (``!!set``), an anchor that holds itself and what is nested or grown beyond
    `maestrata.bounds` are errors.

    Raises
    ------
    yaml.YAMLError
        Of one `problem`, with its place where it is known.

    Examples
    --------
    >>> read_yaml("{lr: 2e-3, images: 240_000, label: 2x1o}")
    {'lr': 0.002, 'images': 240000, 'label': '2x1o'}
    >>> read_yaml("[{<<: &a {x: 1, y: 2}, x: 3}]")
    [{'x': 3, 'y': 2}]
    """
    try:
        return yaml.load(text, _Loader)
    except (
        ValueError,
        OverflowError,
    ) as error:  # an escape such as "\UFFFFFFFF", which PyYAML does not catch
        raise yaml.YAMLError(f"text with an escape that is no character ({error})") from None


def is_text(value: str) -> bool:
    """Whether a text can be written to a file and handed to a program: no NUL, no half of a character."""
    return not any(c == "\0" or "\ud800" <= c <= "\udfff" for c in value)


def plain(literal: str) -> Any:
    """Return what a literal without quotes means.

    Raises
    ------
    ValueError
        If readers of YAML differ about it, or it is too large a number; the message says how to write it.
    """
    if literal in _WORDS:
        return _WORDS[literal]
    number = _NUMBER.fullmatch(literal)
    if number is None:
        read, write = _elsewhere(literal)
        if read:
            raise ValueError(f"{literal} is {read}: {write}put text in quotes ('{literal}')")
        return literal
    # a whole number of thousands of digits cannot even be converted
    value = float(literal.replace("_", ""))
    whole = not any(number.groups())
    if not isfinite(value) or (whole and abs(value) >= _TOO_LARGE):
        raise ValueError(f"{literal} is too large a number")
    return int(literal) if whole else value


def _elsewhere(literal: str) -> tuple[str, str]:
    """Say what else a literal may be read as, and how to write that; empty where it is text to everybody."""
    digits, truth = "write it in decimal digits without leading zeros, or ", "write true or false, or "
    for tag, pattern in yaml.SafeLoader.yaml_implicit_resolvers.get(literal[:1], ()):
        if pattern.match(literal):
            kind = tag.rpartition(":")[2]
            if kind in ("int", "float", "bool"):
                value = str(yaml.load(literal, yaml.SafeLoader)).lower()
                return f"{value} to some readers of YAML", truth if kind == "bool" else digits
            what = {"timestamp": "a date", "merge": "a merge key"}.get(kind, f"a {kind}")
            return f"{what} to some readers of YAML", ""
    return ("no plain number", digits) if _LIKE_A_NUMBER.fullmatch(literal) else ("", "")


class _Loader(yaml.SafeLoader):
    """The composer checks, since only there is everything as it was written."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 -- as PyYAML declares it: `plain` decides

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._key: list[str | int] = []
        self._open: set[str] = set()
        self._values: dict[int, int] = {}  # how many values a node holds, aliases counted each time

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()
        part = index.value if isinstance(index, yaml.ScalarNode) else index
        if parent is not None and index is not None:
            self._key.append(part)
        if len(self._key) > MOST_NESTED:
            raise Literal(f"nested deeper than {MOST_NESTED}", event)
        if self.check_event(yaml.AliasEvent) and event.anchor in self._open:
            raise Literal(f"anchor {event.anchor!r} must not hold itself", event, self._here)
        if getattr(event, "tag", None) is not None:
            raise Literal(
                f"tag {event.tag.replace('tag:yaml.org,2002:', '!!')!r} must not be given", event, self._here
            )
        opened = event.anchor if not self.check_event(yaml.AliasEvent) else None
        self._open |= {opened} if opened else set()
        node = super().compose_node(parent, index)
        self._open.discard(opened)
        if id(node) not in self._values:
            self._values[id(node)] = self._check(node, is_key=parent is not None and index is None)
        if parent is not None and index is not None:
            self._key.pop()
        return node

    @property
    def _here(self) -> Key:
        return tuple(self._key)

    def _check(self, node: Any, is_key: bool) -> int:
        """Check a node; return how many values it holds."""
        if isinstance(node, yaml.ScalarNode):
            if not is_text(node.value):
                raise Literal(f"{node.value!r} holds what is no character of a text", node, self._here)
            if node.style is None:
                node.tag = self._tag(node, is_key)
            return 1
        if isinstance(node, yaml.MappingNode):
            self._check_keys(node)
            parts = [value for _, value in node.value]
        else:
            parts = node.value
        count = 1 + sum(self._values[id(part)] for part in parts)
        if count > MOST_VALUES:
            raise Literal(f"more than {MOST_VALUES:,} values, anchors counted each time", node, self._here)
        return count

    def _tag(self, node: Any, is_key: bool) -> str:
        if is_key and node.value == "<<":
            return _MERGE
        try:
            value = plain(node.value)
        except ValueError as error:
            raise Literal(str(error), node, self._here) from None
        return f"tag:yaml.org,2002:{'plain' if not isinstance(value, str) else 'str'}"

    def _check_keys(self, node: Any) -> None:
        seen: set[str] = set()
        for key, _ in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else "of several values"
            if not isinstance(key, yaml.ScalarNode) or key.tag.endswith(":plain"):
                raise Literal(f"key {name} must be text", key, self._here)
            if name in seen:
                raise Literal(f"key {name!r} is given twice", key, self._here)
            seen.add(name)

    def construct_plain(self, node: Any) -> Any:
        return plain(node.value)

    def refuse(self, node: Any) -> Any:
        raise Literal("must be a mapping, a list or a plain value", node)


_Loader.yaml_constructors = {
    "tag:yaml.org,2002:plain": _Loader.construct_plain,
    "tag:yaml.org,2002:str": _Loader.construct_yaml_str,
    "tag:yaml.org,2002:seq": _Loader.construct_yaml_seq,
    "tag:yaml.org,2002:map": _Loader.construct_yaml_map,
    None: _Loader.refuse,
}
