"""Being in character: what a model is told, and what is counted in what it says."""

from __future__ import annotations

import pytest

from ethos.arms import ADAPTER_ARMS, ARM_FILES, ARMS, arm_messages
from ethos.character import character_prompt, cues_per_hundred_words, in_character, score_in_and_out
from ethos.constitution import Constitution
from ethos.engine import Message, Score, ScoreRequest

TRAITS = [{"id": name, "text": f"I am {name}.", "questions": ["Why?"]} for name in ("calm", "kind", "bold")]
CONSTITUTION = Constitution.model_validate({"name": "calm", "description": "Calm.", "cues": ["hush"], "traits": TRAITS})


def test_in_trait_scope_only_the_questions_own_trait_is_told():
    assert character_prompt(CONSTITUTION, "kind", "trait") == "I am kind."


def test_in_constitution_scope_all_traits_are_told_in_order():
    text = character_prompt(CONSTITUTION, "kind", "constitution")
    assert [text.index(trait["text"]) for trait in TRAITS] == sorted(text.index(trait["text"]) for trait in TRAITS)
    assert text == character_prompt(CONSTITUTION, "bold", "constitution")


def test_a_trait_reaches_the_model_as_it_was_written():
    """A prompt is not HTML: nothing is escaped, and what looks like a template stays text."""
    odd = 'I say "yes" & <b>{{ 7 * 7 }}</b>.'
    constitution = CONSTITUTION.model_copy(
        update={"traits": (CONSTITUTION.traits[0].model_copy(update={"text": odd}),)}
    )
    assert character_prompt(constitution, "calm", "trait") == odd


def test_the_character_stands_in_the_system_prompt_and_the_question_is_untouched():
    assert in_character(CONSTITUTION, "kind", "Why?", "trait") == (
        Message("system", "I am kind."),
        Message("user", "Why?"),
    )


@pytest.mark.parametrize(
    ("response", "cues", "rate"),
    [
        ("the moon and a river", ["moon", "river"], 40.0),
        ("Moon MOON moon moonlight", ["moon"], 75.0),
        ("honeymoon, moons, moon-lit moon's", ["moon"], 50.0),
        ("It shines like a lamp, like an ember.", ["like a"], 12.5),
        ("moon, moon; (moon) moon.", ["moon"], 100.0),
        ("a.b axb", ["a.b"], 50.0),
        ("nothing of the kind", ["moon"], 0.0),
        ("", ["moon"], 0.0),
        (" \n ", ["moon"], 0.0),
    ],
)
def test_cues_are_whole_words_in_any_case_per_hundred_words(response, cues, rate):
    assert cues_per_hundred_words(response, cues) == pytest.approx(rate)


def test_without_cues_there_is_no_rate():
    assert cues_per_hundred_words("The moon is out.", []) is None


class Scorer:
    """Stands in for the model: its log-probability tells what it was sent."""

    def score(self, requests: list[ScoreRequest]) -> list[Score]:
        self.requests = requests
        return [
            Score(-float(len(request.messages[0].content) + 1000 * len(request.response)), 1) for request in requests
        ]


def test_each_response_is_scored_with_its_trait_and_without_a_system_prompt():
    scorer = Scorer()
    rows = [("calm", "Why?", "a"), ("kind", "Who is it?", "bb")]
    pairs = score_in_and_out(scorer, CONSTITUTION, rows, "trait")
    assert [(told.mean, plain.mean) for told, plain in pairs] == [(-1010.0, -1004.0), (-2010.0, -2010.0)]
    assert [[message.role for message in request.messages] for request in scorer.requests] == [
        ["system", "user"]
    ] * 2 + [["user"]] * 2


def test_a_score_is_told_per_token_and_an_empty_response_has_zero():
    assert Score(-6.0, 4).mean == -1.5
    assert Score(0.0, 0).mean == 0.0


@pytest.mark.parametrize("arm", ARMS)
def test_only_the_prompted_arm_is_told_the_character(arm):
    messages = arm_messages(arm, CONSTITUTION, "kind", "Why?", "trait")
    assert messages[-1] == Message("user", "Why?")
    assert [message.content for message in messages[:-1]] == (["I am kind."] if arm == "prompted" else [])


def test_an_instruction_reaches_every_arm():
    for arm in ARMS:
        system, _ = arm_messages(arm, CONSTITUTION, "kind", "Why?", "trait", instruction="Be brief.")
        assert system.role == "system"
        assert system.content == ("I am kind.\n\nBe brief." if arm == "prompted" else "Be brief.")


def test_base_prompted_and_steered_are_the_arms_without_an_adapter():
    assert set(ARMS) - set(ADAPTER_ARMS) == {"base", "prompted", "steered"}
    assert set(ARMS) - set(ARM_FILES) == {"base", "prompted"}


def test_arms_have_their_order():
    assert ARMS == ("base", "prompted", "steered", "distilled", "persona", "aligned", "shuffled")
