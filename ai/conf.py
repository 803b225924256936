"""The app's settings: Django settings named `AI_*`, read once, typed, checked by `manage.py check`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from functools import lru_cache
from typing import Any
from uuid import UUID


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Every setting of `ai`; the field `max_file_bytes` is the Django setting `AI_MAX_FILE_BYTES`."""

    default_tenant_id: UUID | None = None
    """The tenant in scope where none was entered. Unset in an installation with several tenants."""

    max_file_bytes: int = 512 * 1024 * 1024
    """Files larger than this are refused, in bytes."""

    import_max_bytes: int = 4 * 1024 * 1024 * 1024
    """Files larger than this cannot be uploaded for an import, in bytes. The command takes files of any size."""

    secrets_key: tuple[str, ...] = ()
    """Fernet keys for provider keys at rest, newest first; older ones still decrypt."""

    default_model: str = "local:smollm2"
    """The alias offered first for replays."""

    title_model: str = ""
    """The alias that writes titles; empty means titles by rule."""

    tags: tuple[str, ...] = ()
    """The tags that may be proposed with titles; empty means those that the tenant's threads carry already."""

    local_model_path: str = ""
    """A GGUF file to use as `local:smollm2` instead of the packaged one."""

    private_model_hosts: tuple[str, ...] = ("localhost", "127.0.0.1", "::1")
    """Hosts with private or loopback addresses that a model's base URL may name."""

    run_lease_seconds: int = 30
    """How long a worker may be silent before its runs go back to the queue."""

    run_max_seconds: int = 600
    """A run that has not ended after this many seconds expires."""

    run_max_attempts: int = 3
    """How many workers may begin a run before it fails for good."""

    run_max_rounds: int = 20
    """How many times one run may call the model, tool rounds included."""

    run_concurrency: int = 50
    """How many runs one worker process carries at the same time."""

    model_retries: int = 3
    """How often a call to a model is tried again when trying again can help."""

    model_concurrency: int = 8
    """How many calls to a model one job of titles, labels or judgements has open at a time."""

    first_token_seconds: float = 120.0
    """A model that has said nothing for this long is given up."""

    stream_on_disconnect: str = "continue"
    """What becomes of a streamed run whose client hangs up: "continue" ends and stores it, "cancel" cancels it."""

    heartbeat_seconds: float = 15.0
    """How long a stream may be silent before a comment is sent, so that proxies do not hang up."""

    poll_after_ms: int = 200
    """How long clients that poll are asked to wait, in milliseconds (`openai-poll-after-ms`)."""

    api_max_body_bytes: int = 8 * 1024 * 1024
    """JSON bodies larger than this are refused, in bytes. Files have `max_file_bytes`."""

    export_keep_hours: int = 72
    """How long the file of a finished export can be downloaded, in hours."""

    export_part_rows: int = 20_000
    """How many rows of an export a worker writes before it notes how far it is; of threads with their messages, a twentieth
    as many. What is no more than that is exported at once."""

    review_sample_rows: int = 10_000
    """From more rows than this a worker draws the sample of a review queue; from a tenth of it where answers are compared."""

    retitle_max_threads: int = 20_000
    """Titles are found for no more threads than this at a time."""

    embedding_model: str = ""
    """An alias whose model makes embeddings for file search; empty means words only."""

    agents: Mapping[str, str] = field(default_factory=dict)
    """Marvin agents that can be chosen as models: alias → dotted path."""

    feedback_target_hours: tuple[float, ...] = (4.0, 24.0, 72.0, 168.0)
    """Within how many hours feedback is to be dealt with, by severity: critical, high, medium, low."""

    feedback_labels: Mapping[str, Any] = field(default_factory=dict)
    """Which words of a comment suggest which label: label → words. Under a tenant's id there may be the tenant's own."""

    feedback_model: str = ""
    """The alias that suggests labels of feedback that has a comment; empty means by words only."""

    feedback_macros: tuple[Mapping[str, Any], ...] = ()
    """Steps of the feedback inbox that one key takes together; empty means a small set that comes with the console."""

    console_url: str = ""
    """Where people open the console, for links in e-mails, such as "https://console.example.com"; empty: no e-mail."""

    digest_hour: int = 7
    """At which hour of the day, in the installation's zone, daily e-mails are sent."""

    webhook_keep_days: int = 30
    """How long what was sent to webhooks is kept, in days."""

    presence: bool = True
    """Whether pages of threads, feedback and disputed reviews say who else is looking at them."""

    remote_base_url: str = ""
    """Where the remote sides of threads live; empty means OpenAI."""

    remote_api_key_env: str = "OPENAI_API_KEY"
    """The environment variable that holds the remote's API key."""

    remote_timeout_seconds: float = 60.0
    """How long a remote may be silent before a call to it is given up."""

    remote_retries: int = 3
    """How often reading from a remote is tried again after a failure that may pass."""

    remote_max_bytes: int = 64 * 1024 * 1024
    """Answers of a remote larger than this are refused, in bytes. Files have `max_file_bytes`."""

    sync_max_threads: int = 100_000
    """No more threads than this are synced, or moved to a connection, at a time."""

    sync_every_minutes: int = 0
    """How often every thread with a remote side is synced by itself, in minutes; 0 means never."""

    sync_direction: str = "both"
    """What such a sync does: "pull" fetches, "push" sends, "both" does both."""

    celery_app: str = "celery.current_app"
    """Where the Celery application is, as a dotted path; it is imported when the first message is sent."""

    first_chunk_bytes: int = 64 * 1024
    """How much of a file is read at a time, and looked at to find its type, in bytes."""


def _convert(name: str, value: Any) -> Any:
    if name == "default_tenant_id":
        return UUID(str(value)) if value else None
    if name in {"secrets_key", "private_model_hosts", "tags"}:
        if isinstance(value, str):
            value = value.split(",")
        return tuple(part.strip() for part in value if part.strip())
    if name in READERS:
        return READERS[name](value)
    if name == "stream_on_disconnect" and value not in {"continue", "cancel"}:
        raise ValueError('say "continue" or "cancel"')
    if name == "sync_direction" and value not in {"pull", "push", "both"}:
        raise ValueError('say "pull", "push" or "both"')
    return type(getattr(Settings, name))(value)


def _address(value: Any) -> str:
    text = str(value).strip().rstrip("/")
    if text and not text.startswith(("https://", "http://")):
        raise ValueError("begin with https://")
    return text


def _hour(value: Any) -> int:
    hour = int(value)
    if not 0 <= hour <= 23:
        raise ValueError("an hour is a number from 0 to 23")
    return hour


def _days(value: Any) -> int:
    days = int(value)
    if days < 1:
        raise ValueError("keep them for a day at least")
    return days


def _at_least(least: int) -> Callable[[Any], int]:
    def number(value: Any) -> int:
        found = int(value)
        if found < least:
            raise ValueError(f"write a number that is {least} or more")
        return found

    return number


def _seconds(value: Any) -> float:
    seconds = float(value)
    if not 0 < seconds < float("inf"):
        raise ValueError("write a number of seconds that is more than 0")
    return seconds


def _agents(value: Any) -> dict[str, str]:
    if isinstance(value, str):
        value = json.loads(value) if value.strip() else {}
    if not isinstance(value, Mapping) or not all(isinstance(item, str) for pair in value.items() for item in pair):
        raise ValueError('write {"alias": "dotted.path.of.the.agent"}')
    return dict(value)


def _target_hours(value: Any) -> tuple[float, ...]:
    parts = value.split(",") if isinstance(value, str) else value
    hours = tuple(float(part) for part in parts)
    if len(hours) != 4 or min(hours) <= 0:
        raise ValueError("write four numbers of hours, such as 4,24,72,168")
    return hours


def _labels(value: Any) -> dict[str, Any]:
    found = json.loads(value or "{}") if isinstance(value, str) else value
    if not isinstance(found, Mapping) or not all(isinstance(words, list | tuple | Mapping) for words in found.values()):
        raise ValueError('write {"label": ["word", "another word"]}')
    return dict(found)


def _macros(value: Any) -> tuple[dict[str, Any], ...]:
    found = json.loads(value or "[]") if isinstance(value, str) else value
    if not isinstance(found, list | tuple) or not all(isinstance(each, Mapping) and each.get("name") for each in found):
        raise ValueError('write [{"name": "Known bug", "key": "b", "state": "triaged", "labels": ["bug"]}]')
    return tuple(dict(each) for each in found)


def _yes_or_no(value: Any) -> bool:
    """The environment says it in words, in which every text that is not empty would be true."""
    words = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
    found = words.get(str(value).strip().lower())
    if found is None:
        raise ValueError('say "yes" or "no"')
    return found


#: Settings that are read from JSON or lists, or in words, and numbers that cannot be just any.
READERS: dict[str, Callable[[Any], Any]] = {
    "agents": _agents,
    "console_url": _address,
    "digest_hour": _hour,
    "webhook_keep_days": _days,
    "model_concurrency": _at_least(1),
    "export_part_rows": _at_least(1),
    "review_sample_rows": _at_least(1),
    "retitle_max_threads": _at_least(1),
    "sync_max_threads": _at_least(1),
    "remote_timeout_seconds": _seconds,
    "remote_retries": _at_least(0),
    "remote_max_bytes": _at_least(1),
    "feedback_target_hours": _target_hours,
    "feedback_labels": _labels,
    "feedback_macros": _macros,
    "presence": _yes_or_no,
}


def read(source: Mapping[str, Any]) -> Settings:
    """The settings in `source`, a mapping with names such as `AI_MAX_FILE_BYTES`.

    Raises:
        ValueError: one of them has the wrong type; the message names all of those.
    """
    values, problems = {}, []
    for each in fields(Settings):
        name = f"AI_{each.name.upper()}"
        if name not in source:
            continue
        try:
            values[each.name] = _convert(each.name, source[name])
        except (TypeError, ValueError) as error:
            problems.append(f"{name}: {error}")
    if problems:
        raise ValueError("; ".join(problems))
    return Settings(**values)


@lru_cache(maxsize=1)
def current() -> Settings:
    """The settings in force."""
    from django.conf import settings

    names = [f"AI_{each.name.upper()}" for each in fields(Settings)]
    return read({name: getattr(settings, name) for name in names if hasattr(settings, name)})
