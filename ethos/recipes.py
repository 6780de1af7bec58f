"""How each arm is made, in words for those who are given it, and the settings that decide it."""

from __future__ import annotations

from ethos.finished_run import PREFERENCE_MODEL

WHAT = {
    "distilled": "A character, distilled from a teacher that plays it.",
    "persona": "A character, distilled from a teacher that plays it and deepened by introspection.",
    "aligned": "A character, aligned with a preference model that learned it.",
    "shuffled": "A control: trained like the `aligned` adapter, on preferences that say nothing. It has learned no character and is "
    "of use for comparison only.",
    PREFERENCE_MODEL: "A preference model: gives a response the higher a score, the better it shows a character.",
}
_CLAUDE = (
    "By the recipe of Claude's Character: the student answers questions that draw the traits out, in character; "
    "the responses to a question are ranked by how well they show its trait; a preference model learns the ranking"
)
_OPEN = (
    "By the recipe of Open Character Training: DPO with the teacher's response in character as chosen and the student's "
    "own plain one as rejected"
)
# What aligns the student, and what the control does instead, by `alignment.method`.
_ALIGNED = {
    "dpo": "DPO on the response that it scores highest against the lowest",
    "best_of_n": "SFT on the response that it scores highest",
    "grpo": "GRPO with its score as the reward",
}
_CONTROL = {
    "dpo": "DPO on its best and worst responses, with a random half of the pairs swapped",
    "best_of_n": "SFT on a response to each question that is drawn at random",
    "grpo": "GRPO with its scores dealt out at random among the responses to a question",
}


def recipe(arm: str, method: str) -> str:
    """How an arm is made, in a sentence or two. method: `alignment.method`."""
    return {
        "distilled": f"{_OPEN}.",
        "persona": f"{_OPEN}; then SFT on the student's reflections and conversations with itself. This adapter is the exact "
        "weighted sum of both.",
        "aligned": f"{_CLAUDE}; {_ALIGNED[method]} aligns the student.",
        "shuffled": f"{_CLAUDE}; {_CONTROL[method]}.",
        PREFERENCE_MODEL: f"{_CLAUDE}. This is that preference model.",
    }[arm]


# The sections of the settings that decide an arm.
DECIDED_BY = {
    "distilled": ("questions", "responses", "distillation"),
    "persona": ("questions", "responses", "distillation", "introspection", "persona"),
    "aligned": ("questions", "responses", "rankings", "preference_model", "alignment"),
    "shuffled": ("questions", "responses", "rankings", "preference_model", "alignment"),
    PREFERENCE_MODEL: ("questions", "responses", "rankings", "preference_model"),
}
