"""One training step of the trained controls on a CPU, gradients written out: several times autograd's speed.

Made of the parts of `maestrata.training.by_hand`, where it is said what makes them fast. Everything is in the
order of `trained_controls`, and a test compares loss and gradients with autograd's.

Shapes: b images, n tokens an image, d the width, v values a token; rows are [CLS] and tokens of all images.
"""

from __future__ import annotations

import torch
from torch import Tensor

from maestrata.model.mae import MAE
from maestrata.training.by_hand import Block, Linear, Norm, Tensors


class Encoder:
    """The encoder on whole images, to its last layer after the norm.

    Parameters
    ----------
    model : MAE
        Its parameters are read in place, so they must keep their memory.
    grads : mapping of str to Tensor
        Where the gradients are added, by parameter name.
    b : int
        Images in a batch.
    """

    def __init__(self, model: MAE, grads: Tensors, b: int) -> None:
        cfg = model.cfg
        self.weights = {name: parameter.detach() for name, parameter in model.named_parameters()}
        self.grads, self.positions = grads, model.positions
        self.embed = Linear(self.weights, grads, "embed")
        self.blocks = [
            Block(self.weights, grads, f"blocks.{i}", b, 1 + cfg.n_tokens, cfg.heads)
            for i in range(cfg.depth)
        ]
        self.norm = Norm(self.weights, grads, "norm")
        self.values = torch.zeros(b, 1 + cfg.n_tokens, cfg.token_values)  # row 0, of [CLS], stays zero
        self.x = torch.empty(b, 1 + cfg.n_tokens, cfg.width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Encode tokens (b, n, v): rows (b (1 + n), d)."""
        self.values[:, 1:].copy_(tokens)
        self.x.copy_(self.positions + self.embed.bias)
        self.x[:, 0].copy_(self.positions[0] + self.weights["cls_token"])
        x = self.x.flatten(0, 1).addmm_(self.values.flatten(0, 1), self.embed.weight.t())
        for block in self.blocks:
            x = block.forward(x)
        return self.norm.forward(x)

    def backward(self, gx: Tensor) -> None:
        """Add the gradients of all weights, from that of the rows."""
        gx = self.norm.backward(gx)
        for block in reversed(self.blocks):
            block.backward(gx)
        self.embed.backward(gx, self.values.flatten(0, 1), None)
        cls_grad = gx.view_as(self.x)[:, 0].sum(0)
        self.grads["cls_token"].add_(cls_grad)
        self.embed.bias_grad.sub_(cls_grad)  # [CLS] has no embedding, hence no bias


class AutoencoderStep:
    """Loss and gradients of `trained_controls.autoencoder_loss`; parameters as of `Encoder`."""

    def __init__(self, model: MAE, grads: Tensors, b: int) -> None:
        cfg, e = model.cfg, model.cfg.decoder_width
        self.model, self.encoder = model, Encoder(model, grads, b)
        weights = self.encoder.weights
        self.embed = Linear(weights, grads, "decoder_embed")
        self.blocks = [
            Block(weights, grads, f"decoder_blocks.{i}", b, 1 + cfg.n_tokens, cfg.decoder_heads)
            for i in range(cfg.decoder_depth)
        ]
        self.norm, self.head = Norm(weights, grads, "decoder_norm"), Linear(weights, grads, "head")
        self.y, self.g = (torch.empty(b, 1 + cfg.n_tokens, e) for _ in range(2))
        self.gx = torch.empty(b * (1 + cfg.n_tokens), cfg.width)
        self.prediction = torch.empty(b, 1 + cfg.n_tokens, cfg.token_values)
        self.every = torch.arange(cfg.n_tokens).expand(b, -1)

    @torch.no_grad()
    def __call__(self, tokens: Tensor) -> Tensor:
        """Return the loss, a scalar, of whole images (b, n, v), and add its gradients."""
        encoded = self.encoder.forward(tokens)
        self.y.copy_(self.model.decoder_positions + self.embed.bias)
        y = self.y.flatten(0, 1).addmm_(encoded, self.embed.weight.t())
        for block in self.blocks:
            y = block.forward(y)
        error = self.prediction
        self.head.forward(self.norm.forward(y), out=error.flatten(0, 1))
        error[:, 0].zero_()  # nothing is asked of [CLS]
        error[:, 1:].sub_(self.model.targets(tokens, self.every))
        loss = error.square().sum() / tokens.numel()

        g = self.g.flatten(0, 1)
        self.head.backward(error.mul_(2 / tokens.numel()).flatten(0, 1), self.norm.y, g)
        gy = self.norm.backward(g)
        for block in reversed(self.blocks):
            block.backward(gy)
        self.embed.backward(gy, encoded, self.gx)
        self.encoder.backward(self.gx)
        return loss


class SupervisedStep:
    """Loss and gradients of `trained_controls.supervised_loss`.

    Parameters
    ----------
    model : Supervised
    grads, b
        As of `Encoder`.
    weight : Tensor (c,)
        Of each column.
    """

    def __init__(self, model: MAE, grads: Tensors, b: int, weight: Tensor) -> None:
        cfg = model.cfg
        self.encoder, self.weight = Encoder(model, grads, b), weight
        self.readout = Linear(self.encoder.weights, grads, "readout")
        self.prediction = torch.empty(b, len(weight))
        self.pooled_grad = torch.empty(b, cfg.width)
        self.gx = torch.zeros(b, 1 + cfg.n_tokens, cfg.width)  # row 0, of [CLS], stays zero

    @torch.no_grad()
    def __call__(self, tokens: Tensor, columns: Tensor) -> Tensor:
        """Return the loss, a scalar, of whole images (b, n, v) and columns (b, c), and add its gradients."""
        b, n = tokens.shape[:2]
        pooled = self.encoder.forward(tokens).view_as(self.gx)[:, 1:].mean(1)
        error = self.readout.forward(pooled, out=self.prediction).sub_(columns)
        weighted = error * self.weight
        loss = (weighted * error).sum() / b

        self.readout.backward(weighted.mul_(2 / b), pooled, self.pooled_grad)
        self.gx[:, 1:].copy_(self.pooled_grad.div_(n)[:, None])
        self.encoder.backward(self.gx.flatten(0, 1))
        return loss
