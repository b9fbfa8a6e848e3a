"""Message passing on the Gaussian tree against dense conditioning, for all masks of an 8-leaf tree."""

from itertools import product

import numpy as np
import pytest

from maestrata import worlds
from maestrata.geometry import patchify
from maestrata.inference.base import posterior
from maestrata.inference.gaussian_tree import joint
from maestrata.worlds.maps import token_variables

MASKS = np.array([mask for mask in product([False, True], repeat=8) if any(mask)])


@pytest.mark.parametrize(("dim", "rho"), [(1, 0.9), (3, 0.5), (2, 0.0), (2, 0.9999)])
def test_all_masks_equal_dense_conditioning(dim, rho):
    world = worlds.make("gaussian_tree", 2, leaves=8, dim=dim, rho=rho)
    sample = world.generate(world.draw(len(MASKS), np.random.default_rng(0), np.float64))
    inferred = posterior(world, sample.images, MASKS, noise=True)
    leaves = token_variables(world.params["P"], patchify(sample.images, world.token_pixels))
    model = joint(world)
    for level, nodes in world.n_nodes.items():
        names = world.node_names(level)
        mean, cov = model.posterior(world.node_names(0), leaves, MASKS, names)
        np.testing.assert_allclose(inferred.mean[level].reshape(mean.shape), mean, atol=1e-7)
        for i in range(nodes):
            block = slice(i * dim, (i + 1) * dim)
            np.testing.assert_allclose(inferred.covariance[level][:, i], cov[:, block, block], atol=1e-7)


def test_whole_image_gives_the_noise_of_tokens_their_part():
    """At rho 0 a token is its noise, and tells nothing of its parent."""
    world = worlds.make("gaussian_tree", 2, leaves=8, dim=2, rho=0.0)
    sample = world.generate(world.draw(10, np.random.default_rng(0), np.float64))
    inferred = posterior(world, sample.images, np.ones(8, bool), noise=True)
    np.testing.assert_allclose(inferred.noise[0], sample.noise[0], atol=1e-12)
    np.testing.assert_allclose(inferred.mean[1], 0, atol=1e-12)
    np.testing.assert_allclose(inferred.token_variance, 0)
