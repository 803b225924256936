"""Requests made up from the API's own document: no bug shows, and what is answered is what is documented."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi import checks

from ai.api.urls import api
from ai.models import Tenant
from console.asgi import application
from tests.api import worlds
from tests.api.calling import make_key

pytestmark = pytest.mark.django_db(transaction=True)

CONFIG = SchemathesisConfig()
CONFIG.projects.default.generation.deterministic = True
# Thousands of combinations, made up while tests are collected, whichever tests are asked for.
CONFIG.projects.default.phases.coverage.enabled = False

schema = schemathesis.openapi.from_dict(dict(api.get_openapi_schema()), config=CONFIG)
schema.app = application
schema.config.update(base_url="http://testserver")

CHECKS = [
    schemathesis.checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.ignored_auth,
    checks.allow_header_conformance,
]


@pytest.fixture
def world(tenant: Tenant) -> dict[str, str]:
    """One of each kind of thing, and a key that opens them."""
    return {**worlds.build(tenant), "key": make_key(tenant)[1]}


@schema.parametrize()
@settings(max_examples=15, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_whatever_is_sent_is_answered_as_documented(case: Any, world: dict[str, str]) -> None:
    # Made-up ids find nothing; every second request is about something that is there.
    if len(str(case.body)) % 2 == 0:
        case.path_parameters = {name: world.get(name, value) for name, value in (case.path_parameters or {}).items()}

    case.call_and_validate(headers={"Authorization": f"Bearer {world['key']}"}, checks=CHECKS)
