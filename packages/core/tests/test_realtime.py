"""WebSockets and streams end with the session of who opened them; who may open one, and with which one credential."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from blockbuster import blockbuster_ctx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from authcore import Auth, Guard, Identified, Password, Request, Sessions, SignedIn, Tenant, Visit, requirement
from authcore.backends.watches import Watches, names_of
from authcore.context import Authenticated
from authcore.drive import Drive
from authcore.errors import ConfigurationError, NotAuthenticated, Unavailable
from authcore.features.administration import Administration
from authcore.realtime import BEARER, Socket, SocketClosed, SocketGuard, SocketRefused, authenticate_socket
from authcore.services.revocations import subject
from authcore.services.subjects import Subject
from authcore.testing.ports import FrozenClock

HERE, EVIL = "http://127.0.0.1:8000", "https://evil.example"
EMAIL, PASSWORD = "ada@example.com", "three quiet herons wade"
SOON = 5.0  # seconds that no step of a test takes
MakeAuth = Callable[..., Auth]
Body = Callable[[Socket], Awaitable[None]]


async def echo(socket: Socket) -> None:
    """Greet, then send back what comes, until either side closes."""
    await socket.send_json({"hello": socket.user.email, "key": socket.subject.key})
    async for text in socket:
        await socket.send_text(f"{text!r}")


class Peer:
    """The other end of an application's WebSocket."""

    def __init__(self, auth: Auth, body: Body = echo, **settings: Any) -> None:
        self.auth, self.body, self.settings = auth, body, settings
        self.sent: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.coming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.socket: Socket | None = None
        self.refused: SocketRefused | None = None
        self.task: asyncio.Task[None] | None = None

    def open(self, *subprotocols: str, query: str = "", **headers: str) -> Peer:
        """Begin a handshake; `x_name=` sends the header `x-name`."""
        pairs = {"host": "127.0.0.1:8000"} | {name.replace("_", "-"): value for name, value in headers.items()}
        if subprotocols:
            pairs["sec-websocket-protocol"] = ", ".join(subprotocols)
        scope = {
            "type": "websocket",
            "path": "/live",
            "query_string": query.encode("latin-1"),
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in pairs.items()],
            "subprotocols": list(subprotocols),
            "client": ("203.0.113.7", 4711),
        }
        self.coming.put_nowait({"type": "websocket.connect"})
        self.task = asyncio.get_running_loop().create_task(self._serve(scope))
        return self

    async def _serve(self, scope: dict[str, Any]) -> None:
        async def send(message: Any) -> None:
            self.sent.put_nowait(dict(message))

        try:
            async with authenticate_socket(self.auth, scope, self.coming.get, send, **self.settings) as self.socket:
                await self.body(self.socket)
        except SocketRefused as refused:
            self.refused = refused

    async def get(self) -> dict[str, Any]:
        """Answer the next message that the application sends."""
        async with asyncio.timeout(SOON):
            sent = asyncio.ensure_future(self.sent.get())
            done, _ = await asyncio.wait(
                {sent, self.task} if self.sent.empty() else {sent}, return_when="FIRST_COMPLETED"
            )
            if sent not in done and self.sent.empty():
                sent.cancel()
                self.task.result()
            return await sent

    async def accepted(self) -> dict[str, Any]:
        """Answer the acceptance, behind which the greeting came."""
        message = await self.get()
        assert message["type"] == "websocket.accept", message
        greeting = await self.get()
        assert json.loads(greeting["text"])["hello"] is not None
        return message

    async def closed(self) -> tuple[int, str]:
        """Answer the code and the reason of the close that comes next."""
        message = await self.get()
        assert message["type"] == "websocket.close", message
        return message["code"], message["reason"]

    def say(self, text: str | None = None, data: bytes | None = None) -> None:
        """Send a message of the client's."""
        self.coming.put_nowait({"type": "websocket.receive", "text": text, "bytes": data})

    async def is_open(self) -> bool:
        """Tell whether a message comes back."""
        self.say("ping")
        return (await self.get()).get("text") == "'ping'"

    async def left(self) -> None:
        """Wait until the application is done."""
        assert self.task is not None
        async with asyncio.timeout(SOON):
            await self.task


def sign_up(auth: Auth, transport: Any = "bearer", email: str = EMAIL) -> SignedIn:
    """Sign somebody up."""
    signed = auth.blocking.password.sign_up(email=email, password=PASSWORD, transport=transport)
    assert isinstance(signed, SignedIn)
    return signed


@pytest.fixture
def made(auth: MakeAuth) -> Auth:
    """An Auth that signs up at once."""
    return auth(Password(require_code=False), Administration())


# --- who may open one ---


async def test_a_token_comes_as_a_subprotocol_and_goes_no_further(made: Auth) -> None:
    """The token stands behind `authcore.bearer`, which alone is answered: the token is not echoed, nor told on (O3)."""
    token = sign_up(made).access_token
    scopes: list[dict[str, Any]] = []

    async def look(socket: Socket) -> None:
        await echo(socket) if scopes else scopes.append(socket.as_asgi[0])

    peer = Peer(made, look).open(BEARER, token, "chat.v1")
    message = await peer.get()

    assert message == {"type": "websocket.accept", "subprotocol": BEARER, "headers": []}
    assert await peer.closed() == (1000, "")
    assert scopes[0]["subprotocols"] == ["chat.v1"]
    assert token not in repr(scopes[0]["headers"])


async def test_an_applications_own_subprotocol_is_chosen_beside_a_token(made: Auth) -> None:
    """`subprotocols=` are the application's own; the token is never taken for one of them."""
    token = sign_up(made).access_token

    chosen = await Peer(made, subprotocols=["chat.v2", "chat.v1"]).open("chat.v1", BEARER, token).accepted()
    bare = await Peer(made, subprotocols=[token]).open(BEARER, token).accepted()

    assert chosen["subprotocol"] == "chat.v1"
    assert bare["subprotocol"] == BEARER


@pytest.mark.parametrize("offer", [[BEARER], [BEARER, BEARER, "x"], ["chat.v1", BEARER], [BEARER, "nonsense"]])
async def test_a_subprotocol_without_its_token_opens_nothing(made: Auth, offer: list[str]) -> None:
    """A missing, doubled or unknown token is refused before the socket is accepted: servers answer 403."""
    peer = Peer(made).open(*offer)

    assert await peer.closed() == (4401, "not_authenticated")


async def test_a_token_comes_as_the_first_message(made: Auth) -> None:
    """A socket without a credential is accepted, and waits for one message with a token."""
    token = sign_up(made).access_token

    peer = Peer(made).open()
    assert (await peer.get())["type"] == "websocket.accept"
    peer.say(json.dumps({"access_token": token}))

    assert json.loads((await peer.get())["text"])["hello"] == EMAIL
    assert await peer.is_open()


@pytest.mark.parametrize(
    ("text", "data", "closed"),
    [
        ('{"access_token": "ac1_at_nonsense"}', None, (4401, "not_authenticated")),
        ('{"access_token": ""}', None, (4401, "not_authenticated")),
        ('{"access_token": "a,b"}', None, (4400, "ambiguous_credentials")),
        ("hello", None, (4400, "invalid_json")),
        ('{"access_token": "x", "access_token": "y"}', None, (4400, "invalid_json")),
        ('{"access_token": "\\ud800"}', None, (4400, "invalid_json")),
        ("[" * 9000, None, (4400, "invalid_json")),
        ('{"access_token": 1}', None, (4400, "invalid_fields")),
        ('{"access_token": "x", "more": 1}', None, (4400, "invalid_fields")),
        ("{}", None, (4400, "invalid_fields")),
        ('{"access_token": "%s"}' % ("x" * 16_384), None, (4400, "body_too_large")),
        (None, b'{"access_token": "x"}', (4400, "invalid_json")),
    ],
)
async def test_a_hostile_first_message_opens_nothing(
    made: Auth, text: str | None, data: bytes | None, closed: tuple[int, str]
) -> None:
    """R1: whatever is no token is refused by the code of the failure, and never an error of the server."""
    peer = Peer(made).open()
    assert (await peer.get())["type"] == "websocket.accept"
    peer.say(text, data)

    assert await peer.closed() == closed
    assert peer.socket is None


async def test_a_first_message_that_does_not_come_is_not_waited_for(made: Auth) -> None:
    """Who says nothing is closed with 4408."""
    peer = Peer(made, first_message=0.05).open()
    assert (await peer.get())["type"] == "websocket.accept"

    assert await peer.closed() == (4408, "first_message_timeout")


async def test_a_client_that_goes_away_first_is_nobody(made: Auth) -> None:
    """Nothing is sent to who has gone before it was known."""
    peer = Peer(made).open()
    await peer.get()
    peer.coming.put_nowait({"type": "websocket.disconnect", "code": 1001})
    await peer.left()

    assert peer.refused is not None
    assert peer.refused.close_code is None
    assert peer.sent.empty()


@pytest.mark.parametrize(
    ("origin", "opens"), [(HERE, True), (EVIL, False), ("null", False), (None, False), (f"{HERE}, {HERE}", False)]
)
async def test_a_cookie_needs_a_listed_origin(made: Auth, origin: str | None, opens: bool) -> None:
    """R5: other sites make browsers send the cookie, so the origin must be there and listed."""
    cookie = f"authcore_session={sign_up(made, 'cookie').access_token}"
    headers = {} if origin is None else {"origin": origin}

    peer = Peer(made).open(cookie=cookie, **headers)

    if opens:
        await peer.accepted()
    else:
        assert await peer.closed() == (4403, "origin_not_allowed")


async def test_a_requirement_cannot_leave_the_origin_out(made: Auth) -> None:
    """`csrf=False` is for routes that others call with a cookie; a WebSocket of theirs stays closed."""
    cookie = f"authcore_session={sign_up(made, 'cookie').access_token}"

    peer = Peer(made, needs=requirement(csrf=False)).open(cookie=cookie, origin=EVIL)

    assert await peer.closed() == (4403, "origin_not_allowed")


@pytest.mark.parametrize("query", ["access_token={}", "x=1&ACCESS_TOKEN={}", "access%5Ftoken={}", "access_token="])
async def test_a_token_in_the_query_opens_nothing(made: Auth, query: str) -> None:
    """R7: a token in an address is refused at once, whatever else the handshake carries."""
    token = sign_up(made).access_token

    bare = Peer(made).open(query=query.format(token))
    beside = Peer(made).open(BEARER, token, query=query.format(token))

    assert await bare.closed() == (4401, "not_authenticated")
    assert await beside.closed() == (4401, "not_authenticated")


async def test_two_credentials_open_nothing(made: Auth) -> None:
    """R7: one source. A cookie beside a token, and a header beside a subprotocol, are refused."""
    token, cookie = sign_up(made).access_token, sign_up(made, "cookie", "bob@example.com").access_token
    both = {"cookie": f"authcore_session={cookie}", "origin": HERE}

    assert await Peer(made).open(BEARER, token, **both).closed() == (4400, "ambiguous_credentials")
    assert await Peer(made).open(BEARER, token, authorization=f"Bearer {token}").closed() == (
        4400,
        "ambiguous_credentials",
    )
    twice = f"authcore_session={cookie}; authcore_session={cookie}"
    assert await Peer(made).open(cookie=twice, origin=HERE).closed() == (4400, "ambiguous_credentials")


async def test_a_stale_cookie_asks_for_no_first_message(made: Auth) -> None:
    """R7: a handshake that carries a credential has said who it is, even where that opens nothing."""
    peer = Peer(made).open(cookie="authcore_session=ac1_st_nonsense", origin=HERE)

    assert await peer.closed() == (4401, "not_authenticated")


async def test_a_token_of_another_kind_opens_nothing(made: Auth) -> None:
    """T5: neither a refresh token nor a cookie's secret is an access token, in either place."""
    signed = sign_up(made)
    cookie = sign_up(made, "cookie", "bob@example.com").access_token
    assert signed.refresh_token is not None

    for wrong in (signed.refresh_token, cookie):
        assert await Peer(made).open(BEARER, wrong).closed() == (4401, "not_authenticated")


async def test_a_program_sends_its_token_in_the_header(made: Auth) -> None:
    """A client that is no browser may send the Authorization header, as to any route."""
    token = sign_up(made).access_token

    await Peer(made).open(authorization=f"Bearer {token}").accepted()


@pytest.mark.parametrize(
    ("needs", "closed"),
    [
        ({"mfa": True}, (4403, "insufficient_user_authentication")),
        ({"scopes": "write"}, (4403, "insufficient_scope")),
        ({"fresh": "5m"}, (4403, "reauthentication_required")),
    ],
)
async def test_what_is_not_enough_is_4403(
    made: Auth, clock: FrozenClock, needs: dict[str, Any], closed: tuple[int, str]
) -> None:
    """A requirement asks of a socket what it asks of a route."""
    user = sign_up(made).user
    answer = made.blocking.sessions.create_session(user_id=user.id, amr=["pwd"], transport="bearer", scopes=["read"])
    assert isinstance(answer, SignedIn)
    clock.advance(360)

    assert await Peer(made, needs=requirement(**needs)).open(BEARER, answer.access_token).closed() == closed
    await Peer(made, needs=requirement(scopes="read")).open(BEARER, answer.access_token).accepted()


async def test_a_named_guard_reads_its_own_credential(auth: MakeAuth) -> None:
    """S17: a guard that reads tokens lets no cookie in, and one of the application's own is asked again and again."""

    class Keys:
        """Two keys, one of which is withdrawn later."""

        known = {"key-of-ada"}  # noqa: RUF012

        async def authenticate(self, request: Request) -> Identified | None:
            key = request.headers.get("x-key")
            return Identified(user.id) if key in self.known else None

    keys = Keys()
    guards = {"web": Guard("session"), "api": Guard("token"), "keys": Guard(keys, ambient=False)}
    made = auth(Password(require_code=False), guards=guards)
    signed = sign_up(made, "cookie")
    user, cookie = signed.user, {"cookie": f"authcore_session={signed.access_token}", "origin": HERE}

    await Peer(made, needs=requirement(guard="web")).open(**cookie).accepted()
    assert (await Peer(made, needs=requirement(guard="api")).open(**cookie).closed())[0] == 4401
    assert (await Peer(made, needs=requirement(guard="keys")).open(x_key="another").closed())[0] == 4401
    peer = Peer(made, needs=requirement(guard="keys"), recheck=0.05).open(x_key="key-of-ada")
    await peer.accepted()
    assert peer.socket is not None
    assert peer.socket.subject.session_id == ""

    keys.known.clear()
    assert await peer.closed() == (4401, "session_ended")


def test_a_socket_is_nobodys_business(made: Auth) -> None:
    """`optional=True` and times of nothing are refused where they are written."""
    for wrong in ({"needs": requirement(optional=True)}, {"recheck": 0}, {"first_message": -1}):
        peer = Peer(made, **wrong)

        async def opening(peer: Peer = peer) -> None:
            await peer.open().left()

        with pytest.raises(ConfigurationError):
            asyncio.run(opening())


async def test_a_socket_that_is_accepted_already_is_a_mistake(made: Auth) -> None:
    """Who accepts it first has let anybody in."""
    peer = Peer(made)
    peer.say("hello")

    with pytest.raises(RuntimeError, match="accepted already"):
        await peer.open().left()


texts = st.text(st.characters(min_codepoint=1, max_codepoint=255), max_size=40)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    offer=st.lists(st.one_of(st.just(BEARER), texts), max_size=4),
    headers=st.dictionaries(st.sampled_from(["authorization", "cookie", "origin", "host"]), texts),
    query=texts,
    first=st.one_of(texts, st.binary(max_size=40), st.none()),
)
def test_hostile_handshakes_are_refused(
    made: Auth, offer: list[str], headers: dict[str, str], query: str, first: str | bytes | None
) -> None:
    """R1: whatever a handshake and a first message say, the socket is closed by a code, and no error of a server."""

    async def knock() -> tuple[Peer, list[dict[str, Any]]]:
        peer = Peer(made, first_message=0.01).open(*offer, query=query, **headers)
        if first is not None:
            peer.say(*(first, None) if isinstance(first, str) else (None, first))
        await peer.left()
        return peer, [peer.sent.get_nowait() for _ in range(peer.sent.qsize())]

    peer, sent = asyncio.run(knock())

    assert peer.refused is not None
    assert peer.socket is None
    assert sent[-1]["type"] == "websocket.close"
    assert sent[-1]["code"] in (4400, 4401, 4403, 4408)
    assert len(sent[-1]["reason"].encode()) <= 123  # RFC 6455 5.5


# --- what closes one ---


async def opened(made: Auth, **settings: Any) -> tuple[Peer, SignedIn]:
    """Open a socket for somebody."""
    signed = sign_up(made)
    peer = Peer(made, **settings).open(BEARER, signed.access_token)
    await peer.accepted()
    return peer, signed


async def test_a_sign_out_closes_within_a_second(made: Auth) -> None:
    """The session's end is a row, which the stream brings: long before any re-check."""
    peer, signed = await opened(made)

    began = time.monotonic()
    assert await made.asyncio.sessions.revoke_session(signed.session.id)

    assert await peer.closed() == (4401, "session_ended")
    took = time.monotonic() - began
    print(f"a sign-out closed the socket after {took:.3f} s")
    assert took < 1
    await peer.left()
    assert len(made.backends.watches) == 0
    assert made.backends.follower._listeners == ()  # the thread ends by itself


async def test_every_database_and_drive_closes(auth: MakeAuth, any_database: str) -> None:
    """By native awaits over PostgreSQL, and by threads over SQLite, an end closes within a second."""
    drive = "asyncio" if any_database.startswith("postgresql") else "threads"
    made = auth(Password(require_code=False), database=any_database, async_drive=drive)
    peer, signed = await opened(made)

    began = time.monotonic()
    await made.asyncio.sessions.revoke_session(signed.session.id)

    assert await peer.closed() == (4401, "session_ended")
    assert time.monotonic() - began < 1
    await peer.left()


async def test_a_device_that_is_revoked_loses_its_sockets(made: Auth, clock: FrozenClock) -> None:
    """S103: opening notes that the session is used, and what ends a device's sessions closes what it opened."""
    user = sign_up(made).user
    phone = made.blocking.sessions.create_session(user_id=user.id, amr=["pwd"], transport="bearer", device_id="phone")
    assert isinstance(phone, SignedIn)
    clock.advance(120)
    peer = Peer(made).open(BEARER, phone.access_token)
    await peer.accepted()
    assert peer.socket is not None
    assert peer.socket.session.last_seen_at == clock.now()

    await made.asyncio.sessions.revoke_device(user.id, "phone")

    assert await peer.closed() == (4401, "session_ended")
    assert await Peer(made).open(BEARER, phone.access_token).closed() == (4401, "not_authenticated")


async def test_what_renews_a_session_closes_nothing(made: Auth, clock: FrozenClock) -> None:
    """Refresh, rotation and the end of the access token leave a socket open, while its session lives."""
    peer, signed = await opened(made, recheck=0.05)
    assert signed.refresh_token is not None

    renewed = await made.asyncio.sessions.refresh(refresh_token=signed.refresh_token)
    clock.advance(7200)
    await asyncio.sleep(0.6)

    assert renewed is not None
    assert await peer.is_open()


async def test_another_secret_of_the_session_closes_what_the_old_one_opened(made: Auth) -> None:
    """T7, T9: a socket that a stolen token opened does not outlive a step-up, or a change of the password."""
    peer, signed = await opened(made)

    await made.asyncio.sessions.mark_mfa_verified(signed.session.id)

    assert await peer.closed() == (4401, "session_ended")
    await peer.left()


async def test_another_session_of_the_user_closes_nothing(made: Auth) -> None:
    """Only the sockets of what ended are closed."""
    peer, _ = await opened(made)
    other = made.blocking.password.sign_in(email=EMAIL, password=PASSWORD, transport="bearer")
    assert isinstance(other, SignedIn)
    beside = Peer(made).open(BEARER, other.access_token)
    await beside.accepted()

    await made.asyncio.sessions.revoke_session(other.session.id)

    assert await beside.closed() == (4401, "session_ended")
    assert await peer.is_open()


@pytest.mark.parametrize("what", ["disable", "user", "tenant", "application", "delete"])
async def test_a_row_about_more_than_the_session_is_asked_after_at_once(made: Auth, what: str) -> None:
    """T9: a disabled user, and the end of everything, close sockets within a second, whatever the re-check."""
    peer, signed = await opened(made, recheck=600)
    bump, administration = made.asyncio.sessions.bump_epoch, made.asyncio.administration

    began = time.monotonic()
    if what == "disable":
        await administration.disable(user_id=signed.user.id)
    elif what == "delete":
        await administration.delete(user_id=signed.user.id)
    else:
        await bump(**{"user": {"user_id": signed.user.id}}.get(what, {what: True}))

    assert await peer.closed() == (4401, "session_ended")
    assert time.monotonic() - began < 1


@pytest.mark.parametrize("ends", [{"absolute_ttl": timedelta(days=31)}, {"idle_timeout": timedelta(hours=1)}])
async def test_what_no_row_says_is_found_by_asking(
    auth: MakeAuth, clock: FrozenClock, ends: dict[str, timedelta]
) -> None:
    """The absolute end, and the end of a session that is not used, close a socket at the next re-check."""
    made = auth(Sessions(**ends), Password(require_code=False))
    peer, _ = await opened(made, recheck=0.05)

    clock.advance(max(ends.values()).total_seconds() + 60)

    assert await peer.closed() == (4401, "session_ended")


async def test_a_store_that_answers_nothing_closes_in_the_end(
    made: Auth, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """O2: one question that is not answered closes nothing; a store that stays away closes with 1013."""
    from authcore.backends import sockets

    monkeypatch.setattr(sockets, "AGAIN", 0.2)
    peer, _ = await opened(made, recheck=0.1)
    away = made.backends.ports(Drive.THREADS).db
    answers = away.read

    async def silent(*_args: Any) -> Any:
        raise Unavailable

    monkeypatch.setattr(away, "read", silent)
    await asyncio.sleep(0.15)
    monkeypatch.setattr(away, "read", answers)
    assert await peer.is_open()

    monkeypatch.setattr(away, "read", silent)
    assert await peer.closed() == (1013, "unavailable")


async def test_an_end_between_look_up_and_watch_is_seen(made: Auth, monkeypatch: pytest.MonkeyPatch) -> None:
    """What ends while a socket is being opened opens nothing: the ledger is asked once more, behind the watch."""
    signed = sign_up(made)
    core = made.async_core()
    admit = core.admit

    async def admitted(visit: Visit, needs: Any) -> Authenticated | None:
        who = await admit(visit, needs)
        await made.asyncio.sessions.revoke_session(signed.session.id)
        return who

    monkeypatch.setattr(core, "admit", admitted)
    peer = Peer(made).open(BEARER, signed.access_token)

    assert await peer.closed() == (4401, "not_authenticated")
    assert len(made.backends.watches) == 0


async def test_to_the_application_an_ended_session_is_a_client_that_went(made: Auth) -> None:
    """`receive` answers a disconnect with the code, `send` raises, and closing again does nothing."""
    heard: list[Any] = []

    async def look(socket: Socket) -> None:
        await socket.send_json({"hello": 1})
        heard.append(await socket.receive())
        with pytest.raises(SocketClosed):
            await socket.send_text("more")
        await socket.close()
        heard.append(await socket.receive())

    peer, signed = await opened(made, body=look)
    await made.asyncio.sessions.revoke_session(signed.session.id)
    await peer.left()

    gone = {"type": "websocket.disconnect", "code": 4401, "reason": "session_ended"}
    assert heard == [gone, gone]
    assert await peer.closed() == (4401, "session_ended")
    assert peer.sent.empty()


async def test_a_block_that_does_not_leave_is_cancelled(made: Auth, monkeypatch: pytest.MonkeyPatch) -> None:
    """A block that waits for something else is not left behind; what it raises itself is its own."""
    from authcore.backends import sockets

    monkeypatch.setattr(sockets, "LEAVING", 0.1)
    cancelled: list[bool] = []

    async def stay(socket: Socket) -> None:
        await socket.send_json({"hello": 1})
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    peer, signed = await opened(made, body=stay)
    await made.asyncio.sessions.revoke_session(signed.session.id)
    await peer.left()

    assert cancelled == [True]


async def test_a_timeout_of_the_applications_own_stays_one(made: Auth) -> None:
    """Only what the end of the session cancels is taken for it."""

    async def late(socket: Socket) -> None:
        await socket.send_json({"hello": 1})
        raise TimeoutError("the application's own")

    peer, _ = await opened(made, body=late)

    with pytest.raises(TimeoutError, match="own"):
        await peer.left()
    assert len(made.backends.watches) == 0


async def test_many_sockets_are_told_without_looking_at_each(auth: MakeAuth) -> None:
    """A row of one session concerns its own sockets, two hundred others are not asked after; the loop never blocks."""
    made = auth(Sessions(bearer="sealed"), Password(require_code=False))
    signed, other = sign_up(made), sign_up(made, email="bob@example.com")
    with blockbuster_ctx():
        peers = [Peer(made).open(BEARER, signed.access_token) for _ in range(200)]
        beside = Peer(made).open(BEARER, other.access_token)
        for peer in [*peers, beside]:
            await peer.accepted()
        asked = len(made.backends.watches)

        began = time.monotonic()
        await made.asyncio.sessions.revoke_session(other.session.id)
        assert await beside.closed() == (4401, "session_ended")
        assert time.monotonic() - began < 1

    assert asked == 201
    assert all(peer.sent.empty() for peer in peers)
    await made.asyncio.sessions.bump_epoch(tenant=True)
    for peer in peers:
        assert await peer.closed() == (4401, "session_ended")
    assert len(made.backends.watches) == 0


# --- before another application ---


async def test_a_guard_before_an_application_accepts_for_it(made: Auth) -> None:
    """An application that accepts by itself gets only authenticated sockets, and all that is no WebSocket."""
    signed = sign_up(made)
    seen: list[Any] = []

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["type"])
        if scope["type"] == "websocket":
            assert (await receive())["type"] == "websocket.connect"
            await send({"type": "websocket.accept", "subprotocol": "mine"})
            await send({"type": "websocket.send", "text": scope["authcore"].subject.user_id})
            seen.append(await receive())

    guard = SocketGuard(inner, lambda: made)
    coming: asyncio.Queue[Any] = asyncio.Queue()
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)
        if message["type"] == "websocket.send":
            await made.asyncio.sessions.revoke_session(signed.session.id)

    scope = {"type": "websocket", "path": "/", "headers": [], "query_string": b"", "subprotocols": []}
    coming.put_nowait({"type": "websocket.connect"})
    async with asyncio.timeout(SOON):
        await guard({**scope, "subprotocols": [BEARER, signed.access_token]}, coming.get, send)
        coming.put_nowait({"type": "websocket.connect"})
        await guard({**scope, "subprotocols": [BEARER, "nonsense"]}, coming.get, send)
        await guard({"type": "lifespan"}, coming.get, send)

    assert [message["type"] for message in sent] == [
        "websocket.accept",
        "websocket.send",
        "websocket.close",
        "websocket.close",
    ]
    assert sent[1]["text"] == signed.user.id
    assert seen[1]["code"] == 4401
    assert [kind for kind in seen if isinstance(kind, str)] == ["websocket", "lifespan"]


# --- streams and blocks ---


def visit(token: str) -> Visit:
    """Answer a request of the application's own."""
    return Visit(Request("GET", "/events", b"", {"authorization": f"Bearer {token}"}))


async def ticks(pause: float = 0.01) -> AsyncIterator[int]:
    """Count, for ever."""
    number = 0
    while True:
        yield (number := number + 1)
        await asyncio.sleep(pause)


async def test_a_stream_stops_with_its_session(made: Auth) -> None:
    """Server-sent events end within a second of the session, though no item comes."""
    signed, core = sign_up(made), made.async_core()
    items: asyncio.Queue[int] = asyncio.Queue()
    stream = ticks(pause=600)

    async def consume() -> None:
        async for item in core.until_ended(visit(signed.access_token), stream):
            items.put_nowait(item)

    task = asyncio.get_running_loop().create_task(consume())
    assert await items.get() == 1
    began = time.monotonic()
    await made.asyncio.sessions.revoke_session(signed.session.id)
    async with asyncio.timeout(SOON):
        await task

    assert items.empty()
    assert time.monotonic() - began < 1
    assert [item async for item in stream] == []  # it was closed
    assert len(made.backends.watches) == 0


async def test_a_stream_is_over_before_what_its_consumer_does(made: Auth) -> None:
    """What is done with an item is not cut off; the next one does not come. A stream that ends by itself ends."""
    signed, core = sign_up(made), made.async_core()
    seen: list[int] = []

    async for item in core.until_ended(visit(signed.access_token), ticks()):
        seen.append(item)
        if item == 3:
            await made.asyncio.sessions.revoke_session(signed.session.id)
            await asyncio.sleep(0.7)
            seen.append(-item)

    assert seen == [1, 2, 3, -3]
    with pytest.raises(NotAuthenticated):
        await anext(aiter(core.until_ended(visit(signed.access_token), ticks())))


async def test_a_long_poll_is_refused_where_its_session_ends(made: Auth) -> None:
    """As a block, what is awaited is cancelled, and the request is answered as one of nobody's."""
    signed, core = sign_up(made), made.async_core()

    async def poll() -> str:
        async with core.until_ended(visit(signed.access_token)) as subject:
            assert subject.user_id == signed.user.id
            await asyncio.Event().wait()
        return "never"

    task = asyncio.get_running_loop().create_task(poll())
    await asyncio.sleep(0.1)
    await made.asyncio.sessions.revoke_session(signed.session.id)

    with pytest.raises(NotAuthenticated):
        async with asyncio.timeout(SOON):
            await task
    async with core.until_ended(visit(sign_up(made, email="bob@example.com").access_token)):
        answer = "an answer"
    assert answer
    assert len(made.backends.watches) == 0


def test_a_stream_without_an_event_loop_stops_between_items(made: Auth) -> None:
    """Under WSGI the session is looked at before each item; the stream's own clean-up runs."""
    signed, core = sign_up(made), made.blocking_core()
    closed: list[bool] = []

    def numbers() -> Iterator[int]:
        try:
            for number in range(10_000):
                yield number
                time.sleep(0.01)
        finally:
            closed.append(True)

    items = []
    began = 0.0
    for item in core.until_ended(visit(signed.access_token), numbers()):
        items.append(item)
        if item == 2:
            made.blocking.sessions.revoke_session(signed.session.id)
            began = time.monotonic()

    assert 3 <= len(items) < 200
    assert time.monotonic() - began < 1
    assert closed == [True]
    assert len(made.backends.watches) == 0
    with pytest.raises(NotAuthenticated):
        core.until_ended(visit(signed.access_token), numbers())


def test_a_stream_without_an_event_loop_asks_now_and_then(made: Auth, clock: FrozenClock) -> None:
    """What no row says is found after `recheck` seconds."""
    signed, core = sign_up(made), made.blocking_core()
    items = []

    for item in core.until_ended(visit(signed.access_token), iter(range(500)), recheck=0.05):
        items.append(item)
        clock.advance(100 * 86_400)
        time.sleep(0.02)

    assert 1 < len(items) < 20


# --- the registry ---


class Noting:
    """A watch that notes what it is told."""

    def __init__(self, session_id: str, user_id: str, tenant_id: str) -> None:
        self.names = names_of(session_id, user_id, tenant_id)
        self.told: list[str] = []

    def end(self) -> None:
        self.told.append("end")

    def doubt(self) -> None:
        self.told.append("doubt")


class Listener:
    """A follower that tells what a test hands it, and counts who listens."""

    def __init__(self) -> None:
        self.told: Callable[[Any], None] | None = None
        self.times = 0

    def listen(self, told: Callable[[Any], None]) -> Listener:
        assert self.told is None
        self.told, self.times = told, self.times + 1
        return self

    def close(self) -> None:
        self.told = None


@pytest.mark.parametrize(
    ("kind", "id_", "value", "told"),
    [
        ("session", "s1", "", [["end"], []]),
        ("session", "s1", "another stamp", [["doubt"], []]),
        ("session", "u1", "", [[], []]),
        ("user", "u2", "3", [[], ["doubt"]]),
        ("changed", "u2", "", [[], ["doubt"]]),
        ("tenant", "north", "4", [["doubt"], []]),
        ("tenant", "", "4", [["doubt"], ["doubt"]]),
    ],
)
def test_a_row_concerns_whom_it_names(kind: str, id_: str, value: str, told: list[list[str]]) -> None:
    """An end is final; another secret is none; what is wider than a session is asked after."""
    listener = Listener()
    watches = Watches(listener.listen)
    one, other = Noting("s1", "u1", "north"), Noting("s2", "u2", "south")
    watches.add(one)
    watches.add(other)
    assert listener.told is not None

    listener.told([SimpleNamespace(kind=kind, subject=subject(id_), value=value)])

    assert [one.told, other.told] == told
    watches.remove(one)
    watches.remove(one)
    assert listener.told is not None
    watches.remove(other)
    assert (listener.told, listener.times) == (None, 1)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="There is no fork here.")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_fork_leaves_what_is_open_to_the_parent() -> None:
    """O5: a child has no sockets of its parent's and listens anew; the parent's stay watched."""
    listener = Listener()
    watches = Watches(listener.listen)
    watches.add(Noting("s1", "u1", "north"))

    child = os.fork()
    if child == 0:
        fresh = len(watches) == 0 and listener.told is None
        watches.add(Noting("s2", "u2", "north"))
        os._exit(0 if fresh and listener.times == 2 and len(watches) == 1 else 1)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert (len(watches), listener.times) == (1, 1)


# --- who it is ---


def test_a_subject_is_stable_and_belongs_to_its_tenant() -> None:
    """S97: no user of one tenant bears the key of another tenant's, whatever their ids hold."""
    keys = {Subject(user, tenant, "s").key for tenant, user in [("a:b", "c"), ("a", "b:c"), ("a%3Ab", "c")]}

    assert len(keys) == 3
    assert Subject("c", "a", "one").key == Subject("c", "a", "another").key == "a:c"


async def test_a_subject_tells_what_the_session_may_do(auth: MakeAuth) -> None:
    """S97: tenant, session, scopes and the roles in the session's claims; a user's whole power has neither."""
    made = auth(Password(require_code=False), tenant=lambda request: Tenant("north"))
    user = made.blocking.on(Request("POST", "/", headers={})).password.sign_up(
        email=EMAIL, password=PASSWORD, transport="bearer"
    )
    assert isinstance(user, SignedIn)
    narrow = made.blocking.on(Request("POST", "/", headers={})).sessions.create_session(
        user_id=user.user.id, amr=["pwd"], transport="bearer", scopes=["read"], claims={"roles": ["editor"]}
    )
    assert isinstance(narrow, SignedIn)

    subjects = []
    for signed in (user, narrow):
        peer = Peer(made).open(BEARER, signed.access_token)
        await peer.accepted()
        assert peer.socket is not None
        subjects.append(peer.socket.subject)

    whole, part = subjects
    assert whole == Subject(user.user.id, "north", user.session.id)
    assert part == Subject(user.user.id, "north", narrow.session.id, scopes=("read",), roles=("editor",))
    assert whole.key == part.key == f"north:{user.user.id}"
    with suppress(AttributeError):
        part.user_id = "another"  # type: ignore[misc]
    assert part.user_id == user.user.id
