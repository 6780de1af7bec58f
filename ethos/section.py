"""What all sections of the settings share: strict fields, and defaults that a part of a subsection does not undo."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]*$")]
Precision = Literal["float32", "bfloat16"]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _keep_defaults_of_subsections(cls, data: Any) -> Any:
        """A subsection that states one field keeps the section's own defaults for the others, not its type's."""
        if not isinstance(data, Mapping):
            return data
        merged = dict(data)
        for name, field in cls.model_fields.items():
            if isinstance(field.default, BaseModel) and isinstance(merged.get(name), Mapping):
                merged[name] = _overlay(field.default.model_dump(), merged[name])
        return merged


def _overlay(defaults: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The defaults with what is given laid over them, mapping by mapping."""
    both = {
        name: _overlay(defaults[name], value)
        if isinstance(value, Mapping) and isinstance(defaults.get(name), Mapping)
        else value
        for name, value in given.items()
    }
    return {**defaults, **both}
