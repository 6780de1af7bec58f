"""What makes a request the same request."""

from __future__ import annotations

from dataclasses import replace

from ethos.engine import Request, Sampling, chat


def test_a_request_has_another_key_only_where_answers_are_prescribed() -> None:
    """Keys are in stores and archives: this one must never change."""
    request = Request(chat(system="Be kind.", user="Why?"), Sampling(max_new_tokens=8), 7, prefill="1.", stops=("\n",))
    assert request.key("model") == "8eb37f784994b4c6a5d6b61d2ca59f8b3e8d78a1130bd3d48cc86217004a4520"
    assert replace(request, choices=()).key("model") == request.key("model")
    assert len({replace(request, choices=choices).key("model") for choices in ((), ("1", "2"), ("1", "3"))}) == 3
