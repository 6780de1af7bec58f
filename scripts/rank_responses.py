"""Order each question's responses by how well they show its trait, and make preference pairs of the order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import click

from ethos.constitution import load_constitution
from ethos.files import write_json
from ethos.rankers import score_responses
from ethos.script import READABLE, WRITABLE, run, settings_option, shard_option
from ethos.shards import Shard
from ethos.stage_settings import Ranking
from ethos.stored_engine import StoredEngine
from ethos.tables import PAIRS, RANKINGS, RESPONSES, read_table, table_from, write_table

Row = Mapping[str, Any]


def by_question(responses: Sequence[Row], with_plain: bool) -> dict[str, list[Row]]:
    """The usable responses in character, and the plain one if it competes, of each question that has at least two."""
    authors = ("in_character", "plain") if with_plain else ("in_character",)
    groups: dict[str, list[Row]] = {}
    for row in responses:
        if row["author"] in authors and row["filtered"] is None:
            groups.setdefault(row["question_id"], []).append(row)
    return {question: rows for question, rows in groups.items() if len(rows) > 1}


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
@settings_option(Ranking)
@click.option("--seed", type=int, default=0, show_default=True, help="The run's data seed.")
@click.option("--rankings", type=WRITABLE, required=True, help="Written: rank and score of each response, Parquet.")
@click.option("--pairs", type=WRITABLE, required=True, help="Written: preference pairs, Parquet.")
@click.option(
    "--agreement", type=WRITABLE, required=True, help="Written: how often the judge agreed with itself, JSON."
)
@shard_option
def main(
    constitution: Path,
    responses: Path,
    judge: Path,
    settings: Ranking,
    seed: int,
    rankings: Path,
    pairs: Path,
    agreement: Path,
    shard: Shard,
) -> None:
    """Order each question's responses by how well they show its trait, and make preference pairs of the order."""
    engine = StoredEngine(judge, stage="rank_responses")
    character = load_constitution(constitution)
    competing = by_question(read_table(responses, RESPONSES).to_pylist(), settings.with_plain)
    groups = dict(shard.of([*competing.items()]))
    scores, counts = score_responses(settings.method, groups, character, engine, settings.sampling, seed)
    if shard.is_part:
        return
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
