"""What jobs ask a cluster for. It never enters `params`, so it rebuilds nothing.

A rule that runs a model has `**resources_of("its_name")`; one that does not asks for the profile's defaults.
"""

from ethos.resources import (
    gpus,
    memory_mb,
    minutes,
    processes,
    tokens,
    tried_without_gpu,
    weights_mb,
)

jobs = settings.execution.jobs


def resources_of(rule, role="student"):
    """The GPUs, memory and time of a rule that runs a model.

    role: who the model is, `teacher`, `judge`, the student of the wildcards, or a model by its name.
    """

    # A model behind an endpoint is computed elsewhere.
    is_api = role != "student" and settings.models[getattr(settings, role, role)].is_api

    def model_size(wildcards):
        if is_api:
            return 0
        name = wildcards.student if role == "student" else getattr(settings, role, role)
        prepared = Path(model_identity(name)).parent
        kind, _, source = settings.models[name].source.partition(":")
        return weights_mb([prepared, Path(source).expanduser()] if kind == "path" else [prepared])

    def gpu(wildcards, attempt):
        return (
            0 if is_api or tried_without_gpu(settings.execution, attempt) else gpus(rule, settings)
        )

    def memory(wildcards, attempt):
        return memory_mb(jobs, model_size(wildcards), attempt, processes=processes(rule, settings))

    def runtime(wildcards, attempt):
        if tried_without_gpu(settings.execution, attempt):
            return jobs.minutes
        traits = constitutions[wildcards.constitution].traits
        asked = sum(
            len(trait.questions) + settings.questions.generated_per_trait for trait in traits
        )
        asked += settings.questions.general + sum(extra.count for extra in settings.questions.extra)
        work = tokens(rule, settings, asked)
        return minutes(
            jobs, model_size(wildcards), work, gpus=settings.execution.gpus, attempt=attempt
        )

    return {"gpu": gpu, "mem_mb": memory, "runtime": runtime}


def threads_of(rule):
    """The threads of a training; each of its processes has as many as another job that runs a model."""
    return settings.execution.threads * processes(rule, settings)
