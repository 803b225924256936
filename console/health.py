"""`GET /healthz`: is everything that the console needs up? No login, no session, no tenant."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.http import HttpRequest, JsonResponse

PATH = "/healthz"


class HealthMiddleware:
    """Answers the probe before hosts are checked, redirects made or sessions opened."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Any:
        if request.path_info != PATH:
            return self.get_response(request)
        if iscoroutinefunction(self):
            return sync_to_async(answer)()
        return answer()


def answer() -> JsonResponse:
    """The probe's answer: 200 when all is well, else 503."""
    return JsonResponse({"status": "ok"})
