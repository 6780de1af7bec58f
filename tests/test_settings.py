"""Settings say what a run is made of; a mistake in them is one line that names its place."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from ethos.constitution import Constitution
from ethos.errors import _PATTERNS, BadInput, what_is_wrong
from ethos.settings import Settings, settings_from
from ethos.settings_docs import config_schema
from tests.small_config import NEXT_LINE, SMALLEST, loaded, refusal


@pytest.mark.parametrize(
    ("text", "line", "field", "near"),
    [
        ("judges: tiny\n", NEXT_LINE, "judges", "'judge'"),
        ("responses:\n  per_qestion: 3\n", NEXT_LINE + 1, "responses.per_qestion", "'per_question'"),
        ("evaluation:\n  preferences:\n    sampling: {temprature: 0}\n", NEXT_LINE + 2, "evaluation.preferences.sampling.temprature", "'temperature'"),
        ("distillation:\n  lora:\n    rnk: 3\n", NEXT_LINE + 2, "distillation.lora.rnk", "'rank'"),
    ],
)  # fmt: skip
def test_an_unknown_key_is_refused_with_its_line_and_the_nearest_known_name(tmp_path, text, line, field, near):
    assert refusal(tmp_path, SMALLEST + text) == f"{line}: {field}: unknown key; did you mean {near}?"


def test_a_batch_that_processes_cannot_share_is_refused_at_its_line(tmp_path):
    spread = "execution:\n  training: {processes: 3}\n"
    sizes = "".join(f"{name}: {{batch_size: 6}}\n" for name in ("preference_model", "introspection", "alignment"))
    refused = refusal(tmp_path, SMALLEST + spread + sizes + "distillation:\n  batch_size: 32\n")
    assert refused == (
        f"{NEXT_LINE + 6}: distillation.batch_size: must be a multiple of `execution.training.processes` (3)"
    )
    online = "alignment: {method: grpo, batch_size: 32}\n"  # it trains in one process
    sizes = sizes.replace("alignment", "distillation")
    assert loaded(spread + sizes + online).execution.training.processes == 3


def test_a_misspelt_required_key_is_called_unknown_not_missing(tmp_path):
    assert (
        refusal(tmp_path, SMALLEST.replace("source:", "sorce:"))
        == "5: models.tiny.sorce: unknown key; did you mean 'source'?"
    )


def test_an_unknown_key_like_no_other_is_told_all_that_are_known(tmp_path):
    assert (
        refusal(tmp_path, SMALLEST + "persona: {xyzzy: 1}\n")
        == f"{NEXT_LINE}: persona.xyzzy: unknown key; known here: distilled, introspection"
    )


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("questions:\n  held_out: 1.5\n", "questions.held_out"),
        ("rankings:\n  method: vote\n", "rankings.method"),
        ("introspection:\n  turns: ten\n", "introspection.turns"),
        ("alignment:\n  beta: .nan\n", "alignment.beta"),
        ("rankings:\n  with_plain: perhaps\n", "rankings.with_plain"),
        ("evaluation:\n  preferences: {resamples: 49}\n", "evaluation.preferences.resamples"),
        ("execution:\n  device: gpu\n", "execution.device"),
        ("seeds:\n  - -1\n", "seeds.0"),
        (f"seeds:\n  - {2**32}\n", "seeds.0"),
    ],
)
def test_a_value_out_of_range_is_refused_with_its_line_and_field(tmp_path, text, field):
    assert refusal(tmp_path, SMALLEST + text).startswith(f"{NEXT_LINE + 1}: {field}: ")


@pytest.mark.parametrize(
    ("text", "field", "says"),
    [
        ("run: My Run", "run", "must be of small letters, digits, `_`, `.` and `-`, a letter or digit first"),
        ("models: {My Model: {source: path:a}}", "models.My Model", "must be of small letters, digits, `_`, `.` and `-`, a letter or digit first"),
        ("models: {}", "models", "has too few items (0); give at least 1"),
        ("models: {a: {source: path:a, thinking_tags: [a, b, c]}}", "models.a.thinking_tags", "has too many items (3); give at most 2"),
        ("models: {a: {source: path:a, license: Apache 2}}", "models.a.license", "must be a licence as the Hub spells it, as apache-2.0"),
        ("models: {a: {source: path:a, template_options: {think: [1]}}}", "models.a.template_options.think", "must be true, false, a number or text"),
        ("students: tiny", "students", "must be a list: [a, b], or each item on a line of its own behind `- `"),
        ("execution:", "execution", "is empty; fill it in"),
        ("execution: {threads: 0}", "execution.threads", "must be at least 1"),
        ("execution: {threads: 1.5}", "execution.threads", "must be a whole number"),
        ("execution: {device: gpu}", "execution.device", "must be 'auto', 'cpu' or 'cuda'"),
        ("questions: {held_out: a tenth}", "questions.held_out", "must be a number"),
        ("questions: {held_out: 0}", "questions.held_out", "must be more than 0.0"),
        ("questions: {held_out: 1}", "questions.held_out", "must be less than 1.0"),
        ("questions: {general: 201}", "questions.general", "must be at most 200"),
        ("introspection: {turns: 3}", "introspection.turns", "must be a multiple of 2"),
        ("rankings: {with_plain: perhaps}", "rankings.with_plain", "must be true or false"),
        ("evaluation: {capabilities: {tasks: [a b]}}", "evaluation.capabilities.tasks.0", "must be the name of a task, of letters, digits, `_`, `.`, `,`, `+` and `-`"),
        ("evaluation: {drift: {constitutions: []}}", "evaluation.drift.constitutions", "has too few items (0); give at least 1"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_told_what_it_must_be(tmp_path, text, field, says):
    with pytest.raises(BadInput) as refused:
        settings_from(yaml.safe_load(SMALLEST) | yaml.safe_load(text), [])
    assert str(refused.value) == f"--config: {field}: {says}"


def test_a_key_that_is_given_itself_is_not_told(tmp_path):
    given = SMALLEST.replace("path:build/tiny\n", "api:big@https://api.example.org/v1\n    key: sk-hush\n")
    said = "6: models.tiny.key: must name an environment variable, as SOME_API_KEY, and not be the key itself"
    assert refusal(tmp_path, given) == said


@pytest.mark.parametrize("wrong", [None, "?", -1.5, float("nan"), [], [None] * 3, {}, {"?": 1}, {1: 1}], ids=repr)
def test_no_field_is_refused_in_pydantics_words(wrong):
    """Of all fields, those of each depth take their turn."""
    whole = loaded("").model_dump(mode="json") | {"contributions": {"constitution": "poeticism"}}
    for depth in range(5):
        with pytest.raises(ValidationError) as refused:
            Settings.model_validate(with_all_at(depth, whole, wrong))
        said = [what_is_wrong(error) for error in refused.value.errors() if error["type"] != "extra_forbidden"]
        assert said and [line for line in said if re.search("should|valid|input|instance|pattern", line, re.I)] == []


def with_all_at(depth: int, value: Any, wrong: Any) -> Any:
    """The value, with something else for all that stands at a depth in it."""
    if depth == 0:
        return wrong
    if isinstance(value, dict):
        return {name: with_all_at(depth - 1, inner, wrong) for name, inner in value.items()}
    return [with_all_at(depth - 1, inner, wrong) for inner in value] if isinstance(value, list) else value


def test_every_pattern_of_a_field_is_told_in_words():
    schemas = config_schema() + json.dumps(Constitution.model_json_schema())
    assert {json.loads(found) for found in re.findall(r'"pattern": ("(?:[^"\\\\]|\\\\.)*")', schemas)} == set(_PATTERNS)


@pytest.mark.parametrize("device", ["auto", "cpu", "cuda"])
def test_values_at_the_ends_of_their_ranges_are_taken(device):
    settings = loaded(f"seeds: [0, {2**32 - 1}]\nexecution: {{device: {device}}}\nrankings: {{with_plain: true}}\n")
    assert (settings.seeds, settings.execution.device, settings.rankings.with_plain) == ([0, 2**32 - 1], device, True)
    assert loaded("evaluation: {preferences: {resamples: 50}}").evaluation.preferences.resamples == 50


def test_a_missing_field_is_named(tmp_path):
    assert refusal(tmp_path, SMALLEST.replace("teacher: tiny\n", "")) == "1: teacher: is missing; add it"


def test_a_store_in_the_home_folder_is_there(monkeypatch):
    monkeypatch.setenv("HOME", "/home/somebody")
    stores = ["~/ethos", "store", "/data/~/ethos"]
    there = [loaded(f"execution: {{store: {store}}}").execution.store for store in stores]
    assert there == ["/home/somebody/ethos", *stores[1:]]


@pytest.mark.parametrize(
    ("given", "field", "line"),
    [("constitutions: [poeticism, poeticism]", "constitutions", 2), ("seeds: [1, 1]", "seeds", NEXT_LINE), ("report: {headline: humor}", "report.headline", NEXT_LINE)],
)  # fmt: skip
def test_names_that_do_not_fit_together_are_refused(tmp_path, given, field, line):
    text = SMALLEST.replace("constitutions: [poeticism]", given) if line == 2 else f"{SMALLEST}{given}\n"
    assert refusal(tmp_path, text).startswith(f"{line}: {field}: ")


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ("alignment: {method: grpo, batch_size: 12}", "alignment.batch_size"),
        ("alignment: {method: grpo, grpo: {generations: 5}}", "alignment.batch_size"),
        ("alignment: {method: grpo, grpo: {generations: 1}}", "alignment.grpo.generations"),
        ("alignment: {method: grpo, grpo: {kl: 0}}", "alignment.grpo.kl"),
        ("alignment: {method: grpo, max_tokens: 512}", "alignment.grpo.max_new_tokens"),
        ("alignment: {method: ppo}", "alignment.method"),
        ("alignment: {snapshots: 0}", "alignment.snapshots"),
    ],
)
def test_an_alignment_that_cannot_be_trained_is_refused_with_its_field(tmp_path, given, field):
    assert refusal(tmp_path, f"{SMALLEST}{given}\n").startswith(f"{NEXT_LINE}: {field}: ")


def test_what_grpo_needs_is_not_asked_of_the_other_methods():
    assert loaded("alignment: {batch_size: 12, max_tokens: 512}").alignment.method == "dpo"


@pytest.mark.parametrize(
    ("stated", "path", "kept"),
    [
        ("rankings: {sampling: {max_new_tokens: 9}}", "rankings.sampling.temperature", 0),
        ("rankings: {sampling: {temperature: 0.5}}", "rankings.sampling.max_new_tokens", 256),
        ("alignment: {beta: 0.2}", "alignment.nll", 0),
        ("introspection: {turn_sampling: {top_p: 0.5}}", "introspection.turn_sampling.max_new_tokens", 512),
        (
            "evaluation: {preferences: {sampling: {temperature: 1}}}",
            "evaluation.preferences.sampling.max_new_tokens",
            256,
        ),
        ("introspection: {lora: {rank: 8}}", "introspection.lora.alpha", 128),
    ],
)
def test_a_subsection_that_states_one_field_keeps_the_sections_defaults(stated, path, kept):
    value = loaded(stated)
    for name in path.split("."):
        value = getattr(value, name)
    assert value == kept


def test_a_section_alone_has_the_same_defaults_as_within_a_run():
    """A script gets its section as JSON, not the whole run."""
    section = loaded("rankings: {sampling: {max_new_tokens: 9}}").rankings
    assert type(section).model_validate(json.loads(section.model_dump_json())) == section


def test_a_merged_config_blames_the_file_that_holds_the_field(tmp_path):
    first, second = tmp_path / "first.yaml", tmp_path / "second.yaml"
    first.write_text(SMALLEST)
    second.write_text("execution:\n  threads: 0\n")
    merged = yaml.safe_load(SMALLEST) | {"execution": {"threads": 0}}
    with pytest.raises(BadInput, match="second.yaml:2: execution.threads: "):
        settings_from(merged, [str(first), str(second)])
    with pytest.raises(BadInput, match="first.yaml:7: teacher: "):
        settings_from(yaml.safe_load(SMALLEST) | {"teacher": "huge"}, [str(first), str(second)])


def test_a_config_without_files_blames_the_command_line():
    with pytest.raises(BadInput, match="--config: judge: "):
        settings_from(
            {"run": "trial"} | {key: value for key, value in yaml.safe_load(SMALLEST).items() if key != "judge"}, []
        )


def test_a_field_that_is_given_twice_is_refused_even_where_all_values_are_right(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(SMALLEST + "evaluation:\n  which: [stance]\n  which: [drift]\n")
    line = len(path.read_text().splitlines())
    with pytest.raises(BadInput, match=rf"config.yaml:{line}: which: is given twice"):
        settings_from(yaml.safe_load(path.read_text()), [str(path)])
