"""Training an MAE with some of its masked tokens left out of the loss.

Encoder, decoder and masks are as ever: a token that is left out is masked, and attended to in the decoder,
but its error costs nothing. Speed is that of the sweep: the written-out step (`training.by_hand`), with the
gradient of the predictions weighted before it goes back.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from maestrata.experiments.fit import Batch, _loop
from maestrata.model.mae import MAE
from maestrata.training.by_hand import Decoder, StepByHand
from maestrata.training.optimiser import Optimiser
from maestrata.training.recipe import Recipe

__all__ = ["counts_of", "fit_partial", "partial_step"]


def fit_partial(
    model: MAE, batches: Callable[[int], Batch], visible_tokens: int, recipe: Recipe, name: str
) -> NDArray[np.float32]:
    """Train a masked autoencoder in place, on the error of the tokens that count.

    Parameters
    ----------
    model : MAE
    batches : callable
        Step -> tokens (b, n, v), visible ids (b, k), masked ids (b, n - k), and which masked tokens count
        (b, n - k) of bool, at least one of each batch.
    visible_tokens : int
        k, the same at every step.
    recipe : Recipe
    name : str

    Returns
    -------
    ndarray of float32 (steps,)
        Mean squared error of the tokens that count.
    """
    optimiser = Optimiser(model, recipe)
    gradients = partial_step(model, optimiser, recipe.batch, visible_tokens)
    return _loop(optimiser, gradients, batches, recipe, name)


def partial_step(
    model: MAE, optimiser: Optimiser, batch: int, visible_tokens: int
) -> Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]:
    """Return the fastest function (tokens, visible_ids, masked_ids, counts) -> loss that adds up gradients.

    The loss is the mean squared error over the values of the masked tokens that count, of the whole batch.
    """
    if StepByHand.supports(model):
        return _PartialByHand(model, optimiser, batch, visible_tokens)

    def by_autograd(tokens: Tensor, visible_ids: Tensor, masked_ids: Tensor, counts: Tensor) -> Tensor:
        error = model(tokens, visible_ids, masked_ids) - model.targets(tokens, masked_ids)
        loss = error[counts].square().mean()
        loss.backward()
        return loss.detach()

    return by_autograd


class _PartialByHand:
    """The written-out step, tokens that do not count taken out of the gradient of the predictions."""

    def __init__(self, model: MAE, optimiser: Optimiser, batch: int, visible_tokens: int) -> None:
        self._step = StepByHand(model, optimiser.grads, batch, visible_tokens)
        weights = {name: parameter.detach() for name, parameter in model.named_parameters()}
        self._decoder = _WeightedDecoder(model, weights, optimiser.grads, batch, visible_tokens)
        self._step.decoder = self._decoder

    def __call__(self, tokens: Tensor, visible_ids: Tensor, masked_ids: Tensor, counts: Tensor) -> Tensor:
        # the step divides by the number of all masked tokens; the loss is a mean over those that count
        flat = counts.flatten()
        self._decoder.token_weights = flat.float().mul_(len(flat) / int(flat.sum())).unsqueeze(-1)
        self._step(tokens, visible_ids, masked_ids)
        return self._decoder.loss


class _WeightedDecoder(Decoder):
    """Decoder whose predictions' gradient is weighted, token by token, before it goes back."""

    token_weights: Tensor  # (b m, 1), mean 1
    loss: Tensor

    def backward(self, gp: Tensor, gx: Tensor) -> None:
        """As of `Decoder`, from 2 (prediction - target) / values of all masked tokens."""
        weighted = gp * self.token_weights
        # (gp numel / 2) is the error; its weighted mean square is the loss of the tokens that count
        self.loss = (weighted * gp).sum() * (gp.numel() / 4)
        super().backward(weighted, gx)


def counts_of(masked_ids: NDArray[np.int64], tokens: NDArray[np.bool_]) -> Tensor:
    """Return which masked tokens (b, m) are among `tokens` (b, n), as `fit_partial` takes it."""
    return torch.from_numpy(np.take_along_axis(tokens, masked_ids, 1))
