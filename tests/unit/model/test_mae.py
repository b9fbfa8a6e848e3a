"""What makes our arrangement of the masked autoencoder the same function, and what it refuses."""

import re
from dataclasses import replace

import pytest
import torch
from torch.func import functional_call, stack_module_state, vmap

from maestrata.errors import ConfigError
from maestrata.model.mae import MAE, MAEConfig

CFG = MAEConfig(4, 4, 12, width=16, depth=2, heads=2, decoder_width=12, decoder_depth=2, decoder_heads=1)


def batch(cfg=CFG, visible=5, n=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randn(n, cfg.n_tokens, cfg.token_values, generator=generator)
    order = torch.rand(n, cfg.n_tokens, generator=generator).argsort(1)
    return tokens, order[:, :visible].sort(1).values, order[:, visible:].sort(1).values


def test_last_tokens_alone_are_what_the_whole_block_gives():
    model = MAE(CFG)
    x = torch.randn(3, 9, 12, generator=torch.Generator().manual_seed(0))
    block = model.decoder_blocks[1]
    torch.testing.assert_close(block(x, last=4), block(x)[:, -4:], rtol=0, atol=1e-6)


def test_decoder_equals_one_in_raster_order():
    """Put back in raster order, all blocks on all tokens, as published code does."""
    model = MAE(CFG)
    tokens, visible, masked = batch()
    z = model.decoder_embed(model.encode(tokens, visible))
    full = model.mask_token.expand(3, 16, -1).clone()
    full = full.scatter(1, visible[..., None].expand(-1, -1, 12), z[:, 1:])
    y = torch.cat([z[:, :1], full], 1) + model.decoder_positions
    for block in model.decoder_blocks:
        y = block(y)
    expected = model.head(model.decoder_norm(y))[:, 1:].gather(1, masked[..., None].expand(-1, -1, 12))
    torch.testing.assert_close(model(tokens, visible, masked), expected, rtol=0, atol=1e-5)


def test_encoder_sees_only_visible_tokens():
    model = MAE(CFG)
    tokens, visible, masked = batch()
    before = model.encode(tokens, visible)
    changed = tokens.scatter(1, masked[..., None].expand(-1, -1, 12), 1e3)
    assert torch.equal(model.encode(changed, visible), before)
    assert not torch.equal(model.encode(changed), model.encode(tokens))


def test_all_visible_ids_are_the_whole_image():
    model = MAE(CFG)
    tokens, *_ = batch()
    every = torch.arange(16).expand(3, -1)
    torch.testing.assert_close(model.encode(tokens, every), model.encode(tokens))


def test_layers():
    model = MAE(CFG)
    tokens, visible, _ = batch()
    layers = model.encode(tokens, visible, layers=True)
    assert [tuple(x.shape) for x in layers] == [(3, 6, 16)] * 3
    assert torch.equal(layers[-1], model.encode(tokens, visible))
    torch.testing.assert_close(layers[1], model.blocks[0](layers[0]))
    torch.testing.assert_close(layers[2], model.norm(model.blocks[1](layers[1])))


def test_normalised_targets():
    cfg = MAEConfig(norm_pixels=True)
    tokens, _, masked = batch(cfg)
    target = MAE(cfg).targets(5 + 3 * tokens, masked)
    torch.testing.assert_close(target.mean(-1), torch.zeros(3, 11), rtol=0, atol=1e-5)
    torch.testing.assert_close(target.std(-1), torch.ones(3, 11), rtol=1e-4, atol=0)


@pytest.mark.parametrize("norm_pixels", [False, True])
def test_weighted_loss_is_the_mean_over_the_tokens_that_count(norm_pixels):
    model = MAE(replace(CFG, norm_pixels=norm_pixels))
    tokens, visible, masked = batch(n=32)
    counts = torch.rand(32, 11, generator=torch.Generator().manual_seed(1)) < 0.4
    error = model(tokens, visible, masked) - model.targets(tokens, masked)
    expected = error[counts].square().mean()
    wanted = torch.autograd.grad(expected, model.head.weight, retain_graph=True)[0]
    for weights in (counts, 3.0 * counts):
        loss = model.loss(tokens, visible, masked, weights)
        torch.testing.assert_close(loss, expected, rtol=1e-5, atol=0)
        torch.testing.assert_close(
            torch.autograd.grad(loss, model.head.weight)[0], wanted, rtol=1e-4, atol=1e-6
        )
    everything = torch.ones(32, 11)
    torch.testing.assert_close(
        model.loss(tokens, visible, masked, everything), model.loss(tokens, visible, masked)
    )


def test_initial_weights_are_those_of_the_generator():
    def draw(seed):
        return MAE(CFG).initialise(torch.Generator().manual_seed(seed)).state_dict()

    a, b, c = draw(4), draw(4), draw(5)
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert not torch.equal(a["embed.weight"], c["embed.weight"])
    bound = (6 / (16 + 48)) ** 0.5  # Xavier-uniform on the fused query, key and value
    assert 0.9 * bound < a["blocks.0.qkv.weight"].abs().max() <= bound
    assert not a["blocks.0.qkv.bias"].any()
    assert (a["norm.weight"] == 1).all()
    assert 0.005 < a["mask_token"].std() < 0.05


def test_new_models_leave_the_global_generator_alone():
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    MAE(CFG).initialise(torch.Generator().manual_seed(9))
    assert torch.equal(torch.rand(3), expected)


def test_members_of_a_stack():
    """The model has no control flow on data and draws nothing, so a stack of models is a vmap of one."""
    members = [MAE(CFG).initialise(torch.Generator().manual_seed(i)) for i in range(3)]
    batches = [batch(seed=i) for i in range(3)]
    weights, buffers = stack_module_state(members)

    def loss(w, b, *arguments):
        return functional_call(_Loss(members[0]), ({f"model.{n}": t for n, t in w.items()}, {}), arguments)

    with pytest.warns(UserWarning, match="performance drop"):  # no batching rule for CPU attention
        losses = vmap(loss)(weights, buffers, *(torch.stack(t) for t in zip(*batches, strict=True)))
    expected = torch.stack([m.loss(*b) for m, b in zip(members, batches, strict=True)])
    torch.testing.assert_close(losses, expected, rtol=1e-5, atol=0)


class _Loss(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, *arguments):
        return self.model.loss(*arguments)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"depth": 0}, "depth=0 must lie in [1, 64]"),
        ({"width": 66}, "width=66 must be a multiple of 4"),
        ({"heads": 3}, "width=64 must be a multiple of 4 and of heads=3"),
        ({"decoder_heads": 5}, "decoder_width=64 must be a multiple of 4 and of decoder_heads=5"),
    ],
)
def test_impossible_sizes(settings, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        MAEConfig(**settings)
