"""How the Hugging Face Hub names a model: its id, and its licence as the model's own card gives it."""

from __future__ import annotations

import re
from pathlib import Path

from ethos.settings import ModelSource


def hub_source(source: str) -> tuple[str | None, str | None]:
    """Id and revision of a `hub:` source; none of any other."""
    kind, _, rest = source.partition(":")
    if kind != "hub":
        return None, None
    name, _, revision = rest.rpartition("@")
    return name, revision


def licence_of(source: ModelSource, folder: Path) -> str:
    """The licence of a prepared model: what the settings say, else what its own card says; empty if nobody does."""
    from huggingface_hub.repocard import metadata_load

    if source.license or not (folder / "README.md").is_file():
        return source.license
    try:
        found = (metadata_load(folder / "README.md") or {}).get("license")
    except Exception:  # a card of others, broken in whatever way, says nothing
        return ""
    return found if isinstance(found, str) and re.fullmatch(r"[a-z0-9][a-z0-9.-]*", found) else ""
