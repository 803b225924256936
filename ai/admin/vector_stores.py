"""Vector stores: the list, a page with files, states and a search, adding files, and deleting."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from unfold.decorators import display

from ai import tenancy
from ai.admin.parts import badges, facts, store_files
from ai.admin.parts.base import BARE, ReadAdmin, answer
from ai.admin.parts.configuration_csv import ConfigurationCsv
from ai.admin.parts.filters import DateFilter, TenantFilter
from ai.admin.parts.store_forms import AddFilesForm, VectorStoreForm
from ai.exceptions import AIError, Forbidden
from ai.models import ForeignId, VectorStore, VectorStoreFile
from ai.services import rendering, vector_stores

QUERY_CHARACTERS = 1000

#: How long the page waits before it looks again while files are being read, in milliseconds.
WAIT = 1500


def file_badges(counts: dict[str, int]) -> SafeString:
    """How many files are in which state."""
    shown = [(badges.status(state, f"{counts[state]:,} {words}"),) for state, words in STATES if counts.get(state)]
    return format_html_join(" ", "{}", shown) or badges.NONE


STATES = (("completed", "ready"), ("in_progress", "being read"), ("failed", "failed"), ("cancelled", "cancelled"))


@admin.register(VectorStore)
class VectorStoreAdmin(ConfigurationCsv, ReadAdmin):
    """Sets of files that models search."""

    csv_about = "Files are not in it, and stay as they are in stores that are here."
    list_display = ("title", "files", "size", "last_used", "expires", "created_at")
    list_display_links = ("title",)
    list_filter = (TenantFilter, ("created", DateFilter))
    list_defer = ("metadata",)
    search_fields = ("name", "description")
    search_help_text = "A name, or an ID"
    page_template = "admin/ai/vectorstore/page.html"
    empty_title = "No vector stores yet"
    empty_text = "A vector store is a set of files that assistants can search. Add one here, or through the API."

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """`ai.add_vectorstore`."""
        return self.may(request, "add")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """`ai.delete_vectorstore`."""
        return self.may(request, "delete")

    def prepare_rows(self, request: HttpRequest, rows: list[Any]) -> None:
        """How many files each has in which state: one query."""
        super().prepare_rows(request, rows)
        counts = VectorStoreFile.objects.counts(row.pk for row in rows) if rows else {}
        for row in rows:
            row.file_counts = counts.get(row.pk, {})

    @display(description="Name")
    def title(self, row: VectorStore) -> SafeString:
        """Its name."""
        return badges.clip(str(row), 60)

    @display(description="Files")
    def files(self, row: Any) -> SafeString:
        """How many, by state."""
        return file_badges(row.file_counts)

    @display(description="Size")
    def size(self, row: VectorStore) -> SafeString:
        """What its index holds."""
        return badges.size(row.usage_bytes)

    @display(description="Last used")
    def last_used(self, row: VectorStore) -> SafeString:
        """When it was searched or changed."""
        return badges.when(row.last_active_at)

    @display(description="Expires")
    def expires(self, row: VectorStore) -> SafeString:
        """When, or that it has."""
        return badges.badge("Expired", "red") if row.has_expired(timezone.now()) else badges.when(row.expires_at)

    @display(description="Created")
    def created_at(self, row: VectorStore) -> SafeString:
        """When it was made."""
        return badges.when(row.created)

    # -- The page
    def page_context(self, request: HttpRequest, row: VectorStore) -> dict[str, Any]:
        """The store, a page of its files, and what a search finds."""
        counts = VectorStoreFile.objects.counts([row.pk]).get(row.pk, {})
        may_change = self.may(request, "change")
        has_expired = row.has_expired(timezone.now())
        return {
            **({"frame": BARE} if "live" in request.GET else {}),
            **store_files.page(row, request.GET.get("page", ""), may_change=may_change),
            **self._search(request, row),
            "subtitle": rendering.visible(str(row)),
            "description": rendering.visible(row.description or ""),
            "counts": counts,
            "total": sum(counts.values()),
            "file_badges": file_badges(counts),
            "size": badges.size(row.usage_bytes),
            "has_expired": has_expired,
            "metadata": facts.pairs(row.metadata),
            "days": (row.expires_after or {}).get("days"),
            "public_id": ForeignId.objects.shown("vector_store", row.pk),
            "wait": WAIT if counts.get("in_progress") else 0,
            "add_url": badges.url("ai_vectorstore_files", row.pk) if may_change and not has_expired else "",
            "delete_url": badges.url("ai_vectorstore_delete", row.pk) if self.has_delete_permission(request) else "",
        }

    def _search(self, request: HttpRequest, row: VectorStore) -> dict[str, Any]:
        """What a model would find with `?q=`; a look is no use of the store."""
        query = request.GET.get("q", "").replace("\x00", "").strip()[:QUERY_CHARACTERS]
        if not query or "live" in request.GET:
            return {"query": query, "found": [], "problem": ""}
        try:
            with tenancy.scope(row.tenant_id) if row.tenant_id else tenancy.scope():
                passages = vector_stores.search(
                    store_id=row.pk, query=query, by=request.user, at=timezone.now(), is_use=False
                )
                found = store_files.found(passages, tenant_id=row.tenant_id)
        except Forbidden as error:
            raise PermissionDenied(error.message) from error
        except AIError as error:
            return {"query": query, "found": [], "problem": error.message}
        return {"query": query, "found": found, "problem": ""}

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The store's page, or the form that makes one."""
        if object_id is not None:
            return super().changeform_view(request, object_id, form_url, extra_context)
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = VectorStoreForm(request.POST if request.method == "POST" else None, request=request)
        if request.method != "POST" or not form.is_valid():
            words = {"form": form, "back": badges.url("ai_vectorstore_changelist"), "button": "Make the store"}
            return self.page(request, "admin/ai/vectorstore/form.html", "Add a vector store", **words)

        def act() -> tuple[str, str]:
            row = vector_stores.create(**form.arguments(), by=request.user, at=timezone.now())
            return "The vector store is made. Add files to it.", badges.url("ai_vectorstore_files", row.pk)

        return answer(request, badges.url("ai_vectorstore_add"), act)

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """Ask, then delete the store."""
        row = self.get_object_or_404(request, object_id)
        if not self.has_delete_permission(request):
            raise PermissionDenied
        back = badges.url("ai_vectorstore_change", row.pk)
        if request.method != "POST":
            text = f"“{rendering.visible(str(row))}” goes with its index; assistants and threads that search it find nothing any more. Its files stay."
            return self.confirm(
                request, title="Delete this vector store?", text=text, button="Delete the store", back=back, danger=True
            )

        def act() -> tuple[str, str]:
            vector_stores.delete(store_id=row.pk, by=request.user, at=timezone.now())
            return "The vector store is deleted. Its files are still here.", badges.url("ai_vectorstore_changelist")

        return answer(request, back, act)

    # -- Its files
    def extra_urls(self) -> Iterable[tuple[str, str, Callable[..., HttpResponse]]]:
        """Adding files, and taking one out."""
        return [
            ("<uuid:object_id>/files/", "files", self.files_view),
            ("<uuid:object_id>/remove/", "remove", self.remove_view),
        ]

    def _changeable(self, request: HttpRequest, object_id: Any) -> VectorStore:
        row: VectorStore = self.get_object_or_404(request, str(object_id))
        if not self.may(request, "change"):
            raise PermissionDenied
        return row

    def files_view(self, request: HttpRequest, object_id: Any) -> HttpResponse:
        """The form that adds files."""
        row = self._changeable(request, object_id)
        back = badges.url("ai_vectorstore_change", row.pk)
        given = (request.POST, request.FILES) if request.method == "POST" else ()
        form = AddFilesForm(*given)
        if request.method == "POST" and form.is_valid():
            try:
                count = store_files.add(row, **form.cleaned_data, by=request.user, at=timezone.now())
            except Forbidden as error:
                raise PermissionDenied(error.message) from error
            except AIError as error:
                form.add_error(None, error.message)
            else:
                words = "1 file is" if count == 1 else f"{count} files are"
                messages.success(request, f"{words} added. A worker reads what is new; this page follows.")
                return HttpResponseRedirect(back)
        context = {"form": form, "back": back, "button": "Add to the store", "has_files": True}
        title = f"Add files to “{rendering.visible(str(row))}”"
        return self.page(request, "admin/ai/vectorstore/form.html", title, **context)

    def remove_view(self, request: HttpRequest, object_id: Any) -> HttpResponse:
        """Ask, then take a file out of the store."""
        row = self._changeable(request, object_id)
        file_id = (request.POST or request.GET).get("file", "").replace("\x00", "")
        back = badges.url("ai_vectorstore_change", row.pk)
        if request.method != "POST":
            text = f"Searches in this store no longer find {rendering.visible(file_id)[:100]}. The file itself stays."
            return self.confirm(
                request,
                title="Take this file out?",
                text=text,
                button="Take it out",
                back=back,
                hidden=[("file", file_id)],
                danger=True,
            )

        def act() -> tuple[str, str]:
            store_files.remove(row, file_id, by=request.user, at=timezone.now())
            return "The file is out of the store.", back

        return answer(request, back, act)
