"""Marvin 2's own assistants, written when there was only OpenAI's server: `marvin.beta.assistants`, unchanged."""

from __future__ import annotations

import importlib
import json
import os
import sys
import traceback
from typing import Any

# Marvin counts tokens with a table that it would fetch from the internet; any other table will do.
os.environ["MARVIN_CHAT_COMPLETIONS_MODEL"] = "bytes"
os.environ["MARVIN_OPENAI_BASE_URL"] = os.environ["CONTRACT_URL"]
os.environ["MARVIN_OPENAI_API_KEY"] = json.loads(os.environ["CONTRACT_KEYS"])[0]


def two_turns_with_a_tool() -> None:
    """A conversation: the first turn calls a Python function, the second one remembers it."""
    assistants = _marvin()
    called: list[str] = []

    def get_weather(city: str) -> str:
        """The weather in a city."""
        called.append(city)
        return f"sunny over {city}"

    thread = assistants.Thread()
    with assistants.Assistant(name="Marvin", instructions="Be brief.", tools=[get_weather]) as assistant:
        first = assistant.say("weather in Paris", thread=thread, event_handler_class=None)
        second = assistant.say("count", thread=thread, event_handler_class=None)

    assert called == ["Paris"]
    assert (first.run.status, second.run.status) == ("completed", "completed")
    said = [(message.role, message.content[0].text.value) for message in thread.get_messages()]
    assert said == [
        ("user", "weather in Paris"),
        ("assistant", "Paris: sunny over Paris."),
        ("user", "count"),
        ("assistant", "There are 5 messages."),
    ], said
    thread.delete()


def _marvin() -> Any:
    import tiktoken
    import tiktoken.model
    import tiktoken.registry

    every_byte = {bytes([number]): number for number in range(256)}
    tiktoken.model.MODEL_TO_ENCODING["bytes"] = "bytes"
    tiktoken.registry.ENCODINGS["bytes"] = tiktoken.Encoding(
        "bytes", pat_str=r"[\s\S]", mergeable_ranks=every_byte, special_tokens={}
    )
    return importlib.import_module("marvin.beta.assistants")


if __name__ == "__main__":
    for line in sys.stdin:
        failure = ""
        try:
            {"two_turns_with_a_tool": two_turns_with_a_tool}[line.strip()]()
        except Exception:  # noqa: BLE001 - whatever it is, the test shows it
            failure = traceback.format_exc()
        sys.stdout.write(json.dumps({"name": line.strip(), "error": failure}) + "\n")
        sys.stdout.flush()
