"""Loading of a config: files are merged, checked whole before anything runs, and frozen.

`load_config` gives a `Config`, or a `ConfigError` of one line that names the key, its value, what is allowed,
and the file.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from maestrata.config.files import Key, Layers, key_path, read_layers
from maestrata.config.grid import KeyedError, check
from maestrata.config.sections import (
    Block,
    Claims,
    Config,
    Evaluation,
    Experiment,
    Figures,
    Limits,
    Model,
    Section,
    Theory,
    Training,
    World,
)
from maestrata.errors import ConfigError


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
    except KeyedError as error:
        raise ConfigError(f"{error} (config: {key_path(error.key)}, {layers.origin(error.key)})") from None
    return config


def json_schema() -> str:
    """Return the JSON schema of a config file, as text; workflow/schemas/config.schema.json holds it."""
    schema = Config.model_json_schema()
    schema["properties"]["extends"] = {"type": "string", "description": "config file that this one builds on"}
    schema.pop("required")  # an extending file may leave out anything
    return json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}, indent=2) + "\n"


def _explain(errors: list[ErrorDetails], layers: Layers) -> str:
    """Say in one line what is wrong first; a union has one error per branch, which are told together."""
    raw = layers.merged()
    first = errors[0]
    key = _key_in_file(first, raw)
    name, value = key_path(key), first["input"]
    match first["type"]:
        case "extra_forbidden":
            section = _section_at(key[:-1])
            known = f"; allowed here: {', '.join(section.model_fields)}" if section else ""
            text = f"{name}: unknown key{known}"
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


def _section_at(key: Key) -> type[Section] | None:
    """Find the section that holds the keys under `key`."""
    parts = tuple(part for part in key if isinstance(part, str))
    if parts[:1] == ("worlds",):
        return World if len(parts) == 2 else None
    sections: dict[tuple[str, ...], type[Section]] = {
        (): Config,
        ("model",): Model,
        ("training",): Training,
        ("grid",): Block,
        ("grid", "training"): Training,
        ("evaluation",): Evaluation,
        ("theory",): Theory,
        ("limits",): Limits,
        ("claims",): Claims,
        ("experiments",): Experiment,
        ("figures",): Figures,
    }
    return sections.get(parts)


if __name__ == "__main__":
    print(json_schema(), end="")
