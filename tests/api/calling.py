"""A client of the API for tests: Django's own, with a key."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.test import Client
from django.utils import timezone

from ai import tenancy

if TYPE_CHECKING:
    from ai.models import ApiKey, Tenant


def make_key(owner: Tenant, **values: Any) -> tuple[ApiKey, str]:
    """A key of the tenant, with every scope unless told otherwise."""
    from ai.models import ApiKey
    from ai.models.api_keys import SCOPES

    with tenancy.scope(owner.pk):
        made: tuple[ApiKey, str] = ApiKey.objects.make(
            tenant_id=owner.pk, created=timezone.now(), **{"scopes": [*SCOPES], **values}
        )
    return made


@dataclass
class Caller:
    """Calls with an API key; `get("/threads")` means `/v1/threads`."""

    key: str
    client: Client = field(default_factory=lambda: Client(raise_request_exception=False))

    @classmethod
    def of(cls, owner: Tenant, **values: Any) -> Caller:
        """A caller with a new key of the tenant."""
        return cls(make_key(owner, **values)[1])

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """The answer, with the JSON it holds as `data`."""
        content: Any = {} if body is None else {"data": json.dumps(body), "content_type": "application/json"}
        sent = {"authorization": f"Bearer {self.key}", **{name.replace("_", "-"): v for name, v in headers.items()}}
        response: Any = self.client.generic(method, f"/v1{path}", headers=sent, **content)
        response.data = json.loads(response.content) if response["Content-Type"] == "application/json" else None
        return response

    def get(self, path: str, **headers: str) -> Any:
        """GET."""
        return self.call("GET", path, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        """POST, with a JSON body if there is one."""
        return self.call("POST", path, body, **headers)

    def delete(self, path: str, **headers: str) -> Any:
        """DELETE."""
        return self.call("DELETE", path, **headers)
