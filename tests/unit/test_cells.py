"""A cell's path and patch label are written and read in one place; ratios agree by one tolerance."""

from __future__ import annotations

import json

import numpy as np
import pytest

from maestrata.cells import PATH, Cell, PatchShape, answers, same_ratio
from maestrata.errors import MaskError


@pytest.mark.parametrize("label", ["1x1", "2x1", "2x1o", "10x12o"])
def test_a_patch_label_is_read_as_it_is_written(label: str) -> None:
    assert PatchShape.parse(label).label == label


@pytest.mark.parametrize("label", ["", "1", "1x", "0x1", "01x1", "1x1x1", "1x1oo", "1X1", "big", "1x1 "])
def test_other_labels_are_refused(label: str) -> None:
    with pytest.raises(MaskError, match="must read HEIGHTxWIDTH in tokens, such as 2x1"):
        PatchShape.parse(label)


def test_a_cell_is_read_from_its_folder_and_from_json() -> None:
    cell = Cell("additive_2d", 100, "2x1o", 12, 3)
    assert cell.stem == "additive_2d/w100/p2x1o/v12/s3" == PATH.format(**cell.json)
    assert Cell.parse(cell.stem) == cell == Cell(**json.loads(json.dumps(cell.json)))
    assert cell.shape == (2, 1, True) and cell.shape.size == 2


@pytest.mark.parametrize(
    "stem",
    ["", "a/w0/p1x1/v4", "a/w0/p1x1/v4/sx", "a/w0/p0x1/v4/s0", "a/b/w0/p1x1/v4/s0", "a/w-1/p1x1/v4/s0"],
)
def test_other_folders_are_refused(stem: str) -> None:
    with pytest.raises(MaskError):
        Cell.parse(stem)


def test_ratios_agree_by_one_tolerance() -> None:
    assert same_ratio([1 - 0.9, 0.1, 0.100001], 0.1).tolist() == [True, True, True]
    assert not same_ratio(0.125, 0.1)
    np.testing.assert_array_equal(answers([0.125, 0.875, 0.25], [0.1, 0.9, 0.1]), [True, True, False])
