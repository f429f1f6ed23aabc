"""A guard as an object, for one request: who asks, and the ways in and out of it (S16, S18, S19)."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Concatenate, ParamSpec, Protocol, TypeVar, overload

from authcore.bindings import calls_of
from authcore.calls import Asyncio, Blocking, Calls, M, Runner, call
from authcore.context import Authenticated, Context
from authcore.decode import is_storable
from authcore.errors import ConfigurationError, InvalidCredentials, InvalidRefreshToken, NotFound, field_error
from authcore.features.password import Password
from authcore.features.password import flow as passwords
from authcore.features.sessions import flow
from authcore.features.sessions.creating import create_session
from authcore.http import Cookie
from authcore.services import cookies, guard, guests, named_guards, sessions, tokens, transport
from authcore.services import sign_in as pipeline
from authcore.services.accounts import User
from authcore.services.challenges import ChallengeView
from authcore.services.named_guards import Named, Visit
from authcore.services.sessions import EndedSession, Issued, Session
from authcore.services.sign_in import ChallengeRequired, Outcome, Remembered
from authcore.values import Value

if TYPE_CHECKING:
    from authcore.app import Auth
    from authcore.features.password_reset.calls import BrokerCalls

P = ParamSpec("P")
R = TypeVar("R")


class Standing(Value, frozen=True):
    """What a guard's calls are made with: the request's context, which guard it is, and whom it knows so far."""

    auth: Any
    ctx: Context
    named: Named
    visit: Visit


class Attempt(Value, frozen=True):
    """What came of a sign-in: true only where somebody is signed in.

    False is either a refusal, and then all is None, or a `challenge` that must be answered first. Tokens are there
    under bearer alone: a cookie's value goes out in `cookies`, which the adapter's `set_cookies` sends.
    """

    hidden: ClassVar = frozenset({"access_token", "refresh_token", "cookies"})
    user: User | None = None
    session: Session | None = None
    access_token: str | None = None
    refresh_token: str | None = None
    expires_in: int | None = None  # seconds
    challenge: ChallengeView | None = None
    remembered: Remembered | None = None
    cookies: tuple[Cookie, ...] = ()

    @property
    def succeeded(self) -> bool:
        """Tell whether somebody is signed in."""
        return self.session is not None

    def __bool__(self) -> bool:
        return self.session is not None


REFUSED = Attempt()


# --- in ---


async def attempt(
    at: Standing,
    email: str | None,
    password: str,
    *,
    username: str | None = None,
    phone: str | None = None,
    remember_token: str | None = None,
    remember_me: bool | None = None,
    device_id: str | None = None,
    device_name: str | None = None,
) -> Attempt:
    """Sign in by a password; false where it is not right, or the guard's provider does not know whose it is, and where
    something more must be proven.

    Who it is stands in `email`, or is named by `username` or `phone` with None in its place. Raises InvalidFields,
    PasswordDisabled, RateLimited, Overloaded, OriginNotAllowed; ConfigurationError without the room Password.
    """
    calls_of(at.auth, Password)
    passwords.enabled(at.ctx)
    via = transport.chosen(at.ctx, _signs_in(at.named), device_id, device_name, remember_me)
    _texts(password, email=email, username=username, phone=phone, remember_token=remember_token)
    try:
        account = await passwords.identified(at.ctx, password, email=email, username=username, phone=phone)
        # Asked before the pipeline, which ends the session of the request and makes room for another one.
        user = await _provided(at, account.user)
        if user is None:
            return REFUSED
        outcome = await pipeline.complete(
            at.ctx,
            account,
            passwords.PASSWORD,
            via=via,
            device_id=device_id,
            device_name=device_name,
            remember_me=remember_me,
            remember_token=remember_token,
            guest=await guests.present(at.ctx),
        )
    except InvalidCredentials:
        return REFUSED
    return _entered(at, user, outcome)


async def login(
    at: Standing,
    user: User | str,
    *,
    amr: Sequence[str] = (),
    scopes: Sequence[str] | None = None,
    claims: Mapping[str, Any] | None = None,
    remember_me: bool | None = None,
    device_id: str | None = None,
    device_name: str | None = None,
) -> Attempt:
    """Sign in a user, or the id of one, whom the application's own code has checked; false where the guard's provider
    does not know them.

    `amr` states what was proven, by the names of RFC 8176, such as ("pwd", "otp"): steps that it covers are not asked
    again, all others are, so that the answer may be a challenge (rule A1). `scopes` and `claims` are the session's,
    without scopes the user's whole power. Raises NotFound for a user who is not there, InvalidCredentials for one who
    is disabled, OriginNotAllowed; ConfigurationError for one whom the provider alone knows, and for what is no user.
    """
    via, user_id, provided = _signs_in(at.named), _id_of(user), None
    if at.named.provider is not None:
        provided = await _account_of(at, user_id)
        if provided is None:
            return REFUSED
    outcome = await create_session(
        at.ctx,
        user_id=user_id,
        amr=amr,
        transport=via,
        device_id=device_id,
        device_name=device_name,
        remember_me=remember_me,
        claims=claims,
        scopes=scopes,
    )
    return _entered(at, provided, outcome)


def _signs_in(named: Named) -> sessions.Transport | None:
    if named.driver is not None:
        raise ConfigurationError(
            f"The guard {named.name!r} signs nobody in: its driver only tells who asks. Use 'session' or 'token'."
        )
    return named.transport


def _id_of(user: object) -> str:
    if not isinstance(user, User | str):
        raise ConfigurationError(f"login(user) takes a User, or a user's id as text: {type(user).__name__} is neither.")
    return user if isinstance(user, str) else user.id


def _texts(password: object, **names: object) -> None:
    """Raise InvalidFields for what is no text: an application hands on what a client sent."""
    given = {name: value for name, value in names.items() if value is not None}
    for name, value in {**given, "password": password}.items():
        if not isinstance(value, str):
            raise field_error(name, "wrong_type", "This field has the wrong type.")


async def _provided(at: Standing, user: User) -> User | None:
    """Answer a user as the guard's provider knows them, or None."""
    if at.named.provider is None:
        return user
    known = at.visit.known.get(at.named.name)
    if known is not None and known.user.id == user.id:
        return known.user
    return await named_guards.holder_of(at.ctx, at.named, user.id)


async def _account_of(at: Standing, user_id: str) -> User | None:
    """Answer the user of an id as the guard's provider knows them, who must have an account for a session to hang on.

    Raises NotFound for an id that nobody knows, ConfigurationError for one that the provider alone knows.
    """
    account = await passwords.known(at.ctx, user_id)
    if account is not None:
        return await _provided(at, account.user)
    if not is_storable(user_id) or await named_guards.user_of(at.ctx, at.named, user_id) is None:
        raise NotFound("There is no such user.")
    raise ConfigurationError(
        f"The guard {at.named.name!r} cannot sign in a user whom its provider {at.named.provider!r} alone knows: a "
        "session is of an account of authcore's. Write create_session(user={'email': …}) first, which makes the "
        "account, keep its id in the provider's row, and let by_id find the row by that id."
    )


def _entered(at: Standing, user: User | None, outcome: Outcome) -> Attempt:
    """Answer what came of a sign-in; who is signed in is the request's user from here on, as `user` or as they are."""
    if isinstance(outcome, ChallengeRequired):
        return Attempt(challenge=outcome.challenge, cookies=outcome.cookies)
    known = user or outcome.user
    _keep(at, known, outcome.session)
    return _signed_in(at, known, outcome.issued, outcome.remembered, outcome.cookies)


def _keep(at: Standing, user: User, session: Session) -> None:
    at.visit.known[at.named.name] = Authenticated(user, session, b"")


def _signed_in(
    at: Standing, user: User, issued: Issued, remembered: Remembered | None, cookies: tuple[Cookie, ...]
) -> Attempt:
    fields = transport.token_fields(issued, at.ctx.now())
    return Attempt(
        user,
        issued.session,
        fields.get("access_token"),
        fields.get("refresh_token"),
        fields.get("expires_in"),
        remembered=remembered,
        cookies=cookies,
    )


# --- on ---


async def refresh(at: Standing, token: str | None = None) -> Attempt:
    """Go on with a session of this guard: another pair for a refresh token, or a slid end for a cookie.

    Raises InvalidRefreshToken (unknown, expired, replaced, revoked, and another guard's are one answer), RateLimited.
    """
    via = _signs_in(at.named)
    # T5: a token that comes where it does not belong would end its family.
    if (via == "bearer" and token is None) or (via == "cookie" and token is not None) or not _is_token(token):
        raise InvalidRefreshToken()
    holders = await _holders(at, token)
    if None in holders.values():
        raise InvalidRefreshToken()
    outcome = await flow.refresh(at.ctx, refresh_token=token)
    session = outcome.session if isinstance(outcome, Issued) else outcome
    entry = await at.ctx.db.read(sessions.ledger, at.ctx.tenant.id, session.id, at.ctx.now(), at.ctx.app.user)
    if entry is None:
        raise InvalidRefreshToken()
    user = entry.who.user if at.named.provider is None else holders.get(entry.who.user.id)
    if user is None:
        raise InvalidRefreshToken()
    _keep(at, user, session)
    if isinstance(outcome, Issued):
        return _signed_in(at, user, outcome, None, transport.session_cookies(at.ctx, outcome))
    return Attempt(user, session)


def _is_token(given: object) -> bool:
    return given is None or isinstance(given, str)


async def _holders(at: Standing, refresh_token: str | None = None) -> dict[str, User | None]:
    """Answer whose live sessions are shown, by id and as the guard's provider knows them; nobody where it has none.

    Guards share the cookie and the token: the session of somebody whom this one does not know is another's to end.
    """
    if at.named.provider is None:
        return {}
    return {user.id: await _provided(at, user) for user in await _shown(at.ctx, refresh_token)}


async def _shown(ctx: Context, refresh_token: str | None) -> list[User]:
    """Answer whose live sessions stand behind what may be ended or go on: the access credential, a refresh token."""
    given = transport.presented(ctx) if refresh_token is None else None
    who = None if given is None else await guard.holder(ctx, given, noting=False)
    text = refresh_token or cookies.read(ctx.app, ctx.request, "refresh")
    digest = tokens.digest(text, "rt") if text else None
    family = await ctx.db.read(sessions.family, ctx.tenant.id, digest) if digest else None
    entry = await ctx.db.read(sessions.ledger, ctx.tenant.id, family, ctx.now(), ctx.app.user) if family else None
    return [each.user for each in (who, entry.who if entry else None) if each is not None]


# --- out ---


async def logout(at: Standing) -> EndedSession | None:
    """End the session that the request carries for this guard; answer it, or None if nobody was signed in here.

    That of somebody whom the guard's provider does not know stays. The adapter's `set_cookies` clears its `cookies`.
    """
    given = transport.presented(at.ctx)
    if at.named.driver is not None or (given is not None and given.via not in at.named.via):
        return None
    if given is None and "cookie" not in at.named.via:
        return None
    if None in (await _holders(at)).values():
        return None
    ended = await flow.sign_out(at.ctx)
    at.visit.known[at.named.name] = None
    return ended


# --- asking ---


async def validate(at: Standing, user: User, plain: str) -> bool:
    """Tell whether this is the user's password, and sign nobody in; counted by the limits as a sign-in is.

    Raises PasswordDisabled, RateLimited, Overloaded, InvalidFields; ConfigurationError without the room Password, and
    for what is no User.
    """
    calls_of(at.auth, Password)
    passwords.enabled(at.ctx)
    if not isinstance(user, User):
        raise ConfigurationError(
            f"validate(user, plain) takes a User, such as user() answers, and not {type(user).__name__}."
        )
    _texts(plain)
    try:
        await passwords.proved(at.ctx, user, plain)
    except InvalidCredentials:
        return False
    return True


async def _user(who: Authenticated | None) -> User | None:
    """Answer who sends the request by this guard, or None; looked up once."""
    return who.user if who else None


async def _session(who: Authenticated | None) -> Session | None:
    """Answer the session of the request by this guard, or None."""
    return who.session if who else None


async def _check(who: Authenticated | None) -> bool:
    """Tell whether somebody sends the request by this guard."""
    return who is not None


async def _guest(who: Authenticated | None) -> bool:
    """Tell whether nobody is signed in by this guard."""
    return who is None


class Look(Protocol):
    """Look up who asks, and run what tells something of that."""

    def __call__(self, tell: Callable[[Authenticated | None], Coroutine[Any, Any, Any]], /) -> Any: ...


class look(call[P, R]):  # noqa: N801 - reads as a keyword where calls are listed
    """A call that only tells who asks: what is known already waits for nothing."""

    def __init__(self, flow: Callable[Concatenate[Authenticated | None, P], Coroutine[Any, Any, R]]) -> None:
        super().__init__(flow)

    def runner(self, obj: Calls[Any]) -> Runner:
        """Answer what runs the flow."""
        found: Runner = obj.look  # type: ignore[attr-defined]
        return found


class GuardCalls(Calls[M]):
    """A guard of one request: `guard("api")`. On an event loop every call is awaited.

    `user()`, `session()`, `check()` and `guest()` tell who asks. `attempt(…)`, `login(…)` and `authenticate(…)` sign
    in, `refresh(…)` goes on and `logout()` ends; `validate(…)` only checks a password. `broker(name)` resets passwords.
    """

    user = look(_user)
    session = look(_session)
    check = look(_check)
    guest = look(_guest)
    attempt = call(attempt)
    login = call(login)
    authenticate = login
    refresh = call(refresh)
    logout = call(logout)
    validate = call(validate)

    def __init__(self, auth: Auth, run: Runner, look: Look) -> None:
        super().__init__(run)
        self._auth, self.look = auth, look

    @overload
    def broker(self: GuardCalls[Blocking], name: str = "users") -> BrokerCalls[Blocking]: ...
    @overload
    def broker(self: GuardCalls[Asyncio], name: str = "users") -> BrokerCalls[Asyncio]: ...
    def broker(self: GuardCalls[Any], name: str = "users") -> Any:
        """Answer the calls of a password broker; raise ConfigurationError without the room PasswordReset."""
        from authcore.features.password_reset import PasswordReset

        run: Any = self._run  # whose flows are handed a Standing
        return calls_of(self._auth, PasswordReset)(lambda flow: run(lambda at: flow(at.ctx))).broker(name)
