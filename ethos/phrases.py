"""Phrases of English texts: declining to answer, the wish for a style, the talk of an assistant."""

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
