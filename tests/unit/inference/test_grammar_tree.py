"""Belief propagation on the grammar against enumeration of all derivations, and against pgmpy."""

import numpy as np
import pytest

from maestrata import worlds
from maestrata.geometry import patchify
from maestrata.inference import grammar_tree
from maestrata.inference.base import posterior
from maestrata.inference.grammar_tree import derivations


def enumerated(world, images, visible):
    """Posterior weight of every derivation, (n, derivations), and the table of derivations."""
    table = derivations(world)
    tokens = patchify(images.astype(np.float64), world.token_pixels)
    logs = np.zeros((len(images), len(table["x0"])))
    for i in range(world.grid.n_tokens):
        apart = tokens[:, i, None] - world.params["patterns"][table[f"x{i}"]]
        logs -= visible[:, i, None] * (apart**2).sum(-1) / (2 * world.settings["pixel_noise"] ** 2)
    weights = np.exp(logs - logs.max(1, keepdims=True))
    return weights / weights.sum(1, keepdims=True), table


@pytest.mark.parametrize(
    ("leaves", "symbols", "productions", "pixel_noise"),
    [(4, 5, 2, 1.0), (8, 5, 2, 0.3), (2, 9, 4, 3.0), (8, 3, 1, 0.5)],
)
def test_equals_enumeration(leaves, symbols, productions, pixel_noise):
    world = worlds.make(
        "grammar_tree", 3, leaves=leaves, symbols=symbols, productions=productions, pixel_noise=pixel_noise
    )
    n = 40
    sample = world.sample(n)
    visible = np.random.default_rng(0).random((n, leaves)) < 0.5
    visible[:, 0] |= ~visible.any(1)
    found = posterior(world, sample.images, visible, noise=True)
    weights, table = enumerated(world, sample.images, visible)
    for level in range(world.levels + 1):
        for i, name in enumerate(world.node_names(level)):
            symbol = table[name][:, 0] if level else table[name]
            expected = weights @ np.eye(symbols)[symbol]
            np.testing.assert_allclose(found.probabilities[level][:, i], expected, atol=1e-10)
            if level:
                expected = weights @ np.eye(productions)[table[name][:, 1]]
                np.testing.assert_allclose(found.noise[level][:, i, -productions:], expected, atol=1e-10)
    np.testing.assert_allclose(found.noise[world.levels][..., :symbols], found.mean[world.levels])
    patterns = world.params["patterns"]
    for i in range(leaves):
        drawn = patterns[table[f"x{i}"]]
        mean = weights @ drawn
        hidden = ~visible[:, i]
        np.testing.assert_allclose(found.tokens[hidden, i], mean[hidden], atol=1e-9)
        variance = (weights @ drawn**2 - mean**2).mean(1) + pixel_noise**2
        np.testing.assert_allclose(found.token_variance[hidden, i], variance[hidden], atol=1e-9)


@pytest.mark.filterwarnings("ignore")  # what pgmpy deprecates of its own is not ours
def test_equals_pgmpy():
    """The same model as a Bayesian network, whose tokens' pixels are virtual evidence."""
    from pgmpy.factors.discrete import TabularCPD
    from pgmpy.inference import BeliefPropagation
    from pgmpy.models import DiscreteBayesianNetwork

    world = worlds.make("grammar_tree", 4, leaves=4, symbols=5, productions=2, pixel_noise=0.8)
    q, m = 5, 2
    image = world.sample(1).images
    visible = np.array([True, False, True, True])
    edges, cpds = [], [TabularCPD("z2.0", q, np.full((q, 1), 1 / q))]
    for level in (2, 1):
        rules = world.params[f"rules{level}"]
        for i, parent in enumerate(world.node_names(level)):
            edges.append((parent, f"p{parent}"))
            cpds.append(TabularCPD(f"p{parent}", m, np.full((m, q), 1 / m), [parent], [q]))
            for side in (0, 1):
                child = world.node_names(level - 1)[world.grid.children(level)[i, side]]
                edges += [(parent, child), (f"p{parent}", child)]
                table = np.eye(q)[rules[:, :, side]].reshape(q * m, q).T
                cpds.append(TabularCPD(child, q, table, [parent, f"p{parent}"], [q, m]))
    network = DiscreteBayesianNetwork(edges)
    network.add_cpds(*cpds)
    tokens = patchify(image.astype(np.float64), 2)[0]
    evidence = []
    for i in np.flatnonzero(visible):
        logs = -((tokens[i] - world.params["patterns"]) ** 2).sum(1) / (2 * 0.8**2)
        evidence.append(
            TabularCPD(f"x{i}", q, np.exp(logs - logs.max())[:, None] / np.exp(logs - logs.max()).sum())
        )
    found = posterior(world, image, visible)
    for level in range(3):
        for i, name in enumerate(world.node_names(level)):
            if level == 0 and visible[i]:
                continue
            expected = BeliefPropagation(network).query(
                [name], virtual_evidence=evidence, show_progress=False
            )
            np.testing.assert_allclose(found.mean[level][0, i], expected.values, atol=1e-8)


def test_pixels_far_from_every_pattern_still_have_a_posterior():
    """A reconstruction is no image of the world; likelihoods that underflow must not become 0/0."""
    world = worlds.make("grammar_tree", 0, leaves=16, pixel_noise=0.01)
    sample = world.sample(8)
    found = posterior(world, sample.images * 0.5 + 3.0, np.ones(16, bool))
    for level in found.mean:
        np.testing.assert_allclose(found.mean[level].sum(-1), 1)


def test_batches_do_not_show(monkeypatch):
    world = worlds.make("grammar_tree", 0, leaves=8)
    sample = world.sample(70)
    whole = posterior(world, sample.images, np.arange(8) < 5)
    monkeypatch.setattr(grammar_tree, "BLOCK", 1)  # 16 images at a time
    parts = posterior(world, sample.images, np.arange(8) < 5)
    for level in whole.mean:
        np.testing.assert_allclose(parts.mean[level], whole.mean[level], atol=1e-12)


def test_whole_image_determines_every_symbol():
    world = worlds.make("grammar_tree", 0)
    sample = world.sample(200)
    found = posterior(world, sample.images, np.ones(16, bool))
    for level, latents in sample.latents.items():
        np.testing.assert_array_equal(found.mean[level].argmax(-1), latents[..., 0])


def test_symbol_paths_equal_enumeration():
    world = worlds.make("grammar_tree", 5, leaves=8, symbols=5, productions=2)
    table = derivations(world)
    for token, (below, marginal) in enumerate(grammar_tree.symbol_paths(world)):
        for level in range(1, world.levels + 1):
            above = table[f"z{level}.{world.grid.node_of_token(level)[token]}"][:, 0]
            joint = np.zeros((5, 5))
            np.add.at(joint, (above, table[f"x{token}"]), 1 / len(above))
            np.testing.assert_allclose(marginal[level], joint.sum(1), atol=1e-12)
            np.testing.assert_allclose(marginal[level][:, None] * below[level], joint, atol=1e-12)
