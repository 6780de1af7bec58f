"""Sampling whose noise belongs to the request and the token, never to the batch.

A token is drawn by the Gumbel-max trick (Gumbel 1954; Maddison et al. 2014, arXiv 1411.0030): the arg max of
logit / temperature + noise, where the noise is a hash of (seed of the request, step, token id). Two batches that
give a row the same logits therefore give it the same token. Only the candidates that can be in the nucleus are touched.
"""

from __future__ import annotations

import torch

# The nucleus of an instruct model at p = 0.95 rarely holds more tokens than this; if it does, the whole
# vocabulary is sorted for that row.
_CANDIDATES = 128


def _splitmix64(x: torch.Tensor) -> torch.Tensor:
    """Steele et al. (2014), doi:10.1145/2660193.2660195; int64 arithmetic wraps as uint64 does."""
    x = x + -7046029254386353131
    x = (x ^ ((x >> 30) & 0x3FFFFFFFF)) * -4658895280553007687
    x = (x ^ ((x >> 27) & 0x1FFFFFFFFF)) * -7723592293110705685
    return x ^ ((x >> 31) & 0x1FFFFFFFF)


def gumbel_noise(seeds: torch.Tensor, steps: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    """Standard Gumbel noise for each token id.

    seeds, steps: int64 [rows]. tokens: int64 [rows, n]. Returns float64 [rows, n].
    """
    state = _splitmix64(_splitmix64(seeds) + steps)
    bits = _splitmix64(state[:, None] + _splitmix64(tokens))
    uniform = (((bits >> 11) & 0x1FFFFFFFFFFFFF).double() + 0.5) * 2.0**-53
    return -torch.log(-torch.log(uniform))


def penalise_repetition(logits: torch.Tensor, seen: torch.Tensor, penalty: float) -> torch.Tensor:
    """Lower the logits of tokens already seen (Keskar et al. 2019, arXiv 1909.05858), in place.

    logits: float [rows, vocabulary]. seen: int64 [rows, n], token ids, repeats allowed.
    """
    if penalty != 1.0:
        values = logits.gather(1, seen)
        logits.scatter_(1, seen, torch.where(values > 0, values / penalty, values * penalty))
    return logits


def sample_tokens(
    logits: torch.Tensor, seeds: torch.Tensor, steps: torch.Tensor, temperature: float, top_p: float
) -> torch.Tensor:
    """Draw one token for each row.

    logits: float32 [rows, vocabulary]. seeds, steps: int64 [rows]. Returns int64 [rows].
    """
    if temperature == 0:
        # The lowest id among equals: bf16 logits tie often, and `argmax` promises no order.
        ids = torch.arange(logits.shape[1], device=logits.device)
        return torch.where(logits == logits.amax(1, keepdim=True), ids, logits.shape[1]).amin(1)
    scores = torch.log_softmax(logits / temperature, dim=1)
    count = min(_CANDIDATES, logits.shape[1])
    chosen, unsure = _draw(scores, seeds, steps, top_p, count)
    if unsure.any():
        rows = unsure.nonzero()[:, 0]
        chosen[rows], _ = _draw(scores[rows], seeds[rows], steps[rows], top_p, logits.shape[1])
    return chosen


def _draw(scores, seeds, steps, top_p, count):
    """Draw from the nucleus among the `count` likeliest tokens; the second result marks the rows for which it may be larger.

    The nucleus is cut by value: tokens as likely as the last one in it are in it too, however they were sorted.
    """
    values, tokens = scores.topk(count, dim=1)
    mass = torch.exp(values.double()).cumsum(1)
    reached = mass >= top_p
    last = torch.where(reached.any(1), reached.int().argmax(1), count - 1)
    threshold = values.gather(1, last[:, None])
    noisy = torch.where(values >= threshold, values.double() + gumbel_noise(seeds, steps, tokens), -torch.inf)
    chosen = tokens.gather(1, noisy.argmax(1, keepdim=True))[:, 0]
    whole = count == scores.shape[1]
    unsure = torch.zeros_like(last, dtype=torch.bool) if whole else values[:, -1] >= threshold[:, 0]
    return chosen, unsure
