"""Conversations as a model's template writes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from ethos.chat_format import render
from ethos.engine import Message, chat
from ethos.loading import load_tokenizer

pytestmark = pytest.mark.slow


def test_a_template_without_a_system_role_gets_it_before_the_first_user_turn(tiny_model: Path) -> None:
    tokenizer = load_tokenizer(tiny_model)
    tokenizer.chat_template = (
        "{% for m in messages %}{% if m['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
        "[{{ m['role'] }}] {{ m['content'] }} {% endfor %}"
    )
    text = render(tokenizer, [Message("system", "Be kind."), Message("user", "Hello.")])
    assert text == "[user] Be kind.\n\nHello. "


def test_options_reach_the_chat_template(tiny_model: Path) -> None:
    tokenizer = load_tokenizer(tiny_model)
    tokenizer.chat_template = "{{ 'fast' if not enable_thinking else 'slow' }}: {{ messages[0]['content'] }}"
    assert render(tokenizer, chat(user="Why?"), options={"enable_thinking": False}) == "fast: Why?"
