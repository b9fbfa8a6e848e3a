"""The benchmark of advice: what a goal is judged by, and regret."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

from maestrata import worlds

ROOT = Path(__file__).parents[3]
LABEL = "1x1"


@pytest.fixture(scope="module")
def benchmark():
    name = "benchmark_of_advice"
    with pytest.MonkeyPatch.context() as patch:
        # dataclasses look their module up by name
        patch.setitem(sys.modules, name, sys.modules[__name__])
        yield runpy.run_path(str(ROOT / "benchmarks" / "advice.py"), run_name=name)


def test_a_scale_is_judged_by_its_level(benchmark):
    symbols = benchmark["read_sweeps"](ROOT / "reference" / "evening", [])[0]
    assert symbols.scale == pytest.approx({"level 1": 8**0.5, "level 2": 4, "level 3": 32**0.5})


def test_of_given_images_the_whole_image_alone_has_a_scale(benchmark):
    below, scale = benchmark["below_and_scale"](worlds.make("digits", 0), ["class", "class, by level"])
    assert below == {"class": 0, "class, by level": 0} and scale == {"class, by level": 8}


def test_regret(benchmark):
    def sweep(family, **skill):
        there = {(LABEL, int(k[1:])): value for k, value in skill.items()}
        made = benchmark["Sweep"](family, family, "", {}, 100, {"level 1": 0}, {"level 1": 4.0}, False)
        made.skill["level 1"], made.ratio = there, {mask: 1 - mask[1] / 8 for mask in there}
        return made

    own = sweep("own", v2=0.5, v4=0.7, v6=0.6)
    others = [sweep("a", v2=0.1, v4=0.2, v6=0.5), sweep("b", v2=0.3, v4=0.4, v6=0.35)]
    rows = [
        {"patch": LABEL, "visible": v, "gain": gain, "linear": linear, "tied": tied}
        for v, gain, linear, tied in ((2, 0.3, 0.1, True), (4, 0.2, 0.2, False), (6, 0.1, 0.3, False))
    ]
    row = benchmark["judge"](own, "level 1", {"rows": rows, "best": rows[0]}, others)
    assert row["best"] == (LABEL, 4) and row["chosen"] == (LABEL, 2) and row["scale"] == 4.0
    assert not row["abstains"] and not row["covered"] and row["interval"] == 1
    assert row["constant"] == (LABEL, 0.25)  # .025 in the mean over the two families; .5 has .15
    assert row["regret"] == pytest.approx(
        {
            "adviser": 0.2,
            "policy": 0.2,
            "linear MAE": 0.1,
            ".75, one token": 0.2,
            ".5, one token": 0.0,
            "best constant of other families": 0.1,
            "random": 0.1,
        }
    )
    unsure = benchmark["judge"](own, "level 1", {"rows": rows, "best": None}, others)
    assert unsure["abstains"]
