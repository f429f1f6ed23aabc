"""Every state of an account against every way in: one table, and each of its cells happens.

A way in is asked for (a mail, a code, a token) and then used. Each cell is told twice: for what was asked for before
the account entered the state, and for what was asked for in it. Side doors put the accounts into their states.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import update

from authcore import (
    Account,
    Anonymous,
    Code,
    EmailChange,
    EmailCode,
    EmailVerification,
    MagicLink,
    Password,
    PasswordReset,
    Sessions,
)
from authcore.tables import metadata
from authcore_conformance.client import Client, Reply, Transport, challenge_id
from authcore_conformance.world import PASSWORD, World

OTHER_PASSWORD = "fifteen other letters"
WRONG = "no such letters here"
NOTHING = "nothing is sent"
ATTEMPTS = metadata.tables["authcore_attempt"]


# --- people ---


@dataclass
class Person:
    """Somebody with an address and a number, who may have an account."""

    world: World
    number: int
    client: Client
    user_id: str | None = None

    @property
    def email(self) -> str:
        """The address."""
        return f"person{self.number:03}@example.com"

    @property
    def phone(self) -> str:
        """The number."""
        return f"+4915112345{self.number:03}"

    @property
    def administration(self) -> Any:
        """The calls of server code."""
        return self.world.app.blocking.administration

    def join(self, *, verified: bool = True) -> None:
        """Get an account, and sign in where a password is enough."""
        made = self.administration.create(email=self.email, password=PASSWORD, verified=verified, phone=self.phone)
        self.user_id = made.id
        if "email_code" not in {room.name for room in self.world.app.features}:
            self.client.sign_in(self.email, PASSWORD)

    def fail(self) -> Reply:
        """Try a wrong password, from anywhere."""
        return self.world.client("bearer").sign_in(self.email, WRONG)

    def lock(self) -> None:
        """Fail for the hundredth time."""
        self.fail()
        self.world.query(update(ATTEMPTS).where(ATTEMPTS.c.failures == 1).values(failures=99))
        self.fail()


Secret = dict[str, Any]
Asked = Secret | str  # what was got, or the refusal in words


def told(reply: Reply, person: Person) -> str:
    """Answer in words what a reply says."""
    if reply.status >= 400:
        return f"{reply.status} {reply.code}"
    if reply.status == 202:
        return f"202 {reply.json['challenge']['kind']}"
    if reply.json.get("status") == "signed_in":
        email = reply.json["user"]["email"]
        return "signed in" if email == person.email else f"signed in as {email}"
    return str(reply.status)


def asked(
    person: Person, act: Callable[[], Reply] | Callable[[], None], *, by: str = "code", to: str | None = None
) -> Asked:
    """Ask, and answer what was mailed: a link's token, or a code with its challenge."""
    recipient = to or person.email
    before = len(person.world.mails(recipient))
    reply = act()
    if reply is not None and reply.status >= 400:
        return told(reply, person)
    mails = [mail for mail in person.world.mails(recipient)[before:] if getattr(mail, by) is not None]
    if not mails:
        return NOTHING
    if by == "token":
        return {"token": mails[-1].token}
    assert reply is not None
    return {"challenge_id": challenge_id(reply), "code": mails[-1].code}


def texted(person: Person, act: Callable[[], Reply]) -> Asked:
    """Ask, and answer the code of the text message."""
    before = len(person.world.texts(person.phone))
    reply = act()
    messages = person.world.texts(person.phone)[before:]
    return {"challenge_id": challenge_id(reply), "code": messages[-1].code} if messages else NOTHING


# --- states ---


def _nothing(_person: Person) -> None:
    """Leave the account as it is."""


def _wait(person: Person) -> None:
    person.world.client("bearer").sign_up(person.email, PASSWORD)


def _arrive(person: Person) -> None:
    assert person.client.post("/anonymous", {}).status == 201


def _leave(person: Person) -> None:
    if person.administration.find(user_id=person.user_id).delete_at is None:
        left = _signed_in(person).delete("/me")
        assert left.status == 202, left


def _signed_in(person: Person) -> Client:
    if person.client.get("/session").json["user"] is not None:
        return person.client
    other = person.world.client("bearer")
    other.post("/magic-link", {"email": person.email})
    other.post("/magic-link/consume", {"token": person.world.link(person.email)})
    return other


@dataclass(frozen=True)
class State:
    """How an account enters a state; `joins` is False where there is no account before."""

    enter: Callable[[Person], None]
    means: str
    joins: bool = True


STATES: Mapping[str, State] = {
    "active": State(_nothing, "the address is proven, nothing is in the way"),
    "pending": State(_wait, "a sign-up waits for its code: there is no account yet", joins=False),
    "unverified": State(lambda p: p.join(verified=False), "an account whose address nobody has proven", joins=False),
    "disabled": State(
        lambda p: p.administration.disable(user_id=p.user_id), "the administration has disabled the account"
    ),
    "locked": State(Person.lock, "the password rests after 100 failures in a row"),
    "must_change": State(
        lambda p: p.administration.require_password_change(user_id=p.user_id), "the password must be changed"
    ),
    "compromised": State(
        lambda p: p.administration.mark_compromised(user_id=p.user_id), "the password is known to others"
    ),
    "leaving": State(_leave, "the owner has asked for the end, and the time to cancel it runs"),
    "deleted": State(lambda p: p.administration.delete(user_id=p.user_id), "the account is gone"),
    "anonymous": State(_arrive, "a session without an account; nobody has the address", joins=False),
}


# --- ways in ---


@dataclass(frozen=True)
class Way:
    """How a way in is asked for and used; `early` asks before there is an account, `verified` is the account's."""

    ask: Callable[[Person], Asked]
    use: Callable[[Person, Secret], Reply]
    means: str
    early: bool = False
    verified: bool = True
    transport: Transport = "bearer"
    rooms: tuple[Callable[[], Any], ...] = ()


def _none(_person: Person) -> Asked:
    return {}


def _post(path: str, **more: Any) -> Callable[[Person, Secret], Reply]:
    return lambda person, secret: person.client.post(path, {**secret, **more})


def _link(person: Person) -> Asked:
    return asked(person, lambda: person.client.post("/magic-link", {"email": person.email}), by="token")


def _link_code(person: Person) -> Asked:
    return asked(person, lambda: person.client.post("/magic-link", {"email": person.email}))


def _code(person: Person) -> Asked:
    return asked(person, lambda: person.client.post("/code", {"email": person.email}))


def _text(person: Person) -> Asked:
    return texted(person, lambda: person.client.post("/code", {"phone": person.phone}))


def _reset(by: str) -> Callable[[Person], Asked]:
    return lambda person: asked(person, lambda: person.client.post("/password/reset", {"email": person.email}), by=by)


def _verification(person: Person) -> Asked:
    return asked(person, lambda: person.client.post("/email/verify/send", {}), by="token")


def _other(person: Person) -> str:
    return f"other{person.number:03}@example.com"


def _change(person: Person) -> Asked:
    new = {"new_email": _other(person)}
    return asked(person, lambda: person.client.post("/email/change", new), to=_other(person))


def _changed(person: Person) -> Asked:
    got = _change(person)
    if isinstance(got, str):
        return got
    return asked(person, lambda: person.client.post("/email/change/confirm", got), by="token")


def _invitation(person: Person) -> Asked:
    def invite() -> None:
        person.world.app.blocking.account.invite(email=person.email)

    return asked(person, invite, by="token")


def _refresh_token(person: Person) -> Asked:
    token = person.client.refresh_token
    return {"refresh_token": token} if token else "no session"


def _session(person: Person) -> Asked:
    return {} if person.client.session_secret else "no session"


def _hello(person: Person, _secret: Secret) -> Reply:
    return person.client.visit("GET", "/app/hello")


def _proof(person: Person) -> Asked:
    return asked(person, lambda: person.client.post("/reauthenticate", {}))


def _unlock(person: Person) -> Asked:
    return asked(person, person.lock, by="token")


def _ending(person: Person) -> Asked:
    return asked(person, lambda: person.client.delete("/me"), by="token")


def _stepping(person: Person) -> Asked:
    return asked(person, lambda: person.client.sign_in(person.email, PASSWORD))


def _remembered(person: Person) -> Asked:
    got = _stepping(person)
    if isinstance(got, str):
        return got
    done = person.client.post("/sign-in/email-code", {**got, "remember": True})
    return {"remember_token": done.json["remember_token"]} if done.status == 200 else told(done, person)


def _with_password(person: Person, secret: Secret) -> Reply:
    return person.client.sign_in(person.email, PASSWORD, **secret)


def _renewal(person: Person) -> Asked:
    if person.user_id is not None and person.administration.find(user_id=person.user_id) is not None:
        person.administration.require_password_change(user_id=person.user_id)
    begun = person.client.sign_in(person.email, PASSWORD)
    return {"challenge_id": challenge_id(begun)} if begun.status == 202 else told(begun, person)


def _sign_up(person: Person) -> Asked:
    return asked(person, lambda: person.client.sign_up(person.email, PASSWORD))


def _visiting(person: Person) -> Asked:
    visitor = person.world.client("bearer")
    visitor.post("/anonymous", {})
    got = asked(person, lambda: visitor.sign_up(person.email, PASSWORD))
    return got if isinstance(got, str) else {**got, "visitor": visitor}


def _upgraded(person: Person, secret: Secret) -> Reply:
    visitor = secret.pop("visitor")
    reply: Reply = visitor.post("/sign-up/verify", secret)
    return reply


def _visit_sign_in(person: Person, _secret: Secret) -> Reply:
    visitor = person.world.client("bearer")
    visitor.post("/anonymous", {})
    return visitor.sign_in(person.email, PASSWORD)


STEP = (lambda: EmailCode(remember=True),)
SET = {"new_password": OTHER_PASSWORD}
WAYS: Mapping[str, Way] = {
    "password": Way(_none, _with_password, "`POST /sign-in`"),
    "password, then e-mail code": Way(
        _stepping, _post("/sign-in/email-code"), "with the room `email_code`", rooms=STEP
    ),
    "remember token": Way(_remembered, _with_password, "with the right password, room `email_code`", rooms=STEP),
    "password, then another": Way(
        _renewal, _post("/sign-in/new-password", **SET), "the step `new_password` of a password that must be changed"
    ),
    "link": Way(_link, _post("/magic-link/consume"), "`POST /magic-link/consume` by token"),
    "code beside the link": Way(_link_code, _post("/magic-link/consume"), "`POST /magic-link/consume` by code"),
    "code by mail": Way(_code, _post("/code/verify"), "`POST /code/verify`"),
    "code by text message": Way(_text, _post("/code/verify"), "`POST /code/verify`, for the account's phone"),
    "reset by link": Way(_reset("token"), _post("/password/reset/complete", **SET), "`POST /password/reset/complete`"),
    "reset by code": Way(_reset("code"), _post("/password/reset/complete", **SET), "`POST /password/reset/complete`"),
    "verification": Way(
        _verification,
        _post("/email/verify/confirm"),
        "`POST /email/verify/confirm` of an address not proven",
        verified=False,
    ),
    "change of address": Way(_change, _post("/email/change/confirm"), "`POST /email/change/confirm`"),
    "undoing that": Way(_changed, _post("/email/change/undo"), "`POST /email/change/undo` by the old address"),
    "invitation": Way(_invitation, _post("/invitations/accept"), "`POST /invitations/accept`", early=True),
    "refresh token": Way(_refresh_token, _post("/refresh"), "`POST /refresh`"),
    "bearer at a guard": Way(_session, _hello, "a route of the application's behind `require()`"),
    "cookie at a guard": Way(_session, _hello, "the same", transport="cookie"),
    "proof by password": Way(_session, _post("/reauthenticate", password=PASSWORD), "`POST /reauthenticate`"),
    "proof by code": Way(_proof, _post("/reauthenticate"), "`POST /reauthenticate`"),
    "unlock link": Way(_unlock, _post("/unlock"), "`POST /unlock`, mailed at the hundredth failure"),
    "cancelling the end": Way(_ending, _post("/me/deletion/cancel"), "`POST /me/deletion/cancel`"),
    "sign-up": Way(_sign_up, _post("/sign-up/verify"), "`POST /sign-up/verify` of the same address"),
    "sign-up of a guest": Way(_visiting, _upgraded, "the same, from a session without an account"),
    "sign-in of a guest": Way(_none, _visit_sign_in, "`POST /sign-in`, from a session without an account"),
}

OWN_ROUTES = frozenset({"bearer at a guard", "cookie at a guard"})


def start(world: World, way: Way) -> None:
    """Start an application with every room; limits would count all these people as one."""
    more = [make() for make in way.rooms]
    rooms = [
        Password(),
        Sessions(),
        PasswordReset(),
        EmailVerification(),
        EmailChange(),
        MagicLink(),
        Code(phone=True),
        Account(phone=True, confirm_deletion=False),
        Anonymous(),
    ]
    world.start(features=[*rooms, *more], limits=False)


def outcome(world: World, way: Way, state: State, number: int, *, before: bool) -> str:
    """Answer in words what a way in does in a state."""
    person = Person(world, number, world.client(way.transport))
    got: Asked = ""
    if before and way.early:
        got = way.ask(person)
    if state.joins:
        person.join(verified=way.verified)
    if before and not way.early:
        got = way.ask(person)
    state.enter(person)
    if not before:
        got = way.ask(person)
    return got if isinstance(got, str) else told(way.use(person, got), person)


def row(world: World, way: Way) -> dict[str, tuple[str, str]]:
    """Answer a way's row of the table."""
    start(world, way)
    return {
        name: (
            outcome(world, way, state, 2 * number, before=True),
            outcome(world, way, state, 2 * number + 1, before=False),
        )
        for number, (name, state) in enumerate(STATES.items())
    }


# --- the table ---

Cell = str | tuple[str, str]
TABLE: Mapping[str, Mapping[str, Cell]] = {
    "password": {
        "active": "signed in",
        "pending": "401 invalid_credentials",
        "unverified": "signed in",
        "disabled": "401 invalid_credentials",
        "locked": "401 invalid_credentials",
        "must_change": "202 new_password",
        "compromised": "401 invalid_credentials",
        "leaving": "401 invalid_credentials",
        "deleted": "401 invalid_credentials",
        "anonymous": "401 invalid_credentials",
    },
    "password, then e-mail code": {
        "active": "signed in",
        "pending": "401 invalid_credentials",
        "unverified": ("401 invalid_credentials", "signed in"),
        "disabled": ("400 invalid_challenge", "401 invalid_credentials"),
        "locked": ("signed in", "401 invalid_credentials"),
        "must_change": "202 new_password",
        "compromised": ("400 invalid_challenge", "401 invalid_credentials"),
        "leaving": ("400 invalid_challenge", "401 invalid_credentials"),
        "deleted": ("400 invalid_challenge", "401 invalid_credentials"),
        "anonymous": "401 invalid_credentials",
    },
    "remember token": {
        "active": "signed in",
        "pending": "401 invalid_credentials",
        "unverified": ("401 invalid_credentials", "signed in"),
        "disabled": "401 invalid_credentials",
        "locked": "401 invalid_credentials",
        "must_change": "202 new_password",
        "compromised": "401 invalid_credentials",
        "leaving": "401 invalid_credentials",
        "deleted": "401 invalid_credentials",
        "anonymous": "401 invalid_credentials",
    },
    "password, then another": {
        "active": "signed in",
        "pending": "401 invalid_credentials",
        "unverified": ("401 invalid_credentials", "signed in"),
        "disabled": ("400 invalid_challenge", "401 invalid_credentials"),
        "locked": ("signed in", "401 invalid_credentials"),
        "must_change": "signed in",
        "compromised": ("400 invalid_challenge", "401 invalid_credentials"),
        "leaving": ("400 invalid_challenge", "401 invalid_credentials"),
        "deleted": ("400 invalid_challenge", "401 invalid_credentials"),
        "anonymous": "401 invalid_credentials",
    },
    "link": {
        "active": "signed in",
        "pending": "nothing is sent",
        "unverified": ("nothing is sent", "signed in"),
        "disabled": ("400 invalid_challenge", "nothing is sent"),
        "locked": "signed in",
        "must_change": "signed in",
        "compromised": ("400 invalid_challenge", "signed in"),
        "leaving": ("400 invalid_challenge", "nothing is sent"),
        "deleted": ("400 invalid_challenge", "nothing is sent"),
        "anonymous": "nothing is sent",
    },
    "code beside the link": {
        "active": "signed in",
        "pending": "nothing is sent",
        "unverified": ("nothing is sent", "signed in"),
        "disabled": ("400 invalid_challenge", "nothing is sent"),
        "locked": "signed in",
        "must_change": "signed in",
        "compromised": ("400 invalid_challenge", "signed in"),
        "leaving": ("400 invalid_challenge", "nothing is sent"),
        "deleted": ("400 invalid_challenge", "nothing is sent"),
        "anonymous": "nothing is sent",
    },
    "code by mail": {
        "active": "signed in",
        "pending": "nothing is sent",
        "unverified": ("nothing is sent", "signed in"),
        "disabled": ("400 invalid_challenge", "nothing is sent"),
        "locked": "signed in",
        "must_change": "signed in",
        "compromised": ("400 invalid_challenge", "signed in"),
        "leaving": ("400 invalid_challenge", "nothing is sent"),
        "deleted": ("400 invalid_challenge", "nothing is sent"),
        "anonymous": "nothing is sent",
    },
    "code by text message": {
        "active": "signed in",
        "pending": "nothing is sent",
        "unverified": ("nothing is sent", "signed in"),
        "disabled": ("400 invalid_challenge", "nothing is sent"),
        "locked": "signed in",
        "must_change": "signed in",
        "compromised": ("400 invalid_challenge", "signed in"),
        "leaving": ("400 invalid_challenge", "nothing is sent"),
        "deleted": ("400 invalid_challenge", "nothing is sent"),
        "anonymous": "nothing is sent",
    },
    "reset by link": {
        "active": "signed in",
        "pending": "nothing is sent",
        "unverified": ("nothing is sent", "signed in"),
        "disabled": ("400 invalid_challenge", "nothing is sent"),
        "locked": "signed in",
        "must_change": "signed in",
        "compromised": ("400 invalid_challenge", "signed in"),
        "leaving": ("400 invalid_challenge", "nothing is sent"),
        "deleted": ("400 invalid_challenge", "nothing is sent"),
        "anonymous": "nothing is sent",
    },
    "reset by code": {
        "active": "signed in",
        "pending": "nothing is sent",
        "unverified": ("nothing is sent", "signed in"),
        "disabled": ("400 invalid_challenge", "nothing is sent"),
        "locked": "signed in",
        "must_change": "signed in",
        "compromised": ("400 invalid_challenge", "signed in"),
        "leaving": ("400 invalid_challenge", "nothing is sent"),
        "deleted": ("400 invalid_challenge", "nothing is sent"),
        "anonymous": "nothing is sent",
    },
    "verification": {
        "active": "200",
        "pending": "401 not_authenticated",
        "unverified": ("401 not_authenticated", "200"),
        "disabled": ("400 invalid_challenge", "401 not_authenticated"),
        "locked": "200",
        "must_change": "200",
        "compromised": ("400 invalid_challenge", "401 not_authenticated"),
        "leaving": ("400 invalid_challenge", "401 not_authenticated"),
        "deleted": ("400 invalid_challenge", "401 not_authenticated"),
        "anonymous": ("401 not_authenticated", "403 account_required"),
    },
    "change of address": {
        "active": "200",
        "pending": "401 not_authenticated",
        "unverified": ("401 not_authenticated", "200"),
        "disabled": "401 not_authenticated",
        "locked": "200",
        "must_change": "200",
        "compromised": "401 not_authenticated",
        "leaving": "401 not_authenticated",
        "deleted": "401 not_authenticated",
        "anonymous": ("401 not_authenticated", "403 account_required"),
    },
    "undoing that": {
        "active": "200",
        "pending": "401 not_authenticated",
        "unverified": ("401 not_authenticated", "nothing is sent"),
        "disabled": ("200", "401 not_authenticated"),
        "locked": "200",
        "must_change": "200",
        "compromised": ("200", "401 not_authenticated"),
        "leaving": ("200", "401 not_authenticated"),
        "deleted": ("400 invalid_challenge", "401 not_authenticated"),
        "anonymous": ("401 not_authenticated", "403 account_required"),
    },
    "invitation": {
        "active": ("signed in", "nothing is sent"),
        "pending": "signed in",
        "unverified": ("signed in", "nothing is sent"),
        "disabled": ("400 invalid_challenge", "nothing is sent"),
        "locked": ("signed in", "nothing is sent"),
        "must_change": ("signed in", "nothing is sent"),
        "compromised": ("400 invalid_challenge", "nothing is sent"),
        "leaving": ("400 invalid_challenge", "nothing is sent"),
        "deleted": ("400 invalid_challenge", "signed in"),
        "anonymous": "signed in",
    },
    "refresh token": {
        "active": "200",
        "pending": "no session",
        "unverified": ("no session", "200"),
        "disabled": "401 invalid_refresh_token",
        "locked": "200",
        "must_change": "200",
        "compromised": "401 invalid_refresh_token",
        "leaving": "401 invalid_refresh_token",
        "deleted": "401 invalid_refresh_token",
        "anonymous": ("no session", "200"),
    },
    "bearer at a guard": {
        "active": "200",
        "pending": "no session",
        "unverified": ("no session", "200"),
        "disabled": "401 not_authenticated",
        "locked": "200",
        "must_change": "200",
        "compromised": "401 not_authenticated",
        "leaving": "401 not_authenticated",
        "deleted": "401 not_authenticated",
        "anonymous": ("no session", "403 account_required"),
    },
    "cookie at a guard": {
        "active": "200",
        "pending": "no session",
        "unverified": ("no session", "200"),
        "disabled": "401 not_authenticated",
        "locked": "200",
        "must_change": "200",
        "compromised": "401 not_authenticated",
        "leaving": ("401 not_authenticated", "no session"),
        "deleted": "401 not_authenticated",
        "anonymous": ("no session", "403 account_required"),
    },
    "proof by password": {
        "active": "200",
        "pending": "no session",
        "unverified": ("no session", "200"),
        "disabled": "401 not_authenticated",
        "locked": "401 invalid_credentials",
        "must_change": "200",
        "compromised": "401 not_authenticated",
        "leaving": "401 not_authenticated",
        "deleted": "401 not_authenticated",
        "anonymous": ("no session", "403 account_required"),
    },
    "proof by code": {
        "active": "200",
        "pending": "401 not_authenticated",
        "unverified": ("401 not_authenticated", "200"),
        "disabled": "401 not_authenticated",
        "locked": "200",
        "must_change": "200",
        "compromised": "401 not_authenticated",
        "leaving": "401 not_authenticated",
        "deleted": "401 not_authenticated",
        "anonymous": ("401 not_authenticated", "403 account_required"),
    },
    "unlock link": {
        "active": "200",
        "pending": "nothing is sent",
        "unverified": ("nothing is sent", "200"),
        "disabled": ("400 invalid_challenge", "nothing is sent"),
        "locked": ("200", "nothing is sent"),
        "must_change": "200",
        "compromised": ("400 invalid_challenge", "200"),
        "leaving": ("400 invalid_challenge", "nothing is sent"),
        "deleted": ("400 invalid_challenge", "nothing is sent"),
        "anonymous": "nothing is sent",
    },
    "cancelling the end": {
        "active": "200",
        "pending": "401 not_authenticated",
        "unverified": ("401 not_authenticated", "200"),
        "disabled": ("200", "401 not_authenticated"),
        "locked": "200",
        "must_change": "200",
        "compromised": ("200", "401 not_authenticated"),
        "leaving": ("200", "401 not_authenticated"),
        "deleted": ("400 invalid_challenge", "401 not_authenticated"),
        "anonymous": ("401 not_authenticated", "403 account_required"),
    },
    "sign-up": {
        "active": "nothing is sent",
        "pending": "signed in",
        "unverified": ("400 invalid_challenge", "nothing is sent"),
        "disabled": "nothing is sent",
        "locked": "nothing is sent",
        "must_change": "nothing is sent",
        "compromised": "nothing is sent",
        "leaving": "nothing is sent",
        "deleted": ("nothing is sent", "signed in"),
        "anonymous": "signed in",
    },
    "sign-up of a guest": {
        "active": "nothing is sent",
        "pending": "signed in",
        "unverified": ("400 invalid_challenge", "nothing is sent"),
        "disabled": "nothing is sent",
        "locked": "nothing is sent",
        "must_change": "nothing is sent",
        "compromised": "nothing is sent",
        "leaving": "nothing is sent",
        "deleted": ("nothing is sent", "signed in"),
        "anonymous": "signed in",
    },
    "sign-in of a guest": {
        "active": "signed in",
        "pending": "401 invalid_credentials",
        "unverified": "signed in",
        "disabled": "401 invalid_credentials",
        "locked": "401 invalid_credentials",
        "must_change": "202 new_password",
        "compromised": "401 invalid_credentials",
        "leaving": "401 invalid_credentials",
        "deleted": "401 invalid_credentials",
        "anonymous": "401 invalid_credentials",
    },
}
"""What each way in does in each state: asked for before it, and in it; one text where both are the same.

Who is `pending`, `unverified` or `anonymous` had no account before, so what was asked for then was asked for by nobody.
"""


def cells(name: str) -> dict[str, tuple[str, str]]:
    """Answer a row of the table, both texts of each cell."""
    return {state: (cell, cell) if isinstance(cell, str) else cell for state, cell in TABLE[name].items()}


def parameter(name: str) -> Any:
    """Answer a way as a parameter, with what a driver must have for it."""
    return pytest.param(name, marks=pytest.mark.needs("own_routes") if name in OWN_ROUTES else ())


@pytest.mark.parametrize("name", [parameter(name) for name in WAYS])
def test_each_way_in_does_what_the_table_says(world: World, name: str) -> None:
    """T9, A1, A2, A3: in every state of an account a way in opens what the table says, and nothing else."""
    assert row(world, WAYS[name]) == cells(name)


def test_the_table_is_whole() -> None:
    """Every way in has its outcome in every state."""
    assert {name: set(states) for name, states in TABLE.items()} == {name: set(STATES) for name in WAYS}


@pytest.mark.parametrize("name", ["undoing that", "cancelling the end"])
def test_what_a_disabled_user_takes_back_enables_nobody(world: World, name: str) -> None:
    """A link that outlives the credentials gives back the address or the account, and leaves it disabled (rule T9)."""
    start(world, WAYS[name])
    person = Person(world, 1, world.client("bearer"))
    person.join()
    got = WAYS[name].ask(person)
    assert not isinstance(got, str)
    person.administration.disable(user_id=person.user_id)

    assert WAYS[name].use(person, got).status == 200

    assert person.administration.find(user_id=person.user_id).state == "disabled"
    for again in ("password", "link", "reset by link"):
        answer = WAYS[again].ask(person)
        opened = answer if isinstance(answer, str) else told(WAYS[again].use(person, answer), person)
        assert opened in (NOTHING, "401 invalid_credentials")
