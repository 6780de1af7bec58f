"""What jobs ask a cluster for. It never enters `params`, so it rebuilds nothing.

A rule that runs a model has `**resources_of("its_name")`; one that does not asks for the profile's defaults.
"""

from ethos.asks import most_tokens
from ethos.counts import count
from ethos.resources import memory_mb, minutes, tried_without_gpu, weight_folders, weights_mb
from ethos.workload import workload

jobs = settings.execution.jobs


@cache
def expected_counts(constitution):
    """What the settings ask for of a constitution; what its tables hold must not change what a job asks for."""
    return count(settings, constitutions[constitution], drifted_to.values())


def resources_of(rule, role="student"):
    """The GPUs, memory and time of a rule that runs a model.

    role: who the model is, `teacher`, `judge`, or the student of the wildcards.
    """

    # A model behind an endpoint is computed elsewhere.
    is_api = role != "student" and settings.models[getattr(settings, role)].is_api

    def model_size(wildcards):
        if is_api:
            return 0
        name = wildcards.student if role == "student" else getattr(settings, role)
        return weights_mb(weight_folders(settings, name))

    def gpu(wildcards, attempt):
        return (
            0
            if is_api or tried_without_gpu(settings.execution, attempt)
            else settings.execution.gpus
        )

    def memory(wildcards, attempt):
        return memory_mb(jobs, model_size(wildcards), attempt)

    def runtime(wildcards, attempt):
        if tried_without_gpu(settings.execution, attempt):
            return jobs.minutes
        work = workload(rule, settings, expected_counts(wildcards.constitution))
        return minutes(
            jobs,
            model_size(wildcards),
            most_tokens(work),
            gpus=settings.execution.gpus,
            attempt=attempt,
        )

    return {"gpu": gpu, "mem_mb": memory, "runtime": runtime}
