"""Every table of a run opens as a data set, is described, and holds the rows that the stages wrote."""

from __future__ import annotations

from pathlib import Path

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from huggingface_hub import DatasetCard

from ethos import tables
from ethos.cli import commands
from ethos.columns import COLUMNS, TABLES, column_text
from tests.conftest import Checkout
from tests.shared_run import shared_run

# Messages from elsewhere are in the store and no run's own.
SCHEMAS = {name: value for name, value in vars(tables).items() if isinstance(value, pa.Schema) and name != "PROMPTS"}


def load(cache: Path, *arguments, **options) -> datasets.DatasetDict:
    return datasets.load_dataset(*arguments, cache_dir=str(cache), **options)


def export_data(results: Path, to: Path) -> str:
    outcome = CliRunner().invoke(commands, ["export-data", "--results", str(results), "--to", str(to)])
    assert outcome.exit_code == 0, outcome.exception
    return outcome.output


@pytest.mark.parametrize("schema", SCHEMAS)
def test_every_table_is_among_the_data_and_each_of_its_columns_is_described(schema: str) -> None:
    found = {name: files for name, files in TABLES.items() if files.schema is SCHEMAS[schema]}
    assert found
    assert all(column_text(name, column) for name, files in found.items() for column in files.schema.names)


def test_no_column_is_described_that_no_table_has() -> None:
    known = {column for files in TABLES.values() for column in files.schema.names} | {"student", "constitution", "seed"}
    assert {name.rpartition(".")[2] for name in COLUMNS} <= known


def test_several_seeds_are_told_apart_and_what_is_held_out_is_a_split_of_its_own(tmp_path: Path, tiny_model) -> None:
    shared_run(tmp_path, tiny_model, seeds=[0, 3])
    export_data(tmp_path / "results", tmp_path / "out")
    samples = load(tmp_path / "cache", str(tmp_path / "out"), "samples")["rows"]
    assert set(samples["seed"]) == {0, 3} and set(samples["student"]) == {"tiny"}
    questions = load(tmp_path / "cache", str(tmp_path / "out"), "questions")
    assert {split: set(part["split"]) for split, part in questions.items()} == {
        "train": {"train"},
        "held_out": {"held_out"},
    }
    card = DatasetCard.load(tmp_path / "out" / "README.md")
    assert "Without a row in this run:" in card.text and "rewards" in card.text
    assert "rewards" not in {config["config_name"] for config in card.data.configs}


@pytest.fixture(scope="module")
def shared(finished: Checkout, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shared") / "data"
    export_data(finished.folder / "results", folder)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(TABLES.keys() - {"contribution_samples"}))  # only of runs that leave traits out
def test_every_table_of_a_finished_run_opens_as_it_is_and_by_the_card(
    name: str, finished: Checkout, shared: Path, tmp_path: Path
) -> None:
    results = finished.folder / "results" / "test"
    place = {"student": "tiny", "constitution": "poeticism", "seed": 0}
    made = [results / pattern.format(**place) for pattern in TABLES[name].paths]
    paths = [str(path) for path in made if path.is_file()]
    direct = load(tmp_path, "parquet", data_files=paths)["train"]
    rows = [row for path in paths for row in pq.read_table(path).to_pylist()]
    assert direct.to_list() == rows and rows
    by_card = load(tmp_path, str(shared), name)
    names = TABLES[name].schema.names
    shown = [{column: row[column] for column in names} for part in by_card.values() for row in part.to_list()]
    assert sorted(map(repr, shown)) == sorted(map(repr, rows))
