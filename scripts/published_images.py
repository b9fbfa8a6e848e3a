"""Publish a finished run on images: ``python scripts/published_images.py digits`` (or ``composites``).

Writes reference/images/NAME/NAME.md, our orders beside the paper's, and the run's figures to docs/images. The
unit is the split (a world seed), training seeds averaged; intervals are t intervals over splits.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import xarray as xr
from scipy.stats import spearmanr

from maestrata.cubes.io import open_cube
from maestrata.figures import beside_the_paper as paper
from maestrata.figures import registry
from maestrata.figures.save import save
from maestrata.figures.style import Style
from maestrata.figures.words import estimate, same_order, short, span
from maestrata.results import CubeSet, Series, along_arms, along_cells, cells, scores
from maestrata.results.series import sum_up

ROOT = Path(__file__).resolve().parents[1]
FIGURES = ("class_accuracy", "image_quality", "reconstructions", "training_curves", "beside_the_paper")
FEATURES: dict[str, dict[str, str]] = {
    "linear, mean token": {},
    "linear, all tokens": {"pooling": "concat"},
    "kernel, mean token": {"pooling": "global", "probe": "kernel_ridge"},
    "attentive": {"pooling": "tokens", "probe": "attentive"},
}
QUALITY = {
    "ssim": "SSIM",
    "fsim": "FSIM",
    "psnr": "PSNR, dB",
    "mse": "squared error",
    "class_told": "class told from what comes out",
}
SIGN = {"ssim": 1, "fsim": 1, "psnr": 1, "mse": -1}  # the squared error is better the smaller it is
CUES = {
    "root_share": "answers for the shape where the cues disagree",
    "root_alone": "shape alone told right (of two)",
    "texture_alone": "texture alone told right (of two)",
}
SHIFT = {
    "accuracy": "accuracy, textures of the probe's training",
    "shifted_accuracy": "accuracy, other textures",
    "lost_share": "share of accuracy above chance that is lost",
}
THEIRS: Mapping[str, tuple[str, Sequence[float]]] = {
    "probe": ("linear probe, %", [row[0] for row in paper.PROBE]),
    "patch": ("linear probe, %", paper.PROBE_BY_PATCH),
    "cues": ("shape bias", paper.SHAPE_BIAS),
    "shift": ("share lost on five variants", [1 - float(np.mean(row[1:])) / row[0] for row in paper.PROBE]),
}


def rank(values: Sequence[float], labels: Sequence[str], low: bool = False) -> str:
    """Name settings from the best to the worst."""
    order = np.argsort(np.asarray(values) * (1 if low else -1), kind="stable")
    return " > ".join(labels[i] for i in order)


def table(
    head: str,
    labels: Sequence[str],
    rows: Mapping[str, Series | None],
    theirs: tuple[str, Sequence[float]] | None = None,
    low: Iterable[str] = (),
) -> Iterator[str]:
    """Yield a table, a column a setting, then how the orders compare."""
    yield f"| {head} | {' | '.join(labels)} | order |"
    yield "|---" * (len(labels) + 2) + "|"
    if theirs:
        numbers = " | ".join(f"{value:.4g}" for value in theirs[1])
        upside = "lost" in theirs[0]
        yield f"| *the paper: {theirs[0]}* | {numbers} | {rank(theirs[1], labels, upside)} |"
    told = []
    for name, s in rows.items():
        if s is None or len(s.x) != len(labels):
            continue
        numbers = " | ".join(estimate(s, i) for i in range(len(labels)))
        yield f"| {name} | {numbers} | {rank(s.mean.tolist(), labels, name in low)} |"
        if theirs:
            same, pairs = same_order(theirs[1], s.mean)
            each = [same_order(theirs[1], one)[0] for one in s.each]
            told.append(f"{name}: {same} of {pairs} pairs (each split: {', '.join(map(str, each))})")
    if told:
        yield f"\nPairs of settings in the paper's order: {'; '.join(told)}."
    n = max((s.n_worlds for s in rows.values() if s is not None), default=0)
    samples = [count for s in rows.values() if s is not None for count in s.samples if count]
    images = f"{span(samples)} test images" if samples else "test images"
    yield f"\nMean and 95 % interval over n = {n} splits; {images} a split.\n"


def by_ratio(cube: xr.Dataset, variable: str, **changes: str) -> Series | None:
    """Take something of the models of one-token patches along the ratios."""
    taken = filled(cube, variable, **changes).sel(patch_size=1)
    return along_cells(taken, "mask_ratio", taken.realised_ratio, variable)


def by_patch(cube: xr.Dataset, variable: str, **changes: str) -> Series | None:
    """Take something of the models at r = .75 along the mask patches."""
    taken = filled(cube, variable, **changes).sel(mask_ratio=paper.AT)
    return along_cells(taken, "patch_size", taken.patch_size, variable)


def filled(cube: xr.Dataset, variable: str, encoder: str = "trained", **changes: str) -> xr.Dataset:
    """Scores of the class (or another target) at the level of the root, one world, patches not offset."""
    taken = scores(cube, encoder, **({"target": "class"} | changes)).max("level")
    taken = taken.isel(world=0).sel(offset=0)
    if variable not in taken:
        taken = taken.assign({variable: taken.test_loss / taken.test_variance})
    there = {f"{variable}_{end}": taken[variable] * np.nan for end in ("low", "high")}
    return taken.assign(there)


def controls(cube: xr.Dataset) -> Iterator[str]:
    """Yield the accuracies that no mask changes."""
    for encoder in ("random_init", "null_trained", "pixels"):
        taken = filled(cube, "accuracy", encoder).max(["patch_size", "mask_ratio"]).expand_dims("point")
        s = along_cells(taken, "point", [0.0], "accuracy")
        if s is not None:
            yield f"{encoder} {estimate(s, 0)}"


def reconstruction(cube: xr.Dataset, quality: xr.Dataset, world: str) -> Iterator[str]:
    """Yield Spearman's correlations over ratios of each measure with what is told of the class."""
    models = cells(quality, world)
    meaning = {"the class told from what comes out": along_arms(quality, world, "class_told", models)}
    for probe in ("linear, mean token", "linear, all tokens"):
        meaning[f"the accuracy of the probe ({probe})"] = by_ratio(cube, "accuracy", **FEATURES[probe])
    for name, told in meaning.items():
        if told is None:
            continue
        ranks = {}
        for quantity, sign in SIGN.items():
            s = along_arms(quality, world, quantity, models)
            if s is not None and s.each.shape == told.each.shape:
                pairs = zip(s.each, told.each, strict=True)
                ranks[QUALITY[quantity]] = np.array([spearmanr(sign * a, b).statistic for a, b in pairs])
        if len(ranks) == len(SIGN):
            ssim, fsim, psnr, mse = ranks.values()
            ranks["SSIM and FSIM minus PSNR and squared error"] = (ssim + fsim - psnr - mse) / 2
        words = []
        for quantity, each in ranks.items():
            none = np.full((len(each), 1, 1), np.nan)
            s = sum_up((each[:, None, None], none, none, none), [0.0])
            words += [f"{quantity} {estimate(s, 0)}"] if s is not None else []
        yield f"- with {name}: {'; '.join(words)}"


def report(name: str, cubes: CubeSet) -> Iterator[str]:
    """Yield the lines of the page."""
    cube = cubes.one("regression").load()
    world = str(cube.world.values[0])
    loss = by_ratio(cube, "share")
    assert loss is not None
    ratios = [f"r = {short(float(x))}" for x in loss.x]
    yield f"# {name}: orders over masking ratios and mask patches, beside the paper's\n"
    yield f"By `config/{name}.yaml` and `python scripts/published_images.py {name}`. Ratios are"
    yield "those realised; the paper's are .1, .25, .5, .75, .9 (ImageNet-1K, ViT-B, one run each). This is"
    yield "evidence about orders on one set of images, not about theorems.\n"
    yield "## Have the models learnt?\n"
    yield "Squared error on masked tokens of test images over their variance: 1 is the mean image. There is"
    yield "no Bayes loss to say how much could be learnt.\n"
    yield from table("loss over variance", ratios, {"masked tokens": loss}, low=["masked tokens"])
    yield "## Class by masking ratio\n"
    rows = {probe: by_ratio(cube, "accuracy", **changes) for probe, changes in FEATURES.items()}
    yield from table("accuracy, patches of one token", ratios, rows, THEIRS["probe"])
    yield f"Linear probe on the mean token without such a training: {'; '.join(controls(cube))}.\n"
    yield "## Class by mask patch, r = .75\n"
    sizes = sorted(int(x) for x in by_patch(cube, "accuracy").x)  # type: ignore[union-attr]
    patches = [f"{size} token{'s' * (size > 1)}" for size in sizes]
    label, values = THEIRS["patch"]
    beside = (f"{label}; patches of 8, 16, 32 pixels", values) if len(values) == len(sizes) else None
    rows = {probe: by_patch(cube, "accuracy", **changes) for probe, changes in FEATURES.items()}
    yield from table("accuracy", patches, rows, beside)
    if beside is None:
        yield "The paper: 62.57, 68.96, 73.31 % for patches of 8, 16, 32 pixels, so larger ones are better.\n"
    for target in [t for t in map(str, cube.target.values) if t != "class"]:
        yield f"## {target.capitalize()} by masking ratio\n"
        rows = {p: by_ratio(cube, "accuracy", target=target, **changes) for p, changes in FEATURES.items()}
        yield from table("accuracy", ratios, rows)
    yield from experiments(cubes, cube, world, ratios)


def experiments(cubes: CubeSet, cube: xr.Dataset, world: str, ratios: Sequence[str]) -> Iterator[str]:
    """Yield what the experiments of the run say, as far as it has them."""
    for key, title, names, theirs in (
        ("cue_conflict", "Cue conflict", CUES, THEIRS["cues"]),
        ("robustness", "Texture shift", SHIFT, THEIRS["shift"]),
        ("image_quality", "Whole images passed through", QUALITY, None),
    ):
        found = cubes.get(f"experiments/{key}")
        if found is None:
            continue
        models = cells(found, world)
        rows = {text: along_arms(found, world, quantity, models) for quantity, text in names.items()}
        first = next(iter(rows)) if key == "cue_conflict" else list(rows)[-1]
        yield f"## {title} by masking ratio\n"
        low = [SHIFT["lost_share"], QUALITY["mse"]]
        if theirs:
            yield from table("measure", ratios, {first: rows.pop(first)}, theirs, low)
        yield from table("measure", ratios, rows, None, low)
        if key == "image_quality":
            yield "Spearman's correlation over the five ratios, by split:\n"
            yield from reconstruction(cube, found, world)
            yield ""
            yield "The paper: SSIM and FSIM rise from .1 to .75, and .9 has the higher PSNR."


def main(argv: list[str] | None = None) -> None:
    """Write the table and the figures of a run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", help="run: config/NAME.yaml")
    parser.add_argument("--run", type=Path, help="its results; default: results/NAME")
    parser.add_argument("--table", type=Path, default=ROOT / "reference" / "images")
    parser.add_argument("--figures", type=Path, default=ROOT / "docs" / "images")
    args = parser.parse_args(argv)
    run = args.run or ROOT / "results" / args.name
    cubes = CubeSet(open_cube(path) for path in sorted((run / "cubes").rglob("*.nc")))
    page = args.table / args.name / f"{args.name}.md"
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text("\n".join(report(args.name, cubes)).rstrip() + "\n", encoding="utf-8")
    print(page)
    style = Style()
    for name in FIGURES:
        figure = registry.load(name)
        if any(cubes.get(key) is None for key in figure.NEEDS):
            continue
        path = args.figures / f"{args.name}_{name}.png"
        with style.context():
            save(figure.draw(cubes, style), path, style)
        print(path)


if __name__ == "__main__":
    main()
