"""The base of every page: bounded lists, tenancy, permissions, confirmed actions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn
from uuid import UUID

import django
from django.contrib.admin import ShowFacets
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import Model, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import path
from django.utils import timezone
from unfold.admin import ModelAdmin

from ai import ids, tenancy
from ai.admin.parts import badges, list_views, view_door
from ai.admin.parts.answers import answer
from ai.admin.parts.lists import BoundedChangeList, Button
from ai.exceptions import NotFound
from ai.models import Tenant
from ai.services import audit, search

__all__ = [
    "BARE",
    "ActionChoices",
    "ConsoleAdmin",
    "ReadAdmin",
    "answer",
    "in_bulk",
    "pks_of",
    "sees_several_tenants",
    "tenant_names",
]

#: A page without its frame, for scripts that put its middle in place.
BARE = "admin/ai/parts/bare.html"
#: A text search looks through this many of the newest rows.
SEARCH_WINDOW = search.WINDOW
MOST_TENANTS = 500


def tenant_names(request: HttpRequest) -> dict[UUID, str]:
    """The names of the tenants in scope, read once a request."""
    found: dict[UUID, str] | None = getattr(request, "_ai_tenant_names", None)
    if found is None:
        rows = Tenant.objects.order_by("name", "pk")
        tenants = tenancy.current().tenants
        if tenants is not None:
            rows = rows.filter(pk__in=sorted(tenants))
        found = dict(rows.values_list("pk", "name")[:MOST_TENANTS])
        request._ai_tenant_names = found  # type: ignore[attr-defined]
    return found


def sees_several_tenants(request: HttpRequest) -> bool:
    """Whether a column and a filter by tenant make sense to this person."""
    tenants = tenancy.current().tenants
    return tenants is None or len(tenants) > 1


class ActionChoices:
    """Goes before Unfold's class."""

    def get_action_choices(self, request: HttpRequest, default_choices: Any = None, action_location: Any = None) -> Any:
        """As Unfold has it, with the argument that Django 6.1 expects and Unfold 0.110 lacks."""
        choices = default_choices or [("", "Select action")]
        found: Any = super(ModelAdmin, self)
        return found.get_action_choices(request, choices, **_at(action_location))


class ConsoleAdmin(ActionChoices, ModelAdmin):
    """A list that never counts, and forms that go through the services.

    `id_fields` are columns that a search for an id also looks at; `lookups` the columns that a link may filter by,
    `list_defer` big columns that a list does not show.
    """

    list_per_page = 50
    list_max_show_all = 0
    show_full_result_count = False
    show_facets = ShowFacets.NEVER
    list_disable_select_all = True
    list_filter_submit = True
    list_fullwidth = True
    compressed_fields = True
    sortable_by: Sequence[str] = ()
    ordering: Sequence[str] = ("-created", "-pk")
    tenant_column = True
    id_fields: Sequence[str] = ()
    lookups: Sequence[str] = ()
    list_defer: Sequence[str] = ()
    list_before_template = "admin/ai/parts/list_buttons.html"
    empty_title = "Nothing here yet"
    empty_text = "What is added will appear here."

    # -- Lists
    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> Any:
        """A list that reads one page."""
        return BoundedChangeList

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        """The columns, with the tenant where several can be seen."""
        columns = list(super().get_list_display(request))
        if self.tenant_column and sees_several_tenants(request):
            columns.append("tenant_name")
        return columns

    def tenant_name(self, row: Any) -> str:
        """The name of the row's tenant."""
        return str(getattr(row, "tenant_label", "") or "—")

    tenant_name.short_description = "Tenant"  # type: ignore[attr-defined]

    def prepare_rows(self, request: HttpRequest, rows: list[Any]) -> None:
        """Give the rows of one page what their columns show, with a fixed number of queries."""
        if self.tenant_column and sees_several_tenants(request):
            names = tenant_names(request)
            for row in rows:
                row.tenant_label = names.get(row.tenant_id, "")

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """By id when the term is one, else by text among the newest rows."""
        term = search_term.replace("\x00", "").strip()
        if not term:
            return queryset, False
        if self.model in search.WAYS:
            return search.rows(queryset, term), False
        try:
            key = ids.parse(term)
        except NotFound:
            return self.search_text(request, queryset, term), False
        wanted = Q(pk=key)
        for name in self.id_fields:
            wanted |= Q(**{name: self.model._meta.get_field(name).to_python(str(key))})
        return queryset.filter(wanted), False

    def search_text(self, request: HttpRequest, queryset: Any, term: str) -> Any:
        """Rows of the newest `SEARCH_WINDOW` that hold the term in one of `search_fields`."""
        newest = self.get_queryset(request).order_by(*self.ordering).values("pk")[:SEARCH_WINDOW]
        wanted = Q()
        for name in self.search_fields:
            wanted |= Q(**{f"{name}__icontains": term})
        return queryset.filter(wanted, pk__in=newest)

    def lookup_allowed(self, lookup: str, value: Any, request: Any = None) -> bool:
        """Only what an index answers: a link's lookup, or a filter's own parameter."""
        name = lookup.removesuffix("__exact")
        filters = [
            spec[0] if isinstance(spec, tuple) else getattr(spec, "parameter_name", "") for spec in self.list_filter
        ]
        return name in self.lookups or name.removesuffix("_from").removesuffix("_to") in filters or name in filters

    def get_actions(self, request: HttpRequest, action_location: Any = None) -> Any:
        """Without Django's delete action, which passes the services by."""
        actions = super().get_actions(request, **_at(action_location))
        actions.pop("delete_selected", None)
        return actions

    def response_action(self, request: HttpRequest, queryset: Any, action_location: Any = None) -> HttpResponse | None:
        """What was ticked on this page, never every row there is."""
        posted: Any = request.POST.copy()
        posted["select_across"] = "0"
        request.POST = posted
        response: HttpResponse | None = super().response_action(request, queryset, **_at(action_location))
        return response

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The list, or the way to what a view of it shows."""
        place = list_views.ListPlace(self)
        if where := list_views.leads_to(place, request):
            return HttpResponseRedirect(where)
        response: HttpResponse = super().changelist_view(request, extra_context)
        if isinstance(response, HttpResponseRedirect) and request.method != "POST":
            return HttpResponseRedirect(list_views.after_wrong_filters(place, request, response.url))
        return response

    def views_panel(self, request: HttpRequest, changelist: Any) -> list_views.Panel:
        """The menu of views, columns and order: one query."""
        tenants = tenant_names(request) if sees_several_tenants(request) else {}
        more = list_views.column_choices(self, request, changelist)
        return list_views.panel(list_views.ListPlace(self), request, tenants=tenants, **more)

    def views_view(self, request: HttpRequest) -> HttpResponse:
        """Save a view of the list, change it, or delete it."""
        return view_door.act(self, list_views.ListPlace(self), request)

    def list_buttons(self, request: HttpRequest, changelist: Any) -> list[Button]:
        """The buttons above the list, for what this person may do with all of it."""
        return []

    def empty_links(self, request: HttpRequest) -> list[tuple[str, str]]:
        """(words, URL) of what to do next where there is nothing yet."""
        return []

    # -- Pages
    def _get_obj_does_not_exist_redirect(self, request: HttpRequest, opts: Any, object_id: str) -> NoReturn:
        raise Http404("There is no such thing here; it may have been deleted, or belong to another tenant.")

    def get_object_or_404(self, request: HttpRequest, object_id: str) -> Any:
        """The object when it is in scope and may be seen."""
        found = self.get_object(request, unquote(object_id))
        if found is None:
            self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        if not self.has_view_permission(request, found):
            raise PermissionDenied
        return found

    def page(self, request: HttpRequest, template: str, title: str, **context: Any) -> TemplateResponse:
        """A page of our own inside the admin's frame, or the page alone where `frame` is `BARE`."""
        frame = {} if context.get("frame") == BARE else self.admin_site.each_context(request)
        request.current_app = self.admin_site.name
        values = {**frame, "opts": self.opts, "title": title, "model_admin": self, **context}
        return TemplateResponse(request, template, values)

    def made_page(self, request: HttpRequest, title: str, row: Any, secret: str, **context: Any) -> TemplateResponse:
        """What was just made, with its secret. Nothing keeps that in clear: no session, no message, no log, no cache."""
        context |= {"row": row, "secret": secret, "row_url": badges.url(f"ai_{self.opts.model_name}_change", row.pk)}
        context["list_url"] = badges.url(f"ai_{self.opts.model_name}_changelist")
        response = self.page(request, f"admin/ai/{self.opts.model_name}/made.html", title, **context)
        response.headers["Cache-Control"] = "no-store"
        return response

    def confirm(
        self, request: HttpRequest, *, title: str, text: str, button: str, back: str, **context: Any
    ) -> TemplateResponse:
        """Ask before acting: a dialog where the link opens one, else a page. The form posts to this URL."""
        words = {"text": text, "button": button, "back": back, **context}
        return self.page(request, "admin/ai/confirm.html", title, **words)

    def extra_urls(self) -> Iterable[tuple[str, str, Callable[..., HttpResponseBase]]]:
        """(route, name without `ai_<model>_`, view) of further pages; a view checks its own permission."""
        return ()

    def get_urls(self) -> list[Any]:
        """Our pages before Django's."""
        prefix = f"{self.opts.app_label}_{self.opts.model_name}_"
        every = [("views/", "views", self.views_view), *self.extra_urls()]
        own = [path(r, self.admin_site.admin_view(view), name=prefix + name) for r, name, view in every]
        return [*own, *super().get_urls()]

    # -- Permissions
    def may(self, request: HttpRequest, action: str) -> bool:
        """Whether the person has the model's permission, such as "export"."""
        user: Any = request.user
        return bool(user.has_perm(f"{self.opts.app_label}.{action}_{self.opts.model_name}"))

    def has_import_permission(self, request: HttpRequest) -> bool:
        """`ai.import_<model>`."""
        return self.may(request, "import")

    def has_export_permission(self, request: HttpRequest) -> bool:
        """`ai.export_<model>`."""
        return self.may(request, "export")


class ReadAdmin(ConsoleAdmin):
    """Rows that are read and acted on, never edited in a form."""

    page_template = ""
    #: Whether the page shows what people or models said, so that the audit log notes who looked at it.
    shows_content = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody adds a row by hand."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody edits a row by hand."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody deletes a row by itself."""
        return False

    def page_context(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        """What the page's template shows."""
        return {}

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The row's page."""
        if object_id is None or request.method not in ("GET", "HEAD"):
            raise PermissionDenied
        row = self.get_object_or_404(request, object_id)
        names = tenant_names(request) if sees_several_tenants(request) else {}
        tenant = names.get(getattr(row, "tenant_id", None), "")  # type: ignore[arg-type]
        context = {"row": row, "tenant": tenant, **self.page_context(request, row)}
        if self.shows_content:
            audit.seen(row, by=request.user, at=timezone.now())
        return self.page(request, self.page_template, str(self.opts.verbose_name).capitalize(), **context)


def _at(action_location: Any) -> dict[str, Any]:
    """Where an action is offered: Django 6.1 tells lists and forms apart, 5.2 does not know the argument."""
    return {"action_location": action_location} if django.VERSION >= (6, 1) and action_location else {}


def pks_of(queryset: QuerySet[Any], *, most: int = 1000) -> list[Any]:
    """The keys of the ticked rows."""
    return list(queryset.values_list("pk", flat=True)[:most])


def in_bulk(model: type[Model], keys: Iterable[Any], *fields: str) -> dict[str, Any]:
    """Rows by the text of their key, for a column of one page: one query, in scope, malformed keys passed over."""
    good = set()
    for key in keys:
        try:
            good.add(ids.parse(key))
        except NotFound:
            continue
    if not good:
        return {}
    rows = model._default_manager.filter(pk__in=good).only("pk", *fields)
    return {str(row.pk): row for row in rows}
