"""Advice as a whole: what it says, when it says that it cannot be told, and what it refuses."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import maestrata
from maestrata import worlds
from maestrata.advice.decide import wanted_level
from maestrata.advice.images import Images
from maestrata.advice.result import EXPERIMENTAL, FAMILIES, REGRET, SWEEPS, Row, decide
from maestrata.cli import main
from maestrata.errors import AdviceError

EXPLAINED = {"linear": 0.2, "factors": 0.3}


@pytest.fixture(scope="module")
def images():
    return worlds.make("symbol_tree", 0, leaves=8, root=2).sample(1500, "theory").images


@pytest.fixture(scope="module")
def advice(images):
    return maestrata.advise(images, ratios=(0.25, 0.75), patches=("1x1",))


def _rows(*gains, tied=()):
    row = Row("1x1", 0.5, 4, 0.5, 0.1, 0.0, 0.0, 0.0, 0.4, False)
    made = [replace(row, gain=g, low=g - 0.001, ratio=0.1 * i, tied=i in tied) for i, g in enumerate(gains)]
    return tuple(made)


def test_high_ratios_for_a_root_that_one_token_tells(advice):
    assert advice.tree == "estimated" and advice.support > 0.9
    assert [(row.patch, row.visible) for row in advice.rows] == [("1x1", 6), ("1x1", 2)]
    assert advice.best is advice.rows[1] and not advice.rows[0].tied
    assert advice.rows[1].gain > 3 * advice.rows[0].gain and advice.rows[1].low > 0
    assert 0.1 < advice.explained["linear"] < advice.explained["factors"] + 0.05


def test_it_reads_as_a_table(advice):
    text = str(advice)
    assert "1500 images of 3x8x4, 4x2 tokens of 2 pixels" in text and "goal: level 3, blocks of 4x2" in text
    assert "advice: mask patches of 1x1 tokens, ratio 0.75" in text and "experimental" in text
    assert sum(line.endswith("best") for line in text.splitlines()) == 1


def test_the_same_twice_and_from_any_layout(images, advice):
    again = maestrata.advise(np.moveaxis(images, 1, -1), ratios=(0.25, 0.75), patches=("1x1",))
    assert again.rows == advice.rows


def test_noise_cannot_be_told():
    noise = np.random.default_rng(0).standard_normal((1200, 8, 4), dtype=np.float32)
    advice = maestrata.advise(noise, ratios=(0.5, 0.75), patches=("1x1",))
    assert advice.best is None and advice.tree == "dyadic"
    assert advice.reason.startswith("cannot tell: visible tokens explain")


def test_tokens_that_never_vary_are_named(images):
    blank = images.copy()
    blank[:, :, 2:4, 2:4] = 255
    with pytest.raises(AdviceError, match="1 of them never vary, the first at row 1, column 1"):
        maestrata.advise(blank, ratios=(0.25, 0.75), patches=("1x1",))


def test_labels_and_scale(images):
    labels = worlds.make("symbol_tree", 0, leaves=8, root=2).sample(1500, "theory").latents[3][:, 0, 0]
    told = maestrata.advise(images, labels, goal="labels", ratios=(0.25, 0.75), patches=("1x1",))
    assert told.goal == "labels" and told.best is told.rows[1]
    scaled = maestrata.advise(images, goal="scale", scale=3, ratios=(0.25, 0.75), patches=("1x1",))
    assert scaled.goal.startswith("level 1, blocks of 2x1")
    level = maestrata.advise(images, level=1, ratios=(0.25, 0.75), patches=("1x1",))
    assert scaled.rows == level.rows and scaled.rows != told.rows


@pytest.mark.parametrize(("leaves", "pixels"), [(8, 2), (16, 2), (16, 8), (64, 1)])
def test_a_scale_is_the_level_of_the_nearest_block(leaves, pixels):
    grid = worlds.make("gaussian_tree", 0, leaves=leaves).grid
    given = Images(np.zeros((1, 1, 1, 1), np.float32), None, grid, pixels, "images")
    for level in range(1, grid.levels + 1):
        side = pixels * 2 ** (level / 2)  # a block of 2**level tokens
        for near in (0.85, 1, 1.18):  # half-way to the next is 2**(1/4) = 1.19
            assert wanted_level(given, "scale", None, near * side) == level


def test_it_says_how_good_it_measured():
    path = Path(__file__).parents[3] / "benchmarks" / "results" / "advice.json"
    rows = json.loads(path.read_text(encoding="utf-8"))
    whole = [row for row in rows if not row["below"] and row["goal"] != "class, by level"]
    assert len({(row["world"], row["world_seed"]) for row in rows}) == len(whole) == SWEEPS
    families = {row["family"] for row in whole}
    assert len(families) == FAMILIES
    for rule, told in REGRET.items():
        by_family = [[r["regret"][rule] for r in whole if r["family"] == family] for family in families]
        assert round(float(np.mean([np.mean(regrets) for regrets in by_family])), 3) == told
        assert f"{told:.3f}" in EXPERIMENTAL


def test_what_cannot_be_told():
    best, reason = decide(_rows(0.1, 0.2, 0.15, tied=(1,)), EXPLAINED)
    assert best is not None and best.gain == 0.2 and reason.endswith("ratio 0.1")
    best, reason = decide(_rows(0.1, 0.2, 0.2, 0.1, tied=(1, 2)), EXPLAINED)
    assert best is not None and reason.endswith("as good within error: 1x1 at 0.2")
    best, reason = decide(_rows(0.2, 0.2, 0.15, tied=(0, 1)), EXPLAINED)
    assert best is None and reason == "cannot tell: 2 of 3 ways to mask are as good as the best, within error"
    best, reason = decide(_rows(0.1, 0.2, tied=(1,)), {**EXPLAINED, "model": 0.5})
    assert best is None and "a small model explains 0.50 of a masked token, the covariance 0.30" in reason
    assert decide(_rows(0.1, 0.2, tied=(1,)), {**EXPLAINED, "model": 0.4})[0] is not None
    assert "next to nothing" in decide(_rows(0.1, 0.2, tied=(1,)), {"linear": 0.01, "factors": 0.01})[1]
    assert "gain nothing" in decide(_rows(-0.1, 0.0005, tied=(1,)), EXPLAINED)[1]
    # worse than the mean, by any predictor
    worse = {"linear": -0.06, "factors": -0.05}
    for explained in (worse, {**worse, "model": 0.0}):
        assert "visible tokens explain 0.000" in decide(_rows(0.1, 0.2, tied=(1,)), explained)[1]


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        (np.zeros((600, 8, 8), int), {}, "type int64 must be uint8 or floating point"),
        (np.zeros((600, 5, 8, 8)), {}, r"shape \(600, 5, 8, 8\) must be"),
        (np.full((600, 8, 8), np.nan), {}, "image 0 holds NaN or infinity"),
        (np.zeros((20, 8, 8)), {}, "holds 20 images: at least 500"),
        (np.zeros((600, 10, 7)), {}, "no token cuts images of 10x7 pixels"),
        (np.zeros((600, 8, 8)), {"token_pixels": 3}, "token_pixels=3 cuts images of 8x8"),
        (np.zeros((600, 8, 8)), {"goal": "best"}, "goal='best' must be one of: labels, level, scale"),
        (np.zeros((600, 8, 8)), {"goal": "labels"}, "needs labels, and images holds none"),
        (np.zeros((600, 8, 8)), {"labels": np.zeros(5)}, r"labels of shape \(5,\)"),
        (np.zeros((600, 8, 8)), {"level": 9}, r"level=9 must lie in 1\.\.4"),
        (np.zeros((600, 8, 8)), {"scale": 4}, "scale=4 goes with goal='scale'"),
        (np.zeros((600, 8, 8)), {"goal": "scale", "scale": 900}, "scale=900 must be a number of pixels from"),
        (np.zeros((600, 8, 8)), {"goal": "scale", "level": 1}, "level=1 goes with goal='level'"),
        ("nowhere.npy", {}, "nowhere.npy: cannot be read"),
    ],
)
def test_what_is_refused(source, options, message):
    with pytest.raises(AdviceError, match=message) as error:
        maestrata.advise(source, **options)
    assert "\n" not in str(error.value)


def test_the_command(images, tmp_path, capsys):
    path = tmp_path / "images.npz"
    np.savez(path, images=images[:600])
    assert main(["advise", str(path), "--level", "1", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["goal"].startswith("level 1") and len(told["rows"]) == 6
    np.savez(path, pictures=images[:3])
    assert main(["advise", str(path)]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and "must hold 'images'; it holds: pictures" in err


@pytest.mark.parametrize("ending", [".npz", ".npy"])
def test_a_damaged_file_is_one_clear_error(images, tmp_path, ending):
    path = tmp_path / f"images{ending}"
    with path.open("wb") as file:
        (np.savez if ending == ".npz" else np.save)(file, images[:600])
    path.write_bytes(path.read_bytes()[:-700])
    with pytest.raises(AdviceError, match=r"cannot be read as \.npy or \.npz"):
        maestrata.advise(path)
    np.savez(tmp_path / "objects.npz", images=np.array([{}]))
    with pytest.raises(AdviceError, match=r"objects\.npz: cannot be read"):
        maestrata.advise(tmp_path / "objects.npz")


def test_labels_beside_a_world_are_refused():
    with pytest.raises(AdviceError, match="labels go with an array"):
        maestrata.advise(worlds.make("symbol_tree", 0, leaves=4), labels=np.zeros(600))


def test_a_small_model_sees_what_is_shared():
    torch_only = pytest.importorskip("maestrata.training.any_ratio")
    from maestrata.geometry import TokenGrid
    from maestrata.training.recipe import Recipe

    rng = np.random.default_rng(0)
    shared = np.repeat(rng.standard_normal((800, 3, 1, 1)), 8, 2).repeat(8, 3).astype(np.float32)
    recipe = Recipe(images=6400)
    share = torch_only.explained_by_model(shared, TokenGrid(4, 4), 2, 0, recipe)
    alone = torch_only.explained_by_model(
        rng.standard_normal(shared.shape).astype(np.float32), TokenGrid(4, 4), 2, 0, recipe
    )
    assert share > 0.5 and abs(alone) < 0.1
