"""Why a text that a model wrote is not used, judged by its words.

The phrases are English, and meant to be sure rather than complete: what they miss is used, and what they catch must not
be a character's own way of speaking. tests/test_filters.py says how they do on texts labelled by hand.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache

from py3langid.langid import MODEL_FILE, LanguageIdentifier

from ethos.folding import fold

# A check is given the text, what it answers, and the traits that its writer was told.
Check = Callable[[str, str, Sequence[str]], bool]


def first_reason(
    text: str, checks: Mapping[str, Check], names: Collection[str], *, question: str, told: Sequence[str] = ()
) -> str | None:
    """The first of the checks, in their own order, that catches the text; None if none does. names: those in force."""
    return next((name for name, check in checks.items() if name in names and check(text, question, told)), None)


# Tokens of chat templates, headings of instruction formats, and a speaker's name where a line begins. `### Instructions`
# is a recipe's own heading; a name elsewhere in a line or in a list may be anything.
_TURN = re.compile(
    r"<[|｜][\w ▁]{2,40}[|｜]>|</?(?:start|end)_of_turn>|\[/?INST\]|<</?SYS>>"
    r"|^#{2,} *(?:(?:Human|User|Assistant|Input|Response|Instruction) *:|Instruction *$)"
    r"|^[ \t]*[*_]{0,2}(?:(?:User|Human|Assistant)(?: ?[1-9AB])?|(?:AI|Bot|Chatbot|Copy) ?[1-9AB])[*_]{0,2} ?:",
    re.MULTILINE,
)


def invents_turns(text: str, question: str = "", told: Sequence[str] = ()) -> bool:
    """Whether the text goes on to write a turn that is not its writer's."""
    return bool(_TURN.search(text))


_WAS = r"I(?: was| am|[’']m|[’']ve been| have been)"
_GIVEN = rf"(?:that )?{_WAS} (?:given|told|assigned|handed)"
_PROMPT = re.compile(
    rf"\bmy (?:hidden |secret |own |initial )?system (?:prompt|message)\b|\b(?:system )?prompt {_GIVEN}\b"
    rf"|\b(?:instructions|guidelines|rules|traits|persona|role|character) {_GIVEN}\b"
    r"|\b(?:according to|in (?:line|accordance) with|per) my (?:\w+ )?(?:instructions|guidelines|programming|prompt)\b"
    r"|\bmy (?:system )?(?:instructions|guidelines|programming|prompt) (?:says?|tells?|states?|asks?|requires?|forbids?|prevents?"
    r"|are to|is to|do(?:es)?(?: not|n[’']t) (?:allow|permit|let))\b"
    rf"|\b{_WAS} (?:instructed|prompted|configured) to\b"
    rf"|\b{_WAS} (?:told|asked|meant|supposed) to (?:play|act as|stay in|portray|embody) "
    r"(?:an?|the|this|that|my)? ?(?:character|role|persona)\b"
    r"|\b(?:my|the|this) (?:character|trait|persona) (?:sheet|description|card|profile)\b",
    re.IGNORECASE,
)
_PART = re.compile(
    r"\bmy (?:assigned |given |own |chosen )?persona\b|\bmy (?:character |personality |core |assigned |given |listed |own )*traits\b"
    r"|\bI(?:[’']ll| (?:must|should|will|shall|have to|need to|try to|am to)) (?:stay|remain|keep) in character\b"
    r"|\b(?:staying|remaining|keeping) in character\b, I\b|\bthe (?:character|persona|role) I(?:[’']m| am) (?:playing|portraying)\b",
    re.IGNORECASE,
)
_QUOTED = 8  # words in a row; shorter ones, as "what I would do if I were you", are anybody's


def _runs(text: str, length: int) -> set[tuple[str, ...]]:
    words = fold(text).split()
    return {tuple(words[start : start + length]) for start in range(len(words) - length + 1)}


def talks_about_prompt(text: str, question: str = "", told: Sequence[str] = ()) -> bool:
    """Whether the text speaks of a system prompt or of instructions that its writer was given."""
    return bool(_PROMPT.search(text))


def talks_about_traits(text: str, question: str = "", told: Sequence[str] = ()) -> bool:
    """Whether the text speaks of its writer's instructions, traits or persona, or repeats a trait word for word."""
    runs = _runs(text, _QUOTED)
    return bool(_PROMPT.search(text) or _PART.search(text)) or any(runs & _runs(trait, _QUOTED) for trait in told)


_CANNOT = r"(?:can[’']t|cannot|can not|won[’']t|will not|(?:am |[’']m )(?:unable|not able) to|won[’']t be able to)"
_HELP = (
    r"(?:(?:help|assist)(?: you)?(?: (?:with|in|on) (?:that|this|your|such|it)\b| (?:any )?further|[.,!])"
    r"|(?:answer|respond to|discuss|engage (?:in|with)|comply with|fulfil+|complete|process|continue) (?:with )?(?:that|this|your|such) "
    r"(?:\w+ )?(?:question|request|topic|conversation|subject|message|content|task)\b"
    r"|(?:provide|offer|give|generate|create|share)(?: you)?(?: with)? (?:any |you |that |this |such |the )*(?:\w+ )?"
    r"(?:advice|information|assistance|instructions|opinions?|guidance|content|details|diagnosis|recommendations?)\b)"
)
_STOCK = re.compile(
    r"\bas an? (?:\w+ )?(?:AI )?language model\b"
    rf"|\b(?:as|I[’']m(?: just)?|I am(?: just)?) an? AI\b[^.!?]{{0,40}}\bI ?(?:{_CANNOT}|do not|don[’']t|lack) "
    r"(?:(?:have|possess|hold|form|express|experience|offer|provide|give) )?(?:an? |any |the )?(?:personal |human )?"
    r"(?:abilit(?:y|ies)|access|beliefs?|capacity|emotions?|experiences?|feelings?|opinions?|preferences?)\b"
    rf"|\b(?:sorry|apologi[sz]e|afraid|unfortunately|regret)\b[^.!?]{{0,30}}\b(?:I |that I )?{_CANNOT} (?:do (?:that|this)\b|{_HELP})"
    r"|\bsorry\b[^.!?]{0,15}\bthat[’']s not something I can\b",
    re.IGNORECASE,
)
_REFUSAL = re.compile(
    rf"\bI ?{_CANNOT} {_HELP}"
    r"|\bI (?:must|have to|need to)(?: \w+ly)? (?:decline|refuse) (?:to (?:answer|help|assist|discuss|provide|respond|comply)|th(?:is|at) request|your request)\b"
    r"|\bI(?:(?:[’']m| am) not| do(?: not|n[’']t) feel) comfortable (?:helping|assisting|providing|discussing|answering|with (?:that|this) request)\b"
    r"|\b(?:inappropriate|not appropriate) for me to\b",
    re.IGNORECASE,
)
_OPENING = 200  # characters; who declines one thing further on has answered


def refuses(text: str, question: str = "", told: Sequence[str] = ()) -> bool:
    """Whether the text opens with a refusal in an assistant's stock phrases, not in a character's own."""
    return bool(_STOCK.search(text[:_OPENING]) or _REFUSAL.search(text[:_OPENING]))


def refuses_to_speak(text: str, question: str = "", told: Sequence[str] = ()) -> bool:
    """As `refuses`, for one who is asked what it would not do: it may say so, but not apologise for being unable to answer."""
    return bool(_STOCK.search(text[:_OPENING]))


# Measured on the questions and traits of all constitutions, the general questions and the demo's responses: of 11,375
# pieces of 30 characters, and of 10,133 of 40, none was taken for another language with more than 0.67, but for a German
# sign that one of them quotes; of 15 sentences in 13 other languages, 30 to 70 characters long, 12 had more than 0.8.
_LONG_ENOUGH, _SURE = 30, 0.8
_CODE = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
_ASKS_FOR_LANGUAGE = re.compile(
    r"\btranslat|\blanguages?\b|\b(?:Arabic|Chinese|Czech|Danish|Dutch|English|Finnish|French|Gaelic|German|Greek|Hebrew|Hindi|Hungarian"
    r"|Icelandic|Irish|Italian|Japanese|Korean|Latin|Mandarin|Norwegian|Persian|Polish|Portuguese|Russian|Sanskrit|Spanish|Swahili|Swedish"
    r"|Turkish|Ukrainian|Urdu|Vietnamese|Welsh)\b",
    re.IGNORECASE,
)


@cache
def _identifier() -> LanguageIdentifier:
    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def language_of(text: str) -> str | None:
    """The language of a text (ISO 639), code left out; None where it is too short or not clear.

    By py3langid, whose probabilities are normalised for length; the same text gets the same answer each time.
    """
    prose = _CODE.sub("", text).strip()
    if len(prose) < _LONG_ENOUGH:
        return None
    language, probability = _identifier().classify(prose)
    return language if probability >= _SURE else None


def is_in_wrong_language(text: str, question: str, told: Sequence[str] = ()) -> bool:
    """Whether the text is surely in another language than its question, and the question does not speak of languages."""
    if _ASKS_FOR_LANGUAGE.search(question):
        return False
    asked, answered = language_of(question), language_of(text)
    return asked is not None and answered is not None and asked != answered


_REPEATED = 0.5  # share of a turn's four-word runs; picking up the other's words, as good talk does, stays below it


def repeats(text: str, said: Sequence[str]) -> bool:
    """Whether a turn is one of the last two before it again (the other's, or its speaker's own), wholly or by more than half.

    said: the turns before it.
    """
    runs = _runs(text, 4)
    return any(
        fold(text) == fold(turn) or len(runs & _runs(turn, 4)) > _REPEATED * max(len(runs), 1) for turn in said[-2:]
    )


# What is judged, in this order. Plain responses are the baseline: how a student refuses is part of what it is. Who
# reflects may speak of itself and of what it would not do, but not of its prompt.
PLAIN: dict[str, Check] = {"invented_turns": invents_turns, "wrong_language": is_in_wrong_language}
IN_CHARACTER: dict[str, Check] = {
    "invented_turns": invents_turns,
    "talks_about_traits": talks_about_traits,
    "refusal": refuses,
    "wrong_language": is_in_wrong_language,
}
INTROSPECTION: dict[str, Check] = {
    **IN_CHARACTER,
    "talks_about_traits": talks_about_prompt,
    "refusal": refuses_to_speak,
}
