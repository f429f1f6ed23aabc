"""The origin of the application's own requests: who is asking, and what calls for a request may do (rule R5)."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import pytest

from authcore import Auth, Password, Request, SignedIn, Tenant, requirement
from authcore.errors import OriginNotAllowed

EMAIL, PASSWORD = "ada@example.com", "three quiet herons wade"

HERE, EVIL = "http://127.0.0.1:8000", "https://evil.example"


def a_request(method: str = "POST", origin: str | None = EVIL, token: str | None = None, **headers: str) -> Request:
    """Make a request of the application's own, with the session's cookie."""
    given = {"host": "127.0.0.1:8000", **({"origin": origin} if origin else {}), **headers}
    return Request(method, "/own", b"", given | ({"cookie": f"authcore_session={token}"} if token else {}))


def a_token(made: Auth) -> str:
    """Sign somebody up, in a browser."""
    signed = made.blocking.password.sign_up(email=EMAIL, password=PASSWORD, transport="cookie")
    assert isinstance(signed, SignedIn)
    return signed.access_token


@pytest.mark.parametrize("method", ["POST", "DELETE", "CONNECT"])
async def test_calls_for_a_foreign_request_are_refused(auth: Callable[..., Auth], method: str) -> None:
    """R5: bound to an unsafe request, a call signs nobody in or out for another site, with a cookie or without."""
    made = auth(Password(require_code=False))
    token = a_token(made)
    person = {"email": EMAIL, "password": PASSWORD}

    with pytest.raises(OriginNotAllowed):
        made.blocking.on(a_request(method)).password.sign_in(**person, transport="cookie")
    with pytest.raises(OriginNotAllowed):
        made.blocking.on(a_request(method, token=token)).sessions.sign_out()
    with pytest.raises(OriginNotAllowed):
        await made.asyncio.on(a_request(method, token=token)).sessions.list_sessions()

    assert made.blocking.sessions.get_user(access_token=token) is not None


def test_calls_for_a_request_of_ones_own_are_made(auth: Callable[..., Auth]) -> None:
    """R5: from a listed origin, by a safe method, without a browser and without a request, calls are made."""
    made = auth(Password(require_code=False))
    token = a_token(made)

    assert made.blocking.on(a_request(origin=HERE, token=token)).sessions.get_user() is not None
    assert made.blocking.on(a_request("GET", token=token)).sessions.get_user() is not None
    assert isinstance(
        made.blocking.on(a_request(origin=None)).password.sign_in(email=EMAIL, password=PASSWORD), SignedIn
    )
    assert isinstance(made.blocking.password.sign_in(email=EMAIL, password=PASSWORD), SignedIn)


async def test_csrf_false_lets_in_whom_the_optional_look_up_keeps_back(auth: Callable[..., Auth]) -> None:
    """R5: a foreign request is nobody's, until `require(csrf=False)` says that it may be somebody's."""
    made = auth(Password(require_code=False))
    foreign, waived = a_request(token=a_token(made)), requirement(csrf=False)
    blocking, waiting = made.blocking_core(), made.async_core()

    assert blocking.authenticate(foreign) is None
    assert await waiting.authenticate(foreign) is None
    for who in (
        blocking.authorize(foreign, waived, None),
        await waiting.authorize(foreign, waived, None),
        blocking.authorize(foreign, waived),
        await waiting.authorize(foreign, waived),
    ):
        assert who.user.email == EMAIL
    with pytest.raises(OriginNotAllowed):
        blocking.authorize(foreign, requirement(), None)
    with pytest.raises(OriginNotAllowed):
        await waiting.authorize(foreign, requirement(), None)


async def test_a_tenants_foreign_request_is_nobodys_too(auth: Callable[..., Auth]) -> None:
    """R5: the origins of the request's own tenant count, and no others."""
    made = auth(
        Password(require_code=False), tenant=lambda _request: Tenant("north", origins=("https://north.example",))
    )
    token = a_token_of_a_tenant(made)
    ours, foreign = a_request(origin="https://north.example", token=token), a_request(token=token)

    for core in (made.blocking_core(), made.async_core()):
        waived = core.authorize(foreign, requirement(csrf=False), None)
        answers = [core.authenticate(ours), core.authenticate(foreign), waived]
        whos = [await answer if inspect.isawaitable(answer) else answer for answer in answers]
        assert [who and who.user.email for who in whos] == [EMAIL, None, EMAIL]


def a_token_of_a_tenant(made: Auth) -> str:
    """Sign somebody up at the tenant's."""
    calls = made.blocking.on(a_request(origin="https://north.example"))
    signed = calls.password.sign_up(email=EMAIL, password=PASSWORD, transport="cookie")
    assert isinstance(signed, SignedIn)
    return signed.access_token


def test_a_sign_out_hands_the_cookies_that_end_the_session(auth: Callable[..., Auth]) -> None:
    """What the request carried is cleared, nothing else, and nothing for a session that the token names."""
    made = auth(Password(require_code=False))
    carried, other = a_token(made), made.blocking.password.sign_in(email=EMAIL, password=PASSWORD)
    assert isinstance(other, SignedIn)
    calls = made.blocking.on(a_request(origin=HERE, token=carried)).sessions

    named = calls.sign_out(access_token=other.access_token)
    ended = calls.sign_out()

    assert named is not None
    assert named.cookies == ()
    assert ended is not None
    assert [(cookie.name, cookie.value, cookie.max_age) for cookie in ended.cookies] == [("authcore_session", "", 0)]
