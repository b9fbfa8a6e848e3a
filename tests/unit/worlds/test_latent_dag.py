"""Random latent graphs: structure, and that the functions follow it."""

from __future__ import annotations

import numpy as np
import pytest

from maestrata import worlds
from maestrata.random import stream
from maestrata.worlds import latent_dag


def test_without_extra_edges_it_is_the_additive_tree():
    settings = {"leaves": 8, "rho": 0.9, "fold": 0.3, "dim": 3}
    tree = worlds.make("additive_tree", 5, **settings)
    dag = worlds.make("latent_dag", 5, extra=0, extra_tokens=0, **settings)
    assert dag.graph == tree.graph and dag.graph.is_tree
    noise = tree.draw(50, stream(5, "test"), np.float64)
    one, two = tree.generate(noise), dag.generate(noise)
    assert abs(one.images - two.images).max() < 1e-10
    for level in one.latents:
        assert abs(one.latents[level] - two.latents[level]).max() < 1e-10


def test_extra_edges_leave_the_functions_of_the_tree_alone():
    plain, rich = (worlds.make("latent_dag", 5, leaves=8, extra=e, skip=e) for e in (0.0, 1.0))
    for level in range(3):
        nodes = plain.n_nodes[level]
        assert np.array_equal(plain.params[f"A{level}"][:nodes], rich.params[f"A{level}"][:nodes])
        assert np.array_equal(plain.params[f"parent{level}"][:nodes], rich.params[f"parent{level}"][:nodes])


def test_every_node_that_can_has_two_parents_when_asked():
    world = worlds.make("latent_dag", 0, extra=1, extra_tokens=1)
    graph = world.graph
    for level in range(world.levels):
        for node in world.node_names(level):
            parents = graph.parents(node)
            # below the root there is but one node to choose
            assert len(set(parents)) == len(parents) == (1 if level == world.levels - 1 else 2)
            assert all(graph.level(p) == level + 1 for p in parents)


def test_chances_are_those_of_the_settings(monkeypatch):
    monkeypatch.setattr(latent_dag, "CALIBRATION", 64)  # the structure alone is looked at
    counts = {"extra": [], "extra_tokens": [], "skip": []}
    for seed in range(40):
        world = worlds.make("latent_dag", seed, leaves=16, extra=0.3, extra_tokens=0.7, skip=0.2)
        graph = world.graph
        assert not graph.is_tree
        for level in range(world.levels):
            for node in world.node_names(level):
                rises = sorted(graph.level(p) - level for p in graph.parents(node))
                assert rises[0] == 1
                if level < world.levels - 1:
                    counts["extra" if level else "extra_tokens"].append(rises.count(1) - 1)
                    counts["skip"].append(sum(r > 1 for r in rises))
    for key, chance in {"extra": 0.3, "extra_tokens": 0.7, "skip": 0.2}.items():
        n = len(counts[key])
        assert np.mean(counts[key]) == pytest.approx(chance, abs=4 * np.sqrt(chance * (1 - chance) / n))
        assert set(counts[key]) == {0, 1}


def test_tokens_alone_or_latents_alone_may_have_several_parents():
    tokens = worlds.make("latent_dag", 0, extra=0, extra_tokens=1).graph
    latents = worlds.make("latent_dag", 0, extra=1, extra_tokens=0).graph
    assert {len(tokens.parents(x)) for x in tokens.leaves} == {2}
    assert {len(latents.parents(x)) for x in latents.leaves} == {1}
    assert {len(tokens.parents(z)) for z in tokens.latents} == {0, 1}
    assert {len(latents.parents(z)) for z in latents.latents} == {0, 1, 2}


@pytest.mark.parametrize("seed", [0, 1])
def test_a_node_listens_to_its_parents_in_the_graph_and_to_no_one_else(seed):
    world = worlds.make("latent_dag", seed, skip=0.4)
    rng = np.random.default_rng(seed)
    rows = [name for level in range(world.levels, 0, -1) for name in world.node_names(level)]
    for level in range(world.levels):
        above = [name for name in rows if world.graph.level(name) > level]
        values = rng.standard_normal((5, len(above), 4))
        base = world.child_mean(world.params, level, values)
        heard = {name: set() for name in world.node_names(level)}
        for k, name in enumerate(above):
            changed = values.copy()
            changed[:, k] = rng.standard_normal((5, 4))
            moved = abs(world.child_mean(world.params, level, changed) - base).max((0, 2)) > 1e-9
            for i in np.flatnonzero(moved):
                heard[world.node_names(level)[i]].add(name)
        assert heard == {name: set(world.graph.parents(name)) for name in heard}


def test_parents_weigh_the_same_and_children_have_unit_variance():
    world = worlds.make("latent_dag", 0, extra=1, extra_tokens=1, skip=0.5)
    sample = world.generate(world.draw(20_000, stream(0, "test"), np.float64))
    for level in range(1, world.levels + 1):
        assert np.allclose(np.square(sample.latents[level]).mean((0, 2)), 1, atol=0.04)
    for level in range(world.levels):
        share = world.params[f"share{level}"].reshape(-1, world.n_nodes[level])
        for column in share.T:
            weights = column[column > 0]
            assert np.allclose(weights, weights[0])
            if len(weights) > 1:  # uncorrelated parents would weigh 1 / sqrt(number) each
                assert 0.3 < weights[0] < 1
    # a noise part of 1 - rho^2, the rest from the parents
    above = np.concatenate([sample.latents[k] for k in range(world.levels, 1, -1)], 1)
    residual = sample.latents[1] - world.child_mean(world.params, 1, above)
    assert residual.var() == pytest.approx(1 - 0.98**2, rel=0.02)


def test_structure_differs_from_seed_to_seed_and_is_a_part_of_the_parameters():
    one, two = (worlds.make("latent_dag", seed) for seed in (0, 1))
    assert set(one.graph.edges) != set(two.graph.edges)
    # a world given another's parameters is that other world
    noise = one.draw(20, stream(0, "test"), np.float64)
    assert np.array_equal(one.forward(two.params, noise)[0], two.forward(two.params, noise)[0])
