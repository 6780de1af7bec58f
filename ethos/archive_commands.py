"""`ethos verify` and `ethos reproduce`: checking an archive, and making its run again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ethos.errors import BadInput

_archive = click.argument("archive", type=click.Path(exists=True, dir_okay=False, path_type=Path))


@click.command("verify")
@_archive
def verify_command(archive: Path) -> None:
    """Check ARCHIVE: every file's hash, its description, its adapters, the zip itself. Exit code 1 on damage."""
    from ethos.archive import open_zip
    from ethos.verify import check_archive, read_manifest

    if findings := check_archive(archive):
        for finding in findings:
            click.echo(finding)
        click.echo(f"{archive}: {len(findings)} finding{'s' if len(findings) > 1 else ''}")
        raise SystemExit(1)
    with open_zip(archive) as opened:
        manifest = read_manifest(opened)
    click.echo(f"{archive}: run {manifest.run}, {len(manifest.files) + 1} files, all as they were written")
    click.echo(f"content digest {manifest.digest}")


def _models(context: click.Context, parameter: click.Parameter, given: tuple[str, ...]) -> dict[str, Path]:
    models = {}
    for pair in given:
        name, equals, folder = pair.partition("=")
        if not equals or not Path(folder).is_dir():
            raise BadInput(f"{pair!r} is not NAME=FOLDER with a folder that exists", field="--model")
        models[name] = Path(folder)
    return models


def _execution(context: click.Context, parameter: click.Parameter, path: Path | None) -> dict[str, Any]:
    from ethos.execution_settings import Execution
    from ethos.yaml_file import YamlFile

    if path is None:
        return {}
    file = YamlFile(path)
    file.parse(Execution)
    if "store" in file.value:
        raise file.error("the run has a store of its own, in its folder; leave it out", ["store"])
    return file.value


def _profile(context: click.Context, parameter: click.Parameter, profile: str) -> str:
    """A folder here; else one of the archive, or one that Snakemake knows by name."""
    return str(Path(profile).absolute()) if profile and Path(profile).is_dir() else profile


@click.command("reproduce")
@_archive
@click.option(
    "--folder", type=click.Path(path_type=Path), help="Made, with the run in it.  [default: ARCHIVE-reproduced]"
)
@click.option(
    "--model", "models", metavar="NAME=FOLDER", multiple=True, callback=_models, help="A model's folder; repeat it."
)
@click.option("--from-scratch", is_flag=True, help="Without the archived answers and trainings: every model is run.")
@click.option(
    "--execution",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    callback=_execution,
    help="YAML with settings of `execution`, in place of the archived ones.",
)
@click.option(
    "--profile",
    default="",
    callback=_profile,
    help="Snakemake profile that runs the jobs, as `slurm`.  [default: here]",
)
def reproduce_command(
    archive: Path,
    folder: Path | None,
    models: dict[str, Path],
    from_scratch: bool,
    execution: dict[str, Any],
    profile: str,
) -> None:
    """Make the run of ARCHIVE again in a fresh folder, from its own sources, and compare. It runs the archive's code.

    A replay answers from the archived store, needs no model, and must give the archived digest. From scratch, bytes are
    equal where the embedded engine computes all on the same kind of CPU; elsewhere metrics must agree within their
    intervals. Exit code 1 otherwise.
    """
    from ethos.reproduce import reproduce

    folder = folder or Path(f"{archive.stem}-reproduced")
    outcome = reproduce(archive, folder, models, from_scratch=from_scratch, given=execution, profile=profile)
    if outcome.differs is None:
        click.echo(f"{folder}: content digest {outcome.manifest.digest}, as archived")
        return
    click.echo(f"{folder}: {outcome.differs} is the first artifact that differs from the archive")
    if (agreement := outcome.agreement) is not None:
        for line in agreement.apart:
            click.echo(f"  {line}")
        click.echo(f"{agreement.n - len(agreement.apart)} of {agreement.n} metrics agree within their intervals")
    if not from_scratch:
        raise BadInput("a replay must give the archived bytes", path=folder)
    if outcome.same_class:
        raise BadInput(
            "this machine, its packages and its settings are of the archived kind; bytes should be equal", path=folder
        )
    if agreement is None or not agreement.holds:
        raise BadInput("more metrics part from the archived ones than chance explains", path=folder)
