"""The optimiser of one run: AdamW with the gradient clipped, on parameters that lie in one flat buffer."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from maestrata.training.recipe import Recipe, decays


class Optimiser:
    """AdamW as `Recipe` tells, with one learning rate a step.

    The model's parameters become views of one flat buffer, and their gradients of another, which is zero
    before a step. AdamW is element-wise, so two long tensors (decayed and not) step as all the small ones
    would, at a fraction of the cost.

    Parameters
    ----------
    model : torch.nn.Module
    recipe : Recipe
    """

    def __init__(self, model: nn.Module, recipe: Recipe) -> None:
        self.recipe = recipe
        named = sorted(model.named_parameters(), key=lambda item: not decays(item[0], tuple(item[1].shape)))
        sizes = [p.numel() for _, p in named]
        self._values = torch.cat([p.detach().flatten() for _, p in named])
        self._gradient = torch.zeros_like(self._values)
        pieces = zip(named, self._values.split(sizes), self._gradient.split(sizes), strict=True)
        for (_, parameter), value, gradient in pieces:
            parameter.data = value.view_as(parameter)
            parameter.grad = gradient.view_as(parameter)
        decayed = sum(p.numel() for n, p in named if decays(n, tuple(p.shape)))
        groups = []
        for part, decay in ((slice(decayed), recipe.weight_decay), (slice(decayed, None), 0.0)):
            flat = nn.Parameter(self._values[part])
            flat.grad = self._gradient[part]
            groups.append({"params": [flat], "weight_decay": decay})
        self._adam = torch.optim.AdamW(groups, lr=recipe.lr, betas=recipe.betas, fused=True)

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """Clip the gradient, step, and zero the gradient."""
        norm = torch.linalg.vector_norm(self._gradient)
        # as torch.nn.utils.clip_grad_norm_, which would wait for the device to know the norm
        self._gradient.mul_((self.recipe.clip / (norm + 1e-6)).clamp_(max=1.0))
        for group in self._adam.param_groups:
            group["lr"] = rate
        self._adam.step()
        self._gradient.zero_()

    def state(self) -> dict[str, Tensor]:
        """Return all that a step changes: the parameters and, after the first step, their moments."""
        state = {"values": self._values}
        for i, group in enumerate(self._adam.param_groups):
            for key, value in self._adam.state[group["params"][0]].items():
                state[f"{key}.{i}"] = value
        return state

    @torch.no_grad()
    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take up what `state` returned after some steps; the model's parameters change with it."""
        self._values.copy_(state["values"])
        for i, group in enumerate(self._adam.param_groups):
            flat = group["params"][0]
            self._adam.state[flat] = {
                key: state[f"{key}.{i}"].to(flat.device, copy=True)
                for key in ("step", "exp_avg", "exp_avg_sq")
            }
