"""A console that lacks the tenant of a bundle."""

from __future__ import annotations

from django.apps import apps
from django.core.files.storage import default_storage


def empty() -> None:
    """Leave nothing but what belongs to the console."""
    for model in apps.get_app_config("ai").get_models():
        if model._meta.model_name not in {"auditentry", "auditseal"}:
            model._base_manager.all().delete()
    if not default_storage.exists(""):
        return
    for folder in default_storage.listdir("")[0]:
        for name in default_storage.listdir(folder)[1]:
            default_storage.delete(f"{folder}/{name}")
