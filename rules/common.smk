"""What all rules share: the validated settings, and the named functions that give rules their inputs and parameters.

A param function takes wildcards only: with `input` or `resources` in its signature Snakemake would stop watching it.
"""

import re
import sys
from functools import cache
from operator import attrgetter
from pathlib import Path

sys.path.insert(0, str(Path(workflow.basedir)))

from ethos.arms import ARM_FILES, ARMS
from ethos.constitution import load_constitution
from ethos.counts import labelled_constitutions
from ethos.errors import BadInput
from ethos.execution import export
from ethos.explain import Parameter, nested, speak_in_words
from ethos.files import canonical_json, check_writable, sha256_of_file, sha256_of_text
from ethos.fingerprint import code_version, prompt_fingerprints
from ethos.leave_out import leave_out_each
from ethos.provenance import source_files
from ethos.settings import settings_from
from ethos.section import Section

shell.prefix("set -euo pipefail; export PYTHONPATH=${{PYTHONPATH:-}}:$PWD; ")


def refuse(error):
    """End with the one line that says what is wrong; a traceback would bury it."""
    print(f"error: {error}", file=sys.stderr, flush=True)
    sys.exit(1)


try:
    settings = settings_from(config, [str(path) for path in workflow.configfiles])
    constitutions = {
        name: load_constitution(f"constitutions/{name}.yaml") for name in settings.constitutions
    }
    # Without each trait in turn, by the name in results; made by `leave_out_trait`.
    measured = settings.contributions
    variants = leave_out_each(constitutions[measured.constitution]) if measured else {}
    constitutions |= variants
    # Whose traits `evaluate_drift` measures; they need not be trained.
    drifted_to = {
        name: constitutions.get(name) or load_constitution(f"constitutions/{name}.yaml")
        for name in settings.drifted_to
    }
    # Whose labelled pairs `evaluate_judges` asks judges about.
    labelled = {
        name: constitutions.get(name) or load_constitution(f"constitutions/{name}.yaml")
        for name in labelled_constitutions(settings)
    }
    for number, arm in enumerate(settings.evaluation.drift.arms):
        if arm not in ARMS:
            raise BadInput(
                f"{arm!r} is no arm; known: {', '.join(ARMS)}",
                path=(workflow.configfiles or ["--config"])[-1],
                field=f"evaluation.drift.arms.{number}",
            )
    for folder in ("results", "logs", "benchmarks", settings.execution.store):
        check_writable(Path(folder))
    for name in settings.asked_models:
        model = settings.models[name]
        prepared = Path(settings.execution.store, "models", model.folder(name), "identity.json")
        if model.local and not model.local.is_dir() and not prepared.is_file():
            raise BadInput(
                "no such folder; correct the config",
                path=model.local,
                field=f"models.{name}.source",
            )
    for number, prompts in enumerate(settings.questions.extra):
        if prompts.file and not prompts.file.is_file():
            raise BadInput(
                "no such file; correct the config",
                path=prompts.file,
                field=f"questions.extra.{number}.source",
            )
except BadInput as error:
    refuse(error)

export(settings.execution, settings.run)
speak_in_words()
store = settings.execution.store


model_folders = {model.folder(name): name for name, model in settings.models.items()}


wildcard_constraints:
    run=re.escape(settings.run),
    student="|".join(map(re.escape, settings.students)),
    constitution="|".join(map(re.escape, constitutions)),
    trait=r"[a-z][a-z0-9_]*",
    seed=r"\d+",
    folder="|".join(map(re.escape, model_folders)),


def model_identity(name):
    """The identity file of a prepared model."""
    return f"{store}/models/{settings.models[name].folder(name)}/identity.json"


def identity_of(role):
    """The identity file of the model that plays a role: teacher, judge, or the student of the wildcards."""
    return student_identity if role == "student" else model_identity(getattr(settings, role))


def student_identity(wildcards):
    """The identity file of the student that a path names."""
    return model_identity(wildcards.student)


def constitution_file(wildcards):
    """The constitution, watched by its content (`constitution_of`), not by its date."""
    name = wildcards.constitution
    if name in variants:
        return ancient(
            f"results/{wildcards.run}/constitutions/{name}/{constitutions[name].name}.yaml"
        )
    return ancient(f"constitutions/{name}.yaml")


def constitution_files(wildcards):
    """All constitutions of the run, watched by their content (`all_constitutions`)."""
    return [ancient(f"constitutions/{name}.yaml") for name in settings.constitutions]


@cache
def constitution_parameter(name, part):
    """A part of a constitution, free of comments, key order and layout."""
    said = constitutions[name].canonical()[part]
    return Parameter(canonical_json(said), constitution={name: {part: said}})


def constitution_of(part):
    """What a constitution says as its `traits` or its `cues`: what a rule needs, and no more."""

    def parameter(wildcards):
        return constitution_parameter(wildcards.constitution, part)

    return parameter


def all_constitutions(wildcards):
    """What the run's constitutions say as traits and cues; their descriptions are for people."""
    said = {
        name: {part: constitutions[name].canonical()[part] for part in ("traits", "cues")}
        for name in settings.constitutions
    }
    return Parameter(canonical_json(said), constitution=said)


def settings_of(place, part=None):
    """The settings at a place, `rankings` or `evaluation.confidence`: what a rule needs, and no more.

    part: of a section, only the fields that this class of settings has. Sections are handed over as JSON.
    """
    found = attrgetter(place)(settings)
    if isinstance(found, Section):
        value = found.model_dump(mode="json", include=part and set(part.model_fields))
        return constant(Parameter(canonical_json(value), settings=nested(place, value)))
    return constant(Parameter(str(found), settings=nested(place, found)))


def renaming(wildcards):
    """The teacher's names, and the student's that takes their place, as JSON; none where the teacher is the student."""
    teacher, student = settings.teacher, wildcards.student
    names = settings.models[teacher].names if teacher != student else []
    instead = settings.models[student].names[0] if names else ""
    return Parameter(
        canonical_json({"names": names, "instead": instead}),
        settings={"models": {student: {"names": instead}, teacher: {"names": names}}},
    )


def result_settings(wildcards):
    """All settings that mean something, as JSON."""
    value = settings.model_dump(mode="json", exclude={"execution"})
    return Parameter(canonical_json(value), settings=value)


def constant(value):
    """A parameter that no wildcard changes. As a function, since Snakemake fills in the braces of a text."""

    def parameter(wildcards):
        return value

    return parameter


def code_of(rule):
    """The code of a rule, its script with every project module that it imports."""
    version = code_version(Path(workflow.basedir) / "scripts" / f"{rule}.py")
    return constant(Parameter(canonical_json(version), code=version))


def prompts_of(rule):
    """The prompts that a rule's code names, by content."""
    prompts = prompt_fingerprints(Path(workflow.basedir) / "scripts" / f"{rule}.py")
    return constant(Parameter(canonical_json(prompts), prompts=prompts))


# What makes the arms; the folder of each is the arm's name.
arm_files = [
    f"results/{{run}}/{{student}}/{{constitution}}/seed{{seed}}/{arm}/{file}"
    for arm, file in ARM_FILES.items()
]


# The adapter at equal parts of its training; the last part ends with the adapter itself.
snapshots = [
    f"results/{{run}}/{{student}}/{{constitution}}/seed{{seed}}/aligned/snapshots/{number}/{name}"
    for number in range(1, settings.alignment.snapshots)
    for name in ("adapter_model.safetensors", "adapter_config.json")
]


def report_templates(wildcards):
    """The page of the report, its sections, its style and its script."""
    page = (".jinja", ".css", ".js")
    return sorted(str(path) for path in Path("report").rglob("*") if path.suffix in page)


def archived_sources(wildcards):
    """What a run is made by: the project's files, and the run's constitutions."""
    return [
        *source_files(Path()),
        *(
            f"constitutions/{name}.yaml"
            for name in {**constitutions, **drifted_to, **labelled}
            if name not in variants
        ),
    ]


def cells(*patterns):
    """The paths of every student, constitution and seed of the run."""
    return expand(
        patterns,
        run=settings.run,
        student=settings.students,
        constitution=settings.constitutions,
        seed=settings.seeds,
    )


# All threads of a job that runs a model are its own.
model_threads = settings.execution.threads
