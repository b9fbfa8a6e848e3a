"""Claim 14: structure and pixels rank masking ratios differently, and structure is nearer to the meaning."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from maestrata.claims.rule import Contrast, Test
from maestrata.results import Select, mean_of
from maestrata.results.progress import gate_at

NUMBER = 14
TITLE = "Reconstructions: structure follows the root, not pixels"
SAYS = (
    "Intermediate masking reconstructs high-level structure: SSIM and FSIM of reconstructions rise with the "
    "masking ratio up to .75 and go with high-level content, while PSNR and the squared error do not."
)
# Of five ratios, exchanging two neighbours in a ranking moves Spearman's correlation by .1: rankings part if
# they differ by more. A difference within one exchange either way says nothing: it is not against the paper.
EXCHANGE = 0.1
RULE = (
    "The paper's protocol: whole test images, nothing masked, pass through models of five masking ratios; "
    "tokens of 8 x 8 pixels with oriented, smooth patterns. Spearman's correlation over the ratios between a "
    "measure of the reconstruction and the probability that exact inference gives the true root in it. Mean "
    "over SSIM and FSIM above 0; and that minus the mean over PSNR and the squared error (the smaller, the "
    "better) above .1, one exchange of neighbours: contradicted below -.1, inconclusive between. A world "
    "counts if each of its models has learnt enough for r above .5. Secondary: the paper's pattern, and the "
    "same images masked at r = .75 and filled in."
)
NEEDS = ("experiments/reconstruction",)
TRAINS = True

whole = partial(Select, "experiments/reconstruction", interval="centred")
rank = partial(Select, "experiments/reconstruction", arm="ratios", gate=gate_at(0.75))
ssim, fsim, psnr, root, filled = (
    partial(whole, quantity, "1x1/")
    for quantity in ("ssim", "fsim", "psnr", "root_probability", "root_probability_masked")
)
STRUCTURE = mean_of(rank("rank_ssim"), rank("rank_fsim"))
test = partial(Test, side="above", threshold=0.0, world="patterned")
ranked = partial(test, units="rank correlation")

TESTS = (
    ranked("rank correlation with the root: structure", STRUCTURE),
    ranked(
        "rank correlation with the root: structure minus pixels",
        rank("rank_gap"),
        threshold=EXCHANGE,
        against=-EXCHANGE,
    ),
)
SECONDARY = (
    test("SSIM at r=.75 minus r=.1", ssim(ratio=0.75) - ssim(ratio=0.1), units="SSIM"),
    test("FSIM at r=.75 minus r=.1", fsim(ratio=0.75) - fsim(ratio=0.1), units="FSIM"),
    test("root probability at r=.75 minus r=.1", root(ratio=0.75) - root(ratio=0.1), units="probability"),
    test("PSNR at r=.9 minus r=.75", psnr(ratio=0.9) - psnr(ratio=0.75), units="dB"),
    test("SSIM at r=.9 minus r=.75", ssim(ratio=0.9) - ssim(ratio=0.75), side="below", units="SSIM"),
    test(
        "masked and filled in: root probability at r=.75 minus r=.1",
        filled(ratio=0.75) - filled(ratio=0.1),
        units="probability",
    ),
)


def sentence(contrasts: Mapping[str, Contrast]) -> str:
    """Say what came out."""
    structure, gap = (contrasts[test.name] for test in TESTS)
    return (
        f"Over ratios the rank correlation of SSIM and FSIM with the root is {structure.text('.2f')}; "
        f"minus that of PSNR and the squared error it is {gap.text('.2f')}."
    )
