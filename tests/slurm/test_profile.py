"""What a site says (slurm/site.sh) reaches the jobs that it is meant for; a dry run tells, and needs no Slurm."""

from __future__ import annotations

import re

import pytest

from ethos.errors import BadInput
from ethos.resources import site_resources
from tests.conftest import ROOT, Checkout
from tests.slurm.conftest import ask_for

NAMED = re.findall(r"^export (ETHOS_SLURM_\w+)=", (ROOT / "slurm/site.example.sh").read_text(), re.MULTILINE)


def jobs(checkout: Checkout) -> dict[str, dict[str, str]]:
    """What each job that would be sent to the cluster asks for, by rule."""
    outcome = checkout.snakemake("-n", "--profile", "slurm", "--forceall")
    assert outcome.returncode == 0, outcome.stderr + outcome.stdout
    found = re.findall(r"^rule (\w+):\n(?:    .*\n)*?    resources: (.*)$", outcome.stdout, re.MULTILINE)
    return {rule: dict(each.split("=", 1) for each in asked.split(", ")) for rule, asked in found}


def test_each_name_of_the_example_reaches_jobs_with_a_gpu_or_without(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in NAMED:
        monkeypatch.setenv(name, f"my_{name}")
    ask_for(checkout, gpus=1)
    asked = jobs(checkout)
    with_gpu, without = asked["rank_responses"], asked["name_persona"]
    assert {value for job in (with_gpu, without) for value in job.values()} >= {f"my_{name}" for name in NAMED}
    assert with_gpu["gpu"] == "1" and without["gpu"] == "0"
    assert with_gpu["slurm_partition"] == "my_ETHOS_SLURM_PARTITION"
    assert without["slurm_partition"] == "my_ETHOS_SLURM_CPU_PARTITION"
    assert not {"gpu_model", "constraint"} & set(without)


def test_a_job_without_a_gpu_goes_where_the_others_do_if_the_site_says_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("ETHOS_SLURM_CPU_PARTITION")
    assert site_resources(0) == {"slurm_partition": "main"}
    monkeypatch.delenv("ETHOS_SLURM_PARTITION")
    assert site_resources(0) == {}


def test_a_type_of_gpu_that_the_executor_would_refuse_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ETHOS_SLURM_GPU_TYPE", "a100-sxm4-80gb")
    with pytest.raises(BadInput, match="^ETHOS_SLURM_GPU_TYPE: 'a100-sxm4-80gb'.*leave it out"):
        site_resources(1)
