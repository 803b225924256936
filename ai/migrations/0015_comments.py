"""Comments, notifications and webhooks, and who may use them."""

import uuid
from typing import Any

import django.utils.timezone
import model_utils.fields
from django.apps import apps as installed
from django.contrib.auth.management import create_permissions
from django.db import migrations, models

from ai.models import roles

#: What is new in the roles. A group that is there keeps what somebody gave or took otherwise.
NEW = {
    "comment_message",
    "moderate_comment",
    "view_webhook",
    "add_webhook",
    "change_webhook",
    "delete_webhook",
    "view_webhookdelivery",
}


def allow(apps: Any, schema_editor: Any) -> None:
    """Give the roles what is new."""
    using = schema_editor.connection.alias
    # They are otherwise made when all migrations are done.
    create_permissions(installed.get_app_config("ai"), verbosity=0, using=using, apps=apps)
    permissions = apps.get_model("auth", "Permission").objects.using(using).filter(content_type__app_label="ai")
    known = {each.codename: each for each in permissions.filter(codename__in=NEW)}
    for group in apps.get_model("auth", "Group").objects.using(using).filter(name__in=roles.ROLES):
        group.permissions.add(*(known[name] for name in roles.ROLES[group.name].split() if name in known))


class Migration(migrations.Migration):
    dependencies = [
        ("ai", "0014_judge"),
    ]

    operations = [
        migrations.CreateModel(
            name="Comment",
            fields=[
                (
                    "created",
                    model_utils.fields.AutoCreatedField(
                        default=django.utils.timezone.now, editable=False, verbose_name="created"
                    ),
                ),
                (
                    "modified",
                    model_utils.fields.AutoLastModifiedField(
                        default=django.utils.timezone.now, editable=False, verbose_name="modified"
                    ),
                ),
                (
                    "id",
                    model_utils.fields.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
                ),
                ("tenant_id", models.UUIDField(blank=True, editable=False, null=True)),
                ("thread_id", models.UUIDField()),
                ("message_id", models.UUIDField()),
                ("parent_id", models.UUIDField(blank=True, null=True)),
                ("author_id", models.CharField(blank=True, default="", editable=False, max_length=64)),
                ("author", models.CharField(max_length=255)),
                ("at", models.DateTimeField()),
                ("text", models.TextField(blank=True, default="")),
                ("start", models.PositiveIntegerField(blank=True, null=True)),
                ("end", models.PositiveIntegerField(blank=True, null=True)),
                ("quote", models.CharField(blank=True, default="", max_length=1000)),
                ("mentions", models.JSONField(blank=True, default=list)),
                ("edited_at", models.DateTimeField(blank=True, null=True)),
                ("deleted_at", models.DateTimeField(blank=True, null=True)),
                ("resolved_at", models.DateTimeField(blank=True, null=True)),
                ("resolved_by", models.CharField(blank=True, default="", max_length=255)),
                ("version", models.PositiveIntegerField(default=0, editable=False)),
            ],
            options={
                "db_table": "ai_comment",
                "ordering": ("at", "pk"),
                "permissions": (
                    ("comment_message", "Can comment on messages"),
                    ("moderate_comment", "Can delete the comments of others"),
                ),
                "default_permissions": (),
                "indexes": [
                    models.Index(fields=["message_id", "at"], name="ai_comment_message"),
                    models.Index(fields=["thread_id"], name="ai_comment_thread"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("end__isnull", True), ("quote", ""), ("start__isnull", True)),
                            models.Q(
                                models.Q(("quote", ""), _negated=True),
                                ("end__gt", models.F("start")),
                                ("start__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="ai_comment_quote_has_a_place",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("parent_id__isnull", True),
                            models.Q(("quote", ""), ("resolved_at__isnull", True)),
                            _connector="OR",
                        ),
                        name="ai_comment_reply_quotes_nothing",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("deleted_at__isnull", True), models.Q(("text", ""), _negated=True)),
                            models.Q(("deleted_at__isnull", False), ("text", "")),
                            _connector="OR",
                        ),
                        name="ai_comment_says_something_or_is_deleted",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("resolved_at__isnull", True), ("resolved_by", "")),
                            models.Q(("resolved_at__isnull", False), models.Q(("resolved_by", ""), _negated=True)),
                            _connector="OR",
                        ),
                        name="ai_comment_resolved_by_somebody",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="CommentEvent",
            fields=[
                (
                    "created",
                    model_utils.fields.AutoCreatedField(
                        default=django.utils.timezone.now, editable=False, verbose_name="created"
                    ),
                ),
                (
                    "modified",
                    model_utils.fields.AutoLastModifiedField(
                        default=django.utils.timezone.now, editable=False, verbose_name="modified"
                    ),
                ),
                (
                    "id",
                    model_utils.fields.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
                ),
                ("tenant_id", models.UUIDField(blank=True, editable=False, null=True)),
                ("comment_id", models.UUIDField()),
                ("thread_id", models.UUIDField()),
                ("message_id", models.UUIDField()),
                ("verb", models.CharField(max_length=12)),
                ("by", models.CharField(max_length=255)),
                ("by_id", models.CharField(blank=True, default="", editable=False, max_length=64)),
                ("at", models.DateTimeField()),
                ("version", models.PositiveIntegerField()),
                ("before", models.JSONField(blank=True, default=dict)),
                ("after", models.JSONField(blank=True, default=dict)),
                ("undone_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "db_table": "ai_comment_event",
                "ordering": ("-at", "-pk"),
                "default_permissions": (),
                "indexes": [
                    models.Index(fields=["comment_id", "-version"], name="ai_comment_event_latest"),
                    models.Index(fields=["thread_id"], name="ai_comment_event_thread"),
                    models.Index(fields=["at"], name="ai_comment_event_at"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Ending",
            fields=[
                (
                    "created",
                    model_utils.fields.AutoCreatedField(
                        default=django.utils.timezone.now, editable=False, verbose_name="created"
                    ),
                ),
                (
                    "modified",
                    model_utils.fields.AutoLastModifiedField(
                        default=django.utils.timezone.now, editable=False, verbose_name="modified"
                    ),
                ),
                (
                    "id",
                    model_utils.fields.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
                ),
                ("tenant_id", models.UUIDField(blank=True, editable=False, null=True)),
                ("what", models.CharField(max_length=8)),
                ("object_id", models.UUIDField()),
                ("at", models.DateTimeField()),
            ],
            options={
                "db_table": "ai_ending",
                "ordering": ("at", "pk"),
                "default_permissions": (),
                "indexes": [models.Index(fields=["at"], name="ai_ending_at")],
                "constraints": [models.UniqueConstraint(fields=("what", "object_id"), name="ai_ending_once")],
            },
        ),
        migrations.CreateModel(
            name="Notification",
            fields=[
                (
                    "created",
                    model_utils.fields.AutoCreatedField(
                        default=django.utils.timezone.now, editable=False, verbose_name="created"
                    ),
                ),
                (
                    "modified",
                    model_utils.fields.AutoLastModifiedField(
                        default=django.utils.timezone.now, editable=False, verbose_name="modified"
                    ),
                ),
                (
                    "id",
                    model_utils.fields.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
                ),
                ("tenant_id", models.UUIDField(blank=True, editable=False, null=True)),
                ("user_id", models.CharField(max_length=64)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("mention", "Somebody mentions you"),
                            ("reply", "Somebody replies to your comment"),
                            ("assigned", "Feedback is assigned to you"),
                            ("review", "Reviews are assigned to you"),
                            ("job", "A job of yours has ended or failed"),
                            ("snooze", "Feedback that was snoozed is back"),
                            ("webhook", "A webhook was paused"),
                        ],
                        max_length=12,
                    ),
                ),
                ("key", models.CharField(max_length=120)),
                ("at", models.DateTimeField()),
                ("actor", models.CharField(blank=True, default="", max_length=255)),
                ("title", models.CharField(max_length=300)),
                ("text", models.CharField(blank=True, default="", max_length=300)),
                ("thread_id", models.UUIDField(blank=True, null=True)),
                ("message_id", models.UUIDField(blank=True, null=True)),
                ("target_type", models.CharField(blank=True, default="", max_length=64)),
                ("target_id", models.CharField(blank=True, default="", max_length=64)),
                ("in_console", models.BooleanField(default=True)),
                ("is_read", models.BooleanField(default=False)),
                (
                    "email",
                    models.CharField(
                        choices=[("never", "Never"), ("once", "At once"), ("digest", "Once a day")],
                        default="never",
                        max_length=8,
                    ),
                ),
                (
                    "email_state",
                    models.CharField(
                        choices=[
                            ("none", "Not wanted"),
                            ("pending", "Waiting"),
                            ("sent", "Sent"),
                            ("failed", "Failed"),
                            ("dropped", "Not needed any more"),
                        ],
                        default="none",
                        max_length=8,
                    ),
                ),
                ("email_after", models.DateTimeField(blank=True, null=True)),
                ("email_tries", models.PositiveSmallIntegerField(default=0)),
                ("email_held_by", models.CharField(blank=True, default="", max_length=300)),
                ("email_held_until", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "db_table": "ai_notification",
                "ordering": ("-at", "-pk"),
                "default_permissions": (),
                "indexes": [
                    models.Index(fields=["user_id", "is_read", "-at", "-id"], name="ai_notification_mine"),
                    models.Index(
                        condition=models.Q(("email_state", "pending")),
                        fields=["email_after"],
                        name="ai_notification_due",
                    ),
                    models.Index(fields=["thread_id"], name="ai_notification_thread"),
                    models.Index(fields=["at"], name="ai_notification_at"),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("user_id", "key"), name="ai_notification_once"),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("email_state", "pending"), _negated=True),
                            ("email_after__isnull", False),
                            _connector="OR",
                        ),
                        name="ai_notification_pending_email_has_a_time",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="NotificationChoice",
            fields=[
                (
                    "created",
                    model_utils.fields.AutoCreatedField(
                        default=django.utils.timezone.now, editable=False, verbose_name="created"
                    ),
                ),
                (
                    "modified",
                    model_utils.fields.AutoLastModifiedField(
                        default=django.utils.timezone.now, editable=False, verbose_name="modified"
                    ),
                ),
                (
                    "id",
                    model_utils.fields.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
                ),
                ("user_id", models.CharField(max_length=64)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("mention", "Somebody mentions you"),
                            ("reply", "Somebody replies to your comment"),
                            ("assigned", "Feedback is assigned to you"),
                            ("review", "Reviews are assigned to you"),
                            ("job", "A job of yours has ended or failed"),
                            ("snooze", "Feedback that was snoozed is back"),
                            ("webhook", "A webhook was paused"),
                        ],
                        max_length=12,
                    ),
                ),
                ("in_console", models.BooleanField(default=True)),
                (
                    "email",
                    models.CharField(
                        choices=[("never", "Never"), ("once", "At once"), ("digest", "Once a day")],
                        default="never",
                        max_length=8,
                    ),
                ),
            ],
            options={
                "db_table": "ai_notification_choice",
                "default_permissions": (),
                "constraints": [
                    models.UniqueConstraint(fields=("user_id", "kind"), name="ai_notification_choice_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="Webhook",
            fields=[
                (
                    "created",
                    model_utils.fields.AutoCreatedField(
                        default=django.utils.timezone.now, editable=False, verbose_name="created"
                    ),
                ),
                (
                    "modified",
                    model_utils.fields.AutoLastModifiedField(
                        default=django.utils.timezone.now, editable=False, verbose_name="modified"
                    ),
                ),
                (
                    "id",
                    model_utils.fields.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
                ),
                ("tenant_id", models.UUIDField(blank=True, editable=False, null=True)),
                ("name", models.CharField(help_text="What people call it, such as “Slack bridge”.", max_length=100)),
                (
                    "url",
                    models.CharField(
                        help_text="Where events are posted to. It begins with https://.",
                        max_length=500,
                        verbose_name="URL",
                    ),
                ),
                ("events", models.JSONField(default=list)),
                (
                    "with_text",
                    models.BooleanField(
                        default=False,
                        help_text="Comments and feedback in words; otherwise ids and states alone.",
                        verbose_name="send texts too",
                    ),
                ),
                ("is_active", models.BooleanField(default=True, verbose_name="active")),
                ("encrypted_secret", models.TextField(blank=True, default="", editable=False)),
                ("failures", models.PositiveIntegerField(default=0, editable=False)),
                ("paused_at", models.DateTimeField(blank=True, editable=False, null=True)),
                ("paused_because", models.CharField(blank=True, default="", editable=False, max_length=300)),
            ],
            options={
                "db_table": "ai_webhook",
                "ordering": ("name", "id"),
                "indexes": [
                    models.Index(fields=["-created", "-id"], name="ai_webhook_latest"),
                    models.Index(fields=["tenant_id", "-created", "-id"], name="ai_webhook_tenant_latest"),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("tenant_id", "name"), name="ai_webhook_name"),
                    models.CheckConstraint(
                        condition=models.Q(("paused_at__isnull", True), ("is_active", False), _connector="OR"),
                        name="ai_webhook_paused_is_not_active",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="WebhookDelivery",
            fields=[
                (
                    "created",
                    model_utils.fields.AutoCreatedField(
                        default=django.utils.timezone.now, editable=False, verbose_name="created"
                    ),
                ),
                (
                    "modified",
                    model_utils.fields.AutoLastModifiedField(
                        default=django.utils.timezone.now, editable=False, verbose_name="modified"
                    ),
                ),
                (
                    "id",
                    model_utils.fields.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
                ),
                ("tenant_id", models.UUIDField(blank=True, editable=False, null=True)),
                ("webhook_id", models.UUIDField()),
                ("event", models.CharField(max_length=64)),
                ("key", models.CharField(max_length=120)),
                ("body", models.TextField()),
                ("thread_id", models.UUIDField(blank=True, null=True)),
                (
                    "state",
                    models.CharField(
                        choices=[("pending", "Waiting"), ("delivered", "Delivered"), ("failed", "Failed")],
                        default="pending",
                        max_length=12,
                    ),
                ),
                ("attempts", models.PositiveIntegerField(default=0)),
                ("first_at", models.DateTimeField()),
                ("next_at", models.DateTimeField(blank=True, null=True)),
                ("woken_at", models.DateTimeField(blank=True, null=True)),
                ("leased_by", models.CharField(blank=True, default="", max_length=300)),
                ("lease_until", models.DateTimeField(blank=True, null=True)),
                ("status_code", models.PositiveSmallIntegerField(blank=True, null=True)),
                ("answer", models.CharField(blank=True, default="", max_length=1000)),
                ("error", models.CharField(blank=True, default="", max_length=300)),
                ("duration_ms", models.PositiveIntegerField(blank=True, null=True)),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "verbose_name": "delivery",
                "verbose_name_plural": "deliveries",
                "db_table": "ai_webhook_delivery",
                "ordering": ("-created", "-id"),
                "default_permissions": ("view",),
                "indexes": [
                    models.Index(fields=["-created", "-id"], name="ai_webhook_delivery_latest"),
                    models.Index(fields=["tenant_id", "-created", "-id"], name="ai_webhook_delivery_tenant"),
                    models.Index(fields=["webhook_id", "-created", "-id"], name="ai_webhook_delivery_of"),
                    models.Index(
                        condition=models.Q(("state", "pending")), fields=["next_at"], name="ai_webhook_delivery_due"
                    ),
                    models.Index(fields=["thread_id"], name="ai_webhook_delivery_thread"),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("webhook_id", "key"), name="ai_webhook_delivery_once"),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "pending"), _negated=True), ("next_at__isnull", False), _connector="OR"
                        ),
                        name="ai_webhook_delivery_waits_for_a_time",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="WebhookPlace",
            fields=[
                ("id", models.PositiveSmallIntegerField(primary_key=True, serialize=False)),
                ("number", models.PositiveBigIntegerField()),
            ],
            options={
                "db_table": "ai_webhook_place",
                "default_permissions": (),
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("id", 1)), name="ai_webhook_place_is_one_row")
                ],
            },
        ),
        migrations.RunPython(allow, migrations.RunPython.noop),
    ]
