"""Which models with pages can be imported from CSV, and why the others cannot. Each of them is here."""

from __future__ import annotations

from django.db.models import Model

from ai.models import (
    ApiKey,
    Assistant,
    AuditEntry,
    ChatThread,
    DataSource,
    Feedback,
    Job,
    LanguageModel,
    Message,
    ModelRoute,
    Notification,
    RemoteConnection,
    ReviewQueue,
    Run,
    SyncConflict,
    Tenant,
    VectorStore,
    Webhook,
    WebhookDelivery,
)
from ai.resources.assistants import AssistantResource
from ai.resources.base import CsvResource
from ai.resources.connections import RemoteConnectionResource
from ai.resources.data_sources import DataSourceResource
from ai.resources.feedback import FeedbackResource
from ai.resources.language_models import LanguageModelResource
from ai.resources.messages import MessageResource
from ai.resources.model_routes import ModelRouteResource
from ai.resources.runs import RunResource
from ai.resources.tenants import TenantResource
from ai.resources.threads import ThreadResource
from ai.resources.vector_stores import VectorStoreResource

RESOURCES: dict[type[Model], type[CsvResource]] = {
    ChatThread: ThreadResource,
    Message: MessageResource,
    Run: RunResource,
    DataSource: DataSourceResource,
    Feedback: FeedbackResource,
    Assistant: AssistantResource,
    LanguageModel: LanguageModelResource,
    ModelRoute: ModelRouteResource,
    Tenant: TenantResource,
    VectorStore: VectorStoreResource,
    RemoteConnection: RemoteConnectionResource,
}

WITHOUT: dict[type[Model], str] = {
    ApiKey: "A key is shown once and only its digest is kept: a file could bring neither, but doors that nobody opened.",
    AuditEntry: "The log says what happened here. What a file says happened did not, and the seals would vouch for it.",
    Job: "A job is work that a worker does; a row that was never asked for would be done, or look as if it had been.",
    Notification: "Everybody is told of what happened here; what a file says did not happen, and nobody should be told of it.",
    ReviewQueue: "Reviews are what people said, each without seeing the others' answers, of one version of the questions.",
    SyncConflict: "A conflict is between a message here and one elsewhere as they are now: the next sync finds it itself.",
    Webhook: "Its secret is shown once and never leaves: a file could only bring webhooks whose receivers believe nothing.",
    WebhookDelivery: "The log of deliveries says what was sent from here, and what was not can be sent again there.",
}
