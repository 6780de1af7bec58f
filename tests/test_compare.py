"""What differs from an archive is named, and chance is not taken for a difference."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ethos.compare import compare_metrics, first_difference
from ethos.files import sha256_of_file

HEAD = "arm,metric,value,ci_low,ci_high,interval,n,n_seeds\n"


@pytest.fixture
def made(tmp_path: Path) -> dict[str, str]:
    """Three results, made in the order c, a, b."""
    for second, name in enumerate("cab"):
        path = tmp_path / "results" / f"{name}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(name)
        os.utime(path, (1e9 + second, 1e9 + second))
    return {f"results/{name}.json": sha256_of_file(tmp_path / f"results/{name}.json") for name in "abc"}


def test_equal_results_do_not_differ(made: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "results/index.html").write_text("no part of the digest")
    assert first_difference(made, tmp_path) is None


@pytest.mark.parametrize(
    ("changed", "first"), [("ab", "a"), ("bc", "c"), ("abc", "c"), ("b", "b")], ids=lambda names: f"{names} differ"
)
def test_the_artifact_that_was_made_first_is_named(
    made: dict[str, str], tmp_path: Path, changed: str, first: str
) -> None:
    for name in changed:
        made[f"results/{name}.json"] = "0" * 64
    assert first_difference(made, tmp_path) == f"results/{first}.json"


def test_a_result_that_was_not_made_or_not_expected_differs(made: dict[str, str], tmp_path: Path) -> None:
    assert first_difference({**made, "results/d.json": "0"}, tmp_path) == "results/d.json"
    del made["results/a.json"]
    assert first_difference(made, tmp_path) == "results/a.json"


def table(*rows: str) -> str:
    return HEAD + "".join(f"{row},bootstrap,9,1\n" for row in rows)


def test_intervals_that_overlap_agree_and_others_are_told() -> None:
    before = table("persona,ratio,2,1,3", "aligned,ratio,2,1,3", "base,length,9,,")
    after = table("persona,ratio,4,3,5", "aligned,ratio,9,8,10", "base,length,1,,")
    agreement = compare_metrics(before, after, confidence=0.95)
    assert (agreement.n, agreement.apart) == (2, ["aligned ratio: 1 to 3 against 8 to 10"])
    assert not agreement.holds


def test_of_many_metrics_as_many_may_part_as_their_confidence_lets() -> None:
    same = [f"persona,metric{number},2,1,3" for number in range(20)]
    apart = [f"persona,metric{number},9,8,10" for number in range(20)]
    assert compare_metrics(table(*same), table(*apart[:1], *same[1:]), confidence=0.95).holds
    assert not compare_metrics(table(*same), table(*apart[:2], *same[2:]), confidence=0.95).holds


def test_a_metric_that_one_side_lacks_parts() -> None:
    agreement = compare_metrics(table("persona,ratio,2,1,3"), table(), confidence=0.95)
    assert agreement.apart == ["persona ratio: 1 to 3 against none"]
    assert not compare_metrics(table(), table(), confidence=0.95).holds
