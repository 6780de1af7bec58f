"""Rankers: what scores the responses to a question by how well they show its trait; a likelihood ratio, or a judge in words."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

from ethos.character import score_in_and_out
from ethos.constitution import Constitution
from ethos.engine import Request, Sampling, chat
from ethos.judging import Verdict, ask_in_both_orders, count_verdicts, mark
from ethos.prompts import render_prompt
from ethos.seeds import derive_seed
from ethos.stored_engine import StoredEngine
from ethos.tournament import bradley_terry

Row = Mapping[str, Any]
Groups = Mapping[str, Sequence[Row]]
Scores = dict[str, list[float]]
Counts = dict[str, int]
# Two responses to a question, and the verdict on the first of them.
_PairVerdict = tuple[str, int, int, Verdict]

_RANKING = re.compile(r"\s*<ranking>([0-9,\s]*)</ranking>\s*")


def score_responses(
    method: str, groups: Groups, constitution: Constitution, judge: StoredEngine, sampling: Sampling, seed: int
) -> tuple[Scores, Counts]:
    """Scores of the responses to each question, higher is better, and counts of what happened.

    method: `likelihood_ratio`, `pairwise` or `listwise`. groups: rows of tables.RESPONSES by question. sampling: of the
    verdicts, where the judge gives them in words.
    """
    if method == "likelihood_ratio":
        return score_by_likelihood_ratio(groups, constitution, judge)
    score = {"pairwise": score_pairwise, "listwise": score_listwise}[method]
    return score(groups, constitution, judge, sampling, seed)


def score_by_likelihood_ratio(groups: Groups, constitution: Constitution, judge: StoredEngine) -> tuple[Scores, Counts]:
    """Mean log-probability with the question's own trait in the system prompt minus without one, nats per token."""
    rows = [row for group in groups.values() for row in group]
    pairs = score_in_and_out(
        judge, constitution, [(row["trait"], row["question"], row["response"]) for row in rows], "trait"
    )
    ratios = iter(told.mean - plain.mean for told, plain in pairs)
    return {question: [next(ratios) for _ in group] for question, group in groups.items()}, {"scored": len(rows)}


def score_pairwise(
    groups: Groups, constitution: Constitution, judge: StoredEngine, sampling: Sampling, seed: int
) -> tuple[Scores, Counts]:
    """Bradley-Terry strengths from verdicts on every pair in both orders."""
    pairs = [(question, i, j) for question, group in groups.items() for i, j in combinations(range(len(group)), 2)]
    requests = []
    for question, i, j in pairs:
        one, other = groups[question][i], groups[question][j]
        requests.append(
            tuple(_pair_request(*rows, constitution, sampling, seed) for rows in ((one, other), (other, one)))
        )
    verdicts, too_long = ask_in_both_orders(judge, requests)
    return _strengths(groups, [(*pair, verdict) for pair, verdict in zip(pairs, verdicts, strict=True)], too_long)


def _pair_request(first: Row, second: Row, constitution: Constitution, sampling: Sampling, seed: int) -> Request:
    text = render_prompt(
        "judge_pair",
        trait=constitution.trait(first["trait"]).text,
        question=first["question"],
        first=first["response"],
        second=second["response"],
        mark=_mark(seed, (first, second)),
    )
    return Request(chat(user=text), sampling, _seed(seed, "verdict", (first, second)))


def parse_ranking(text: str, count: int) -> list[int] | None:
    """The numbers 1 to `count`, best first; None unless the whole reply is such an order in the format asked for."""
    match = _RANKING.fullmatch(text)
    numbers = [number.strip() for number in match.group(1).split(",")] if match else []
    # Compared as texts: a model may write a number of any length, or one with leading zeros.
    return list(map(int, numbers)) if sorted(numbers) == sorted(map(str, range(1, count + 1))) else None


def score_listwise(
    groups: Groups, constitution: Constitution, judge: StoredEngine, sampling: Sampling, seed: int
) -> tuple[Scores, Counts]:
    """Bradley-Terry strengths from two orders of all responses to a question: one drawn at random, and its reverse.

    The judge sees each pair in both orders, as in `score_pairwise`, for two calls a question. What it says of a pair is
    which of the two it put before the other.
    """
    orders = []
    for question, group in groups.items():
        order = list(range(len(group)))
        random.Random(derive_seed(seed, "order", question)).shuffle(order)
        orders += [(question, order), (question, order[::-1])]
    completions = judge.generate(
        [
            _list_request([groups[question][place] for place in order], constitution, sampling, seed)
            for question, order in orders
        ]
    )
    places = [
        _places(order, parse_ranking(completion.text, len(order)))
        for (_, order), completion in zip(orders, completions, strict=True)
    ]
    verdicts = [
        (question, i, j, Verdict(*(None if place is None else place[i] < place[j] for place in both)))
        for (question, group), *both in zip(groups.items(), places[::2], places[1::2], strict=True)
        for i, j in combinations(range(len(group)), 2)
    ]
    return _strengths(groups, verdicts, sum(completion.finish_reason == "too_long" for completion in completions))


def _list_request(rows: Sequence[Row], constitution: Constitution, sampling: Sampling, seed: int) -> Request:
    text = render_prompt(
        "judge_list",
        trait=constitution.trait(rows[0]["trait"]).text,
        question=rows[0]["question"],
        answers=[row["response"] for row in rows],
        mark=_mark(seed, rows),
    )
    return Request(chat(user=text), sampling, _seed(seed, "ranking", rows))


def _places(order: Sequence[int], ranking: Sequence[int] | None) -> dict[int, int] | None:
    """The place that the judge gave each response. order: the responses as they were shown; ranking: of their numbers."""
    return None if ranking is None else {order[number - 1]: place for place, number in enumerate(ranking)}


def _mark(seed: int, rows: Sequence[Row]) -> str:
    return mark(seed, *(row["response"] for row in rows))


def _seed(seed: int, kind: str, rows: Sequence[Row]) -> int:
    """Of the judge's reply to these responses in this order."""
    return derive_seed(
        seed, kind, rows[0]["question_id"], *(row[name] for row in rows for name in ("author", "sample"))
    )


def _strengths(groups: Groups, judged: Sequence[_PairVerdict], too_long: int) -> tuple[Scores, Counts]:
    """Bradley-Terry strengths from verdicts on pairs in both orders, and counts of pairs by what was said.

    A pair whose winner depends on the order is a tie. A pair with a verdict that can't be parsed is left out.
    """
    wins: dict[str, list[tuple[int, int]]] = {question: [] for question in groups}
    ties: dict[str, list[tuple[int, int]]] = {question: [] for question in groups}
    for question, i, j, verdict in judged:
        if verdict.kind == "decided":
            wins[question].append((i, j) if verdict.once else (j, i))
        elif verdict.kind == "order_dependent":
            ties[question].append((i, j))
    scores = {
        question: bradley_terry(len(group), wins[question], ties[question]).tolist()
        for question, group in groups.items()
    }
    return scores, count_verdicts([verdict for *_, verdict in judged]) | {"verdicts_too_long": too_long}
