"""Messages from elsewhere that were prepared in the store, and which of them a run asks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ethos.ledger import note_used, prompts_line
from ethos.near_duplicates import NearDuplicates
from ethos.seeds import derive_seed
from ethos.tables import PROMPTS, read_table


def read_prompts(path: Path) -> list[str]:
    """The texts of a prepared set; the results of this job stand on it from now on."""
    texts = read_table(path, PROMPTS)["text"].to_pylist()
    note_used([prompts_line(path.parent)])
    return texts


def draw_prompts(
    texts: Sequence[str], count: int, asked: NearDuplicates, seed: int
) -> tuple[list[str], dict[str, int]]:
    """Draw `count` texts; and say how many were passed over as `near_duplicate` of what is asked, and how many are `missing`.

    Each text has a draw of its own, so that adding texts moves none but those they outdo. asked: all texts that are asked
    already; what is drawn is added.
    """
    drawn: list[str] = []
    passed_over = 0
    for text in sorted(texts, key=lambda text: derive_seed(seed, "extra", text)):
        if len(drawn) == count:
            break
        if asked.of(text):
            passed_over += 1
        else:
            asked.add(text)
            drawn.append(text)
    counts = {"near_duplicate": passed_over, "missing": count - len(drawn)}
    return drawn, {reason: number for reason, number in counts.items() if number}
