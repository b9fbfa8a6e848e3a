"""The sign-symmetric world, and what is read of its root."""

from __future__ import annotations

import numpy as np
import pytest

from maestrata import worlds
from maestrata.experiments import symmetric
from maestrata.experiments.base import Job
from maestrata.model.mae import MAEConfig
from maestrata.random import stream
from maestrata.training.recipe import Recipe


def test_the_image_is_the_same_for_any_signs_of_the_root():
    for leaves in (2, 8, 16):
        world = worlds.make("symmetric_tree", 0, leaves=leaves)
        noise = world.draw(20, stream(0, "test"), np.float64)
        signs = np.random.default_rng(0).choice([-1.0, 1.0], noise[world.levels].shape)
        flipped = world.generate({**noise, world.levels: noise[world.levels] * signs})
        assert np.array_equal(flipped.images, world.generate(noise).images)
        assert not np.array_equal(flipped.latents[world.levels], noise[world.levels])


def test_below_the_root_signs_do_matter():
    world = worlds.make("symmetric_tree", 0)
    noise = world.draw(20, stream(0, "test"), np.float64)
    u = world.generate(noise).latents[3]
    one, other = (world.child_mean(world.params, 2, sign * u) for sign in (1, -1))
    assert abs(one - other).max() > 0.1


def test_below_the_roots_children_it_is_the_additive_tree():
    world, plain = worlds.make("symmetric_tree", 4), worlds.make("additive_tree", 4)
    for name in ("A0", "A2", "B3", "P"):
        assert np.array_equal(world.params[name], plain.params[name])
    assert not np.array_equal(world.params["mean3"], plain.params["mean3"])


def test_the_magnitude_is_read_and_the_root_is_not():
    world = worlds.make("symmetric_tree", 0, leaves=4)
    cfg = MAEConfig(grid_height=2, grid_width=2, width=16, depth=1, decoder_width=16)
    settings = {"mask_ratios": (0.5,), "images": 6400}
    job = Job(world, 0, cfg, Recipe(batch=64), settings, probe_train=4000, test=4000, replicates=100)
    axes, data = symmetric.run(job).arrays()
    assert axes["arm"] == ["linear", "random_init", "v2"]
    root, at = axes["level"].index(2), axes["quantity"].index
    r2, magnitude = (data["value"][:, at(quantity), root] for quantity in ("r2", "r2_magnitude"))
    # no function of the image predicts the root: chance, and what a ridge of 48 features loses to noise
    assert r2 == pytest.approx(0, abs=0.02)
    assert (data["low"][:, at("r2"), root] < 0.002).all()
    assert magnitude[0] > 0.5 and magnitude[2] > 0.2
    assert data["low"][2, at("r2_magnitude"), root] > 0.1
    assert np.isnan(data["value"][:, at("r2_magnitude"), 0]).all()  # the magnitude is the root's alone
