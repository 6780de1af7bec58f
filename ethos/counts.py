"""What the amount of work is counted from: how many questions, responses and answers there are, or will be.

Where an earlier stage has left its table, it is counted; where not, it is what the settings ask for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import yaml

from ethos.arms import ARMS
from ethos.constitution import Constitution
from ethos.prompts import FOLDER
from ethos.settings import Settings

# What a number of requests may follow from. `answers`: from what models will say, so that nothing tells it beforehand.
Source = Literal["settings", "questions", "responses", "samples", "answers"]
CHARACTERS_OF_A_TOKEN = 4
# A group of responses to one question: the question's split, and how many compete.
Group = tuple[str, int]


@dataclass(frozen=True)
class Counts:
    """Of one constitution, and of a student and a seed where these have left something.

    traits: ids. written: questions of the constitution. asked, trait, told: tokens of a question, a trait and a system prompt in
    character, roughly. labelled: pairs labelled by people, of this constitution and of all. others: questions of other
    constitutions, for drift. train, held_out:
    questions by split. groups: how many questions have so many competing responses. ranked: different responses among
    these. answers: different answers of all arms to held-out questions. compared: requests by which coherence is judged.
    known: what was counted in tables, and is not what the settings ask for.
    """

    traits: Sequence[str]
    written: int
    asked: int
    trait: int
    told: int
    labelled: tuple[int, int]
    others: int
    train: int
    held_out: int
    groups: Counter[Group]
    ranked: int
    answers: int
    compared: int
    known: frozenset[Source]

    @property
    def questions(self) -> int:
        return self.train + self.held_out

    def train_groups(self) -> Counter[int]:
        """How many training questions have so many competing responses."""
        return Counter({size: number for (split, size), number in self.groups.items() if split == "train"})


def count(
    settings: Settings,
    constitution: Constitution,
    others: Iterable[Constitution] = (),
    *,
    questions: Path | None = None,
    responses: Path | None = None,
    samples: Path | None = None,
) -> Counts:
    """Count in the tables that are given; take the rest from the settings. others: the constitutions that drift measures.

    questions, responses, samples: tables of tables.QUESTIONS, tables.RESPONSES and tables.SAMPLES.
    """
    written = [text for trait in constitution.traits for text in trait.all_questions]
    texts = [trait.text for trait in constitution.traits]
    trait = _tokens(texts) // len(texts)
    if questions:
        train, held_out = _splits(questions)
    else:
        asked = settings.questions
        expected = len(written) + len(texts) * asked.generated_per_trait + asked.general
        expected += sum(extra.count for extra in asked.extra)
        # A trait none of whose hand-written questions falls to them has one held out all the same.
        spared = sum(
            (1 - asked.held_out) ** len(trait.questions or trait.all_questions) for trait in constitution.traits
        )
        held_out = round(expected * asked.held_out + spared)
        train = expected - held_out
    competing = settings.responses.per_question + settings.rankings.with_plain
    if responses:
        groups, ranked = _groups(responses, with_plain=settings.rankings.with_plain)
    else:
        groups = Counter({("train", competing): train, ("held_out", competing): held_out})
        ranked = competing * (train + held_out)
    if samples:
        answers, compared = _answers(samples, settings.evaluation.coherence.arm)
    else:
        sampled = held_out * settings.evaluation.responses_per_question
        answers, compared = len(ARMS) * sampled, 2 * (len(ARMS) - 1) * sampled
    tables = {"questions": questions, "responses": responses, "samples": samples}
    return Counts(
        traits=[trait.id for trait in constitution.traits],
        written=len(written),
        asked=_tokens(written) // len(written),
        trait=trait,
        told=trait if settings.responses.scope == "trait" else _tokens(texts),
        labelled=_labelled(constitution, settings),
        others=sum(
            len(trait.all_questions[: settings.evaluation.drift.questions_per_trait])
            for other in others
            if other.name != constitution.name
            for trait in other.traits
        ),
        train=train,
        held_out=held_out,
        groups=groups,
        ranked=ranked,
        answers=answers,
        compared=compared,
        known=frozenset({"settings", *(name for name, path in tables.items() if path)}),
    )


def _tokens(texts: Iterable[str]) -> int:
    """Of all the texts, roughly."""
    return sum(map(len, texts)) // CHARACTERS_OF_A_TOKEN


def _splits(questions: Path) -> tuple[int, int]:
    splits = Counter(row["split"] for row in _rows(questions, ["split"]))
    return splits["train"], splits["held_out"]


def _groups(responses: Path, *, with_plain: bool) -> tuple[Counter[Group], int]:
    """Competing responses by question, as `rank_responses` groups them, and how many of them differ."""
    authors = {"in_character", "plain"} if with_plain else {"in_character"}
    by_question: dict[tuple[str, str], list[tuple[str, str, str]]] = {}
    for row in _rows(responses, ["question_id", "split", "author", "filtered", "trait", "question", "response"]):
        if row["author"] in authors and row["filtered"] is None:
            text = row["trait"], row["question"], row["response"]
            by_question.setdefault((row["split"], row["question_id"]), []).append(text)
    ranked = {place: own for place, own in by_question.items() if len(own) > 1}
    groups = Counter((split, len(own)) for (split, _), own in ranked.items())
    return groups, len({text for own in ranked.values() for text in own})


def _answers(samples: Path, compared: str) -> tuple[int, int]:
    """Different answers of all arms, and the requests that compare one arm's with every other's, in both orders."""
    rows = _rows(samples, ["arm", "question_id", "trait", "question", "sample", "response"])
    own = {(row["question_id"], row["trait"], row["sample"]): row["response"] for row in rows if row["arm"] == compared}
    requests = set()
    for row in rows:
        said = own.get((row["question_id"], row["trait"], row["sample"]))
        if row["arm"] != compared and said is not None and said != row["response"]:
            place = row["trait"], row["question"]
            requests |= {(*place, said, row["response"]), (*place, row["response"], said)}
    return len({(row["trait"], row["question"], row["response"]) for row in rows}), len(requests)


def _rows(table: Path, columns: Collection[str]) -> list[dict]:
    import pyarrow.parquet as pq  # not for those who only ask what settings say

    return pq.read_table(table, columns=list(columns), partitioning=None).to_pylist()


@cache
def _labelled_pairs() -> dict[str, list[str]]:
    """The traits of the labelled pairs, by constitution."""
    pairs = yaml.safe_load((FOLDER / "labelled_pairs.yaml").read_text())["pairs"]
    return {name: [pair["trait"] for pair in own] for name, own in pairs.items()}


def _labelled(constitution: Constitution, settings: Settings) -> tuple[int, int]:
    """Those of other constitutions are taken to have their traits still."""
    traits = {trait.id for trait in constitution.traits}
    pairs = {name: _labelled_pairs()[name] for name in labelled_constitutions(settings)}
    own = sum(trait in traits for trait in pairs.pop(constitution.name, []))
    return own, own + sum(map(len, pairs.values()))


def labelled_constitutions(settings: Settings) -> list[str]:
    """The constitutions with labelled pairs, of those that there are; none where judges are not judged."""
    if "judges" not in settings.evaluation.which:
        return []
    return [name for name in _labelled_pairs() if Path(f"constitutions/{name}.yaml").is_file()]
