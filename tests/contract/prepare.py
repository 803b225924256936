"""Makes a console's home ready for clients: `python -m tests.contract.prepare MODEL_URL` prints each tenant's key, as JSON."""

from __future__ import annotations

import io
import json
import os
import sys

import django

TENANTS = ("Northwind", "Contoso")
MODEL = "scripted"


def main(model_url: str) -> None:
    """Tables, a model behind the names that old code asks for, and two tenants with a key each."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")
    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0, stdout=sys.stderr)
    model = ("--provider", "openai-compatible", "--model", MODEL, "--base-url", model_url)
    call_command("add_model", MODEL, *model, stdout=sys.stderr)
    sys.stdout.write(json.dumps({name: _tenant(name) for name in TENANTS}))


def _tenant(name: str) -> str:
    from django.core.management import call_command

    from ai import tenancy
    from ai.models import ModelRoute, Tenant

    printed = io.StringIO()
    call_command("create_api_key", tenant=name, name="contract", stdout=printed)
    tenant = Tenant.objects.get(name=name)
    with tenancy.scope(tenant.pk):
        ModelRoute.objects.set(tenant_id=tenant.pk, pattern="gpt-*", alias=MODEL)
    return printed.getvalue().splitlines()[-1]


if __name__ == "__main__":
    main(sys.argv[1])
