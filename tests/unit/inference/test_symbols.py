"""Belief propagation on trees of symbols against enumeration of all that can be drawn, and against pgmpy."""

import numpy as np
import pytest

from maestrata import worlds
from maestrata.geometry import patchify
from maestrata.inference import symbols
from maestrata.inference.base import posterior
from maestrata.inference.derivations import derivations

GRAMMAR = {"symbols": 5, "productions": 2}
SMALL = [
    ("grammar_tree", {"leaves": 4, **GRAMMAR, "pixel_noise": 1.0}),
    ("grammar_tree", {"leaves": 8, **GRAMMAR, "pixel_noise": 0.3}),
    ("grammar_tree", {"leaves": 2, "symbols": 9, "productions": 4, "pixel_noise": 3.0}),
    ("grammar_tree", {"leaves": 8, "symbols": 3, "productions": 1, "pixel_noise": 0.5}),
    ("grammar_tree", {"leaves": 4, **GRAMMAR, "pixel_noise": 2.0, "token_pixels": 4, "patterns": "oriented"}),
    ("sign_hidden", {"leaves": 4, **GRAMMAR, "pixel_noise": 1.0}),
    ("sign_hidden", {"leaves": 2, "symbols": 7, "productions": 3, "pixel_noise": 0.4}),
    ("symbol_tree", {"leaves": 4, "root": 3, "digits": 2, "ambiguity": 1, "pixel_noise": 1.0}),
    ("symbol_tree", {"leaves": 4, "root": 4, "digits": 3, "ambiguity": 1.8, "pixel_noise": 0.7}),
    ("symbol_tree", {"leaves": 4, "root": 5, "digits": 2, "ambiguity": 2.0, "pixel_noise": 2.0}),
    ("symbol_tree", {"leaves": 8, "root": 2, "digits": 2, "ambiguity": 1.5, "pixel_noise": 0.5}),
]
TREES = [
    ("grammar_tree", {"leaves": 4, **GRAMMAR}),
    ("symbol_tree", {"leaves": 4, "root": 3, "digits": 3, "ambiguity": 2.2}),
]
every_tree = pytest.mark.parametrize("name", ["grammar_tree", "sign_hidden", "symbol_tree"])


@pytest.mark.parametrize(("name", "settings"), SMALL)
def test_equals_enumeration(assert_equals_enumeration, name, settings):
    assert_equals_enumeration(worlds.make(name, 3, **settings))


@pytest.mark.filterwarnings("ignore")  # what pgmpy deprecates of its own is not ours
@pytest.mark.parametrize(("name", "settings"), TREES)
def test_equals_pgmpy(name, settings):
    """The same model as a Bayesian network, whose tokens' pixels are virtual evidence."""
    from pgmpy.factors.discrete import TabularCPD
    from pgmpy.inference import BeliefPropagation
    from pgmpy.models import DiscreteBayesianNetwork

    world = worlds.make(name, 4, **settings, pixel_noise=0.8)
    q = world.n_symbols
    image = world.sample(1).images
    visible = np.array([True, False, True, True])
    edges, cpds = [], [TabularCPD("z2.0", q[2], np.full((q[2], 1), 1 / q[2]))]
    for level in (2, 1):
        for i, parent in enumerate(world.node_names(level)):
            children = [world.node_names(level - 1)[c] for c in world.grid.children(level)[i]]
            if name == "grammar_tree":  # a production of the parent gives both
                rules = world.params[f"rules{level}"]
                m = rules.shape[1]
                edges.append((parent, f"p{parent}"))
                table = np.full((m, q[level]), 1 / m)
                cpds.append(TabularCPD(f"p{parent}", m, table, [parent], [q[level]]))
                for side, child in enumerate(children):
                    edges += [(parent, child), (f"p{parent}", child)]
                    table = np.eye(q[level - 1])[rules[:, :, side]].reshape(-1, q[level - 1]).T
                    above = [parent, f"p{parent}"], [q[level], m]
                    cpds.append(TabularCPD(child, q[level - 1], table, *above))
            else:
                for side, child in enumerate(children):
                    edges.append((parent, child))
                    table = np.eye(q[level - 1])[world.params[f"tables{level}"][:, side]].mean(1).T
                    cpds.append(TabularCPD(child, q[level - 1], table, [parent], [q[level]]))
    network = DiscreteBayesianNetwork(edges)
    network.add_cpds(*cpds)
    tokens = patchify(image.astype(np.float64), 2)[0]
    evidence = []
    for i in np.flatnonzero(visible):
        logs = -((tokens[i] - world.params["patterns"]) ** 2).sum(1) / (2 * 0.8**2)
        likelihood = np.exp(logs - logs.max())
        evidence.append(TabularCPD(f"x{i}", q[0], (likelihood / likelihood.sum())[:, None]))
    inferred = posterior(world, image, visible)
    for level in range(3):
        for i, node in enumerate(world.node_names(level)):
            if level == 0 and visible[i]:
                continue
            expected = BeliefPropagation(network).query(
                [node], virtual_evidence=evidence, show_progress=False
            )
            np.testing.assert_allclose(inferred.mean[level][0, i], expected.values, atol=1e-8)


@every_tree
def test_pixels_far_from_every_pattern_still_have_a_posterior(name):
    """A reconstruction is no image of the world; likelihoods that underflow must not become 0/0."""
    world = worlds.make(name, 0, leaves=16, pixel_noise=0.01)
    sample = world.sample(8)
    inferred = posterior(world, sample.images * 0.5 + 3.0, np.ones(16, bool))
    for level in inferred.mean:
        np.testing.assert_allclose(inferred.mean[level].sum(-1), 1)


@every_tree
def test_batches_do_not_show(name, monkeypatch):
    world = worlds.make(name, 0, leaves=8)
    sample = world.sample(70)
    whole = posterior(world, sample.images, np.arange(8) < 5, noise=True)
    monkeypatch.setattr(symbols, "BLOCK", 1)  # 16 images at a time
    parts = posterior(world, sample.images, np.arange(8) < 5, noise=True)
    for level in whole.mean:
        np.testing.assert_allclose(parts.mean[level], whole.mean[level], atol=1e-12)
        np.testing.assert_allclose(parts.noise[level], whole.noise[level], atol=1e-12)


@every_tree
def test_whole_image_determines_every_symbol(name):
    world = worlds.make(name, 0)
    sample = world.sample(200)
    inferred = posterior(world, sample.images, np.ones(16, bool))
    for level, latents in sample.latents.items():
        np.testing.assert_array_equal(inferred.mean[level].argmax(-1), latents[..., 0])


@pytest.mark.parametrize(("name", "settings"), TREES)
def test_derivations_and_symbol_paths_are_those_of_all_draws(every_draw, name, settings):
    world = worlds.make(name, 5, **settings)
    drawn = world.derive(world.params, every_draw(world))
    columns = [
        (node, drawn[level][:, i, 0])
        for level in range(world.levels + 1)
        for i, node in enumerate(world.node_names(level))
    ]
    table = derivations(world)
    listed = np.stack([table[node].reshape(len(table[node]), -1)[:, 0] for node, _ in columns], 1)
    expected = np.stack([values for _, values in columns], 1)
    assert sorted(map(tuple, listed)) == sorted(map(tuple, expected))
    for token, (below, marginal) in enumerate(symbols.symbol_paths(world)):
        leaf = drawn[0][:, token, 0]
        for level in range(1, world.levels + 1):
            above = drawn[level][:, world.grid.node_of_token(level)[token], 0]
            joint = np.zeros((world.n_symbols[level], world.n_symbols[0]))
            np.add.at(joint, (above, leaf), 1 / len(above))
            np.testing.assert_allclose(marginal[level], joint.sum(1), atol=1e-12)
            np.testing.assert_allclose(marginal[level][:, None] * below[level], joint, atol=1e-12)


def test_one_visible_token_determines_all_above_it_where_nothing_is_ambiguous():
    world = worlds.make("symbol_tree", 1, ambiguity=1)
    sample = world.sample(100)
    inferred = posterior(world, sample.images, np.arange(16) == 5, noise=True)
    for level, latents in sample.latents.items():
        node = world.grid.node_of_token(level)[5]
        np.testing.assert_allclose(
            inferred.mean[level][np.arange(100), node, latents[:, node, 0]], 1, atol=1e-6
        )
    for level in range(1, world.levels):
        node = world.grid.node_of_token(level)[5]
        digit = sample.noise[level][:, node, 0]
        np.testing.assert_allclose(inferred.noise[level][np.arange(100), node, digit], 1, atol=1e-6)
