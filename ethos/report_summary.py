"""The evaluations of a run, a line a measure: what the judged arms came to, what it would be without any effect, and n."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain

from ethos.capabilities_report import TITLES
from ethos.evaluation_settings import PERSONA_EVALUATIONS, EvaluationName
from ethos.judges_report import AUTHORS
from ethos.persona_report import copy_of_base
from ethos.run_results import CellResults, Row, find, pick
from ethos.settings import Settings
from ethos.stance_report import MEASURES as STANCE_MEASURES
from ethos.verdicts import JUDGED_ARMS


@dataclass(frozen=True)
class Line:
    """One measure of one evaluation, over seeds where there are several.

    section: the place on the page that tells more. measure: what it is, with its unit. no_effect: its value where an arm is
    as base, or a judge as a coin. of_arms: whether it is of the arms that are judged, and not of a judge or of another arm.
    rows: of tables.METRICS, by arm or by judge; none where nothing is known. n: what the smallest of them stands on, 0 where
    nothing is known. counted: what n counts.
    """

    evaluation: str
    section: str
    measure: str
    no_effect: str
    of_arms: bool
    rows: Mapping[str, Row]
    n: int
    counted: str
    digits: int = 3

    @property
    def signed(self) -> bool:
        """Whether it is a difference."""
        return self.no_effect == "0"


def summary(cell: CellResults, settings: Settings) -> list[Line]:
    """What a run measured, in the order of the page: the held-out questions, the evaluations that it made, its judges."""
    made = [lines_of for evaluation, lines_of in _LINES.items() if evaluation in settings.evaluation.which]
    lines = (lines_of(cell, settings) for lines_of in (_character, *made, _preference_model))
    return list(chain.from_iterable(lines))


def _line(
    cell: CellResults, evaluation: str, measure: str, no_effect: str, rows: Mapping[str, Row | None], counted: str,
    *, section: str = "", n: int | None = None, digits: int = 3,
) -> Line:  # fmt: skip
    """section: where it is not called as the evaluation. n: where it is not that of the rows."""
    found = {arm: row for arm, row in rows.items() if row}
    least = min((row["n"] for row in found.values()), default=0) if n is None else n
    place = section or f"{evaluation}-{cell.constitution}-{cell.student}"
    of_arms = set(rows) <= set(JUDGED_ARMS)
    return Line(evaluation.replace("_", " "), place, measure, no_effect, of_arms, found, least, counted, digits)


def _differences(
    cell: CellResults, evaluation: str, metric: str, part: str = "all", arms: Sequence[str] = JUDGED_ARMS
) -> dict[str, Row | None]:
    return {arm: find(cell.metrics, metric, arm, "base", part=part, evaluation=evaluation) for arm in arms}


def _character(cell: CellResults, settings: Settings) -> Iterator[Line]:
    for metric, measure, digits in (
        ("likelihood_ratio", "likelihood ratio − base, nats per token", 3),
        ("cue_rate", "cue words − base, per hundred words", 2),
        ("log_perplexity", "log-perplexity − base, nats per token", 2),
    ):
        rows, place = _differences(cell, "character", metric), f"measures-{cell.constitution}-{cell.student}"
        yield _line(cell, "character", measure, "0", rows, "questions", section=place, digits=digits)


def _preferences(cell: CellResults, settings: Settings) -> Iterator[Line]:
    for condition in settings.evaluation.preferences.conditions:
        rows = _differences(cell, "preferences", "rank_correlation", condition)
        played = pick(cell.metrics, evaluation="preferences", metric="unparsed", arm=JUDGED_ARMS, slice=condition)
        matches = min((row["n"] for row in played), default=0)
        halves = find(cell.metrics, "split_half_correlation", "base", part=condition, evaluation="preferences")
        known = halves and halves["value"] is not None
        no_effect = f"≤ 1; base’s halves {halves['value']:.2f}" if known else "≤ 1"
        measure = f"rank correlation with base, told “{condition}”"
        yield _line(cell, "preferences", measure, no_effect, rows, "matches", n=matches, digits=2)


def _coherence(cell: CellResults, settings: Settings) -> Iterator[Line]:
    arm = settings.evaluation.coherence.arm
    rows = {arm: find(cell.metrics, "win_rate", arm, "base", evaluation="coherence")}
    yield _line(cell, "coherence", f"win rate of {arm} over base", "0.5", rows, "questions", digits=2)


def _persona(evaluation: EvaluationName, cell: CellResults, settings: Settings) -> Iterator[Line]:
    rows = {arm: find(cell.metrics, "macro_f1", arm, evaluation=evaluation) for arm in JUDGED_ARMS}
    most = f"≤ {copy_of_base(len(settings.constitutions)):.2g}"
    yield _line(cell, evaluation, "macro F1 of naming the persona", most, rows, "messages", digits=2)


def _stance(cell: CellResults, settings: Settings) -> Iterator[Line]:
    for method in settings.evaluation.stance.methods:
        for failure in (measure for measure in STANCE_MEASURES if measure.failure):
            rows = _differences(cell, "stance", failure.metric, method)
            yield _line(cell, "stance", f"{failure.title.lower()} − base, by {method}", "0", rows, "statements")


def _capabilities(cell: CellResults, settings: Settings) -> Iterator[Line]:
    measured = pick(cell.metrics, evaluation="capabilities", metric=list(TITLES), reference="base")
    for task, metric in dict.fromkeys((row["slice"], row["metric"]) for row in measured):
        title, unit, better = TITLES[metric]
        measure = f"{task.replace('_', ' ')}, {unit if metric == 'bits_per_byte' else title.lower()} − base ({better})"
        yield _line(cell, "capabilities", measure, "0", _differences(cell, "capabilities", metric, task), "items")


def _judges(cell: CellResults, settings: Settings) -> Iterator[Line]:
    for method in settings.evaluation.judges.methods:
        rows = {method: find(cell.metrics, "accuracy", method, AUTHORS, evaluation="judges")}
        measure = f"right about pairs labelled by the authors: {method.replace('_', ' ')}"
        yield _line(cell, "judges", measure, "0.5", rows, "pairs", digits=2)


def _drift(cell: CellResults, settings: Settings) -> Iterator[Line]:
    arms = [arm for arm in settings.evaluation.drift.arms if arm in JUDGED_ARMS]
    for other in settings.drifted_to if arms else ():
        if other != cell.constitution:
            rows = _differences(cell, "drift", "likelihood_ratio", other, arms)
            measure = f"likelihood ratio of {other.replace('_', ' ')} − base, nats per token"
            yield _line(cell, "drift", measure, "0", rows, "questions", section="drift")


def _preference_model(cell: CellResults, settings: Settings) -> Iterator[Line]:
    rows = {"preference_model": find(cell.metrics, "accuracy", "preference_model", evaluation="preference_model")}
    section = f"preference-model-{cell.constitution}-{cell.student}"
    measure = "right about held-out pairs, as ranked"
    yield _line(cell, "preference_model", measure, "0.5", rows, "questions", section=section, digits=2)


_LINES: dict[EvaluationName, Callable[[CellResults, Settings], Iterator[Line]]] = {
    "preferences": _preferences,
    "coherence": _coherence,
    **{evaluation: partial(_persona, evaluation) for evaluation in PERSONA_EVALUATIONS},
    "stance": _stance,
    "capabilities": _capabilities,
    "judges": _judges,
    "drift": _drift,
}
