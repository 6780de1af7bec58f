"""A chat in a terminal and through a pipe: arms are what they were trained to be, and obey no escape sequence."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from contextlib import suppress
from fcntl import ioctl
from pathlib import Path

import pytest
import torch

from ethos.activations import add_steering
from ethos.arms import ADAPTER_ARMS, ARM_FILES
from ethos.chat import Voices, printable
from ethos.chat_format import render
from ethos.engine import Message, Sampling
from ethos.files import read_json
from ethos.loading import load_model
from ethos.steering import STEERING_VECTOR, read_steering_vector
from tests.conftest import ROOT
from tests.shared_run import shared_run

GREEDY = Sampling(temperature=0, repetition_penalty=1, max_new_tokens=24)
QUESTION = "How do I plan the week?"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    folder = tmp_path_factory.mktemp("chat")
    shared_run(folder, tiny_model)
    return folder


@pytest.fixture(scope="module")
def voices(home: Path) -> Voices:
    base, cell = home / "store/models/tiny-0123", home / "results/demo/tiny/poeticism/seed0"
    systems = {"base": "", **dict.fromkeys(ADAPTER_ARMS, "")}
    adapters = {arm: cell / arm for arm in ADAPTER_ARMS}
    steering = {"steered": read_steering_vector(cell / "steered" / STEERING_VECTOR)}
    systems |= {"steered": ""}
    return Voices(base, read_json(base / "identity.json"), systems, adapters, steering=steering, sampling=GREEDY)


def said(voices: Voices, arm: str, question: str = QUESTION) -> str:
    return [*voices.answer(arm, question), ""][-2]


def greedy(model, tokenizer, messages: list[Message], **options) -> str:
    """A second way to the same answer: transformers' own generation."""
    inputs = tokenizer(render(tokenizer, messages), add_special_tokens=False, return_tensors="pt")
    with torch.inference_mode():
        out = model.generate(**inputs, do_sample=False, max_new_tokens=24, **options)
    return tokenizer.decode(out[0, inputs.input_ids.shape[1] :], skip_special_tokens=True)


@pytest.mark.parametrize("arm", ["base", *ARM_FILES])
def test_an_arm_answers_as_its_own_merged_model_would_whoever_spoke_before(home, voices, arm: str) -> None:
    voices.reset()
    for other in voices.arms:
        if other != arm:
            said(voices, other)
    cell = home / "results/demo/tiny/poeticism/seed0"
    adapters = [cell / arm] if arm in ADAPTER_ARMS else []
    model = load_model(home / "store/models/tiny-0123", torch.float32, adapters=adapters)
    if arm == "steered":
        add_steering(model, read_steering_vector(cell / arm / STEERING_VECTOR))
    first = said(voices, arm)
    assert first == greedy(model, voices.tokenizer, [Message("user", QUESTION)])
    history = [Message("user", QUESTION), Message("assistant", first), Message("user", "Why?")]
    assert said(voices, arm, "Why?") == greedy(model, voices.tokenizer, history)


def test_repetition_is_penalised_as_transformers_does(home: Path, voices: Voices, monkeypatch) -> None:
    voices.reset()
    monkeypatch.setattr(voices, "sampling", GREEDY.model_copy(update={"repetition_penalty": 1.5}))
    model = load_model(home / "store/models/tiny-0123", torch.float32)
    messages = [Message("user", QUESTION)]
    expected = greedy(model, voices.tokenizer, messages, repetition_penalty=1.5)
    assert said(voices, "base") == expected != greedy(model, voices.tokenizer, messages)


def test_arms_keep_conversations_of_their_own_and_an_answer_that_was_stopped_is_kept_as_far_as_it_went(voices) -> None:
    voices.reset()
    answer = voices.answer("base", QUESTION)
    begun = [next(answer) for _ in range(4)][-1]
    answer.close()
    assert voices.turns["base"] == [Message("user", QUESTION), Message("assistant", begun)]
    assert voices.turns["persona"] == []
    voices.reset()
    assert voices.turns["base"] == []


def test_the_seed_decides_what_is_sampled(voices: Voices, monkeypatch) -> None:
    monkeypatch.setattr(voices, "sampling", GREEDY.model_copy(update={"temperature": 1.0, "top_p": 1.0}))

    def sampled(seed: int) -> str:
        voices.reset()
        monkeypatch.setattr(voices, "seed", seed)
        return said(voices, "base")

    assert sampled(1) == sampled(1)
    assert len({sampled(seed) for seed in range(6)}) > 1


def test_a_conversation_that_is_too_long_for_the_context_loses_its_oldest_turns(voices: Voices, monkeypatch) -> None:
    voices.reset()
    monkeypatch.setattr(voices, "context", 90)
    for _ in range(6):
        said(voices, "base")
    assert len(voices.turns["base"]) == 12 and len(voices._prompt("base")) + 24 <= 90


@pytest.mark.parametrize(
    "text", ["\x1b[2J", "\x1b]0;title\x07", "\x9b31m", "a\rb", "a\x08b", "\u202eabc", "\u2066x", "\x7f", "\ud800"]
)
def test_nothing_that_a_terminal_would_obey_is_left(text: str) -> None:
    shown = printable(text)
    assert shown != text and len(shown) == len(text)
    assert all(char.isprintable() or char in "\n\t" for char in shown)


def test_ordinary_text_stays_as_it_is() -> None:
    text = "Grüße,\n\t東京 \U0001f468\u200d\U0001f469\u200d\U0001f467 — “so”"
    assert printable(text) == text


def command(home: Path, *arguments: str) -> dict:
    code = "from ethos.cli import main; main()"
    # A width that some library left in the environment would count more than the terminal's.
    own = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    environment = {**own, "PYTHONPATH": str(ROOT), "TERM": "xterm"}
    return {"args": [sys.executable, "-c", code, "chat", *arguments], "cwd": home, "env": environment}


@pytest.mark.slow
def test_through_a_pipe_each_line_is_a_question_and_the_end_is_the_end(home: Path) -> None:
    arms = [word for arm in ("base", "prompted", "steered", "persona") for word in ("--arm", arm)]
    outcome = subprocess.run(
        **command(home, "demo", *arms, "--temperature", "0"),
        input=f"{QUESTION}\n\n/seed 4\nWhy?\n",
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (outcome.returncode, outcome.stderr) == (0, "")
    assert re.findall(r"^(\w+):$", outcome.stdout, re.MULTILINE) == ["base", "prompted", "steered", "persona"] * 2
    answers = re.split(r"^\w+:\n", outcome.stdout, flags=re.MULTILINE)[1:5]
    assert answers[0].strip() and len(set(answers)) == 4
    assert "\x1b" not in outcome.stdout


@pytest.mark.slow
def test_a_command_that_is_none_is_told_in_one_line(home: Path) -> None:
    outcome = subprocess.run(**command(home), input="/sed 3\n", capture_output=True, text=True, timeout=120)
    assert outcome.returncode == 1 and outcome.stderr.startswith("error: /sed: is no command; ")
    assert outcome.stderr.count("\n") == 1


class Terminal:
    """A chat in a pseudo-terminal of some width."""

    def __init__(self, home: Path, width: int, *arguments: str):
        self.master, inside = pty.openpty()
        ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", 30, width, 0, 0))
        self.process = subprocess.Popen(
            **command(home, *arguments), stdin=inside, stdout=inside, stderr=inside, start_new_session=True
        )
        os.close(inside)
        self.shown = ""

    def wait_for(self, text: str, *, times: int = 1, seconds: float = 300) -> None:
        end = time.monotonic() + seconds
        while self.shown.count(text) < times:
            assert time.monotonic() < end, self.shown
            self.read()

    def read(self) -> None:
        if select.select([self.master], [], [], 0.1)[0]:
            self.shown += os.read(self.master, 4096).decode(errors="replace")

    def send(self, line: str) -> None:
        os.write(self.master, f"{line}\n".encode())


@pytest.mark.slow
@pytest.mark.parametrize(("width", "beside"), [(100, True), (60, False)])
def test_in_a_terminal_arms_stand_side_by_side_where_there_is_room(home: Path, width: int, beside: bool) -> None:
    terminal = Terminal(home, width, "demo")
    terminal.wait_for("you: ")
    terminal.send(QUESTION)
    terminal.wait_for("you: ", times=2)
    terminal.send("/reset")
    terminal.wait_for("you: ", times=3)
    terminal.send("/quit")
    assert terminal.process.wait(timeout=120) == 0
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", terminal.shown)
    assert bool(re.search(r"base +persona", plain)) == beside
    assert ("persona:" in plain) != beside


@pytest.mark.slow
def test_ctrl_c_stops_an_answer_and_not_the_program(home: Path) -> None:
    terminal = Terminal(home, 60, "demo", "--arm", "shuffled", "--max-tokens", "2000", "--temperature", "5")
    terminal.wait_for("you: ")
    terminal.send(QUESTION)
    terminal.wait_for("shuffled:")
    written = len(terminal.shown)
    while len(terminal.shown) < written + 20:
        terminal.read()
    assert terminal.shown.count("you: ") == 1
    os.killpg(terminal.process.pid, signal.SIGINT)
    terminal.wait_for("you: ", times=2)
    assert len(terminal.shown) < written + 3000  # 2,000 tokens are more
    # At the prompt: another prompt. Readline takes no notice of a signal that comes before it waits for a key.
    while terminal.shown.count("you: ") < 3:
        os.killpg(terminal.process.pid, signal.SIGINT)
        with suppress(AssertionError):
            terminal.wait_for("you: ", times=3, seconds=2)
    terminal.send("/nonsense")
    terminal.wait_for("is no command")
    terminal.wait_for("you: ", times=4)
    os.write(terminal.master, b"\x04")
    assert terminal.process.wait(timeout=120) == 0
    assert "Traceback" not in terminal.shown
