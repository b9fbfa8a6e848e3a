"""The mixture decoder, and training where the sign hides the symbols."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from maestrata import worlds
from maestrata.errors import ExperimentError
from maestrata.experiments import hidden_sign
from maestrata.experiments._mixture import MixtureMAE, spread_centres
from maestrata.experiments.base import Job, Table
from maestrata.experiments.settings import fill_settings
from maestrata.geometry import patchify
from maestrata.inference.sign_hidden import token_log_density
from maestrata.model.mae import MAE, MAEConfig
from maestrata.training.recipe import Recipe

SMALL = MAEConfig(grid_height=2, grid_width=2, token_values=3, width=8, depth=1, decoder_width=8)
SMALL_12 = replace(SMALL, token_values=12)


def mixture(components=2, values=3):
    tokens = np.random.default_rng(0).standard_normal((50, values)).astype(np.float32)
    cfg = MAEConfig(**{**SMALL.__dict__, "token_values": values})
    model = MixtureMAE(MAE(cfg), components, tokens, torch.Generator().manual_seed(1))
    with torch.no_grad():  # away from the start, where nothing depends on what is visible
        model.mae.head.weight += 0.1 * torch.randn(
            model.mae.head.weight.shape, generator=torch.Generator().manual_seed(3)
        )
    return model


def some(values, n=1):
    generator = torch.Generator().manual_seed(2)
    tokens = torch.randn(n, 4, values, generator=generator)
    return tokens, torch.tensor([[0, 3]] * n), torch.tensor([[1, 2]] * n)


def test_the_density_integrates_to_one():
    model = mixture(components=3, values=1)
    tokens, visible_ids, masked_ids = some(1)
    grid = torch.linspace(-60, 60, 6001)
    targets = grid[:, None, None].expand(-1, 2, 1)
    n = len(grid)
    with torch.no_grad():
        every = [t.expand(n, *t.shape[1:]) for t in (tokens, visible_ids, masked_ids)]
        density = model.log_density(*every, targets).exp()
    assert torch.trapezoid(density, grid, dim=0).numpy() == pytest.approx(1, abs=1e-4)


def test_the_density_is_that_of_a_mixture_written_out():
    model = mixture(components=2)
    tokens, visible_ids, masked_ids = some(3)
    targets = tokens[:, 1:3] + 0.2
    with torch.no_grad():
        log_density = model.log_density(tokens, visible_ids, masked_ids, targets)[0]
        out = model.mae(tokens, visible_ids, masked_ids)[0]
        for place in (0, 1):
            shape, share = out[place, 2:].reshape(2, 2, 3), out[place, :2].softmax(0)
            density = 0.0
            for k in range(2):
                covariance = torch.diag(torch.exp(2 * shape[k, 1]))
                gauss = torch.distributions.MultivariateNormal(shape[k, 0], covariance)
                density = density + share[k] * gauss.log_prob(targets[0, place]).exp()
            assert float(log_density[place]) == pytest.approx(float(density.log()), abs=1e-4)
        loss = hidden_sign._loss(model, 0)(tokens, visible_ids, masked_ids)
        own = model.log_density(tokens, visible_ids, masked_ids, tokens[:, 1:3])
    assert float(loss) == pytest.approx(-float(own.mean()) / 3, abs=1e-5)


def test_the_null_of_the_likelihood_is_that_of_the_next_image():
    model = mixture(components=2)
    tokens, visible_ids, masked_ids = some(3, n=4)
    with torch.no_grad():
        loss = hidden_sign._loss(model, -1)(tokens, visible_ids, masked_ids)
        targets = torch.stack([tokens[(i + 1) % 4, 1:3] for i in range(4)])
        nats = model.log_density(tokens, visible_ids, masked_ids, targets)
    assert float(loss) == pytest.approx(-float(nats.mean()) / 3, abs=1e-5)


def test_it_starts_at_a_centre_a_pattern_and_sign():
    world = worlds.make("sign_hidden", 0, leaves=4, symbols=5)
    tokens = patchify(world.sample(400).images, world.token_pixels).reshape(-1, 12)
    centres, deviation = spread_centres(tokens, 10)
    patterns = np.concatenate([world.params["patterns"], -world.params["patterns"]])
    apart = np.square(centres[:, None] - patterns).sum(-1) ** 0.5
    assert sorted(apart.argmin(1)) == list(range(10))
    # a token and the nearest centre have noise of their own, the centre's above the average
    assert 0.2 * 2**0.5 < deviation < 0.2 * 3**0.5
    model = MixtureMAE(MAE(SMALL_12), 10, tokens, torch.Generator().manual_seed(0))
    out = model.mae(torch.from_numpy(tokens[:4][None]), *some(12)[1:])[0, 0, 10:]
    assert out[:12].tolist() == pytest.approx(centres[0].tolist())
    assert out[12:24].tolist() == pytest.approx([np.log(deviation)] * 12, abs=1e-5)


@pytest.mark.parametrize("components", [0, 51])
def test_components_must_be_some_tokens(components):
    with pytest.raises(ExperimentError, match=f"components={components} must lie in 1..50"):
        mixture(components=components)


def test_the_exact_density_is_that_of_all_derivations():
    """Written out: a token's density is a mean over all images' symbols, weighted by what is visible."""
    world = worlds.make("sign_hidden", 1, leaves=4, symbols=5, productions=2, pixel_noise=0.5)
    tokens = patchify(world.sample(3, "test").images, world.token_pixels).astype(np.float64)
    rules = {level: world.rules(level) for level in (1, 2)}
    derived = [
        (left[0], left[1], right[0], right[1])
        for top in range(5)
        for a, b in rules[2][top]
        for left in rules[1][a]
        for right in rules[1][b]
    ]
    children = [world.grid.children(1)[node] for node in world.grid.children(2)[0]]
    places = np.concatenate(children)

    def density(token, symbol):
        pattern, deviation = world.params["patterns"][symbol], world.settings["pixel_noise"]
        normal = [np.exp(-np.square(token - sign * pattern).sum() / (2 * deviation**2)) for sign in (1, -1)]
        return np.mean(normal) / (2 * np.pi * deviation**2) ** (len(token) / 2)

    visible_ids = np.array([[0, 3], [1, 2], [0, 1]])
    log_density = token_log_density(world, tokens, visible_ids)
    for i, shown in enumerate(visible_ids):
        weights = np.ones(len(derived))
        for k, symbols in enumerate(derived):
            for place, symbol in zip(places, symbols, strict=True):
                if place in shown:
                    weights[k] *= density(tokens[i, place], symbol)
        for hidden in set(range(4)) - set(shown.tolist()):
            at = places.tolist().index(hidden)
            each = [density(tokens[i, hidden], symbols[at]) for symbols in derived]
            assert log_density[i, hidden] == pytest.approx(
                np.log(np.average(each, weights=weights)), abs=1e-9
            )


@pytest.fixture(scope="module")
def job():
    world = worlds.make("sign_hidden", 3, leaves=4, symbols=5)
    cfg = MAEConfig(grid_height=2, grid_width=2, width=16, depth=1, decoder_width=16)
    settings = fill_settings("hidden_sign", {"images": 640, "components": 2}, hidden_sign.SETTINGS)
    return Job(world, 0, cfg, Recipe(batch=64), settings, probe_train=400, test=300, replicates=50)


def test_run_measures_every_arm_and_twice_the_same(job):
    (axes, data), (_, again) = (hidden_sign.run(job).arrays() for _ in range(2))
    assert axes["arm"] == ["random_init", "mse", "null_trained", "likelihood", "null_likelihood"]
    assert axes["level"] == [0, 1, 2]
    for name, values in data.items():
        assert np.array_equal(values, again[name], equal_nan=True)

    def at(arm, quantity):
        return data["value"][axes["arm"].index(arm), axes["quantity"].index(quantity)]

    assert all(np.isfinite(at(arm, "r2")[1:]).all() for arm in axes["arm"])
    for arm, null in (("mse", "null_trained"), ("likelihood", "null_likelihood")):
        assert at(arm, "over_null")[1:] == pytest.approx((at(arm, "r2") - at(null, "r2"))[1:])
    # where nothing can be explained there is no progress
    assert np.isfinite(at("likelihood", "progress")[0]) and np.isnan(at("mse", "progress")[0])


def test_exact_inference_has_progress_one_and_the_marginal_none(job, monkeypatch):
    world, table = job.world, Table()

    for arm, seen in (("exact", 2), ("marginal", 0)):

        def ours(_, tokens, visible_ids, masked_ids, seen=seen):
            density = token_log_density(world, tokens, visible_ids[:, :seen])
            return np.take_along_axis(density, masked_ids, 1).mean(1)

        monkeypatch.setattr(hidden_sign, "_log_density", ours)
        hidden_sign._add_progress(replace(job, settings={**job.settings, "scored": 300}), table, arm, None, 2)
    axes, data = table.arrays()
    progress = data["value"][:, axes["quantity"].index("progress"), 0]
    assert progress == pytest.approx([1, 0])
    assert data["value"][0, axes["quantity"].index("nats"), 0] > 0.05


def test_the_squared_error_learns_nothing_where_the_sign_is_hidden_and_something_where_not(job):
    job = replace(job, recipe=Recipe(images=10_000, batch=64), settings={})
    losses = {}
    for kind in ("sign_hidden", "grammar_tree"):
        world = worlds.make(kind, 3, leaves=4, symbols=5)
        here = job.in_world(world)
        losses[kind] = here.train(kind, 2)[1][-20:].mean() / np.square(world.sample(5000).images).mean()
    assert losses["sign_hidden"] == pytest.approx(1, abs=0.05)  # that of predicting 0
    assert losses["grammar_tree"] < 0.9
