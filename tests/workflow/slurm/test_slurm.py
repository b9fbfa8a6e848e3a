"""profiles/slurm against a real SLURM: the same bytes, few submissions, and jobs that die in every way.

Two runs are made at the same time, once for all tests, since jobs are slow to start and a time limit is a
minute at least:

smoke
    the whole smoke run, by sbatch
faults
    three cells that are only trained, with a GPU each. At first all have too little memory; then one is
    cancelled, one is put back into the queue and one is stopped until its time is over, each in the middle of
    its training; then all must end.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

if TYPE_CHECKING:
    from tests.workflow.conftest import Checkout
    from tests.workflow.slurm.conftest import Node

pytestmark = [pytest.mark.slurm, pytest.mark.timeout(2400)]

PROFILE = yaml.safe_load((Path(__file__).parents[3] / "profiles/slurm/config.yaml").read_text())
# what a test needs and no cluster: quick questions
QUICK = (
    *("--slurm-init-seconds-before-status-checks", "2", "--seconds-between-status-checks", "2"),
    *("--latency-wait", "20"),
)
FAULTS = """
extends: smoke.yaml
run: faults
grid: [{worlds: [additive], mask_ratios: [0.5], seeds: 3}]
training: {images: 120_000, batch: 128}
"""
MIDDLE = 60  # of 937 steps: from here on a training counts as under way
CANCELLED, REQUEUED, STOPPED = range(3)  # training seeds of the cells of `faults`


class Submitted:
    """Snakemake with profiles/slurm, running beside the test; what it says is in a file."""

    def __init__(self, checkout: Checkout, *args: str, environ: dict[str, str] | None = None) -> None:
        self.checkout = checkout
        self.said_in = checkout.folder / "submitted.log"
        env = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "OMP_NUM_THREADS")}
        command = [sys.executable, "-m", "snakemake", "--workflow-profile", "profiles/slurm", *QUICK, *args]
        with open(self.said_in, "wb") as out:
            self.process = subprocess.Popen(
                command, cwd=checkout.folder, env=env | (environ or {}), stdout=out, stderr=out
            )

    @property
    def said(self) -> str:
        return self.said_in.read_text()

    @property
    def submissions(self) -> list[int]:
        """How many jobs went out by each call of sbatch."""
        arrays = re.findall(r"Submitted array job .* task IDs are (\d+)-(\d+)\.", self.said)
        single = re.findall(r"has been submitted with SLURM jobid", self.said)
        return [int(last) - int(first) + 1 for first, last in arrays] + [1] * len(single)

    def end(self, seconds: float = 1200.0) -> None:
        """Wait for its end; the limit is a guard against hanging."""
        self.process.wait(seconds)
        assert self.process.returncode == 0, self.said

    def interrupt(self) -> None:
        """End it where it still runs; it cancels its jobs."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def of_process(pid: int, what: str) -> list[str]:
    """Read ``cmdline`` or ``environ`` of a process, nothing where it is gone."""
    try:
        return Path(f"/proc/{pid}/{what}").read_text(errors="replace").split("\0")
    except OSError:
        return []


class Training:
    """The process that trains a cell of `faults` at the moment."""

    def __init__(self, checkout: Checkout, seed: int) -> None:
        self.checkout = checkout.folder
        self.target = f"results/faults/cells/additive/w0/p1x1/v4/s{seed}/weights.safetensors"
        self.weights = self.checkout / self.target
        self.checkpoint = self.weights.with_name("checkpoint.bin")
        self.log = self.checkout / f"results/faults/logs/pretrain/additive_0_1x1_4_{seed}.log"
        self.pid = 0

    def find(self) -> bool:
        """Look for it: a step runs in the checkout and is told where to write."""
        for pid in (int(p.name) for p in Path("/proc").iterdir() if p.name.isdigit()):
            command = of_process(pid, "cmdline")
            if {"maestrata.steps.pretrain", self.target} <= set(command) and command[1:2] == ["-m"]:
                if Path(f"/proc/{pid}/cwd").resolve() == self.checkout.resolve():
                    self.pid = pid
                    return True
        return False

    @property
    def environ(self) -> dict[str, str]:
        return dict(line.split("=", 1) for line in of_process(self.pid, "environ") if "=" in line)

    @property
    def step(self) -> int:
        """Step of its checkpoint, 0 where there is none."""
        try:
            with open(self.checkpoint, "rb") as file:
                return int(json.loads(file.readline())["step"])
        except FileNotFoundError:
            return 0

    def halt(self) -> bool:
        """Stop it in the middle of training; False where it is not that far."""
        assert not self.weights.exists(), f"{self.target} was trained before it could be stopped"
        if self.step < MIDDLE or not self.find():
            return False
        os.kill(self.pid, signal.SIGSTOP)
        return True


def name_of(environ: dict[str, str]) -> str:
    """Name of a job for commands: the number of an array's last task is also that of the whole array."""
    if "SLURM_ARRAY_JOB_ID" in environ:
        return f"{environ['SLURM_ARRAY_JOB_ID']}_{environ['SLURM_ARRAY_TASK_ID']}"
    return environ["SLURM_JOB_ID"]


@dataclass(frozen=True)
class Seen:
    """Both runs, ended, and what was seen of their jobs on the way."""

    smoke: Submitted
    faults: Submitted
    trained: list[Training]
    met: dict[int, str]  # SLURM job in which a cell met its fate
    devices: dict[int, str]  # what these jobs saw of GPUs
    jobs: list[dict[str, str]]
    script: str  # of the first submission of `faults`

    def of(self, run: Submitted) -> list[dict[str, str]]:
        """Jobs of a run, as `scontrol show job` has them."""
        return [job for job in self.jobs if job["WorkDir"] == str(run.checkout.folder)]

    def fate(self, seed: int) -> dict[str, str]:
        """The job in which a cell met its fate."""
        (job,) = (job for job in self.jobs if job["JobId"] == self.met[seed])
        return job


def empty(finished: Checkout, folder: Path) -> Checkout:
    """Copy the code of a finished run, whatever has become of this checkout since, without what was run."""
    checkout = finished.copy(folder)
    for name in ("results", ".snakemake"):
        shutil.rmtree(checkout.folder / name)
    return checkout


@pytest.fixture(scope="module")
def runs(node: Node, finished: Checkout, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    """Make both runs."""
    folder = tmp_path_factory.mktemp("submitted")
    smoke, faults = empty(finished, folder / "smoke"), empty(finished, folder / "faults")
    (faults.folder / "config/faults.yaml").write_text(FAULTS)
    trained = [Training(faults, seed) for seed in (CANCELLED, REQUEUED, STOPPED)]
    targets = [one.target for one in trained]
    hardship = (
        # too little at first, then enough
        *("--set-resources", "pretrain:mem_mb=200 * 8 ** (attempt - 1)", "pretrain:gpu=1"),
    )
    started: list[Submitted] = []
    devices: dict[int, str] = {}
    try:
        wholly = Submitted(smoke, "--configfile", "config/smoke.yaml")
        started.append(wholly)
        beset = Submitted(
            faults,
            *targets,
            *hardship,
            *("--configfile", "config/faults.yaml"),
            environ={"MAESTRATA_CHECKPOINT_SECONDS": "0.05"},
        )
        started.append(beset)
        met: dict[int, str] = {}
        names: dict[int, str] = {}
        hurried: list[str] = []

        def meet() -> bool:
            """Do to each cell what it is here for, as soon as it trains."""
            assert beset.process.poll() is None, beset.said
            for seed, one in enumerate(trained):
                if seed not in met and one.halt():
                    environ = one.environ
                    met[seed] = environ["SLURM_JOB_ID"]
                    names[seed] = job = name_of(environ)
                    devices[seed] = environ.get("CUDA_VISIBLE_DEVICES", "")
                    if seed == CANCELLED:
                        node.ask("scancel", job)
                    elif seed == REQUEUED:
                        node.ask("scontrol", "requeue", job)
                    else:  # the least that there is; of a job that stands still it is soon over
                        node.ask("scontrol", "update", f"JobId={job}", "TimeLimit=1")
            if REQUEUED in met and not hurried:  # of its own accord SLURM waits two minutes
                job = names[REQUEUED]
                if node.ask("squeue", "-h", "-j", job, "-o", "%r") == "BeginTime":
                    node.ask("scontrol", "update", f"JobId={job}", "StartTime=now")
                    hurried.append(job)
            return len(met) == len(trained) and bool(hurried)

        node.wait_for(meet, "not all cells train", 1500.0, 0.02)
        beset.end()
        wholly.end()
        jobs = node.jobs()
        print(f"{len(jobs)} jobs; submissions {wholly.submissions} and {beset.submissions}")
        (first,) = re.findall(r"SLURM job ID (\d+)\.", beset.said)[:1]
        script = node.ask("scontrol", "write", "batch_script", first, "-")
        yield Seen(wholly, beset, trained, met, devices, jobs, script)
    finally:
        for run in started:
            run.interrupt()


def test_the_same_bytes_as_the_local_run(runs: Seen, finished: Checkout) -> None:
    kinds = (".nc", ".safetensors", ".pdf", ".png")
    here, there = finished.results(*kinds), runs.smoke.checkout.results(*kinds)
    assert here.keys() == there.keys()
    assert [path for path in here if here[path] != there[path]] == []


def test_every_job_ran_on_the_node(runs: Seen) -> None:
    """None at home, and each one as it was planned: memory, time and one CPU."""
    jobs = runs.of(runs.smoke)
    (planned,) = re.findall(r"(?m)^total +(\d+)$", runs.smoke.said)
    assert len(jobs) == int(planned) - 1  # `all` is no job
    assert {job["JobState"] for job in jobs} == {"COMPLETED"}
    assert {job["CPUs/Task"] for job in jobs} == {"1"}
    trained = [job for job in jobs if job["Comment"].startswith("rule_pretrain")]
    assert {job["TimeLimit"] for job in trained} == {"02:00:00"}
    assert {job["MinMemoryNode"] for job in trained} <= {"1500M", "1501M"}  # an array adds one for its list


def test_jobs_that_are_ready_together_are_one_submission(runs: Seen) -> None:
    first = {"worlds": 2, "theory": 2, "limits": 2, "pretrain": 2, "controls": 2}
    submitted = runs.smoke.submissions
    for rule, count in first.items():
        jobs = [j for j in runs.of(runs.smoke) if j["Comment"].startswith(f"rule_{rule}_wildcards")]
        assert len(jobs) == count
        assert len({j.get("ArrayJobId") for j in jobs}) == 1, f"jobs of {rule} are not one array"
    assert sum(submitted) == len(runs.of(runs.smoke))
    assert len(submitted) <= sum(submitted) - len(first)
    assert runs.faults.submissions[0] == 3


def test_an_array_of_the_profile_fits_an_argument(runs: Seen) -> None:
    """The plugin hands the commands of an array over as one argument, of which Linux takes 128 KiB."""
    (others,) = re.findall(r"--slurm-jobstep-array-execs=(\S+)", runs.script)
    each = len(others) / (runs.faults.submissions[0] - 1)  # the first command stands outside
    assert each * PROFILE["slurm-array-limit"] < 0.8 * 128 * 1024


def test_a_gpu_is_asked_for_and_handed_out(runs: Seen) -> None:
    asked = {job["TresPerJob"] for job in runs.of(runs.faults)}
    assert asked == {"gres:gpu:1"}
    assert len(runs.devices) == 3
    assert set(runs.devices.values()) <= {"0", "1"}
    assert not any("TresPerJob" in job for job in runs.of(runs.smoke))


def test_a_retry_is_a_new_submission_with_more_memory(runs: Seen) -> None:
    jobs = runs.of(runs.faults)
    small = [job for job in jobs if job["MinMemoryNode"] in ("200M", "201M")]
    assert len(small) == 3
    assert {job["JobState"] for job in small} <= {"FAILED", "OUT_OF_MEMORY"}
    logs = [Path(job["StdOut"]).read_text() for job in small]
    assert all("exceeded memory limit" in log for log in logs)
    assert {runs.fate(seed)["MinMemoryNode"] for seed in runs.met} <= {"1600M", "1601M"}


def alone(job: dict[str, str]) -> None:
    """Skip what asks a requeued job to go on, where two retries that came at once were made an array."""
    if "ArrayTaskId" in job:
        pytest.skip("the requeued job is a task of an array: it may fail, and is then tried from the start")


def test_a_cancelled_and_a_requeued_job_are_told_apart(runs: Seen) -> None:
    assert runs.fate(CANCELLED)["JobState"] == "CANCELLED"
    assert "SLURM status is: 'CANCELLED'" in runs.faults.said
    requeued = runs.fate(REQUEUED)
    assert requeued["Restarts"] == "1"  # by SLURM: to Snakemake it is the same job
    alone(requeued)
    assert requeued["JobState"] == "COMPLETED"


def test_a_job_out_of_time_says_so(runs: Seen) -> None:
    job = runs.fate(STOPPED)
    assert job["JobState"] == "TIMEOUT"
    number = job["ArrayJobId"] + "_" + job["ArrayTaskId"] if "ArrayJobId" in job else job["JobId"]
    assert f"SLURM-job '{number}' failed, SLURM status is: 'TIMEOUT'" in runs.faults.said
    assert "DUE TO TIME LIMIT" in Path(job["StdOut"]).read_text()


def test_all_go_on_from_their_checkpoints(runs: Seen) -> None:
    alone(runs.fate(REQUEUED))
    for one in runs.trained:
        (step,) = re.findall(r"going on from step (\d+) of checkpoint", one.log.read_text())
        assert int(step) >= MIDDLE
        assert not one.checkpoint.exists()


def test_all_end_in_the_weights_of_an_undisturbed_run(runs: Seen, finished: Checkout, tmp_path: Path) -> None:
    local = empty(finished, tmp_path / "local")
    (local.folder / "config/faults.yaml").write_text(FAULTS)
    config = ("--configfile", "config/faults.yaml")
    local.run("--cores", "2", *(one.target for one in runs.trained), config=config)
    here, there = (c.results(".safetensors", ".nc") for c in (local, runs.faults.checkout))
    assert len(here) == 2 * len(runs.trained)
    assert here == there
