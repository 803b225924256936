"""What the shapes of all nouns share: metadata, numbers in bounds, choices, and values that are kept as they came."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Discriminator, Field, StringConstraints, WrapValidator, model_validator

#: At most 16 pairs of texts.
Metadata = Annotated[
    dict[Annotated[str, StringConstraints(max_length=64)], Annotated[str, StringConstraints(max_length=512)]],
    Field(max_length=16),
]
Temperature = Annotated[float, Field(ge=0, le=2, strict=True)]
TopP = Annotated[float, Field(ge=0, le=1, strict=True)]


#: What every answer holds and no request can change.
ANSWERED = frozenset({"id", "object", "created_at"})


class Request(BaseModel):
    """The body of a request. A parameter that the API does not know is refused, as OpenAI's does: it may be misspelt."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _sent_back(cls, data: Any) -> Any:
        """What the API itself answered may be sent back, changed or not; what it cannot change says nothing."""
        if not isinstance(data, dict):
            return data
        return {key: value for key, value in data.items() if key not in ANSWERED or key in cls.model_fields}


def _as_it_came(value: Any, check: Any) -> Any:
    check(value)
    return value


#: Checked, and then kept as the client sent it, with what only the client knows.
AS_IT_CAME = WrapValidator(_as_it_came)


def _kind(value: Any) -> str:
    if isinstance(value, str):
        return "#string"
    if isinstance(value, list):
        return "#array"
    return f"#{value.get('type')}" if isinstance(value, dict) else "#"


#: Tells objects by their `type`, and texts from arrays. Tags begin with `#`, so that no error names them to a client.
BY_TYPE = Discriminator(_kind)


def given(data: BaseModel) -> dict[str, Any]:
    """What the client said, by field. An explicit null says nothing, as everywhere in this API."""
    values = {name: getattr(data, name) for name in type(data).model_fields if name in data.model_fields_set}
    return {name: value for name, value in values.items() if value is not None}


def seconds(moment: datetime | None) -> int | None:
    """Unix time in whole seconds, as the API tells it."""
    return int(moment.timestamp()) if moment else None


class Deleted(BaseModel):
    """What is left of something that was deleted."""

    id: str
    object: str
    deleted: bool


def deleted(public_id: str, kind: str) -> dict[str, Any]:
    """The answer to a deletion; `kind` is the `object` of the thing, such as "thread"."""
    return {"id": public_id, "object": kind, "deleted": True}
