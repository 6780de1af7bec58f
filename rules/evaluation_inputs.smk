"""What evaluations read besides the trained arms, and the tables that they leave; no rule stands here."""

import shlex

from ethos.evaluation_settings import FineTuning, PERSONA_EVALUATIONS
from ethos.evaluations import evaluations_of


def evaluation_tables(constitution, student, seed):
    """The results of every evaluation that the run makes of a constitution."""
    return expand(
        "results/{run}/{student}/{constitution}/seed{seed}/evaluations/{evaluation}.parquet",
        run=settings.run,
        student=student,
        constitution=constitution,
        seed=seed,
        evaluation=evaluations_of(settings, constitution),
    )


def all_evaluation_tables():
    """The results of every evaluation that the run makes, for every student, constitution and seed."""
    return [
        path
        for constitution in settings.constitutions
        for path in evaluation_tables(constitution, settings.students, settings.seeds)
    ]


def cell_evaluation_tables(wildcards):
    """The results of every evaluation of one student, constitution and seed."""
    return evaluation_tables(wildcards.constitution, wildcards.student, wildcards.seed)


def classifier_tables():
    """What a classifier named each answer, for every evaluation that asks one; none where the run makes none."""
    asked = [name for name in settings.evaluation.which if name in PERSONA_EVALUATIONS]
    return [
        path
        for name in asked
        for path in cells(
            f"results/{{run}}/{{student}}/{{constitution}}/seed{{seed}}/evaluations/{name}_namings.parquet"
        )
    ]


def in_each_constitution(table):
    """A table among the evaluations of each constitution of the run."""
    return [
        f"results/{{run}}/{{student}}/{name}/seed{{seed}}/evaluations/{table}.parquet"
        for name in settings.constitutions
    ]


# The model that is fine-tuned to name personas, where one is.
persona_classifier = settings.persona_classifier_model
persona_classifier_identity = [model_identity(persona_classifier)] if persona_classifier else []


def persona_classifier_options(wildcards):
    """The model that names personas and how it is fine-tuned, as options."""
    if not persona_classifier:
        return Parameter("", settings={})
    place = "evaluation.persona_classifier.fine_tuned"
    value = attrgetter(place)(settings).model_dump(
        mode="json", include=set(FineTuning.model_fields)
    )
    options = ["--model", *persona_classifier_identity, "--fine-tuning", canonical_json(value)]
    return Parameter(shlex.join(options), settings=nested(place, value))


def ranker_comparisons(wildcards):
    """The comparison of rankers in every cell; none where no other ranker is asked."""
    if not settings.rankings.compared:
        return []
    return cells("results/{run}/{student}/{constitution}/rankers.json")


# Who says which trait shows: the judge in words, or the student by likelihood.
preferences_role = "judge" if settings.evaluation.preferences.verdict == "judge" else "student"


# The same for what an answer to a statement says.
stance_judge = "judge" if "judge" in settings.evaluation.stance.methods else "student"


def judge_of_preferences(wildcards):
    """The name of the model that says which trait shows."""
    if preferences_role == "student":
        return Parameter(wildcards.student, settings={})
    return Parameter(settings.judge, settings={"judge": settings.judge})


def other_students(wildcards):
    """The run's students but the one of the wildcards."""
    return [name for name in settings.students if name != wildcards.student]


def other_preferences(wildcards):
    """The revealed preferences of the other students, in their order."""
    return [
        f"results/{wildcards.run}/{name}/{wildcards.constitution}/seed{wildcards.seed}/evaluations/preferences.parquet"
        for name in other_students(wildcards)
    ]


def other_options(wildcards):
    """Names and files of the other students' preferences, as options."""
    pairs = zip(other_students(wildcards), other_preferences(wildcards))
    return " ".join(f"--other {name} {path}" for name, path in pairs)


def others_of(found):
    """The files of constitutions beside the trained one, watched by their content (`others_as_options`). found: by name."""
    return lambda wildcards: [
        ancient(f"constitutions/{name}.yaml") for name in found if name != wildcards.constitution
    ]


def others_as_options(found, *parts):
    """The same as options of a command; on record is what they say in these parts."""

    def options(wildcards):
        names = [name for name in found if name != wildcards.constitution]
        said = {name: {part: found[name].canonical()[part] for part in parts} for name in names}
        files = " ".join(f"--other constitutions/{name}.yaml" for name in names)
        return Parameter(files, constitution=said)

    return options


def contribution_adapter(constitution):
    """The adapter of the arm whose traits are left out, trained on a constitution."""
    arm = settings.contributions.arm
    return (
        f"results/{{run}}/{{student}}/{constitution}/seed{{seed}}/{arm}/adapter_model.safetensors"
    )
