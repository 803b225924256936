"""How runs of Marvin end otherwise than well, and who may not begin one."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any

import marvin
import pytest
from asgiref.sync import sync_to_async
from pydantic_ai.exceptions import ModelHTTPError
from pydantic_ai.models.function import DeltaToolCall, FunctionModel

from ai import ids, tenancy
from ai.exceptions import InvalidInput, NotFound, OutsideTenant, RunNotActive, ThreadBusy
from ai.marvin import DjangoHandler, DjangoThread
from ai.models import AuditEntry, ChatThread, ForeignId, Message, Run, RunStep, Tenant
from ai.runner import live
from ai.services import actors, runs
from tests import factories
from tests.marvin import agents

pytestmark = [pytest.mark.filterwarnings(each) for each in agents.KNOWN_WARNINGS]

AT = datetime(2026, 11, 22, 12, tzinfo=UTC)


class Hopeless(marvin.Task[str]):
    """A task that can only be given up."""

    def get_end_turn_tools(self) -> list[Any]:
        return [self.mark_failed_tool()]


@pytest.mark.django_db
@pytest.mark.usefixtures("loop_for_marvin")
class TestFailure:
    def test_of_the_model_has_its_code(self, tenant: Tenant) -> None:
        refusal = ModelHTTPError(429, "script", {"message": "slow down"})
        agent = agents.agent(("look_up", {"order": 7}), refusal, tools=[agents.look_up])

        with pytest.raises(ModelHTTPError):
            marvin.run("Where is it?", agents=[agent], thread=DjangoThread(), handlers=[DjangoHandler()])

        run = Run.objects.get()
        assert (run.status, run.error_code) == ("failed", "rate_limit_exceeded")
        assert "slow down" in run.error_message
        [step] = RunStep.objects.of_run(run.pk)
        assert (step.type, step.status) == ("tool_calls", "completed")
        assert step.details["tool_calls"][0]["function"]["output"] == "Order 7 left Hamburg."
        assert [row.role for row in Message.objects.all()] == ["user"]
        assert run.history_until == 1

    def test_of_code_around_the_model_is_called_so(self, tenant: Tenant) -> None:
        agent = agents.agent(KeyError("shelf"))

        with pytest.raises(KeyError):
            marvin.run("Where is it?", agents=[agent], thread=DjangoThread(), handlers=[DjangoHandler()])

        run = Run.objects.get()
        assert (run.error_code, run.error_message) == ("server_error", "The agent failed: KeyError: 'shelf'")

    @pytest.mark.parametrize("raises", [True, False])
    def test_of_an_agent_that_gives_up(self, tenant: Tenant, *, raises: bool) -> None:
        task = Hopeless(instructions="Where is it?", agents=[agents.agent({"message": "Nobody knows."})])

        with pytest.raises(ValueError, match="Nobody knows") if raises else nullcontext():
            task.run(thread=DjangoThread(), handlers=[DjangoHandler()], raise_on_failure=raises)

        run = Run.objects.get()
        assert (run.status, run.error_message) == ("failed", "The agent gave up: Nobody knows.")
        assert Message.objects.get(role="assistant").preview == "Nobody knows."

    def test_of_a_tool_is_told_to_the_model(self, tenant: Tenant) -> None:
        def tries_again(messages: Any) -> Any:
            return "Sorry." if len(messages) > 2 else ("look_up", {"order": -1})

        agent = agents.agent(tries_again, tools=[agents.look_up])

        marvin.run("Where is it?", agents=[agent], thread=DjangoThread(), handlers=[DjangoHandler()])

        assert Run.objects.get().status == "completed"
        assert "no such order" in Message.objects.get(role="tool").preview

    def test_leaves_the_thread_to_the_next_run(self, tenant: Tenant) -> None:
        thread, handler = DjangoThread(), DjangoHandler()
        with pytest.raises(KeyError):
            marvin.run("Where is it?", agents=[agents.agent(KeyError())], thread=thread, handlers=[handler])

        assert marvin.run("Again?", agents=[agents.agent("Here.")], thread=thread, handlers=[handler]) == "Here."


@pytest.mark.django_db
@pytest.mark.usefixtures("loop_for_marvin")
class TestRefusal:
    def test_of_a_second_run_names_the_first(self, tenant: Tenant) -> None:
        thread = factories.thread(tenant, {"role": "user", "content": "Hi"})
        first = runs.start(thread_id=thread.pk, model_alias="m", by=actors.SYSTEM, at=AT)

        with pytest.raises(ThreadBusy, match=ids.public("run", first.pk)):
            marvin.run("Hi?", agents=[agents.agent("x")], thread=DjangoThread(thread.pk), handlers=[DjangoHandler()])

        assert Message.objects.count() == 1

    def test_of_another_tenants_thread(self, tenant: Tenant) -> None:
        theirs = factories.thread(factories.tenant())

        with pytest.raises(NotFound):
            marvin.run("Hi?", agents=[agents.agent("x")], thread=DjangoThread(theirs.pk), handlers=[DjangoHandler()])
        with pytest.raises(NotFound):
            marvin.run("Hi?", agents=[agents.agent("x")], thread=DjangoThread(theirs.pk))

        assert DjangoThread(theirs.pk).get_messages() == []
        with tenancy.everything(reason="test"):
            assert not Run.objects.exists()
            assert not Message.objects.exists()

    def test_of_a_thread_that_is_not_ours(self, tenant: Tenant) -> None:
        with pytest.raises(InvalidInput, match="DjangoThread"):
            marvin.run("Hi?", agents=[agents.agent("x")], handlers=[DjangoHandler()])

    @pytest.mark.parametrize("text", ["", "x" * 256, "nul\x00"])
    def test_of_an_id_that_cannot_be_kept(self, tenant: Tenant, text: str) -> None:
        with pytest.raises(InvalidInput):
            DjangoThread(text)


@pytest.mark.django_db
@pytest.mark.usefixtures("loop_for_marvin")
class TestIds:
    def test_of_every_form_find_the_thread(self, tenant: Tenant) -> None:
        row = factories.thread(tenant, {"role": "user", "content": "Hi"})
        ForeignId.objects.adopt(["thread_abc"], tenant_id=tenant.pk)
        adopted = ChatThread.objects.get_or_add_thread(ids.adopted(tenant.pk, "thread_abc"))

        for form in (row.pk, str(row.pk), ids.public("thread", row.pk)):
            found = DjangoThread(form).store.find()
            assert found
            assert found.pk == row.pk
        assert DjangoThread("thread_abc").store.find() == adopted

    def test_of_ones_own_are_remembered(self, tenant: Tenant) -> None:
        DjangoThread("customer/7", user_id="anna").add_user_message("Hi")

        thread = ChatThread.objects.get()
        assert thread.user_id == "anna"
        assert ForeignId.objects.texts([thread.pk]) == {thread.pk: "customer/7"}
        assert len(DjangoThread("customer/7").get_messages()) == 1

    def test_are_a_tenants_own(self, tenant: Tenant) -> None:
        other = factories.tenant()
        DjangoThread("customer/7").add_user_message("Ours")
        with tenancy.scope(other.pk):
            DjangoThread("customer/7").add_user_message("Theirs")

            [found] = DjangoThread("customer/7").get_messages()

        assert "Theirs" in str(found.message.parts[0])

    def test_may_name_a_tenant_that_is_in_scope_only(self, tenant: Tenant) -> None:
        other = factories.tenant()

        with pytest.raises(OutsideTenant):
            DjangoThread("x", tenant_id=other.pk)
        with tenancy.everything(reason="test"):
            DjangoThread("x", tenant_id=other.pk).add_user_message("Hi")

        assert not ChatThread.objects.exists()


@pytest.mark.django_db(transaction=True)
class TestUnderALoop:
    async def test_runs_side_by_side_on_their_threads(self, tenant: Tenant) -> None:
        handler = DjangoHandler()

        answers: list[Any] = await asyncio.gather(
            *(
                marvin.run_async("Hi", agents=[agents.agent(f"{n}")], thread=DjangoThread(), handlers=[handler])
                for n in range(3)
            )
        )

        assert answers == ["0", "1", "2"]
        assert await Run.objects.filter(status="completed").acount() == 3

    async def test_has_the_thread_to_itself(self, tenant: Tenant) -> None:
        thread, going = DjangoThread(), asyncio.Event()
        task = asyncio.create_task(_waits(going, thread))
        await going.wait()
        second = marvin.run_async(
            "Hi", agents=[agents.agent("x")], thread=DjangoThread(thread.id), handlers=[DjangoHandler()]
        )

        with pytest.raises(ThreadBusy, match="already has an active run"):
            await second

        task.cancel()
        await asyncio.wait([task])
        assert [run.status async for run in Run.objects.all()] == ["cancelled"]

    async def test_is_cancelled_with_its_task(self, tenant: Tenant) -> None:
        going = asyncio.Event()
        task = asyncio.create_task(_waits(going))
        await going.wait()

        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        run = await Run.objects.aget()
        assert run.status == "cancelled"
        [step] = [step async for step in RunStep.objects.of_run(run.pk)]
        assert step.status == "cancelled"

    async def test_is_cancelled_from_the_console(self, tenant: Tenant) -> None:
        going = asyncio.Event()
        task = asyncio.create_task(_waits(going))
        await going.wait()
        run = await Run.objects.aget()

        await sync_to_async(runs.cancel)(run_id=run.pk, by=actors.SYSTEM, at=AT)
        with pytest.raises(RunNotActive, match="in the console"):
            await task

        await run.arefresh_from_db()
        assert run.status == "cancelled"
        assert await AuditEntry.objects.filter(action="run.started", target_id=str(run.pk)).aexists()

    async def test_stays_its_process_own_while_it_goes_on(self, tenant: Tenant, settings: Any) -> None:
        settings.AI_RUN_LEASE_SECONDS = 5
        going = asyncio.Event()
        task = asyncio.create_task(_waits(going))
        await going.wait()
        first = (await Run.objects.aget()).lease_until

        await asyncio.sleep(1.5)

        run = await Run.objects.aget()
        assert run.lease_until
        assert first
        assert run.lease_until > first
        task.cancel()
        await asyncio.wait([task])

    async def test_is_live_while_the_model_writes(self, tenant: Tenant) -> None:
        seen: list[Any] = []

        async def writes(_messages: Any, info: Any) -> Any:
            run = await Run.objects.aget()
            yield {0: DeltaToolCall(info.output_tools[0].name, '{"result": "In Ham')}
            await asyncio.sleep(0)
            seen.append(live.look([run.pk]))
            yield {0: DeltaToolCall(json_args='burg."}')}

        agent = marvin.Agent(name="Support", model=FunctionModel(stream_function=writes))
        await marvin.run_async("Where?", agents=[agent], thread=DjangoThread(), handlers=[DjangoHandler()])

        run = await Run.objects.aget()
        assert seen == [{run.pk: [{"role": "assistant", "content": "In Ham"}]}]
        assert live.look([run.pk]) == {}

    async def test_ends_with_the_process_that_has_the_agent(self, tenant: Tenant) -> None:
        going = asyncio.Event()
        task = asyncio.create_task(_waits(going))
        await going.wait()

        await sync_to_async(Run.objects.recover)(at=datetime.now(tz=UTC) + timedelta(hours=1))  # noqa: TID251

        assert (await Run.objects.aget()).status == "failed"
        task.cancel()
        await asyncio.wait([task])
        assert (await Run.objects.aget()).status == "failed"


async def _waits(going: asyncio.Event, thread: DjangoThread | None = None) -> Any:
    async def wait() -> str:
        """Wait for ever."""
        going.set()
        await asyncio.sleep(60)
        return ""

    agent = agents.agent(("wait", {}), tools=[wait])
    return await marvin.run_async("Wait.", agents=[agent], thread=thread or DjangoThread(), handlers=[DjangoHandler()])
