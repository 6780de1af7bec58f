"""Let a classifier name the persona behind each held-out response, and say how often it is right."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from ethos.evaluation_settings import FineTuning, Intervals
from ethos.models import read_identity
from ethos.persona_classifier import JUDGE, name_responses, persona_metrics, train_classifier
from ethos.script import READABLE, WRITABLE, metrics_options, run, settings_option
from ethos.seeds import derive_seed
from ethos.sequence_classifier import fine_tune_once
from ethos.tables import NAMINGS, PERSONA_SAMPLES, metrics_table, read_table, table_from, write_table


@click.command()
@click.argument("samples", nargs=-1, required=True, type=READABLE)
@settings_option(Intervals)
@click.option("--evaluation", required=True, help="Name of the evaluation, for the table's column.")
@click.option(
    "--model", type=READABLE, help="identity.json of a model to be fine-tuned; else TF-IDF names the persona."
)
@settings_option(FineTuning, "fine_tuning")
@metrics_options("F1 with intervals")
@click.option("--namings", type=WRITABLE, required=True, help="Written: what each response was named, Parquet.")
def main(
    samples: tuple[Path, ...], settings: Intervals, evaluation: str, model: Path | None, fine_tuning: FineTuning, seed: int,
    place: tuple[str, str, str], namings: Path, metrics: Path,
) -> None:  # fmt: skip
    """Let a classifier name the persona behind each held-out response, and say how often it is right.

    SAMPLES: answers of all arms in every constitution of a student and seed, the plain ones among them, Parquet.
    """
    learn, judge = train_classifier, JUDGE
    if model:
        learn = partial(fine_tune_once, model, fine_tuning, derive_seed(seed, "persona_classifier"))
        judge = f"{read_identity(model)['name']}, fine-tuned"
    named = name_responses((row for path in samples for row in read_table(path, PERSONA_SAMPLES).to_pylist()), learn)
    results = persona_metrics(named, place[2], settings, seed, judge)
    own = [row for row in named if row["arm"] == "base" or row["persona"] == place[2]]
    write_table(namings, table_from(own, NAMINGS))
    write_table(metrics, metrics_table(results, place=place, seed=seed, evaluation=evaluation))


if __name__ == "__main__":
    run(main)
