"""What a run left in its results folder and its benchmarks, read for the report; computed are counts and means over seeds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from ethos.errors import BadInput
from ethos.evaluation_settings import PERSONA_EVALUATIONS
from ethos.evaluations import evaluations_of
from ethos.files import read_json
from ethos.over_seeds import over_seeds
from ethos.settings import Settings
from ethos.tables import (
    EXAMPLES,
    METRICS,
    NAMINGS,
    PAIRS,
    QUESTIONS,
    RANKINGS,
    RESPONSES,
    SAMPLES,
    STANCES,
    STEERING_GRID,
    read_table,
)

Row = Mapping[str, Any]
MEAN = "mean"  # instead of a seed, what is of several
TRAININGS = ("preference_model", "aligned", "shuffled", "distilled", "introspection")


@dataclass(frozen=True)
class SeedResults:
    """What was trained with one seed. histories: the training curve by training. examples: how many each adapter was
    trained on. distillation: what became of the teacher's responses. preference_model: counts of its evaluation, and
    what its figures show. steering: rows of tables.STEERING_GRID, base first. stances: rows of tables.STANCES, where they
    were asked. namings: rows of tables.NAMINGS by evaluation.
    """

    seed: int
    metrics: list[Row]
    samples: list[Row]
    histories: dict[str, list[Row]]
    examples: dict[str, int]
    distillation: Row
    preference_model: Row
    introspection: Row
    steering: list[Row]
    stances: list[Row]
    namings: dict[str, list[Row]]


@dataclass(frozen=True)
class Part:
    """What is shown together: the results of one seed, or those of several, whose metrics are then means and `seed` is None."""

    seed: int | None
    metrics: list[Row]
    seeds: list[SeedResults]

    @property
    def label(self) -> int | str:
        """What a page and its figures call it, and its filters: the seed or MEAN."""
        return MEAN if self.seed is None else self.seed


@dataclass(frozen=True)
class CellResults:
    """One student with one constitution. questions, responses, teacher_responses, scores and pairs: rows of
    tables.QUESTIONS, RESPONSES, RESPONSES, RANKINGS and PAIRS. rankers: how far other rankers agree with the run's, None
    if none was asked. over_seeds: rows of tables.METRICS, means over the seeds, with `seed` None; none where there is one
    seed. The other fields are counts.
    """

    student: str
    constitution: str
    questions: list[Row]
    question_counts: Row
    teacher_counts: Row
    response_counts: Row
    rankings: Row
    rankers: Row | None
    responses: list[Row]
    teacher_responses: list[Row]
    scores: list[Row]
    pairs: list[Row]
    seeds: list[SeedResults]
    over_seeds: list[Row] = field(default_factory=list)

    @property
    def metrics(self) -> list[Row]:
        """What the headline is about: the means over seeds, or all there is of a single one."""
        return self.over_seeds or self.seeds[0].metrics

    @property
    def parts(self) -> list[Part]:
        """The results of each seed; with several, those over all of them come first."""
        own = [Part(seed.seed, seed.metrics, [seed]) for seed in self.seeds]
        return [Part(None, self.over_seeds, self.seeds), *own] if self.over_seeds else own

    @property
    def all_metrics(self) -> list[Row]:
        """Every row there is: over the seeds, and of each."""
        return [*self.over_seeds, *(row for seed in self.seeds for row in seed.metrics)]

    @property
    def cut_off(self) -> Counter[str]:
        """Responses that reached their token limit, by who wrote them (teacher, in_character, plain)."""
        written = [("teacher", row) for row in self.teacher_responses]
        written += [(row["author"], row) for row in self.responses]
        return Counter(author for author, row in written if row["finish_reason"] == "length")

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
    evaluations = evaluations_of(settings, constitution)
    seeds = [_read_seed(folder / f"seed{seed}", seed, evaluations) for seed in settings.seeds]
    return CellResults(
        student,
        constitution,
        _rows(results / "questions" / f"{constitution}.parquet", QUESTIONS),
        read_json(_present(results / "questions" / f"{constitution}.json")),
        read_json(_present(results / "teacher" / f"{constitution}.json")),
        read_json(_present(folder / "responses.json")),
        read_json(_present(folder / "rankings.json")),
        read_json(_present(folder / "rankers.json")) if settings.rankings.compared else None,
        _rows(folder / "responses.parquet", RESPONSES),
        _rows(results / "teacher" / f"{constitution}.parquet", RESPONSES),
        _rows(folder / "rankings.parquet", RANKINGS),
        _rows(folder / "pairs.parquet", PAIRS),
        seeds,
        over_seeds([row for seed in seeds for row in seed.metrics], settings.evaluation.confidence),
    )


def _read_seed(folder: Path, seed: int, evaluations: Sequence[str]) -> SeedResults:
    metrics = [row for name in evaluations for row in _rows(folder / "evaluations" / f"{name}.parquet", METRICS)]
    return SeedResults(
        seed,
        metrics,
        _rows(folder / "evaluations" / "samples.parquet", SAMPLES),
        {name: read_json(_present(folder / name / "history.json")) for name in TRAININGS},
        {
            name: len(_rows(folder / name / file, schema))
            for name, file, schema in (
                ("aligned", "examples.parquet", EXAMPLES),
                ("shuffled", "examples.parquet", EXAMPLES),
                ("distilled", "pairs.parquet", PAIRS),
            )
        },
        read_json(_present(folder / "distilled" / "pairs.json")),
        read_json(_present(folder / "evaluations" / "preference_model.json")),
        read_json(_present(folder / "introspection.json")),
        _rows(folder / "steered" / "grid.parquet", STEERING_GRID),
        _rows(folder / "evaluations" / "stances.parquet", STANCES) if "stance" in evaluations else [],
        {
            name: _rows(folder / "evaluations" / f"{name}_namings.parquet", NAMINGS)
            for name in evaluations
            if name in PERSONA_EVALUATIONS
        },
    )


def _rows(path: Path, schema: pa.Schema) -> list[Row]:
    return read_table(_present(path), schema).to_pylist()


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


def pick(metrics: Iterable[Row], **places: Any) -> list[Row]:
    """The rows of tables.METRICS whose columns have these values; a tuple or list names several that are wanted."""
    wanted = {name: value if isinstance(value, tuple | list) else (value,) for name, value in places.items()}
    return [row for row in metrics if all(row[name] in values for name, values in wanted.items())]
