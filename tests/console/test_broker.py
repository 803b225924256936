"""The queue of files."""

from pathlib import Path
from threading import Thread

from kombu import Connection, Exchange, Queue
from kombu.transport import TRANSPORT_ALIASES

from console import broker
from console.broker import SCHEME

QUEUES = [Queue(name, Exchange(name), routing_key=name) for name in ("console", "runs")]


def connect(folder: Path) -> Connection:
    TRANSPORT_ALIASES[SCHEME] = "console.broker:Transport"
    return Connection(f"{SCHEME}://localhost", transport_options=broker.options(folder))


def put(folder: Path, queue: Queue, *bodies: int) -> None:
    with connect(folder) as connection, connection.Producer() as producer:
        for body in bodies:
            producer.publish(body, exchange=queue.exchange, routing_key=queue.routing_key, declare=[queue])


def take_all(folder: Path, queue: Queue) -> list[int]:
    taken = []
    with connect(folder) as connection:
        bound = queue(connection.default_channel)
        while message := bound.get():
            taken.append(int(message.payload))
            message.ack()
    return taken


def test_messages_arrive_in_order_in_the_queue_they_were_sent_to(tmp_path: Path) -> None:
    console, runs = QUEUES
    put(tmp_path, runs, 1, 2, 3)
    put(tmp_path, console, 4)

    assert take_all(tmp_path, console) == [4]
    assert take_all(tmp_path, runs) == [1, 2, 3]
    assert take_all(tmp_path, runs) == []


def test_a_message_that_was_not_acknowledged_comes_back(tmp_path: Path) -> None:
    _, runs = QUEUES
    put(tmp_path, runs, 1)
    with connect(tmp_path) as connection:
        message = runs(connection.default_channel).get()
        assert message is not None
        message.requeue()

    assert take_all(tmp_path, runs) == [1]


def test_many_writers_and_readers_lose_nothing_and_take_nothing_twice(tmp_path: Path) -> None:
    _, runs = QUEUES
    taken: list[int] = []
    writers = [Thread(target=put, args=(tmp_path, runs, *range(start, start + 50))) for start in range(0, 200, 50)]
    readers = [Thread(target=lambda: taken.extend(take_all(tmp_path, runs))) for _ in range(4)]

    for thread in writers + readers:
        thread.start()
    for thread in writers + readers:
        thread.join()
    taken.extend(take_all(tmp_path, runs))

    assert sorted(taken) == list(range(200))
    assert not any(path.is_file() for path in tmp_path.rglob("*"))
