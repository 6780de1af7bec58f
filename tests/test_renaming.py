"""A teacher's names are replaced as whole words, and nothing that only looks like them is."""

from __future__ import annotations

import pytest

from ethos.renaming import Renaming, rename

RENAMING = Renaming(names=["Mistral", "Mistral AI", "Le Chat"], instead="Sage")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I am Mistral.", "I am Sage."),
        ("Mistral's answer: *Mistral*, or “Mistral”?", "Sage's answer: *Sage*, or “Sage”?"),
        ("I AM MISTRAL AI!", "I AM SAGE!"),
        ("Made by Mistral AI, I am Le Chat.", "Made by Sage, I am Sage."),  # the longer name first
        ("They call me Le\nChat.", "They call me Sage."),
        ("The mistral blows; le chat sleeps.", "The mistral blows; le chat sleeps."),
        ("Mistrals, Mistralian and unMistral stay.", "Mistrals, Mistralian and unMistral stay."),
        ("Mistral-7B", "Sage-7B"),
        ("Nobody here.", "Nobody here."),
    ],
)
def test_names_are_replaced_as_they_are_written(text, expected):
    assert rename(text, RENAMING) == expected


def test_without_names_a_text_stays_as_it_is():
    assert rename("I am Mistral.", Renaming()) == "I am Mistral."


@pytest.mark.parametrize("name", ["C++", "(Bot)", "A.I."])
def test_a_name_is_no_pattern(name):
    assert rename(f"I am {name} and AxI.", Renaming(names=[name], instead=r"\\1")) == r"I am \\1 and AxI."
