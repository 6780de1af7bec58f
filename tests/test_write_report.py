"""The report says what the numbers say."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest

from ethos.arms import ARMS
from ethos.files import write_json
from ethos.report_values import choose_examples
from ethos.run_results import read_cells
from ethos.tables import METRICS, read_table, table_from, write_table
from scripts.write_report import metrics_csv
from tests.fake_metrics import TRAITS
from tests.fake_results import build_run, fake_settings, write_report
from tests.page_elements import Elements


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    build_run(folder / "results", fake_settings())
    header = "s\th:m:s\tmax_rss\tmax_vms\n"
    for rule, seconds, memory in (
        ("generate_questions", 31.5, "812.40"),
        ("train_aligned", 90.25, "1930.11"),
        ("write_report", 4, "9"),
        ("merge_persona", 0.2, "-"),
    ):
        path = folder / "benchmarks" / "demo" / "smollm2" / f"{rule}.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(header + f"{seconds}\t0:00:31\t{memory}\t2000\n")
    write_report(folder, fake_settings())
    return folder


@pytest.fixture(scope="module")
def page(built) -> str:
    return (built / "report" / "index.html").read_text()


def spaced(page: str) -> str:
    """The text of a page, its elements apart."""
    return " ".join(re.sub(r"<[^>]*>", " ", page).split())


def test_the_tables_show_exactly_the_numbers_of_the_metrics(built, page):
    shown = [float(attributes["value"]) for tag, attributes in Elements(page).tags if tag == "data"]
    rows = [row for seed in read_cells(built / "results", fake_settings())[0].seeds for row in seed.metrics]
    expected = [
        row[name]
        for row in rows
        if row["slice"] == "all" and row["metric"] != "calibration_error_by_chance"
        for name in ("value", "ci_low", "ci_high")
        if row[name] is not None
    ]
    others = len(ARMS) - 1
    assert len(expected) == 3 * 7 * (2 * len(ARMS) - 1 + 3) + 3 * 5 + 1 + (3 * 3 + 3) * others
    assert set(expected) <= set(shown)


def test_the_headline_numbers_stand_beside_the_verdicts(built, page):
    with open(built / "report" / "metrics.csv") as file:
        rows = list(csv.DictReader(file))
    row = next(
        r
        for r in rows
        if (r["arm"], r["metric"], r["reference"], r["slice"]) == ("persona", "likelihood_ratio", "base", "all")
    )
    low, high, value = (f"{float(row[name]):+.3f}" for name in ("ci_low", "ci_high", "value"))
    assert f"likelihood ratio, persona − base: {value} [{low}, {high}] nats per token" in Elements(page).text.replace(
        "\N{NO-BREAK SPACE}", " "
    )


def test_metrics_csv_has_the_schema_and_reads_back_exactly(built):
    cells = read_cells(built / "results", fake_settings())
    text = (built / "report" / "metrics.csv").read_text()
    rows = list(csv.DictReader(text.splitlines()))
    assert text.splitlines()[0].split(",") == METRICS.names
    original = {(r["arm"], r["reference"] or "", r["metric"], r["slice"]): r for r in cells[0].seeds[0].metrics}
    assert len(rows) == len(original)
    for row in rows:
        bound = original[row["arm"], row["reference"], row["metric"], row["slice"]]["ci_low"]
        assert row["ci_low"] == ("" if bound is None else repr(bound))
    assert metrics_csv(cells) == text


def test_equal_results_give_equal_bytes(built):
    again = write_report(built, fake_settings(), "again")
    first = sorted(path.relative_to(built / "report") for path in (built / "report").rglob("*") if path.is_file())
    assert [str(path) for path in first if path.suffix == ".svg"], "no figures were written"
    for path in first:
        assert (again.parent / path).read_bytes() == (built / "report" / path).read_bytes(), path


def test_a_failed_verdict_is_shown_as_failed(page):
    card = page[page.index("<h4>aligned") :]
    card = card[: card.index("</section>")]
    assert re.findall(r'class="badge [a-z-]+">([^<]+)<', card) == ["yes", "no", "no", "no", "no", "no"]
    assert "1 of 6 yes" in Elements(card).text
    assert "times base’s own; at most 2.5" in card


def test_examples_are_the_lowest_held_out_ids_in_the_order_of_traits(built):
    cell = read_cells(built / "results", fake_settings())[0]
    chosen = choose_examples(cell, cell.seeds[0], 7)
    lowest = {
        trait: sorted(
            row["question_id"] for row in cell.questions if row["trait"] == trait and row["split"] == "held_out"
        )
        for trait in TRAITS
    }
    expected = [lowest[trait][0] for trait in TRAITS] + [lowest[trait][1] for trait in TRAITS[:2]]
    assert [example["question"]["question_id"] for example in chosen] == expected
    assert all([arm for arm, _ in example["answers"]] == list(ARMS) for example in chosen)


def test_responses_that_were_cut_off_are_marked(page):
    assert page.count("cut off at its limit of 64 tokens") == 3  # prompted, in each of three examples


def test_counts_are_told(page):
    text = " ".join(Elements(page).text.split())
    assert "5 traits, 45 questions, of which 15 were held out" in text
    assert "355 responses and trained the aligned adapter on 53 preference pairs" in text
    assert re.search(r">near duplicate</th><td>10<", page) and re.search(
        r">refused</th><td>5<", page
    )  # over five traits
    assert "asked for 40 50 30 used 11 3 1" in spaced(page)
    assert (
        "Of the teacher’s 58 responses, 52 train the distilled adapter (3 with the teacher’s name replaced by the student’s); "
        "4 were dropped, and 2 had no usable plain response to stand against." in text
    )
    assert "one seed" in text


def test_the_preference_model_is_told_with_what_its_numbers_are_compared_with(page):
    section = page[page.index('<section id="preference-model-') :]
    text = spaced(section[: section.index("</section>")])
    assert "On 73 held-out pairs of 24 questions" in text and "24 questions are few" in text
    assert "Accuracy 0.712 0.592 to 0.832 24 0.5 is chance" in text
    assert "Calibration error 0.117 no interval 73 0.068 from so few pairs if its claims were exactly true" in text
    assert "held out, widest margins (24)" in text and "speaks in metaphors (24)" in text


def test_other_rankers_are_told_only_where_some_were_asked(tmp_path, page):
    assert "Other rankers" not in page
    settings = fake_settings(rankings={"method": "likelihood_ratio", "compared": ["listwise", "pairwise"]})
    build_run(tmp_path / "results", settings)
    text = spaced(write_report(tmp_path, settings).read_text())
    assert "Other rankers, on 12 questions" in text
    assert "listwise +0.41 +0.17 to +0.62 9 3 decided 20, order dependent 13, pairs 36, unparsed 3" in text
    assert "pairwise – 0 12 decided 0, order dependent 36, pairs 36" in text


def test_a_preference_model_without_a_held_out_pair_is_said_to_be_untested(tmp_path):
    build_run(tmp_path / "results", fake_settings())
    evaluations = tmp_path / "results" / "smollm2" / "poeticism" / "seed0" / "evaluations"
    write_table(evaluations / "preference_model.parquet", table_from([], METRICS))
    write_json(evaluations / "preference_model.json", {"pairs": {}, "responses": 0, "reliability": [], "lengths": []})
    assert "It could not be tested: there was no held-out pair." in write_report(tmp_path, fake_settings()).read_text()


def test_time_is_summed_by_stage_without_the_report_itself(page):
    assert "2 min 02 s over all jobs" in page


@pytest.mark.slow
def test_several_students_constitutions_and_seeds_have_a_section_each(tmp_path):
    models = {name: {"source": f"path:models/{name}"} for name in ("small", "large")}
    changes = {
        "models": models,
        "students": ["small", "large"],
        "teacher": "large",
        "judge": "large",
        "constitutions": ["humor", "poeticism"],
        "seeds": [0, 1, 2],
    }
    settings = fake_settings(**changes, report={"headline": "poeticism", "examples": 2})
    build_run(tmp_path / "results", settings)
    page = write_report(tmp_path, settings).read_text()
    ids = {attributes.get("id") for _, attributes in Elements(page).tags}
    assert {"poeticism-small", "poeticism-large", "humor-small", "humor-large"} <= ids
    assert page.index('id="poeticism-small"') < page.index('id="humor-small"')
    assert (
        page.count('<section class="verdict-card"') == 2 * 2 * (1 + 3) * 2
    )  # constitutions, students, seeds and mean, arms
    assert "each of the 3 seeds is shown by itself" in page and "No benchmarks were found" in page
    cells = read_cells(tmp_path / "results", settings)
    rows = sum(len(seed.metrics) for cell in cells for seed in cell.seeds) + sum(len(cell.over_seeds) for cell in cells)
    assert len(metrics_csv(cells).splitlines()) == 1 + rows
    text = spaced(section(page, "preferences-poeticism-small"))
    assert "student large like 0.33 0.13 to 0.53" in text and "student small" not in text


def test_without_cues_the_report_says_that_it_cannot_tell(tmp_path):
    build_run(tmp_path / "results", fake_settings())
    path = tmp_path / "results/smollm2/poeticism/seed0/evaluations/character.parquet"
    rows = [row for row in read_table(path, METRICS).to_pylist() if row["metric"] != "cue_rate"]
    write_table(path, table_from(rows, METRICS))
    page = write_report(tmp_path, fake_settings()).read_text()
    assert page.count('<span class="badge cannot-tell">cannot tell</span>') == 2 * 2  # two questions of two arms


def test_settings_are_shown_resolved(page):
    shown = page[page.index("<pre") :]
    assert "max_perplexity_ratio: 2.5" in shown and "data_seed: 0" in shown
    assert (
        json.loads(fake_settings().model_dump_json())["evaluation"]["resamples"] == 9999 and "resamples: 9999" in shown
    )


def section(page: str, name: str) -> str:
    start = page.index(f'<section id="{name}')
    return page[start : page.index("</section>", start)]


def test_traits_that_moved_beyond_chance_are_named_and_told_out_of_how_many(page):
    text = spaced(section(page, "preferences-"))
    assert "2 of 14; rose: poetic; fell: blunt" in text and text.count("0 of 14") == 3 * (len(ARMS) - 1) - 1
    assert "poetic 1425" in text and "25%" in text and "The judge, smollm2," in text
    for way in ("would like better to be", "feels more like itself", "at random"):
        assert (
            f"Told to take the trait {'that it ' if 'would' in way else 'that ' if 'feels' in way else ''}{way}" in text
        )


def test_preferences_told_by_likelihood_are_said_to_be(tmp_path):
    settings = fake_settings(evaluation={"preferences": {"verdict": "likelihood", "conditions": ["like"]}})
    build_run(tmp_path / "results", settings)
    text = spaced(section(write_report(tmp_path, settings).read_text(), "preferences-"))
    assert "told by smollm2 itself" in text and "feels more" not in text


def test_coherence_is_told_raw_and_at_equal_length_against_every_other_arm(page):
    text = spaced(section(page, "coherence-"))
    assert "base 0.71 0.59 to 0.83 0.62 0.49 to 0.75 15 1.40 1.20 to 1.60 20% 0% 7%" in text
    assert all(arm in text for arm in ARMS)


def test_what_a_run_does_not_evaluate_has_no_section(tmp_path):
    settings = fake_settings(evaluation={"which": []})
    build_run(tmp_path / "results", settings)
    page = write_report(tmp_path, settings).read_text()
    assert "preferences-" not in page and "coherence-" not in page


def test_where_no_verdict_could_be_read_the_report_says_so(tmp_path):
    settings = fake_settings()
    build_run(tmp_path / "results", settings)
    path = tmp_path / "results/smollm2/poeticism/seed0/evaluations/coherence.parquet"
    rows = [
        row for row in read_table(path, METRICS).to_pylist() if row["metric"] in ("order_dependent", "same", "unparsed")
    ]
    write_table(path, table_from([row | {"value": float(row["metric"] == "unparsed")} for row in rows], METRICS))
    text = section(write_report(tmp_path, settings).read_text(), "coherence-")
    assert "figure-coherence" not in text and "base – – 0 – 0% 0% 100%" in spaced(text)
