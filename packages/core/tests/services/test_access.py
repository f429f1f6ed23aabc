"""Access credentials beside the ledger: what a store is told, what it is not believed, and what its failure leaves."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Any

import pytest
from msgspec.structs import replace

from authcore import Account, Auth, Editable, Password, Request, Sessions, User
from authcore.backends.credentials.memory import MemoryCredentialStore
from authcore.credentials import CredentialManager
from authcore.drive import run_blocking
from authcore.errors import InvalidRefreshToken, NotAuthenticated, Unavailable
from authcore.services import sessions
from authcore.services.revocations import Revoked
from authcore.stores import CredentialState, TokenRevoked
from authcore.testing.ports import FrozenClock

EMAIL, PASSWORD = "ada@example.com", "three quiet herons wade"
MakeAuth = Callable[..., Auth]


class Unsteady(MemoryCredentialStore):
    """A store that is there or not, and that calls back before it keeps anything."""

    def __init__(self, clock: FrozenClock) -> None:
        super().__init__(clock=clock)
        self.there = True
        self.before: Callable[[], Any] = lambda: None

    async def persist(self, state: CredentialState, *, ttl: timedelta | None = None, seed: bytes | None = None) -> str:
        """Keep a credential, if the store is there."""
        self.before()
        if not self.there:
            raise Unavailable("the store is away")
        return await super().persist(state, ttl=ttl, seed=seed)

    async def revoke_family(self, user_id: str, family: str) -> int:
        """End a family, if the store is there."""
        if not self.there:
            raise Unavailable("the store is away")
        return await super().revoke_family(user_id, family)


@pytest.fixture
def store(clock: FrozenClock) -> Unsteady:
    """The store of this test."""
    return Unsteady(clock)


@pytest.fixture
def app(auth: MakeAuth, store: Unsteady) -> Auth:
    """An application whose access credentials live in the store."""
    return auth(Password(require_code=False), Sessions(bearer=store, cookie=store))


def signed_up(app: Auth) -> Any:
    """Answer who has just signed up."""
    return app.blocking.password.sign_up(email=EMAIL, password=PASSWORD, transport="bearer")


def who(app: Auth, token: str) -> str | None:
    """Answer whom a token shows."""
    return app.blocking.sessions.get_user_id(access_token=token)


def test_the_store_holds_the_credential_and_the_ledger_none(app: Auth, store: Unsteady, inside: Any) -> None:
    """What opens routes lives in the store alone; the session stands in the ledger."""
    signed = signed_up(app)

    assert signed.access_token.startswith("ac1_cr_")
    assert who(app, signed.access_token) == signed.user.id
    assert inside(app).rows(sessions.access) == []
    assert len(inside(app).rows(sessions.sessions)) == 1


def test_the_store_forgets_what_ends_before_the_answer(app: Auth, store: Unsteady) -> None:
    """T9: once a call that ends sessions has answered, a store that many nodes ask holds nothing of them."""
    signed = signed_up(app)
    other = app.blocking.password.sign_in(email=EMAIL, password=PASSWORD, transport="bearer")
    assert store_holds(store, signed.user.id) == 2

    app.blocking.sessions.revoke_session(other.session.id)
    assert store_holds(store, signed.user.id) == 1
    app.blocking.sessions.revoke_all_sessions(signed.user.id)

    assert store_holds(store, signed.user.id) == 0


def store_holds(store: Unsteady, user_id: str) -> int:
    """Answer how many credentials of a user the store holds."""
    return len(run_blocking(store.list_for_user(user_id)))


def test_a_store_that_misses_an_end_is_not_believed(app: Auth, store: Unsteady) -> None:
    """T9, O2: the node's own table refuses what a store was not there to be told of."""
    signed = signed_up(app)
    store.there = False

    app.blocking.sessions.revoke_session(signed.session.id)

    store.there = True
    assert store_holds(store, signed.user.id) == 1
    assert who(app, signed.access_token) is None


def test_another_process_learns_of_it(app: Auth, store: Unsteady, auth: MakeAuth) -> None:
    """T9: a node that had no part in an end reads of it before it believes a token again."""
    signed = signed_up(app)
    other = auth(Password(require_code=False), Sessions(bearer=store, cookie=store))
    assert who(other, signed.access_token) == signed.user.id
    store.there = False
    app.blocking.sessions.revoke_session(signed.session.id)
    store.there = True
    other.backends.follower._confirmed = float("-inf")  # as after half a second

    assert who(other, signed.access_token) is None


def test_a_sign_in_without_the_store_leaves_no_session(app: Auth, store: Unsteady) -> None:
    """O2: where the token cannot be kept the answer is 503, and no session stands among the live ones."""
    user_id = signed_up(app).user.id
    store.there = False

    with pytest.raises(Unavailable):
        app.blocking.password.sign_in(email=EMAIL, password=PASSWORD, transport="bearer")

    store.there = True
    assert len(app.blocking.sessions.list_sessions(user_id=user_id)) == 1


def test_what_ends_while_it_is_handed_over_is_not_handed_out_alive(app: Auth, store: Unsteady) -> None:
    """T9: between the commit and the token a session may end; the token then opens nothing."""
    user_id = signed_up(app).user.id
    store.before = lambda: app.blocking.sessions.revoke_all_sessions(user_id)

    signed = app.blocking.password.sign_in(email=EMAIL, password=PASSWORD, transport="bearer")

    store.before = lambda: None
    assert who(app, signed.access_token) is None


def test_use_is_noted_and_the_snapshot_renewed(app: Auth, store: Unsteady, clock: FrozenClock, client: Any) -> None:
    """S48: a store's own copy says when the session was last seen, and writes happen once a minute."""
    signed_up(app)
    browser = client(app, browser=True)
    assert browser.post("/sign-in", {"email": EMAIL, "password": PASSWORD}).status == 200
    clock.advance(90)
    first = browser.get("/session").json["session"]["last_seen_at"]

    second = browser.get("/session").json["session"]["last_seen_at"]

    assert second > first


def test_an_ended_session_is_gone_at_the_next_noting(
    app: Auth, store: Unsteady, clock: FrozenClock, client: Any
) -> None:
    """A store is held against the ledger once a minute, whatever it was told and whatever rows have lapsed."""
    user_id = signed_up(app).user.id
    browser = client(app, browser=True)
    session = browser.sign_in().json["session"]
    store.there = False
    app.blocking.sessions.revoke_session(session["id"])
    store.there = True
    app.backends.follower.table = Revoked()
    clock.advance(26 * 3600)
    assert store_holds(store, user_id) == 1

    assert browser.get("/session").json["session"] is None

    assert store_holds(store, user_id) == 0


def _request(token: str) -> Request:
    return Request("GET", "/", headers={"host": "127.0.0.1:8000", "authorization": f"Bearer {token}"})


def test_a_refresh_that_loses_against_an_end_is_an_invalid_one(app: Auth, store: Unsteady) -> None:
    """S25: a session that ends between a rotation's commit and its token answers as every refresh that fails."""
    signed = signed_up(app)

    def end() -> None:
        store.before = lambda: None
        app.blocking.sessions.revoke_session(signed.session.id)
        raise TokenRevoked()

    store.before = end

    with pytest.raises(InvalidRefreshToken):
        app.blocking.sessions.refresh(refresh_token=signed.refresh_token)


def test_nobody_is_who_asks_to_renew_an_ended_session(app: Auth, store: Unsteady) -> None:
    """T7: a step-up of a session that ended meanwhile is refused."""
    signed = signed_up(app)
    calls = app.blocking.on(_request(signed.access_token))
    app.blocking.sessions.revoke_session(signed.session.id)

    with pytest.raises(NotAuthenticated):
        calls.sessions.reauthenticate(password=PASSWORD)


def test_a_credential_of_another_application_opens_nothing(app: Auth, store: Unsteady, auth: MakeAuth) -> None:
    """T5: two applications over one store do not take each other's users in, whatever a token says."""
    signed = signed_up(app)
    other = auth(
        Password(require_code=False),
        Sessions(bearer=store, cookie=store),
        secret="another secret of these tests, 0123",
        database="sqlite://",
    )

    assert app.blocking_core().authenticate(_request(signed.access_token)) is not None
    assert other.blocking_core().authenticate(_request(signed.access_token)) is None


def test_a_manager_over_the_same_store_is_another_place(app: Auth, store: Unsteady, clock: FrozenClock) -> None:
    """T5: a manager's token opens no route, even with the claims of a session, and a session's token no manager."""
    signed = signed_up(app)
    manager = CredentialManager(store=store, secret="a secret of these tests, 0123456789", clock=clock)
    state = run_blocking(store.retrieve(signed.access_token))
    assert state is not None

    forged = manager.blocking.issue(signed.user.id, claims=dict(state.claims)).access_token

    assert manager.blocking.validate(forged) is not None
    assert app.blocking_core().authenticate(_request(forged)) is None
    assert manager.blocking.validate(signed.access_token) is None
    assert manager.blocking.revoke(signed.access_token) is False


# --- what signed tokens say ---


class Noted(User):
    """A user with a field that has no end."""

    note: Annotated[str, Editable] = ""


@pytest.mark.parametrize(
    "settings",
    [
        {"bearer": "jwt"},
        {"bearer": "sealed"},
        *({"cookie": kind, "cookie_refresh": True} for kind in ("jwt", "sealed")),
    ],
)
def test_what_does_not_fit_into_a_token_stands_in_the_ledger(
    auth: MakeAuth, client: Any, settings: dict[str, Any]
) -> None:
    """However much a user writes about themselves, they can go on, and sign in again."""
    if "jwt" in settings.values():
        pytest.importorskip("jwt", reason="the extra authcore[jwt] is not installed")
    pytest.importorskip("cryptography", reason="an extra has it")
    made = auth(Password(require_code=False), Account(), Sessions(**settings), user=Noted)
    visitor = client(made, browser="cookie" in settings)
    token = visitor.sign_up().json.get("access_token")
    assert visitor.send("PATCH", "/me", {"note": "q" * 9000}, bearer=token).status == 200

    again = visitor.sign_in()

    assert again.status == 200
    shown = visitor.get("/me", bearer=again.json.get("access_token"))
    assert (shown.status, shown.json["user"]["note"]) == (200, "q" * 9000)


def test_a_sign_in_whose_token_cannot_be_made_leaves_no_session(app: Auth, store: Unsteady) -> None:
    """O2: whatever fails as the token is made, no session stands that nobody holds."""
    user_id = signed_up(app).user.id

    def fail() -> None:
        raise RuntimeError("this store has a fault")

    store.before = fail
    with pytest.raises(RuntimeError, match="fault"):
        app.blocking.password.sign_in(email=EMAIL, password=PASSWORD, transport="bearer")

    assert len(app.blocking.sessions.list_sessions(user_id=user_id)) == 1


def test_a_later_secret_than_a_node_has_heard_of_opens_there(auth: MakeAuth) -> None:
    """T9: of two changes a node may know the first alone; what was made since is asked of the ledger, not refused."""
    pytest.importorskip("jwt", reason="the extra authcore[jwt] is not installed")
    one, other = (auth(Password(require_code=False), Sessions(bearer="jwt")) for _ in range(2))
    user_id = signed_up(one).user.id
    first = one.blocking.password.sign_in(email=EMAIL, password=PASSWORD, transport="bearer").access_token
    second = proven_again(one, first)
    other.backends.follower._confirmed = float("-inf")  # as after half a second
    assert [guarded(other, each) for each in (first, second)] == [None, user_id]

    third = proven_again(one, second)

    assert guarded(other, third) == user_id
    other.backends.follower._confirmed = float("-inf")
    assert [guarded(other, each) for each in (first, second, third)] == [None, None, user_id]


def proven_again(app: Auth, token: str) -> str:
    """Answer the token that follows a proof of who is signed in."""
    request = Request("POST", "/", headers={"authorization": f"Bearer {token}"})
    after: str = app.blocking.on(request).sessions.reauthenticate(password=PASSWORD).access_token
    return after


def guarded(app: Auth, token: str) -> str | None:
    """Answer whom a guard of an application's own route lets in."""
    found = app.blocking_core().authenticate(Request("GET", "/", headers={"authorization": f"Bearer {token}"}))
    return None if found is None else found.user.id


@pytest.mark.parametrize(
    "odd",
    [
        {"scope": 5},
        {"tid": 5},
        {"epoch": "x"},
        {"gen": None},
        {"seen": 10**30},
        {"session": [10**30] * 3},
        {"session": []},
        {"mark": "é" * 16},
        {"user": {"id": "somebody-else"}},
    ],
)
def test_odd_claims_open_nothing(app: Auth, store: Unsteady, odd: dict[str, Any]) -> None:
    """Whoever can write into the store, or sign, is refused for what makes no sense, and never with a failure."""
    signed = signed_up(app)
    state = run_blocking(store.retrieve(signed.access_token))
    assert state is not None
    if isinstance(odd.get("user"), dict):
        odd = {"user": {**state.claims["user"], **odd["user"]}}
    made = run_blocking(store.persist(replace(state, claims={**state.claims, **odd})))

    assert guarded(app, made) is None
    assert guarded(app, signed.access_token) == signed.user.id
