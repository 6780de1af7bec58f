"""What a run left in its results folder and its benchmarks, read for the report; nothing is computed here but counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ethos.errors import BadInput
from ethos.files import read_json
from ethos.settings import Settings
from ethos.tables import METRICS, PAIRS, QUESTIONS, RESPONSES, SAMPLES, read_table

Row = Mapping[str, Any]
TRAININGS = ("preference_model", "aligned", "shuffled", "distilled", "introspection")


@dataclass(frozen=True)
class SeedResults:
    """What was trained with one seed.

    histories: the training curve by training. pairs: training pairs by adapter. preference_model: counts of its
    evaluation, and what its figures show.
    """

    seed: int
    metrics: list[Row]
    samples: list[Row]
    histories: dict[str, list[Row]]
    pairs: dict[str, int]
    accuracy: Row
    preference_model: Row
    introspection: Row


@dataclass(frozen=True)
class CellResults:
    """One student with one constitution. questions: rows of tables.QUESTIONS; the other fields are counts.

    cut_off: responses that reached their token limit, by who wrote them (teacher, in_character, plain). rankers: how far
    other rankers agree with the run's, None if none was asked.
    """

    student: str
    constitution: str
    questions: list[Row]
    question_counts: Row
    teacher_counts: Row
    response_counts: Row
    cut_off: dict[str, int]
    rankings: Row
    rankers: Row | None
    seeds: list[SeedResults]

    @property
    def traits(self) -> list[str]:
        """Trait ids in the order of the questions, which is the constitution's."""
        return list(dict.fromkeys(row["trait"] for row in self.questions))


def read_cells(results: Path, settings: Settings) -> list[CellResults]:
    """Every (student, constitution) of a run, the headline constitution first."""
    constitutions = sorted(settings.constitutions, key=lambda name: name != settings.headline)
    return [
        _read_cell(results, student, constitution, settings)
        for constitution in constitutions
        for student in settings.students
    ]


def _read_cell(results: Path, student: str, constitution: str, settings: Settings) -> CellResults:
    folder = results / student / constitution
    cut_off = Counter({"teacher": 0, "in_character": 0, "plain": 0})
    for path, author in (
        (results / "teacher" / f"{constitution}.parquet", "teacher"),
        (folder / "responses.parquet", None),
    ):
        for row in read_table(_present(path), RESPONSES).select(["author", "finish_reason"]).to_pylist():
            cut_off[author or row["author"]] += row["finish_reason"] == "length"
    return CellResults(
        student,
        constitution,
        read_table(_present(results / "questions" / f"{constitution}.parquet"), QUESTIONS).to_pylist(),
        read_json(_present(results / "questions" / f"{constitution}.json")),
        read_json(_present(results / "teacher" / f"{constitution}.json")),
        read_json(_present(folder / "responses.json")),
        dict(cut_off),
        read_json(_present(folder / "rankings.json")),
        read_json(_present(folder / "rankers.json")) if settings.rankings.compared else None,
        [_read_seed(folder / f"seed{seed}", seed) for seed in settings.seeds],
    )


def _read_seed(folder: Path, seed: int) -> SeedResults:
    evaluations = folder / "evaluations"
    metrics = [
        row
        for name in ("character", "preferences", "preference_model")
        for row in read_table(_present(evaluations / f"{name}.parquet"), METRICS).to_pylist()
    ]
    return SeedResults(
        seed,
        metrics,
        read_table(_present(evaluations / "samples.parquet"), SAMPLES).to_pylist(),
        {name: read_json(_present(folder / name / "history.json")) for name in TRAININGS},
        {
            name: read_table(_present(folder / name / "pairs.parquet"), PAIRS).num_rows
            for name in ("aligned", "shuffled", "distilled")
        },
        read_json(_present(folder / "preference_model" / "accuracy.json")),
        read_json(_present(evaluations / "preference_model.json")),
        read_json(_present(folder / "introspection.json")),
    )


def _present(path: Path) -> Path:
    if not path.is_file():
        raise BadInput("does not exist; run the workflow, which makes it before the report", path=path)
    return path


def find(
    metrics: Sequence[Row],
    metric: str,
    arm: str,
    reference: str | None = None,
    *,
    part: str = "all",
    evaluation: str = "character",
) -> Row | None:
    """The one row of tables.METRICS at this place; None if the run has none. part: the slice."""
    place = {"evaluation": evaluation, "metric": metric, "arm": arm, "reference": reference, "slice": part}
    return next((row for row in metrics if all(row[name] == value for name, value in place.items())), None)
