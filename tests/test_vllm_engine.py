"""A real vLLM server on the CPU, started by this process: what it says of our models and adapters, and how it ends."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from ethos.api_engine import ApiEngine
from ethos.engine import Completion, Request, Sampling, Score, ScoreRequest, chat
from ethos.errors import BadInput
from ethos.execution_settings import VLLM_VERSION, ApiLimits
from ethos.files import write_json
from ethos.judging import ask_in_both_orders
from ethos.steering import SteeringVector
from ethos.stored_engine import StoredEngine
from ethos.transformers_engine import TransformersEngine
from ethos.vllm_engine import VllmEngine, loadable
from ethos.vllm_server import Loadable, VllmServer, vllm_python
from tests.conftest import vllm_execution
from tests.test_engines import GREEDY, QUESTIONS, REQUESTS, SAMPLING, generate, score
from tests.test_server_guard import comes_true

pytestmark = pytest.mark.slow
TEXTS = ("The moon whispers to the stars.", "The cook can check the list. Your doctor will need your money.")


def test_an_adapter_that_was_trained_here_gives_what_it_gives_embedded(
    vllm_server: VllmServer, wide_model: Path, wide_adapter: Path
) -> None:
    """In float32: the same greedy texts, and log-probabilities within 1e-4 of a sum of some tens of tokens."""
    asked = [Request(request.messages, GREEDY, 0) for request in REQUESTS]
    scored = [ScoreRequest(request.messages, text) for request in REQUESTS for text in TEXTS]
    ours, theirs = (
        {
            adapter: (generate(engine, asked), score(engine, scored))
            for adapter, engine in (("base", make()), ("adapter", make(wide_adapter)))
        }
        for make in (
            lambda adapter=None: VllmEngine(wide_model, adapter=adapter, dtype="float32"),
            lambda *adapters: TransformersEngine(wide_model, adapters=adapters, dtype="float32"),
        )
    )
    for adapter in ("base", "adapter"):
        assert ours[adapter][0] == theirs[adapter][0]
        for own, other in zip(ours[adapter][1], theirs[adapter][1], strict=True):
            assert own.log_probability == pytest.approx(other.log_probability, abs=1e-4)
    assert ours["base"][0] != ours["adapter"][0]
    assert max(abs(one.mean - other.mean) for one, other in zip(ours["base"][1], ours["adapter"][1], strict=True)) > 0.1


def test_a_server_is_started_for_any_rank_that_vllm_has_and_for_no_other(tmp_path: Path) -> None:
    def of(rank: int) -> Loadable:
        write_json(tmp_path / "adapter_config.json", {"r": rank, "target_modules": ["model.layers.0.mlp.up_proj"]})
        return loadable(tmp_path)

    assert [of(rank).rank for rank in (4, 128, 129, 512)] == [128, 128, 256, 512]
    assert of(256).holds(of(4)) and not of(128).holds(of(256)) and not Loadable().holds(of(4))
    with pytest.raises(BadInput, match="has rank 513, vLLM serves up to 512"):
        of(513)


def test_a_judge_says_nothing_but_the_answers_that_count(vllm_server: VllmServer, wide_model: Path) -> None:
    choices = ("<answer>1</answer>", "<answer>2</answer>")
    asked = [Request(request.messages, SAMPLING, request.seed) for request in REQUESTS]
    engine = VllmEngine(wide_model, dtype="float32")
    assert not {completion.text for completion in generate(engine, asked)} & {*choices}
    held = [Request(request.messages, SAMPLING, request.seed, choices=choices) for request in REQUESTS]
    assert {completion.text for completion in generate(engine, held)} <= {*choices}


def test_a_judge_may_think_first(vllm_server: VllmServer, wide_model: Path) -> None:
    """Words that the model says anyway are its tags here: it thinks when its reply begins with one, or its prompt ends with one."""
    requests = [Request(chat(user=question), GREEDY, 0) for question in QUESTIONS]
    words = [answer.text.split()[:3] for answer in generate(VllmEngine(wide_model, dtype="float32"), requests)]
    request, (first, second, third) = next(
        (request, own) for request, own in zip(requests, words, strict=True) if own[2][0] not in own[1]
    )
    engine = VllmEngine(wide_model, dtype="float32", thinking_tags=(first, third))
    held = [Request(request.messages, GREEDY, 0, prefill, choices=("It is.",)) for prefill in ("", first)]
    for answer in generate(engine, held):
        assert (answer.thinking, answer.text, answer.finish_reason) == (second, "It is.", "stop")


def test_an_endpoint_that_is_a_real_server(vllm_server: VllmServer, wide_model: Path) -> None:
    with reached_by_http(VllmEngine(wide_model, dtype="float32").server()) as url:
        engine = ApiEngine(
            "far",
            model="base",
            url=url,
            key="",
            limits=ApiLimits(retries=0, timeout_seconds=60),
            thinking_tags=("<think>", "</think>"),
        )
        asked = [Request(chat(user=question), Sampling(max_new_tokens=24), 7, stops=(".",)) for question in QUESTIONS]
        too_long = Request(chat(user="Why? " * 3000), SAMPLING, 0)
        *answers, last = generate_by(engine, [*asked, too_long])
        assert all(answer.text and "." not in answer.text and answer.finish_reason == "stop" for answer in answers)
        assert [answer.text for answer in answers] == [answer.text for answer in generate_by(engine, asked)]
        assert last == Completion("", "too_long", 0, 0)


def generate_by(engine: ApiEngine, requests: list[Request]) -> list[Completion]:
    answers: dict[int, Completion] = {}
    engine.generate(requests, answers.__setitem__)
    return [answers[index] for index in range(len(requests))]


@contextmanager
def reached_by_http(server: VllmServer) -> Iterator[str]:
    """The URL of a port on loopback, each of whose connections is handed on to the server's socket."""

    def hand_on(source: socket.socket, target: socket.socket) -> None:
        while data := source.recv(1 << 16):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)

    def accept() -> None:
        while True:
            try:
                ours, _ = listener.accept()
            except OSError:
                return
            theirs = socket.socket(socket.AF_UNIX)
            theirs.connect(str(server.socket))
            for pair in ((ours, theirs), (theirs, ours)):
                threading.Thread(target=hand_on, args=pair, daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        listener.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def identity(wide_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The prepared model, and a store of its own."""
    monkeypatch.setenv("ETHOS_EXECUTION", vllm_execution(tmp_path / "store"))
    monkeypatch.setattr("ethos.store._opened", {})
    return wide_model / "identity.json"


def test_what_is_in_the_store_needs_no_server(
    vllm_server: VllmServer, identity: Path, wide_adapter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests, scored = REQUESTS[:3], [ScoreRequest(REQUESTS[0].messages, TEXTS[0])]

    def engines() -> list[StoredEngine]:
        return [StoredEngine(identity, stage="test", adapters=adapters) for adapters in ([], [wide_adapter])]

    def answers() -> list[list[Completion | Score]]:
        return [[*engine.generate(requests), *engine.score(scored)] for engine in engines()]

    facts = [engine.store.facts for engine in engines()]
    assert [fact["kind"] for fact in facts] == ["vllm", "vllm"]
    assert facts[0]["libraries"]["vllm"] == VLLM_VERSION and facts[0]["dtype"] == "float32"
    assert len({engine.key for engine in engines()}) == 2
    given = answers()
    assert given[0] != given[1]
    monkeypatch.setenv("ETHOS_EXECUTION", vllm_execution(tmp_path / "store", python="/nowhere"))
    assert answers() == given


def test_a_judge_in_both_orders_is_held_to_its_answers_by_vllm_alone(
    vllm_server: VllmServer, identity: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another engine is asked as ever, so what it once said is found."""
    pairs = list(zip(REQUESTS[:4:2], REQUESTS[1:4:2], strict=True))
    verdicts, _ = ask_in_both_orders(StoredEngine(identity, stage="test"), pairs)
    assert {verdict.kind for verdict in verdicts} <= {"decided", "order_dependent"}
    monkeypatch.setattr("ethos.vllm_server.end_servers", lambda: None)  # other tests go on with it
    embedded = tmp_path / "embedded" / "identity.json"
    shutil.copytree(identity.parent, embedded.parent)
    write_json(embedded, {**json.loads(embedded.read_text()), "engine": "transformers"})
    verdicts, _ = ask_in_both_orders(judge := StoredEngine(embedded, stage="test"), pairs)
    assert {verdict.kind for verdict in verdicts} == {"unparsed"}
    assert len(list(judge.store.find(request.key(judge.key) for pair in pairs for request in pair))) == 4


def test_an_arm_that_is_steered_is_the_embedded_engines(identity: Path) -> None:
    import numpy as np

    vector = SteeringVector(1, 2.0, np.ones(64, dtype=np.float32))
    assert StoredEngine(identity, stage="test", steering=vector).store.facts["kind"] == "transformers"


def test_a_server_that_does_not_start_is_told_in_a_line_with_the_reason(
    wide_model: Path, tmp_path: Path, vllm_server: VllmServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(wide_model, folder := tmp_path / "other")
    monkeypatch.setenv("ETHOS_EXECUTION", vllm_execution(max_model_len=10**6, gpu_memory_utilization=0.4))
    with pytest.raises(BadInput, match=r"other: vLLM's server did not start: .*max_model_len \(1000000\)"):
        generate(VllmEngine(folder, dtype="float32"), REQUESTS[:1])
    assert vllm_server.is_running


def test_where_vllm_is_not_set_up_a_line_says_how(identity: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ethos.execution import execution

    monkeypatch.setenv("ETHOS_EXECUTION", vllm_execution(python="/nowhere/python"))
    with pytest.raises(BadInput, match="/nowhere/python: execution.vllm.python: no such file; `make vllm-cpu` sets"):
        vllm_python(execution(), "cpu")


def test_a_server_goes_when_its_job_is_killed_while_it_starts(vllm_server: VllmServer, wide_model: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from ethos.vllm_server import Loadable, server_of;"
        "server_of(Path(sys.argv[1]), [], context=2048, adapters=Loadable(), device='cpu')"
    )
    mark = f"vllm-test-{os.getpid()}"
    with TemporaryDirectory() as folder:
        environment = os.environ | {"ETHOS_EXECUTION": vllm_execution(), "TMPDIR": folder, "MARK": mark}
        with subprocess.Popen([sys.executable, "-c", code, wide_model], env=environment) as job:
            # The job itself, its guard, the server, and a process of the server's own.
            assert comes_true(lambda: len(processes_with(mark)) >= 4, 300)
            os.kill(job.pid, signal.SIGKILL)
        assert comes_true(lambda: not processes_with(mark) and not [*Path(folder).iterdir()])


def processes_with(mark: str) -> list[str]:
    """The processes in whose environment a mark is; a zombie has none."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if f"MARK={mark}".encode() in (process / "environ").read_bytes().split(b"\0"):
                found.append(process.name)
        except OSError:
            continue
    return found
