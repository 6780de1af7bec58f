"""The residual stream of a model, behind each of its layers: read from a response, and moved by a steering vector."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

import torch
from torch import nn
from torch.utils.hooks import RemovableHandle
from transformers import PreTrainedModel

from ethos.errors import BadInput
from ethos.steering import SteeringVector


def decoder_layers(model: PreTrainedModel) -> nn.ModuleList:
    """The layers of a causal language model, in order. Raises BadInput for a model that is built otherwise."""
    count = model.config.get_text_config().num_hidden_layers
    for part in model.get_decoder().modules():
        if isinstance(part, nn.ModuleList) and len(part) == count:
            return part
    raise BadInput(f"{type(model).__name__} has no list of {count} layers, so it can't be steered; use another model")


def add_steering(model: PreTrainedModel, vector: SteeringVector) -> RemovableHandle:
    """Add a vector behind its layer, at every position, until the handle is removed (or left, as a context).

    Element by element, so a row's numbers depend on no other. Raises BadInput for a vector of another model.
    """
    layers, hidden = decoder_layers(model), model.config.get_text_config().hidden_size
    if not 1 <= vector.layer <= len(layers) or vector.direction.shape != (hidden,):
        raise BadInput(
            f"a steering vector of {vector.direction.shape} behind layer {vector.layer} does not fit a model of {len(layers)} "
            f"layers of {hidden}; it was made for another model"
        )
    shift = (vector.strength * torch.from_numpy(vector.direction)).to(model.device, model.dtype)

    def move(layer: nn.Module, given: tuple, output: torch.Tensor | tuple) -> torch.Tensor | tuple:
        # Some architectures return the stream alone, others as the first of several.
        return (output[0] + shift, *output[1:]) if isinstance(output, tuple) else output + shift

    return layers[vector.layer - 1].register_forward_hook(move)


@torch.inference_mode()
def response_activations(model: PreTrainedModel, prompt: Sequence[int], response: Sequence[int]) -> torch.Tensor:
    """The residual stream behind each layer, mean over the tokens of a response: float64 [layers, hidden].

    One text at a time, so that it depends on nothing else.
    """
    means: list[torch.Tensor] = []

    def note(layer: nn.Module, given: tuple, output: torch.Tensor | tuple) -> None:
        stream = output[0] if isinstance(output, tuple) else output
        means.append(stream[0, len(prompt) :].double().mean(dim=0).cpu())

    with ExitStack() as hooks:
        for layer in decoder_layers(model):
            hooks.enter_context(layer.register_forward_hook(note))
        model(input_ids=torch.tensor([[*prompt, *response]], device=model.device), use_cache=False, logits_to_keep=1)
    return torch.stack(means)
