"""The optimiser of one run: AdamW with the gradient clipped, on parameters whose gradients lie in one buffer."""

from __future__ import annotations

import torch
from torch import Tensor

from maestrata.model.mae import MAE
from maestrata.training.recipe import Recipe, decays


class Optimiser:
    """AdamW as `Recipe` tells, with one learning rate a step.

    Parameters
    ----------
    model : MAE
    recipe : Recipe

    Attributes
    ----------
    grads : dict of tensors
        Gradient of every parameter: views of one flat buffer, zero before a step.
    """

    def __init__(self, model: MAE, recipe: Recipe) -> None:
        self.recipe = recipe
        named = dict(model.named_parameters())
        self._flat = torch.zeros(sum(p.numel() for p in named.values()), device=next(iter(named.values())).device)
        pieces = self._flat.split([p.numel() for p in named.values()])
        self.grads: dict[str, Tensor] = {}
        for (name, parameter), piece in zip(named.items(), pieces, strict=True):
            parameter.grad = self.grads[name] = piece.view_as(parameter)
        groups = [
            {"params": [p for n, p in named.items() if decays(n, tuple(p.shape)) is flag], "weight_decay": decay}
            for flag, decay in ((True, recipe.weight_decay), (False, 0.0))
        ]
        self._adam = torch.optim.AdamW(groups, lr=recipe.lr, betas=recipe.betas, fused=True)
        self._parameters = named

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """Clip the gradient, step, and zero the gradient."""
        norm = self._flat.norm()
        self._flat.mul_((self.recipe.clip / (norm + 1e-6)).clamp(max=1.0))
        for group in self._adam.param_groups:
            group["lr"] = rate
        self._adam.step()
        self._flat.zero_()

    def state(self) -> dict[str, Tensor]:
        """Return the optimiser's moments, by parameter name; empty before the first step."""
        found = {}
        for name, parameter in self._parameters.items():
            for key, value in self._adam.state.get(parameter, {}).items():
                found[f"{key}.{name}"] = value
        return found

    def restore(self, state: dict[str, Tensor]) -> None:
        """Take up the moments that `state` returned."""
        for name, parameter in self._parameters.items():
            self._adam.state[parameter] = {
                key: state[f"{key}.{name}"].clone() for key in ("step", "exp_avg", "exp_avg_sq")
            }
