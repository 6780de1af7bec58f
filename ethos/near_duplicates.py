"""Texts that say nearly the same, letter by letter; languages that write no spaces included."""

from __future__ import annotations

from datasketch import MinHash, MinHashLSH

from ethos.folding import fold

# Three characters keep `How can I` and `How could I` alike; longer pieces lose the short messages to a single word.
_SHINGLE = 3
# The estimate of a similarity of 0.7 is off by 0.03 (one standard deviation, sqrt(0.7 * 0.3 / 256)).
_PERMUTATIONS, _SEED = 256, 1
_BLANK = MinHash(num_perm=_PERMUTATIONS, seed=_SEED)  # drawing the permutations takes longer than a sketch
# 64 bands of 4 rows find a pair of similarity s with probability 1 - (1 - s^4)^64: 0.98 at 0.5, all but 2e-8 at 0.7.
_BANDS = (64, 4)


class NearDuplicates:
    """Texts so far, found again by what is nearly the same.

    threshold: the least similarity, the Jaccard index of the sets of three-letter pieces of the folded texts, estimated
    by MinHash (Broder 1997, doi:10.1109/SEQUEN.1997.666900).
    """

    def __init__(self, threshold: float):
        self.threshold = threshold
        self._sketches: list[MinHash] = []
        self._index = MinHashLSH(num_perm=_PERMUTATIONS, params=_BANDS)

    def add(self, text: str) -> None:
        sketch = _sketch(text)
        self._index.insert(len(self._sketches), sketch, check_duplication=False)
        self._sketches.append(sketch)

    def of(self, text: str) -> list[int]:
        """The numbers of the texts that are nearly this one, in the order in which they were added."""
        sketch = _sketch(text)
        return sorted(
            number for number in self._index.query(sketch) if sketch.jaccard(self._sketches[number]) >= self.threshold
        )


def _sketch(text: str) -> MinHash:
    folded = fold(text)
    pieces = {folded[start : start + _SHINGLE] for start in range(max(1, len(folded) - _SHINGLE + 1))}
    sketch = _BLANK.copy()
    sketch.update_batch([piece.encode() for piece in sorted(pieces)])
    return sketch
