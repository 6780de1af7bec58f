"""In what precision a model is loaded."""

from __future__ import annotations

import pytest
import torch

from ethos.loading import computing_dtype


@pytest.mark.parametrize("can", [True, False])
def test_only_a_cpu_that_cannot_multiply_in_bfloat16_takes_float32_for_it(
    can: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: can)
    ask = computing_dtype.__wrapped__  # what it said before is of this machine
    assert ask("bfloat16", "cpu") == (torch.bfloat16 if can else torch.float32)
    assert ask("bfloat16", "cuda") == torch.bfloat16
    assert ask("float32", "cpu") == ask("float32", "cuda") == torch.float32
