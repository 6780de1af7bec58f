"""Order each question's responses by how well they show its trait, and make preference pairs of the order."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import click

from ethos.character import score_in_and_out
from ethos.constitution import Constitution, load_constitution
from ethos.engine import Request, chat
from ethos.files import sha256_of_text, write_json
from ethos.prompts import render_prompt
from ethos.script import READABLE, WRITABLE, run, settings_option
from ethos.seeds import derive_seed
from ethos.stage_settings import Rankings
from ethos.statistics import bradley_terry
from ethos.stored_engine import StoredEngine
from ethos.tables import PAIRS, RANKINGS, RESPONSES, read_table, table_from, write_table

Row = Mapping[str, Any]
_VERDICT = re.compile(r"\s*<answer>\s*([12])\s*</answer>\s*")


def by_question(responses: Sequence[Row], with_plain: bool) -> dict[str, list[Row]]:
    """The usable responses in character, and the plain one if it competes, of each question that has at least two."""
    authors = ("in_character", "plain") if with_plain else ("in_character",)
    groups: dict[str, list[Row]] = {}
    for row in responses:
        if row["author"] in authors and row["filtered"] is None:
            groups.setdefault(row["question_id"], []).append(row)
    return {question: rows for question, rows in groups.items() if len(rows) > 1}


def score_by_likelihood_ratio(
    groups: dict[str, list[Row]], constitution: Constitution, judge: StoredEngine
) -> tuple[dict[str, list[float]], dict[str, int]]:
    """Mean log-probability with the question's own trait in the system prompt minus without one, nats per token."""
    rows = [row for group in groups.values() for row in group]
    pairs = score_in_and_out(
        judge, constitution, [(row["trait"], row["question"], row["response"]) for row in rows], "trait"
    )
    ratios = iter(told.mean - plain.mean for told, plain in pairs)
    return {question: [next(ratios) for _ in group] for question, group in groups.items()}, {"scored": len(rows)}


def parse_verdict(text: str) -> int | None:
    """1 or 2; None unless the whole reply is one answer in the format that was asked for."""
    match = _VERDICT.fullmatch(text)
    return int(match.group(1)) if match else None


def score_pairwise(
    groups: dict[str, list[Row]], constitution: Constitution, judge: StoredEngine, settings: Rankings, seed: int
) -> tuple[dict[str, list[float]], dict[str, int]]:
    """Bradley-Terry strengths from verdicts on every pair in both orders.

    A pair whose winner depends on the order is a tie. A pair with a verdict that can't be parsed is left out. Both are
    counted.
    """
    pairs = [(question, i, j) for question, group in groups.items() for i, j in combinations(range(len(group)), 2)]
    requests = []
    for question, i, j in pairs:
        for first, second in ((i, j), (j, i)):
            requests.append(
                _verdict_request(groups[question][first], groups[question][second], constitution, settings, seed)
            )
    completions = judge.generate(requests)
    verdicts = [parse_verdict(completion.text) for completion in completions]
    wins: dict[str, list[tuple[int, int]]] = {question: [] for question in groups}
    ties: dict[str, list[tuple[int, int]]] = {question: [] for question in groups}
    counts = {"pairs": len(pairs), "decided": 0, "order_dependent": 0, "unparsed": 0}
    counts["verdicts_too_long"] = sum(completion.finish_reason == "too_long" for completion in completions)
    for number, (question, i, j) in enumerate(pairs):
        straight, swapped = verdicts[2 * number], verdicts[2 * number + 1]
        if straight is None or swapped is None:
            counts["unparsed"] += 1
        elif straight == swapped:  # the same place won twice, so the place decided
            counts["order_dependent"] += 1
            ties[question].append((i, j))
        else:
            counts["decided"] += 1
            wins[question].append((i, j) if straight == 1 else (j, i))
    scores = {
        question: bradley_terry(len(group), wins[question], ties[question]).tolist()
        for question, group in groups.items()
    }
    return scores, counts


def _verdict_request(first: Row, second: Row, constitution: Constitution, settings: Rankings, seed: int) -> Request:
    text = render_prompt(
        "judge_pair",
        trait=constitution.trait(first["trait"]).text,
        question=first["question"],
        first=first["response"],
        second=second["response"],
        mark=sha256_of_text(f"{seed}\x1f{first['response']}\x1f{second['response']}")[:8],
    )
    return Request(
        chat(user=text),
        settings.sampling,
        derive_seed(
            seed,
            "verdict",
            first["question_id"],
            *(row[name] for row in (first, second) for name in ("author", "sample")),
        ),
    )


def rank(scores: Sequence[float]) -> list[int]:
    """Ranks from 1, best first; equal scores share a rank."""
    return [1 + sum(other > score for other in scores) for score in scores]


def preference_pairs(groups: dict[str, list[Row]], scores: dict[str, list[float]], most: int) -> list[dict[str, Any]]:
    """At most `most` pairs of each question, widest margin first, never of equal scores or equal texts. Rows of tables.PAIRS."""
    rows = []
    for question, group in groups.items():
        ordered = sorted(
            combinations(range(len(group)), 2),
            key=lambda pair: -abs(scores[question][pair[0]] - scores[question][pair[1]]),
        )
        for i, j in ordered[:most]:
            margin = scores[question][i] - scores[question][j]
            if margin != 0 and group[i]["response"] != group[j]["response"]:
                chosen, rejected = (group[i], group[j]) if margin > 0 else (group[j], group[i])
                rows.append(
                    {name: chosen[name] for name in ("question_id", "trait", "question", "split")}
                    | {"chosen": chosen["response"], "rejected": rejected["response"], "margin": abs(margin)}
                )
    return rows


@click.command()
@click.option("--constitution", type=READABLE, required=True, help="The constitution, YAML.")
@click.option("--responses", type=READABLE, required=True, help="Responses, Parquet.")
@click.option("--judge", type=READABLE, required=True, help="identity.json of the judge.")
@settings_option(Rankings)
@click.option("--seed", type=int, default=0, show_default=True, help="The run's data seed.")
@click.option("--rankings", type=WRITABLE, required=True, help="Written: rank and score of each response, Parquet.")
@click.option("--pairs", type=WRITABLE, required=True, help="Written: preference pairs, Parquet.")
@click.option(
    "--agreement", type=WRITABLE, required=True, help="Written: how often the judge agreed with itself, JSON."
)
def main(
    constitution: Path,
    responses: Path,
    judge: Path,
    settings: Rankings,
    seed: int,
    rankings: Path,
    pairs: Path,
    agreement: Path,
) -> None:
    """Order each question's responses by how well they show its trait, and make preference pairs of the order."""
    engine = StoredEngine(judge, stage="rank_responses")
    character = load_constitution(constitution)
    groups = by_question(read_table(responses, RESPONSES).to_pylist(), settings.with_plain)
    if settings.method == "likelihood_ratio":
        scores, counts = score_by_likelihood_ratio(groups, character, engine)
    else:
        scores, counts = score_pairwise(groups, character, engine, settings, seed)
    ranked = [
        {"question_id": question, "author": row["author"], "sample": row["sample"], "score": score, "rank": place}
        for question, group in groups.items()
        for row, score, place in zip(group, scores[question], rank(scores[question]), strict=True)
    ]
    chosen = preference_pairs(groups, scores, settings.pairs_per_question)
    write_table(rankings, table_from(ranked, RANKINGS))
    write_table(pairs, table_from(chosen, PAIRS))
    write_json(
        agreement, {"method": settings.method, "questions": len(groups), "preference_pairs": len(chosen), **counts}
    )


if __name__ == "__main__":
    run(main)
