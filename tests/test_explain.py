"""Why a job runs again is said in words: which trait, which setting, which prompt, which file of code."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from ethos.explain import Parameter, explain, nested

TRAITS = [
    {"id": "honest_images", "text": "I mean my images.", "questions": ["Is the sea blue?"]},
    {"id": "quiet", "text": "I say little.", "clarification": "Not nothing.", "questions": ["Why?", "Who?"]},
]


def after(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """What is said when one parameter changes, as Snakemake records it."""
    return explain([repr(Parameter("", **old))], [repr(Parameter("", **new))])


def edited_traits(change) -> list[str]:
    new = copy.deepcopy(TRAITS)
    change(new)
    return after({"constitution": {"candor": {"traits": TRAITS}}}, {"constitution": {"candor": {"traits": new}}})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda traits: traits[0].update(text="I weigh my images."), ["trait honest_images: text changed"]),
        (lambda traits: traits[1].pop("clarification"), ["trait quiet: clarification changed"]),
        (lambda traits: traits[0]["questions"].append("Is it deep?"), ["question added to trait honest_images"]),
        (lambda traits: traits[1]["questions"].clear(), ["2 questions removed from trait quiet"]),
        (lambda traits: traits[1]["questions"].reverse(), ["trait quiet: order of questions changed"]),
        (lambda traits: traits[1].update(questions=["Why?", "When?"]), ["question added to trait quiet", "question removed from trait quiet"]),
        (lambda traits: traits.pop(0), ["trait honest_images removed"]),
        (lambda traits: traits.append({"id": "kind", "text": "I am kind.", "questions": ["How?"]}), ["trait kind added"]),
        (lambda traits: traits.reverse(), ["order of traits changed"]),
    ],
)  # fmt: skip
def test_an_edit_of_a_constitution_names_the_trait(change, said):
    assert edited_traits(change) == said


def test_changed_cues_are_told():
    assert after({"constitution": {"candor": {"cues": ["frankly"]}}}, {"constitution": {"candor": {"cues": []}}}) == [
        "cues changed"
    ]


@pytest.mark.parametrize(
    ("place", "old", "new", "said"),
    [
        ("rankings.method", "pairwise", "likelihood_ratio", "rankings.method: pairwise -> likelihood_ratio"),
        ("data_seed", 0, 1, "data_seed: 0 -> 1"),
        ("introspection.lora", {"rank": 4, "alpha": 8}, {"rank": 16, "alpha": 8}, "introspection.lora.rank: 4 -> 16"),
        ("rankings.with_plain", False, True, "rankings.with_plain: false -> true"),
        ("report.headline", None, "humor", "report.headline: null -> humor"),
        ("constitutions", ["humor"], ["humor", "candor"], 'constitutions: ["humor"] -> ["humor", "candor"]'),
    ],
)
def test_a_setting_is_named_with_its_old_and_its_new_value(place, old, new, said):
    assert after({"settings": nested(place, old)}, {"settings": nested(place, new)}) == [said]


def test_a_setting_that_a_rule_began_or_ceased_to_ask_for_is_told():
    said = after({"settings": {"rankings": {"ties": 1}}}, {"settings": {"rankings": {"margin": 2}}})
    assert said == ["rankings.margin: 2, not asked for before", "rankings.ties: no longer asked for"]


def test_changed_prompts_and_files_of_code_are_named_those_that_came_and_went_included():
    assert after({"prompts": {"a.jinja": "1", "b.txt": "1"}}, {"prompts": {"a.jinja": "2", "b.txt": "1"}}) == [
        "prompts/a.jinja changed"
    ]
    old = {"ethos/gone.py": "1", "ethos/same.py": "1", "scripts/x.py": "1"}
    new = {"ethos/came.py": "1", "ethos/same.py": "1", "scripts/x.py": "2"}
    assert after({"code": old}, {"code": new}) == ["code: ethos/came.py, ethos/gone.py, scripts/x.py"]


def test_changes_of_several_parameters_are_all_told():
    old = [Parameter("", settings={"data_seed": 0}), Parameter("", code={"a.py": "1"})]
    new = [Parameter("", settings={"data_seed": 1}), Parameter("", code={"a.py": "2"})]
    assert explain(map(repr, old), map(repr, new)) == ["data_seed: 0 -> 1", "code: a.py"]


@pytest.mark.parametrize("record", ["'trait'", "0.95", "[1]", "TBD"])
def test_what_is_no_record_is_not_guessed_at(record):
    with pytest.raises(ValueError):
        explain([record], [])


def test_a_parameter_is_its_text_in_a_command_and_its_record_to_snakemake():
    parameter = Parameter("pairwise", settings={"rankings": {"method": "pairwise"}})
    assert f"{parameter}" == parameter == "pairwise"
    assert repr(parameter) == '{"settings":{"rankings":{"method":"pairwise"}}}'


def test_snakemakes_own_text_stays_where_a_record_cannot_be_read():
    from snakemake.persistence import ParamsChange

    from ethos.explain import speak_in_words

    raw = ParamsChange.__str__
    try:
        speak_in_words()
        old, new = (Parameter("", settings={"data_seed": seed}) for seed in (0, 1))
        assert str(ParamsChange({repr(old)}, {repr(new)})) == "data_seed: 0 -> 1"
        assert str(ParamsChange({"'trait'"}, {repr(new)})) == raw(ParamsChange({"'trait'"}, {repr(new)}))
    finally:
        ParamsChange.__str__ = raw
