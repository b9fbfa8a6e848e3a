"""Figures of experiments and of verdicts, drawn from made-up cubes: whole, small and lacking parts."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from maestrata.claims.picture import LOOKS
from maestrata.errors import CubeError
from maestrata.figures import registry
from maestrata.figures.looks import REFERENCES
from maestrata.figures.save import save
from maestrata.figures.style import Style
from maestrata.figures.words import intervals_text, n_text
from maestrata.results import CubeSet, Series

FIGURES = [n for n in registry.available() if registry.load(n).NEEDS[0].startswith("experiments/")]
# figure -> quantities and arms of its cubes without which it must still be drawn
LACKING = {
    "theorem_two": ("skill", "progress", "null_trained", "r2_random_init", "ideal"),
    "hierarchy_or_covariance": ("linear", "surrogate", "inverted_u", "beyond_linear"),
    "noise_invariance": ("random_init", "high_redrawn"),
    "beside_the_paper": ("lost_share", "random_init"),
    "reconstruction_quality": ("fsim", "exact", "ratios", "rank_gap"),
    "image_quality": ("fsim", "fsim_masked", "class_told", "random_init", "2x2"),
    "attention_mass": ("cls_mass", "cls_attention", "chosen_attention", "random_init", "even"),
    "samples_and_budgets": ("endless", "2x", "tokens", "over_random"),
}


def draw(name: str, cubes: CubeSet, note: str = "") -> Figure:
    style = Style(note=note)
    with style.context():
        figure: Figure = registry.load(name).draw(cubes, style)
        figure.draw_without_rendering()
    return figure


def all_text(figure: Figure) -> str:
    return " ".join(" ".join(t.get_text() for t in figure.findobj(Text) if t.get_visible()).split())


def needed(name: str, uses: bool = True) -> list[str]:
    module = registry.load(name)
    kinds = (*module.NEEDS, *(getattr(module, "USES", ()) if uses else ()))
    return [kind.removeprefix("experiments/") for kind in kinds]


def given(made: ModuleType, name: str, uses: bool = True, **changes: Any) -> CubeSet:
    return CubeSet(made.cube(one, **changes) for one in needed(name, uses) if one in made.NAMES)


def test_every_figure_lacks_something_here() -> None:
    assert set(LACKING) == set(FIGURES)


@pytest.mark.parametrize("name", FIGURES)
def test_many_worlds(name: str, experiments: ModuleType) -> None:
    text = all_text(draw(name, given(experiments, name, world_seeds=5), "smoke: not evidence"))
    assert f"{registry.load(name).TITLE} [smoke: not evidence]" in text
    given_images = name == "image_quality"  # whose worlds are splits
    assert "n = " in text and (" a split" if given_images else " a world") in text
    over = "5 splits of one set of images" if given_images else "5 worlds (ci_world)"
    assert f"95 % t interval over {over}" in text and "ci_sample" not in text
    assert "not in this run" not in text.replace("not in this run: regression", "")


@pytest.mark.parametrize("name", FIGURES)
def test_two_labels_one_world_each(name: str, experiments: ModuleType) -> None:
    figure = draw(name, given(experiments, name, worlds=("tree", "grammar")))
    text = all_text(figure)
    assert "tree" in text and "grammar" in text
    assert (
        "1 split" if name == "image_quality" else "1 world seed"
    ) in text and "95 % interval over samples (ci_sample)" in text
    assert "ci_world" not in text
    assert figure.get_figwidth() == 6.75


@pytest.mark.parametrize("name", FIGURES)
def test_parts_that_are_missing(name: str, experiments: ModuleType) -> None:
    whole = draw(name, given(experiments, name))
    # all at once, then each by itself
    for drop in (LACKING[name], *((one,) for one in LACKING[name])):
        part = draw(name, given(experiments, name, drop=drop))
        assert seen(part) != seen(whole), drop
    draw(name, given(experiments, name, top=2))
    if registry.load(name).__dict__.get("USES"):
        assert "not in this run" in all_text(draw(name, given(experiments, name, uses=False)))


def seen(figure: Figure) -> tuple[int, str]:
    """Number of things that are drawn from data, and what is written."""
    drawn = sum(
        len(axes.lines) + len(axes.collections) + len(axes.patches) + len(axes.images) for axes in figure.axes
    )
    return drawn, all_text(figure)


@pytest.mark.parametrize("name", FIGURES)
def test_worlds_that_lack_numbers(name: str, experiments: ModuleType) -> None:
    cubes = []
    for one in (one for one in needed(name) if one in experiments.NAMES):
        cube = experiments.cube(one, worlds=("tree", "empty"), world_seeds=3)
        for variable in ("value", "low", "high", "n"):
            cube[variable].loc[{"world": "empty"}] = np.nan
            cube[variable].loc[{"world": "tree", "world_seed": 2}] = np.nan
        cubes.append(cube)
    text = all_text(draw(name, CubeSet(cubes)))
    assert (
        ("2 splits" if name == "image_quality" else "2 world seeds") in text
        and "ci_sample" in text
        and "ci_world" not in text
    )
    # a world without a number has no panel
    assert "not in this run" not in text.replace("not in this run: regression", "") and "empty" not in text


@pytest.mark.parametrize("name", [*FIGURES, "verdicts"])
def test_same_bytes(name: str, experiments: ModuleType, tmp_path: Path) -> None:
    for stem in ("one", "two"):
        cubes = CubeSet([experiments.verdicts()]) if name == "verdicts" else given(experiments, name)
        save(draw(name, cubes), tmp_path / f"{stem}.png", Style())
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()


def test_a_cube_that_is_not_given(experiments: ModuleType) -> None:
    with pytest.raises(CubeError, match="'experiments/attention' is needed; given: experiments/border"):
        draw("attention_mass", CubeSet([experiments.cube("border")]))


def test_values_are_those_of_the_cube(experiments: ModuleType) -> None:
    cube = experiments.cube("samples", world_seeds=4)
    panel = draw("samples_and_budgets", CubeSet([cube])).axes[0]
    expected = cube.value.sel(world="additive", quantity="r2", level=4).mean(["seed", "world_seed"])
    expected = expected.sel(arm=["s256", "s1024", "s4096", "s16384", "s65536"]).values
    assert any(np.allclose(line.get_ydata(), expected) for line in panel.lines if len(line.get_xdata()) == 5)


def test_change_by_training_on_the_ladder(experiments: ModuleType) -> None:
    cubes = CubeSet([experiments.cube("bottleneck"), experiments.cube("fixed_masks")])
    panel = draw("theorem_two", cubes).axes[5]
    at = {"world": "additive", "arm": [f"ladder{k}" for k in range(1, 5)], "level": 4, "seed": 0}
    value = cubes.one("experiments/fixed_masks").value.sel(at).isel(world_seed=0)
    expected = (value.sel(quantity="r2") - value.sel(quantity="r2_random_init")).values
    assert any(np.allclose(line.get_ydata(), expected) for line in panel.lines if len(line.get_xdata()) == 4)
    widths = [np.ptp(path.vertices[:, 1]) for bars in panel.collections for path in bars.get_paths()]
    np.testing.assert_allclose(widths, 0.02 * 2**0.5, rtol=1e-5)


def test_attention_maps_are_in_raster_order() -> None:
    module = registry.load("attention_mass")
    number = {f"a/mean/t{i:02d}": i for i in range(8)}
    shown = module._map(np.arange(8) / 28, number, "a/mean/t")
    assert shown.shape == (4, 2)  # a tree of 8 leaves halves height first
    np.testing.assert_allclose(shown.ravel(), np.arange(8) / 28 * 8)
    assert module._map(np.full(8, np.nan), number, "a/mean/t") is None
    assert module._map(np.arange(8) / 28, number, "b/mean/t") is None
    assert module._map(None, number, "a/mean/t") is None


def test_attention_says_its_block_and_head(experiments: ModuleType) -> None:
    cube = experiments.cube("attention")
    assert "last block, mean over heads, whole image" in all_text(draw("attention_mass", CubeSet([cube])))
    cube.attrs["parts_config"] = json.dumps({"settings": {"layer": 1, "head": 2, "token": 9}})
    text = all_text(draw("attention_mass", CubeSet([cube])))
    assert "block 1, head 2, whole image" in text and "token 9 outlined" in text


def test_references_differ_in_dashes() -> None:
    assert REFERENCES["linear"].line != REFERENCES["random_init"].line


def test_words_for_intervals() -> None:
    def with_worlds(n: int, seeds: int = 1) -> Series:
        one, each = np.zeros(1), np.zeros((n, 1))
        return Series(["a"], one, one, one, one, each, each, each, seeds, (5, 10))

    assert "over 4 to 12 worlds (ci_world)" in intervals_text([with_worlds(4), with_worlds(12)])
    text = intervals_text([with_worlds(4), with_worlds(1)])
    assert "over 4 worlds (ci_world)" in text and "(ci_sample) for points of 1 world seed" in text
    assert text.endswith("; 1 training seed")
    text = intervals_text([with_worlds(2, 3)])
    assert text == "2 world seeds; bars: 95 % interval over samples (ci_sample); mean over 3 training seeds"
    assert intervals_text([]) == "nothing measured: no intervals"
    assert n_text([with_worlds(1)]) == "n = 5 to 10 test images a world"


def test_the_figure_that_the_docs_add(experiments: ModuleType) -> None:
    page = (Path(__file__).parents[2] / "docs" / "figures.md").read_text(encoding="utf-8")
    module: dict[str, Any] = {}
    exec(page.split("```python\n")[1].split("```")[0], module)
    cubes = CubeSet([experiments.cube("cue_conflict", worlds=("tree", "grammar"), world_seeds=3)])
    text = all_text(module["draw"](cubes, Style()))
    assert "n = 4,096 test images a world" in text and "95 % t interval over 3 worlds (ci_world)" in text
    assert "tree" in text and "grammar" in text and "not in this run" not in text


def test_verdicts(experiments: ModuleType) -> None:
    figure = draw("verdicts", CubeSet([experiments.verdicts()]), "smoke: not evidence")
    text, colours = all_text(figure), {line.get_color() for line in figure.axes[0].lines}
    assert "[smoke: not evidence]" in text and "12 a test" in text and "ci_world" in text
    for look in LOOKS.values():
        assert look.text in text
    # a passing test of a failing claim is drawn as passing
    assert {"#0072B2", "#B34A00"} <= colours
    few = all_text(draw("verdicts", CubeSet([experiments.verdicts(world_seeds=3)])))
    assert "inconclusive" in few
