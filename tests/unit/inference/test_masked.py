"""Bayes loss and explainable share against closed forms."""

import numpy as np
import pytest

from maestrata import worlds
from maestrata.inference import masked as masked_module
from maestrata.inference.base import posterior
from maestrata.inference.gaussian_tree import joint
from maestrata.inference.masked import bayes_loss, explainable_share, true_tokens


def test_bayes_loss_of_the_gaussian_tree_is_the_trace():
    world = worlds.make("gaussian_tree", 0, leaves=8, dim=3, rho=0.8)
    n = 2000
    sample = world.sample(n)
    visible = np.tile([True, False, True, False, False, True, True, False], (n, 1))
    inferred = posterior(world, sample.images, visible)
    loss = bayes_loss(visible, inferred.token_variance, true_tokens(world, sample.images), inferred.tokens)
    model, names = joint(world), world.node_names(0)
    hidden = [name for name, shown in zip(names, visible[0], strict=True) if not shown]
    _, cov = model.condition([name for name in names if name not in hidden], hidden)
    # token values are an orthogonal map, of squared length values / dim, of the token's variable
    assert loss.expected == pytest.approx(np.trace(cov) / len(cov), abs=1e-10)
    assert loss.error < 1e-12
    assert abs(loss.realised - loss.expected) < 0.03


def test_without_variance_or_prediction():
    visible = np.array([[True, False], [False, True]])
    tokens = np.arange(8.0).reshape(2, 2, 2)
    loss = bayes_loss(visible, None, tokens, tokens + 2)
    assert loss.expected == loss.realised == 4.0
    assert np.isnan(bayes_loss(visible, np.ones((2, 2))).realised)


def test_shares_by_pairs_equal_the_closed_form(monkeypatch):
    world = worlds.make("gaussian_tree", 0, leaves=8, rho=0.7)
    exact = explainable_share(world)
    assert exact == pytest.approx({level: 0.7 ** (2 * level) for level in (1, 2, 3)})
    monkeypatch.setattr(type(world), "name", "another")
    drawn = explainable_share(world, n=20_000)
    assert drawn == pytest.approx(exact, abs=0.02)


def test_shares_of_the_grammar_equal_grouped_means():
    """Mean token given the ancestor's symbol, by grouping a sample."""
    world = worlds.make("grammar_tree", 1, leaves=8, symbols=5, productions=2, pixel_noise=0.3)
    sample = world.sample(40_000)
    tokens = true_tokens(world, sample.images)
    total = tokens.var(0).sum()
    for level, share in explainable_share(world).items():
        explained = 0.0
        for token in range(8):
            symbol = sample.latents[level][:, world.grid.node_of_token(level)[token], 0]
            for s in np.unique(symbol):
                group = tokens[symbol == s, token]
                explained += (
                    len(group) / len(tokens) * ((group.mean(0) - tokens[:, token].mean(0)) ** 2).sum()
                )
        assert share == pytest.approx(explained / total, abs=0.01)


@pytest.mark.parametrize("name", ["additive_tree", "invertible_tree", "latent_dag"])
def test_higher_levels_explain_less(name):
    share = explainable_share(worlds.make(name, 0, leaves=8), n=4000)
    values = [share[level] for level in sorted(share)]
    assert values == sorted(values, reverse=True) and 0 < values[-1] and values[0] < 1


def test_module_reads_tokens_in_float64():
    world = worlds.make("gaussian_tree", 0, leaves=2)
    assert masked_module.true_tokens(world, world.sample(2).images).dtype == np.float64
