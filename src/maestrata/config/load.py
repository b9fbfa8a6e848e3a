"""Loading of a config: files are merged, checked whole before anything runs, and frozen.

`load_config` gives a `Config`, or a `ConfigError` of one line that names the key, its value, what is allowed,
and the file.
"""

from __future__ import annotations

import json
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from maestrata.config.files import Key, Layers, key_path, read_layers
from maestrata.config.grid import check
from maestrata.config.sections import Config
from maestrata.errors import ConfigError, MaestrataError


def load_config(path: str | Path, *more: str | Path, overrides: dict[str, Any] | None = None) -> Config:
    """Read, merge and check a config.

    Parameters
    ----------
    path, *more : str or Path
        YAML files; each may name a file it `extends`, and later ones win over earlier ones.
    overrides : dict, optional
        Values that win over all files, such as those of ``snakemake --config``.

    Returns
    -------
    Config
        Frozen.

    Raises
    ------
    ConfigError
        In one line: key path, value, what is allowed, and the file it is from.
    """
    layers = read_layers([path, *more], overrides)
    try:
        # as JSON: lists are read as tuples, and strictly nothing else is coerced
        config = Config.model_validate_json(json.dumps(layers.merged(), default=str))
        check(config)
    except ValidationError as error:
        raise ConfigError(_explain(error.errors(), layers)) from None
    except ConfigError as error:
        raise ConfigError(_placed(str(error), error.key, layers)) from None
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


def _explain(errors: list[ErrorDetails], layers: Layers) -> str:
    """Say in one line what is wrong first; a union has one error per branch, which are told together."""
    raw = layers.merged()
    first = errors[0]
    key = _key_in_file(first, raw)
    name, value = key_path(key), first["input"]
    cause = first.get("ctx", {}).get("error")
    if isinstance(cause, MaestrataError):  # the check of a dataclass
        return _placed(str(cause), (*key, *cause.key), layers)
    match first["type"]:
        case "extra_forbidden" | "unexpected_keyword_argument":
            text = f"{name}: unknown key; allowed here: {', '.join(_keys(_type_at(key[:-1])))}"
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
            text = text.replace("valid array", "list").replace("an object", "a mapping")
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
    while get_origin(kind) in (Annotated, Union, UnionType):
        kind = get_args(kind)[0]
    return kind


def _keys(section: Any) -> dict[Any, Any]:
    """Return the keys of a section with their types; empty where it has no keys of its own."""
    return get_type_hints(section) if hasattr(section, "__annotations__") else {}


if __name__ == "__main__":
    print(json_schema(), end="")
