"""How good advice is, on finished sweeps: regret, coverage of its interval, accuracy where it is sure.

    python benchmarks/advice.py reference/evening results/advice/cubes ... [--cache FILE] [--model grammar]

Each folder holds a regression cube. A sweep is a world (label and world seed) of which one mask patch or more
was trained at three masking ratios or more. World seeds from 100 up alone count, as those from 0 to 9 were
seen while the advice was made; of given images every split counts. The adviser sees images of the world and
nothing else; it chooses among the ways to mask that the sweep has. Writes benchmarks/results/advice.md and
advice.json.

skill     R2 of a level's latents from the trained model's primary features, as in the cube, mean over seeds;
          of given images the accuracy of the linear probe of their class on the mean token.
goal      A level; of given images the labels, or the level of the whole image, which is judged by the class,
          of which the adviser then knows nothing.
scale     Side of a block in pixels. `--goal scale` takes the level whose blocks come nearest, and so it is
          judged by that level. Given images have no latents: only the scale of the whole image is judged, by
          the class.
regret    Skill of the best way to mask of the sweep, minus that of the one chosen.
adviser   The choice of the greatest gain, also where it abstains.
policy    The adviser, and r = .75 with one-token patches where it abstains.
constant  The way to mask of the least mean regret over the *other* families of worlds, each counted once, at
          goals as far below the whole image; of those that most of their sweeps have.
model     Worlds where a small model is trained first, as by `maestrata advise --model`.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from maestrata import worlds
from maestrata.advice.decide import block_sides
from maestrata.advice.images import read_images
from maestrata.advice.survey import Survey
from maestrata.cells import PatchShape, answers
from maestrata.cubes.io import open_cube
from maestrata.masks import MaskPatches
from maestrata.results import scores, t_interval
from maestrata.results.progress import gate_at
from maestrata.worlds.base import World

FAMILIES = {
    "symbol_tree": "symbols",
    "grammar_tree": "grammar",
    "gaussian_tree": "gaussian",
    "invertible_tree": "invertible",
    "digits": "digits",
    "composites": "composites",
}
FIRST_SEED = 100
IMAGES, GIVEN = 8192, 2048
"""Images that the adviser sees: of worlds that are drawn, and of given images, as many as people may have."""
RESULTS = Path(__file__).parent / "results"
LABELS, UNSEEN = "class", "class, by level"
"""The class of given images, where the adviser is asked for labels, or for the level of the whole image."""
Mask = tuple[str, int]  # label of the mask patch, visible patches
Key = tuple[str, float]  # label of the mask patch, realised ratio


@dataclass
class Sweep:
    """A world's sweep: by goal steps below the whole image, pixels, and the skill of every way to mask."""

    family: str
    label: str
    kind: str
    settings: dict[str, Any]
    world_seed: int
    below: dict[str, int]
    scale: dict[str, float]
    model: bool
    skill: dict[str, dict[Mask, float]] = field(default_factory=dict)
    ratio: dict[Mask, float] = field(default_factory=dict)
    ungated: int = 0

    @property
    def images(self) -> int:
        """How many of them the adviser sees at most."""
        return GIVEN if UNSEEN in self.below else IMAGES

    def key(self, goal: str) -> str:
        """Name what is computed of images."""
        parts = [self.kind, self.settings, self.world_seed, self.images]
        asked = [goal] * (UNSEEN in self.below) + ["model"] * self.model
        return json.dumps([*parts, *asked], sort_keys=True)

    def regrets(self, goal: str) -> dict[Key, float]:
        """Regret of every way to mask."""
        skill = self.skill[goal]
        return {(m[0], round(self.ratio[m], 3)): max(skill.values()) - own for m, own in skill.items()}


def skills(cube: xr.Dataset, world: World) -> dict[str, xr.DataArray]:
    """Return the skill of every goal, over what is left of a cube's axes."""
    if world.latent:
        r2 = scores(cube).r2.mean("seed")
        return {f"level {level}": r2.sel(level=level) for level in range(1, world.grid.levels + 1)}
    accuracy = scores(cube).accuracy.max("level").mean("seed")
    return {LABELS: accuracy, UNSEEN: accuracy}


def below_and_scale(world: World, goals: Iterable[str]) -> tuple[dict[str, int], dict[str, float]]:
    """Return by goal its steps below the whole image, and its scale; labels have none."""
    sides = block_sides(world.grid, world.token_pixels).tolist()
    below = {goal: len(sides) - int(goal.split()[1]) if world.latent else 0 for goal in goals}
    return below, {goal: sides[-1 - steps] for goal, steps in below.items() if goal != LABELS}


def read_sweeps(folder: Path, models: Iterable[str]) -> list[Sweep]:
    """Read the sweeps of a folder's regression cube."""
    cube = open_cube(folder / "regression.nc").sel(offset=0)
    known = json.loads(cube.attrs.get("parts_worlds", "{}"))
    out = []
    for label in cube.world.values.tolist():
        kind, settings = known[label]["kind"], known[label]["settings"]
        if kind not in FAMILIES:
            continue
        here = cube.sel(world=label)
        for seed in here.world_seed.values.tolist():
            world = worlds.make(kind, seed, **settings)
            if world.latent and seed < FIRST_SEED:
                continue
            by_goal = skills(here.sel(world_seed=seed), world)
            below, scale = below_and_scale(world, by_goal)
            sweep = Sweep(FAMILIES[kind], label, kind, settings, seed, below, scale, label in set(models))
            for size in here.patch_size.values.tolist():
                sides = (int(cube[f"patch_{side}"].sel(patch_size=size)) for side in ("height", "width"))
                _read(sweep, here.sel(world_seed=seed, patch_size=size), by_goal, world, PatchShape(*sides))
            by_patch = [patch for patch, _ in sweep.ratio]
            if max((by_patch.count(patch) for patch in by_patch), default=0) >= 3:
                out.append(sweep)
    return out


def _read(
    sweep: Sweep, cell: xr.Dataset, by_goal: dict[str, xr.DataArray], world: World, shape: PatchShape
) -> None:
    """Read the ways to mask of a patch."""
    grid = world.grid
    if grid.height % shape.height or grid.width % shape.width or shape.size == grid.n_tokens:
        return
    n = MaskPatches(grid, *shape).n_patches
    for r in cell.mask_ratio.values.tolist():
        ratio = float(cell.realised_ratio.sel(mask_ratio=r))
        at = {"patch_size": shape.size, "mask_ratio": r}
        values = {goal: float(skill.sel(at)) for goal, skill in by_goal.items()}
        if not np.isfinite([ratio, *values.values()]).all():
            continue
        mask = (shape.label, round(n * (1 - ratio)))
        sweep.ratio[mask] = ratio
        for goal, value in values.items():
            sweep.skill.setdefault(goal, {})[mask] = value
        sweep.ungated += bool((cell.progress.sel(mask_ratio=r) < gate_at(ratio)).any())


def survey(sweep: Sweep, goal: str, cache: Path | None) -> dict[str, Any]:
    """Return the advice for a goal, as plain values; kept in a file if one is given."""
    kept = json.loads(cache.read_text()) if cache is not None and cache.exists() else {}
    key = sweep.key(goal)
    if key not in kept:
        world = worlds.make(sweep.kind, sweep.world_seed, **sweep.settings)
        images, told = read_images(world, None, None, sweep.images, 0), {}
        if sweep.model:
            from maestrata.training.any_ratio import explained_by_model

            told["model"] = explained_by_model(images.images, images.grid, images.token_pixels, 0)
        labels = not world.latent and goal != UNSEEN
        seen = Survey(images, labels=labels, seed=0)
        levels = range(1, world.grid.levels + 1) if world.latent else [None if labels else world.grid.levels]
        kept[key] = [asdict(seen.advice(level, told)) for level in levels]
        if cache is not None:
            cache.write_text(json.dumps(kept))
        print(sweep.label, sweep.world_seed, goal, kept[key][-1]["reason"], flush=True)
    advised = kept[key]
    return advised[len(advised) - 1 - sweep.below[goal]]


def nearest(sweep: Sweep, ratio: float) -> Mask | None:
    """Return the one-token patches of a ratio asked for."""
    there = [mask for mask in sweep.ratio if mask[0] == "1x1" and bool(answers(sweep.ratio[mask], ratio))]
    return min(there, key=lambda mask: abs(sweep.ratio[mask] - ratio), default=None)


def constant(sweeps: Iterable[Sweep], below: int) -> Key | None:
    """Return the way to mask of the least mean regret, over families, of those that most sweeps have."""
    values: dict[Key, dict[str, list[float]]] = {}
    for sweep in sweeps:
        for goal in [goal for goal, steps in sweep.below.items() if steps == below and goal != UNSEEN]:
            for key, regret in sweep.regrets(goal).items():
                values.setdefault(key, {}).setdefault(sweep.family, []).append(regret)
    counts = {key: sum(map(len, of.values())) for key, of in values.items()}
    means = {key: float(np.mean([np.mean(v) for v in of.values()])) for key, of in values.items()}
    full = [key for key, count in counts.items() if count == max(counts.values())]
    return min(full, key=means.__getitem__, default=None)


def judge(sweep: Sweep, goal: str, advice: dict[str, Any], others: list[Sweep]) -> dict[str, Any] | None:
    """Return regrets by rule, and whether the interval holds the best; None where nothing can be chosen."""
    skill = sweep.skill[goal]
    best = max(skill, key=skill.__getitem__)
    rows = [row for row in advice["rows"] if (row["patch"], row["visible"]) in skill]
    if not rows:
        return None
    told = [(row["patch"], row["visible"]) for row in rows]
    gain, linear = ([row[key] for row in rows] for key in ("gain", "linear"))
    # among what the sweep has, the ties are those with the best that it has
    lead = max(gain)
    tied = [mask for mask, row in zip(told, rows, strict=True) if row["tied"] or row["gain"] >= 0.95 * lead]
    abstains = advice["best"] is None or (len(tied) > len(rows) / 2 and len(rows) > 2)
    chosen = told[int(np.argmax(gain))]
    plain = nearest(sweep, 0.75)
    fixed = constant(others, sweep.below[goal])
    choices = {
        "adviser": chosen,
        "policy": plain if abstains else chosen,
        "linear MAE": told[int(np.argmax(linear))],
        ".75, one token": plain,
        ".5, one token": nearest(sweep, 0.5),
        "best constant of other families": None if fixed is None else min(
            (m for m in skill if m[0] == fixed[0]), key=lambda m: abs(sweep.ratio[m] - fixed[1]), default=None
        ),
    }  # fmt: skip
    regret = {name: None if m is None else skill[best] - skill[m] for name, m in choices.items()}
    regret["random"] = skill[best] - float(np.mean(list(skill.values())))
    return {
        "family": sweep.family,
        "world": sweep.label,
        "world_seed": sweep.world_seed,
        "goal": goal,
        "below": sweep.below[goal],
        "scale": sweep.scale.get(goal),
        "model": sweep.model,
        "best": best,
        "chosen": chosen,
        "ratio": sweep.ratio[chosen],
        "best_ratio": sweep.ratio[best],
        "abstains": abstains,
        "covered": best in tied,
        "interval": len(tied),
        "ways": len(skill),
        "constant": fixed,
        "regret": regret,
    }


def mean(values: Iterable[float | None]) -> str:
    there = [value for value in values if value is not None]
    if len(there) < 2:
        return "-" if not there else f"{there[0]:.3f}"
    middle, low, high = (float(x) for x in t_interval(there))
    return f"{middle:.3f} ({low:.3f} to {high:.3f})"


By = Callable[[dict[str, Any]], str]


def groups(rows: list[dict[str, Any]], by: By) -> dict[str, list[dict[str, Any]]]:
    return {name: [row for row in rows if by(row) == name] for name in dict.fromkeys(map(by, rows))}


def over_families(rows: list[dict[str, Any]], rule: str) -> list[float]:
    """Return the mean regret of each family that has the rule."""
    return [
        float(np.mean([row["regret"][rule] for row in part]))
        for part in groups(rows, lambda row: row["family"]).values()
        if all(row["regret"][rule] is not None for row in part)
    ]


def table(rows: list[dict[str, Any]], by: By) -> list[str]:
    rules = list(rows[0]["regret"])
    lines = ["| | n | " + " | ".join(rules) + " |", "|---" * (len(rules) + 2) + "|"]
    for group, part in groups(rows, by).items():
        cells = [mean(row["regret"][rule] for row in part) for rule in rules]
        lines.append(f"| {group} | {len(part)} | " + " | ".join(cells) + " |")
    families = len({row["family"] for row in rows})
    means = [over_families(rows, rule) for rule in rules]
    cells = [mean(values) if len(values) == families else "-" for values in means]
    lines.append(f"| *mean over families* | {families} | " + " | ".join(cells) + " |")
    return lines


def sureness(rows: list[dict[str, Any]], by: By) -> list[str]:
    head = (
        "| | n | interval holds the best | ways in it | abstains | right where it does not | regret there |"
    )
    lines = [head, "|---" * 7 + "|"]
    for group, part in groups(rows, by).items():
        sure = [row for row in part if not row["abstains"]]
        right = f"{sum(row['chosen'] == row['best'] for row in sure)} of {len(sure)}"
        covered = f"{sum(row['covered'] for row in part)} of {len(part)}"
        width = " of ".join(f"{np.mean([row[key] for row in part]):.1f}" for key in ("interval", "ways"))
        regret = mean(row["regret"]["adviser"] for row in sure)
        cells = (group, len(part), covered, width, f"{len(part) - len(sure)}", right, regret)
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return lines


def beside(rows: list[dict[str, Any]]) -> list[str]:
    """Say the adviser's regret minus that of each rule, paired by family."""
    lines = []
    for rule in list(rows[0]["regret"])[2:]:
        there = [row for row in rows if row["regret"][rule] is not None]
        pairs = zip(over_families(there, "adviser"), over_families(there, rule), strict=True)
        differences = [one - other for one, other in pairs]
        lines.append(f"- minus {rule}: {mean(differences)} over {len(differences)} families")
    return lines


def page(rows: list[dict[str, Any]], sweeps: list[Sweep], command: str) -> str:
    def world(row: dict[str, Any]) -> str:
        return f"{row['world']}, {row['goal']}" if row["below"] else row["world"]

    def family(row: dict[str, Any]) -> str:
        return row["family"]

    def pixels(row: dict[str, Any]) -> str:
        return f"{row['scale']:.2g} pixels"

    main = [row for row in rows if not row["below"] and row["goal"] != UNSEEN]
    unseen = [row for row in rows if row["goal"] == UNSEEN]
    lower = [row for row in rows if row["below"]]
    scaled = sorted((row for row in rows if row["scale"]), key=lambda row: row["scale"])
    families = sorted({row["family"] for row in rows})
    lines = [
        "# Advice, validated", "", f"`{command}`", "",
        f"{len(sweeps)} sweeps; families of worlds: {', '.join(families)}; the adviser saw "
        f"{IMAGES:,} images of each, at most {GIVEN:,} of given ones. Regret is in R2 of the latents, "
        "of digits and composites in accuracy: means over sweeps with 95 % t intervals; the last row is over "
        "families, each counted once. Nothing in the adviser is fitted to sweeps; the constant is chosen on "
        "the other families alone.",
        "", "## Regret, whole image", "", *table(main, family),
        "", "The adviser's regret, paired by family:", "", *beside(main),
        "", "## How sure it was, whole image", "", *sureness(main, family),
        "", "## By world", "", *table(main, world), "", *sureness(main, world),
    ]  # fmt: skip
    for title, part in (
        ("Levels below the whole image", lower),
        ("Given images, class: asked for the level of the whole image, not for labels", unseen),
    ):
        if part:
            lines += ["", f"## {title}", "", *table(part, world), "", *sureness(part, world)]
            lines += ["", "The adviser's regret, paired by family:", "", *beside(part)] * (part is lower)
    lines += ["", "## Goal scale", ""]
    lines += [
        "`--goal scale` takes the level whose blocks come nearest to the pixels asked for, so these are the "
        "rows above, by the side of a block. Given images have no latents: of their scales that of the whole "
        "image alone is judged, by the class.", "", *table(scaled, pixels), "", *sureness(scaled, pixels),
    ]  # fmt: skip
    head = "| world | seed | models below their gate | best | chosen | constant | regret | abstains |"
    lines += ["", "## Choices, whole image", "", head, "|---" * 8 + "|"]
    known = {(sweep.label, sweep.world_seed): sweep for sweep in sweeps}
    for row in main:
        sweep = known[row["world"], row["world_seed"]]
        masks = ((row["best"][0], row["best_ratio"]), (row["chosen"][0], row["ratio"]), row["constant"])
        ungated = "no gate" if UNSEEN in sweep.below else f"{sweep.ungated} of {len(sweep.ratio)}"
        cells = [row["world"], row["world_seed"], ungated]
        cells += ["-" if mask is None else f"{mask[0]} at {mask[1]:.3g}" for mask in masks]
        cells += [f"{row['regret']['adviser']:.3f}", "yes" if row["abstains"] else ""]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    modelled = sorted({row["world"] for row in rows if row["model"]})
    missing = [name for name in FAMILIES.values() if name not in families]
    lines += ["", f"A small model was trained first (`--model`) in: {', '.join(modelled) or 'none'}."]
    lines += [f"No sweep at hand: {', '.join(missing) or 'none'}."]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", type=Path, nargs="+", help="folders with a regression.nc")
    parser.add_argument("--cache", type=Path, help="file that keeps what was computed of images")
    parser.add_argument("--model", nargs="*", default=[], help="worlds where a small model is trained first")
    parser.add_argument("--out", type=Path, default=RESULTS / "advice")
    args = parser.parse_args()
    sweeps = [one for folder in args.folders for one in read_sweeps(folder, args.model)]
    if not sweeps:
        raise SystemExit("no sweep in these folders has three ratios of one mask patch")
    rows = []
    for sweep in sweeps:
        others = [other for other in sweeps if other.family != sweep.family]
        judged = [judge(sweep, goal, survey(sweep, goal, args.cache), others) for goal in sweep.skill]
        rows += [row for row in judged if row is not None]
    command = "python benchmarks/advice.py " + " ".join(map(str, args.folders))
    command += f" --model {' '.join(args.model)}" * bool(args.model)
    args.out.with_suffix(".md").write_text(page(rows, sweeps, command))
    args.out.with_suffix(".json").write_text(json.dumps(rows, indent=1))
    print(args.out.with_suffix(".md").read_text())


if __name__ == "__main__":
    main()
