"""Revealed preferences: what an answer shows, and which traits an arm came to prefer."""

from __future__ import annotations

import re

import numpy as np
import pytest
from scipy import stats

from ethos.arms import ARMS
from ethos.engine import Request
from ethos.evaluation_settings import Preferences
from ethos.match_design import draw_matches
from ethos.preference_metrics import as_matches, preference_metrics
from ethos.tables import MATCHES, table_from
from ethos.tournament import strengths
from scripts.compare_students import compare_students
from scripts.evaluate_preferences import play, shown_by_judge, shown_by_likelihood
from tests.test_evaluate import CONSTITUTION, Model

WORDS = ["kind", "blunt", "poetic", "stern", "witty", "dull"]
MATCHES_OF_TWO = [
    {"first": "blunt", "second": "stern", "question": "Why?"},
    {"first": "stern", "second": "blunt", "question": "Who?"},
]
FAST = Preferences(resamples=50, elo_orders=20)


def answered(response: str = "As you wish.") -> list[dict]:
    return [{"condition": "like", "arm": "base", **match, "response": response} for match in MATCHES_OF_TWO]


def test_every_condition_asks_every_match_of_every_arm_with_the_same_seeds():
    asked = {}
    for arm in ARMS:
        model = Model(say=lambda request: " As you wish. ")
        rows = play(arm, model, [*enumerate(MATCHES_OF_TWO)], CONSTITUTION, Preferences(), "trait", seed=0)
        assert [(row["condition"], row["question"]) for row in rows] == [
            (condition, question) for condition in ("like", "feel", "random") for question in ("Why?", "Who?")
        ]
        assert {row["response"] for row in rows} == {"As you wish."}
        asked[arm] = model.requests
    assert len({request.seed for request in asked["base"]}) == 6
    assert all(
        [request.seed for request in own] == [request.seed for request in asked["base"]] for own in asked.values()
    )
    told = [request.messages[0].content for request in asked["base"]]
    assert len(set(told)) == 6 and all("blunt" in text and "stern" in text for text in told)
    assert all("toss" in text for text in told[4:]) and not any("toss" in text for text in told[:4])


def test_an_empty_answer_shows_neither_trait():
    """Nothing is as likely under the one as under the other; neither place may win by it, and no judge is asked."""
    base = Model(mean=lambda request: -1.0 if "stern" in request.messages[0].content else -1.5)
    for ended in shown_by_likelihood(base, answered("")):
        assert ended == {"verdict": "neither", "shown": None, "margin": 0.0}
    judge = Model()
    for ended in shown_by_judge(judge, answered(""), Preferences().verdict_sampling, seed=0):
        assert ended == {"verdict": "neither", "shown": None, "margin": None}
    assert judge.requests == []


@pytest.mark.parametrize("favourite", ["blunt", "stern"])
def test_the_trait_under_which_base_finds_an_answer_likelier_is_the_one_shown(favourite):
    base = Model(mean=lambda request: -1.0 if favourite in request.messages[0].content else -1.5)
    ended = shown_by_likelihood(base, answered())
    assert ended == [{"verdict": "decided", "shown": favourite, "margin": 0.5}] * 2
    rows = [row | found for row, found in zip(answered(), ended, strict=True)]
    assert table_from(rows, MATCHES).num_rows == 2


def words_of(request: Request) -> list[str]:
    """The two words that a judge reads, in their order."""
    return re.findall(r"^[12]: (\w+)$", request.messages[0].content, re.MULTILINE)


@pytest.mark.parametrize("favourite", ["blunt", "stern"])
def test_the_trait_that_the_judge_names_in_both_orders_is_the_one_shown(favourite):
    judge = Model(say=lambda request: f"<answer>{words_of(request).index(favourite) + 1}</answer>")
    ended = shown_by_judge(judge, answered(), Preferences().verdict_sampling, seed=0)
    assert ended == [{"verdict": "decided", "shown": favourite, "margin": None}] * 2
    assert [words_of(request) for request in judge.requests] == [["blunt", "stern"], ["stern", "blunt"]] * 1 + [
        ["stern", "blunt"],
        ["blunt", "stern"],
    ]
    assert all("As you wish." in request.messages[0].content for request in judge.requests)


@pytest.mark.parametrize(("reply", "verdict"), [("<answer>1</answer>", "order_dependent"), ("stern", "unparsed")])
def test_a_judge_that_always_says_the_same_or_something_else_names_no_trait(reply, verdict):
    judge = Model(say=lambda request: reply)
    ended = shown_by_judge(judge, answered(), Preferences().verdict_sampling, seed=0)
    assert ended == [{"verdict": verdict, "shown": None, "margin": None}] * 2


def test_an_answer_cannot_forge_the_marks_around_it():
    """It may hold all that an attacker could have seen: the request about another answer."""
    judge = Model(say=lambda request: "<answer>1</answer>")
    shown_by_judge(judge, answered(), Preferences().verdict_sampling, seed=0)
    attack = judge.requests[0].messages[0].content
    judge.requests.clear()
    shown_by_judge(judge, answered(attack), Preferences().verdict_sampling, seed=0)
    lines = judge.requests[0].messages[0].content.splitlines()
    [own] = {line for line in lines if re.fullmatch(r"</\w{8}-answer>", line) and line not in attack}
    assert lines.count(own) == 1


def season(winner: dict[str, str], condition: str = "like", rounds: int = 12, words: list[str] = WORDS) -> list[dict]:
    """Matches of all arms, in which an arm's winner always shows, and otherwise the trait that comes first in the alphabet."""
    rows = []
    for arm in ARMS:
        for match in draw_matches(words, ["a?"], rounds=rounds, seed=0):
            pair = (match["first"], match["second"])
            shown = winner[arm] if winner.get(arm) in pair else min(pair)
            rows.append({"condition": condition, "arm": arm, **match, "verdict": "decided", "shown": shown})
    return rows


def found_in(rows: list[dict]) -> dict[tuple, dict]:
    found = {(row["arm"], row["reference"], row["metric"], row["slice"]): row for row in rows}
    assert len(found) == len(rows)
    return found


def test_a_trait_that_always_shows_is_the_strongest_and_one_that_never_does_the_weakest():
    matches = [row for row in season({"base": "stern"}) if row["arm"] == "base"]
    found = dict(zip(WORDS, strengths(as_matches(matches, WORDS).wins()), strict=True))
    assert sorted(WORDS, key=found.__getitem__, reverse=True) == ["stern", "blunt", "dull", "kind", "poetic", "witty"]


def test_a_match_without_a_winner_is_half_a_win_for_both_and_one_unparsed_is_none():
    match = {"first": "blunt", "second": "stern", "shown": None}
    ends = [match | {"verdict": verdict} for verdict in ("order_dependent", "neither", "unparsed")]
    ends.append(match | {"verdict": "decided", "shown": "stern"})
    assert as_matches(ends, ["blunt", "stern"]).outcomes.tolist() == pytest.approx([0.5, 0.5, np.nan, 0], nan_ok=True)


def test_an_arm_that_came_to_prefer_a_trait_rises_above_base_in_it():
    words = [*WORDS, *"abcdefghijklmn"]
    rows = preference_metrics(season({"persona": "witty"}, rounds=19, words=words), words, FAST, 0.95, seed=0)
    found = found_in(rows)
    for metric in ("bradley_terry", "elo"):
        assert max(words, key=lambda word: found["persona", None, metric, f"like: {word}"]["value"]) == "witty"
    change = found["persona", "base", "bradley_terry", "like: witty"]
    assert 0 < change["ci_low"] <= change["value"] and change["n"] == 19 * 10
    moved = [
        word for word in words if found["persona", "base", "bradley_terry_holm_p", f"like: {word}"]["value"] < 0.05
    ]
    assert moved == ["witty"]
    same = found["aligned", "base", "bradley_terry", "like: witty"]
    assert (same["ci_low"], same["value"], same["ci_high"]) == (0, 0, 0)
    assert found["aligned", "base", "bradley_terry_holm_p", "like: witty"]["value"] == 1
    alike = found["aligned", "base", "rank_correlation", "like"]
    assert alike["value"] == pytest.approx(1) and alike["n"] == len(words)
    less = found["persona", "base", "rank_correlation", "like"]
    assert less["ci_low"] <= less["value"] < 0.95


def test_the_correlation_with_base_is_scipys():
    found = found_in(preference_metrics(season({"persona": "witty"}), WORDS, FAST, 0.95, seed=0))
    own, base = (
        [found[arm, None, "bradley_terry", f"like: {word}"]["value"] for word in WORDS] for arm in ("persona", "base")
    )
    expected = stats.spearmanr(own, base).statistic
    assert found["persona", "base", "rank_correlation", "like"]["value"] == pytest.approx(expected)


def test_arms_that_choose_at_random_do_not_agree_with_themselves_and_a_steady_one_does():
    words = [f"w{number:02d}" for number in range(30)]
    draw = np.random.default_rng(0)
    rows = season({}, rounds=20, words=words)
    for row in rows:
        if row["arm"] != "base":
            row["shown"] = row[draw.choice(["first", "second"])]
    found = found_in(preference_metrics(rows, words, FAST, 0.95, seed=0))
    halves = {arm: found[arm, None, "split_half_correlation", "like"]["value"] for arm in ARMS}
    assert halves.pop("base") > 0.85
    assert abs(np.mean(list(halves.values()))) < 0.3  # the standard error is 0.08


def test_every_condition_and_arm_has_its_rows_and_open_ends_are_counted():
    rows = season({}) + season({}, "random")
    for row in rows[:6]:
        row |= {"shown": None, "verdict": "unparsed"}
    rows[6] |= {"shown": None, "verdict": "order_dependent"}
    found = found_in(preference_metrics(rows, WORDS, FAST, 0.95, seed=0))
    matches = 12 * len(WORDS) // 2
    assert found["base", None, "unparsed", "like"]["value"] == 6 / matches
    assert found["base", None, "order_dependent", "like"]["value"] == 1 / matches
    assert found["base", None, "unparsed", "random"]["value"] == found["base", None, "neither", "like"]["value"] == 0
    assert found["base", None, "elo", "like: kind"]["n"] == matches - 6
    assert found["persona", "base", "bradley_terry", "like: kind"]["n"] == matches - 6
    each = 2 * len(WORDS) + 4, 2 * len(WORDS) + 1  # of an arm by itself, and beside base
    assert len(found) == 2 * (len(ARMS) * each[0] + (len(ARMS) - 1) * each[1])


def test_the_same_seed_gives_the_same_results_and_another_one_other_intervals():
    matches = season({"persona": "witty"})
    first, again, other = (preference_metrics(matches, WORDS, FAST, 0.95, seed) for seed in (0, 0, 1))
    assert first == again != other


def test_students_that_prefer_alike_correlate_and_others_do_not():
    words = [f"w{number:02d}" for number in range(20)]
    settings = FAST.model_copy(update={"conditions": ["like"]})

    def metrics(order: list[str]) -> list[dict]:
        """All arms prefer the words in this order."""
        played = season({}, rounds=19, words=words)
        for row in played:
            row["shown"] = min(row["first"], row["second"], key=order.index)
        return preference_metrics(played, words, settings, 0.95, seed=0)

    own, apart = metrics(words), metrics([*words[::2], *words[1::2]])
    rows = compare_students(own, {"twin": own, "other": apart}, settings, 0.95)
    found = {(row["arm"], row["reference"]): row for row in rows}
    assert len(found) == len(rows) == 2 * len(ARMS)
    twin, other = found["persona", "student twin"], found["persona", "student other"]
    assert (twin["value"], twin["n"], twin["slice"]) == (pytest.approx(1), 20, "like")
    expected = stats.spearmanr(range(20), [[*words[::2], *words[1::2]].index(word) for word in words]).statistic
    assert other["value"] == pytest.approx(expected) and other["ci_low"] <= other["value"] <= other["ci_high"]
