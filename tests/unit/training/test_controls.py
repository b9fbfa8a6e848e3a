"""The controls that are trained: what they start from, what they minimise, what they learn."""

import numpy as np
import pytest
import torch

import maestrata.worlds as worlds
from maestrata.errors import TrainingError
from maestrata.geometry import patchify
from maestrata.model.mae import MAEConfig
from maestrata.regression.probes.ridge import Probe
from maestrata.representation.encode import represent
from maestrata.training.controls import (
    Supervised,
    autoencoder_loss,
    latent_columns,
    level_weights,
    reconstruct_all,
    train_autoencoder,
    train_null,
    train_supervised,
)
from maestrata.training.data import Batches, initial_model
from maestrata.training.progress import Explainable
from maestrata.training.recipe import Recipe

CFG = MAEConfig(4, 2, width=16, depth=2, decoder_width=16)
RECIPE = Recipe(images=12_800, batch=64)


@pytest.fixture(scope="module")
def world():
    return worlds.make("gaussian_tree", 0, leaves=8, dim=2, rho=0.8)


def _tokens(world, n=300, stream="test"):
    return torch.from_numpy(patchify(world.sample(n, stream).images, world.token_pixels))


@torch.no_grad()
def _reconstruction_loss(model, tokens):
    return float(autoencoder_loss(model, tokens))


def test_the_autoencoder_learns_to_copy(world):
    model, losses = train_autoencoder(world, CFG, 3, RECIPE)
    tokens = _tokens(world)
    start = _reconstruction_loss(initial_model(CFG, 3, 0), tokens)
    # at the start worse than the mean of all pixels, at the end most of their variance is explained
    assert start > float(tokens.var()) > 2 * _reconstruction_loss(model, tokens)
    assert len(losses) == RECIPE.steps and losses[-5:].mean() < losses[0] / 2


def test_nothing_is_masked_and_every_token_counts():
    model = initial_model(CFG, 0, 0)
    tokens = torch.randn(5, 8, 12, generator=torch.Generator().manual_seed(0))
    rebuilt = reconstruct_all(model, tokens)
    assert rebuilt.shape == tokens.shape
    expected = (rebuilt - tokens).square().mean()
    torch.testing.assert_close(autoencoder_loss(model, tokens), expected)
    autoencoder_loss(model, tokens).backward()
    assert model.mask_token.grad is None and model.embed.weight.grad.abs().sum() > 0
    # every token of the input, and every token of the target
    for token in range(8):
        other = tokens.clone()
        other[:, token] += 1
        assert not torch.allclose(reconstruct_all(model, other), rebuilt)


def test_normalised_pixels_are_the_target_where_the_model_predicts_those():
    cfg = MAEConfig(4, 2, width=16, depth=1, decoder_width=16, norm_pixels=True)
    model = initial_model(cfg, 0, 0)
    tokens = 3 + 2 * torch.randn(4, 8, 12, generator=torch.Generator().manual_seed(0))
    normal = (tokens - tokens.mean(-1, keepdim=True)) / tokens.std(-1, keepdim=True)
    expected = (reconstruct_all(model, tokens) - normal).square().mean()
    torch.testing.assert_close(autoencoder_loss(model, tokens), expected, rtol=1e-4, atol=0)


def test_the_null_is_trained_alike_on_the_targets_of_the_next_image(cell):
    """One step by hand, and over a run the loss stays that of the mean."""
    _, losses = train_null(**cell)
    start = initial_model(cell["cfg"], cell["seed"], cell["world"].seed)
    masks = {name: cell[name] for name in ("world", "patches", "visible", "seed", "recipe")}
    tokens, visible_ids, masked_ids = Batches(**masks)(0)
    predicted = start(tokens, visible_ids, masked_ids)
    following = torch.cat([tokens[1:], tokens[:1]])
    target = torch.stack([image[ids] for image, ids in zip(following, masked_ids, strict=True)])
    assert losses[0] == pytest.approx((predicted - target).square().mean().item(), rel=1e-5)
    assert losses[0] != pytest.approx(start.loss(tokens, visible_ids, masked_ids).item(), rel=1e-3)
    long = cell | {"recipe": Recipe(images=600 * 32, batch=32, lr=5e-3)}
    null, losses = train_null(**long)
    held = Explainable.of(cell["world"], cell["patches"], cell["visible"], 1024, 20)
    assert abs(held.progress(null).share[0]) < 0.1
    assert losses[-100:].mean() > 0.95 * held.progress(null).variance[0]
    changed = (null.embed.weight - start.embed.weight).norm() / start.embed.weight.norm()
    assert changed > 0.05  # it is trained all the same


def test_supervised_starts_from_the_encoder_that_the_autoencoder_starts_from():
    start = initial_model(CFG, 5, 0)
    model = Supervised(start, torch.ones(7))
    tokens = torch.randn(3, 8, 12, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(model.encode(tokens, None), start.encode(tokens, None))
    assert model.predict(tokens).shape == (3, 7) and not model.predict(tokens).any()
    assert not any("decoder" in name or name.startswith(("head", "mask")) for name in model.state_dict())


def test_supervised_beats_random_init_at_every_level(world):
    model, losses = train_supervised(world, CFG, 3, Recipe(images=38_400, batch=128))
    fitted, scored = world.sample(2000, "probe-train"), world.sample(2000, "test")
    images = np.concatenate([fitted.images, scored.images])
    truth = [latent_columns(world, sample.latents) for sample in (fitted, scored)]
    r2 = []
    for encoder in (model, initial_model(CFG, 3, 0)):
        pooled = represent(encoder, images, None, [2])[2][:, 1:].mean(1)
        predicted = Probe().fit(pooled[:2000], truth[0]).predict(pooled[2000:])
        r2.append(1 - np.square(predicted - truth[1]).mean(0) / truth[1].var(0))
    trained, untrained = r2
    for columns in (slice(0, 8), slice(8, 12), slice(12, 14)):  # 4, 2 and 1 nodes of 2 dimensions
        assert trained[columns].mean() > untrained[columns].mean() + 0.02
    # the loss is one minus the R2, averaged over levels
    levels = np.mean([trained[c].mean() for c in (slice(0, 8), slice(8, 12), slice(12, 14))])
    assert losses[-20:].mean() == pytest.approx(1 - levels, abs=0.05)


def test_levels_count_alike_whatever_their_nodes_and_symbols_that_never_come_do_not():
    world = worlds.make("grammar_tree", 0, leaves=8, symbols=5, productions=1)
    latents = world.sample(500, "train").latents
    columns = latent_columns(world, latents)
    assert columns.shape == (500, 7 * 5)
    np.testing.assert_array_equal(columns.reshape(500, 7, 5).argmax(-1)[:, -1], latents[3][:, 0, 0])
    varies = columns.std(0) > 0
    assert not varies.all()
    weight = level_weights(world, latents, varies)
    assert not weight[~varies].any()
    for part in (slice(0, 20), slice(20, 30), slice(30, 35)):
        assert weight[part].sum() == pytest.approx(1 / 3)
        assert np.ptp(weight[part][varies[part]]) < 1e-7
    model = Supervised(initial_model(CFG, 0, 0), torch.from_numpy(weight))
    standard = torch.from_numpy((columns - columns.mean(0)) / np.where(varies, columns.std(0), np.inf))
    loss = model.column_loss(_tokens(world, 500), standard)
    # a head of zeros predicts means, of which the R2 is 0
    assert loss.item() == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("train", [train_autoencoder, train_supervised])
def test_equal_runs_give_equal_bits_and_seeds_differ(world, train):
    recipe = Recipe(images=256, batch=64)
    (a, losses), (b, again), (_, other) = (train(world, CFG, seed, recipe) for seed in (0, 0, 1))
    np.testing.assert_array_equal(losses, again)
    assert not np.array_equal(losses, other)
    for name, value in a.state_dict().items():
        assert torch.equal(value, b.state_dict()[name]), name


def test_a_loss_that_is_not_finite_is_told(world, monkeypatch):
    sample = world.sample

    def broken(n, stream="test", index=()):
        drawn = sample(n, stream, index)
        drawn.images[:] = np.inf if index == (0, 2) else drawn.images
        return drawn

    monkeypatch.setattr(world, "sample", broken)
    with pytest.raises(
        TrainingError, match=r"autoencoder gaussian_tree w0 s0: the loss is nan at step 2 of 4"
    ):
        train_autoencoder(world, CFG, 0, Recipe(images=256, batch=64))


def test_columns_have_the_symbols_of_their_level():
    world = worlds.make("symbol_tree", 0, leaves=4, root=3)  # 6 symbols at level 1
    latents = world.sample(400, "train").latents
    columns = latent_columns(world, latents)
    assert columns.shape == (400, 2 * 6 + 3)
    for start, values, symbols in (
        (0, latents[1][:, 0], 6),
        (6, latents[1][:, 1], 6),
        (12, latents[2][:, 0], 3),
    ):
        np.testing.assert_array_equal(columns[:, start : start + symbols].argmax(1), values[:, 0])
    weights = level_weights(world, latents, np.ones(15, bool))
    assert weights[:12].sum() == pytest.approx(0.5) and weights[12:].sum() == pytest.approx(0.5)
