"""Bundles of tenants: the page that asks before one is made, and the form that takes one in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from unfold import widgets

from ai.admin.parts import badges
from ai.admin.parts.base import answer
from ai.admin.parts.lists import Button
from ai.exceptions import Forbidden
from ai.services.bundles import jobs

Door = tuple[str, str, Callable[..., HttpResponse]]


class BundleForm(forms.Form):
    """A bundle to take in."""

    file = forms.FileField(label="Bundle", widget=widgets.UnfoldAdminFileFieldWidget(attrs={"accept": ".zip"}))


def urls(admin: Any) -> list[Door]:
    """Both pages. `admin` is the `TenantAdmin`."""

    def make(request: HttpRequest, object_id: UUID) -> HttpResponse:
        return _make(admin, request, object_id)

    def take_in(request: HttpRequest) -> HttpResponse:
        return _take_in(admin, request)

    return [("<uuid:object_id>/bundle/", "bundle", make), ("import-bundle/", "import_bundle", take_in)]


def may_make(request: HttpRequest) -> bool:
    """Whether this person may have everything of a tenant in a file."""
    return _passes(jobs.require_export, request)


def buttons(request: HttpRequest) -> list[Button]:
    """The way to the form, for those who may use it."""
    if not _passes(jobs.require_import, request):
        return []
    return [Button("Import a bundle…", badges.url("ai_tenant_import_bundle"), "upload")]


def _passes(require: Callable[[Any], None], request: HttpRequest) -> bool:
    try:
        require(request.user)
    except Forbidden:
        return False
    return True


def _make(admin: Any, request: HttpRequest, object_id: UUID) -> HttpResponse:
    row = admin.get_object_or_404(request, str(object_id))
    if not may_make(request):
        raise PermissionDenied
    back = badges.url("ai_tenant_change", row.pk)
    if request.method == "POST":
        return answer(request, back, lambda: _queued(request, row.pk))
    text = (
        "All conversations with their runs, feedback, files, assistants and vector stores go into one zip file, from which "
        "another console makes the same tenant. API keys, people and the audit log stay here."
    )
    found: HttpResponse = admin.confirm(
        request, title=f"Make a bundle of {row.name}?", text=text, button="Make the bundle", back=back
    )
    return found


def _queued(request: HttpRequest, tenant_id: UUID) -> tuple[str, str]:
    job = jobs.request_export(tenant_id=tenant_id, by=request.user, at=timezone.now())
    return "The bundle is being made.", badges.url("ai_job_change", job.pk) or badges.url("ai_tenant_changelist")


def _take_in(admin: Any, request: HttpRequest) -> HttpResponse:
    if not _passes(jobs.require_import, request):
        raise PermissionDenied
    form = BundleForm(request.POST or None, request.FILES or None)
    back = badges.url("ai_tenant_changelist")
    if request.method == "POST" and form.is_valid():

        def act() -> tuple[str, str]:
            job = jobs.request_import(file=form.cleaned_data["file"], by=request.user, at=timezone.now())
            return "", badges.url("ai_job_change", job.pk)

        return answer(request, back, act)
    found: HttpResponse = admin.page(
        request, "admin/ai/tenant/import_bundle.html", "Import a bundle", form=form, back=back
    )
    return found
