"""Training curves for people who follow them live, in TensorBoard or wandb. Apart from training.py: they must not change what is trained."""

from __future__ import annotations

import os
import shutil
from abc import abstractmethod
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from ethos.errors import BadInput
from ethos.execution import execution
from ethos.training_settings import Training

LOGS = Path("logs")


def trackers(output: Path, settings: Training) -> list[TrainerCallback]:
    """What follows a training, as `execution.tracking` says; nothing by default.

    output: the adapter's folder, `results/{run}/{student}/{constitution}/seed{seed}/{training}`, which names the curve.
    Raises BadInput when the package is not installed.
    """
    tool = execution().tracking
    if tool == "none":
        return []
    if find_spec(tool) is None:
        raise BadInput(f"{tool} is not installed: pip install -e .[tracking]", field="execution.tracking")
    parts = output.parts
    name = Path(*parts[parts.index("results") + 1 :] if "results" in parts else parts[-1:])
    folder = LOGS / name.parent
    if tool == "tensorboard":
        return [TensorBoard(folder / tool / name.name)]
    return [Wandb(folder, name.as_posix(), settings.model_dump(mode="json"))]


# transformers' own callbacks would do, but write all arguments, with paths of this machine, beside the curve.
class _Tracker(TrainerCallback):
    """Sends each step's numbers on."""

    @abstractmethod
    def start(self, step: int) -> None:
        """step: that which a training goes on from; 0 for a new one."""

    @abstractmethod
    def write(self, numbers: Mapping[str, float], step: int) -> None: ...

    @abstractmethod
    def end(self) -> None: ...

    def on_train_begin(self, args, state, control, **kwargs):
        self.start(state.global_step)

    def on_log(self, args, state, control, logs=None, **kwargs):
        self.write({name: float(value) for name, value in (logs or {}).items()}, state.global_step)

    def on_train_end(self, args, state, control, **kwargs):
        self.end()


class TensorBoard(_Tracker):
    """An event file in `folder`; one of an earlier training there goes."""

    def __init__(self, folder: Path):
        self.folder = folder

    def start(self, step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        if not step:
            shutil.rmtree(self.folder, ignore_errors=True)
        # What a killed process wrote of later steps is not shown twice.
        self.writer = SummaryWriter(self.folder, purge_step=step + 1 if step else None)

    def write(self, numbers: Mapping[str, float], step: int) -> None:
        for name, value in numbers.items():
            self.writer.add_scalar(name, value, step)
        self.writer.flush()

    def end(self) -> None:
        self.writer.close()


class Wandb(_Tracker):
    """A run in `folder/wandb/`, offline unless WANDB_MODE says otherwise; nothing of the machine but wandb's own version."""

    def __init__(self, folder: Path, name: str, settings: Mapping[str, Any]):
        self.folder, self.name, self.settings = folder, name, settings

    def start(self, step: int) -> None:
        import wandb

        self.folder.mkdir(parents=True, exist_ok=True)
        self.run = wandb.init(
            project="ethos",
            name=self.name,
            dir=self.folder,
            config=dict(self.settings),
            mode=os.environ.get("WANDB_MODE", "offline"),
            settings=wandb.Settings(
                silent=True,
                console="off",
                disable_git=True,
                disable_code=True,
                x_disable_meta=True,
                x_disable_stats=True,
                x_disable_machine_info=True,
                host="",
            ),
        )

    def write(self, numbers: Mapping[str, float], step: int) -> None:
        self.run.log(dict(numbers), step=step)

    def end(self) -> None:
        self.run.finish()
