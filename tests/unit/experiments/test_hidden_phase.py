"""The mixture decoder, and training where the phase hides the parents."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from maestrata import worlds
from maestrata.errors import ExperimentError
from maestrata.experiments import hidden_phase
from maestrata.experiments._mixture import MixtureMAE, whitening_maps
from maestrata.experiments.base import Job, Table
from maestrata.experiments.settings import fill_settings
from maestrata.geometry import patchify
from maestrata.model.mae import MAE, MAEConfig

SMALL = MAEConfig(grid_height=2, grid_width=2, token_values=3, width=8, depth=1, decoder_width=8)


def mixture(components=2, values=3):
    maps = np.broadcast_to(np.eye(values, dtype=np.float32), (4, values, values)).copy()
    maps += 0.3 * np.random.default_rng(0).standard_normal(maps.shape).astype(np.float32)
    cfg = MAEConfig(**{**SMALL.__dict__, "token_values": values})
    return MixtureMAE(MAE(cfg), components, maps, torch.Generator().manual_seed(1))


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
        found = model.log_density(tokens, visible_ids, masked_ids, targets)[0]
        out = model.mae(tokens, visible_ids, masked_ids)[0]
        for place, token in enumerate((1, 2)):
            w = model.maps[token]
            shape = out[place, 2:].reshape(2, 2, 3)
            share = out[place, :2].softmax(0)
            density = 0.0
            for k in range(2):
                # y = W x is N(mu, S), hence x is N(W^-1 mu, W^-1 S W^-T)
                inverse = torch.linalg.inv(w)
                covariance = inverse @ torch.diag(torch.exp(2 * shape[k, 1])) @ inverse.T
                gauss = torch.distributions.MultivariateNormal(inverse @ shape[k, 0], covariance)
                density = density + share[k] * gauss.log_prob(targets[0, place]).exp()
            assert float(found[place]) == pytest.approx(float(density.log()), abs=1e-4)
        noise = targets - tokens[:, 1:3]
        loss = model.loss(tokens, visible_ids, masked_ids, noise)
    assert float(loss) == pytest.approx(-float(found.mean()) / 3, abs=1e-5)


def test_whitening_maps_give_unit_covariance_with_the_noise():
    world = worlds.make("phase_tree", 0, leaves=4)
    tokens = patchify(world.sample(4000).images, world.token_pixels)
    maps = whitening_maps(tokens, 0.1)
    for token in range(4):
        centred = tokens[:, token] - tokens[:, token].mean(0)
        covariance = centred.T @ centred / len(centred) + 0.01 * np.eye(12)
        assert abs(maps[token] @ covariance @ maps[token].T - np.eye(12)).max() < 1e-3


def test_what_makes_no_density_is_refused():
    with pytest.raises(ExperimentError, match="jitter=0 must be above 0"):
        whitening_maps(np.zeros((10, 4, 3)), 0)
    with pytest.raises(ExperimentError, match="components=0 must be at least 1"):
        mixture(components=0)
    with pytest.raises(ExperimentError, match=r"maps of shape \(4, 2, 2\) must be \(4, 3, 3\)"):
        MixtureMAE(MAE(SMALL), 1, np.zeros((4, 2, 2), np.float32), torch.Generator())


@pytest.fixture(scope="module")
def job():
    world = worlds.make("additive_tree", 3, leaves=4, dim=2)
    cfg = MAEConfig(grid_height=2, grid_width=2, width=16, depth=1, decoder_width=16)
    settings = fill_settings(
        "hidden_phase", {"images": 640, "batch": 64, "components": 2}, hidden_phase.SETTINGS
    )
    return Job(world, 0, cfg, settings=settings, probe_train=400, test=300, replicates=50)


def test_run_measures_every_arm_and_twice_the_same(job):
    (axes, data), (_, again) = (hidden_phase.run(job).arrays() for _ in range(2))
    assert set(axes["arm"]) == {
        *(f"hidden/{kind}" for kind in ("random_init", "mse", "likelihood")),
        *(f"plain/{kind}" for kind in ("random_init", "mse")),
    }
    assert axes["level"] == [0, 1, 2]
    for name, values in data.items():
        assert np.array_equal(values, again[name], equal_nan=True)

    def at(arm, quantity):
        return data["value"][axes["arm"].index(arm), axes["quantity"].index(quantity)]

    for suffix in ("", "_concat"):
        for arm in axes["arm"]:
            r2 = at(arm, f"r2{suffix}")
            assert np.isfinite(r2).all() and r2[0] == pytest.approx(r2[1:].mean())
        for kind, other, quantity in (
            ("mse", "random_init", "over_random"),
            ("likelihood", "random_init", "over_random"),
            ("likelihood", "mse", "over_mse"),
        ):
            gain = at(f"hidden/{kind}", f"r2{suffix}") - at(f"hidden/{other}", f"r2{suffix}")
            assert at(f"hidden/{kind}", quantity + suffix) == pytest.approx(gain)


def test_the_squared_error_learns_nothing_where_the_phase_is_hidden_and_something_where_not(job):
    settings = {**job.settings, "images": 10_000}
    losses, table = {}, Table()
    for name in ("phase_tree", "additive_tree"):
        world = worlds.make(name, 3, leaves=4, dim=2)
        hidden_phase.train_mse(replace(job, settings=settings).in_world(world), table, name)
        variance = np.square(world.sample(5000).images).mean()
        axes, data = table.arrays()
        losses[name] = data["value"][axes["arm"].index(f"{name}/mse"), 0, 0] / variance
    assert losses["phase_tree"] == pytest.approx(1, abs=0.05)  # that of predicting 0
    assert losses["additive_tree"] < 0.9
