"""Packed layers compute what plain ones do, and round a row alike whatever shares its batch."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ethos.loading import computing_dtype
from ethos.packing import PackedLinear, pack_linear_layers

# A CPU without instructions for bfloat16 computes nothing in it, and has no such layout.
COMPUTED = sorted({computing_dtype(name, "cpu") for name in ("bfloat16", "float32")}, key=str)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("dtype", COMPUTED)
def test_a_packed_layer_gives_what_the_plain_one_gives(dtype: torch.dtype, bias: bool) -> None:
    torch.manual_seed(0)
    layer = nn.Linear(576, 192, bias=bias, dtype=dtype)
    x = torch.randn(4, 8, 576, dtype=dtype)
    with torch.inference_mode():
        torch.testing.assert_close(PackedLinear(layer)(x), layer(x))


@pytest.mark.parametrize("dtype", COMPUTED)
def test_a_row_does_not_depend_on_the_number_of_rows(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    layer, x = PackedLinear(nn.Linear(576, 1536, dtype=dtype)), torch.randn(64, 576, dtype=dtype)
    with torch.inference_mode():
        whole = layer(x)
        for rows in (8, 9, 13, 32, 33):
            assert torch.equal(layer(x[5 : 5 + rows]), whole[5 : 5 + rows])


def test_all_linear_layers_of_a_model_are_packed() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Sequential(nn.Linear(4, 2)))
    pack_linear_layers(model)
    assert not [module for module in model.modules() if type(module) is nn.Linear]
