"""Whose data is seen, and that nothing is seen where nobody said."""

from __future__ import annotations

import logging
from typing import Any
from uuid import uuid4

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.apps import apps
from django.test import override_settings

from ai import tenancy
from ai.exceptions import InvalidInput, OutsideTenant
from ai.models import ChatThread, Tenant
from tests import factories

SCOPED = [
    model
    for model in apps.get_app_config("ai").get_models()
    if isinstance(model._default_manager, tenancy.TenantModelManagerMixin)
]


class TestOutsideAnyScope:
    @pytest.mark.parametrize("model", SCOPED, ids=lambda model: model.__name__)
    def test_every_query_raises(self, db: None, model: Any) -> None:
        for query in (model.objects.all, model.objects.count, model.objects.first, model.objects.none):
            with pytest.raises(OutsideTenant):
                query()

    def test_every_table_with_a_tenant_is_scoped(self) -> None:
        with_tenant = {
            model.__name__
            for model in apps.get_app_config("ai").get_models()
            if any(field.name == "tenant_id" for field in model._meta.fields)
        }

        # Memberships decide the scope, and tags are only read through threads that are in it.
        assert with_tenant - {model.__name__ for model in SCOPED} == {"TenantMembership", "ThreadTag"}

    def test_there_is_no_current_tenant(self) -> None:
        with pytest.raises(OutsideTenant):
            tenancy.get_current_tenant_id()


@pytest.mark.django_db
class TestScope:
    def test_shows_one_tenants_rows(self) -> None:
        ours, theirs = factories.tenant(), factories.tenant()
        mine = factories.thread(ours)
        factories.thread(theirs)

        with tenancy.scope(ours.pk):
            assert list(ChatThread.objects.all()) == [mine]
            assert tenancy.get_current_tenant_id() == ours.pk
        with tenancy.scope(ours.pk, theirs.pk):
            assert ChatThread.objects.count() == 2
            with pytest.raises(OutsideTenant, match="Several tenants"):
                tenancy.get_current_tenant_id()
        with tenancy.scope():
            assert ChatThread.objects.count() == 0

    def test_updates_and_deletes_stay_inside(self) -> None:
        ours, theirs = factories.tenant(), factories.tenant()
        other = factories.thread(theirs)

        with tenancy.scope(ours.pk):
            assert ChatThread.objects.filter(pk=other.pk).update(name="stolen") == 0
            assert ChatThread.objects.delete_threads([other.pk]) == 0

    def test_everything_shows_all_and_is_logged(self, caplog: pytest.LogCaptureFixture) -> None:
        factories.thread(factories.tenant())

        with caplog.at_level(logging.INFO, "ai.audit"), tenancy.everything(reason="nightly clean-up"):
            assert ChatThread.objects.count() == 1

        assert "nightly clean-up" in caplog.text
        with pytest.raises(InvalidInput), tenancy.everything(reason=""):
            pass

    def test_the_inner_scope_ends_with_its_block(self) -> None:
        one, two = uuid4(), uuid4()

        with tenancy.scope(one):
            with tenancy.scope(two):
                assert tenancy.get_current_tenant_id() == two
            assert tenancy.get_current_tenant_id() == one


class TestAsync:
    def test_survives_crossing_between_sync_and_async(self) -> None:
        tenant_id = uuid4()

        async def through_a_thread() -> Any:
            return await sync_to_async(tenancy.get_current_tenant_id)()

        with tenancy.scope(tenant_id):
            assert async_to_sync(through_a_thread)() == tenant_id


@pytest.mark.django_db
class TestSingleTenant:
    def test_the_default_tenant_is_always_in_scope(self) -> None:
        tenant = Tenant.objects.named("Only")
        factories.thread(tenant)

        with override_settings(AI_DEFAULT_TENANT_ID=str(tenant.pk)):
            assert ChatThread.objects.count() == 1
            assert ChatThread.objects.get_or_add_thread(uuid4()).tenant_id == tenant.pk
