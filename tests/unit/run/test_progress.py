"""How far a run is, on a made-up results folder."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from maestrata.cli import main
from maestrata.config.load import load_config
from maestrata.run.layout import FILES
from maestrata.run.plan import Plan
from maestrata.run.progress import RuleProgress, RunState, duration, progress_of, read_benchmark

# five trainings: of world a two ratios, one of them with two seeds; of world b one; of world c one
CONFIG = """
run: made-up
worlds:
  a: {kind: additive_tree, settings: {leaves: 8}}
  b: {kind: gaussian_tree, settings: {leaves: 8}}
  c: {kind: gaussian_tree, settings: {leaves: 8, rho: 0.5}}
grid:
  - {worlds: [a], mask_ratios: [0.5], seeds: 2, images: 1_000}
  - {worlds: [a], mask_ratios: [0.75], images: 3_000}
  - {worlds: [b, c], mask_ratios: [0.5], images: 10_000}
"""
HEADER = "s\th:m:s\tmax_rss\tmax_vms\n"


class Run:
    """A run in a folder of its own, of which jobs can be made done."""

    def __init__(self, config: Path) -> None:
        self.plan = Plan(load_config(config))

    def done(self, rule: str, seconds: str | None, memory: str = "100.0", **where: str) -> None:
        """Make the files of all jobs of a rule with these wildcards, and their benchmarks if given a time."""
        names = [name for name, (_, made_by) in FILES.items() if made_by == rule]
        places = [p for p in self.plan.places(names[0]) if where.items() <= p.items()]
        assert places
        for place in places:
            for name in names:
                touch(self.plan.path(name).format(**place))
            if seconds is not None:
                row = f"{HEADER}{seconds}\t0:00:01\t{memory}\t-\n"
                touch(self.plan.beside("benchmarks", rule).format(**place), row)

    def progress(self, cores: int = 1) -> RunState:
        return progress_of(self.plan, cores)

    def cost(self, rule: str, place: dict[str, str]) -> float:
        return self.plan.cost.seconds(rule, SimpleNamespace(**place))

    def total(self, rule: str, *wheres: dict[str, str]) -> float:
        """Add up the guessed costs of the jobs of a rule with any of these wildcards."""
        places = self.plan.places(next(name for name, (_, made_by) in FILES.items() if made_by == rule))
        return sum(self.cost(rule, p) for where in wheres for p in places if where.items() <= p.items())

    def rule(self, name: str, cores: int = 1) -> RuleProgress:
        return next(rule for rule in self.progress(cores).rules if rule.rule == name)


def touch(path: str, text: str = "") -> None:
    os.makedirs(Path(path).parent, exist_ok=True)
    Path(path).write_text(text)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    touch("config/config.yaml", CONFIG)
    return Run(Path("config/config.yaml"))


def test_a_run_that_has_not_begun(run: Run) -> None:
    progress = run.progress()
    assert not Path("results").exists()
    made = [rule for name, (_, rule) in FILES.items() if run.plan.files(name)]
    assert [rule.rule for rule in progress.rules] == list(dict.fromkeys(made))
    assert all(rule.files == rule.jobs == 0 for rule in progress.rules)
    assert sum(rule.files_wanted for rule in progress.rules) == len(run.plan.everything)
    assert {(rule.median_s, rule.peak_mb) for rule in progress.rules} == {(None, None)}
    assert progress.guessed == tuple(rule.rule for rule in progress.rules)
    guessed = [run.cost("pretrain", place) for place in run.plan.places("weights")]
    assert run.rule("pretrain", cores=2).left_s == pytest.approx(sum(guessed) / 2)
    assert min(guessed) > 0
    assert progress.left_s == pytest.approx(sum(rule.left_s for rule in progress.rules))
    assert run.rule("pretrain").jobs_wanted == 5 and run.rule("pretrain").files_wanted == 10


def test_scores_take_the_mean_of_those_of_their_world(run: Run) -> None:
    run.done("regress", "10.0", "300.5", world="a", seed="0", visible="4")
    run.done("regress", "30.0", "200", world="a", seed="1")
    rule = run.rule("regress", cores=4)
    assert (rule.jobs, rule.jobs_wanted, rule.files, rule.files_wanted) == (2, 5, 4, 10)
    assert (rule.median_s, rule.peak_mb) == (20, 300.5)
    done = {"world": "a", "seed": "0", "visible": "4"}, {"world": "a", "seed": "1"}
    left, other = {"world": "a", "visible": "2"}, ({"world": "b"}, {"world": "c"})
    of_a = (10 + 30) / run.total("regress", *done)
    assert rule.left_s == pytest.approx(run.total("regress", left, *other) * of_a / 4)
    run.done("regress", "50.0", "100", world="b")
    # b's own, and not those of a; of c, whatever is known of the rule
    of_all = (10 + 30 + 50) / run.total("regress", *done, other[0])
    expected = run.total("regress", left) * of_a + run.total("regress", other[1]) * of_all
    assert run.rule("regress").left_s == pytest.approx(expected)


def test_a_training_takes_its_images_at_the_pace_of_the_nearest_cells(run: Run) -> None:
    first, twin = ({"world": "a", "visible": "4", "seed": seed} for seed in "01")
    sparse, b, c = {"world": "a", "visible": "2"}, {"world": "b"}, {"world": "c"}
    run.done("pretrain", "10.0", **first)
    pace = 10 / run.total("pretrain", first)
    assert run.rule("pretrain").left_s == pytest.approx(run.total("pretrain", twin, sparse, b, c) * pace)
    run.done("pretrain", "60.0", **sparse)
    of_all = (10 + 60) / run.total("pretrain", first, sparse)
    expected = run.total("pretrain", twin) * pace + run.total("pretrain", b, c) * of_all
    assert run.rule("pretrain").left_s == pytest.approx(expected)
    run.done("pretrain", "10.0", **b)
    of_all = (10 + 60 + 10) / run.total("pretrain", first, sparse, b)
    expected = run.total("pretrain", twin) * pace + run.total("pretrain", c) * of_all
    assert run.rule("pretrain", cores=2).left_s == pytest.approx(expected / 2)
    run.done("pretrain", "10.0")
    assert run.rule("pretrain").left_s == 0


def test_one_long_job_is_not_lost_among_short_ones(run: Run) -> None:
    """Four of five trainings are short and done; the median of the rule would say that the last is too."""
    of_both = "  - {worlds: [b, c], mask_ratios: [0.5], images: 10_000}\n"
    assert of_both in CONFIG
    short, long = of_both.replace("b, c", "c"), of_both.replace("b, c", "b").replace("10_000", "1_000_000")
    touch("config/config.yaml", CONFIG.replace(of_both, short + long))
    run = Run(Path("config/config.yaml"))
    for place in run.plan.places("weights"):
        if place["world"] != "b":
            run.done("pretrain", str(run.cost("pretrain", place)), **place)
    last = next(place for place in run.plan.places("weights") if place["world"] == "b")
    rule = run.rule("pretrain")
    assert rule.median_s is not None and rule.left_s > 3 * rule.median_s
    assert rule.left_s == pytest.approx(run.cost("pretrain", last))


def test_a_rule_that_is_not_begun_takes_what_the_config_says(run: Run) -> None:
    """Whatever jobs of other rules took: costs of two rules may be wrong by different factors."""
    run.done("pretrain", "1.0")
    guessed = [run.cost("regress", place) for place in run.plan.places("weights")]
    assert run.rule("regress").left_s == pytest.approx(sum(guessed))


def test_a_run_takes_no_less_than_its_longest_job(run: Run) -> None:
    few, many = run.progress(cores=1), run.progress(cores=1000)
    longest = max(run.cost("pretrain", place) for place in run.plan.places("weights"))
    assert few.longest_s == many.longest_s >= longest
    assert many.left_s == many.longest_s and few.left_s > few.longest_s


def test_a_job_is_done_when_all_its_files_are_there(run: Run) -> None:
    run.done("pretrain", "10.0", world="b")
    place = run.plan.places("history")[0]
    touch(run.plan.path("history").format(**place))
    touch(run.plan.beside("benchmarks", "pretrain").format(**place), f"{HEADER}9999\t-\t9999\t-\n")
    rule = run.rule("pretrain")
    assert (rule.files, rule.jobs, rule.median_s, rule.peak_mb) == (3, 1, 10, 100)


def test_files_without_a_benchmark_tell_no_time(run: Run) -> None:
    run.done("pretrain", None, world="a")
    run.done("regress", "-", "NA", world="a")
    run.done("worlds", None)
    progress = run.progress()
    for name in ("pretrain", "regress"):
        rule = run.rule(name)
        assert rule.jobs == 3 and (rule.median_s, rule.peak_mb) == (None, None)
        assert rule.left_s > 0 and name in progress.guessed
    assert run.rule("worlds").left_s == 0 and "worlds" not in progress.guessed


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{HEADER}1.5\t0:00:01\t20.25\t-\n", (1.5, 20.25)),
        (f"{HEADER}1e-04\t0:00:00\tNA\tNA\n", (1e-4, None)),
        (f"{HEADER}-\t-\t12\t-\n", (None, 12.0)),
        (f"{HEADER}nan\t-\tinf\t-\n", (None, None)),
        (f"{HEADER}1\t-\t5\t-\n3\t-\t7\t-\n8\t-\t6\t-\n", (3.0, 7.0)),
        (f"{HEADER}4\n", (4.0, None)),
        (HEADER, (None, None)),
        ("", (None, None)),
        ("something else\n1\n", (None, None)),
    ],
)
def test_benchmarks(tmp_path: Path, text: str, expected: tuple[float | None, float | None]) -> None:
    path = tmp_path / "job.tsv"
    path.write_text(text)
    assert read_benchmark(path) == expected


def test_a_benchmark_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "job.tsv").write_bytes(b"s\tmax_rss\n\xff\xfe\n")
    assert read_benchmark(tmp_path / "job.tsv") == (None, None)
    assert read_benchmark(tmp_path / "none.tsv") == (None, None)


def test_table_says_what_is_guessed(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run.done("pretrain", "3600.0", "512.4", world="b")
    assert main(["progress", "--cores", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    rows = {line.split()[0]: line.split() for line in lines[1:-3]}
    # a and c at b's pace, on two cores
    pace = 3600 / run.total("pretrain", {"world": "b"})
    left = run.total("pretrain", {"world": "a"}, {"world": "c"}) * pace / 2
    assert " ".join(rows["pretrain"][1:]) == f"2/10 1/5 1 h 00 min 512 MB {duration(left)}"
    assert " ".join(rows["limits"][1:5]) == "0/3 0/3 - -" and rows["limits"][5:] != ["0", "s"]
    assert lines[-2].startswith("time left of run made-up with 2 at a time: about ")
    rest = ", ".join(rule for rule in rows if rule != "pretrain")
    assert lines[-1] == f"guessed from the config, as no job of them is done: {rest}"


def test_table_before_a_run(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["progress", "--cores", "2"]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("time left of run made-up with 2 at a time: about ")
    assert last.endswith(", guessed from the config") and " 0 s" not in last


def test_table_of_a_run_that_is_done(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    for rule in dict.fromkeys(made for name, (_, made) in FILES.items() if run.plan.places(name)):
        run.done(rule, "2.0")
    assert main(["progress", "config/config.yaml"]) == 0
    out = capsys.readouterr().out
    assert "guessed" not in out and out.endswith("at a time: about 0 s\n")


def test_json(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run.done("controls", "8.0", world="a", seed="0")
    assert main(["progress", "--cores", "3", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    rows = {row["rule"]: row for row in report.pop("rules")}
    assert report.pop("left_s") > 8 and "controls" not in report["guessed"]
    assert report.pop("guessed") and report == {"run": "made-up", "cores": 3}
    assert rows["controls"].pop("left_s") == pytest.approx(run.rule("controls", cores=3).left_s)
    assert rows["controls"] == {
        "rule": "controls",
        "files": 1,
        "files_wanted": 4,
        "jobs": 1,
        "jobs_wanted": 4,
        "median_s": 8.0,
        "peak_mb": 100.0,
    }


def test_errors_are_one_line(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["progress", "no/such.yaml"]) == 2
    touch("bad.yaml", "extends: config/config.yaml\ntraining: {images: many}\n")
    assert main(["progress", "bad.yaml"]) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.count("\n") == 2
    assert "no/such.yaml cannot be read" in captured.err and "training.images='many'" in captured.err
    for cores in ("0", "-1", "many"):
        with pytest.raises(SystemExit) as stop:
            main(["progress", f"--cores={cores}"])
        assert stop.value.code == 2
        assert f"'{cores}' must be an integer of at least 1" in (err := capsys.readouterr().err)
        assert err.count("\n") == 1
