"""What the JSON of each object must hold, whatever an SDK makes of it."""

from __future__ import annotations

import json
import re
from typing import Any

_RUN = """
    id object created_at thread_id assistant_id status required_action last_error expires_at started_at cancelled_at
    failed_at completed_at incomplete_details model instructions tools metadata usage max_prompt_tokens
    max_completion_tokens truncation_strategy tool_choice parallel_tool_calls response_format temperature top_p
"""
_MESSAGE = """
    id object created_at thread_id status incomplete_details completed_at incomplete_at role content assistant_id run_id
    attachments metadata
"""
_STEP = """
    id object created_at assistant_id thread_id run_id type status step_details last_error expired_at cancelled_at
    failed_at completed_at metadata usage
"""
_STORE = "id object created_at name usage_bytes file_counts status expires_at last_active_at metadata"
_STORE_FILE = "id object usage_bytes created_at vector_store_id status last_error"
REQUIRED = {
    "assistant": "id object created_at name description model instructions tools metadata",
    "thread": "id object created_at tool_resources metadata",
    "thread.message": _MESSAGE,
    "thread.run": _RUN,
    "thread.run.step": _STEP,
    "file": "id object bytes created_at filename purpose status",
    "vector_store": _STORE,
    "vector_store.file": _STORE_FILE,
    "vector_store.files_batch": "id object created_at vector_store_id status file_counts",
    "list": "object data",
    "vector_store.search_results.page": "object search_query data has_more next_page",
    "vector_store.file_content.page": "object data has_more next_page",
    "model": "id object created owned_by",
}
PREFIXES = {
    "assistant": "asst_",
    "thread": "thread_",
    "thread.message": "msg_",
    "thread.run": "run_",
    "thread.run.step": "step_",
    "file": "file-",
    "vector_store": "vs_",
    "vector_store.files_batch": "vsfb_",
}


def look_at(response: Any) -> None:
    """An answer as it arrives: JSON with the headers that clients use."""
    assert response.headers.get("x-request-id"), f"no x-request-id: {response.request.url}"
    if response.headers["content-type"].startswith("application/json") and "/content" not in response.request.url.path:
        response.read()
        check(json.loads(response.content))


def check(found: Any) -> None:
    """Every object in `found`, at whatever depth.

    Raises:
        AssertionError: a required key is missing, an id has the wrong form, or a time is no whole number of seconds.
    """
    if isinstance(found, list):
        for each in found:
            check(each)
    if not isinstance(found, dict):
        return
    if "error" in found and "object" not in found and isinstance(found["error"], dict):
        assert set(found["error"]) == {"message", "type", "param", "code"}, found
        return
    kind = found.get("object")
    if isinstance(kind, str) and "deleted" not in found:
        _check_object(kind, found)
    for name, value in found.items():
        if name.endswith("_at"):
            assert value is None or type(value) is int, (name, value)
            assert value is None or 1_700_000_000 < value < 5_000_000_000, (name, value)
        check(value)


def _check_object(kind: str, found: dict[str, Any]) -> None:
    required = set(REQUIRED.get(kind, "").split())
    if kind == "list" and not any(each["object"] == "model" for each in found["data"]):
        # The models come on one page, which OpenAI does not number.
        required |= {"first_id", "last_id", "has_more"}
    missing = required - set(found)
    assert not missing, f"{kind} without {sorted(missing)}: {found}"
    if kind in PREFIXES:
        assert re.fullmatch(f"{PREFIXES[kind]}[a-zA-Z0-9]+", found["id"]), found["id"]
