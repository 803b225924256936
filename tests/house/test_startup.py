"""The web process starts without the heavy libraries."""

import os
import subprocess
import sys
from pathlib import Path

from tests.house.sizes import PROJECT

HEAVY = ("marvin", "pydantic_ai", "openai", "anthropic", "celery", "boto3", "xllamacpp")
SCRIPT = f"""
import sys
import console.asgi
from django.core.management import call_command
from django.test import Client
call_command("migrate", verbosity=0)
assert Client(headers={{"host": "localhost"}}).get("/admin/login/").status_code == 200
print(",".join(name for name in {HEAVY!r} if name in sys.modules))
"""


def test_the_login_page_needs_no_model_library(tmp_path: Path) -> None:
    environment = os.environ | {"CONSOLE_HOME": str(tmp_path), "DJANGO_SETTINGS_MODULE": "console.settings"}
    environment = {
        name: value for name, value in environment.items() if name not in {"DATABASE_URL", "CELERY_BROKER_URL"}
    }

    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=PROJECT, env=environment, capture_output=True, text=True, check=False
    )

    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.strip() == ""
