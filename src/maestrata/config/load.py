"""Loading of a config: files are merged, checked whole before anything runs, and frozen.

`load_config` gives a `Config`, or a `ConfigError` of one line that names the key, its value, what is allowed,
and the file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, NotRequired, Union, get_args, get_origin, get_type_hints

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from maestrata.config.checks import check
from maestrata.config.files import Key, Layers, key_path, printable, read_layers
from maestrata.config.sections import Config
from maestrata.errors import ConfigError, MaestrataError
from maestrata.modules import use

_PLAIN_WORDS = {
    "a valid array": "a list",
    "an object": "a mapping",
    "a valid string": "text",
    "a valid integer": "a whole number",
    "a valid boolean": "true or false",
    "a valid ": "a ",
}
"""Pydantic's words -> those of a config."""
UNKNOWN = ("extra_forbidden", "unexpected_keyword_argument")


def load_config(
    path: str | Path, *more: str | Path, overrides: Mapping[str, Any] | Sequence[str] = ()
) -> Config:
    """Read, merge and check a config.

    Parameters
    ----------
    path, *more : str or Path
        YAML files; each may name a file it `extends`, and later ones win over earlier ones.
    overrides : mapping or sequence of str
        Values that win over all files; as text, ``KEY=VALUE``, as ``snakemake --config`` takes them.

    Returns
    -------
    Config
        Frozen.

    Raises
    ------
    ConfigError
        In one line: key path, value, what is allowed, and the file it is from.
    """
    try:
        layers = read_layers([path, *more], overrides, _TEXTS)
        values = _without_null(layers.merged(), Config)
        try:
            _place_files(values, layers)
            # as JSON: lists are read as tuples, and strictly nothing else is coerced
            config = Config.model_validate_json(json.dumps(values, default=str))
            check(config)
        except ValidationError as error:
            raise ConfigError(_explain(error.errors(), values, layers)) from None
        except ConfigError as error:
            raise ConfigError(_placed(str(error), error.key, layers)) from None
    except ConfigError as error:
        raise ConfigError(printable(str(error))) from None
    return config


def json_schema() -> str:
    """Return the JSON schema of a config file, as text; workflow/schemas/config.schema.json holds it."""
    schema = Config.model_json_schema()
    schema["properties"]["extends"] = {"type": "string", "description": "config file that this one builds on"}
    schema.pop("required")  # an extending file may leave out anything
    for section in schema["$defs"].values():  # of a docstring what the section is, not what it raises
        section["description"] = section["description"].split("\n\n")[0].replace("\n", " ")
    return json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}, indent=2) + "\n"


def _placed(message: str, key: Key, layers: Layers) -> str:
    """Say where an error is: at the head where its message begins with the key's name, else at the end."""
    at = max((i for i, part in enumerate(key) if isinstance(part, str)), default=0)
    if key and message.startswith((f"{key[at]}=", f"{key[at]}[")):
        return f"{key_path(key[: at + 1])}{message.removeprefix(str(key[at]))} (config: {layers.origin(key)})"
    return f"{message} (config: {key_path(key)}, {layers.origin(key)})"


def _place_files(values: dict[str, Any], layers: Layers) -> None:
    """Take paths relative to the file that names them, and let the plugins be found."""
    worlds = values.get("worlds")
    for label, world in worlds.items() if isinstance(worlds, dict) else ():
        if isinstance(world, dict) and isinstance(world.get("path"), str) and world["path"]:
            world["path"] = layers.place(world["path"], ("worlds", label, "path"))
    plugins = values.get("plugins", [])
    if isinstance(plugins, list) and all(isinstance(path, str) for path in plugins):
        values["plugins"] = [layers.place(path, ("plugins",)) for path in plugins]
        use(values["plugins"])  # before the values are checked, which may name what they define


def _without_null(value: Any, kind: Any) -> Any:
    """Take out keys that are null, which stand for their defaults; null that means something is kept."""
    if isinstance(value, list):
        items = (get_args(_plain(kind)) or (Any,))[0]
        return [_without_null(item, items) for item in value]
    if not isinstance(value, dict):
        return value
    keys = _keys(_plain(kind))
    item = (get_args(_plain(kind)) or (Any,))[-1]
    return {
        key: _without_null(one, keys.get(key, item))
        for key, one in value.items()
        if one is not None or (keys and (key not in keys or _may_be_null(keys[key])))
    }


def _explain(errors: list[ErrorDetails], raw: Any, layers: Layers) -> str:
    """Say in one line what is wrong: an unknown key before all, which may be another one misspelt.

    A union has one error per branch, which are told together.
    """
    first = min(errors, key=lambda error: error["type"] not in UNKNOWN)
    key = _key_in_file(first, raw)
    name, value = key_path(key), first["input"]
    cause = first.get("ctx", {}).get("error")
    if isinstance(cause, MaestrataError):  # the check of a dataclass
        return _placed(str(cause), (*key, *cause.key), layers)
    match first["type"]:
        case kind if kind in UNKNOWN:
            allowed = _keys(_type_at(key[:-1]))
            text = f"{name}: unknown key; allowed here: {', '.join(allowed)}"
            if "settings" in allowed:
                text += " (a setting of its own belongs under settings)"
        case "missing":
            text = f"{name} must be given"
        case "string_pattern_mismatch":
            what = "a name of letters, digits, - and _ (64 at most)"
            if "/" in first["ctx"]["pattern"]:
                what = "a folder: plain names joined by /, without '..'"
            text = f"{name}={value!r} must be {what}"
        case _:
            branches = [e["msg"].removeprefix("Value error, ") for e in errors if _key_in_file(e, raw) == key]
            subject = name + (":" if isinstance(value, dict) else f"={value!r}")
            text = f"{subject} {' or '.join(branches).replace('Input should', 'must')}"
            for words, plain in _PLAIN_WORDS.items():
                text = text.replace(words, plain)
            if isinstance(value, int | float) and text.endswith("be text"):
                text += f": put it in quotes ('{json.dumps(value)}')"
    return f"{text} (config: {layers.origin(key)})"


def _key_in_file(error: ErrorDetails, raw: Any) -> Key:
    """Drop from pydantic's location what is no key of the file, such as the branch of a union."""
    key: list[str | int] = []
    for part in error["loc"]:
        here: Any = raw if isinstance(raw, dict) else dict(enumerate(raw)) if isinstance(raw, list) else {}
        if part in here:
            key.append(part)
            raw = here[part]
    return (*key, error["loc"][-1]) if error["type"] == "missing" else tuple(key)


def _type_at(key: Key) -> Any:
    """Find the type of the value at a key path."""
    at: Any = Config
    for part in key:
        keys = _keys(at)
        at = _plain(keys[part] if part in keys else get_args(at)[-1 if get_origin(at) is dict else 0])
    return at


def _plain(kind: Any) -> Any:
    """Take away what surrounds a type: its annotations, and the None that may stand in its place."""
    while get_origin(kind) in (Annotated, NotRequired, Union, UnionType):
        kind = get_args(kind)[0]
    return kind


def _may_be_null(kind: Any) -> bool:
    while get_origin(kind) in (Annotated, NotRequired):
        kind = get_args(kind)[0]
    return type(None) in get_args(kind)


def _keys(section: Any) -> dict[Any, Any]:
    """Return the keys of a section with their types; empty where it has no keys of its own."""
    return get_type_hints(section) if hasattr(section, "__annotations__") else {}


_TEXTS = frozenset(name for name, kind in _keys(Config).items() if _plain(kind) is str)
"""Keys whose values are text: at the command line they are taken as they stand."""


if __name__ == "__main__":
    print(json_schema(), end="")
