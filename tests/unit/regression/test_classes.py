"""Class probes on given images: what is scored where there are no latents."""

from __future__ import annotations

import numpy as np
import pytest

from maestrata import worlds
from maestrata.masks import MaskPatches
from maestrata.model.mae import MAE, MAEConfig
from maestrata.model.sizes import Sizes
from maestrata.regression.cell import score_cell, score_controls
from maestrata.regression.controls import principal_axes
from maestrata.regression.settings import Evaluation
from maestrata.theory.linear_world import linear_levels, second_moments
from maestrata.theory.settings import TheorySettings
from maestrata.theory.sweep import WorldTheory

SIZES = Sizes(width=16, depth=1, decoder_width=16)
DETAILED = Evaluation(
    probe_train=1200, test=400, replicates=20, detail="all", probe_settings={"kernel_ridge": {"points": 500}}
)


@pytest.fixture(scope="module")
def digits():
    return worlds.make("digits", 0)


@pytest.fixture(scope="module")
def book(digits):
    model = MAE(MAEConfig.of(digits, SIZES)).eval()
    return score_cell(model, digits, MaskPatches(digits.grid), 8, 0, DETAILED)


def at(book, name, **labels):
    """A score, everything at the level of the root."""
    first = {"target": "class", "level": 4, "layer": 1, "eval_ratio": "0"} | labels
    axes = [axis for axis in book.coords if axis != "node"]
    return float(book.values[name][tuple(book.coords[axis].index(first[axis]) for axis in axes)])


def test_the_class_of_the_image_is_all_that_is_scored_and_stands_at_the_root(book):
    assert book.coords["target"] == ["class"]
    there = np.isfinite(book.values["r2"]).any(tuple(range(6)))
    assert there.tolist() == [False] * 4 + [True]
    assert "accuracy" in book.arrays()


@pytest.mark.parametrize(
    ("pooling", "probe"), [("aligned", "ridge"), ("global", "kernel_ridge"), ("tokens", "attentive")]
)
def test_every_probe_tells_more_than_chance_and_shuffled_labels_do_not(book, pooling, probe):
    assert at(book, "accuracy", encoder="trained", pooling=pooling, probe=probe) > 0.4
    assert at(book, "accuracy", encoder="shuffled", pooling=pooling, probe=probe) < 0.2
    assert at(book, "n_test", encoder="trained", pooling=pooling, probe=probe) == 400


@pytest.fixture(scope="module")
def controls(digits):
    settings = Evaluation(
        probe_train=1200, test=400, replicates=20, detail="all", control_images=12_800, probes=("ridge",)
    )
    return score_controls(MAEConfig.of(digits, SIZES), digits, 0, settings)


def test_a_linear_probe_on_pixels_is_the_one_that_scikit_learn_would_fit(digits, controls):
    from sklearn.linear_model import RidgeClassifierCV

    fit, test = digits.sample(1200, "probe-train"), digits.sample(400, "test")
    flat = [sample.images.reshape(len(sample.images), -1) for sample in (fit, test)]
    theirs = RidgeClassifierCV(np.logspace(-2, 5, 8)).fit(flat[0], fit.latents[4].ravel())
    expected = theirs.score(flat[1], test.latents[4].ravel())
    ours = at(controls, "accuracy", encoder="pixels", pooling="concat", probe="ridge")
    assert abs(ours - expected) < 0.015


def test_a_supervised_control_is_trained_on_the_class(controls):
    told = {
        encoder: at(controls, "accuracy", encoder=encoder, pooling="global", probe="ridge")
        for encoder in ("supervised", "autoencoder")
    }
    assert told["supervised"] > told["autoencoder"] + 0.03


def test_images_without_classes_are_not_scored_and_nothing_fails(tmp_path):
    np.save(tmp_path / "a.npy", np.random.default_rng(0).random((400, 8, 8)))
    world = worlds.make("image_array", 0, path=str(tmp_path / "a.npy"), token_pixels=2, test=0.4)
    model, settings = MAE(MAEConfig.of(world, SIZES)), Evaluation(probe_train=120, test=100, replicates=5)
    book = score_cell(model, world, MaskPatches(world.grid), 8, 0, settings)
    assert not np.isfinite(book.values["r2"]).any()
    assert book.progress["test_variance"] > 0 and np.isnan(book.progress["progress"])


def test_the_theory_of_given_images_is_that_of_the_tree_over_their_tokens(digits):
    masks, settings = MaskPatches(digits.grid), TheorySettings(samples=200)
    made = worlds.make("grammar_tree", 0, leaves=16)
    one, other = (WorldTheory(world, settings, 4096).at(masks, 0.5) for world in (digits, made))
    assert np.array_equal(one["p_in_c"], other["p_in_c"])
    assert np.isnan(one["linear_r2"][:3]).all() and 0.3 < one["linear_r2"][3] < 0.8
    moments = second_moments(digits)
    flat = digits.read(digits.train_rows).reshape(digits.images, 4, 2, 4, 2).transpose(0, 1, 3, 2, 4)
    assert np.allclose(moments.covariance, np.cov(flat.reshape(digits.images, -1).T, bias=True), atol=1e-6)
    assert linear_levels(moments, masks, 0.5, 8, 4).shape == (4,)


def test_each_of_many_given_images_counts_once(tmp_path):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 255, (5600, 8, 8)).astype(np.uint8)
    np.savez(tmp_path / "a.npz", images=images, labels=np.arange(5600) % 2)
    world = worlds.make("image_array", 0, path=str(tmp_path / "a.npz"), token_pixels=4, test=0.2)
    assert world.images > 4096  # more than a batch, and no whole number of them
    flat = world.read(world.train_rows).reshape(world.images, 2, 4, 2, 4).transpose(0, 1, 3, 2, 4)
    covariance = np.cov(flat.reshape(world.images, -1).T, bias=True)
    assert np.allclose(second_moments(world).covariance, covariance, atol=1e-6)


def test_large_images_have_the_same_principal_axes_by_the_products_of_the_images(monkeypatch):
    values = np.random.default_rng(0).standard_normal((60, 300)).astype(np.float32)
    values[:, :5] *= 6
    plain = principal_axes(values, 5)
    monkeypatch.setattr("maestrata.regression.controls.MOST_COVARIANCE", 100)
    assert np.allclose(principal_axes(values, 5), plain, atol=1e-4)
    assert principal_axes(values, 200).shape == (300, 59)  # 60 images span no more about their mean


def test_of_large_images_what_needs_their_covariance_is_left_out(tmp_path):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 255, (500, 64, 64, 3)).astype(np.uint8)
    np.savez(tmp_path / "a.npz", images=images, labels=np.arange(500) % 2)
    world = worlds.make("image_array", 0, path=str(tmp_path / "a.npz"), token_pixels=16, test=0.3)
    assert not world.has_covariance
    model = MAE(MAEConfig.of(world, SIZES)).eval()
    settings = Evaluation(probe_train=200, test=100, replicates=5, detail="all", probes=("ridge",))
    book = score_cell(model, world, MaskPatches(world.grid), 8, 0, settings)
    assert "linear_mae" not in book.coords["encoder"]
    shown = {"encoder": "pixels", "pooling": "aligned", "probe": "ridge", "eval_ratio": "training"}
    assert np.isfinite(at(book, "accuracy", **shown))
    theory = WorldTheory(world, TheorySettings(samples=50)).at(MaskPatches(world.grid), 0.5)
    assert np.isnan(theory["linear_reach"]).all() and np.isfinite(theory["p_in_c"]).all()
