"""Named guards of one application: which credential each reads, and whose table its users come from (S17, S20)."""

from __future__ import annotations

from collections.abc import Awaitable, Container, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol, runtime_checkable

import msgspec

from authcore.context import Authenticated, Context
from authcore.decode import is_storable
from authcore.errors import ConfigurationError
from authcore.http import Request
from authcore.route import Requirement
from authcore.services import accounts, guard, sessions, transport
from authcore.services.accounts import User
from authcore.services.sessions import Session, Transport
from authcore.values import Value

DEFAULT, USERS = "default", "users"
"""The one guard of an application that names none, and the provider that is authcore's own table."""
DRIVERS: Mapping[str, Transport] = {"session": "cookie", "token": "bearer"}
_WRITE = "Auth(providers={{{0!r}: …}})"
_NEVER = datetime(1, 1, 1, tzinfo=UTC)


class Identified(Value, frozen=True):
    """Who sends a request, as a driver of the application's own found out.

    `user` is a User, or the id of one whom the guard's provider knows. `amr` are the methods by which it was proven
    (RFC 8176) and `aal` the level that follows (NIST SP 800-63B, 0 to 3). `scopes` None is the user's whole power.
    Without an `auth_time` (aware) it is never fresh.
    """

    user: User | str
    amr: tuple[str, ...] = ()
    aal: int = 1
    scopes: list[str] | None = None
    claims: dict[str, Any] | None = None
    auth_time: datetime | None = None


@runtime_checkable
class GuardDriver(Protocol):
    """Find out who sends a request: by an API key, a header of an earlier system, a client certificate."""

    def authenticate(
        self, request: Request
    ) -> Identified | User | str | Awaitable[Identified | User | str | None] | None:
        """Answer who sends a request, sync or async: an Identified, a User, a user's id, or None for nobody.

        What it raises is the application's own failure, but for an AuthError, which is the answer.
        """
        ...


@runtime_checkable
class UserProvider(Protocol):
    """Where the users of a guard come from: an account of authcore's as the application's own table knows it."""

    def by_id(self, user_id: str) -> User | Awaitable[User | None] | None:
        """Answer the user of an id, under that id, sync or async; None for one who is unknown, or may not come in.

        Sessions carry the ids of authcore's accounts, so a table of one's own keeps them beside its rows; a driver's
        id is whatever the driver answers.
        """
        ...


class Guard(Value, frozen=True):
    """One of `Auth(guards={"web": Guard("session"), "api": Guard("token")})`.

    `driver` is "session" (the cookie), "token" (the bearer token), a GuardDriver, or a function, sync or async, that
    makes one of the Auth; None takes both. `provider` names one of `Auth(providers=…)`, the default one unless it is
    said. `ambient` tells of a driver of one's own that browsers send its credential unasked, as they do cookies: an
    unsafe request is then checked for its origin (rule R5). An API key in a header is not, so write `ambient=False`.
    """

    driver: Any = None
    provider: str | None = None
    ambient: bool = True


class Named(Value, frozen=True):
    """A guard as requests meet it: `via` are the transports that it reads; a `driver` of the application's own reads
    none. `provider` None is authcore's own table. `plain` asks nothing of the application.
    """

    name: str
    via: frozenset[Transport]
    driver: Any
    provider: str | None
    ambient: bool
    plain: bool

    @property
    def transport(self) -> Transport | None:
        """Answer how a session that this guard makes travels; None where the request decides."""
        return next(iter(self.via)) if len(self.via) == 1 else None


class GuardSettings(Value, frozen=True):
    """The guards and providers of an application, validated."""

    named: Mapping[str, Named]
    default: str
    providers: Mapping[str, Any]


def settled(
    guards: object, default: object, providers: object, default_provider: object, offered: str
) -> GuardSettings:
    """Answer the guards of an application; raise ConfigurationError for a wrong one, saying what to write.

    `offered` is what `Sessions(transport=…)` is.
    """
    made = _providers(providers)
    usual = _known("default_provider", default_provider, {USERS, *made}, _WRITE)
    given = {DEFAULT: Guard()} if guards is None else _guards(guards)
    first = next(iter(given)) if default is None else default
    chosen = _known("default_guard", first, given, "Auth(guards={{{0!r}: Guard(…)}})")
    named = {name: _named(name, each, usual, made, offered) for name, each in given.items()}
    return GuardSettings(named, chosen, made)


def _guards(given: object) -> Mapping[str, Guard]:
    found = given if isinstance(given, Mapping) else {}
    if not found or not all(isinstance(each, Guard) and isinstance(name, str) and name for name, each in found.items()):
        raise ConfigurationError("Auth(guards=…) is a mapping of names, such as {'web': Guard('session')}.")
    return found


def _providers(given: object) -> Mapping[str, Any]:
    found = {} if given is None else given
    if not isinstance(found, Mapping) or not all(isinstance(name, str) and name for name in found):
        raise ConfigurationError("Auth(providers=…) is a mapping of names, such as {'staff': StaffTable()}.")
    for name, each in found.items():
        if not callable(each) and not is_made(each, "by_id"):
            raise ConfigurationError(
                f"Auth(providers={{{name!r}: …}}) is an object with by_id(user_id), or a function that makes one."
            )
    return found


def _known(setting: str, name: object, known: Container[str], write: str) -> str:
    if not isinstance(name, str) or name not in known:
        raise ConfigurationError(f"Auth({setting}={name!r}) names nothing: write {write.format(name)}.")
    return name


def _named(name: str, given: Guard, usual: str, providers: Mapping[str, Any], offered: str) -> Named:
    provider = _known(f"guards={{{name!r}: Guard(…)}}, provider", given.provider or usual, {USERS, *providers}, _WRITE)
    own_table = provider not in providers
    via, driver = _driver(name, given.driver)
    if via and offered != "both" and offered not in via:
        raise ConfigurationError(
            f"Auth(guards={{{name!r}: Guard({given.driver!r})}}) would let nobody in: Sessions(transport={offered!r}) "
            "makes no such sessions; write transport='both'."
        )
    if not isinstance(given.ambient, bool):
        raise ConfigurationError(
            f"Auth(guards={{{name!r}: Guard(ambient={given.ambient!r})}}): write ambient=True or ambient=False."
        )
    plain = own_table and driver is None
    return Named(name, via, driver, None if own_table else provider, given.ambient, plain)


def _driver(name: str, given: Any) -> tuple[frozenset[Transport], Any]:
    if given is None:
        return frozenset(DRIVERS.values()), None
    if isinstance(given, str):
        if given not in DRIVERS:
            raise ConfigurationError(
                f"Auth(guards={{{name!r}: Guard({given!r})}}): write 'session', 'token', or a driver of your own."
            )
        return frozenset({DRIVERS[given]}), None
    if not callable(given) and not is_made(given, "authenticate"):
        raise ConfigurationError(
            f"Auth(guards={{{name!r}: Guard(…)}}) takes 'session', 'token', an object with authenticate(request), or "
            "a function that makes one."
        )
    return frozenset(), given


class Visit:
    """One request of the application's own, and who sends it by each guard: looked up once, however often it is asked.

    `guard` is the name of the one that let it in, or was asked for the current user.
    """

    __slots__ = ("guard", "known", "request")

    def __init__(self, request: Request) -> None:
        self.request = request
        self.known: dict[str, Authenticated | None] = {}
        self.guard: str | None = None

    @property
    def asked(self) -> bool:
        """Tell whether it is known already who sends the request."""
        return self.guard in self.known

    @property
    def who(self) -> Authenticated | None:
        """Answer who sends the request, as far as it is known."""
        return None if self.guard is None else self.known.get(self.guard)

    def take(self, name: str, who: Authenticated | None) -> None:
        """Keep who was let in by a guard, who is the current user from here on."""
        self.guard, self.known[name] = name, who


class Guards:
    """The guards of one core, with what the application makes for them, made once."""

    def __init__(self, settings: GuardSettings, auth: object) -> None:
        self._settings, self._auth = settings, auth
        self._made: dict[tuple[str, str], Any] = {}
        self.default = settings.named[settings.default]
        self._unsaid = (self.default,)

    def named(self, name: str | None) -> Named:
        """Answer a guard by its name, the default one for None; raise ConfigurationError for one that is not there."""
        if name is None:
            return self.default
        found = self._settings.named.get(name)
        if found is None:
            names = ", ".join(map(repr, self._settings.named))
            raise ConfigurationError(
                f"There is no guard {name!r}: this application has {names}. Write Auth(guards={{{name!r}: Guard(…)}})."
            )
        return found

    def asked(self, needs: Requirement, visit: Visit) -> tuple[Named, ...]:
        """Answer the guards that a requirement names, else the one that let the request in, else the default one."""
        if needs.guards:
            return tuple(map(self.named, needs.guards))
        return self._unsaid if visit.who is None else (self.named(visit.guard),)

    async def driver(self, ctx: Context, named: Named) -> Any:
        """Answer the application's own driver of a guard, made at its first use."""
        return await self._make(ctx, ("guard", named.name), named.driver, "authenticate", "an object with authenticate")

    async def provider(self, ctx: Context, name: str) -> Any:
        """Answer a provider of the application's own, made at its first use."""
        given = self._settings.providers[name]
        return await self._make(ctx, ("provider", name), given, "by_id", "an object with by_id")

    async def _make(self, ctx: Context, key: tuple[str, str], given: Any, method: str, wanted: str) -> Any:
        made = self._made.get(key)
        if made is None:
            made = given if is_made(given, method) else await ctx.hooks.call(given, self._auth)
            if not is_made(made, method):
                raise ConfigurationError(f"The factory of the {key[0]} {key[1]!r} must answer {wanted}(…).")
            # Two requests that come first at once may both make one; everybody goes on with the same.
            made = self._made.setdefault(key, made)
        return made


def is_made(given: Any, method: str) -> bool:
    """Tell an object with a method from a class, or another function, that makes one."""
    return not isinstance(given, type) and callable(getattr(given, method, None))


async def authenticate(ctx: Context, named: Named) -> Authenticated | None:
    """Answer who asks by a guard, or None; a credential that another guard reads is nobody's here."""
    if named.driver is not None:
        driver = await ctx.settings(Guards).driver(ctx, named)
        return await _identified(ctx, named, await ctx.hooks.call(driver.authenticate, ctx.request))
    given = transport.presented(ctx)
    if given is None or given.via not in named.via:
        return None
    who = await guard.holder(ctx, given, strict=False)
    return who if who is None or named.provider is None else await _with_user(ctx, named, who)


async def _with_user(ctx: Context, named: Named, who: Authenticated) -> Authenticated | None:
    user = await holder_of(ctx, named, who.user.id)
    return None if user is None else msgspec.structs.replace(who, user=user)


async def holder_of(ctx: Context, named: Named, user_id: str) -> User | None:
    """Answer the user of a session as the provider of a guard knows it, or None."""
    user = await user_of(ctx, named, user_id)
    if user is not None and user.id != user_id:
        # T9: what ends a user's sessions, sockets among them, goes by the id of the account.
        raise ConfigurationError(
            f"The provider {named.provider!r} must answer the user of the id that it was asked for: by_id answered "
            "another id. Write User(id=user_id, …), and keep the row's own id in a field of your subclass of User."
        )
    return user


async def by_session(ctx: Context, named: Named, session_id: str) -> Authenticated | None:
    """Answer who holds a session, as the ledger and the guard's provider know it; None where either has none."""
    entry = await ctx.db.read(sessions.ledger, ctx.tenant.id, session_id, ctx.now(), ctx.app.user)
    if entry is None:
        return None
    # The stamp names the secrets of the session: after a step-up it is another one.
    who = msgspec.structs.replace(entry.who, credential=entry.stamp.encode())
    return who if named.provider is None else await _with_user(ctx, named, who)


async def user_of(ctx: Context, named: Named, user_id: str) -> User | None:
    """Answer a user as the provider of a guard knows it, or None."""
    if named.provider is None:
        if not is_storable(user_id):
            return None
        account = await ctx.db.read(accounts.by_id, ctx.tenant.id, user_id, ctx.app.user)
        return None if account is None or account.disabled else account.user
    provider = await ctx.settings(Guards).provider(ctx, named.provider)
    user = await ctx.hooks.call(provider.by_id, user_id)
    if user is not None and not isinstance(user, User):
        raise ConfigurationError(
            f"The provider {named.provider!r} must answer a User, or None: by_id answered {type(user).__name__}."
        )
    return user


async def _identified(ctx: Context, named: Named, answer: object) -> Authenticated | None:
    found = Identified(answer) if isinstance(answer, User | str) else answer
    if found is None:
        return None
    if not isinstance(found, Identified):
        raise ConfigurationError(
            f"The driver of the guard {named.name!r} must answer an Identified, a User, a user's id, or None: "
            f"authenticate answered {type(answer).__name__}."
        )
    user = found.user if isinstance(found.user, User) else await user_of(ctx, named, found.user)
    return None if user is None else Authenticated(user, _session(ctx, found), b"")


def _session(ctx: Context, found: Identified) -> Session:
    """Answer a session for the length of one request: nothing of it is stored, so it has no id."""
    now = ctx.now()
    return Session(
        id="",
        created_at=now,
        expires_at=now,
        last_seen_at=now,
        current=True,
        transport="bearer",
        aal=found.aal,
        amr=list(found.amr),
        auth_time=found.auth_time or _NEVER,
        scopes=found.scopes,
        claims=found.claims,
    )
