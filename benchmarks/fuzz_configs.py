"""Configs mutated at random: each is refused in one line, or plans a whole run.

    python benchmarks/fuzz_configs.py [--examples 20000]

The four configs of config/ are changed in one to four places: keys, types, ranges, nesting, YAML spellings,
and the text of the file itself. `load_config` must give a config or one `MaestrataError` whose text is one
line and names the file; no other exception, no file, no run without end. What loads is planned: files, flags
of every kind of job, read again as a job reads them, manifests, and the code of every job.

Writes benchmarks/results/fuzz_configs.md: counts by outcome. tests/properties/test_config_fuzz.py does the
same with 2,000.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shlex
import shutil
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from copy import deepcopy
from dataclasses import dataclass, field, fields
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from maestrata.config import files
from maestrata.config.load import load_config
from maestrata.config.reader import read_yaml
from maestrata.config.sections import Block, Config, Experiment, World
from maestrata.errors import MaestrataError
from maestrata.model.sizes import Sizes
from maestrata.regression.settings import Evaluation
from maestrata.run.plan import Plan
from maestrata.steps._flags import add_settings, read_settings
from maestrata.steps._run import Parser
from maestrata.theory.settings import TheorySettings
from maestrata.training.recipe import Recipe

CONFIGS = Path(__file__).parents[1] / "config"
RESULTS = Path(__file__).parent / "results" / "fuzz_configs.md"
NAMES = ("smoke", "smoke", "smoke", "smoke", "config", "config", "evening", "full")


class Raw(str):
    """What is written as it stands."""


LITERALS = [
    *("007", "010", "08", "0x1f", "0o17", "0b11", "1:30", "12:30:45", "1_0", "1_000", "+5", "-0", "1.", ".5"),
    *("2e-3", "1e999", "-1e-400", ".inf", "-.inf", ".nan", "yes", "no", "on", "off", "y", "true", "False"),
    *("null", "~", "", "2024-05-01", "2024-05-01 12:30:00", "2024_05", "=", "<<", "*a", "&a 1", "!!int '3'"),
    *("!!python/object:os.system x", "!!set {a}", "!!binary aGk=", "!x y", "'", '"', "[", "{", "]", "}", "%"),
    *('"\\0"', '"\\ud800"', '"\\UFFFFFFFF"', '"\\x07"', '"a\\nb"', "'a b'", "|\n  x", "- a", "a: b", "# x"),
    *("9" * 30, "9" * 5000, "1e400", "0.30000000000000004", "1" + "0" * 12, "[" * 30 + "1" + "]" * 30, "\t1"),
    *("@x", "`", "? x"),
]  # fmt: skip
VALUES: list[Any] = [
    *(0, 1, 2, 3, -1, 7, 16, 64, 100, 255, 10**5, 2**31, 2**32, 2**53, 2**63, 10**20, 20240607, 20240607123),
    *(0.0, 0.5, 1.0, -0.5, 1e-300, 1e300, 1.5, 0.1 + 0.2, 2.0, True, False, None, "", " ", "a", "all"),
    *("ridge", "global", "additive", "grammar", "1x1", "2x2", "2x1o", "64x64", "0x1", "x", "../x", "/", "~"),
    *("a\nb", "\x00", "\ud800", "\u2028", "日本", "é", "\u0663", "\uff11", "\ufeff", "\u202e", "-x"),
    *("--note", "a/b", "$x", "{x}", "'", '"', [], {}, [[]], [None], [{}], [1, 1], ["a", "a"], {"": 1}),
    *([True], {"a": {"b": {}}}, ["1x1", "1x1"], [0.3, 0.1 + 0.2]),
]  # fmt: skip


def keys_of(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """List the paths of everything in a tree of mappings and lists, its root left out."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path for key, part in inside for path in ((*at, key), *keys_of(part, (*at, key)))]


def reach(tree: Any, path: tuple[Any, ...]) -> Any:
    """Return what is at a path."""
    for part in path:
        tree = tree[part]
    return tree


def change(tree: dict[Any, Any], rng: random.Random) -> str:
    """Change one place of a config; say in what way."""
    paths = [path for path in keys_of(tree) if path != ("extends",) or rng.random() < 0.2]
    if not paths:
        return "nothing left"
    path = rng.choice(paths)
    parent, key = reach(tree, path[:-1]), path[-1]
    old = parent[key]
    ways = ["value", "literal", "delete", "nest", "move", "type"]
    ways += ["number"] * 8 if isinstance(old, int | float) and not isinstance(old, bool) else []
    ways += ["key", "key", "known key"] if isinstance(parent, dict) else ["twice", "empty"]
    way = rng.choice(ways)
    match way:
        case "value":
            parent[key] = deepcopy(rng.choice(VALUES))
        case "literal":
            parent[key] = Raw(rng.choice(LITERALS))
        case "delete":
            del parent[key]
        case "nest":
            parent[key] = rng.choice([[old], {"x": old}, {str(key): old}, [old, deepcopy(old)], [[old]]])
        case "move":
            parent[key] = deepcopy(reach(tree, rng.choice(paths)))
        case "type":
            parent[key] = rng.choice([str(old), [old], bool(old), {"a": old}, None])
        case "number":
            near = [old + 1, old - 1, old * 2, old // 2 if isinstance(old, int) else old / 2, old * 1.1]
            far = [-old, old * 10 ** rng.randint(1, 9), old / 3, float(old), int(old), str(old)]
            far += [old / 10 ** rng.randint(1, 9), 2 ** rng.randint(0, 64), rng.random()]
            parent[key] = rng.choice([*near, *near, *far])
        case "key":
            name = str(key)
            cut = rng.randrange(len(name) + 1)
            odd = [
                name[:cut] + name[cut + 1 :],
                name[:cut] + rng.choice("x_é\n\x00 -1") + name[cut:],
                name.upper(),
            ]
            parent[rng.choice([*odd, Raw("<<"), Raw("1"), Raw("on"), Raw("[a]"), Raw(name)])] = parent.pop(
                key
            )
        case "known key":
            parent[rng.choice(KNOWN)] = deepcopy(rng.choice([old, *VALUES]))
        case "twice":
            parent.append(deepcopy(old))
        case "empty":
            parent.clear()
    return way


KNOWN = ["extends", *(name for cls in (Config, Block, Experiment, World) for name in cls.model_fields)]
KNOWN += [each.name for cls in (Recipe, Sizes, Evaluation) for each in fields(cls)]


def written(value: Any) -> str:
    """Write a tree as YAML, in one line below its first two levels; `Raw` as it stands."""
    if isinstance(value, Raw):
        return value
    if isinstance(value, dict):
        return f"{{{', '.join(f'{written_key(key)}: {written(part)}' for key, part in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(written, value))}]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        quoted = value.replace("\\", "\\\\").replace('"', '\\"')
        return '"' + re.sub(r"[^ -~\u00a0-\ud7ff\U00010000-\U0010ffff]", _escaped, quoted) + '"'
    return repr(value)


def _escaped(match: re.Match[str]) -> str:
    return f"\\U{ord(match[0]):08x}"


def written_key(key: Any) -> str:
    """Write a key; one that is plain stays without quotes."""
    return key if isinstance(key, Raw) or re.fullmatch(r"[a-z][a-z_]*[a-z]", str(key)) else written(str(key))


def disturb(text: str, rng: random.Random) -> tuple[bytes, str]:
    """Change the text of a file, one time in six; say in what way."""
    at, lines = rng.randrange(len(text) + 1), text.splitlines()
    line = rng.randrange(len(lines)) if lines else 0
    head, this, tail = lines[:line], lines[line : line + 1], lines[line + 1 :]
    more = ["&a {x: *a}", "x: &x [*x]", "<<: {note: merged}", "note: a\nnote: b", "---\na: 1", "...\nx: y"]
    odd = rng.choice("\t:-[]{}'\"#&*!|>%@`,?\x00\x07\ufeff\u2028é\r")
    ways = {
        "put in": (text[:at] + odd + text[at:]).encode(),
        "cut out": (text[:at] + text[at + 1 :]).encode(),
        "truncated": text[:at].encode(),
        "encoded": text.encode(rng.choice(["utf-16", "utf-16-le", "utf-32", "utf-8-sig"])),
        "not UTF-8": text.encode("latin-1", "replace") + b"\xff\xfe",
        "line twice": "\n".join([*head, *this, *this, *tail]).encode(),
        "line out": "\n".join([*head, *tail]).encode(),
        "indented": "\n".join([*head, *(f"  {one}" for one in this), *tail]).encode(),
        "added": f"{text}\n{rng.choice(more)}\n".encode(),
        "CRLF": text.replace("\n", "\r\n").encode(),
    }
    if rng.random() < 5 / 6:
        return text.encode(), ""
    way = rng.choice(sorted(ways))
    return ways[way], way


def mutate(rng: random.Random) -> tuple[bytes, list[str]]:
    """Return the text of a mutated config, and what was done to it."""
    name = rng.choice(NAMES)
    if rng.random() < 0.5:  # a file of one's own, on top of a whole one
        tree = _tree(name)
        kept = rng.sample(sorted(tree), min(len(tree), rng.randint(1, 3)))
        tree = {"extends": f"{name}.yaml", **{key: tree[key] for key in kept if key != "extends"}}
    else:
        tree = _tree(name)
    ways = [change(tree, rng) for _ in range(rng.choice([0, 1, 1, 1, 1, 2, 2, 3, 4]))]
    text = "".join(f"{written_key(key)}: {written(value)}\n" for key, value in tree.items())
    data, way = disturb(text, rng)
    return data, [*ways, *([way] if way else [])]


def _tree(name: str) -> dict[Any, Any]:
    if name not in _READ:
        _READ[name] = read_yaml((CONFIGS / f"{name}.yaml").read_text(encoding="utf-8"))
    return deepcopy(_READ[name])


_READ: dict[str, dict[Any, Any]] = {}


def read_once() -> None:
    """Read each text once: half of the time would go to the files that are extended."""
    files.read_yaml = lru_cache(maxsize=8)(read_yaml)  # type: ignore[assignment]


def folder_with_configs(folder: Path) -> Path:
    """Copy the configs that a mutated one may extend; return the path of that one."""
    for path in CONFIGS.glob("*.yaml"):
        shutil.copy(path, folder)
    return folder / "mine.yaml"


def outcome(path: Path) -> tuple[str, Config | None]:
    """Load a config; return "loads", or the beginning of what is said of it.

    Raises
    ------
    AssertionError
        If what is said is not one line that names the file, or a file was made.
    """
    before = sorted(path.parent.iterdir())
    try:
        config = load_config(path)
    except MaestrataError as error:
        message = str(error)
        assert message.isprintable() and len(message) < 700, message
        assert "config" in message and ".yaml" in message, message
        assert sorted(path.parent.iterdir()) == before, "a file was made"
        return message, None
    assert sorted(path.parent.iterdir()) == before, "a file was made"
    return "loads", config


def dry_run(config: Config, most: int = 50) -> int:
    """Plan a run as the Snakefile does: everything that rules ask for, of at most some jobs of each kind.

    Returns
    -------
    int
        Files that the run makes.
    """
    plan = Plan(config)
    flags, made = plan.flags, plan.everything
    assert made and len(set(made)) == len(made)
    assert plan.constraints
    _again(flags.section("model"), Sizes, config.model)
    _again(flags.section("theory"), TheorySettings, config.theory)
    _again(flags.section("evaluation"), Evaluation, config.evaluation)
    for kind in plan.kinds:
        assert plan.sources(kind) and plan.manifest(kind)
    for place in plan.places("weights")[:most]:
        job = SimpleNamespace(**place)
        assert flags.world(job) and flags.cell(job) and flags.masks(job) and flags.evaluation(job)
        _again(flags.training(job), Recipe, plan.cell(job).training)
    for place in plan.places("experiment")[:most]:
        job = SimpleNamespace(**place)
        assert flags.experiment(job) and plan.read_weights(job) is not None
    for figure in plan.figures:
        job = SimpleNamespace(figure=figure)
        assert plan.title(job) and plan.caption(job) and plan.shown(figure) is not None
    assert flags.claims and flags.limits() and isinstance(flags.note, str)
    if len(made) < 1500:
        assert set(plan.expected()) == set(made)
    return len(made)


def _again(given: str, cls: type, settings: Any) -> None:
    """Check that a job reads from its flags what the config holds."""
    if cls not in _PARSERS:
        _PARSERS[cls] = Parser()
        add_settings(_PARSERS[cls], cls)
    found = read_settings(_PARSERS[cls].parse_args(shlex.split(given)), cls)
    assert repr(found) == repr(settings), (found, settings)


_PARSERS: dict[type, Parser] = {}


@dataclass
class Counts:
    """What became of configs: their outcomes, what was changed and whether they load, files of their runs."""

    outcomes: Counter[str] = field(default_factory=Counter)
    ways: Counter[tuple[str, bool]] = field(default_factory=Counter)
    planned: list[int] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    slowest: float = 0.0

    def add(self, other: Counts) -> None:
        """Add the counts of other configs."""
        self.outcomes += other.outcomes
        self.ways += other.ways
        self.planned += other.planned
        self.wrong += other.wrong
        self.slowest = max(self.slowest, other.slowest)


def count(seed: int, indices: range) -> Counts:
    """Mutate, load, plan, count."""
    read_once()
    found = Counts()
    with tempfile.TemporaryDirectory() as name:
        path = folder_with_configs(Path(name))
        for index in indices:
            data, done = mutate(random.Random(f"{seed} {index}"))
            path.write_bytes(data)
            began = time.process_time()
            try:
                said, config = outcome(path)
                if config is not None:
                    found.planned.append(dry_run(config))
            except Exception as error:
                found.wrong.append(f"{index}: {type(error).__name__}: {error}")
                continue
            found.slowest = max(found.slowest, time.process_time() - began)
            found.outcomes[kind_of(said)] += 1
            found.ways.update((way, config is not None) for way in set(done))
    return found


def main() -> None:
    """Count in several processes, and write the counts."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--examples", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    args = parser.parse_args()
    chunks = [range(first, min(first + 500, args.examples)) for first in range(0, args.examples, 500)]
    total = Counts()
    with ProcessPoolExecutor(args.processes) as pool:
        for n, part in enumerate(pool.map(count, [args.seed] * len(chunks), chunks)):
            total.add(part)
            print(f"{n + 1}/{len(chunks)}", *part.wrong, flush=True)
            RESULTS.write_text(report(total, args.seed))  # what is done so far: all of them take a while
    sys.exit(bool(total.wrong))


def report(total: Counts, seed: int) -> str:
    """Write counts as a page of markdown."""
    configs = sum(total.outcomes.values()) + len(total.wrong)
    lines = ["# Configs mutated at random", "", "    python benchmarks/fuzz_configs.py", ""]
    lines += [f"{configs:,} configs, seed {seed}; the slowest: {total.slowest:.1f} s of processor time.", ""]
    lines += [f"Neither a config nor one line, or a dry run that fails: {len(total.wrong)}.", ""]
    lines += ["| outcome | configs |", "|---|---|"]
    lines += [f"| {kind} | {n:,} |" for kind, n in total.outcomes.most_common()]
    lines += ["", f"Runs of those that load: {min(total.planned):,} to {max(total.planned):,} files."]
    lines += ["", "| changed | configs | of them load |", "|---|---|---|"]
    for way in sorted({way for way, _ in total.ways}):
        both = total.ways[way, True] + total.ways[way, False]
        lines.append(f"| {way} | {both:,} | {total.ways[way, True]:,} |")
    return "\n".join(lines) + "\n"


# What a message says -> the kind of thing that is wrong.
KINDS = {
    "some readers of YAML|no plain number|too large a number": "a literal that readers of YAML differ about",
    "not valid YAML|while parsing|while scanning|escape that is no": "no YAML",
    "given twice|must be text$|must be text \\(config|of several values": "a key twice, or that is no text",
    "must not be given|must not hold itself|nested deeper|no character of a text": "YAML that is not allowed",
    "cannot be read|must map keys|must name a config|not extend|name of one config": "no file, or no config",
    "unknown key|now called": "unknown key",
    "must be given": "missing key",
    "must not be empty|anything twice|listed twice": "a list that is empty, or names something twice",
    "must be one of|setting .* must|must name|reads trained|must hold": "a name of nothing",
    "must be a |must be text|true or false|must be 'all'|finite": "another type",
    "must lie|at least|at most|above|less than|greater than|must be a count|must be 0": "out of range",
}


def kind_of(said: str) -> str:
    """Name the kind of what is said of a config."""
    if said == "loads":
        return "loads, and plans a run"
    return next((kind for pattern, kind in KINDS.items() if re.search(pattern, said)), "other")


if __name__ == "__main__":
    main()
