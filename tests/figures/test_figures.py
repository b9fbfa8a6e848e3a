"""Every figure is drawn from cubes alone, says n and its intervals, and gives the same bytes twice."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
import xarray as xr
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from maestrata.config.load import load_config
from maestrata.cubes.io import write_cube
from maestrata.cubes.schema import KINDS
from maestrata.errors import CubeError, FigureError
from maestrata.figures import registry
from maestrata.figures.looks import ENCODERS, level_look, ratio_looks
from maestrata.figures.save import save
from maestrata.figures.style import FONT, SMALLEST, WIDTH, Style
from maestrata.results import CubeSet, along_cells, scores
from maestrata.run.plan import Plan
from maestrata.run.record import recorded
from maestrata.steps import figure as step

Make = Callable[..., CubeSet]
NAMES = registry.available()
# Those that need nothing but what a made-up run has.
MADE_UP = [n for n in NAMES if "theory" not in registry.load(n).NEEDS]
# Those of the sweep's own cells.
SWEPT = [n for n in MADE_UP if {"regression", "training", "reconstructions"} & set(registry.load(n).NEEDS)]
FIGURES = ("world", "recovery_by_level", "r2_by_patch", "reconstructions", "training_curves", "verdicts")
ROOT = Path(__file__).parents[2]


def draw(name: str, cubes: CubeSet, note: str = "") -> Figure:
    style = Style(note=note)
    with style.context():
        figure: Figure = registry.load(name).draw(cubes, style)
        figure.draw_without_rendering()
    figure.set_layout_engine("none")  # done; once is enough
    return figure


def texts(figure: Figure) -> list[str]:
    return [t.get_text() for t in figure.findobj(Text) if t.get_visible() and t.get_text().strip()]


def all_text(figure: Figure) -> str:
    return " ".join(" ".join(texts(figure)).split())


def test_the_figures_of_the_run_are_there() -> None:
    assert set(FIGURES) <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_module(name: str) -> None:
    module = registry.load(name)
    assert module.TITLE and module.CAPTION.endswith(".")
    first = module.CAPTION.split(". ")[0]
    assert 40 < len(first) < 170 and "(" not in first  # a sentence that stands for itself
    cubes = {kind.split("/")[0] for kind in (*module.NEEDS, *getattr(module, "USES", ()))}
    assert cubes <= set(KINDS)


@pytest.fixture(scope="module")
def drawn(cubes: CubeSet) -> Callable[[str], Figure]:
    """Figures of a whole run, drawn once each."""
    return lru_cache(lambda name: draw(name, cubes, note="smoke: not evidence"))


@pytest.mark.parametrize("name", NAMES)
def test_says_n_and_intervals(name: str, drawn: Callable[[str], Figure]) -> None:
    text = all_text(drawn(name))
    assert registry.load(name).TITLE in text
    assert "[smoke: not evidence]" in text
    assert "n = " in text
    assert "interval" in text


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_cut_off(name: str, drawn: Callable[[str], Figure]) -> None:
    figure = drawn(name)
    box = figure.get_tightbbox()  # of all that is drawn, in inches
    edge = 0.03  # the layout takes a label for a little smaller than it is
    assert box.x0 > -edge and box.x1 < figure.get_figwidth() + edge
    assert box.y0 > -edge and box.y1 < figure.get_figheight() + edge


@pytest.mark.parametrize("name", NAMES)
def test_it_can_be_read_at_the_size_at_which_it_is_shown(name: str, drawn: Callable[[str], Figure]) -> None:
    figure = drawn(name)
    assert figure.get_figwidth() == WIDTH and figure.get_figheight() < 12
    shown = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]
    assert min(text.get_fontsize() for text in shown) >= SMALLEST
    assert {text.get_fontname() for text in shown} == {FONT}


@pytest.mark.parametrize("name", NAMES)
def test_no_panel_is_empty(name: str, drawn: Callable[[str], Figure]) -> None:
    assert "not in this run" not in all_text(drawn(name))
    assert all(axes.has_data() or axes.texts for axes in drawn(name).axes)


@pytest.mark.parametrize("name", NAMES)
def test_there_is_no_white_band(name: str, drawn: Callable[[str], Figure]) -> None:
    """No strip across the whole picture is white for more than a third of an inch."""
    canvas = FigureCanvasAgg(drawn(name))
    canvas.draw()
    white = (np.asarray(canvas.buffer_rgba())[..., :3] == 255).all((1, 2))
    runs = "".join("w" if row else "." for row in white).split(".")
    assert max(map(len, runs)) < drawn(name).dpi / 3


SCORED = ("class_accuracy", "level_against_theory", "r2_by_patch", "recovery_by_level", "training_curves")


@pytest.mark.parametrize("name", SCORED)
def test_images_without_classes_have_no_scores_and_are_drawn_all_the_same(name: str, cubes: CubeSet) -> None:
    source = cubes.one("regression")
    scored = [n for n in source.data_vars if n.startswith(("r2", "gain", "n_test", "progress", "test_bayes"))]
    blank = source.assign({n: source[n].where(False) for n in scored}).isel(target=[0])
    others = [cube for kind in ("training", "theory") for cube in cubes.all(kind)]
    text = all_text(draw(name, CubeSet([blank.assign_coords(target=["class"]), *others])))
    figure = registry.load(name)
    assert (
        getattr(figure, "INEXACT", figure.TITLE) in text
    )  # of images there is no share of what can be explained
    assert "n = " in text or "images without classes: no scores" in text


def test_the_default_run_draws_at_most_twelve() -> None:
    plan = Plan(load_config(ROOT / "config" / "config.yaml"))
    assert 8 <= len(plan.files("png")) <= 12


@pytest.mark.parametrize("name", NAMES)
def test_titles_and_legend_do_not_overlap(name: str, drawn: Callable[[str], Figure]) -> None:
    figure = drawn(name)
    boxes = [(t.get_text(), t.get_window_extent()) for t in titles(figure)]
    boxes += [("legend", legend.get_window_extent()) for legend in figure.legends]
    for i, (one, a) in enumerate(boxes):
        for other, b in boxes[i + 1 :]:
            assert not a.overlaps(b), (one, other)


def titles(figure: Figure) -> Iterable[Text]:
    for axes in figure.axes:
        for title in (axes.title, axes._left_title, axes._right_title):  # type: ignore[attr-defined]
            if title.get_text():
                yield title
    yield figure._suptitle  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", NAMES)
def test_same_bytes_whatever_the_users_settings(
    name: str, cubes: CubeSet, drawn: Callable[[str], Figure], tmp_path: Path
) -> None:
    note = "smoke: not evidence"
    for ending in ("pdf", "png"):
        save(drawn(name), tmp_path / f"one.{ending}", Style(note))
    with mpl.rc_context(
        {"font.size": 30, "savefig.dpi": 10, "lines.linewidth": 9, "figure.facecolor": "red"}
    ):
        again = draw(name, cubes, note)
        for ending in ("pdf", "png"):
            save(again, tmp_path / f"two.{ending}", Style(note))
    for ending in ("pdf", "png"):
        one, two = ((tmp_path / f"{stem}.{ending}").read_bytes() for stem in ("one", "two"))
        assert one == two
        assert len(one) > 5000
        assert b"CreationDate" not in one and b"ModDate" not in one


def test_worlds_show_what_changes_level_by_level(drawn: Callable[[str], Figure]) -> None:
    shown = texts(drawn("world"))
    n_worlds = shown.count("image")
    assert n_worlds == 3
    for level, share in enumerate(("20%", "40%", "60%", "80%"), 1):
        assert shown.count(f"level {level}") >= n_worlds and shown.count(share) == n_worlds


@pytest.mark.parametrize("name", MADE_UP)
def test_one_world_one_patch(name: str, made_up: Make) -> None:
    text = all_text(draw(name, made_up(("grammar",), world_seeds=1)))
    assert "additive" not in text


@pytest.mark.parametrize("name", SWEPT)
def test_missing_cells_are_told(name: str, made_up: Make) -> None:
    missing = tuple(("additive", size, ratio) for size in (1, 2, 4) for ratio in (0.5, 0.75))
    text = all_text(draw(name, made_up(("additive",), missing=missing)))
    assert "cells missing" in text


@pytest.mark.parametrize("name", ["recovery_by_level", "r2_by_patch"])
def test_intervals_over_worlds(name: str, made_up: Make) -> None:
    text = all_text(draw(name, made_up(("additive",), world_seeds=5, seeds=2)))
    assert "95 % t interval over 5 worlds (ci_world)" in text
    assert "2 training seeds" in text
    assert "ci_sample" not in text


def test_a_cube_that_is_not_given(cubes: CubeSet) -> None:
    with pytest.raises(CubeError, match="'regression' is needed; given: training"):
        draw("recovery_by_level", CubeSet(cubes.all("training")))
    with pytest.raises(FigureError, match="'worlds' is needed"):
        draw("world", CubeSet([]))
    with pytest.raises(CubeError, match="2 cubes of kind 'regression'"):
        draw("recovery_by_level", CubeSet(cubes.all("regression") * 2))


def test_unknown_figure() -> None:
    with pytest.raises(FigureError, match=r"'histogram' must be one of: .*recovery_by_level"):
        registry.load("histogram")
    with pytest.raises(FigureError):
        registry.load("style")


def test_controls_and_ceiling_are_shown(cubes: CubeSet, drawn: Callable[[str], Figure]) -> None:
    text = all_text(drawn("r2_by_patch"))
    for label in ("linear MAE", "null-trained", "ceiling by exact inference (additive)"):
        assert label in text
    without = CubeSet(cubes.all("regression"))
    assert "exact inference" not in all_text(draw("r2_by_patch", without))


def test_recovery_has_a_panel_for_each_world_of_three_ratios(cubes: CubeSet, made_up: Make) -> None:
    figure = draw("recovery_by_level", cubes)
    assert [axes.get_title(loc="left") for axes in figure.axes] == [
        "additive",
        "grammar",
        "gaussian",
        "invertible",
    ]
    text = all_text(figure)
    assert "ceiling by exact inference (additive, grammar" in text and "linear MAE" in text
    # the made-up root peaks at .75 or .875, whichever the noise says: it is that of the cube
    root = scores(cubes.one("regression")).r2.sel(
        world="gaussian", level=4, patch_size=1, offset=0, world_seed=0, seed=0
    )
    best = root.realised_ratio.values[root.values.argmax()]
    assert "gaussian: the root has its highest mean R²" in text and f"at r = {f'{best:g}'[1:]}" in text
    (panel,) = (axes for axes in figure.axes if axes.get_title(loc="left") == "gaussian")
    null = scores(cubes.one("regression"), "null_trained").r2.sel(world="gaussian", patch_size=1, level=4)
    dashed = [line for line in panel.lines if line.get_color() == level_look(4, 4).color]
    flat = [line.get_ydata() for line in dashed if len(line.get_xdata()) == 5]
    assert any(np.allclose(y, null.isel(world_seed=0, seed=0, offset=0)) for y in flat)
    few = cubes.one("regression").sel(mask_ratio=[0.5, 0.75])
    assert "no world with 3 masking ratios" in all_text(draw("recovery_by_level", CubeSet([few])))


def test_values_are_those_of_the_cube(cubes: CubeSet, drawn: Callable[[str], Figure]) -> None:
    cube = cubes.one("regression")
    expected = scores(cube).r2.sel(world="gaussian", world_seed=0, patch_size=1, offset=0, seed=0, level=4)
    figure = drawn("recovery_by_level")
    (panel,) = (axes for axes in figure.axes if "gaussian" in axes.get_title(loc="left"))
    lines = [
        line
        for line in panel.lines
        if line.get_color() == level_look(4, 4).color and len(line.get_xdata()) == 5
    ]
    (shown,) = (line for line in lines if np.allclose(line.get_ydata(), expected.values, rtol=1e-6))
    # levels stand side by side
    np.testing.assert_allclose(shown.get_xdata(), [0.125, 0.25, 0.5, 0.75, 0.875], atol=0.01)


def test_scores_over_worlds_have_a_t_interval(made_up: Make) -> None:
    cube = scores(made_up(("additive",), world_seeds=4, seeds=2).one("regression"))
    here = cube.sel(world="additive", patch_size=1, offset=0, level=4)
    s = along_cells(here, "mask_ratio", here.realised_ratio)
    assert s is not None and (s.n_worlds, s.n_seeds, s.samples) == (4, 2, (8192, 8192))
    values = here.r2.sel(mask_ratio=0.5).mean("seed").values
    half = 3.182446 * values.std(ddof=1) / 2  # t(0.975, 3) sd / sqrt(4)
    drawn = [s.mean[2], s.low[2], s.high[2]]
    np.testing.assert_allclose(drawn, values.mean() + half * np.array([0, -1, 1]), rtol=1e-4)


def test_reading_takes_the_last_layer_there_is(cubes: CubeSet) -> None:
    cube = cubes.one("regression").copy(deep=True)
    cube["r2"].loc[{"layer": 3, "world": "grammar"}] = np.nan
    shallow = scores(cube).r2.sel(world="grammar", mask_ratio=0.5, patch_size=1, level=2).values
    primary = {
        "encoder": "trained",
        "pooling": "global",
        "eval_ratio": "0",
        "probe": "ridge",
        "target": "latent",
    }
    expected = cube.r2.sel(world="grammar", mask_ratio=0.5, patch_size=1, level=2, layer=2, **primary).values
    np.testing.assert_array_equal(shallow, expected)
    assert np.isnan(scores(cube, "supervised").r2).all()  # a control that was not run is missing data


def test_levels_differ_in_marker_and_lightness() -> None:
    looks = [level_look(level, 6) for level in range(1, 7)]
    lightness = [0.3 * r + 0.59 * g + 0.11 * b for r, g, b, _ in (look.color for look in looks)]
    assert all(np.diff(lightness) < 0)
    assert len({look.marker for look in looks}) == 6
    assert len({look.marker for look in ENCODERS.values()}) == len(ENCODERS)


def test_curves_are_of_what_can_be_explained_where_that_is_known(cubes: CubeSet) -> None:
    figure = draw("training_curves", cubes)
    cube = cubes.one("regression")
    axes = {ax.get_title("left"): ax for ax in figure.axes}
    for world in ("grammar", "additive"):
        curves = [line for line in axes[world].lines if len(line.get_xdata()) > 50]
        ratios = [0.1, 0.5, 0.75] + [0.25, 0.9] * (world == "additive")
        at = cube.sel(world=world, patch_size=1, offset=0, mask_ratio=ratios)
        assert len(curves) == at.sizes["mask_ratio"]
        ends = at.progress if world == "grammar" else 1 - at.test_loss / at.test_variance
        # the curve ends where the models are on fresh images: made-up losses have flattened by then
        drawn = sorted(float(line.get_ydata()[-1]) for line in curves)
        expected = sorted(float(x) for x in ends.median(["world_seed", "seed"]).values)
        np.testing.assert_allclose(drawn, expected, atol=0.03)
    bars = [line for line in axes["grammar"].lines if line.get_color() == "#333333"]
    assert [float(bar.get_ydata()[0]) for bar in bars] == [0.8, 0.8, 0.6]
    assert not [line for line in axes["additive"].lines if line.get_color() == "#333333"]
    assert axes["additive"].get_ylabel() == "share of the variance"
    known = cube.progress.notnull()
    gates = xr.where(cube.realised_ratio > 0.5, 0.6, 0.8)
    n, reached = int(known.sum()), int((cube.progress >= gates).sum())
    assert f"{reached} of {n} models reach their gate" in all_text(figure)


def test_single_models_have_a_row_each_and_nothing_to_learn_is_left_out(made_up: Make) -> None:
    cubes = made_up(("gaussian", "grammar", "invertible"), world_seeds=1)
    cube = cubes.one("regression").copy(deep=True)
    gone = (cube.mask_ratio != 0.5) & (cube.world != "gaussian")
    cube["status"] = cube.status.where(~gone, 0)
    training = cubes.one("training").copy(deep=True)
    training["status"] = training.status.where(~gone, 0)
    training["loss"] = training.loss.where(~gone)
    for name in ("progress", "test_loss"):
        cube[name] = cube[name].where(~gone)
    nothing = cube.world == "invertible"
    cube["test_bayes_loss"] = cube.test_bayes_loss.where(~nothing, cube.test_variance)
    cube["progress"] = cube.progress.where(~(nothing & cube.progress.notnull()), 0.0)
    figure = draw("training_curves", CubeSet([training, cube]))
    assert [ax.get_title("left") for ax in figure.axes] == ["gaussian", "single models"]
    assert [tick.get_text() for tick in figure.axes[1].get_yticklabels()] == ["grammar, r = .5"]
    assert "left out, as nothing can be explained there: invertible" in all_text(figure)


def test_a_ratio_looks_the_same_everywhere() -> None:
    alone, many = ratio_looks([0.75]), ratio_looks([0.125, 0.25, 0.5, 0.75, 0.875])
    assert alone[0.75] == many[0.75]
    assert len({look.marker for look in many.values()}) == 5


@pytest.mark.parametrize("normed", [False, True])
def test_a_model_of_normalised_pixels_has_no_progress(cubes: CubeSet, normed: bool) -> None:
    training = cubes.one("training").assign_attrs(parts_config=json.dumps({"norm_pixels": normed}))
    said = draw("training_curves", CubeSet([training, cubes.one("regression")]))._supxlabel.get_text()
    assert ("no progress is known" in said) == normed


def test_step(cubes: CubeSet, tmp_path: Path) -> None:
    files = [str(tmp_path / f"{kind}.nc") for kind in ("training", "regression")]
    for file in files:
        write_cube(cubes.one(Path(file).stem), file)
    outputs = [str(tmp_path / f"training_curves.{ending}") for ending in ("pdf", "png")]
    common = ["training_curves", "--cubes", *files, "--note", "smoke: not evidence"]
    common += ["--fingerprint", "0123456789abcdef"]
    step.main([*common, "--output", *outputs])
    assert [recorded(Path(path)) for path in outputs] == ["0123456789abcdef"] * 2
    first = [Path(path).read_bytes() for path in outputs]
    # Another process hashes strings differently, which must not order anything in the file.
    command = [sys.executable, "-m", "maestrata.steps.figure", *common, "--output", *outputs]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert [Path(path).read_bytes() for path in outputs] == first
    with pytest.raises(FigureError, match=r"ending must be one of: \.pdf, \.png"):
        step.main([*common, "--output", str(tmp_path / "a.jpg")])


def test_figures_never_import_torch() -> None:
    names = ", ".join(f"maestrata.figures.{name}" for name in registry.available())
    code = f"import sys, {names}\nprint('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_documented() -> None:
    text = (ROOT / "docs" / "figures.md").read_text(encoding="utf-8")
    rows = {line.split("`")[1]: line for line in text.splitlines() if line.startswith("| `")}
    for name in registry.available():
        module = registry.load(name)
        assert f"| {module.CAPTION.split('. ')[0]} |" in rows[name]
        for kind in (*module.NEEDS, *getattr(module, "USES", ())):
            assert kind.removeprefix("experiments/") in rows[name]
