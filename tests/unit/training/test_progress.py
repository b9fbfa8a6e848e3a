"""Progress: 1 is exact inference, 0 the mean of a position, and a model of the sweep lies between."""

import numpy as np
import pytest
import torch

from maestrata.inference.base import posterior
from maestrata.inference.limits import Limits
from maestrata.masks import MaskPatches
from maestrata.training.data import initial_model
from maestrata.training.progress import MOST_SLOW, Explainable
from maestrata.training.recipe import Recipe
from maestrata.training.train import train
from maestrata.worlds import make


@pytest.fixture(scope="module")
def held(cell):
    return Explainable.of(cell["world"], cell["patches"], cell["visible"], test=1024, replicates=50)


def test_exact_inference_reaches_one_and_the_mean_zero(held):
    best = held.of_predictions(held.best)
    np.testing.assert_array_equal(best.share, 1.0)
    assert best.share.shape == (51,) and best.n == 1024
    mean = np.broadcast_to(held.tokens.mean(0), held.tokens.shape)
    np.testing.assert_allclose(held.of_predictions(mean).share, 0.0, atol=1e-6)
    halfway = (held.best + mean) / 2
    assert held.of_predictions(halfway).share[0] == pytest.approx(0.75, abs=0.05)  # errors are squared


def test_training_makes_progress_and_the_interval_holds_it(cell, held):
    start = held.progress(initial_model(cell["cfg"], cell["seed"], cell["world"].seed))
    model, losses = train(**{**cell, "recipe": Recipe(images=600 * 32, batch=32, lr=5e-3)})
    reached = held.progress(model)
    assert start.share[0] < 0.05 < 0.3 < reached.share[0] < 1
    assert reached.loss[0] == pytest.approx(losses[-50:].mean(), rel=0.1)  # fresh images, other masks
    low, high = np.quantile(reached.share[1:], (0.025, 0.975))
    assert low < reached.share[0] < high < low + 0.1  # paired: narrower than that of the loss would make it
    assert np.ptp(reached.loss[1:]) / (reached.variance - reached.bayes)[0] > 1.5 * np.ptp(reached.share[1:])


def test_loss_is_that_of_the_model_on_the_same_masks(cell, held):
    model = initial_model(cell["cfg"], 0, 0)
    ids = (torch.from_numpy(m.nonzero()[1].reshape(1024, 4)) for m in (held.visible, ~held.visible))
    with torch.no_grad():
        expected = model.loss(torch.from_numpy(held.tokens), *ids).item()
    assert held.progress(model).loss[0] == pytest.approx(expected, rel=1e-5)


def test_bayes_loss_is_that_of_the_limits(cell, held):
    """The test images and evaluation masks are those that the limits are computed on."""
    limits = Limits(cell["world"], 1024, 50)
    loss = limits.at(limits.visible(cell["patches"], cell["visible"]))["exact"].loss
    assert held.of_predictions(held.best).bayes[0] == pytest.approx(loss.realised, rel=1e-5)


def test_tokens_that_do_not_count_are_not_looked_at(cell):
    world = cell["world"]
    images = world.sample(300, "test").images
    visible = np.arange(8) < 4
    counted = np.broadcast_to(np.arange(8) % 2 == 0, (300, 8))
    held = Explainable.under(world, images, visible, 20, counted)
    assert held.counted.sum() == 300 * 2  # tokens 4 and 6
    other = np.where(held.counted[..., None], held.best, 1e6)
    assert held.of_predictions(other).share[0] == pytest.approx(1.0)
    np.testing.assert_allclose(held.best, posterior(world, images, visible).tokens, rtol=1e-5, atol=1e-6)


def test_without_exact_inference_there_is_a_loss_and_no_progress():
    world = make("additive_tree", 0, leaves=8, dim=4)
    held = Explainable.of(world, MaskPatches(world.grid), 4, test=200, replicates=10)
    reached = held.of_predictions(np.zeros_like(held.tokens))
    assert reached.loss[0] > 0 and reached.variance[0] > 0
    assert np.isnan(reached.bayes).all() and np.isnan(reached.share).all()


def test_slow_inference_takes_the_first_images_of_the_same(monkeypatch):
    world = make("additive_tree", 0, leaves=4, dim=2)
    monkeypatch.setattr("maestrata.training.progress.MOST_SLOW", 20)
    held = Explainable.of(world, MaskPatches(world.grid), 2, test=100, replicates=10)
    every = Limits(world, 100, 10)
    assert MOST_SLOW > 20 and held.tokens.shape == (20, 4, 12)
    np.testing.assert_array_equal(held.visible, every.visible(MaskPatches(world.grid), 2)[:20])
