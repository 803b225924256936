"""Makes the console's home ready: tables, the demo conversations, an account. Says what it did as JSON, for the supervisor."""

from __future__ import annotations

import json
import os
import secrets
import sys
from typing import Any

import django


def main() -> None:
    """Prepare everything, in one process."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")
    django.setup()
    from django.conf import settings
    from django.core.management import call_command, get_commands

    call_command("migrate", verbosity=0, stdout=sys.stderr)
    account = make_account()
    if settings.ENV.console_demo and not settings.PRODUCTION and "load_demo" in get_commands():
        call_command("load_demo", if_empty=True, stdout=sys.stderr)
    sys.stdout.write(json.dumps(account))


def make_account() -> dict[str, Any]:
    """The account to log in with. A password is in it only when it is new and random."""
    from django.conf import settings
    from django.contrib.auth import get_user_model

    users, env = get_user_model().objects, settings.ENV
    name, given = env.console_admin_username, env.console_admin_password
    user = users.filter(username=name).first()
    if user is None and (given or not users.filter(is_superuser=True).exists()):
        password = given or secrets.token_urlsafe(12)
        users.create_superuser(username=name, email="", password=password)
        return {"username": name, "password": None if given else password}
    if user is not None and given and not user.check_password(given):
        user.set_password(given)
        user.save(update_fields=["password"])
    return {"username": name if user else None, "password": None}


if __name__ == "__main__":
    main()
