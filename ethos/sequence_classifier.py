"""A model fine-tuned to say of which class a text is."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from ethos.evaluation_settings import FineTuning
from ethos.execution import device, execution
from ethos.models import read_identity

log = logging.getLogger("ethos.sequence_classifier")


def fine_tune(
    identity: Path, settings: FineTuning, seed: int, texts: Sequence[str], classes: Sequence[str]
) -> Callable[[Sequence[str]], list[str]]:
    """A function that names the classes of texts, by a prepared model with a fresh head that learned from these.

    identity: the `identity.json` of the model, in its folder. classes: one for each text; each weighs the same in the loss.
    All weights are trained, in float32. The seed decides the head, the order and what is dropped out.
    """
    import datasets
    import torch
    from transformers import DataCollatorWithPadding, PrinterCallback, Trainer, TrainingArguments, set_seed

    from ethos.loading import load_classifier, load_tokenizer
    from ethos.training_progress import ProgressLines

    datasets.disable_progress_bars()
    where, trust = device(), read_identity(identity)["trust_remote_code"]
    names = sorted(set(classes))
    labels = torch.tensor([names.index(name) for name in classes])
    counts = labels.bincount()
    weights = len(labels) / (len(names) * counts)
    tokenizer = load_tokenizer(identity.parent)
    set_seed(seed % 2**32)
    model = load_classifier(identity.parent, torch.float32, len(names), trust_remote_code=trust)

    def rows(texts: Sequence[str], **columns: list[int]) -> datasets.Dataset:
        read = tokenizer(list(texts), truncation=True, max_length=settings.max_tokens)
        return datasets.Dataset.from_dict(
            {"input_ids": read.input_ids, "attention_mask": read.attention_mask} | columns
        )

    def loss(outputs, labels: torch.Tensor, **_) -> torch.Tensor:
        return torch.nn.functional.cross_entropy(outputs.logits.float(), labels, weights.to(labels.device))

    with TemporaryDirectory() as scratch:
        trainer = Trainer(
            model=model,
            args=TrainingArguments(
                output_dir=scratch,
                per_device_train_batch_size=settings.batch_size,
                per_device_eval_batch_size=execution().batch_size,
                num_train_epochs=settings.epochs,
                learning_rate=settings.learning_rate,
                seed=seed % 2**32,
                use_cpu=where == "cpu",
                logging_steps=1,
                save_strategy="no",
                report_to="none",
                disable_tqdm=True,
                dataloader_pin_memory=False,
            ),
            train_dataset=rows(texts, labels=labels.tolist()),
            data_collator=DataCollatorWithPadding(tokenizer),
            compute_loss_func=loss,
            callbacks=[ProgressLines("classifier")],
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()

    def name(unseen: Sequence[str]) -> list[str]:
        if not unseen:
            return []
        logits = trainer.predict(rows(unseen)).predictions
        return [names[place] for place in logits.argmax(-1)]

    return name
