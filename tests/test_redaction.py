"""No secret and no folder of this machine leaves it in a text; what is neither stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from ethos.redaction import Redaction, secrets_of

PLANTED = "correct-horse-battery"
# Put together here, so that no tool takes this file for a leak.
HF, GITHUB, OPENAI, AWS = "hf_" + "aB3" * 10, "ghp_" + "x1" * 18, "sk-" + "proj-" + "9z" * 16, "AKIA" + "ABCD1234" * 2
HERE = Redaction(
    {Path("/scratch/project_1/anna/ethos"): ".", Path("/home/anna"): "~", Path("/scratch/store"): "store"},
    {"MY_TOKEN": PLANTED},
)


@pytest.mark.parametrize(
    "name", ["HF_TOKEN", "WANDB_API_KEY", "api_key", "AWS_SECRET_ACCESS_KEY", "DB_PASSWORD", "SECRET"]
)
def test_a_variable_with_the_name_of_a_secret_is_one(name: str) -> None:
    assert secrets_of({name: PLANTED}) == {PLANTED: name}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TOKENIZERS_PARALLELISM", "false and so on"),
        ("HF_TOKEN", "no"),
        ("KEYBOARD", PLANTED),
        ("SSH_KEY", "/dev/null"),
    ],
)
def test_switches_folders_and_other_names_are_none(name: str, value: str) -> None:
    assert secrets_of({name: value}) == {}


@pytest.mark.parametrize("token", [PLANTED, HF, GITHUB, OPENAI, AWS])
def test_a_token_is_found_and_removed_wherever_it_stands(token: str) -> None:
    for text in (token, f"a {token}.", f"Authorization: Bearer {token}", f"--config key={token}", f'"{token}"'):
        assert HERE.secret_in(text)
        assert token not in HERE.clean(text) and token not in HERE.clean_log(text)


def test_what_a_model_wrote_is_a_secret_only_if_it_is_that_of_this_machine() -> None:
    assert HERE.secret_in(f"Use {HF}.", tokens=False) is None
    assert HERE.secret_in(f"Use {PLANTED}.", tokens=False) == "the value of MY_TOKEN"


@pytest.mark.parametrize(
    "line",
    ["token=abcdefgh1", "HF_TOKEN: abcdefgh1", "password = 'abcdefgh1'", "api-key=abcdefgh1", "bearer abcdefgh1"],
)
def test_what_is_assigned_to_the_name_of_a_secret_leaves_a_log(line: str) -> None:
    assert "abcdefgh1" not in HERE.clean_log(line)


def test_a_private_key_and_a_password_in_an_address_go() -> None:
    key = "-----BEGIN RSA " + "PRIVATE KEY-----\nMIIabc\n-----END RSA PRIVATE KEY-----"
    assert "MIIabc" not in HERE.clean(f"x\n{key}\ny")
    assert HERE.clean("https://anna:geheim@example.org/x") == "https://[removed]@example.org/x"


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ("/scratch/project_1/anna/ethos/results/a.json: is gone", "./results/a.json: is gone"),
        ("in /scratch/project_1/anna/ethos", "in ."),
        ("/scratch/project_1/anna/ethos2/x", "…/x"),
        ("/home/anna/.cache/x.bin", "~/.cache/x.bin"),
        ("/scratch/store/models/m", "store/models/m"),
        ('File "/opt/python/lib/torch/nn.py", line 3', 'File "…/nn.py", line 3'),
        ("https://example.org/a/b/c", "https://example.org/a/b/c"),
        ("12 and/or 3/4 of 5 tokens/s", "12 and/or 3/4 of 5 tokens/s"),
        ("results/test/a.json, ./b/c", "results/test/a.json, ./b/c"),
    ],
)
def test_a_log_names_no_folder_of_this_machine(said: str, left: str) -> None:
    assert HERE.clean_log(said) == left
