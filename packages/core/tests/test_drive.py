"""The three drives: one flow, run without a loop, whole in a worker thread, or by native awaits."""

from __future__ import annotations

import asyncio
import inspect
import json
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any

import pytest

from authcore import Auth, ConfigurationError, Request, Tenant
from authcore.backends.argon2 import HashParameters
from authcore.backends.executors import ThreadHop
from authcore.drive import (
    AsyncHooks,
    BlockingHooks,
    Drive,
    FlowSuspended,
    ThreadHooks,
    run_blocking,
    run_in_thread,
)
from authcore.errors import NotFound
from authcore.services import events

WHO: ContextVar[str] = ContextVar("who", default="nobody")


async def inner_wait() -> None:
    """Wait, as a native driver does."""
    await asyncio.sleep(0)


async def outer_flow() -> None:
    """Wait one call deeper."""
    await inner_wait()


class Counted:
    """A hop that counts, over a real pool of threads."""

    def __init__(self) -> None:
        self.hops = 0
        self.pool = ThreadHop(1, "tests")

    async def __call__(self, function: Callable[[], Any]) -> Any:
        self.hops += 1
        return await self.pool(function)


# --- BLOCKING ---


def test_a_flow_that_never_waits_ends_in_one_step() -> None:
    """BLOCKING: coroutines that complete at once answer their value, however deep."""

    async def deep(level: int) -> int:
        return level if level == 0 else 1 + await deep(level - 1)

    assert run_blocking(deep(50)) == 50


def test_a_flows_own_error_passes_unchanged() -> None:
    """BLOCKING: what a flow raises reaches the caller as it is."""

    async def flow() -> None:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        run_blocking(flow())


def test_a_flow_that_waits_is_named_with_where_it_waited() -> None:
    """BLOCKING: the error names the flow and the coroutine in it that waited, and what to do."""
    flow = outer_flow()

    with pytest.raises(FlowSuspended, match=r"outer_flow waited \(in outer_flow → inner_wait → .*sleep.*\)") as caught:
        run_blocking(flow)

    assert "synchronous function" in str(caught.value)
    assert inspect.getcoroutinestate(flow) == inspect.CORO_CLOSED


@asynccontextmanager
async def held(left: list[str]) -> AsyncIterator[None]:
    """Hold something whose release waits as well."""
    try:
        yield
    finally:
        left.append("leaving")
        await asyncio.sleep(0)
        left.append("left")


async def flow_inside_a_context(left: list[str]) -> None:
    """Wait inside `async with`."""
    async with held(left):
        await inner_wait()


async def flow_with_a_stubborn_end(left: list[str]) -> None:
    """Wait again while being closed, and fail at the end."""
    try:
        await inner_wait()
    finally:
        left.append("closing")
        raise OSError("the connection is gone")


@pytest.mark.parametrize("flow", [flow_inside_a_context, flow_with_a_stubborn_end])
def test_a_flow_is_closed_also_where_closing_waits_or_fails(
    flow: Callable[[list[str]], Coroutine[Any, Any, None]],
) -> None:
    """BLOCKING: whatever `async with` and `finally` do while a flow is closed, it ends with the clear error."""
    left: list[str] = []
    coro = flow(left)

    with pytest.raises(FlowSuspended, match=flow.__name__):
        run_blocking(coro)

    assert left
    assert inspect.getcoroutinestate(coro) == inspect.CORO_CLOSED


def test_blocking_leaves_no_context_variable_behind() -> None:
    """The flow runs in the caller's own context and the core sets nothing there."""
    WHO.set("caller")

    async def flow() -> str:
        return WHO.get()

    assert run_blocking(flow()) == "caller"


# --- THREADS ---


async def test_a_flow_takes_one_hop_whatever_it_does() -> None:
    """THREADS: the whole flow runs in one worker thread, and the loop is asked once."""
    hop = Counted()
    seen = []

    async def statement() -> None:
        seen.append(threading.current_thread().name)

    async def flow() -> str:
        for _ in range(5):
            await statement()
        return "done"

    answer = await run_in_thread(flow(), hop)

    assert answer == "done"
    assert hop.hops == 1
    assert set(seen) == {seen[0]}
    assert seen[0] != threading.current_thread().name


async def test_hooks_run_on_the_loop_between_two_hops() -> None:
    """THREADS: a hook runs in the loop's thread and may wait; then the flow goes on in a worker, one hop later."""
    hop, seen = Counted(), []

    async def hook(value: int) -> int:
        seen.append(("hook", threading.current_thread()))
        await asyncio.sleep(0)
        return value * 2

    async def flow() -> int:
        seen.append(("flow", threading.current_thread()))
        first: int = await ThreadHooks().call(hook, 1)
        second: int = await ThreadHooks().call(lambda value: value + 1, first)
        seen.append(("flow", threading.current_thread()))
        return second

    answer = await run_in_thread(flow(), hop)

    loop_thread = threading.current_thread()
    assert answer == 3
    assert hop.hops == 3
    assert [(what, thread is loop_thread) for what, thread in seen] == [
        ("flow", False),
        ("hook", True),
        ("flow", False),
    ]


async def test_workers_and_hooks_see_the_callers_context() -> None:
    """THREADS: context variables of the caller are copied into the worker, and hooks run in the caller's own."""
    WHO.set("caller")
    seen = []

    def hook() -> None:
        seen.append(WHO.get())
        WHO.set("the hook")

    async def flow() -> None:
        seen.append(WHO.get())
        await ThreadHooks().call(hook)
        seen.append(WHO.get())
        WHO.set("the flow")

    await run_in_thread(flow(), ThreadHop(1, "tests"))

    assert seen == ["caller", "caller", "the hook"]
    assert WHO.get() == "the hook"


async def test_a_hooks_error_reaches_the_flow_that_asked() -> None:
    """THREADS: an exception of a hook is raised where the flow awaits it, and can be handled there."""

    async def hook() -> None:
        await asyncio.sleep(0)
        raise LookupError("no such tenant")

    async def careful() -> str:
        try:
            await ThreadHooks().call(hook)
        except LookupError as error:
            return f"handled: {error}"
        return "not raised"

    async def careless() -> None:
        await ThreadHooks().call(hook)

    assert await run_in_thread(careful(), ThreadHop(1, "tests")) == "handled: no such tenant"
    with pytest.raises(LookupError, match="no such tenant"):
        await run_in_thread(careless(), ThreadHop(1, "tests"))


async def test_a_flow_that_waits_in_a_worker_is_named() -> None:
    """THREADS: a native await inside a worker thread is the same clear error."""
    flow = outer_flow()

    with pytest.raises(FlowSuspended, match="outer_flow"):
        await run_in_thread(flow, ThreadHop(1, "tests"))

    assert inspect.getcoroutinestate(flow) == inspect.CORO_CLOSED


async def test_a_flow_may_answer_what_looks_like_an_end() -> None:
    """THREADS: None, exceptions as values and StopIteration's own value travel as they are."""
    values = [None, StopIteration(1), KeyError("x"), ()]

    async def flow(value: Any) -> Any:
        return value

    answers = [await run_in_thread(flow(value), ThreadHop(1, "tests")) for value in values]

    assert answers == values


async def test_a_caller_that_goes_away_leaves_the_flow_running() -> None:
    """RECIPES: cancelled in mid-flow, the worker runs on and commits."""
    begun, go, ended = threading.Event(), threading.Event(), threading.Event()

    async def flow() -> None:
        begun.set()
        go.wait(5)
        ended.set()

    task = asyncio.create_task(run_in_thread(flow(), ThreadHop(1, "tests")))
    await asyncio.to_thread(begun.wait, 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    go.set()

    assert ended.wait(5)


# --- hooks under every drive ---


def tenant_sync(request: Request) -> Tenant:
    """Answer the tenant that the host names."""
    return Tenant(request.headers["host"].partition(".")[0])


async def tenant_async(request: Request) -> Tenant:
    """Answer it without waiting."""
    return tenant_sync(request)


async def tenant_waiting(request: Request) -> Tenant:
    """Answer it after a wait."""
    await asyncio.sleep(0)
    return tenant_sync(request)


class TenantObject:
    """A callable object, sync or async by what it answers."""

    def __init__(self, answer: Callable[[Request], Any]) -> None:
        self.answer = answer

    def __call__(self, request: Request) -> Any:
        return self.answer(request)


HOOKS = [tenant_sync, tenant_async, TenantObject(tenant_sync), TenantObject(tenant_async)]


@pytest.mark.parametrize("hook", HOOKS)
def test_hooks_of_both_kinds_work_under_blocking(hook: Any) -> None:
    """BLOCKING: a sync hook, and an async one that does not wait, are called at once."""
    request = Request("GET", "/", headers={"host": "north.localhost"})

    assert run_blocking(BlockingHooks().call(hook, request)) == Tenant("north")


@pytest.mark.parametrize("hook", [*HOOKS, tenant_waiting, TenantObject(tenant_waiting)])
@pytest.mark.parametrize("drive", [Drive.THREADS, Drive.ASYNCIO])
async def test_hooks_of_every_kind_work_beside_a_loop(drive: Drive, hook: Any) -> None:
    """THREADS and ASYNCIO: sync, async and waiting hooks answer alike."""
    request = Request("GET", "/", headers={"host": "north.localhost"})
    hooks = ThreadHooks() if drive is Drive.THREADS else AsyncHooks()
    call = hooks.call(hook, request)

    found = await (run_in_thread(call, ThreadHop(1, "tests")) if drive is Drive.THREADS else call)

    assert found == Tenant("north")


@pytest.mark.parametrize(
    ("hook", "name"),
    [(tenant_waiting, "tenant_waiting"), (TenantObject(tenant_waiting), "tenant_waiting")],
)
def test_a_hook_that_waits_under_blocking_is_named(hook: Any, name: str) -> None:
    """BLOCKING: the error names the application's own hook, not a flow of authcore."""
    request = Request("GET", "/", headers={"host": "north.localhost"})

    with pytest.raises(FlowSuspended, match=f"^{name} waited"):
        run_blocking(BlockingHooks().call(hook, request))


def test_a_hook_that_answers_a_waiting_object_is_named_too() -> None:
    """BLOCKING: an awaitable that is no coroutine is driven as well, and its hook is named."""

    class Ready:
        def __await__(self) -> Any:
            return 7
            yield

    class Waiting:
        def __await__(self) -> Any:
            yield None

    def hook_of_a_future(answer: Any) -> Awaitable[Any]:
        return answer  # type: ignore[no-any-return]

    assert run_blocking(BlockingHooks().call(hook_of_a_future, Ready())) == 7
    with pytest.raises(FlowSuspended, match="hook_of_a_future"):
        run_blocking(BlockingHooks().call(hook_of_a_future, Waiting()))


# --- the drives of an Auth ---


@pytest.mark.parametrize("hook", HOOKS)
def test_a_blocking_core_asks_the_tenant_hook(auth: Callable[..., Auth], hook: Any) -> None:
    """A request under BLOCKING belongs to the tenant that a hook of either kind reads from it."""
    core = auth(tenant=hook).blocking_core()

    answer = core.dispatch(Request("GET", "/session", headers={"host": "north.localhost"}))

    assert answer.status == 200


def test_a_hook_may_refuse_a_request(auth: Callable[..., Auth]) -> None:
    """A host that is nobody's: the hook raises an AuthError, which is answered like any other."""

    def hook(request: Request) -> Tenant:
        raise NotFound()

    answer = auth(tenant=hook).blocking_core().dispatch(Request("GET", "/session"))

    assert (answer.status, json.loads(answer.body)["error"]["code"]) == (404, "not_found")


@pytest.mark.parametrize("answered", [None, "north", Tenant(""), Tenant("n" * 65), Tenant("a\0b"), Tenant("a\nb")])
def test_a_hook_that_answers_no_tenant_says_what_to_answer(auth: Callable[..., Auth], answered: Any) -> None:
    """O1: what no table could hold is told to the developer, and never stored or cut."""
    core = auth(tenant=lambda request: answered).blocking_core()

    with pytest.raises(ConfigurationError, match=r"Auth\(tenant=…\) must answer"):
        core.dispatch(Request("GET", "/session"))


async def test_an_async_core_asks_it_on_the_loop(auth: Callable[..., Auth]) -> None:
    """A request under THREADS takes one hop more for a hook that waits, and the hook sees the loop."""
    seen = []

    async def hook(request: Request) -> Tenant:
        seen.append((asyncio.get_running_loop(), WHO.get()))
        return await tenant_waiting(request)

    made, hop = auth(tenant=hook), Counted()
    WHO.set("the request's")

    answer = await made.async_core(hop).dispatch(Request("GET", "/session", headers={"host": "north.localhost"}))

    assert answer.status == 200
    assert seen == [(asyncio.get_running_loop(), "the request's")]
    assert hop.hops == 2


@pytest.mark.parametrize(
    ("path", "fields", "status", "hops"),
    [
        ("/refresh", {"refresh_token": "ac1_rt_" + "A" * 43}, 401, 1),
        ("/sign-up", {"email": "ada@example.com", "password": "three quiet herons wade"}, 202, 2),
    ],
)
async def test_a_request_is_one_hop_and_one_more_after_a_hash(
    auth: Callable[..., Auth], path: str, fields: dict[str, str], status: int, hops: int
) -> None:
    """However many statements a request runs; while it waits for a hash it holds no worker."""
    hop = Counted()
    request = Request("POST", path, json.dumps(fields).encode(), {"content-type": "application/json"}, "203.0.113.7")

    answer = await auth().async_core(hop).dispatch(request)

    assert (answer.status, hop.hops) == (status, hops)


async def test_a_frameworks_own_thread_is_kept_during_a_hash(auth: Callable[..., Auth]) -> None:
    """Where each request has a thread of the framework, a sign-up with its hash is one hop."""
    made, hop = auth(), Counted()
    made.backends.flow_hop = hop
    body = b'{"email": "ada@example.com", "password": "three quiet herons wade"}'
    request = Request("POST", "/sign-up", body, {"content-type": "application/json"}, "203.0.113.7")

    answer = await made.async_core().dispatch(request)

    assert (answer.status, hop.hops) == (202, 1)


async def test_a_guess_is_counted_though_its_client_has_gone(auth: Callable[..., Auth]) -> None:
    """A caller that is cancelled while its password is hashed does not keep the failure from being counted."""
    made = auth(hashing=HashParameters())
    core, pool = made.async_core(), made.backends._pool
    body = b'{"email": "ada@example.com", "password": "three quiet herons wade"}'
    request = Request("POST", "/sign-in", body, {"content-type": "application/json"}, "203.0.113.7")
    hashing, heard, submitted = asyncio.Event(), asyncio.Event(), pool.submit
    pool.submit = lambda work: (hashing.set(), submitted(work))[1]  # type: ignore[method-assign]
    made.on(events.Failed, lambda event: heard.set())

    asking = asyncio.create_task(core.dispatch(request))
    await asyncio.wait_for(hashing.wait(), 10)
    asking.cancel()
    await asyncio.wait_for(heard.wait(), 10)

    assert asking.cancelled()


async def test_a_flood_of_sign_ins_is_refused_at_once_and_delays_nobody_else(auth: Callable[..., Auth]) -> None:
    """A7: what could not be hashed in time is a 503 before anything has waited, and a request without a hash passes."""
    core = auth(hashing=HashParameters(), limits=False).async_core()
    body = b'{"email": "ada@example.com", "password": "three quiet herons wade"}'
    request = Request("POST", "/sign-in", body, {"content-type": "application/json"}, "203.0.113.7")
    await core.dispatch(request)  # the pace is measured, the tables are made

    flood = [asyncio.create_task(core.dispatch(request)) for _ in range(400)]
    await asyncio.sleep(0)
    session = await core.dispatch(Request("GET", "/session", peer="203.0.113.7"))
    waiting = sum(not sign_in.done() for sign_in in flood)
    answers = await asyncio.gather(*flood)

    statuses = [answer.status for answer in answers]
    assert session.status == 200
    assert waiting > 5
    assert set(statuses) == {401, 503}
    assert all("Retry-After" in dict(answer.headers) for answer in answers if answer.status == 503)


@pytest.mark.parametrize("kind", ["sync", "async", "waiting"])
async def test_listeners_of_every_kind_are_told_beside_a_loop(auth: Callable[..., Auth], kind: str) -> None:
    """Events reach sync and async listeners, called on the loop after the commit."""
    told: list[Any] = []
    threads = []

    def sync(event: Any) -> None:
        threads.append(threading.current_thread())
        told.append(event)

    async def plain(event: Any) -> None:
        sync(event)

    async def waiting(event: Any) -> None:
        await asyncio.sleep(0)
        sync(event)

    made = auth()
    made.on(events.Failed, {"sync": sync, "async": plain, "waiting": waiting}[kind])

    with pytest.raises(Exception, match="password is not right"):
        await made.asyncio.password.sign_in(email="ada@example.com", password="three quiet herons wade")

    assert [event.email for event in told] == ["ada@example.com"]
    assert threads == [threading.current_thread()]


async def test_a_flow_whose_caller_left_before_it_began_is_closed() -> None:
    """A request that is cancelled while its first hop waits in line leaves no coroutine that was never run."""
    started = asyncio.Event()

    async def stuck(_step: Callable[[], Any]) -> Any:
        started.set()
        await asyncio.Event().wait()

    async def flow() -> None:
        """Do nothing."""

    coro = flow()
    task = asyncio.create_task(run_in_thread(coro, stuck))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert inspect.getcoroutinestate(coro) == inspect.CORO_CLOSED
