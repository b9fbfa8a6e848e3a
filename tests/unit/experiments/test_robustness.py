"""Shifted noise: what is shifted, what the ceiling is told, what is counted as lost."""

from __future__ import annotations

import numpy as np
import pytest

from maestrata.experiments import robustness
from maestrata.geometry import patchify
from maestrata.inference import posterior
from maestrata.worlds import make

DEFAULTS = robustness.SETTINGS


def test_a_grammar_is_made_noisier_and_tilted(grammar):
    sample = grammar.sample(2000)
    double, triple, tilt = robustness.shifts(grammar, sample.noise, DEFAULTS)
    assert [s.name for s in (double, triple, tilt)] == ["noise=2", "noise=3", "tilt=3"]
    np.testing.assert_allclose(triple.noise[0], 3 * sample.noise[0], rtol=1e-6)
    assert triple.world.settings["pixel_noise"] == pytest.approx(0.9)
    assert grammar.settings["pixel_noise"] == 0.3
    made = grammar.generate(tilt.noise)
    np.testing.assert_array_equal(made.latents[2], sample.latents[2])  # the root stays
    for level in (1, 2):
        first = (tilt.noise[level][..., -1] == 0).mean()
        assert first == pytest.approx(0.75, abs=0.03)
    assert tilt.noise[0] is sample.noise[0]


def test_inference_is_told_of_the_tilt():
    """Two tokens, one visible: the posterior of the root summed by hand over its productions."""
    world = make("grammar_tree", 1, leaves=2, symbols=5, productions=2, pixel_noise=1.5)
    (tilt,) = [s for s in robustness.shifts(world, world.sample(20).noise, DEFAULTS) if "tilt" in s.name]
    images = world.generate(tilt.noise).images
    inferred = posterior(tilt.world, images, np.array([True, False])).probabilities[1][:, 0]
    pixels = patchify(images.astype(np.float64), 2)[:, 0]
    apart = np.square(pixels[:, None] - world.params["patterns"][None]).sum(-1)
    likelihood = np.exp(-(apart - apart.min(1, keepdims=True)) / (2 * 1.5**2))
    expected = likelihood[:, world.params["rules1"][:, :, 0]] @ np.array([0.75, 0.25])
    np.testing.assert_allclose(inferred, expected / expected.sum(1, keepdims=True), rtol=1e-6, atol=1e-9)


def test_a_tree_of_symbols_has_its_digits_tilted_and_its_pixels_made_noisier():
    world = make("symbol_tree", 0, leaves=8, root=3, digits=2)
    sample = world.sample(1500)
    double, _, tilt = robustness.shifts(world, sample.noise, DEFAULTS)
    np.testing.assert_allclose(double.noise[0][..., 1:], 2 * sample.noise[0][..., 1:], rtol=1e-6)
    np.testing.assert_array_equal(double.noise[0][..., :1], sample.noise[0][..., :1])  # leads the digit
    assert (tilt.noise[0][..., 0] < 0).mean() == pytest.approx(0.75, abs=0.03)
    np.testing.assert_array_equal(tilt.noise[0][..., 1:], sample.noise[0][..., 1:])
    for level in (1, 2):
        assert (tilt.noise[level] == 0).mean() == pytest.approx(0.75, abs=0.03)
    made = world.generate(tilt.noise)
    np.testing.assert_array_equal(made.latents[3], sample.latents[3])
    # of one visible token, the posterior of another root is never 0 for a symbol that is the true one
    shown = np.arange(8) == 5
    told = posterior(tilt.world, made.images, shown).probabilities[3][:, 0]
    plain = posterior(world, made.images, shown).probabilities[3][:, 0]
    truth = sample.latents[3][:, 0, 0]
    rows = np.arange(len(truth))
    assert np.log(told[rows, truth] + 1e-9).mean() >= np.log(plain[rows, truth] + 1e-9).mean() - 1e-6


def test_a_continuous_world_has_its_middle_shifted():
    world = make("additive_tree", 0, leaves=8)
    noise = world.sample(10).noise
    *_, middle = robustness.shifts(world, noise, DEFAULTS)
    assert middle.name == "middle=1.5"
    for level, part in middle.noise.items():
        times = 1.5 if level in (1, 2) else 1
        np.testing.assert_allclose(part, times * noise[level], rtol=1e-6)


def test_losses_are_those_of_the_answers(cells_job, grammar):
    axes, data = robustness.run(
        cells_job("robustness", grammar, noise=[1.0, 4.0], fit=400, test=300, ceiling=200)
    ).arrays()

    def value(arm, quantity):
        return data["value"][axes["arm"].index(arm), axes["quantity"].index(quantity), 0]

    assert value("chance", "accuracy") == 0.2
    assert value("ceiling", "accuracy") > 0.99
    for arm in ("1x1/v1", "1x1/v3", "random_init", "pixels", "pca", "ceiling"):
        assert value(f"{arm}/noise=1", "lost") == 0  # no shift, no loss
        plain = value(arm, "accuracy")
        shares = []
        for shift in ("noise=1", "noise=4", "tilt=3"):
            lost = plain - value(f"{arm}/{shift}", "accuracy")
            assert value(f"{arm}/{shift}", "lost") == pytest.approx(lost)
            shares.append(lost / (plain - 0.2))
        assert value(arm, "lost_share") == pytest.approx(np.mean(shares))
    assert value("pca/noise=4", "lost_share") > 0.1
    beyond = value("pca", "lost_share") - value("ceiling", "lost_share")
    assert value("pca", "excess_share") == pytest.approx(beyond)
    assert data["setting"][axes["arm"].index("pca/noise=4")] == 4


def test_what_is_at_chance_has_no_share_to_lose(cells_job):
    world = make("additive_tree", 0, leaves=4, rho=0.0)  # pixels tell nothing of the root
    axes, data = robustness.run(cells_job("robustness", world, test=300)).arrays()
    below = data["value"][:, axes["quantity"].index("accuracy"), 0] - 0.5 < robustness.MIN_ABOVE_CHANCE
    shares = data["value"][:, axes["quantity"].index("lost_share"), 0]
    encoders = [i for i, arm in enumerate(axes["arm"]) if arm.count("/") == arm.startswith("1x1")]
    encoders.remove(axes["arm"].index("chance"))
    assert any(below[i] for i in encoders)
    for i in encoders:
        assert np.isnan(shares[i]) == below[i], axes["arm"][i]
    assert "excess_share" not in axes["quantity"]  # no exact ceiling


def test_composites_lose_by_textures_that_the_probe_has_not_seen(cells_job):
    world = make("composites", 0)
    sample = robustness._plain(world, world.sample(400, "test"))
    (shift,) = robustness.shifts(world, sample.noise, DEFAULTS)
    shifted = world.generate(shift.noise)
    textures = [set(part.latents[4][:, 0, 1].tolist()) for part in (sample, shifted)]
    assert not textures[0] & textures[1]
    np.testing.assert_array_equal(sample.latents[4][..., [0, 2]], shifted.latents[4][..., [0, 2]])
    axes, data = robustness.run(cells_job("robustness", world, visible=(8,), fit=400, test=300)).arrays()
    assert axes["arm"] == [
        "chance", "1x1/v8", "1x1/v8/textures", "random_init", "random_init/textures", "pixels",
        "pixels/textures", "pca", "pca/textures",
    ]  # fmt: skip
    assert data["value"][0, axes["quantity"].index("accuracy"), 0] == pytest.approx(0.1)
    lost = {name: data["value"][-1, axes["quantity"].index(name), 0] for name in ("accuracy", "lost")}
    plain = data["value"][-2, axes["quantity"].index("accuracy"), 0]
    assert lost["lost"] == pytest.approx(plain - lost["accuracy"])
