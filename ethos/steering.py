"""A steering vector: a direction in a model's activations that is added while the model reads and writes.

Activation addition (Turner et al. 2023, arXiv 2308.10248) of the mean difference between contrasting prompts (Rimsky et al.
2024, arXiv 2312.06681). What is done to the model itself is in ethos/activations.py, which loads torch.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ethos.errors import BadInput
from ethos.files import canonical_json, whole_file

# The Snakefile imports this module by way of the arms; numpy is loaded where it is needed.
if TYPE_CHECKING:
    import numpy as np

STEERING_VECTOR = "steering_vector.safetensors"
# What decides a direction, and how a vector changes a model.
STEERING_FILES = ("activations.py", "loading.py")


@dataclass(frozen=True)
class SteeringVector:
    """layer: the one behind which the vector is added, 1 for the first. strength: multiplies the direction; 1 moves the
    activations from what they are on average in plain responses to what they are in character. direction: float32 [hidden].
    """

    layer: int
    strength: float
    direction: np.ndarray

    def as_bytes(self) -> bytes:
        """A safetensors file; equal vectors give equal bytes."""
        from safetensors.numpy import save

        # One entry of metadata: safetensors writes several in an order of chance.
        facts = {"steering": canonical_json({"layer": self.layer, "strength": self.strength})}
        return save({"direction": self.direction}, metadata=facts)

    @property
    def identity(self) -> str:
        """What it is by content: the SHA-256 of its file."""
        return hashlib.sha256(self.as_bytes()).hexdigest()

    def save(self, path: Path) -> None:
        with whole_file(path) as beside:
            beside.write_bytes(self.as_bytes())


def read_steering_vector(path: Path) -> SteeringVector:
    """Raises BadInput for a file that holds none."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            facts = json.loads(file.metadata()["steering"])
            return SteeringVector(facts["layer"], facts["strength"], file.get_tensor("direction"))
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise BadInput(f"holds no steering vector ({error}); delete it and run again", path=path) from None
