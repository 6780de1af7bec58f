"""`make bench`: seconds and memory of opening a store of a hundred thousand completions and looking them up."""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ethos.files import sha256_of_text
from ethos.segments import line_of
from ethos.store import CompletionStore

SEGMENTS, LINES, CHARACTERS = 50, 2000, 1000
WORDS = "the moon whispers to a quiet river and the dawn drifts beneath golden petals of song "


def key(number: int) -> str:
    return sha256_of_text(str(number))


def fill(folder: Path) -> None:
    """Write the segments, each in one piece: how fast a disk flushes is not what is measured."""
    folder.mkdir(parents=True)
    text = (WORDS * (CHARACTERS // len(WORDS) + 1))[:CHARACTERS]
    answer = {"text": text, "finish_reason": "stop", "prompt_tokens": 100, "completion_tokens": 250, "thinking": ""}
    for segment in range(SEGMENTS):
        numbers = range(segment * LINES, (segment + 1) * LINES)
        (folder / f"{segment:032x}.jsonl").write_bytes(b"".join(line_of(key(n), "bench", answer) for n in numbers))


def look_up(folder: Path, count: int) -> None:
    """Print how long it takes to open the store and to hold this many of its answers, and the peak memory."""
    step = SEGMENTS * LINES // count
    keys = [key(number * step) for number in range(count)]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    started = time.perf_counter()
    found = dict(CompletionStore(folder, {}).find(keys))
    seconds = time.perf_counter() - started
    assert len(found) == count
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"  {count:7,} of them: {seconds:.2f} s, {peak:.0f} MiB at the peak ({before:.0f} before)", flush=True)


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "model"
        fill(folder)
        print(f"open a store of {SEGMENTS * LINES:,} completions of {CHARACTERS:,} characters, and look up", flush=True)
        for count in (1, 1000, SEGMENTS * LINES):  # in processes of their own, for the memory
            subprocess.run([sys.executable, __file__, folder, str(count)], check=True)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        look_up(Path(sys.argv[1]), int(sys.argv[2]))
    else:
        main()
