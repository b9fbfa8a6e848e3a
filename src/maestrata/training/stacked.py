"""Train the seeds and worlds of one (patch, ratio) cell as one stacked model.

On a GPU the images and masks of some steps are made at once and stay there, the element-wise work is
compiled, and the step (losses, gradients, clipping, optimiser) is captured once as a CUDA graph and replayed.
Clipping and weight decay act per member, AdamW is element-wise, and Muon steps each matrix by itself, so a
member neither helps nor harms the others: member k equals a run on its own with the same noise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from maestrata.cells import Cell
from maestrata.errors import TrainingError
from maestrata.geometry import patchify
from maestrata.masks import MaskPatches, draw_masks
from maestrata.model.mae import MAEConfig
from maestrata.model.stack import FlatWeights, MAEStack
from maestrata.training.bar import ProgressBar
from maestrata.training.data import initial_model
from maestrata.training.loop import check_finite
from maestrata.training.muon import muon_step, part_of
from maestrata.training.noise import CHUNK, DeviceNoise, NoiseSource, StreamNoise, unpack
from maestrata.training.recipe import Recipe, learning_rate
from maestrata.worlds.base import World

Batch = tuple[Tensor, Tensor, Tensor]


@dataclass(frozen=True)
class StackResult:
    """A trained stack: weights ``name -> (M, *shape)`` and losses (steps, M)."""

    weights: dict[str, Tensor]
    losses: NDArray[np.float32]


class StackedTrainer:
    """Trains M members, of one kind of world, mask patch, visible count and size.

    Parameters
    ----------
    worlds : sequence of World
        World of every member: one kind and one set of settings, any seeds.
    seeds : sequence of int
        Training seed of every member.
    patches : MaskPatches
    visible : int
        Visible patches.
    cfg : MAEConfig
    recipe : Recipe
    device : torch.device
    compiled, captured : bool, optional
        Compile element-wise work; capture the step as a CUDA graph. Both on a GPU only, where they are the
        default.
    null : bool
        Train on the targets of the next image, as `maestrata.training.controls.train_null`.

    Raises
    ------
    TrainingError
        If members differ in kind or settings, if `recipe.samples` is set (a stack draws fresh images at every
        step), or if a member's loss stops being finite (named, with the step).
    """

    def __init__(
        self,
        worlds: Sequence[World],
        seeds: Sequence[int],
        patches: MaskPatches,
        visible: int,
        cfg: MAEConfig,
        recipe: Recipe,
        device: torch.device,
        compiled: bool | None = None,
        captured: bool | None = None,
        null: bool = False,
    ) -> None:
        if len(worlds) != len(seeds) or not worlds:
            raise TrainingError(
                f"a stack needs a world and a seed per member, not {len(worlds)} and {len(seeds)}"
            )
        for world in worlds:
            if (world.name, world.settings) != (worlds[0].name, worlds[0].settings):
                raise TrainingError(
                    f"a stack holds one kind of world: {world.name} {world.settings} is not "
                    f"{worlds[0].name} {worlds[0].settings}"
                )
        if recipe.samples is not None:
            raise TrainingError(
                f"training.samples={recipe.samples}: a stack draws fresh images at every step; train such "
                "models by the workflow (snakemake)"
            )
        on_gpu = device.type == "cuda"
        self.worlds, self.seeds, self.patches, self.visible = list(worlds), list(seeds), patches, visible
        self.recipe, self.device = recipe, device
        self.noise: NoiseSource
        if on_gpu:
            keys = [(world.seed, seed) for world, seed in zip(worlds, seeds, strict=True)]
            self.noise = DeviceNoise(worlds[0], keys, recipe.batch, patches.n_patches, device)
        else:
            self.noise = StreamNoise(worlds, seeds, recipe.batch, patches.n_patches)
        self.captured = on_gpu if captured is None else captured
        dtype = torch.bfloat16 if recipe.in_bfloat16(device.type) else torch.float32
        self.model = MAEStack(cfg, device, dtype, on_gpu if compiled is None else compiled, null)
        self.weights = FlatWeights(
            [initial_model(cfg, seed, world.seed) for world, seed in zip(worlds, seeds, strict=True)],
            partial(part_of, recipe),
            device,
        )
        self._images = _image_maker(self.worlds, device)
        self._history = torch.zeros(recipe.steps, len(seeds), device=device)
        decay = {True: recipe.weight_decay, False: 0.0}
        pairs = list(zip(self.weights.parts, self.weights.flat, strict=True))
        groups = [{"params": [w], "weight_decay": decay[p.decayed]} for p, w in pairs if p.matrix is None]
        # matrices of one shape, and their momentum
        self._matrices = [(p.matrix, w, torch.zeros_like(w)) for p, w in pairs if p.matrix is not None]
        self._lr = torch.zeros((), device=device)
        self.optimiser = torch.optim.AdamW(
            groups, lr=self._lr if on_gpu else 0.0, betas=recipe.betas, fused=True, capturable=on_gpu
        )

    def _batches(self, draws: dict[str, Tensor]) -> Batch:
        """Make what the next steps are fed with, each (CHUNK, M, b, ...), of the draws of a `NoiseSource`."""
        world, batch, members = self.worlds[0], self.recipe.batch, len(self.worlds)
        flat = {name: draw.to(self.device).flatten(0, 1) for name, draw in draws.items()}
        noise, uniforms = unpack(world, batch, self.patches.n_patches, **flat)
        # a member's images of all steps are made at once, as one large batch: by few kernels
        images = self._images({i: n.reshape(members, CHUNK * batch, *n.shape[2:]) for i, n in noise.items()})
        made = (
            patchify(images, world.token_pixels),
            *draw_masks(self.patches, self.visible, uniforms),
        )
        every = [part.view(members, CHUNK, batch, *part.shape[2:]) for part in made]
        tokens, visible_ids, masked_ids = (part.transpose(0, 1).contiguous() for part in every)
        return tokens, visible_ids, masked_ids

    def _step(self, tokens: Tensor, visible_ids: Tensor, masked_ids: Tensor) -> Tensor:
        """Take one step, and return the members' losses (M,)."""
        try:
            losses = self._gradients(tokens, visible_ids, masked_ids)
        except RuntimeError as error:
            self.model.uncompile(error)
            losses = self._gradients(tokens, visible_ids, masked_ids)
        clip_per_member(self.weights.flat, self.recipe.clip)
        self.optimiser.step()
        rate = self._lr * (self.recipe.muon_lr / self.recipe.lr)
        for shape, values, momentum in self._matrices:
            assert values.grad is not None
            muon_step(values, values.grad, momentum, shape, rate, self.recipe.weight_decay)
        return losses

    def _gradients(self, tokens: Tensor, visible_ids: Tensor, masked_ids: Tensor) -> Tensor:
        losses = self.model.losses(self.weights.named(), tokens, visible_ids, masked_ids)
        self._drop_gradients()
        losses.sum().backward()
        return losses.detach()

    def _capture(self, *batch: Tensor) -> Callable[..., Tensor]:
        """Capture one step as a CUDA graph; the warm-up steps that this takes are undone."""
        static = [part.clone() for part in batch]
        before = [w.detach().clone() for w in self.weights.flat]
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                self._step(*static)
        torch.cuda.current_stream().wait_stream(side)
        self._drop_gradients()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            losses = self._step(*static)
        with torch.no_grad():
            for w, kept in zip(self.weights.flat, before, strict=True):
                w.copy_(kept)
            for state in self.optimiser.state.values():
                for value in state.values():
                    value.zero_()
            for _, _, momentum in self._matrices:
                momentum.zero_()

        def replay(*batch: Tensor) -> Tensor:
            for here, part in zip(static, batch, strict=True):
                here.copy_(part)
            graph.replay()
            return losses

        return replay

    def run(self) -> StackResult:
        """Train all members, and return them."""
        for _ in self.steps():
            pass
        return self.result()

    def steps(self) -> Iterator[int]:
        """Take the steps of the recipe, and yield the number of those taken after each."""
        members, recipe = len(self.seeds), self.recipe
        run: Callable[..., Tensor] = self._step
        with ProgressBar(self._name(0, members), recipe.steps, recipe.batch * members) as progress:
            for step in range(recipe.steps):
                if step % CHUNK == 0:
                    batches = self._batches(self.noise.draw(step))
                batch = [part[step % CHUNK] for part in batches]
                if step == 0 and self.captured:
                    run = self._capture(*batch)
                self._set_rate(learning_rate(recipe, step))
                self._history[step].copy_(run(*batch))
                if progress.due(step + 1):
                    self._check(self._history[: step + 1])
                    progress.show(step + 1, float(self._history[step].mean()))
                yield step + 1

    def result(self) -> StackResult:
        """Return the members as they are."""
        weights = {name: w.detach() for name, w in self.weights.named().items()}
        return StackResult(weights, self._history.cpu().numpy())

    def _drop_gradients(self) -> None:
        for w in self.weights.flat:
            w.grad = None

    def _set_rate(self, rate: float) -> None:
        self._lr.fill_(rate)
        if self.device.type != "cuda":
            for group in self.optimiser.param_groups:
                group["lr"] = rate

    def _check(self, history: Tensor) -> None:
        if torch.isfinite(history).all():
            return
        for member, losses in enumerate(history.unbind(1)):
            check_finite(losses, self._name(member), self.recipe)

    def _name(self, member: int, members: int = 1) -> str:
        """Name the run of a member, or of the members from it on."""
        world, place = self.worlds[member], (self.patches.label, self.visible, self.seeds[member])
        stem = Cell(world.name, world.seed, *place).stem
        return f"{stem} and {members - 1} more" if members > 1 else stem


def clip_per_member(flat: Sequence[Tensor], limit: float) -> None:
    """Scale the gradients (M, size) of each member to a norm of at most `limit`."""
    grads = [w.grad for w in flat if w.grad is not None]
    norms = torch.stack([g.square().sum(1) for g in grads]).sum(0).sqrt()
    scale = (limit / (norms + 1e-6)).clamp(max=1.0)
    for g in grads:
        g.mul_(scale[:, None])


def _image_maker(worlds: Sequence[World], device: torch.device) -> Callable[[dict[int, Tensor]], Tensor]:
    """Return the map from noise (M, b, nodes, dim) to images, each member through its own world."""
    like = torch.zeros((), device=device)
    params = [world.convert_params(like) for world in worlds]
    if worlds[0].stackable:
        stacked = {name: torch.stack([p[name] for p in params]) for name in params[0]}
        forward = torch.func.vmap(lambda p, noise: worlds[0].forward(p, noise)[0])
        return lambda noise: forward(stacked, noise)

    def one_by_one(noise: dict[int, Tensor]) -> Tensor:
        members = [
            w.forward(p, {level: n[k] for level, n in noise.items()})[0]
            for k, (w, p) in enumerate(zip(worlds, params, strict=True))
        ]
        return torch.stack(members)

    return one_by_one
