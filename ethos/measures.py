"""What is measured of a response, and how arms are compared question by question."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from ethos.arms import ARMS
from ethos.character import cues_per_hundred_words, score_in_and_out
from ethos.constitution import Constitution
from ethos.evaluation_settings import Intervals
from ethos.seeds import derive_seed
from ethos.statistics import mean_with_interval
from ethos.stored_engine import StoredEngine

# base for all arms; the control for what was trained.
_REFERENCES = {"base": ARMS[1:], "shuffled": ("distilled", "persona", "aligned")}
# Who judges a measure; the others are counted.
_JUDGES = {"likelihood_ratio": "{student}", "log_perplexity": "{student}", "preference_model_score": "preference model"}


def judge_of(metric: str, *, student: str) -> str:
    """Who judges a measure, as the column `judge` of tables.METRICS says it."""
    return _JUDGES.get(metric, "none").format(student=student)


def distinct_share(response: str, n: int) -> float | None:
    """Distinct n-grams of words among all of them (Li et al. 2016, arXiv 1510.03055); None for a text too short to have one."""
    words = response.casefold().split()
    grams = [tuple(words[start : start + n]) for start in range(len(words) - n + 1)]
    return len(set(grams)) / len(grams) if grams else None


def measure_samples(
    samples: Sequence[Mapping[str, Any]],
    constitution: Constitution,
    base: StoredEngine,
    rewards: Sequence[float | None],
    scope: str,
) -> list[dict[str, Any]]:
    """Every measure of every sample. Rows of tables.MEASURES; a measure that an empty response has not is null.

    likelihood_ratio: nats per token, under base. preference_model_score: logits. cue_rate: cues per hundred words.
    log_perplexity: nats per token, under base without a system prompt. repetition: share of four-word sequences that
    occurred before. distinct_2: share of distinct word pairs. length: tokens.
    """
    pairs = score_in_and_out(
        base, constitution, [(row["trait"], row["question"], row["response"]) for row in samples], scope
    )
    rows = []
    for sample, (told, plain), reward in zip(samples, pairs, rewards, strict=True):
        distinct_4 = distinct_share(sample["response"], 4)
        values = {
            "likelihood_ratio": told.mean - plain.mean if plain.tokens else None,
            "preference_model_score": reward,
            "cue_rate": cues_per_hundred_words(sample["response"], constitution.cues),
            "log_perplexity": -plain.mean if plain.tokens else None,
            "repetition": None if distinct_4 is None else 1 - distinct_4,
            "distinct_2": distinct_share(sample["response"], 2),
            "length": float(sample["tokens"]),
        }
        place = {name: sample[name] for name in ("arm", "question_id", "trait", "sample")}
        rows += [place | {"metric": metric, "value": value} for metric, value in values.items()]
    return rows


def question_means(measures: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str], dict[tuple[str, str], float]]:
    """The mean over the samples of a question: by arm and metric, and in there by question id and trait.

    measures: rows of tables.MEASURES. Questions, and not samples, are what is drawn at random.
    """
    by_question: dict[tuple[str, str], dict[tuple[str, str], list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in measures:
        if row["value"] is not None:
            by_question[row["arm"], row["metric"]][row["question_id"], row["trait"]].append(row["value"])
    return {
        place: {key: sum(values) / len(values) for key, values in questions.items()}
        for place, questions in by_question.items()
    }


def paired(own: Mapping[Any, float], other: Mapping[Any, float]) -> dict[Any, float]:
    """The differences on what both have."""
    return {key: own[key] - other[key] for key in own if key in other}


def compare_arms(
    measures: Sequence[Mapping[str, Any]],
    settings: Intervals,
    seed: int,
    references: Mapping[str, Sequence[str]] = _REFERENCES,
    *,
    by_trait: bool = True,
) -> list[dict[str, Any]]:
    """Levels of each arm, and paired differences from its references, over questions and, with `by_trait`, of each trait.

    measures: rows of tables.MEASURES. references: the arms that are compared with each. Returns the fields of
    tables.METRICS that are known here.
    """
    means = question_means(measures)
    rows = []
    for (arm, metric), own in means.items():
        compared: list[tuple[str | None, dict]] = [(None, own)]
        for reference, arms in references.items():
            if arm in arms and (other := means.get((reference, metric))):
                compared.append((reference, paired(own, other)))
        for reference, values in compared:
            rows += _summaries(arm, reference, metric, values, settings, seed, by_trait=by_trait)
    return rows


def _summaries(
    arm: str,
    reference: str | None,
    metric: str,
    values: Mapping[tuple[str, str], float],
    settings: Intervals,
    seed: int,
    *,
    by_trait: bool,
) -> list[dict[str, Any]]:
    slices = {"all": list(values.values())}
    if by_trait:
        for (_, trait), value in values.items():
            slices.setdefault(trait, []).append(value)
    rows = []
    for name, numbers in slices.items():
        if numbers:
            draw = derive_seed(seed, "bootstrap", arm, reference or "", metric, name)
            estimate = mean_with_interval(
                numbers, confidence=settings.confidence, resamples=settings.resamples, seed=draw
            )
            rows.append(
                {"arm": arm, "reference": reference, "metric": metric, "slice": name, "value": estimate.value}
                | {"ci_low": estimate.low, "ci_high": estimate.high, "interval": estimate.method, "n": estimate.n}
            )
    return rows
