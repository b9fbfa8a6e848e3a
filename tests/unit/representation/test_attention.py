"""Attention of any block: that which the block applies, computed here by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import maestrata
from maestrata.errors import ProbeError
from maestrata.model.mae import MAE, MAEConfig
from maestrata.representation.attention import attention_weights
from maestrata.representation.encode import represent
from maestrata.representation.pretrained import Pretrained

CFG = MAEConfig(4, 2, 12, width=16, depth=3, heads=4, decoder_width=16)


@pytest.fixture(scope="module")
def model():
    """A model whose weights are all random: norms and biases too, and attention that is far from even."""
    mae = MAE(CFG).initialise(torch.Generator().manual_seed(1))
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in mae.parameters():
            parameter.add_(0.5 * torch.randn(parameter.shape, generator=generator))
    return mae


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).standard_normal((5, 3, 8, 4), dtype=np.float32)


def by_hand(block, x):
    """Softmax of q k / sqrt(d / heads) of the tokens (t, d) of one image, number by number, in float64."""
    numbers = {name: p.detach().numpy().astype(np.float64) for name, p in block.named_parameters()}
    x = x.astype(np.float64)
    x = (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 1e-12)
    x = x * numbers["norm1.weight"] + numbers["norm1.bias"]
    width = x.shape[1]
    query, key = (
        x @ numbers["qkv.weight"][i * width : (i + 1) * width].T
        + numbers["qkv.bias"][i * width : (i + 1) * width]
        for i in (0, 1)
    )
    each = width // block.heads
    weights = np.empty((block.heads, len(x), len(x)))
    for head in range(block.heads):
        part = slice(head * each, (head + 1) * each)
        for i in range(len(x)):
            scores = np.array([query[i, part] @ key[j, part] / np.sqrt(each) for j in range(len(x))])
            weights[head, i] = np.exp(scores - scores.max()) / np.exp(scores - scores.max()).sum()
    return weights


@pytest.mark.parametrize("layer", [1, 2, 3])
@pytest.mark.parametrize("visible", [None, [[0, 3, 6]] * 5])
def test_every_block_and_head_by_hand(model, images, layer, visible):
    ids = None if visible is None else np.array(visible)
    weights = attention_weights(model, images, layer, ids, batch=2)
    assert weights.shape == (5, 4, 9, 9) if ids is None else (5, 4, 4, 4)
    before = represent(model, images, ids)[layer - 1]
    for i in range(5):
        np.testing.assert_allclose(weights[i], by_hand(model.blocks[layer - 1], before[i]), atol=2e-6)


@torch.no_grad()
@pytest.mark.parametrize("layer", [1, 2, 3])
def test_the_block_applies_these_weights(model, images, layer):
    layers = represent(model, images)
    block, x = model.blocks[layer - 1], torch.from_numpy(layers[layer - 1])
    values = block.split_heads(block.qkv(block.norm1(x)).chunk(3, -1)[2])
    mixed = torch.from_numpy(attention_weights(model, images, layer)) @ values
    x = x + block.proj(mixed.transpose(1, 2).flatten(2))
    x = x + block.fc2(torch.nn.functional.gelu(block.fc1(block.norm2(x))))
    np.testing.assert_allclose(model.norm(x) if layer == 3 else x, layers[layer], atol=1e-4)


def test_a_model_from_a_file_gives_it(model, images, tmp_path):
    Pretrained(model).save(tmp_path / "w.safetensors")
    loaded = maestrata.load_model(tmp_path / "w.safetensors")
    last = loaded.attention(np.moveaxis(images, 1, -1))
    np.testing.assert_array_equal(last, attention_weights(model, images, 3))
    np.testing.assert_array_equal(loaded.attention(images, layer=2), attention_weights(model, images, 2))
    shown = np.tile([1, 2], (5, 1))
    assert loaded.attention(images, visible_ids=shown).shape == (5, 4, 3, 3)


@pytest.mark.parametrize("layer", [0, -1, 4])
def test_a_block_that_is_not_there_is_refused(model, images, layer):
    with pytest.raises(ProbeError, match=rf"layer={layer} must lie in 1\.\.3"):
        Pretrained(model).attention(images, layer=layer)
