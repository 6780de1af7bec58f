"""`ethos new`, `ethos import` and `ethos lint`: writing constitutions."""

from __future__ import annotations

import re
from pathlib import Path

import click

from ethos.constitution_text import constitution_text
from ethos.errors import BadInput
from ethos.files import whole_file
from ethos.lint import lint
from ethos.prompts import render_prompt
from ethos.published_formats import constitution_from, read_published

FOLDER = Path("constitutions")


def _name(context: click.Context, parameter: click.Parameter, name: str) -> str:
    if not re.fullmatch("[a-z][a-z0-9_]*", name):
        raise BadInput(f"{name!r} can't name a constitution; use small letters, digits and _, a letter first")
    return name


def _files(named: Path) -> list[Path]:
    """The files of a folder of constitutions; of one, its file, given that or, as in a config, its name."""
    if named.is_dir():
        return _files_in(named)
    return [named if named.suffix or named.exists() else FOLDER / f"{named}.yaml"]


def _files_in(folder: Path) -> list[Path]:
    if not (paths := sorted(folder.glob("*.yaml"))):
        raise BadInput("no constitutions here; name a file, or write one with `ethos new`", path=folder)
    return paths


def _write(path: Path, text: str, force: bool = False) -> None:
    if path.exists() and not force:
        raise BadInput("exists already; choose another name, or move the file away", path=path)
    with whole_file(path) as beside:
        beside.write_text(text, encoding="utf-8")


def _say_what_is_next(path: Path) -> None:
    click.echo(
        f"Next: edit it (docs/constitutions.md), check it (ethos lint {path}), and name it under `constitutions` and "
        "`report.headline` of a copy of config.yaml."
    )


@click.command("new")
@click.argument("name", callback=_name)
def new_command(name: str) -> None:
    """Write constitutions/NAME.yaml, a small constitution to edit, with comments that explain it."""
    path = FOLDER / f"{name}.yaml"
    _write(path, render_prompt("new_constitution", name=name) + "\n")
    click.echo(f"{path}: two traits, as examples.")
    _say_what_is_next(path)


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--name", required=True, callback=_name, help="The constitution's name.")
@click.option("--description", help="A sentence for people.  [default: says where it came from]")
@click.option("--cue", "cues", multiple=True, help="A word that this character uses more; repeat it.")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="[default: constitutions/NAME.yaml]")
@click.option("--force", is_flag=True, help="Overwrite the output.")
def import_command(
    file: Path, name: str, description: str | None, cues: tuple[str, ...], output: Path | None, force: bool
) -> None:
    """Make FILE a constitution: a JSON list or JSON lines as published with Open Character Training.

    All traits and questions are kept in their order, those that a model wrote as `generated_questions`. A line tells
    of each entry that was left out because it was empty or a repetition.
    """
    output = output or FOLDER / f"{name}.yaml"
    if output.name != f"{name}.yaml":
        raise BadInput(f"must be named {name}.yaml, as the constitution", path=output, field="--output")
    imported = constitution_from(read_published(file), name, description or f"Imported from {file.name}.", cues)
    _write(output, constitution_text(imported.constitution), force)
    for line in imported.left_out:
        click.echo(line)
    traits = imported.constitution.traits
    by_hand = sum(len(trait.questions) for trait in traits)
    by_model = sum(len(trait.all_questions) for trait in traits) - by_hand
    click.echo(f"{output}: {len(traits)} traits, {by_hand} questions written by hand, {by_model} by a model.")
    if by_model:
        click.echo("With `questions: {generated_per_trait: 0}` in the run's file, no more are generated.")
    _say_what_is_next(output)


@click.command("lint")
@click.argument("files", nargs=-1, metavar="[NAME|FILE|FOLDER]...", type=click.Path(path_type=Path))
@click.option("--strict", is_flag=True, help="Exit with code 1 on any finding, not only on files that can't be used.")
def lint_command(files: tuple[Path, ...], strict: bool) -> None:
    """Look for weaknesses in constitutions, by default in all of constitutions/. See docs/constitutions.md."""
    paths = [path for named in files for path in _files(named)] or _files_in(FOLDER)
    findings = lint(paths)
    for line in (*findings.errors, *findings.lines):
        click.echo(line)
    counts = [_count(len(paths), "file", "files"), _count(len(findings.errors), "error", "errors")]
    kinds = ", ".join(_count(count, *kind) for kind, count in findings.counts.most_common())
    click.echo(f"{', '.join(counts)}, {_count(findings.counts.total(), 'finding', 'findings')}{kinds and f': {kinds}'}")
    if findings.errors or (strict and findings.lines):
        raise SystemExit(1)


def _count(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"
