"""The data bag of a session, and of a browser that nobody has signed in to yet (S51)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from authcore import Anonymous, Auth, ConfigurationError, MagicLink, Password, Request, Sessions, SignedIn, Tenant
from authcore.backends.mail import MemoryMailer
from authcore.drive import Drive, run_blocking
from authcore.errors import AmbiguousCredentials, InvalidFields, OriginNotAllowed
from authcore.features.sessions.bag import BagChanged
from authcore.features.sessions.errors import BagTooLarge
from authcore.services import bags, retention
from authcore.services.sessions import Issued
from authcore.testing.ports import FrozenClock

EMAIL, PASSWORD = "ada@example.com", "three quiet herons wade"
ORIGIN = "http://127.0.0.1:8000"
ADA = {"email": EMAIL}
MakeAuth = Callable[..., Auth]


class Browser:
    """A jar of cookies; `calls(binding)` are made for one request of it, and `keep` takes what they answer."""

    def __init__(self, calling: Callable[..., Any], auth: Auth, **headers: str) -> None:
        self._calling, self._auth, self._headers = calling, auth, headers
        self.jar: dict[str, str] = {}

    def request(self, method: str = "POST") -> Request:
        """Answer a request as the browser sends it."""
        cookie = {"cookie": "; ".join(f"{name}={value}" for name, value in self.jar.items())} if self.jar else {}
        return Request(method, "/mine", headers={"origin": ORIGIN, **cookie, **self._headers})

    @property
    def calls(self) -> Any:
        """Answer the calls of a request of its own."""
        return self._calling(self._auth, self.request())

    def keep(self, outcome: Any) -> Any:
        """Keep the cookies of an outcome, and answer it."""
        for cookie in outcome.cookies:
            self.jar[cookie.name] = cookie.value
            if cookie.max_age == 0:
                del self.jar[cookie.name]
        return outcome

    def sign_in(self, email: str = EMAIL, **how: Any) -> SignedIn:
        """Sign somebody in."""
        found = self.keep(self.calls.sessions.create_session(user={"email": email}, **how))
        assert isinstance(found, SignedIn)
        return found


@pytest.fixture
def made(auth: MakeAuth) -> Auth:
    """An application."""
    return auth()


@pytest.fixture
def browser(calling: Any, made: Auth) -> Browser:
    """A browser, whose calls are made in either binding."""
    return Browser(calling, made)


# --- of who is signed in ---


def test_what_is_put_is_found_again(browser: Browser) -> None:
    """S51: put, get, all, forget and flush, at the session; no cookie is set for that."""
    browser.sign_in()

    for key, value in (("cart", [{"sku": 7}]), ("step", 2), ("none", None)):
        assert browser.calls.bag.put(key, value) == BagChanged()

    assert browser.calls.bag.get("cart") == [{"sku": 7}]
    assert browser.calls.bag.get("unknown") is None
    assert browser.calls.bag.get("unknown", default=[]) == []
    assert browser.calls.bag.all() == {"cart": [{"sku": 7}], "step": 2, "none": None}
    assert browser.calls.bag.forget("step") == BagChanged()
    assert browser.calls.bag.forget("unknown") == BagChanged()
    assert set(browser.calls.bag.all()) == {"cart", "none"}
    assert browser.calls.bag.flush() == BagChanged()
    assert browser.calls.bag.all() == {}


def test_a_bag_is_its_session_s_alone(calling: Any, made: Auth) -> None:
    """S51: another session of the same user has a bag of its own, and what ended has none."""
    one, other = Browser(calling, made), Browser(calling, made)
    one.sign_in()
    other.sign_in()

    one.calls.bag.put("cart", 1)

    assert other.calls.bag.all() == {}
    request = one.request()
    one.keep(one.calls.sessions.sign_out())
    assert calling(made, request).bag.all() == {}


def test_a_bearer_has_a_bag(calling: Any, made: Auth) -> None:
    """S51: the bag hangs on the session, whatever its transport, and outlives a refresh."""
    held = made.blocking.sessions.create_session(user=ADA, transport="bearer")
    assert isinstance(held, SignedIn)

    def bag(token: str) -> Any:
        return calling(made, Request("POST", "/x", headers={"authorization": f"Bearer {token}"})).bag

    assert bag(held.access_token).put("a", 1) == BagChanged()
    again = made.blocking.sessions.refresh(refresh_token=held.refresh_token)

    assert isinstance(again, Issued)
    assert bag(again.access).all() == {"a": 1}


def test_another_secret_keeps_session_and_bag(browser: Browser, made: Auth) -> None:
    """T7: `regenerate` gives the session another secret; its id, its proof and its bag stay, the old secret is dead."""
    first = browser.sign_in(amr=("pwd", "otp"))
    browser.calls.bag.put("a", 1)
    old = browser.request()

    done = browser.keep(browser.calls.bag.regenerate())

    session = browser.calls.sessions.get_session()
    assert done.issued is None
    assert [cookie.name for cookie in done.cookies] == ["authcore_session"]
    assert (session.id, session.aal, session.auth_time) == (first.session.id, 2, first.session.auth_time)
    assert browser.calls.bag.all() == {"a": 1}
    assert made.blocking.on(old).sessions.get_user() is None
    assert made.blocking.on(old).bag.all() == {}


def test_a_bearer_gets_its_tokens_again(made: Auth) -> None:
    """T7: under bearer the new tokens are in `issued`, and the refresh token of before is dead as well."""
    held = made.blocking.sessions.create_session(user=ADA, transport="bearer")
    assert isinstance(held, SignedIn)
    asking = Request("POST", "/x", headers={"authorization": f"Bearer {held.access_token}"})

    done = made.blocking.on(asking).bag.regenerate()

    assert done.cookies == ()
    assert done.issued is not None
    assert made.blocking.sessions.get_user(access_token=done.issued.access) == held.user
    assert made.blocking.sessions.get_user(access_token=held.access_token) is None
    with pytest.raises(Exception, match="refresh token"):
        made.blocking.sessions.refresh(refresh_token=held.refresh_token)


def test_a_guest_s_level_does_not_rise(auth: MakeAuth) -> None:
    """A1: another secret proves nothing: who has no account stays at level 0."""
    made = auth(Password(), Anonymous())
    guest = made.blocking.anonymous.sign_in(transport="bearer")
    assert isinstance(guest, SignedIn)
    asking = Request("POST", "/x", headers={"authorization": f"Bearer {guest.access_token}"})

    done = made.blocking.on(asking).bag.regenerate()

    assert done.issued is not None
    assert (done.issued.session.aal, done.issued.session.amr) == (0, [])


# --- of a guest ---


def test_a_guest_s_bag_is_made_at_the_first_put(browser: Browser, made: Auth, inside: Any) -> None:
    """S51, R6: looking makes none; a put sets a cookie of its own, whose secret is stored as a digest alone (T1)."""
    assert browser.calls.bag.all() == {}
    assert browser.calls.bag.forget("a") == BagChanged()
    assert browser.calls.bag.flush() == BagChanged()
    assert inside(made).rows(bags.bags) == []

    (cookie,) = browser.keep(browser.calls.bag.put("cart", [1])).cookies

    assert cookie.header().startswith("authcore_bag=ac1_bg_")
    assert (cookie.max_age, cookie.same_site) == (7 * 24 * 3600, "Lax")
    (row,) = inside(made).rows(bags.bags)
    assert row.user_id is None
    assert cookie.value not in repr(row)
    assert browser.calls.bag.get("cart") == [1]


def test_calls_of_one_request_share_the_bag_that_is_made(browser: Browser, made: Auth, inside: Any) -> None:
    """S51: two puts of one request, before the browser has a cookie, are one bag; a sign-in in it takes it along."""
    calls = browser.calls
    first = browser.keep(calls.bag.put("a", 1))
    second = browser.keep(calls.bag.put("b", 2))

    assert first.cookies == second.cookies
    assert calls.bag.all() == browser.calls.bag.all() == {"a": 1, "b": 2}
    done = browser.keep(calls.sessions.create_session(user=ADA))
    calls.bag.put("c", 3)
    assert set(browser.jar) == {"authcore_session"}
    assert browser.calls.bag.all() == {"a": 1, "b": 2, "c": 3}
    assert [row.id for row in inside(made).rows(bags.bags)] == [done.session.id]


def test_a_sign_in_takes_the_bag_along(browser: Browser, made: Auth, inside: Any) -> None:
    """S51: the guest's bag moves to the new session, and its cookie goes; the old secret opens nothing."""
    browser.keep(browser.calls.bag.put("cart", [1]))
    old = browser.request()

    found = browser.sign_in()

    assert set(browser.jar) == {"authcore_session"}
    assert browser.calls.bag.all() == {"cart": [1]}
    (row,) = inside(made).rows(bags.bags)
    assert (row.id, row.user_id, row.digest) == (found.session.id, found.user.id, None)
    assert made.blocking.on(old).bag.all() == {}


def test_every_way_in_takes_the_bag_along(auth: MakeAuth, client: Any) -> None:
    """S51: the move hangs on the pipeline: a sign-up over HTTP, with its code, ends with the bag at the session."""
    made = auth(Password())
    visitor = client(made, browser=True)
    for cookie in made.blocking.on(Request("POST", "/mine", headers={"origin": ORIGIN})).bag.put("a", 1).cookies:
        visitor.jar[cookie.name] = cookie.value

    visitor.sign_up()

    assert "authcore_bag" not in visitor.jar
    header = "; ".join(f"{name}={value}" for name, value in visitor.jar.items())
    held = Request("POST", "/mine", headers={"origin": ORIGIN, "cookie": header})
    assert made.blocking.on(held).bag.all() == {"a": 1}


def test_a_session_s_own_keys_go_first(browser: Browser, made: Auth) -> None:
    """S51: signing in again, what the same user's session held stays, and a guest's keys fill in what it lacks."""
    browser.keep(browser.calls.bag.put("cart", "guest"))
    browser.keep(browser.calls.bag.put("more", "guest"))
    guest = dict(browser.jar)
    browser.jar.clear()
    browser.sign_in()
    browser.calls.bag.put("cart", "session")
    browser.jar |= guest

    browser.sign_in()

    assert browser.calls.bag.all() == {"cart": "session", "more": "guest"}


def test_somebody_else_gets_nothing(browser: Browser) -> None:
    """S51: on a shared browser, whoever signs in over another's session starts with an empty bag."""
    browser.sign_in()
    browser.calls.bag.put("cart", "ada's")

    browser.sign_in("bea@example.com")

    assert browser.calls.bag.all() == {}


def test_a_user_without_an_account_hands_over(auth: MakeAuth) -> None:
    """S51: the session of an anonymous user is a session: its bag goes to the account that it becomes."""
    made = auth(Password(require_code=False), Anonymous())
    browser = Browser(lambda auth, request: auth.blocking.on(request), made)
    browser.keep(browser.calls.anonymous.sign_in(transport="cookie"))
    browser.calls.bag.put("cart", [1])

    browser.keep(browser.calls.password.sign_up(email=EMAIL, password=PASSWORD, transport="cookie"))
    assert browser.calls.bag.all() == {"cart": [1]}

    browser.keep(browser.calls.sessions.sign_out())
    browser.keep(browser.calls.anonymous.sign_in(transport="cookie"))
    browser.calls.bag.put("cart", [2])
    browser.keep(browser.calls.password.sign_in(email=EMAIL, password=PASSWORD, transport="cookie"))
    assert browser.calls.bag.all() == {"cart": [2]}


def test_a_stranger_s_link_takes_nothing_along(auth: MakeAuth, mailer: MemoryMailer) -> None:
    """Login CSRF: a link that another browser asked for signs in, and the bag stays with its browser."""
    made = auth(MagicLink())
    made.blocking.administration.create(email=EMAIL, verified=True)
    browser = Browser(lambda auth, request: auth.blocking.on(request), made)
    browser.keep(browser.calls.bag.put("cart", [1]))
    Browser(lambda auth, request: auth.blocking.on(request), made).calls.magic_link.request(email=EMAIL)
    made.outbox.drain()

    browser.keep(browser.calls.magic_link.consume(token=mailer.mails[-1].token, transport="cookie"))

    assert set(browser.jar) == {"authcore_bag", "authcore_session"}
    assert browser.calls.bag.all() == {}
    del browser.jar["authcore_session"]
    assert browser.calls.bag.all() == {"cart": [1]}


def test_a_guest_s_bag_gets_another_id_and_secret(browser: Browser, made: Auth, inside: Any) -> None:
    """T7: `regenerate` gives a guest's bag another id and secret, once; without a bag it does nothing."""
    assert browser.calls.bag.regenerate().cookies == ()
    browser.keep(browser.calls.bag.put("a", 1))
    old, before = browser.request(), inside(made).rows(bags.bags)[0]

    browser.keep(browser.calls.bag.regenerate())

    (after,) = inside(made).rows(bags.bags)
    assert before.id != after.id
    assert before.digest != after.digest
    assert browser.calls.bag.all() == {"a": 1}
    assert made.blocking.on(old).bag.all() == {}
    assert made.blocking.on(old).bag.regenerate().cookies == ()


def test_flushing_takes_the_cookie_away(browser: Browser, made: Auth, inside: Any) -> None:
    """S51: a guest's flushed bag leaves neither a row nor a cookie."""
    browser.keep(browser.calls.bag.put("a", 1))

    browser.keep(browser.calls.bag.flush())

    assert browser.jar == {}
    assert inside(made).rows(bags.bags) == []


def test_a_guest_s_bag_ends(auth: MakeAuth, calling: Any, clock: FrozenClock) -> None:
    """S51: it lives for `ttl` after the last change; then it is nobody's, and the next put makes another."""
    made = auth(Sessions(ttl=timedelta(hours=2)))
    browser = Browser(calling, made)
    browser.keep(browser.calls.bag.put("a", 1))
    clock.advance(3600)
    browser.keep(browser.calls.bag.put("b", 2))
    clock.advance(90 * 60)
    assert browser.calls.bag.all() == {"a": 1, "b": 2}

    clock.advance(31 * 60)

    assert browser.calls.bag.all() == {}
    assert browser.keep(browser.calls.bag.put("c", 3)).cookies[0].max_age == 7200
    assert browser.calls.bag.all() == {"c": 3}


@pytest.mark.parametrize("rule", ["never", "ask"])
def test_a_guest_s_cookie_ends_with_the_browser_where_sessions_do(auth: MakeAuth, rule: Any) -> None:
    """`remember_me`: where cookies do not outlive the browser unasked, neither does a guest's bag."""
    made = auth(Sessions(remember_me=rule))

    (cookie,) = made.blocking.on(Request("POST", "/x", headers={"origin": ORIGIN})).bag.put("a", 1).cookies

    assert cookie.max_age is None


def test_another_tenant_s_bag_is_nobody_s(auth: MakeAuth) -> None:
    """A guest's bag is its tenant's, as a session is."""
    made = auth(tenant=lambda request: Tenant(request.headers["x-tenant"]))
    one = Browser(lambda auth, request: auth.blocking.on(request), made, **{"x-tenant": "one"})
    other = Browser(lambda auth, request: auth.blocking.on(request), made, **{"x-tenant": "other"})
    one.keep(one.calls.bag.put("a", 1))
    other.jar = dict(one.jar)

    assert other.calls.bag.all() == {}
    other.keep(other.sign_in())
    assert other.calls.bag.all() == {}


@pytest.mark.parametrize("value", ["ac1_st_" + "A" * 43, "ac1_bg_short", "x"])
def test_another_secret_opens_no_bag(browser: Browser, value: str) -> None:
    """T5: a secret of another kind, or none at all, is a browser without a bag."""
    browser.jar = {"authcore_bag": value}

    assert browser.calls.bag.all() == {}
    assert browser.calls.bag.put("a", 1).cookies[0].value != value


def test_a_bag_opens_nothing_else(browser: Browser) -> None:
    """T5: the secret of a bag is no session."""
    (cookie,) = browser.calls.bag.put("a", 1).cookies

    browser.jar = {"authcore_session": cookie.value}

    assert browser.calls.sessions.get_user() is None


# --- what it takes ---


@pytest.mark.parametrize("key", ["", "x" * 201, "\0", "\ud800", 7])
def test_a_key_is_a_short_text(browser: Browser, key: Any) -> None:
    """R2: what is no key is refused."""
    with pytest.raises(InvalidFields):
        browser.calls.bag.put(key, 1)


@pytest.mark.parametrize("value", [object(), "\0", {"a": "\ud800"}, 1j])
def test_a_value_is_json(browser: Browser, value: Any) -> None:
    """R1: what JSON cannot hold, or a database would refuse, is refused."""
    with pytest.raises(InvalidFields):
        browser.calls.bag.put("a", value)


def test_a_bag_has_a_size(auth: MakeAuth, calling: Any) -> None:
    """S51: what no longer fits is refused with `bag_too_large`, and what was there stays."""
    browser = Browser(calling, auth(Sessions(bag_size=100)))
    browser.keep(browser.calls.bag.put("a", "x" * 80))

    with pytest.raises(BagTooLarge) as refused:
        browser.calls.bag.put("b", "y" * 20)

    assert (refused.value.code, refused.value.status) == ("bag_too_large", 422)
    assert browser.calls.bag.all() == {"a": "x" * 80}
    with pytest.raises(BagTooLarge):
        Browser(calling, auth(Sessions(bag_size=100))).calls.bag.put("b", "y" * 100)


def test_a_bag_above_a_lowered_size_can_be_emptied(auth: MakeAuth) -> None:
    """S51: after `bag_size` was lowered, what only becomes smaller is taken."""
    large, small = auth(Sessions(bag_size=200)), auth(Sessions(bag_size=20))
    browser = Browser(lambda _auth, request: large.blocking.on(request), large)
    browser.keep(browser.calls.bag.put("a", "x" * 50))
    browser.keep(browser.calls.bag.put("b", "x" * 50))

    small.blocking.on(browser.request()).bag.forget("a")

    assert small.blocking.on(browser.request()).bag.all() == {"b": "x" * 50}
    with pytest.raises(BagTooLarge):
        small.blocking.on(browser.request()).bag.put("c", 1)


@pytest.mark.parametrize("size", [0, -1, True, 1.5, "16", 60 * 1024 + 1])
def test_a_size_is_a_number_of_bytes(size: Any) -> None:
    """`bag_size` is refused while the application starts."""
    with pytest.raises(ConfigurationError, match="bag_size"):
        Sessions(bag_size=size)


def test_another_site_changes_nothing(browser: Browser, made: Auth) -> None:
    """R5: a call for another site's request is refused, with a bag's cookie as with a session's."""
    browser.keep(browser.calls.bag.put("a", 1))
    header = "; ".join(f"{name}={value}" for name, value in browser.jar.items())
    for headers in ({"origin": "https://evil.example"}, {"cookie": header}):
        calls = made.blocking.on(Request("POST", "/mine", headers=headers))
        with pytest.raises(OriginNotAllowed):
            calls.bag.put("a", 2)

    assert browser.calls.bag.all() == {"a": 1}


def test_two_bags_are_refused(browser: Browser, made: Auth) -> None:
    """R6: two cookies of one name are never "first wins"."""
    (cookie,) = browser.calls.bag.put("a", 1).cookies
    twice = f"authcore_bag={cookie.value}; authcore_bag={cookie.value}"

    with pytest.raises(AmbiguousCredentials):
        made.blocking.on(Request("GET", "/mine", headers={"cookie": twice})).bag.all()


def test_a_bag_belongs_to_a_request(made: Auth) -> None:
    """Without a request there is neither a session nor a browser."""
    with pytest.raises(ConfigurationError, match="on\\(request\\)"):
        made.blocking.bag.all()


# --- at the same moment ---


@pytest.mark.alone
@pytest.mark.parametrize("who", ["session", "guest"])
def test_of_puts_at_the_same_moment_none_is_lost(auth: MakeAuth, any_database: str, who: str) -> None:
    """S51: different keys put at once are all there, at the first put of a session as at later ones."""
    made = auth(database=any_database)
    made.create_tables()
    browser = Browser(lambda auth, request: auth.blocking.on(request), made)
    if who == "session":
        browser.sign_in()
    else:
        browser.keep(browser.calls.bag.put("first", 0))
    start, failed = threading.Barrier(8), []

    def put(name: int) -> None:
        start.wait()
        try:
            for turn in range(5):
                browser.calls.bag.put(f"{name}.{turn}", turn)
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=put, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert failed == []
    assert {key for key in browser.calls.bag.all() if "." in key} == {f"{a}.{b}" for a in range(8) for b in range(5)}


# --- the clean-up, the export and the erasure ---


def test_what_a_bag_hung_on_takes_it_along(made: Auth, inside: Any, clock: FrozenClock) -> None:
    """S51: the clean-up removes bags of guests and of sessions that are over, and none that live."""

    def fresh() -> Browser:
        return Browser(lambda auth, request: auth.blocking.on(request), made)

    ended, lives, guest = fresh(), fresh(), fresh()
    for browser in (ended, lives):
        browser.sign_in()
        browser.calls.bag.put("a", 1)
    guest.keep(guest.calls.bag.put("a", 1))
    kept = lives.calls.sessions.get_session().id
    ended.calls.sessions.sign_out()

    clock.advance(1)
    assert run_blocking(retention.sweep(made.runtime(Drive.BLOCKING)))["session_data"] == 1
    for _ in range(8):
        clock.advance(24 * 3600)
        assert lives.calls.bag.all() == {"a": 1}
    assert run_blocking(retention.sweep(made.runtime(Drive.BLOCKING)))["session_data"] == 1
    assert [row.id for row in inside(made).rows(bags.bags)] == [kept]


def test_a_bag_is_exported_and_erased_with_its_user(made: Auth, inside: Any) -> None:
    """What hangs on a user's sessions is personal: told in the export, and gone with the account."""
    from authcore.services import erasure

    browser = Browser(lambda auth, request: auth.blocking.on(request), made)
    user = browser.sign_in().user
    browser.calls.bag.put("cart", "a hat")

    told = inside(made).read(erasure.read, user.id)
    made.blocking.administration.delete(user_id=user.id)

    assert [row["data"] for row in told["session_data"]] == [{"cart": "a hat"}]
    assert inside(made).rows(bags.bags) == []
