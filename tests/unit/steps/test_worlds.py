"""The worlds step: what it writes is the world itself."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from maestrata.cubes.io import open_cube
from maestrata.inference import posterior
from maestrata.inference.masked import explainable_share
from maestrata.steps.worlds import main
from maestrata.worlds import available, make, world_class


@pytest.mark.parametrize("kind", [kind for kind in available() if world_class(kind).latent])
def test_a_file_holds_the_graph_and_the_samples(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "world.nc"
    flags = {"world": "mine", "world-kind": kind, "world-settings": '{"leaves": 8}', "world-seed": "2"}
    flags |= {"samples": "16", "output": str(path), "fingerprint": "abc"}
    main([part for name, value in flags.items() for part in (f"--{name}", value)])
    ds = open_cube(path)
    world = make(kind, 2, leaves=8)
    sample = world.sample(16, stream="display")
    np.testing.assert_array_equal(ds.images, sample.images)
    for level, values in sample.latents.items():
        stored = ds.latents.values[:, ds.latent_level == level]
        np.testing.assert_array_equal(stored, values.reshape(16, -1).astype(np.float32))
    for level, values in sample.noise.items():
        stored = ds.noise.values[:, ds.draw_level == level]
        np.testing.assert_array_equal(stored, values.reshape(16, -1).astype(np.float32))
    names = ds.node.values
    edges = {(names[p], names[c]) for p, c in zip(ds.edge_parent.values, ds.edge_child.values, strict=True)}
    assert edges == set(world.graph.edges)
    assert ds.attrs["world"] == "mine"
    assert ds.attrs["fingerprint"] == "abc"
    assert json.loads(ds.attrs["world_settings"]) == world.settings


def test_what_a_level_decides_stays_and_the_rest_is_drawn_anew(tmp_path: Path) -> None:
    """In a tree whose children tell their parents, the symbols can be read off the images themselves."""
    path, settings = tmp_path / "world.nc", '{"leaves": 8, "pixel_noise": 0.01}'
    main(["--world-kind", "symbol_tree", "--world-settings", settings, "--output", str(path)])
    ds, world = open_cube(path), make("symbol_tree", 0, leaves=8, pixel_noise=0.01)
    first = world.sample(256, stream="display").latents
    for level in range(1, 4):
        images = ds.redrawn.sel(level=level).values
        symbols = posterior(world, images, np.ones(8, bool)).mean
        kept = {k: (symbols[k].argmax(-1) == first[k][0, :, 0]).all() for k in first}
        assert all(kept[k] for k in range(level, 4))
        assert not any(kept[k] for k in range(1, level))
    changed = ds.changed.mean("token").values
    assert (np.diff(changed) > 0.05).all() and changed[0] > 0.3
    # on average over first images, what changes is what the level does not explain
    assert changed[-1] == pytest.approx(1 - explainable_share(world)[3], abs=0.1)


def test_columns_tell_their_node_and_dimension(tmp_path: Path) -> None:
    path = tmp_path / "world.nc"
    main(["--world-kind", "gaussian_tree", "--world-settings", '{"leaves": 8}', "--output", str(path)])
    ds = open_cube(path)
    sample = make("gaussian_tree", 0, leaves=8).sample(256, stream="display")
    column = np.flatnonzero((ds.latent_level == 2) & (ds.latent_node == 1) & (ds.latent_dim == 3))
    np.testing.assert_array_equal(ds.latents.values[:, column[0]], sample.latents[2][:, 1, 3])


def test_of_given_images_it_holds_them_and_the_tree_alone(tmp_path: Path) -> None:
    path = tmp_path / "world.nc"
    main(["--world-kind", "digits", "--samples", "9", "--output", str(path)])
    ds, world = open_cube(path), make("digits", 0)
    np.testing.assert_array_equal(ds.images, world.sample(9, stream="display").images)
    assert "latents" not in ds and "redrawn" not in ds and ds.sizes["node"] == 31
