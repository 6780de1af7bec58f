"""Which evaluations a run makes of a constitution; each is a table of results in `evaluations/`."""

from __future__ import annotations

from ethos.settings import Settings

# Of every run: what stands behind its headline, and what tells whether the training went wrong.
_ALWAYS = ("character", "preference_model", "overoptimisation")


def evaluations_of(settings: Settings, constitution: str) -> list[str]:
    """The names of the tables of tables.METRICS that a run has for each student and seed of a constitution."""
    names = [*_ALWAYS, *settings.evaluation.which]
    if "preferences" in names and len(settings.students) > 1:
        names.append("students")
    asked = settings.contributions and settings.contributions.constitution == constitution
    return [*names, "contributions"] if asked else names
