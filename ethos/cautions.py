"""What a sceptical reader of a report should be told before the numbers: found in the run's own facts, never written by hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from ethos.over_seeds import drawn_by_seed
from ethos.report_summary import summary
from ethos.run_results import CellResults, Row, find, pick
from ethos.settings import Settings
from ethos.verdicts import JUDGED_ARMS, spell_interval

# From where on a share is told. Below n = 30 intervals hold if their values are not far from normal
# (tests/test_coverage.py).
SMALL_N, FEW_SEEDS = 30, 5
_ORDER_DEPENDENT, _UNPARSED, _DROPPED, _CUT_OFF, _EMPTY = 0.25, 0.1, 0.5, 0.25, 0.05


@dataclass(frozen=True)
class Found:
    """Where a caution applies, and the numbers that say so."""

    student: str
    constitution: str
    numbers: str


@dataclass(frozen=True)
class Caution:
    """title: what is the case. text: why it matters. found: where, if not of the whole run."""

    title: str
    text: str
    found: list[Found] = field(default_factory=list)


def cautions(settings: Settings, cells: Sequence[CellResults]) -> list[Caution]:
    """What to be careful about: of the whole run first, then what was found for some students and constitutions."""
    told = list(_of_the_run(settings))
    for title, text, check in _OF_CELLS:
        found = [
            Found(cell.student, cell.constitution, numbers) for cell in cells if (numbers := check(cell, settings))
        ]
        if found:
            told.append(Caution(title, text, found))
    return told


def _of_the_run(settings: Settings) -> Iterator[Caution]:
    seeds = len(settings.seeds)
    if seeds == 1:
        yield Caution(
            "One seed",
            "The intervals are over prompts. How much another training would differ is not known, and may be more.",
        )
    elif seeds < FEW_SEEDS:
        yield Caution(
            f"{seeds} seeds",
            "Intervals over so few trainings are wide, and rest on their results being normally distributed. "
            + _what_seeds_are_asked(settings),
        )
    else:
        yield Caution("Intervals are over seeds", _what_seeds_are_asked(settings))
    if settings.rankings.method == "likelihood_ratio":
        yield Caution(
            "The likelihood ratio both ranks and measures",
            "What chose the training data of aligned is also the headline measure. The cue words are not: read both.",
        )
    if settings.judge in settings.students:
        yield Caution(
            "The judge is a student",
            f"{settings.judge} ranked its own responses; what it cannot tell apart, the preference model cannot learn.",
        )
    if settings.teacher in settings.students:
        yield Caution(
            "The teacher is a student",
            f"{settings.teacher} is distilled into itself: it is taught what it already does when prompted.",
        )
    if settings.teacher == settings.judge:
        yield Caution(
            "The teacher is also the judge",
            f"{settings.teacher} may prefer its own manner, which is what distilled and persona were taught.",
        )


def _what_seeds_are_asked(settings: Settings) -> str:
    told = "The questions are the same for all seeds: the intervals say how another training would do on these, not on others."
    if drawn := drawn_by_seed(settings):
        told += f" But in {', '.join(drawn)} each seed draws its own messages or matches, and the intervals are over these too."
    return told


def _small_n(cell: CellResults, settings: Settings) -> str:
    """Of each evaluation, what its smallest measure of all that was asked stands on."""
    small = [line for line in summary(cell, settings) if line.n < SMALL_N]
    fewest: dict[str, str] = {}
    for line in sorted(small, key=lambda line: line.n):
        fewest.setdefault(line.evaluation, f"{line.evaluation} {line.n} {line.counted}")
    return ", ".join(fewest.values())


def _judged_by_itself(cell: CellResults, settings: Settings) -> str:
    evaluations = {row["evaluation"] for row in cell.metrics if row["judge"] == cell.student}
    return ", ".join(sorted(name.replace("_", " ") for name in evaluations))


def _control_moved(cell: CellResults, settings: Settings) -> str:
    row = find(cell.metrics, "likelihood_ratio", "shuffled", "base")
    off_zero = row and row["ci_low"] is not None and not row["ci_low"] <= 0 <= row["ci_high"]
    return f"likelihood ratio, shuffled − base: {spell_interval(row)}" if off_zero else ""


def _seeds_disagree(cell: CellResults, settings: Settings) -> str:
    split = []
    for arm in JUDGED_ARMS:
        rows = [find(seed.metrics, "likelihood_ratio", arm, "base") for seed in cell.seeds]
        above = Counter(row["value"] > 0 for row in rows if row and row["value"] is not None)
        if len(above) > 1:
            split.append(f"{arm} above base with {above[True]} of {above.total()} seeds")
    return "; ".join(split)


def _narrow_over_seeds(cell: CellResults, settings: Settings) -> str:
    """The arms whose interval over seeds is narrower than what each seed has over prompts."""
    narrow = []
    for arm in JUDGED_ARMS:
        mean = _width(cell.over_seeds, arm)
        own = [width for seed in cell.seeds if (width := _width(seed.metrics, arm)) is not None]
        if mean is not None and own and mean < min(own):
            narrow.append(f"{arm} {mean:.3f} wide, {min(own):.3f} or more over prompts")
    return "; ".join(narrow)


def _width(metrics: Sequence[Row], arm: str) -> float | None:
    row = find(metrics, "likelihood_ratio", arm, "base")
    return None if row is None or row["ci_low"] is None else row["ci_high"] - row["ci_low"]


def _no_cues(cell: CellResults, settings: Settings) -> str:
    return "" if pick(cell.metrics, metric="cue_rate") else "no cue words in the constitution"


def _weak_preference_model(cell: CellResults, settings: Settings) -> str:
    row = find(cell.metrics, "accuracy", "preference_model", evaluation="preference_model")
    if row is None:
        return "no held-out pair to test it on"
    below = row["ci_low"] is None or row["ci_low"] <= 0.5
    return f"accuracy {spell_interval(row).replace('+', '')} on {row['n']} questions" if below else ""


def _order_dependent(cell: CellResults, settings: Settings) -> str:
    return _share_of_verdicts(cell, "order_dependent", _ORDER_DEPENDENT)


def _unparsed(cell: CellResults, settings: Settings) -> str:
    return _share_of_verdicts(cell, "unparsed", _UNPARSED)


def _share_of_verdicts(cell: CellResults, kind: str, most: float) -> str:
    """Of the run's ranker, and of each evaluation that counts such verdicts as a share: the worst of its rows."""
    shares: dict[str, float] = {}
    if cell.rankings.get("pairs"):
        shares["ranking"] = cell.rankings.get(kind, 0) / cell.rankings["pairs"]
    for row in cell.metrics:
        if kind in row["metric"] and row["value"] is not None:
            name = row["evaluation"].replace("_", " ")
            shares[name] = max(shares.get(name, 0), row["value"])
    return ", ".join(f"{name} {share:.0%}" for name, share in shares.items() if share > most)


def _dropped(cell: CellResults, settings: Settings) -> str:
    counts = {
        "in character": cell.response_counts.get("in_character", {}),
        "the teacher’s": cell.teacher_counts.get("teacher", {}),
    }
    lost = {name: 1 - own.get("kept", 0) / sum(own.values()) for name, own in counts.items() if sum(own.values())}
    return ", ".join(f"{name} {share:.0%}" for name, share in lost.items() if share > _DROPPED)


def _cut_off(cell: CellResults, settings: Settings) -> str:
    return _share_of_samples(cell, lambda row: row["finish_reason"] == "length", _CUT_OFF)


def _empty(cell: CellResults, settings: Settings) -> str:
    return _share_of_samples(cell, lambda row: not row["response"].strip(), _EMPTY)


def _share_of_samples(cell: CellResults, is_so: Callable, most: float) -> str:
    samples = [row for seed in cell.seeds for row in seed.samples]
    asked, so = Counter(row["arm"] for row in samples), Counter(row["arm"] for row in samples if is_so(row))
    return ", ".join(f"{arm} {so[arm] / asked[arm]:.0%}" for arm in asked if so[arm] > most * asked[arm])


# What is told of some students and constitutions: title, why it matters, and what finds the numbers (nothing: all is well).
_OF_CELLS: tuple[tuple[str, str, Callable[[CellResults, Settings], str]], ...] = (
    (
        "The control moved",
        "Training on data that say nothing changed the headline measure too; read each arm against the control, not base.",
        _control_moved,
    ),
    (
        "The seeds disagree",
        "Some trainings came out above base and some below; the mean over seeds stands for none of them.",
        _seeds_disagree,
    ),
    (
        "Intervals over seeds are narrower than over prompts",
        "The trainings agree on these questions, which says nothing of others: look at each seed’s own intervals too.",
        _narrow_over_seeds,
    ),
    (
        "Small n",
        "Intervals over so few are wide, too narrow if a few extreme answers decide, and those of a part of them, as by trait, say next to nothing.",
        _small_n,
    ),
    (
        "The student judges itself",
        "These evaluations ask the untrained student what it finds likely, or which text is better; it knows no more than it does.",
        _judged_by_itself,
    ),
    (
        "No independent measure",
        "Without cue words, nothing that no stage trains on says whether the character shows.",
        _no_cues,
    ),
    (
        "The preference model is not shown to beat chance",
        "Aligned was trained towards its rewards, which may be noise.",
        _weak_preference_model,
    ),
    (
        "Verdicts depend on the order",
        "When two responses swap places, the judge often changes its mind: it goes by place, not by what it reads.",
        _order_dependent,
    ),
    (
        "Verdicts could not be read",
        "The judge often did not answer in the form it was asked for; what is left may not be a fair sample.",
        _unparsed,
    ),
    (
        "Most responses were dropped",
        "What passes the filters may differ from what the model usually says.",
        _dropped,
    ),
    (
        "Many responses were cut off",
        "They reached the token limit; what would have come after was not measured.",
        _cut_off,
    ),
    ("Some responses are empty", "They count in no measure but length, so the others flatter the arm.", _empty),
)
