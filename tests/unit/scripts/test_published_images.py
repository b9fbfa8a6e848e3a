"""The page of a published run on images: numbers are those of the cubes, orders those of the numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import published_images
from maestrata.results import CubeSet

RATIOS = [0.1, 0.25, 0.5, 0.75, 0.9]
TOLD = [0.2, 0.3, 0.6, 0.5, 0.4]  # a class told best at .5, worst at .1


def regression() -> xr.Dataset:
    axes = {
        "world": ["given"], "world_seed": [0, 1, 2], "patch_size": [1, 4], "offset": [0],
        "mask_ratio": RATIOS, "seed": [0], "encoder": ["trained", "random_init"], "layer": [1],
        "pooling": ["aligned"], "eval_ratio": ["0"], "probe": ["ridge"], "target": ["class", "texture"],
        "level": [0, 4],
    }  # fmt: skip
    accuracy = xr.DataArray(np.full([len(v) for v in axes.values()], np.nan), coords=axes)
    cell = ["world", "world_seed", "patch_size", "offset", "mask_ratio", "seed"]
    loss = xr.DataArray(np.full([len(axes[a]) for a in cell], np.nan), coords={a: axes[a] for a in cell})
    for i, (ratio, told) in enumerate(zip(RATIOS, TOLD, strict=True)):
        for seed in range(3):
            at = {"world_seed": seed, "mask_ratio": ratio, "encoder": "trained", "level": 4}
            accuracy.loc[at | {"patch_size": 1, "target": "class"}] = told + 0.01 * seed
            accuracy.loc[at | {"patch_size": 1, "target": "texture"}] = 0.9 - 0.1 * i
            loss.loc[{"world_seed": seed, "mask_ratio": ratio, "patch_size": 1}] = 0.1 * (i + 1)
    accuracy.loc[
        {"mask_ratio": 0.75, "patch_size": 4, "encoder": "trained", "level": 4, "target": "class"}
    ] = 0.7
    accuracy.loc[{"patch_size": 1, "mask_ratio": 0.5, "encoder": "random_init", "level": 4}] = 0.15
    realised = xr.DataArray(
        np.broadcast_to(np.array(RATIOS)[:, None], (2, 1, 5, 1)),
        coords={a: axes[a] for a in ("patch_size", "offset", "mask_ratio", "world")},
    )
    names = {"r2": accuracy, "n_test": accuracy * 0 + 400, "accuracy": accuracy, "test_loss": loss}
    return xr.Dataset(
        names | {"test_variance": loss * 0 + 2, "realised_ratio": realised}, attrs={"kind": "regression"}
    )


def experiment(name: str, **quantities: list[float]) -> xr.Dataset:
    arms = [f"1x1/v{16 - round(16 * r)}" for r in RATIOS]
    values = np.array([RATIOS, *quantities.values()]).T[None, None, None, ..., None] * np.ones(
        (1, 3, 1, 1, 1, 1)
    )
    axes = {
        "world": ["given"], "world_seed": [0, 1, 2], "seed": [0], "arm": arms,
        "quantity": ["mask_ratio", *quantities], "level": [0],
    }  # fmt: skip
    value = xr.DataArray(values, coords=axes)
    data = {"value": value, "low": value - 0.01, "high": value + 0.01, "n": value * 0 + 300}
    setting = xr.DataArray(np.full(5, np.nan), coords={"arm": arms})
    return xr.Dataset(data | {"setting": setting}, attrs={"kind": "experiments", "experiment": name})


def made() -> CubeSet:
    quality = {"ssim": TOLD, "fsim": TOLD, "psnr": TOLD[::-1], "mse": TOLD, "class_told": TOLD}
    cubes = [regression(), experiment("image_quality", **quality)]
    cubes.append(
        experiment("cue_conflict", root_share=[0.5, 0.4, 0.3, 0.2, 0.1], root_alone=TOLD, texture_alone=TOLD)
    )
    return CubeSet(cubes)


@pytest.fixture(scope="module")
def page() -> str:
    return "\n".join(published_images.report("given", made()))


def test_orders_and_intervals_are_those_of_the_numbers(page: str) -> None:
    assert "| .20 [.17, .23] | .31 [" not in page  # splits .20, .21, .22: the mean is .21
    assert "| linear, mean token | .21 [.19, .23] | .31 [.29, .33] | .61 [" in page
    assert "r = .5 > r = .75 > r = .9 > r = .25 > r = .1 |\n" in page
    # the paper: .75 > .9 > .5 > .25 > .1; ours has .5 before .75 and before .9
    assert "linear, mean token: 8 of 10 (by split 8, 8, 8)" in page
    assert "n = 3 splits; 400 test images a split" in page
    assert "## Texture by masking ratio" in page and "random_init: .15" in page
    assert "| masked tokens | .05 [.05, .05] |" in page  # loss over variance


def test_the_papers_numbers_are_those_of_the_ratios_that_were_asked_for() -> None:
    few = CubeSet([regression().sel(mask_ratio=[0.25, 0.75, 0.9])])
    page = "\n".join(published_images.report("given", few))
    assert "| *the paper: linear probe, %* | 53.58 | 67.41 | 62.97 | r = .75 > r = .9 > r = .25 |" in page
    assert "linear, mean token: 3 of 3 (by split 3, 3, 3)" in page
    other = regression().sel(mask_ratio=[0.25, 0.75, 0.9]).assign_coords(mask_ratio=[0.3, 0.75, 0.9])
    page = "\n".join(published_images.report("given", CubeSet([other])))
    assert "linear, mean token" in page and "the paper: linear probe" not in page


def test_few_patches_are_beside_the_papers_order_in_words(page: str) -> None:
    assert "4 tokens > 1 token |" in page
    assert "The paper: 62.57, 68.96, 73.31 %" in page


def test_experiments_stand_beside_the_paper_as_far_as_they_are_there(page: str) -> None:
    assert "Cue conflict by masking ratio" in page and "Texture shift" not in page
    assert "answers for the shape where the cues disagree: 4 of 10 (by split" in page
    ranks = next(
        line for line in page.splitlines() if line.startswith("- Images whole, with the class told from")
    )
    assert "mean of 3 splits: SSIM 1.00; FSIM 1.00;" in ranks and "squared error −1.00" in ranks


def test_lines_of_the_docs_are_written_between_their_marks(tmp_path: Path) -> None:
    page = tmp_path / "images.md"
    page.write_text("before\n\n<!-- given: published_images.py -->\nstale\n<!-- end of given -->\n\nafter\n")
    for _ in range(2):  # twice gives the same
        published_images.insert(page, "given", published_images.summary("given", made()))
        text = page.read_text()
    assert text.startswith("before\n\n<!-- given") and text.endswith("<!-- end of given -->\n\nafter\n")
    assert "stale" not in text and max(map(len, text.splitlines())) <= 120
    said = " ".join(text.split())
    assert "`given`: n = 3 splits, 400 test images each;" in said
    # splits .20, .21, .22 and so on: best at .5
    numbers = ".21 ±.02 | .31 ±.02 | **.61 ±.02** | .51 ±.02 | .41 ±.02 | 8 of 10 (8, 8, 8)"
    assert f"| class, linear, mean token | {numbers} |" in said
    assert "| loss of masked tokens over variance | **.05 ±.00** |" in said  # the least is best
    assert "| *the paper: shape bias* | 0.1352 |" in said and "other textures" not in said
    assert "| *the paper: linear probe, %, 8, 16, 32 px* |" not in said  # of two patches, it of three
    assert "| .41 ±.02 |" in said and "| tokens of a mask patch, r = .75 | 1 | 4 | as in the paper |" in said
    with pytest.raises(SystemExit, match="must hold <!-- other"):
        published_images.insert(page, "other", [])
