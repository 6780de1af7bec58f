"""Responses to contrast, as the stages before leave them."""

from __future__ import annotations


def response(number: int, author: str, **changes) -> dict:
    row = {"question_id": f"q{number:02}", "trait": "calm", "question": f"Q{number}?", "split": "train", "sample": 0}
    return row | {"author": author, "response": f"{author} {number}", "filtered": None} | changes
