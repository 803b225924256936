"""Assistants: a model with instructions and tools, under a name."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models

from ai.models.base import TenantManager, TenantRecord


class Assistant(TenantRecord):
    """A model's alias, what it is told, and what it may call."""

    name = models.CharField(max_length=256, null=True, blank=True)
    description = models.CharField(max_length=512, null=True, blank=True)
    model = models.CharField(max_length=255, help_text="An alias of a language model, or provider:model.")
    instructions = models.TextField(default="", blank=True)
    tools = models.JSONField(default=list, blank=True)
    tool_resources = models.JSONField(default=dict, blank=True, help_text="Vector stores for file_search.")
    settings = models.JSONField(default=dict, blank=True, help_text="temperature, top_p, response_format, …")
    metadata = models.JSONField(default=dict, blank=True)
    external_id = models.CharField("external ID", max_length=255, null=True, blank=True)

    objects: ClassVar[Any] = TenantManager()

    class Meta:
        db_table = "ai_assistant"
        ordering = ("-created", "-id")
        permissions = (("import_assistant", "Can import assistants"), ("export_assistant", "Can export assistants"))
        indexes = (
            models.Index(fields=["-created", "-id"], name="ai_assistant_latest"),
            models.Index(fields=["tenant_id", "-created", "-id"], name="ai_assistant_tenant_latest"),
            models.Index(fields=["tenant_id", "name"], name="ai_assistant_tenant_name"),
        )

    def __str__(self) -> str:
        return self.name or "Unnamed assistant"
