"""Cue conflict: what the texture is, and whose answers are counted."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from maestrata.errors import ExperimentError
from maestrata.experiments import cue_conflict
from maestrata.worlds import NoiseSpec, make


def test_the_texture_is_a_common_sign_and_nothing_else(grammar):
    sample = grammar.sample(50)
    texture = np.arange(50) % 2
    changed = cue_conflict.with_texture(grammar, sample.noise, texture)
    shift = changed[0] - sample.noise[0]
    axes = np.linalg.svd(shift.reshape(-1, 12), full_matrices=False)[2]
    direction = axes[0]
    np.testing.assert_allclose(shift - (shift @ direction)[..., None] * direction, 0, atol=1e-5)
    before, after = sample.noise[0] @ direction, changed[0] @ direction
    np.testing.assert_allclose(np.abs(before), np.abs(after), rtol=1e-3, atol=1e-5)
    signs = np.sign(after)
    assert (signs == signs[:, :1]).all()
    assert (signs[texture == 1] == signs[1, 0]).all() and (signs[texture == 0] == -signs[1, 0]).all()
    for level in (1, 2):
        assert changed[level] is sample.noise[level]
    np.testing.assert_allclose(cue_conflict.with_texture(grammar, changed, texture)[0], changed[0], atol=1e-5)


def test_in_a_tree_of_symbols_the_texture_leaves_the_digits_alone():
    world = make("symbol_tree", 0, leaves=4)
    sample = world.sample(50)
    changed = cue_conflict.with_texture(world, sample.noise, np.arange(50) % 2)
    np.testing.assert_array_equal(changed[0][..., 0], sample.noise[0][..., 0])
    made = world.generate(changed)
    for level, symbols in sample.latents.items():
        np.testing.assert_array_equal(made.latents[level], symbols)
    assert not np.array_equal(made.images, sample.images)


def test_a_texture_needs_noise_with_a_sign():
    world = SimpleNamespace(name="coins", noise_spec={0: NoiseSpec("choice", (4, 1), (2,))})
    with pytest.raises(ExperimentError, match="coins: a texture needs normal noise"):
        cue_conflict.with_texture(world, {}, np.zeros(3, int))


def test_classes_are_halves_of_the_symbols_or_sides_of_a_plane(grammar):
    sample = grammar.sample(400)
    classes = cue_conflict.two_classes(grammar, sample)
    symbols = sample.latents[2][:, 0, 0]
    assert {len(np.unique(classes[symbols == s])) for s in range(5)} == {1}
    assert sum(classes[symbols == s][0] for s in range(5)) == 2
    tree = make("additive_tree", 0, leaves=4)
    classes = cue_conflict.two_classes(tree, tree.sample(2000))
    assert 0.45 < classes.mean() < 0.55


def _pair(rng, n):
    """Images of two columns, root and texture, of which either can be read exactly."""
    root = rng.integers(0, 2, n)
    apart = rng.integers(0, 2, n)

    def images(texture):
        return np.stack([root, texture, rng.standard_normal(n)], 1).astype(np.float32)

    return SimpleNamespace(
        root=root,
        agree=images(root),
        conflict=images(1 - root),
        apart=apart,
        texture=np.where(apart, 1 - root, root),
    )


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (0, {"root_share": 1, "agreement": 1, "root_alone": 1, "texture_alone": 0.5}),
        (1, {"root_share": 0, "agreement": 1, "root_alone": 0.5, "texture_alone": 1}),
        (2, {"root_share": 0.5, "agreement": 0.5, "root_alone": 0.5, "texture_alone": 0.5}),
    ],
)
def test_answers_go_to_the_cue_that_is_seen(column, expected):
    rng = np.random.default_rng(0)
    answers = cue_conflict._answers(lambda images: images[:, [column]], _pair(rng, 600), _pair(rng, 600))
    assert {name: right.mean() for name, right in answers.items()} == pytest.approx(expected, abs=0.1)


def test_models_and_controls_are_measured(cells_job, grammar):
    tables = [cue_conflict.run(cells_job("cue_conflict", grammar, fit=300, test=200)) for _ in range(2)]
    axes, data = tables[0].arrays()
    assert axes["arm"] == ["1x1/v1", "1x1/v3", "random_init", "pixels", "pca"]
    assert axes["quantity"] == ["mask_ratio", "root_share", "agreement", "root_alone", "texture_alone"]
    shares = data["value"][:, 1:, 0]
    assert ((shares >= 0) & (shares <= 1)).all()
    assert (data["low"][:, 1:, 0] <= shares).all() and (shares <= data["high"][:, 1:, 0]).all()
    # pixels tell both at once better than the texture against the root
    assert shares[4, 1] > 0.6
    np.testing.assert_array_equal(data["value"], tables[1].arrays()[1]["value"])


def test_one_class_alone_is_refused(cells_job, grammar):
    with pytest.raises(ExperimentError, match="test=1 images hold one class"):
        cue_conflict.run(cells_job("cue_conflict", grammar, fit=300, test=1))


def test_shapes_and_textures_of_composites_are_in_conflict_by_halves(cells_job):
    world = make("composites", 0)
    sample = world.sample(300, "test")
    pair = cue_conflict._Pair(world, sample, 0)
    assert pair.root.mean() == pytest.approx(0.5, abs=0.1)
    for images, half in ((pair.agree, pair.root), (pair.conflict, 1 - pair.root)):
        made = world.generate(world.with_texture(sample.noise, half))
        np.testing.assert_array_equal(images, made.images)
        np.testing.assert_array_equal(made.latents[4][..., [0, 2]], sample.latents[4][..., [0, 2]])
    axes, data = cue_conflict.run(cells_job("cue_conflict", world, visible=(8,), fit=400, test=300)).arrays()
    assert axes["arm"] == ["1x1/v8", "random_init", "pixels", "pca"]
    assert ((data["value"] >= 0) & (data["value"] <= 1) | np.isnan(data["value"])).all()
