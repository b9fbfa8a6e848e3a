"""What a finished run must show, read from its files: the checks that a sceptic would make first.

    python benchmarks/audit_run.py results/default

1. Did training do anything? R2 of the root, trained less null-trained, of the primary features (last layer,
   mean of the tokens under the node, whole image, ridge), paired on the same test images, with its 95 %
   interval.
2. Is any score above what exact inference allows? Every encoder, layer, evaluation ratio and probe, and every
   pooling to a vector (`POOLINGS`), against the exact ceiling of the same images under the same masks: the
   largest studentised excess of a world, against its own distribution over bootstrap replicates
   (simultaneous over all comparisons of that world; Bonferroni over worlds). `aligned` features are compared
   with the ceiling over the images in which the node is not wholly masked.
3. How far is the training loss from the least loss there is? Mean loss of the last 5 % of the steps (fresh
   images, so no overfitting) over the exact Bayes loss, where inference is exact.

Prints markdown; --out writes it to a file too.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from maestrata.cells import PatchShape
from maestrata.cubes.io import open_cube
from maestrata.errors import MaestrataError
from maestrata.results import PRIMARY

POOLINGS = ("global", "cls", "concat", "aligned")
LAST = 0.05  # share of the steps over which the final loss is averaged


@dataclass(frozen=True)
class Excess:
    """The score that lies highest above its ceiling, of many, in units of its own uncertainty.

    Attributes
    ----------
    worst : int
        Which of the comparisons.
    excess : float
        Score minus ceiling.
    t : float
        Excess over its bootstrap standard error.
    critical : float
        What the largest t of all comparisons stays below with probability .95 where no score is above.
    p : float
        Probability of a largest t at least as high.
    """

    worst: int
    excess: float
    t: float
    critical: float
    p: float


def largest_excess(
    score: ArrayLike, ceiling: ArrayLike, score_boot: ArrayLike, ceiling_boot: ArrayLike
) -> Excess:
    """Find whether any score lies above its ceiling: paired, and simultaneous over all comparisons.

    The bootstrap replicates of both sides come from the same weights, so their differences are those of one
    sample of images; the largest studentised difference is compared with its own distribution over
    replicates.

    Parameters
    ----------
    score, ceiling : array (comparisons,)
        Comparisons with NaN on either side are left out.
    score_boot, ceiling_boot : array (replicates, comparisons)

    Raises
    ------
    MaestrataError
        If shapes do not fit or nothing can be compared.
    """
    gap = np.asarray(score, np.float64) - np.asarray(ceiling, np.float64)
    one, other = np.asarray(score_boot, np.float64), np.asarray(ceiling_boot, np.float64)
    if gap.ndim != 1 or one.shape != other.shape or one.shape[1:] != gap.shape:
        raise MaestrataError(
            f"replicates of shapes {one.shape}, {other.shape} must be (replicates, {gap.size})"
        )
    boot = one - other
    usable = np.flatnonzero(np.isfinite(gap) & np.isfinite(boot).all(0))
    error = boot[:, usable].std(0, ddof=1)
    usable, error = usable[error > 0], error[error > 0]
    if not len(usable):
        raise MaestrataError("no score has a ceiling with replicates to be compared with")
    t = gap[usable] / error
    largest = ((boot[:, usable] - gap[usable]) / error).max(1)
    worst = int(np.argmax(t))
    return Excess(
        worst=int(usable[worst]),
        excess=float(gap[usable[worst]]),
        t=float(t[worst]),
        critical=float(np.quantile(largest, 0.95)),
        p=float((1 + (largest >= t[worst]).sum()) / (1 + len(largest))),
    )


def cells(root: Path) -> Iterator[tuple[str, int, str, int, int, Path]]:
    """Yield world, world seed, patch, visible, seed and folder of every scored cell."""
    for path in sorted(root.glob("cells/*/w*/p*/v*/s*/scores.nc")):
        seed, visible, patch, world_seed, world = path.parts[-2:-7:-1]
        yield world, int(world_seed[1:]), patch[1:], int(visible[1:]), int(seed[1:]), path.parent


def gain_of_training(root: Path) -> list[str]:
    """Rows of the first table."""
    cube = open_cube(root / "cubes" / "regression.nc")
    cube = cube.sel(**PRIMARY, encoder="trained").isel(layer=-1)
    rows = []
    for world in cube.world.values:
        one = cube.sel(world=world)
        levels = one.level.where(one.r2.notnull().any([d for d in one.r2.dims if d != "level"]), drop=True)
        root_level = int(levels.max())
        top = one.sel(level=root_level).stack(
            cell=("world_seed", "patch_size", "offset", "mask_ratio", "seed")
        )
        top = top.where(top.gain.notnull(), drop=True)
        for k in range(top.sizes["cell"]):
            at = top.isel(cell=k)
            low, high = float(at.gain_low), float(at.gain_high)
            sign = "below" if low > 0 else "above" if high < 0 else "inside"
            rows.append(
                f"| {world} | {int(at.world_seed)} | {int(at.patch_size)} | {float(at.mask_ratio):g} "
                f"| {float(at.r2):.3f} | {float(at.gain):+.3f} | [{low:+.3f}, {high:+.3f}] | {sign} |"
            )
    return rows


def limits_of(root: Path, world: str, world_seed: int) -> xr.Dataset | None:
    """Exact limits of a world; None where there are bounds only."""
    limits = open_cube(root / "limits" / world / f"w{world_seed}.nc")
    return limits.sel(bound="exact").isel(world=0, world_seed=0) if "exact" in limits.bound else None


def excess_of(root: Path, world: str, world_seed: int) -> tuple[str, float] | None:
    """Compare every score of a world with its exact ceiling; None where there is none."""
    limits = limits_of(root, world, world_seed)
    if limits is None:
        return None
    score, ceiling, score_boot, ceiling_boot, names = [], [], [], [], []
    files = [
        (p, f) for w, ws, *_, f in cells(root) if (w, ws) == (world, world_seed) for p in [f / "scores.nc"]
    ]
    controls = sorted((root / "controls" / world / f"w{world_seed}").glob("s*.nc"))
    sources: list[tuple[Path, MaskPlace | None]] = [(p, place(f)) for p, f in files]
    sources += [(p, None) for p in controls]
    for path, at in sources:
        found = open_cube(path)
        exact = limits if at is None else of_patches(limits, at)
        exact = exact.stack(place=[d for d in ("patch_size", "offset", "mask_ratio") if d in exact.r2.dims])
        exact = exact.where(exact.r2.notnull().any([d for d in exact.r2.dims if d != "place"]), drop=True)
        if at is not None:
            n = (1 << int(found.level.max())) // at.size  # patches: leaves over tokens in a patch
            keep = np.isclose(exact.realised_ratio.values, 1 - at.visible / n)
            exact = exact.isel(place=np.flatnonzero(keep))
        exact = exact.isel(place=0)
        for pooling in [one for one in POOLINGS if one in found.pooling.values]:
            name = "r2_present" if pooling == "aligned" else "r2"
            ours = found.sel(pooling=pooling)
            ours = ours.where(ours.encoder != "shuffled", drop=True)
            theirs = exact.sel(eval_ratio=ours.eval_ratio, target=ours.target, level=ours.level)
            wide = theirs[name].broadcast_like(ours.r2).transpose(*ours.r2.dims)
            boot_name = "r2_present_boot" if pooling == "aligned" else "r2_boot"
            wide_boot = theirs[boot_name].broadcast_like(ours.r2_boot).transpose(*ours.r2_boot.dims)
            flat = np.isfinite(ours.r2.values) & np.isfinite(wide.values)
            score.append(ours.r2.values[flat])
            ceiling.append(wide.values[flat])
            score_boot.append(ours.r2_boot.values[flat])
            ceiling_boot.append(wide_boot.values[flat])
            for i in np.argwhere(flat):
                parts = [str(ours[d].values[j]) for d, j in zip(ours.r2.dims, i, strict=True)]
                names.append(f"{path.parent.name if at is None else path.parent} {pooling} {' '.join(parts)}")
    found_excess = largest_excess(
        np.concatenate(score),
        np.concatenate(ceiling),
        np.concatenate(score_boot).T,
        np.concatenate(ceiling_boot).T,
    )
    where = names[found_excess.worst].replace(str(root), "")
    count = sum(map(len, score))
    above = int((np.concatenate(score) > np.concatenate(ceiling)).sum())
    row = (
        f"| {world} | {world_seed} | {count:,} | {above} | {found_excess.excess:+.4f} | {found_excess.t:.2f} "
        f"| {found_excess.critical:.2f} | {found_excess.p:.3f} | {where} |"
    )
    return row, found_excess.p


class MaskPlace(NamedTuple):
    """Masks of a cell: tokens in a patch, whether patches are offset (1, else 0), visible patches."""

    size: int
    offset: int
    visible: int


def place(folder: Path) -> MaskPlace:
    """Masks of a cell's folder."""
    patches = PatchShape.parse(folder.parts[-3][1:])
    return MaskPlace(patches.height * patches.width, int(patches.offset), int(folder.parts[-2][1:]))


def of_patches(limits: xr.Dataset, at: MaskPlace) -> xr.Dataset:
    """Limits under masks of those patches: an offset patch shows other tokens than its aligned twin."""
    return limits.sel(patch_size=at.size, offset=at.offset)


def loss_over_bayes(root: Path) -> list[str]:
    """Rows of the third table."""
    rows = []
    for world, world_seed, patch, visible, seed, folder in cells(root):
        limits = limits_of(root, world, world_seed)
        if limits is None:
            continue
        at = place(folder)
        ours = of_patches(limits, at)
        bayes, ratios = ours.bayes_loss, ours.realised_ratio
        leaves = 1 << int(open_cube(folder / "scores.nc").level.max())
        near = np.isclose(ratios.broadcast_like(bayes).values, 1 - visible * at.size / leaves)
        values = bayes.values[near & np.isfinite(bayes.values)]
        if not len(values):
            continue
        loss = open_cube(folder / "history.nc").loss.values.astype(np.float64)
        last = loss[-max(1, round(LAST * len(loss))) :]
        error = last.std(ddof=1) / np.sqrt(len(last))
        ratio = last.mean() / values[0]
        rows.append(
            f"| {world} | {world_seed} | {patch} | {visible} | {seed} | {last.mean():.4f} +- {error:.4f} "
            f"| {values[0]:.4f} | {ratio:.3f} |"
        )
    return rows


def main() -> None:
    """Print the three tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", type=Path, help="folder of a run, such as results/default")
    parser.add_argument("--out", type=Path, default=None)
    args = parser.parse_args()
    root: Path = args.root
    worlds = sorted({(w, ws) for w, ws, *_ in cells(root)})
    lines = [f"# Audit of `{root.name}`", ""]
    lines += ["Made by `python benchmarks/audit_run.py`, which says what each column is.", ""]
    lines += ["## R2 of the root: trained less null-trained", ""]
    lines += ["| world | world seed | patch tokens | ratio | R2 | gain | 95 % interval | 0 lies |"]
    lines += ["|---|---|---|---|---|---|---|---|"]
    lines += gain_of_training(root)
    lines += ["", "## Scores above the exact ceiling", ""]
    lines += ["| world | world seed | comparisons | above | largest excess | t | critical t | p | where |"]
    lines += ["|---|---|---|---|---|---|---|---|---|"]
    found = [e for w, ws in worlds if (e := excess_of(root, w, ws)) is not None]
    lines += [row for row, _ in found]
    if found:
        smallest = min(p for _, p in found)
        lines += [
            "",
            f"Smallest p of {len(found)} worlds, Bonferroni: {min(1.0, smallest * len(found)):.3f}.",
        ]
    lines += ["", "## Final training loss over the Bayes loss", ""]
    lines += ["| world | world seed | patch | visible | seed | loss | Bayes loss | ratio |"]
    lines += ["|---|---|---|---|---|---|---|---|"]
    lines += loss_over_bayes(root)
    text = "\n".join(lines) + "\n"
    print(text)
    if args.out is not None:
        args.out.write_text(text)


if __name__ == "__main__":
    main()
