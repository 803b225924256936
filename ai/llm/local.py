"""
The embedded model behind pydantic-ai's interface.

It cannot call tools. Where exactly one thing is demanded (a forced output tool, as Marvin and `output_type=` use them), the
tool's schema becomes a grammar that the answer must obey, and the answer becomes a call of that tool. Tools that the model
is merely offered are ignored, so that a conversation with tools can be replayed on it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import httpx2
from openai import AsyncOpenAI
from openai.types.chat import chat_completion_chunk
from pydantic_ai.messages import ModelMessage, ModelRequest, ModelResponseStreamEvent, UserPromptPart
from pydantic_ai.models import ModelRequestParameters, StreamedResponse
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIStreamedResponse
from pydantic_ai.providers.openai import OpenAIProvider
from pydantic_ai.settings import ModelSettings
from pydantic_ai.tools import ToolDefinition

from ai.exceptions import NotFound
from ai.llm import embedded, errors, transports
from ai.llm.folding import Folding
from ai.llm.specs import ModelSpec

if TYPE_CHECKING:
    from pydantic_ai._run_context import RunContext

    from ai.llm.providers import Built


STRING_CHARACTERS = 300
LIST_ITEMS = 20


def build_local(spec: ModelSpec, settings: ModelSettings) -> Built:
    """The embedded model; it is loaded at the first request.

    Raises:
        NotFound: another name than `smollm2`, without a GGUF file of that installation's choice.
        Misconfigured: llama.cpp or the weights are missing.
    """
    path = embedded.weights()
    if spec.model != embedded.NAME and path.name == embedded.WEIGHTS:
        raise NotFound(f"The embedded model is local:{embedded.NAME}; for another one, set AI_LOCAL_MODEL_PATH.")
    timeout = httpx2.Timeout(transports.read_seconds(spec.settings), connect=transports.CONNECT_SECONDS)
    # Our own server on our own loopback port: nothing for the address guard to decide.
    http_client = httpx2.AsyncClient(timeout=timeout, trust_env=False, verify=transports.tls())
    sdk = AsyncOpenAI(
        base_url="http://127.0.0.1", api_key="none", http_client=http_client, timeout=timeout, max_retries=0
    )
    return LocalModel(embedded.NAME, provider=OpenAIProvider(openai_client=sdk), settings=settings), http_client.aclose


@dataclass
class LocalStreamedResponse(OpenAIStreamedResponse):
    """An answer of the embedded model while it arrives; with `forced_tool`, its text is the arguments of that tool."""

    forced_tool: str = ""

    def _map_text_delta(self, choice: chat_completion_chunk.Choice) -> Iterable[ModelResponseStreamEvent]:
        if not self.forced_tool:
            yield from super()._map_text_delta(choice)
        elif choice.delta.content:
            event = self._parts_manager.handle_tool_call_delta(
                vendor_part_id="forced",
                tool_name=self.forced_tool if not self._parts_manager.get_parts() else None,
                args=choice.delta.content,
                tool_call_id=None,
            )
            if event is not None:
                yield event


class LocalModel(Folding, OpenAIChatModel):
    """The embedded model; see the module for what becomes of tools."""

    @property
    def _streamed_response_cls(self) -> type[OpenAIStreamedResponse]:
        return LocalStreamedResponse

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
        run_context: RunContext[Any] | None = None,
    ) -> AsyncIterator[StreamedResponse]:
        """Stream an answer, loading the model at first use."""
        await self._reach_server()
        settings = cast("dict[str, Any]", dict(model_settings or {}))
        wanted = model_request_parameters.with_default_output_mode("tool")
        tool = forced_tool(wanted, settings.pop("tool_choice", None))
        structured = wanted.output_mode in {"native", "prompted"}
        parameters = replace(
            wanted,
            function_tools=[],
            output_tools=[],
            output_mode="native" if structured else "text",
            allow_text_output=True,
        )
        if tool:
            settings["extra_body"] = {**(settings.get("extra_body") or {}), "response_format": _response_format(tool)}
            messages = [*messages, ModelRequest(parts=[UserPromptPart(_instruction(tool))])]
        stream_settings = cast("ModelSettings", settings)
        async with super().request_stream(messages, stream_settings, parameters, run_context) as stream:
            stream.model_request_parameters = wanted
            cast("LocalStreamedResponse", stream).forced_tool = tool.name if tool else ""
            yield stream

    async def _reach_server(self) -> None:
        address = await asyncio.to_thread(embedded.start)
        if self.client.api_key != address.key:
            errors.keep_secret(address.key)
            self.client.base_url, self.client.api_key = address.url, address.key


def forced_tool(parameters: ModelRequestParameters, tool_choice: object = None) -> ToolDefinition | None:
    """The tool that the model has no choice but to call; the first one when several end the task."""
    if parameters.output_tools and not parameters.allow_text_output:
        return parameters.output_tools[0]
    if isinstance(tool_choice, list) and len(tool_choice) == 1:
        return parameters.tool_defs.get(tool_choice[0])
    if tool_choice == "required" and len(parameters.function_tools) == 1:
        return parameters.function_tools[0]
    return None


def _response_format(tool: ToolDefinition) -> dict[str, Any]:
    return {
        "type": "json_schema",
        "json_schema": {"name": tool.name, "schema": bounded(tool.parameters_json_schema), "strict": True},
    }


def bounded(schema: Any) -> Any:
    """The JSON schema with a limit where it has none: in a free string or list, a small model may never come to an end."""
    if isinstance(schema, list):
        return [bounded(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: bounded(value) for key, value in schema.items()}
    if found.get("type") == "string" and not found.keys() & {"enum", "const", "format", "pattern", "maxLength"}:
        found["maxLength"] = STRING_CHARACTERS
    if found.get("type") == "array":
        found.setdefault("maxItems", LIST_ITEMS)
    return found


def _instruction(tool: ToolDefinition) -> str:
    return f"Answer with JSON for “{tool.name}”. {tool.description or ''}".strip()
