"""How much memory and time a job asks a cluster for, from the size of its model and the amount of its work.

Rough, and rather too much: what is not used costs little, and a job that is ended for want of it asks for more when retried.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ethos.execution_settings import Execution, Jobs
from ethos.settings import Settings

# A model that is not there yet counts as one of eight billion parameters in bfloat16.
UNKNOWN_MODEL = 16_000
# Seconds of a token for each MB of weights: 1,000 tokens/s at eight billion parameters on a GPU of a cluster, and on two CPU
# cores 300 at 135 million.
_SECONDS_PER_TOKEN = {"gpu": 1 / 1_000 / 16_000, "cpu": 1 / 300 / 270}
# Tokens that are read in the time in which one is written.
READING = 10
_ALIGNMENTS = ("train_aligned", "train_shuffled")
# At least as many as there are.
REFLECTION_PROMPTS = 10
ARMS = 10
# Of a large task of many parts, MMLU with examples; what is not used costs little.
ITEMS, PARTS, TOKENS_OF_AN_ITEM = 15_000, 57, 500
WRITTEN_QUESTIONS = 50
LABELLED_PAIRS = 20
# Three users, each of whom gets an answer that is judged, and whose replies are scored.
STANCE_TURNS = 9


def weights_mb(folders: Iterable[Path]) -> int:
    """The size of a model's weights, MB (10^6 bytes), in the first of the folders that has any."""
    for folder in folders:
        if size := sum(path.stat().st_size for path in folder.glob("*.safetensors")):
            return -(-size // 10**6)
    return UNKNOWN_MODEL


def finds_all_stored(execution: Execution, attempt: int, *, after_shards: bool = False) -> bool:
    """Whether this attempt asks for no GPU and little time, since all may be in the store.

    after_shards: the job puts together what shards have answered.
    """
    return attempt == 1 and (after_shards or (execution.jobs.store_first and execution.gpus > 0))


def processes(rule: str, settings: Settings) -> int:
    """The processes that a job of this rule is spread over: those of a training, if it is not online."""
    if not rule.startswith("train_") or (rule in _ALIGNMENTS and settings.alignment.is_online):
        return 1
    return settings.execution.training.processes


def gpus(rule: str, settings: Settings) -> int:
    """GPUs of a job of this rule; a training has one for each process."""
    asked = settings.execution.gpus
    return processes(rule, settings) if asked and rule.startswith("train_") else asked


def memory_mb(jobs: Jobs, weights: int, attempt: int = 1, *, processes: int = 1) -> int:
    """Host memory, MB: for each process the weights as read, in float32 while an adapter is added to them, and room to work."""
    return attempt * (jobs.memory_mb + 3 * weights) * processes


def minutes(jobs: Jobs, weights: int, tokens: int, *, gpus: int, attempt: int = 1) -> int:
    """Time limit, minutes, within the partition's."""
    seconds = tokens * weights * _SECONDS_PER_TOKEN["gpu" if gpus else "cpu"]
    return min(jobs.max_minutes, attempt * (jobs.minutes + round(seconds / 60)))


def tokens(rule: str, settings: Settings, questions: int) -> int:
    """Most tokens that a job of this rule writes or trains on; those of k responses to all questions where a rule has no own count.

    questions: those of the constitution, everyday ones included.
    """
    introspection, evaluation = settings.introspection, settings.evaluation
    preferences, stance, drift = evaluation.preferences, evaluation.stance, evaluation.drift
    classifier = evaluation.persona_classifier
    if rule in ("generate_introspection", "train_introspection"):
        conversations = introspection.free_interactions + introspection.guided_interactions
        return (
            REFLECTION_PROMPTS * introspection.reflections_per_prompt * introspection.sampling.max_new_tokens
            + conversations * introspection.turns * introspection.turn_sampling.max_new_tokens
        )
    if rule == "evaluate_preferences":
        matches = len(preferences.conditions) * preferences.traits * preferences.matches_per_trait // 2
        verdicts = 2 * preferences.verdict_sampling.max_new_tokens if preferences.verdict == "judge" else 0
        return ARMS * matches * (preferences.sampling.max_new_tokens + verdicts)
    if rule == "find_steering_vector":
        steering = settings.steering
        settings_tried = 2 + len(steering.layers) * len(steering.strengths)  # base and the control too
        # Each response is written, and read twice to be scored; for the directions, two are read a question.
        read = 2 * steering.questions * settings.responses.sampling.max_new_tokens
        return 3 * settings_tried * steering.grid_questions * steering.sampling.max_new_tokens + read
    if rule == "evaluate_capabilities":
        capabilities = evaluation.capabilities
        items = min(ITEMS, (capabilities.limit or ITEMS) * PARTS)
        return ARMS * len(capabilities.tasks) * items * TOKENS_OF_AN_ITEM // READING
    if rule == "evaluate_stance":
        # Scoring a reply or a verdict is counted as about as long as an answer.
        return ARMS * stance.statements * STANCE_TURNS * stance.sampling.max_new_tokens
    if rule == "evaluate_judges":
        return 2 * LABELLED_PAIRS * evaluation.judges.sampling.max_new_tokens
    if rule == "evaluate_drift":
        others = len(drift.constitutions or settings.constitutions)
        sampled = evaluation.responses_per_question * evaluation.sampling.max_new_tokens
        return (1 + len(drift.arms)) * others * WRITTEN_QUESTIONS * sampled
    unseen = classifier.held_out_questions
    answers = {
        "sample_chat": classifier.training_questions + unseen,
        "sample_robustness": unseen * evaluation.robustness.suffixes,
        "sample_prefill": unseen,
        "sample_generalisation": unseen * len(evaluation.generalisation.forms),
    }
    if rule in answers:
        return ARMS * answers[rule] * classifier.sampling.max_new_tokens
    if rule == "evaluate_coherence":
        responses = questions * evaluation.responses_per_question
        return ARMS * responses * 2 * evaluation.coherence.sampling.max_new_tokens
    return questions * settings.responses.per_question * settings.responses.sampling.max_new_tokens
