"""Reading config files: YAML, `extends`, and which file a key came from."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from maestrata.config.reader import Key, is_text, read_yaml
from maestrata.errors import ConfigError, reason

COMMAND_LINE = "--config"
"""What stands for a file where values are from the command line."""
RENAMED = {"interventions": "experiments"}
"""Keys of earlier versions, with their names of today."""


_LONGEST = 600  # a list may have thousands of items
_PLAIN = re.compile(r"[^\W\d][\w-]*")


def printable(message: str) -> str:
    """Write a message in one line of printable characters, without the middle where it is very long."""
    line = "".join(c if c.isprintable() else repr(c)[1:-1] for c in message)
    half = _LONGEST // 2
    return line if len(line) <= _LONGEST else f"{line[:half]} ... {line[-half:]}"


def key_path(key: Key) -> str:
    """Write a key path as in ``grid[0].mask_ratios[3]``; a key that is no plain name is quoted."""
    text = "".join(f".{part}" if _PLAIN.fullmatch(str(part)) else f"[{part!r}]" for part in key)
    return text.removeprefix(".") or "(top level)"


@dataclass(frozen=True)
class Layers:
    """The mappings that make a config, the one that wins first, each with the file (or place) it is from."""

    layers: tuple[tuple[str, Mapping[str, Any]], ...]

    def merged(self) -> dict[str, Any]:
        """Merge: mappings key by key, anything else (lists too) replaced whole."""
        result: dict[str, Any] = {}
        for _, layer in reversed(self.layers):
            result = _merge(result, layer)
        return result

    def origin(self, key: Key) -> str:
        """Name the file that the value at `key` is from, or as much of its beginning as any file sets."""
        there: list[tuple[str, Any]] = list(self.layers)
        for part in key:
            inside = [(source, value[part]) for source, value in there if _holds(value, part)]
            if not inside:
                break
            # mappings are merged as far down as all are mappings; anything else hides what is below it
            plain = next((i for i, (_, value) in enumerate(inside) if not isinstance(value, Mapping)), None)
            there = inside if plain is None else inside[: max(plain, 1)]
        return there[0][0]

    def place(self, path: str, key: Key) -> str:
        """Return the path that the value at `key` names, relative to the file that the value is from.

        What lies within the working directory is named from there: a copy of it elsewhere is the same run.
        """
        source = self.origin(key)
        folder = "" if source == COMMAND_LINE else os.path.dirname(source)
        whole = os.path.abspath(os.path.join(folder, os.path.expanduser(path)))
        here = os.path.relpath(whole)
        return whole if here.startswith(os.pardir) else here


def read_layers(
    paths: Sequence[str | Path],
    overrides: Mapping[str, Any] | Sequence[str] = (),
    texts: Collection[str] = (),
) -> Layers:
    """Read config files and those they extend.

    Parameters
    ----------
    paths : sequence of str or Path
        Later files win over earlier ones.
    overrides : mapping or sequence of str
        Values that win over all files; as text, ``KEY=VALUE``, as the command line has them.
    texts : collection of str
        Keys whose values at the command line are text, whatever they look like.

    Raises
    ------
    ConfigError
        If a file cannot be read, is not a YAML mapping, extends itself, or has a key that has been renamed.
    """
    given = [overrides] if isinstance(overrides, Mapping) else [_argument(one, texts) for one in overrides]
    layers: list[tuple[str, Mapping[str, Any]]] = [(COMMAND_LINE, one) for one in reversed(given) if one]
    for source, layer in layers:
        _refuse_old_names(layer, source)
    for path in reversed(paths):
        layers += _read_chain(Path(path), ())
    return Layers(tuple(layers))


def _argument(text: str, texts: Collection[str]) -> dict[str, Any]:
    """Read ``KEY=VALUE``: what stands in quotes, or after a key whose value is text, is text."""
    key, equals, value = text.partition("=")
    if not equals:
        raise ConfigError(f"{text!r} must read KEY=VALUE (config: {COMMAND_LINE})")
    if not is_text(value):
        raise ConfigError(f"{key}={value!r} holds what is no character of a text (config: {COMMAND_LINE})")
    if key in texts and not re.fullmatch(r"(['\"]).*\1", value, re.DOTALL):
        return {key: value}
    return {key: _parsed(value, COMMAND_LINE, (key,))}


def _refuse_old_names(layer: Mapping[str, Any], source: str) -> None:
    for old, new in RENAMED.items():
        if old in layer:
            raise ConfigError(f"{old}: this key is now called {new} (config: {source})")


def _read_chain(path: Path, above: tuple[Path, ...]) -> list[tuple[str, Mapping[str, Any]]]:
    layer, where = dict(_read(path)), Path(os.path.realpath(path))
    if where in above:
        chain = " -> ".join(file.name for file in (*above, where))
        raise ConfigError(f"extends: a config file must not extend itself ({chain}) (config: {path})")
    _refuse_old_names(layer, str(path))
    parent = layer.pop("extends", None)
    if parent is None:
        return [(str(path), layer)]
    if not isinstance(parent, str):
        raise ConfigError(f"extends={parent!r} must be the name of one config file (config: {path})")
    target = path.parent / parent
    if not target.is_file():
        raise ConfigError(
            f"extends={parent!r} must name a config file; there is no {target} (config: {path})"
        )
    return [(str(path), layer), *_read_chain(target, (*above, where))]


def _read(path: Path) -> Mapping[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        why = "it is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else reason(error)
        raise ConfigError(f"config file {path} cannot be read: {why}") from None
    value = _parsed(text, str(path))
    if not isinstance(value, dict):
        what = "nothing" if value is None else f"a {type(value).__name__}"
        raise ConfigError(f"config file {path} must map keys to values; it holds {what}")
    return value


def _parsed(text: str, source: str, key: Key = ()) -> Any:
    try:
        return read_yaml(text)
    except yaml.YAMLError as error:
        mark, key = getattr(error, "problem_mark", None), (*key, *getattr(error, "key", ()))
        about = [getattr(error, name, None) for name in ("context", "problem", "reason")]
        problem = ": ".join(filter(None, about)) or str(error)
        where = key_path(key) if key else "not valid YAML"
        line = f", line {mark.line + 1}" if mark and source != COMMAND_LINE else ""
        raise ConfigError(f"{where}: {problem} (config: {source}{line})") from None


def _merge(low: Mapping[str, Any], high: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(low)
    for key, value in high.items():
        old = result.get(key)
        result[key] = _merge(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return result


def _holds(value: Any, part: str | int) -> bool:
    """Whether a mapping or a list has something at a part of a key path."""
    if isinstance(value, Mapping):
        return part in value
    return isinstance(value, list | tuple) and isinstance(part, int) and part < len(value)
