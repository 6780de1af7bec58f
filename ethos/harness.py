"""lm-evaluation-harness with our engines: its tasks, from data that was prepared, asked of an arm as all else is.

Gao et al., doi:10.5281/zenodo.12608602. The harness knows the tasks and says what a right answer is; every answer comes
from an engine, so it is kept in the store, and every prompt is a conversation that the model's own template renders.
"""

from __future__ import annotations

import json
import math
import os
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

os.environ.setdefault("TQDM_DISABLE", "1")  # read once, on import; our own lines say how far it is

import datasets
import pyarrow.parquet as pq
from lm_eval.api.model import LM
from lm_eval.api.task import ConfigurableTask
from lm_eval.evaluator import evaluate
from lm_eval.tasks import TaskManager

from ethos.engine import Message, ScoreRequest
from ethos.errors import BadInput
from ethos.files import canonical_json
from ethos.stored_engine import StoredEngine
from ethos.tables import write_table

FOLDER = Path(__file__).resolve().parent.parent / "tasks"
# What the harness calls the measures that are told; acc_norm takes log-probabilities by the length of a choice.
METRICS = ("acc", "acc_norm", "bits_per_byte")
# By task as it was asked for, and in there by name: the task itself, or the parts of a group.
Tasks = Mapping[str, Mapping[str, ConfigurableTask]]
# The conversation for an item: its number, the task's question, and a system prompt of the task's own, or nothing.
Frame = Callable[[int, str, str], tuple[Message, ...]]


def fetch_tasks(names: Sequence[str], folder: Path, scratch: Path) -> dict[str, list[str]]:
    """Fetch the data of tasks, and write what they read of it to a folder, `PART.SPLIT.parquet`.

    scratch: a folder for what is only needed on the way. Returns the parts of each task. Raises BadInput for a task that
    is unknown, can't be had, or is of a kind that is not measured here.
    """
    datasets.disable_progress_bars()
    datasets.config.HF_DATASETS_CACHE = scratch
    tasks = _load(names)
    for name, task in ((name, task) for parts in tasks.values() for name, task in parts.items()):
        _refuse_other_kinds(name, task)
        config = task.config
        asked = {config.test_split, config.validation_split, config.training_split, config.fewshot_split}
        for split in sorted(asked & set(task.dataset)):
            write_table(folder / f"{name}.{split}.parquet", task.dataset[split].with_format("arrow")[:])
    return {name: sorted(parts) for name, parts in tasks.items()}


def prepared_tasks(names: Sequence[str], folder: Path) -> Tasks:
    """Tasks with the data that `fetch_tasks` wrote; asks no network."""

    def read(task: ConfigurableTask, *_: Any, **__: Any) -> None:
        found = {path.suffixes[-2][1:]: path for path in sorted(folder.glob(f"{task.config.task}.*.parquet"))}
        task.dataset = datasets.DatasetDict(
            {
                split: datasets.Dataset(datasets.table.InMemoryTable(pq.read_table(path)))
                for split, path in found.items()
            }
        )

    with _downloading_by(read):
        return _load(names)


@contextmanager
def _downloading_by(download: Callable[..., None]) -> Iterator[None]:
    """Let tasks get their data from elsewhere; the harness asks the Hub even for what it has."""
    theirs, ConfigurableTask.download = ConfigurableTask.download, download
    try:
        yield
    finally:
        ConfigurableTask.download = theirs


def _load(names: Sequence[str]) -> Tasks:
    """The tasks as the harness makes them. Its own fourteen thousand take seconds to list, ours are found at once."""
    ours = {path.stem for path in FOLDER.glob("*.yaml")}
    manager = TaskManager(include_path=FOLDER, include_defaults=not ours.issuperset(names))
    if unknown := sorted(set(names) - set(manager.all_tasks)):
        raise BadInput(
            f"{unknown[0]!r} is no task of lm-evaluation-harness, nor of tasks/; `lm-eval ls tasks` lists them",
            field="evaluation.capabilities.tasks",
        )
    random.seed(0)  # some tasks shuffle their choices as they are loaded
    try:
        return {name: manager.load([name])["tasks"] for name in names}
    except (datasets.exceptions.DatasetsError, OSError, RuntimeError, ValueError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise BadInput(
            f"{reason} Check the tasks, HF_TOKEN and the network", field="evaluation.capabilities.tasks"
        ) from None


def _refuse_other_kinds(name: str, task: ConfigurableTask) -> None:
    kind = task.config.output_type
    if kind not in ("multiple_choice", "loglikelihood_rolling") or task.config.gen_prefix:
        raise BadInput(
            f"{name!r} is neither multiple choice nor plain text ({kind}); ask for another task",
            field="evaluation.capabilities.tasks",
        )


class ArmModel(LM):
    """An arm as the harness sees a model. frame: what the arm is sent for an item of a task."""

    def __init__(self, engine: StoredEngine, frame: Frame):
        super().__init__()
        self.engine, self.frame = engine, frame

    @property
    def tokenizer_name(self) -> str:
        """Asked for by the harness, to name caches of its own that are not used."""
        return self.engine.name

    def apply_chat_template(self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
        """The turns as JSON, for `loglikelihood` to read: the engine renders them."""
        return canonical_json(chat_history)

    def loglikelihood(self, requests: list) -> list[tuple[float, bool]]:
        """Log-probability of each choice as the reply. Whether it is the likeliest text is not known, and not used."""
        scores = self.engine.score(
            [ScoreRequest(self._messages(asked.doc_id, asked.args[0]), asked.args[1]) for asked in requests]
        )
        return [(score.log_probability, False) for score in scores]

    def _messages(self, number: int, context: str) -> tuple[Message, ...]:
        said = {turn["role"]: turn["content"] for turn in json.loads(context)}
        return self.frame(number, said["user"], said.get("system", ""))

    def loglikelihood_rolling(self, requests: list) -> list[float]:
        """Log-probability of each text by itself, without a chat and so without a system prompt."""
        return [score.log_probability for score in self.engine.score([ScoreRequest((), r.args[0]) for r in requests])]

    def generate_until(self, requests: list) -> list[str]:
        raise NotImplementedError("tasks that generate text are refused before they are asked")


def ask_tasks(
    tasks: Tasks, model: ArmModel, *, limit: int | None, shots: int | None, seed: int
) -> list[dict[str, Any]]:
    """Every item of every task, asked of an arm. limit, shots: as in the settings. seed: of the examples that are shown.

    Returns rows of tables.ITEMS without the arm.
    """
    parts = {name: task for of_group in tasks.values() for name, task in of_group.items()}
    for task in parts.values():
        task.set_config("num_fewshot", (task.config.num_fewshot or 0) if shots is None else shots)
        task.set_fewshot_seed(seed)
    answered = evaluate(
        lm=model,
        task_dict={"tasks": parts},
        limit=limit,
        bootstrap_iters=0,
        apply_chat_template=True,
        fewshot_as_multiturn=False,
    )["samples"]
    return [
        {"task": asked, "part": name, "item": sample["doc_id"], "metric": metric}
        | {"value": _value(sample[metric]), "log_probabilities": _log_probabilities(sample)}
        for asked, of_group in tasks.items()
        for name in of_group
        for sample in answered[name]
        for metric in METRICS
        if metric in sample
    ]


def _value(measured: float | tuple[float, int]) -> float:
    """A measure of one item; of a text, the harness gives its log-probability and its bytes."""
    if isinstance(measured, tuple):
        log_probability, length = measured
        return -log_probability / length / math.log(2)
    return float(measured)


def _log_probabilities(sample: Mapping[str, Any]) -> list[float]:
    """Of the choices of an item, or of its text."""
    return [answer[0] if isinstance(answer, tuple) else answer for answer in sample["filtered_resps"]]
