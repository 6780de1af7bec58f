"""What comes with the settings: run files that load, and documentation that is true."""

from __future__ import annotations

import json
import re

import pytest

from ethos.settings import load_settings
from ethos.settings_docs import config_docs, config_schema, write_docs
from tests.conftest import ROOT


@pytest.mark.parametrize(
    "path", [ROOT / "config.yaml", *sorted((ROOT / "config").glob("*.yaml"))], ids=lambda path: path.name
)
def test_every_run_file_in_the_repository_loads(path):
    assert load_settings(path).run


def test_the_committed_documentation_of_the_settings_is_what_they_make(tmp_path):
    for written in write_docs(tmp_path):
        committed = ROOT / "docs" / written.name
        assert committed.read_text() == written.read_text(), f"{committed} is stale; run `make docs`"


def test_the_documentation_tells_a_sections_own_default_not_its_types():
    sampling = config_docs().split("## `rankings.sampling`")[1].split("##")[0]
    assert re.search(r"`temperature` \| number \| `0(\.0)?` ", sampling)


def test_the_schema_refuses_what_the_settings_refuse():
    assert json.loads(config_schema())["additionalProperties"] is False
