"""Runs as the Assistants API asks for them: an assistant answers a thread, and clients answer its tool calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction

from ai import conf, dispatch, llm
from ai.exceptions import InvalidInput, NotFound, RunNotActive
from ai.llm.specs import RUNS_CODE
from ai.models import Assistant, ChatThread, ForeignId, Message, Run, RunStep
from ai.models.runs import RunStatus
from ai.runner.calls import Answer, Call, tool_message
from ai.runner.loading import STORES
from ai.services import actors, audit, messages, model_routes, permissions, runs, threads
from ai.stores.serialization import clean_text

#: What a run takes over from the request into its `settings`; of these, what the assistant says where the request does not.
SETTINGS = (
    "temperature",
    "top_p",
    "max_prompt_tokens",
    "max_completion_tokens",
    "truncation_strategy",
    "tool_choice",
    "parallel_tool_calls",
    "response_format",
    "reasoning_effort",
)
ASSISTANTS_OWN = ("temperature", "top_p", "response_format", "reasoning_effort")


@transaction.atomic
def create(*, thread_id: UUID, assistant_id: UUID, by: Any, at: datetime, worker: str = "", **values: Any) -> Run:
    """Have an assistant answer a thread.

    Args:
        worker: the name of a process that executes the run itself, so that it can be streamed; else a worker takes it.
        values: `model`, `instructions`, `additional_instructions`, `additional_messages`, `tools`, `metadata`, and
            those of `SETTINGS`, as the Assistants API has them; absent ones are the assistant's.

    Raises:
        Forbidden.
        NotFound: there is no such thread or assistant.
        ThreadBusy: the thread has an active run.
        InvalidInput: there is no such model, or it cannot do what was asked.
    """
    permissions.require(by, "ai.add_run")
    thread = ChatThread.objects.locked(thread_id)
    if thread is None:
        raise NotFound(f"No thread found with id '{_shown('thread', thread_id)}'.")
    assistant: Assistant | None = Assistant.objects.filter(pk=assistant_id).first()
    if assistant is None or thread.tenant_id is None:
        raise NotFound(f"No assistant found with id '{_shown('assistant', assistant_id)}'.")
    if busy := Run.objects.active_on(thread.pk, at=at):
        raise Run.objects.refusal(busy)
    if more := values.pop("additional_messages", None):
        messages.write(thread=thread, messages=more, by=by, at=at)
        thread.refresh_from_db()
    run = _run(thread, assistant, values, by=by, at=at)
    if worker:
        Run.objects.hold(run, worker=worker, at=at)
    else:
        Run.objects.queue(run)
        dispatch.execute_run(run_id=run.pk)
    audit.record("run.started", target=run, by=by, at=at, model=run.model, assistant=str(assistant.pk))
    return run


@transaction.atomic
def create_with_thread(
    *,
    thread: Mapping[str, Any],
    assistant_id: UUID,
    tenant_id: UUID,
    by: Any,
    at: datetime,
    worker: str = "",
    **values: Any,
) -> tuple[ChatThread, Run]:
    """Make a thread, and have an assistant answer it; both, or neither.

    Raises:
        Forbidden, NotFound, InvalidInput.
    """
    made = threads.create(tenant_id=tenant_id, by=by, at=at, **thread)
    return made, create(thread_id=made.pk, assistant_id=assistant_id, by=by, at=at, worker=worker, **values)


def _run(thread: ChatThread, assistant: Assistant, values: dict[str, Any], *, by: Any, at: datetime) -> Run:
    assert thread.tenant_id is not None  # noqa: S101 - its caller has looked
    name = values.get("model") or assistant.model
    alias = model_routes.alias_of(name, tenant_id=thread.tenant_id)
    tools = values["tools"] if values.get("tools") is not None else assistant.tools or []
    settings = {key: (assistant.settings or {}).get(key) for key in ASSISTANTS_OWN}
    settings |= {key: values[key] for key in SETTINGS if values.get(key) is not None}
    _check_tools(tools, settings.get("tool_choice"), alias)
    if name != alias:
        settings["requested_model"] = name
    if stores := _stores(assistant.tool_resources, (thread.data or {}).get("tool_resources")):
        settings[STORES] = stores
    return Run(
        thread_id=str(thread.pk),
        tenant_id=thread.tenant_id,
        assistant_id=assistant.pk,
        requested_by=actors.id_of(by),
        model=alias,
        instructions=_instructions(assistant, values),
        tools=tools,
        settings={key: value for key, value in settings.items() if value is not None},
        metadata=values.get("metadata") or {},
        history_until=thread.last_sequence,
        created=at,
        modified=at,
        expires_at=at + timedelta(seconds=conf.current().run_max_seconds),
    )


def _shown(kind: str, key: UUID) -> str:
    shown: str = ForeignId.objects.shown(kind, key)
    return shown


def _instructions(assistant: Assistant, values: Mapping[str, Any]) -> str:
    """The request's instead of the assistant's; additional ones behind either."""
    first = values.get("instructions") if values.get("instructions") is not None else assistant.instructions
    return "\n".join(text for text in (first, values.get("additional_instructions")) if text)


def _stores(*resources: Mapping[str, Any] | None) -> list[str]:
    """The vector stores that an assistant and a thread search in, by their public ids."""
    found = [
        store for each in resources for store in ((each or {}).get("file_search") or {}).get("vector_store_ids") or []
    ]
    return list(dict.fromkeys(found))


def _check_tools(tools: Sequence[Mapping[str, Any]], choice: Any, alias: str) -> None:
    names = {(tool.get("function") or {}).get("name") for tool in tools}
    kinds = {tool.get("type") for tool in tools}
    if isinstance(choice, Mapping):
        chosen = (choice.get("function") or {}).get("name")
        if chosen not in names if choice.get("type") == "function" else choice.get("type") not in kinds:
            raise InvalidInput(
                f"Invalid 'tool_choice': the tool {chosen or choice.get('type')!r} is not among the run's tools.",
                param="tool_choice",
            )
    if "code_interpreter" in kinds and llm.spec(alias).provider not in RUNS_CODE:
        raise InvalidInput(
            f"The model '{alias}' cannot run code: code_interpreter needs a provider that does so itself "
            f"({', '.join(sorted(RUNS_CODE))}). Choose another model, or leave the tool out.",
            param="tools",
            code="unsupported_tool",
        )


def submit_outputs(
    *, thread_id: UUID, run_id: UUID, outputs: Sequence[Mapping[str, Any]], by: Any, at: datetime, worker: str = ""
) -> tuple[Run, RunStep]:
    """Answer the tool calls that a run waits for, all of them at once; the run, and the step that is complete now.

    Args:
        outputs: `tool_call_id` and `output` of each.
        worker: as for `create`.

    Raises:
        Forbidden.
        NotFound: the thread has no such run.
        InvalidInput: the run waits for nothing, or for other calls.
    """
    permissions.require(by, "ai.change_run")
    _expire(thread_id, run_id, at=at)
    with transaction.atomic():
        ChatThread.objects.locked(thread_id)  # first, as whoever starts a run does
        run = _of_thread(Run.objects.select_for_update(), thread_id, run_id)
        calls = _waiting(run)
        given = {str(each.get("tool_call_id")): clean_text(str(each.get("output") or "")) for each in outputs}
        if set(given) != {call.id for call in calls}:
            expected = [call.id for call in calls]
            raise InvalidInput(
                f"Expected tool outputs for call_ids {expected}, got {list(given)}.", param="tool_outputs"
            )
        step = RunStep.objects.answer(run.pk, given, at=at)
        said = [tool_message(call, Answer(given[call.id])) for call in calls]
        Message.objects.append(said, thread_id=thread_id, run_id=run.pk, at=at)
        Run.objects.resume(run.pk, at=at)
        taken = Run.objects.claim(run.pk, worker=worker, at=at) if worker else None
        if taken is None:
            dispatch.execute_run(run_id=run.pk)
        audit.record("run.answered", target=run, by=by, at=at, calls=len(calls))
    return taken or Run.objects.get(pk=run.pk), step


def _expire(thread_id: UUID, run_id: UUID, *, at: datetime) -> None:
    late = Run.objects.filter(pk=run_id, thread_id=str(thread_id), expires_at__lt=at)
    if late.active().exists():
        Run.objects.expire(at=at)


def _of_thread(rows: Any, thread_id: UUID, run_id: UUID) -> Run:
    run: Run | None = rows.filter(pk=run_id, thread_id=str(thread_id)).first()
    if run is None:
        raise NotFound(f"No run found with id '{_shown('run', run_id)}'.")
    return run


def _waiting(run: Run) -> list[Call]:
    """The calls that the run's client has to answer."""
    if run.status != RunStatus.REQUIRES_ACTION:
        raise InvalidInput(f'Runs in status "{run.status}" do not accept tool outputs.')
    asked = ((run.required_action or {}).get("submit_tool_outputs") or {}).get("tool_calls") or []
    return [Call(call["id"], call["function"]["name"], call["function"]["arguments"]) for call in asked]


@transaction.atomic
def modify(*, thread_id: UUID, run_id: UUID, metadata: Mapping[str, str], by: Any, at: datetime) -> Run:
    """Give a run other metadata.

    Raises:
        Forbidden, NotFound.
    """
    permissions.require(by, "ai.change_run")
    run = _of_thread(Run.objects, thread_id, run_id)
    Run.objects.set_metadata(run.pk, metadata=dict(metadata), at=at)
    audit.record("run.changed", target=run, by=by, at=at)
    return _of_thread(Run.objects, thread_id, run_id)


def cancel(*, thread_id: UUID, run_id: UUID, by: Any, at: datetime) -> Run:
    """Cancel a run: at once while it waits, within a second while it is executed.

    Raises:
        Forbidden, NotFound.
        InvalidInput: it has ended.
    """
    run = _of_thread(Run.objects, thread_id, run_id)
    try:
        return runs.cancel(run_id=run.pk, by=by, at=at)
    except RunNotActive:
        run.refresh_from_db(fields=["status"])
        raise InvalidInput(f"Cannot cancel run with status '{run.status}'.") from None
