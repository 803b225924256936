"""What happens on a Django thread leaves no trace in Marvin's own database; what happens elsewhere is Marvin's affair."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing

import marvin
import pytest

from ai.marvin import DjangoHandler, DjangoThread
from ai.models import ChatThread, Message, Tenant
from tests.marvin import agents

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("loop_for_marvin")] + [
    pytest.mark.filterwarnings(each) for each in agents.KNOWN_WARNINGS
]


def rows_of_marvin() -> dict[str, int]:
    """How many rows each table of the file behind `MARVIN_DATABASE_URL` has."""
    path = os.environ["MARVIN_DATABASE_URL"].partition("///")[2]
    with closing(sqlite3.connect(path)) as database:
        names = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: database.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in names}  # noqa: S608


def test_a_run_on_a_django_thread_writes_nothing_to_marvins_database(tenant: Tenant) -> None:
    before = rows_of_marvin()
    agent = agents.agent(agents.looks_up_first, tools=[agents.look_up])
    thread = DjangoThread()

    for text in ("Where is it?", "And now?"):
        marvin.run(text, agents=[agent], thread=thread, handlers=[DjangoHandler()])
    marvin.say("Hello", agent=agent, thread=thread)

    assert rows_of_marvin() == before
    assert ChatThread.objects.count() == 1
    assert len(thread.get_llm_calls()) == 3


def test_a_run_on_a_thread_of_marvins_own_stays_with_marvin(tenant: Tenant) -> None:
    thread = marvin.Thread()

    marvin.run("Where is it?", agents=[agents.agent("Here.")], thread=thread)

    assert len(thread.get_llm_calls()) == 1
    assert not Message.objects.exists()
