"""What one optimiser step learns from: the mean over the batch of the config, however many processes and micro-batches share it.

TRL takes the mean over a micro-batch, and the trainer the mean of those means. So the smaller ones at the end of the data, and those
that hold fewer tokens, would count too much, and who shares a batch with whom would change the result. Here a micro-batch counts by
its share of the batch's examples, and of its tokens where the loss is one of tokens.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from operator import mul
from typing import Any

import torch
from peft.helpers import disable_input_dtype_casting
from torch.utils.data import DataLoader


class Shares:
    """The micro-batches of one process, as indices; the processes together see each example once an epoch, in one order.

    lengths: of the examples, tokens; those of a step stand by length, so that little is padded. batch: of one step. rows: most in
    a micro-batch. epoch: tells the epoch that begins or goes on.
    Each process has as many micro-batches in a step as the others, or they would wait for each other for ever; where the
    last step of an epoch has too few examples for that, some are empty and made of an example that counts for nothing.
    """

    def __init__(
        self,
        lengths: Sequence[int],
        *,
        batch: int,
        rows: int,
        process: int,
        processes: int,
        seed: int,
        epoch: Callable[[], int],
    ):
        self.lengths, self.batch, self.rows, self.seed, self.epoch = lengths, batch, rows, seed, epoch
        self.process, self.processes = process, processes
        self.steps = -(-len(lengths) // batch)

    def micro_batches(self, step: int) -> list[range]:
        """Those of a step of an epoch, as places in its order; empty ones too."""
        start, end = step * self.batch, min((step + 1) * self.batch, len(self.lengths))
        each = -(-(end - start) // (self.rows * self.processes))
        begins = (start + self.rows * (number * self.processes + self.process) for number in range(each))
        return [range(begin, min(begin + self.rows, end)) for begin in begins]

    def __len__(self) -> int:
        return sum(len(self.micro_batches(step)) for step in range(self.steps))

    def __iter__(self) -> Iterator[list[int]]:
        generator = torch.Generator().manual_seed(self.seed + self.epoch())
        order = torch.randperm(len(self.lengths), generator=generator).tolist()
        for step in range(self.steps):
            own = slice(step * self.batch, (step + 1) * self.batch)
            order[own] = sorted(order[own], key=lambda example: -self.lengths[example])
            for places in self.micro_batches(step):
                yield [order[place] for place in places] or [order[0]]


class _WholeBatch:
    """Makes a TRL trainer take the mean over the batch. Its own figures of a step become those of the whole batch, too."""

    loss_is_scaled_for_ga = True  # the trainer divides no more

    def __init__(self, *args, **kwargs):
        with _only_what_counts():
            super().__init__(*args, **kwargs)
        self.precision = self.model.dtype

    def train(self, *args, **kwargs):
        with _only_what_counts(), disable_input_dtype_casting(self.model):  # autocast converts, once
            return super().train(*args, **kwargs)

    @abstractmethod
    def tokens(self, inputs: dict[str, torch.Tensor]) -> int:
        """How many tokens the loss of a micro-batch is a mean over."""

    @abstractmethod
    def factor(self, examples: float, tokens: float) -> float:
        """What to multiply the loss of a micro-batch by, given its shares of the batch."""

    def get_train_dataloader(self) -> DataLoader:
        args = self.args
        rows = args.per_device_train_batch_size
        columns = [name for name in self.train_dataset.column_names if name.endswith("ids")]
        self.shares = Shares(
            [sum(map(len, row.values())) for row in self.train_dataset.select_columns(columns)],
            batch=rows * args.gradient_accumulation_steps * args.world_size,
            rows=rows,
            process=args.process_index,
            processes=args.world_size,
            seed=args.data_seed,
            epoch=lambda: self.state.global_step // self.shares.steps,
        )
        dataset = self._remove_unused_columns(self.train_dataset)
        return DataLoader(dataset, batch_sampler=self.shares, collate_fn=self.data_collator)

    def get_batch_samples(self, epoch_iterator, num_batches, device):
        batches = list(islice(epoch_iterator, num_batches))
        places = self.shares.micro_batches(self.state.global_step % self.shares.steps)
        self.counts = [
            (len(rows), self.tokens(batch) if rows else 0) for rows, batch in zip(places, batches, strict=True)
        ]
        self.totals = [
            max(1, total) for total in self._summed([sum(column) for column in zip(*self.counts, strict=True)])
        ]
        self._left = iter(self.counts)
        return batches, None

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        # Gradients are averaged over the processes.
        shares = [
            self.args.world_size * part / whole for part, whole in zip(next(self._left), self.totals, strict=True)
        ]
        factor = self.factor(*shares)
        # The adapters' weights are float32; their products are of the precision of the frozen weights.
        in_precision = torch.autocast(self.args.device.type, self.precision, enabled=self.precision != torch.float32)
        with _own_figures(self.accelerator), in_precision:
            return factor * super().compute_loss(model, inputs)

    def log(self, logs, start_time=None):
        if figures := self._metrics["train"]:  # empty at the end of a training
            examples, tokens = zip(*self.counts, strict=True)
            # Others than these are means over examples; TRL counts the tokens of a process since it began.
            weighted = {"mean_token_accuracy": (tokens, self.totals[1]), "num_tokens": ([1], 1)}
            weights, wholes = zip(*(weighted.get(name, (examples, self.totals[0])) for name in figures), strict=True)
            sums = self._summed([sum(map(mul, *pair)) for pair in zip(figures.values(), weights, strict=True)])
            for values, total, whole in zip(figures.values(), sums, wholes, strict=True):
                values[:] = [total / whole]
        super().log(logs, start_time)

    def _summed(self, numbers: list[float]) -> list[float]:
        """The sums over all processes."""
        mine = torch.tensor(numbers, dtype=torch.float64, device=self.args.device)
        return self.accelerator.reduce(mine, "sum").tolist()


@contextmanager
def _own_figures(accelerator) -> Iterator[None]:
    """TRL gathers its figures at every micro-batch, which needs equal numbers of examples; here each process keeps its own."""
    accelerator.gather = accelerator.gather_for_metrics = lambda figures: figures
    try:
        yield
    finally:
        del accelerator.gather, accelerator.gather_for_metrics


@contextmanager
def _only_what_counts() -> Iterator[None]:
    """Only tokens with a label get logits, as TRL has it on GPUs; elsewhere it computes those of the prompts and the padding too."""
    from trl.trainer import utils

    theirs, utils._use_triton = utils._use_triton, lambda device: True
    try:
        yield
    finally:
        utils._use_triton = theirs


class _Reward(_WholeBatch):
    def tokens(self, inputs: dict[str, torch.Tensor]) -> int:
        return 0  # the loss is one of examples alone

    def factor(self, examples: float, tokens: float) -> float:
        return examples


class _Dpo(_WholeBatch):
    """The preference loss is a mean over examples, the NLL one over the tokens of the chosen responses."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.weights = self.loss_weights

    def tokens(self, inputs: dict[str, torch.Tensor]) -> int:
        chosen, _ = inputs["completion_mask"].chunk(2)
        return int(chosen[:, 1:].sum())

    def factor(self, examples: float, tokens: float) -> float:
        self.loss_weights = [weight * share for weight, share in zip(self.weights, (examples, tokens), strict=False)]
        return 1.0


class _Sft(_WholeBatch):
    def tokens(self, inputs: dict[str, torch.Tensor]) -> int:
        return int((inputs["labels"][:, 1:] != -100).sum())

    def factor(self, examples: float, tokens: float) -> float:
        return tokens


def trainer_of(kind: str) -> type[Any]:
    """TRL's trainer of a kind of training. GRPO's normalises over its own batches and trains in one process."""
    if kind == "grpo":
        from trl import GRPOTrainer

        return GRPOTrainer
    if kind == "dpo":
        from trl import DPOTrainer as trainer
    elif kind == "sft":
        from trl import SFTTrainer as trainer
    else:
        from trl import RewardTrainer as trainer
    means = {"dpo": _Dpo, "sft": _Sft, "reward": _Reward}[kind]
    return type(trainer.__name__, (means, trainer), {})
