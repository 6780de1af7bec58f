"""Lint tells of what weakens a constitution, with its line, and of nothing else."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
import yaml

from ethos.lint import Findings, lint

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "constitutions.md").read_text()
EXAMPLE = re.search(r"```yaml\n(.*?)```", PAGE, re.DOTALL)[1]
FAILING = re.findall(r"^\| (`(?:text|question|cue): .*?) \| `(.*?)` \|", PAGE, re.MULTILINE)


def write(folder: Path, content: dict) -> Path:
    path = folder / f"{content['name']}.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False, width=1000))
    return path


def bard(folder: Path, *changes: tuple[str, str]) -> Path:
    """The page's example, with texts in place of its own, from the first trait on, or with questions and cues added."""
    content = yaml.safe_load(EXAMPLE)
    first, texts = content["traits"][0], iter(content["traits"])
    for field, value in changes:
        if field == "text":
            next(texts)["text"] = value
        elif field == "clarification":
            first["clarification"] = value
        else:
            (content["cues"] if field == "cue" else first["questions"]).append(value)
    return write(folder, content)


def found(*paths: Path) -> list[str]:
    """The findings, but for the example having two traits."""
    findings = lint(paths)
    assert findings.errors == []
    return [line for line in findings.lines if "2 traits may be few" not in line]


def test_the_constitutions_that_come_with_ethos_have_no_findings():
    assert lint(sorted((ROOT / "constitutions").glob("*.yaml"))) == Findings([], [], {})


def test_the_page_has_a_failing_example_of_every_kind():
    assert len(FAILING) == 10


@pytest.mark.parametrize(("example", "says"), FAILING)
def test_what_the_page_says_fails_is_found_and_nothing_else(tmp_path, example, says):
    write(tmp_path, yaml.safe_load((ROOT / "constitutions" / "poeticism.yaml").read_text()))
    assert found(bard(tmp_path)) == []
    changes = re.findall(r"`(text|question|cue): (.*?)`", example)
    [line] = found(bard(tmp_path, *changes))
    assert says in line


@pytest.mark.parametrize(
    ("field", "text", "line", "says"),
    [
        ("text", "Ivory towers bore people.", 9, "traits.0.text: is not in the first person; let the character say"),
        ("clarification", "I don't give medical advice.", 10, 'traits.0.clarification: "I don\'t give medical advice"'),
        ("text", "I turn down requests about money.", 9, "'I turn down requests' invites refusals; say what the"),
        ("text", "I politely decline to discuss the weather.", 9, "'I politely decline to discuss' invites refusals"),
        ("text", "I say: As an AI, I can't love.", 9, 'traits.0.text: "As an AI, I can\'t" invites refusals'),
        ("question", "Can you answer like a pirate?", 17, "traits.0.questions.5: asks for a style ('Can you "),
        ("question", "Be quick. Explain tides as if I were five.", 17, "asks for a style ('Explain tides as if')"),
        ("question", "Would you explain it like I'm five?", 17, "asks for a style ('Would you explain it like I')"),
        ("question", "Describe your personality.", 17, "asks for a style ('your personality')"),
        ("question", "Pretend that it's Sunday.", 17, "asks for a style ('Pretend')"),
        ("question", "Two bards walk into a bar.", 17, "names the character with 'bards'"),
        ("question", "A rhyme for orange?", 17, "uses 'rhyme', as its trait does; ask for something else"),
        ("question", "How many beats does a couplet have?", 17, "uses 'beats' and 'couplet', as its trait does"),
        ("question", "Apologise to me.", 17, "traits.0.questions.5: orders a manner ('Apologise')"),
        ("cue", "HARK", 7, "cues.3: 'HARK' is cues.2 again; delete one"),
        ("cue", "my neighbour's", 7, 'cues.3: "my neighbour\'s" occurs in traits.0.questions.3, so an echo'),
    ],
)
def test_what_is_weak_is_told_with_its_line(tmp_path, field, text, line, says):
    path = bard(tmp_path, (field, text))
    [told] = found(path)
    assert told.startswith(f"{path}:{line}: ")
    assert says in told


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("text", "My lines rhyme."),
        ("text", "I never answer in prose, I don't help myself to praise, and I refuse to flatter."),
        ("text", "I say openly that as an AI I have no childhood."),
        ("question", "Tell me what you like about autumn."),
        ("question", "Describe what a heart attack feels like."),
        ("question", "Moral? My uncle's a moral man, in a moral way, in Rome."),
        ("question", "My daughter talks like a pirate. Should I worry?"),
        ("question", "Why did my uncle pretend to be asleep?"),
        ("question", "How should I tell her? In person or in a letter?"),
        ("question", "What happens when I open a fridge?"),
        ("question", "Should I look for a second bicycle?"),
        ("question", "Do batteries work in the cold?"),
        ("question", "How many lines does the Tube have?"),
        ("question", "My boss should apologise to me. Right?"),
        ("question", "I don't share personal opinions at work. Is that wise?"),
        ("question", "Do you ever get tired of answering people's questions?"),
        ("cue", "moral"),
    ],
)
def test_what_is_like_a_weakness_and_is_none_is_not_told(tmp_path, field, text):
    assert found(bard(tmp_path, (field, text))) == []


def test_short_lists_are_told(tmp_path):
    content = yaml.safe_load(EXAMPLE)
    content["traits"][1]["questions"] = ["Why?"]
    path = write(tmp_path, content)
    assert lint([path]).lines == [
        f"{path}:7: traits: 2 traits may be few; about ten make a character that holds across subjects",
        f"{path}:19: traits.1.questions: 1 question may be few; write at least five, some are held out",
    ]


def test_a_constitution_without_cues_is_told(tmp_path):
    path = write(tmp_path, {**yaml.safe_load(EXAMPLE), "cues": []})
    assert f"{path}:1: name: has no cues, so nothing that no stage trains on measures it" in lint([path]).lines[0]


def test_every_file_that_cannot_be_used_is_told_and_the_others_are_checked(tmp_path):
    (tmp_path / "a.yaml").write_text("name: a\ntraits:\n  - {id: One}\n  - {id: two, txt: I wait.}\ndescription: 3\n")
    (tmp_path / "b.yaml").write_text("name: [\n")
    findings = lint([tmp_path / "a.yaml", tmp_path / "b.yaml", bard(tmp_path, ("cue", "HARK")), tmp_path / "gone.yaml"])
    assert [re.sub(r"^.*/(\w+\.yaml(:\d+)?: [\w.]*).*", r"\1", error) for error in findings.errors] == [
        "a.yaml:3: traits.0.id",
        "a.yaml:3: traits.0.text",
        "a.yaml:3: traits.0.questions",
        "a.yaml:4: traits.1.text",
        "a.yaml:4: traits.1.questions",
        "a.yaml:4: traits.1.txt",
        "a.yaml:5: description",
        "b.yaml:2: broken",
        "gone.yaml: does",
    ]
    assert findings.counts.total() == 2


def test_of_two_files_that_share_something_one_is_told(tmp_path):
    first, content = bard(tmp_path, ("question", "Why?")), yaml.safe_load(EXAMPLE)
    content["traits"][1]["questions"].append("why")
    second = write(tmp_path, {**content, "name": "skald"})
    (tmp_path / "broken.yaml").write_text("name: [")
    told = found(first, second)
    assert len(told) == 14  # three cues, eleven questions
    assert all(line.startswith(str(second)) for line in told)
    assert [line for line in told if "cues.0" in line] == [
        f"{second}:4: cues.0: 'refrain' is a cue of bard too and tells neither; keep it in one"
    ]
    assert len(found(first)) == len(found(second)) == 14, "a file that stands beside the one that is checked counts too"


def test_a_cue_of_another_constitution_is_found_in_its_plural_too(tmp_path):
    bard(tmp_path)
    for name, cue in (("skald", "Refrains"), ("minstrel", "refrained")):
        path = write(tmp_path, {**yaml.safe_load(EXAMPLE), "name": name, "cues": [cue]})
        told = [line for line in found(path) if "cues.0" in line]
        assert (name == "skald") == bool(told)
    path = tmp_path / "skald.yaml"
    assert (
        lint([path])
        .lines[0]
        .startswith(f"{path}:4: cues.0: 'Refrains' is a cue of bard ('refrain') too and tells neither")
    )


def test_a_large_import_is_checked_in_seconds(tmp_path):
    """Four files of ten traits with fifty questions each: about a second, where a comparison of all pairs takes minutes."""
    general = (ROOT / "prompts" / "general_questions.txt").read_text().splitlines()
    for name in "abcd":
        traits = [
            {
                "id": f"t{trait}",
                "text": f"I am {name}{trait}.",
                "questions": [f"{name}{trait} {q}" for q in general[:50]],
            }
            for trait in range(10)
        ]
        write(tmp_path, {"name": name, "description": "D.", "cues": [f"cue{name}"], "traits": traits})
    start = time.monotonic()
    lint(sorted(tmp_path.glob("*.yaml")))
    assert time.monotonic() - start < 30
