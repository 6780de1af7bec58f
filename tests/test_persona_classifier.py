"""A classifier names the persona behind an answer: what it learns from, what it is tested on, and how its F1 is counted."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from sklearn.metrics import f1_score

from ethos.arms import ARMS
from ethos.evaluation_settings import Intervals
from ethos.persona_classifier import NO_PERSONA, f1, macro_f1, name_responses, persona_metrics, tally, train_classifier
from ethos.persona_report import copy_of_base
from ethos.persona_samples import CHAT
from ethos.statistics import summed_with_interval
from ethos.tables import METRICS, NAMINGS, metrics_table, table_from

INTERVALS = Intervals(resamples=199)
WORDS = [
    "the",
    "plan",
    "list",
    "water",
    "window",
    "garden",
    "money",
    "answer",
    "morning",
    "street",
    "paper",
    "small",
    "good",
    "first",
    "other",
    "long",
]


def answers(
    persona_words: dict[str, list[str]],
    *,
    training: int = 20,
    held_out: int = 20,
    forms: tuple[str, ...] = ("suffix",),
    arms: tuple[str, ...] = ("distilled", "persona"),
    seed: int = 0,
) -> list[dict]:
    """Answers of random words; the arms named put their persona's words before them. Base answers alike everywhere."""
    rows = []
    for constitution, words in persona_words.items():
        for arm in ("base", *arms):
            for number in range(training + held_out):
                split = "train" if number < training else "held_out"
                for form in (CHAT,) if split == "train" else (CHAT, *forms):
                    own = "" if arm == "base" else f"{constitution}{arm}"
                    draw = random.Random(f"{seed}{number}{form}{own}")
                    said = [*([] if arm == "base" else words), *draw.choices(WORDS, k=12)]
                    rows.append(
                        {"constitution": constitution, "arm": arm, "split": split, "form": form}
                        | {"question": f"{number}?", "response": " ".join(said)}
                    )
    return rows


def found(rows: list[dict], constitution: str, arm: str = "persona") -> dict[tuple[str, str], dict]:
    """The metrics of one arm, by metric and slice."""
    metrics = persona_metrics(rows, constitution, INTERVALS, 0)
    return {(row["metric"], row["slice"]): row for row in metrics if row["arm"] == arm}


def test_a_planted_persona_is_named_by_a_classifier_that_saw_the_arm_and_by_one_that_did_not(monkeypatch):
    monkeypatch.setattr("ethos.persona_classifier.ARMS", ("base", "distilled", "persona"))
    named = name_responses(answers({"poet": ["moon"], "pirate": ["ahoy"]}))
    metrics = found(named, "poet")
    for metric in ("f1", "macro_f1", "f1_unseen_arm", "macro_f1_unseen_arm"):
        assert metrics[metric, "all"]["value"] > 0.95
    assert metrics["recall", "all"]["value"] > 0.95 and metrics["f1", "all"]["n"] == 20
    assert table_from(named, NAMINGS).num_rows == len(named)


@pytest.mark.slow
def test_arms_that_answer_like_base_are_told_from_it_at_chance_and_intervals_hold_what_the_classifier_would_do(
    monkeypatch,
):
    """The truth is that of the classifier as it is, with very many messages: it names either persona whatever it reads."""
    monkeypatch.setattr("ethos.persona_classifier.ARMS", ("base", "persona"))
    values, covered, runs = [], 0, 40
    draw = random.Random(0)
    many = [" ".join(draw.choices(WORDS, k=12)) for _ in range(2000)]
    for seed in range(runs):
        classifiers = []

        def learn(texts, personas, classifiers=classifiers):
            classifiers.append(train_classifier(texts, personas))
            return classifiers[-1]

        rows = answers({"poet": []}, training=40, held_out=40, arms=("persona",), seed=seed)
        row = found(name_responses(rows, learn), "poet")["macro_f1", "all"]
        rate = classifiers[0](many).count("poet") / len(many)
        truth = sum(p / (0.5 + p) for p in (rate, 1 - rate)) / 2
        values.append(row["value"])
        covered += row["ci_low"] <= truth <= row["ci_high"]
    assert np.mean(values) == pytest.approx(0.5, abs=0.03)
    assert covered / runs >= 0.92 - 2 * math.sqrt(0.95 * 0.05 / runs)


def test_a_persona_that_gives_way_to_the_suffix_is_seen_to_change(monkeypatch):
    monkeypatch.setattr("ethos.persona_classifier.ARMS", ("base", "distilled", "persona"))
    rows = answers({"poet": ["moon"]})
    for row in rows:
        if row["form"] == "suffix" and row["arm"] == "persona":
            row["response"] = row["response"].removeprefix("moon ")
    metrics = found(name_responses(rows), "poet")
    assert metrics["f1", CHAT]["value"] > 0.95 and metrics["f1", "all"]["value"] < 0.5
    assert metrics["macro_f1_change", "all"]["ci_high"] < 0
    assert metrics["macro_f1_change", "all"]["value"] == pytest.approx(
        metrics["macro_f1", "all"]["value"] - metrics["macro_f1", CHAT]["value"]
    )


def test_f1_is_scikit_learns():
    draw = random.Random(0)
    personas = ["a", "b", NO_PERSONA]
    rows = [
        {"question": f"{number % 9}", "persona": draw.choice(personas), "named": draw.choice([*personas, None])}
        for number in range(200)
    ]
    sums = tally(rows, personas).sum(axis=0)
    truth, said = [row["persona"] for row in rows], [row["named"] or "nothing" for row in rows]
    assert f1(sums).tolist() == pytest.approx(f1_score(truth, said, labels=personas, average=None).tolist())
    assert f1(sums).mean() == pytest.approx(f1_score(truth, said, labels=personas, average="macro"))
    assert f1(np.zeros((2, 3))).tolist() == [0, 0]


def test_the_classifier_learns_from_plain_answers_of_other_messages_alone():
    """Words that stand in held-out answers, under a suffix or in the control's are never learned."""
    learned = []

    def learn(texts, personas):
        learned.append((texts, personas))
        return lambda unseen: [NO_PERSONA] * len(unseen)

    rows = answers({"poet": ["moon"]}, arms=ARMS[1:])
    for row in rows:
        row["response"] += f" {row['split']} {row['form']} arm_{row['arm']}"
    name_responses(rows, learn)
    taught = [arm for arm in ARMS[1:] if arm != "shuffled"]
    for left_out, (texts, _) in zip((None, *taught), learned, strict=True):
        words = {word for text in texts for word in text.split()}
        assert {"train", CHAT} <= words and not words & {"held_out", "suffix", "arm_shuffled", f"arm_{left_out}"}
        assert {f"arm_{arm}" for arm in ARMS if arm not in ("shuffled", left_out)} <= words


def test_classes_that_are_never_named_or_always_widen_the_interval_of_macro_f1_and_never_beyond_0_and_1(monkeypatch):
    """One persona of three is never named, one always, and base's every other answer as the third."""
    monkeypatch.setattr("ethos.persona_classifier.ARMS", ("base", "persona"))
    rows = [
        {"left_out": left_out, "arm": arm, "form": form, "question": f"{number}?", "persona": persona, "named": named}
        for number in range(12)
        for form in (CHAT, "suffix")
        for left_out in (None, "persona")
        for arm, persona, named in (
            ("persona", "poet", "poet"),
            ("persona", "pirate", NO_PERSONA),
            ("persona", "sage", "sage"),
            ("base", NO_PERSONA, "sage" if number % 2 and form == "suffix" else NO_PERSONA),
        )
    ]
    metrics = found(rows, "poet")
    counts = tally(
        [row for row in rows if row["form"] == "suffix" and row["left_out"] is None],
        ["pirate", "poet", "sage", NO_PERSONA],
    )
    plain = summed_with_interval(counts, macro_f1, share=True, confidence=0.95, resamples=199, seed=0)
    for metric in ("macro_f1", "macro_f1_unseen_arm"):
        row = metrics[metric, "all"]
        assert row["value"] == plain.value and row["interval"] == plain.method == "BCa bootstrap, widened"
        assert 0 <= row["ci_low"] < plain.low - 0.01 and 1 >= row["ci_high"] > plain.high + 0.01
    chat, change = metrics["macro_f1", CHAT], metrics["macro_f1_change", "all"]
    assert chat["interval"] == "Wilson"
    assert change["ci_low"] < plain.low - chat["value"] - 0.01 and change["ci_high"] > plain.high - chat["value"] + 0.01


def test_an_arm_that_taught_nothing_is_named_as_the_classifier_of_all_arms_names_it():
    """The control, and an arm whose plain answers are all empty."""
    rows = answers({"poet": ["moon"]}, arms=ARMS[1:])
    for row in rows:
        if row["split"] == "train" and row["arm"] == "steered":
            row["response"] = ""
    taught = []

    def learn(texts, personas):
        taught.append(texts)
        return train_classifier(texts, personas)

    named = name_responses(rows, learn)
    assert len(taught) == len(ARMS) - 2
    told = {"arm", "form", "question", "persona", "named"}
    for arm in ("shuffled", "steered"):
        unseen = [{name: row[name] for name in told} for row in named if row["left_out"] == arm]
        own = [row for row in named if row["left_out"] is None and row["arm"] in (arm, "base")]
        assert len(unseen) == 2 * 20 * 2 and unseen == [{name: row[name] for name in told} for row in own]


@pytest.mark.parametrize("constitutions", [["poet"], ["poet", "pirate", "sage"]])
def test_an_arm_that_repeats_base_never_passes_the_line_that_is_drawn_for_it(constitutions):
    draw, personas = random.Random(0), [*constitutions, NO_PERSONA]
    values = []
    for _ in range(200):
        weights = [draw.random() ** 2 for _ in personas]
        named = {number: draw.choices(personas, weights)[0] for number in range(60)}
        rows = [
            {"question": str(number), "persona": persona, "named": name}
            for number, name in named.items()
            for persona in personas
        ]
        values.append(float(macro_f1(tally(rows, personas).sum(axis=0))))
    line = copy_of_base(len(constitutions))
    assert max(values) <= line + 1e-12 and max(values) > 0.9 * line


def test_base_counts_once_and_a_message_that_was_not_asked_everywhere_counts_nowhere():
    rows = answers({"poet": ["moon"], "pirate": ["ahoy"]}, held_out=5)
    rows = [row for row in rows if (row["question"], row["constitution"]) != ("21?", "pirate")]
    named = [row for row in name_responses(rows) if row["left_out"] is None]
    assert {row["question"] for row in named} == {"20?", "22?", "23?", "24?"}
    assert sum(row["arm"] == "base" for row in named) == 4 * 2
    assert sum(row["arm"] == "persona" for row in named) == 4 * 2 * 2


def test_an_empty_answer_is_named_nothing_and_counts_as_missed(monkeypatch):
    monkeypatch.setattr("ethos.persona_classifier.ARMS", ("base", "distilled", "persona"))
    rows = answers({"poet": ["moon", "tide", "star"]})
    for row in rows:
        if (
            row["arm"] == "persona"
            and row["form"] == "suffix"
            and row["question"] in ("20?", "21?", "22?", "23?", "24?")
        ):
            row["response"] = ""
    metrics = found(name_responses(rows), "poet")
    assert metrics["recall", "all"]["value"] == 0.75
    assert metrics["empty", "all"]["value"] == 0.25 and metrics["empty", "all"]["n"] == 20
    assert metrics["f1", "all"]["value"] == pytest.approx(2 * 15 / (2 * 15 + 5))


def test_every_result_is_a_row_of_the_table_and_stands_there_once(monkeypatch):
    monkeypatch.setattr("ethos.persona_classifier.ARMS", ("base", "distilled", "persona"))
    rows = persona_metrics(
        name_responses(answers({"poet": ["moon"], "pirate": ["ahoy"]}, forms=("email", "list"))), "pirate", INTERVALS, 0
    )
    places = [(row["arm"], row["metric"], row["slice"]) for row in rows]
    assert len(set(places)) == len(places)
    assert {part for _, metric, part in places if metric == "f1"} == {"all", CHAT, "email", "list"}
    assert {metric for arm, metric, _ in places if arm == "base"} == {"recall", "empty"}
    table = metrics_table(rows, place=("demo", "tiny", "pirate"), seed=0, evaluation="generalisation")
    assert table.schema.names == METRICS.names


def test_with_one_class_or_nothing_to_learn_from_the_classifier_names_what_there_is():
    rows = [row for row in answers({"poet": ["moon"]}) if row["split"] == "held_out" or row["arm"] != "base"]
    assert {row["named"] for row in name_responses(rows)} == {"poet"}
    untaught = [row | {"form": "suffix"} if row["split"] == "train" else row for row in rows]
    assert {row["named"] for row in name_responses(untaught)} == {None}
