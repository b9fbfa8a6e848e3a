"""How good advice is, on finished sweeps: regret, coverage of its interval, accuracy where it is sure.

    python benchmarks/advice.py reference/default [results/evening ...] [--levels root] [--cache FILE]

Each folder holds a regression cube. A sweep is a world (label and world seed) of which one mask patch or more
was trained at three masking ratios or more. World seeds from 100 up alone count, as those from 0 to 9 were
seen while the advice was made. The adviser sees images of the world and nothing else; it chooses among the
ways to mask that the sweep has. Writes benchmarks/results/advice.md and advice.json.

skill     R2 of a level's latents from the trained model's primary features, as in the cube, mean over seeds.
regret    Skill of the best way to mask of the sweep, minus that of the one chosen.
adviser   The choice of the greatest gain, also where it abstains.
policy    The adviser, and r = .75 with one-token patches where it abstains.
constant  The way to mask whose mean skill is the best on all *other* families of worlds (that have it).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from maestrata import worlds
from maestrata.advice.images import read_images
from maestrata.advice.survey import Survey
from maestrata.cells import PatchShape, answers
from maestrata.cubes.io import open_cube
from maestrata.masks import MaskPatches
from maestrata.results import scores, t_interval

FAMILIES = {
    "symbol_tree": "symbols",
    "grammar_tree": "grammar",
    "gaussian_tree": "gaussian",
    "invertible_tree": "invertible",
}
WANTED = ("symbols", "grammar", "gaussian", "invertible", "digits", "composites")
FIRST_SEED = 100
IMAGES = 8192
RESULTS = Path(__file__).parent / "results"
Mask = tuple[str, int]  # label of the mask patch, visible patches


@dataclass
class Sweep:
    """A world's sweep: skill (levels,) of every way to mask, levels 1 to L."""

    family: str
    label: str
    kind: str
    settings: dict[str, Any]
    world_seed: int
    skill: dict[Mask, np.ndarray]
    ratio: dict[Mask, float]

    @property
    def key(self) -> str:
        return json.dumps([self.kind, self.settings, self.world_seed, IMAGES], sort_keys=True)


def read_sweeps(folder: Path, first: int, last: int) -> list[Sweep]:
    """Read the sweeps of a folder's regression cube."""
    cube = open_cube(folder / "regression.nc")
    known = json.loads(cube.attrs.get("parts_worlds", "{}"))
    skill = scores(cube).r2.sel(offset=0).mean("seed")
    realised = cube.realised_ratio.sel(offset=0)
    out = []
    for label in skill.world.values.tolist():
        kind, settings = known[label]["kind"], known[label]["settings"]
        for seed in skill.world_seed.values.tolist():
            if not first <= seed <= last or kind not in FAMILIES:
                continue
            grid = worlds.make(kind, seed, **settings).grid
            sweep = Sweep(FAMILIES[kind], label, kind, settings, seed, {}, {})
            for size in skill.patch_size.values.tolist():
                sides = (int(cube[f"patch_{side}"].sel(patch_size=size)) for side in ("height", "width"))
                shape = PatchShape(*sides)
                if grid.height % shape.height or grid.width % shape.width or shape.size == grid.n_tokens:
                    continue
                n = MaskPatches(grid, *shape).n_patches
                for r in skill.mask_ratio.values.tolist():
                    at = {"patch_size": size, "mask_ratio": r, "world": label}
                    values = skill.sel(world_seed=seed, **at).values[: grid.levels]
                    ratio = float(realised.sel(at))
                    if np.isfinite(values).all() and np.isfinite(ratio):
                        mask = (shape.label, round(n * (1 - ratio)))
                        sweep.skill[mask], sweep.ratio[mask] = values, ratio
            by_patch = [patch for patch, _ in sweep.skill]
            if max((by_patch.count(patch) for patch in by_patch), default=0) >= 3:
                out.append(sweep)
    return out


def survey(sweep: Sweep, cache: Path | None) -> list[dict[str, Any]]:
    """Return the advice on every level, as plain values; kept in a file if one is given."""
    kept = json.loads(cache.read_text()) if cache is not None and cache.exists() else {}
    if sweep.key not in kept:
        world = worlds.make(sweep.kind, sweep.world_seed, **sweep.settings)
        seen = Survey(read_images(world, None, None, IMAGES, 0), seed=0)
        advised = [seen.advice(level) for level in range(1, world.grid.levels + 1)]
        kept[sweep.key] = [asdict(one) for one in advised]
        if cache is not None:
            cache.write_text(json.dumps(kept))
        print(sweep.label, sweep.world_seed, advised[-1].reason, flush=True)
    return kept[sweep.key]


def nearest(sweep: Sweep, ratio: float) -> Mask | None:
    """Return the one-token patches of a ratio asked for."""
    there = [mask for mask in sweep.skill if mask[0] == "1x1" and bool(answers(sweep.ratio[mask], ratio))]
    return min(there, key=lambda mask: abs(sweep.ratio[mask] - ratio), default=None)


def constant(sweeps: Iterable[Sweep], level: int) -> tuple[str, float] | None:
    """Return the way to mask of the best mean skill, as (patch, ratio asked), over sweeps."""
    values: dict[tuple[str, float], list[float]] = {}
    for sweep in sweeps:
        for mask, skill in sweep.skill.items():
            best = max(one[level] for one in sweep.skill.values())
            values.setdefault((mask[0], round(sweep.ratio[mask], 3)), []).append(float(skill[level] - best))
    most = max((len(v) for v in values.values()), default=0)
    full = {key: float(np.mean(v)) for key, v in values.items() if len(v) == most}
    return max(full, key=full.__getitem__, default=None)


def judge(sweeps: list[Sweep], advised: dict[str, list[dict[str, Any]]], level: int) -> list[dict[str, Any]]:
    """Return a row for each sweep: regrets by rule, and whether the interval holds the best."""
    out = []
    for sweep in sweeps:
        skill = {mask: float(values[level]) for mask, values in sweep.skill.items()}
        best = max(skill.values())
        rows = [row for row in advised[sweep.key][level]["rows"] if (row["patch"], row["visible"]) in skill]
        if not rows:
            continue
        told = [(row["patch"], row["visible"]) for row in rows]
        gain, linear = ([row[key] for row in rows] for key in ("gain", "linear"))
        # among what the sweep has, the ties are those with the best that it has
        lead = max(gain)
        tied = [
            mask for mask, row in zip(told, rows, strict=True) if row["tied"] or row["gain"] >= 0.95 * lead
        ]
        abstains = advised[sweep.key][level]["best"] is None or (len(tied) > len(rows) / 2 and len(rows) > 2)
        chosen = told[int(np.argmax(gain))]
        plain = nearest(sweep, 0.75)
        others = [other for other in sweeps if other.family != sweep.family]
        fixed = constant(others, min(level, 2)) if others else None
        there = None
        if fixed is not None:
            patch, ratio = fixed
            there = min(
                (m for m in skill if m[0] == patch), key=lambda m: abs(sweep.ratio[m] - ratio), default=None
            )
        choices = {
            "adviser": chosen,
            "policy": plain if abstains else chosen,
            "linear MAE": told[int(np.argmax(linear))],
            ".75, one token": plain,
            ".5, one token": nearest(sweep, 0.5),
            "best constant of other families": there,
        }
        regret = {name: None if mask is None else best - skill[mask] for name, mask in choices.items()}
        regret["random"] = best - float(np.mean(list(skill.values())))
        out.append(
            {
                "family": sweep.family,
                "world": sweep.label,
                "world_seed": sweep.world_seed,
                "level": level + 1,
                "best": max(skill, key=skill.__getitem__),
                "chosen": chosen,
                "ratio": sweep.ratio[chosen],
                "best_ratio": sweep.ratio[max(skill, key=skill.__getitem__)],
                "abstains": abstains,
                "covered": max(skill, key=skill.__getitem__) in tied,
                "interval": len(tied),
                "ways": len(skill),
                "regret": regret,
            }
        )
    return out


def mean(values: Iterable[float | None]) -> str:
    there = [value for value in values if value is not None]
    if len(there) < 2:
        return "-" if not there else f"{there[0]:.3f}"
    middle, low, high = (float(x) for x in t_interval(there))
    return f"{middle:.3f} ({low:.3f} to {high:.3f})"


def table(rows: list[dict[str, Any]], by: Callable[[dict[str, Any]], str]) -> list[str]:
    rules = list(rows[0]["regret"])
    lines = ["| | n | " + " | ".join(rules) + " |", "|---" * (len(rules) + 2) + "|"]
    for group in dict.fromkeys(map(by, rows)):
        part = [row for row in rows if by(row) == group]
        cells = [mean(row["regret"][rule] for row in part) for rule in rules]
        lines.append(f"| {group} | {len(part)} | " + " | ".join(cells) + " |")
    return lines


def sureness(rows: list[dict[str, Any]], by: Callable[[dict[str, Any]], str]) -> list[str]:
    head = (
        "| | n | interval holds the best | ways in it | abstains | right where it does not | regret there |"
    )
    lines = [head, "|---" * 7 + "|"]
    for group in dict.fromkeys(map(by, rows)):
        part = [row for row in rows if by(row) == group]
        sure = [row for row in part if not row["abstains"]]
        right = f"{sum(row['chosen'] == row['best'] for row in sure)} of {len(sure)}"
        covered = f"{sum(row['covered'] for row in part)} of {len(part)}"
        width = " of ".join(f"{np.mean([row[key] for row in part]):.1f}" for key in ("interval", "ways"))
        regret = mean(row["regret"]["adviser"] for row in sure)
        cells = (group, len(part), covered, width, f"{len(part) - len(sure)}", right, regret)
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return lines


def page(rows: list[dict[str, Any]], command: str) -> str:
    top: dict[str, int] = {}
    for row in rows:
        top[row["world"]] = max(row["level"], top.get(row["world"], 0))
    root = [row for row in rows if row["level"] == top[row["world"]]]
    lower = [row for row in rows if row not in root]
    families = sorted({row["family"] for row in rows})
    missing = [name for name in WANTED if name not in families]
    lines = [
        "# Advice, validated", "", f"`{command}`", "",
        f"{len(root)} sweeps; families of worlds: {', '.join(families)}; world seeds from "
        f"{FIRST_SEED} up; the adviser saw {IMAGES:,} images of each. Regret is in R2 of the latents: "
        "means over sweeps with 95 % t intervals. Nothing in the adviser is fitted to sweeps; the constant "
        "is chosen on the other families.",
        "", "## Regret at the root", "", *table(root, lambda row: row["world"]),
        "", "## How sure it was, at the root", "", *sureness(root, lambda row: row["world"]),
    ]  # fmt: skip
    if lower:

        def by(row: dict[str, Any]) -> str:
            return f"{row['world']}, level {row['level']}"

        lines += ["", "## Regret at the levels below", "", *table(lower, by)]
        lines += ["", "## How sure it was, below", "", *sureness(lower, by)]
    head = "| world | seed | best | chosen | regret | abstains |"
    lines += ["", "## Choices at the root", "", head, "|---" * 6 + "|"]
    for row in root:
        cells = (row["world"], row["world_seed"], f"{row['best'][0]} at {row['best_ratio']:.3g}")
        cells += (f"{row['chosen'][0]} at {row['ratio']:.3g}", f"{row['regret']['adviser']:.3f}")
        lines.append("| " + " | ".join(map(str, (*cells, "yes" if row["abstains"] else ""))) + " |")
    lines += ["", "## What could not be validated", ""]
    lines.append(
        f"No sweep at hand: {', '.join(missing) or 'none'}. "
        + (
            "With one family alone, leaving a family out says nothing about the constant."
            if len(families) < 2
            else ""
        )
    )
    return "\n".join(line.rstrip() for line in lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", type=Path, nargs="+", help="folders with a regression.nc")
    parser.add_argument("--cache", type=Path, help="file that keeps what was computed of images")
    parser.add_argument(
        "--world-seeds", type=int, nargs=2, default=(FIRST_SEED, 2**32), help="first and last"
    )
    parser.add_argument("--worlds", nargs="*", help="labels of worlds (all)")
    parser.add_argument("--out", type=Path, default=RESULTS / "advice")
    args = parser.parse_args()
    sweeps = [sweep for folder in args.folders for sweep in read_sweeps(folder, *args.world_seeds)]
    sweeps = [sweep for sweep in sweeps if not args.worlds or sweep.label in args.worlds]
    if not sweeps:
        raise SystemExit("no sweep in these folders has three ratios of one mask patch")
    advised = {sweep.key: survey(sweep, args.cache) for sweep in sweeps}
    levels = range(max(len(next(iter(sweep.skill.values()))) for sweep in sweeps))
    rows = []
    for level in levels:
        rows += judge([s for s in sweeps if len(next(iter(s.skill.values()))) > level], advised, level)
    command = "python benchmarks/advice.py " + " ".join(folder.name for folder in args.folders)
    args.out.with_suffix(".md").write_text(page(rows, command))
    args.out.with_suffix(".json").write_text(json.dumps(rows, indent=1))
    print(args.out.with_suffix(".md").read_text())


if __name__ == "__main__":
    main()
