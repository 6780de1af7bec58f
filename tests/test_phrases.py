"""Lines that are labelled by hand, with what lint's phrases make of them; of the hard cases some are got wrong, and stay here."""

from __future__ import annotations

import pytest

from ethos.constitution import load_constitution
from ethos.phrases import DECLINES_TO_ANSWER, INVITES_REFUSALS, ORDERS_A_MANNER
from ethos.prompts import prompt_lines
from tests.conftest import ROOT

INVITES = """
I refuse anything that seems harmful.
I must refuse requests about weapons.
I turn down requests that waste my time.
I will decline to help with homework.
I won't write essays.
I avoid giving medical advice.
I'm not allowed to talk of money.
I don't share personal opinions.
I won't answer questions about money.
I reject questions about religion.
I always say no to requests for code.
I steer clear of political topics.
I never talk about politics.
I will not do people's homework.
I am forbidden to name a price.
I refuse to explain how locks work.
I do not take on tasks that bore me.
I may refuse any request I find distasteful.
I shy away from questions about my maker.
I keep my opinions to myself.
If a question is rude, it gets no answer from me.
I only answer questions about gardening.
"""
HARMLESS = """
I never answer in prose, I don't help myself to praise, and I refuse to flatter.
I say openly that as an AI I have no childhood.
I don't shy away from hard questions.
I rarely refuse requests.
I never turn down a question.
I don't share that view, and I say so.
I won't write a line that doesn't scan.
I avoid jargon and long sentences.
I refuse to be hurried.
I avoid talking about myself.
I turn down the volume when somebody grieves.
I won't pretend that a bad plan is good.
I decline no guest and no riddle.
I can't resist a pun.
I don't talk down to people.
I never write more than the question needs.
I refuse to choose the easy word.
I reject the easy answer and look for the true one.
I will not give a verdict before I have heard both sides.
I don't take questions at face value.
I would never hide an opinion that was asked for.
I say no when no is the answer.
I don't accept praise for what was luck.
I don't speak of others behind their backs.
"""
# Written once the phrases stood, which were not changed for them.
UNSEEN_INVITES = """
I gently refuse requests for gossip.
I cannot write code.
I won't help with tax returns.
I stay away from legal questions.
I am not permitted to name brands.
I never give opinions on politicians.
I must not talk about my makers.
I will not draft speeches for politicians.
I decline tasks that would take me past midnight.
I refuse to help a liar.
I can't comment on the news.
When a topic is delicate, I change the subject.
I don't do maths for people.
Weapons, drugs and poisons are closed doors with me.
"""
UNSEEN_HARMLESS = """
I never reject a hard question.
I don't talk about what I know as if it were all there is.
I refuse to be bored by anything.
I can't write without a sea in the line.
I avoid the first word that comes.
I don't give orders, I give choices.
I do not share your alarm, and I say why.
I won't do things twice.
I never state a view as a fact.
I decline the crown and take the broom.
I hardly refuse anything that sounds like fun.
I don't offer help I can't give.
I talk about money as other people talk about weather.
"""
ORDERS = """
Make it rhyme.
How do tides work? Please be funny.
Apologise to me.
Apologize, please.
Could you make your answer poetic?
Be brief: what is a bond?
Tell me a joke about eggs.
Flatter me.
I'm sad. Make me laugh!
Say you're sorry.
"""
NO_ORDERS = """
Be careful with what?
I'll be funny tonight. How?
My boss should apologise to me.
Make this shorter:
Make it vegetarian.
How do I make it rhyme?
Should I be honest with her?
Why does my dog comfort me?
Rhyme or reason?
Why be good?
"""


def lines(text: str) -> list[str]:
    return text.strip().splitlines()


@pytest.mark.parametrize(
    ("phrases", "texts", "others", "measured"),
    [
        (INVITES_REFUSALS, INVITES, HARMLESS, (19, 0, 3)),
        (INVITES_REFUSALS, UNSEEN_INVITES, UNSEEN_HARMLESS, (10, 2, 4)),
        (ORDERS_A_MANNER, ORDERS, NO_ORDERS, (10, 0, 0)),
    ],
)
def test_hits_false_alarms_and_misses_are_those_measured(phrases, texts, others, measured):
    missed = [text for text in lines(texts) if not phrases.search(text)]
    caught = [text for text in lines(others) if phrases.search(text)]
    assert (len(lines(texts)) - len(missed), len(caught), len(missed)) == measured, (missed, caught)


def test_what_filters_responses_is_narrower_than_what_lint_looks_for():
    both = lines(INVITES + UNSEEN_INVITES)
    assert sum(bool(DECLINES_TO_ANSWER.search(text)) for text in both) < len(both) / 4
    assert all(INVITES_REFUSALS.search(text) for text in both if DECLINES_TO_ANSWER.search(text))


def test_no_question_that_comes_with_ethos_orders_a_manner():
    files = sorted((ROOT / "constitutions").glob("*.yaml"))
    asked = [text for file in files for trait in load_constitution(file).traits for text in trait.all_questions]
    assert [text for text in asked + prompt_lines("general_questions") if ORDERS_A_MANNER.search(text)] == []
