"""Our MAE and transformers' ViTMAE are the same function."""

import dataclasses
import sys

import numpy as np
import pytest
import torch

from maestrata.errors import ConfigError
from maestrata.geometry import patchify
from maestrata.model.mae import MAE, MAEConfig
from maestrata.model.vitmae import from_vitmae, to_vitmae, weights_from_vitmae

transformers = pytest.importorskip("transformers", reason="the peer is a development dependency")

SIZES = {
    "default": (MAEConfig(), 8),
    "64 tokens": (MAEConfig(8, 8, width=32, heads=1, depth=2, decoder_depth=2, decoder_width=16), 16),
    "wide, few visible": (MAEConfig(4, 4, 48, 128, 1, 4, 96, 1, 3, mlp_ratio=2), 2),
}


def peer(cfg: MAEConfig, visible: int):
    """A randomly initialised ViTMAEForPreTraining of our sizes that keeps `visible` tokens."""
    side = round((cfg.token_values / 3) ** 0.5)
    config = transformers.ViTMAEConfig(
        hidden_size=cfg.width,
        num_hidden_layers=cfg.depth,
        num_attention_heads=cfg.heads,
        intermediate_size=cfg.mlp_ratio * cfg.width,
        image_size=cfg.grid_height * side,
        patch_size=side,
        num_channels=3,
        decoder_hidden_size=cfg.decoder_width,
        decoder_num_hidden_layers=cfg.decoder_depth,
        decoder_num_attention_heads=cfg.decoder_heads,
        decoder_intermediate_size=cfg.mlp_ratio * cfg.decoder_width,
        mask_ratio=1 - (visible + 0.5) / cfg.n_tokens,  # it keeps floor(n (1 - ratio)) tokens
        norm_pix_loss=cfg.norm_pixels,
    )
    torch.manual_seed(1)
    model = transformers.ViTMAEForPreTraining(config)
    # transformers 5 leaves positions, [CLS] and mask token of a new model at zero (its projection is
    # marked as initialised before its own initialiser asks); run that initialiser, as He et al. train
    # with all of these.
    for module in model.modules():
        module._is_hf_initialized = False
    for parameter in model.parameters():
        parameter._is_hf_initialized = False
    model.vit.embeddings.initialize_weights()
    model.decoder.initialize_weights(cfg.n_tokens)
    for parameter in model.parameters():  # biases and norms too, so that no term is compared at zero
        if parameter.requires_grad:
            parameter.data += 0.1 * torch.randn(parameter.shape)
    return model, side


@pytest.mark.parametrize("norm_pixels", [False, True])
@pytest.mark.parametrize("size", SIZES)
def test_same_reconstruction_and_loss(size, norm_pixels):
    cfg, visible = SIZES[size]
    cfg = dataclasses.replace(cfg, norm_pixels=norm_pixels)
    model, side = peer(cfg, visible)
    ours = MAE(cfg)
    ours.load_state_dict(weights_from_vitmae(model.state_dict(), cfg))
    rng = np.random.default_rng(0)
    images = torch.from_numpy(
        rng.normal(size=(5, 3, cfg.grid_height * side, cfg.grid_width * side)).astype(np.float32)
    )
    noise = torch.from_numpy(rng.random((5, cfg.n_tokens)).astype(np.float32))
    with torch.no_grad():
        theirs = model(images, noise=noise)
    order = noise.argsort(1)
    visible_ids, masked_ids = order[:, :visible].sort(1).values, order[:, visible:].sort(1).values
    assert torch.equal(theirs.mask.bool().sum(1), torch.full((5,), cfg.n_tokens - visible))

    tokens = patchify(images, side)
    with torch.no_grad():
        prediction = ours(tokens, visible_ids, masked_ids)
        loss = ours.loss(tokens, visible_ids, masked_ids)
    # theirs: (y, x, channel) within a token, all tokens
    logits = theirs.logits.view(5, cfg.n_tokens, side, side, 3).permute(0, 1, 4, 2, 3).flatten(2)
    expected = logits.gather(1, masked_ids[..., None].expand(-1, -1, cfg.token_values))
    assert expected.std() > 0.1
    torch.testing.assert_close(prediction, expected, rtol=0, atol=1e-5)
    torch.testing.assert_close(loss, theirs.loss, rtol=0, atol=1e-5)


def test_positions_are_theirs():
    cfg = MAEConfig(width=64, decoder_width=32, decoder_heads=1)
    model, _ = peer(cfg, 8)
    ours = MAE(cfg)
    torch.testing.assert_close(ours.positions, model.vit.embeddings.position_embeddings[0], rtol=0, atol=1e-7)
    torch.testing.assert_close(ours.decoder_positions, model.decoder.decoder_pos_embed[0], rtol=0, atol=1e-7)
    assert ours.decoder_positions[1:].abs().sum() > 0


def test_too_few_blocks_named():
    cfg = MAEConfig(depth=1)
    model, _ = peer(cfg, 8)
    with pytest.raises(ConfigError, match=r"vit\.layers\.1.*depth=2"):
        weights_from_vitmae(model.state_dict(), dataclasses.replace(cfg, depth=2))


@pytest.mark.parametrize("norm_pixels", [False, True])
@pytest.mark.parametrize("size", SIZES)
def test_there_and_back(size, norm_pixels):
    cfg, visible = SIZES[size]
    theirs, _ = peer(dataclasses.replace(cfg, norm_pixels=norm_pixels), visible)
    ours = from_vitmae(theirs)
    assert ours.cfg == dataclasses.replace(cfg, norm_pixels=norm_pixels)
    again = to_vitmae(ours)
    back = from_vitmae(again)
    for (name, one), (_, other) in zip(ours.named_parameters(), back.named_parameters(), strict=True):
        assert torch.equal(one, other), name
    state = again.state_dict()
    for name, value in theirs.state_dict().items():
        torch.testing.assert_close(state[name], value, rtol=0, atol=1e-6)
    assert again.config.norm_pix_loss is norm_pixels


def test_ours_is_theirs_to_1e_5():
    cfg, side = MAEConfig(width=32, depth=2, decoder_width=16), 2
    ours = MAE(cfg).initialise(torch.Generator().manual_seed(3))
    theirs = to_vitmae(ours)
    images, tokens, order, noise = _drawn(cfg, side)
    visible = cfg.n_tokens // 4  # transformers' default ratio, .75
    visible_ids, masked_ids = order[:, :visible].sort(1).values, order[:, visible:].sort(1).values
    with torch.no_grad():
        out = theirs(images, noise=noise, output_hidden_states=True)
        torch.testing.assert_close(out.loss, ours.loss(tokens, visible_ids, masked_ids), rtol=0, atol=1e-5)
        latent = theirs.vit(images, noise=torch.arange(cfg.n_tokens).float().expand(5, -1)).last_hidden_state
        ids = torch.arange(visible).expand(5, -1)
        torch.testing.assert_close(latent, ours.encode(tokens, ids), rtol=0, atol=1e-5)
    assert latent.std() > 0.1


def test_images_that_are_not_square():
    cfg, side = MAEConfig(4, 2, 12, width=32, depth=2, decoder_width=16), 2
    ours = MAE(cfg).initialise(torch.Generator().manual_seed(3))
    theirs = to_vitmae(ours)
    images, tokens, order, noise = _drawn(cfg, side)
    with torch.no_grad():
        seen = theirs.vit(images, noise=noise)
        logits = theirs.decoder(seen.last_hidden_state, seen.ids_restore).logits
        ids, masked = order[:, :2], order[:, 2:].sort(1).values
        torch.testing.assert_close(seen.last_hidden_state, ours.encode(tokens, ids), rtol=0, atol=1e-5)
        prediction = ours(tokens, ids, masked)
    expected = logits.view(5, 8, side, side, 3).permute(0, 1, 4, 2, 3).flatten(2)
    expected = expected.gather(1, masked[..., None].expand(-1, -1, cfg.token_values))
    torch.testing.assert_close(prediction, expected, rtol=0, atol=1e-5)
    assert from_vitmae(theirs).cfg == cfg


def _drawn(cfg, side):
    """Five images, their tokens, the order of transformers' masks and the noise that makes it."""
    rng = np.random.default_rng(0)
    shape = (5, 3, cfg.grid_height * side, cfg.grid_width * side)
    images = torch.from_numpy(rng.normal(size=shape).astype(np.float32))
    noise = torch.from_numpy(rng.random((5, cfg.n_tokens)).astype(np.float32))
    return images, patchify(images, side), noise.argsort(1), noise


def test_names_of_older_files():
    cfg, visible = SIZES["wide, few visible"]
    state = peer(cfg, visible)[0].state_dict()

    def older(name):
        name = name.replace("vit.layers.", "vit.encoder.layer.").replace("mlp.fc1", "intermediate.dense")
        name = name.replace("mlp.fc2", "output.dense").replace("attention.o_proj", "attention.output.dense")
        for short in ("query", "key", "value"):
            name = name.replace(f"attention.{short[0]}_proj", f"attention.attention.{short}")
        return name

    old = {older(name): value for name, value in state.items()}
    assert old.keys() != state.keys()
    for name, value in weights_from_vitmae(old, cfg).items():
        assert torch.equal(value, weights_from_vitmae(state, cfg)[name]), name


@pytest.mark.parametrize(
    ("key", "value"), [("hidden_act", "relu"), ("layer_norm_eps", 1e-6), ("decoder_intermediate_size", 100)]
)
def test_another_function_is_refused(key, value):
    model, _ = peer(MAEConfig(), 8)
    setattr(model.config, key, value)
    with pytest.raises(ConfigError, match=f"{key}={value!r}"):
        from_vitmae(model)


def test_positions_of_a_new_model_are_refused():
    model, _ = peer(MAEConfig(), 8)
    model.vit.embeddings.position_embeddings.data.zero_()
    with pytest.raises(ConfigError, match=r"position_embeddings is up to 1 off"):
        from_vitmae(model)


def test_no_pretraining_model_is_refused():
    model, _ = peer(MAEConfig(), 8)
    with pytest.raises(ConfigError, match=r"ViTMAEModel must be a ViTMAEForPreTraining"):
        from_vitmae(model.vit)


@pytest.mark.parametrize("channels", [2, 0, -1, 100])
def test_channels_that_do_not_fit(channels):
    with pytest.raises(ConfigError, match=rf"channels={channels}: the 12 values"):
        to_vitmae(MAE(MAEConfig()), channels=channels)


def test_without_transformers(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ConfigError, match=r"to_vitmae needs transformers, which is not installed"):
        to_vitmae(MAE(MAEConfig()))
