"""`ethos plan`: what a run would cost if it were started now. Nothing runs."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from ethos.budget import Use, refuse_beyond, spell_amount, used
from ethos.errors import BadInput
from ethos.model_settings import check_key
from ethos.plan import Plan, Planner
from ethos.plan_table import plan_table, tell_not_fetched
from ethos.run_steps import steps_of
from ethos.settings import Settings
from ethos.store import answered_models
from ethos.throughput import measured
from ethos.work import read_work, unfinished_work
from ethos.workload import RULES
from ethos.yaml_file import YamlFile

# Snakemake makes the workflow, and hands it to nobody; the Snakefile notes it here.
_noted: dict[str, Any] = {}


def note_run(workflow: Any, **made_of: Any) -> None:
    """Note the workflow that Snakemake has just read. made_of: `settings`, `constitutions` and `drifted_to`, as for `Planner`."""
    _noted.update(workflow=workflow, made_of=made_of)


def plan_noted_run() -> tuple[Settings, Plan]:
    """The plan of the noted run, whose jobs Snakemake has found."""
    settings: Settings = _noted["made_of"]["settings"]
    store = Path(settings.execution.store)
    planner = Planner(**_noted["made_of"], throughput=measured(store), unfinished=unfinished_work(store))
    return settings, planner.plan(steps_of(_noted["workflow"].dag))


def used_so_far(settings: Settings) -> Use:
    """What the run has used by now."""
    return used(read_work(Path(settings.execution.store)), settings.run, settings.execution)


def refuse_over_budget() -> None:
    """Raise BadInput where what the noted run has used and what it is expected to use pass its budget."""
    settings: Settings = _noted["made_of"]["settings"]
    if settings.execution.budget.model_dump(exclude_none=True):
        _, plan = plan_noted_run()
        if plan.total.jobs_to_do:
            budget, guessed = settings.execution.budget, tell_not_fetched(plan)
            refuse_beyond(budget, used_so_far(settings), plan.use, "what is to do", but=guessed)


def refuse_missing_keys() -> None:
    """Raise BadInput where a job of the noted run will ask a model whose key is not set. Where the store has answers of the
    model, they may be all that it needs."""
    settings: Settings = _noted["made_of"]["settings"]
    dag = _noted["workflow"].dag
    asked = {
        Path(str(path)).parent.name
        for job in dag.jobs
        if job.rule.name.removesuffix("_shard") in RULES and dag.needrun(job)
        for path in job.input
    }
    answered = answered_models(Path(settings.execution.store))
    for name, model in settings.models.items():
        if model.folder(name) in asked and name not in answered:
            check_key(name, model.key)


@click.command("plan")
@click.option(
    "--configfile",
    "files",
    type=click.Path(path_type=Path),
    multiple=True,
    help="The run's file, as for snakemake.  [default: config.yaml]",
)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.argument("targets", nargs=-1, metavar="[TARGET]...")
def plan_command(files: tuple[Path, ...], as_json: bool, targets: tuple[str, ...]) -> None:
    """Print what a run would cost if it were started now: calls, tokens, time, GPU-hours, disk, money. Nothing runs.

    TARGET: as for snakemake, where not the whole run is wanted.
    """
    if not Path("Snakefile").is_file():
        raise BadInput("no such file; run ethos plan in the project's folder", path="Snakefile")
    for file in files:
        if not file.is_file():
            raise BadInput("no such file; name the run's file", path=file)
    for file in files or [Path("config.yaml")]:
        YamlFile(file)  # names the line of what is no YAML, as Snakemake does not
    _dry_run([*(["--configfile", *map(str, files)] if files else []), "--", *targets])
    settings, plan = plan_noted_run()
    budget, so_far = settings.execution.budget.model_dump(exclude_none=True), asdict(used_so_far(settings))
    if as_json:
        click.echo(
            json.dumps({**plan.as_json(), "budget": budget, "used": so_far, "to_use": asdict(plan.use)}, indent=1)
        )
    else:
        click.echo(plan_table(plan))
        for name, limit in budget.items():
            spelt = map(spell_amount, (limit, so_far[name], getattr(plan.use, name)))
            click.echo("Budget of {}: {}; used {}, to use about {}.".format(name, *spelt))


def _dry_run(arguments: list[str]) -> None:
    """Let Snakemake read the workflow and find its jobs; of what it says, only what is wrong is told."""
    from snakemake.cli import args_to_api, parse_args

    said = io.StringIO()
    try:
        with redirect_stderr(said), redirect_stdout(said):
            # With these two, Snakemake stops once it knows the jobs.
            parser, parsed = parse_args(["--dry-run", "--nolock", "--quiet", "progress", "rules", *arguments])
            found = args_to_api(parsed, parser)
    except SystemExit:
        found = False
    if not found:
        head, found_jobs, rest = said.getvalue().partition("Building DAG of jobs...\n")
        lines = (rest if found_jobs else head).splitlines()
        click.echo("\n".join([line for line in lines if line.startswith("error: ")] or lines), err=True)
        raise SystemExit(1)
