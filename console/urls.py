"""Where each door of the console is; that of the API is a middleware."""

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver, path
from django.views.generic import RedirectView


def palette(request: HttpRequest) -> HttpResponse:
    """The palette's results, for staff."""
    from ai.admin.palette import view  # noqa: PLC0415 - pages are imported when the admin has found them

    response: HttpResponse = admin.site.admin_view(view)(request)
    return response


urlpatterns: list[URLPattern | URLResolver] = [
    path("", RedirectView.as_view(pattern_name="admin:index"), name="home"),
    # Before the admin's own, which keeps what it found for five minutes.
    path("admin/search/", palette),
    path("admin/", admin.site.urls),
]
