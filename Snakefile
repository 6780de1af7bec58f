"""Ethos: from a constitution to a trained character. `snakemake -n` says what would run, and why."""

from snakemake.utils import min_version

min_version("9.20")

# The demo is loaded only when no --configfile is given: Snakemake would merge the two.
if not workflow.configfiles:

    configfile: "config.yaml"


include: "rules/common.smk"
include: "rules/models.smk"
include: "rules/questions.smk"
include: "rules/responses.smk"
include: "rules/claudes_character.smk"
include: "rules/open_character_training.smk"
include: "rules/evaluation.smk"
include: "rules/report.smk"


if settings.contributions:

    include: "rules/contributions.smk"


# Models and messages are fetched where there is a network: on the login node of a cluster.
localrules:
    all,
    prepare_model,
    prepare_prompts,
    archive_run,
    archive,


rule all:
    """The report of the run."""
    default_target: True
    input:
        f"results/{settings.run}/report/index.html",
        f"results/{settings.run}/run.json",


include: "rules/archive.smk"
