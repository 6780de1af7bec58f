"""What jobs ask a cluster for. It never enters `params`, so it rebuilds nothing.

A rule that runs a model has `**resources_of("its_name")`; one that does not asks for the profile's defaults.
"""

from ethos.resources import (
    finds_all_stored,
    gpus,
    memory_mb,
    minutes,
    processes,
    tokens,
    weights_mb,
)

jobs = settings.execution.jobs


def resources_of(rule, role="student", is_shard=False):
    """The GPUs, memory and time of a rule that runs a model.

    role: who the model is, `teacher`, `judge`, the student of the wildcards, or a model by its name. is_shard: whether they are
    those of one of the stage's shards.
    """

    # A model behind an endpoint is computed elsewhere.
    is_api = behind_endpoint(role)
    after_shards = is_sharded(rule, role) and not is_shard

    def model_size(wildcards):
        if is_api:
            return 0
        name = wildcards.student if role == "student" else getattr(settings, role, role)
        prepared = Path(model_identity(name)).parent
        kind, _, source = settings.models[name].source.partition(":")
        return weights_mb([prepared, Path(source).expanduser()] if kind == "path" else [prepared])

    def gpu(wildcards, attempt):
        return (
            0
            if is_api or finds_all_stored(settings.execution, attempt, after_shards=after_shards)
            else gpus(rule, settings)
        )

    def memory(wildcards, attempt):
        return memory_mb(jobs, model_size(wildcards), attempt, processes=processes(rule, settings))

    def runtime(wildcards, attempt):
        if finds_all_stored(settings.execution, attempt, after_shards=after_shards):
            return jobs.minutes
        traits = constitutions[wildcards.constitution].traits
        asked = sum(
            len(trait.questions) + settings.questions.generated_per_trait for trait in traits
        )
        asked += settings.questions.general + sum(extra.count for extra in settings.questions.extra)
        work = tokens(rule, settings, asked) // (settings.execution.shards if is_shard else 1)
        return minutes(
            jobs, model_size(wildcards), work, gpus=settings.execution.gpus, attempt=attempt
        )

    return {"gpu": gpu, "mem_mb": memory, "runtime": runtime}


def threads_of(rule):
    """The threads of a training; each of its processes has as many as another job that runs a model."""
    return settings.execution.threads * processes(rule, settings)
