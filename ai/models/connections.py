"""Connections: servers where the remote sides of a tenant's threads live."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar
from uuid import UUID

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from ai.models import secrets
from ai.models.base import TenantManager, TenantRecord

OPENAI = "https://api.openai.com/v1"
MOST_AT_ONCE = 32


class Makes(models.TextChoices):
    """What a connection makes when a thread gets a remote side."""

    CONVERSATION = "conversation", "Conversations"
    THREAD = "thread", "Assistants-style threads"


@dataclass(frozen=True)
class Address:
    """What it takes to speak to a server; the key is in clear: never show or log it."""

    base_url: str
    api_key: str = field(repr=False)
    organization: str = ""
    project: str = ""
    api_version: str = ""
    concurrency: int = 4


class RemoteConnectionManager(TenantManager):
    """The only writer of `ai_remote_connection`."""

    def enabled(self, tenant_id: UUID | None) -> models.QuerySet[RemoteConnection]:
        """A tenant's connections that can be used, the default one first."""
        return self.filter(tenant_id=tenant_id, is_enabled=True).order_by("-is_default", "name", "pk")

    def prefer(self, row: RemoteConnection) -> None:
        """Make no other connection of the tenant its default."""
        self.filter(tenant_id=row.tenant_id, is_default=True).exclude(pk=row.pk).update(is_default=False)

    def rotate_secrets(self) -> int:
        """Encrypt every stored key again under the newest secret; how many there were."""
        rows = list(self.exclude(encrypted_key=""))
        for row in rows:
            row.encrypted_key = secrets.rotate(row.encrypted_key)
        return self.bulk_update(rows, ["encrypted_key"])


class RemoteConnection(TenantRecord):
    """A server, the key to it, and how many calls at a time it gets."""

    name = models.CharField(max_length=100, help_text="What people choose, such as “OpenAI” or “Old console”.")
    base_url = models.CharField(
        "base URL", max_length=500, default="", blank=True, help_text="Empty means OpenAI's: " + OPENAI
    )
    encrypted_key = models.TextField(default="", blank=True, editable=False)
    organization = models.CharField(max_length=255, default="", blank=True, help_text="Sent as OpenAI-Organization.")
    project = models.CharField(max_length=255, default="", blank=True, help_text="Sent as OpenAI-Project.")
    api_version = models.CharField(
        "API version", max_length=40, default="", blank=True, help_text="Azure only, such as 2024-05-01-preview."
    )
    makes = models.CharField(
        "new remote sides are", max_length=16, choices=Makes, default=Makes.CONVERSATION, help_text="What it can serve."
    )
    concurrency = models.PositiveSmallIntegerField(
        "calls at a time", default=4, validators=[MinValueValidator(1), MaxValueValidator(MOST_AT_ONCE)]
    )
    is_default = models.BooleanField("default", default=False, help_text="Used by threads that name no connection.")
    is_enabled = models.BooleanField("enabled", default=True)

    objects: ClassVar[RemoteConnectionManager] = RemoteConnectionManager()

    class Meta:
        db_table = "ai_remote_connection"
        ordering = ("name", "id")
        permissions = (
            ("test_remoteconnection", "Can test remote connections"),
            ("import_remoteconnection", "Can import remote connections"),
            ("export_remoteconnection", "Can export remote connections"),
        )
        constraints = (
            models.UniqueConstraint(fields=["tenant_id", "name"], name="ai_remote_connection_name"),
            models.UniqueConstraint(
                fields=["tenant_id"], name="ai_remote_connection_default", condition=Q(is_default=True)
            ),
            models.CheckConstraint(
                name="ai_remote_connection_concurrency", condition=Q(concurrency__range=(1, MOST_AT_ONCE))
            ),
        )
        indexes = (
            models.Index(fields=["-created", "-id"], name="ai_remote_latest"),
            models.Index(fields=["tenant_id", "-created", "-id"], name="ai_remote_tenant_latest"),
        )

    def __str__(self) -> str:
        return self.name

    @property
    def url(self) -> str:
        """Where it is."""
        return self.base_url or OPENAI

    def set_api_key(self, plain: str) -> None:
        """Store the key encrypted, or forget it when empty; the caller saves."""
        self.encrypted_key = secrets.encrypt(plain.strip())

    def address(self) -> Address:
        """What it takes to speak to it.

        Raises:
            Misconfigured: the stored key cannot be read.
        """
        return Address(
            base_url=self.url,
            api_key=secrets.decrypt(self.encrypted_key),
            organization=self.organization,
            project=self.project,
            api_version=self.api_version,
            concurrency=self.concurrency,
        )


def chosen(tenant_id: UUID | None, connection_id: UUID | None = None) -> Any:
    """The connection of that id, else the tenant's default, else its only one; None where there is none to choose."""
    rows = RemoteConnection.objects.enabled(tenant_id)
    if connection_id is not None:
        return rows.filter(pk=connection_id).first()
    found = list(rows[:2])
    return found[0] if found and (found[0].is_default or len(found) == 1) else None
