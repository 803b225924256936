"""The queue of the embedded default: files in a folder, no server.

Kombu's own filesystem transport writes a message in place, so that a reader can take a half-written one; and reads
through the computer's temporary folder. Here a message appears and is taken by a rename.
"""

from __future__ import annotations

import os
import uuid
from pathlib import Path
from queue import Empty
from time import time_ns
from typing import Any

from kombu.transport import filesystem
from kombu.utils.encoding import bytes_to_str, str_to_bytes
from kombu.utils.json import dumps, loads

SCHEME = "folder"


class Channel(filesystem.Channel):
    """A channel whose messages are whole or absent."""

    supports_fanout = False

    def _queue_bind(self, *_: Any) -> None:
        """Nothing to remember: each queue's routing key is its name."""

    def _lookup(self, exchange: str, routing_key: str, default: str | None = None) -> list[str]:
        return [routing_key or default or exchange]

    def _delete(self, queue: str, *_: Any, **__: Any) -> None:
        self._purge(queue)

    def _put(self, queue: str, payload: Any, **_: Any) -> None:
        name = f"{time_ns()}_{uuid.uuid4().hex}.{queue}.msg"
        draft = Path(self.processed_folder, name)
        draft.write_bytes(str_to_bytes(dumps(payload)))
        draft.rename(Path(self.data_folder_out, name))

    def _get(self, queue: str) -> Any:
        for name in sorted(self._waiting(queue)):
            taken = Path(self.processed_folder, name)
            try:
                Path(self.data_folder_in, name).rename(taken)
            except FileNotFoundError:
                continue
            payload = taken.read_bytes()
            taken.unlink()
            return loads(bytes_to_str(payload))
        raise Empty

    def _waiting(self, queue: str) -> list[str]:
        wanted = f"{queue}.msg"
        return [name for name in os.listdir(self.data_folder_in) if name.partition(".")[2] == wanted]


class Transport(filesystem.Transport):
    """`folder://`, with the options `data_folder_in`, `data_folder_out` and `processed_folder`."""

    Channel = Channel
    driver_type = SCHEME
    driver_name = SCHEME


def options(folder: Path) -> dict[str, Any]:
    """Transport options for a queue kept in `folder`, which is made ready."""
    waiting, moving = folder / "waiting", folder / "moving"
    for path in (waiting, moving):
        path.mkdir(parents=True, exist_ok=True)
    return {
        "data_folder_in": str(waiting),
        "data_folder_out": str(waiting),
        "processed_folder": str(moving),
        "store_processed": True,
        "polling_interval": 0.1,
    }
