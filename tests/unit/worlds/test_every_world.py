"""What every world must do, run for each that is found (and for the example of docs/extending.md)."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
import torch

from maestrata import modules, worlds
from maestrata.errors import WorldError
from maestrata.geometry import TokenGrid, patchify
from maestrata.random import STREAMS, stream
from maestrata.worlds.base import World

EXAMPLE = "turning_tree"
NAMES = (*(name for name in worlds.available() if worlds.world_class(name).latent), EXAMPLE)
every_world = pytest.mark.parametrize("name", NAMES)


def same(one, two):
    assert one.keys() == two.keys()
    return all(np.array_equal(one[k], two[k]) for k in one)


def to_torch(arrays):
    return {k: torch.from_numpy(np.array(v)) for k, v in arrays.items()}


def test_the_worlds_of_the_design_are_there_and_are_found_by_file_name():
    expected = {"additive_tree", "gaussian_tree", "grammar_tree", "invertible_tree", "latent_dag"}
    expected |= {"sign_hidden", "symbol_tree"}
    assert expected <= set(worlds.available())
    for name in worlds.available():
        assert worlds.world_class(name).name == name


@every_world
def test_the_same_seed_gives_the_same_world(make, name):
    one, two = make(name, 0), worlds.make(name, 0)
    assert one is not two
    assert same(one.params, two.params)
    a, b = one.sample(32), two.sample(32)
    assert np.array_equal(a.images, b.images) and same(a.latents, b.latents) and same(a.noise, b.noise)
    assert a.images.dtype == np.float32


@every_world
def test_other_seeds_give_other_worlds(make, name):
    one, two = make(name, 0), make(name, 1)
    assert {k: v.shape for k, v in one.params.items()} == {k: v.shape for k, v in two.params.items()}
    assert not same(one.params, two.params)
    noise = one.draw(16, np.random.default_rng(0))
    assert abs(one.generate(noise).images - two.generate(noise).images).max() > 0.1  # other functions ...
    assert not np.array_equal(one.sample(16).noise[0], two.sample(16).noise[0])  # ... and other draws


@every_world
def test_shapes_and_finite_values(make, name):
    for settings in ({}, {"leaves": 2}, {"leaves": 8, "token_pixels": 3}):
        world = make(name, 0, **settings)
        sample = world.sample(7)
        pixels = world.settings["token_pixels"]
        grid = TokenGrid.for_leaves(world.settings["leaves"])
        assert world.grid == grid and world.levels == grid.levels
        assert world.image_shape == (3, grid.height * pixels, grid.width * pixels)
        assert sample.images.shape == (7, *world.image_shape)
        assert np.isfinite(sample.images).all()
        assert sorted(sample.latents) == list(range(1, world.levels + 1))
        assert sorted(sample.noise) == sorted(world.noise_spec) == list(range(world.levels + 1))
        for level, values in sample.latents.items():
            assert values.shape == (7, world.n_nodes[level], world.dims[level])
            assert np.isfinite(values).all()
            assert np.issubdtype(values.dtype, np.integer) == world.discrete
        for level, values in sample.noise.items():
            assert values.shape == (7, *world.noise_spec[level].shape)
        images, latents, noise = sample
        assert images is sample.images and latents is sample.latents and noise is sample.noise


@every_world
def test_all_settings_are_told_and_make_the_world_again(make, name):
    world = make(name, 0)
    known = list(inspect.signature(worlds.world_class(name)).parameters)[1:]
    assert sorted(world.settings) == sorted(known)
    again = worlds.make(name, 0, **world.settings)
    assert again.settings == world.settings and same(again.params, world.params)


@every_world
def test_means_are_about_0_and_variances_about_1(make, name):
    world = make(name, 0)
    n = 20_000
    sample = world.sample(n)
    # pixels: patterns of a grammar have unit variance over equally likely symbols, and noise on top
    tokens = patchify(sample.images.astype(np.float64), world.token_pixels)
    pixel_variance = np.square(tokens - tokens.mean(0)).mean()
    assert pixel_variance == pytest.approx(1, abs=0.2 if world.discrete else 0.02)
    if world.discrete:
        return
    for values in sample.latents.values():
        values = values.astype(np.float64)
        assert abs(values.mean(0)).max() < 0.06  # 5 standard errors at the largest variance, and calibration
        assert values.var(0).mean() == pytest.approx(1, abs=0.03)
        assert values.var(0).min() > 0.2 and values.var(0).max() < 3
    for level, spec in world.noise_spec.items():
        assert spec.kind == "normal"
        assert sample.noise[level].std() == pytest.approx(1, abs=0.03)


@every_world
def test_numpy_and_torch_agree(make, name):
    world = make(name, 0)
    noise = world.draw(64, stream(0, "test"), np.float64)
    ours, theirs = world.generate(noise), world.generate(to_torch(noise))
    assert ours.images.dtype == np.float64 and theirs.images.dtype == torch.float64
    assert isinstance(theirs.images, torch.Tensor)
    assert abs(ours.images - theirs.images.numpy()).max() < 1e-6
    for level, values in ours.latents.items():
        assert abs(values - theirs.latents[level].numpy()).max() < 1e-6


# largest error of a single value: the turns of invertible_tree multiply a rounding error from level to level
FLOAT32 = {"invertible_tree": 2e-2}


@every_world
def test_float32_is_close_to_float64(make, name):
    world = make(name, 0)
    noise = world.draw(512, stream(0, "test"))
    wide = {k: v.astype(np.float64) if v.dtype.kind == "f" else v for k, v in noise.items()}
    exact = world.generate(wide)
    for single in (world.generate(noise), world.generate(to_torch(noise))):
        assert "float32" in str(single.images.dtype)
        errors = [abs(exact.images - np.asarray(single.images))]
        errors += [abs(values - np.asarray(single.latents[level])) for level, values in exact.latents.items()]
        for error in errors:
            assert error.max() < FLOAT32.get(name, 2e-4)
            assert np.sqrt(np.square(error).mean()) < 1e-4


@every_world
def test_worlds_and_noise_can_be_stacked(make, name):
    members = [make(name, seed) for seed in (0, 1)]
    if not members[0].stackable:
        pytest.skip("says that it cannot be stacked")
    noises = [w.draw(9, stream(w.seed, "test"), np.float64) for w in members]
    params = {k: torch.from_numpy(np.stack([w.params[k] for w in members])) for k in members[0].params}
    noise = {k: torch.from_numpy(np.stack([x[k] for x in noises])) for k in noises[0]}
    images, latents = torch.func.vmap(members[0].forward)(params, noise)
    for k, (world, own) in enumerate(zip(members, noises, strict=True)):
        alone = world.generate(own)
        assert abs(alone.images - images[k].numpy()).max() < 1e-9
        for level, values in alone.latents.items():
            assert abs(values - latents[level][k].numpy()).max() < 1e-9


@every_world
def test_any_leading_axes(make, name):
    world = make(name, 0)
    noise = world.draw(6, stream(0, "test"), np.float64)
    flat = world.generate(noise)
    for lead in ((2, 3), (6, 1), (1, 2, 3)):
        shaped = world.generate({k: v.reshape(*lead, *v.shape[1:]) for k, v in noise.items()})
        assert shaped.images.shape == (*lead, *world.image_shape)
        assert abs(shaped.images.reshape(flat.images.shape) - flat.images).max() < 1e-12
    one = world.generate({k: v[4] for k, v in noise.items()})
    assert one.images.shape == world.image_shape
    assert abs(one.images - flat.images[4]).max() < 1e-12


@every_world
def test_an_image_depends_on_its_own_noise_alone(make, name):
    world = make(name, 0)
    noise = world.draw(8, stream(0, "test"), np.float64)
    before = world.generate(noise).images
    other = world.draw(8, stream(1, "test"), np.float64)
    mixed = {k: np.concatenate([v[:4], other[k][4:]]) for k, v in noise.items()}
    after = world.generate(mixed).images
    assert np.allclose(before[:4], after[:4], atol=1e-12)
    assert (abs(before[4:] - after[4:]).max((1, 2, 3)) > 1e-3).all()


@every_world
def test_every_level_of_noise_reaches_the_blocks_below_it(make, name):
    world = make(name, 0)
    noise = world.draw(400, stream(0, "test"), np.float64)
    other = world.draw(400, stream(1, "test"), np.float64)
    base = patchify(world.generate(noise).images, world.token_pixels)
    for level, values in noise.items():
        for node in range(values.shape[1]):
            changed = values.copy()
            changed[:, node] = other[level][:, node]
            moved = patchify(world.generate({**noise, level: changed}).images, world.token_pixels)
            reached = set(np.flatnonzero(abs(moved - base).max((0, 2)) > 1e-9))
            graph_node = world.node_names(level)[node]
            below = {graph_node} if level == 0 else set()
            below |= {x for x in world.node_names(0) if graph_node in world.graph.ancestors(x)}
            assert reached == {int(x[1:]) for x in below}, (level, node)


@every_world
def test_streams_and_indices_never_share_a_sample(make, name):
    world = make(name, 0)
    keys = [(s, ()) for s in ("train", "probe-train", "test", "display", "strength")]
    keys += [("train", (0, 0)), ("train", (0, 1)), ("train", (1, 0))]
    rows = np.concatenate([world.sample(200, s, i).images.reshape(200, -1) for s, i in keys])
    assert len(np.unique(rows, axis=0)) == len(rows) == 200 * len(keys)


@every_world
def test_a_world_is_never_redrawn(make, name):
    world = worlds.make(name, 2)
    before = {k: v.copy() for k, v in world.params.items()}
    first = world.sample(8).images
    for stream_name in STREAMS:
        world.sample(4, stream_name)
    world.generate(to_torch(world.draw(4, np.random.default_rng(0))))
    assert same(before, world.params)
    assert np.array_equal(world.sample(8).images, first)


@every_world
def test_graph(make, name):
    world = make(name, 0)
    graph = world.graph
    assert set(graph.leaves) == set(world.node_names(0)) == {f"x{i}" for i in range(16)}
    latents = {n for level in range(1, world.levels + 1) for n in world.node_names(level)}
    assert set(graph.latents) == latents
    for level in range(world.levels + 1):
        names = world.node_names(level)
        assert len(names) == world.n_nodes[level]
        for i, node in enumerate(names):
            assert graph.level(node) == level
            assert graph.dims[node] == world.dims[level]
            if level < world.levels:  # the tree over blocks of tokens is a part of every world's graph
                assert world.node_names(level + 1)[world.grid.parent(level)[i]] in graph.parents(node)
    assert graph.parents(world.node_names(world.levels)[0]) == ()


@every_world
def test_targets(make, name):
    world = make(name, 0)
    sample = world.sample(50)
    targets = world.targets(sample)
    places = {(t.kind, t.level, t.node) for t in targets}
    assert len(places) == len(targets)
    assert places == {
        ("latent", level, i) for level in sample.latents for i in range(world.n_nodes[level])
    } | {("noise", level, i) for level, spec in world.noise_spec.items() for i in range(spec.shape[0])}
    for t in targets:
        source = (sample.latents if t.kind == "latent" else sample.noise)[t.level][:, t.node]
        assert t.values.dtype == np.float32 and t.values.ndim == 2 and len(t.values) == 50
        if source.dtype.kind == "f":
            assert t.labels is None and np.array_equal(t.values, source)
            continue
        high = (world.n_symbols[t.level],) if t.kind == "latent" else world.noise_spec[t.level].high
        assert t.values.shape == (50, sum(high))
        assert (t.values.sum(1) == len(high)).all() and set(np.unique(t.values)) <= {0, 1}
        starts = np.cumsum([0, *high[:-1]])
        assert (np.take_along_axis(t.values, starts + source, 1) == 1).all()
        if len(high) == 1:
            assert t.labels.dtype == np.int64 and np.array_equal(t.labels, source[:, 0])
        else:
            assert t.labels is None


@every_world
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"leaves": 12}, "leaves=12 must be a power of two"),
        ({"leaves": 1}, "leaves=1 must be a power of two"),
        ({"leaves": "16"}, "leaves='16' must be a power of two"),
        ({"token_pixels": 0}, "token_pixels=0 must be an integer, at least 1"),
        ({"token_pixels": 2.0}, "token_pixels=2.0 must be an integer"),
        ({"depth": 3}, "setting 'depth' must be one of: .*leaves"),
    ],
)
def test_settings_that_all_worlds_refuse(make, name, settings, message):
    with pytest.raises(WorldError, match=f"{name}: {message}") as caught:
        worlds.make(name, 0, **settings)
    assert "\n" not in str(caught.value)


@every_world
@pytest.mark.parametrize("seed", [-1, 1.0, True, "0", None, 2**32])
def test_bad_seeds_are_refused(make, name, seed):
    with pytest.raises(WorldError, match=f"{name}: seed={seed!r} must be an integer in"):
        worlds.make(name, seed)


@every_world
@pytest.mark.parametrize("n", [0, -3, 1.5, True])
def test_bad_sample_sizes_are_refused(make, name, n):
    with pytest.raises(WorldError, match=f"{name}: n={n} must be an integer, at least 1"):
        make(name, 0).sample(n)


BAD = [
    ("additive_tree", {"dim": 0}, r"dim=0 must be an integer in \[1, 12\]"),
    ("additive_tree", {"dim": 13}, "dim=13"),
    ("additive_tree", {"dim": 2.0}, "dim=2.0 must be an integer"),
    ("additive_tree", {"rho": 1}, "rho=1 must be a number in"),
    ("additive_tree", {"rho": -0.1}, "rho=-0.1"),
    ("additive_tree", {"rho": float("nan")}, "rho=nan"),
    ("additive_tree", {"rho": "0.9"}, "rho='0.9'"),
    ("additive_tree", {"fold": -1}, "fold=-1"),
    ("additive_tree", {"fold": None}, "fold=None"),
    ("gaussian_tree", {"dim": 13}, "dim=13"),
    ("gaussian_tree", {"rho": 1.0}, "rho=1.0"),
    ("invertible_tree", {"root_dim": 0}, r"root_dim=0 must be an integer in \[1, 8\]"),
    ("invertible_tree", {"root_dim": 9}, "root_dim=9"),
    ("invertible_tree", {"noise_dim": 3}, r"noise_dim=3 must be an integer in \[1, 2\]"),
    ("invertible_tree", {"noise_dim": 0}, "noise_dim=0"),
    ("invertible_tree", {"omega": -1}, "omega=-1"),
    (
        "invertible_tree",
        {"token_pixels": 1},
        "token_pixels=1 gives 3 values a token, .* more than the 4 levels",
    ),
    ("grammar_tree", {"symbols": 4, "productions": 2}, "symbols=4 must be more than twice productions=2"),
    ("grammar_tree", {"symbols": 2.5}, "symbols=2.5 must be an integer"),
    ("grammar_tree", {"productions": 0}, "productions=0"),
    ("grammar_tree", {"pixel_noise": 0}, "pixel_noise=0"),
    ("grammar_tree", {"patterns": "dots"}, "patterns='dots' must be one of: random, oriented"),
    ("grammar_tree", {"patterns": 1}, "patterns=1 must be one of: random, oriented"),
    ("grammar_tree", {"patterns": "oriented"}, "token_pixels=2 must be at least 4 for patterns='oriented'"),
    ("sign_hidden", {"symbols": 4}, "symbols=4 must be more than twice productions=2"),
    ("symbol_tree", {"root": 1}, r"root=1 must be an integer in \[2, 4096\]"),
    ("symbol_tree", {"digits": 2.0}, "digits=2.0 must be an integer"),
    ("symbol_tree", {"ambiguity": 2.5}, r"ambiguity=2.5 must be a number in \[1, 2\]"),
    ("symbol_tree", {"ambiguity": 0.9}, "ambiguity=0.9"),
    ("symbol_tree", {"pixel_noise": 0}, "pixel_noise=0"),
    ("latent_dag", {"extra": 1.1}, r"extra=1.1 must be a number in \[0, 1\]"),
    ("latent_dag", {"extra_tokens": -0.5}, "extra_tokens=-0.5"),
    ("latent_dag", {"skip": True}, "skip=True"),
    ("latent_dag", {"dim": 20}, "dim=20"),
    (EXAMPLE, {"spread": -1}, "spread=-1"),
]


@pytest.mark.parametrize(("name", "settings", "message"), BAD)
def test_bad_settings_of_a_world_are_refused(make, name, settings, message):
    with pytest.raises(WorldError, match=f"{name}: {message}") as caught:
        worlds.make(name, 0, **settings)
    assert "\n" not in str(caught.value)


def test_an_unknown_world_is_refused(make):
    with pytest.raises(WorldError, match=r"world 'quadtree' must be one of: additive_tree, .*latent_dag"):
        worlds.make("quadtree", 0)


def test_a_module_without_a_world_is_refused(make, tmp_path, monkeypatch):
    (tmp_path / "empty_world.py").write_text("from maestrata.worlds.base import World\n")
    monkeypatch.setattr(worlds, "__path__", [*worlds.__path__, str(tmp_path)])
    modules.available.cache_clear()
    try:
        with pytest.raises(WorldError, match=r"\(maestrata/worlds/empty_world.py defines no `name`\)"):
            worlds.make("empty_world", 0)
    finally:
        monkeypatch.undo()
        modules.available.cache_clear()


def test_noise_without_a_dtype_is_refused(make):
    world = make("grammar_tree", 0)
    noise = {level: values for level, values in world.draw(2, np.random.default_rng(0)).items() if level}
    with pytest.raises(WorldError, match="no floating-point array"):
        world.generate(noise)


def test_choices_are_uniform():
    class Choice(World):
        name = "choice"

        def forward(self, params, noise):
            raise NotImplementedError

    world = Choice(0, leaves=2, token_pixels=1, settings={})
    world.noise_spec = {1: worlds.NoiseSpec("choice", (1, 2), (3, 5)), 0: worlds.NoiseSpec("normal", (2, 1))}
    drawn = world.draw(15_000, np.random.default_rng(0))
    counts = np.histogram2d(*drawn[1][:, 0].T, bins=(np.arange(4), np.arange(6)))[0]
    assert (abs(counts - 1000) < 5 * np.sqrt(1000)).all()
    assert drawn[1].dtype == np.int64 and drawn[0].dtype == np.float32
