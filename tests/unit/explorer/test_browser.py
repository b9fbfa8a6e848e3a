"""The page in a real browser, from a file: no errors, choices change the plot, a click changes c."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest

from maestrata.explorer.data import tree_json
from maestrata.geometry import TokenGrid
from maestrata.graphs import LatentGraph, tree_graph
from maestrata.theory import shared_information
from maestrata.theory.shared import READINGS, TIES

Ask = Callable[..., Any]

# A click where the middle of an element is, on whatever lies on top there, and a choice in a list.
HANDS = """
const click = element => {
  element.scrollIntoView({ block: "center" });
  const box = element.getBoundingClientRect();
  const hit = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
  hit.dispatchEvent(new MouseEvent("click", { bubbles: true }));
};
const choose = (id, value) => {
  const select = document.getElementById(id);
  select.value = value;
  if (select.value !== value) throw new Error(`${id} has no ${value}`);
  select.dispatchEvent(new Event("change", { bubbles: true }));
};
const textOf = id => document.getElementById(id).textContent;
"""


def test_it_loads_with_all_its_parts(ask: Ask, data: dict[str, Any]) -> None:
    told = ask(
        HANDS
        + """return {
          curves: document.querySelectorAll("#scores .series").length,
          nulls: document.querySelectorAll("#scores .null").length,
          ceilings: document.querySelectorAll("#scores .ceiling").length,
          tokens: document.querySelectorAll("#tree .token[role=checkbox]").length,
          claims: document.querySelectorAll("#verdicts .claim").length,
          text: textOf("scores-text"),
        };"""
    )
    first = next(iter(data["worlds"].values()))
    levels = next(iter(first["series"].values()))["trained"][str(first["primary"])]
    assert told["curves"] == told["nulls"] == told["ceilings"] == len(levels)
    assert told["tokens"] == first["tree"]["height"] * first["tree"]["width"]
    assert told["claims"] == len(data["verdicts"]) > 0
    assert "95 % t interval over" in told["text"]


def test_every_choice_changes_what_is_shown(ask: Ask) -> None:
    told = ask(
        HANDS
        + """
        const seen = [textOf("scores-table")];
        const look = (id, value) => { choose(id, value); seen.push(textOf("scores-table")); };
        const other = id => [...document.getElementById(id).options].map(o => o.value)
          .find(value => value !== document.getElementById(id).value);
        look("encoder", "random_init");
        look("level", other("level"));
        const dots = document.querySelectorAll("#scores circle.world").length;
        look("features", other("features"));
        look("level", "all");
        look("patch", other("patch"));
        look("world", other("world"));
        return { seen, dots };"""
    )
    assert len(set(told["seen"])) == len(told["seen"]) == 7
    assert told["dots"] > 12  # single worlds are shown where one level is


def test_all_choices_can_be_drawn(ask: Ask, data: dict[str, Any]) -> None:
    told = ask(
        HANDS
        + """
        const lists = {};
        for (const world of Object.keys(DATA.worlds)) {
          choose("world", world);
          lists[world] = 0;
          for (const patch of [...document.getElementById("patch").options].map(o => o.value)) {
            choose("patch", patch);
            for (const encoder of [...document.getElementById("encoder").options].map(o => o.value)) {
              choose("encoder", encoder);
              for (const features of [...document.getElementById("features").options].map(o => o.value)) {
                choose("features", features);
                lists[world] += document.querySelectorAll("#scores .series").length;
              }
            }
          }
        }
        return lists;"""
    )
    expected = {
        world: sum(
            len(levels)
            for by_encoder in about["series"].values()
            for by_features in by_encoder.values()
            for levels in by_features.values()
        )
        for world, about in data["worlds"].items()
    }
    assert told == expected


def test_a_click_on_tokens_masks_them_and_gives_c(ask: Ask, data: dict[str, Any]) -> None:
    names = ["x0", "x1", "x5"]
    told = ask(
        HANDS
        + f"""
        const seen = [];
        const first = textOf("tree-text");
        click(document.getElementById("clear"));
        for (const name of {json.dumps(names)}) {{
          const node = currentWorld().tree.names.indexOf(name);
          click(document.querySelector(`#tree .token[data-node="${{node}}"] rect`));
          seen.push([...document.querySelectorAll("#tree .node.in-c")].map(g => g.dataset.node).sort());
        }}
        const text = textOf("tree-text");
        const key = document.querySelector("#tree .token[role=checkbox]");
        key.focus();
        key.dispatchEvent(new KeyboardEvent("keydown", {{ key: " ", bubbles: true }}));
        const focused = document.activeElement.getAttribute("aria-label");
        choose("reading", "invertible highest");
        click(document.getElementById("clear"));
        return {{ seen, first, text, focused, cleared: textOf("tree-text") }};"""
    )
    tree = next(iter(data["worlds"].values()))["tree"]
    graph = graph_of(tree)
    expected = [sorted(shared_information(graph, names[: k + 1]).nodes) for k in range(len(names))]
    assert told["seen"] == expected
    assert told["first"].startswith("c = {")  # a mask is there to begin with
    shared = shared_information(graph, names)
    assert f"dimension {shared.dim}" in told["text"]
    assert all(node in told["text"] for node in shared.nodes)
    assert told["focused"] == "x0 masked"  # the token keeps the focus of the keyboard
    assert told["cleared"].startswith("Mask at least one token")


def test_drawn_masks_are_those_of_training(ask: Ask) -> None:
    told = ask(
        HANDS
        + """
        const counts = [];
        choose("patch", "2x1");
        for (let i = 0; i < 20; i++) {
          click(document.getElementById("draw"));
          const { tree, patches } = currentWorld(), of = patches["2x1"].of_token;
          const hidden = tokenNodes(tree).map(node => mask[node]);
          const whole = of.every((patch, i) => hidden[i] === hidden[of.indexOf(patch)]);
          counts.push([hidden.filter(Boolean).length, whole]);
        }
        return counts;"""
    )
    assert all(count == [4, True] for count in told)  # half of the four patches, whole


def graph_of(tree: dict[str, Any]) -> LatentGraph:
    names = tree["names"]
    edges = [(names[p], names[i]) for i, p in enumerate(tree["parent"]) if p >= 0]
    return LatentGraph(edges, dict(zip(names, tree["dim"], strict=True)))


def random_tree(rng: np.random.Generator, size: int) -> LatentGraph:
    """A tree of any shape and dimensions, of one or several components."""
    edges = [(f"n{rng.integers(max(0, i - 6), i)}", f"n{i}") for i in range(1, size) if rng.random() < 0.95]
    nodes = {node for edge in edges for node in edge}
    return LatentGraph(edges, {node: int(rng.integers(1, 4)) for node in nodes})


def test_c_is_what_the_theory_says(ask: Ask, data: dict[str, Any]) -> None:
    """Every mask of 8 tokens; random ones of 16 and 64, of each world's tree, and of odd trees."""
    rng = np.random.default_rng(0)
    graphs = [tree_graph(TokenGrid.for_leaves(leaves)) for leaves in (8, 16, 64)]
    trees = {json.dumps(w["tree"]) for w in data["worlds"].values() if w["tree"]}
    graphs += [graph_of(json.loads(tree)) for tree in sorted(trees)]
    graphs += [random_tree(rng, size) for size in (5, 9, 14, 20, 30)]
    asked, expected = [], []
    for k, graph in enumerate(graphs):
        leaves = graph.leaves
        masks = rng.random((12, len(leaves))) < rng.random((12, 1))
        if k == 0:
            masks = np.array(list(product([False, True], repeat=8)))
        for mask in masks[masks.any(1) & ~masks.all(1)]:
            hidden = [leaf for leaf, m in zip(leaves, mask, strict=True) if m]
            for reading, tie in product(READINGS, TIES):
                c = shared_information(graph, hidden, reading, tie)
                asked.append([k, hidden, reading, tie])
                expected.append([sorted(map(str, c.nodes)), c.dim, c.intrinsic_dim, c.unique])
    told = ask(
        f"""
        const trees = {json.dumps([tree_json(graph) for graph in graphs])};
        return {json.dumps(asked)}.map(([k, hidden, reading, tie]) => {{
          const tree = trees[k], masked = tree.names.map(name => hidden.includes(name));
          const c = sharedInformation(tree, masked, reading, tie);
          return [c.nodes.map(i => tree.names[i]).sort(), c.dim, c.intrinsicDim, c.unique];
        }});"""
    )
    assert len(told) > 1000
    wrong = [(a, t, e) for a, t, e in zip(asked, told, expected, strict=True) if t != e]
    assert wrong == []


def test_a_run_without_limits_or_verdicts(ask: Ask, data: dict[str, Any]) -> None:
    from maestrata.explorer.page import page

    bare = {**data, "verdicts": []}
    bare["worlds"] = {name: {**world, "ceiling": {}, "tree": None} for name, world in data["worlds"].items()}
    told = ask(HANDS + 'return [textOf("verdicts-text"), textOf("tree-text")];', page(bare))
    assert told[0] == "This run has no verdicts." and told[1].startswith("No tree")
    assert ask(HANDS + 'return textOf("scores-text");', page({**bare, "worlds": {}})).startswith("This run")


@pytest.mark.parametrize("place", ["#choices select", "#masks select", "#masks button"])
def test_everything_can_be_reached_by_keyboard(ask: Ask, place: str) -> None:
    """Each list and button is one of the browser's own and has a name."""
    told = ask(
        f"""return [...document.querySelectorAll({json.dumps(place)})].map(element => {{
          const named = element.labels && element.labels.length ? element.labels[0] : element;
          return [element.tabIndex, named.textContent];
        }});"""
    )
    assert told and all(index == 0 and name.strip() for index, name in told)
