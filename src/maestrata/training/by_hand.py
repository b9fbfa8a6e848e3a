"""One training step of the MAE on a CPU, gradients written out: `MAE.loss(...).backward()`, faster.

With models this small, half of an ordinary step is not matrix products but what surrounds them. Here

* every buffer is made once, every result is written into its place (gradients into the flat buffer that the
optimiser reads); * residual additions ride on the matrix products; * attention over a few tokens is matrix
products and one softmax over the axis that vectorises; * a masked token enters the decoder as mask token plus
position, the same for all images: its norm, query, key and value
  are computed once per position and looked up;
* in the last decoder block only masked tokens have a query, and only they pass the output projection and the
MLP.

Everything else is in the order of `model/mae.py`; a test compares loss and gradients with autograd's.

Shapes: b images, n tokens an image, k visible and m masked ones, d the width, v values a token; rows are
tokens of all images.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from maestrata.model.mae import LAYER_NORM_EPS, MAE

aten = torch.ops.aten

Tensors = Mapping[str, Tensor]

LANES = 16
"""Float32 lanes of a 512-bit register: PyTorch's softmax over fewer values does not use it."""


class Norm:
    """LayerNorm of rows (r, d)."""

    def __init__(self, weights: Tensors, grads: Tensors, name: str) -> None:
        self.weight, self.bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
        self.weight_grad, self.bias_grad = grads[f"{name}.weight"], grads[f"{name}.bias"]
        self.shape = tuple(self.weight.shape)

    def forward(self, x: Tensor) -> Tensor:
        """Return the normalised rows; keeps `x`, which must not change before `backward`."""
        self.x = x
        self.y, self.mean, self.rstd = aten.native_layer_norm(
            x, self.shape, self.weight, self.bias, LAYER_NORM_EPS
        )
        return self.y

    def backward(self, gy: Tensor) -> Tensor:
        """Return the gradient of `x` from that of the result, and add those of weight and bias."""
        gx, weight_grad, bias_grad = aten.native_layer_norm_backward(
            gy, self.x, self.shape, self.mean, self.rstd, self.weight, self.bias, [True, True, True]
        )
        self.weight_grad.add_(weight_grad)
        self.bias_grad.add_(bias_grad)
        return gx


class Linear:
    """x W^T + bias on rows."""

    def __init__(self, weights: Tensors, grads: Tensors, name: str, part: slice = slice(None)) -> None:
        self.weight, self.bias = weights[f"{name}.weight"][part], weights[f"{name}.bias"][part]
        self.weight_grad, self.bias_grad = grads[f"{name}.weight"][part], grads[f"{name}.bias"][part]

    def forward(self, x: Tensor, out: Tensor) -> Tensor:
        """Write x W^T + bias into `out`."""
        return torch.addmm(self.bias, x, self.weight.t(), out=out)

    def add_to(self, residual: Tensor, x: Tensor, out: Tensor) -> Tensor:
        """Write residual + x W^T + bias into `out`."""
        return torch.add(residual, self.bias, out=out).addmm_(x, self.weight.t())

    def backward(self, gy: Tensor, x: Tensor, gx: Tensor | None) -> None:
        """Add the gradients of W and bias, and write that of `x` where it is wanted."""
        self.bias_grad.add_(gy.sum(0))
        self.weight_grad.addmm_(gy.t(), x)
        if gx is not None:
            torch.mm(gy, self.weight, out=gx)


class Attention:
    """Softmax attention of s queries on t keys and values in h heads of c values, as batched matrix products.

    The products want each head's matrices in one piece, so queries, keys and values are copied there, and the
    results back.
    """

    def __init__(self, batch: int, queries: int, keys: int, heads: int, width: int) -> None:
        c = width // heads
        self.scale = c**-0.5
        # Below LANES keys PyTorch's softmax is scalar; keys that do not exist fill them up, with scores of
        # minus infinity.
        self.keys, self.padding = keys, max(LANES - keys, 0)
        wide = keys + self.padding
        self.q, self.gq, self.o = (torch.empty(batch, heads, queries, c) for _ in range(3))
        self.k, self.v, self.gk, self.gv = (torch.zeros(batch, heads, wide, c) for _ in range(4))
        self.p, self.gp = (torch.empty(batch * heads, queries, wide) for _ in range(2))
        self.rows = torch.empty(batch, queries, heads, c)

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Return softmax(q k^T / sqrt(c)) v, (b, s, h, c), from q (b, s, h, c) and k, v (b, t, h, c)."""
        torch.mul(q.transpose(1, 2), self.scale, out=self.q)
        self.k[:, :, : self.keys].copy_(k.transpose(1, 2))
        self.v[:, :, : self.keys].copy_(v.transpose(1, 2))
        q, k, v, o = (t.flatten(0, 1) for t in (self.q, self.k, self.v, self.o))
        torch.bmm(q, k.mT, out=self.p)
        if self.padding:
            self.p[..., self.keys :].fill_(-torch.inf)
        aten._softmax.out(self.p, -1, False, out=self.p)
        torch.bmm(self.p, v, out=o)
        return self.rows.copy_(self.o.transpose(1, 2))

    def backward(self, go: Tensor, gq: Tensor, gk: Tensor, gv: Tensor) -> None:
        """Write the gradients of q, k and v from that of the result."""
        q, k, v = (t.flatten(0, 1) for t in (self.q, self.k, self.v))
        g = self.o.copy_(go.transpose(1, 2)).flatten(0, 1)
        torch.bmm(self.p.mT, g, out=self.gv.flatten(0, 1))
        torch.bmm(g, v.mT, out=self.gp)
        aten._softmax_backward_data.out(self.gp, self.p, -1, torch.float32, grad_input=self.gp)
        torch.bmm(self.gp, k, out=self.gq.flatten(0, 1))
        torch.bmm(self.gp.mT, q, out=self.gk.flatten(0, 1))
        torch.mul(self.gq.transpose(1, 2), self.scale, out=gq)
        gk.copy_(self.gk[:, :, : self.keys].transpose(1, 2))
        gv.copy_(self.gv[:, :, : self.keys].transpose(1, 2))


class MLP:
    """x + fc2(gelu(fc1(norm2(x)))) on rows."""

    def __init__(self, weights: Tensors, grads: Tensors, name: str, rows: int) -> None:
        hidden, width = weights[f"{name}.fc1.weight"].shape
        self.norm = Norm(weights, grads, f"{name}.norm2")
        self.fc1 = Linear(weights, grads, f"{name}.fc1")
        self.fc2 = Linear(weights, grads, f"{name}.fc2")
        self.u, self.a, self.gu = (torch.empty(rows, hidden) for _ in range(3))
        self.y, self.gh = torch.empty(rows, width), torch.empty(rows, width)

    def forward(self, x: Tensor) -> Tensor:
        """Return the rows after the MLP."""
        self.fc1.forward(self.norm.forward(x), out=self.u)
        aten.gelu.out(self.u, out=self.a)
        return self.fc2.add_to(x, self.a, out=self.y)

    def backward(self, gx: Tensor) -> None:
        """Turn the gradient of the result into that of `x`, in place."""
        self.fc2.backward(gx, self.a, self.gu)
        aten.gelu_backward.grad_input(self.gu, self.u, grad_input=self.gu)
        self.fc1.backward(self.gu, self.norm.y, self.gh)
        gx.add_(self.norm.backward(self.gh))


class Block:
    """Encoder block on rows of b images of t tokens."""

    def __init__(
        self, weights: Tensors, grads: Tensors, name: str, batch: int, tokens: int, heads: int
    ) -> None:
        rows, width = batch * tokens, weights[f"{name}.proj.weight"].shape[0]
        self.norm = Norm(weights, grads, f"{name}.norm1")
        self.qkv, self.proj = Linear(weights, grads, f"{name}.qkv"), Linear(weights, grads, f"{name}.proj")
        self.attention = Attention(batch, tokens, tokens, heads, width)
        self.mlp = MLP(weights, grads, name, rows)
        self.s, self.gs = torch.empty(rows, 3 * width), torch.empty(rows, 3 * width)
        self.y, self.g = torch.empty(rows, width), torch.empty(rows, width)
        by_head = (batch, tokens, 3, heads, width // heads)
        self.parts, self.grad_parts = self.s.view(by_head).unbind(2), self.gs.view(by_head).unbind(2)

    def forward(self, x: Tensor) -> Tensor:
        """Return the rows after the block."""
        self.qkv.forward(self.norm.forward(x), out=self.s)
        attended = self.attention.forward(*self.parts).view_as(self.y)
        return self.mlp.forward(self.proj.add_to(x, attended, out=self.y))

    def backward(self, gx: Tensor) -> None:
        """Turn the gradient of the result into that of `x`, in place."""
        self.mlp.backward(gx)
        self.proj.backward(gx, self.attention.rows.view_as(self.y), self.g)
        self.attention.backward(self.g.view_as(self.attention.rows), *self.grad_parts)
        self.qkv.backward(self.gs, self.norm.y, self.g)
        gx.add_(self.norm.backward(self.g))


class Decoder:
    """Decoder of one block and head: from the encoded visible rows and the masks to predictions, and back."""

    def __init__(self, model: MAE, weights: Tensors, grads: Tensors, batch: int, k: int) -> None:
        n, e, heads = model.cfg.n_tokens, model.cfg.decoder_width, model.cfg.decoder_heads
        m, name = n - k, "decoder_blocks.0"
        self.k, self.n = k, n
        self.positions = model.decoder_positions
        self.weights, self.grads = weights, grads
        self.embed = Linear(weights, grads, "decoder_embed")
        self.norm = Norm(weights, grads, f"{name}.norm1")
        self.table_norm = Norm(weights, grads, f"{name}.norm1")  # the masked tokens': one row per position
        self.table_qkv = Linear(weights, grads, f"{name}.qkv")
        self.kv = Linear(weights, grads, f"{name}.qkv", slice(e, None))
        self.proj = Linear(weights, grads, f"{name}.proj")
        self.attention = Attention(batch, m, 1 + n, heads, e)
        self.mlp = MLP(weights, grads, name, batch * m)
        self.head_norm = Norm(weights, grads, "decoder_norm")
        self.head = Linear(weights, grads, "head")
        self.x, self.gx = torch.empty(batch * (1 + k), e), torch.empty(batch * (1 + k), e)
        self.visible_kv = torch.empty(batch * (1 + k), 2 * e)
        self.masked_qkv, self.masked_grad = torch.empty(batch, m, 3 * e), torch.empty(batch, m, 3 * e)
        self.all_kv, self.all_grad = torch.empty(batch, 1 + n, 2 * e), torch.empty(batch, 1 + n, 2 * e)
        self.y, self.g = torch.empty(batch * m, e), torch.empty(batch * m, e)
        self.table_s, self.table_gs = torch.empty(n, 3 * e), torch.empty(n, 3 * e)
        self.table_g = torch.empty(n, e)
        self.prediction = torch.empty(batch * m, model.cfg.token_values)
        split = (heads, e // heads)
        self.q, self.gq = (t[..., :e].unflatten(-1, split) for t in (self.masked_qkv, self.masked_grad))
        self.k_, self.v, self.gk, self.gv = (
            t[..., i : i + e].unflatten(-1, split) for t in (self.all_kv, self.all_grad) for i in (0, e)
        )

    def forward(self, encoded: Tensor, visible: Tensor, masked: Tensor) -> Tensor:
        """Return predictions (b m, v); `visible` (b (1 + k),) holds ids + 1, 0 for [CLS]; `masked` ids."""
        self.encoded, self.masked = encoded, masked
        torch.index_select(self.positions + self.embed.bias, 0, visible, out=self.x).addmm_(
            encoded, self.embed.weight.t()
        )
        self.kv.forward(self.norm.forward(self.x), out=self.visible_kv)
        self.table = self.weights["mask_token"] + self.positions[1:]  # (n, e)
        self.table_qkv.forward(self.table_norm.forward(self.table), out=self.table_s)
        torch.index_select(self.table_s, 0, masked, out=self.masked_qkv.view(len(masked), -1))
        k, e = self.k, self.table.shape[1]
        self.all_kv[:, : 1 + k].copy_(self.visible_kv.view(-1, 1 + k, 2 * e))
        self.all_kv[:, 1 + k :].copy_(self.masked_qkv[..., e:])
        attended = self.attention.forward(self.q, self.k_, self.v).view_as(self.y)
        torch.index_select(self.table + self.proj.bias, 0, masked, out=self.y).addmm_(
            attended, self.proj.weight.t()
        )
        return self.head.forward(self.head_norm.forward(self.mlp.forward(self.y)), out=self.prediction)

    def backward(self, gp: Tensor, gx: Tensor) -> None:
        """Write the gradient of the encoded rows into `gx` from that of the predictions."""
        k, e = self.k, self.table.shape[1]
        self.head.backward(gp, self.head_norm.y, self.g)
        gy = self.head_norm.backward(self.g)
        self.mlp.backward(gy)
        self.proj.backward(gy, self.attention.rows.view_as(self.y), self.g)
        self.attention.backward(self.g.view_as(self.attention.rows), self.gq, self.gk, self.gv)
        self.masked_grad[..., e:].copy_(self.all_grad[:, 1 + k :])
        self.visible_kv.view(-1, 1 + k, 2 * e).copy_(
            self.all_grad[:, : 1 + k]
        )  # its values are no longer needed
        # visible tokens: keys and values only
        self.kv.backward(self.visible_kv, self.norm.y, self.gx)
        gz = self.norm.backward(self.gx)
        self.embed.backward(gz, self.encoded, gx)
        # masked tokens: sums over the images, per position
        self.table_gs.zero_().index_add_(0, self.masked, self.masked_grad.view(len(self.masked), -1))
        self.table_qkv.backward(self.table_gs, self.table_norm.y, self.table_g)
        table_g = self.table_norm.backward(self.table_g).index_add_(0, self.masked, gy)
        self.grads["mask_token"].add_(table_g.sum(0))


class StepByHand:
    """Loss and gradients of one batch, for a model on the CPU in float32 with a decoder of one block.

    Parameters
    ----------
    model : MAE
        Its parameters are read in place, so they must keep their memory.
    grads : mapping of str to Tensor
        Where the gradients are added, by parameter name.
    b, visible : int
        Images in a batch; visible tokens of each.
    """

    def __init__(self, model: MAE, grads: Tensors, b: int, visible: int) -> None:
        cfg = model.cfg
        weights = {name: parameter.detach() for name, parameter in model.named_parameters()}
        rows = b * (1 + visible)
        self.model, self.grads = model, grads
        self.embed = Linear(weights, grads, "embed")
        self.cls = weights["cls_token"]
        self.blocks = [
            Block(weights, grads, f"blocks.{i}", b, 1 + visible, cfg.heads) for i in range(cfg.depth)
        ]
        self.norm = Norm(weights, grads, "norm")
        self.decoder = Decoder(model, weights, grads, b, visible)
        self.tokens = torch.zeros(b, 1 + visible, cfg.token_values)  # row 0, of [CLS], stays zero
        self.ids = torch.zeros(b, 1 + visible, dtype=torch.int64)  # ids + 1, 0 for [CLS]
        self.x, self.gx = torch.empty(rows, cfg.width), torch.empty(rows, cfg.width)
        self.table = torch.empty(1 + cfg.n_tokens, cfg.width)

    @staticmethod
    def supports(model: MAE) -> bool:
        """Whether this step computes the function of `model`."""
        return model.cfg.decoder_depth == 1

    @torch.no_grad()
    def __call__(self, tokens: Tensor, visible_ids: Tensor, masked_ids: Tensor) -> Tensor:
        """Return the loss, a scalar, and add its gradients; arguments as of `MAE.loss`."""
        b, k = visible_ids.shape
        self.tokens[:, 1:].copy_(tokens.gather(1, visible_ids.unsqueeze(-1).expand(-1, -1, tokens.shape[-1])))
        torch.add(visible_ids, 1, out=self.ids[:, 1:])
        values, ids = self.tokens.flatten(0, 1), self.ids.flatten()
        torch.add(self.model.positions, self.embed.bias, out=self.table)
        torch.add(self.model.positions[0], self.cls, out=self.table[0])
        x = torch.index_select(self.table, 0, ids, out=self.x).addmm_(values, self.embed.weight.t())
        for block in self.blocks:
            x = block.forward(x)
        prediction = self.decoder.forward(self.norm.forward(x), ids, masked_ids.flatten())
        error = prediction.sub_(self.model.targets(tokens, masked_ids).flatten(0, 1))
        loss = error.square().mean()

        self.decoder.backward(error.mul_(2 / error.numel()), self.gx)
        gx = self.norm.backward(self.gx)
        for block in reversed(self.blocks):
            block.backward(gx)
        self.embed.backward(gx, values, None)
        cls_grad = gx.view(b, 1 + k, -1)[:, 0].sum(0)
        self.grads["cls_token"].add_(cls_grad)
        self.embed.bias_grad.sub_(cls_grad)  # [CLS] has no embedding, hence no bias
        return loss
