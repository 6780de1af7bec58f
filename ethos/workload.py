"""How much a job asks of models: the one place that knows how many its requests and trainings are.

Limits of time on a cluster and `ethos plan` are made of it.
"""

from __future__ import annotations

from ethos import evaluation_work, stage_work
from ethos.asks import Workload
from ethos.counts import Counts
from ethos.settings import Settings

RULES = {
    "generate_questions": stage_work.questions,
    "generate_responses": stage_work.responses,
    "generate_teacher_responses": stage_work.teacher_responses,
    "rank_responses": stage_work.rankings,
    "compare_rankers": stage_work.ranker_comparison,
    "train_preference_model": stage_work.preference_model,
    "train_aligned": stage_work.aligned,
    "train_shuffled": stage_work.shuffled,
    "train_distilled": stage_work.distilled,
    "generate_introspection": stage_work.introspection,
    "train_introspection": stage_work.introspection_training,
    "find_steering_vector": stage_work.steering,
    "sample_arms": evaluation_work.arms,
    "evaluate_character": evaluation_work.character,
    "watch_alignment": evaluation_work.snapshots,
    "evaluate_coherence": evaluation_work.coherence,
    "evaluate_preferences": evaluation_work.preferences,
    "evaluate_capabilities": evaluation_work.capabilities,
    "evaluate_stance": evaluation_work.stance,
    "evaluate_judges": evaluation_work.judges,
    "evaluate_drift": evaluation_work.drift,
    "sample_chat": evaluation_work.chat,
    "sample_robustness": evaluation_work.robustness,
    "sample_prefill": evaluation_work.prefill,
    "sample_generalisation": evaluation_work.generalisation,
    "name_persona": evaluation_work.persona_naming,
    "measure_contributions": evaluation_work.contributions,
}


def workload(rule: str, settings: Settings, counts: Counts) -> Workload:
    """What a job of this rule asks and trains if nothing is in the store; nothing for a rule that runs no model."""
    return RULES[rule](settings, counts) if rule in RULES else []
