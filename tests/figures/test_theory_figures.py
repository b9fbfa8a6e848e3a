"""Figures of the theory, drawn from the cubes that its step writes for small worlds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.text import Text

from maestrata.cubes.io import open_cube
from maestrata.errors import FigureError
from maestrata.figures import registry
from maestrata.figures.looks import level_look
from maestrata.figures.save import save
from maestrata.figures.style import Style
from maestrata.figures.tokens import node_places
from maestrata.figures.words import decimals
from maestrata.results import CubeSet
from maestrata.steps import theory, worlds

NAMES = ("shared_on_tree", "level_profiles")
MASKS = {"tree": {"1x1": [0.25, 0.5, 0.75], "2x1": [0.5], "2x1o": [0.5]}, "dag": {"1x1": [0.5]}}
KINDS = {"tree": "gaussian_tree", "dag": "latent_dag"}


@pytest.fixture(scope="module")
def cubes(tmp_path_factory: pytest.TempPathFactory) -> CubeSet:
    folder = tmp_path_factory.mktemp("cubes")
    parts, graphs = [], []
    for label, kind in KINDS.items():
        world = ["--world", label, "--world-kind", kind, "--world-settings", '{"leaves": 8}']
        few = ["--dag-samples", "40", "--moment-samples", "8192"]
        output = folder / f"theory-{label}.nc"
        theory.main([*world, *few, "--masks", json.dumps(MASKS[label]), "--output", str(output)])
        parts.append(open_cube(output))
        worlds.main([*world, "--samples", "4", "--output", str(folder / f"world-{label}.nc")])
        graphs.append(open_cube(folder / f"world-{label}.nc"))
    beside = [name for name in ("patch_height", "patch_width") if name in parts[0].coords]
    joined = xr.merge([part.drop_vars(beside) for part in parts], join="outer", compat="no_conflicts")
    joined = joined.assign_coords({name: parts[0][name] for name in beside})
    joined.attrs = parts[0].attrs
    return CubeSet([joined, *graphs])


def draw(name: str, cubes: CubeSet, note: str = "") -> Figure:
    style = Style(note=note)
    with style.context():
        figure: Figure = registry.load(name).draw(cubes, style)
        figure.draw_without_rendering()
    return figure


def all_text(figure: Figure) -> str:
    return " ".join(" ".join(t.get_text() for t in figure.findobj(Text) if t.get_visible()).split())


def only(cubes: CubeSet, label: str) -> CubeSet:
    graphs = [world for world in cubes.all("worlds") if world.attrs["world"] == label]
    return CubeSet([cubes.one("theory").sel(world=[label]), *graphs])


@pytest.fixture(scope="module")
def drawn(cubes: CubeSet) -> dict[str, Figure]:
    return {name: draw(name, cubes, note="smoke: not evidence") for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_says_n_and_intervals(name: str, drawn: dict[str, Figure]) -> None:
    text = all_text(drawn[name])
    assert registry.load(name).TITLE in text and "[smoke: not evidence]" in text
    assert "n = " in text and "interval" in text


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_cut_off(name: str, drawn: dict[str, Figure]) -> None:
    figure = drawn[name]
    width, height = figure.get_figwidth() * figure.dpi, figure.get_figheight() * figure.dpi
    for text in figure.findobj(Text):
        if text.get_visible() and text.get_text().strip():
            box = text.get_window_extent()
            assert -1 <= box.x0 and box.x1 <= width + 1 and -1 <= box.y0 and box.y1 <= height + 1, text


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("label", ["tree", "dag"])
def test_one_world(name: str, label: str, cubes: CubeSet) -> None:
    text = all_text(draw(name, only(cubes, label)))
    assert label in text and ({"tree", "dag"} - {label}).pop() not in text.replace("no tree", "")


@pytest.mark.parametrize("name", NAMES)
def test_same_bytes(name: str, cubes: CubeSet, tmp_path: Path) -> None:
    for stem in ("one", "two"):
        save(draw(name, cubes), tmp_path / f"{stem}.png", Style())
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()


def drawn_in_c(ax: Any, top: int) -> dict[int, int]:
    """Number of nodes drawn as members of c, by level, from their colours."""
    number = dict.fromkeys(range(1, top + 1), 0)
    for scatter in (c for c in ax.collections if isinstance(c, PathCollection)):
        for level in number:
            if np.allclose(scatter.get_facecolor()[0], level_look(level, top).color):
                number[level] += 1
    return number


def test_members_of_c_are_those_of_the_cube(cubes: CubeSet) -> None:
    figure = draw("shared_on_tree", only(cubes, "tree"))
    at = cubes.one("theory").sel(world="tree", world_seed=0)
    rows = [("separator", "highest"), ("separator", "lowest"), ("invertible", "highest")]
    for i, (reading, tie) in enumerate(rows):
        for j, example in enumerate(at.example.values):
            in_c = at.example_in_c.sel(reading=reading, tie=tie, example=example)
            expected = dict.fromkeys((1, 2, 3), 0)
            for node in in_c.node.values[in_c.values == 1]:
                expected[int(str(node)[1])] += 1
            assert drawn_in_c(figure.axes[3 * i + j], 3) == expected, (reading, tie, example)


def test_curves_are_those_of_the_cube(cubes: CubeSet) -> None:
    cell = only(cubes, "tree").one("theory").sel(world="tree", world_seed=0, patch_size=1, offset=0)
    figure = draw("level_profiles", only(cubes, "tree"))
    lines = figure.axes[5].lines
    for level in (1, 2, 3):
        (line,) = (
            a for a in lines if a.get_color() == level_look(level, 3).color and len(a.get_xdata()) == 3
        )
        np.testing.assert_allclose(line.get_ydata(), cell.supply.sel(level=level))
        np.testing.assert_allclose(line.get_xdata(), [0.25, 0.5, 0.75])
    at = cell.sel(reading="separator", tie="highest", drawing="fixed")
    for panel, expected in (
        (0, at.p_in_c.sel(level=1)),
        (3, at.mean_level),
        (4, at.climb),
        (4, at.supply_demand),
    ):
        drawn = [line.get_ydata() for line in figure.axes[panel].lines if len(line.get_xdata()) == 3]
        assert any(np.allclose(y, expected) for y in drawn), panel


def test_a_tree_from_images_is_drawn_and_told(tmp_path: Path) -> None:
    world = ["--world-kind", "digits", "--world-settings", '{"tree": "estimated"}']
    theory.main([*world, "--masks", '{"1x1": [0.25, 0.5]}', "--output", str(tmp_path / "theory.nc")])
    worlds.main([*world, "--samples", "4", "--output", str(tmp_path / "world.nc")])
    cube, graph = open_cube(tmp_path / "theory.nc"), open_cube(tmp_path / "world.nc")
    place = node_places(graph)
    assert sorted(place[place[:, 1] == 0, 0]) == list(range(16))
    for parent, child in zip(graph.edge_parent.values, graph.edge_child.values, strict=True):
        assert place[parent, 1] > place[child, 1]
    for sure, said in ((1.0, "of the tree estimated from the images"), (0.0, "of the grid's tree, since")):
        cube["tree_estimated"][:] = sure
        for name in NAMES:
            text = all_text(draw(name, CubeSet([cube, graph])))
            assert said in text and f"median support {decimals(cube.tree_support.item())}" in text


def test_worlds_that_do_not_fit(cubes: CubeSet) -> None:
    with pytest.raises(FigureError, match="of kind 'worlds' is needed of one of: dag"):
        draw(
            "shared_on_tree", CubeSet([*only(cubes, "dag").all("theory"), *only(cubes, "tree").all("worlds")])
        )
