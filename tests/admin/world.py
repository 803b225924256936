"""One row, or many, of everything that has a page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.db import connection
from django.db.models import Model
from django.urls import NoReverseMatch, reverse
from django.utils import timezone

from ai import tenancy
from ai.models import (
    ApiKey,
    Assistant,
    AuditEntry,
    Comment,
    DataSource,
    Feedback,
    Job,
    JobItem,
    LanguageModel,
    Message,
    ModelRoute,
    Notification,
    RemoteConnection,
    ReviewItem,
    ReviewJudge,
    ReviewJudgement,
    ReviewQueue,
    Run,
    RunStep,
    SyncConflict,
    Tenant,
    VectorStore,
    VectorStoreFile,
    Webhook,
    WebhookDelivery,
)
from ai.stores.rubrics import Rubric
from tests import factories

#: A word that is in every text of a tenant's world, to be looked for on other tenants' pages.
SECRET = "zanzibar"


@dataclass
class World:
    """The rows of one tenant, by model; the first of each is the one that pages are asked for."""

    tenant: Tenant
    rows: dict[Any, Any]


def build(tenant: Tenant, *, count: int = 1, word: str = SECRET) -> World:
    """`count` of each kind of row for the tenant."""
    with tenancy.scope(tenant.pk):
        made = [_one(tenant, number, word) for number in range(count)]
    return World(tenant, made[0])


def _one(tenant: Tenant, number: int, word: str) -> dict[Any, Any]:
    now = timezone.now() - timedelta(minutes=number)
    thread = factories.thread(
        tenant,
        {"role": "user", "content": f"{word} asks"},
        {"role": "assistant", "content": f"{word} answers"},
        name=f"{word} {number}",
    )
    question, answer = Message.objects.list_thread_messages(thread.pk)
    run = Run(thread_id=str(thread.pk), tenant_id=tenant.pk, model=f"model-{word}", status="failed", created=now)
    run.ended_at, run.error_code, run.error_message = now, "server_error", f"{word} failed"
    run.save(force_insert=True)
    Message.objects.filter(pk=answer.pk).update(run_id=str(run.pk))
    RunStep.objects.write(
        [RunStep(run_id=run.pk, tenant_id=tenant.pk, thread_id=str(thread.pk), type="message_creation")]
    )
    waiting = Run(thread_id=str(thread.pk), tenant_id=tenant.pk, model="m", created=now, replay_of_thread=thread.pk)
    waiting.replay_of, waiting.replay_from, waiting.replay_to = run.pk, 2, 2
    waiting.history_until = 1
    job = Job(kind="replay", title=f"{word} job", tenant_id=tenant.pk, total=1, created=now, requested_by=word)
    job.save(force_insert=True)
    waiting.job_id = job.pk
    waiting.save(force_insert=True)
    JobItem.objects.add([JobItem(job_id=job.pk, tenant_id=tenant.pk, position=0, object_id=str(thread.pk))])
    feedback = Feedback.objects.give(
        message=answer, feedback={"rating": "down", "comment": f"{word} was bad"}, user_id=word
    )
    file = DataSource.objects.add_file(f"{word} content".encode(), f"{word}.txt", tenant_id=tenant.pk)
    assistant = Assistant(name=f"{word} helper", model="m", tenant_id=tenant.pk, instructions=word)
    assistant.save(force_insert=True)
    key, _ = ApiKey.objects.make(
        tenant_id=tenant.pk, created=now, name=f"{word} shop", scopes=["read"], created_by=word
    )
    route = ModelRoute.objects.set(tenant_id=tenant.pk, pattern=f"{word}-{number}*", alias="local:smollm2")
    store = VectorStore.objects.make(VectorStore(name=f"{word} papers", tenant_id=tenant.pk), at=now)
    VectorStoreFile.objects.add(
        [VectorStoreFile(vector_store_id=store.pk, file_id=file.file_id, tenant_id=tenant.pk, status="completed")]
    )
    connection_ = RemoteConnection(
        name=f"{word} {thread.pk.hex}", base_url="https://example.com/v1", tenant_id=tenant.pk
    )
    connection_.set_api_key("sk-never-show-this")
    connection_.save(force_insert=True)
    conflict = SyncConflict(
        thread_id=thread.pk,
        message_id=answer.pk,
        tenant_id=tenant.pk,
        external_id=f"msg_{number}",
        kind="edited_both",
        local={"role": "assistant", "content": f"{word} here"},
        remote={"role": "assistant", "content": f"{word} there"},
    )
    conflict.save(force_insert=True)
    entry = AuditEntry.objects.record(f"{word}.done", actor_id="1", actor_name=word, at=now, target=run)
    queue = ReviewQueue(tenant_id=tenant.pk, name=f"{word} {thread.pk.hex}", unit="thread", instructions=word)
    ReviewQueue.objects.make(queue, Rubric.from_json([{"id": "fine", "type": "yes_no", "text": f"{word}?"}]))
    item = ReviewItem(tenant_id=tenant.pk, queue_id=queue.pk, object_id=thread.pk, thread_id=thread.pk, position=0)
    ReviewItem.objects.add([item], slots=1)
    judge = ReviewJudge(
        tenant_id=tenant.pk, queue_id=queue.pk, version=1, model="local:smollm2", prompt=f"{word} strictly"
    )
    ReviewJudge.objects.write(judge)
    ReviewJudge.objects.freeze(judge, rubric_version=1, at=now)
    judgement = ReviewJudgement(
        tenant_id=tenant.pk,
        queue_id=queue.pk,
        item_id=item.pk,
        judge_version=1,
        rubric_version=1,
        error=f"{word} failed",
    )
    ReviewJudgement.objects.keep(judgement, at=now)
    comment = Comment.objects.add(
        Comment(
            tenant_id=tenant.pk, thread_id=thread.pk, message_id=answer.pk, author=word, at=now, text=f"{word} remarks"
        )
    )
    notification = Notification(
        tenant_id=tenant.pk, user_id="0", kind="mention", key=f"mention:{comment.pk}", at=now, title=f"{word} mentions"
    )
    notification.thread_id, notification.message_id, notification.target_type = thread.pk, answer.pk, "comment"
    Notification.objects.add([notification])
    hook = Webhook(
        tenant_id=tenant.pk, name=f"{word} {thread.pk.hex}", url="https://example.com/in", events=["mention"]
    )
    hook.set_secret("whsec_bmV2ZXIgc2hvdyB0aGlz")
    hook.save(force_insert=True)
    delivery = WebhookDelivery(
        tenant_id=tenant.pk,
        webhook_id=hook.pk,
        event="mention",
        key=f"audit:{number}",
        first_at=now,
        next_at=now,
        created=now,
    )
    delivery.body, delivery.answer = f'{{"type": "mention", "data": {{"actor": "{word}"}}}}', f"{word} says no"
    WebhookDelivery.objects.add([delivery])
    rows: dict[Any, Any] = {
        type(row): row
        for row in (
            queue,
            connection_,
            conflict,
            thread,
            question,
            run,
            feedback,
            job,
            file,
            assistant,
            entry,
            tenant,
            key,
            route,
            store,
            notification,
            hook,
            delivery,
        )
    }
    return {**rows, "replay": waiting}


def ai_pages() -> dict[type[Model], Any]:
    """The registered models of the app, with their admin."""
    return {model: page for model, page in admin.site._registry.items() if model._meta.app_label == "ai"}


def urls_of(rows: dict[Any, Any]) -> list[str]:
    """Every address of every registered model's pages, custom ones included, filled in with these rows."""
    found = []
    for model, page in admin.site._registry.items():
        row = rows.get(model)
        for pattern in page.get_urls():
            found += _filled(pattern, row, rows)
    return sorted(set(found))


def _filled(pattern: Any, row: Any, rows: dict[Any, Any]) -> list[str]:
    if not pattern.name:
        return []
    names = list(pattern.pattern.converters)
    keys: list[dict[str, Any]] = [{}] if not names else []
    candidates = [row, rows.get("replay")] if isinstance(row, Run) else [row]
    for each in candidates if names and row is not None else []:
        values = {"state": "resolved"}
        keys.append({name: values.get(name, getattr(each, "pk", None)) for name in names})
    addresses = []
    for kwargs in keys:
        try:
            addresses.append(reverse(f"admin:{pattern.name}", kwargs=kwargs))
        except NoReverseMatch:
            continue
    return addresses


def fingerprint() -> dict[str, list[str]]:
    """Every row of every table, apart from sessions and the caches of search indexes."""
    found = {}
    with connection.cursor() as cursor:
        for table in sorted(connection.introspection.table_names(cursor)):
            if table == "django_session" or "_fts" in table:
                continue
            cursor.execute(f'SELECT * FROM "{table}"')  # noqa: S608 - names come from the database itself
            found[table] = sorted(map(repr, cursor.fetchall()))
    return found


def model_named(alias: str = "fast") -> LanguageModel:
    """A language model with a stored key."""
    row = LanguageModel(alias=alias, provider="openai", model="gpt-4o-mini")
    row.set_api_key("sk-never-show-this")
    row.save()
    return row
