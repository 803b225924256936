"""`manage.py create_api_key`, `revoke_api_key` and `map_model`."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from ai import tenancy
from ai.models import ApiKey, AuditEntry, ModelRoute, Tenant
from ai.models.api_keys import digest_of
from tests import factories

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def the_key() -> ApiKey:
    key: ApiKey = ApiKey._base_manager.get()
    return key


class TestCreate:
    def test_makes_the_tenant_and_prints_the_key_alone_on_the_last_line(self) -> None:
        plain = run("create_api_key", "--tenant", "Northwind").splitlines()[-1]

        key = the_key()
        assert plain.startswith("mc-")
        assert key.digest == digest_of(plain)
        assert plain not in {key.prefix, key.name}
        assert key.tenant_id == Tenant.objects.get(name="Northwind").pk
        assert key.scopes == ["read", "write", "admin"]

    def test_takes_the_scopes_that_are_named(self) -> None:
        run("create_api_key", "--tenant", "Northwind", "--scopes", "reviews, feedback")

        assert the_key().scopes == ["feedback", "reviews"]

    def test_uses_the_tenant_that_is_there(self) -> None:
        tenant = factories.tenant("Northwind")

        run("create_api_key", "--tenant", "Northwind", "--name", "Shop", "--requests-per-minute", "60")

        assert (the_key().tenant_id, the_key().name, the_key().requests_per_minute) == (tenant.pk, "Shop", 60)

    @pytest.mark.parametrize(("given", "days"), [("90", 90), ("90d", 90)])
    def test_expires_after_so_many_days(self, given: str, days: int) -> None:
        run("create_api_key", "--tenant", "Northwind", "--expires", given)

        expires = the_key().expires_at
        assert expires is not None
        assert timedelta(days=days) - timedelta(minutes=1) < expires - timezone.now() <= timedelta(days=days)

    def test_expires_at_the_end_of_a_day(self) -> None:
        run("create_api_key", "--tenant", "Northwind", "--expires", "2999-01-31")

        expires = the_key().expires_at
        assert expires is not None
        assert timezone.localtime(expires).strftime("%Y-%m-%d %H:%M") == "2999-01-31 23:59"

    @pytest.mark.parametrize(
        "wrong",
        [
            ["--expires", "soon"],
            ["--expires", "2999-02-31"],
            ["--expires", "2001-01-31"],
            ["--expires", "9" * 30],
            ["--scopes", "all"],
            ["--scopes", ""],
            ["--requests-per-minute", "0"],
        ],
    )
    def test_refuses_what_makes_no_sense(self, wrong: list[str]) -> None:
        with pytest.raises(CommandError):
            run("create_api_key", "--tenant", "Northwind", *wrong)

        assert not ApiKey._base_manager.exists()

    def test_is_audited_without_the_key(self) -> None:
        plain = run("create_api_key", "--tenant", "Northwind").splitlines()[-1]

        entry = AuditEntry._base_manager.get(action="api_key.added")
        assert entry.target_id == str(the_key().pk)
        assert plain not in str(entry.data)


class TestRevoke:
    @pytest.mark.parametrize("named_by", ["prefix", "id"])
    def test_revokes_by_prefix_or_id(self, named_by: str) -> None:
        run("create_api_key", "--tenant", "Northwind")

        run("revoke_api_key", str(getattr(the_key(), named_by)))

        assert the_key().revoked_at is not None

    def test_knows_only_keys(self) -> None:
        with pytest.raises(CommandError, match="no API key 'mc-nothing'"):
            run("revoke_api_key", "mc-nothing-like-this")


class TestMapModel:
    def test_sends_a_name_to_an_alias(self) -> None:
        tenant = factories.tenant("Northwind")
        factories.language_model(alias="fast")

        said = run("map_model", "gpt-4*", "fast", "--tenant", "Northwind")

        assert said.strip() == "Northwind: gpt-4* → fast"
        with tenancy.scope(tenant.pk):
            assert ModelRoute.objects.alias_for("gpt-4o-mini", tenant_id=tenant.pk) == "fast"

    @pytest.mark.parametrize(("pattern", "alias"), [("gpt 4", "fast"), ("gpt*4", "fast"), ("gpt-4", "slow")])
    def test_refuses_a_pattern_or_alias_that_is_none(self, pattern: str, alias: str) -> None:
        factories.tenant("Northwind")
        factories.language_model(alias="fast")

        with pytest.raises(CommandError):
            run("map_model", pattern, alias, "--tenant", "Northwind")

    def test_wants_a_tenant_that_is_there(self) -> None:
        with pytest.raises(CommandError, match="no tenant"):
            run("map_model", "gpt-4", "fast", "--tenant", "Nobody")
