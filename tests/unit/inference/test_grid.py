"""Numbers that no product needs are 0: denormals are ten times slower on some processors."""

import numpy as np
import pytest

from maestrata import worlds
from maestrata.inference import additive_tree, grid
from maestrata.inference.base import read_input


@pytest.fixture
def asked():
    world = worlds.make("additive_tree", 0, leaves=8, dim=2)
    sample = world.sample(6)
    return world, *read_input(world, sample.images, np.arange(8) % 3 > 0)


def infer(world, tokens, visible):
    return additive_tree.infer(world, tokens, visible, True, np.dtype(float))


def test_no_product_meets_or_makes_a_denormal(asked, monkeypatch):
    smallest, flushed = [], []
    product, flush = grid.product, grid.flush

    def least(values):
        values = np.abs(values.data if hasattr(values, "tocsr") else values)
        return values[values > 0].min()

    def watched(left, lifted):
        smallest.append((least(left), least(lifted / grid.LIFT), least(left) * float(least(lifted))))
        return product(left, lifted)

    def counted(values, *tiny):
        flushed.append(((values != 0) & (np.abs(values) < 1e-30)).sum())
        return flush(values, *tiny)

    for module in (grid, additive_tree):
        monkeypatch.setattr(module, "product", watched)
        monkeypatch.setattr(module, "flush", counted)
    infer(*asked)
    left, right, both = np.min(smallest, axis=0)
    assert len(smallest) > 20 and left >= 1e-30 and right >= 0.999e-30
    assert both >= np.finfo(np.float32).tiny
    assert sum(flushed) > 1000  # or there was nothing to flush


def test_sums_are_those_of_all_numbers(asked, monkeypatch):
    inferred = infer(*asked)
    for module in (grid, additive_tree):
        monkeypatch.setattr(module, "flush", lambda values, *_: values)
    world = worlds.make("additive_tree", 0, leaves=8, dim=2)  # grids are kept by world
    expected = infer(world, *asked[1:])
    for level in range(4):
        np.testing.assert_allclose(inferred.mean[level], expected.mean[level], rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(
            inferred.covariance[level], expected.covariance[level], rtol=1e-6, atol=1e-6
        )
        np.testing.assert_allclose(inferred.noise[level], expected.noise[level], rtol=1e-6, atol=1e-5)
