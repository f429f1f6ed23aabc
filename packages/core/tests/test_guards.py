"""Several guards on one application: their credentials, drivers and providers, and a guard as an object."""

from __future__ import annotations

import inspect
import pickle
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from authcore import (
    Auth,
    AuthError,
    ConfigurationError,
    Guard,
    Identified,
    Password,
    PasswordReset,
    Request,
    Sessions,
    SignedIn,
    Tenant,
    User,
    Visit,
    requirement,
)
from authcore.errors import (
    InsufficientScope,
    InvalidFields,
    InvalidRefreshToken,
    NotAuthenticated,
    NotFound,
    OriginNotAllowed,
    RateLimited,
    ReauthenticationRequired,
)
from authcore.features.email_code import EmailCode
from authcore.features.password_reset.schemas import PasswordResetStatus
from authcore.guards import REFUSED
from authcore.services import accounts
from authcore.testing.ports import FrozenClock

EMAIL, PASSWORD = "ada@example.com", "three quiet herons wade"
HERE, EVIL = "http://127.0.0.1:8000", "https://evil.example"
NAMED = {"web": Guard("session"), "api": Guard("token")}
MakeAuth = Callable[..., Auth]


class Desk:
    """One core of an Auth, asked in the same words whether its answers have to be awaited."""

    def __init__(self, made: Auth, kind: str) -> None:
        self.core: Any = made.blocking_core() if kind == "blocking" else made.async_core()

    async def look(self, request: Request, guard: str | None = None) -> Any:
        """Answer who asks."""
        return await told(self.core.authenticate(request, guard=guard))

    async def admit(self, visit: Visit, **needs: Any) -> Any:
        """Answer who is let in."""
        return await told(self.core.admit(visit, requirement(**needs)))

    async def refused(self, request: Request, **needs: Any) -> AuthError:
        """Answer the refusal."""
        with pytest.raises(AuthError) as raised:
            await self.admit(Visit(request), **needs)
        return raised.value


async def told(answer: Any) -> Any:
    """Answer what was answered, or will be."""
    return await answer if inspect.isawaitable(answer) else answer


@pytest.fixture(params=["blocking", "threads"])
def desk(request: pytest.FixtureRequest) -> Callable[[Auth], Desk]:
    """Make the desk of an Auth, under each drive that needs no server."""
    return lambda made: Desk(made, request.param)


def from_browser(token: str | None = None, method: str = "GET", origin: str | None = HERE) -> Request:
    """Make a browser's request."""
    cookie = {"cookie": f"authcore_session={token}"} if token else {}
    return Request(method, "/own", headers=cookie | ({"origin": origin} if origin else {}))


def from_program(token: str | None = None, method: str = "GET", **headers: str) -> Request:
    """Make a program's request."""
    bearer = {"authorization": f"Bearer {token}"} if token else {}
    return Request(method, "/own", headers=headers | bearer, peer="203.0.113.7")


def a_user(id_: str = "staff-7", email: str = "grace@example.com") -> User:
    """Make a user of another table."""
    now = FrozenClock().now()
    return User(
        id=id_, email=email, email_verified=True, display_name=None, anonymous=False, created_at=now, updated_at=now
    )


def signed_up(made: Auth, transport: str = "bearer", email: str = EMAIL) -> SignedIn:
    """Sign somebody up."""
    outcome = made.blocking.password.sign_up(email=email, password=PASSWORD, transport=transport)
    assert isinstance(outcome, SignedIn)
    return outcome


def unproven() -> Password:
    """Answer passwords that make a session at sign-up."""
    return Password(require_code=False)


# --- which credential ---


async def test_a_guard_reads_its_own_transport(auth: MakeAuth, desk: Callable[[Auth], Desk]) -> None:
    """S17: "session" reads the cookie and "token" the bearer token; the default guard is the first."""
    made = auth(unproven(), guards=NAMED)
    cookie, bearer = signed_up(made, "cookie"), made.blocking.password.sign_in(email=EMAIL, password=PASSWORD)
    browser, program, at = from_browser(cookie.access_token), from_program(bearer.access_token), desk(made)

    web = [await at.look(request, "web") for request in (browser, program)]
    api = [await at.look(request, "api") for request in (browser, program)]
    usual = [await at.look(request) for request in (browser, program)]

    assert [who is not None for who in (*web, *api, *usual)] == [True, False, False, True, True, False]


async def test_the_default_guard_is_a_setting(auth: MakeAuth, desk: Callable[[Auth], Desk]) -> None:
    """S17: `default_guard` stands where none is named."""
    made = auth(unproven(), guards=NAMED, default_guard="api")
    program = from_program(signed_up(made).access_token)

    assert await desk(made).look(program) is not None


async def test_without_named_guards_one_reads_both(auth: MakeAuth, desk: Callable[[Auth], Desk]) -> None:
    """S17: an application that names no guard has one that reads both, and knows no other."""
    made = auth(unproven())
    cookie, bearer = signed_up(made, "cookie"), made.blocking.password.sign_in(email=EMAIL, password=PASSWORD)
    at = desk(made)

    assert await at.look(from_browser(cookie.access_token)) is not None
    assert await at.look(from_program(bearer.access_token)) is not None
    with pytest.raises(ConfigurationError, match=r"There is no guard 'api': this application has 'default'\."):
        await at.look(from_browser(), "api")


async def test_several_guards_of_one_route(auth: MakeAuth, desk: Callable[[Auth], Desk]) -> None:
    """S17: of the guards that a route names the first that knows who asks decides, and is the current one."""
    made = auth(unproven(), guards=NAMED)
    visit = Visit(from_program(signed_up(made).access_token))

    who = await desk(made).admit(visit, guard=["web", "api"])

    assert (who.user.email, visit.guard, visit.who) == (EMAIL, "api", who)


async def test_needs_on_top_of_each_other(auth: MakeAuth, desk: Callable[[Auth], Desk]) -> None:
    """S17: a need without a guard is about who was let in before; another named guard looks for itself."""
    made = auth(unproven(), guards=NAMED)
    request = from_program(signed_up(made).access_token)
    at, visit = desk(made), Visit(request)

    let_in = await at.admit(visit, guard="api")
    again = await at.admit(visit)
    with pytest.raises(NotAuthenticated):
        await at.admit(visit, guard="web")
    with pytest.raises(NotAuthenticated):
        await told(at.core.authorize(request, requirement(guard="web"), let_in))

    assert again == let_in


async def test_who_is_let_in_as_nobody_may_be_somebody_elsewhere(auth: MakeAuth, desk: Callable[[Auth], Desk]) -> None:
    """S17: an optional guard that knew nobody leaves the default one to a need without a name."""
    made = auth(unproven(), guards=NAMED)
    at, visit = desk(made), Visit(from_browser(signed_up(made, "cookie").access_token))

    nobody, somebody = await at.admit(visit, guard="api", optional=True), await at.admit(visit)

    assert nobody is None
    assert somebody.user.email == EMAIL


async def test_several_guards_refuse_as_the_one_that_reads_tokens(auth: MakeAuth, desk: Callable[[Auth], Desk]) -> None:
    """RFC 6750 3.1: where one of the named guards reads bearer tokens, a dead one is told to be invalid."""
    at = desk(auth(unproven(), guards=NAMED))

    error = await at.refused(from_program("ac1_at_nonsense"), guard=["api", "web"])

    assert error.headers == (("WWW-Authenticate", 'Bearer error="invalid_token"'),)


async def test_a_guard_that_is_not_there(auth: MakeAuth, desk: Callable[[Auth], Desk]) -> None:
    """S17: a misspelt guard is the application's mistake, said with the names that exist, and lets nobody in."""
    at = desk(auth(unproven(), guards=NAMED))

    with pytest.raises(ConfigurationError, match=r"There is no guard 'app': this application has 'web', 'api'\."):
        await at.admit(Visit(from_browser()), guard="app")


@pytest.mark.parametrize("transport", ["cookie", "bearer"])
def test_a_guard_that_could_let_nobody_in(auth: MakeAuth, transport: Any) -> None:
    """O1: a guard of a transport that sessions do not have refuses to start."""
    with pytest.raises(ConfigurationError, match="would let nobody in"):
        auth(unproven(), Sessions(transport=transport), guards=NAMED)


# --- drivers of the application's own ---


class ApiKeys:
    """Know a program by the key in a header of its own."""

    def __init__(self, keys: dict[str, Any]) -> None:
        self.keys, self.asked = keys, 0

    def authenticate(self, request: Request) -> Any:
        """Answer whose key it is."""
        self.asked += 1
        return self.keys.get(request.headers.get("x-api-key", ""))


class WaitingKeys(ApiKeys):
    """The same, to be awaited."""

    async def authenticate(self, request: Request) -> Any:  # type: ignore[override]
        """Answer whose key it is."""
        return super().authenticate(request)


def keyed(auth: MakeAuth, driver: Any, **settings: Any) -> Auth:
    """Declare an application whose guard "keys" has a driver of its own."""
    return auth(unproven(), guards={"web": Guard("session"), "keys": Guard(driver, ambient=False)}, **settings)


@pytest.mark.parametrize("kind", [ApiKeys, WaitingKeys])
async def test_a_driver_answers_who_asks(
    auth: MakeAuth, desk: Callable[[Auth], Desk], kind: Callable[[dict[str, Any]], ApiKeys]
) -> None:
    """S17, S20: a driver answers a User, an id, or what was proven besides; nobody is None, and so is an unknown id."""
    keys: dict[str, Any] = {"of-a-user": a_user(), "unknown": "nobody", "nul": "a\0b"}
    made = keyed(auth, kind(keys))
    keys["of-an-id"] = signed_up(made).user.id
    keys["narrow"] = Identified(a_user(), amr=("swk",), scopes=["read"], claims={"plan": "free"})
    at = desk(made)

    async def whose(key: str) -> Any:
        return await at.look(from_program(**{"x-api-key": key}), "keys")

    assert (await whose("of-a-user")).user.email == "grace@example.com"
    assert (await whose("of-an-id")).user.email == EMAIL
    narrow = (await whose("narrow")).session
    assert (narrow.id, narrow.amr, narrow.scopes, narrow.claims) == ("", ["swk"], ["read"], {"plan": "free"})
    assert [await whose(key) for key in ("unknown", "nul", "no such key")] == [None, None, None]


async def test_a_drivers_user_meets_needs_like_any_other(auth: MakeAuth, desk: Callable[[Auth], Desk]) -> None:
    """S17: scopes, level and freshness of what a driver answered are judged; without `auth_time` nothing is fresh."""
    clock = FrozenClock()
    fresh = Identified(a_user(), aal=2, scopes=["read"], auth_time=clock.now())
    made = keyed(auth, ApiKeys({"plain": a_user(), "fresh": fresh}), clock=clock)
    at = desk(made)
    plain, proven = (from_program(**{"x-api-key": key}) for key in ("plain", "fresh"))

    stale = await at.refused(plain, guard="keys", fresh="5m")
    lacking = await at.refused(proven, guard="keys", scopes=["read", "write"])
    who = await at.admit(Visit(proven), guard="keys", fresh="5m", mfa=True, scopes="read", verified=True)

    assert isinstance(stale, ReauthenticationRequired)
    assert isinstance(lacking, InsufficientScope)
    assert who.user.id == "staff-7"


async def test_a_disabled_user_has_no_key(auth: MakeAuth, desk: Callable[[Auth], Desk]) -> None:
    """T9: an id of a disabled account is nobody's, whatever a driver says."""
    keys: dict[str, Any] = {}
    made = keyed(auth, ApiKeys(keys))
    keys["k"] = signed_up(made).user.id
    request = from_program(**{"x-api-key": "k"})
    assert await desk(made).look(request, "keys") is not None
    made.blocking.administration.disable(user_id=keys["k"])

    assert await desk(made).look(request, "keys") is None


@pytest.mark.parametrize("how", ["class", "function", "coroutine"])
async def test_a_driver_is_made_once_of_the_auth(auth: MakeAuth, desk: Callable[[Auth], Desk], how: str) -> None:
    """S17, S20: a factory, sync or async, or a class, is handed the Auth at the first use and called once."""
    made_of: list[Any] = []

    class Made(ApiKeys):
        def __init__(self, given: Auth) -> None:
            super().__init__({"k": a_user()})
            made_of.append(given)

    async def waiting(given: Auth) -> Made:
        return Made(given)

    made = keyed(auth, {"class": Made, "function": lambda given: Made(given), "coroutine": waiting}[how])
    at, request = desk(made), from_program(**{"x-api-key": "k"})
    assert made_of == []

    answers = [await at.look(request, "keys") for _ in range(3)]

    assert [who.user.id for who in answers] == ["staff-7"] * 3
    assert made_of == [made]


async def test_a_factory_that_makes_no_driver(auth: MakeAuth, desk: Callable[[Auth], Desk]) -> None:
    """S20: what is no driver is said to be none, with what it must be."""
    at = desk(keyed(auth, lambda given: object()))

    with pytest.raises(ConfigurationError, match=r"the guard 'keys' must answer an object with authenticate"):
        await at.look(from_program(), "keys")


async def test_a_driver_that_answers_something_else(auth: MakeAuth, desk: Callable[[Auth], Desk]) -> None:
    """S20: True is nobody: the application is told what to answer."""
    at = desk(keyed(auth, ApiKeys({"": True})))

    with pytest.raises(ConfigurationError, match="must answer an Identified, a User, a user's id, or None"):
        await at.look(from_program(), "keys")


async def test_what_browsers_send_unasked_is_checked_for_its_origin(
    auth: MakeAuth, desk: Callable[[Auth], Desk]
) -> None:
    """R5: an unsafe request to a guard whose driver may read a cookie is nobody's from another site."""
    keys = ApiKeys({"k": a_user()})
    made = auth(unproven(), guards={"legacy": Guard(keys), "keys": Guard(keys, ambient=False)})
    at = desk(made)
    evil = from_program(None, "POST", origin=EVIL, **{"x-api-key": "k"})
    own = from_program(None, "POST", origin=HERE, **{"x-api-key": "k"})

    assert await at.look(evil, "legacy") is None
    assert isinstance(await at.refused(evil, guard="legacy"), OriginNotAllowed)
    for request, guard in ((own, "legacy"), (evil, "keys")):
        assert (await at.admit(Visit(request), guard=guard)).user.id == "staff-7"
    assert (await at.admit(Visit(evil), guard="legacy", csrf=False)).user.id == "staff-7"


# --- providers ---


class Staff:
    """The application's own table."""

    def __init__(self, rows: dict[str, Any]) -> None:
        self.rows = rows

    def by_id(self, user_id: str) -> Any:
        """Answer a row."""
        return self.rows.get(user_id)


class WaitingStaff(Staff):
    """The same, to be awaited."""

    async def by_id(self, user_id: str) -> Any:
        """Answer a row."""
        return super().by_id(user_id)


@pytest.mark.parametrize("how", ["object", "waiting", "factory"])
async def test_a_provider_says_who_a_sessions_user_is(auth: MakeAuth, desk: Callable[[Auth], Desk], how: str) -> None:
    """S17, S20: a guard's users come from its provider's table; who is not in it is nobody there, and is elsewhere."""
    rows: dict[str, Any] = {}

    async def made_later(given: Auth) -> WaitingStaff:
        return WaitingStaff(rows)

    provider = {"object": Staff(rows), "waiting": WaitingStaff(rows), "factory": made_later}[how]
    made = auth(unproven(), guards={"web": Guard(), "staff": Guard(provider="staff")}, providers={"staff": provider})
    ada, grace = signed_up(made), signed_up(made, email="grace@example.com")
    rows[grace.user.id] = a_user(grace.user.id, "grace@staff.example.com")
    at = desk(made)

    seen = [await at.look(from_program(person.access_token), "staff") for person in (ada, grace)]
    web = await at.look(from_program(grace.access_token), "web")

    assert seen[0] is None
    assert (seen[1].user.email, seen[1].session.id) == ("grace@staff.example.com", grace.session.id)
    assert web.user.email == "grace@example.com"


async def test_the_default_provider_is_a_setting(auth: MakeAuth, desk: Callable[[Auth], Desk]) -> None:
    """S17: `default_provider` serves every guard that names none, the one without a name too."""
    made = auth(unproven(), providers={"staff": Staff({})}, default_provider="staff")

    assert await desk(made).look(from_program(signed_up(made).access_token)) is None


async def test_a_provider_that_answers_something_else(auth: MakeAuth, desk: Callable[[Auth], Desk]) -> None:
    """S20: a row that is no User is refused with what to answer."""
    rows: dict[str, Any] = {}
    made = auth(unproven(), providers={"users": Staff(rows)})
    person = signed_up(made)
    rows[person.user.id] = {"id": person.user.id}

    with pytest.raises(ConfigurationError, match="The provider 'users' must answer a User, or None"):
        await desk(made).look(from_program(person.access_token))


# --- who is let in ---


async def test_an_optional_need_still_holds_for_who_is_signed_in(auth: MakeAuth, desk: Callable[[Auth], Desk]) -> None:
    """`optional=True` answers None for nobody; whoever is signed in meets the other needs, or is refused."""
    clock = FrozenClock()
    made = auth(unproven(), clock=clock)
    person = from_program(signed_up(made).access_token)
    at = desk(made)
    clock.advance(301)

    assert await at.admit(Visit(from_program()), optional=True, fresh="5m") is None
    assert isinstance(await at.refused(person, optional=True, fresh="5m"), ReauthenticationRequired)


async def test_an_optional_need_checks_the_origin(auth: MakeAuth, desk: Callable[[Auth], Desk]) -> None:
    """R5: a foreign unsafe request that carries the cookie is refused, and not let in as nobody."""
    made = auth(unproven())
    person = from_browser(signed_up(made, "cookie").access_token, "POST", EVIL)

    assert isinstance(await desk(made).refused(person, optional=True), OriginNotAllowed)


async def test_guards_and_tenants(auth: MakeAuth, desk: Callable[[Auth], Desk]) -> None:
    """S17: named guards ask within the request's tenant."""
    made = auth(unproven(), guards=NAMED, tenant=lambda request: Tenant(request.headers.get("x-tenant", "north")))
    north = made.blocking.on(from_program()).password.sign_up(email=EMAIL, password=PASSWORD, transport="bearer")
    at = desk(made)

    here = await at.look(from_program(north.access_token), "api")
    there = await at.refused(from_program(north.access_token, **{"x-tenant": "south"}), guard="api", csrf=False)

    assert here.user.email == EMAIL
    assert isinstance(there, NotAuthenticated)


@pytest.mark.parametrize(
    "needs",
    [
        {"scopes": 5},
        {"scopes": 'a"b'},
        {"scopes": ["a b"]},
        {"scopes": [""]},
        {"scopes": [5]},
        {"scopes": b"read"},
        {"guard": ""},
        {"guard": 5},
        {"guard": []},
        {"guard": ["api", ""]},
        {"guard": b"api"},
        {"optional": 1},
    ],
)
def test_a_need_that_is_none_is_refused_where_it_is_written(needs: dict[str, Any]) -> None:
    """O1: wrong scopes and guards are errors at import, and say what to write."""
    with pytest.raises(ConfigurationError, match=rf"require\({next(iter(needs))}="):
        requirement(**needs)


def test_scopes_are_text_or_a_list() -> None:
    """RFC 6749 3.3: words apart by blanks, or a list; each counts once."""
    assert requirement(scopes=" read  write read ").scopes == ("read", "write")
    assert requirement(scopes=["read", "orders:write"]).scopes == ("read", "orders:write")


# --- a guard as an object ---


def handle(at: Desk, request: Request, name: str | None = None) -> Any:
    """Answer a guard of a request."""
    return at.core.guard(Visit(request), name)


async def test_an_attempt_is_true_only_when_signed_in(auth: MakeAuth, desk: Callable[[Auth], Desk]) -> None:
    """S16, S19: `attempt` carries the tokens, and the request's user is who signed in; a wrong password is false."""
    made = auth(unproven(), guards=NAMED)
    signed_up(made)
    api = handle(desk(made), from_program(method="POST"), "api")
    assert await told(api.guest())

    wrong = await told(api.attempt(EMAIL, "something else entirely"))
    right = await told(api.attempt(EMAIL, PASSWORD))

    assert (bool(wrong), wrong.succeeded, wrong.user, wrong.access_token) == (False, False, None, None)
    assert (bool(right), right.succeeded, right.user.email, right.expires_in) == (True, True, EMAIL, 900)
    assert right.access_token.startswith("ac1_at_")
    assert right.refresh_token.startswith("ac1_rt_")
    assert (await told(api.user())).email == EMAIL
    assert (await told(api.session())).id == right.session.id
    assert await told(api.check())
    assert right.access_token not in repr(right)


async def test_an_attempt_of_a_session_guard_hands_a_cookie(auth: MakeAuth, desk: Callable[[Auth], Desk]) -> None:
    """S18: under cookies the secret is in `cookies` alone; `logout` ends the session and clears them."""
    made = auth(unproven(), guards=NAMED)
    signed_up(made)
    at = desk(made)

    signed = await told(handle(at, from_browser(method="POST"), "web").attempt(EMAIL, PASSWORD))
    token = signed.cookies[0].value
    web = handle(at, from_browser(token, "POST"), "web")
    before, ended, after = await told(web.user()), await told(web.logout()), await told(web.user())

    assert (signed.succeeded, signed.access_token, signed.refresh_token) == (True, None, None)
    assert (before.email, after) == (EMAIL, None)
    assert (ended.session.id, [cookie.max_age for cookie in ended.cookies]) == (signed.session.id, [0])
    assert await at.look(from_browser(token), "web") is None


async def test_a_guard_ends_only_its_own_session(auth: MakeAuth, desk: Callable[[Auth], Desk]) -> None:
    """S18: `logout` of the guard of tokens leaves a cookie's session alone, and the other way."""
    made = auth(unproven(), guards=NAMED)
    token = signed_up(made, "cookie").access_token
    at = desk(made)

    assert await told(handle(at, from_browser(token, "POST"), "api").logout()) is None
    assert await told(handle(at, from_program(method="POST"), "api").logout()) is None
    assert await at.look(from_browser(token), "web") is not None


async def test_who_is_not_in_the_guards_table_is_not_signed_in(auth: MakeAuth, desk: Callable[[Auth], Desk]) -> None:
    """S16, S17: a right password of somebody whom the guard's provider does not know signs nobody in, and leaves no
    session.
    """
    providers = {"staff": Staff({})}
    made = auth(unproven(), guards={"staff": Guard("token", provider="staff")}, providers=providers)
    user = signed_up(made).user
    before = len(made.blocking.sessions.list_sessions(user_id=user.id))
    staff = handle(desk(made), from_program(method="POST"), "staff")

    tried = await told(staff.attempt(EMAIL, PASSWORD))
    logged = await told(staff.login(user, amr=("pwd",)))

    assert (bool(tried), tried.access_token, bool(logged), logged.access_token) == (False, None, False, None)
    assert len(made.blocking.sessions.list_sessions(user_id=user.id)) == before


async def test_an_attempt_stops_at_a_step(auth: MakeAuth, desk: Callable[[Auth], Desk]) -> None:
    """A1: where another step is asked, an attempt is false and carries the challenge; nothing in it opens anything."""
    made = auth(Password(require_code=False), EmailCode(), guards=NAMED)
    made.blocking.password.sign_up(email=EMAIL, password=PASSWORD, transport="bearer")
    api = handle(desk(made), from_program(method="POST"), "api")

    stopped = await told(api.attempt(EMAIL, PASSWORD))

    assert (bool(stopped), stopped.session, stopped.access_token) == (False, None, None)
    assert stopped.challenge.kind == "email_code"
    assert await told(api.guest())


async def test_login_goes_through_the_pipeline(auth: MakeAuth, desk: Callable[[Auth], Desk]) -> None:
    """A1, S16: `login` states what the application proved: what it covers is not asked again, all else is."""
    made = auth(Password(require_code=False), EmailCode(), guards=NAMED)
    user = made.blocking.administration.create(email=EMAIL)
    api = handle(desk(made), from_program(method="POST"), "api")

    asked = await told(api.login(user, amr=("pwd",)))
    covered = await told(api.authenticate(user.id, amr=("pwd", "email"), scopes=["read"], claims={"shop": "7"}))

    assert (bool(asked), asked.challenge.kind) == (False, "email_code")
    assert (covered.succeeded, covered.session.amr, covered.session.aal) == (True, ["pwd", "email"], 1)
    assert (covered.session.scopes, covered.session.claims) == (["read"], {"shop": "7"})
    assert (await told(api.user())).id == user.id
    with pytest.raises(NotFound):
        await told(api.login("nobody"))


async def test_two_kinds_of_factor_are_level_two(auth: MakeAuth, desk: Callable[[Auth], Desk]) -> None:
    """A1: `aal` follows from what `login` states, and `require(mfa=True)` believes it."""
    made = auth(unproven(), guards=NAMED)
    user = signed_up(made).user
    at = desk(made)
    visit = Visit(from_program(method="POST"))

    await told(at.core.guard(visit, "api").login(user, amr=("pwd", "otp")))

    assert (await at.admit(visit, guard="api", mfa=True)).session.aal == 2


async def test_a_refresh_goes_on(auth: MakeAuth, desk: Callable[[Auth], Desk]) -> None:
    """S19: `refresh(token)` answers another pair; a cookie's session slides; a token in the wrong place is no token."""
    made = auth(unproven(), guards=NAMED)
    person = signed_up(made)
    cookie = made.blocking.password.sign_in(email=EMAIL, password=PASSWORD, transport="cookie")
    at = desk(made)
    api, web = (
        handle(at, from_program(method="POST"), "api"),
        handle(at, from_browser(cookie.access_token, "POST"), "web"),
    )

    further, slid = await told(api.refresh(person.refresh_token)), await told(web.refresh())

    assert further.succeeded
    assert further.refresh_token not in (None, person.refresh_token)
    assert further.user.email == EMAIL
    assert (slid.succeeded, slid.session.id, slid.cookies) == (True, cookie.session.id, ())
    for wrong in (api.refresh, lambda: web.refresh(further.refresh_token), lambda: api.refresh("nonsense")):
        with pytest.raises(InvalidRefreshToken):
            await told(wrong())
    # T5: the token that came to the wrong guard has not ended its family.
    assert (await told(api.refresh(further.refresh_token))).succeeded


async def test_validate_signs_nobody_in(auth: MakeAuth, desk: Callable[[Auth], Desk]) -> None:
    """S16: `validate` tells whether a password is right; failures count as at sign-in (A6)."""
    made = auth(unproven(), limits={"sign_in.account_address": 2})
    user = signed_up(made).user
    api = handle(desk(made), from_program(method="POST"))

    right, wrong = await told(api.validate(user, PASSWORD)), await told(api.validate(user, "something else entirely"))

    assert (right, wrong) == (True, False)
    assert await told(api.guest())
    assert len(made.blocking.sessions.list_sessions(user_id=user.id)) == 1
    await told(api.validate(user, "something else entirely"))
    with pytest.raises(RateLimited):
        await told(api.validate(user, PASSWORD))


async def test_a_broker_resets_passwords(auth: MakeAuth, desk: Callable[[Auth], Desk]) -> None:
    """S16: `broker(name)` is the password broker; without its room the application is told what to write."""
    made = auth(unproven(), PasswordReset())
    signed_up(made)
    at = desk(made)

    sent = await told(handle(at, from_program(method="POST")).broker().send_reset_link(EMAIL))

    assert sent == PasswordResetStatus.RESET_LINK_SENT
    with pytest.raises(ConfigurationError, match=r"PasswordReset is not enabled"):
        handle(desk(auth(unproven())), from_program()).broker()


async def test_a_guard_does_nothing_for_another_site(auth: MakeAuth, desk: Callable[[Auth], Desk]) -> None:
    """R5: a guard's calls check where an unsafe request comes from, with a cookie or without."""
    made = auth(unproven(), guards=NAMED)
    user = signed_up(made).user
    web = handle(desk(made), from_browser(method="POST", origin=EVIL), "web")

    for call in (lambda: web.attempt(EMAIL, PASSWORD), lambda: web.login(user), web.logout):
        with pytest.raises(OriginNotAllowed):
            await told(call())


async def test_a_guard_of_the_applications_own_signs_nobody_in(auth: MakeAuth, desk: Callable[[Auth], Desk]) -> None:
    """S17: a driver only tells who asks; to sign in takes one of authcore's."""
    keys = handle(
        desk(keyed(auth, ApiKeys({"k": a_user()}))), from_program(method="POST", **{"x-api-key": "k"}), "keys"
    )

    assert (await told(keys.user())).id == "staff-7"
    assert await told(keys.logout()) is None
    for call in (lambda: keys.attempt(EMAIL, PASSWORD), lambda: keys.login(a_user()), keys.refresh):
        with pytest.raises(ConfigurationError, match="signs nobody in"):
            await told(call())


async def test_a_guard_asks_once(auth: MakeAuth, desk: Callable[[Auth], Desk]) -> None:
    """S17: however often a request asks a guard, its driver is asked once; each guard by itself."""
    driver = ApiKeys({"k": a_user()})
    at = desk(keyed(auth, driver))
    visit = Visit(from_program(**{"x-api-key": "k"}))
    keys = at.core.guard(visit, "keys")

    for call in (keys.user, keys.check, keys.session, keys.guest):
        await told(call())
    await at.admit(visit, guard="keys")
    await told(at.core.who(visit))

    assert driver.asked == 1
    assert await told(at.core.guard(visit).check())  # the one that let the request in


async def test_sign_ins_of_a_guard_meet_its_provider(auth: MakeAuth, desk: Callable[[Auth], Desk]) -> None:
    """S17: after an attempt the guard's user is the provider's, or nobody where it knows none."""
    rows: dict[str, Any] = {}
    made = auth(unproven(), providers={"staff": Staff(rows)}, default_provider="staff")
    person = signed_up(made)
    at = desk(made)

    unknown = handle(at, from_program(method="POST"))
    await told(unknown.attempt(EMAIL, PASSWORD))
    rows[person.user.id] = a_user(person.user.id)
    known = handle(at, from_program(method="POST"))
    signed = await told(known.attempt(EMAIL, PASSWORD))

    assert await told(unknown.user()) is None
    assert (signed.user.email, (await told(known.user())).email) == ("grace@example.com", "grace@example.com")


# --- guards that share a credential ---


def beside(auth: MakeAuth, rows: dict[str, Any], *rooms: Any, **settings: Any) -> Auth:
    """Declare guards that read one credential, "staff" for those alone whom a table of the application's own knows."""
    guards = {
        "web": Guard("session"),
        "staff": Guard("session", provider="staff"),
        "api": Guard("token"),
        "desk": Guard("token", provider="staff"),
    }
    return auth(unproven(), *rooms, guards=guards, providers={"staff": Staff(rows)}, **settings)


async def test_a_stranger_to_a_guard_is_not_signed_out_by_it(auth: MakeAuth, desk: Callable[[Auth], Desk]) -> None:
    """S17, S18: `logout` of a guard whose provider does not know who asks leaves the other guard's session alone."""
    made = beside(auth, {})
    cookie, bearer = signed_up(made, "cookie"), made.blocking.password.sign_in(email=EMAIL, password=PASSWORD)
    at = desk(made)
    browser, program = from_browser(cookie.access_token, "POST"), from_program(bearer.access_token, "POST")

    ended = [
        await told(handle(at, request, name).logout()) for request, name in ((browser, "staff"), (program, "desk"))
    ]

    assert ended == [None, None]
    assert await at.look(browser, "web") is not None
    assert await at.look(program, "api") is not None


async def test_a_stranger_to_a_guard_does_not_go_on_by_it(auth: MakeAuth, desk: Callable[[Auth], Desk]) -> None:
    """S17, S19: `refresh` of such a guard refuses, spends no token, and ends nothing."""
    made = beside(auth, {})
    cookie, bearer = signed_up(made, "cookie"), made.blocking.password.sign_in(email=EMAIL, password=PASSWORD)
    at = desk(made)
    browser, program = from_browser(cookie.access_token, "POST"), from_program(method="POST")

    for call in (
        handle(at, browser, "staff").refresh,
        lambda: handle(at, program, "desk").refresh(bearer.refresh_token),
    ):
        with pytest.raises(InvalidRefreshToken):
            await told(call())

    assert (await told(handle(at, browser, "web").refresh())).succeeded
    first = await told(handle(at, program, "api").refresh(bearer.refresh_token))
    assert (await told(handle(at, program, "api").refresh(first.refresh_token))).succeeded


async def test_a_browsers_refresh_cookie_is_a_guards_own_too(auth: MakeAuth, desk: Callable[[Auth], Desk]) -> None:
    """S17, S18: where the session's own cookie is gone, whose the refresh cookie is decides alike."""
    rows: dict[str, Any] = {}
    made = beside(auth, rows, Sessions(cookie_refresh=True))
    person, at = signed_up(made, "cookie"), desk(made)
    headers = {"cookie": f"authcore_refresh={person.refresh_token}", "origin": HERE}
    browser = Request("POST", "/own", headers=headers)

    assert await told(handle(at, browser, "staff").logout()) is None
    with pytest.raises(InvalidRefreshToken):
        await told(handle(at, browser, "staff").refresh())
    rows[person.user.id] = a_user(person.user.id)
    further = await told(handle(at, browser, "staff").refresh())
    ended = await told(handle(at, browser, "staff").logout())

    assert (further.succeeded, further.user.email) == (True, "grace@example.com")
    assert ended.session.id == person.session.id


async def test_a_refused_attempt_leaves_the_request_as_it_was(auth: MakeAuth, desk: Callable[[Auth], Desk]) -> None:
    """S16, S17: a right password of somebody whom the provider does not know ends no session, evicts none, and sends
    nothing.
    """
    made = beside(auth, {}, EmailCode(), Sessions(max_sessions=1, on_limit="evict_oldest"))
    user = made.blocking.administration.create(email=EMAIL, password=PASSWORD, verified=True)
    held = made.blocking.sessions.create_session(user_id=user.id, amr=("pwd", "email"), transport="cookie")
    assert isinstance(held, SignedIn)
    at = desk(made)
    browser, program = from_browser(held.access_token, "POST"), from_program(method="POST")

    for request, name in ((browser, "staff"), (program, "desk")):
        guard = handle(at, request, name)
        tried, logged = await told(guard.attempt(EMAIL, PASSWORD)), await told(guard.login(user, amr=("pwd", "email")))
        assert (tried, logged) == (REFUSED, REFUSED)

    assert [each.id for each in made.blocking.sessions.list_sessions(user_id=user.id)] == [held.session.id]
    assert await at.look(browser, "web") is not None


async def test_a_guard_ends_the_session_of_whom_it_knows(auth: MakeAuth, desk: Callable[[Auth], Desk]) -> None:
    """S17: somebody whom both guards know has one session, which either ends; the provider is asked once."""
    rows: dict[str, Any] = {}
    made = beside(auth, rows)
    cookie, bearer = signed_up(made, "cookie"), made.blocking.password.sign_in(email=EMAIL, password=PASSWORD)
    rows[cookie.user.id] = a_user(cookie.user.id)
    at = desk(made)
    browser, program = from_browser(cookie.access_token, "POST"), from_program(bearer.access_token, "POST")
    desk_ = handle(at, program, "desk")

    slid = await told(handle(at, browser, "staff").refresh())
    ended = await told(handle(at, browser, "staff").logout())
    further = await told(desk_.refresh(bearer.refresh_token))
    rows.clear()
    done = await told(desk_.logout())

    assert (slid.user.email, ended.session.id) == ("grace@example.com", cookie.session.id)
    assert (further.user.email, done.session.id) == ("grace@example.com", bearer.session.id)
    assert await at.look(browser, "web") is None
    assert await at.look(program, "api") is None


# --- a table of the application's own ---


class Colleague(User, frozen=True, kw_only=True):
    """A person of the application's own table."""

    number: str


class Roll:
    """A table of people with ids of their own, which keeps the ids of their accounts."""

    def __init__(self) -> None:
        self.accounts: dict[str, str] = {}

    def by_id(self, user_id: str) -> Any:
        """Answer the person who has an account, or who is asked for by the table's own id."""
        number = next((number for number, account in self.accounts.items() if account == user_id), None)
        if number is None and user_id == "staff-1":
            number = user_id
        user = a_user(user_id)
        return None if number is None else Colleague(**msgspec.structs.asdict(user), number=number)


async def test_who_has_no_account_is_told_how_to_get_one(
    auth: MakeAuth, desk: Callable[[Auth], Desk], inside: Any
) -> None:
    """S20, S23: a session is of an account; for a user whom the provider alone knows `login` says what to write."""
    made = auth(guards={"staff": Guard("token", provider="staff")}, providers={"staff": Roll()})
    staff = handle(desk(made), from_program(method="POST"), "staff")

    with pytest.raises(ConfigurationError, match=r"'staff' alone knows.*Write create_session\(user=\{'email': …\}\)"):
        await told(staff.login("staff-1"))
    for nobody in ("staff-2", "a\0b", "\ud800", ""):
        with pytest.raises(NotFound):
            await told(staff.login(nobody))

    assert inside(made).rows(accounts.users) == []


@pytest.mark.parametrize("transport", ["cookie", "bearer"])
async def test_an_account_lets_a_person_of_an_own_table_in(
    auth: MakeAuth, desk: Callable[[Auth], Desk], transport: Any
) -> None:
    """S20, S23: the managed mode makes the account; from then on its id signs in whose row keeps it."""
    roll, driver = Roll(), {"cookie": "session", "bearer": "token"}[transport]
    made = auth(guards={"staff": Guard(driver, provider="staff")}, providers={"staff": roll})
    request = from_program(method="POST")
    calls = made.blocking.on(request).sessions

    first = calls.create_session(user={"email": "grace@example.com"}, amr=("pwd",), transport=transport)
    assert isinstance(first, SignedIn)
    roll.accounts["staff-1"] = first.user.id
    staff = handle(desk(made), request, "staff")
    again = await told(staff.login(first.user.id, amr=("pwd",)))

    assert again.succeeded
    assert (await told(staff.user())).number == "staff-1"
    assert (await told(staff.login(await told(staff.user()), amr=("pwd",)))).succeeded


async def test_a_provider_answers_under_the_id_that_it_was_asked_for(
    auth: MakeAuth, desk: Callable[[Auth], Desk]
) -> None:
    """T9: what ends an account's sessions goes by its id, so a provider that answers another one is refused."""
    rows: dict[str, Any] = {}
    made = beside(auth, rows)
    person, at = signed_up(made), desk(made)
    rows[person.user.id] = a_user("staff-7")

    with pytest.raises(ConfigurationError, match=r"must answer the user of the id that it was asked for"):
        await at.look(from_program(person.access_token), "desk")
    with pytest.raises(ConfigurationError, match=r"Write User\(id=user_id, …\)"):
        await told(handle(at, from_program(method="POST"), "desk").attempt(EMAIL, PASSWORD))


async def test_what_is_no_user_is_said_to_be_none(auth: MakeAuth, desk: Callable[[Auth], Desk]) -> None:
    """S16: a wrong argument is the application's mistake, and says what to write."""
    made = auth(unproven(), guards=NAMED)
    api = handle(desk(made), from_program(method="POST"), "api")

    for call, wanted in (
        (lambda: api.validate(signed_up(made).user.id, PASSWORD), r"validate\(user, plain\) takes a User.* not str"),
        (lambda: api.validate(None, PASSWORD), r"not NoneType"),
        (lambda: api.login(5), r"login\(user\) takes a User, or a user's id as text: int is neither"),
        (lambda: api.authenticate(None), r"NoneType is neither"),
    ):
        with pytest.raises(ConfigurationError, match=wanted):
            await told(call())


async def test_what_a_client_sent_in_place_of_text_is_refused(auth: MakeAuth, desk: Callable[[Auth], Desk]) -> None:
    """R1: an application hands on what stood in a body; a number there is refused as the routes refuse it."""
    made = auth(unproven(), guards=NAMED)
    user, api = signed_up(made).user, handle(desk(made), from_program(method="POST"), "api")

    for call, field in (
        (lambda: api.attempt(5, PASSWORD), "email"),
        (lambda: api.attempt(EMAIL, None), "password"),
        (lambda: api.attempt(EMAIL, PASSWORD, remember_token=["x"]), "remember_token"),
        (lambda: api.validate(user, 5), "password"),
    ):
        with pytest.raises(InvalidFields) as refused:
            await told(call())
        assert [each["field"] for each in refused.value.details] == [field]  # type: ignore[union-attr]
    with pytest.raises(InvalidRefreshToken):
        await told(api.refresh(5))


# --- a second factor of the application's own ---


def test_marking_a_session_gives_it_other_secrets(auth: MakeAuth) -> None:
    """S83, T7: the session keeps its id, is level 2 and fresh, and its old secrets open nothing."""
    clock = FrozenClock()
    made = auth(unproven(), clock=clock)
    person = signed_up(made)
    old = from_program(person.access_token)
    clock.advance(400)
    core = made.blocking_core()

    marked = made.blocking.sessions.mark_mfa_verified(person.session.id)

    assert (marked.session.id, marked.session.aal, marked.session.amr) == (person.session.id, 2, ["pwd", "mfa"])
    assert core.authenticate(old) is None
    with pytest.raises(InvalidRefreshToken):
        made.blocking.sessions.refresh(refresh_token=person.refresh_token)
    who = core.authorize(from_program(marked.access_token), requirement(mfa=True, fresh=timedelta(minutes=5)))
    assert who is not None
    assert who.user.email == EMAIL


def test_marking_is_for_live_sessions(auth: MakeAuth) -> None:
    """S83: an unknown and an ended session are one answer."""
    made = auth(unproven())
    person = signed_up(made)
    made.blocking.sessions.revoke_session(person.session.id)

    for session_id in (person.session.id, "nothing", "a\0b", "ä"):
        with pytest.raises(NotFound):
            made.blocking.sessions.mark_mfa_verified(session_id)


@pytest.mark.parametrize("amr", [("email",), ("sms",), ("email", "sms"), (), ("",)])
def test_a_mailed_or_texted_code_is_no_second_factor(auth: MakeAuth, amr: tuple[str, ...]) -> None:
    """S83, A8: codes alone raise no session, whoever says that they were proven."""
    made = auth(unproven())
    person = signed_up(made)

    with pytest.raises(InvalidFields):
        made.blocking.sessions.mark_mfa_verified(person.session.id, amr=amr)

    marked = made.blocking.sessions.mark_mfa_verified(person.session.id, amr=("email", "otp"))
    assert marked.session.aal == 2


def test_a_refusal_for_scopes_keeps_its_challenge_in_a_pickle() -> None:
    """An error that crosses processes says the same."""
    error = InsufficientScope(headers=(("WWW-Authenticate", "Bearer"),))

    assert pickle.loads(pickle.dumps(error)).headers == error.headers


@pytest.mark.parametrize("bearer", ["sql", "memory", "jwt", "sealed"])
async def test_guards_know_scopes_and_levels_under_every_strategy(
    auth: MakeAuth, desk: Callable[[Auth], Desk], bearer: str
) -> None:
    """S17, S83: what a session may do, and what was proven, holds wherever access tokens live, and over a refresh."""
    pytest.importorskip({"jwt": "jwt", "sealed": "cryptography"}.get(bearer, "authcore"))
    made = auth(unproven(), Sessions(bearer=bearer), guards=NAMED)
    person, at = signed_up(made), desk(made)
    api = handle(at, from_program(method="POST"), "api")
    narrow = await told(api.login(person.user, amr=("pwd",), scopes=["read"]))

    refreshed = await told(api.refresh(narrow.refresh_token))
    marked = await told(made.asyncio.sessions.mark_mfa_verified(person.session.id))

    for token in (narrow.access_token, refreshed.access_token):
        request = from_program(token)
        assert (await at.admit(Visit(request), guard="api", scopes="read")).user.email == EMAIL
        assert isinstance(await at.refused(request, guard="api", scopes="read write"), InsufficientScope)
    assert (await at.admit(Visit(from_program(marked.access_token)), guard="api", mfa=True)).session.aal == 2
    assert await at.look(from_program(person.access_token), "api") is None
