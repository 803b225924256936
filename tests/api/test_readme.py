"""The README's requests work as they stand there, one after the other."""

from __future__ import annotations

import re
import shlex
from typing import Any

import httpx
import pytest

from ai import ids
from ai.models import Tenant
from tests import factories
from tests.api.calling import make_key
from tests.api.live import served
from tests.house.sizes import PROJECT

pytestmark = pytest.mark.django_db(transaction=True)

README = (PROJECT / "README.md").read_text()
COMMANDS = re.findall(r"^\$ (curl (?:.*\\\n)*.*)$", README, re.MULTILINE)
SERVER = "http://127.0.0.1:8000/v1"


def sent(command: str, known: dict[str, str], url: str) -> httpx.Response:
    """What the command would send."""
    for name, value in known.items():
        command = command.replace(f"'${name}'", value).replace(f"${name}", value)
    assert "$" not in command, command
    _, address, *options = shlex.split(command.replace("\\\n", " "))
    assert address.startswith(SERVER)
    given = dict(zip(options[::2], options[1::2], strict=True))
    assert set(given) <= {"-H", "-d"}
    name, _, value = given["-H"].partition(": ")
    body = given.get("-d")
    # As curl does: a body makes it a POST, and it is called a form.
    headers = {name: value, **({"content-type": "application/x-www-form-urlencoded"} if body else {})}
    method = "POST" if body else "GET"
    return httpx.request(method, address.replace(SERVER, url), headers=headers, content=body, timeout=30)


def test_every_request_is_answered(tenant: Tenant) -> None:
    thread = factories.thread(tenant, *factories.talk(1))
    known = {"KEY": make_key(tenant)[1], "THREAD": ids.public("thread", thread.pk)}
    told: list[Any] = []

    with served() as url:
        for command in COMMANDS:
            answer = sent(command, known, url)
            assert answer.status_code == 200, (command, answer.text)
            told.append(answer.json())
            kinds = {"feedback": "FEEDBACK", "review_queue": "QUEUE"}
            if told[-1]["object"] in kinds:
                known[kinds[told[-1]["object"]]] = told[-1]["id"]

    assert len(told) == len(COMMANDS) >= 9
    assert [row["type"] for row in told[4]["data"]] == ["note", "change"]
    assert told[6]["added"] == 1
    assert told[7]["progress"] == {"reviews": 2, "answered": 0}
