"""Attention whose rows depend on nothing but themselves: one implementation, and the masks it is given."""

from __future__ import annotations

import torch
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward

NAME = "ethos"


def _attention(module, query, key, value, attention_mask, scaling=None, dropout=0.0, **kwargs):
    """Scaled dot-product attention; a step of one token is computed by plain products.

    On CPU `scaled_dot_product_attention` rounds a row by the thread it lands on, and is 2.4 times slower at this shape.
    Shapes as in transformers: query [rows, heads, tokens, dimension]; key and value have the heads of their groups.
    """
    rows, heads, tokens, dimension = query.shape
    if tokens > 1:
        return sdpa_attention_forward(module, query, key, value, attention_mask, dropout, scaling, **kwargs)
    grouped = query.reshape(rows, key.shape[1], heads // key.shape[1], dimension)
    weights = torch.matmul(grouped, key.transpose(2, 3)).float() * scaling + attention_mask
    mixed = torch.matmul(weights.softmax(-1).to(value.dtype), value)
    return mixed.reshape(rows, heads, 1, value.shape[3]).transpose(1, 2), None


AttentionInterface.register(NAME, _attention)


def causal_mask(mask: torch.Tensor, before: torch.Tensor | None = None) -> torch.Tensor:
    """A mask of our own for padded texts: transformers drops its mask when no companion has padding.

    mask: bool [rows, tokens], False at padding. before: bool [rows, slots], what was read earlier and may be looked at.
    Returns bool [rows, 1, tokens, slots + tokens]; padding sees itself, not nothing.
    """
    order = torch.arange(mask.shape[1], device=mask.device)
    own = ((order[:, None] >= order) & mask[:, None, :]) | (order[:, None] == order)
    if before is not None:
        own = torch.cat([before[:, None, :].expand(-1, mask.shape[1], -1), own], dim=2)
    return own[:, None]
