"""Fetch messages from elsewhere, and keep the first user turns as a table."""

from __future__ import annotations

import glob
import os
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import click

from ethos.errors import BadInput
from ethos.files import write_json
from ethos.folding import fold
from ethos.script import WRITABLE, run, settings_option
from ethos.stage_settings import PromptSource
from ethos.tables import PROMPTS, table_from, write_table

_BUILDERS = {".txt": "text", ".jsonl": "json", ".json": "json", ".csv": "csv", ".parquet": "parquet"}
_USERS = ("user", "human", "prompter")


def first_user_turn(value: Any) -> str:
    """The message in a cell: the text itself, or the first user turn of a list of turns; empty if there is none.

    A turn is a text, or a mapping with `role` and `content` or with `from` and `value`; texts begin with the user.
    Raises TypeError for anything else.
    """
    if value is None or isinstance(value, str):
        return (value or "").strip()
    if not isinstance(value, list):
        raise TypeError(f"holds {value!r}, neither a text nor a list of turns")
    for turn in value:
        if isinstance(turn, str):
            return turn.strip()
        said = turn if isinstance(turn, Mapping) else {}
        speaker = said.get("role") or said.get("from")
        if speaker is None:
            raise TypeError(
                f"holds the turn {turn!r}, neither a text nor a mapping with role and content or from and value"
            )
        if speaker in _USERS:
            return first_user_turn(said.get("content") or said.get("value"))
    return ""


def clean_prompts(cells: Iterable[Any]) -> tuple[list[str], dict[str, int]]:
    """The messages in the cells of a column, each once, and how many are `kept`, `empty` and `duplicate`."""
    kept: dict[str, str] = {}
    counts = {"kept": 0, "empty": 0, "duplicate": 0}
    for cell in cells:
        text = first_user_turn(cell)
        folded = fold(text)
        reason = "empty" if not folded else "duplicate" if folded in kept else "kept"
        counts[reason] += 1
        kept.setdefault(folded, text)
    kept.pop("", None)
    return list(kept.values()), counts


def load_column(source: PromptSource, scratch: Path) -> list[Any]:
    """The cells of the source's column, from a file or, with `HF_TOKEN` if it is set, from the Hugging Face Hub.

    scratch: a folder for what is only needed on the way. Raises BadInput when the source can't be had or read, or has no
    such split or column.
    """
    import datasets
    from huggingface_hub.errors import HfHubHTTPError

    datasets.disable_progress_bars()
    if source.file:
        # The name is meant as it is, not as a pattern.
        place = {"path": _BUILDERS[source.file.suffix], "data_files": glob.escape(str(source.file))}
    else:
        repository, _, revision = source.source.removeprefix("hub:").partition("@")
        # Without a token in the environment, none is looked for elsewhere.
        place = {"path": repository, "revision": revision, "token": os.environ.get("HF_TOKEN") or False}
    try:
        table = datasets.load_dataset(**place, split=source.split, cache_dir=str(scratch))
    except (datasets.exceptions.DatasetsError, HfHubHTTPError, OSError, RuntimeError, ValueError) as error:
        reason = str(error.__cause__ or error).strip() or type(error).__name__
        raise BadInput(
            f"{reason.splitlines()[0]} Check the source, its split, HF_TOKEN and the network", field=source.source
        ) from None
    if source.column not in table.column_names:
        raise BadInput(f"has no column {source.column!r}; it has {', '.join(table.column_names)}", field=source.source)
    return list(table[source.column])


def prepare_prompts(source: PromptSource) -> tuple[list[dict[str, str]], dict[str, int]]:
    """Rows of tables.PROMPTS in the order of the source, and how many cells were kept, empty, or given before."""
    with tempfile.TemporaryDirectory() as scratch:
        cells = load_column(source, Path(scratch))
    try:
        texts, counts = clean_prompts(cells)
    except TypeError as error:
        raise BadInput(f"column {source.column!r} {error}", field=source.source) from None
    if not texts:
        raise BadInput(f"holds no message in column {source.column!r}", field=source.source)
    return [{"text": text} for text in texts], counts


@click.command()
@settings_option(PromptSource)
@click.option("--prompts", type=WRITABLE, required=True, help="Written: the messages, Parquet.")
@click.option("--counts", type=WRITABLE, required=True, help="Written: how many were kept, empty, duplicate, JSON.")
def main(settings: PromptSource, prompts: Path, counts: Path) -> None:
    """Fetch messages from elsewhere, and keep the first user turns as a table."""
    rows, facts = prepare_prompts(settings)
    write_table(prompts, table_from(rows, PROMPTS))
    write_json(counts, facts)


if __name__ == "__main__":
    run(main)
