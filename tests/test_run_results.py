"""Reading what a run left."""

from __future__ import annotations

import re

import pytest

from ethos.errors import BadInput
from ethos.run_results import read_cells
from tests.fake_results import build_run, fake_settings


@pytest.mark.parametrize(
    "name", ["seed0/introspection.json", "responses.parquet", "seed0/aligned/history.json", "rankers.json"]
)
def test_a_missing_file_is_told_in_one_line(tmp_path, name):
    settings = fake_settings(rankings={"compared": ["listwise"]})
    build_run(tmp_path, settings)
    missing = tmp_path / "smollm2" / "poeticism" / name
    missing.unlink()
    with pytest.raises(BadInput, match=f"^{re.escape(str(missing))}: does not exist; run the workflow"):
        read_cells(tmp_path, settings)
