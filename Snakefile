"""Ethos: from a constitution to a trained character. `snakemake -n` says what would run, and why."""

from snakemake.utils import min_version

min_version("9.20")

# The demo is loaded only when no --configfile is given: Snakemake would merge the two.
if not workflow.configfiles:

    configfile: "config.yaml"


include: "rules/common.smk"
include: "rules/sources.smk"
include: "rules/evaluation_inputs.smk"
include: "rules/sharding.smk"
include: "rules/resources.smk"
include: "rules/status.smk"
include: "rules/models.smk"
include: "rules/questions.smk"
include: "rules/responses.smk"
include: "rules/claudes_character.smk"
include: "rules/open_character_training.smk"
include: "rules/steering.smk"
include: "rules/evaluation.smk"
include: "rules/preferences.smk"
include: "rules/capabilities.smk"
include: "rules/stance.smk"
include: "rules/judges.smk"
include: "rules/drift.smk"
include: "rules/persona_classifier.smk"
include: "rules/coherence.smk"
include: "rules/report.smk"


if settings.contributions:

    include: "rules/contributions.smk"


if settings.execution.shards > 1:

    include: "rules/shards.smk"


# Not submitted to a cluster: what needs the network, and what takes seconds on one core.
localrules:
    all,
    prepare,
    prepare_model,
    prepare_prompts,
    prepare_tasks,
    merge_persona,
    evaluate_preference_model,
    compare_students,
    write_report,
    record_run,
    archive_run,
    archive,


rule all:
    """The report of the run."""
    default_target: True
    input:
        f"results/{settings.run}/report/index.html",
        f"results/{settings.run}/run.json",


rule prepare:
    """All that needs the network; on a cluster, run on the login node."""
    input:
        sorted(model_identity(name) for name in settings.models),
        prompt_tables,
        asked_tasks,


include: "rules/archive.smk"
include: "rules/study.smk"
