"""Saved representations are those that the probes read."""

import numpy as np
import pytest

import maestrata.worlds as worlds
from maestrata.cubes.io import open_cube
from maestrata.errors import ProbeError
from maestrata.masks import MaskPatches, evaluation_masks
from maestrata.model.mae import MAEConfig
from maestrata.representation.encode import represent
from maestrata.steps.represent import main
from maestrata.training.data import initial_model
from maestrata.training.weights import save_weights

CFG = MAEConfig(grid_height=4, grid_width=2, width=16, depth=2, decoder_width=16)


@pytest.fixture
def run(tmp_path):
    save_weights(initial_model(CFG, 0), tmp_path / "w.safetensors")

    def run(*more):
        world = ["--world-kind", "gaussian_tree", "--world-settings", '{"leaves": 8}', "--world-seed", "1"]
        paths = ["--weights", str(tmp_path / "w.safetensors"), "--output", str(tmp_path / "r.nc")]
        main([*world, *paths, "--samples", "12", *more])
        return open_cube(tmp_path / "r.nc")

    return run


def test_whole_images(run):
    found = run()
    images = worlds.make("gaussian_tree", 1, leaves=8).sample(12, stream="test").images
    expected = represent(initial_model(CFG, 0), images)
    assert found.layer.values.tolist() == [0, 1, 2]
    for layer in range(3):
        np.testing.assert_array_equal(found.representation.sel(layer=layer), expected[layer])
    assert (found.visible == np.arange(8)).all()


def test_masked_images_of_one_layer(run):
    found = run("--patch", "2x1", "--visible", "3", "--layers", "2", "--stream", "probe-train")
    world = worlds.make("gaussian_tree", 1, leaves=8)
    ids, _ = evaluation_masks(1, MaskPatches(world.grid, 2, 1), 3, 12, "probe-train")
    np.testing.assert_array_equal(found.visible, ids)
    expected = represent(initial_model(CFG, 0), world.sample(12, stream="probe-train").images, ids)[2]
    np.testing.assert_array_equal(found.representation.sel(layer=2), expected)


def test_a_layer_that_is_not_there_is_named(run):
    with pytest.raises(ProbeError, match=r"layer=7 must lie in 0\.\.2"):
        run("--layers", "7")
