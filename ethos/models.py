"""A prepared model: a folder with safetensors, tokenizer and chat template, and what it is by content."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ethos.errors import BadInput
from ethos.files import canonical_json, read_json, sha256_of_file, sha256_of_text
from ethos.ledger import model_line, note_used

# Only what changes what the model says counts towards its identity; a README beside the weights does not.
_MEANING = (".safetensors", ".json", ".jinja", ".model", ".txt", ".py")
_NOT_MEANING = ("identity.json", "history.json", "examples.json", "LICENSE.txt")


def content_identity(folder: Path) -> dict[str, Any]:
    """What a model folder is by content: `files` (name to SHA-256) and `content`, the hash over them."""
    files = {
        path.name: sha256_of_file(path)
        for path in sorted(folder.iterdir())
        if path.is_file() and path.name.endswith(_MEANING) and path.name not in _NOT_MEANING
    }
    return {"files": files, "content": sha256_of_text(canonical_json(files))}


def read_identity(path: Path) -> dict[str, Any]:
    """Read `identity.json` of a prepared model; the results of this job stand on it from now on."""
    identity = read_json(path)
    if not isinstance(identity, dict) or "content" not in identity:
        raise BadInput("holds no model identity; delete the folder and run again", path=path)
    note_used([model_line(path.parent)])
    return identity


def adapter_identity(folder: Path) -> str:
    """The content hash of a saved PEFT adapter."""
    return content_identity(folder)["content"]


def check_model_folder(folder: Path, *, name: str, chats: bool = True) -> None:
    """Refuse a folder that is not a complete model in safetensors.

    Raises BadInput when it has no config, no safetensors weights, no tokenizer or, if it `chats`, no chat template.
    """
    if not (folder / "config.json").is_file():
        raise BadInput("has no config.json; give the folder of a transformers model", path=folder, field=name)
    if not list(folder.glob("*.safetensors")):
        raise BadInput(
            "has no safetensors weights; convert the model (pickle is never loaded)", path=folder, field=name
        )
    if not (folder / "tokenizer_config.json").is_file():
        raise BadInput("has no tokenizer_config.json; save the tokenizer beside the weights", path=folder, field=name)
    in_config = "chat_template" in read_json(folder / "tokenizer_config.json")
    if chats and not in_config and not (folder / "chat_template.jinja").is_file():
        raise BadInput(
            "has no chat template; use an instruct model or add chat_template.jinja", path=folder, field=name
        )
