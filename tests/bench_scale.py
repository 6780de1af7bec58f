"""`make bench`: wall time and memory of the generation stages at a hundred to ten thousand questions.

The engine is a stand-in that answers at once, so what is measured is all that the pipeline does around a model: requests,
store, near-duplicates, filters, tables. It should grow no faster than the questions do.
"""

from __future__ import annotations

import os
import random
import resource
import runpy
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from ethos.engine import Completion, Request, Score, ScoreRequest
from ethos.files import canonical_json, sha256_of_text, write_json
from ethos.stored_engine import StoredEngine

ROOT = Path(__file__).resolve().parent.parent
CONSTITUTION = ROOT / "constitutions" / "poeticism.yaml"
TRAITS, PER_LIST, PER_QUESTION = 10, 50, 5
SIZES = (100, 1_000, 10_000)
WORDS = [
    "how",
    "can",
    "I",
    "plan",
    "a",
    "quiet",
    "week",
    "with",
    "friends",
    "and",
    "save",
    "money",
    "for",
    "the",
    "garden",
    "before",
    "winter",
    "comes",
    "back",
    "to",
    "town",
]


class StandIn:
    """Answers each request at once, by its seed: a list of questions where a list is asked for, else a few sentences."""

    def generate(self, requests: Sequence[Request], on_answer: Callable[[int, Completion], None]) -> None:
        for index, request in enumerate(requests):
            draw = random.Random(request.seed)
            lines = [" ".join(draw.choices(WORDS, k=12)) for _ in range(PER_LIST)]
            if request.prefill:
                text = "\n".join(f"{number}. {line}?" for number, line in enumerate(lines, 1)).removeprefix("1. ")
            else:
                text = " ".join(f"{line.capitalize()}." for line in lines[:5])
            on_answer(index, Completion(text, "stop", 100, 60))

    def score(self, requests: Sequence[ScoreRequest], on_answer: Callable[[int, Score], None]) -> None:
        for index, request in enumerate(requests):
            on_answer(index, Score(-random.Random(request.response).uniform(30, 90), 60))


def stages(folder: Path, questions: int) -> dict[str, list[str]]:
    """The arguments of each stage's script, in order."""
    write_json(
        folder / "identity.json",
        {"name": "stand-in", "content": sha256_of_text("stand-in"), "dtype": "float32", "trust_remote_code": False},
    )
    model = folder / "identity.json"
    asked = {"generated_per_trait": questions // TRAITS, "attempts": 50, "per_list": PER_LIST, "general": 0}
    tables = {name: folder / f"{name}.parquet" for name in ("questions", "responses", "teacher", "rankings", "pairs")}
    options = {
        "generate_questions": {
            "model": model,
            "settings": canonical_json(asked),
            "questions": tables["questions"],
            "counts": folder / "questions.json",
        },
        "generate_teacher_responses": {
            "questions": tables["questions"],
            "teacher": model,
            "per-question": PER_QUESTION,
            "responses": tables["teacher"],
            "counts": folder / "teacher.json",
        },
        "generate_responses": {
            "questions": tables["questions"],
            "student": model,
            "settings": canonical_json({"per_question": PER_QUESTION}),
            "responses": tables["responses"],
            "counts": folder / "responses.json",
        },
        "rank_responses": {
            "responses": tables["responses"],
            "judge": model,
            "settings": canonical_json({"method": "likelihood_ratio"}),
            "rankings": tables["rankings"],
            "pairs": tables["pairs"],
            "agreement": folder / "rankings.json",
        },
    }
    return {
        stage: [f"--{name}={value}" for name, value in {"constitution": CONSTITUTION, **own}.items()]
        for stage, own in options.items()
    }


def run_stage(name: str, arguments: list[str]) -> None:
    """Run a script on the stand-in, and print its seconds and its peak memory."""
    StoredEngine._load = lambda self: StandIn()
    StoredEngine._where = lambda self: "stand-in"
    sys.argv = [name, *arguments]
    started = time.perf_counter()
    try:
        runpy.run_path(str(ROOT / "scripts" / f"{name}.py"), run_name="__main__")
    except SystemExit as end:
        if end.code:
            raise
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{time.perf_counter() - started:.3f} {peak:.0f}")


def main() -> None:
    print(f"{'stage':28}" + "".join(f"{size:>10,} questions, ms each, MiB" for size in SIZES), flush=True)
    measured: dict[str, list[str]] = {}
    for size in SIZES:
        with tempfile.TemporaryDirectory() as scratch:
            environment = {
                **os.environ,
                "PYTHONPATH": str(ROOT),
                "ETHOS_EXECUTION": canonical_json({"store": f"{scratch}/store", "log_level": "warning"}),
            }
            for name, arguments in stages(Path(scratch), size).items():
                outcome = subprocess.run(
                    [sys.executable, __file__, name, *arguments],
                    env=environment,
                    cwd=ROOT,
                    check=True,
                    capture_output=True,
                    text=True,
                )
                seconds, peak = map(float, outcome.stdout.split()[-2:])
                measured.setdefault(name, []).append(f"{seconds:8.2f} s{1000 * seconds / size:9.2f}{peak:9.0f}")
    for name, columns in measured.items():
        print(f"{name:28}" + "".join(f"{column:>32}" for column in columns))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        run_stage(sys.argv[1], sys.argv[2:])
    else:
        main()
