"""Which persona a response shows: a text classifier that learns from plain answers and names answers it has not seen."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ethos.arms import ARMS
from ethos.evaluation_settings import Intervals
from ethos.persona_samples import CHAT
from ethos.seeds import derive_seed
from ethos.statistics import Estimate, mean_with_interval, summed_with_interval, wilson

# What base's answers show. No constitution has this name: theirs hold no space.
NO_PERSONA = "no persona"
# Who judges where no model is fine-tuned for it, as the column `judge` of tables.METRICS says it.
JUDGE = "tf-idf classifier"
# The control has learned no character: an example of it would be wrong under either name.
_TEACHES_NOTHING = "shuffled"
# Words, and marks of punctuation and line breaks too, which are as much of a style.
_TOKENS = r"(?u)\w+|[^\w\s]|\n"

Row = Mapping[str, Any]


def persona_of(sample: Row) -> str:
    """What the classifier should name a sample. sample: a row of tables.PERSONA_SAMPLES."""
    return NO_PERSONA if sample["arm"] == "base" else sample["constitution"]


# Names the personas of texts.
Classifier = Callable[[Sequence[str]], list[str]]
# Learns from texts and the persona of each.
Learn = Callable[[Sequence[str], Sequence[str]], Classifier]


def train_classifier(texts: Sequence[str], personas: Sequence[str]) -> Classifier:
    """Logistic regression on the TF-IDF of words and marks, each persona of equal weight."""
    from sklearn.feature_extraction.text import TfidfVectorizer  # slow to import
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    model = make_pipeline(
        TfidfVectorizer(sublinear_tf=True, token_pattern=_TOKENS),
        LogisticRegression(C=10, class_weight="balanced", max_iter=1000),
    ).fit(texts, personas)
    return lambda unseen: model.predict(unseen).tolist() if unseen else []


def name_responses(samples: Iterable[Row], learn: Learn = train_classifier) -> list[dict[str, Any]]:
    """The persona that each held-out response shows, by a classifier that learned from the plain answers that train it.

    Where all of those are of one persona, nothing else is named, and without any, none.

    samples: rows of tables.PERSONA_SAMPLES of all constitutions of a student and seed, base's of each of them; those of base
    are equal and count once. A message that was not asked everywhere and in every form counts nowhere. Returns rows of
    tables.NAMINGS: of all arms, and of each arm (and base) again by a classifier that never saw that arm.
    """
    distinct = {(persona_of(row), row["arm"], row["form"], row["question"]): row for row in samples}
    answers = Counter((row["split"], row["question"]) for row in distinct.values())
    most = {split: max(number for (own, _), number in answers.items() if own == split) for split, _ in answers}
    rows = [row for row in distinct.values() if answers[row["split"], row["question"]] == most[row["split"]]]
    lessons = [
        row
        for row in rows
        if row["split"] == "train" and row["form"] == CHAT and row["arm"] != _TEACHES_NOTHING and row["response"]
    ]
    tested = [row for row in rows if row["split"] == "held_out"]
    namings: list[dict[str, Any]] = []
    for left_out in (None, *(arm for arm in ARMS if arm != "base")):
        learned = [row for row in lessons if row["arm"] != left_out]
        if left_out and len(learned) == len(lessons):  # it taught nothing, so the classifier of all arms never saw it
            own = [row for row in namings if row["left_out"] is None and row["arm"] in (left_out, "base")]
            namings += [{**row, "left_out": left_out} for row in own]
            continue
        personas = [persona_of(row) for row in learned]
        asked = [row for row in tested if left_out is None or row["arm"] in (left_out, "base")]
        texts = [row["response"] for row in asked if row["response"]]
        if len(set(personas)) > 1:
            names = iter(learn([row["response"] for row in learned], personas)(texts))
        else:
            names = iter([next(iter(personas), None)] * len(texts))
        namings += [
            {"left_out": left_out, "persona": persona_of(row), "named": next(names) if row["response"] else None}
            | {field: row[field] for field in ("arm", "form", "question")}
            for row in asked
        ]
    return namings


def tally(namings: Sequence[Row], personas: Sequence[str]) -> np.ndarray:
    """True positives, false positives and false negatives by question and persona: [questions, personas, 3]."""
    questions = {question: number for number, question in enumerate(dict.fromkeys(row["question"] for row in namings))}
    place = {persona: number for number, persona in enumerate(personas)}
    counts = np.zeros((len(questions), len(personas), 3), dtype=int)
    for row in namings:
        own = counts[questions[row["question"]]]
        if row["named"] == row["persona"]:
            own[place[row["persona"]], 0] += 1
            continue
        own[place[row["persona"]], 2] += 1
        if row["named"] is not None:
            own[place[row["named"]], 1] += 1
    return counts


def f1(counts: np.ndarray) -> np.ndarray:
    """F1 of tallies [..., 3]: the harmonic mean of precision and recall; 0 where there is nothing to find and nothing found."""
    right, wrong, missed = np.moveaxis(counts, -1, 0)
    return 2 * right / np.maximum(2 * right + wrong + missed, 1)


def macro_f1(counts: np.ndarray) -> np.ndarray:
    """The mean F1 of tallies [..., personas, 3]."""
    return f1(counts).mean(axis=-1)


def with_room(found: Estimate, counts: np.ndarray, less: np.ndarray | None = None, *, confidence: float) -> Estimate:
    """An interval of macro F1 with room for the classes that are never named rightly, or always.

    They are so in every draw of a bootstrap, and add no width to it. Each is taken to reach as far as Wilson's interval of
    such a share of the messages, and reaches are added as squares (Zou & Donner 2008, doi:10.1002/sim.3095).
    counts: the tallies, [messages, personas, 3]. less: those whose macro F1 was taken away; what they leave open reaches the
    other way.
    """
    if found.low is None or found.method == "Wilson":
        return found
    upward, downward = _sure_classes(counts)
    if less is not None:
        never, always = _sure_classes(less)
        upward, downward = upward + always, downward + never
    reach = wilson(0, found.n, confidence=confidence).high / counts.shape[1]
    low = found.value - math.hypot(found.value - found.low, *[reach] * downward)
    high = found.value + math.hypot(found.high - found.value, *[reach] * upward)
    return replace(found, low=low, high=high)


def _sure_classes(counts: np.ndarray) -> tuple[int, int]:
    """How many personas of tallies [messages, personas, 3] are never named rightly, and how many always."""
    found = f1(counts.sum(axis=0))
    return int((found == 0).sum()), int((found == 1).sum())


def persona_metrics(
    namings: Sequence[Row], constitution: str, settings: Intervals, seed: int, judge: str = JUDGE
) -> list[dict[str, Any]]:
    """How well each arm's responses are told to be of this constitution, with BCa intervals over messages.

    namings: rows of tables.NAMINGS of all constitutions. An arm's F1 is that of its responses and base's together: it is high
    where its own are named as the persona, and neither base's nor another persona's are. f1: of this constitution. macro_f1:
    mean over all personas, `no persona` among them. *_unseen_arm: by the classifier that never saw the arm. macro_f1_change:
    macro_f1 without that of chat. recall: share named rightly. empty: share of empty responses. slice: `all` is every form but chat.
    judge: what the classifier is called.
    Returns the fields of tables.METRICS that are known here.
    """
    personas = sorted({row["persona"] for row in namings})
    own = personas.index(constitution)
    forms = dict.fromkeys(row["form"] for row in namings if row["form"] != CHAT)
    slices = {"all": tuple(forms), CHAT: (CHAT,)} | ({form: (form,) for form in forms} if len(forms) > 1 else {})
    rows: list[dict[str, Any]] = []

    def add(arm: str, metric: str, part: str, estimate: Estimate) -> None:
        rows.append(
            {"arm": arm, "reference": None, "metric": metric, "slice": part, "judge": judge, "value": estimate.value}
            | {"ci_low": estimate.low, "ci_high": estimate.high, "interval": estimate.method, "n": estimate.n}
        )

    def options(*names: str) -> dict[str, Any]:
        draw = derive_seed(seed, "persona", *names)
        return {"confidence": settings.confidence, "resamples": settings.resamples, "seed": draw}

    for arm in ARMS:
        for part, chosen in slices.items():
            said = [row for row in namings if row["arm"] == arm and row["form"] in chosen and row["left_out"] is None]
            said = [row for row in said if row["persona"] in (constitution, NO_PERSONA)]
            add(
                arm,
                "recall",
                part,
                mean_with_interval(_right_by_question(said), share=True, **options(arm, "recall", part)),
            )
            empty = sum(row["named"] is None for row in said) / len(said)
            add(arm, "empty", part, Estimate(empty, None, None, len(said), "none"))
        if arm == "base":
            continue
        seen = {part: tally(_compared(namings, arm, chosen, None), personas) for part, chosen in slices.items()}
        unseen = {"all": tally(_compared(namings, arm, slices["all"], arm), personas)}
        for suffix, tallies in (("", seen), ("_unseen_arm", unseen)):
            for part, counts in tallies.items():
                alone = summed_with_interval(counts[:, own], f1, share=True, **options(arm, "f1", part))
                macro = summed_with_interval(counts, macro_f1, share=True, **options(arm, "macro", part))
                add(arm, f"f1{suffix}", part, alone)
                add(arm, f"macro_f1{suffix}", part, with_room(macro, counts, confidence=settings.confidence))
        both = np.stack([seen["all"], seen[CHAT]], axis=1)
        change = summed_with_interval(
            both, lambda sums: macro_f1(sums[..., 0, :, :]) - macro_f1(sums[..., 1, :, :]), **options(arm, "change")
        )
        add(arm, "macro_f1_change", "all", with_room(change, seen["all"], seen[CHAT], confidence=settings.confidence))
    return rows


def _compared(namings: Sequence[Row], arm: str, forms: Sequence[str], left_out: str | None) -> list[Row]:
    """An arm's responses in these forms with base's, by message in the order of their texts."""
    chosen = [row for row in namings if row["arm"] in (arm, "base") and row["form"] in forms]
    return sorted((row for row in chosen if row["left_out"] == left_out), key=lambda row: row["question"])


def _right_by_question(namings: Sequence[Row]) -> list[float]:
    """The share named rightly of the responses to each message."""
    by_question: dict[str, list[bool]] = {}
    for row in namings:
        by_question.setdefault(row["question"], []).append(row["named"] == row["persona"])
    return [sum(right) / len(right) for right in by_question.values()]
