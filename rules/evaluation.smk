"""Evaluation: every arm answers held-out questions; measures, comparisons and revealed preferences, one long table."""

from ethos.stage_settings import ArmSampling, Intervals


rule sample_arms:
    """Let every arm answer the held-out questions."""
    input:
        constitution=constitution_file,
        questions="results/{run}/questions/{constitution}.parquet",
        student=identity_of("student"),
        distilled="results/{run}/{student}/{constitution}/seed{seed}/distilled/adapter_model.safetensors",
        persona="results/{run}/{student}/{constitution}/seed{seed}/persona/adapter_model.safetensors",
        aligned="results/{run}/{student}/{constitution}/seed{seed}/aligned/adapter_model.safetensors",
        shuffled="results/{run}/{student}/{constitution}/seed{seed}/shuffled/adapter_model.safetensors",
    output:
        samples="results/{run}/{student}/{constitution}/seed{seed}/evaluations/samples.parquet",
        used="results/{run}/{student}/{constitution}/seed{seed}/used/sample_arms.txt",
    log:
        "logs/{run}/{student}/{constitution}/seed{seed}/sample_arms.log",
    benchmark:
        "benchmarks/{run}/{student}/{constitution}/seed{seed}/sample_arms.tsv"
    conda:
        "../envs/ethos.yaml"
    threads: model_threads
    resources:
        **resources_of("sample_arms"),
    params:
        traits=constitution_of("traits"),
        settings=settings_of("evaluation", ArmSampling),
        scope=settings_of("responses.scope"),
        code=code_of("sample_arms"),
        prompts=prompts_of("sample_arms"),
    shell:
        "python scripts/sample_arms.py"
        " --constitution {input.constitution:q} --questions {input.questions:q} --student {input.student:q}"
        " --distilled {input.distilled:q} --persona {input.persona:q}"
        " --aligned {input.aligned:q} --shuffled {input.shuffled:q}"
        " --settings {params.settings:q} --scope {params.scope} --seed {wildcards.seed}"
        " --samples {output.samples:q}"
        " --used {output.used:q}"
        " 2> >(tee {log:q} >&2)"


rule evaluate_character:
    """Measure character and fluency of each arm, and compare arms question by question."""
    input:
        constitution=constitution_file,
        samples="results/{run}/{student}/{constitution}/seed{seed}/evaluations/samples.parquet",
        student=identity_of("student"),
        preference_model="results/{run}/{student}/{constitution}/seed{seed}/preference_model/adapter_model.safetensors",
    output:
        measures="results/{run}/{student}/{constitution}/seed{seed}/evaluations/measures.parquet",
        metrics="results/{run}/{student}/{constitution}/seed{seed}/evaluations/character.parquet",
        used="results/{run}/{student}/{constitution}/seed{seed}/used/evaluate_character.txt",
    log:
        "logs/{run}/{student}/{constitution}/seed{seed}/evaluate_character.log",
    benchmark:
        "benchmarks/{run}/{student}/{constitution}/seed{seed}/evaluate_character.tsv"
    conda:
        "../envs/ethos.yaml"
    threads: model_threads
    resources:
        **resources_of("evaluate_character"),
    params:
        traits=constitution_of("traits"),
        cues=constitution_of("cues"),
        settings=settings_of("evaluation", Intervals),
        scope=settings_of("responses.scope"),
        precision=settings_of("preference_model.precision"),
        max_tokens=settings_of("preference_model.max_tokens"),
        code=code_of("evaluate_character"),
        prompts=prompts_of("evaluate_character"),
    shell:
        "python scripts/evaluate_character.py"
        " --constitution {input.constitution:q} --samples {input.samples:q} --student {input.student:q}"
        " --preference-model {input.preference_model:q}"
        " --precision {params.precision} --max-tokens {params.max_tokens}"
        " --settings {params.settings:q} --scope {params.scope} --seed {wildcards.seed}"
        " --place {wildcards.run:q} {wildcards.student:q} {wildcards.constitution:q}"
        " --measures {output.measures:q} --metrics {output.metrics:q}"
        " --used {output.used:q}"
        " 2> >(tee {log:q} >&2)"


rule evaluate_preferences:
    """Offer each arm two single-word traits, and see which one its answer shows."""
    input:
        constitution=constitution_file,
        questions="results/{run}/questions/{constitution}.parquet",
        student=identity_of("student"),
        distilled="results/{run}/{student}/{constitution}/seed{seed}/distilled/adapter_model.safetensors",
        persona="results/{run}/{student}/{constitution}/seed{seed}/persona/adapter_model.safetensors",
        aligned="results/{run}/{student}/{constitution}/seed{seed}/aligned/adapter_model.safetensors",
        shuffled="results/{run}/{student}/{constitution}/seed{seed}/shuffled/adapter_model.safetensors",
    output:
        matches="results/{run}/{student}/{constitution}/seed{seed}/evaluations/matches.parquet",
        metrics="results/{run}/{student}/{constitution}/seed{seed}/evaluations/preferences.parquet",
        used="results/{run}/{student}/{constitution}/seed{seed}/used/evaluate_preferences.txt",
    log:
        "logs/{run}/{student}/{constitution}/seed{seed}/evaluate_preferences.log",
    benchmark:
        "benchmarks/{run}/{student}/{constitution}/seed{seed}/evaluate_preferences.tsv"
    conda:
        "../envs/ethos.yaml"
    threads: model_threads
    resources:
        **resources_of("evaluate_preferences"),
    params:
        traits=constitution_of("traits"),
        settings=settings_of("evaluation.preferences"),
        confidence=settings_of("evaluation.confidence"),
        scope=settings_of("responses.scope"),
        code=code_of("evaluate_preferences"),
        prompts=prompts_of("evaluate_preferences"),
    shell:
        "python scripts/evaluate_preferences.py"
        " --constitution {input.constitution:q} --questions {input.questions:q} --student {input.student:q}"
        " --distilled {input.distilled:q} --persona {input.persona:q}"
        " --aligned {input.aligned:q} --shuffled {input.shuffled:q}"
        " --settings {params.settings:q} --confidence {params.confidence}"
        " --scope {params.scope} --seed {wildcards.seed}"
        " --place {wildcards.run:q} {wildcards.student:q} {wildcards.constitution:q}"
        " --matches {output.matches:q} --metrics {output.metrics:q}"
        " --used {output.used:q}"
        " 2> >(tee {log:q} >&2)"
