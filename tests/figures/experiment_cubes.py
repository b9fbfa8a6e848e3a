"""Plausible cubes of experiments and of verdicts, drawn from formulas."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import nan
from typing import Any

import numpy as np

from maestrata.claims import registry as claims
from maestrata.claims.report import dataset
from maestrata.claims.rule import contrast
from maestrata.claims.verdict import correct, outcome_of
from maestrata.cubes.io import build
from maestrata.results import Row

# arm, quantity, level, value, half the interval's width (0: none), samples, what the arm stands for
Number = tuple[str, str, int, float, float, float, float]
TOP = 4
LEVELS = range(1, TOP + 1)
VISIBLE = {14: 0.125, 12: 0.25, 8: 0.5, 4: 0.75, 2: 0.875}
CELLS = {f"1x1/v{k}": ratio for k, ratio in VISIBLE.items()}
CONTROLS = ("random_init", "pixels", "pca")
NAMES = ("bottleneck", "fixed_masks", "surrogate", "invariance", "cue_conflict", "robustness",
         "reconstruction", "image_quality", "attention", "embedding", "samples", "budgets",
         "border")  # fmt: skip


def peak(ratio: float, height: float = 0.05) -> float:
    """Highest at middling ratios."""
    return height * (1 - 4 * (ratio - 0.6) ** 2)


def r2(level: int, ratio: float = 0.75) -> float:
    return 0.75 - 0.12 * level + peak(ratio)


def bottleneck() -> Iterator[Number]:
    arms = {"trained/0.5d": (0.5, 0.62, 0.55, 0.12), "trained/1d": (1.0, 0.96, 0.95, 0.08),
            "trained/2d": (2.0, 0.98, 0.96, 0.27)}  # fmt: skip
    for c in (1, 2):
        for arm, (multiple, skill, progress, leak) in arms.items():
            numbers = {"skill": skill, "r2": 0.9 * skill, "progress": progress, "leak": leak * c}
            for quantity, value in numbers.items():
                yield f"l{c}/{arm}", quantity, 0, value - 0.03 * c, 0.01, 4096, multiple
        for arm, skill, leak in (
            ("null_trained/1d", 0.05, 0.8),
            ("random_init/1d", 0.1, 0.77),
            ("pca/1d", 0.4, 0.5),
        ):
            for quantity, value in (("skill", skill), ("r2", 0.9 * skill), ("leak", leak)):
                yield f"l{c}/{arm}", quantity, 0, value, 0.01, 4096, nan
        yield f"l{c}/exact", "r2", 0, 0.9, 0.01, 4096, nan


def fixed_masks() -> Iterator[Number]:
    arms = {"conservative": (0.25, 0.36), "ideal": (0.5, 0.28), "aggressive": (0.75, 0.41)}
    arms |= {f"ladder{k}": (0.5, 0.4 - 0.03 * k) for k in LEVELS}
    for arm, (ratio, leak) in arms.items():
        place = float(arm[-1]) if arm.startswith("ladder") else nan
        yield arm, "mask_ratio", 0, ratio, 0, nan, place
        yield arm, "progress", 0, 0.9, 0.01, 1024, place
        for level in LEVELS:
            for quantity, value in (("leak", leak), ("leak_random_init", leak + 0.04), ("leak_whole", 0.35)):
                yield arm, quantity, level, value + 0.1 * (level - 2), 0.01, 1024, place
            rung = place if place == place else 2
            yield arm, "r2", level, r2(level) + 0.01 * rung * (level - 2), 0.01, 3072, place
            yield arm, "r2_random_init", level, r2(level) - 0.1, 0.01, 3072, place


def surrogate() -> Iterator[Number]:
    counts = {14: 0.125, 4: 0.75, 2: 0.875}
    for level in LEVELS:
        for name, gain in (("world", 0.04), ("surrogate", -0.02)):
            for k, ratio in counts.items():
                value = r2(level) + gain + peak(ratio, 0.05 if name == "world" else 0.01)
                yield f"{name}/v{k}", "r2", level, value, 0.01, 8192, ratio
                yield f"{name}/v{k}", "beyond_linear", level, gain, 0.008, 8192, ratio
            for arm, less in (("linear", 0.0), ("random_init", 0.1)):
                yield f"{name}/{arm}", "r2", level, r2(level) - less, 0.01, 8192, nan
            yield f"{name}/shape", "inverted_u", level, 0.03 if gain > 0 else 0.005, 0.01, 8192, nan
        yield "difference/shape", "inverted_u", level, 0.025, 0.014, 8192, nan


def invariance() -> Iterator[Number]:
    for arm, ratio in {**CELLS, "random_init": nan}.items():
        trained = ratio == ratio
        if trained:
            yield arm, "mask_ratio", 0, ratio, 0, nan, nan
        for level in LEVELS:
            drop = peak(ratio, 0.06) if trained else 0.0
            yield arm, "low_redrawn", level, 0.3 + 0.16 * level - drop, 0.01, 1024, nan
            yield arm, "high_redrawn", level, 0.9 - 0.18 * level + drop, 0.01, 1024, nan


def readers(ceiling: bool = False) -> Iterator[tuple[str, float, float]]:
    """Arms with their ratio and how good they are."""
    for arm, ratio in CELLS.items():
        yield arm, ratio, 0.1 + peak(ratio)
    for arm, skill in zip(CONTROLS, (0.03, -0.1, -0.05), strict=True):
        yield arm, nan, skill
    if ceiling:
        yield "ceiling", nan, 0.3


def cue_conflict() -> Iterator[Number]:
    for arm, ratio, skill in readers():
        if ratio == ratio:
            yield arm, "mask_ratio", 0, ratio, 0, nan, nan
        yield arm, "root_share", 0, 0.4 + 2 * skill, 0.02, 4096, nan
        yield arm, "root_alone", 0, 0.65 + skill, 0.015, 4096, nan
        yield arm, "texture_alone", 0, 0.75 - skill, 0.015, 4096, nan
        yield arm, "agreement", 0, 0.9, 0.01, 4096, nan


def robustness(discrete: bool = False) -> Iterator[Number]:
    yield "chance", "accuracy", 0, 0.05 if discrete else 0.5, 0, nan, nan
    shifts = ("noise=2", "noise=3", "tilt=3" if discrete else "middle=1.5")
    for arm, ratio, skill in readers(ceiling=discrete):
        if ratio == ratio:
            yield arm, "mask_ratio", 0, ratio, 0, nan, nan
        yield arm, "accuracy", 0, 0.68 + skill, 0.01, 4096, nan
        yield arm, "shifted_accuracy", 0, 0.6 + skill, 0.01, 4096, nan
        yield arm, "lost_share", 0, 0.35 - skill, 0.02, 4096, nan
        for i, shift in enumerate(shifts):
            yield f"{arm}/{shift}", "lost_share", 0, 0.1 + 0.15 * i - skill / 2, 0.02, 4096, nan


def reconstruction() -> Iterator[Number]:
    scores = {"ssim": 0.6, "fsim": 0.8, "psnr": 22.0, "mse": 0.5, "root_probability": 0.6}
    for arm, place in {**CELLS, "exact": nan}.items():
        better = peak(place, 0.05) if place == place else 0.15
        for quantity, value in scores.items():
            half, shown = 0.02 * value, value * (1 + better * (-1 if quantity == "mse" else 1))
            yield arm, f"{quantity}_masked", 0, 0.9 * shown, half, 512, place
            if place == place:
                yield arm, quantity, 0, shown, half, 512, place
        yield arm, "progress", 0, 0.8, 0.01, 512, place
    for quantity, value in (("rank_ssim", 0.7), ("rank_fsim", 0.6), ("rank_psnr", 0.2), ("rank_mse", 0.2),
                            ("rank_gap", 0.45)):  # fmt: skip
        yield "ratios", quantity, 0, value, 0.3, 512, nan


def image_quality() -> Iterator[Number]:
    for stem, less in (("1x1", 0.0), ("2x2", 0.1)):
        for arm, place in {
            **{f"{stem}/v{k}": CELLS[f"1x1/v{k}"] for k in VISIBLE},
            "random_init": nan,
        }.items():
            if arm == "random_init" and less:
                continue
            better = peak(place) if place == place else -0.3
            measures = {"ssim": 0.6, "fsim": 0.8, "psnr": 22.0, "mse": 0.5, "class_told": 0.5}
            for quantity, value in measures.items():
                scored = (value * (1 + better - less), 0.02 * value, 400, place)
                yield arm, quantity, 0, *scored
                yield arm, f"{quantity}_masked", 0, *scored


def attention(maps: bool = True) -> Iterator[Number]:
    arms = {**CELLS, "random_init": nan}
    for level in range(1, TOP):
        yield "even", "token_mass", level, (2**level - 1) / 15, 0, nan, nan
        for arm, ratio in arms.items():
            base = (2**level - 1) / 15
            more = 0.08 + peak(ratio) if ratio == ratio else 0.01
            for quantity, extra in (("token_mass", 0.0), ("chosen_mass", 0.02), ("cls_mass", -0.03)):
                yield arm, quantity, level, base + more + extra, 0.005, 1024, nan
    rng = np.random.default_rng(5)
    for arm, ratio in arms.items():
        if ratio == ratio:
            yield arm, "mask_ratio", 0, ratio, 0, nan, nan
        if maps:
            for name in ("d0", "d1", "mean"):
                for quantity in ("cls_attention", "chosen_attention"):
                    for token, share in enumerate(
                        rng.dirichlet(np.full(16, 5.0 if name != "mean" else 50.0))
                    ):
                        yield f"{arm}/{name}/t{token:02d}", quantity, 0, float(share), 0, nan, nan


def embedding(points: int = 60) -> Iterator[Number]:
    rng = np.random.default_rng(6)
    yield "chance", "purity", 0, 0.5, 0, points, nan
    for arm, ratio, skill in readers():
        if ratio == ratio:
            yield arm, "mask_ratio", 0, ratio, 0, nan, nan
        yield arm, "purity", 0, 0.6 + skill, 0.015, 600, nan
        yield arm, "purity_embedded", 0, 0.57 + skill, 0.02, 600, nan
        classes = rng.integers(0, 2, points)
        where = rng.standard_normal((points, 2)) * 10 + 40 * skill * (2 * classes[:, None] - 1)
        for i, (x, y) in enumerate(where):
            for quantity, value in (("x", x), ("y", y), ("root_class", classes[i])):
                yield f"{arm}/p{i:03d}", quantity, 0, float(value), 0, nan, nan


def samples() -> Iterator[Number]:
    sizes = {f"s{size}": size for size in (256, 1024, 4096, 16_384, 65_536)}
    sizes |= {"endless": 100_000, "s65536/2x": 65_536}
    for arm, size in sizes.items():
        for level in LEVELS:
            more = 0.01 * arm.endswith("x")
            yield arm, "r2", level, r2(level) - 8 / size**0.8 + more, 0.008, 8192, size
        yield arm, "progress", 0, 0.8 - 40 / size**0.8, 0.01, 4096, size
        yield arm, "mask_ratio", 0, 0.75, 0, nan, size


def budgets() -> Iterator[Number]:
    for budget, less in (("tokens", 0.03), ("compute", 0.0)):
        for k, ratio in VISIBLE.items():
            for level in LEVELS:
                yield f"{budget}/v{k}", "r2", level, r2(level, ratio) - less, 0.008, 8192, ratio
            yield f"{budget}/v{k}", "images", 0, 40_000, 0, nan, ratio


def border() -> Iterator[Number]:
    for patch, share in (("2x2", 2 / 3), ("1x1", 0.37)):
        for arm, counted, more in (
            ("standard", 1.0, 0.0),
            ("no_border", share, 0.005),
            ("no_random", share, -0.005),
        ):
            yield f"{patch}/{arm}", "counted", 0, counted, 0, nan, counted
            for level in LEVELS:
                yield f"{patch}/{arm}", "r2", level, r2(level) + more * (level - 2), 0.008, 8192, counted
        for level in LEVELS:
            yield f"{patch}/no_border", "over_standard", level, 0.005 * (level - 2), 0.004, 8192, share
            yield f"{patch}/no_border", "over_random", level, 0.01 * (level - 2), 0.004, 8192, share


def cube(
    name: str,
    worlds: Sequence[str] = ("additive",),
    world_seeds: int = 1,
    drop: tuple[str, ...] = (),
    top: int = TOP,
) -> Any:
    """Return the made-up cube of an experiment.

    Parameters
    ----------
    name : str
        Of `NAMES`.
    worlds : sequence of str
    world_seeds : int
        Each shifted a little from the formulas.
    drop : tuple of str
        Quantities, and arms by any of their parts, that are left out.
    top : int
        Levels above it are left out.
    """
    numbers = [
        number
        for number in globals()[name]()
        if not {*number[0].split("/"), number[1]} & set(drop) and number[2] <= top
    ]
    arms, quantities = (list(dict.fromkeys(number[i] for number in numbers)) for i in (0, 1))
    levels = sorted({number[2] for number in numbers})
    shape = (len(worlds), world_seeds, 1, len(arms), len(quantities), len(levels))
    data: dict[str, Any] = {key: np.full(shape, nan) for key in ("value", "low", "high", "n")}
    data["setting"] = np.full(len(arms), nan)
    rng = np.random.default_rng(len(name))
    exact = ("mask_ratio", "x", "y", "root_class", "cls_attention", "chosen_attention", "counted", "images")
    at = {label: i for labels in (arms, quantities, levels) for i, label in enumerate(labels)}
    for arm, quantity, level, value, half, n, setting in numbers:
        place = (arms.index(arm), quantities.index(quantity), at[level])
        data["setting"][place[0]] = setting
        moved = value if quantity in exact else value + half * rng.standard_normal(shape[:3])
        moved = np.clip(moved, -1, 1) if quantity.startswith("rank_") else moved
        for key, number in (("value", moved), ("low", moved - half if half else nan),
                            ("high", moved + half if half else nan), ("n", n)):  # fmt: skip
            data[key][(slice(None), slice(None), slice(None), *place)] = number
    coords = {"world": list(worlds), "world_seed": list(range(world_seeds)), "seed": [0],
              "arm": arms, "quantity": quantities, "level": levels}  # fmt: skip
    return build("experiments", coords, data, {"experiment": name})


def verdicts(world: str = "additive", world_seeds: int = 12) -> Any:
    """Return a cube of verdicts on made-up rows: the first claims have some, the others were not run."""
    rng = np.random.default_rng(7)
    outcomes = []
    for i, claim in enumerate(claims.load_all()):
        contrasts = []
        for test in claim.TESTS:
            values = test.threshold + 0.1 * (-1) ** i + 0.05 * rng.standard_normal(world_seeds)
            rows = [Row(world, k, value, value - 0.02, value + 0.02) for k, value in enumerate(values)]
            contrasts.append(contrast(test, rows))
        run = i < 6
        outcomes.append(outcome_of(claim, contrasts if run else [], "" if run else "not in this run"))
    return dataset(correct(outcomes))
