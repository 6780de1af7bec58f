"""A constitution with one of its traits left out: what it is called, and what it says."""

from __future__ import annotations

from ethos.constitution import Constitution
from ethos.errors import BadInput


def without_trait(constitution: Constitution, trait_id: str) -> Constitution:
    """The constitution without a trait and its questions; it keeps its own name.

    Raises BadInput for a trait that it has not, and for its only one.
    """
    kept = tuple(trait for trait in constitution.traits if trait.id != trait_id)
    if len(kept) == len(constitution.traits):
        raise BadInput(f"{constitution.name!r} has no trait {trait_id!r}", field="trait")
    if not kept:
        raise BadInput(
            f"{constitution.name!r} has one trait alone; leaving traits out takes two or more",
            field="contributions.constitution",
        )
    description = f"{constitution.name} as it would be without its trait {trait_id}."
    return constitution.model_copy(update={"description": description, "traits": kept})


def leave_out_each(constitution: Constitution) -> dict[str, Constitution]:
    """The constitution without each of its traits in turn, by the name that this has in results.

    No constitution of a user has such a name: theirs hold no hyphen.
    """
    return {
        f"{constitution.name}-without-{trait.id}": without_trait(constitution, trait.id)
        for trait in constitution.traits
    }
