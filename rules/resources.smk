"""What jobs ask a cluster for. It never enters `params`, so it rebuilds nothing.

A rule that runs a model has `**resources_of("its_name")`; one that does not asks for the profile's defaults.
"""

from ethos.asks import most_tokens
from ethos.counts import count
from ethos.resources import (
    attempt_that_computes,
    gpus,
    memory_mb,
    minutes,
    processes,
    site_resources,
    weight_folders,
    weights_mb,
)
from ethos.workload import workload

jobs = settings.execution.jobs

try:
    named_by_site = site_resources(0) | site_resources(1)
except BadInput as error:
    refuse(error)


@cache
def expected_counts(constitution):
    """What the settings ask for of a constitution; what its tables hold must not change what a job asks for."""
    return count(settings, constitutions[constitution], drifted_to.values())


def resources_of(rule, *roles, is_shard=False):
    """The GPUs, memory and time of a rule that runs models, and where a cluster is to run it.

    roles: who they are, `teacher`, `judge`, `persona_classifier_model`, or `student`, that of the wildcards, which is meant
    where none is given. is_shard: whether they are those of one of the stage's shards.
    """

    roles = roles or ("student",)
    # A model behind an endpoint is computed elsewhere.
    here = [role for role in roles if not behind_endpoint(role)]
    after_shards = is_sharded(rule, *roles) and not is_shard

    def models(wildcards):
        return {
            wildcards.student if role == "student" else getattr(settings, role) for role in here
        }

    def model_size(wildcards):
        return sum(weights_mb(weight_folders(settings, name)) for name in models(wildcards))

    def number(attempt):
        return attempt_that_computes(settings.execution, attempt, after_shards=after_shards)

    def gpu(wildcards, attempt):
        return gpus(rule, settings, models(wildcards)) if here and number(attempt) else 0

    def memory(wildcards, attempt):
        return memory_mb(
            jobs,
            model_size(wildcards),
            max(1, number(attempt)),
            processes=processes(rule, settings),
        )

    def runtime(wildcards, attempt):
        if not number(attempt):
            return jobs.minutes
        work = workload(rule, settings, expected_counts(wildcards.constitution))
        written = most_tokens(work) // (settings.execution.shards if is_shard else 1)
        return minutes(
            jobs,
            model_size(wildcards),
            written,
            gpus=settings.execution.gpus,
            attempt=number(attempt),
        )

    def of_site(name):
        def value(wildcards, attempt):
            return site_resources(gpu(wildcards, attempt)).get(name)

        return value

    site = {name: of_site(name) for name in named_by_site}
    return {"gpu": gpu, "mem_mb": memory, "runtime": runtime, **site}


def threads_of(rule):
    """The threads of a training; each of its processes has as many as another job that runs a model."""
    return settings.execution.threads * processes(rule, settings)
