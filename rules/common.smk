"""What all rules share: the validated settings, and the named functions that give rules their inputs and parameters.

A param function takes wildcards only: with `input` or `resources` in its signature Snakemake would stop watching it.
"""

import re
import sys
from functools import cache
from operator import attrgetter
from pathlib import Path

sys.path.insert(0, str(Path(workflow.basedir)))

from ethos.constitution import load_constitution
from ethos.errors import BadInput
from ethos.execution import export
from ethos.explain import Parameter, nested, speak_in_words
from ethos.files import canonical_json, check_writable, sha256_of_text
from ethos.fingerprint import code_version, prompt_fingerprints
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
    for folder in ("results", "logs", "benchmarks", settings.execution.store):
        check_writable(Path(folder))
except BadInput as error:
    refuse(error)

export(settings.execution)
speak_in_words()
store = settings.execution.store


def source_json(name):
    """Where a model comes from and how it is used, as JSON."""
    return canonical_json(settings.models[name].model_dump(mode="json"))


# A prepared model's folder is named by its source too: in a shared store, one name may stand for two models.
model_folders = {
    f"{name}-{sha256_of_text(source_json(name))[:12]}": name for name in settings.models
}


wildcard_constraints:
    run=re.escape(settings.run),
    student="|".join(map(re.escape, settings.students)),
    constitution="|".join(map(re.escape, settings.constitutions)),
    seed=r"\d+",
    folder="|".join(map(re.escape, model_folders)),


def model_identity(name):
    """The identity file of a prepared model."""
    folder = next(folder for folder, model in model_folders.items() if model == name)
    return f"{store}/models/{folder}/identity.json"


def identity_of(role):
    """The identity file of the model that plays a role: teacher, judge, or the student of the wildcards."""
    return student_identity if role == "student" else model_identity(getattr(settings, role))


def student_identity(wildcards):
    """The identity file of the student that a path names."""
    return model_identity(wildcards.student)


def model_files(wildcards):
    """The files of a local model, so that a change in them is seen; none for one that is fetched."""
    source = settings.models[model_folders[wildcards.folder]].source
    if not source.startswith("path:"):
        return []
    return sorted(
        str(path)
        for path in Path(source.removeprefix("path:")).expanduser().glob("*")
        if path.is_file()
    )


def constitution_file(wildcards):
    """The constitution, watched by its content (`constitution_of`), not by its date."""
    return ancient(f"constitutions/{wildcards.constitution}.yaml")


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


def settings_of(place, part=None):
    """The settings at a place, `rankings` or `evaluation.confidence`: what a rule needs, and no more.

    part: of a section, only the fields that this class of settings has. Sections are handed over as JSON.
    """
    found = attrgetter(place)(settings)
    if isinstance(found, Section):
        value = found.model_dump(mode="json", include=part and set(part.model_fields))
        return constant(Parameter(canonical_json(value), settings=nested(place, value)))
    return constant(Parameter(str(found), settings=nested(place, found)))


def result_settings(wildcards):
    """All settings that mean something, as JSON."""
    value = settings.model_dump(mode="json", exclude={"execution"})
    return Parameter(canonical_json(value), settings=value)


def constant(value):
    """A parameter that no wildcard changes. As a function, since Snakemake fills in the braces of a text."""

    def parameter(wildcards):
        return value

    return parameter


def model_name(wildcards):
    """The name in the config of the model in a folder of the store."""
    return model_folders[wildcards.folder]


def model_source(wildcards):
    """Where the model in a folder of the store comes from, as JSON."""
    return source_json(model_name(wildcards))


def code_of(rule):
    """The code of a rule, its script with every project module that it imports."""
    version = code_version(Path(workflow.basedir) / "scripts" / f"{rule}.py")
    return constant(Parameter(canonical_json(version), code=version))


def prompts_of(rule):
    """The prompts that a rule's code names, by content."""
    prompts = prompt_fingerprints(Path(workflow.basedir) / "scripts" / f"{rule}.py")
    return constant(Parameter(canonical_json(prompts), prompts=prompts))


def report_templates(wildcards):
    """The page of the report and its sections."""
    return sorted(str(path) for path in Path("report").rglob("*.jinja"))


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
