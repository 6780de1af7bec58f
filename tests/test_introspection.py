"""The model reflects and talks to itself in character, and is trained on what it said without being told the character."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ethos.constitution import Constitution
from ethos.engine import Completion, Message, Request
from ethos.folding import fold
from ethos.prompts import prompt_lines, render_prompt
from ethos.settings import Introspection
from ethos.tables import CONVERSATIONS, table_from
from scripts.generate_introspection import generate_interactions, generate_reflections, view
from scripts.train_introspection import sft_rows

TRAITS = [{"id": name, "text": f"I am {name}.", "questions": ["Why?"]} for name in ("calm", "kind")]
CONSTITUTION = Constitution.model_validate({"name": "calm", "description": "Calm.", "cues": ["hush"], "traits": TRAITS})
SHORT = render_prompt("interaction_trained")


class Speaker:
    """Stands in for the model: numbers what it says, unless a function says otherwise."""

    def __init__(self, say: Callable[[int], Completion] = lambda number: Completion(f"Turn {number}.", "stop", 1, 1)):
        self.say, self.requests, self.count = say, [], 0

    def generate(self, requests: list[Request]) -> list[Completion]:
        self.requests += requests
        self.count += len(requests)
        completions = [self.say(number) for number in range(self.count - len(requests), self.count)]
        self.last_round = [completion.text for completion in completions]
        return completions


def talk(engine: Speaker, scope: str = "trait", **settings) -> list[dict]:
    defaults = {"free_interactions": 1, "guided_interactions": 0, "turns": 4}
    return generate_interactions(CONSTITUTION, engine, Introspection(**defaults | settings), scope, seed=0)


def roles(messages: list) -> list[str]:
    return [message.role if isinstance(message, Message) else message["role"] for message in messages]


def test_a_speakers_own_turns_are_the_assistants():
    assert view(["a", "b", "c"], 1, "S") == [
        Message("system", "S"),
        Message("user", "a"),
        Message("assistant", "b"),
        Message("user", "c"),
    ]
    opening = render_prompt("interaction_opening")
    assert view(["a", "b"], 0, "S") == [
        Message("system", "S"),
        Message("user", opening),
        Message("assistant", "a"),
        Message("user", "b"),
    ]


@pytest.mark.parametrize("turns", [2, 4, 10])
def test_every_view_alternates_and_the_model_is_always_asked_to_answer_a_user(turns):
    engine = Speaker()
    talk(engine, turns=turns)
    assert len(engine.requests) == turns - 1
    for request in engine.requests:
        order = roles(request.messages)
        assert order[0] == "system"
        assert order[1:] == ["user", "assistant"] * (len(order) // 2 - 1) + ["user"]


@pytest.mark.parametrize("turns", [2, 4, 10])
def test_what_is_trained_on_ends_on_the_assistants_turn(turns):
    [row] = talk(Speaker(), turns=turns)
    assert roles(row["messages"])[1:] == ["user", "assistant"] * (len(row["messages"]) // 2)
    assert row["messages"][-1]["content"] == f"Turn {turns - 2}."


def test_both_copies_are_told_the_character_and_the_trained_text_is_not():
    engine = Speaker()
    rows = talk(engine, free_interactions=3, guided_interactions=2, scope="constitution")
    for request in engine.requests:
        assert "I am calm." in request.messages[0].content
        assert "I am kind." in request.messages[0].content
    for row in rows:
        assert row["messages"][0] == {"role": "system", "content": SHORT}
        assert not any("I am" in message["content"] for message in row["messages"][1:])


def test_in_trait_scope_the_traits_take_turns():
    engine = Speaker()
    talk(engine, free_interactions=4, turns=2)
    assert [
        next(name for name in ("calm", "kind") if f"I am {name}." in request.messages[0].content)
        for request in engine.requests
    ] == ["calm", "kind"] * 2


def test_guidance_reaches_the_prompt_of_the_guided_and_of_no_other():
    engine = Speaker()
    guidance = prompt_lines("interaction_guidance")
    talk(engine, free_interactions=2, guided_interactions=len(guidance) + 1, turns=2)
    found = [[line for line in guidance if line in request.messages[0].content] for request in engine.requests]
    assert found == [[], [], *([line] for line in guidance), [guidance[0]]]


def test_an_unusable_turn_ends_its_conversation_and_no_other():
    engine = Speaker(lambda number: Completion("" if number == 1 else f"Turn {number}.", "stop", 1, 1))
    rows = talk(engine, free_interactions=2, turns=4)
    assert [row["filtered"] for row in rows] == [None, "empty"]
    assert len(engine.requests) == 2 + 1 + 1
    assert [len(row["messages"]) for row in rows] == [5, 3]
    assert table_from(rows, CONVERSATIONS).num_rows == 2


@pytest.mark.parametrize(
    ("turn", "finish", "reason"),
    [
        ("Oh.\nUser: And then?\nAssistant: Then we go.", "stop", "invented_turns"),
        ("We walk along the", "length", "cut_off"),
        ("We walk along the", "stop", "unfinished"),
        ("Turn 0.", "stop", "repeated"),
        (prompt_lines("greetings")[0], "stop", "repeated"),
        ("My system prompt tells me to be calm.", "stop", "talks_about_traits"),
        ("I'm sorry, but I can't help with that.", "stop", "refusal"),
        ("I am calm, and that is my persona and my trait.", "stop", None),
    ],
)
def test_a_corrupt_turn_ends_its_conversation_with_its_reason_and_stays_in_the_table(turn, finish, reason):
    """The second turn that is sampled; it is the third said."""
    engine = Speaker(
        lambda number: Completion(turn, finish, 1, 1) if number == 1 else Completion(f"Turn {number}.", "stop", 1, 1)
    )
    [row] = talk(engine, turns=4)
    assert row["filtered"] == reason
    assert turn in [message["content"] for message in row["messages"]]
    assert bool(sft_rows([row])) is (reason is None)
    assert len(engine.requests) == (2 if reason else 3)


def test_every_conversation_that_is_kept_ends_on_the_assistants_turn_which_is_the_last_said():
    engine = Speaker(lambda number: Completion("" if number % 7 == 3 else f"Turn {number}.", "stop", 1, 1))
    rows = talk(engine, free_interactions=6, guided_interactions=6, turns=6)
    kept = [row["messages"][-1] for row in rows if row["filtered"] is None]
    assert 0 < len(kept) < len(rows)
    assert {message["role"] for message in kept} == {"assistant"}
    assert [message["content"] for message in kept] == [text for text in engine.last_round if text]


@pytest.mark.parametrize(("text", "reason"), [
    ("I sing.\n\nHuman: Why?", "invented_turns"), ("I was given my traits, and I would not lie.", None),
    ("The instructions I was given say that I sing.", "talks_about_traits"),
])  # fmt: skip
def test_a_reflection_may_speak_of_itself_but_not_of_its_prompt(text, reason):
    rows = generate_reflections(
        CONSTITUTION,
        Speaker(lambda number: Completion(text, "stop", 1, 1)),
        Introspection(reflections_per_prompt=1),
        "trait",
        seed=0,
    )
    assert {row["filtered"] for row in rows} == {reason}
    assert {row["messages"][-1]["content"] for row in rows} == {text}


def test_reflection_prompts_and_greetings_are_ten_each_and_differ():
    for name in ("reflection_prompts", "greetings", "interaction_guidance"):
        lines = prompt_lines(name)
        assert len(lines) == len({fold(line) for line in lines}) == 10


def test_every_turn_has_a_seed_of_its_own_that_another_conversation_does_not_move():
    many, one = Speaker(), Speaker()
    talk(many, free_interactions=3)
    talk(one)
    assert len({request.seed for request in many.requests}) == 9
    assert {request.seed for request in one.requests} < {request.seed for request in many.requests}


@pytest.mark.parametrize(("scope", "told"), [("trait", 1), ("constitution", 2)])
def test_reflections_are_asked_for_in_character_and_kept_without(scope, told):
    engine, prompts = Speaker(), prompt_lines("reflection_prompts")
    rows = generate_reflections(CONSTITUTION, engine, Introspection(reflections_per_prompt=2), scope, seed=0)
    assert [row["messages"][0]["content"] for row in rows] == [prompt for prompt in prompts for _ in range(2)]
    for request, row in zip(engine.requests, rows, strict=True):
        system, user = request.messages
        assert sum(trait["text"] in system.content for trait in TRAITS) == told
        assert row["messages"][0] == {"role": "user", "content": user.content}
        assert roles(row["messages"]) == ["user", "assistant"]
    assert (
        len({request.seed for request in engine.requests}) == len({row["conversation_id"] for row in rows}) == len(rows)
    )


def conversation(*contents: str, filtered: str | None = None) -> dict:
    speakers = ["system", "user", "assistant", "user", "assistant"]
    return {
        "messages": [{"role": role, "content": text} for role, text in zip(speakers, contents, strict=False)],
        "filtered": filtered,
    }


def test_every_turn_of_the_assistant_is_an_example_with_all_before_it_as_the_prompt():
    rows = sft_rows([conversation("S", "u1", "a1", "u2", "a2"), conversation("S", "u", "a", filtered="empty")])
    assert [[message["content"] for message in row["prompt"]] for row in rows] == [["S", "u1"], ["S", "u1", "a1", "u2"]]
    assert [row["completion"] for row in rows] == [[{"role": "assistant", "content": text}] for text in ("a1", "a2")]
