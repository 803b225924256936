"""One answer of a Marvin agent: its model is asked and its tools are called until it has said its piece."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from pydantic_ai import Agent as Agentlet
from pydantic_ai import DeferredToolRequests, ToolOutput
from pydantic_ai.messages import (
    FinishReason,
    FunctionToolCallEvent,
    FunctionToolResultEvent,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    OutputToolCallEvent,
    PartDeltaEvent,
    PartStartEvent,
    RetryPromptPart,
    TextPart,
    TextPartDelta,
    ToolCallPart,
    ToolCallPartDelta,
    UserPromptPart,
)
from pydantic_ai.models import ModelRequestParameters
from pydantic_ai.settings import ModelSettings
from pydantic_ai.tools import RunContext, ToolDefinition
from pydantic_ai.toolsets import AbstractToolset, ExternalToolset, FunctionToolset, WrapperToolset
from pydantic_ai.toolsets.abstract import ToolsetTool
from pydantic_ai.usage import RequestUsage
from pydantic_core import from_json, to_json

if TYPE_CHECKING:
    from marvin import Agent

#: The result of calling one of the agent's tools with JSON text; None when the tool is to be executed.
Answer = Callable[[str, str], Awaitable[str | None]]

#: The tool by which an agent may end its turn, as it does under Marvin; plain text ends it too.
END = "marvin_end_turn"

#: What the agent's model gets of a request's settings.
_SETTINGS = frozenset(
    {
        "temperature", "top_p", "max_tokens", "seed", "presence_penalty", "frequency_penalty", "logit_bias",
        "stop_sequences", "parallel_tool_calls", "thinking", "timeout",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Said:
    """More text."""

    text: str


@dataclass(frozen=True, slots=True)
class Called:
    """The agent calls a tool of its own; the arguments are JSON text."""

    name: str
    arguments: str
    call_id: str


@dataclass(frozen=True, slots=True)
class Returned:
    """A tool of the agent's own returned."""

    name: str
    output: str
    call_id: str


@dataclass(frozen=True, slots=True)
class Asked:
    """The agent wants the client to call a tool; the arguments are JSON text."""

    name: str
    arguments: str
    call_id: str


@dataclass(frozen=True, slots=True)
class Ended:
    """Nothing comes after this; what all requests to the agent's model used."""

    usage: RequestUsage
    model_name: str
    reason: FinishReason


Piece = Said | Called | Returned | Asked | Ended


@dataclass
class Ending:
    """Give the final answer. Answering in plain text does the same."""

    result: str


class Turn:
    """One answer of `agent` on `model`, its tools answered by `answer` where that is given."""

    def __init__(
        self,
        agent: Agent,
        model: Any,
        parameters: ModelRequestParameters,
        *,
        answer: Answer | None = None,
    ) -> None:
        self._agent, self._model, self._parameters = agent, model, parameters
        self._answer = answer
        self._theirs: list[ToolDefinition] = []
        self._written: dict[str, str] = {}

    async def run(
        self, messages: Sequence[ModelMessage], settings: ModelSettings | None, *, tell: Callable[[Piece], None]
    ) -> None:
        """Answer the conversation; `tell` hears of everything as it happens."""
        agentlet, voice = self._agentlet(await self._instructions(messages)), _Voice(tell)
        used, last = RequestUsage(), ModelResponse(parts=[])
        with self._agent:
            async with agentlet.iter(
                None, message_history=list(messages), model_settings=self._settings(settings)
            ) as run:
                async for node in run:
                    if agentlet.is_model_request_node(node):
                        voice.next_answer()
                        async with node.stream(run.ctx) as stream:
                            async for event in stream:
                                voice.hear(event)
                    elif agentlet.is_call_tools_node(node):
                        last = node.model_response
                        used += last.usage
                        async with node.stream(run.ctx) as doings:
                            async for doing in doings:
                                self._note(doing, voice)
                output = run.result.output if run.result else None
        asked = output.calls if isinstance(output, DeferredToolRequests) else []
        for call in asked:
            tell(Asked(call.tool_name, call.args_as_json_str(), call.tool_call_id))
        tell(Ended(used, last.model_name or "", "tool_call" if asked else last.finish_reason or "stop"))

    def _settings(self, asked: ModelSettings | None) -> ModelSettings:
        given = {name: value for name, value in (asked or {}).items() if name in _SETTINGS}
        return cast("ModelSettings", {**self._agent.get_model_settings(), **given})

    async def _instructions(self, messages: Sequence[ModelMessage]) -> list[str]:
        from marvin.instructions import get_instructions  # noqa: PLC0415 - Marvin takes seconds

        found = [self._agent.get_prompt(), *get_instructions()]
        found += [part.content for part in self._parameters.instruction_parts or []]
        question = _last_question(messages)
        for memory in self._agent.get_memories():
            if memory.auto_use and question:
                recalled = await memory.search(query=question, n=3)
                found.append(f"Automatically recalled memories: {recalled}")
        return found

    def _agentlet(self, instructions: list[str]) -> Agentlet[None, Any]:
        from marvin.utilities.tools import wrap_tool_errors  # noqa: PLC0415

        functions = FunctionToolset[None]([wrap_tool_errors(tool) for tool in self._agent.get_tools()])
        tools: list[AbstractToolset[None]] = [functions, *self._agent.get_mcp_servers()]
        if self._answer:
            tools = [_Answered(toolset, self._answer, self._written) for toolset in tools]
        outputs: list[Any] = [str, ToolOutput(Ending, name=END)]
        self._theirs = [tool for tool in self._parameters.function_tools if tool.name not in functions.tools]
        if self._theirs:
            tools.append(ExternalToolset(self._theirs))
            outputs.append(DeferredToolRequests)
        return Agentlet(
            self._model, name=self._agent.name, instructions=instructions, output_type=outputs, toolsets=tools
        )

    def _note(self, event: Any, voice: _Voice) -> None:
        client = {tool.name for tool in self._theirs}
        match event:
            case OutputToolCallEvent(part=part):
                voice.ended(part)
            case FunctionToolCallEvent(part=part) if part.tool_name not in client:
                self._written[part.tool_call_id] = part.args_as_json_str()
                voice.act(Called(part.tool_name, part.args_as_json_str(), part.tool_call_id))
            case FunctionToolResultEvent(part=part) if part.tool_name not in client:
                output = part.model_response() if isinstance(part, RetryPromptPart) else part.model_response_str()
                voice.act(Returned(part.tool_name or "", output, part.tool_call_id))


def _last_question(messages: Sequence[ModelMessage]) -> str:
    for message in reversed(messages):
        if isinstance(message, ModelRequest):
            for part in reversed(message.parts):
                if isinstance(part, UserPromptPart):
                    content = [part.content] if isinstance(part.content, str) else part.content
                    return "\n\n".join(item for item in content if isinstance(item, str))
    return ""


@dataclass
class _Answered(WrapperToolset[None]):
    """Tools that somebody else answers: nothing is executed unless they leave it to us."""

    answer: Answer
    written: dict[str, str]
    """The arguments as the model wrote them, by the call's id."""

    async def call_tool(
        self, name: str, tool_args: dict[str, Any], ctx: RunContext[None], tool: ToolsetTool[None]
    ) -> Any:
        arguments = self.written.get(ctx.tool_call_id or "")
        given = await self.answer(name, to_json(tool_args).decode() if arguments is None else arguments)
        return await super().call_tool(name, tool_args, ctx, tool) if given is None else given


@dataclass
class _Voice:
    """Tells the text of one answer after the other, whether it comes as text or as the arguments of `END`."""

    tell: Callable[[Piece], None]
    _spoken: bool = field(default=False, init=False)
    _text: str = field(default="", init=False)
    _ending: str = field(default="", init=False)
    _index: int | None = field(default=None, init=False)
    _told: int = field(default=0, init=False)

    def next_answer(self) -> None:
        """The agent's model is asked once more."""
        self._text, self._ending, self._index, self._told = "", "", None, 0

    def hear(self, event: Any) -> None:
        """Take an event of the model's stream."""
        match event:
            case PartStartEvent(part=TextPart(content=text)) | PartDeltaEvent(delta=TextPartDelta(content_delta=text)):
                self._say(text)
            case PartStartEvent(index=index, part=ToolCallPart(tool_name=name, args=args)) if name == END:
                self._index = index
                self._more(args)
            case PartDeltaEvent(index=index, delta=ToolCallPartDelta(args_delta=args)) if index == self._index:
                self._more(args)

    def act(self, piece: Called | Returned) -> None:
        """The agent uses a tool: what it says then stands apart by itself."""
        self._spoken = False
        self.tell(piece)

    def ended(self, part: ToolCallPart) -> None:
        """The agent ended its turn by calling `END`: tell what was not yet told of it."""
        result = str(part.args_as_dict().get("result") or "")
        if self._told:
            self._say(result[self._told :])
        elif result not in self._text:
            self._say(f"\n\n{result}" if self._text else result)

    def _more(self, arguments: Any) -> None:
        if not isinstance(arguments, str) or (self._text and not self._told):
            return  # told when it is whole
        self._ending += arguments
        result = result_so_far(self._ending)
        if len(result) > self._told:
            piece, self._told = result[self._told :], len(result)
            self._say(piece)

    def _say(self, text: str) -> None:
        if not text:
            return
        if self._spoken and not self._text:
            text = f"\n\n{text}"
        self._spoken = True
        self._text += text
        self.tell(Said(text))


def result_so_far(arguments: str) -> str:
    """The result inside a tool's arguments, JSON that is still being written; empty while there is none."""
    try:
        found = from_json(arguments, allow_partial="trailing-strings")
    except ValueError:
        return ""
    result = found.get("result") if isinstance(found, dict) else None
    return result if isinstance(result, str) else ""
