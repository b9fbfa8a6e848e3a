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


def test_no_product_meets_a_tiny_number(asked, monkeypatch):
    met, flushed = [], []
    product, flush = grid.product, grid.flush

    def tiny(values):
        values = np.abs(getattr(values, "data", values) if hasattr(values, "tocsr") else values)
        return int(((values > 0) & (values < 1e-30)).sum())

    def watched(left, right):
        met.append(tiny(left) + tiny(right))
        return product(left, right)

    def counted(values):
        flushed.append(tiny(values))
        return flush(values)

    for module in (grid, additive_tree):
        monkeypatch.setattr(module, "product", watched)
        monkeypatch.setattr(module, "flush", counted)
    infer(*asked)
    assert len(met) > 20 and sum(met) == 0
    assert sum(flushed) > 1000  # or there was nothing to flush


def test_sums_are_those_of_all_numbers(asked, monkeypatch):
    found = infer(*asked)
    for module in (grid, additive_tree):
        monkeypatch.setattr(module, "flush", lambda values: values)
    world = worlds.make("additive_tree", 0, leaves=8, dim=2)  # grids are kept by world
    expected = infer(world, *asked[1:])
    for level in range(4):
        np.testing.assert_allclose(found.mean[level], expected.mean[level], rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(found.covariance[level], expected.covariance[level], rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(found.noise[level], expected.noise[level], rtol=1e-6, atol=1e-5)
