"""The questions that come with Ethos and may train: those of all constitutions, and the everyday ones."""

from __future__ import annotations

from ethos.constitution import load_constitution
from ethos.near_duplicates import NearDuplicates
from ethos.prompts import prompt_lines
from tests.conftest import ROOT


def given_questions() -> NearDuplicates:
    """All of them, found by what nearly repeats them; stricter than `questions.near_duplicate`, since they are written by hand."""
    near = NearDuplicates(0.6)
    constitutions = [load_constitution(path) for path in sorted((ROOT / "constitutions").glob("*.yaml"))]
    written = [text for each in constitutions for trait in each.traits for text in trait.all_questions]
    for text in (*prompt_lines("general_questions"), *written):
        near.add(text)
    return near
