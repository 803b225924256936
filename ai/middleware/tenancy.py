"""Puts every request of a signed-in member of staff into the scope of their tenants."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.http import HttpRequest, HttpResponseBase

from ai import conf, tenancy
from ai.models import TenantMembership


class TenantScopeMiddleware:
    """Superusers see every tenant, staff the tenants they are members of, everybody else nothing."""

    async_capable = True
    sync_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Any:
        if iscoroutinefunction(self.get_response):
            return self._acall(request)
        with _scope_of(request):
            return self.get_response(request)

    async def _acall(self, request: HttpRequest) -> HttpResponseBase:
        with await sync_to_async(_scope_of)(request):
            response: HttpResponseBase = await self.get_response(request)
            return response


def _scope_of(request: HttpRequest) -> Any:
    user: Any = request.user
    if not (user.is_active and user.is_staff):
        return tenancy.scope()
    if user.is_superuser:
        return tenancy.everything(reason=f"superuser {user.pk} at {request.path}")
    default = conf.current().default_tenant_id
    places = TenantMembership.objects.places_of(user)
    member = {tenant: name for tenant, name, _ in places}
    if default is None or default in member:
        request._ai_tenant_names = member  # type: ignore[attr-defined] # pages ask for them; they came along
    if default is None:
        request._ai_unread = sum(unread for _, _, unread in places)  # type: ignore[attr-defined] # and so does the bell
    return tenancy.scope(*member, *([default] if default else []))
