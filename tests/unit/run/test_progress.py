"""How far a run is, on a made-up results folder."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from maestrata.cli import main
from maestrata.config.load import load_config
from maestrata.run.layout import FILES
from maestrata.run.plan import Plan
from maestrata.run.progress import Progress, RuleProgress, progress_of, read_benchmark

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

    def progress(self, cores: int = 1) -> Progress:
        return progress_of(self.plan, cores)

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
    assert {(rule.median_s, rule.peak_mb, rule.left_s) for rule in progress.rules} == {(None, None, None)}
    assert len(progress.unknown) == len(progress.rules) and progress.left_s == 0
    assert run.rule("pretrain").jobs_wanted == 5 and run.rule("pretrain").files_wanted == 10


def test_other_jobs_take_the_median_of_their_rule(run: Run) -> None:
    run.done("regress", "10.0", "300.5", world="a", seed="0", visible="4")
    run.done("regress", "30.0", "200", world="a", seed="1")
    run.done("regress", "50.0", "100", world="a", visible="2")
    rule = run.rule("regress", cores=4)
    assert (rule.jobs, rule.jobs_wanted, rule.files, rule.files_wanted) == (3, 5, 6, 10)
    assert (rule.median_s, rule.peak_mb) == (30, 300.5)
    assert rule.left_s == 2 * 30 / 4


def test_a_training_takes_its_images_at_the_pace_of_the_nearest_cells(run: Run) -> None:
    # world a at .5: 10 ms an image; at .75: 20 ms; world b: 1 ms; c takes the median of all of them
    run.done("pretrain", "10.0", world="a", visible="4", seed="0")
    left_of_a = [1000 * 0.010, 3000 * 0.010]  # its twin, then the same world
    assert run.rule("pretrain").left_s == pytest.approx(sum(left_of_a) + 2 * 10_000 * 0.010)
    run.done("pretrain", "60.0", world="a", visible="2")
    assert run.rule("pretrain").left_s == pytest.approx(1000 * 0.010 + 2 * 10_000 * 0.015)
    run.done("pretrain", "10.0", world="b")
    assert run.rule("pretrain", cores=2).left_s == pytest.approx((1000 * 0.010 + 10_000 * 0.010) / 2)
    run.done("pretrain", "10.0")
    assert run.rule("pretrain").left_s == 0


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
        assert rule.jobs == 3 and (rule.median_s, rule.peak_mb, rule.left_s) == (None, None, None)
        assert name in progress.unknown
    assert run.rule("worlds").left_s == 0 and "worlds" not in progress.unknown


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


def test_table_says_what_is_not_known(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run.done("pretrain", "3600.0", "512.4", world="b")
    assert main(["progress", "--cores", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    rows = {line.split()[0]: line.split() for line in lines[1:11]}
    # 15 000 images of a and c at .36 s an image, on two cores
    assert " ".join(rows["pretrain"][1:]) == "2/10 1/5 1 h 00 min 512 MB 45 min"
    assert " ".join(rows["limits"][1:]) == "0/3 0/3 - - unknown"
    assert lines[-2] == "time left of run made-up with 2 at a time: at least 45 min"
    rest = "worlds, theory, limits, regress, controls, collect, claims, explorer, figure"
    assert lines[-1] == f"a lower bound: no time is known yet of a job of {rest}"


def test_table_of_a_run_that_is_done(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    for rule in dict.fromkeys(made for name, (_, made) in FILES.items() if run.plan.places(name)):
        run.done(rule, "2.0")
    assert main(["progress", "config/config.yaml"]) == 0
    out = capsys.readouterr().out
    assert "unknown" not in out and "bound" not in out and out.endswith("at a time: 0 s\n")


def test_json(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run.done("controls", "8.0", world="a", seed="0")
    assert main(["progress", "--cores", "3", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    rows = {row["rule"]: row for row in report.pop("rules")}
    assert report == {"run": "made-up", "cores": 3, "left_s": 8.0, "lower_bound": True}
    assert rows["controls"] == {
        "rule": "controls",
        "files": 1,
        "files_wanted": 4,
        "jobs": 1,
        "jobs_wanted": 4,
        "median_s": 8.0,
        "peak_mb": 100.0,
        "left_s": 8.0,
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
