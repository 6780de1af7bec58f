"""Attention whose rows depend on nothing but themselves: one implementation, and the masks it is given."""

from __future__ import annotations

import torch
from transformers import AttentionInterface, PreTrainedConfig
from transformers.integrations.sdpa_attention import sdpa_attention_forward

NAME = "ethos"
FULL, SLIDING = "full_attention", "sliding_attention"


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


def causal_mask(
    config: PreTrainedConfig, mask: torch.Tensor, before: torch.Tensor | None = None
) -> torch.Tensor | dict[str, torch.Tensor]:
    """A mask of our own for padded texts: transformers drops its mask when no companion has padding.

    config: of the text model. mask: bool [rows, tokens], False at padding. before: bool [rows, slots], what was read earlier and
    may be looked at. Returns, as the layers take it, bool [rows, 1, tokens, slots + tokens]; padding sees itself, not nothing.
    """
    order = torch.arange(mask.shape[1], device=mask.device)
    own = ((order[:, None] >= order) & mask[:, None, :]) | (order[:, None] == order)
    everything = mask
    if before is not None:
        own = torch.cat([before[:, None, :].expand(-1, mask.shape[1], -1), own], dim=2)
        everything = torch.cat([before, mask], dim=1)
    place = everything.cumsum(1)  # of each slot's token in its text
    distance = place[:, None, -mask.shape[1] :, None] - place[:, None, None, :]
    return as_layers_take_it(own[:, None], distance, config)


def other_attention(config: PreTrainedConfig) -> str:
    """What of a text model's attention can't be computed with masks of ours; empty where all can."""
    kinds = set(getattr(config, "layer_types", None) or []) - {FULL, SLIDING}
    capped = getattr(config, "attn_logit_softcapping", None)
    return ", ".join(sorted(kinds)) or ("capped logits" if capped else "")


def as_layers_take_it(
    mask: torch.Tensor, distance: torch.Tensor, config: PreTrainedConfig
) -> torch.Tensor | dict[str, torch.Tensor]:
    """The mask as the layers of a text model take it: where some or all look back no further than a window, one that ends there.

    mask: bool, or added to the weights. distance: int, how many tokens before the query a slot's token stands; it has a shape that
    broadcasts to the mask's.
    """
    kinds, window = getattr(config, "layer_types", None), getattr(config, "sliding_window", None)
    if window is None or (kinds and SLIDING not in kinds):
        return mask
    none = False if mask.dtype == torch.bool else -torch.inf
    near = mask.masked_fill(distance >= window, none)
    return {FULL: mask, SLIDING: near} if kinds else near
