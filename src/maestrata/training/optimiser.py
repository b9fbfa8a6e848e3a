"""The optimiser of one run: AdamW, or Muon with it; the gradient clipped; parameters in one flat buffer."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby

import torch
from torch import Tensor, nn

from maestrata.training.muon import muon_step, part_of
from maestrata.training.recipe import Recipe

EPS = 1e-8  # as torch.optim.AdamW


class Optimiser:
    """What `Recipe` tells, with one learning rate a step.

    The model's parameters become views of one flat buffer, and their gradients of another, which is zero
    before a step. AdamW is element-wise, so two long tensors (decayed and not) step as all the small ones
    would, at a fraction of the cost; Muon takes all matrices of a shape at once.

    The step of AdamW is PyTorch's own fused kernel, without `torch.optim`: the first optimiser that is made
    there imports PyTorch's compiler, some 800 modules (seconds of one core, where a whole run may take 12).

    Parameters
    ----------
    model : torch.nn.Module
    recipe : Recipe
    """

    def __init__(self, model: nn.Module, recipe: Recipe) -> None:
        self.recipe = recipe
        parts = {n: part_of(recipe, n, tuple(p.shape)) for n, p in model.named_parameters()}
        # decayed ones first; what is stepped alike lies side by side
        named = sorted(
            model.named_parameters(),
            key=lambda item: (not parts[item[0]].decayed, parts[item[0]].matrix or ()),
        )
        sizes = [p.numel() for _, p in named]
        self._values = torch.cat([p.detach().flatten() for _, p in named])
        self._gradient = torch.zeros_like(self._values)
        pieces = zip(named, self._values.split(sizes), self._gradient.split(sizes), strict=True)
        for (_, parameter), value, gradient in pieces:
            parameter.data = value.view_as(parameter)
            parameter.grad = gradient.view_as(parameter)
        # the moments of AdamW (Muon has the first alone), and how many steps they are of
        self._first, self._second = torch.zeros_like(self._values), torch.zeros_like(self._values)
        self._step = torch.zeros((), device=self._values.device)
        self._parts, start = [], 0
        for part, members in groupby(named, key=lambda item: parts[item[0]]):
            end = start + sum(p.numel() for _, p in members)
            self._parts.append((slice(start, end), part))
            start = end

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """Clip the gradient, step, and zero the gradient."""
        norm = torch.linalg.vector_norm(self._gradient)
        # as torch.nn.utils.clip_grad_norm_, which would wait for the device to know the norm
        self._gradient.mul_((self.recipe.clip / (norm + 1e-6)).clamp_(max=1.0))
        self._step += 1
        beta1, beta2 = self.recipe.betas
        for at, part in self._parts:
            decay = self.recipe.weight_decay if part.decayed else 0.0
            if part.matrix is not None:
                muon_rate = rate * self.recipe.muon_lr / self.recipe.lr
                muon_step(
                    self._values[at], self._gradient[at], self._first[at], part.matrix, muon_rate, decay
                )
                continue
            torch._fused_adamw_(
                [self._values[at]], [self._gradient[at]], [self._first[at]], [self._second[at]],
                [], [self._step], lr=rate, beta1=beta1, beta2=beta2, weight_decay=decay, eps=EPS,
                amsgrad=False, maximize=False,
            )  # fmt: skip
        self._gradient.zero_()

    def state(self) -> dict[str, Tensor]:
        """Return all that a step changes: the parameters, their moments and the number of steps."""
        return {
            "values": self._values,
            "exp_avg": self._first,
            "exp_avg_sq": self._second,
            "step": self._step,
        }

    @torch.no_grad()
    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take up what `state` returned after some steps; the model's parameters change with it."""
        for name, kept in self.state().items():
            kept.copy_(state[name])
