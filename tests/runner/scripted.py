"""A language model of the installation on the scripted server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pydantic_ai.models import override_allow_model_requests

from ai.models import LanguageModel
from tests import factories
from tests.fakes.vendors import VendorServer


@contextmanager
def scripted_model(alias: str = "scripted", **values: Any) -> Iterator[tuple[VendorServer, LanguageModel]]:
    """The server, and the model on it."""
    with VendorServer() as server, override_allow_model_requests(True):
        url = server.url("openai-compatible")
        yield server, factories.language_model(alias=alias, base_url=url, **values)
