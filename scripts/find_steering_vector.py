"""Find the direction of the character in the student's activations, and how strongly to add it behind which layer."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np
from safetensors.numpy import load_file, save_file

from ethos.arms import sample_arm
from ethos.character import in_character
from ethos.constitution import Constitution, load_constitution
from ethos.engine import Message, chat
from ethos.errors import BadInput
from ethos.evaluation_settings import ArmSampling
from ethos.execution import device, store_folder
from ethos.files import canonical_json, sha256_of_text
from ethos.fingerprint import behaviour
from ethos.measures import measure_samples, question_means
from ethos.models import read_identity
from ethos.script import READABLE, WRITABLE, run, scope_option, settings_option
from ethos.seeds import derive_seed
from ethos.stage_settings import Steering
from ethos.steering import STEERING_FILES, SteeringVector
from ethos.store import TrainingStore
from ethos.stored_engine import StoredEngine
from ethos.tables import RESPONSES, STEERING_GRID, read_table, table_from, write_table

Row = Mapping[str, Any]
_SHOWN = ("likelihood_ratio", "log_perplexity", "repetition")
# A conversation up to the reply, and the reply.
Turn = tuple[tuple[Message, ...], str]


class Contrast(NamedTuple):
    """A question's response in character, and its plain one. Rows of tables.RESPONSES."""

    told: Row
    plain: Row


def draw_contrasts(responses: Sequence[Row], settings: Steering, seed: int) -> tuple[list[Contrast], list[Contrast]]:
    """Training questions with both responses of the student: those of the directions, and those of the grid.

    responses: rows of tables.RESPONSES. Only where there are too few do the two share questions. Raises BadInput where
    there is none.
    """
    usable: dict[str, dict[tuple[str, str], Row]] = {"in_character": {}, "plain": {}}
    for row in sorted(responses, key=lambda row: row["sample"]):
        if row["split"] == "train" and row["filtered"] is None:
            usable[row["author"]].setdefault((row["question_id"], row["trait"]), row)
    told, plain = usable["in_character"], usable["plain"]
    drawn = [Contrast(told[key], plain[key]) for key in sorted(told.keys() & plain.keys())]
    if not drawn:
        raise BadInput(
            "no training question has both a response in character and a plain one that may be used; ask more questions or "
            "loosen `responses.filters`"
        )
    random.Random(derive_seed(seed, "steering")).shuffle(drawn)
    return drawn[-settings.questions :], drawn[: settings.grid_questions]


def find_directions(
    student: Path, contrasts: Sequence[Contrast], constitution: Constitution, scope: str, output: Path
) -> None:
    """Write the mean difference of the activations, in character minus plain, behind each layer.

    Each response is read after the prompt that it was given to, and its activations are their mean over its own tokens.
    student: its `identity.json`. output: safetensors with `directions`, float32 [layers, hidden]; made once for equal inputs.
    """
    facts = read_identity(student)
    pairs = [
        (
            (in_character(constitution, told["trait"], told["question"], scope), told["response"]),
            (chat(user=plain["question"]), plain["response"]),
        )
        for told, plain in contrasts
    ]
    ingredients = {
        "kind": "steering",
        "data": sha256_of_text(
            canonical_json([[(list(map(asdict, turns)), text) for turns, text in pair] for pair in pairs])
        ),
        "base": facts["content"],
        "dtype": facts["dtype"],
        "template_options": facts.get("template_options") or {},
        "code": behaviour("steering", STEERING_FILES),
        "libraries": {name: version(name) for name in ("torch", "transformers")},
    }

    def find(folder: Path) -> None:
        import torch

        from ethos.activations import response_activations
        from ethos.chat_format import render
        from ethos.loading import computing_dtype, load_model, load_tokenizer

        tokenizer = load_tokenizer(student.parent)
        where = device()
        dtype = computing_dtype(facts["dtype"], where)
        model = load_model(student.parent, dtype, trust_remote_code=facts["trust_remote_code"]).to(where)

        def activations(turn: Turn) -> torch.Tensor:
            messages, response = turn
            prompt = render(tokenizer, messages, options=ingredients["template_options"])
            texts = (tokenizer(text, add_special_tokens=False).input_ids for text in (prompt, response))
            return response_activations(model, *texts)

        differences = [activations(told) - activations(plain) for told, plain in pairs]
        save_file({"directions": torch.stack(differences).mean(dim=0).float().numpy()}, folder / output.name)

    TrainingStore(store_folder()).train_once(ingredients, find, output.parent)


def candidates(directions: np.ndarray, settings: Steering) -> list[SteeringVector]:
    """The grid: every strength behind every layer. directions: float32 [layers, hidden]."""
    layers = sorted({max(1, round(fraction * len(directions))) for fraction in settings.layers})
    return [
        SteeringVector(layer, strength, directions[layer - 1])
        for layer in layers
        for strength in sorted(set(settings.strengths))
    ]


def measure_grid(
    student: Path,
    base: StoredEngine,
    grid: Sequence[SteeringVector],
    questions: Sequence[Row],
    constitution: Constitution,
    settings: Steering,
    scope: str,
    seed: int,
) -> list[dict[str, Any]]:
    """What base and each steered student say to the questions: mean measures over the questions, base first.

    questions: rows of tables.RESPONSES. Returns fields of tables.STEERING_GRID.
    """
    asked = [{**row, "text": row["question"]} for row in questions]
    sampling = ArmSampling(sampling=settings.sampling)
    samples = sample_arm("base", base, asked, constitution, sampling, scope, seed)
    for vector in grid:
        engine = StoredEngine(student, stage="find_steering_vector", steering=vector)
        samples += sample_arm(vector.identity, engine, asked, constitution, sampling, scope, seed)
        engine.close()
    means = question_means(measure_samples(samples, constitution, base, [None] * len(samples), scope))

    def row(name: str, direction: str, layer: int, strength: float) -> dict[str, Any]:
        values = {metric: list(means.get((name, metric), {}).values()) for metric in _SHOWN}
        found = {metric: math.fsum(own) / len(own) if own else None for metric, own in values.items()}
        return {
            "direction": direction,
            "layer": layer,
            "strength": strength,
            **found,
            "n": len(values["log_perplexity"]),
        }

    steered = (row(vector.identity, "character", vector.layer, vector.strength) for vector in grid)
    return [row("base", "none", 0, 0.0), *steered]


def at_random(vector: SteeringVector, seed: int) -> SteeringVector:
    """The control: a random direction of the same length, behind the same layer and as strong."""
    drawn = np.random.default_rng(derive_seed(seed, "random direction")).normal(size=vector.direction.shape)
    scaled = drawn * (np.linalg.norm(vector.direction) / np.linalg.norm(drawn))
    return replace(vector, direction=scaled.astype(np.float32))


def is_fluent(row: Row, base: Row, settings: Steering) -> bool:
    """Mean log-perplexity and repetition within the margins of base, and no fewer questions answered than by base."""
    surprise = _rise(row, base, "log_perplexity") <= math.log(settings.max_perplexity_ratio)
    return surprise and _rise(row, base, "repetition") <= settings.max_repetition_increase and row["n"] >= base["n"]


def choose(rows: Sequence[Row], settings: Steering) -> list[dict[str, Any]]:
    """Mark the fluent rows and the chosen one: of the fluent, the first of the highest likelihood ratio.

    Where none is fluent, the one of the lowest log-perplexity is chosen; where nothing answers at all, the first. rows: as
    from `measure_grid`. Returns rows of tables.STEERING_GRID.
    """
    base, *grid = rows
    marked = [{**row, "fluent": is_fluent(row, base, settings)} for row in grid]
    if able := [row for row in marked if row["fluent"]]:
        chosen = max(able, key=lambda row: row["likelihood_ratio"])
    else:
        chosen = min(marked, key=lambda row: math.inf if row["log_perplexity"] is None else row["log_perplexity"])
    return [{**base, "fluent": True, "chosen": False}, *({**row, "chosen": row is chosen} for row in marked)]


def _rise(row: Row, base: Row, metric: str) -> float:
    """How far a mean lies above base's; infinitely far where nothing could be measured."""
    return math.inf if None in (row[metric], base[metric]) else row[metric] - base[metric]


@click.command()
@click.option("--constitution", type=READABLE, required=True, help="The constitution, YAML.")
@click.option(
    "--responses", type=READABLE, required=True, help="The student's responses, Parquet; the training ones are used."
)
@click.option("--student", type=READABLE, required=True, help="identity.json of the student.")
@settings_option(Steering)
@scope_option("Which traits the responses were given to, and which the likelihood ratio is told.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the run.")
@click.option("--vector", type=WRITABLE, required=True, help="Written: the steering vector, safetensors.")
@click.option(
    "--directions", type=WRITABLE, required=True, help="Written: the direction behind each layer, safetensors."
)
@click.option("--grid", type=WRITABLE, required=True, help="Written: what was tried, and what was chosen, Parquet.")
def main(
    constitution: Path, responses: Path, student: Path, settings: Steering, scope: str, seed: int, vector: Path,
    directions: Path, grid: Path,
) -> None:  # fmt: skip
    """Find the direction of the character in the student's activations, and how strongly to add it behind which layer."""
    character = load_constitution(constitution)
    contrasts, tried_on = draw_contrasts(read_table(responses, RESPONSES).to_pylist(), settings, seed)
    find_directions(student, contrasts, character, scope, directions)
    vectors = candidates(load_file(directions)["directions"], settings)
    questions = [told for told, _ in tried_on]
    measure = partial(
        measure_grid,
        student,
        StoredEngine(student, stage="find_steering_vector"),
        questions=questions,
        constitution=character,
        settings=settings,
        scope=scope,
        seed=seed,
    )
    rows = choose(measure(vectors), settings)
    chosen = next(tried for tried, row in zip(vectors, rows[1:], strict=True) if row["chosen"])
    _, control = measure([at_random(chosen, seed)])
    control |= {"direction": "random", "fluent": is_fluent(control, rows[0], settings), "chosen": False}
    chosen.save(vector)
    write_table(grid, table_from([*rows, control], STEERING_GRID))


if __name__ == "__main__":
    run(main)
