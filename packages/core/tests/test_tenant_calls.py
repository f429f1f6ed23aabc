"""Calls without a request, for a tenant that server code names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, assert_type

import pytest

from authcore import Auth, ConfigurationError, Password, PasswordReset, Request, Session, Sessions, SignedIn, Tenant
from authcore.backends.mail import MemoryMailer
from authcore.errors import NotFound
from authcore.services import events

EMAIL, PASSWORD = "ada@example.com", "three quiet herons wade"
SITE = "https://acme.example.com"


def of_header(request: Request) -> Tenant:
    """Read the tenant of a request."""
    return Tenant(request.headers.get("x-tenant", "acme"))


@pytest.fixture(params=["sql", "jwt"])
def made(auth: Callable[..., Auth], request: pytest.FixtureRequest) -> Auth:
    """An application with tenants, whose bearers hold opaque tokens, or tokens that say everything themselves."""
    if request.param == "jwt":
        pytest.importorskip("jwt", reason="the extra authcore[jwt] is not installed")
    found = auth(Password(require_code=False), Sessions(bearer=request.param), tenant=of_header)
    found.create_tables()
    return found


@pytest.fixture
def ada(made: Auth, client: Callable[..., Any]) -> Any:
    """Who signed up at the tenant `acme`, over HTTP: the answer, with its tokens."""
    return client(made).sign_up(transport="bearer").json


def alive(made: Auth, answer: Any) -> bool:
    """Tell whether the guard of the application's own routes lets a session in."""
    asked = Request("GET", "/own", headers={"authorization": f"Bearer {answer['access_token']}"})
    return made.blocking_core().authenticate(asked) is not None


ENDINGS: dict[str, Callable[[Any, Any], Any]] = {
    "session by id": lambda calls, ada: calls.revoke_session(ada["session"]["id"]),
    "session by token": lambda calls, ada: calls.revoke_session(ada["access_token"]),
    "sessions of a user": lambda calls, ada: calls.revoke_all_sessions(ada["user"]["id"]),
    "everything of a user": lambda calls, ada: calls.bump_epoch(user_id=ada["user"]["id"]),
    "everything of the tenant": lambda calls, ada: calls.bump_epoch(tenant=True),
}


@pytest.mark.parametrize("end", ENDINGS.values(), ids=ENDINGS)
def test_server_code_ends_what_is_a_tenants(made: Auth, ada: Any, end: Callable[[Any, Any], Any]) -> None:
    """What `for_tenant` ends is over at the tenant's next request."""
    assert alive(made, ada)

    assert end(made.blocking.for_tenant("acme").sessions, ada)

    assert not alive(made, ada)


async def test_what_is_awaited_is_a_tenants_too(made: Auth, ada: Any) -> None:
    """`auth.asyncio.for_tenant` answers the calls to await."""
    calls = made.asyncio.for_tenant("acme")

    noted = assert_type(await calls.sessions.touch(ada["session"]["id"]), Session)
    assert noted.id == ada["session"]["id"]
    assert await calls[Sessions].revoke_all_sessions(ada["user"]["id"]) == 1

    assert not alive(made, ada)


def test_another_tenants_calls_reach_nothing(made: Auth, ada: Any) -> None:
    """Neither the default tenant nor another one ends, sees or finds what is the tenant's."""
    id_, user_id = ada["session"]["id"], ada["user"]["id"]

    for calls in (made.blocking, made.blocking.for_tenant("globex"), made.blocking.for_tenant("ACME")):
        assert calls.sessions.revoke_session(id_) is None
        assert calls.sessions.revoke_all_sessions(user_id) == 0
        assert calls.sessions.get_user(access_token=ada["access_token"]) is None
        assert calls.administration.find(email=EMAIL) is None
        assert calls.sessions.bump_epoch(tenant=True) == 0
        with pytest.raises(NotFound):
            calls.sessions.bump_epoch(user_id=user_id)

    assert alive(made, ada)


def test_unnamed_it_is_the_default_tenant(auth: Callable[..., Auth]) -> None:
    """An application without tenants names none, and its users are those of `default`."""
    made = auth(Password(require_code=False))
    signed = made.blocking.password.sign_up(email=EMAIL, password=PASSWORD)
    assert isinstance(signed, SignedIn)

    for calls in (made.blocking, made.blocking.for_tenant("default"), made.blocking.for_tenant(Tenant("default"))):
        assert calls.sessions.get_user(access_token=signed.access_token) == signed.user
    assert made.blocking.for_tenant("acme").sessions.get_user(access_token=signed.access_token) is None


def test_what_is_told_names_the_tenant(made: Auth, ada: Any) -> None:
    """Events of a call for a tenant are the tenant's."""
    heard: list[str] = []
    made.on(events.SessionsEnded, lambda event: heard.append(event.tenant))

    made.blocking.for_tenant("acme").sessions.revoke_all_sessions(ada["user"]["id"])

    assert heard == ["acme"]


def test_a_whole_tenant_brings_its_site(auth: Callable[..., Auth], mailer: MemoryMailer) -> None:
    """Mails that a call for a `Tenant` sends link to its site; with its id alone, to the application's."""
    made = auth(Password(require_code=False), PasswordReset(), tenant=of_header)
    made.create_tables()

    for email, tenant in ((EMAIL, "acme"), ("bob@example.com", Tenant("acme", base_url=SITE))):
        calls = made.blocking.for_tenant(tenant)
        calls.administration.create(email=email, password=PASSWORD, verified=True)
        calls.password_reset.request(email=email)

    made.outbox.drain()
    assert {mail.to: f"{SITE}/auth" in mail.text for mail in mailer.mails} == {EMAIL: False, "bob@example.com": True}


@pytest.mark.parametrize("wrong", ["", "x" * 65, "a\nb", "a\x00b", "\ud800", None, 7, b"acme", Tenant("")])
def test_what_can_be_no_tenant_is_refused(auth: Callable[..., Auth], wrong: Any) -> None:
    """An id is checked as the hook's answer is, before anything runs."""
    made = auth()

    for calls in (made.blocking, made.asyncio):
        with pytest.raises(ConfigurationError, match=r'such as auth\.blocking\.for_tenant\("acme"\)'):
            calls.for_tenant(wrong)


@pytest.mark.parametrize("wrong", ["", "x" * 65, "a\nb", 7])
def test_the_hooks_answer_is_checked_alike(auth: Callable[..., Auth], wrong: Any) -> None:
    """What can be no id is refused as a setting that is wrong."""
    made = auth(tenant=lambda request: Tenant(wrong))

    with pytest.raises(ConfigurationError, match="1 to 64 printable characters"):
        made.blocking.on(Request("GET", "/own")).sessions.list_sessions()


def test_a_request_has_its_own_tenant(made: Auth) -> None:
    """Beside a request a tenant is refused, in either order: it may be another's than the request's."""
    request = Request("GET", "/own")

    for calls in (made.blocking, made.asyncio):
        with pytest.raises(ConfigurationError, match=r"on\(request\) takes the request's own tenant"):
            calls.on(request).for_tenant("acme")
        with pytest.raises(ConfigurationError, match=r"on\(request\) takes the request's own tenant"):
            calls.for_tenant("acme").on(request)


def test_the_last_tenant_is_the_one(made: Auth, ada: Any) -> None:
    """`for_tenant` of calls that have a tenant answers those of the other."""
    calls = made.blocking.for_tenant("globex").for_tenant("acme")

    assert calls.sessions.revoke_session(ada["session"]["id"]) is not None
