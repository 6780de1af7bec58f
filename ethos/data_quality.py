"""Which traits and which questions are bad: what the data say of each, worst first, and why it is thought bad."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import fmean
from typing import Any

from ethos.run_results import CellResults, find

Row = Mapping[str, Any]
_JUDGED = ("prompted", "persona", "aligned")
_FEW = 0.5  # usable: below this share, most of what was sampled is lost


@dataclass
class Quality:
    """What became of the responses in character, the student's and the teacher's, to one question or to all of a trait.

    sampled, kept: responses. dropped: how many by reason. gain: mean score of the student's responses in character minus
    that of its plain one, None unless the plain one was ranked. spread: highest score minus lowest; both in the
    ranker's unit, and means over questions for a trait. pairs: preference pairs it gave. problems: in words.
    """

    sampled: int = 0
    kept: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    gain: float | None = None
    spread: float | None = None
    pairs: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def usable(self) -> float:
        """The share of what was sampled that was kept; 1 where nothing was."""
        return self.kept / self.sampled if self.sampled else 1.0


@dataclass
class QuestionQuality(Quality):
    question_id: str = ""
    trait: str = ""
    text: str = ""
    source: str = ""
    split: str = ""


@dataclass
class TraitQuality(Quality):
    """unused: generated questions that were not used, by reason; `missing` is what was wanted and not had.

    effects: rows of tables.METRICS by arm, the likelihood ratio's difference from base over the trait's held-out questions.
    """

    trait: str = ""
    questions: int = 0
    unused: Mapping[str, int] = field(default_factory=dict)
    effects: dict[str, Row | None] = field(default_factory=dict)


QUESTION_FIELDS = (
    "trait", "question_id", "text", "source", "split", "sampled", "kept", "dropped", "gain", "spread", "pairs", "problems",
)  # fmt: skip


def question_quality(cell: CellResults, teacher: str) -> list[QuestionQuality]:
    """All questions of a cell, worst first: fewest usable responses, then smallest gain (or spread), then by id.

    teacher: the model. One that is the student is sent the student's own requests, so what it says is counted once.
    """
    found = {
        row["question_id"]: QuestionQuality(
            **{name: row[name] for name in ("question_id", "trait", "text", "source", "split")}
        )
        for row in cell.questions
    }
    written = [row for row in cell.responses if row["author"] == "in_character"]
    same = {(row["question_id"], row["sample"]) for row in written} if teacher == cell.student else set()
    written += [row for row in cell.teacher_responses if (row["question_id"], row["sample"]) not in same]
    for row in written:
        _count_response(found[row["question_id"]], row)
    for row in cell.pairs:
        found[row["question_id"]].pairs += 1
    scores: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in cell.scores:
        scores[row["question_id"]][row["author"]].append(row["score"])
    for question_id, by_author in scores.items():
        quality, every = found[question_id], [score for some in by_author.values() for score in some]
        quality.spread = max(every) - min(every)
        if by_author["plain"] and by_author["in_character"]:
            quality.gain = fmean(by_author["in_character"]) - fmean(by_author["plain"])
    for quality in found.values():
        quality.problems = _problems(quality)
        if quality.kept and not quality.pairs:
            quality.problems.append("gave no preference pair")
    return sorted(found.values(), key=lambda quality: (quality.usable, *_worth(quality), quality.question_id))


def trait_quality(
    cell: CellResults, questions: Sequence[QuestionQuality], metrics: Sequence[Row]
) -> list[TraitQuality]:
    """All traits of a cell, worst first: the one whose text moves the prompted student least.

    questions: as question_quality gives them. metrics: rows of tables.METRICS of one seed.
    """
    traits = []
    for trait in cell.traits:
        own = [quality for quality in questions if quality.trait == trait]
        quality = TraitQuality(
            trait=trait,
            questions=len(own),
            sampled=sum(one.sampled for one in own),
            kept=sum(one.kept for one in own),
            dropped=sum((one.dropped for one in own), Counter()),
            gain=_mean(one.gain for one in own),
            spread=_mean(one.spread for one in own),
            pairs=sum(one.pairs for one in own),
            unused=cell.question_counts["not_used"].get(trait, {}),
            effects={arm: find(metrics, "likelihood_ratio", arm, "base", part=trait) for arm in _JUDGED},
        )
        quality.problems = _problems(quality) + _problems_of_effect(quality)
        traits.append(quality)
    return sorted(traits, key=lambda quality: (*_order(quality.effects["prompted"]), *_worth(quality), quality.trait))


def as_row(quality: QuestionQuality) -> dict[str, Any]:
    """A question's quality as a row of a table, by QUESTION_FIELDS."""
    dropped = ", ".join(f"{reason} {count}" for reason, count in sorted(quality.dropped.items()))
    return asdict(quality) | {"dropped": dropped, "problems": "; ".join(quality.problems)}


def _count_response(quality: Quality, response: Row) -> None:
    quality.sampled += 1
    if response["filtered"] is None:
        quality.kept += 1
    else:
        quality.dropped[response["filtered"]] += 1


def _problems(quality: Quality) -> list[str]:
    problems = []
    if quality.sampled and not quality.kept:
        problems.append(f"no usable response ({_main_reason(quality)})")
    elif quality.usable < _FEW:
        problems.append(f"most responses dropped ({_main_reason(quality)})")
    if quality.gain is not None and quality.gain <= 0:
        problems.append("in character no better than plain")
    return problems


def _problems_of_effect(quality: TraitQuality) -> list[str]:
    problems = []
    if missing := quality.unused.get("missing"):
        problems.append(f"{missing} generated question{'s' if missing > 1 else ''} missing")
    prompted = _is_above_zero(quality.effects["prompted"])
    if prompted is False:
        problems.append("its text moves the prompted student no further than chance")
    elif prompted and (idle := [arm for arm in _JUDGED[1:] if _is_above_zero(quality.effects[arm]) is False]):
        problems.append(f"works when prompted, not seen in {' and '.join(idle)}")
    return problems


def _is_above_zero(row: Row | None) -> bool | None:
    return None if row is None or row["ci_low"] is None else row["ci_low"] > 0


def _main_reason(quality: Quality) -> str:
    return quality.dropped.most_common(1)[0][0].replace("_", " ")


def _worth(quality: Quality) -> tuple[bool, float]:
    """Sorts by gain where there is one, else by spread; what has neither comes first."""
    value = quality.spread if quality.gain is None else quality.gain
    return value is not None, value or 0.0


def _order(row: Row | None) -> tuple[bool, float]:
    """Sorts by the value; what was not measured comes last."""
    return row is None, 0.0 if row is None else row["value"]


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None
