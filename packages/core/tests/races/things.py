"""What is good once: how each is made ready, who contends for it, and what those are told who lose."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from contenders import PASSWORD, Shot, send

from authcore import Auth
from authcore.context import Context, Tenant
from authcore.drive import Drive, run_blocking
from authcore.services.passwords import MAX_FAILURES, attempt_key, attempts

OTHER = "five grey herons stand"


@dataclass
class Stage:
    """The parent's application, in which everything is made ready."""

    auth: Auth
    users: list[str] = field(default_factory=list)

    def post(self, path: str, body: dict[str, Any], bearer: str | None = None, *, method: str = "POST") -> Any:
        """Send a request that succeeds, and answer its body."""
        status, answer = send(self.auth, Shot(path, body, bearer, method))
        assert status < 300, (path, answer)
        return answer

    def mail(self, to: str, kind: str) -> Any:
        """Answer the latest mail of a kind to an address."""
        self.auth.outbox.drain()
        return next(mail for mail in reversed(self.auth.mailer.mails) if (mail.to, mail.kind) == (to, kind))

    def code(self, to: str, kind: str, asked: Any) -> dict[str, Any]:
        """Answer a challenge with the code that was mailed."""
        return {"challenge_id": asked["challenge"]["id"], "code": self.mail(to, kind).code}

    def link(self, to: str, kind: str) -> dict[str, Any]:
        """Answer the token of the link that was mailed."""
        return {"token": self.mail(to, kind).token}

    def member(self, email: str) -> str:
        """Answer the access token of somebody who has just signed up."""
        asked = self.post("/sign-up", {"email": email, "password": PASSWORD, "transport": "bearer"})
        if "access_token" not in asked:
            proof = self.code(email, "sign_up", asked)
            asked = self.post("/sign-up/verify", {**proof, "transport": "bearer"})
        return str(asked["access_token"])

    def members(self, many: int) -> list[str]:
        """Answer the access tokens of the same users at every call."""
        while len(self.users) < many:
            self.users.append(self.member(f"regular{len(self.users)}@example.com"))
        return self.users[:many]


Prepare = Callable[[Stage, str], Sequence[Shot]]
"""Answer the requests that contend, for an address that nobody has yet; one alone is everybody's."""


@dataclass(frozen=True)
class Thing:
    """A thing that is good once. Of a `cast` of rooms; who loses is told one of `refusals`, by code or status."""

    prepare: Prepare
    cast: str = "all"
    refusals: frozenset[str | int] = frozenset({"invalid_challenge"})
    noise: frozenset[str] = frozenset()


THINGS: dict[str, Thing] = {}


def thing(
    name: str, *, cast: str = "all", refusals: Sequence[str | int] = (), noise: Sequence[str] = ()
) -> Callable[[Prepare], Prepare]:
    """Put a thing into the table."""

    def put(prepare: Prepare) -> Prepare:
        THINGS[name] = Thing(prepare, cast, frozenset({"invalid_challenge", *refusals}), frozenset(noise))
        return prepare

    return put


# --- ways in ---


@thing("sign-up code")
def _sign_up_code(stage: Stage, email: str) -> Sequence[Shot]:
    asked = stage.post("/sign-up", {"email": email, "password": PASSWORD, "transport": "bearer"})
    return [Shot("/sign-up/verify", {**stage.code(email, "sign_up", asked), "transport": "bearer"})]


@thing("sign-up of one address, by several registrations")
def _registrations(stage: Stage, email: str) -> Sequence[Shot]:
    asked = [stage.post("/sign-up", {"email": email, "password": p, "transport": "bearer"}) for p in (PASSWORD, OTHER)]
    stage.auth.outbox.drain()
    codes = [mail.code for mail in stage.auth.mailer.mails if mail.to == email]
    pairs = zip(asked, codes, strict=True)
    return [
        Shot("/sign-up/verify", {"challenge_id": each["challenge"]["id"], "code": code, "transport": "bearer"})
        for each, code in pairs
    ]


@thing("sign-up of one address, without a code", cast="open", refusals=["account_exists"])
def _sign_up(stage: Stage, email: str) -> Sequence[Shot]:
    return [Shot("/sign-up", {"email": email, "password": PASSWORD, "transport": "bearer"})]


@thing("code after the password", cast="code")
def _email_code(stage: Stage, email: str) -> Sequence[Shot]:
    return [Shot("/sign-in/email-code", _asked_for_a_code(stage, email))]


def _asked_for_a_code(stage: Stage, email: str) -> dict[str, Any]:
    whole = {"email": email, "password": PASSWORD, "transport": "bearer"}
    stage.post("/sign-up", whole)
    return stage.code(email, "email_code", stage.post("/sign-in", whole))


# Whoever loses is asked for the code.
@thing("remember token", cast="code", refusals=[202], noise=["authcore_challenge", "authcore_effect", "mail"])
def _remember(stage: Stage, email: str) -> Sequence[Shot]:
    asked = {**_asked_for_a_code(stage, email), "remember": True}
    token = stage.post("/sign-in/email-code", asked)["remember_token"]
    body = {"email": email, "password": PASSWORD, "transport": "bearer", "remember_token": token}
    return [Shot("/sign-in", body)]


@thing("sign-in link")
def _magic_link(stage: Stage, email: str) -> Sequence[Shot]:
    stage.member(email)
    stage.post("/magic-link", {"email": email, "transport": "bearer"})
    return [Shot("/magic-link/consume", {**stage.link(email, "magic_link"), "transport": "bearer"})]


@thing("code beside a sign-in link")
def _magic_code(stage: Stage, email: str) -> Sequence[Shot]:
    stage.member(email)
    asked = stage.post("/magic-link", {"email": email, "transport": "bearer"})
    return [Shot("/magic-link/consume", {**stage.code(email, "magic_link", asked), "transport": "bearer"})]


@thing("link and code of one mail")
def _both(stage: Stage, email: str) -> Sequence[Shot]:
    [by_code] = _magic_code(stage, email)
    return [by_code, Shot(by_code.path, {**stage.link(email, "magic_link"), "transport": "bearer"})]


@thing("sign-in code")
def _code(stage: Stage, email: str) -> Sequence[Shot]:
    stage.member(email)
    asked = stage.post("/code", {"email": email, "transport": "bearer"})
    return [Shot("/code/verify", {**stage.code(email, "sign_in_code", asked), "transport": "bearer"})]


@thing("invitation, by link")
def _invitation(stage: Stage, email: str) -> Sequence[Shot]:
    stage.auth.blocking.account.invite(email=email)
    link = stage.link(email, "invitation")
    return [Shot("/invitations/accept", {**link, "password": PASSWORD, "transport": "bearer"})]


@thing("two invitations of one address")
def _invitations(stage: Stage, email: str) -> Sequence[Shot]:
    [first], [second] = _invitation(stage, email), _invitation(stage, email)
    return [first, second]


# --- ways back ---


@thing("reset link")
def _reset_link(stage: Stage, email: str) -> Sequence[Shot]:
    stage.member(email)
    stage.post("/password/reset", {"email": email, "transport": "bearer"})
    return _choosing(stage.link(email, "password_reset"))


@thing("reset code")
def _reset_code(stage: Stage, email: str) -> Sequence[Shot]:
    stage.member(email)
    asked = stage.post("/password/reset", {"email": email, "transport": "bearer"})
    return _choosing(stage.code(email, "password_reset", asked))


def _choosing(proof: Mapping[str, Any]) -> Sequence[Shot]:
    # Each its own: one that has just become the password would be refused for that.
    chosen = (f"{number} grey herons stand still" for number in range(40))
    path = "/password/reset/complete"
    return [Shot(path, {**proof, "new_password": each, "transport": "bearer"}) for each in chosen]


@thing("unlock link")
def _unlock(stage: Stage, email: str) -> Sequence[Shot]:
    stage.member(email)
    _fail_a_hundred_times(stage, email)
    send(stage.auth, Shot("/sign-in", {"email": email, "password": OTHER}))
    return [Shot("/unlock", stage.link(email, "unlock"))]


def _fail_a_hundred_times(stage: Stage, email: str) -> None:
    row = {"key": attempt_key("default", email), "failures": MAX_FAILURES - 1, "failed_at": datetime.now(UTC)}
    ctx = Context(stage.auth.runtime(Drive.BLOCKING), Tenant("default"), None)
    run_blocking(ctx.db.write(lambda tx: tx.execute(attempts.insert().values(**row))))


# --- changes ---


@thing("pending password", refusals=["not_authenticated"])
def _pending_password(stage: Stage, email: str) -> Sequence[Shot]:
    bearer = stage.member(email)
    asked = stage.post("/password/change", {"current_password": PASSWORD, "new_password": OTHER}, bearer)
    return [Shot("/password/change/verify", stage.code(email, "password_change", asked), bearer)]


@thing("proof of who is signed in", refusals=["not_authenticated"])
def _reauthenticate(stage: Stage, email: str) -> Sequence[Shot]:
    bearer = stage.member(email)
    asked = stage.post("/reauthenticate", {}, bearer)
    return [Shot("/reauthenticate", stage.code(email, "reauthenticate", asked), bearer)]


@thing("verification link", cast="open")
def _verification_link(stage: Stage, email: str) -> Sequence[Shot]:
    bearer = stage.member(email)
    stage.post("/email/verify/send", {}, bearer)
    return [Shot("/email/verify/confirm", stage.link(email, "email_verification"))]


@thing("verification code", cast="open")
def _verification_code(stage: Stage, email: str) -> Sequence[Shot]:
    bearer = stage.member(email)
    asked = stage.post("/email/verify/send", {}, bearer)
    return [Shot("/email/verify/confirm", stage.code(email, "email_verification", asked), bearer)]


def _asked_to_change(stage: Stage, email: str) -> tuple[str, str, Any]:
    bearer, wanted = stage.member(email), f"other-{email}"
    return bearer, wanted, stage.post("/email/change", {"new_email": wanted}, bearer)


@thing("change of address, by link", refusals=["not_authenticated"])
def _change_link(stage: Stage, email: str) -> Sequence[Shot]:
    bearer, wanted, _ = _asked_to_change(stage, email)
    return [Shot("/email/change/confirm", stage.link(wanted, "email_change"), bearer)]


@thing("change of address, by code", refusals=["not_authenticated"])
def _change_code(stage: Stage, email: str) -> Sequence[Shot]:
    bearer, wanted, asked = _asked_to_change(stage, email)
    return [Shot("/email/change/confirm", stage.code(wanted, "email_change", asked), bearer)]


@thing("undoing a change of address")
def _undo(stage: Stage, email: str) -> Sequence[Shot]:
    [confirm] = _change_link(stage, email)
    stage.post(confirm.path, dict(confirm.body), confirm.bearer)
    return [Shot("/email/change/undo", stage.link(email, "email_changed"))]


@thing("one more address", refusals=["not_authenticated"])
def _one_more(stage: Stage, email: str) -> Sequence[Shot]:
    bearer, more = stage.member(email), f"more-{email}"
    stage.post("/me/emails", {"email": more}, bearer)
    return [Shot("/me/emails/confirm", stage.link(more, "account_email"), bearer)]


# Whoever wins gives the name of an earlier round back.
@thing("one username for many", refusals=["invalid_fields"], noise=["authcore_identity"])
def _username(stage: Stage, email: str) -> Sequence[Shot]:
    name = email.partition("@")[0].replace("-", "")
    return [Shot("/me", {"username": name}, bearer, "PATCH") for bearer in stage.members(40)]


@thing("end of an account")
def _deletion(stage: Stage, email: str) -> Sequence[Shot]:
    bearer = stage.member(email)
    stage.post("/me", {}, bearer, method="DELETE")
    return [Shot("/me/deletion/confirm", stage.link(email, "deletion"))]


@thing("keeping an account after all")
def _keep(stage: Stage, email: str) -> Sequence[Shot]:
    [confirm] = _deletion(stage, email)
    stage.post(confirm.path, dict(confirm.body))
    return [Shot("/me/deletion/cancel", stage.link(email, "deletion_scheduled"))]


@thing("upgrade of a guest", refusals=["not_authenticated"])
def _upgrade(stage: Stage, email: str) -> Sequence[Shot]:
    guest = stage.post("/anonymous", {"transport": "bearer"})["access_token"]
    asked = stage.post("/sign-up", {"email": email, "password": PASSWORD, "transport": "bearer"}, guest)
    proof = stage.code(email, "sign_up", asked)
    return [Shot("/sign-up/verify", {**proof, "transport": "bearer"}, guest)]
