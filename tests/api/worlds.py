"""A tenant's data, one of each kind, by the names that the API's document gives to ids."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from ai import ids, tenancy
from ai.models import (
    Assistant,
    ChatThread,
    DataSource,
    Feedback,
    LanguageModel,
    Message,
    ModelRoute,
    Run,
    RunStep,
    Tenant,
    VectorStore,
    VectorStoreBatch,
    VectorStoreFile,
)
from ai.services import actors
from ai.services.reviews import queues
from ai.services.selections import Selection
from tests import factories


def build(owner: Tenant) -> dict[str, str]:
    """Make one of each; their public ids."""
    LanguageModel.objects.get_or_create(alias="fast", defaults={"provider": "openai", "model": "scripted"})
    with tenancy.scope(owner.pk):
        thread = factories.thread(owner, {"role": "user", "content": f"A secret of {owner.name}"})
        return {"thread_id": ids.public("thread", thread.pk), **_said(owner, thread), **_files(owner)}


def _said(owner: Tenant, thread: ChatThread) -> dict[str, str]:
    assistant = Assistant.objects.create(tenant_id=owner.pk, model="fast", name=owner.name)
    run = Run(
        tenant_id=owner.pk,
        thread_id=str(thread.pk),
        assistant_id=assistant.pk,
        model="fast",
        status="completed",
        ended_at=timezone.now(),
    )
    Run.objects.insert([run])
    message = Message.objects.get(thread_id=str(thread.pk))
    details: dict[str, Any] = {"type": "message_creation", "message_creation": {"message_id": str(message.pk)}}
    step = RunStep(tenant_id=owner.pk, run_id=run.pk, thread_id=str(thread.pk), type=details["type"], details=details)
    RunStep.objects.write([step])
    ModelRoute.objects.set(tenant_id=owner.pk, pattern=f"model-of-{owner.pk.hex}", alias="fast")
    return {
        **_opinions(owner, thread, message),
        "assistant_id": ids.public("assistant", assistant.pk),
        "run_id": ids.public("run", run.pk),
        "message_id": ids.public("message", message.pk),
        "step_id": ids.public("step", step.pk),
        "model_id": f"model-of-{owner.pk.hex}",
    }


def _opinions(owner: Tenant, thread: ChatThread, message: Message) -> dict[str, str]:
    given = Feedback.objects.give(message=message, feedback={"rating": "down", "comment": "a secret"}, user_id="cora")
    asked = [{"id": "helped", "type": "yes_no", "text": "Was it?"}]
    queue = queues.make(
        name=f"Of {owner.name}",
        unit="thread",
        questions=asked,
        tenant_id=owner.pk,
        by=actors.SYSTEM,
        at=timezone.now(),
    )
    chosen = Selection.of_ids("threads", [thread.pk])
    queues.fill(queue_id=queue.pk, selection=chosen, by=actors.SYSTEM, at=timezone.now())
    return {
        "feedback_id": ids.public("feedback", given.pk),
        "review_queue_id": ids.public("review_queue", queue.pk),
    }


def _files(owner: Tenant) -> dict[str, str]:
    file = DataSource.objects.add_file(b"secret", name="secret.txt")
    store = VectorStore.objects.create(tenant_id=owner.pk, name=owner.name)
    batch = VectorStoreBatch.objects.create(tenant_id=owner.pk, vector_store_id=store.pk)
    row = VectorStoreFile(tenant_id=owner.pk, vector_store_id=store.pk, file_id=file.file_id, batch_id=batch.pk)
    VectorStoreFile.objects.bulk_create([row])
    return {
        "file_id": file.file_id,
        "vector_store_id": ids.public("vector_store", store.pk),
        "batch_id": ids.public("batch", batch.pk),
    }
