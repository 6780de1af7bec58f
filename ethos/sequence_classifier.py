"""A model fine-tuned to say of which class a text is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

from ethos.evaluation_settings import FineTuning
from ethos.execution import device, execution, store_folder
from ethos.files import canonical_json, read_json, sha256_of_text, write_json
from ethos.fingerprint import behaviour
from ethos.models import read_identity
from ethos.store import TrainingStore

# What decides how a text is named, besides the model, what it learned from and what else is named.
CLASSIFIER_FILES = ("sequence_classifier.py", "loading.py")


def fine_tune_once(
    identity: Path, settings: FineTuning, seed: int, texts: Sequence[str], classes: Sequence[str]
) -> Callable[[Sequence[str]], list[str]]:
    """As `fine_tune`, but the names of texts are kept in the store: nothing is learned where they were once asked for.

    Kept are the names and not the weights, which are a model's, as many times as there are arms.
    """

    def name(unseen: Sequence[str]) -> list[str]:
        if not unseen:
            return []
        facts = read_identity(identity)
        ingredients = {
            "kind": "classifier",
            "data": sha256_of_text(canonical_json([list(texts), list(classes), list(unseen)])),
            "settings": settings.model_dump(include=set(FineTuning.model_fields)),
            "seed": seed,
            "base": facts["content"],
            "code": behaviour("classifier", CLASSIFIER_FILES),
            "libraries": {library: version(library) for library in ("torch", "transformers")},
        }

        def learn(folder: Path) -> None:
            write_json(folder / "names.json", fine_tune(identity, settings, seed, texts, classes)(unseen))
            write_json(folder / "examples.json", {"trained_on": len(texts)})

        with TemporaryDirectory() as scratch:
            found = Path(scratch) / "name_persona"
            TrainingStore(store_folder()).train_once(ingredients, learn, found)
            return read_json(found / "names.json")

    return name


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
