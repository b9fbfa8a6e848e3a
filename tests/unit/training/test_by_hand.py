"""The step written out has the loss and gradients of the model that it speeds up."""

import pytest
import torch

from maestrata.model.mae import MAE, MAEConfig
from maestrata.training.by_hand import StepByHand
from maestrata.training.products import fast_float32, onednn_keeps_float32

CASES = {
    "default, r=.5": (MAEConfig(), 8),
    "one masked": (MAEConfig(), 15),
    "one visible, normalised": (MAEConfig(norm_pixels=True), 1),
    "64 tokens, unequal widths": (MAEConfig(8, 8, 12, 32, 2, 4, 48, 1, 3, mlp_ratio=2), 20),
    "one head, one block, 4x2": (MAEConfig(4, 2, 12, 16, 1, 1, 16, 1, 1), 3),
}


def batch(cfg, visible, n=6, seed=0):
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randn(n, cfg.n_tokens, cfg.token_values, generator=generator)
    order = torch.rand(n, cfg.n_tokens, generator=generator).argsort(1)
    return tokens, order[:, :visible].sort(1).values, order[:, visible:].sort(1).values


def model_away_from_init(cfg):
    """Biases and norms away from zero and one, or their part in a gradient would not show."""
    model, generator = MAE(cfg), torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.1 * torch.randn(parameter.shape, generator=generator)
    return model


@pytest.mark.parametrize("case", CASES)
def test_loss_and_gradients_are_autograds(case):
    cfg, visible = CASES[case]
    model = model_away_from_init(cfg)
    grads = {name: torch.zeros_like(p) for name, p in model.named_parameters()}
    step = StepByHand(model, grads, 6, visible)
    for seed in (0, 1):  # twice: nothing of the first batch may stay in the buffers
        arguments = batch(cfg, visible, seed=seed)
        model.zero_grad()
        expected = model.loss(*arguments)
        expected.backward()
        for grad in grads.values():
            grad.zero_()
        with fast_float32():
            loss = step(*arguments)
        torch.testing.assert_close(loss, expected.detach(), rtol=1e-5, atol=0)
        for name, parameter in model.named_parameters():
            tolerance = 2e-5 * float(parameter.grad.abs().max().clamp(min=1e-3))
            torch.testing.assert_close(
                grads[name], parameter.grad, rtol=0, atol=tolerance, msg=lambda m, n=name: f"{n}: {m}"
            )


def test_gradients_add_up():
    """Gradients are added to what the buffers hold, as autograd does."""
    cfg, visible = CASES["default, r=.5"]
    model = model_away_from_init(cfg)
    grads = {name: torch.zeros_like(p) for name, p in model.named_parameters()}
    step, arguments = StepByHand(model, grads, 6, visible), batch(cfg, visible)
    step(*arguments)
    once = {name: grad.clone() for name, grad in grads.items()}
    step(*arguments)
    for name, grad in grads.items():
        torch.testing.assert_close(grad, 2 * once[name], rtol=1e-4, atol=1e-6)


def test_deeper_decoders_are_left_to_autograd():
    assert StepByHand.supports(MAE(MAEConfig()))
    assert not StepByHand.supports(MAE(MAEConfig(decoder_depth=2)))


def test_products_stay_float32_and_the_switch_is_put_back():
    before = torch.get_float32_matmul_precision()
    generator = torch.Generator().manual_seed(2)
    a, b = torch.rand(200, 64, generator=generator), torch.rand(64, 100, generator=generator)
    with fast_float32() as onednn:
        assert onednn == onednn_keeps_float32()
        product = a @ b
    assert torch.get_float32_matmul_precision() == before
    exact = a.double() @ b.double()
    assert ((product - exact).abs() / exact).max() < 1e-5
