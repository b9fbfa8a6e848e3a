"""Habits that ended in a job, in a traceback or in another run than was meant: docs/internals/faults.md.

Each is refused in one line (key path, value, what is allowed, file) before anything is made, or does what a
reader of the config expects.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from maestrata.bounds import MOST_CELLS
from maestrata.config.load import load_config
from maestrata.errors import ConfigError
from maestrata.run.plan import Plan
from maestrata.run.start import check_place, split_partial

CONFIGS = Path(__file__).parents[3] / "config"


@pytest.fixture(scope="module")
def configs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("configs")
    for path in CONFIGS.glob("*.yaml"):
        shutil.copy(path, folder)
    return folder


def mine(folder: Path, text: str | bytes, extends: str = "smoke.yaml") -> Path:
    path = folder / "mine.yaml"
    if isinstance(text, bytes):
        path.write_bytes(text)
    else:
        path.write_text(f"extends: {extends}\n{text}\n" if extends else text, encoding="utf-8")
    return path


def refused(path: Path, *said: str, overrides: Any = ()) -> str:
    before = sorted(path.parent.iterdir())
    with pytest.raises(ConfigError) as caught:
        load_config(path, overrides=overrides)
    message = str(caught.value)
    assert message.isprintable() and len(message) < 700
    assert all(part in message for part in said), message
    assert sorted(path.parent.iterdir()) == before
    return message


def block(more: str) -> str:
    return f"grid: [{{worlds: [additive], mask_ratios: [0.5], {more}}}]"


# What is written, how the message says it: row 7.
LITERALS = [
    (block("seeds: [007, 010]"), "grid[0].seeds[0]: 007 is 7 to some readers", "decimal digits"),
    (block("world_seeds: 012"), "grid[0].world_seeds: 012 is 10 to some readers", "decimal digits"),
    (block("seeds: 1:30"), "grid[0].seeds: 1:30 is 90 to some readers", "('1:30')"),
    (block("seeds: [0x1F]"), "0x1F is 31 to some readers", "('0x1F')"),
    (block("seeds: [0o17]"), "0o17 is no plain number", "('0o17')"),
    (block("seeds: [08]"), "08 is no plain number", "('08')"),
    (block("images: 24_00"), "24_00 is 2400 to some readers", "('24_00')"),
    ("model: {norm_pixels: yes}", "model.norm_pixels: yes is true to some readers", "write true or false"),
    ("note: no", "note: no is false to some readers", "('no')"),
    ("run: 2024-05-01", "run: 2024-05-01 is a date to some readers", "('2024-05-01')"),
    ("training: {lr: .inf}", "training.lr: .inf is inf to some readers", "('.inf')"),
    ("training: {lr: 1e999}", "training.lr: 1e999 is too large a number", "mine.yaml, line 2"),
    (block("images: " + "9" * 5000), "9999 is too large a number", "mine.yaml, line 2"),
]


@pytest.mark.parametrize(("text", "said", "also"), LITERALS, ids=lambda v: v[:40])
def test_a_literal_that_readers_take_for_another_is_refused(
    configs: Path, text: str, said: str, also: str
) -> None:
    refused(mine(configs, text), said, also, "mine.yaml, line 2")


def test_numbers_are_what_a_reader_sees(configs: Path) -> None:
    text = block("images: 24_000, seeds: [7, +10], training: {lr: 2e-3, clip: 1., weight_decay: .5}")
    config = load_config(mine(configs, text + "\nnote: '007'\nrun: 1e\nexperiments: []"))
    (only,) = config.grid
    assert (only.images, only.seeds, config.note, config.run) == (24_000, (7, 10), "007", "1e")
    assert only.training == {"lr": 0.002, "clip": 1.0, "weight_decay": 0.5}


# Row 14.
def test_merge_keys_take_another_block_and_what_is_written_wins(configs: Path) -> None:
    text = "grid: [&b {worlds: [additive], mask_ratios: [0.5], images: 8000}, {<<: *b, patches: [2x2]}]"
    config = load_config(mine(configs, text))
    assert config.grid[1].patches == ("2x2",)
    assert config.grid[1].images == config.grid[0].images == 8000
    text = (
        "grid: [&b {worlds: [additive], mask_ratios: [0.5]}, {<<: *b, mask_ratios: [0.75], patches: [2x2]}]"
    )
    assert load_config(mine(configs, text)).grid[1].mask_ratios == (0.75,)
    several = "{<<: [{seeds: 3, images: 9000}, {seeds: 2, worlds: [additive], mask_ratios: [0.5]}]}"
    (one,) = load_config(mine(configs, f"grid: [{several}]")).grid
    assert (one.seeds, one.images) == ((0, 1, 2), 9000)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("grid: [{<<: {seeds: 2}, seeds: 3, seeds: 4}]", "grid[0]: key 'seeds' is given twice"),
        ("grid: [{<<: {seeds: 2}, <<: {images: 3000}}]", "grid[0]: key '<<' is given twice"),
        ("grid: [{<<: 3}]", "expected a mapping or list of mappings for merging"),
    ],
)
def test_merge_keys_hide_no_key_that_is_given_twice(configs: Path, text: str, said: str) -> None:
    refused(mine(configs, text), said, "mine.yaml, line 2")


# Row 8.
def test_ratios_that_are_the_same_number_are_one(configs: Path) -> None:
    text = """
grid:
  - {worlds: [additive], mask_ratios: [0.3]}
  - {worlds: [additive], patches: [2x1], mask_ratios: [0.30000000000000004]}
"""
    asked = {ratio for one in Plan(load_config(mine(configs, text))).cells for ratio in one.mask_ratios}
    assert asked == {0.3}
    twice = "grid: [{worlds: [additive], mask_ratios: [0.3, 0.30000000000000004]}]"
    refused(mine(configs, twice), "grid[0].mask_ratios=", "must not name anything twice")
    twice = "experiments: [{name: symmetric, worlds: [s], settings: {mask_ratios: [0.5, 0.5]}}]"
    refused(
        mine(configs, f"worlds: {{s: {{kind: symmetric_tree}}}}\n{twice}"), "must not name anything twice"
    )


def experiment(name: str, settings: str, world: str = "additive") -> str:
    return f"experiments: [{{name: {name}, worlds: [{world}], settings: {{{settings}}}}}]"


def probe(name: str, settings: str) -> str:
    return f"evaluation: {{probe_settings: {{{name}: {{{settings}}}}}}}"


# Row 9: what each step refuses, load_config refuses.
SETTINGS = [
    (probe("kernel_ridge", "pionts: 256"), "setting 'pionts' must be one of", "points, validation"),
    (probe("kernel_ridge", "points: '256'"), "points='256' must be a whole number", "probe_settings"),
    (probe("kernel_ridge", "points: 0"), "points=0 must lie in [1, 20_000]", "kernel_ridge.points"),
    (probe("kernel_ridge", "points: 2.5"), "points=2.5 must be a whole number", ""),
    (probe("ridge", "alphas: [1, 0]"), "alphas[1]=0 must be above 0", "ridge.alphas[1]"),
    (probe("ridge", "name: 1"), "setting 'name' must be one of: alphas, validation", ""),
    (probe("ridge", "validation: 1"), "validation=1 must lie in (0, 1)", ""),
    ("evaluation: {control_images: 50}", "control_images=50 must be 0", "one batch of 64"),
    (block("seeds: [20240607123]"), "grid[0].seeds[0]=20240607123", "4294967295"),
    (block("world_seeds: [4294967296]"), "grid[0].world_seeds[0]=4294967296", "4294967295"),
    (experiment("invariance", "pairs: 0"), "pairs=0 must be at least 2", "experiments[0].settings.pairs"),
    (experiment("invariance", "pairs: many"), "pairs='many' must be a whole number", ""),
    (experiment("invariance", "pears: 3"), "setting 'pears' must be one of: pairs", ""),
    (experiment("attention", "layer: 4"), "layer=4 must lie in [0, 3]", "in world 'additive'"),
    (experiment("attention", "head: 3"), "head=3 must lie in [0, 2]", "in world 'additive'"),
    (experiment("attention", "token: 8"), "token=8 must lie in [0, 8)", "in world 'additive'"),
    (experiment("border", "patches: [3x3]"), "mask patch 3x3 must divide the 4x2 token grid", ""),
    (experiment("border", "images: 100"), "images=100 must lie in [128,", "experiments[0].settings.images"),
    (experiment("border", "mask_ratio: 0.1, patches: [1x1]"), "every masked token is next to a", ""),
    (experiment("fixed_masks", "fit: 10"), "fit=10 must be at least 100", "experiments[0].settings.fit"),
    (experiment("budgets", "budgets: [money]"), "budgets[0]='money' must be one of: compute, tokens", ""),
    (experiment("cue_conflict", "fit: 1"), "fit=1 must be at least 100", ""),
    (experiment("embedding", "neighbours: 600"), "neighbours=600 must lie in [1, 600)", ""),
    (experiment("embedding", "steps: 100"), "steps=100 must lie in [250, 1_000_000]", ""),
    (experiment("fixed_masks", "pairs: 1"), "pairs=1 must be at least 2", ""),
    (experiment("hidden_phase", ""), "experiment 'hidden_phase' is now called 'hidden_sign'", ""),
    (experiment("hidden_sign", ""), "hidden_sign knows: sign_hidden", "in"),
    (experiment("reconstruction", "", "grammar"), "images of 4 pixels a side", "need 11"),
    (experiment("robustness", "noise: [0]"), "noise[0]=0 must lie in (0, 1_000]", ""),
    (experiment("samples", "sizes: [64, 128]"), "sizes[0]=64 must lie in [128, 100_000]", ""),
    (experiment("similarity", "test: 3"), "test=3 must be at least 40", ""),
    (experiment("surrogate", "peak: 0.1", "additive"),
     "peak=0.1 must be among mask_ratios", "not the lowest"),
    (experiment("surrogate", "mask_ratios: []", "additive"), "mask_ratios=[] must not be empty", ""),
    ("grid: [{worlds: [additive], patches: [2x1], mask_ratios: [0.5]}]\n" + experiment("embedding", ""),
     "embedding reads trained models", "mask patches 1x1"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "said", "also"), SETTINGS, ids=lambda v: v[:60])
def test_what_a_job_would_refuse_is_refused_at_once(configs: Path, text: str, said: str, also: str) -> None:
    refused(mine(configs, text), said, also, "mine.yaml")


def test_the_settings_of_every_experiment_have_their_ranges() -> None:
    """And defaults that lie in them, in a world of every kind that the experiment knows."""
    from maestrata import modules
    from maestrata.experiments.settings import check_settings
    from maestrata.worlds import make

    numbers = {"batch": 256, "images": 240_000, "test": 8192, "probe_train": 8192, "depth": 3, "heads": 2}
    for name in modules.available("experiments"):
        defaults, ranges, kinds = (
            modules.constant("experiments", name, key) for key in ("SETTINGS", "RANGES", "WORLDS")
        )
        checked = {"leaves", "token_pixels", "symbols", "patches"}  # by making the world, and its patches
        assert set(defaults) - checked == set(ranges) - checked, name
        for kind in kinds or ("grammar_tree",):
            larger = {"token_pixels": 8} if name == "reconstruction" else {}
            assert check_settings(name, {}, defaults, ranges, make(kind, 0, **larger), numbers)


# Row 10 and row 20.
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("evaluation: {poolings: [global]}", "evaluation.poolings=['global'] must hold 'aligned'"),
        (
            "evaluation: {probes: [kernel_ridge]}",
            "evaluation.probes=['kernel_ridge'] must hold 'ridge': claims and figures read that probe",
        ),
        (
            "experiments: []\nfigures: {names: [noise_invariance]}",
            "figure 'noise_invariance' needs the experiment 'invariance', which is not among",
        ),
    ],
)
def test_what_figures_need_is_made_and_read(configs: Path, text: str, said: str) -> None:
    refused(mine(configs, text), said, "mine.yaml")


# Row 17.
@pytest.mark.parametrize(
    ("text", "said"),
    [
        (block("seeds: 20240607"), "seeds=20240607 must be a count, 1 to 20_000, a span (100-111) or a list"),
        (block("seeds: 2000, world_seeds: 2000"), "4_000_000 cells up to here must be at most 20_000"),
        ("model: {width: 100000000}", "model.width=100000000 must lie in [1, 4_096]"),
        ("model: {decoder_depth: 100000000}", "model.decoder_depth=100000000 must lie in [1, 64]"),
        ("worlds: {additive: {settings: {leaves: 1048576}}}", "leaves=1048576 must be at most 256"),
        ("worlds: {additive: {settings: {token_pixels: 1000}}}", "token_pixels=1000 makes a world"),
        ("evaluation: {replicates: 1000000000}", "replicates=1000000000 must lie in [1, 10_000]"),
        ("training: {batch: 1000000000}", "training.batch=1000000000 must lie in [1, 1_000_000]"),
        ("theory: {samples: 1000000000}", "theory.samples=1000000000 must lie in [2, 1_000_000]"),
        ("a: &a [1,1,1,1,1,1,1,1,1,1]\n" + "\n".join(f"{b}: &{b} [{', '.join([f'*{a}'] * 10)}]"
         for a, b in zip("abcdef", "bcdefg", strict=True)), "more than 1,000,000 values"),
        ("x: " + "[" * 3000, "nested deeper than 20"),
    ],
    ids=lambda v: v[:40],
)  # fmt: skip
def test_upper_limits_stop_a_plan_in_one_line(configs: Path, text: str, said: str) -> None:
    refused(mine(configs, text), said)


def test_the_published_configs_are_far_below_the_limits() -> None:
    assert (
        max(len(Plan(load_config(CONFIGS / f"{n}.yaml")).cells) for n in ("evening", "full")) * 20
        < MOST_CELLS
    )


# Row 19.
def test_a_misspelt_key_is_named_where_it_stands(configs: Path) -> None:
    path = mine(configs, "grid: [{worlds: [additive], mask_ratio: [0.5]}]")
    message = refused(path, "grid[0].mask_ratio: unknown key; allowed here: worlds", f"(config: {path})")
    assert "must be given" not in message


def test_a_missing_key_is_missed_in_the_file_that_sets_its_block(configs: Path) -> None:
    path = mine(configs, "grid: [{worlds: [additive]}]")
    refused(path, f"grid[0].mask_ratios must be given (config: {path})")


# Row 23.
def test_what_is_inherited_can_be_taken_away(configs: Path) -> None:
    text = "evaluation: {probe_settings: null}\nexperiments: []\nnote: null\n"
    text += "worlds: {dag: null, grammar: {settings: null}}"
    config = load_config(mine(configs, f"{text}\ngrid: [{{worlds: [additive], mask_ratios: [0.5]}}]"))
    assert (config.evaluation.probe_settings, config.experiments, config.note) == ({}, (), "")
    assert "dag" not in config.worlds and config.worlds["grammar"].settings == {}
    config = load_config(mine(configs, "model: null\ntraining: {images: null}\nexperiments: null"))
    assert (config.model.width, config.training.images, config.training.batch) == (64, 240_000, 128)
    assert config.experiments == ()


def test_null_where_it_has_a_meaning_keeps_it(configs: Path) -> None:
    text = "training: {samples: 1000}\n" + block("training: {samples: null}")
    assert load_config(mine(configs, text)).grid[0].training == {"samples": None}


def test_null_hides_no_unknown_and_no_required_key(configs: Path) -> None:
    refused(mine(configs, "trainin: null"), "trainin: unknown key")
    refused(mine(configs, "grid: null"), "grid must be given")


# Row 6 and row 21.
def test_partial_is_read_as_what_it_is() -> None:
    assert split_partial(["partial=false", "run=a"]) == (["run=a"], False)
    assert split_partial(["partial=True"]) == ([], True)
    for value in ("no", "0", "", "falsch"):
        with pytest.raises(ConfigError, match=f"^partial='{value}' must be true or false"):
            split_partial([f"partial={value}"])


def test_text_of_the_command_line_is_text(configs: Path) -> None:
    path = mine(configs, "")
    for value in ("2024", "2024_05", "007", "no", "true"):
        assert load_config(path, overrides=[f"run={value}"]).run == value
        assert load_config(path, overrides=[f"run='{value}'"]).run == value
    for value in ("", "no", "12:30", "a: b", "# x", "{x", "[", "=", "a=b"):
        assert load_config(path, overrides=[f"note={value}"]).note == value
    assert load_config(path, overrides=["results=2024"]).results == "2024"
    assert load_config(path, overrides=["run=a", "run=b"]).run == "b"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (["run="], "run='' must be a name"),
        (["run"], "'run' must read KEY=VALUE"),
        (["training={images: 010}"], "training.images: 010 is 8 to some readers"),
        (["training={images: [}"], "training: while parsing"),
        (["training=5"], "training=5 must be a mapping"),
        (["runn=a"], "runn: unknown key"),
        (["note=\udcff"], "'\\udcff' holds what is no character"),
    ],
)
def test_what_is_wrong_at_the_command_line_is_said_so(configs: Path, values: list[str], said: str) -> None:
    refused(mine(configs, ""), said, "--config", overrides=values)


def test_a_name_that_looks_like_a_number_asks_for_quotes(configs: Path) -> None:
    refused(mine(configs, "run: 2024"), "run=2024 must be text: put it in quotes ('2024')")
    assert load_config(mine(configs, "run: '2024'")).run == "2024"


# Row 22.
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("extends: smoke.yaml\n".encode("utf-16"), "it is not UTF-8 text"),
        (b"&a {x: *a}", "x: anchor 'a' must not hold itself"),
        (b"run: [", "not valid YAML"),
        (b"run: x\n\tnote: y", "not valid YAML"),
        (b"run: !!python/object:os.system x", "run: tag"),
        (b"!!set {a, b}", "tag '!!set' must not be given"),
        (b'note: "\\ud800"', "holds what is no character"),
        (b'note: "\\0"', "holds what is no character"),
        (b'note: "\\UFFFFFFFF"', "an escape that is no character"),
        (b"note: \x07", "not valid YAML"),
        (b"? [a, b]\n: c", "key of several values must be text"),
        (b"1: 2", "key 1 must be text"),
        (b"on: 2", "on is true to some readers"),
        (b"a: 1\n---\nb: 2", "not valid YAML: expected a single document"),
        (b"", "it holds nothing"),
        (b"- a", "it holds a list"),
        (b'"a\\nb": 1', "['a\\nb']: unknown key"),
        (b'extends: "a\\nb"', "extends='a\\nb' must name a config file"),
    ],
)
def test_files_that_are_no_config_are_refused_in_one_line(configs: Path, text: bytes, said: str) -> None:
    refused(mine(configs, text), said)


def test_a_file_in_place_of_the_results_is_named(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("a file")
    with pytest.raises(ConfigError, match=rf"{tmp_path}/results must be a folder$"):
        check_place(tmp_path / "results" / "smoke")
