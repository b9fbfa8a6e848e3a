"""Reading config files: YAML, `extends`, and which file a key came from."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from maestrata.errors import ConfigError

Key = tuple[str | int, ...]
RENAMED = {"interventions": "experiments"}
"""Keys of earlier versions, with their names of today."""


def key_path(key: Key) -> str:
    """Write a key path as in ``grid[0].mask_ratios[3]``."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in key)
    return text.removeprefix(".") or "(top level)"


class _Loader(yaml.SafeLoader):
    """YAML without two traps: a key given twice is an error, and 2e-3 is a number."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            wrong = (
                "must be text"
                if not isinstance(key, str)
                else "is given twice"
                if keys.count(key) > 1
                else ""
            )
            if wrong:
                raise yaml.constructor.ConstructorError(None, None, f"key {key!r} {wrong}", node.start_mark)
        return super().construct_mapping(node, deep)


# YAML 1.1 takes 2e-3, without a dot, for text.
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?(\d[\d_]*)(\.\d*)?[eE][-+]?\d+$"), list("-+0123456789")
)


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
        """Name the file that sets `key`, or as much of its beginning as any file sets."""
        depth = {source: _depth(layer, key) for source, layer in reversed(self.layers)}
        best = max(depth.values())
        return next(source for source, _ in self.layers if depth[source] == best)


def read_layers(paths: Sequence[str | Path], overrides: Mapping[str, Any] | None = None) -> Layers:
    """Read config files and those they extend.

    Parameters
    ----------
    paths : sequence of str or Path
        Later files win over earlier ones.
    overrides : mapping, optional
        Values from the command line, which win over all files.

    Raises
    ------
    ConfigError
        If a file cannot be read, is not a YAML mapping, extends itself, or has a key that has been renamed.
    """
    given = {
        key: _typed(value) if not isinstance(value, str) else value
        for key, value in (overrides or {}).items()
    }
    _refuse_old_names(given, "--config")
    layers: list[tuple[str, Mapping[str, Any]]] = [("--config", given)] if given else []
    for path in reversed(paths):
        layers += _read_chain(Path(path), ())
    return Layers(tuple(layers))


def _refuse_old_names(layer: Mapping[str, Any], source: str) -> None:
    for old, new in RENAMED.items():
        if old in layer:
            raise ConfigError(f"{old}: this key is now called {new} (config: {source})")


def _read_chain(path: Path, above: tuple[Path, ...]) -> list[tuple[str, Mapping[str, Any]]]:
    where = path.resolve()
    if where in above:
        chain = " -> ".join(file.name for file in (*above, where))
        raise ConfigError(f"extends: a config file must not extend itself ({chain}) (config: {path})")
    layer = dict(_read(path))
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


def _typed(value: Any) -> Any:
    """Give scalars inside a mapping or list their types: Snakemake hands on those of ``--config`` as text."""
    if isinstance(value, Mapping):
        return {key: _typed(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_typed(item) for item in value]
    read = yaml.load(value, _Loader) if isinstance(value, str) else value
    return value if isinstance(read, Mapping | list) else read


def _read(path: Path) -> Mapping[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise ConfigError(f"config file {path} cannot be read: {reason}") from None
    try:
        value = yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        problem = getattr(error, "problem", None) or str(error)
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        raise ConfigError(f"not valid YAML: {problem} (config: {path}{line})") from None
    if not isinstance(value, dict):
        raise ConfigError(f"config file {path} must map keys to values; it holds a {type(value).__name__}")
    return value


def _merge(low: Mapping[str, Any], high: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(low)
    for key, value in high.items():
        old = result.get(key)
        result[key] = _merge(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return result


def _depth(value: Any, key: Key) -> int:
    for depth, part in enumerate(key):
        if isinstance(value, Mapping) and part in value:
            value = value[part]
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            value = value[part]
        else:
            return depth
    return len(key)
