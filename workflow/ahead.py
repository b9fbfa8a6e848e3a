"""Look at the config files of a command line before Snakemake does, which says what is wrong in 40 lines.

Snakemake reads the files of ``--configfile``, and the values of ``--config``, before it comes to a Snakefile;
a file that is missing, not UTF-8 or no YAML ends it with a traceback. The profiles in profiles/ run this
script while Snakemake reads its options.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path

# What Snakemake demands of `--config`; its own message comes with a traceback.
_VALUE = re.compile(r"[a-zA-Z_][\w-]*\w=.*", re.DOTALL)


def values_of(argv: Sequence[str], *options: str) -> list[str]:
    """Return the values of an option that takes several.

    Examples
    --------
    >>> values_of(["-n", "--configfile", "a.yaml", "b.yaml", "--cores", "2"], "--configfile")
    ['a.yaml', 'b.yaml']
    >>> values_of(["--configfile=a.yaml"], "--configfile")
    ['a.yaml']
    """
    values: list[str] = []
    taking = False
    for word in argv:
        name, equals, value = word.partition("=")
        if word.startswith("-"):
            taking = word in options
            values += [value] if equals and name in options else []
        elif taking:
            values.append(word)
    return values


def look(argv: Sequence[str]) -> str | None:
    """Return what is wrong with the config files and values of a command line, in one line."""
    for value in values_of(argv, "--config", "-C"):
        if not _VALUE.fullmatch(value):
            return f"{value!r} must read KEY=VALUE, KEY being a name of the config (config: --config)"
    already = set(sys.modules)
    sys.path.insert(0, str(Path(__file__).parents[1] / "src"))
    try:
        from maestrata.config.files import printable, read_layers
        from maestrata.errors import ConfigError

        try:
            read_layers(values_of(argv, "--configfile", "--configfiles"))
        except ConfigError as error:
            return printable(str(error))
    finally:
        sys.path.pop(0)
        # the Snakefile chooses by itself which checkout's code it runs
        for name in set(sys.modules) - already:
            if name.split(".")[0] == "maestrata":
                del sys.modules[name]
    return None


if __name__ == "__main__" and (wrong := look(sys.argv[1:])):
    sys.exit(f"error: {wrong}")
