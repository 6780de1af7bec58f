"""The shards of stages that are divided (`execution.shards`): the same commands, each for a share of what is asked.

What a shard leaves is in the store; its marks are temporary.
"""


use rule generate_responses as generate_responses_shard with:
    input:
        **shard_inputs("generate_responses"),
    output:
        **shard_outputs("generate_responses"),
    log:
        shard_file(rules.generate_responses.log[0]),
    benchmark:
        shard_file(rules.generate_responses.benchmark)
    resources:
        **resources_of("generate_responses", is_shard=True),
    params:
        shard=shard_option,


use rule generate_teacher_responses as generate_teacher_responses_shard with:
    input:
        **shard_inputs("generate_teacher_responses"),
    output:
        **shard_outputs("generate_teacher_responses"),
    log:
        shard_file(rules.generate_teacher_responses.log[0]),
    benchmark:
        shard_file(rules.generate_teacher_responses.benchmark)
    resources:
        **resources_of("generate_teacher_responses", "teacher", is_shard=True),
    params:
        shard=shard_option,


use rule rank_responses as rank_responses_shard with:
    input:
        **shard_inputs("rank_responses"),
    output:
        **shard_outputs("rank_responses"),
    log:
        shard_file(rules.rank_responses.log[0]),
    benchmark:
        shard_file(rules.rank_responses.benchmark)
    resources:
        **resources_of("rank_responses", "judge", is_shard=True),
    params:
        shard=shard_option,


use rule generate_introspection as generate_introspection_shard with:
    input:
        **shard_inputs("generate_introspection"),
    output:
        **shard_outputs("generate_introspection"),
    log:
        shard_file(rules.generate_introspection.log[0]),
    benchmark:
        shard_file(rules.generate_introspection.benchmark)
    resources:
        **resources_of("generate_introspection", is_shard=True),
    params:
        shard=shard_option,


use rule sample_arms as sample_arms_shard with:
    input:
        **shard_inputs("sample_arms"),
    output:
        **shard_outputs("sample_arms"),
    log:
        shard_file(rules.sample_arms.log[0]),
    benchmark:
        shard_file(rules.sample_arms.benchmark)
    resources:
        **resources_of("sample_arms", is_shard=True),
    params:
        shard=shard_option,


use rule evaluate_preferences as evaluate_preferences_shard with:
    input:
        **shard_inputs("evaluate_preferences"),
    output:
        **shard_outputs("evaluate_preferences"),
    log:
        shard_file(rules.evaluate_preferences.log[0]),
    benchmark:
        shard_file(rules.evaluate_preferences.benchmark)
    resources:
        **resources_of("evaluate_preferences", "student", preferences_role, is_shard=True),
    params:
        shard=shard_option,


use rule evaluate_capabilities as evaluate_capabilities_shard with:
    input:
        **shard_inputs("evaluate_capabilities"),
    output:
        **shard_outputs("evaluate_capabilities"),
    log:
        shard_file(rules.evaluate_capabilities.log[0]),
    benchmark:
        shard_file(rules.evaluate_capabilities.benchmark)
    resources:
        **resources_of("evaluate_capabilities", is_shard=True),
    params:
        shard=shard_option,


use rule sample_chat as sample_chat_shard with:
    input:
        **shard_inputs("sample_chat"),
    output:
        **shard_outputs("sample_chat"),
    log:
        shard_file(rules.sample_chat.log[0]),
    benchmark:
        shard_file(rules.sample_chat.benchmark)
    resources:
        **resources_of("sample_chat", is_shard=True),
    params:
        shard=shard_option,


use rule sample_robustness as sample_robustness_shard with:
    input:
        **shard_inputs("sample_robustness"),
    output:
        **shard_outputs("sample_robustness"),
    log:
        shard_file(rules.sample_robustness.log[0]),
    benchmark:
        shard_file(rules.sample_robustness.benchmark)
    resources:
        **resources_of("sample_robustness", is_shard=True),
    params:
        shard=shard_option,


use rule sample_prefill as sample_prefill_shard with:
    input:
        **shard_inputs("sample_prefill"),
    output:
        **shard_outputs("sample_prefill"),
    log:
        shard_file(rules.sample_prefill.log[0]),
    benchmark:
        shard_file(rules.sample_prefill.benchmark)
    resources:
        **resources_of("sample_prefill", is_shard=True),
    params:
        shard=shard_option,


use rule sample_generalisation as sample_generalisation_shard with:
    input:
        **shard_inputs("sample_generalisation"),
    output:
        **shard_outputs("sample_generalisation"),
    log:
        shard_file(rules.sample_generalisation.log[0]),
    benchmark:
        shard_file(rules.sample_generalisation.benchmark)
    resources:
        **resources_of("sample_generalisation", is_shard=True),
    params:
        shard=shard_option,


use rule evaluate_coherence as evaluate_coherence_shard with:
    input:
        **shard_inputs("evaluate_coherence"),
    output:
        **shard_outputs("evaluate_coherence"),
    log:
        shard_file(rules.evaluate_coherence.log[0]),
    benchmark:
        shard_file(rules.evaluate_coherence.benchmark)
    resources:
        **resources_of("evaluate_coherence", "judge", is_shard=True),
    params:
        shard=shard_option,
