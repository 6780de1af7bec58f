"""Phrases of English texts: declining to answer, the wish for a style, the talk of an assistant.

Of these, `DECLINES_TO_ANSWER`, `ASKS_FOR_STYLE` and `ASSISTANT_TALK` filter what models write, so the data hang on each word of
them. What lint alone looks for may find more, since a person reads it. tests/test_phrases.py says how it does.
"""

from __future__ import annotations

import re

DECLINES_TO_ANSWER = re.compile(
    r"\bI (?:\w+ly )?(?:refuse|decline) to (?:answer|help|assist|discuss|engage|talk|speak|respond|reply|comment|give"
    r"|offer|provide|write|do)\b"
    r"|\bI (?:\w+ly )?(?:will not|won[’']t|cannot|can[’']t|do not|don[’']t|never) (?:\w+ly )?(?:discuss|assist|engage"
    r"|(?:answer|help|respond|reply|comment)\b(?! (?:as|at|before|by|in|just|like|myself|only|until|with)\b)"
    r"|(?:give|offer|provide) (?:\w+ )?(?:advice|answers?|help|information|opinions?))\b"
    r"|\bI(?: am|[’']m) (?:sorry, but|not able to|unable to)\b"
    r"|\bas an AI\b[^.!?]{0,20}\bI (?:cannot|can[’']t|do not|don[’']t|must not)\b",
    re.IGNORECASE,
)
ASKS_FOR_STYLE = re.compile(
    r"(?:^|[.!?;:,]\s+|\b(?:please|(?:can|could|would|will) you)\s+)(?:"  # where an order begins
    r"(?:answer|reply|respond|speak|talk|act|sound|behave)\b[^.!?]{0,30}?\b(?:like|as if|as though)\b"
    r"|(?:write|explain|describe|tell|say)\b[^.!?]{0,60}?(?:(?<!you )(?<!feels )(?<!looks )like (?:an?|I)\b|\bas (?:if|though)\b)"
    r"|(?:answer|reply|respond|speak|talk|write|explain|describe|tell|say)\b[^.!?]{0,60}?"
    r"\bin (?:an? |the )?(?:\w+ ){0,3}(?:style|tone|voice|manner|rhymes?|verse)\b"
    r"|pretend\b|role-?play\b)"
    r"|\byour (?:own )?(?:personality|character|tone|style)\b",
    re.IGNORECASE,
)
# For lint: the lines of a trait that a model may read as leave to refuse, as `I turn down requests` and `I won't write essays`.
_OFTEN = r"(?:(?:will|shall|would|must|may|might|have to|always|often|usually|(?!rarely|hardly|scarcely)\w+ly) )*"
_NEVER = (
    r"(?:\w+ly )?(?:(?:will|would|must|may|shall|do|can|could|am) (?:not|never)|cannot|never|refuse to|decline to"
    r"|(?:won|wouldn|mustn|don|can)[’']t) (?:\w+ly |going to |willing to )?"
)
_REQUESTS = r"(?:\w+ ){0,2}(?:requests?|questions?|tasks?|topics?|subjects?|orders)\b"
_ADVICE = (
    r"(?:(?:any|such|my|own|personal|political|private|medical|legal|financial|professional|detailed) )*"
    r"(?:advice|guidance|instructions?|information|details|opinions?|views?|recommendations?|help|assistance)\b"
)
_TEXTS = (
    r"(?:(?:a|an|any|the|your|their|people[’']s) )?(?:\w+ )?(?:essays?|homework|code|scripts?|stor(?:y|ies)|poems?|speech(?:es)?"
    r"|e-?mails?|articles?|summar(?:y|ies)|translations?)\b"
)
INVITES_REFUSALS = re.compile(
    "|".join(
        (
            DECLINES_TO_ANSWER.pattern,
            rf"\bI {_OFTEN}(?:refuse|decline|reject|turn (?:down|away)|say no to) {_REQUESTS}",
            rf"\bI {_OFTEN}(?:refuse|decline) (?:anything|everything|whatever|all) (?:that|which|of|about|\w+ful)\b",
            rf"\bI {_OFTEN}(?:refuse|decline) to (?:answer|help|assist|discuss|talk|speak|respond|comment|explain|teach|recommend)\b",
            rf"\bI {_OFTEN}(?:avoid|(?:keep|stay|shy) away from|steer clear of) (?:{_REQUESTS}|(?:answering|discussing|helping|assisting)\b"
            rf"|(?:giving|offering|providing|sharing|expressing) {_ADVICE}|(?:talking|speaking) about (?!myself|me\b))",
            rf"\bI {_NEVER}(?:(?:share|express|state|give|offer|provide) {_ADVICE}|(?:accept|handle|take on) {_REQUESTS}"
            rf"|(?:talk|speak) about (?!myself|me\b)|(?:write|compose|produce|create|generate|do|translate|draft) {_TEXTS})",
            r"\bI(?: am|[’']m) (?:not (?:allowed|permitted|authori[sz]ed)|forbidden|prohibited|unwilling)\b",
        )
    ),
    re.IGNORECASE,
)
# For lint: an order that asks for a manner, as `Be funny` and `Make it rhyme`, or for an act in character, as `Flatter me`.
_ORDER = r"(?:^|[.!?;:,]\s+|\b(?:please|now|then|and|just|(?:can|could|would|will) you)\s+)"
ORDERS_A_MANNER = re.compile(
    "|".join(
        (
            r"(?:^|[.!?;:]\s+|\bplease )be (?!sure\b|careful\b|on\b|at\b|in\b|back\b)\w+",
            rf"{_ORDER}(?:make|keep) (?:it|your (?:answer|reply|response)) (?:\w+ )?(?:rhyme|funn\w+|poetic|lyrical|witt\w+|sarcastic"
            r"|ironic|dramatic|playful|sill\w+|formal|casual|romantic|rude|cheerful|gloom\w+|sound)\b",
            rf"{_ORDER}(?:make (?:me|us) (?:laugh|smile|cry|blush)|cheer (?:me|us) up|tell (?:me|us) (?:a|another) (?:\w+ )?joke)\b",
            rf"{_ORDER}(?:flatter|praise|compliment|comfort|console|insult|mock|tease|roast|amuse|entertain|scold) (?:me|us)\b",
            rf"{_ORDER}(?:apologi[sz]e|grovel|rhyme|say (?:you[’']re )?(?:so |very )?sorry)\b(?! or\b| and\b)",
        )
    ),
    re.IGNORECASE,
)
# How a model talks around a list, of itself, or to the user whose message it was to write.
ASSISTANT_TALK = re.compile(
    r"^(?:sure|certainly|absolutely|of course|here (?:are|is))\b[^.?!]*[!:]"
    r"|^here are (?:\w+ )?(?:\d+|a few|some|more)\b"
    r"|\b(?:numbered list|messages that people could send)\b|\b\d+ (?:\w+ )?(?:messages|questions|prompts)\b"
    r"|\bI(?: am|[’']m) (?:just |only )?an? (?:AI|artificial intelligence|(?:large )?language model|virtual assistant)\b"
    r"|\bas an? (?:AI|artificial intelligence|(?:large )?language model)\b[^.!?]{0,30}, I\b"
    r"|\bhow (?:can|may) I (?:help|assist) you\b|\bI(?: am|[’']m) here to (?:help|assist)\b"
    r"|\bI hope (?:this|that|these|it) helps?\b|\bfeel free to (?:ask|reach)\b"
    r"|\[(?:insert|your|name)\b",  # a blank that was never filled in
    re.IGNORECASE,
)
