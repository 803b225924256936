"""What a scripted model answers when it is asked for titles and tags."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.fakes.vendors import Call, Recorded, Reply


def end_task(answer: Any) -> Callable[[Recorded], Reply]:
    """What a model does to end Marvin's task: it calls the one tool there is, with its answer."""

    def reply(request: Recorded) -> Reply:
        tools = request.json["tools"]
        assert len(tools) == 1
        tool = tools[0]["function"]
        name = next(iter(tool["parameters"]["properties"]))
        return Reply(chunks=(), calls=(Call(tool["name"], json.dumps({name: answer})),))

    return reply


def conversation_in(request: Recorded) -> str:
    """Everything that the model was sent."""
    return json.dumps(request.json["messages"], ensure_ascii=False)
