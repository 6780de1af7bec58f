"""Open Character Training: the teacher is distilled into the student, which reflects on itself; both adapters merge."""

from ethos.training_settings import Dpo, IntrospectionTraining
from ethos.stage_settings import IntrospectionData


rule train_distilled:
    """Distil the teacher in character into the student (DPO)."""
    input:
        teacher="results/{run}/teacher/{constitution}.parquet",
        responses="results/{run}/{student}/{constitution}/responses.parquet",
        student=identity_of("student"),
    output:
        adapter="results/{run}/{student}/{constitution}/seed{seed}/distilled/adapter_model.safetensors",
        config="results/{run}/{student}/{constitution}/seed{seed}/distilled/adapter_config.json",
        history="results/{run}/{student}/{constitution}/seed{seed}/distilled/history.json",
        pairs="results/{run}/{student}/{constitution}/seed{seed}/distilled/pairs.parquet",
        counts="results/{run}/{student}/{constitution}/seed{seed}/distilled/pairs.json",
        used="results/{run}/{student}/{constitution}/seed{seed}/used/train_distilled.txt",
    log:
        "logs/{run}/{student}/{constitution}/seed{seed}/train_distilled.log",
    benchmark:
        "benchmarks/{run}/{student}/{constitution}/seed{seed}/train_distilled.tsv"
    conda:
        "../envs/ethos.yaml"
    threads: threads_of("train_distilled")
    resources:
        **resources_of("train_distilled"),
    params:
        settings=settings_of("distillation", Dpo),
        renaming=renaming,
        code=code_of("train_distilled"),
    shell:
        "python scripts/train_distilled.py"
        " --teacher {input.teacher:q} --responses {input.responses:q} --student {input.student:q}"
        " --settings {params.settings:q} --renaming {params.renaming:q} --seed {wildcards.seed}"
        " --pairs {output.pairs:q} --counts {output.counts:q} --adapter {output.adapter:q}"
        " --used {output.used:q}"
        " 2> >(tee {log:q} >&2)"


rule generate_introspection:
    """Let the distilled model reflect on itself and talk to a copy of itself."""
    input:
        constitution=constitution_file,
        student=identity_of("student"),
        distilled="results/{run}/{student}/{constitution}/seed{seed}/distilled/adapter_model.safetensors",
        shards=shards_of("generate_introspection"),
    output:
        reflections="results/{run}/{student}/{constitution}/seed{seed}/reflections.parquet",
        interactions="results/{run}/{student}/{constitution}/seed{seed}/interactions.parquet",
        counts="results/{run}/{student}/{constitution}/seed{seed}/introspection.json",
        used="results/{run}/{student}/{constitution}/seed{seed}/used/generate_introspection.txt",
    log:
        "logs/{run}/{student}/{constitution}/seed{seed}/generate_introspection.log",
    benchmark:
        "benchmarks/{run}/{student}/{constitution}/seed{seed}/generate_introspection.tsv"
    conda:
        "../envs/ethos.yaml"
    threads: model_threads
    resources:
        **resources_of("generate_introspection"),
    params:
        traits=constitution_of("traits"),
        settings=settings_of("introspection", IntrospectionData),
        scope=settings_of("responses.scope"),
        code=code_of("generate_introspection"),
        prompts=prompts_of("generate_introspection"),
        shard=whole,
    shell:
        "python scripts/generate_introspection.py"
        " --constitution {input.constitution:q} --student {input.student:q} --distilled {input.distilled:q}"
        " --settings {params.settings:q} --scope {params.scope} --seed {wildcards.seed}"
        " --reflections {output.reflections:q} --interactions {output.interactions:q} --counts {output.counts:q}"
        " --used {output.used:q} {params.shard}"
        " 2> >(tee {log:q} >&2)"


rule train_introspection:
    """Fine-tune the distilled model on its own reflections and conversations (SFT)."""
    input:
        reflections="results/{run}/{student}/{constitution}/seed{seed}/reflections.parquet",
        interactions="results/{run}/{student}/{constitution}/seed{seed}/interactions.parquet",
        student=identity_of("student"),
        distilled="results/{run}/{student}/{constitution}/seed{seed}/distilled/adapter_model.safetensors",
    output:
        adapter="results/{run}/{student}/{constitution}/seed{seed}/introspection/adapter_model.safetensors",
        config="results/{run}/{student}/{constitution}/seed{seed}/introspection/adapter_config.json",
        history="results/{run}/{student}/{constitution}/seed{seed}/introspection/history.json",
        used="results/{run}/{student}/{constitution}/seed{seed}/used/train_introspection.txt",
    log:
        "logs/{run}/{student}/{constitution}/seed{seed}/train_introspection.log",
    benchmark:
        "benchmarks/{run}/{student}/{constitution}/seed{seed}/train_introspection.tsv"
    conda:
        "../envs/ethos.yaml"
    threads: threads_of("train_introspection")
    resources:
        **resources_of("train_introspection"),
    params:
        settings=settings_of("introspection", IntrospectionTraining),
        code=code_of("train_introspection"),
    shell:
        "python scripts/train_introspection.py"
        " --reflections {input.reflections:q} --interactions {input.interactions:q}"
        " --student {input.student:q} --distilled {input.distilled:q}"
        " --settings {params.settings:q} --seed {wildcards.seed} --adapter {output.adapter:q}"
        " --used {output.used:q}"
        " 2> >(tee {log:q} >&2)"


rule merge_persona:
    """Merge the distilled and the introspection adapter into the persona, exactly."""
    input:
        distilled="results/{run}/{student}/{constitution}/seed{seed}/distilled/adapter_model.safetensors",
        introspection="results/{run}/{student}/{constitution}/seed{seed}/introspection/adapter_model.safetensors",
    output:
        adapter="results/{run}/{student}/{constitution}/seed{seed}/persona/adapter_model.safetensors",
        config="results/{run}/{student}/{constitution}/seed{seed}/persona/adapter_config.json",
        used="results/{run}/{student}/{constitution}/seed{seed}/used/merge_persona.txt",
    log:
        "logs/{run}/{student}/{constitution}/seed{seed}/merge_persona.log",
    benchmark:
        "benchmarks/{run}/{student}/{constitution}/seed{seed}/merge_persona.tsv"
    conda:
        "../envs/ethos.yaml"
    params:
        settings=settings_of("persona"),
        code=code_of("merge_persona"),
    shell:
        "python scripts/merge_persona.py"
        " --distilled {input.distilled:q} --introspection {input.introspection:q}"
        " --settings {params.settings:q} --adapter {output.adapter:q}"
        " --used {output.used:q}"
        " 2> >(tee {log:q} >&2)"
