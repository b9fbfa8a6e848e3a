"""Claim 14: structure and pixels rank masking ratios differently, and structure is nearer to the meaning."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from maestrata.claims.rule import ANY, Contrast, Test
from maestrata.results import Select

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
    "exact inference gives the true root in it; mean over SSIM and FSIM minus mean over PSNR and the squared "
    "error (smaller is better). Supported above .1, contradicted below .1 (.1 is one exchange of neighbours)."
)
NEEDS = ("experiments/reconstruction",)
TRAINS = True

filled = partial(Select, "experiments/reconstruction", interval="centred")
ssim, fsim, psnr = (partial(filled, quantity, "1x1/") for quantity in ("ssim", "fsim", "psnr"))
root = partial(filled, "root_probability", "1x1/")
GAP = Select("experiments/reconstruction", "rank_gap", "ratios")
ROOT = root(ratio=0.75) - root(ratio=0.1)
test = partial(Test, world=ANY)  # all grammars together
ranked = partial(test, units="rank correlation")

TESTS = (ranked("rank correlation with the root: structure minus pixels", GAP, "above", 0.1),)
# The paper's own pattern, at the same masks.
SECONDARY = (
    test("SSIM at r=.75 minus r=.1", ssim(ratio=0.75) - ssim(ratio=0.1), "above", 0.0, units="SSIM"),
    test("FSIM at r=.75 minus r=.1", fsim(ratio=0.75) - fsim(ratio=0.1), "above", 0.0, units="FSIM"),
    test("root probability at r=.75 minus r=.1", ROOT, "above", 0.0, units="probability"),
    test("PSNR at r=.9 minus r=.75", psnr(ratio=0.9) - psnr(ratio=0.75), "above", 0.0, units="dB"),
    test("SSIM at r=.9 minus r=.75", ssim(ratio=0.9) - ssim(ratio=0.75), "below", 0.0, units="SSIM"),
)


def sentence(contrasts: Mapping[str, Contrast]) -> str:
    """Say what came out."""
    gap = contrasts[TESTS[0].name]
    return (
        "Over masking ratios SSIM and FSIM rank reconstructions "
        f"{'closer to' if gap.estimate > 0 else 'no closer to'} the root than PSNR and the squared error do: "
        f"rank correlations differ by {gap.text('.2f')}."
    )
