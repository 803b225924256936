"""
A Marvin agent behind pydantic-ai's interface, so that it can be chosen wherever a model can.

The agent answers a conversation in memory, with its own instructions, tools, memories and model, and its text arrives as
its model writes it. What it does with its own tools is shown as pydantic-ai shows tools that a provider runs itself; tools
that the request offers are the client's, and their calls are passed on to it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pydantic_ai._utils import now_utc
from pydantic_ai.messages import (
    BuiltinToolCallPart,
    BuiltinToolReturnPart,
    ModelMessage,
    ModelResponseStreamEvent,
)
from pydantic_ai.models import Model, ModelRequestParameters, StreamedResponse
from pydantic_ai.settings import ModelSettings

from ai.exceptions import Misconfigured, UnsupportedByModel
from ai.llm import agent_paths
from ai.llm.agent_turns import Answer, Asked, Called, Ended, Piece, Returned, Said, Turn
from ai.llm.folding import Folding
from ai.llm.specs import AGENT, KEY_VARIABLES, ModelSpec

if TYPE_CHECKING:
    from marvin import Agent
    from pydantic_ai._run_context import RunContext

#: How long a stream that is given up waits for the agent to stop.
STOP_SECONDS = 1.0

#: Dotted path → what the agent found there runs on, for its price.
_behind: dict[str, ModelSpec] = {}


def build_agent(spec: ModelSpec) -> AgentModel:
    """The model for an agent; the agent's module, and Marvin, are imported at its first answer.

    Raises:
        Misconfigured: there is no such module.
    """
    if wrong := agent_paths.problem(spec.model):
        raise Misconfigured(agent_paths.told(spec.model, wrong))
    return AgentModel(spec)


def behind(spec: ModelSpec) -> ModelSpec | None:
    """The model that an agent runs on; None while the agent has not answered in this process."""
    return _behind.get(spec.model)


def answered(model: Model, answer: Answer) -> Model:
    """The model with the calls of its own tools answered by `answer`; one that runs no tools of its own as it is."""
    return AgentModel(model.spec, answer=answer) if isinstance(model, AgentModel) else model


class AgentModel(Folding):
    """A Marvin agent as a model.

    A request's settings (temperature, max_tokens, …) go to the agent's model; `tool_choice` is about the client's tools and
    is ignored. An agent cannot be held to a tool or a JSON schema.
    """

    def __init__(self, spec: ModelSpec, *, answer: Answer | None = None) -> None:
        super().__init__()
        self.spec = spec
        self._answer = answer
        self._agent: Agent | None = None

    @property
    def provider(self) -> None:
        """None: the agent's model has one."""
        return

    @property
    def model_name(self) -> str:
        """The alias."""
        return self.spec.alias

    @property
    def system(self) -> str:
        """`agent`."""
        return AGENT

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
        run_context: RunContext[Any] | None = None,
    ) -> AsyncIterator[StreamedResponse]:
        """Stream an answer.

        Raises:
            UnsupportedByModel: the answer must be a tool call.
        """
        settings, parameters = self.prepare_request(model_settings, model_request_parameters)
        if parameters.output_tools and not parameters.allow_text_output:
            raise UnsupportedByModel(f"The agent {self.spec.alias!r} answers in words; choose a model for this.")
        pieces: asyncio.Queue[Piece | Exception] = asyncio.Queue()
        work = asyncio.create_task(self._work(pieces, messages, settings, parameters))
        try:
            yield AgentStreamedResponse(parameters, alias=self.spec.alias, pieces=pieces)
        finally:
            # In a task of its own, the agent can be stopped at any point; one of its tools may take its time.
            work.cancel()
            await asyncio.wait([work], timeout=STOP_SECONDS)

    async def _work(
        self,
        pieces: asyncio.Queue[Piece | Exception],
        messages: list[ModelMessage],
        settings: ModelSettings | None,
        parameters: ModelRequestParameters,
    ) -> None:
        try:
            if self._agent is None:
                self._agent = await asyncio.to_thread(_agent_at, self.spec.model)
            model = _own_model(self._agent)
            turn = Turn(self._agent, model, parameters, answer=self._answer)
            await turn.run(messages, settings, tell=pieces.put_nowait)
        except Exception as error:  # noqa: BLE001 - the reader of the stream raises it
            pieces.put_nowait(error)


def _agent_at(path: str) -> Agent:
    """The agent; one that a function makes is made anew, so that its clients belong to one event loop."""
    import marvin  # noqa: PLC0415 - takes seconds

    found = agent_paths.load(path)
    agent = found() if callable(found) and not isinstance(found, marvin.Agent) else found
    if not isinstance(agent, marvin.Agent):
        raise Misconfigured(agent_paths.told(path, f"that is a {type(agent).__name__}."))
    model = agent.get_model()
    name = model if isinstance(model, str) else model.model_id
    provider, _, rest = name.partition(":")
    _behind[path] = ModelSpec(alias=name, provider=provider, model=rest)
    return agent


def _own_model(agent: Agent) -> Any:
    """The agent's model; one given by name is ours where the provider is, so that its client lives as long as the loop."""
    model = agent.get_model()
    provider, _, name = model.partition(":") if isinstance(model, str) else ("", "", "")
    if provider not in KEY_VARIABLES or not name:
        return model
    from ai.llm.registry import resolve  # noqa: PLC0415 - it knows us

    return resolve(ModelSpec(alias=f"{AGENT}:{model}", provider=provider, model=name))


@dataclass
class AgentStreamedResponse(StreamedResponse):
    """An agent's answer while it arrives."""

    alias: str
    pieces: asyncio.Queue[Piece | Exception]
    _ended: Ended | None = field(default=None, init=False)
    _timestamp: datetime = field(default_factory=now_utc, init=False)

    async def _get_event_iterator(self) -> AsyncIterator[ModelResponseStreamEvent]:
        texts = 0
        while self._ended is None:
            piece = await self.pieces.get()
            match piece:
                case Exception():
                    raise piece
                case Said(text):
                    for event in self._parts_manager.handle_text_delta(vendor_part_id=f"text-{texts}", content=text):
                        yield event
                case Called() | Returned():
                    texts += 1
                    yield self._of_own_tool(piece)
                case Asked(name, arguments, call_id):
                    yield self._parts_manager.handle_tool_call_part(
                        vendor_part_id=call_id, tool_name=name, args=arguments, tool_call_id=call_id
                    )
                case Ended():
                    self._ended, self._usage, self.finish_reason = piece, piece.usage, piece.reason

    def _of_own_tool(self, piece: Called | Returned) -> ModelResponseStreamEvent:
        part: BuiltinToolCallPart | BuiltinToolReturnPart
        if isinstance(piece, Called):
            part = BuiltinToolCallPart(piece.name, piece.arguments, piece.call_id, provider_name=AGENT)
        else:
            part = BuiltinToolReturnPart(piece.name, piece.output, piece.call_id, provider_name=AGENT)
        return self._parts_manager.handle_part(vendor_part_id=f"{part.part_kind}-{piece.call_id}", part=part)

    async def close_stream(self) -> None:
        """Leaving the request's context stops the agent."""

    @property
    def model_name(self) -> str:
        """What the agent's model calls itself, once it has answered."""
        return (self._ended.model_name if self._ended else "") or self.alias

    @property
    def provider_name(self) -> str:
        """`agent`."""
        return AGENT

    @property
    def provider_url(self) -> None:
        """None."""
        return

    @property
    def timestamp(self) -> datetime:
        """When it was asked."""
        return self._timestamp
