"""API keys: who may call the HTTP API, for which tenant, and what they may do there."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID

from django.db import models
from django.db.models import Q

from ai.models.base import TenantManager, TenantRecord

#: What a key can be for. The first three are of the Assistants API, and each allows what the ones before do.
SCOPES = ("read", "write", "admin", "feedback", "reviews")

#: What a key is for where nobody says.
USUAL = SCOPES[:3]

PREFIX = "mc-"
SHOWN_CHARACTERS = 10
TOUCH_EVERY = timedelta(minutes=1)


def digest_of(plain: str) -> str:
    """What is stored of a key. A key has 256 random bits, so one round of SHA-256 cannot be turned back."""
    return hashlib.sha256(plain.encode()).hexdigest()


class ApiKeyManager(TenantManager):
    """The only writer of `ai_api_key`."""

    def make(self, *, tenant_id: UUID, created: datetime, **values: Any) -> tuple[ApiKey, str]:
        """A new key and its plain text, which exists only now."""
        plain = PREFIX + secrets.token_urlsafe(32)
        key = self.model(
            tenant_id=self.tenant_for_new_row(tenant_id),
            prefix=plain[:SHOWN_CHARACTERS],
            digest=digest_of(plain),
            created=created,
            modified=created,
            **values,
        )
        key.save(force_insert=True)
        return key, plain

    def valid(self, plain: str, *, at: datetime) -> ApiKey | None:
        """The key behind the text, whatever tenant is in scope; None when there is none that may be used."""
        alive = Q(expires_at__isnull=True) | Q(expires_at__gt=at)
        rows = self.model._base_manager.filter(alive, digest=digest_of(plain), revoked_at__isnull=True)
        key: ApiKey | None = rows.first()
        return key

    def touch(self, key: ApiKey, *, at: datetime) -> None:
        """Note that the key was used, at most once a minute."""
        stale = Q(last_used_at__isnull=True) | Q(last_used_at__lt=at - TOUCH_EVERY)
        self.model._base_manager.filter(stale, pk=key.pk).update(last_used_at=at)

    def revoke(self, key_id: UUID, *, at: datetime) -> bool:
        """Make the key useless; False when it is already."""
        return bool(self.filter(pk=key_id, revoked_at__isnull=True).update(revoked_at=at, modified=at))


class ApiKey(TenantRecord):
    """A key of one tenant, stored as a digest."""

    name = models.CharField(max_length=255, default="", blank=True)
    prefix = models.CharField("begins with", max_length=16, editable=False)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    scopes = models.JSONField(default=list)
    requests_per_minute = models.PositiveIntegerField(null=True, blank=True, help_text="Empty: as many as come.")
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_by = models.CharField(max_length=255, default="", blank=True, editable=False)

    objects: ClassVar[ApiKeyManager] = ApiKeyManager()

    class Meta:
        db_table = "ai_api_key"
        verbose_name = "API key"
        ordering = ("-created", "-id")
        permissions = (("revoke_apikey", "Can revoke API keys"),)
        indexes = (
            models.Index(fields=["-created", "-id"], name="ai_api_key_latest"),
            models.Index(fields=["tenant_id", "-created", "-id"], name="ai_api_key_tenant_latest"),
        )

    def __str__(self) -> str:
        return f"{self.name or 'Key'} ({self.prefix}…)"

    def is_due(self, at: datetime) -> bool:
        """Whether it is time to note again that the key is used."""
        return self.last_used_at is None or self.last_used_at < at - TOUCH_EVERY

    def is_usable(self, at: datetime) -> bool:
        """Whether requests with this key are answered at `at`."""
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > at)
