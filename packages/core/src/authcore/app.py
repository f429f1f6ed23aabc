"""The declaration of an application's authentication, and the cores that serve it.

`Auth` does no I/O, so it may stand at module level: no thread, loop, pool or connection is made before the
first request.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from authcore import dispatch as way
from authcore.bindings import AsyncioCalls, BlockingCalls
from authcore.configure import Declaration, configure
from authcore.context import AppSettings, Authenticated, Brand, Context, Runtime
from authcore.drive import Drive, Hop, run_blocking, run_in_thread
from authcore.durations import duration
from authcore.errors import AuthError, ConfigurationError
from authcore.feature import Feature
from authcore.http import Request, Result
from authcore.ports import Clock, KeyValue, Limiter, Ports, Randomness
from authcore.route import Requirement, Router
from authcore.services import events, guard, sessions, transport
from authcore.services.accounts import User
from authcore.services.user_fields import routes_of

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from authcore.backends.build import Backends

R = TypeVar("R")
E = TypeVar("E", bound=events.Event)
_UNASKED: Any = object()  # None says that a look-up found nobody


class Auth:
    """Declare authentication once; mount it in any framework.

    Settings (all keyword-only; every wrong one raises ConfigurationError, saying what to write instead):
    `secret`: text of at least 32 characters, or a list, newest first. `base_url`: the https origin of the site.
    `database`: a URL, a SQLAlchemy Engine or AsyncEngine. `features`: the rooms; sessions and meta are always on.
    `mailer`: an object with `send(mail)`, a callable, or "console"; `sms`: the same for text messages.
    `brand`: a Brand. `languages`: of mails, the first in doubt. `build_link`: a function of (kind, token).
    `dev_mode`: a kept secret, mails on the console, loopback only.
    """

    def __init__(
        self,
        *,
        database: Any = None,
        features: Iterable[Feature] = (),
        secret: str | Sequence[str] | None = None,
        base_url: str | None = None,
        prefix: str = "/auth",
        product: str | None = None,
        mailer: Any = None,
        mail_from: str | None = None,
        mail_templates: str | None = None,
        mail_catalogues: str | None = None,
        brand: Brand | None = None,
        languages: Sequence[str] | None = None,
        build_link: Callable[[str, str], str] | None = None,
        sms: Any = None,
        dev_mode: bool = False,
        dev_hosts: Sequence[str] = (),
        dev_secrets_in_answers: bool = False,
        trusted_origins: Sequence[str] = (),
        trusted_proxies: Sequence[str] = (),
        tenant: Callable[[Request], Any] | None = None,
        user: type[User] = User,
        sign_up: str | Callable[..., Any] = "open",
        cookie_name: str = "authcore",
        cookie_domain: str | None = None,
        limits: bool | Mapping[str, int] = True,
        limiter: Limiter | None = None,
        key_value: str | KeyValue = "sql",
        hashing: Any = None,
        pepper: str | Sequence[str] | None = None,
        async_drive: str = "threads",
        outbox: str = "thread",
        clock: Clock | None = None,
        random: Randomness | None = None,
    ) -> None:
        settings = {name: value for name, value in locals().items() if name != "self"}
        self._declaration: Declaration = configure(**settings)
        self._listeners = events.Listeners()
        self._cores: dict[Any, Any] = {}

    def __repr__(self) -> str:
        return f"Auth(features={[feature.name for feature in self.features]!r})"

    @property
    def prefix(self) -> str:
        """Answer the path below which the routes are mounted, such as "/auth"."""
        return self._declaration.app.prefix

    @property
    def settings(self) -> AppSettings:
        """Answer what the whole application shares, validated."""
        return self._declaration.app

    @property
    def features(self) -> tuple[Feature, ...]:
        """Answer the enabled rooms."""
        return self._declaration.features

    @cached_property
    def router(self) -> Router:
        """Answer every route of the enabled rooms."""
        return Router(tuple(routes_of(self.settings, self.features)))

    @cached_property
    def backends(self) -> Backends:
        """Answer the implementations of the ports, made lazily inside."""
        from authcore.backends.build import Backends

        return Backends(self._declaration.plan())

    @cached_property
    def outbox(self) -> Any:
        """Answer the sender of what waits in the outbox: `.drain()` sends what is due, and says how many."""
        from authcore.backends.sender import Outbox

        return Outbox(self)

    @property
    def sms(self) -> Any:
        """Answer what hands text messages over, or None."""
        return self._declaration.sms

    @property
    def mailer(self) -> Any:
        """Answer what hands mails over."""
        return self._declaration.mailer

    @cached_property
    def openapi(self) -> dict[str, Any]:
        """Answer the OpenAPI 3.1 document of the enabled rooms."""
        from authcore.openapi import document

        return document(self)

    @cached_property
    def blocking(self) -> BlockingCalls:
        """Answer every flow as a Python call that blocks."""
        return BlockingCalls(self)

    @cached_property
    def asyncio(self) -> AsyncioCalls:
        """Answer every flow as a Python call to await."""
        return AsyncioCalls(self)

    @overload
    def on(self, event: type[E], listener: Callable[[E], Any]) -> None: ...
    @overload
    def on(
        self, event: type[E], listener: Callable[[Connection, E], None], *, in_transaction: Literal[True]
    ) -> None: ...
    def on(self, event: type[Any], listener: Callable[..., Any], *, in_transaction: bool = False) -> None:
        """Call `listener` (sync or async) with each event of a type, after its commit.

        `in_transaction=True` calls a synchronous function of (connection, event) inside the transaction that decides:
        what it raises rolls the action back. It may be called again for the same event, so it does nothing outside.
        """
        self.events.on(event, listener, in_transaction=in_transaction)  # type: ignore[call-overload]

    @cached_property
    def events(self) -> EventDispatcher:
        """Answer where events are listened to, and told by an application's own code."""
        return EventDispatcher(self, self._listeners)

    def create_tables(self) -> None:
        """Make missing tables, on a connection of its own that is closed after."""
        self.backends.create_tables()

    def dispose(self) -> None:
        """Close every connection and thread that this process made for it."""
        if "outbox" in self.__dict__:
            self.outbox.stop()
        if "backends" in self.__dict__:
            self.backends.dispose()

    def runtime(self, drive: Drive) -> Runtime:
        """Bind the declaration to the ports of a drive."""
        ports: Ports = self.backends.ports(drive)
        # The lists themselves: a listener that is added while a core serves is heard by it.
        return self._declaration.runtime(ports, self._listeners, self._wake)

    def _wake(self) -> None:
        if self._declaration.outbox == "thread":
            self.outbox.wake()

    def blocking_core(self) -> BlockingCore:
        """Answer the core for frameworks without an event loop, made once."""
        return self._core(BlockingCore)

    def async_core(self, hop: Hop | None = None) -> AsyncCore:
        """Answer the core for frameworks on an event loop, made once for each `hop`.

        `hop` runs a function in a worker thread where a framework insists on a thread of its own.
        """
        drive = Drive.ASYNCIO if hop is None and self._declaration.async_drive == "asyncio" else Drive.THREADS
        key = (AsyncCore, hop)
        if key not in self._cores:
            self._cores[key] = AsyncCore(self, drive, hop)
        core: AsyncCore = self._cores[key]
        return core

    def _core(self, kind: type[R]) -> R:
        if kind not in self._cores:
            self._cores[kind] = kind(self)  # type: ignore[call-arg]
        core: R = self._cores[kind]
        return core


class EventDispatcher:
    """Listen to events, and tell of those that happen in an application's own code (S119)."""

    def __init__(self, auth: Auth, listeners: events.Listeners) -> None:
        self._auth, self._listeners = auth, listeners

    @overload
    def on(self, event: type[E], listener: Callable[[E], Any]) -> None: ...
    @overload
    def on(
        self, event: type[E], listener: Callable[[Connection, E], None], *, in_transaction: Literal[True]
    ) -> None: ...
    def on(self, event: type[Any], listener: Callable[..., Any], *, in_transaction: bool = False) -> None:
        """Call a function with each event of a type, as `Auth.on` does."""
        if event not in events.EVENTS:
            names = ", ".join(kind.__name__ for kind in events.EVENTS)
            raise ConfigurationError(f"{event!r} is no event of authcore: listen to one of {names}.")
        self._add(event, listener, in_transaction)

    @overload
    def on_every(self, listener: Callable[[events.Event], Any]) -> None: ...
    @overload
    def on_every(
        self, listener: Callable[[Connection, events.Event], None], *, in_transaction: Literal[True]
    ) -> None: ...
    def on_every(self, listener: Callable[..., Any], *, in_transaction: bool = False) -> None:
        """Call a function with every event of every type, as `Auth.on` does with those of one."""
        self._add(events.Event, listener, in_transaction)

    def dispatch(self, event: events.Event) -> None:
        """Tell of an event as the rooms do, blocking; `await auth.asyncio.events.dispatch(event)` is for event loops.

        Raises TypeError for what is no event, and what a listener `in_transaction` raises.
        """
        self._auth.blocking.events.dispatch(event)

    def _add(self, event: type[events.Event], listener: Any, in_transaction: bool) -> None:
        if not callable(listener):
            raise ConfigurationError(f"Auth.on({event.__name__}, …) takes a function of the event.")
        if in_transaction and inspect.iscoroutinefunction(listener):
            raise ConfigurationError(
                f"Auth.on({event.__name__}, …, in_transaction=True) takes a synchronous function of (connection, "
                "event): nothing can be awaited inside a transaction."
            )
        _check_arguments(event, listener, ("connection", "event") if in_transaction else ("event",))
        self._listeners.add(event, listener, in_transaction=in_transaction)


def _check_arguments(event: type[events.Event], listener: Any, names: tuple[str, ...]) -> None:
    # Inside a transaction a wrong call would roll back every action that the event tells of.
    try:
        signature = inspect.signature(listener)
    except (TypeError, ValueError):  # of what is written in C
        return
    try:
        signature.bind(*names)
    except TypeError as error:
        raise ConfigurationError(
            f"Auth.on({event.__name__}, …): the listener cannot be called with {' and '.join(names)} ({error}): "
            f"write a function such as listener({', '.join(names)})."
        ) from None


class _Core:
    """What both cores share: failures, cookies and the start of background work."""

    def __init__(self, auth: Auth, drive: Drive) -> None:
        self.auth = auth
        self._drive = drive
        self._made: Runtime | None = None

    @property
    def runtime(self) -> Runtime:
        """Answer the declaration bound to ports, at the first request."""
        if self._made is None:
            self._made = self.auth.runtime(self._drive)
            # What an earlier process left in the outbox goes out as soon as this one serves.
            self._made.wake_sender()
        return self._made

    def failure(self, error: AuthError) -> Result:
        """Answer an AuthError that an application's own handler raised (S118)."""
        return way.failure(error)


class BlockingCore(_Core):
    """Serve requests without an event loop."""

    def __init__(self, auth: Auth) -> None:
        super().__init__(auth, Drive.BLOCKING)

    def run(self, flow: Callable[[Context], Coroutine[Any, Any, R]], request: Request | None = None) -> R:
        """Run a flow on a context of its own."""
        return run_blocking(_with_context(self.runtime, flow, request))

    def dispatch(self, request: Request) -> Result:
        """Answer a request below the mount prefix."""
        return run_blocking(way.dispatch(self.runtime, self.auth.router, request))

    def authenticate(self, request: Request) -> Authenticated | None:
        """Answer who sends the application's own request, or None; raise AmbiguousCredentials.

        An unsafe request that another site may have made is nobody's (rule R5).
        """
        return run_blocking(way.authenticate(self.runtime, request))

    def authorize(self, request: Request, needs: Requirement, who: Authenticated | None = _UNASKED) -> Authenticated:
        """Answer who sends the application's own request, if that is enough; raise AuthError.

        `who` is what `authenticate` answered for this very request, so that nothing is looked up twice. Keep what this
        answers in its place: `csrf=False` lets in whom the optional look-up kept back.
        """
        if who is _UNASKED:
            return run_blocking(way.authorize(self.runtime, request, needs))
        return run_blocking(_judge(self.runtime, request, needs, who))


class AsyncCore(_Core):
    """Serve requests on an event loop, by a hop to a thread or by native awaits."""

    def __init__(self, auth: Auth, drive: Drive, hop: Hop | None) -> None:
        super().__init__(auth, drive)
        self._own_hop = hop

    async def _run(self, coro: Coroutine[Any, Any, R], *, guards: bool = False) -> R:
        if self._drive is Drive.ASYNCIO:
            return await coro
        backends = self.auth.backends
        hop = self._own_hop or (backends.guard_hop if guards else backends.flow_hop)
        return await run_in_thread(coro, hop)

    async def run(self, flow: Callable[[Context], Coroutine[Any, Any, R]], request: Request | None = None) -> R:
        """Run a flow on a context of its own."""
        return await self._run(_with_context(self.runtime, flow, request))

    async def dispatch(self, request: Request) -> Result:
        """Answer a request below the mount prefix."""
        return await self._run(way.dispatch(self.runtime, self.auth.router, request))

    async def authenticate(self, request: Request) -> Authenticated | None:
        """Answer who sends the application's own request, or None; raise AmbiguousCredentials.

        An unsafe request, or a handshake, that another site may have made is nobody's (rule R5). Without a credential
        nothing is awaited; on SQLite the one read runs on the loop, on a connection that never waits.
        """
        runtime = self.runtime
        if runtime.app.tenant is None:
            ctx = Context(runtime, request=request)
            digest = None if way.is_foreign(ctx) else transport.credential_digest(ctx)
            if digest is None:
                return None
            inline = None if self._own_hop else self.auth.backends.inline()
            if inline is not None:
                found, who = self._inline(ctx, inline, digest)
                if found:
                    return who
        return await self._run(way.authenticate(runtime, request), guards=True)

    def _inline(self, ctx: Context, inline: Any, digest: bytes) -> tuple[bool, Authenticated | None]:
        from authcore.backends.inline import WouldBlock

        now = ctx.now()
        try:
            who = inline.read(sessions.lookup, ctx.tenant.id, digest, now, ctx.app.user)
        except WouldBlock:
            return False, None
        # Noting the session's use is a write, which has no place on the loop.
        return who is None or not guard.stale(ctx, who, now), who

    async def authorize(
        self, request: Request, needs: Requirement, who: Authenticated | None = _UNASKED
    ) -> Authenticated:
        """Answer who sends the application's own request, if that is enough; raise AuthError.

        `who` is what `authenticate` answered for this very request, so that nothing is looked up twice. Keep what this
        answers in its place: `csrf=False` lets in whom the optional look-up kept back.
        """
        if who is _UNASKED:
            who = await self.authenticate(request)
        ctx = Context(self.runtime, request=request)
        if self.runtime.app.tenant is None and not _kept_back(ctx, who, needs):
            return way.judge(ctx, who, needs)
        return await self._run(_judge(self.runtime, request, needs, who), guards=True)


async def _with_context(
    runtime: Runtime, flow: Callable[[Context], Coroutine[Any, Any, R]], request: Request | None
) -> R:
    ctx = Context(runtime, await way.tenant_of(runtime, request), request)
    if request is not None:
        way.check_own(ctx, mints=True)  # the call may sign in or out, as the mounted routes may (rule R5)
        ctx.who = await guard.authenticate(ctx)
    return await flow(ctx)


async def _judge(runtime: Runtime, request: Request, needs: Requirement, who: Authenticated | None) -> Authenticated:
    ctx = Context(runtime, await way.tenant_of(runtime, request), request)
    if _kept_back(ctx, who, needs):
        who = await guard.authenticate(ctx)
    return way.judge(ctx, who, needs)


def _kept_back(ctx: Context, who: Authenticated | None, needs: Requirement) -> bool:
    return who is None and not needs.csrf and way.is_foreign(ctx)


def requirement(
    *,
    verified: bool = False,
    mfa: bool = False,
    fresh: timedelta | str | None = None,
    anonymous: bool = False,
    csrf: bool = True,
    redirect: str | None = None,
) -> Requirement:
    """Answer what `require(...)` asks, in every framework: `fresh` is a `timedelta` or text such as "5m".

    `anonymous=True` lets users without an account in, who are refused elsewhere; they can prove nothing, so it stands
    beside none of `verified`, `mfa` and `fresh`.

    `redirect` is a path of the own site, such as "/verify": a browser that asks for a page by GET is sent there (303)
    where any other client is refused. Raises ConfigurationError for what is no such thing, saying what to write.
    """
    for name, value in (("verified", verified), ("mfa", mfa), ("anonymous", anonymous), ("csrf", csrf)):
        if not isinstance(value, bool):
            raise ConfigurationError(f"require({name}={value!r}): write {name}=True or {name}=False.")
    limit = None if fresh is None else duration(fresh)
    if limit is not None and limit <= timedelta(0):
        raise ConfigurationError(f"require(fresh={fresh!r}): write a time above nothing, such as fresh='5m'.")
    if anonymous and (verified or mfa or limit is not None):
        raise ConfigurationError(
            "require(anonymous=True, …): who has no account has proven nothing, "
            "so leave out verified, mfa and fresh, or anonymous."
        )
    own = _own_path(redirect)
    return Requirement(verified=verified, mfa=mfa, fresh=limit, anonymous=anonymous, csrf=csrf, redirect=own)


def _own_path(given: object) -> str | None:
    if given is None:
        return None
    # Rule R8: browsers read "//evil" and "/\\evil" as another site's address.
    if not (isinstance(given, str) and given.isascii() and given.isprintable()) or set(given) & set(' \\"<>#'):
        raise _no_own_path(given)
    if not given.startswith("/") or given.startswith("//"):
        raise _no_own_path(given)
    return given


def _no_own_path(given: object) -> ConfigurationError:
    return ConfigurationError(
        f"require(redirect={given!r}): write a path of the own site, such as redirect='/verify', without its host."
    )
