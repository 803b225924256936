"""Lists, page by page, forward and backward."""

from __future__ import annotations

from tests.contract.clients.api import Api

WORDS = ["one", "two", "three", "four", "five"]


def messages_page_forward(api: Api) -> None:
    thread = api.thread(*WORDS)
    messages = api.client.beta.threads.messages

    by_one = [each.id for each in messages.list(thread.id, limit=1)]
    by_two = [each.id for each in messages.list(thread.id, limit=2, order="asc")]
    at_once = messages.list(thread.id)

    assert by_one == [each.id for each in at_once.data] == by_two[::-1]
    assert at_once.has_more is False
    assert api.texts(thread.id) == WORDS


def messages_page_backward(api: Api) -> None:
    thread = api.thread(*WORDS)
    messages = api.client.beta.threads.messages
    ids = [each.id for each in messages.list(thread.id, order="asc")]

    before = messages.list(thread.id, order="asc", before=ids[4], limit=2)
    first = messages.list(thread.id, order="asc", before=ids[1], limit=2)
    newest_first = messages.list(thread.id, before=ids[0], limit=3)
    between = messages.list(thread.id, order="asc", after=ids[0], before=ids[3])

    assert ([each.id for each in before.data], before.has_more) == (ids[2:4], True)
    assert ([each.id for each in first.data], first.has_more) == (ids[:1], False)
    assert ([each.id for each in newest_first.data], newest_first.has_more) == (ids[3:0:-1], True)
    assert [each.id for each in between.data] == ids[1:3]


def a_page_names_its_ends(api: Api) -> None:
    thread = api.thread(*WORDS)

    page = api.client.beta.threads.messages.with_raw_response.list(thread.id, limit=3).http_response.json()

    assert (page["object"], page["has_more"]) == ("list", True)
    assert (page["first_id"], page["last_id"]) == (page["data"][0]["id"], page["data"][2]["id"])


def an_empty_list_is_a_list(api: Api) -> None:
    thread, threads = api.thread(), api.client.beta.threads

    page = threads.messages.with_raw_response.list(thread.id).http_response.json()

    assert page == {"object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False}
    assert list(threads.runs.list(thread.id)) == []


def assistants_page_both_ways(api: Api) -> None:
    # Other scenarios make assistants meanwhile: only what lies between these three is known.
    assistants = api.client.beta.assistants
    made = [api.assistant(name=word).id for word in WORDS[:3]]

    forward = assistants.list(limit=100, after=made[2])
    found = [each.id for each in forward]
    back = [each.id for each in assistants.list(limit=100, before=made[0]).data]

    assert [each for each in found if each in made] == [made[1], made[0]]
    assert [each for each in back if each in made] == [made[2], made[1]]


def runs_and_steps_page(api: Api) -> None:
    thread, assistant = api.thread("Hello"), api.assistant()
    runs = api.client.beta.threads.runs
    made = [runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id).id for _ in range(3)]

    listed = [each.id for each in runs.list(thread.id, limit=1)]
    oldest_first = [each.id for each in runs.list(thread.id, limit=2, order="asc")]
    steps = runs.steps.list(made[0], thread_id=thread.id, limit=1)

    assert listed == made[::-1]
    assert oldest_first == made
    assert len(list(steps)) == 1


def messages_of_one_run(api: Api) -> None:
    thread, assistant = api.thread("Hello"), api.assistant()
    threads = api.client.beta.threads
    made = [threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id).id for _ in range(2)]

    found = threads.messages.list(thread.id, run_id=made[0]).data

    assert [each.run_id for each in found] == made[:1]
