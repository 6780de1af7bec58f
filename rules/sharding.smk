"""How a stage is divided among jobs (`execution.shards`), for its own rule and for that of its shards; no rule stands here.

No parameter or input of a stage on record tells their number, so that another one rebuilds nothing.
"""

from ethos.shards import PATTERN, SHARDED, mark_of, wait_off_the_record

wait_off_the_record()


wildcard_constraints:
    shard=PATTERN,


def behind_endpoint(role):
    """Whether the model of a role is reached over HTTP."""
    return role != "student" and settings.models[getattr(settings, role)].is_api


def is_sharded(stage, *roles):
    """Whether a stage is divided; one job asks an endpoint many things at once, and counts what it spends."""
    return (
        stage in SHARDED and settings.execution.shards > 1 and not any(map(behind_endpoint, roles))
    )


def shards_of(stage, *roles):
    """What a stage waits for: its shards; nothing where it is not divided, or is a shard itself."""

    def waited_for(wildcards):
        if not is_sharded(stage, *roles) or "shard" in wildcards.keys():
            return []
        count = settings.execution.shards
        mark = mark_of(getattr(rules, stage).output.used, "used")
        return [
            mark.format(shard=f"{number}-of-{count}", **wildcards) for number in range(1, count + 1)
        ]

    return waited_for


def whole(wildcards):
    """The option of a stage that is no shard: none."""
    return Parameter("")


def shard_option(wildcards):
    """The option of a shard's command."""
    return Parameter(f"--shard {wildcards.shard}")


def shard_inputs(stage):
    """The stage's inputs, whose dates don't matter: a shard runs when its stage does, and never of itself."""

    def undated(given):
        if callable(given):
            return ancient(given)
        # New texts: the flag would stay on those of the stage.
        return ancient(str(given) if isinstance(given, str) else [str(path) for path in given])

    return {name: undated(given) for name, given in getattr(rules, stage).input.items()}


def shard_outputs(stage):
    """Marks in place of the stage's outputs, gone when the stage has its results."""
    outputs = getattr(rules, stage).output
    return {name: temp(touch(mark_of(outputs.used, name))) for name in outputs.keys()}


def shard_file(path):
    """The log or benchmark of a shard beside that of its stage."""
    stem, dot, suffix = str(path).rpartition(".")
    return f"{stem}.{{shard}}.{suffix}"
