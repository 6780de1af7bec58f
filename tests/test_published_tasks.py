"""The published tasks of the harness, on made-up items in each one's format: fetched, read again, asked and counted.

What the Hub itself would send is not tried here: there may be no network.
"""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path

import datasets
import pytest
from lm_eval.api.task import ConfigurableTask

from ethos.engine import ScoreRequest
from ethos.evaluation_settings import CapabilityTasks, Intervals
from ethos.harness import ArmModel, _downloading_by, ask_tasks, fetch_tasks, prepared_tasks
from scripts.evaluate_capabilities import capability_metrics, frame
from tests.test_capabilities import CONSTITUTION, Model

# Two items of each data set on the Hub, in the columns that it has there.
ITEMS = {
    "truthfulqa/truthful_qa": [
        {"question": f"What follows {number}?", "mc1_targets": {"choices": ["yes", "no"], "labels": [1, 0]}}
        | {"mc2_targets": {"choices": ["right one", "right two", "wrong one", "wrong two"], "labels": [1, 1, 0, 0]}}
        for number in range(2)
    ],
    "allenai/winogrande": [
        {"sentence": "The cup did not fit the box as the _ was too small.", "option1": "cup", "option2": "box", "answer": "2"},
        {"sentence": "Ann thanked Sue as _ was glad.", "option1": "Ann", "option2": "Sue", "answer": "1"},
    ],
    "Rowan/hellaswag": [
        {"ind": number, "activity_label": f"Baking {number}", "ctx_a": "A man kneads.", "ctx_b": "he", "label": str(number)}
        | {"ctx": "A man kneads. he", "endings": [f"does thing {ending} [title] at last." for ending in range(4)]}
        for number in range(2)
    ],
    "allenai/ai2_arc": [
        {"id": key, "question": f"Which is {key}?", "answerKey": key, "choices": {"text": [f"it {label}" for label in "ABCD"], "label": list("ABCD")}}
        for key in "BD"
    ],
    "cais/mmlu": [
        {"question": f" Of {number}? ", "subject": "s", "choices": [f"choice {place}" for place in range(4)], "answer": number}
        for number in range(2)
    ],
}  # fmt: skip
SPLITS = ("train", "validation", "test", "dev")


def made_up(task: ConfigurableTask, *_, **__) -> None:
    """In place of the download."""
    rows = datasets.Dataset.from_list(ITEMS[task.config.dataset_path])
    task.dataset = datasets.DatasetDict(dict.fromkeys(SPLITS, rows))


def is_right(request: ScoreRequest) -> bool:
    said, asked = request.response, request.messages[-1].content
    return any(
        (
            said.startswith("right"),
            asked.endswith(("as the box", "as Ann")),
            any(f"Baking {label}:" in asked and said == f"does thing {label}. at last." for label in "01"),
            any(f"Which is {key}?" in asked and said == f"it {key}" for key in "BD"),
            any(f"Of {number}?" in asked and said == letter for number, letter in enumerate("AB")),
        )
    )


@pytest.mark.slow
def test_every_published_task_is_fetched_read_again_asked_and_counted(tmp_path: Path):
    names = CapabilityTasks().tasks
    with _downloading_by(made_up):
        parts = fetch_tasks(names, tmp_path / "tasks", tmp_path / "scratch")
    assert {name: len(own) for name, own in parts.items()} == dict.fromkeys(names, 1) | {"mmlu": 57}
    tasks, values = prepared_tasks(names, tmp_path / "tasks"), {}
    for knows in (True, False):
        model = Model(lambda request, knows=knows: -1.0 if is_right(request) == knows else -3.0)
        arm = ArmModel(model, partial(frame, "base", CONSTITUTION, "trait"))
        rows = ask_tasks(tasks, arm, limit=None, shots=None, seed=0)
        found = capability_metrics([{"arm": "base", **row} for row in rows], Intervals(resamples=99), 0)
        values[knows] = {(row["slice"], row["metric"]): (row["value"], row["n"]) for row in found}
    right = {(name, "acc"): (1.0, 2) for name in names} | {("mmlu", "acc"): (1.0, 2 * 57)}
    right |= {(name, "acc_norm"): (1.0, 2) for name in ("hellaswag", "arc_challenge")}
    share = 1 / (1 + math.exp(-2))  # of the probability, on the two true choices of four
    assert values[True] == right | {("truthfulqa_mc2", "acc"): (pytest.approx(share), 2)}
    wrong = {place: (0.0, n) for place, (_, n) in right.items()}
    assert values[False] == wrong | {("truthfulqa_mc2", "acc"): (pytest.approx(1 - share), 2)}
    roles = {tuple(message.role for message in request.messages) for request in model.requests}
    assert roles == {("user",), ("system", "user")}  # MMLU says of what its questions are
