"""A preference model that asks the store first and is loaded only for what is missing."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ethos.execution import device, execution
from ethos.fingerprint import behaviour
from ethos.models import adapter_identity, read_identity
from ethos.preference_data import Reward, RewardRequest
from ethos.stored_model import StoredModel

if TYPE_CHECKING:
    from ethos.reward_model import RewardModel

log = logging.getLogger("ethos.engine")

# What decides a reward besides the text and the weights.
REWARD_FILES = ("reward_model.py", "attention.py", "loading.py", "reading.py")


@cache
def _reward_version() -> dict[str, Any]:
    """Code and libraries of the preference model; another version may give the same text another reward."""
    libraries = {name: version(name) for name in ("torch", "transformers", "peft")}
    return {"code": behaviour("rewards", REWARD_FILES), "libraries": libraries}


class StoredRewards(StoredModel["RewardModel"]):
    """A trained preference model that answers from the store where it can.

    identity: the student that it was trained from. adapter: the preference model's PEFT folder. precision: name of a
    torch dtype. max_tokens: what is behind them is not read. stage: the rule that asks.
    """

    def __init__(self, identity: Path, adapter: Path, *, precision: str, max_tokens: int, stage: str):
        self.folder, self.adapter = identity.parent, adapter
        self.precision, self.max_tokens = precision, max_tokens
        facts = read_identity(identity)
        self.trust_remote_code = facts["trust_remote_code"]
        super().__init__(
            {
                "kind": "preference model",
                "name": f"preference model of {facts['name']}",
                "content": facts["content"],
                "dtype": precision,
                "adapters": [adapter_identity(adapter)],
                "max_tokens": max_tokens,
                **_reward_version(),
            },
            stage=stage,
        )

    def score(self, rows: Sequence[tuple[str, str]]) -> list[float]:
        """Rewards of (question, response) rows, in their order."""
        requests = [RewardRequest(question, response) for question, response in rows]
        return [reward.value for reward in self._answer("reward", requests, Reward, lambda answer: (0, answer.tokens))]

    def _load(self) -> RewardModel:
        log.info(f"{self.stage}: loading the {self.name}")
        from ethos.reward_model import RewardModel  # loads torch; only when something is missing
        from ethos.vllm_server import end_servers

        end_servers()  # to have the GPU
        return RewardModel(
            self.folder,
            self.adapter,
            precision=self.precision,
            max_tokens=self.max_tokens,
            device=device(),
            batch_size=execution().batch_size,
            trust_remote_code=self.trust_remote_code,
        )
