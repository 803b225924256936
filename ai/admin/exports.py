"""The files of finished exports: their door, and that of their manifests."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone

from ai.admin.parts import downloads
from ai.exceptions import Forbidden, NotFound
from ai.services.exports import formats, jobs

Door = tuple[str, str, Callable[..., HttpResponseBase]]


def job_urls(admin: Any) -> list[Door]:
    """Both doors. `admin` is the `JobAdmin`."""
    return [("<uuid:object_id>/file/", "file", _file), ("<uuid:object_id>/manifest/", "manifest", _manifest)]


def _file(request: HttpRequest, object_id: UUID) -> HttpResponseBase:
    """The file, for those who may export such rows of that tenant."""
    job, content = _opened(request, object_id)
    format_ = formats.FORMATS.get(job.data.get("format", ""))
    content_type = format_.content_type if format_ else "application/zip"
    return downloads.attachment(request, content, name=job.data["name"], content_type=content_type)


def _manifest(request: HttpRequest, object_id: UUID) -> HttpResponseBase:
    """What is in the file, as JSON."""
    job, content = _opened(request, object_id)
    content.close()
    said = json.dumps(job.data["manifest"], indent=2, ensure_ascii=False).encode()
    name = f"{job.data['name']}.manifest.json"
    return downloads.attachment(request, io.BytesIO(said), name=name, content_type="application/json")


def _opened(request: HttpRequest, job_id: UUID) -> Any:
    if request.method not in ("GET", "HEAD"):
        raise PermissionDenied
    try:
        return jobs.open_file(job_id=job_id, by=request.user, at=timezone.now())
    except Forbidden as error:
        raise PermissionDenied(error.message) from error
    except NotFound as error:
        raise Http404(error.message) from error
