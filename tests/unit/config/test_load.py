"""Loading of configs: what is merged, what is refused, and in which words."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from maestrata.config.load import json_schema, load_config
from maestrata.errors import ConfigError

ROOT = Path(__file__).parents[3]
BASE: dict[str, Any] = {
    "run": "try",
    "worlds": {"a": {"kind": "gaussian_tree", "settings": {"leaves": 16}}, "g": {"kind": "grammar_tree"}},
    "grid": [{"worlds": ["a", "g"], "mask_ratios": [0.25, 0.5], "images": 2000}],
}


def write(folder: Path, content: Any, name: str = "config.yaml") -> Path:
    path = folder / name
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return path


def changed(*key: str | int, to: Any) -> dict[str, Any]:
    """BASE with the value at a key path replaced or added."""
    content = copy.deepcopy(BASE)
    at: Any = content
    for part in key[:-1]:
        at = at.setdefault(part, {}) if isinstance(at, dict) else at[part]
    at[key[-1]] = to
    return content


def test_values_and_defaults(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, BASE))
    assert config.run == "try"
    assert config.results == "results"
    assert config.training.betas == (0.9, 0.95)
    assert config.grid[0].patches == ("1x1",)
    assert config.grid[0].world_seeds == (0,)
    with pytest.raises(ValueError, match="frozen"):
        config.run = "other"  # type: ignore[misc]


def test_a_count_of_seeds_is_as_good_as_their_list(tmp_path: Path) -> None:
    counted = load_config(write(tmp_path, changed("grid", 0, "seeds", to=3)))
    listed = load_config(write(tmp_path, changed("grid", 0, "seeds", to=[0, 1, 2])))
    spanned = load_config(write(tmp_path, changed("grid", 0, "seeds", to="0-2")))
    assert counted == listed == spanned


@pytest.mark.parametrize("text", ["5-3", "0-4294967295", "1-", "a-b"])
def test_a_span_of_seeds_has_its_ends_in_order_and_not_too_far_apart(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match=r"seeds=.* must be a (span|count)"):
        load_config(write(tmp_path, changed("grid", 0, "seeds", to=text)))


def test_extends_merges_mappings_and_replaces_lists(tmp_path: Path) -> None:
    write(tmp_path, BASE, "base.yaml")
    child = {
        "extends": "base.yaml",
        "worlds": {"a": {"settings": {"rho": 0.5}}},
        "grid": [{"worlds": ["a"], "mask_ratios": [0.5]}],
    }
    config = load_config(write(tmp_path, child))
    assert config.worlds["a"].settings == {"leaves": 16, "rho": 0.5}
    assert set(config.worlds) == {"a", "g"}
    assert len(config.grid) == 1
    assert config.grid[0].worlds == ("a",)


def test_overrides_win_over_files(tmp_path: Path) -> None:
    path = write(tmp_path, BASE)
    assert load_config(path, overrides={"training": {"batch": 64}}).training.batch == 64


def test_text_inside_overrides_is_read_as_yaml(tmp_path: Path) -> None:
    overrides = ["training={batch: 64, samples: null, betas: [0.8, 0.9]}", "note=a: b"]
    config = load_config(write(tmp_path, BASE), overrides=overrides)
    assert (config.training.batch, config.training.samples, config.training.betas) == (64, None, (0.8, 0.9))
    assert config.note == "a: b"


def test_exponents_without_a_point_are_numbers(tmp_path: Path) -> None:
    text = yaml.safe_dump(BASE) + "training: {lr: 2e-3, weight_decay: 5E-2}\n"
    training = load_config(write(tmp_path, text)).training
    assert (training.lr, training.weight_decay) == (0.002, 0.05)


# key path to change, value, what the message must say: key or value, what is allowed
WRONG = [
    (("trainin",), {}, ["trainin: unknown key", "training"]),
    (("training", "foo"), 1, ["training.foo: unknown key", "weight_decay"]),
    (("grid", 0, "mask_ratio"), [0.5], ["grid[0].mask_ratio: unknown key", "mask_ratios"]),
    (("interventions",), [], ["interventions: this key is now called experiments"]),
    (("grid", 0, "training"), {"lr": 2}, ["grid[0].training.lr=2", "(0, 1)"]),
    (("grid", 0, "training"), {"lr": "x"}, ["grid[0].training.lr='x'", "number"]),
    (("training", "betas"), [0.9, 1], ["training.betas[1]=1", "[0, 1)"]),
    (("training", "samples"), 50, ["training.samples=50", "one batch of 64"]),
    (("theory", "samples"), 1, ["theory.samples=1", "[2, 1_000_000]"]),
    (("theory", "dag_samples"), 1, ["theory.dag_samples=1", "[2, 1_000_000]"]),
    (("limits", "grid_samples"), 1, ["limits.grid_samples=1", "[2, 1_000_000]"]),
    (("limits", "bound_samples"), 1, ["limits.bound_samples=1", "[2, 1_000_000]"]),
    (("evaluation", "test"), 99, ["evaluation.test=99", "[100, 1_000_000]"]),
    (
        ("evaluation", "poolings"),
        ["mean"],
        ["evaluation.poolings[0]='mean'", "aligned, cls, concat, global, tokens"],
    ),
    (("evaluation", "probes"), [], ["evaluation.probes=[]", "empty"]),
    (("evaluation", "probes"), ["ridge", "ridge"], ["evaluation.probes=", "twice"]),
    (("evaluation", "control_images"), 50, ["evaluation.control_images=50", "one batch of 64"]),
    (("evaluation", "probe_settings"), {"ridge": {"points": [1]}}, ["probe_settings.ridge.points"]),
    (("grid", 0, "training"), {"lrr": 1}, ["grid[0].training.lrr: unknown key", "lr"]),
    (("worlds", "a", "dim"), 2, ["worlds.a.dim: unknown key", "kind, path, settings (a setting of its own"]),
    (("training", "batch"), "x", ["training.batch='x'", "whole number"]),
    (("training", "batch"), 2.5, ["training.batch=2.5", "whole number"]),
    (("training", "batch"), True, ["training.batch=True", "whole number"]),
    (("training", "batch"), 0, ["training.batch=0", "[1, 1_000_000]"]),
    (("training", "lr"), float("inf"), ["training.lr: .inf is inf to some readers"]),
    (("model", "width"), 30, ["model.width=30 must be a multiple of 4 and of heads=2"]),
    (("worlds", "a"), 3, ["worlds.a=3", "mapping"]),
    (("worlds", "a/b"), {"kind": "x"}, ["'a/b'", "letters, digits"]),
    (("worlds", "a", "kind"), "tree", ["kind='tree'", "worlds.a.kind", "additive_tree", "grammar_tree"]),
    (("worlds", "a", "settings", "rho"), 2, ["rho=2", "worlds.a.settings"]),
    (("worlds", "a", "settings", "colour"), 2, ["'colour'", "worlds.a.settings", "rho"]),
    (("worlds", "a", "settings", "leaves"), 12, ["leaves=12", "power of two"]),
    (("run",), "../elsewhere", ["run='../elsewhere'", "letters, digits"]),
    (("run",), "a b", ["run='a b'", "letters, digits"]),
    (("results",), "results/../..", ["results='results/../..'", "'..'"]),
    (("grid",), [], ["grid=[]", "must not be empty"]),
    (("grid", 0, "mask_ratios"), [0.5, 1.0], ["grid[0].mask_ratios[1]=1.0", "(0, 1)"]),
    (("grid", 0, "mask_ratios"), [0], ["grid[0].mask_ratios[0]=0", "(0, 1)"]),
    (("grid", 0, "mask_ratios"), 0.5, ["grid[0].mask_ratios=0.5", "list"]),
    (("grid", 0, "mask_ratios"), [0.5, 0.5], ["grid[0].mask_ratios=", "twice"]),
    (("grid", 0, "patches"), ["1x1", "3x1"], ["3x1", "4x4 token grid", "grid[0].patches[1]"]),
    (("grid", 0, "patches"), ["4x4"], ["4x4", "grid[0].patches[0]"]),
    (("grid", 0, "patches"), ["two"], ["'two'", "HEIGHTxWIDTH", "grid[0].patches[0]"]),
    (("grid", 0, "patches"), ["2x1", "1x2"], ["'1x2'", "'2x1'", "differ in size"]),
    (("grid", 0, "patches"), ["2x1", "1x2o"], ["'1x2o'", "'2x1'", "differ in size"]),
    (("grid", 0, "worlds"), ["zz"], ["'zz'", "a, g", "grid[0].worlds[0]"]),
    (("grid", 0, "world_seeds"), 0, ["grid[0].world_seeds=0", "count"]),
    (("grid", 0, "world_seeds"), [1, -1], ["grid[0].world_seeds[1]=-1", "greater than or equal to 0"]),
    (("experiments",), [{"name": "none_such", "worlds": ["a"]}], ["experiment 'none_such'", "one of"]),
    (("experiments",), [{"name": "border", "worlds": ["b"]}], ["world 'b' must be one of: a, g"]),
    (
        ("experiments",),
        [{"name": "border", "worlds": ["a"], "settings": {"image": 1}}],
        ["setting 'image' must be one of", "experiments[0].settings"],
    ),
    (("experiments",), [{"name": "hidden_sign", "worlds": ["g"]}], ["'grammar_tree'", "sign_hidden"]),
    (
        ("experiments",),
        [{"name": "invariance", "worlds": ["a"], "world_seeds": [3]}],
        ["reads trained models", "world seed 3", "`experiments: []` makes none"],
    ),
    (("experiments",), [{"name": "border", "worlds": ["a"]}] * 2, ["listed twice", "experiments[1]"]),
    (("claims", "names"), ["none_such"], ["claim 'none_such' must be one of", "claims.names[0]"]),
    (("claims", "worlds"), {"sweeps": "a"}, ["role 'sweeps' must be one of", "claims.worlds"]),
    (("claims", "worlds"), {"sweep": "none"}, ["world 'none' must be one of", "claims.worlds.sweep"]),
    (("grid", 0, "images"), 20, ["images=20", "one batch of 64", "grid[0].images"]),
    (("evaluation", "probes"), ["svm"], ["'svm'", "ridge", "evaluation.probes[0]"]),
    (("evaluation", "probe_settings"), {"svm": {}}, ["'svm'", "ridge", "evaluation.probe_settings.svm"]),
    (("figures", "names"), ["sketch"], ["'sketch'", "figures.names[0]"]),
    (("figures", "names"), 3, ["figures.names=3", "'all'", "list"]),
]


@pytest.mark.parametrize(("key", "value", "said"), WRONG, ids=lambda v: str(v)[:40])
def test_wrong_values_are_named_in_one_line(
    tmp_path: Path, key: tuple[str | int, ...], value: Any, said: list[str]
) -> None:
    path = write(tmp_path, changed(*key, to=value))
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    message = str(caught.value)
    assert "\n" not in message
    assert all(part in message for part in [*said, str(path)]), message


@pytest.mark.parametrize("key", ["run", "worlds", "grid"])
def test_missing_keys_are_named(tmp_path: Path, key: str) -> None:
    content = {k: v for k, v in BASE.items() if k != key}
    with pytest.raises(ConfigError, match=f"^{key} must be given"):
        load_config(write(tmp_path, content))


def test_the_file_that_sets_a_wrong_value_is_named(tmp_path: Path) -> None:
    parent = write(tmp_path, changed("training", "batch", to="x"), "parent.yaml")
    child = write(tmp_path, {"extends": "parent.yaml", "training": {"lr": 0.1}}, "child.yaml")
    with pytest.raises(ConfigError) as caught:
        load_config(child)
    assert str(parent) in str(caught.value)
    assert str(child) not in str(caught.value)


def test_a_renamed_key_is_named_with_its_file_and_on_the_command_line(tmp_path: Path) -> None:
    write(tmp_path, {**BASE, "interventions": []}, "parent.yaml")
    child = write(tmp_path, {"extends": "parent.yaml"}, "child.yaml")
    with pytest.raises(ConfigError, match=r"^interventions: .* experiments \(config: .*parent\.yaml\)$"):
        load_config(child)
    with pytest.raises(ConfigError, match=r"^interventions: .* experiments \(config: --config\)$"):
        load_config(write(tmp_path, BASE), overrides={"interventions": []})


def test_one_cell_cannot_be_trained_in_two_ways(tmp_path: Path) -> None:
    content = copy.deepcopy(BASE)
    content["grid"].append({"worlds": ["a"], "mask_ratios": [0.52], "images": 4000})
    with pytest.raises(ConfigError, match=r"a/w0/p1x1/v8/s0.*images: 2000 and 4000.*grid\[1\]"):
        load_config(write(tmp_path, content))


def test_images_are_given_once(tmp_path: Path) -> None:
    content = changed("grid", 0, "training", to={"images": 3000})
    with pytest.raises(ConfigError, match=r"images is given twice.*grid\[0\].training.images"):
        load_config(write(tmp_path, content))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("run: a\nrun: b\n", "'run' is given twice"),
        ("run: [", "not valid YAML"),
        ("- a\n", "must map keys to values"),
        ("", "must map keys to values"),
        ("1: 2\n", "key 1 must be text"),
        ("extends: nowhere.yaml\n", "extends='nowhere.yaml' must name a config file"),
        ("extends: config.yaml\n", "must not extend itself"),
        ("extends: [a, b]\n", "must be the name of one config file"),
    ],
)
def test_files_that_are_no_config(tmp_path: Path, text: str, said: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert said in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml cannot be read: No such file"):
        load_config(tmp_path / "none.yaml")


def test_schema_is_in_sync() -> None:
    path = ROOT / "workflow" / "schemas" / "config.schema.json"
    assert path.read_text() == json_schema(), (
        "run: python -m maestrata.config.load > workflow/schemas/config.schema.json"
    )


def test_every_key_is_in_the_docs() -> None:
    schema = json.loads(json_schema())
    page = (ROOT / "docs" / "configuration.md").read_text()
    keys = {key for section in (schema, *schema["$defs"].values()) for key in section["properties"]}
    assert [key for key in sorted(keys) if f"`{key}`" not in page] == ["extends"]
