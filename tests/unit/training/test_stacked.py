"""Stacked training: a member of a stack is what it is on its own, and as the single trainer has it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from maestrata import worlds
from maestrata.errors import TrainingError
from maestrata.geometry import TokenGrid
from maestrata.masks import MaskPatches
from maestrata.model.mae import MAE, MAEConfig
from maestrata.model.stack import FlatWeights, MAEStack, _compiled
from maestrata.training.controls import train_null
from maestrata.training.noise import CHUNK, DeviceNoise, StreamNoise, unpack
from maestrata.training.recipe import Recipe, decays
from maestrata.training.stacked import StackedTrainer, clip_per_member
from maestrata.training.stacks import stack_limit
from maestrata.training.together import train_together
from maestrata.training.train import train
from maestrata.worlds.base import World

CFG = MAEConfig(4, 2, 12, width=16, depth=2, heads=2, decoder_width=16, decoder_depth=2)
RECIPE = Recipe(images=16 * 12, batch=16)
MUON = replace(RECIPE, optimiser="muon")
CPU = torch.device("cpu")


def _worlds(kind: str, seeds: list[int]) -> list[World]:
    return [worlds.make(kind, seed, leaves=8) for seed in seeds]


def _stack(
    members: list[World], seeds: list[int], cfg: MAEConfig = CFG, recipe: Recipe = RECIPE
) -> StackedTrainer:
    return StackedTrainer(members, seeds, MaskPatches(members[0].grid), 3, cfg, recipe, CPU)


def _seen(name: str, weight: torch.Tensor) -> torch.Tensor:
    """Leave out the keys' bias: attention does not see it, its gradient is rounding noise."""
    if not name.endswith("qkv.bias"):
        return weight
    third = len(weight) // 3
    return torch.cat([weight[:third], weight[2 * third :]])


def test_stack_in_bfloat16_is_near_float32() -> None:
    members = _worlds("gaussian_tree", [0, 1])
    exact, coarse = (
        _stack(members, [0, 0], recipe=replace(RECIPE, precision=name)).run().losses
        for name in ("float32", "bfloat16")
    )
    assert not np.array_equal(coarse, exact)
    np.testing.assert_allclose(coarse, exact, rtol=0.02)


@pytest.mark.parametrize("norm_pixels", [False, True])
@pytest.mark.parametrize("fused", [False, True])
def test_stack_computes_what_each_model_computes(norm_pixels: bool, fused: bool) -> None:
    """Losses and gradients of member k are those of a model with its weights, however it attends."""
    cfg = MAEConfig(4, 2, 12, width=16, depth=2, heads=2, decoder_width=16, norm_pixels=norm_pixels)
    models = [MAE(cfg).initialise(torch.Generator().manual_seed(k)) for k in range(3)]
    flat = FlatWeights(models, decays)
    stack = MAEStack(cfg)
    stack.fused = fused
    generator = torch.Generator().manual_seed(9)
    tokens = torch.randn(3, 5, 8, 12, generator=generator)
    order = torch.rand(3, 5, 8, generator=generator).argsort(-1)
    visible, masked = order[..., :3].sort(-1).values, order[..., 3:].sort(-1).values
    losses = stack.losses(flat.named(), tokens, visible, masked)
    losses.sum().backward()
    for k, model in enumerate(models):
        loss = model.loss(tokens[k], visible[k], masked[k])
        loss.backward()
        assert torch.allclose(losses[k], loss, rtol=1e-6)
        norm = sum(float(p.grad.square().sum()) for p in model.parameters() if p.grad is not None)
        squares = sum(float(f.grad[k].square().sum()) for f in flat.flat if f.grad is not None)
        assert squares == pytest.approx(norm, rel=1e-5)


@pytest.mark.parametrize("kind", ["additive_tree", "grammar_tree", "symbol_tree", "latent_dag"])
def test_member_of_a_stack_equals_a_run_on_its_own(kind: str) -> None:
    """With the same noise member k of a stack has the losses and weights of a stack of one."""
    members, seeds = _worlds(kind, [0, 0, 1]), [0, 1, 0]
    recipe = MUON if kind == "additive_tree" else RECIPE
    together = _stack(members, seeds, recipe=recipe).run()
    for k in range(3):
        alone = _stack([members[k]], [seeds[k]], recipe=recipe).run()
        np.testing.assert_allclose(together.losses[:, k], alone.losses[:, 0], rtol=1e-5)
        for name, weights in together.weights.items():
            torch.testing.assert_close(
                _seen(name, weights[k]), _seen(name, alone.weights[name][0]), rtol=1e-4, atol=1e-5
            )


@pytest.mark.parametrize("recipe", [RECIPE, MUON])
def test_member_of_a_stack_equals_the_single_trainer(recipe: Recipe) -> None:
    """The stack and `train` see the same images and masks, and take the same steps."""
    members, seeds = _worlds("gaussian_tree", [0, 1]), [1, 0]
    together = _stack(members, seeds, recipe=recipe).run()
    for k in range(2):
        model, losses = train(members[k], MaskPatches(members[k].grid), 3, seeds[k], CFG, recipe)
        np.testing.assert_allclose(together.losses[:, k], losses, rtol=1e-4)
        for name, parameter in model.named_parameters():
            torch.testing.assert_close(
                _seen(name, together.weights[name][k]), _seen(name, parameter.detach()), rtol=1e-3, atol=1e-4
            )


def test_the_null_of_a_stack_equals_the_null_on_its_own() -> None:
    members, seeds = _worlds("gaussian_tree", [0, 1]), [1, 0]
    patches = MaskPatches(members[0].grid)
    together = StackedTrainer(members, seeds, patches, 3, CFG, RECIPE, CPU, null=True).run()
    for k in range(2):
        _, losses = train_null(members[k], patches, 3, CFG, seeds[k], RECIPE)
        np.testing.assert_allclose(together.losses[:, k], losses, rtol=1e-4)
    plain = _stack(members, seeds).run()
    assert not np.allclose(together.losses, plain.losses, rtol=1e-3)


def test_noise_of_a_member_does_not_depend_on_the_others() -> None:
    """Device noise of a member is the same in any stack, and differs between members and chunks."""
    world = worlds.make("grammar_tree", 0, leaves=8)

    def draw(keys: list[tuple[int, int]], chunks: int) -> list[dict[str, torch.Tensor]]:
        source = DeviceNoise(world, keys, batch=4, n_patches=8, device=CPU)
        return [{k: v.clone() for k, v in source.draw(k * CHUNK).items()} for k in range(chunks)]

    both, second = draw([(0, 0), (0, 1)], 2), draw([(0, 1)], 2)
    for chunk in range(2):
        for name in ("normal", "uniform"):
            assert torch.equal(both[chunk][name][1], second[chunk][name][0])
            assert not torch.equal(both[chunk][name][0], both[chunk][name][1])
    assert not torch.equal(both[0]["normal"], both[1]["normal"])
    assert not torch.equal(both[0]["normal"][:, 0], both[0]["normal"][:, 1])
    noise, uniforms = unpack(world, 4, 8, both[0]["normal"][:, 0], both[0]["uniform"][:, 0])
    assert uniforms.shape == (2, 4, 8)
    for level, spec in world.noise_spec.items():
        assert noise[level].shape == (2, 4, *spec.shape)
        if spec.kind == "choice":
            assert noise[level].max() < max(spec.high) and noise[level].min() >= 0


def test_stream_noise_carries_choices_exactly() -> None:
    """What `unpack` reads from a stream is what the world drew."""
    world = worlds.make("grammar_tree", 3, leaves=8, symbols=40)
    from maestrata.random import stream

    drawn = world.draw(32, stream(3, "train", 1, 7))
    flat = StreamNoise([world], [1], 32, 8).draw(5)
    noise, _ = unpack(world, 32, 8, flat["normal"][:, 2], flat["uniform"][:, 2])
    for level, values in drawn.items():
        np.testing.assert_array_equal(noise[level][0].numpy(), values)


def test_clipping_is_per_member() -> None:
    """A member with a large gradient does not shrink another's."""
    flat = [torch.zeros(2, 3, requires_grad=True), torch.zeros(2, 1, requires_grad=True)]
    flat[0].grad, flat[1].grad = torch.tensor([[3.0, 0, 0], [0.3, 0, 0]]), torch.tensor([[4.0], [0.4]])
    clip_per_member(flat, 1.0)
    assert torch.allclose(flat[0].grad[:, 0], torch.tensor([0.6, 0.3]), atol=1e-5)
    assert torch.allclose(flat[1].grad[:, 0], torch.tensor([0.8, 0.4]), atol=1e-5)


@pytest.mark.parametrize(
    ("batch", "leaves", "width", "members"), [(64, 8, 32, 8), (64, 64, 32, 3), (256, 64, 128, 1)]
)
def test_a_stack_on_a_cpu_stays_in_the_cache(batch: int, leaves: int, width: int, members: int) -> None:
    grid = TokenGrid.for_leaves(leaves)
    cfg = MAEConfig(grid.height, grid.width, 12, width=width)
    at = torch.device("cpu")
    assert stack_limit(cfg, MaskPatches(grid), leaves // 2, batch, at) == members
    # what is shown of a patch counts, not the number of patches
    assert stack_limit(cfg, MaskPatches(grid, 2, 2), leaves // 8, batch, at) == members


def test_members_of_different_kinds_are_refused() -> None:
    """A stack holds one kind of world, with one set of settings."""
    mixed = [worlds.make("gaussian_tree", 0, leaves=8), worlds.make("gaussian_tree", 0, leaves=8, rho=0.5)]
    with pytest.raises(TrainingError, match="a stack holds one kind of world"):
        _stack(mixed, [0, 1])


def test_a_set_of_images_is_refused() -> None:
    with pytest.raises(TrainingError, match=r"training\.samples=32: a stack draws fresh images"):
        _stack(_worlds("grammar_tree", [0]), [0], recipe=replace(RECIPE, samples=32))


def test_a_loss_that_is_not_finite_names_the_member() -> None:
    """Divergence ends the stack and says which member, and at which step."""
    members = _worlds("gaussian_tree", [0, 1])
    trainer = _stack(members, [0, 5])
    with torch.no_grad():
        trainer.weights.flat[0][1].fill_(float("nan"))
    with pytest.raises(TrainingError, match=r"w1/p1x1/v3/s5: the loss is nan at step 0 of 12"):
        trainer.run()


class _Made(TorchDispatchMode):
    """Counts the tensors that are made of Python numbers, or read as such."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if any(part in func.__name__ for part in ("lift_fresh", "_local_scalar_dense", "nonzero")):
            self.names.append(func.__name__)
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize(
    "kind", ["grammar_tree", "symbol_tree", "sign_hidden", "latent_dag", "invertible_tree"]
)
def test_a_step_copies_nothing_to_the_device_and_waits_for_nothing(kind: str) -> None:
    """What a CUDA graph cannot capture does not happen in a step, from the second on."""
    trainer = _stack(_worlds(kind, [0, 1]), [0, 0], MAEConfig(4, 2, 12, 16, 1, decoder_width=16))
    draws = trainer.noise.draw(0)
    tokens, visible_ids, masked_ids = trainer._batches(draws)
    trainer._step(tokens[0], visible_ids[0], masked_ids[0])
    with _Made() as made:
        trainer._step(*(part[1] for part in trainer._batches(draws)))
    assert not made.names


def test_a_stack_goes_on_where_the_compiler_fails(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It trains as without, says so once, and asks the compiler no more; an error of another origin stays."""
    from torch._dynamo.exc import TorchDynamoException

    calls = []

    def fail(*args: Any) -> torch.Tensor:
        calls.append(1)
        raise TorchDynamoException("no kernel\nfor this")

    def overflow(*args: Any) -> torch.Tensor:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(torch, "compile", lambda function: fail)
    _compiled.cache_clear()
    members = _worlds("gaussian_tree", [0])
    patches = MaskPatches(members[0].grid)
    for _ in range(2):
        trainer = StackedTrainer(members, [0], patches, 3, CFG, RECIPE, CPU, compiled=True)
        assert np.array_equal(trainer.run().losses, _stack(members, [0]).run().losses)
    assert len(calls) == 1
    assert [r.getMessage() for r in caplog.records if r.levelname == "WARNING"] == [
        "PyTorch's compiler failed; going on without it, slower: TorchDynamoException: no kernel"
    ]
    _compiled.cache_clear()
    trainer = StackedTrainer(members, [0], patches, 3, CFG, RECIPE, CPU, compiled=True)
    monkeypatch.setattr(trainer.model, "losses", overflow)
    with pytest.raises(RuntimeError, match="out of memory"):
        trainer._step(*(part[0] for part in trainer._batches(trainer.noise.draw(0))))
    _compiled.cache_clear()


@pytest.mark.parametrize("at_once", [1, 2, 3])
def test_stacks_side_by_side_learn_what_each_learns_alone(at_once: int) -> None:
    """Stacks of different lengths that take turns end as they would alone, and one begins as one ends."""
    recipes = {"short": RECIPE, "long": Recipe(images=16 * 40, batch=16), "last": RECIPE}
    begun: list[str] = []

    def maker(name: str, k: int) -> StackedTrainer:
        begun.append(name)
        return _stack(_worlds("gaussian_tree", [k]), [k], recipe=recipes[name])

    makers = iter([(name, partial(maker, name, k)) for k, name in enumerate(recipes)])
    ended = {}
    for name, result, seconds in train_together(makers, at_once, CPU):
        ended[name] = result
        assert seconds > 0
        assert len(begun) <= len(ended) + at_once - 1
    assert list(ended) == (list(recipes) if at_once == 1 else ["short", "last", "long"])
    for k, (name, recipe) in enumerate(recipes.items()):
        alone = _stack(_worlds("gaussian_tree", [k]), [k], recipe=recipe).run()
        assert np.array_equal(ended[name].losses, alone.losses)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU: the step is captured as a CUDA graph")
def test_captured_steps_equal_eager_ones() -> None:
    """The CUDA graph takes the steps of eager code; its warm-up leaves no trace."""
    members, seeds, device = _worlds("additive_tree", [0, 1]), [0, 0], torch.device("cuda")
    recipe = replace(RECIPE, precision="float32")
    patches = MaskPatches(members[0].grid)

    def losses(captured: bool) -> np.ndarray:
        options = {"compiled": False, "captured": captured}
        return StackedTrainer(members, seeds, patches, 3, CFG, recipe, device, **options).run().losses

    np.testing.assert_allclose(losses(True), losses(False), rtol=1e-4)
