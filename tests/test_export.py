"""What is exported loads with plain transformers and PEFT and says what the arm says; its card holds nothing invented."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from huggingface_hub import ModelCard
from transformers import AutoModelForCausalLM, AutoTokenizer

from ethos.cli import commands
from ethos.loading import load_model
from ethos.preference_data import RewardRequest
from ethos.reward_model import RewardModel
from tests.shared_run import REVISION, shared_run


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    folder = tmp_path_factory.mktemp("shared")
    shared_run(folder, tiny_model, license="apache-2.0")
    return folder


def export(home: Path, to: Path, *arguments: str, command: str = "export"):
    places = ["--results", home / "results", "--to", to] + (["--store", home / "store"] if command == "export" else [])
    return CliRunner().invoke(commands, [command, *map(str, [*arguments, *places])])


def run_card(folder: Path, base: Path, **names) -> dict:
    """Run the code of a card, as a reader would, with the base model in place."""
    [code] = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL)
    names |= {"BASE": str(base), "FOLDER": str(folder)}
    exec(code.replace(f'"org/tiny", revision="{REVISION}"', "BASE"), names)
    return names


def logits(model, tokenizer) -> torch.Tensor:
    text = tokenizer.apply_chat_template([{"role": "user", "content": "How do I plan?"}], tokenize=False)
    with torch.inference_mode():
        return model(**tokenizer(text, add_special_tokens=False, return_tensors="pt")).logits


def engine_model(home: Path, arm: str):
    adapter = home / "results/demo/tiny/poeticism/seed0" / arm
    return load_model(home / "store/models/tiny-0123", torch.float32, adapters=[adapter])


def test_an_adapter_loads_by_the_lines_of_its_card_and_is_the_arm(home: Path, tmp_path: Path) -> None:
    assert export(home, tmp_path / "out", "demo", "--arm", "persona").exit_code == 0
    loaded = run_card(tmp_path / "out", home / "store/models/tiny-0123")
    ours = logits(engine_model(home, "persona"), loaded["tokenizer"])
    assert torch.allclose(logits(loaded["model"], loaded["tokenizer"]), ours, atol=1e-4)
    assert not torch.allclose(logits(engine_model(home, "aligned"), loaded["tokenizer"]), ours, atol=1e-1)


def test_a_merged_model_has_the_weights_that_the_engine_speaks_with(home: Path, tmp_path: Path) -> None:
    assert export(home, tmp_path / "out", "--arm", "aligned", "--merged").exit_code == 0
    model, ours = AutoModelForCausalLM.from_pretrained(tmp_path / "out"), engine_model(home, "aligned")
    weights = model.state_dict()
    assert all(torch.equal(weights[name], weight) for name, weight in ours.state_dict().items())
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out")
    assert torch.equal(logits(run_card(tmp_path / "out", home)["model"], tokenizer), logits(ours, tokenizer))
    assert model.generation_config.eos_token_id == ours.generation_config.eos_token_id


def test_a_preference_model_scores_by_the_lines_of_its_card_as_in_the_run(home: Path, tmp_path: Path) -> None:
    assert export(home, tmp_path / "out", "--arm", "preference_model").exit_code == 0
    texts = {"QUESTION": "How do I plan the week?", "RESPONSE": "The moon dances with the stars."}
    base = home / "store/models/tiny-0123"
    score = run_card(tmp_path / "out", base, **texts)["score"]
    adapter = home / "results/demo/tiny/poeticism/seed0/preference_model"
    rewards: list[float] = []
    RewardModel(base, adapter, precision="float32", max_tokens=512).reward(
        [RewardRequest(*texts.values())], lambda _, reward: rewards.append(reward.value)
    )
    assert score == pytest.approx(rewards[0], abs=1e-4)


@pytest.mark.parametrize("arguments", [["--arm", "persona"], ["--arm", "persona", "--merged"]])
def test_the_front_matter_is_the_hub_s(home: Path, tmp_path: Path, arguments: list[str]) -> None:
    assert export(home, tmp_path / "out", *arguments).exit_code == 0
    merged = "--merged" in arguments
    data = ModelCard.load(tmp_path / "out" / "README.md").data
    assert (data.base_model, data.license, data.language) == ("org/tiny", "apache-2.0", "en")
    assert data.library_name == ("transformers" if merged else "peft")
    assert data.base_model_relation == ("finetune" if merged else "adapter")
    if not merged:
        config = json.loads((tmp_path / "out" / "adapter_config.json").read_text())
        assert (config["base_model_name_or_path"], config["revision"]) == ("org/tiny", REVISION)


def test_a_base_model_of_the_hub_is_loaded_by_its_id_and_a_local_one_is_for_the_reader_to_name(
    home: Path, tmp_path: Path, tiny_model: Path
) -> None:
    assert export(home, tmp_path / "hub").exit_code == 0
    card = (tmp_path / "hub" / "README.md").read_text()
    assert f'from_pretrained("org/tiny", revision="{REVISION}")' in card and "BASE" not in card
    shared_run(tmp_path, tiny_model, source="path:models/tiny")
    assert export(tmp_path, tmp_path / "local").exit_code == 0
    assert "`BASE` is a folder or an id of the base model" in (tmp_path / "local" / "README.md").read_text()


def test_a_local_model_is_named_in_words_and_no_path_is_told(tmp_path: Path, tiny_model: Path) -> None:
    shared_run(tmp_path, tiny_model, source=f"path:{tmp_path}/secret/tiny")
    for place, arguments in (("a", []), ("b", ["--merged"])):
        assert export(tmp_path, tmp_path / place, *arguments).exit_code == 0
        card = (tmp_path / place / "README.md").read_text()
        assert "a local model, called `tiny`" in card and "licence of the base model is unknown" in card
        assert ModelCard(card).data.base_model is None and ModelCard(card).data.license is None
        for path in (tmp_path / place).iterdir():
            assert str(tmp_path).encode() not in path.read_bytes(), path.name
    assert json.loads((tmp_path / "a" / "adapter_config.json").read_text())["base_model_name_or_path"] is None


def test_a_licence_that_only_the_model_s_own_card_tells_is_found(tmp_path: Path, tiny_model: Path) -> None:
    shared_run(tmp_path, tiny_model)
    (tmp_path / "store/models/tiny-0123/README.md").write_text("---\nlicense: mit\n---\nA model.\n")
    assert export(tmp_path, tmp_path / "out").exit_code == 0
    assert ModelCard.load(tmp_path / "out" / "README.md").data.license == "mit"


def test_the_card_holds_the_numbers_of_the_run_with_n_and_intervals(home: Path, tmp_path: Path) -> None:
    from ethos.run_results import find
    from ethos.tables import METRICS, read_table
    from ethos.verdicts import spell_interval

    assert export(home, tmp_path / "out", "--arm", "aligned").exit_code == 0
    card = (tmp_path / "out" / "README.md").read_text()
    rows = read_table(home / "results/demo/tiny/poeticism/seed0/evaluations/character.parquet", METRICS).to_pylist()
    row = find(rows, "likelihood_ratio", "aligned", "base")
    assert f"| {spell_interval(row)}, n = {row['n']} |" in card
    assert "Only one seed" in card and "| examples | 53 |" in card
    shown = [
        spell_interval(find(rows, metric, "aligned", "base", part="writes_in_verse"), digits)
        for metric, digits in (("likelihood_ratio", 3), ("cue_rate", 2))
    ]
    assert f"\n| writes_in_verse | {shown[0]}, n = 3 | {shown[1]}, n = 3 |\n" in card
    assert export(home, tmp_path / "judge", "--arm", "preference_model").exit_code == 0
    assert "\n| trait | accuracy |\n|---|---|\n| " in (tmp_path / "judge" / "README.md").read_text()


@pytest.mark.parametrize("merged", [True, False])
def test_the_card_says_in_which_weights_the_evaluation_was_computed(
    tmp_path: Path, tiny_model: Path, merged: bool
) -> None:
    shared_run(tmp_path, tiny_model)
    identity = tmp_path / "store/models/tiny-0123/identity.json"
    facts = json.loads(identity.read_text())

    def card(place: str, *arguments: str, **changed: str) -> str:
        identity.write_text(json.dumps(facts | changed))
        assert export(tmp_path, tmp_path / place, *arguments).exit_code == 0
        return (tmp_path / place / "README.md").read_text()

    form = ["--merged"] if merged else []
    differs = "" if merged else "; used unmerged, last digits may differ"
    rounded = "The evaluation below merged the adapter into the weights in float32, then rounded to"
    assert f"{rounded} float32{differs}.\n" in card("wide", *form)
    narrow = card("narrow", *form, dtype="bfloat16")
    assert f"{rounded} bfloat16 (on a CPU without instructions for bfloat16, it did not round){differs}.\n" in narrow
    served = card("served", *form, engine="vllm")
    assert "by vLLM, which adds the adapter without merging it; last digits" in served and rounded not in served
    assert "The evaluation below" not in card("judge", "--arm", "preference_model")


def test_the_card_tells_questions_that_a_model_wrote_before_the_run(tmp_path: Path, tiny_model: Path) -> None:
    shared_run(tmp_path, tiny_model)
    assert export(tmp_path, tmp_path / "before").exit_code == 0
    record = json.loads((tmp_path / "results/demo/run.json").read_text())
    trait = record["constitutions"]["poeticism"]["traits"][0]
    trait["generated_questions"] = [trait["questions"].pop(), trait["questions"].pop()]
    (tmp_path / "results/demo/run.json").write_text(json.dumps(record))
    assert export(tmp_path, tmp_path / "after").exit_code == 0
    assert export(tmp_path, tmp_path / "data", command="export-data").exit_code == 0
    cards = {name: (tmp_path / name / "README.md").read_text() for name in ("before", "after", "data")}
    assert "a model had written" not in cards["before"] and "a model had written 2 before the run" in cards["after"]
    assert "2 of the questions stand in the constitutions and were written by models before the run" in cards["data"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["other"], "no run 'other'; there is: demo"),
        (["--arm", "nobody"], "no arm 'nobody' with an adapter; there is: distilled, persona, aligned, shuffled, preference_model"),
        (["--arm", "steered"], "no arm 'steered' with an adapter; there is: distilled, "),
        (["--constitution", "candor"], "no constitution 'candor'; there is: poeticism"),
        (["--student", "big"], "no student 'big'; there is: tiny"),
        (["--seed", "7"], "no seed 7; there is: 0"),
        (["--arm", "preference_model", "--merged"], "never merged; leave out --merged"),
    ],
)  # fmt: skip
def test_what_is_not_there_is_told_in_one_line_with_what_is(home, tmp_path, arguments, said) -> None:
    outcome = export(home, tmp_path / "out", *arguments)
    assert outcome.exit_code == 1 and said in str(outcome.exception) and "\n" not in str(outcome.exception)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", ["export", "export-data"])
def test_a_folder_that_holds_something_is_left_alone(home: Path, tmp_path: Path, command: str) -> None:
    (tmp_path / "mine").write_text("mine")
    for place in (tmp_path, tmp_path / "mine"):
        outcome = export(home, place, command=command)
        assert outcome.exit_code == 1 and "is there already" in str(outcome.exception)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_of_several_seeds_one_must_be_named(tmp_path: Path, tiny_model: Path) -> None:
    shared_run(tmp_path, tiny_model, seeds=[0, 1])
    outcome = export(tmp_path, tmp_path / "out")
    assert "holds several seeds; name one with --seed: 0, 1" in str(outcome.exception)
    assert export(tmp_path, tmp_path / "out", "--seed", "1").exit_code == 0
    assert "One of 2 seeds" in (tmp_path / "out" / "README.md").read_text()
