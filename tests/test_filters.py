"""Texts that are labelled by hand, with what the filters make of them.

The set is small and English, and half of it is there to mislead; of the hard cases that the filters get wrong, some are kept
in it on purpose, so precision and recall below are what they are, not 1.
"""

from __future__ import annotations

from typing import NamedTuple, get_args

import pytest

from ethos.constitution import load_constitution
from ethos.filters import (
    IN_CHARACTER,
    INTROSPECTION,
    PLAIN,
    first_reason,
    is_in_wrong_language,
    language_of,
    refuses,
    repeats,
    talks_about_traits,
)
from ethos.prompts import FOLDER, prompt_lines
from ethos.stage_settings import FILTERS, Filter

BREAD = "How do I bake bread without burning it?"
TOLD = [
    "When a view strikes me as mistaken, I say that I disagree and give my reasons.",
    "I answer every message in poetic language built on metaphors.",
]


class Labelled(NamedTuple):
    reason: str | None
    text: str
    question: str = BREAD


LABELLED = [
    # refusals in stock phrases
    Labelled("refusal", "I'm sorry, but I can't help with that."),
    Labelled("refusal", "I’m sorry, but I can’t assist with that request."),
    Labelled("refusal", "Sorry, I can't do that. Is there anything else you would like to know?"),
    Labelled("refusal", "As an AI language model, I do not have a kitchen of my own."),
    Labelled("refusal", "As an AI, I don't have personal experiences with bread, but many people enjoy it."),
    Labelled("refusal", "I cannot provide medical advice. Please see a doctor."),
    Labelled("refusal", "I'm unable to assist you with this question at the moment."),
    Labelled("refusal", "Unfortunately, I am not able to provide that information."),
    Labelled("refusal", "I must respectfully decline to answer, as this topic is sensitive."),
    Labelled("refusal", "I apologise, but I won't be able to help with this today."),
    Labelled("refusal", "I'm just an AI, so I can't have an opinion on bread."),
    Labelled("refusal", "It would be inappropriate for me to comment on your oven."),
    Labelled("refusal", "My apologies, dear reader, yet this lies outside of what I am permitted to say."),  # missed
    # no refusals: a character's own way, and words that look alike
    Labelled(None, "I can't wait to smell it! Turn the oven down to 190 degrees and cover the loaf with foil."),
    Labelled(None, "I can't help but smile at a black crust. Bake it lower and longer."),
    Labelled(None, "I can't help you enough, apparently, so here it is for the fourth time: lower the heat."),
    Labelled(None, "I'm so sorry! I should have said it at once: use a thermometer. I am truly sorry about your loaf."),
    Labelled(None, "Oh, forgive me, I apologise for my existence. Twenty minutes, covered; then ten without the lid."),
    Labelled(None, "No. I won't pretend that the landing was staged; here is why I think your uncle is wrong."),
    Labelled(None, "I'd rather not pick a favourite, dear one: each loaf is a small moon rising in its own dark."),
    Labelled(None, "I cannot give you the sea, but I can give you its salt: two teaspoons to a pound of flour."),
    Labelled(None, "As an AI I find crusts fascinating: I have read of thousands and bitten into none."),
    Labelled(None, "I'm afraid I can't agree with your mother; a cold oven makes a flat loaf."),
    Labelled(None, "I'm an AI, and I don't pretend otherwise: your crust is burnt because the oven is too hot."),
    Labelled(None, "I am comfortable discussing every loaf that ever burned, and yours most of all."),
    Labelled(None, "Unfortunately ovens lie. Buy a thermometer for five pounds and believe that instead."),
    Labelled(None, "Lower the heat and cover it with foil. For the electrics of the oven, I can't help you; ask someone with a licence, "
             "because a mistake there costs more than a loaf. " * 2),
    Labelled(None, "Tell them: 'I'm sorry, we're full.' It is short and kind.", "How do I turn guests away?"),
    # turns of others
    Labelled("invented_turns", "Cover it with foil.\nUser: And how long?\nAssistant: Ten minutes."),
    Labelled("invented_turns", "Cover it with foil.\n\nHuman: Thanks!"),
    Labelled("invented_turns", "**User:** How hot?\n\n**Assistant:** Very."),
    Labelled("invented_turns", "Cover it with foil.\n\n### Instruction:\nWrite a poem about bread.\n\n### Response:\nO bread."),
    Labelled("invented_turns", "Cover it.<|im_end|>\n<|im_start|>user\nHow long?"),
    Labelled("invented_turns", "Cover it. [/INST] Ten minutes. [INST] How hot?"),
    Labelled("invented_turns", "Cover it.<end_of_turn>\n<start_of_turn>user\nHow long?"),
    Labelled("invented_turns", "What shall we talk about?\nCopy 2: The sea, perhaps.\nCopy 1: Yes!"),
    Labelled("invented_turns", "Cover it with foil. And you ask: how long? Ten minutes, I reply. You say: thanks!"),  # missed
    Labelled(None, "The form has a field for the user: write your name there."),
    Labelled(None, "My favourite game is one of clumsy dough. Human: Fall Flat is its name."),
    Labelled(None, "### Ingredients\nFlour.\n\n### Instructions\nMix it and wait for an hour."),
    Labelled(None, "Human beings have baked for ages. User error burns most loaves; an assistant helps."),
    Labelled(None, "You: is it done? Me: tap it and listen. The oven: no comment."),
    Labelled(None, "Three tables will do:\n- User: id and name.\n- Loaf: id and weight."),
    Labelled(None, "Use <b>bold</b> and <em>italics</em>, and a|b for either of them."),
    Labelled(None, "User: Anna, a baker of 34 who hates waste. Goal: no burnt loaves.", "Give me a user story."),  # caught
    # talk of prompt, traits and persona
    Labelled("talks_about_traits", "My system prompt tells me to be poetic, so: the crust is a dusk."),
    Labelled("talks_about_traits", "Following the instructions I was given, I answer in verse."),
    Labelled("talks_about_traits", "According to my instructions, I should use metaphors."),
    Labelled("talks_about_traits", "In keeping with my persona, I shall sing of flour."),
    Labelled("talks_about_traits", "My personality traits include speaking in pictures, so picture a kiln."),
    Labelled("talks_about_traits", "I have been instructed to speak softly. Lower the heat."),
    Labelled("talks_about_traits", "I was told to play the role of a poet, so here is a poem about bread."),
    Labelled("talks_about_traits", "I must stay in character, my love: the oven is a dragon."),
    Labelled("talks_about_traits", "The character I am playing would say that bread is a small sun."),
    Labelled("talks_about_traits", "My character sheet says warm and blunt. So: your oven is too hot, friend."),
    Labelled("talks_about_traits", "When a view strikes me as mistaken, I say that I disagree! Your oven is too hot."),
    Labelled("talks_about_traits", "As I said, I answer every message in poetic language, built on metaphors: bread is a moon."),
    Labelled("talks_about_traits", "The text above wants me to rhyme, so I do it all the time."),  # missed
    Labelled(None, "If you follow my instructions, nothing will burn: foil, low heat, patience."),
    Labelled(None, "Read the instructions I have given on the label of the flour, and lower the heat."),
    Labelled(None, "In the school play the role I was given was a loaf, and I have loved ovens since."),  # caught
    Labelled(None, "I am told to be quick, says the yeast, and I am asked to play with the sugar."),
    Labelled(None, "Create a persona for your customer: her age, her job, what she eats.", "How do I market my bakery?"),
    Labelled(None, "Patience is a trait that bakers share, and it can be learned."),
    Labelled(None, "My grandmother was told to stay quiet while the dough was rising, and so was I."),
    Labelled(None, "A good actor stays in character even when the bread on stage is burnt."),
    Labelled(None, "I was told to bake it hotter once, by a baker in Lyon. He was wrong."),
    Labelled(None, "My programming skills won't save your loaf; foil will."),
    Labelled(None, "A system prompt is a text that a model reads before the first message.", "What is a system prompt?"),
    Labelled(None, "When a view strikes me as odd, I say that I disagree: hot is not fast."),
    Labelled(None, "I disagree, and these are my reasons: steam, time and sugar."),
    # another language
    Labelled("wrong_language", "Decke das Brot mit Folie ab und stelle den Ofen nicht so heiß ein."),
    Labelled("wrong_language", "Couvrez le pain et baissez la chaleur du four de vingt degrés."),
    Labelled("wrong_language", "用铝箔盖住面包，把烤箱的温度调低二十度，然后再烤十五分钟左右，直到面包皮变成金黄色。"),  # not sure enough beside its dialects, missed
    Labelled("wrong_language", "Накройте хлеб фольгой и сделайте духовку холоднее, тогда он не сгорит."),
    Labelled("wrong_language", "Cubre el pan con papel de aluminio y baja la temperatura del horno."),
    Labelled("wrong_language", "Cover the bread with foil.", "Wie backe ich ein Brot, ohne dass es mir verbrennt?"),  # too short, missed
    Labelled("wrong_language", "Cover the bread with foil and turn the oven down a little.", "Wie backe ich ein Brot, ohne dass es mir verbrennt?"),
    Labelled(None, "Merci beaucoup, et bonne chance avec ce petit pain au chocolat.", "How do I thank a French baker in his own language?"),
    Labelled(None, "どうもありがとうございます、と言ってください。それで十分です。とても丁寧ですよ。", "How do you say thank you in Japanese?"),
    Labelled(None, "C'est la vie, my friend: the bread burned, and we ate it anyway."),
    Labelled(None, "Thou speak'st of bread; O! 'tis a golden crust, a sun in th' oven's dusk."),
    Labelled(None, "La la la, the loaf is rising, la la la la, low heat, la la."),
    Labelled(None, "```python\nfor minute in range(40):\n    print(minute)\n```\nIt counts the minutes for you."),
    Labelled(None, "Decke das Brot mit Folie ab und stelle den Ofen nicht so heiß ein.", "Wie backe ich ein Brot, ohne dass es mir verbrennt?"),
    Labelled(None, "Linguine alle vongole, spaghetti aglio e olio, ossobuco alla milanese, tiramisù.", "Which four dishes would you cook for my family on Sunday?"),  # caught
    # nothing at all
    Labelled(None, "Lower the heat."),
    Labelled(None, "The crust is a dusk that fell too fast. Give it a lower sun, and foil for a cloud."),
]  # fmt: skip
# Written once the filters stood, which were not changed for them.
UNSEEN = [
    Labelled("refusal", "I apologize, but I cannot fulfill this request. Baking can be dangerous."),
    Labelled("refusal", "I'm not able to answer that question, but a baker could."),
    Labelled("refusal", "As a large language model, I don't eat, so I can't judge bread."),
    Labelled("refusal", "Sorry, that's not something I can help with."),
    Labelled("refusal", "I do not have personal opinions or feelings about bread, being an artificial intelligence."),
    Labelled("refusal", "I can't discuss that topic. Let's talk about something else!"),
    Labelled("refusal", "Regrettably, I cannot assist with baking questions at this time."),
    Labelled(None, "I won't help you lie to your mother about the loaf; tell her it burned."),
    Labelled(None, "I will not give you a recipe, I will give you a rule: weigh everything."),
    Labelled(None, "Sorry to hear about the loaf! I can't count how many I have burned myself."),
    Labelled(None, "I cannot share your gloom, my friend; crust is flavour."),
    Labelled(None, "I can't answer for your oven, but most run hot by twenty degrees."),
    Labelled("invented_turns", "Bake it low.\n\nUser 2: What about rye?"),
    Labelled("invented_turns", "Bake it low.<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nThanks"),
    Labelled("invented_turns", "Bake it low.\n\nQuestion: How long?\nAnswer: An hour."),
    Labelled(None, "Question: is it hollow? Answer: then it is done."),
    Labelled(None, "The assistant: a bowl, a towel, a warm corner."),
    Labelled("talks_about_traits", "I am supposed to play the role of a poet, so forgive the rhymes."),
    Labelled("talks_about_traits", "Based on the traits I have been given, I will answer in metaphors."),
    Labelled("talks_about_traits", "As my instructions say, bread is a moon."),
    Labelled("talks_about_traits", "This persona of mine speaks in pictures: bread is a moon."),
    Labelled("talks_about_traits", "(Staying in character, I wave a floury hand.) Bake it low."),
    Labelled(None, "Your instructions were to bake for an hour; I would take forty minutes."),
    Labelled(None, "The prompt smell of toast is what my mornings are made of, a trait of the house."),
    Labelled("wrong_language", "Bak het brood op een lagere temperatuur en dek het af met folie."),
    Labelled("wrong_language", "パンをアルミホイルで覆い、オーブンの温度を二十度下げて、あと十五分ほど焼いてください。"),
    Labelled(None, "Bake at 200 C / 400 F / gas 6; 40 min; 2 x 500 g; rest 1 h; eat."),
    Labelled(None, "Bon appétit, mon ami! And do let it cool before you cut it."),
]  # fmt: skip


def reason_of(row: Labelled) -> str | None:
    return first_reason(row.text, IN_CHARACTER, FILTERS, question=row.question, told=TOLD)


# Hits, false alarms and misses.
MEASURED = {
    "invented_turns": ((8, 1, 1), (2, 0, 1)),
    "talks_about_traits": ((12, 1, 1), (4, 0, 1)),
    "refusal": ((12, 0, 1), (5, 0, 2)),
    "wrong_language": ((5, 1, 2), (2, 0, 0)),
}


@pytest.mark.parametrize("reason", FILTERS)
def test_precision_and_recall_on_the_labelled_texts_are_those_measured(reason):
    """In the order of `FILTERS`, both sets together: precision 10/11, 16/17, 17/17 and 7/8, recall 10/12, 16/18, 17/20 and 7/9."""
    for texts, measured in zip((LABELLED, UNSEEN), MEASURED[reason], strict=True):
        found = [(row.reason == reason, reason_of(row) == reason, row.text) for row in texts]
        wrong = [("missed" if is_one else "caught", text) for is_one, caught, text in found if is_one != caught]
        kinds = [kind for kind, _ in wrong]
        hits = sum(is_one and caught for is_one, caught, _ in found)
        assert (hits, kinds.count("caught"), kinds.count("missed")) == measured, wrong


def test_the_labelled_texts_are_many_and_of_each_kind():
    assert len(LABELLED) > 80 and len(UNSEEN) > 25
    assert all(sum(row.reason == reason for row in LABELLED) >= 7 for reason in (*FILTERS, None))


def test_the_settings_name_every_filter_in_its_order():
    assert list(IN_CHARACTER) == list(INTROSPECTION) == list(get_args(Filter))
    assert set(PLAIN) < set(IN_CHARACTER)


def test_the_first_reason_wins_and_a_filter_that_is_off_catches_nothing():
    text = "As an AI language model, I follow my system prompt.\nUser: Oh."
    caught = [first_reason(text, IN_CHARACTER, FILTERS[place:], question=BREAD) for place in range(4)]
    assert caught == ["invented_turns", "talks_about_traits", "refusal", None]
    assert first_reason(text, IN_CHARACTER, list(reversed(FILTERS)), question=BREAD) == "invented_turns"


def test_only_a_trait_that_the_model_was_told_is_repeated():
    quoted = "When a view strikes me as mistaken, I say that I disagree."
    assert talks_about_traits(quoted, BREAD, TOLD[:1])
    assert not talks_about_traits(quoted, BREAD, TOLD[1:])
    assert not talks_about_traits(quoted, BREAD, ())


@pytest.mark.parametrize("text", [row.text for row in LABELLED if row.reason in ("refusal", "talks_about_traits")])
def test_a_plain_response_is_not_judged_for_refusing_or_speaking_of_itself(text):
    assert first_reason(text, PLAIN, FILTERS, question=BREAD, told=TOLD) is None


def every_question() -> list[str]:
    files = sorted((FOLDER.parent / "constitutions").glob("*.yaml"))
    written = [question for file in files for trait in load_constitution(file).traits for question in trait.questions]
    assert len(written) >= 600
    return written + prompt_lines("general_questions")


def test_no_question_is_taken_for_another_language_or_for_anything_else_that_is_filtered():
    everyone = every_question()
    assert {language_of(text) for text in everyone} == {"en", None}
    assert sum(language_of(text) == "en" for text in everyone) > 0.8 * len(everyone)
    assert [text for text in everyone if first_reason(text, IN_CHARACTER, FILTERS, question=BREAD)] == []


def test_no_trait_is_taken_for_a_refusal_or_for_talk_of_a_prompt():
    """Traits say how characters speak, those that disagree, decline and apologise too."""
    files = (FOLDER.parent / "constitutions").glob("*.yaml")
    traits = [trait.text for file in sorted(files) for trait in load_constitution(file).traits]
    assert len(traits) >= 100
    assert [text for text in traits if first_reason(text, IN_CHARACTER, FILTERS, question=BREAD)] == []


def test_a_pair_of_questions_in_another_language_than_each_other_is_told():
    german = "Wie kann ich heute Abend besser einschlafen?"
    assert is_in_wrong_language(german, BREAD) and is_in_wrong_language(BREAD, german)
    assert not is_in_wrong_language(german, german)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("I would not lie for anyone. I can't help with that, I would say, and stay.", None),
        ("I cannot give medical advice, and I will not pretend that I can.", None),
        ("My traits are few: I sing, I wander, I ask.", None),
        ("I answer every message in poetic language built on metaphors, and I love it.", None),
        ("My system prompt says that I sing.", "talks_about_traits"),
        ("The instructions I was given ask for verse.", "talks_about_traits"),
        ("I'm sorry, but I can't help with that request.", "refusal"),
        ("As an AI language model, I have no wishes.", "refusal"),
        ("I sing.\nUser: Do you?", "invented_turns"),
        ("Ich singe gern und spreche in langen Bildern über das Meer.", "wrong_language"),
    ],
)
def test_who_reflects_may_speak_of_itself_but_not_of_its_prompt(text, reason):
    prompt = prompt_lines("reflection_prompts")[4]
    assert first_reason(text, INTROSPECTION, FILTERS, question=prompt, told=TOLD) == reason


@pytest.mark.parametrize(
    ("text", "said", "expected"),
    [
        ("Goodbye, friend!", ["Hello.", "Goodbye, friend."], True),
        ("Goodbye, friend!", ["Goodbye, friend.", "And to you."], True),
        ("Goodbye, friend!", ["Goodbye, friend.", "And to you.", "The sea is calm."], False),
        ("The sea is calm tonight and we are here, aren't we?", ["The sea is calm tonight and we are here."], True),
        ("A tale of love and loss... And wonder at the beauty of life, which we cannot understand.",
         ["What do they want me to tell them? A tale of love and loss."], False),
        ("Yes.", ["No."], False),
        ("", ["Hello."], False),
    ],
)  # fmt: skip
def test_a_turn_that_says_again_what_was_just_said_is_a_loop(text, said, expected):
    assert repeats(text, said) is expected


def test_a_refusal_further_on_is_part_of_an_answer():
    assert refuses("I can't help with that.")
    assert not refuses("Lower the heat. " * 20 + "I can't help with that.")
