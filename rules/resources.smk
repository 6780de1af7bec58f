"""What jobs ask a cluster for. It never enters `params`, so it rebuilds nothing.

A rule that runs a model has `**resources_of("its_name")`; one that does not asks for the profile's defaults.
"""

from ethos.asks import most_tokens
from ethos.counts import count
from ethos.resources import (
    finds_all_stored,
    gpus,
    memory_mb,
    minutes,
    processes,
    weight_folders,
    weights_mb,
)
from ethos.workload import workload

jobs = settings.execution.jobs


@cache
def expected_counts(constitution):
    """What the settings ask for of a constitution; what its tables hold must not change what a job asks for."""
    return count(settings, constitutions[constitution], drifted_to.values())


def resources_of(rule, *roles, is_shard=False):
    """The GPUs, memory and time of a rule that runs models.

    roles: who they are, `teacher`, `judge`, `persona_classifier_model`, or `student`, that of the wildcards, which is meant
    where none is given. is_shard: whether they are those of one of the stage's shards.
    """

    roles = roles or ("student",)
    # A model behind an endpoint is computed elsewhere.
    here = [role for role in roles if not behind_endpoint(role)]
    after_shards = is_sharded(rule, *roles) and not is_shard

    def model_size(wildcards):
        names = {
            wildcards.student if role == "student" else getattr(settings, role) for role in here
        }
        return sum(weights_mb(weight_folders(settings, name)) for name in names)

    def gpu(wildcards, attempt):
        return (
            0
            if not here or finds_all_stored(settings.execution, attempt, after_shards=after_shards)
            else gpus(rule, settings)
        )

    def memory(wildcards, attempt):
        return memory_mb(jobs, model_size(wildcards), attempt, processes=processes(rule, settings))

    def runtime(wildcards, attempt):
        if finds_all_stored(settings.execution, attempt, after_shards=after_shards):
            return jobs.minutes
        work = workload(rule, settings, expected_counts(wildcards.constitution))
        written = most_tokens(work) // (settings.execution.shards if is_shard else 1)
        return minutes(
            jobs,
            model_size(wildcards),
            written,
            gpus=settings.execution.gpus,
            attempt=attempt,
        )

    return {"gpu": gpu, "mem_mb": memory, "runtime": runtime}


def threads_of(rule):
    """The threads of a training; each of its processes has as many as another job that runs a model."""
    return settings.execution.threads * processes(rule, settings)
