"""What people read of Marvin's messages, and what comes back of them."""

from __future__ import annotations

from typing import Any

import marvin
import pytest
from pydantic_ai.messages import (
    AudioUrl,
    BinaryContent,
    ImageUrl,
    ModelRequest,
    ModelResponse,
    RetryPromptPart,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)

from ai.marvin import DjangoThread
from ai.marvin.messages import Situation, entries
from ai.models import ChatThread, DataSource, Message, Tenant
from tests import factories
from tests.marvin import agents

TASK = marvin.Task[str](instructions="Go.")
ENDING = f"MarkTaskSuccessful_{TASK.id}"
INSIDE = Situation((TASK,))


def shown(*messages: Any, situation: Situation | None = INSIDE) -> list[dict[str, Any]]:
    return [each for entry in entries(messages, situation, aside=False) for each in entry.shown]


def answer(*parts: Any) -> ModelResponse:
    return ModelResponse(parts=list(parts))


def told(*parts: Any) -> ModelRequest:
    return ModelRequest(parts=list(parts))


class TestQuestion:
    def test_with_pictures_keeps_them(self) -> None:
        picture = BinaryContent(b"png", media_type="image/png")

        [message] = shown(told(UserPromptPart(["Look", ImageUrl("https://x/y.png"), picture])))

        assert message["content"] == [
            {"type": "text", "text": "Look"},
            {"type": "image_url", "image_url": {"url": "https://x/y.png"}},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,cG5n"}},
        ]

    def test_names_what_it_cannot_show(self) -> None:
        document = BinaryContent(b"%PDF", media_type="application/pdf")

        [message] = shown(told(UserPromptPart(["Read", document, AudioUrl("https://x/y.mp3")])))

        assert message["content"] == "Read\n\n[application/pdf]\n\n[audio/mpeg]"


class TestAnswer:
    def test_joins_text_and_result(self) -> None:
        [message] = shown(answer(TextPart("Found it."), ToolCallPart(ENDING, {"result": "In Hamburg."})))

        assert message == {"role": "assistant", "content": "Found it.\n\nIn Hamburg."}

    def test_says_nothing_twice(self) -> None:
        [message] = shown(answer(TextPart("In Hamburg."), ToolCallPart(ENDING, {"result": "In Hamburg."})))

        assert message["content"] == "In Hamburg."

    @pytest.mark.parametrize(
        ("arguments", "content"),
        [({"result": [1, "ä"]}, '[1,"ä"]'), ({"result": None}, None), ("{broken", None), ({"result": 1.5}, "1.5")],
    )
    def test_of_any_shape_is_text(self, arguments: Any, content: str | None) -> None:
        found = shown(answer(ToolCallPart(ENDING, arguments)))

        assert [message["content"] for message in found] == ([content] if content else [])

    def test_that_was_refused_is_not_shown(self) -> None:
        first = ToolCallPart(ENDING, {"result": "?"})
        refusal = RetryPromptPart("No.", tool_name=ENDING, tool_call_id=first.tool_call_id)

        assert shown(answer(first), told(refusal)) == []
        assert shown(answer(TextPart("Hello")), told(RetryPromptPart("Call a tool."))) == []

    def test_keeps_what_the_model_thought(self) -> None:
        [message] = shown(answer(ThinkingPart("Hm."), TextPart("Yes.")))

        assert message == {"role": "assistant", "content": "Yes.", "reasoning_content": "Hm."}

    def test_may_be_handed_over_in_silence(self) -> None:
        assert shown(answer(ToolCallPart("delegate_to_actor_1a2b3c4d", {"message": "Yours."}))) == []

    def test_of_ones_own_ending_is_kept_apart(self) -> None:
        situation = Situation((), frozenset({"HangUp"}))

        assert shown(answer(ToolCallPart("HangUp", {})), situation=situation) == []
        assert len(shown(answer(ToolCallPart("HangUp", {})), situation=Situation())) == 1


class TestToolResults:
    def test_of_one_answer_are_shown_one_by_one(self) -> None:
        returns = [ToolReturnPart("a", {"x": 1}, "c1"), ToolReturnPart(ENDING, "Final result processed.", "c2")]

        found = shown(told(*returns, RetryPromptPart("Wrong.", tool_name="b", tool_call_id="c3")))

        assert [(m["role"], m["name"], m["tool_call_id"]) for m in found] == [("tool", "a", "c1"), ("tool", "b", "c3")]
        assert found[0]["content"] == '{"x":1}'
        assert found[1]["content"].startswith("Wrong.")


class TestSystemPrompt:
    def test_is_shown_when_somebody_wrote_it(self) -> None:
        prompt = told(SystemPromptPart("Be brief."))

        assert shown(prompt) == []
        assert shown(prompt, situation=None) == [{"role": "system", "content": "Be brief."}]


@pytest.mark.django_db
@pytest.mark.usefixtures("loop_for_marvin")
@pytest.mark.filterwarnings(agents.KNOWN_WARNINGS[0])
class TestKeeping:
    def test_gives_back_what_was_added(self, tenant: Tenant) -> None:
        call = ToolCallPart("a", {"x": "\x00"}, "c1")
        both = [ToolReturnPart("a", "1", "c1"), ToolReturnPart("a", "2", "c2")]
        added: list[Any] = [
            told(UserPromptPart(["Look", BinaryContent(b"\x89png", media_type="image/png")])),
            answer(ThinkingPart("Hm."), call, ToolCallPart("a", {}, "c2")),
            told(*both),
            told(RetryPromptPart("Call a tool.")),
            answer(TextPart("Done.")),
        ]

        DjangoThread("x").add_messages(added)
        found = [m.message for m in DjangoThread("x").get_messages()]

        assert [[p.part_kind for p in m.parts] for m in found] == [[p.part_kind for p in m.parts] for m in added]
        content = found[0].parts[0].content  # type: ignore[union-attr]
        assert content[1].data == b"\x89png"  # type: ignore[index, union-attr]
        assert Message.objects.count() == 5

    def test_of_silence_alone_is_read(self, tenant: Tenant) -> None:
        DjangoThread("x").add_messages([told(RetryPromptPart("Call a tool."))])

        assert [(m.role, m.preview) for m in Message.objects.all()] == [("system", "Call a tool.")]

    def test_goes_with_what_somebody_else_wrote(self, tenant: Tenant) -> None:
        row = factories.thread(tenant, {"role": "user", "content": "Hello"})
        task = marvin.Task[str](instructions="Respond to the user", agents=[agents.agent("Hi.")])

        task.run(thread=DjangoThread(row.pk))

        assert [m.preview for m in Message.objects.order_by("sequence")] == ["Hello", "Hi."]
        kinds = [m.message.parts[0] for m in DjangoThread(row.pk).get_messages()]
        assert [part.part_kind for part in kinds] == ["user-prompt", "user-prompt", "tool-call", "tool-return"]
        assert kinds[0].content == "Hello"  # type: ignore[union-attr]

    def test_fills_in_the_result_of_a_call_that_has_none(self, tenant: Tenant) -> None:
        call = {"id": "c1", "type": "function", "function": {"name": "a", "arguments": "{}"}}
        row = factories.thread(
            tenant,
            {"role": "assistant", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c1", "content": "1"},
            {"role": "assistant", "tool_calls": [{**call, "id": "c2"}]},
            {"role": "user", "content": "Hello?"},
        )

        found = DjangoThread(row.pk).get_messages()

        assert [m.message.parts[0].part_kind for m in found] == [
            "tool-call", "tool-return", "tool-call", "tool-return", "user-prompt"
        ]  # fmt: skip
        assert len({m.id for m in found}) == 5

    def test_reads_attached_files_to_the_agent(self, tenant: Tenant) -> None:
        file = DataSource.objects.add_file(b"Order 7 left Hamburg.", "orders.txt")
        row = factories.thread(tenant)
        row.add_message({"role": "user", "content": "Where?", "attachments": [{"file_id": file.file_id}]})

        [message] = DjangoThread(row.pk).get_messages()

        assert "Order 7 left Hamburg." in str(message.message.parts[0])

    def test_shows_the_notes_of_talkative_agents(self, tenant: Tenant) -> None:
        thread = DjangoThread()

        marvin.run("Hi", agents=[agents.agent("Hello.", verbose=True)], thread=thread)

        roles = [(m.role, m.is_listed) for m in Message.objects.order_by("sequence")]
        assert roles == [("user", True), ("system", False), ("assistant", True), ("system", False)]
        prompts = set(map(str, thread.get_messages(include_system_messages=True))) - set(
            map(str, thread.get_messages())
        )
        assert len(prompts) == 1

    def test_gives_a_new_thread_its_title(self, tenant: Tenant) -> None:
        marvin.run("Where is my parcel?", agents=[agents.agent("Here.")], thread=DjangoThread())

        thread = ChatThread.objects.get()
        assert (thread.name, thread.tags) == ("Where is my parcel?", ["chat", "agent"])
