"""Coherence: the judge compares one arm's responses to held-out questions with every other arm's, in both orders."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from ethos.arms import ARMS
from ethos.constitution import Constitution, load_constitution
from ethos.engine import Request, chat
from ethos.evaluation_settings import Coherence, Intervals
from ethos.judging import ask_in_both_orders, mark
from ethos.prompts import render_prompt
from ethos.script import READABLE, WRITABLE, metrics_options, run, settings_option, shard_option
from ethos.seeds import derive_seed
from ethos.shards import Shard
from ethos.statistics import spell_estimate
from ethos.stored_engine import StoredEngine
from ethos.tables import COMPARISONS, SAMPLES, metrics_table, read_table, table_from, write_table
from ethos.win_rates import win_rates

Row = Mapping[str, Any]
# What may come of a comparison besides a winner.
OPEN_ENDS = ("order_dependent", "same", "unparsed")


def pair_samples(samples: Sequence[Row], arm: str) -> list[dict[str, Any]]:
    """Each response of the arm beside every other arm's with the same question and number. Rows of tables.COMPARISONS, not
    judged yet. samples: rows of tables.SAMPLES."""
    place = ("question_id", "trait", "sample")
    said = {(row["arm"], *(row[name] for name in place)): row["response"] for row in samples}
    return [
        {name: row[name] for name in (*place, "arm", "question", "response")} | {"reference": other, "other": said[key]}
        for other in ARMS
        for row in samples
        if row["arm"] == arm != other and (key := (other, *(row[name] for name in place))) in said
    ]


def compare(
    pairs: Sequence[Row], judge: StoredEngine, constitution: Constitution, settings: Coherence, seed: int
) -> list[dict[str, Any]]:
    """What the judge says of each pair in both orders. Rows of tables.COMPARISONS.

    Of two equal texts none is better: the judge is not asked.
    """

    def request(row: Row, first: str, second: str) -> Request:
        text = render_prompt(
            "judge_coherence",
            trait=constitution.trait(row["trait"]).text,
            question=row["question"],
            first=first,
            second=second,
            mark=mark(seed, row["question"], first, second),
        )
        return Request(
            chat(user=text), settings.sampling, derive_seed(seed, "coherence", row["question"], first, second)
        )

    different = [row for row in pairs if row["response"] != row["other"]]
    verdicts, _ = ask_in_both_orders(
        judge,
        [
            (request(row, row["response"], row["other"]), request(row, row["other"], row["response"]))
            for row in different
        ],
    )
    said = iter(verdicts)
    rows = []
    for row in pairs:
        verdict = next(said) if row["response"] != row["other"] else None
        ended = {"verdict": verdict.kind, "score": verdict.score} if verdict else {"verdict": "same", "score": 0.5}
        rows.append({**row, **ended})
    return rows


def coherence_metrics(comparisons: Sequence[Row], intervals: Intervals, seed: int) -> list[dict[str, Any]]:
    """Win rates over each other arm, and the share of pairs without a winner, by why; by trait the win rate alone.

    Fields of tables.METRICS known here.
    """
    rows = []
    for reference in dict.fromkeys(row["reference"] for row in comparisons):
        own = [row for row in comparisons if row["reference"] == reference]
        place = {"arm": own[0]["arm"], "reference": reference, "slice": "all"}
        for metric, found in win_rates(own, intervals, derive_seed(seed, "coherence", reference)).items():
            rows.append(place | {"metric": metric} | spell_estimate(found))
        ends = Counter(row["verdict"] for row in own)
        for verdict in OPEN_ENDS:
            share = {"value": ends[verdict] / len(own), "ci_low": None, "ci_high": None, "interval": "none"}
            rows.append(place | {"metric": verdict, "n": len(own)} | share)
        for trait in dict.fromkeys(row["trait"] for row in own):
            of_trait = [row for row in own if row["trait"] == trait]
            found = win_rates(of_trait, intervals, derive_seed(seed, "coherence", reference, trait)).get("win_rate")
            if found:
                rows.append(place | {"slice": trait, "metric": "win_rate"} | spell_estimate(found))
    return rows


@click.command()
@click.option("--constitution", type=READABLE, required=True, help="The constitution, YAML.")
@click.option("--samples", type=READABLE, required=True, help="Responses of all arms to held-out questions, Parquet.")
@click.option("--judge", type=READABLE, required=True, help="identity.json of the judge.")
@click.option("--judge-name", required=True, help="The judge's name, for the table's column.")
@settings_option(Coherence)
@settings_option(Intervals, "intervals")
@metrics_options("win rates with intervals")
@click.option("--comparisons", type=WRITABLE, required=True, help="Written: each comparison, Parquet.")
@shard_option
def main(
    constitution: Path, samples: Path, judge: Path, judge_name: str, settings: Coherence, intervals: Intervals,
    seed: int, place: tuple[str, str, str], comparisons: Path, metrics: Path, shard: Shard,
) -> None:  # fmt: skip
    """Coherence: the judge compares one arm's responses to held-out questions with every other arm's, in both orders."""
    pairs = shard.of(pair_samples(read_table(samples, SAMPLES).to_pylist(), settings.arm))
    engine = StoredEngine(judge, stage="evaluate_coherence")
    compared = compare(pairs, engine, load_constitution(constitution), settings, seed)
    if shard.is_part:
        return
    results = [row | {"judge": judge_name} for row in coherence_metrics(compared, intervals, seed)]
    write_table(comparisons, table_from(compared, COMPARISONS))
    write_table(metrics, metrics_table(results, place=place, seed=seed, evaluation="coherence"))


if __name__ == "__main__":
    run(main)
