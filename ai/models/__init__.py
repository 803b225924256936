"""Every table of the app. No ForeignKeys between them: ids are stored, so that tables can move to other databases."""

from ai.models.api_keys import ApiKey
from ai.models.assistants import Assistant
from ai.models.audit import AuditEntry, AuditSeal
from ai.models.chunks import Chunk
from ai.models.comments import Comment, CommentEvent
from ai.models.conflicts import SyncConflict
from ai.models.connections import RemoteConnection
from ai.models.data_sources import DataSource
from ai.models.endings import Ending
from ai.models.feedback import Feedback
from ai.models.feedback_events import FeedbackEvent
from ai.models.feedback_receipts import FeedbackReceipt
from ai.models.foreign_ids import ForeignId
from ai.models.jobs import Job, JobItem
from ai.models.language_models import LanguageModel
from ai.models.messages import Message
from ai.models.model_routes import ModelRoute
from ai.models.notifications import Notification, NotificationChoice
from ai.models.person_keys import PersonKeys
from ai.models.presences import Presence
from ai.models.review_events import ReviewEvent
from ai.models.review_items import ReviewItem, ReviewPass, ReviewSlot
from ai.models.review_judges import ReviewJudge, ReviewJudgement
from ai.models.reviews import ReviewQueue, ReviewRubric, ReviewVerdict
from ai.models.run_steps import RunStep
from ai.models.runs import Run
from ai.models.saved_views import SavedView, ViewDefault
from ai.models.search import SearchDocument
from ai.models.syncs import SyncedMessage, ThreadSync
from ai.models.tenants import Tenant, TenantMembership
from ai.models.thread_tags import ThreadTag
from ai.models.threads import ChatThread
from ai.models.vector_stores import VectorStore, VectorStoreBatch, VectorStoreFile
from ai.models.webhooks import Webhook, WebhookDelivery, WebhookPlace
from ai.models.workers import Worker

__all__ = [
    "ApiKey",
    "Assistant",
    "AuditEntry",
    "AuditSeal",
    "ChatThread",
    "Chunk",
    "Comment",
    "CommentEvent",
    "DataSource",
    "Ending",
    "Feedback",
    "FeedbackEvent",
    "FeedbackReceipt",
    "ForeignId",
    "Job",
    "JobItem",
    "LanguageModel",
    "Message",
    "ModelRoute",
    "Notification",
    "NotificationChoice",
    "PersonKeys",
    "Presence",
    "RemoteConnection",
    "ReviewEvent",
    "ReviewItem",
    "ReviewJudge",
    "ReviewJudgement",
    "ReviewPass",
    "ReviewQueue",
    "ReviewRubric",
    "ReviewSlot",
    "ReviewVerdict",
    "Run",
    "RunStep",
    "SavedView",
    "SearchDocument",
    "SyncConflict",
    "SyncedMessage",
    "Tenant",
    "TenantMembership",
    "ThreadSync",
    "ThreadTag",
    "VectorStore",
    "VectorStoreBatch",
    "VectorStoreFile",
    "ViewDefault",
    "Webhook",
    "WebhookDelivery",
    "WebhookPlace",
    "Worker",
]
