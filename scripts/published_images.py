"""Publish a finished run on images: ``python scripts/published_images.py digits`` (mnist, composites).

Writes reference/images/NAME/NAME.md, our orders beside the paper's, the run's figures to docs/images, and the
lines about it in docs/images.md. The unit is the split (a world seed), training seeds averaged; intervals are
t intervals over splits.
"""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import xarray as xr
from scipy.stats import spearmanr

from maestrata.cubes.io import open_cube
from maestrata.figures import beside_the_paper as paper
from maestrata.figures import registry
from maestrata.figures.class_accuracy import PROBES as FEATURES
from maestrata.figures.save import save
from maestrata.figures.style import Style
from maestrata.figures.words import decimals, estimate, same_order, short, span
from maestrata.results import CubeSet, Series, along_arms, along_cells, cells, scores

ROOT = Path(__file__).resolve().parents[1]
FIGURES = ("class_accuracy", "image_quality", "reconstructions", "training_curves", "beside_the_paper")
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
    "root_alone": "shape alone, of two halves",
    "texture_alone": "texture alone, of two halves",
}
SHIFT = {
    "accuracy": "accuracy, textures of the probe's training",
    "shifted_accuracy": "accuracy, other textures",
    "lost_share": "share of accuracy above chance that is lost",
}
THEIRS: Mapping[str, tuple[str, Sequence[float]]] = {
    "probe": ("linear probe, %", [row[0] for row in paper.PROBE]),
    "cues": ("shape bias", paper.SHAPE_BIAS),
    "shift": ("share lost on five variants", [1 - float(np.mean(row[1:])) / row[0] for row in paper.PROBE]),
}


def at_ours(cube: xr.Dataset) -> dict[str, tuple[str, Sequence[float]]]:
    """Take the paper's numbers at the ratios of a run; none where it has others than the paper."""
    asked = cube.mask_ratio.values.tolist()
    if not set(asked) <= set(paper.RATIOS):
        return {}
    at = [paper.RATIOS.index(ratio) for ratio in asked]
    return {key: (title, [numbers[i] for i in at]) for key, (title, numbers) in THEIRS.items()}


def rank(values: Sequence[float], labels: Sequence[str], low: bool = False) -> str:
    """Name settings from the best to the worst."""
    order = np.argsort(np.asarray(values) * (1 if low else -1), kind="stable")
    return " > ".join(labels[i] for i in order)


def pairs(theirs: Sequence[float], s: Series) -> str:
    """Say how many pairs of settings are in the paper's order, in the mean and in each split."""
    (same, all_), *each = (same_order(theirs, one) for one in (s.mean, *s.each))
    return f"{same} of {all_} (by split {', '.join(str(own) for own, _ in each)})"


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
            told.append(f"{name}: {pairs(theirs[1], s)}")
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
    taken = scores(cube, encoder, **({"target": "class"} | changes)).max("level").isel(world=0).sel(offset=0)
    if variable not in taken:
        taken = taken.assign({variable: taken.test_loss / taken.test_variance})
    return taken.assign({f"{variable}_{end}": taken[variable] * np.nan for end in ("low", "high")})


def reconstruction(cube: xr.Dataset, quality: xr.Dataset, world: str, suffix: str) -> Iterator[str]:
    """Yield Spearman's correlations over ratios of each measure with what is told of the class.

    Means alone: of three correlations over three to five ratios an interval says nothing.
    """
    models = cells(quality, world)
    what = "filled in" if suffix else "whole"
    for name, told in (
        ("the class told from what comes out", along_arms(quality, world, f"class_told{suffix}", models)),
        ("the accuracy of the linear probe on the mean token", by_ratio(cube, "accuracy")),
    ):
        if told is None or (np.ptp(told.each, axis=1) == 0).any():
            continue
        ranks = {}
        for quantity, sign in SIGN.items():
            s = along_arms(quality, world, f"{quantity}{suffix}", models)
            if s is not None and s.each.shape == told.each.shape:
                both = zip(s.each, told.each, strict=True)
                ranks[QUALITY[quantity]] = np.array([spearmanr(sign * a, b).statistic for a, b in both])
        if len(ranks) == len(SIGN):
            ssim, fsim, psnr, mse = ranks.values()
            ranks["SSIM and FSIM minus PSNR and squared error"] = (ssim + fsim - psnr - mse) / 2
        means = "; ".join(f"{quantity} {decimals(float(each.mean()))}" for quantity, each in ranks.items())
        if means:
            yield f"- Images {what}, with {name}, mean of {len(told.each)} splits: {means}"


def report(name: str, cubes: CubeSet) -> Iterator[str]:
    """Yield the lines of the page."""
    cube = cubes.one("regression").load()
    world = str(cube.world.values[0])
    loss = by_ratio(cube, "share")
    assert loss is not None
    ratios = [f"r = {short(float(x))}" for x in loss.x]
    theirs = at_ours(cube)
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
    yield from table("accuracy, patches of one token", ratios, rows, theirs.get("probe"))
    for encoder in ("random_init", "null_trained", "pixels"):
        taken = filled(cube, "accuracy", encoder).max(["patch_size", "mask_ratio"]).expand_dims("point")
        s = along_cells(taken, "point", [0.0], "accuracy")
        yield f"- mean token, {encoder}: {estimate(s, 0)}" if s is not None else ""
    yield "\n## Class by mask patch, r = .75\n"
    along = by_patch(cube, "accuracy")
    sizes = [] if along is None else [int(size) for size in along.x]
    patches = [f"{size} token{'s' * (size > 1)}" for size in sizes]
    rows = {probe: by_patch(cube, "accuracy", **changes) for probe, changes in FEATURES.items()}
    yield from table("accuracy", patches, rows)
    yield "The paper: 62.57, 68.96, 73.31 % for patches of 8, 16, 32 pixels, so larger ones are better.\n"
    for target in [t for t in map(str, cube.target.values) if t != "class"]:
        yield f"## {target.capitalize()} by masking ratio\n"
        rows = {p: by_ratio(cube, "accuracy", target=target, **changes) for p, changes in FEATURES.items()}
        yield from table("accuracy", ratios, rows)
    yield from experiments(cubes, cube, world, ratios)


def experiments(cubes: CubeSet, cube: xr.Dataset, world: str, ratios: Sequence[str]) -> Iterator[str]:
    """Yield what the experiments of the run say, as far as it has them."""
    beside = at_ours(cube)
    for key, title, names, theirs in (
        ("cue_conflict", "Cue conflict", CUES, beside.get("cues")),
        ("robustness", "Texture shift", SHIFT, beside.get("shift")),
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
            yield "Outputs at visible tokens are not trained, so whole images come out as it happens."
            yield "Tokens masked at r = .75 and filled in, as the models of r = .75 were trained to:\n"
            filled_in = {f"{text}, filled in": f"{quantity}_masked" for quantity, text in names.items()}
            rows = {text: along_arms(found, world, quantity, models) for text, quantity in filled_in.items()}
            yield from table("measure", ratios, rows, None, [f"{QUALITY['mse']}, filled in"])
            yield "Spearman's correlation over the ratios; none where a measure is constant:\n"
            for suffix in ("", "_masked"):
                yield from reconstruction(cube, found, world, suffix)
            yield "\nThe paper (whole images): SSIM and FSIM rise from .1 to .75, and .9 has the higher PSNR."


def summary(name: str, cubes: CubeSet) -> Iterator[str]:
    """Yield what docs/images.md says of a run."""
    cube = cubes.one("regression").load()
    world = str(cube.world.values[0])
    told = by_ratio(cube, "accuracy")
    n = span(count for count in told.samples if count) if told else "0"
    yield (
        f"`{name}`: n = {told.n_worlds if told else 0} splits, {n} test images each; mean ± half of the 95 % "
        "t interval; bold: the best. Last column: pairs of settings in the paper's order (in each split)."
    )

    def of_experiment(key: str, quantity: str) -> Series | None:
        found = cubes.get(f"experiments/{key}")
        return None if found is None else along_arms(found, world, quantity, cells(found, world))

    beside, none = at_ours(cube), ("", ())
    yield brief(
        "r",
        Row("loss of masked tokens over variance", by_ratio(cube, "share"), low=True),
        Row("class, linear, mean token", told, beside.get("probe", none)),
        Row(
            "class, linear, all tokens",
            by_ratio(cube, "accuracy", pooling="concat"),
            beside.get("probe", none),
        ),
        *(
            Row(f"{target}, linear, mean token", by_ratio(cube, "accuracy", target=target))
            for target in map(str, cube.target.values)
            if target != "class"
        ),
        Row(
            "cues: answers for shape",
            of_experiment("cue_conflict", "root_share"),
            beside.get("cues", none),
        ),
        Row(
            "other textures: share lost",
            of_experiment("robustness", "lost_share"),
            beside.get("shift", none),
            True,
        ),
        Row("SSIM, filled in", of_experiment("image_quality", "ssim_masked")),
        Row("PSNR in dB, filled in", of_experiment("image_quality", "psnr_masked")),
        Row("class told from images filled in", of_experiment("image_quality", "class_told_masked")),
    )
    theirs = ("linear probe, %, 8, 16, 32 px", paper.PROBE_BY_PATCH)
    yield brief(
        "tokens of a mask patch, r = .75",
        Row("class, linear, mean token", by_patch(cube, "accuracy"), theirs),
        Row("class, linear, all tokens", by_patch(cube, "accuracy", pooling="concat"), theirs),
    )
    quality = cubes.get("experiments/image_quality")
    if quality is not None:
        for text in reconstruction(cube, quality, world, "_masked"):
            yield text.replace("- Images", "- Rank correlation over ratios: images", 1)


class Row(NamedTuple):
    """A row of a table in the docs: a series, the paper's numbers, and whether less is better."""

    text: str
    s: Series | None
    theirs: tuple[str, Sequence[float]] = ("", ())
    low: bool = False


def brief(head: str, *rows: Row) -> str:
    """Say series in a narrow table, with the paper's numbers where these have as many settings."""
    there = [(row, row.s) for row in rows if row.s is not None]
    if not there:
        return ""
    x = there[0][1].x
    labels = [short(float(at)) if float(at) < 1 else f"{int(at)}" for at in x]
    lines = [f"| {head} | {' | '.join(labels)} | as in the paper |", "|---" * (len(labels) + 2) + "|"]
    named = set()
    for row, s in there:
        title, numbers = row.theirs
        beside = len(numbers) == len(x)
        if beside and title not in named:
            named.add(title)
            lines.append(f"| *the paper: {title}* | {' | '.join(f'{value:.4g}' for value in numbers)} | |")
        best = int(np.argmin(s.mean) if row.low else np.argmax(s.mean))
        half = (s.high - s.low) / 2
        cells_ = [f"{decimals(float(m))} ±{decimals(float(h))}" for m, h in zip(s.mean, half, strict=True)]
        cells_[best] = f"**{cells_[best]}**"
        same = pairs(numbers, s).replace("by split ", "") if beside else ""
        lines.append(f"| {row.text} | {' | '.join(cells_)} | {same} |")
    return "\n".join(lines)


def insert(page: Path, name: str, lines: Iterable[str]) -> None:
    """Put lines in a page, in the place of those between the marks of a run."""
    start, end = f"<!-- {name}: published_images.py -->", f"<!-- end of {name} -->"
    before, _, rest = page.read_text(encoding="utf-8").partition(start)
    if not rest:
        raise SystemExit(f"{page} must hold {start}")
    wrapped = [text for said in lines if said for text in fill(said)]
    body = "\n".join([start, *wrapped, end])
    page.write_text(before + body + rest.partition(end)[2], encoding="utf-8")


def fill(said: str) -> list[str]:
    """Wrap a line of Markdown at 120 characters, tables aside; a blank line follows what is no list."""
    if said.startswith("|"):
        return [said, ""]
    listed = said.startswith("- ")
    lines = textwrap.wrap(said, 119, subsequent_indent="  " * listed, break_long_words=False)
    return lines if listed else [*lines, ""]


def main(argv: list[str] | None = None) -> None:
    """Write the table and the figures of a run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", help="run: config/NAME.yaml")
    parser.add_argument("--run", type=Path, help="its results; default: results/NAME")
    args = parser.parse_args(argv)
    run = args.run or ROOT / "results" / args.name
    cubes = CubeSet(open_cube(path) for path in sorted((run / "cubes").rglob("*.nc")))
    table_, docs = ROOT / "reference" / "images" / args.name, ROOT / "docs"
    table_.mkdir(parents=True, exist_ok=True)
    (table_ / f"{args.name}.md").write_text("\n".join(report(args.name, cubes)).rstrip() + "\n", "utf-8")
    insert(docs / "images.md", args.name, summary(args.name, cubes))
    style = Style()
    for name in FIGURES:
        figure = registry.load(name)
        if any(cubes.get(key) is None for key in figure.NEEDS):
            continue
        path = docs / "images" / f"{args.name}_{name}.png"
        with style.context():
            save(figure.draw(cubes, style), path, style)
        print(path)


if __name__ == "__main__":
    main()
