"""A SLURM of one node, brought up on this machine for the tests and taken down after them.

Everything of it lies in a folder of its own, with ports and a MUNGE daemon of its own, but for
/etc/slurm/slurm.conf and gres.conf: jobs of the executor plugin lose SLURM_CONF, so the files must be where
SLURM looks by itself. A machine that has such files already is left alone.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

ETC = Path("/etc/slurm")
PROGRAMS = ("slurmctld", "slurmd", "munged", "sbatch", "squeue", "scontrol", "scancel", "setpriv")
MARK = "# of a SLURM that the tests of maestrata brought up"
# no cgroups, no accounting database: what runs in a plain container. Memory is watched by polling, and a job
# that takes more than it asked for is killed.
SLURM_CONF = """{mark}
ClusterName=maestrata
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ctld_port}
SlurmdPort={slurmd_port}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CryptoType=crypto/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SchedulerParameters=batch_sched_delay=0,sched_interval=2
MpiDefault=none
ReturnToService=2
MinJobAge=3600
KillWait=2
SlurmdParameters=config_overrides
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={memory} Gres=gpu:{gpus}
PartitionName=main Nodes={host} Default=YES DefMemPerCPU=500 MaxTime=INFINITE State=UP
"""
# devices that every machine has, for GPUs: what is tested is that one is asked for and handed out
GRES_CONF = """{mark}
Name=gpu File=/dev/zero
Name=gpu File=/dev/null
"""


def missing() -> str | None:
    """Say why no SLURM can be brought up here; None where one can."""
    if os.environ.get("MAESTRATA_TEST_SLURM") != "1":
        return "MAESTRATA_TEST_SLURM=1 is not set"
    if os.geteuid() != 0:
        return "a SLURM can be brought up by root only"
    if absent := [name for name in PROGRAMS if shutil.which(name) is None]:
        return f"{', '.join(absent)} not installed (.ci/run tries: slurmctld slurmd slurm-client munge)"
    if find_spec("snakemake_executor_plugin_slurm") is None:
        return "snakemake-executor-plugin-slurm is not installed"
    for path in (ETC / "slurm.conf", ETC / "gres.conf"):
        if path.exists() and MARK not in path.read_text():
            return f"this machine has a SLURM of its own ({path})"
    return None


def wait_for(what: Callable[[], object], said: str, seconds: float = 60.0, pause: float = 0.1) -> None:
    """Wait until something holds; the limit is a guard against hanging."""
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until, f"waited {seconds:g} s in vain: {said}"
        time.sleep(pause)


def free_ports(count: int) -> list[int]:
    """Find ports that nobody listens on."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


class Node:
    """A SLURM of one node with two pretended GPUs.

    Parameters
    ----------
    folder : pathlib.Path
        Of its state, sockets and logs; it is there and empty.
    """

    gpus = 2
    wait_for = staticmethod(wait_for)

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.host = socket.gethostname().partition(".")[0]
        self.daemons: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Bring it up; returns when the node takes jobs."""
        self.folder.chmod(0o755)  # munged wants a socket that every user can reach
        for name in ("state", "spool"):
            (self.folder / name).mkdir()
        key = self.folder / "munge.key"
        key.write_bytes(secrets.token_bytes(128))
        key.chmod(0o400)
        ports = free_ports(2)
        values = {
            "mark": MARK,
            "host": self.host,
            "folder": self.folder,
            "ctld_port": ports[0],
            "slurmd_port": ports[1],
            "cpus": max(4, os.cpu_count() or 1),  # one is held by a job that stands still
            "memory": 40_000,
            "gpus": self.gpus,
        }
        ETC.mkdir(exist_ok=True)
        (ETC / "slurm.conf").write_text(SLURM_CONF.format(**values))
        (ETC / "gres.conf").write_text(GRES_CONF.format(**values))
        munge = {
            "socket": "munge.socket",
            "pid-file": "munge.pid",
            "log-file": "munge.log",
            "seed-file": "munge.seed",
            "key-file": "munge.key",
        }
        self._daemon("munged", "--foreground", *(f"--{k}={self.folder / v}" for k, v in munge.items()))
        wait_for((self.folder / "munge.socket").exists, "munged has no socket")
        self._daemon("slurmctld", "-D", "-c")
        self._daemon("slurmd", "-D", "-N", self.host)
        wait_for(lambda: self.ask("sinfo", "-h", "-o", "%T") == "idle", "the node is not idle")

    def _daemon(self, name: str, *args: str) -> None:
        # it must not outlive tests that are killed
        command = ["setpriv", "--pdeathsig", "TERM", name, *args]
        with open(self.folder / f"{name}.out", "wb") as out:
            daemon = subprocess.Popen(command, stdout=out, stderr=out, stdin=subprocess.DEVNULL)
        self.daemons.append(daemon)

    def stop(self) -> None:
        """Cancel what runs and take it down."""
        subprocess.run(["scancel", "--user=root"], capture_output=True)
        subprocess.run(["scontrol", "shutdown"], capture_output=True)
        for daemon in reversed(self.daemons):
            if daemon is self.daemons[0]:  # munged, which nothing else stops
                daemon.terminate()
            try:
                daemon.wait(20)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
        for path in (ETC / "slurm.conf", ETC / "gres.conf"):
            path.unlink(missing_ok=True)

    def ask(self, *command: str) -> str:
        """Run a command of SLURM and return what it says, "" where it fails."""
        return subprocess.run(command, capture_output=True, text=True).stdout.strip()

    def jobs(self) -> list[dict[str, str]]:
        """List all jobs, ended ones included, with what `scontrol show job` says of them."""
        lines = self.ask("scontrol", "show", "job", "--oneliner", "--details").splitlines()
        return [dict(re.findall(r"(\w[\w:/]*)=(\S*)", line)) for line in lines if line.startswith("JobId=")]

    def log(self) -> str:
        """Return what the daemons wrote, for the message of a failure."""
        written = sorted(p for p in self.folder.iterdir() if p.suffix in (".log", ".out"))
        return "\n".join(f"{p.name}:\n{p.read_text()[-3000:]}" for p in written)


@pytest.fixture(scope="session")
def node() -> Iterator[Node]:
    """A SLURM that takes jobs, for all tests of the session."""
    if reason := missing():
        pytest.skip(reason)
    # not among pytest's folders, which only their owner can reach
    with tempfile.TemporaryDirectory(prefix="maestrata-slurm-") as folder:
        node = Node(Path(folder))
        try:
            try:
                node.start()
            except AssertionError as error:
                pytest.fail(f"SLURM does not start: {error}\n{node.log()}")
            yield node
        finally:
            node.stop()
