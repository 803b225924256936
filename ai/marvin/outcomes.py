"""How a Marvin run ended, and in which words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from marvin import Task
from pydantic_ai.exceptions import AgentRunError, UserError

from ai import llm
from ai.exceptions import AIError, ModelError
from ai.llm.errors import MESSAGE_CHARACTERS, redact
from ai.models.runs import RunStatus

#: The packages whose exceptions come from a vendor or from the way to it.
_VENDORS = frozenset(
    {
        "anthropic", "botocore", "cohere", "google", "groq", "httpcore", "httpcore2", "httpx", "httpx2", "huggingface_hub",
        "mistralai", "openai",
    }
)  # fmt: skip

#: A status, and the error of one that failed.
Outcome = tuple[RunStatus, ModelError | None]


def of_end(tasks: Iterable[Task[Any]]) -> Outcome:
    """The outcome of a run in which nothing was raised."""
    failed = next((task for task in tasks if task.is_failed()), None)
    if failed is None:
        return RunStatus.COMPLETED, None
    return RunStatus.FAILED, _given_up(failed)


def of_error(error: BaseException, tasks: Iterable[Task[Any]]) -> Outcome:
    """The outcome of a run that ended with `error`."""
    if not isinstance(error, Exception):
        return RunStatus.CANCELLED, None  # asyncio's cancellation, Ctrl-C
    if type(error) is ValueError and (failed := next((task for task in tasks if task.is_failed()), None)):
        return RunStatus.FAILED, _given_up(failed)
    if _is_the_models(error):
        return RunStatus.FAILED, llm.translate(error)
    said = " ".join(redact(f"{type(error).__name__}: {error}").split())
    return RunStatus.FAILED, ModelError(f"The agent failed: {said[:MESSAGE_CHARACTERS]}", code="server_error")


def _given_up(task: Task[Any]) -> ModelError:
    said = " ".join(redact(str(task.result or "")).split())[:MESSAGE_CHARACTERS]
    return ModelError(f"The agent gave up{f': {said}' if said else '.'}", code="server_error")


def _is_the_models(error: Exception) -> bool:
    """Whether the error came from asking a model, not from the code around it."""
    known = isinstance(error, AIError | AgentRunError | UserError | TimeoutError | ConnectionError)
    return known or type(error).__module__.partition(".")[0] in _VENDORS
