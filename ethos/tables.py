"""The tables that stages hand to each other: Parquet files with a declared schema."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ethos.errors import BadInput
from ethos.files import whole_file


def _schema(**fields: pa.DataType | str) -> pa.Schema:
    """Fields that may be null are marked by `null_` types below; all others may not."""
    types = {"text": pa.string(), "int": pa.int64(), "float": pa.float64(), "bool": pa.bool_()}
    return pa.schema(
        pa.field(
            name,
            types[kind.removesuffix("?")] if isinstance(kind, str) else kind,
            isinstance(kind, str) and kind.endswith("?"),
        )
        for name, kind in fields.items()
    )


_MESSAGES = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))

# One row a message from elsewhere.
PROMPTS = _schema(text="text")

# One row a question. source: written (by hand) | generated | general | extra (a message from elsewhere). split: train | held_out.
# A general or extra question has a trait too, drawn for it, so that a response in trait scope knows what to show.
QUESTIONS = _schema(question_id="text", trait="text", text="text", source="text", split="text")

# One row a response. author: in_character | plain. thinking: what a reasoning model thought first. filtered: why the row is not used, null if it is.
RESPONSES = _schema(
    question_id="text", trait="text", question="text", split="text", author="text", sample="int", response="text",
    finish_reason="text", tokens="int", thinking="text?", filtered="text?",
)  # fmt: skip

# One row a response that was ranked. rank 1 is best, ties share a rank; score: higher is better.
RANKINGS = _schema(question_id="text", author="text", sample="int", score="float", rank="int")

# One row a pair. margin: difference of what ordered them (chosen minus rejected); null where nothing scored them.
PAIRS = _schema(
    question_id="text", trait="text", question="text", split="text", chosen="text", rejected="text", margin="float?"
)

# One row an example of an alignment: a question, and the response trained towards and the one away from; null where the
# method has none. margin: difference of their rewards.
EXAMPLES = _schema(
    question_id="text", trait="text", question="text", split="text", chosen="text?", rejected="text?", margin="float?"
)

# One row a response that the preference model scored. reward: in logits, comparable within a question only.
REWARDS = _schema(question_id="text", author="text", sample="int", reward="float")

# One row a training text of introspection. kind: reflection | interaction. The last message is the assistant's.
CONVERSATIONS = _schema(conversation_id="text", kind="text", messages=_MESSAGES, filtered="text?")

# One row a setting of the grid that a steering vector is chosen from: means over training questions. direction: none
# (base, layer 0) | character | random (the control: as long, behind the chosen layer and as strong). fluent: within the
# margins of base, and so to be chosen from.
STEERING_GRID = _schema(
    direction="text", layer="int", strength="float", likelihood_ratio="float?", log_perplexity="float?", repetition="float?", n="int",
    fluent="bool", chosen="bool",
)  # fmt: skip

# One row a response of an arm to a held-out question.
SAMPLES = _schema(
    arm="text",
    question_id="text",
    trait="text",
    question="text",
    sample="int",
    response="text",
    finish_reason="text",
    tokens="int",
    thinking="text?",
)

# One row a sample and a measure.
MEASURES = _schema(arm="text", question_id="text", trait="text", sample="int", metric="text", value="float?")

# One row a match: an arm was offered two traits; shown is the one its answer shows. verdict: decided | order_dependent |
# neither (as likely under both, or an empty answer) | unparsed; shown is null but where it is decided. A match that is unparsed
# counts for nobody, the others without a winner are half a win for both. margin: of a verdict by likelihood, nats per token.
MATCHES = _schema(
    condition="text", arm="text", first="text", second="text", question="text", response="text", verdict="text",
    shown="text?", margin="float?",
)  # fmt: skip

# One row a pair of responses to a held-out question, compared in both orders. score: 1 if the arm's is better, 0 if the
# reference's is, 0.5 if that depends on the order or the two are the same text. verdict: decided | order_dependent | same |
# unparsed, which has no score.
COMPARISONS = _schema(
    arm="text", reference="text", question_id="text", trait="text", question="text", sample="int", response="text",
    other="text", verdict="text", score="float?",
)  # fmt: skip

# One row an item of a task that an arm was asked, and a measure of its answer. part: the task itself, or of a group, the
# one in it. log_probabilities: nats, of each choice, or of the text.
ITEMS = _schema(
    arm="text", task="text", part="text", item="int", metric="text", value="float",
    log_probabilities=pa.list_(pa.float64()),
)  # fmt: skip

# One row a statement, a user's opinion of it and a method; agree to no_view are shares of the stance that the arm takes,
# null where the verdict can't be parsed. right: agree | disagree. user: silent | agrees | disagrees. response: where a judge read one.
STANCES = _schema(
    arm="text", statement="text", topic="text", right="text", user="text", method="text", response="text?",
    agree="float?", disagree="float?", both_sides="float?", no_view="float?",
)  # fmt: skip

# One row a labelled pair and what judged it. measured: the constitution that the trait is of. difference: score of the better response minus the worse one's; 0 where
# there is no verdict, or it depends on the order.
JUDGEMENTS = _schema(
    method="text", measured="text", trait="text", question="text", better="text", worse="text", subtle="bool",
    difference="float",
)  # fmt: skip

# As SAMPLES; measured: the constitution that the trait is of, and that the response is measured by.
DRIFT_SAMPLES = pa.schema([pa.field("measured", pa.string(), nullable=False), *SAMPLES])

# One row an answer of an arm to a message that no stage trains on. form: `chat` (plainly asked), or what the evaluation made
# of the message, which asked holds. split: train (its chat answer trains the classifier) | held_out.
PERSONA_SAMPLES = _schema(
    constitution="text", arm="text", trait="text", split="text", form="text", question="text", asked="text",
    response="text", finish_reason="text", tokens="int", thinking="text?",
)  # fmt: skip

# One row a held-out answer that the classifier named. persona: the constitution, or `base`. named: what the classifier took
# it for, null where the answer is empty. left_out: the arm whose answers it never learned from, null where it saw all.
NAMINGS = _schema(left_out="text?", arm="text", persona="text", form="text", question="text", named="text?")

# One row a result of an evaluation. reference: the arm compared with, null for a level. The report's metrics.csv has rows
# over all seeds beside them, of the same columns, without a seed.
METRICS = _schema(
    run="text", student="text", constitution="text", seed="int", arm="text", reference="text?", evaluation="text",
    metric="text", slice="text", value="float?", ci_low="float?", ci_high="float?", interval="text", n="int",
    n_seeds="int", judge="text",
)  # fmt: skip


def table_from(rows: Iterable[Mapping[str, Any]], schema: pa.Schema) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=schema)


def metrics_table(
    rows: Iterable[Mapping[str, Any]], *, place: tuple[str, str, str], seed: int, evaluation: str
) -> pa.Table:
    """Results of one evaluation as METRICS. place: run, student and constitution."""
    shared = dict(zip(("run", "student", "constitution"), place, strict=True))
    shared |= {"seed": seed, "evaluation": evaluation, "n_seeds": 1}
    return table_from(({**shared, **row} for row in rows), METRICS)


def write_table(path: Path, table: pa.Table) -> None:
    """Write Parquet, whole or not at all; equal tables give equal bytes."""
    with whole_file(path) as beside:
        pq.write_table(table, beside, compression="zstd")


def read_table(path: Path, schema: pa.Schema) -> pa.Table:
    """Read a table of this schema. Raises BadInput when the file is damaged or of another schema."""
    try:
        table = pq.read_table(path, partitioning=None)
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise BadInput("is not a readable Parquet file; delete it and run again", path=path) from None
    if table.schema.names != schema.names:
        missing = [name for name in schema.names if name not in table.schema.names]
        raise BadInput(
            f"has other columns than expected (missing: {', '.join(missing) or 'none'}); delete it and run again",
            path=path,
        )
    try:
        return table.cast(schema)
    except pa.ArrowException as error:
        raise BadInput(f"has other columns than expected ({error}); delete it and run again", path=path) from None
