"""Claude's Character: responses are ranked, a preference model learns the ranking, DPO aligns the student with it."""


rule rank_responses:
    """Order each question's responses by how well they show its trait."""
    input:
        constitution=constitution_file,
        responses="results/{run}/{student}/{constitution}/responses.parquet",
        judge=identity_of("judge"),
    output:
        rankings="results/{run}/{student}/{constitution}/rankings.parquet",
        pairs="results/{run}/{student}/{constitution}/pairs.parquet",
        agreement="results/{run}/{student}/{constitution}/rankings.json",
        used="results/{run}/{student}/{constitution}/used/rank_responses.txt",
    log:
        "logs/{run}/{student}/{constitution}/rank_responses.log",
    benchmark:
        "benchmarks/{run}/{student}/{constitution}/rank_responses.tsv"
    conda:
        "../envs/ethos.yaml"
    threads: model_threads
    resources:
        **resources_of("rank_responses", "judge"),
    params:
        traits=constitution_of("traits"),
        settings=settings_of("rankings"),
        judge=settings_of("judge"),
        seed=settings_of("data_seed"),
        code=code_of("rank_responses"),
        prompts=prompts_of("rank_responses"),
    shell:
        "python scripts/rank_responses.py"
        " --constitution {input.constitution:q} --responses {input.responses:q} --judge {input.judge:q}"
        " --settings {params.settings:q} --seed {params.seed}"
        " --rankings {output.rankings:q} --pairs {output.pairs:q} --agreement {output.agreement:q}"
        " --used {output.used:q}"
        " 2> >(tee {log:q} >&2)"


rule train_preference_model:
    """Train a preference model on the rankings, and let it score every response."""
    input:
        pairs="results/{run}/{student}/{constitution}/pairs.parquet",
        rankings="results/{run}/{student}/{constitution}/rankings.parquet",
        responses="results/{run}/{student}/{constitution}/responses.parquet",
        student=identity_of("student"),
    output:
        adapter="results/{run}/{student}/{constitution}/seed{seed}/preference_model/adapter_model.safetensors",
        config="results/{run}/{student}/{constitution}/seed{seed}/preference_model/adapter_config.json",
        history="results/{run}/{student}/{constitution}/seed{seed}/preference_model/history.json",
        rewards="results/{run}/{student}/{constitution}/seed{seed}/rewards.parquet",
        accuracy="results/{run}/{student}/{constitution}/seed{seed}/preference_model/accuracy.json",
        used="results/{run}/{student}/{constitution}/seed{seed}/used/train_preference_model.txt",
    log:
        "logs/{run}/{student}/{constitution}/seed{seed}/train_preference_model.log",
    benchmark:
        "benchmarks/{run}/{student}/{constitution}/seed{seed}/train_preference_model.tsv"
    conda:
        "../envs/ethos.yaml"
    threads: model_threads
    resources:
        **resources_of("train_preference_model"),
    params:
        settings=settings_of("preference_model"),
        code=code_of("train_preference_model"),
    shell:
        "python scripts/train_preference_model.py"
        " --pairs {input.pairs:q} --rankings {input.rankings:q}"
        " --responses {input.responses:q} --student {input.student:q}"
        " --settings {params.settings:q} --seed {wildcards.seed}"
        " --adapter {output.adapter:q} --rewards {output.rewards:q} --accuracy {output.accuracy:q}"
        " --used {output.used:q}"
        " 2> >(tee {log:q} >&2)"


rule train_aligned:
    """Align the student with the preference model: DPO on the best and the worst of k."""
    input:
        responses="results/{run}/{student}/{constitution}/responses.parquet",
        rewards="results/{run}/{student}/{constitution}/seed{seed}/rewards.parquet",
        student=identity_of("student"),
    output:
        adapter="results/{run}/{student}/{constitution}/seed{seed}/aligned/adapter_model.safetensors",
        config="results/{run}/{student}/{constitution}/seed{seed}/aligned/adapter_config.json",
        history="results/{run}/{student}/{constitution}/seed{seed}/aligned/history.json",
        pairs="results/{run}/{student}/{constitution}/seed{seed}/aligned/pairs.parquet",
        used="results/{run}/{student}/{constitution}/seed{seed}/used/train_aligned.txt",
    log:
        "logs/{run}/{student}/{constitution}/seed{seed}/train_aligned.log",
    benchmark:
        "benchmarks/{run}/{student}/{constitution}/seed{seed}/train_aligned.tsv"
    conda:
        "../envs/ethos.yaml"
    threads: model_threads
    resources:
        **resources_of("train_aligned"),
    params:
        settings=settings_of("alignment"),
        code=code_of("train_aligned"),
    shell:
        "python scripts/train_aligned.py"
        " --responses {input.responses:q} --rewards {input.rewards:q} --student {input.student:q}"
        " --settings {params.settings:q} --seed {wildcards.seed}"
        " --pairs {output.pairs:q} --adapter {output.adapter:q}"
        " --used {output.used:q}"
        " 2> >(tee {log:q} >&2)"


rule train_shuffled:
    """Train the control: the same pairs with a random half swapped, so that their order says nothing."""
    input:
        responses="results/{run}/{student}/{constitution}/responses.parquet",
        rewards="results/{run}/{student}/{constitution}/seed{seed}/rewards.parquet",
        student=identity_of("student"),
    output:
        adapter="results/{run}/{student}/{constitution}/seed{seed}/shuffled/adapter_model.safetensors",
        config="results/{run}/{student}/{constitution}/seed{seed}/shuffled/adapter_config.json",
        history="results/{run}/{student}/{constitution}/seed{seed}/shuffled/history.json",
        pairs="results/{run}/{student}/{constitution}/seed{seed}/shuffled/pairs.parquet",
        used="results/{run}/{student}/{constitution}/seed{seed}/used/train_shuffled.txt",
    log:
        "logs/{run}/{student}/{constitution}/seed{seed}/train_shuffled.log",
    benchmark:
        "benchmarks/{run}/{student}/{constitution}/seed{seed}/train_shuffled.tsv"
    conda:
        "../envs/ethos.yaml"
    threads: model_threads
    resources:
        **resources_of("train_shuffled"),
    params:
        settings=settings_of("alignment"),
        code=code_of("train_aligned"),
    shell:
        "python scripts/train_aligned.py"
        " --responses {input.responses:q} --rewards {input.rewards:q} --student {input.student:q}"
        " --settings {params.settings:q} --seed {wildcards.seed} --shuffled"
        " --pairs {output.pairs:q} --adapter {output.adapter:q}"
        " --used {output.used:q}"
        " 2> >(tee {log:q} >&2)"
