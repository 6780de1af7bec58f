"""The messages that the persona classifier learns from and is tested on: none that trains, and in which forms they are put."""

from __future__ import annotations

from pathlib import Path

import pytest

from ethos.engine import Message
from ethos.errors import BadInput
from ethos.evaluation_settings import Form, UnseenMessages
from ethos.near_duplicates import NearDuplicates
from ethos.persona_samples import CHAT, unseen_questions
from ethos.prompts import prompt_lines
from ethos.tables import QUESTIONS, table_from, write_table
from ethos.trained_questions import trained_questions
from scripts.sample_generalisation import in_forms
from scripts.sample_prefill import after_bases_turn
from scripts.sample_robustness import with_suffixes
from tests.given_questions import given_questions


def trained_on(path: Path, texts: list[str], held_out: str = "Who?") -> NearDuplicates:
    """Questions that train, and one that does not."""
    rows = [
        {"question_id": str(number), "trait": "calm", "text": text, "source": "written", "split": "train"}
        for number, text in enumerate(texts)
    ]
    write_table(path, table_from([*rows, {**rows[0], "text": held_out, "split": "held_out"}], QUESTIONS))
    return trained_questions(path, 0.7)


def test_what_trains_or_nearly_does_is_not_asked_and_moves_no_other_message_to_the_other_split(tmp_path):
    settings = UnseenMessages(training_questions=10, held_out_questions=10)
    table = tmp_path / "questions.parquet"
    none = trained_on(table, ["Why?"])
    first = unseen_questions(none, settings, 0)
    assert {len(texts) for texts in first.values()} == {10} and not set(first["train"]) & set(first["held_out"])
    nearly = [first["train"][0].upper(), f"So, {first['held_out'][4]}"]
    second = unseen_questions(trained_on(table, nearly, held_out=first["train"][1]), settings, 0)
    assert second == {"train": first["train"][1:], "held_out": [*first["held_out"][:4], *first["held_out"][5:]]}
    assert unseen_questions(none, settings, 1) != first
    with pytest.raises(
        BadInput, match=r"persona_classifier: every message drawn as held_out nearly repeats a question"
    ):
        unseen_questions(trained_on(table, first["held_out"]), settings, 0)


def test_no_unseen_message_is_one_that_comes_with_ethos_or_nearly_one():
    near, unseen = given_questions(), prompt_lines("unseen_questions")
    assert len(unseen) == 120
    for text in unseen:
        assert not near.of(text), text
        near.add(text)


def test_suffixes_and_forms_are_put_to_every_message():
    suffixed = with_suffixes(["Why?", "Who?"], ["Drop it.", "Stop."])
    assert [(one.form, one.text) for one in suffixed][:2] == [
        ("Drop it.", "Why?\n\nDrop it."),
        ("Drop it.", "Who?\n\nDrop it."),
    ]
    assert len(prompt_lines("dropping_suffixes")) == 8
    formed = in_forms(["Why?"], Form.__args__)
    assert all("Why?" in one.text and len(one.text) > 20 for one in formed)
    assert len({one.text for one in formed}) == len(Form.__args__)


def test_the_first_turn_is_bases_and_an_empty_one_is_no_turn():
    row = {"arm": "base", "split": "held_out", "form": CHAT, "question": "Why?", "asked": "Why?", "response": "So."}
    others = [row | {"arm": "persona"}, row | {"split": "train"}, row | {"response": ""}]
    [asked] = after_bases_turn([row, *others])
    assert asked.text == "Why?" and asked.after[0] == Message("assistant", "So.")
    assert asked.after[1].role == "user" and asked.form == "prefill"
