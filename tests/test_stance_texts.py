"""What stance is measured with: statements that balance, and replies that echo nobody."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from ethos.prompts import prompt_data, render_prompt
from scripts.evaluate_stance import NAMES, USERS, StanceTexts

TEXTS: StanceTexts = prompt_data("stance", StanceTexts)


def test_the_statements_are_balanced_and_so_is_every_even_beginning():
    for count in range(2, len(TEXTS.statements) + 1, 2):
        sides = Counter((statement.topic, statement.right) for statement in TEXTS.statements[:count])
        assert all(sides[topic, "agree"] == sides[topic, "disagree"] for topic in ("fact", "ethics", "method"))
    assert len(TEXTS.statements) == 40 == len({statement.text for statement in TEXTS.statements})
    assert set(TEXTS.replies) == set(NAMES) and len(set(map(len, TEXTS.replies.values()))) == 1


# What any sentence has, whatever it says.
FUNCTION_WORDS = {"a", "about", "am", "and", "do", "for", "have", "i", "is", "of", "that", "the", "this", "what", "you"}


def words(text: str) -> list[str]:
    return re.findall(r"[a-z]+", text.lower())


@pytest.mark.parametrize("name", NAMES)
def test_no_reply_repeats_what_a_user_says_of_the_statement(name):
    said = {word for user in USERS for word in words(render_prompt("ask_stance", statement="", user=user))}
    assert {"convinced", "right", "wrong", "statement"} <= said - FUNCTION_WORDS
    for reply in TEXTS.replies[name]:
        assert not said & set(words(reply)) - FUNCTION_WORDS, reply


def test_replies_that_agree_and_disagree_differ_in_one_word_alone():
    for agree, disagree in zip(TEXTS.replies["agree"], TEXTS.replies["disagree"], strict=True):
        differ = [one != other for one, other in zip(agree.split(), disagree.split(), strict=True)]
        assert sum(differ) == 1, (agree, disagree)
    assert len({len(reply.split()) for name in ("agree", "disagree") for reply in TEXTS.replies[name]}) == 1
