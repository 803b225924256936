"""The API below `/v1/`: `ai.middleware.api.ApiMiddleware` answers for it, and no other URLs need to include it."""

from __future__ import annotations

import re
from functools import cached_property
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import path, reverse
from ninja import NinjaAPI, Swagger
from ninja.errors import ValidationErrorContext
from ninja.openapi.schema import OpenAPISchema

from ai.api import (
    assistants,
    errors,
    feedback,
    files,
    messages,
    models,
    review_queues,
    runs,
    steps,
    threads,
    validation,
    vector_store_files,
    vector_stores,
)
from ai.api.auth import guarded
from ai.api.bodies import QueryParser
from ai.exceptions import InvalidInput

DESCRIPTION = "The Assistants API, with any language model. Clients of OpenAI's need another `base_url`, and a key of this server."


class AssistantsAPI(NinjaAPI):
    """Ninja with the Assistants API's errors and a security scheme in its document."""

    def validation_error_from_error_contexts(  # type: ignore[override]
        self, error_contexts: list[ValidationErrorContext[Any]]
    ) -> InvalidInput:
        """The first thing that is wrong with a request."""
        context = error_contexts[0]
        model: Any = context.model
        found = context.pydantic_validation_error.errors(include_url=False)[0]
        # A body and a group of query values have the name of the view's argument in front.
        named = model.__ninja_param_source__ == "body" or len(found["loc"]) > 1
        return validation.invalid(found, skip=1 if named else 0)

    def on_exception(self, request: HttpRequest, exc: Any) -> HttpResponse:
        """Every error has an answer."""
        return errors.answer(request, exc)

    def get_root_path(self, path_params: dict[str, Any]) -> str:
        """Where the API is; it may be asked outside of a request for it, where Django has other URLs."""
        return reverse(f"{self.urls_namespace}:api-root", __name__, kwargs=path_params)

    def get_openapi_schema(self, **_: Any) -> OpenAPISchema:
        """The OpenAPI document, made once."""
        return self._document

    @cached_property
    def _document(self) -> OpenAPISchema:
        document = super().get_openapi_schema()
        document["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{"key": []}]
        for operations in document["paths"].values():
            for operation in operations.values():
                operation["summary"] = _words(operation["operationId"])
                _may_be_absent(operation, document["components"]["schemas"])
        return document


def _words(operation_id: str) -> str:
    """`createThreadAndRun` is "Create thread and run"."""
    return re.sub(r"(?<!^)([A-Z])", lambda found: f" {found[1].lower()}", operation_id).capitalize()


def _may_be_absent(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    """A body in which nothing is required need not be sent."""
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if content and not schemas[content["schema"]["$ref"].rpartition("/")[2]].get("required"):
        operation["requestBody"]["required"] = False


api = AssistantsAPI(
    title="Marvin Console",
    version="2.0",
    description=DESCRIPTION,
    urls_namespace="v1",
    docs=Swagger(settings={"validatorUrl": None}),
)
api.parser = QueryParser()
api.add_decorator(guarded, mode="view")
for _prefix, _router in (
    ("/assistants", assistants.router),
    # Before the threads: `/threads/runs` is not a thread called "runs".
    ("/threads", runs.router),
    ("/threads", steps.router),
    ("/threads", threads.router),
    ("/threads", messages.router),
    ("/files", files.router),
    ("/vector_stores", vector_stores.router),
    ("/vector_stores", vector_store_files.router),
    ("/models", models.router),
    ("/feedback", feedback.router),
    ("/review_queues", review_queues.router),
):
    api.add_router(_prefix, _router)

urlpatterns = [path("v1/", api.urls)]
