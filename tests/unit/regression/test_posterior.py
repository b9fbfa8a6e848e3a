"""Probes on the exact posterior: they reach what exact inference reaches, and no more."""

import numpy as np
import pytest

import maestrata.worlds as worlds
from maestrata.inference import posterior
from maestrata.inference.limits import Limits
from maestrata.masks import MaskPatches
from maestrata.model.mae import MAEConfig
from maestrata.regression.cell import score_controls
from maestrata.regression.controls import has_posterior, posterior_means
from maestrata.regression.data import EvalMasks
from maestrata.regression.settings import Evaluation
from maestrata.representation.pooling import POOLINGS

N = 3000
CFG = MAEConfig(4, 2, width=16, depth=1, decoder_width=16)
WORLDS = {
    "gaussian_tree": {"leaves": 8, "dim": 2, "rho": 0.8},
    "grammar_tree": {"leaves": 8, "symbols": 7, "productions": 2, "pixel_noise": 0.8},
    "symbol_tree": {"leaves": 8, "root": 3, "ambiguity": 1.5, "pixel_noise": 0.8},
}


@pytest.mark.parametrize("name", WORLDS)
def test_probes_on_the_posterior_reach_the_ceiling_and_no_more(name):
    world = worlds.make(name, 1, **WORLDS[name])
    settings = Evaluation(
        probe_train=N, test=N, replicates=100, probes=("ridge",), poolings=("concat", "aligned")
    )
    book = score_controls(CFG, world, 0, settings)
    limits = Limits(world, samples=N, replicates=100)
    labels = book.coords["encoder"], book.coords["eval_ratio"], book.coords["pooling"]
    encoder = labels[0].index("posterior")
    for ratio in ("0", "0.5"):
        patches = None if ratio == "0" else MaskPatches(world.grid)
        exact = limits.at(limits.visible(patches, 4))["exact"]
        for pooling, scores in (("concat", exact.scores), ("aligned", exact.present)):
            # at the last layer, by ridge, of latents
            at = (encoder, 1, labels[2].index(pooling), labels[1].index(ratio), 0, 0)
            for level in range(1, world.levels + 1):
                r2, ceiling = book.values["r2"][at][level], scores["latent", level].r2
                # the same test images: all that lies between is the probe's own error, from N images
                assert ceiling - 0.02 < r2 < ceiling + 0.005, (ratio, pooling, level)
                difference = book.boot[at][level] - scores["latent", level].boot
                assert np.abs(difference).max() < 0.04, (ratio, pooling, level)


def test_features_are_the_posterior_of_the_images_and_masks_that_models_are_scored_on():
    world = worlds.make("gaussian_tree", 0, leaves=8)
    images = world.sample(60, "test").images
    masks = EvalMasks.common(0.5, world.grid, world.seed, (40, 20))
    features = list(posterior_means(world, images, 3)(masks, POOLINGS))
    assert [(layer, pooling) for layer, pooling, _ in features] == [(3, "concat"), (3, "aligned")]
    shown = np.zeros((60, 8), bool)
    np.put_along_axis(shown, masks.visible_ids, True, 1)
    expected = posterior(world, images, shown)
    nodes = list(features[1][2])
    assert [part.shape[1] for part in nodes] == [8, 4, 2, 1]
    for level, part in enumerate(nodes):
        np.testing.assert_allclose(part, expected.mean[level], rtol=1e-5, atol=1e-6)
    together = np.concatenate([expected.mean[level].reshape(60, -1) for level in (1, 2, 3)], 1)
    np.testing.assert_allclose(features[0][2], together, rtol=1e-5, atol=1e-6)


def test_only_worlds_with_exact_and_quick_inference_have_one():
    settings = {"additive_tree": {"dim": 2}}
    r2 = {
        name
        for name in worlds.available()
        if worlds.world_class(name).latent and has_posterior(worlds.make(name, 0, **settings.get(name, {})))
    }
    assert r2 == {"gaussian_tree", "grammar_tree", "invertible_tree", "sign_hidden", "symbol_tree"}
