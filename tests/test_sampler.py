"""A sampled token belongs to its request alone, and is drawn from the distribution that the settings name."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats
from transformers import RepetitionPenaltyLogitsProcessor

from ethos.sampler import gumbel_noise, penalise_repetition, sample_tokens

DRAWS = 20_000
LOGITS = torch.tensor([1.2, -0.3, 2.0, 0.0, -4.0, 1.9, 0.7, -1.0])


def draw(logits: torch.Tensor, *, temperature: float = 1.0, top_p: float = 1.0) -> np.ndarray:
    """How often each token is drawn from one row of logits, each time with a seed and a step of its own."""
    numbers = torch.arange(DRAWS)
    tokens = sample_tokens(logits.expand(DRAWS, -1), numbers * 7919, numbers % 50, temperature, top_p)
    return np.bincount(tokens.numpy(), minlength=len(logits))


def nucleus(logits: torch.Tensor, temperature: float, top_p: float) -> np.ndarray:
    """Probabilities by the definition: the likeliest tokens up to `top_p`, all ties of the last one included."""
    probabilities = (logits.double() / temperature).softmax(0).numpy()
    order = np.argsort(-probabilities)
    last = order[np.searchsorted(np.cumsum(probabilities[order]), min(top_p, 1 - 1e-12))]
    kept = np.where(probabilities >= probabilities[last] * (1 - 1e-9), probabilities, 0)
    return kept / kept.sum()


def noise(seeds: list[int], steps: list[int], tokens: list[list[int]]) -> torch.Tensor:
    return gumbel_noise(torch.tensor(seeds), torch.tensor(steps), torch.tensor(tokens))


def test_noise_is_the_same_whatever_shares_its_batch():
    together = noise([5, 6, 7], [0, 3, 9], [[4, 8], [4, 1], [2, 8]])
    assert torch.equal(together[1:2], noise([6], [3], [[4, 1]]))
    assert torch.equal(together[1, 1:], noise([6], [3], [[1]])[0])


def test_noise_differs_by_seed_by_step_and_by_token():
    values = [
        noise([seed], [step], [[token]]).item()
        for seed in (0, 1, 2**62)
        for step in (0, 1, 2)
        for token in (0, 1, 49_151)
    ]
    assert len(set(values)) == 27


def test_noise_is_gumbel_distributed_over_seeds_steps_and_tokens():
    count = 5000
    numbers, zeros = torch.arange(count), torch.zeros(count, dtype=torch.long)
    for values in (
        gumbel_noise(numbers, zeros, zeros[:, None]),
        gumbel_noise(zeros, numbers, zeros[:, None]),
        gumbel_noise(zeros[:1], zeros[:1], numbers[None]),
    ):
        assert stats.kstest(values.flatten().numpy(), stats.gumbel_r.cdf).pvalue > 0.001


@pytest.mark.parametrize(
    ("temperature", "top_p"), [(1.0, 1.0), (0.5, 1.0), (2.0, 1.0), (1.0, 0.9), (0.7, 0.8), (1.5, 0.3)]
)
def test_tokens_are_drawn_as_often_as_the_settings_say(temperature, top_p):
    counts, expected = draw(LOGITS, temperature=temperature, top_p=top_p), nucleus(LOGITS, temperature, top_p)
    assert counts[expected == 0].sum() == 0
    if (expected > 0).sum() > 1:
        assert stats.chisquare(counts[expected > 0], DRAWS * expected[expected > 0]).pvalue > 0.001


def test_ties_at_the_edge_of_the_nucleus_are_all_in_it():
    """However a sort orders equals: 0.4 + 0.2 reaches 0.5, and two more tokens are as likely as the last one."""
    counts = draw(torch.tensor([0.1, 0.2, 0.4, 0.1, 0.2, 0.2]).log(), top_p=0.5)
    assert counts[[0, 3]].sum() == 0
    assert stats.chisquare(counts[[1, 2, 4, 5]], DRAWS * np.array([0.2, 0.4, 0.2, 0.2])).pvalue > 0.001


def test_a_token_of_almost_all_probability_is_always_drawn():
    assert draw(torch.tensor([0.0, 12.0, 0.0]), top_p=0.95)[1] == DRAWS


@pytest.mark.parametrize("top_p", [0.02, 0.5, 0.95, 1.0])
def test_the_short_list_of_candidates_gives_what_the_whole_vocabulary_gives(top_p):
    """Nearly flat logits over 2000 tokens: most nuclei are far larger than the short list."""
    rows = 64
    logits = (
        torch.randn(rows, 2000, generator=torch.Generator().manual_seed(0)).mul(0.1).bfloat16().float()
    )  # bf16: many ties
    logits[::4, 17] += 20  # some rows are sure of one token
    seeds, steps = torch.arange(rows) * 31, torch.arange(rows)
    expected = []
    for row in range(rows):
        allowed = torch.tensor(nucleus(logits[row], 0.7, top_p) > 0)
        noisy = (
            logits[row].div(0.7).double()
            + gumbel_noise(seeds[row : row + 1], steps[row : row + 1], torch.arange(2000)[None])[0]
        )
        expected.append(int(torch.where(allowed, noisy, -torch.inf).argmax()))
    assert sample_tokens(logits, seeds, steps, 0.7, top_p).tolist() == expected


def test_a_row_gives_the_same_token_alone_and_in_company():
    logits = torch.randn(16, 500, generator=torch.Generator().manual_seed(1))
    seeds, steps = torch.arange(16) + 100, torch.arange(16)
    together = sample_tokens(logits, seeds, steps, 1.0, 0.95)
    alone = [
        sample_tokens(logits[row : row + 1], seeds[row : row + 1], steps[row : row + 1], 1.0, 0.95).item()
        for row in range(16)
    ]
    assert together.tolist() == alone
    assert len(set(alone)) > 8


def test_temperature_zero_takes_the_lowest_id_among_equals():
    logits = torch.tensor([[0.0, 3.0, 1.0, 3.0], [2.0, 2.0, 2.0, 2.0], [-1.0, -2.0, -3.0, -0.5]])
    seeds = torch.tensor([1, 2, 3])
    assert sample_tokens(logits, seeds, seeds, 0, 0.95).tolist() == [1, 0, 3]


@pytest.mark.parametrize("penalty", [1.0, 1.1, 2.0])
def test_the_repetition_penalty_is_that_of_transformers(penalty):
    logits = torch.randn(4, 50, generator=torch.Generator().manual_seed(2))
    seen = torch.tensor([[3, 3, 9], [0, 49, 0], [7, 7, 7], [1, 2, 3]])
    expected = RepetitionPenaltyLogitsProcessor(penalty=penalty)(seen, logits.clone())
    assert torch.equal(penalise_repetition(logits.clone(), seen, penalty), expected)
