"""An autoencoder from the visible to the masked tokens of one mask, through w numbers."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from maestrata.model.mae import take_tokens

CHUNK = 1024  # images encoded at a time


class Gated(nn.Module):
    """Residual block of products with sines, ``x + out(value(x) * sin(angle(x)))``.

    A world that turns coordinates by an angle is made of such products. At equal cost an MLP explains .84 of
    what can be explained where c lies at level 2, and this .90 (invertible tree of 8 leaves, 524,288 images).
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.value, self.angle, self.out = (nn.Linear(width, width) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        """(b, width) -> (b, width)."""
        added: Tensor = self.out(self.value(x) * torch.sin(self.angle(x)))
        return x + added


class Bottleneck(nn.Module):
    """Encoder of the visible tokens, a linear bottleneck of w outputs, decoder of the masked tokens.

    At one fixed mask every token has its place in the input, so positions and a mask token would be
    constants, and the two halves are residual networks over the tokens side by side. The decoder sees the
    bottleneck alone.

    Parameters
    ----------
    masked : ndarray (n_tokens,) of bool
        The mask, True where masked.
    token_values : int
        Values of a token.
    outputs : int
        w.
    width, depth : int
        Hidden width and number of blocks, of either half.
    generator : torch.Generator
        Draws the weights: Xavier-uniform matrices, zero biases, unit norms.
    """

    def __init__(
        self,
        masked: NDArray[np.bool_],
        token_values: int,
        outputs: int,
        width: int,
        depth: int,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self._visible, self._masked = np.flatnonzero(~masked), np.flatnonzero(masked)
        with torch.random.fork_rng(devices=()):  # weights that PyTorch draws here are drawn again below
            self.encoder = _tower(len(self._visible) * token_values, width, depth, outputs)
            self.decoder = _tower(outputs, width, depth, len(self._masked) * token_values)
        with torch.no_grad():
            for parameter in self.parameters():
                if parameter.ndim == 2:
                    nn.init.xavier_uniform_(parameter, generator=generator)
            for module in self.modules():
                if isinstance(module, nn.Linear):
                    module.bias.zero_()

    def split(self, tokens: NDArray[np.float32]) -> tuple[Tensor, Tensor]:
        """Split tokens (n, n_tokens, v) into the visible (n, k v) and the masked (n, m v) values."""
        n = len(tokens)
        seen, hidden = (tokens[:, ids].reshape(n, -1) for ids in (self._visible, self._masked))
        return torch.from_numpy(seen), torch.from_numpy(hidden)

    def forward(self, seen: Tensor) -> Tensor:
        """Predict the masked values (b, m v) from the visible ones (b, k v)."""
        predicted: Tensor = self.decoder(self.encoder(seen))
        return predicted

    def loss(self, seen: Tensor, hidden: Tensor) -> Tensor:
        """Mean squared error over the masked values, a scalar."""
        return F.mse_loss(self(seen), hidden)

    @torch.no_grad()
    def codes(self, tokens: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return c_hat (n, w) of images' tokens (n, n_tokens, v), of which the visible ones are looked at."""
        parts = self.split(tokens)[0].split(CHUNK)
        return np.concatenate([self.encoder(part).numpy() for part in parts])

    def response(self, codes: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the decoder's mean squared response (w, w) over codes (n, w).

        ``M = E J'J``, J the Jacobian of the decoder: ``d' M d`` is how far the prediction moves, in squared
        pixel values and to first order, where the code moves by d.
        """
        code = torch.from_numpy(codes).requires_grad_()
        response = np.zeros((codes.shape[1],) * 2)
        for column in self.decoder(code).unbind(1):  # one row of every image's Jacobian
            (row,) = torch.autograd.grad(column.sum(), code, retain_graph=True)
            rows = row.double().numpy()
            response += rows.T @ rows / len(codes)
        return response

    def fill(self, tokens: Tensor, visible_ids: Tensor, masked_ids: Tensor) -> Tensor:
        """Predict as an `MAE` does, (b, m, v) from tokens (b, n_tokens, v); the ids are those of its mask."""
        return self(take_tokens(tokens, visible_ids).flatten(1)).unflatten(1, (-1, tokens.shape[-1]))


def _tower(inputs: int, width: int, depth: int, outputs: int) -> nn.Sequential:
    blocks = [Gated(width) for _ in range(depth)]
    return nn.Sequential(nn.Linear(inputs, width), *blocks, nn.LayerNorm(width), nn.Linear(width, outputs))
