"""What the trainings share: LoRA on a prepared model with a TRL trainer, kept in the store, equal bytes for equal input."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ethos.distributed import launch
from ethos.execution import device, execution, store_folder
from ethos.files import canonical_json, sha256_of_text, write_json
from ethos.fingerprint import behaviour
from ethos.models import adapter_identity, read_identity
from ethos.store import TrainingStore, training_key
from ethos.training_settings import Dpo, GrpoTraining, Training

# For its type alone: what GRPO is made of decides no other training.
if TYPE_CHECKING:
    from ethos.grpo import Rewards

log = logging.getLogger("ethos.training")

# What decides a trained adapter besides its data, its settings and the model.
TRAINING_FILES = ("training.py", "training_arguments.py", "training_batches.py", "training_snapshots.py", "loading.py")
# Folder of an adapter's snapshots, beside it.
SNAPSHOTS = "snapshots"


def settings_read(kind: str) -> type[Training]:
    """The settings that a kind of training reads."""
    return {"dpo": Dpo, "grpo": GrpoTraining}.get(kind, Training)


@dataclass(frozen=True)
class Job:
    """One training.

    kind: `reward`, `dpo`, `sft` or `grpo`. rows: the examples, as TRL expects them. identity: the prepared model that is
    trained. adapters: adapters merged into it first. rewards: of `grpo`. snapshots: parts of the training at whose ends
    the adapter is kept, the last being the adapter itself.
    """

    kind: str
    rows: Sequence[Mapping[str, Any]]
    settings: Training
    seed: int
    identity: Path
    adapters: Sequence[Path] = ()
    rewards: Rewards | None = None
    snapshots: int = 1

    def ingredients(self) -> dict[str, Any]:
        """All that the trained adapter depends on."""
        facts = read_identity(self.identity)
        return {
            "kind": self.kind,
            "data": sha256_of_text(canonical_json(list(self.rows))),
            "settings": self.settings.model_dump(include=set(settings_read(self.kind).model_fields)),
            "seed": self.seed,
            "base": facts["content"],
            "adapters": [adapter_identity(path) for path in self.adapters],
            "code": behaviour("training", TRAINING_FILES),
            "libraries": {name: version(name) for name in ("torch", "transformers", "trl", "peft")},
            # Where there are none, a training is what it always was.
            **({"rewards": self.rewards.ingredients(facts)} if self.rewards else {}),
            **({"snapshots": self.snapshots} if self.snapshots > 1 else {}),
        }


def snapshot_steps(total: int, parts: int) -> dict[int, int]:
    """The step after which each snapshot is kept, by its number; the last part ends with the adapter itself."""
    return {number: -(-number * total // parts) for number in range(1, parts)}


def train(job: Job, output: Path) -> None:
    """Train an adapter into `output` (PEFT files, `history.json`, `examples.json`, `snapshots/`), or take it from the store.

    A training that was killed goes on from its last checkpoint. What is not in the store is trained in as many processes
    as `execution.training` says. Raises ValueError when there is nothing to train on.
    """
    if not job.rows:
        raise ValueError("no training examples")
    ingredients = job.ingredients()
    # Those of sharded weights can't be read by other strategies.
    checkpoints = store_folder() / "scratch" / f"{training_key(ingredients)}-{execution().training.strategy}"

    def start(folder: Path) -> None:
        several = execution().training.processes > 1
        if several and job.settings.is_online:
            log.info(f"{job.kind} training: in one process, as what it samples depends on how many there are")
        (launch if several and not job.settings.is_online else fit)(job, folder, checkpoints, output)

    trained = TrainingStore(store_folder()).train_once(ingredients, start, output)
    shutil.rmtree(checkpoints, ignore_errors=True)  # also those of a job that was killed after the training was kept
    if not trained:
        tracked = "" if execution().tracking == "none" else ", nothing to track"
        log.info(f"{job.kind} training on {len(job.rows)} examples: found in the store{tracked}")


def fit(job: Job, folder: Path, shared: Path, output: Path) -> None:
    """Train an adapter into `folder`, in this process and those that were launched with it; the first one writes.

    shared: where checkpoints are kept. output: where the adapter will be, which names its curve.
    """
    import datasets
    from accelerate import PartialState
    from peft import LoraConfig
    from transformers import PrinterCallback

    from ethos.loading import computing_dtype, load_model, load_reward_base, load_tokenizer
    from ethos.tracking import trackers
    from ethos.training_arguments import arguments, history
    from ethos.training_batches import trainer_of
    from ethos.training_checkpoints import Checkpoints
    from ethos.training_progress import ProgressLines
    from ethos.training_snapshots import Snapshots, save_adapter

    datasets.disable_progress_bars()
    where = device()
    first = PartialState(cpu=where == "cpu").is_main_process
    trust = read_identity(job.identity)["trust_remote_code"]
    tokenizer = load_tokenizer(job.identity.parent)
    dtype = computing_dtype(job.settings.precision, where)
    is_reward = job.kind == "reward"
    lora = LoraConfig(
        r=job.settings.lora.rank,
        lora_alpha=job.settings.lora.alpha,
        target_modules="all-linear",
        task_type="SEQ_CLS" if is_reward else "CAUSAL_LM",
        modules_to_save=["score"] if is_reward else None,
    )
    model = (
        load_reward_base(job.identity.parent, dtype, job.seed, trust_remote_code=trust)
        if is_reward
        else load_model(job.identity.parent, dtype, adapters=job.adapters, trust_remote_code=trust)
    )
    if is_reward:
        model.score.float()  # it is trained whole, and small steps would be lost in less
    snapshots = folder / SNAPSHOTS
    checkpoints = Checkpoints(shared, minutes=execution().checkpoint_minutes, carried=snapshots)
    rows = [_supported(tokenizer, row) for row in job.rows]
    online = {}
    if job.rewards:
        usable = job.rewards.usable(rows, tokenizer, job.settings)
        rows = job.rewards.passes(usable, job.settings, job.seed)
        online = {"reward_funcs": job.rewards.function(job.identity, job.settings.grpo.generations, job.seed)}
    trainer = trainer_of(job.kind)(
        model=model,
        args=arguments(job, str(checkpoints.own), where),
        train_dataset=datasets.Dataset.from_list(rows),
        processing_class=tokenizer,
        peft_config=lora,
        callbacks=[
            Snapshots(snapshots, lambda total: snapshot_steps(total, job.snapshots)),
            checkpoints,
            *([ProgressLines(job.kind), *trackers(output, job.settings)] if first else []),
        ],
        **online,
    )
    trainer.remove_callback(PrinterCallback)  # our own lines say more
    given, trained_on = len(job.rows), len(usable if online else trainer.train_dataset)
    if trained_on < given:
        log.warning(
            f"{job.kind} training: {given - trained_on} of {given} examples are longer than max_tokens and left out"
        )
    trainer.train(resume_from_checkpoint=checkpoints.newest())
    save_adapter(trainer.model, folder)
    if first:
        write_json(folder / "examples.json", {"given": given, "trained_on": trained_on, "too_long": given - trained_on})
        write_json(folder / "history.json", history(trainer.state.log_history))


def _supported(tokenizer, row: Mapping[str, Any]) -> dict[str, Any]:
    """An example whose prompt has only roles that the chat template knows."""
    from ethos.loading import supported_turns

    return {name: supported_turns(tokenizer, turns) if name == "prompt" else turns for name, turns in row.items()}
