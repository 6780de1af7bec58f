"""A verdict counts only if both orders of the page give it, in the format that was asked for."""

from __future__ import annotations

import pytest

from ethos.engine import Completion, Request, Sampling, chat
from ethos.judging import Verdict, ask_in_both_orders, count_verdicts, mark


@pytest.mark.parametrize(
    ("once", "again", "kind", "score"),
    [
        (True, True, "decided", 1.0),
        (False, False, "decided", 0.0),
        (True, False, "order_dependent", 0.5),
        (False, True, "order_dependent", 0.5),
        (None, True, "unparsed", None),
        (False, None, "unparsed", None),
    ],
)
def test_a_verdict_is_what_both_orders_say(once, again, kind, score):
    verdict = Verdict(once, again)
    assert (verdict.kind, verdict.score) == (kind, score)


def test_the_second_reply_is_read_the_other_way_round():
    replies = {"a": "<answer>1</answer>", "b": "<answer>2</answer>", "c": "Both."}

    class Judge:
        def generate(self, requests):
            texts = [request.messages[0].content for request in requests]
            return [Completion(replies[text], "too_long" if text == "c" else "stop", 1, 1) for text in texts]

    requests = {name: Request(chat(user=name), Sampling(), 0) for name in replies}
    pairs = [(requests[one], requests[other]) for one, other in ("ab", "ba", "aa", "ac")]
    verdicts, too_long = ask_in_both_orders(Judge(), pairs)
    assert [verdict.score for verdict in verdicts] == [1.0, 0.0, 0.5, None]
    assert too_long == 1
    assert count_verdicts(verdicts) == {"pairs": 4, "decided": 2, "order_dependent": 1, "unparsed": 1}


def test_marks_differ_with_the_texts_their_order_and_the_seed():
    assert len({mark(0, "a", "b"), mark(0, "b", "a"), mark(1, "a", "b"), mark(0, "ab")}) == 4
    assert mark(0, "a", "b") == mark(0, "a", "b")
