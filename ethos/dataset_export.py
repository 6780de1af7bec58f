"""The tables of a run as a data set: Parquet, a card that names and describes each, splits where a table has them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from string import Formatter
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ethos.cards import page, source_in_words, written_before
from ethos.columns import TABLES, TableFiles, column_text
from ethos.files import whole_folder
from ethos.filters import language_of
from ethos.finished_run import refuse_filled
from ethos.run_record import RunRecord
from ethos.settings import Settings
from ethos.tables import read_table, write_table


def export_data(results: Path, record: RunRecord, to: Path) -> dict[str, dict[str, int]]:
    """Write all tables of a run and a card. Returns the number of rows by table and split; what is empty is left out.

    results: `results/{run}`. Raises BadInput when `to` holds something or a table is damaged.
    """
    refuse_filled(to)
    rows: dict[str, dict[str, int]] = {}
    columns: dict[str, pa.Schema] = {}
    with whole_folder(to) as folder:
        for name, files in TABLES.items():
            table = pa.concat_tables([_empty(files), *_parts(results, record.settings, files)])
            columns[name], rows[name] = table.schema, {}
            for split, part in _splits(table):
                if part.num_rows:  # a file without rows can't be opened as a data set
                    write_table(folder / name / f"{split}.parquet", part)
                    rows[name][split] = part.num_rows
        (folder / "README.md").write_text(_card(record, rows, columns), encoding="utf-8")
    return {name: splits for name, splits in rows.items() if splits}


def _places(files: TableFiles) -> list[str]:
    """Which parts of a run the files of a table are told by."""
    return [field for _, field, _, _ in Formatter().parse(files.paths[0]) if field]


def _empty(files: TableFiles) -> pa.Table:
    return _with_places(files.schema.empty_table(), files, dict.fromkeys(_places(files)))


def _parts(results: Path, settings: Settings, files: TableFiles) -> Iterator[pa.Table]:
    """The files of a table; one that the run did not need to make is passed over."""
    values = {"student": settings.students, "constitution": settings.constitutions, "seed": settings.seeds}
    places = _places(files)
    for chosen in product(*(values[place] for place in places)):
        where = dict(zip(places, chosen, strict=True))
        for pattern in files.paths:
            path = results / pattern.format(**where)
            if path.is_file():
                yield _with_places(read_table(path, files.schema), files, where)


def _with_places(table: pa.Table, files: TableFiles, where: dict[str, Any]) -> pa.Table:
    """The table with a column for each part of the run that it has none for."""
    for place in reversed(_places(files)):
        if place not in files.schema.names:
            kind = pa.int64() if place == "seed" else pa.string()
            column = pa.array([where[place]] * table.num_rows, kind)
            table = table.add_column(0, pa.field(place, kind, nullable=False), column)
    return table


def _splits(table: pa.Table) -> Iterator[tuple[str, pa.Table]]:
    """The rows by split, so that nobody trains on what is held out; a table that has none is one of `rows`."""
    if "split" not in table.schema.names:
        yield "rows", table
        return
    for split in ("train", "held_out"):
        yield split, table.filter(pc.equal(table["split"], split))


def _card(record: RunRecord, rows: dict[str, dict[str, int]], columns: dict[str, pa.Schema]) -> str:
    from huggingface_hub import DatasetCardData

    settings = record.settings
    filled = [name for name in rows if rows[name]]
    front = DatasetCardData(
        pretty_name=f"{settings.run}: {', '.join(settings.constitutions)}",
        language=language_of(" ".join(trait.text for each in record.constitutions.values() for trait in each.traits)),
        task_categories=["text-generation"],
        tags=["character-training", "ethos", "preference", "synthetic"],
        configs=[
            {
                "config_name": name,
                "data_files": [{"split": split, "path": f"{name}/{split}.parquet"} for split in rows[name]],
            }
            for name in filled
        ],
    )
    values = {
        "title": f"{settings.run}, the data of a character training",
        "run": settings.run,
        "constitutions": settings.constitutions,
        "imported": sum(map(written_before, record.constitutions.values())),
        "models": {name: source_in_words(name, settings.models[name]) for name in _speakers(settings)},
        "tables": [
            {
                "name": name,
                "row": TABLES[name].row,
                "splits": rows[name],
                "columns": [
                    {"name": field.name, "type": _type_text(field), "text": column_text(name, field.name)}
                    for field in columns[name]
                ],
            }
            for name in filled
        ],
        "empty": [name for name in rows if not rows[name]],
    }
    return page(front, "data.md.jinja", values)


def _speakers(settings: Settings) -> list[str]:
    return list(dict.fromkeys([*settings.students, settings.teacher, settings.judge]))


def _type_text(field: pa.Field) -> str:
    words = {pa.string(): "text", pa.int64(): "integer", pa.float64(): "number", pa.bool_(): "yes or no"}
    return words.get(field.type, "messages") + (" or null" if field.nullable and field.type in words else "")
