"""The order of responses becomes ranks and preference pairs, and what must not be ranked is not."""

from __future__ import annotations

import yaml
from click.testing import CliRunner

from ethos.stage_settings import Ranking
from ethos.tables import RANKINGS, RESPONSES, read_table, table_from, write_table
from scripts.rank_responses import by_question, main, preference_pairs, rank
from tests.test_rankers import CONSTITUTION, TRAITS, Scorer, response


def test_ranks_begin_at_one_and_ties_share_one():
    assert rank([0.5, 2.0, 0.5, -1.0]) == [2, 1, 2, 4]


def texts_by_question(rows: list[dict], *, with_plain: bool) -> dict[str, list[str]]:
    return {question: [row["response"] for row in group] for question, group in by_question(rows, with_plain).items()}


def test_only_usable_responses_in_character_are_ranked_and_only_in_company():
    rows = [
        response("a", 0), response("b", 1), response("c", 2, filtered="cut_off"), response("d", 0, author="plain"),
        response("alone", 0, "r"), response("filtered", 1, "r", filtered="empty"), response("e", 0, "r", author="plain"),
    ]  # fmt: skip
    assert texts_by_question(rows, with_plain=False) == {"q": ["a", "b"]}


def test_with_plain_the_plain_response_competes_too_if_it_is_usable():
    rows = [
        response("a", 0), response("b", 1), response("c", 2, filtered="cut_off"), response("d", 0, author="plain"),
        response("e", 0, "r"), response("f", 0, "r", author="plain"), response("g", 0, "r", author="teacher"),
        response("h", 0, "s"), response("", 0, "s", author="plain", filtered="empty"), response("i", 0, "t", author="plain"),
    ]  # fmt: skip
    assert texts_by_question(rows, with_plain=True) == {"q": ["a", "b", "d"], "r": ["e", "f"]}


def test_the_rankings_name_the_author_of_each_response(tmp_path, monkeypatch):
    """Two responses of one number are two rows of the table."""
    rows = [
        row | {"tokens": 1, "finish_reason": "stop"}
        for row in (response("poem", 0), response("prose", 1), response("list", 0, author="plain"))
    ]
    write_table(tmp_path / "responses.parquet", table_from(rows, RESPONSES))
    (tmp_path / "calm.yaml").write_text(
        yaml.safe_dump(CONSTITUTION.model_dump(mode="json", exclude_none=True) | {"traits": [TRAITS[0]]})
    )
    (tmp_path / "identity.json").write_text("{}")
    scorer = Scorer({"poem": 0.5, "prose": -0.25, "list": -0.5})
    monkeypatch.setattr("scripts.rank_responses.StoredEngine", lambda *arguments, **options: scorer)
    for with_plain, ranks in ((False, []), (True, [("plain", 0, 3)])):
        settings = Ranking(method="likelihood_ratio", with_plain=with_plain).model_dump_json()
        files = {"constitution": "calm.yaml", "responses": "responses.parquet", "judge": "identity.json"}
        files |= {name: f"{name}-{with_plain}" for name in ("rankings", "pairs", "agreement")}
        paths = [part for name, file in files.items() for part in (f"--{name}", str(tmp_path / file))]
        outcome = CliRunner().invoke(main, [*paths, "--settings", settings], catch_exceptions=False)
        assert outcome.exit_code == 0, outcome.output
        found = read_table(tmp_path / f"rankings-{with_plain}", RANKINGS).to_pylist()
        assert [(row["author"], row["sample"], row["rank"]) for row in found] == [
            ("in_character", 0, 1),
            ("in_character", 1, 2),
            *ranks,
        ]


def test_pairs_are_those_of_widest_margin_and_never_of_equals():
    groups = {"q": [response(text, sample) for sample, text in enumerate("abcd")]}
    pairs = [
        (row["chosen"], row["rejected"], row["margin"])
        for row in preference_pairs(groups, {"q": [1.0, 4.0, 1.0, 0.0]}, most=3)
    ]
    assert pairs[0] == ("b", "d", 4.0)
    assert sorted(pairs[1:]) == [("b", "a", 3.0), ("b", "c", 3.0)]
    every = preference_pairs(groups, {"q": [1.0, 4.0, 1.0, 0.0]}, most=99)
    assert len(every) == 5
    assert ("a", "c") not in {(row["chosen"], row["rejected"]) for row in every}
    assert preference_pairs(groups, {"q": [0.0] * 4}, most=3) == []
