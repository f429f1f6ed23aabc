"""Flows as typed Python calls: one declaration, bound twice; the type checker reads this file, too."""

from __future__ import annotations

import ast
import asyncio
import inspect
from collections.abc import Awaitable, Callable
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any, assert_type

import pytest

import authcore.features
from authcore import (
    Auth,
    Authenticated,
    ChallengeRequired,
    ConfigurationError,
    Password,
    Request,
    Session,
    Sessions,
    SignedIn,
    User,
    Visit,
)
from authcore.calls import Asyncio, Blocking, Calls, M, call
from authcore.context import Context
from authcore.drive import FlowSuspended
from authcore.feature import Feature
from authcore.features.meta import Meta
from authcore.features.password.calls import PasswordCalls
from authcore.guards import Attempt
from authcore.services.sessions import EndedSession, Issued
from authcore.services.sign_in import Outcome

EMAIL, PASSWORD = "ada@example.com", "three quiet herons wade"


# --- what the type checker reads ---


def test_a_blocking_call_answers_its_value(auth: Callable[..., Auth]) -> None:
    """`auth.blocking` types each flow by what it answers."""
    calls = auth(Password(require_code=False)).blocking

    made = assert_type(calls.password.sign_up(email=EMAIL, password=PASSWORD), Outcome)
    assert isinstance(made, SignedIn)
    token = made.access_token
    assert_type(calls.sessions.current(access_token=token), Authenticated | None)
    user = assert_type(calls.sessions.get_user(access_token=token), User | None)
    assert_type(calls.sessions.get_user_id(access_token=token), str | None)
    session = assert_type(calls.sessions.get_session(access_token=token), Session | None)
    assert_type(calls.sessions.list_sessions(user_id=made.user.id), list[Session])
    assert_type(calls.sessions.refresh(refresh_token=made.refresh_token), Session | Issued)
    assert_type(calls.sessions.revoke_all_sessions(user_id=made.user.id), int)
    assert_type(calls.sessions.revoke_session("unknown"), EndedSession | None)
    assert_type(calls.sessions.sign_out(access_token=token), EndedSession | None)

    assert user == made.user
    assert session == made.session


async def test_an_asyncio_call_answers_an_awaitable(auth: Callable[..., Auth]) -> None:
    """`auth.asyncio` types the same flow by what it answers once it is awaited."""
    calls = auth(Password(require_code=False)).asyncio

    waiting = calls.password.sign_up(email=EMAIL, password=PASSWORD)
    assert_type(waiting, Awaitable[SignedIn | ChallengeRequired])
    made = await waiting
    assert isinstance(made, SignedIn)
    user = assert_type(await calls.sessions.get_user(access_token=made.access_token), User | None)
    assert_type(await calls.sessions.revoke_session(made.session.id), EndedSession | None)
    assert_type(await calls.sessions.revoke_all_sessions(user_id=made.user.id), int)

    assert user == made.user


async def test_a_guards_calls_are_typed_alike(auth: Callable[..., Auth]) -> None:
    """A guard's calls answer their values under the blocking core, and awaitables under the other."""
    made = auth(Password(require_code=False))
    visit = Visit(Request("GET", "/own"))
    blocking, waiting = made.blocking_core().guard(visit), made.async_core().guard(visit)

    assert_type(blocking.user(), User | None)
    assert_type(blocking.check(), bool)
    guest = waiting.guest()
    assert_type(guest, Awaitable[bool])
    assert_type(await waiting.session(), Session | None)
    attempt = assert_type(blocking.attempt(EMAIL, PASSWORD), Attempt)
    assert_type(await waiting.logout(), EndedSession | None)

    assert await guest
    assert not attempt


def mistakes(blocking: PasswordCalls[Blocking], waiting: PasswordCalls[Asyncio]) -> None:
    """What is wrong is seen before it runs: an `ignore` that is not needed is an error of the type checker."""
    blocking.sign_in(email=EMAIL)  # type: ignore[call-arg]
    blocking.sign_in(email=EMAIL, password=b"bytes")  # type: ignore[arg-type]
    blocking.sign_in(EMAIL, PASSWORD)  # type: ignore[call-arg]
    blocking.sign_in(email=EMAIL, password=PASSWORD, transport="header")  # type: ignore[arg-type]
    _ = blocking.sign_in(email=EMAIL, password=PASSWORD).session  # type: ignore[union-attr]
    _ = waiting.sign_in(email=EMAIL, password=PASSWORD).session  # type: ignore[attr-defined]


# --- a third party's room ---


async def greet(ctx: Context, *, name: str, times: int = 1) -> list[str]:
    """Greet somebody."""
    return [f"Hello {name} of {ctx.tenant.id}"] * times


async def wait(ctx: Context) -> None:
    """Wait, which no flow may outside its ports."""
    await asyncio.sleep(0)


class GreetingCalls(Calls[M]):
    """The room's calls."""

    greet = call(greet)
    wait = call(wait)


class Greeting(Feature):
    """A third party's room."""

    name = "greeting"
    calls = GreetingCalls


async def test_a_third_partys_calls_are_typed_as_well(auth: Callable[..., Auth]) -> None:
    """`auth.asyncio[TheirCalls[Asyncio]]` finds a room that authcore has never heard of."""
    made = auth(Greeting())

    assert_type(made.blocking[GreetingCalls[Blocking]].greet(name="Ada"), list[str])
    answered = assert_type(await made.asyncio[GreetingCalls[Asyncio]].greet(name="Ada", times=2), list[str])

    assert answered == ["Hello Ada of default"] * 2


def test_calls_of_a_room_that_is_not_enabled_are_refused(auth: Callable[..., Auth]) -> None:
    """A room that is missing from the declaration is named, with where to add it."""
    for asked in (GreetingCalls[Blocking], GreetingCalls, Greeting):
        with pytest.raises(ConfigurationError, match=r"Greeting is not enabled: write Auth\(features=\[Greeting\(\)"):
            auth().blocking[asked]
    with pytest.raises(ConfigurationError, match=r"Auth\(features=\[Password\(\)\]\)"):
        auth(Greeting()).asyncio.password  # noqa: B018 - asking is what is refused


async def test_calls_are_found_by_their_room(auth: Callable[..., Auth]) -> None:
    """`auth.blocking[Password]` is `auth.blocking.password`, and a third party's room is asked for alike."""
    made = auth(Greeting(), Password(require_code=False))

    signed_up = assert_type(made.blocking[Password].sign_up(email=EMAIL, password=PASSWORD), Outcome)
    assert isinstance(signed_up, SignedIn)
    user = assert_type(made.blocking[Sessions].get_user(access_token=signed_up.access_token), User | None)
    waited = assert_type(await made.asyncio[Sessions].get_user(access_token=signed_up.access_token), User | None)

    assert user == waited == signed_up.user
    assert made.blocking[Greeting].greet(name="Ada") == ["Hello Ada of default"]


@pytest.mark.parametrize("key", ["password", Password(), int, None, 5, list[int]])
def test_what_is_no_room_is_told_what_to_ask_by(auth: Callable[..., Auth], key: Any) -> None:
    """A wrong key is a sentence and no failure inside."""
    with pytest.raises(ConfigurationError, match=r"such as auth\.blocking\[Password\]"):
        auth().blocking[key]


def test_a_room_without_calls_says_so(auth: Callable[..., Auth]) -> None:
    """A room that has no Python calls is named."""
    with pytest.raises(ConfigurationError, match=r"Meta has no Python calls"):
        auth().blocking[Meta]


def test_a_flow_that_waits_names_itself_and_is_closed(auth: Callable[..., Auth]) -> None:
    """Under BLOCKING a flow that suspends is named with where, and leaves no coroutine behind."""
    with pytest.raises(FlowSuspended, match="wait → sleep"):
        auth(Greeting()).blocking[GreetingCalls[Blocking]].wait()


async def test_a_flow_that_waits_in_a_worker_is_named_too(auth: Callable[..., Auth]) -> None:
    """Under THREADS nothing may wait either: the loop is another thread's."""
    with pytest.raises(FlowSuspended, match="wait → sleep"):
        await auth(Greeting()).asyncio[GreetingCalls[Asyncio]].wait()


def test_a_call_is_documented_as_its_flow(auth: Callable[..., Auth]) -> None:
    """`help(auth.blocking.password.sign_in)` shows the flow's own name and sentence."""
    sign_in = auth().blocking.password.sign_in

    assert sign_in.__name__ == "sign_in"
    assert (sign_in.__doc__ or "").startswith("Check a password")


def test_a_call_shows_its_parameters(auth: Callable[..., Auth]) -> None:
    """`help` and editors show what to pass: the flow's parameters without the context, which authcore makes."""
    greeting = auth(Greeting()).blocking[Greeting].greet

    assert str(inspect.signature(greeting)) == "(*, name: 'str', times: 'int' = 1) -> 'list[str]'"


ROOMS = sorted(module.name for module in iter_modules(authcore.features.__path__))


def flows_behind_routes(room: str) -> set[Any]:
    """Answer the flows of a room that its routes call, as `await flow.sign_in(ctx, …)`."""
    folder = Path(authcore.features.__path__[0]) / room
    found = set()
    for file in (*folder.glob("routes.py"), *folder.glob("routes/*.py")):
        name = ".".join(file.relative_to(folder.parent).with_suffix("").parts)
        routes = import_module(f"authcore.features.{name.removesuffix('.__init__')}")
        for node in ast.walk(ast.parse(file.read_text())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and isinstance(node.func.value, ast.Name)
            ):
                module = vars(routes).get(node.func.value.id)
                found.add(getattr(module, node.func.attr, None) if inspect.ismodule(module) else None)
    mine = f"authcore.features.{room}."
    return {flow for flow in found if inspect.iscoroutinefunction(flow) and flow.__module__.startswith(mine)}


@pytest.mark.parametrize("room", ROOMS)
def test_every_flow_behind_a_route_is_a_call(room: str) -> None:
    """Whatever a client can have done over HTTP, an application can do from its own code."""
    declared = import_module(f"authcore.features.{room}")
    [feature] = [
        value
        for value in vars(declared).values()
        if isinstance(value, type) and issubclass(value, Feature) and value is not Feature
    ]
    listed = {bound.flow for bound in vars(feature.calls or object).values() if isinstance(bound, call)}

    assert {flow.__qualname__ for flow in flows_behind_routes(room) - listed} == set()
