"""The profiles and the Containerfile, as far as they can be tested without a cluster and containers."""

from __future__ import annotations

import re
import shutil
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from packaging.requirements import Requirement

if TYPE_CHECKING:
    from tests.workflow.conftest import Checkout

ROOT = Path(__file__).parents[2]
CONTAINERFILE = (ROOT / "Containerfile").read_text()
DEFAULT, KUBERNETES, SLURM = (
    yaml.safe_load((ROOT / f"profiles/{name}/config.yaml").read_text())
    for name in ("default", "kubernetes", "slurm")
)
CLAIM, JOB = yaml.safe_load_all((ROOT / "profiles/kubernetes/job.yaml").read_text())
SMOKE = ("--configfile", "config/smoke.yaml")


def copied() -> list[str]:
    """What the Containerfile copies into the image."""
    lines = re.findall(r"(?m)^COPY (.+) \S+$", CONTAINERFILE)
    return [source for line in lines for source in line.split()]


def test_the_image_has_the_packages_of_the_lock_and_a_python_that_will_do() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (python,) = re.findall(r"(?m)^FROM python:([\d.]+)-slim$", CONTAINERFILE)
    assert Requirement(f"python{project['requires-python']}").specifier.contains(python)
    assert "--requirement requirements.lock" in CONTAINERFILE
    # each use of pip is bound by the lock, or brings no package but our own
    for command in re.findall(r"pip install [^&\n]*(?:\\\n[^&\n]*)*", CONTAINERFILE):
        assert "requirements.lock" in command or "--no-deps" in command
    assert f"--tag maestrata:{project['version']}" in CONTAINERFILE


def test_what_the_image_is_built_from_is_there_and_not_ignored() -> None:
    ignored = (ROOT / ".dockerignore").read_text().split()
    for source in copied():
        assert (ROOT / source).exists(), source
        assert source not in ignored


def arguments_of_the_pod(image: Path, volume: Path) -> list[str]:
    """What the pod hands to Snakemake, with the image and the volume where they are here."""
    (pod,) = JOB["spec"]["template"]["spec"]["containers"]
    (script,) = pod["args"]
    (run,) = re.findall(r'^run="(.+)";', script)
    program, *args = run.replace("/opt/maestrata", str(image)).replace("/data", str(volume)).split()
    assert program == "snakemake"
    return args


def test_the_pod_plans_the_run_with_what_the_image_holds(pristine: Checkout, tmp_path: Path) -> None:
    """With what the image has of the checkout and nothing else, in another folder, by its profile."""
    image, volume = tmp_path / "image", tmp_path / "volume"
    image.mkdir()
    volume.mkdir()
    for source in copied():
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, image / source, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(ROOT / source, image / source)
    *args, flag, config = arguments_of_the_pod(image, volume)
    assert flag == "--configfile"
    assert Path(config).is_file()
    smoke = ("--configfile", str(image / "config/smoke.yaml"))
    assert pristine.planned(*args, config=smoke) == pristine.planned(config=SMOKE)


def test_pod_profile_and_image_agree() -> None:
    (pod,) = JOB["spec"]["template"]["spec"]["containers"]
    assert f"--tag {pod['image']}" in CONTAINERFILE
    assert f"WORKDIR {pod['workingDir']}\n" in CONTAINERFILE
    mounts = {mount["name"]: mount["mountPath"] for mount in pod["volumeMounts"]}
    (volume,) = JOB["spec"]["template"]["spec"]["volumes"]
    assert mounts == {volume["name"]: pod["workingDir"]}
    assert volume["persistentVolumeClaim"]["claimName"] == CLAIM["metadata"]["name"]
    requests = pod["resources"]["requests"]
    assert int(requests["cpu"]) == KUBERNETES["cores"]
    (memory,) = KUBERNETES["resources"]
    assert memory == f"mem_mb={int(requests['memory'].removesuffix('Gi')) * 1000}"


def test_profiles_differ_from_the_default_only_where_they_must() -> None:
    """What decides which jobs run again is the same everywhere."""
    for profile in (KUBERNETES, SLURM):
        for key in ("scheduler", "rerun-triggers", "rerun-incomplete", "max-jobs-per-timespan"):
            assert profile[key] == DEFAULT[key]


def test_the_profile_offers_an_array_all_its_jobs() -> None:
    """Offered a part of the jobs that are ready, the plugin waits for the rest, which never come."""
    assert SLURM["jobs"] == "unlimited"
    assert int(SLURM["max-jobs-per-timespan"].partition("/")[0]) >= 1_000_000
