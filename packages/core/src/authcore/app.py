"""The declaration of an application's authentication, and the cores that serve it.

`Auth` does no I/O, so it may stand at module level: no thread, loop, pool or connection is made before the
first request.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterable, Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from authcore import dispatch as way
from authcore.bindings import AsyncioCalls, BlockingCalls
from authcore.configure import Declaration, configure
from authcore.context import DEFAULT_TENANT, AppSettings, Authenticated, Brand, Context, Runtime, Tenant
from authcore.drive import Drive, Hop, run_blocking, run_in_thread
from authcore.errors import AuthError, ConfigurationError, NotAuthenticated
from authcore.feature import Feature
from authcore.http import Request, Result
from authcore.ports import Clock, KeyValue, Limiter, Ports, Randomness
from authcore.route import Requirement, Router
from authcore.services import events, guard, named_guards, sessions, transport
from authcore.services.accounts import User
from authcore.services.named_guards import Guard, Guards, Named, Visit
from authcore.services.user_fields import routes_of

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from authcore.backends.build import Backends
    from authcore.calls import Asyncio, Blocking
    from authcore.guards import GuardCalls, Standing
    from authcore.realtime import UntilEnded
    from authcore.services.access import StoredAccess
    from authcore.services.sessions import Transport

R = TypeVar("R")
T = TypeVar("T")
E = TypeVar("E", bound=events.Event)
_UNASKED: Any = object()  # None says that a look-up found nobody


class Auth:
    """Declare authentication once; mount it in any framework.

    Settings (all keyword-only; every wrong one raises ConfigurationError, saying what to write instead):
    `secret`: text of at least 32 characters, or a list, newest first. `base_url`: the https origin of the site.
    `database`: a URL, a SQLAlchemy Engine or AsyncEngine. `features`: the rooms; sessions and meta are always on.
    `mailer`: an object with `send(mail)`, a callable, or "console"; `sms`: the same for text messages.
    `brand`: a Brand. `languages`: of mails, the first in doubt. `build_link`: a function of (kind, token).
    `guards`: named ones, such as {"web": Guard("session"), "api": Guard("token")}, of which `default_guard` (the first)
    stands where none is named; `providers`: where their users come from. `sign_in_page`: a path of the own site.
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
        guards: Mapping[str, Guard] | None = None,
        default_guard: str | None = None,
        providers: Mapping[str, Any] | None = None,
        default_provider: str = "users",
        sign_in_page: str | None = None,
        limits: bool | Mapping[str, int] = True,
        limiter: Limiter | None = None,
        key_value: str | KeyValue = "sql",
        stream: Any = "auto",
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
        self._access: dict[Drive, Mapping[Transport, StoredAccess]] = {}

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
    def credential_headers(self) -> tuple[str, ...]:
        """Answer the request headers by which somebody is signed in: what a page that depends on that varies by."""
        own = self._declaration.sessions.header
        return ("Cookie", "Authorization", *((own,) if own is not None else ()))

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
        stored = self._stored(drive)
        return self._declaration.runtime(ports, self._listeners, self._wake, stored, self.backends.follower, self)

    def _stored(self, drive: Drive) -> Mapping[Transport, StoredAccess]:
        """Answer the access credentials that live elsewhere than in the ledger of sessions, by transport."""
        from authcore.services.access import KINDS, StoredAccess
        from authcore.services.strategies import is_awaited

        if drive not in self._access:
            settings, backends, app = self._declaration.sessions, self.backends, self.settings
            chosen: dict[Transport, Any] = {"cookie": settings.cookie, "bearer": settings.bearer}
            made = {
                via: backends.credential_store(drive, each, app, settings.access_ttl) for via, each in chosen.items()
            }
            found = {
                via: StoredAccess(store, KINDS[via], app.user, app.keys)
                for via, store in made.items()
                if store is not None
            }
            # A blocking call beside an asyncio application cannot tell a store that is awaited: nodes refuse by tables.
            told = [each for each in found.values() if drive is Drive.ASYNCIO or not is_awaited(each.store)]
            backends.on_ended[drive].extend(each.forget for each in told)
            self._access[drive] = found
        return self._access[drive]

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

    @property
    def guards(self) -> Guards:
        """Answer the named guards."""
        found: Guards = self.runtime.settings[Guards]
        return found

    def failure(self, error: AuthError) -> Result:
        """Answer an AuthError that an application's own handler raised (S118)."""
        return way.failure(error)

    def _plain(self, request: Request, named: Named) -> tuple[Context, transport.Presented | None] | None:
        """Answer what a request carries for a guard; None where a hook, a driver or a provider must be asked first."""
        if not named.plain or self.runtime.app.tenant is not None:
            return None
        ctx = Context(self.runtime, request=request)
        given = None if way.is_foreign(ctx, named) else transport.presented(ctx)
        return ctx, given if given is not None and given.via in named.via else None

    def _judges_at_once(self, needs: Requirement, who: Authenticated | None) -> bool:
        """Tell whether nothing has to be looked up to decide over who was found."""
        return self.runtime.app.tenant is None and (who is not None or needs.csrf)


class BlockingCore(_Core):
    """Serve requests without an event loop."""

    def __init__(self, auth: Auth) -> None:
        super().__init__(auth, Drive.BLOCKING)

    def run(
        self,
        flow: Callable[[Context], Coroutine[Any, Any, R]],
        request: Request | None = None,
        tenant: Tenant | None = None,
    ) -> R:
        """Run a flow on a context of its own: a request's, or a tenant's, which is by default the default one."""
        return run_blocking(_with_context(self.runtime, flow, request, tenant))

    def dispatch(self, request: Request) -> Result:
        """Answer a request below the mount prefix."""
        return run_blocking(way.dispatch(self.runtime, self.auth.router, request))

    def authenticate(self, request: Request, *, guard: str | None = None) -> Authenticated | None:
        """Answer who sends the application's own request by a guard, or None; raise AmbiguousCredentials.

        An unsafe request that another site may have made is nobody's (rule R5).
        """
        return self._look_up(request, self.guards.named(guard))

    def _look_up(self, request: Request, named: Named) -> Authenticated | None:
        plain = self._plain(request, named)
        if plain is None:
            return run_blocking(way.authenticate(self.runtime, request, named))
        ctx, given = plain
        if given is None:
            return None
        stored = ctx.runtime.stored.get(given.via)
        found, who = (False, None) if stored is None else stored.at_once(ctx, given.text)
        return who if found else run_blocking(guard.holder(ctx, given, strict=False))

    def authorize(
        self, request: Request, needs: Requirement, who: Authenticated | None = _UNASKED
    ) -> Authenticated | None:
        """Answer who sends the application's own request, if that is enough; raise AuthError. None is nobody, whom
        `optional=True` lets in.

        `who` is what `authenticate` answered for this very request, so that nothing is looked up twice. Keep what this
        answers in its place: `csrf=False` lets in whom the optional look-up kept back.
        """
        return self.admit(_visit(request, needs, self.guards.default, who), needs)

    def who(self, visit: Visit) -> Authenticated | None:
        """Answer who sends a request by the guard that let it in, else by the default one; looked up once."""
        named = self.guards.named(visit.guard)
        visit.guard = named.name
        return self._known(visit, named)

    def _known(self, visit: Visit, named: Named) -> Authenticated | None:
        if named.name not in visit.known:
            visit.known[named.name] = self._look_up(visit.request, named)
        return visit.known[named.name]

    def admit(self, visit: Visit, needs: Requirement) -> Authenticated | None:
        """Answer who sends a request, as `authorize` does; each guard looks it up once, and who is let in is kept."""
        who, asked = None, self.guards.asked(needs, visit)
        for named in asked:
            who = self._known(visit, named)
            if who is not None:
                break
        else:
            named = _refusing(asked)
        if self._judges_at_once(needs, who):
            who = way.judge(Context(self.runtime, request=visit.request), who, needs, named)
        else:
            named, who = run_blocking(_judge(self.runtime, visit.request, needs, who, named, asked))
        visit.take(named.name, who)
        return who

    def until_ended(self, visit: Visit, stream: Iterable[T], recheck: float = 30.0) -> Iterator[T]:
        """Answer what a stream yields, until the session of who sends the request ends; raise NotAuthenticated.

        It is looked at before each item; the ledger is asked at first, and where `recheck` seconds passed since.
        """
        from authcore.backends.watches import Flag, names_of, while_lives

        who = self.who(visit)
        if who is None:
            raise NotAuthenticated()
        named = self.guards.named(visit.guard)
        tenant = run_blocking(way.tenant_of(self.runtime, visit.request))
        still = partial(_still, self.runtime, visit.request, tenant, named, who.session.id)
        names = names_of(who.session.id, who.user.id, tenant.id)
        return while_lives(
            stream, lambda: Flag(self.auth.backends.watches, names, lambda: run_blocking(still()), recheck)
        )

    def guard(self, visit: Visit, name: str | None = None) -> GuardCalls[Blocking]:
        """Answer a guard as an object, for one request; raise ConfigurationError for one that is not there."""
        from authcore.guards import GuardCalls

        named = self.guards.named(name or visit.guard)
        return GuardCalls(
            self.auth,
            lambda flow: run_blocking(_standing(self, visit, named, flow)),
            lambda tell: run_blocking(tell(self._known(visit, named))),
        )


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

    async def run(
        self,
        flow: Callable[[Context], Coroutine[Any, Any, R]],
        request: Request | None = None,
        tenant: Tenant | None = None,
    ) -> R:
        """Run a flow on a context of its own: a request's, or a tenant's, which is by default the default one."""
        return await self._run(_with_context(self.runtime, flow, request, tenant))

    async def dispatch(self, request: Request) -> Result:
        """Answer a request below the mount prefix."""
        return await self._run(way.dispatch(self.runtime, self.auth.router, request))

    async def authenticate(self, request: Request, *, guard: str | None = None) -> Authenticated | None:
        """Answer who sends the application's own request by a guard, or None; raise AmbiguousCredentials.

        An unsafe request, or a handshake, that another site may have made is nobody's (rule R5). Without a credential
        nothing is awaited; on SQLite the one read runs on the loop, on a connection that never waits.
        """
        return await self._look_up(request, self.guards.named(guard))

    async def _look_up(self, request: Request, named: Named) -> Authenticated | None:
        plain = self._plain(request, named)
        if plain is not None:
            ctx, given = plain
            found, who = (True, None) if given is None else self._at_once(ctx, given)
            if found:
                return who
        return await self._run(way.authenticate(self.runtime, request, named), guards=True)

    def _at_once(self, ctx: Context, given: transport.Presented) -> tuple[bool, Authenticated | None]:
        """Answer what can be told without waiting: (False, None) if nothing can."""
        stored = self.runtime.stored.get(given.via)
        if stored is not None:
            return stored.at_once(ctx, given.text)
        digest = given.digest
        if digest is None:
            return True, None
        inline = None if self._own_hop else self.auth.backends.inline()
        return (False, None) if inline is None else self._inline(ctx, inline, digest)

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
    ) -> Authenticated | None:
        """Answer who sends the application's own request, if that is enough; raise AuthError. None is nobody, whom
        `optional=True` lets in.

        `who` is what `authenticate` answered for this very request, so that nothing is looked up twice. Keep what this
        answers in its place: `csrf=False` lets in whom the optional look-up kept back.
        """
        return await self.admit(_visit(request, needs, self.guards.default, who), needs)

    async def who(self, visit: Visit) -> Authenticated | None:
        """Answer who sends a request by the guard that let it in, else by the default one; looked up once."""
        named = self.guards.named(visit.guard)
        visit.guard = named.name
        return await self._known(visit, named)

    async def _known(self, visit: Visit, named: Named) -> Authenticated | None:
        if named.name not in visit.known:
            visit.known[named.name] = await self._look_up(visit.request, named)
        return visit.known[named.name]

    async def admit(self, visit: Visit, needs: Requirement) -> Authenticated | None:
        """Answer who sends a request, as `authorize` does; each guard looks it up once, and who is let in is kept."""
        who, asked = None, self.guards.asked(needs, visit)
        for named in asked:
            who = await self._known(visit, named)
            if who is not None:
                break
        else:
            named = _refusing(asked)
        if self._judges_at_once(needs, who):
            who = way.judge(Context(self.runtime, request=visit.request), who, needs, named)
        else:
            judged = _judge(self.runtime, visit.request, needs, who, named, asked)
            named, who = await self._run(judged, guards=True)
        visit.take(named.name, who)
        return who

    async def tenant_of(self, request: Request) -> Tenant:
        """Answer whose request this is."""
        if self.runtime.app.tenant is None:
            return DEFAULT_TENANT
        return await self._run(way.tenant_of(self.runtime, request), guards=True)

    async def still(self, request: Request, tenant: Tenant, guard: str | None, session_id: str) -> Authenticated | None:
        """Answer who holds a session that a guard let in by a request, as the ledger has it; None where it ended.

        A session without an id is a guard's driver's, which is asked again.
        """
        named = self.guards.named(guard)
        return await self._run(_still(self.runtime, request, tenant, named, session_id), guards=True)

    def until_ended(self, visit: Visit, stream: AsyncIterable[T] | None = None, recheck: float = 30.0) -> UntilEnded[T]:
        """Answer what a stream yields, until the session of who sends the request ends: `async for`.

        Without a stream it is a block, `async with`: what that awaits is cancelled there, and NotAuthenticated raised.
        """
        from authcore.realtime import UntilEnded

        return UntilEnded(self, visit, stream, recheck)

    def guard(self, visit: Visit, name: str | None = None) -> GuardCalls[Asyncio]:
        """Answer a guard as an object, for one request; raise ConfigurationError for one that is not there."""
        from authcore.guards import GuardCalls

        named = self.guards.named(name or visit.guard)

        async def look(tell: Callable[[Authenticated | None], Coroutine[Any, Any, R]]) -> R:
            return await tell(await self._known(visit, named))

        return GuardCalls(self.auth, lambda flow: self._run(_standing(self, visit, named, flow)), look)


async def _still(
    runtime: Runtime, request: Request, tenant: Tenant, named: Named, session_id: str
) -> Authenticated | None:
    if session_id:
        return await named_guards.by_session(Context(runtime, tenant, request), named, session_id)
    return await named_guards.authenticate(Context(runtime, tenant, request), named)


def _refusing(asked: Sequence[Named]) -> Named:
    """Answer the guard that says what would do: of several one that reads bearer tokens."""
    return next((named for named in asked if "bearer" in named.via), asked[0])


def _visit(request: Request, needs: Requirement, default: Named, who: Authenticated | None) -> Visit:
    visit = Visit(request)
    # Which guard let in whom a caller kept is not told: a named guard looks for itself.
    if who is not _UNASKED and not needs.guards:
        visit.known[default.name] = who
    return visit


async def _with_context(
    runtime: Runtime,
    flow: Callable[[Context], Coroutine[Any, Any, R]],
    request: Request | None,
    tenant: Tenant | None,
) -> R:
    ctx = Context(runtime, tenant or await way.tenant_of(runtime, request), request)
    if request is not None:
        way.check_own(ctx, mints=True)  # the call may sign in or out, as the mounted routes may (rule R5)
        ctx.who = await guard.authenticate(ctx)
    return await flow(ctx)


async def _standing(
    core: BlockingCore | AsyncCore, visit: Visit, named: Named, flow: Callable[[Standing], Coroutine[Any, Any, R]]
) -> R:
    from authcore.guards import Standing

    ctx = Context(core.runtime, await way.tenant_of(core.runtime, visit.request), visit.request)
    way.check_own(ctx, mints=True)  # the call may sign in or out, as the mounted routes may (rule R5)
    return await flow(Standing(core.auth, ctx, named, visit))


async def _judge(
    runtime: Runtime,
    request: Request,
    needs: Requirement,
    who: Authenticated | None,
    named: Named,
    asked: Sequence[Named],
) -> tuple[Named, Authenticated | None]:
    ctx = Context(runtime, await way.tenant_of(runtime, request), request)
    if who is None and not needs.csrf:
        named, who = await _kept_back(ctx, named, asked)
    return named, way.judge(ctx, who, needs, named)


async def _kept_back(ctx: Context, named: Named, asked: Sequence[Named]) -> tuple[Named, Authenticated | None]:
    """Look up whom the optional look-up kept back, since another site may have made the request."""
    for each in asked:
        if way.is_foreign(ctx, each) and (who := await named_guards.authenticate(ctx, each)) is not None:
            return each, who
    return named, None
