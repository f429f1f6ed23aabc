"""Rule T5 over all rooms: whatever is mailed or handed out opens its own place alone, of all that take something."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, update

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
from authcore.services.passwords import MAX_FAILURES, attempt_key
from authcore.tables import metadata
from authcore_conformance.client import Client, Reply, challenge_id
from authcore_conformance.world import PASSWORD, World

OTHER = "eleven sealed envelopes"
NUMBER = "+4915112345678"
Proof = dict[str, Any]


def rooms() -> list[Any]:
    """Answer every room that hands out a secret."""
    return [
        Password(change_code=True),
        PasswordReset(),
        EmailVerification(),
        EmailChange(),
        EmailCode(remember=True),
        MagicLink(),
        Code(),
        Account(several_emails=True, phone=True),
        Anonymous(),
        Sessions(cookie_refresh=True),
    ]


@dataclass(frozen=True)
class Owner:
    """Whose secret it is: a user of one kind of secret alone, so that nothing ends with another's."""

    world: World
    client: Client
    email: str

    @property
    def other(self) -> str:
        """Answer another address of the same person."""
        return f"other-{self.email}"

    def stranger(self) -> Client:
        """Answer somebody who is not signed in."""
        return self.world.client()

    def hidden(self, reply: Reply, to: str | None = None) -> Proof:
        """Answer a challenge with the code that was mailed."""
        assert reply.status == 202, reply
        return {"challenge_id": challenge_id(reply), "code": self.world.code(to or self.email)}


Ask = Callable[[Owner], Reply]


@dataclass(frozen=True)
class Purpose:
    """What a mail is for: how one asks for it, where it is answered and by whom, and what stands beside the answer."""

    ask: Ask
    path: str
    mailed_to: Callable[[Owner], str] = lambda owner: owner.email
    signed_in: bool = False
    more: Mapping[str, Any] | None = None
    carries: str = "link and code"

    def answer(self, owner: Owner, proof: Proof) -> Reply:
        """Present a proof, as its owner where one has to be signed in."""
        client = owner.client if self.signed_in else owner.stranger()
        return client.post(self.path, {**proof, **(self.more or {})})


def _to_email(path: str) -> Ask:
    return lambda owner: owner.stranger().post(path, {"email": owner.email})


def _verification(owner: Owner) -> Reply:
    users = metadata.tables["authcore_user"]
    owner.world.query(update(users).where(users.c.email == owner.email).values(email_verified_at=None))
    return owner.client.post("/email/verify/send", {})


def _change(owner: Owner) -> Reply:
    return owner.client.post("/email/change", {"new_email": owner.other})


def _undo(owner: Owner) -> Reply:
    proof = owner.hidden(_change(owner), owner.other)
    return owner.client.post("/email/change/confirm", proof)


def _invitation(owner: Owner) -> Reply:
    owner.world.app.blocking.account.invite(email=owner.other)
    return owner.client.get("/me")


def _keeping(owner: Owner) -> Reply:
    return owner.stranger().post("/me/deletion/confirm", owner.hidden(owner.client.delete("/me")))


def _unlock(owner: Owner) -> Reply:
    row = {"key": attempt_key("default", owner.email), "failures": MAX_FAILURES - 1}
    owner.world.query(insert(metadata.tables["authcore_attempt"]).values(**row, failed_at=owner.world.clock.now()))
    return owner.stranger().sign_in(owner.email, OTHER)


PURPOSES: dict[str, Purpose] = {
    "sign-up": Purpose(
        lambda owner: owner.stranger().sign_up(owner.other, PASSWORD),
        "/sign-up/verify",
        lambda owner: owner.other,
        carries="code",
    ),
    "sign-in step": Purpose(
        lambda owner: owner.stranger().sign_in(owner.email, PASSWORD), "/sign-in/email-code", carries="code"
    ),
    "reauthentication": Purpose(
        lambda owner: owner.client.post("/reauthenticate", {}), "/reauthenticate", signed_in=True, carries="code"
    ),
    "password change": Purpose(
        lambda owner: owner.client.post("/password/change", {"current_password": PASSWORD, "new_password": OTHER}),
        "/password/change/verify",
        signed_in=True,
        carries="code",
    ),
    "reset": Purpose(_to_email("/password/reset"), "/password/reset/complete", more={"new_password": OTHER}),
    "magic link": Purpose(_to_email("/magic-link"), "/magic-link/consume"),
    "sign-in code": Purpose(_to_email("/code"), "/code/verify", carries="code"),
    "verification": Purpose(_verification, "/email/verify/confirm", signed_in=True),
    "email change": Purpose(_change, "/email/change/confirm", lambda owner: owner.other, signed_in=True),
    "undo": Purpose(_undo, "/email/change/undo", carries="link"),
    "one more address": Purpose(
        lambda owner: owner.client.post("/me/emails", {"email": owner.other}),
        "/me/emails/confirm",
        lambda owner: owner.other,
        signed_in=True,
    ),
    "invitation": Purpose(_invitation, "/invitations/accept", lambda owner: owner.other, carries="link"),
    "deletion": Purpose(lambda owner: owner.client.delete("/me"), "/me/deletion/confirm"),
    "keeping": Purpose(_keeping, "/me/deletion/cancel"),
    "unlock": Purpose(_unlock, "/unlock", carries="link"),
}


def _owner(world: World, name: str) -> Owner:
    email = f"{name.replace(' ', '-')}@example.com"
    return Owner(world, world.member(email=email), email)


def mailed(world: World, way: str) -> dict[str, tuple[Owner, Proof]]:
    """Answer a live proof of each purpose that is mailed by a way, "link" or "code", with its owner."""
    found = {}
    for name, purpose in PURPOSES.items():
        if way not in purpose.carries:
            continue
        owner = _owner(world, f"{way} {name}")
        asked, to = purpose.ask(owner), purpose.mailed_to(owner)
        proof = {"token": world.link(to)} if way == "link" else _coded(world, asked, to)
        found[name] = (owner, proof)
    return found


def _coded(world: World, asked: Reply, to: str) -> Proof:
    return {"challenge_id": challenge_id(asked), "code": world.code(to)}


def crossed(proofs: Mapping[str, tuple[Owner, Proof]], way: str) -> dict[tuple[str, str], int]:
    """Present each proof where another is due; answer what was not refused, by (place, kind), with its status."""
    places = [name for name, purpose in PURPOSES.items() if way in purpose.carries]
    statuses = {
        (place, kind): PURPOSES[place].answer(owner, proof).status
        for place in places
        for kind, (owner, proof) in proofs.items()
        if kind != place
    }
    return {pair: status for pair, status in statuses.items() if status not in _refusals(pair[1])}


def _refusals(kind: str) -> set[int]:
    # Who is leaving has no session left to present it in.
    return {400, 401} if kind == "keeping" else {400}


def test_a_code_of_one_purpose_opens_no_other(world: World) -> None:
    """T5, A13: each code beside its own challenge, at every route that takes a code, opens its own alone."""
    world.start(features=rooms(), limits=False)
    proofs = mailed(world, "code")

    wrong = crossed(proofs, "code")
    right = {name: PURPOSES[name].answer(owner, proof).status for name, (owner, proof) in proofs.items()}

    assert wrong == {}
    assert right == dict.fromkeys(proofs, 200)


def test_a_link_of_one_purpose_opens_no_other(world: World) -> None:
    """T5: each link, at every route that takes a link, opens its own alone."""
    world.start(features=rooms(), limits=False)
    proofs = mailed(world, "link")

    wrong = crossed(proofs, "link")
    right = {name: PURPOSES[name].answer(owner, proof).status for name, (owner, proof) in proofs.items()}

    assert wrong == {}
    assert right == dict.fromkeys(proofs, 200)


# --- what is handed out, not mailed ---

COOKIES = {f"{stem} cookie": f"__Host-authcore_{stem}" for stem in ("session", "refresh", "challenge", "device")}


def handed_out(world: World) -> dict[str, tuple[Owner, str]]:
    """Answer a live secret of each kind that a client holds, with its owner."""
    found: dict[str, tuple[Owner, str]] = {}
    for kind in ("access token", "refresh token", "remember token", "session id", "user id", "address", *COOKIES):
        owner = _owner(world, kind)
        found[kind] = (owner, _held(world, owner, kind))
    return found


def _held(world: World, owner: Owner, kind: str) -> str:
    if kind == "address":
        return owner.email
    if kind in COOKIES:
        browser = world.client("cookie")
        _signs_in(browser, owner)
        browser.sign_up(owner.other, PASSWORD)
        return browser.jar[COOKIES[kind]]
    body = _signs_in(owner.client, owner).json
    return str({**body, "session id": body["session"]["id"], "user id": body["user"]["id"]}[kind.replace(" t", "_t")])


def _signs_in(client: Client, owner: Owner) -> Reply:
    proof = owner.hidden(client.sign_in(owner.email, PASSWORD))
    reply = client.post("/sign-in/email-code", {**proof, "remember": True})
    assert reply.status == 200, reply
    return reply


def _cookie(name: str, method: str, path: str, body: Any = None) -> Callable[[Owner, str], bool]:
    def present(owner: Owner, secret: str) -> bool:
        headers = [("Cookie", f"{COOKIES[name]}={secret}"), ("Origin", "https://app.example")]
        return owner.stranger().request(method, path, body, headers=headers).status < 300

    return present


def _link(purpose: Purpose) -> Callable[[Owner, str], bool]:
    return lambda owner, secret: purpose.answer(owner, {"token": secret}).status < 300


def _spared(owner: Owner, secret: str) -> bool:
    # Whoever is not spared is asked for the code: 202.
    return owner.stranger().sign_in(owner.email, PASSWORD, remember_token=secret).status == 200


def _spared_by_cookie(owner: Owner, secret: str) -> bool:
    headers = [("Cookie", f"{COOKIES['device cookie']}={secret}"), ("Origin", "https://app.example")]
    body = {"email": owner.email, "password": PASSWORD, "transport": "cookie"}
    return owner.stranger().post("/sign-in", body, headers=headers).status == 200


PLACES: dict[str, Callable[[Owner, str], bool]] = {
    "access token": lambda owner, secret: (
        owner.stranger().get("/me", headers=[("Authorization", f"Bearer {secret}")]).status < 300
    ),
    "refresh token": lambda owner, secret: owner.stranger().refresh(secret).status < 300,
    "remember token": _spared,
    "session cookie": _cookie("session cookie", "GET", "/me"),
    "refresh cookie": _cookie("refresh cookie", "POST", "/refresh", {}),
    "device cookie": _spared_by_cookie,
    "refresh cookie at a page": _cookie("refresh cookie", "GET", "/me"),
    "challenge cookie at a page": _cookie("challenge cookie", "GET", "/me"),
    "password": lambda owner, secret: owner.stranger().sign_in(owner.email, secret).status < 300,
    **{f"link of {name}": _link(purpose) for name, purpose in PURPOSES.items() if "link" in purpose.carries},
}
STOLEN_ELSEWHERE = {"refresh token", "refresh cookie"}
"""T6: presented where it does not belong, a refresh token is taken for stolen, and its family ends."""


def test_what_is_handed_out_opens_its_own_place_alone(world: World) -> None:
    """T5: tokens, cookies and links, at every place that takes one of them, have successes on the diagonal alone."""
    world.start(features=rooms(), limits=False)
    links = {f"link of {name}": (owner, proof["token"]) for name, (owner, proof) in mailed(world, "link").items()}
    secrets = {**links, **handed_out(world)}

    opened = [
        (place, kind)
        for place, opens in PLACES.items()
        for kind, (owner, secret) in secrets.items()
        if kind != place and opens(owner, secret)
    ]
    right = {kind: PLACES[kind](*secrets[kind]) for kind in secrets if kind in PLACES}

    assert opened == []
    assert {kind for kind, did in right.items() if not did} <= STOLEN_ELSEWHERE
