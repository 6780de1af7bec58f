"""Every way to align runs through Snakemake to the report; only what it touches is made again."""

from __future__ import annotations

from pathlib import Path

import pytest

from ethos.files import read_json
from ethos.tables import EXAMPLES, METRICS, read_table
from tests.conftest import Checkout, results_by_content

pytestmark = pytest.mark.slow
CELL = Path("results/test/tiny/poeticism/seed0")
GRPO = "method: grpo\n  grpo: {generations: 4, max_new_tokens: 16}"


def test_an_alignment_is_watched_from_base_to_the_aligned_arm(finished: Checkout) -> None:
    """The last step is the arm itself, with the numbers and the intervals of the headline."""
    evaluations = finished.folder / CELL / "evaluations"
    steps = read_table(evaluations / "overoptimisation.parquet", METRICS).to_pylist()
    total = len(read_json(finished.folder / CELL / "aligned/history.json"))
    assert {row["slice"] for row in steps} == {f"step {step} of {total}" for step in (0, -(-total // 2), total)}
    arms = read_table(evaluations / "character.parquet", METRICS).to_pylist()
    for slice_, arm, reference in ((0, "base", None), (total, "aligned", None), (total, "aligned", "base")):
        here = [row for row in steps if (row["slice"], row["reference"]) == (f"step {slice_} of {total}", reference)]
        expected = [row for row in arms if (row["slice"], row["arm"], row["reference"]) == ("all", arm, reference)]
        assert len(here) == 7
        for name in ("metric", "value", "ci_low", "ci_high", "n", "judge"):
            assert [row[name] for row in here] == [row[name] for row in expected], name


@pytest.mark.parametrize(("method", "said"), [("method: best_of_n", "best response"), (GRPO, "question")])
def test_another_method_runs_to_the_report(finished: Checkout, tmp_path: Path, method: str, said: str) -> None:
    copy = finished.copy(tmp_path / "copy")
    copy.edit("config/test.yaml", "  snapshots: 2", f"  snapshots: 2\n  {method}")
    copy.edit("config/test.yaml", "evaluation:\n", "evaluation:\n  which: []\n")  # those beside the character
    outcome = copy.snakemake()
    assert outcome.returncode == 0, outcome.stderr[-4000:]
    before, after = results_by_content(finished.folder), results_by_content(copy.folder)
    assert list(before) == list(after)
    changed = {
        str(Path(name).relative_to(CELL))
        for name in before
        if before[name] != after[name] and CELL in Path(name).parents
    }
    assert {"aligned/adapter_model.safetensors", "shuffled/adapter_model.safetensors"} <= changed
    assert not any(name.startswith(("preference_model/", "distilled/", "persona/", "rewards")) for name in changed)
    for arm in ("aligned", "shuffled"):
        count = read_table(copy.folder / CELL / arm / "examples.parquet", EXAMPLES).num_rows
        assert count == read_json(copy.folder / CELL / arm / "examples.json")["given"]
    page = (copy.folder / "results/test/report/index.html").read_text()
    assert f"trained the aligned adapter on {count} {said}s." in page
    history = read_json(copy.folder / CELL / "aligned/history.json")
    assert all(("reward" in entry and "kl" in entry) == (method == GRPO) for entry in history)
