"""The room anonymous: its settings, its Python calls, its hook, its events and its clean-up."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any, cast

import pytest

from authcore import (
    Anonymous,
    Auth,
    AuthError,
    ChallengeRequired,
    ConfigurationError,
    EmailVerification,
    MagicLink,
    Notices,
    Password,
    Request,
    SignedIn,
    Tenant,
    User,
    requirement,
)
from authcore import events as happenings
from authcore.backends.mail import MemoryMailer
from authcore.context import Context
from authcore.drive import Drive, run_blocking
from authcore.services import accounts, admission, guests, retention
from authcore.testing.ports import FrozenClock

EMAIL = "ada@example.com"
PASSWORD = "three quiet herons wade"
MakeAuth = Callable[..., Auth]


def of(token: str) -> Request:
    """Answer a request of who holds a token."""
    return Request("POST", "/own", b"", {"authorization": f"Bearer {token}"}, "127.0.0.1")


def guest(made: Auth) -> SignedIn:
    """Let somebody in without an account."""
    return cast(SignedIn, made.blocking.anonymous.sign_in(transport="bearer"))


def sign_up(made: Auth, token: str, email: str = EMAIL, **more: Any) -> SignedIn:
    """Sign up, without a code, from a guest's session."""
    calls = made.blocking.on(of(token)).password
    return cast(SignedIn, calls.sign_up(email=email, password=PASSWORD, transport="bearer", **more))


def sign_in(made: Auth, token: str, email: str = EMAIL) -> SignedIn:
    """Sign in from a guest's session."""
    calls = made.blocking.on(of(token)).password
    return cast(SignedIn, calls.sign_in(email=email, password=PASSWORD, transport="bearer"))


def sweep(made: Auth) -> dict[str, int]:
    """Clean up."""
    return run_blocking(retention.sweep(made.runtime(Drive.BLOCKING)))


def heard(made: Auth) -> list[happenings.Event]:
    """Answer the list into which every event goes."""
    seen: list[happenings.Event] = []
    made.events.on_every(seen.append)
    return seen


def names(seen: list[happenings.Event]) -> list[str]:
    """Answer the names of events."""
    return [type(each).__name__ for each in seen]


@pytest.mark.parametrize(
    "keep", [timedelta(minutes=59), timedelta(days=31), 30, None], ids=["short", "long", "number", "none"]
)
def test_keep_has_bounds(keep: Any) -> None:
    """Sessions that are over are kept 30 days, and since when nobody can be a guest is read from them."""
    with pytest.raises(ConfigurationError, match=r"Anonymous\(keep=…\) lies between"):
        Anonymous(keep=keep)


def test_merge_is_a_function() -> None:
    """What cannot be called is refused where it is written."""
    with pytest.raises(ConfigurationError, match=r"Anonymous\(merge=…\) is a function"):
        Anonymous(merge=cast(Any, "carts.merge"))


@pytest.mark.parametrize("more", [{"verified": True}, {"mfa": True}, {"fresh": "5m"}])
def test_a_requirement_does_not_contradict_itself(more: dict[str, Any]) -> None:
    """Who has no account has nothing verified, no factor and no authentication, so the pair is a mistake."""
    with pytest.raises(ConfigurationError, match=r"leave out verified, mfa and fresh, or anonymous"):
        requirement(anonymous=True, **more)


def test_who_is_signed_in_gets_no_other_session(auth: MakeAuth) -> None:
    """The Python call refuses as the route does."""
    made = auth(Anonymous())
    first = guest(made)

    with pytest.raises(AuthError) as refused:
        made.blocking.on(of(first.access_token)).anonymous.sign_in()

    assert refused.value.code == "already_signed_in"


def test_the_admission_hook_is_asked_about_guests(auth: MakeAuth) -> None:
    """`Auth(sign_up=…)` sees each guest, and may keep them out."""
    made = auth(Anonymous(), sign_up=lambda candidate: candidate.way != "anonymous")

    with pytest.raises(AuthError) as refused:
        guest(made)

    assert refused.value.code == "sign_up_closed"


def test_a_guest_keeps_what_it_has(auth: MakeAuth) -> None:
    """Upgraded, a user keeps its id and the time when it was made; its epoch ends what was outstanding."""
    made = auth(Password(require_code=False), Anonymous())
    before = guest(made)

    after = sign_up(made, before.access_token)

    assert after.user.id == before.user.id
    assert after.user.created_at == before.user.created_at
    assert made.blocking.sessions.get_user(access_token=before.access_token) is None
    assert made.blocking.sessions.get_user(access_token=after.access_token) == after.user


class Member(User, frozen=True, kw_only=True):
    """A user with a field of the application's own."""

    theme: str = "light"


def test_a_guests_fields_stay_unless_given(auth: MakeAuth) -> None:
    """Fields that the sign-up does not name stay as they were; those that it names win."""
    made = auth(Password(require_code=False), Anonymous(), user=Member)
    one, other = guest(made), guest(made)

    kept = sign_up(made, one.access_token)
    given = sign_up(made, other.access_token, "eva@example.com", fields={"theme": "dark"})

    assert (cast(Member, kept.user).theme, cast(Member, given.user).theme) == ("light", "dark")
    assert made.blocking.sessions.get_user(access_token=given.access_token) == given.user


def test_an_upgrade_is_told_once(auth: MakeAuth) -> None:
    """A guest's arrival is a `Login` and proves nothing; the sign-up tells `AnonymousUpgraded`, then `Registered`."""
    made = auth(Password(require_code=False), Anonymous())
    seen = heard(made)
    first = guest(made)
    assert names(seen) == ["Login"]

    user = sign_up(made, first.access_token).user

    assert names(seen)[1:] == ["AnonymousUpgraded", "Registered", "Authenticated", "Login"]
    assert cast(happenings.AnonymousUpgraded, seen[1]).anonymous_id == first.user.id == user.id


def test_a_merge_is_told_once(auth: MakeAuth) -> None:
    """A sign-in to an account tells `AnonymousUpgraded` with both ids, and `UserDeleted` of the guest at the end."""
    made = auth(Password(require_code=False), Anonymous())
    account = sign_up(made, guest(made).access_token).user
    visitor = guest(made)
    seen = heard(made)

    sign_in(made, visitor.access_token)

    assert names(seen) == ["Attempting", "Authenticated", "Login", "AnonymousUpgraded", "UserDeleted"]
    upgraded, deleted = cast(happenings.AnonymousUpgraded, seen[3]), cast(happenings.UserDeleted, seen[4])
    assert (upgraded.anonymous_id, upgraded.user.id) == (visitor.user.id, account.id)
    assert deleted.user_id == visitor.user.id


def test_the_hook_sees_the_guest_before_it_is_erased(auth: MakeAuth) -> None:
    """While the hook runs, both users are there; the sign-in has happened already."""
    found: list[Any] = []

    def merge(anonymous: User, user: User) -> None:
        calls = made.blocking.administration
        found.append(
            (calls.find(user_id=anonymous.id) is not None, len(made.blocking.sessions.list_sessions(user_id=user.id)))
        )

    made = auth(Password(require_code=False), Anonymous(merge=merge))
    sign_up(made, guest(made).access_token)
    visitor = guest(made)

    sign_in(made, visitor.access_token)

    assert found == [(True, 2)]
    assert made.blocking.administration.find(user_id=visitor.user.id) is None


async def test_the_hook_may_be_async(auth: MakeAuth) -> None:
    """Under an event loop an async hook is awaited."""
    merged: list[str] = []

    async def merge(anonymous: User, user: User) -> None:
        merged.append(anonymous.id)

    made = auth(Password(require_code=False), Anonymous(merge=merge))
    calls = made.asyncio
    await calls.password.sign_up(email=EMAIL, password=PASSWORD, transport="bearer")
    visitor = cast(SignedIn, await calls.anonymous.sign_in(transport="bearer"))

    await calls.on(of(visitor.access_token)).password.sign_in(email=EMAIL, password=PASSWORD, transport="bearer")

    assert merged == [visitor.user.id]


def test_a_hook_that_fails_is_logged_with_both_ids(auth: MakeAuth, caplog: pytest.LogCaptureFixture) -> None:
    """Whoever mends it finds in the log whose data stayed, and where it belongs."""

    def merge(_anonymous: User, _user: User) -> None:
        raise RuntimeError("the shop is away")

    made = auth(Password(require_code=False), Anonymous(merge=merge))
    account = sign_up(made, guest(made).access_token).user
    visitor = guest(made)

    with caplog.at_level(logging.ERROR, logger="authcore.guests"):
        signed_in = sign_in(made, visitor.access_token)

    assert signed_in.user.id == account.id
    assert visitor.user.id in caplog.text
    assert account.id in caplog.text
    assert made.blocking.administration.find(user_id=visitor.user.id) is not None


def test_who_cannot_be_merged_is_erased_in_the_end(auth: MakeAuth, clock: FrozenClock) -> None:
    """A guest whose hook failed has no session, so it goes `keep` after the sign-in."""

    def merge(_anonymous: User, _user: User) -> None:
        raise RuntimeError("the shop is away")

    made = auth(Password(require_code=False), Anonymous(merge=merge, keep=timedelta(days=1)))
    sign_up(made, guest(made).access_token)
    visitor = guest(made)
    sign_in(made, visitor.access_token)

    clock.advance(86400 - 1)
    assert sweep(made)["anonymous"] == 0
    clock.advance(2)
    assert sweep(made)["anonymous"] == 1

    assert made.blocking.administration.find(user_id=visitor.user.id) is None


def test_a_live_session_keeps_a_guest(auth: MakeAuth, clock: FrozenClock) -> None:
    """`keep` counts from the end of the last session, however old the guest is; accounts are never touched."""
    made = auth(Password(require_code=False), Anonymous(keep=timedelta(hours=1)))
    account = sign_up(made, guest(made).access_token).user
    visitor = guest(made)
    seen = heard(made)

    clock.advance(30 * 86400 + 1800)
    assert sweep(made)["anonymous"] == 0
    clock.advance(1801)
    assert sweep(made)["anonymous"] == 1

    assert [each.user_id for each in seen if isinstance(each, happenings.UserDeleted)] == [visitor.user.id]
    assert made.blocking.administration.find(user_id=account.id) is not None


def test_guests_of_every_tenant_are_swept(auth: MakeAuth, clock: FrozenClock) -> None:
    """The clean-up knows no tenant of its own."""
    made = auth(Anonymous(keep=timedelta(hours=1)), tenant=lambda request: Tenant(request.headers["x-shop"]))
    for shop in ("one", "two"):
        asked = Request("POST", "/own", b"", {"x-shop": shop}, "127.0.0.1")
        visitor = cast(SignedIn, made.blocking.on(asked).anonymous.sign_in(transport="bearer"))
        carried = Request("POST", "/own", b"", {"x-shop": shop, **of(visitor.access_token).headers}, "127.0.0.1")
        made.blocking.on(carried).sessions.sign_out()

    clock.advance(3601)

    assert sweep(made)["anonymous"] == 2


def test_of_two_upgrades_at_once_one_is_done(auth: MakeAuth) -> None:
    """A guest who became an account between the draft and the transaction is not made another one (rule T2)."""
    made = auth(Password(require_code=False), Anonymous())
    first = guest(made)
    runtime = made.runtime(Drive.BLOCKING)
    ctx = Context(runtime, request=of(first.access_token))
    visitor = run_blocking(guests.present(ctx))
    assert visitor is not None
    drafts = [
        run_blocking(admission.new_user(ctx, way="sign_up", email=email, guest=visitor))
        for email in ("one@example.com", "two@example.com")
    ]

    done = [run_blocking(runtime.ports.db.write(accounts.create, draft)) for draft in drafts]

    assert done == [True, False]
    assert made.blocking.administration.find(email="two@example.com") is None


def test_of_two_sign_ins_at_once_one_merges(auth: MakeAuth) -> None:
    """Two sign-ins that both saw the guest make two sessions, and one of them retires it (rule T2)."""
    made = auth(Password(require_code=False), Anonymous())
    account = sign_up(made, guest(made).access_token).user
    visitor = guest(made)
    runtime = made.runtime(Drive.BLOCKING)
    ctx = Context(runtime, request=of(visitor.access_token))
    both = [run_blocking(guests.leaving(ctx, visitor.user.id, account)) for _ in range(2)]

    done = [run_blocking(runtime.ports.db.write(guests.retire, cast(guests.Leaving, each), ctx.now())) for each in both]

    assert done == [True, False]


def test_an_old_refresh_token_carries_no_account(auth: MakeAuth) -> None:
    """What the guest held before it became an account goes on with nothing (rules T7, T9)."""
    made = auth(Password(require_code=False), Anonymous())
    before = guest(made)
    sign_up(made, before.access_token)

    with pytest.raises(AuthError) as refused:
        made.blocking.sessions.refresh(refresh_token=before.refresh_token)

    assert refused.value.code == "invalid_refresh_token"


def test_other_rooms_cope_with_who_has_no_address(auth: MakeAuth, mailer: MemoryMailer, clock: FrozenClock) -> None:
    """Notices and verification mail nobody when a guest arrives, and the account's address once there is one."""
    made = auth(Password(require_code=False), EmailVerification(), Notices(), Anonymous())
    visitor = guest(made)
    made.outbox.drain()
    assert mailer.mails == []

    sign_up(made, visitor.access_token)
    made.outbox.drain()

    assert {mail.to for mail in mailer.mails} == {EMAIL}


def test_a_link_that_asks_nothing_of_guests_is_as_before(auth: MakeAuth, mailer: MemoryMailer) -> None:
    """Without a guest's session a link makes an account of its own."""
    made = auth(MagicLink(create_users=True), Anonymous())
    begun = made.blocking.magic_link.request(email=EMAIL)
    assert isinstance(begun, ChallengeRequired)
    made.outbox.drain()

    outcome = made.blocking.magic_link.consume(token=mailer.mails[-1].token)

    assert isinstance(outcome, SignedIn)
    assert outcome.user.anonymous is False
