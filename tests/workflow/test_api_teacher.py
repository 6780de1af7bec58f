"""A teacher behind an endpoint, in the workflow: asked once for each response, and its key in no file."""

from __future__ import annotations

import json
import re

import pyarrow.parquet as pq
import pytest

from tests.conftest import Checkout
from tests.endpoint import Endpoint, Failure, serving
from tests.workflow.test_plan import plan, records

pytestmark = pytest.mark.slow
KEY = "sk-not-a-real-key-0123456789abcdef"
TARGET = "results/test/teacher/poeticism.parquet"
QUESTIONS = "results/test/questions/poeticism.parquet"


def use_as_teacher(checkout: Checkout, endpoint: Endpoint) -> None:
    source = f"  far:\n    source: api:big@{endpoint.url}\n    key: TEST_API_KEY\n\nstudents:"
    checkout.edit("config/test.yaml", "\nstudents:", source)
    checkout.edit("config/test.yaml", "teacher: tiny", "teacher: far")


def test_a_teacher_behind_an_endpoint_answers_once_for_all_and_its_key_is_in_no_file(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TEST_API_KEY", raising=False)
    with serving(Endpoint(answer=lambda body: "The moon dances with the stars.")) as endpoint:
        use_as_teacher(checkout, endpoint)
        outcome = checkout.snakemake(TARGET)
        assert outcome.returncode == 1 and not (checkout.folder / "store").exists()
        said = "error: models.far.key: needs a key; set the environment variable TEST_API_KEY"
        assert [line for line in outcome.stderr.splitlines() if line.startswith("error: ")] == [said]
        monkeypatch.setenv("TEST_API_KEY", KEY)
        endpoint.failures = [Failure(429, "Slow down.")]
        outcome = checkout.snakemake(TARGET)
        assert outcome.returncode == 0, outcome.stderr[-4000:]
        rows = pq.read_table(checkout.folder / TARGET).to_pylist()
        asked = len(endpoint.asked)
        assert {row["response"] for row in rows} == {"The moon dances with the stars."}
        # Each once, and the one that was told to slow down again; the teacher writes questions too.
        assert len({json.dumps(body) for body in endpoint.asked}) == asked - 1 >= len(rows)
        assert endpoint.keys == {KEY}
        (checkout.folder / TARGET).unlink()
        monkeypatch.delenv("TEST_API_KEY")  # what is all in the store needs none
        assert checkout.snakemake(TARGET).returncode == 0
        assert len(endpoint.asked) == asked
    written = [path for path in checkout.folder.rglob("*") if path.is_file() and not path.is_symlink()]
    assert [path for path in written if KEY.encode() in path.read_bytes()] == []


def test_what_a_stopped_job_has_bought_is_not_to_do_again(checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_API_KEY", KEY)
    with serving(Endpoint()) as endpoint:
        use_as_teacher(checkout, endpoint)
        assert checkout.snakemake(QUESTIONS).returncode == 0
        fresh, before = plan(checkout, TARGET)["stages"]["generate_teacher_responses"], len(endpoint.asked)

        def answer(body) -> str:
            if len(endpoint.asked) >= before + 20:
                endpoint.failures = [Failure(400, "No more.")] * 99
            return "The moon dances with the stars."

        endpoint.answer = answer
        assert checkout.snakemake(TARGET).returncode == 1
        answered = sum(work.calls for work in records(checkout).values() if work.stage == "generate_teacher_responses")
        assert 20 <= answered < fresh["calls"] == fresh["calls_to_do"]
        told = plan(checkout, TARGET)["stages"]["generate_teacher_responses"]
        assert (told["calls"], told["calls_to_do"]) == (fresh["calls"], fresh["calls"] - answered)
        endpoint.failures, endpoint.answer = [], lambda body: "The moon dances with the stars."
        outcome = checkout.snakemake(TARGET)
        assert outcome.returncode == 0, outcome.stderr[-4000:]
        assert plan(checkout, TARGET)["total"]["calls_to_do"] == 0


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("students: [tiny]", "students: [far]", "students.0: 'far' is reached over HTTP and can't be trained"),
        ("judge: tiny", "judge: far", "rankings.method: needs a judge that says how likely a text is"),
    ],
)
def test_what_an_endpoint_cannot_do_is_told_before_anything_runs(
    checkout: Checkout, old: str, new: str, said: str
) -> None:
    checkout.edit(
        "config/test.yaml", "\nstudents:", "  far:\n    source: api:big@https://api.example.org/v1\n\nstudents:"
    )
    checkout.edit("config/test.yaml", old, new)
    outcome = checkout.snakemake("-n")
    assert outcome.returncode == 1 and "Traceback" not in outcome.stderr
    assert said in outcome.stderr


def test_a_judge_behind_an_endpoint_takes_no_gpu_but_what_answers_it_does(checkout: Checkout) -> None:
    outcome = checkout.snakemake(
        *("-n", "all", "--config", 'models={far: {source: "api:big@https://api.example.org/v1"}}', "judge=far"),
        *("rankings={method: pairwise, compared: []}", "evaluation={preferences: {verdict: judge}}"),
        "execution={device: cuda}",
    )
    assert outcome.returncode == 0, outcome.stderr
    asked = dict(re.findall(r"^rule (\w+):\n(?:    .+\n)*?    resources: .*?\bgpu=(\d)", outcome.stdout, re.MULTILINE))
    assert (asked["rank_responses"], asked["evaluate_coherence"]) == ("0", "0")
    assert (asked["evaluate_preferences"], asked["evaluate_stance"], asked["evaluate_judges"]) == ("1", "1", "1")
