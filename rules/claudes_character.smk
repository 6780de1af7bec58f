"""Claude's Character: responses are ranked, a preference model learns the ranking, the student is aligned with it."""

from ethos.training_settings import AlignmentTraining

from ethos.evaluation_settings import Intervals
from ethos.stage_settings import RankerComparison, Ranking


rule rank_responses:
    """Order each question's responses by how well they show its trait."""
    input:
        constitution=constitution_file,
        responses="results/{run}/{student}/{constitution}/responses.parquet",
        judge=identity_of("judge"),
        shards=shards_of("rank_responses", "judge"),
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
        settings=settings_of("rankings", Ranking),
        judge=settings_of("judge"),
        seed=settings_of("data_seed"),
        code=code_of("rank_responses"),
        prompts=prompts_of("rank_responses"),
        shard=whole,
    shell:
        "python scripts/rank_responses.py"
        " --constitution {input.constitution:q} --responses {input.responses:q} --judge {input.judge:q}"
        " --settings {params.settings:q} --seed {params.seed}"
        " --rankings {output.rankings:q} --pairs {output.pairs:q} --agreement {output.agreement:q}"
        " --used {output.used:q} {params.shard}"
        " 2> >(tee {log:q} >&2)"


rule compare_rankers:
    """Measure how far other rankers agree with the run's own."""
    input:
        constitution=constitution_file,
        rankings="results/{run}/{student}/{constitution}/rankings.parquet",
        responses="results/{run}/{student}/{constitution}/responses.parquet",
        judge=identity_of("judge"),
    output:
        comparison="results/{run}/{student}/{constitution}/rankers.json",
        used="results/{run}/{student}/{constitution}/used/compare_rankers.txt",
    log:
        "logs/{run}/{student}/{constitution}/compare_rankers.log",
    benchmark:
        "benchmarks/{run}/{student}/{constitution}/compare_rankers.tsv"
    conda:
        "../envs/ethos.yaml"
    threads: model_threads
    resources:
        **resources_of("compare_rankers", "judge"),
    params:
        traits=constitution_of("traits"),
        settings=settings_of("rankings", RankerComparison),
        intervals=settings_of("evaluation", Intervals),
        judge=settings_of("judge"),
        seed=settings_of("data_seed"),
        code=code_of("compare_rankers"),
        prompts=prompts_of("compare_rankers"),
    shell:
        "python scripts/compare_rankers.py"
        " --constitution {input.constitution:q} --rankings {input.rankings:q}"
        " --responses {input.responses:q} --judge {input.judge:q}"
        " --settings {params.settings:q} --intervals {params.intervals:q} --seed {params.seed}"
        " --comparison {output.comparison:q}"
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
        used="results/{run}/{student}/{constitution}/seed{seed}/used/train_preference_model.txt",
    log:
        "logs/{run}/{student}/{constitution}/seed{seed}/train_preference_model.log",
    benchmark:
        "benchmarks/{run}/{student}/{constitution}/seed{seed}/train_preference_model.tsv"
    conda:
        "../envs/ethos.yaml"
    threads: threads_of("train_preference_model")
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
        " --adapter {output.adapter:q} --rewards {output.rewards:q}"
        " --used {output.used:q}"
        " 2> >(tee {log:q} >&2)"


rule train_aligned:
    """Align the student with the preference model: DPO on the best and the worst of k, SFT on the best, or GRPO."""
    input:
        responses="results/{run}/{student}/{constitution}/responses.parquet",
        rewards="results/{run}/{student}/{constitution}/seed{seed}/rewards.parquet",
        preference_model="results/{run}/{student}/{constitution}/seed{seed}/preference_model/adapter_model.safetensors",
        student=identity_of("student"),
    output:
        adapter="results/{run}/{student}/{constitution}/seed{seed}/aligned/adapter_model.safetensors",
        config="results/{run}/{student}/{constitution}/seed{seed}/aligned/adapter_config.json",
        history="results/{run}/{student}/{constitution}/seed{seed}/aligned/history.json",
        examples="results/{run}/{student}/{constitution}/seed{seed}/aligned/examples.parquet",
        snapshots=snapshots,
        used="results/{run}/{student}/{constitution}/seed{seed}/used/train_aligned.txt",
    log:
        "logs/{run}/{student}/{constitution}/seed{seed}/train_aligned.log",
    benchmark:
        "benchmarks/{run}/{student}/{constitution}/seed{seed}/train_aligned.tsv"
    conda:
        "../envs/ethos.yaml"
    threads: threads_of("train_aligned")
    resources:
        **resources_of("train_aligned"),
    params:
        settings=settings_of("alignment"),
        precision=settings_of("preference_model.precision"),
        max_tokens=settings_of("preference_model.max_tokens"),
        code=code_of("train_aligned"),
    shell:
        "python scripts/train_aligned.py"
        " --responses {input.responses:q} --rewards {input.rewards:q} --student {input.student:q}"
        " --preference-model {input.preference_model:q}"
        " --precision {params.precision} --max-tokens {params.max_tokens}"
        " --settings {params.settings:q} --seed {wildcards.seed}"
        " --examples {output.examples:q} --adapter {output.adapter:q}"
        " --used {output.used:q}"
        " 2> >(tee {log:q} >&2)"


rule train_shuffled:
    """Train the control: like aligned, on rewards that say nothing."""
    input:
        responses="results/{run}/{student}/{constitution}/responses.parquet",
        rewards="results/{run}/{student}/{constitution}/seed{seed}/rewards.parquet",
        preference_model="results/{run}/{student}/{constitution}/seed{seed}/preference_model/adapter_model.safetensors",
        student=identity_of("student"),
    output:
        adapter="results/{run}/{student}/{constitution}/seed{seed}/shuffled/adapter_model.safetensors",
        config="results/{run}/{student}/{constitution}/seed{seed}/shuffled/adapter_config.json",
        history="results/{run}/{student}/{constitution}/seed{seed}/shuffled/history.json",
        examples="results/{run}/{student}/{constitution}/seed{seed}/shuffled/examples.parquet",
        used="results/{run}/{student}/{constitution}/seed{seed}/used/train_shuffled.txt",
    log:
        "logs/{run}/{student}/{constitution}/seed{seed}/train_shuffled.log",
    benchmark:
        "benchmarks/{run}/{student}/{constitution}/seed{seed}/train_shuffled.tsv"
    conda:
        "../envs/ethos.yaml"
    threads: threads_of("train_shuffled")
    resources:
        **resources_of("train_shuffled"),
    params:
        settings=settings_of("alignment", AlignmentTraining),
        precision=settings_of("preference_model.precision"),
        max_tokens=settings_of("preference_model.max_tokens"),
        code=code_of("train_aligned"),
    shell:
        "python scripts/train_aligned.py"
        " --responses {input.responses:q} --rewards {input.rewards:q} --student {input.student:q}"
        " --preference-model {input.preference_model:q}"
        " --precision {params.precision} --max-tokens {params.max_tokens}"
        " --settings {params.settings:q} --seed {wildcards.seed} --shuffled"
        " --examples {output.examples:q} --adapter {output.adapter:q}"
        " --used {output.used:q}"
        " 2> >(tee {log:q} >&2)"
