"""Reading requests: JSON that comes from anywhere, and that every database can keep afterwards."""

from __future__ import annotations

import json
from typing import Annotated, Any, NoReturn, TypeVar

from django.http import HttpRequest
from ninja import NinjaAPI
from ninja.params.models import Body, BodyModel
from ninja.parser import Parser

from ai import conf
from ai.exceptions import InvalidInput, TooLarge
from ai.stores.serialization import clean_text, to_serializable

T = TypeVar("T")

#: Deeper objects are refused: no client has a use for them, and what reads them next might not survive.
MOST_LEVELS = 100

NOT_JSON = "We could not parse the JSON body of your request. (HINT: the API expects a JSON object, encoded in UTF-8.)"


class _JsonModel(BodyModel):
    @classmethod
    def get_request_data(
        cls, request: HttpRequest, api: NinjaAPI, path_params: dict[str, Any]
    ) -> dict[str, Any] | None:
        data = getattr(request, "ai_body", {})
        return {cls.__read_from_single_attr__: data}


class JsonBody(Body):  # type: ignore[misc]
    """The request's JSON body, as `read` left it; an absent body is an empty object."""

    _model = _JsonModel

    @classmethod
    def _param_source(cls) -> str:
        return "body"


#: The type of a view's argument that is the request's JSON body: `data: Json[CreateThread]`.
Json = Annotated[T, JsonBody(...)]


class QueryParser(Parser):
    """Takes a query value that is empty for one that was not given, and no NUL."""

    def parse_querydict(self, data: Any, list_fields: list[str], request: HttpRequest) -> dict[str, Any]:
        """The values of the query or form."""
        found = super().parse_querydict(data, list_fields, request)
        cleaned = {name: clean_text(value) if isinstance(value, str) else value for name, value in found.items()}
        return {name: value for name, value in cleaned.items() if value != ""}


def read(request: HttpRequest) -> None:
    """Read the body, on a thread that may block: JSON becomes `request.ai_body`, an upload `request.FILES`.

    Raises:
        InvalidInput: it is neither.
        TooLarge: JSON of more than `AI_API_MAX_BODY_BYTES`.
    """
    if request.method not in {"POST", "PUT", "PATCH"}:
        return
    if request.content_type == "multipart/form-data":
        _ = request.FILES
        return
    limit = conf.current().api_max_body_bytes
    raw = request.read(limit + 1)
    if len(raw) > limit:
        raise TooLarge(f"The request's body is larger than {limit:,} bytes, the most this installation accepts.")
    request.ai_body = parse(raw)  # type: ignore[attr-defined]


def parse(raw: bytes) -> dict[str, Any]:
    """The JSON object in `raw`, without NULs and lone surrogates; an empty one when there is nothing, or null.

    Raises:
        InvalidInput: this is no JSON object.
    """
    if not raw.strip():
        return {}
    try:
        data = json.loads(raw.decode(), parse_constant=_refuse, parse_float=_finite)
    except (ValueError, RecursionError):
        raise InvalidInput(NOT_JSON) from None
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise InvalidInput("The body of the request must be a JSON object.")
    if raw.count(b"{") + raw.count(b"[") > MOST_LEVELS:
        _check_depth(data)
    return to_serializable(data) if b"\\u" in raw else data


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _finite(text: str) -> float:
    number = float(text)
    if abs(number) == float("inf"):
        raise ValueError("out of range")
    return number


def _check_depth(data: Any) -> None:
    level = [data]
    for _ in range(MOST_LEVELS):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return
    raise InvalidInput(f"The body of the request is nested more than {MOST_LEVELS} levels deep.")
