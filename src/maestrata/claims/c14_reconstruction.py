"""Claim 14: structure and pixels rank masking ratios differently, and structure is nearer to the meaning."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from maestrata.claims._experiment import measured
from maestrata.claims.base import Evidence, Missing, Row, Test

NUMBER = 14
TITLE = "Reconstructions: structure follows the root, not pixels"
SAYS = (
    "Intermediate masking reconstructs high-level structure: SSIM and FSIM of what is filled in rise with "
    "the masking ratio up to .75 and go with high-level content, while PSNR and the squared error do not."
)
# All models fill in the same masks (r = .75, the paper's own), so that nothing but training differs. Of five
# ratios, exchanging two neighbours in a ranking moves Spearman's correlation by at least .1: the rankings
# part if the difference is more than that, and do not if it is less.
RULE = (
    "Grammar worlds, images of 32 x 32 pixels, models of five masking ratios on the same masks at r = .75: "
    "Spearman's correlation over the ratios between a measure of the reconstruction and the probability that "
    "exact inference gives the true root in it; mean over SSIM and FSIM less mean over PSNR and the squared "
    "error (smaller is better). Supported above .1, contradicted below .1 (.1 is one exchange of neighbours)."
)
NEEDS = ("experiments/reconstruction",)
TRAINS = True
NAME = "reconstruction"

GAP = "rank correlation with the root: structure less pixels"
SSIM_RISE = "SSIM at r=.75 less r=.1"
FSIM_RISE = "FSIM at r=.75 less r=.1"
ROOT_RISE = "root probability at r=.75 less r=.1"
PSNR_END = "PSNR at r=.9 less r=.75"
SSIM_END = "SSIM at r=.9 less r=.75"
TESTS = (Test(GAP, "above", 0.1, units="rank correlation"),)
# The paper's own pattern, at the same masks.
BESIDE = (
    Test(SSIM_RISE, "above", 0.0, units="SSIM"),
    Test(FSIM_RISE, "above", 0.0, units="FSIM"),
    Test(ROOT_RISE, "above", 0.0, units="probability"),
    Test(PSNR_END, "above", 0.0, units="dB"),
    Test(SSIM_END, "below", 0.0, units="SSIM"),
)

RATIO_TOLERANCE = 0.05
"""How far a realised ratio may lie from the one asked for (16 tokens: .125 and .875 for .1 and .9)."""

_CONTRASTS = {
    SSIM_RISE: ("ssim", 0.75, 0.1),
    FSIM_RISE: ("fsim", 0.75, 0.1),
    ROOT_RISE: ("root_probability", 0.75, 0.1),
    PSNR_END: ("psnr", 0.9, 0.75),
    SSIM_END: ("ssim", 0.9, 0.75),
}


def rows(evidence: Evidence) -> dict[str, list[Row]]:
    """One row a grammar world; contrasts whose ratios a run lacks have none."""
    cube = evidence.cube(f"experiments/{NAME}")
    found: dict[str, list[Row]] = {test.name: [] for test in (*TESTS, *BESIDE)}
    for label in map(str, cube.world.values):
        found[GAP] += measured(evidence, NAME, label, "ratios", "rank_gap")
        for test, (quantity, ratio, less) in _CONTRASTS.items():
            arms = _arm(evidence, ratio), _arm(evidence, less)
            if None not in arms:
                one, other = (measured(evidence, NAME, label, str(arm), quantity) for arm in arms)
                found[test] += _difference(one, other)
    if not found[GAP]:
        raise Missing(f"experiment {NAME} compared no masking ratios in any world")
    return found


def sentence(means: Mapping[str, tuple[float, float, float]]) -> str:
    """What was found, in a sentence."""
    mean, low, high = means[GAP]
    interval = f" [{low:+.2f}, {high:+.2f}]" if np.isfinite(low) else ""
    return (
        "Over masking ratios SSIM and FSIM rank reconstructions "
        f"{'closer to' if mean > 0 else 'no closer to'} the root than PSNR and the squared error do: "
        f"rank correlations differ by {mean:+.2f}{interval}."
    )


def _arm(evidence: Evidence, ratio: float) -> str | None:
    """Arm of one-token patches whose realised ratio is nearest to `ratio`; None where none is near."""
    cube = evidence.cube(f"experiments/{NAME}")
    near = [
        (abs(float(setting) - ratio), str(arm))
        for arm, setting in zip(cube.arm.values, cube.setting.values, strict=True)
        if str(arm).startswith("1x1/") and abs(float(setting) - ratio) <= RATIO_TOLERANCE
    ]
    return min(near)[1] if near else None


def _difference(one: list[Row], other: list[Row]) -> list[Row]:
    """One side less the other, world by world; intervals joined as if they were independent: rather wide."""
    less = {(row.world, row.world_seed): row for row in other}
    found = []
    for row in one:
        match = less.get((row.world, row.world_seed))
        if match is not None:
            value = row.value - match.value
            half = np.hypot(row.high - row.low, match.high - match.low) / 2
            seeds = min(row.seeds, match.seeds)
            found.append(Row(row.world, row.world_seed, value, value - half, value + half, seeds))
    return found
