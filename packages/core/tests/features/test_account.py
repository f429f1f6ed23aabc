"""The room `account` as Python calls: what server code does with it, what it tells, and its settings."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pkgutil import iter_modules
from typing import Annotated, Any

import pytest
from sqlalchemy import update

import authcore.features
from authcore import Account, Auth, ConfigurationError, Editable, Password, Request, SignedIn, User
from authcore.backends.mail import MemoryMailer
from authcore.backends.sms import MemorySms
from authcore.context import Context
from authcore.errors import AccountRequired, InvalidChallenge, InvalidFields, NotAuthenticated, NotFound
from authcore.features.account.errors import LastIdentifier
from authcore.features.account.store import leaving as leaving_store
from authcore.services import accounts, credentials, erasure, events, passwords, retention
from authcore.services.accounts import EMAIL_PASSWORD, users
from authcore.services.events import Event
from authcore.testing.ports import FrozenClock

from .test_account_erasure import rooms

EMAIL, GUEST, PASSWORD = "ada@example.com", "cyd@example.com", "three quiet herons wade"
NUMBER = "+4915112345678"
MakeAuth = Callable[..., Auth]


class Member(User, frozen=True, kw_only=True):
    """A user with fields of the application's own."""

    nickname: Annotated[str, Editable] = "none"
    plan: str = "free"


@pytest.fixture
def made(auth: MakeAuth) -> Auth:
    """An application with all of the room, where sign-up needs no code."""
    account = Account(username=True, phone=True, several_emails=True)
    return auth(Password(require_code=False), account, user=Member)


@pytest.fixture
def held(made: Auth) -> SignedIn:
    """Ada's session."""
    found = made.blocking.password.sign_up(email=EMAIL, password=PASSWORD, transport="bearer")
    assert isinstance(found, SignedIn)
    return found


def carrying(held: SignedIn) -> Request:
    """Answer a request of a session."""
    return Request("POST", "/mine", headers={"authorization": f"Bearer {held.access_token}"})


def heard(auth: Auth) -> list[str]:
    """Answer the names of events, as they happen."""
    names: list[str] = []
    auth.events.on_every(lambda event: names.append(type(event).__name__))
    return names


def sent(made: Auth, mailer: MemoryMailer, kind: str) -> Any:
    """Answer the latest mail of a kind."""
    made.outbox.drain()
    return [mail for mail in mailer.mails if mail.kind == kind][-1]


# --- the profile ---


def test_a_call_changes_the_profile(made: Auth, held: SignedIn, calling: Any) -> None:
    """Of a request's session, names and editable fields change, and each change is told once."""
    names = heard(made)

    user = calling(made, carrying(held)).account.update(display_name="Ada", username="ada", fields={"nickname": "c"})

    assert (user.display_name, user.username, user.nickname, user.plan) == ("Ada", "ada", "c", "free")
    assert names == ["ProfileUpdated", "UsernameChanged"]


def test_what_stays_is_not_told(made: Auth, held: SignedIn) -> None:
    """The same username again is no change, and needs no fresh authentication."""
    calls = made.blocking.on(carrying(held)).account
    calls.update(username="ada")
    names = heard(made)

    calls.update(username="ADA")

    assert names == []


@pytest.mark.parametrize("fields", [{"plan": "team"}, {"nickname": 7}, {"role": "admin"}])
def test_a_call_gives_nothing_that_is_not_editable(made: Auth, held: SignedIn, fields: dict[str, Any]) -> None:
    """R2: calls of a session are bound as its routes are."""
    with pytest.raises(InvalidFields):
        made.blocking.on(carrying(held)).account.update(fields=fields)


def test_calls_without_a_session_are_refused(made: Auth) -> None:
    """What acts for who is signed in says so."""
    calls = made.blocking.account

    for act in (calls.update, calls.list_emails, calls.remove_phone, calls.request_deletion, calls.export_own):
        with pytest.raises(NotAuthenticated):
            act()


def test_the_last_way_in_stays(made: Auth, client: Any) -> None:
    """A user that is known by its name alone keeps it; so does one whose number is all there is."""
    made.blocking.administration.create(username="ada", password=PASSWORD)
    made.blocking.administration.create(phone=NUMBER, password=PASSWORD)
    named = made.blocking.password.sign_in(username="ada", password=PASSWORD, transport="bearer")
    numbered = made.blocking.password.sign_in(phone=NUMBER, password=PASSWORD, transport="bearer")
    assert isinstance(named, SignedIn)
    assert isinstance(numbered, SignedIn)

    with pytest.raises(LastIdentifier):
        made.blocking.on(carrying(named)).account.update(username=None)
    with pytest.raises(LastIdentifier):
        made.blocking.on(carrying(numbered)).account.remove_phone()
    assert made.blocking.on(carrying(numbered)).account.update(username="bob").username == "bob"
    assert made.blocking.on(carrying(numbered)).account.remove_phone().user.username == "bob"


def test_who_has_no_address_proves_itself_by_password(made: Auth, clock: FrozenClock) -> None:
    """A9: a user that is known by a name alone re-authenticates with its password, and changes it."""
    made.blocking.administration.create(username="ada", password=PASSWORD)
    held = made.blocking.password.sign_in(username="ada", password=PASSWORD, transport="bearer")
    assert isinstance(held, SignedIn)
    clock.advance(600)

    again = made.blocking.on(carrying(held)).sessions.reauthenticate(password=PASSWORD)

    assert again.session.auth_time == clock.now()


def test_failures_move_with_the_primary_address(inside: Any, made: Auth, held: SignedIn) -> None:
    """A6: as many failures are counted at the address that takes the first one's place."""
    door, now = inside(made), FrozenClock().now()
    door.write(accounts.add_identity, "default", EMAIL_PASSWORD, GUEST, held.user.id, now)
    with pytest.raises(Exception, match="not right"):
        made.blocking.password.sign_in(email=EMAIL, password="no such words at all")

    made.blocking.on(carrying(held)).account.make_primary(email=GUEST)

    keys = [row.key for row in door.rows(passwords.attempts)]
    assert keys == [passwords.attempt_key("default", GUEST)]


def test_guesses_by_a_name_are_unlocked_by_the_primary_address(
    auth: MakeAuth, client: Any, mailer: MemoryMailer, inside: Any
) -> None:
    """A6: a password that rests after guesses by a username is unlocked by a mail to the address of the account."""
    made = auth(Password(require_code=False), Account(username=True), limits=False)
    held = made.blocking.password.sign_up(email=EMAIL, password=PASSWORD, transport="bearer")
    made.blocking.on(carrying(held)).account.update(username="ada")
    door = inside(made)
    key, now = passwords.attempt_key("default", EMAIL), FrozenClock().now()
    door.write(lambda tx: tx.execute(passwords.attempts.insert().values(key=key, failures=99, failed_at=now)))
    caller = client(made)

    resting = [caller.post("/sign-in", {"username": "ada", "password": "no such words"}) for _ in range(2)]
    right = caller.post("/sign-in", {"username": "ada", "password": PASSWORD})
    caller.post("/unlock", {"token": sent(made, mailer, "unlock").token})
    unlocked = caller.post("/sign-in", {"username": "ada", "password": PASSWORD})

    assert [reply.status for reply in (*resting, right, unlocked)] == [401, 401, 401, 200]
    assert sent(made, mailer, "unlock").to == EMAIL


# --- invitations ---


def test_a_call_invites_and_accepts(auth: MakeAuth, calling: Any, mailer: MemoryMailer) -> None:
    """S89: server code invites; what it gives outweighs what the invited asks for; each step is told."""
    made = auth(Account(), user=Member, sign_up="closed")
    names = heard(made)
    calls = calling(made).account

    view = calls.invite(email=GUEST, fields={"nickname": "given"}, data={"team": "herons"}, locale="de")
    mail = sent(made, mailer, "invitation")
    done = calls.accept_invitation(
        challenge_id=view.id, code=mail.code, fields={"nickname": "own"}, display_name="Cyd", transport="bearer"
    )

    assert (mail.locale, mail.data["team"]) == ("de", "herons")
    assert (done.user.email, done.user.nickname, done.user.display_name) == (GUEST, "given", "Cyd")
    assert names == ["UserInvited", "Registered", "Verified", "Authenticated", "Login"]


def test_without_the_password_room_a_password_is_refused(auth: MakeAuth, mailer: MemoryMailer) -> None:
    """Where passwords are not used, an invitation takes none, and none is stored."""
    made = auth(Account())
    made.blocking.account.invite(email=GUEST)
    token = sent(made, mailer, "invitation").token

    with pytest.raises(InvalidFields):
        made.blocking.account.accept_invitation(token=token, password=PASSWORD)
    assert isinstance(made.blocking.account.accept_invitation(token=token), SignedIn)


@pytest.mark.parametrize("wrong", [{}, {"phone": NUMBER}, {"email": "no address"}, {"email": GUEST, "phone": NUMBER}])
def test_who_is_invited_is_one_address(auth: MakeAuth, wrong: dict[str, str]) -> None:
    """R2: nobody, both, an address that is none, and a number where none are used are refused."""
    with pytest.raises(InvalidFields):
        auth(Account()).blocking.account.invite(**wrong)


def test_an_invitation_asks_the_hook(auth: MakeAuth, mailer: MemoryMailer) -> None:
    """The admission hook is asked with the way `invitation`, and a refusal leaves the invitation open."""
    asked: list[tuple[str, str | None]] = []

    def admits(candidate: Any) -> bool:
        asked.append((candidate.way, candidate.email))
        return len(asked) > 1

    made = auth(Account(), sign_up=admits)
    made.blocking.account.invite(email=GUEST)
    token = sent(made, mailer, "invitation").token

    with pytest.raises(Exception, match="not open"):
        made.blocking.account.accept_invitation(token=token)
    made.blocking.account.accept_invitation(token=token)

    assert asked == [("invitation", GUEST)] * 2


def test_a_taken_address_tells_nobody(made: Auth, held: SignedIn) -> None:
    """A2: an invitation that goes nowhere is no event, and its challenge opens nothing."""
    names = heard(made)

    view = made.blocking.account.invite(email=EMAIL)

    assert names == []
    with pytest.raises(InvalidChallenge):
        made.blocking.account.accept_invitation(challenge_id=view.id, code="12345678")


# --- leaving ---


def leaves(made: Auth, held: SignedIn, mailer: MemoryMailer) -> Any:
    """Schedule the end of a session's account."""
    made.blocking.on(carrying(held)).account.request_deletion()
    return made.blocking.account.confirm_deletion(token=sent(made, mailer, "deletion").token)


def test_a_deletion_is_told_from_its_request_to_its_end(
    made: Auth, held: SignedIn, mailer: MemoryMailer, clock: FrozenClock, inside: Any
) -> None:
    """The request, its cancelling, and the end are events, each once."""
    names = heard(made)

    leaves(made, held, mailer)
    made.blocking.account.cancel_deletion(token=sent(made, mailer, "deletion_scheduled").token)
    again = made.blocking.password.sign_in(email=EMAIL, password=PASSWORD, transport="bearer")
    assert isinstance(again, SignedIn)
    leaves(made, again, mailer)
    clock.advance(14 * 86400)
    door = inside(made)
    removed = door.run(retention.sweep(door.runtime))

    told = [name for name in names if name.startswith(("Deletion", "User"))]
    assert told == ["DeletionRequested", "DeletionCancelled", "DeletionRequested", "UserDeleted"]
    assert removed["deletions"] == 1


def test_server_code_keeps_an_account(made: Auth, held: SignedIn, mailer: MemoryMailer, calling: Any) -> None:
    """`withdraw_deletion` keeps an account for its owner, and ends the link; for any other account it is NotFound."""
    calls = calling(made).account
    leaves(made, held, mailer)

    kept = calls.withdraw_deletion(user_id=held.user.id)

    assert kept.id == held.user.id
    with pytest.raises(InvalidChallenge):
        calls.cancel_deletion(token=sent(made, mailer, "deletion_scheduled").token)
    with pytest.raises(NotFound):
        calls.withdraw_deletion(user_id=held.user.id)


def test_the_clean_up_spares_who_was_kept_meanwhile(
    made: Auth, held: SignedIn, inside: Any, clock: FrozenClock
) -> None:
    """T2: an account that was cancelled after the clean-up had found it is not erased, nor is one not yet due."""
    door = inside(made)

    not_leaving = door.run(erasure.erase(door.ctx(), held.user.id, due=clock.now()))
    door.write(lambda tx: tx.execute(update(users).values(delete_at=clock.now() + timedelta(seconds=1))))
    not_due = door.run(erasure.erase(door.ctx(), held.user.id, due=clock.now()))
    clock.advance(1)
    due = door.run(erasure.erase(door.ctx(), held.user.id, due=clock.now()))

    assert (not_leaving, not_due, due) == (False, False, True)


def test_every_tenant_is_cleaned(inside: Any, made: Auth, held: SignedIn, clock: FrozenClock) -> None:
    """Accounts of each tenant go, in batches, and the event names the tenant."""
    told: list[Event] = []
    made.events.on(events.UserDeleted, told.append)
    for number in range(3):
        made.blocking.administration.create(username=f"user{number}")
    door = inside(made)
    door.write(lambda tx: tx.execute(update(users).values(delete_at=clock.now())))
    door.write(lambda tx: tx.execute(update(users).where(users.c.username == "user1").values(tenant="other")))

    rows = door.read(leaving_store.due, clock.now(), 2)
    removed = door.run(retention.sweep(door.runtime))["deletions"]

    assert (len(rows), removed, len(door.rows(users))) == (2, 4, 0)
    assert sorted(event.tenant for event in told) == ["default", "default", "default", "other"]


def test_who_has_a_number_alone_confirms_by_text(made: Auth, texts: MemorySms) -> None:
    """S90: an account without an address confirms and cancels its deletion by codes to its number."""
    made.blocking.administration.create(phone=NUMBER, password=PASSWORD)
    held = made.blocking.password.sign_in(phone=NUMBER, password=PASSWORD, transport="bearer")
    assert isinstance(held, SignedIn)

    asked = made.blocking.on(carrying(held)).account.request_deletion()
    made.outbox.drain()
    done = made.blocking.account.confirm_deletion(challenge_id=asked.challenge.id, code=texts.messages[-1].code)
    made.outbox.drain()
    kept = made.blocking.account.cancel_deletion(challenge_id=done.challenge.id, code=texts.messages[-1].code)

    assert asked.challenge.kind == "sms_code"
    assert [text.kind for text in texts.messages] == ["deletion", "deletion_scheduled"]
    assert (kept.id, kept.phone) == (held.user.id, NUMBER)


def test_who_can_be_reached_nowhere_is_not_asked(made: Auth) -> None:
    """An account with a username alone goes without a mail; nothing but server code keeps it."""
    made.blocking.administration.create(username="ada", password=PASSWORD)
    held = made.blocking.password.sign_in(username="ada", password=PASSWORD, transport="bearer")
    assert isinstance(held, SignedIn)

    done = made.blocking.on(carrying(held)).account.request_deletion()

    assert (done.status, done.challenge) == ("scheduled", None)
    assert made.blocking.account.withdraw_deletion(user_id=held.user.id).username == "ada"


def test_a_deletion_ends_all_that_is_outstanding(made: Auth, held: SignedIn, mailer: MemoryMailer, inside: Any) -> None:
    """T9: with the deletion the epoch moves on, and of the account's challenges only the cancelling one is open."""
    door = inside(made)
    before = door.write(credentials.lock, held.user.id)

    leaves(made, held, mailer)

    assert door.write(credentials.lock, held.user.id) == before + 1
    with pytest.raises(NotAuthenticated):
        made.blocking.on(carrying(held)).account.export_own()


# --- the export ---


def test_a_call_exports(made: Auth, held: SignedIn, calling: Any) -> None:
    """Server code reads out what is stored of a user; for nobody it is NotFound."""
    calls = calling(made).account

    told = calls.export(user_id=held.user.id)

    assert told.user.id == held.user.id
    assert set(told.data) >= {"user", "identity", "session", "password"}
    assert not [key for rows in told.data.values() for row in rows for key in row if "digest" in key]
    with pytest.raises(NotFound):
        calls.export(user_id="nobody")


def test_the_life_of_the_erasure_uses_every_room() -> None:
    """The test of what is left reads the tables after a life in every room that there is."""
    every = {module.name for module in iter_modules(authcore.features.__path__)}

    assert {room.name for room in rooms()} | {"administration", "meta", "sessions"} == every


# --- settings ---


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"username": "yes"}, r"Account\(username=…\) is True or False"),
        ({"phone": 1}, r"Account\(phone=…\) is True or False"),
        ({"several_emails": None}, r"Account\(several_emails=…\) is True or False"),
        ({"confirm_deletion": "no"}, r"Account\(confirm_deletion=…\) is True or False"),
        ({"max_emails": 1}, r"Account\(max_emails=1\) is a whole number between 2 and 10"),
        (
            {"settling": timedelta(days=31)},
            r"Account\(settling=…\) lies between timedelta\(days=0\) and timedelta\(days=30\)",
        ),
        ({"invitations": "anybody"}, r"Account\(invitations='anybody'\) is 'server' or 'members'"),
        (
            {"invitation_ttl": timedelta(minutes=1)},
            r"Account\(invitation_ttl=…\) lies between timedelta\(hours=1\) and",
        ),
        (
            {"deletion_grace": 14},
            r"Account\(deletion_grace=…\) lies between timedelta\(days=0\) and timedelta\(days=90\)",
        ),
        ({"link_ttl": timedelta(days=8)}, r"Account\(link_ttl=…\) lies between"),
        ({"code_length": 4}, r"Account\(code_length=4\) is a whole number between 6 and 12"),
    ],
)
def test_settings_are_judged_at_start(settings: dict[str, Any], sentence: str) -> None:
    """O1: a setting that is none refuses to start, with a sentence that says what to write."""
    with pytest.raises(ConfigurationError, match=sentence):
        Account(**settings)


def test_text_messages_need_a_sender() -> None:
    """Outside development, numbers refuse to start where nothing sends to them."""
    with pytest.raises(ConfigurationError, match="sms"):
        Auth(
            secret="a secret of these tests, long enough",
            base_url="https://app.example",
            database="sqlite:///app.db",
            mailer=MemoryMailer(),
            features=[Account(phone=True)],
        )


def test_guests_have_no_account(auth: MakeAuth) -> None:
    """Who has a session without an account is told to sign up."""
    from authcore import Anonymous

    made = auth(Account(username=True), Anonymous())
    held = made.blocking.anonymous.sign_in(transport="bearer")
    assert isinstance(held, SignedIn)

    with pytest.raises(AccountRequired):
        made.blocking.on(carrying(held)).account.update(username="ada")


def test_a_guest_who_types_an_invitation_becomes_the_user(auth: MakeAuth, client: Any, mailer: MemoryMailer) -> None:
    """A guest's own row becomes the account when it types the code of an invitation; a link makes another user."""
    from authcore import Anonymous

    made = auth(Account(), Anonymous())
    guests = [client(made, browser=True) for _ in range(2)]
    ids = [guest.post("/anonymous", {}).json["user"]["id"] for guest in guests]
    made.blocking.account.invite(email=EMAIL)
    typed = guests[0].post("/invitations/accept", {"email": EMAIL, "code": sent(made, mailer, "invitation").code})
    made.blocking.account.invite(email=GUEST)

    linked = guests[1].post("/invitations/accept", {"token": sent(made, mailer, "invitation").token})

    assert (typed.json["user"]["id"], typed.json["user"]["email"]) == (ids[0], EMAIL)
    assert linked.json["user"]["id"] != ids[1]


@pytest.mark.parametrize(
    ("settings", "findings"),
    [
        ({}, 0),
        ({"several_emails": True, "settling": timedelta()}, 1),
        ({"confirm_deletion": False}, 0),
        ({"confirm_deletion": False, "deletion_grace": timedelta()}, 1),
    ],
)
def test_the_doctor_names_what_weakens(settings: dict[str, Any], findings: int) -> None:
    """`doctor` mentions addresses that push others out at once, and deletions that nothing stops."""
    assert len(Account(**settings).findings(None)) == findings


def test_a_context_is_all_that_the_sweep_needs(made: Auth, inside: Any) -> None:
    """With nothing due the clean-up removes nothing."""
    from authcore.features.account.flow import leaving

    assert inside(made).run(leaving.sweep(Context(inside(made).runtime), 20)) == 0


def test_attempts_at_invitations_count_alike_for_who_was_not_invited(
    auth: MakeAuth, client: Any, clock: FrozenClock
) -> None:
    """A2, A6: the 429 after too many codes comes at the same attempt, whether the address was invited or not."""
    made = auth(Password(), Account())
    made.blocking.account.invite(email=GUEST)
    answers = []

    for email, peer in ((GUEST, "198.51.100.8"), (EMAIL, "203.0.113.9")):
        someone = client(made, peer=peer)
        body = {"email": email, "code": "00000000", "password": PASSWORD}
        answers.append([someone.post("/invitations/accept", body).status for _ in range(25)])

    assert answers[0] == answers[1] == [400] * 20 + [429] * 5
