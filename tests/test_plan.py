"""A plan adds up: what is in the store costs nothing, an edit costs what it changes, and the longest path is the longest."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ethos import plan_command
from ethos.constitution import load_constitution
from ethos.cost import Cost
from ethos.counts import count
from ethos.errors import BadInput
from ethos.explain import Parameter, edited_traits
from ethos.plan import Planner
from ethos.plan_table import plan_table, tell_not_fetched
from ethos.resources import weight_folders
from ethos.run_steps import Step, Steps
from ethos.settings import Settings, load_settings
from ethos.throughput import START, Throughput
from ethos.work import Work
from ethos.workload import workload
from tests.conftest import ROOT

TINY = load_settings(ROOT / "config/test.yaml")
POETICISM = load_constitution(ROOT / "constitutions/poeticism.yaml")
CELL = {"run": "test", "student": "tiny", "constitution": "poeticism", "seed": "0"}
QUESTIONS, RESPONSES, RANKINGS, REPORT = range(4)
CHAIN = [
    Step("generate_questions", CELL),
    Step("generate_responses", CELL, (QUESTIONS,)),
    Step("rank_responses", CELL, (RESPONSES,)),
    Step("write_report", {"run": "test"}, (QUESTIONS, RANKINGS)),
]


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """Of a job that asked three times."""
    path = tmp_path / "used.txt"
    path.write_text("".join(f"completion {'a' * 16} {number:064x}\n" for number in range(3)) + "model tiny-1\n")
    return path


def changed(**sections) -> Settings:
    return Settings.model_validate(TINY.model_dump() | sections)


def planned(steps: list[Step], folder: Path, settings: Settings = TINY, *works: Work, **unfinished: list[Work]):
    throughput = Throughput(works)
    planner = Planner(settings, {"poeticism": POETICISM}, throughput=throughput, unfinished=unfinished, results=folder)
    return planner.plan(Steps(steps))


def test_a_first_run_has_all_to_do_and_its_stages_stand_in_the_order_of_the_run(tmp_path: Path):
    plan = planned(
        [replace(CHAIN[3], after=(1, 3)), CHAIN[0], replace(CHAIN[1], after=(1,)), replace(CHAIN[2], after=(2,))],
        tmp_path,
    )
    assert list(plan.stages) == ["generate_questions", "generate_responses", "rank_responses", "write_report"]
    responses = plan.stages["generate_responses"]
    assert (responses.calls, responses.calls_to_do, responses.exact, responses.measured) == (
        64 * 3,
        64 * 3,
        False,
        False,
    )
    assert plan.total.jobs_to_do == 4 and plan.stages["write_report"].seconds == START
    assert plan.longest == (pytest.approx(plan.total.seconds), list(plan.stages))


def test_what_need_not_run_costs_nothing_and_has_the_calls_that_are_on_record(tmp_path: Path, ledger: Path):
    plan = planned([replace(step, needed=False, ledger=ledger) for step in CHAIN], tmp_path)
    ranked = plan.stages["rank_responses"]
    assert (ranked.calls, ranked.calls_to_do, ranked.exact) == (3, 0, True) and ranked.tokens > 0
    total = plan.total
    assert not any((total.jobs_to_do, total.calls_to_do, total.tokens_to_do, total.seconds, total.disk, total.money))
    assert plan.longest == (0, [])


@pytest.mark.parametrize(("scope", "told"), [("trait", 2 / 10), ("constitution", 1)])
def test_edited_traits_cost_their_share_and_all_where_all_traits_are_told_at_once(tmp_path, ledger, scope, told):
    settings = changed(responses=TINY.responses.model_dump() | {"scope": scope})
    edited = frozenset({"savours_sound", "writes_in_verse"})
    steps = [replace(step, ledger=ledger) for step in CHAIN]
    plan = planned([replace(steps[0], edited=edited), *steps[1:]], tmp_path, settings)
    assert plan.stages["generate_questions"].calls_to_do == pytest.approx(10 * 0.2)
    in_character, plain = 64 * 2, 64
    assert plan.stages["generate_responses"].calls_to_do == pytest.approx(in_character * told + plain * 0.2)


def test_another_change_costs_all_that_follows_it_and_a_lost_file_nothing(tmp_path: Path, ledger: Path):
    steps = [replace(step, ledger=ledger) for step in CHAIN]
    plan = planned([steps[0], replace(steps[1], otherwise=True), *steps[2:]], tmp_path)
    assert plan.stages["generate_questions"].calls_to_do == 0
    for stage in ("generate_responses", "rank_responses"):
        assert plan.stages[stage].calls_to_do == plan.stages[stage].calls > 0


def test_what_was_trained_anew_answers_anew_but_base_does_not(tmp_path: Path, ledger: Path):
    steps = [
        Step("train_distilled", CELL, edited=frozenset({"savours_sound"}), ledger=ledger),
        Step("evaluate_capabilities", CELL, (0,), ledger=ledger),
    ]
    plan = planned(steps, tmp_path)
    assert plan.stages["train_distilled"].trainings_to_do == 1
    # Six items with four choices and six plain texts; base, prompted, and five more.
    assert plan.stages["evaluate_capabilities"].calls_to_do == pytest.approx(24 * 0.1 + 5 * 30)


def test_what_finished_jobs_asked_of_what_was_expected_is_expected_of_others(tmp_path: Path, ledger: Path):
    done = Step("generate_responses", CELL, needed=False, ledger=ledger)
    told = planned([done, Step("generate_responses", CELL | {"seed": "1"})], tmp_path).stages["generate_responses"]
    assert (told.calls, told.calls_to_do, told.exact) == (3 + 3, 3, False)


def test_time_and_tokens_follow_what_was_measured(tmp_path: Path):
    works = [Work("generate", "generate_responses", "tiny", 10, 5.0, "cpu", 2.0, 1_000, 200)]
    alone = planned([replace(CHAIN[1], after=())], tmp_path, TINY, *works).stages["generate_responses"]
    assert alone.tokens_to_do == pytest.approx(192 * 120)
    assert alone.seconds == pytest.approx(START + 2.0 + 192 * 0.5) and alone.measured


def test_hours_of_a_gpu_are_those_of_what_is_computed_here(tmp_path: Path):
    far = {"far": {"source": "api:big@https://api.example.org/v1"}}
    settings = changed(
        models=TINY.model_dump()["models"] | far,
        teacher="far",
        execution={"device": "cuda", "jobs": {"gpus": 2}, "api": {"far": {"prompt_price": 3, "completion_price": 15}}},
    )
    plan = planned([*CHAIN[:2], Step("generate_teacher_responses", CELL, (0,))], tmp_path, settings)
    assert plan.stages["generate_responses"].gpu_hours == pytest.approx(
        2 * plan.stages["generate_responses"].seconds / 3600
    )
    assert plan.stages["generate_responses"].money == plan.stages["generate_teacher_responses"].gpu_hours == 0
    teacher = plan.stages["generate_teacher_responses"]
    assert 3 * teacher.tokens_to_do / 10**6 < teacher.money < 15 * teacher.tokens_to_do / 10**6
    assert plan.use.money == plan.total.money and plan.use.gpu_hours == plan.total.gpu_hours


def test_a_model_that_is_not_fetched_is_named_last_and_no_more_once_it_is(tmp_path: Path, ledger: Path):
    models = {"tiny": {"source": "hub:some/model@main"}, "far": {"source": "api:big@https://api.example.org/v1"}}
    settings = changed(models=models, execution={"store": str(tmp_path)})
    told = planned(CHAIN, tmp_path, settings)
    said = "Not fetched yet, so counted as eight billion parameters: tiny. After `snakemake prepare` the plan knows the size."
    assert plan_table(told).splitlines()[-1] == tell_not_fetched(told) == said
    assert told.as_json()["not_fetched"] == ["tiny"]
    done = planned([replace(step, needed=False, ledger=ledger) for step in CHAIN], tmp_path, settings)
    assert not done.not_fetched  # nothing is to do
    [folder] = weight_folders(settings, "tiny")
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(bytes(1_500_000))
    fetched = planned(CHAIN, tmp_path, settings)
    assert fetched.total.seconds < told.total.seconds
    assert tell_not_fetched(fetched) == "" and "Not fetched" not in plan_table(fetched)


def test_a_budget_that_a_guess_passes_is_refused_with_the_models_that_were_guessed(tmp_path: Path, monkeypatch):
    settings = changed(
        models={"tiny": {"source": "hub:some/model@main"}}, execution={"store": str(tmp_path), "budget": {"hours": 0.1}}
    )
    told = settings, planned(CHAIN, tmp_path, settings)
    monkeypatch.setitem(plan_command._noted, "made_of", {"settings": settings})
    monkeypatch.setattr("ethos.plan_command.plan_noted_run", lambda: told)
    with pytest.raises(
        BadInput, match=r"^execution.budget.hours: 0 of 0\.1 .* Not fetched yet, .*: tiny\. After `snake"
    ):
        plan_command.refuse_over_budget()


def test_a_merged_persona_takes_the_ranks_of_both_and_no_copy_in_the_store(tmp_path: Path, ledger: Path):
    ranks = {"distillation": 16, "introspection": 8}
    settings = changed(
        **{name: getattr(TINY, name).model_dump() | {"lora": {"rank": rank}} for name, rank in ranks.items()}
    )
    steps = [Step("train_distilled", CELL), Step("merge_persona", CELL, (0,))]
    stages = planned(steps, tmp_path, settings).stages
    of_rank = stages["train_distilled"].disk / 2 / 16
    assert stages["merge_persona"].disk == pytest.approx(of_rank * (16 + 8)) and of_rank > 0
    again = planned([steps[0], replace(steps[1], ledger=ledger)], tmp_path, settings).stages["merge_persona"]
    assert (again.jobs_to_do, again.disk) == (1, 0)  # written over


@pytest.mark.parametrize("shards", [0, 4])
def test_what_killed_jobs_have_answered_is_not_to_do_again(tmp_path: Path, shards: int):
    killed = [
        Work("generate", "generate_responses", "tiny", calls, 5.0, "cpu", 0, 100 * calls, 20 * calls)
        for calls in (40, 50)
    ]
    parts = [Step("generate_responses_shard", CELL | {"shard": f"{number + 1}-of-4"}) for number in range(shards)]
    steps = [*parts, replace(CHAIN[1], after=tuple(range(shards)), unfinished="one")]
    other = replace(CHAIN[2], after=(shards,), unfinished="other")
    stages = planned([*steps, other], tmp_path, TINY, *killed, one=killed).stages
    told = stages["generate_responses"]
    assert (told.calls, told.calls_to_do, told.tokens_to_do) == (192, 192 - 90, pytest.approx((192 - 90) * 120))
    assert not told.exact
    assert stages["rank_responses"].calls_to_do == stages["rank_responses"].calls > 0
    more = [replace(killed[0], calls=1000)]  # of an edit before
    assert planned(steps, tmp_path, TINY, *killed, one=more).stages["generate_responses"].calls_to_do == 0


@pytest.mark.parametrize("device", ["cuda", "auto"])
def test_a_training_in_four_processes_takes_their_gpus_for_a_quarter_of_the_time(tmp_path: Path, device: str):
    def told(processes: int) -> Cost:
        execution = {"device": device, "training": {"processes": processes}}
        dpo = TINY.distillation.model_dump() | {"batch_size": 4}
        batches = {
            name: getattr(TINY, name).model_dump() | {"batch_size": 4}
            for name in ("preference_model", "alignment", "introspection")
        }
        settings = changed(execution=execution, distillation=dpo, **batches)
        gpu = Work("generate", "generate_questions", "tiny", 10, 5.0, "cuda")  # what `auto` gave when last asked
        return planned([Step("train_distilled", CELL)], tmp_path, settings, gpu).stages["train_distilled"]

    assert told(4).seconds - START == pytest.approx((told(1).seconds - START) / 4)
    assert told(1).gpu_hours == pytest.approx(told(1).seconds / 3600)
    assert told(4).gpu_hours == pytest.approx(4 * told(4).seconds / 3600)


def test_what_shards_answer_is_shared_among_them_and_counted_once(tmp_path: Path):
    work = Work("generate", "generate_responses", "tiny", 10, 5.0, "cpu", 2.0, 1_000, 200)
    shards = [Step("generate_responses_shard", CELL | {"shard": f"{number}-of-4"}) for number in (1, 2, 3, 4)]
    plan = planned([*shards, replace(CHAIN[1], after=(0, 1, 2, 3))], tmp_path, TINY, work)
    divided = plan.stages["generate_responses"]
    assert list(plan.stages) == ["generate_responses"] and divided.jobs == divided.jobs_to_do == 5
    assert (divided.calls, divided.calls_to_do, divided.tokens_to_do) == (192, 192, pytest.approx(192 * 120))
    # All start, and all but the last load the model. In the longest chain stand one shard, and what puts all together.
    assert divided.seconds == pytest.approx(192 * 0.5 + 4 * 2.0 + 5 * START)
    assert plan.longest[0] == pytest.approx(192 * 0.5 / 4 + 2.0 + 2 * START)


def test_what_is_equal_in_all_cells_is_counted_once_or_not_at_all_where_one_has_asked_it(tmp_path: Path, ledger: Path):
    judged = [Step("evaluate_judges", CELL | {"seed": seed}) for seed in "012"]
    own, shared = (
        sum(
            ask.calls
            for ask in workload("evaluate_judges", TINY, count(TINY, POETICISM))
            if (ask.part == "labelled") is whose
        )
        for whose in (False, True)
    )
    assert planned(judged, tmp_path).total.calls_to_do == 3 * own + shared
    done = replace(judged[2], needed=False, ledger=ledger)
    assert planned([*judged[:2], done], tmp_path).total.calls_to_do == 2 * own and shared > 0


def test_the_longest_path_is_that_of_most_time_and_not_of_most_jobs():
    steps = Steps([Step("a", {}), Step("b", {}, (0,)), Step("c", {}, (1,)), Step("d", {}, (0,)), Step("e", {}, (2, 3))])
    assert steps.longest_path([1, 2, 3, 10, 1]) == (12, [0, 3, 4])
    assert steps.longest_path([1, 2, 9, 10, 1]) == (13, [0, 1, 2, 4])
    assert Steps([]).longest_path([]) == (0, [])


@pytest.mark.parametrize(
    ("old", "new", "edited"),
    [
        ({"constitution": {"a": {"cues": ["x"]}}}, {"constitution": {"a": {"cues": []}}}, set()),
        (
            {"constitution": {"a": {"traits": [{"id": "one", "text": "1"}, {"id": "two", "text": "2"}]}}},
            {"constitution": {"a": {"traits": [{"id": "one", "text": "1"}, {"id": "two", "text": "II"}, {"id": "new"}]}}},
            {"two", "new"},
        ),
        ({"settings": {"data_seed": 0}}, {"settings": {"data_seed": 1}}, None),
        ({"code": {"a.py": "1"}}, {"code": {"a.py": "2"}}, None),
    ],
)  # fmt: skip
def test_an_edit_is_of_traits_alone_or_of_something_else(old, new, edited):
    assert edited_traits([repr(Parameter("", **old))], [repr(Parameter("", **new))]) == edited


def test_the_table_marks_what_is_expected_and_names_only_what_is_asked_for():
    first, second = Cost(2, 1, 30, 20, exact=False, seconds=90, measured=False), Cost(1, 1, 5, 5, 70, 70, seconds=30)
    plan = planned([], Path())
    plan = replace(plan, stages={"sample_arms": first, "rank_responses": second}, longest=(90, ["sample_arms"]))
    lines = plan_table(plan).splitlines()
    assert lines[0].split() == [
        "stage",
        "jobs",
        "to",
        "run",
        "calls",
        "to",
        "do",
        "tokens",
        "to",
        "do",
        "time",
        "MB",
        "of",
        "disk",
    ]
    assert lines[1].split() == ["sample_arms", "2", "1", "~30", "~20", "0", "0", "~1", "min", "30", "s", "0"]
    assert lines[2].split() == ["rank_responses", "1", "1", "5", "5", "~70", "~70", "30", "s", "0"]
    assert lines[3].split() == ["all", "3", "2", "~35", "~25", "~70", "~70", "~2", "min", "00", "s", "0"]
    assert "Longest path, 1 min 30 s: sample_arms." in lines
