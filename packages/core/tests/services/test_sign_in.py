"""Rule A1: only the pipeline mints a session, after every step that is asked for, whatever the first factor was."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

import authcore
from authcore import Auth, ChallengeRequired, Password, Sessions, SignedIn
from authcore.calls import Calls, M, call
from authcore.context import Context
from authcore.errors import InvalidChallenge, InvalidCredentials, NotAuthenticated
from authcore.feature import Feature, SignInStep
from authcore.route import Answer, Route
from authcore.services import accounts, challenges, sessions, sign_in
from authcore.services.answers import ChallengeRequiredBody, SignedInBody, answer
from authcore.services.challenges import ChallengeKind, Spent
from authcore.services.mailed import Mailed
from authcore.services.sign_in import Outcome, Proof, SignInState
from authcore.testing.ports import FrozenClock

PASSWORD = "three quiet herons wade"
FACTOR = Proof(("otp",), 2)


# --- a room with a step, as a third party writes one ---


@dataclass
class Step(SignInStep):
    """Ask for a second factor unless the proof holds it; every code it ever made stands in `codes`."""

    kind: str  # type: ignore[misc]
    codes: list[str]

    def __post_init__(self) -> None:
        self.secret = ChallengeKind(purpose=f"gate/{self.kind}", kind=self.kind)

    async def required(self, ctx: Context, state: SignInState) -> bool:
        return "otp" not in state.amr

    async def begin(self, ctx: Context, state: SignInState) -> Mailed:
        made = challenges.draft(ctx, self.secret, subject=state.user_id, recipient="nobody", payload=state, bindings=[])
        key = challenges.code_digest(ctx, made.id, made.code or "")
        await ctx.db.write(challenges.insert_row, made, *key)
        self.codes.append(made.code or "")
        return Mailed(made)


@dataclass
class Ask(Step):
    """A step that only its own answer satisfies."""

    async def required(self, ctx: Context, state: SignInState) -> bool:
        return True


async def pass_step(ctx: Context, *, step: Step, challenge_id: str, code: str) -> Outcome:
    """Answer a step's challenge and go on with the sign-in."""
    attempt = await challenges.attempt(ctx, step.secret, challenge_id, code, None)
    spent = await ctx.db.write(challenges.spend, attempt)
    if not isinstance(spent, Spent):
        raise InvalidChallenge()
    state = msgspec.convert(challenges.payload(ctx, spent.challenge), SignInState)
    return await sign_in.resume(ctx, state, step.kind, FACTOR)


class GateCalls(Calls[M]):
    """The room's calls."""

    pass_step = call(pass_step)


class PassGate(msgspec.Struct, forbid_unknown_fields=True):
    """The body of `/gate/pass`."""

    challenge_id: str
    code: str


class Gate(Feature):
    """A room with one step of one kind."""

    calls = GateCalls

    def __init__(self, step: Step) -> None:
        self.name = f"gate_{step.kind}"  # type: ignore[misc]
        self.step = step
        self.steps = (step,)  # type: ignore[misc]

        async def handle(ctx: Context, body: PassGate) -> Answer:
            return answer(ctx, await pass_step(ctx, step=step, challenge_id=body.challenge_id, code=body.code))

        self.routes = (  # type: ignore[misc]
            Route(
                method="POST",
                path=f"/gate/{step.kind}",
                handler=handle,
                summary="Pass the gate",
                body=PassGate,
                answers={200: SignedInBody, 202: ChallengeRequiredBody},
                mints=True,
                raises=(InvalidChallenge, InvalidCredentials),
            ),
        )


@pytest.fixture
def gate() -> Gate:
    """A gate that asks for a second factor."""
    return Gate(Step("totp", []))


def code_proven(client: Any) -> Any:
    """Sign up with a mailed code and answer the reply to the code."""
    return client.sign_up("new@example.com")


def at_once(client: Any) -> Any:
    """Sign up where no code is required."""
    return client.post("/sign-up", {"email": "new@example.com", "password": PASSWORD})


def by_password(client: Any) -> Any:
    """Make an account without the gate's help, then sign in by password."""
    client.sign_up()
    return client.sign_in()


FIRST_FACTORS: dict[str, tuple[Callable[[Any], Any], Callable[[], Password]]] = {
    "/sign-up": (at_once, lambda: Password(require_code=False)),
    "/sign-up/verify": (code_proven, Password),
    "/sign-in": (by_password, Password),
}
"""How each route that may make a session is walked to the end of its first factor."""


BEHIND_EVERY_STEP = {"/sign-in/new-password"}
"""Answers to the steps that are asked last: whoever gets so far has passed the others (tested with their rooms)."""


def test_every_registered_first_factor_is_walked(auth: Callable[..., Auth], gate: Gate) -> None:
    """A1: a room that adds a way to sign in has to be walked here as well."""
    router = auth(Password(), gate).router

    minting = {route.path for route in router.routes if route.mints} - {"/gate/totp", *BEHIND_EVERY_STEP}

    assert minting == set(FIRST_FACTORS)


@pytest.mark.parametrize("browser", [False, True])
@pytest.mark.parametrize("path", sorted(FIRST_FACTORS))
def test_no_first_factor_yields_a_session_before_the_step(
    auth: Callable[..., Auth],
    client: Callable[..., Any],
    inside: Callable[[Auth], Any],
    gate: Gate,
    path: str,
    browser: bool,
) -> None:
    """A1: a proved first factor answers 202 and holds nothing that opens a route; the step's answer holds a session."""
    walk, room = FIRST_FACTORS[path]
    made = auth(room(), gate)
    visitor = client(made, browser=browser)

    reply = walk(visitor)
    before = (inside(made).rows(sessions.sessions), inside(made).rows(sessions.access), visitor.get("/me").status)
    passed = visitor.post("/gate/totp", {"challenge_id": reply.json["challenge"]["id"], "code": gate.step.codes[-1]})

    assert reply.status == 202
    assert reply.json["challenge"]["kind"] == "totp"
    assert set(reply.json) == {"status", "challenge"}
    assert "authcore_session" not in reply.headers.get("set-cookie", "")
    assert before == ([], [], 401)
    assert passed.status == 200
    assert passed.json["session"]["aal"] == 2
    assert passed.json["session"]["amr"][-1] == "otp"
    assert visitor.get("/me", bearer=passed.json.get("access_token")).status == 200


def test_a_python_call_is_held_up_as_well(auth: Callable[..., Auth], client: Callable[..., Any], gate: Gate) -> None:
    """A1: the typed calls end in the same pipeline."""
    made = auth(Password(), gate)
    client(made).sign_up()

    outcome = made.blocking.password.sign_in(email="ada@example.com", password=PASSWORD)
    passed = made.blocking[GateCalls].pass_step(
        step=gate.step, challenge_id=outcome.challenge.id, code=gate.step.codes[-1]
    )

    assert isinstance(outcome, ChallengeRequired)
    assert isinstance(passed, SignedIn)
    assert passed.session.amr == ["pwd", "otp"]


def test_only_the_pipeline_stores_a_session() -> None:
    """A1: no line outside `services/sign_in.py` drafts a session or inserts one."""
    source = Path(authcore.__file__).parent
    marks = ("sessions.draft(", "insert_draft", "import draft")

    found = {
        str(path.relative_to(source))
        for path in source.rglob("*.py")
        if any(mark in path.read_text(encoding="utf-8") for mark in marks)
    }

    assert found == {"services/sign_in.py", "services/sessions.py"}


# --- steps ---


@pytest.fixture
def held(
    auth: Callable[..., Auth], client: Callable[..., Any], inside: Callable[[Auth], Any], gate: Gate
) -> Callable[[], tuple[Any, Any, Any]]:
    """Sign Ada up and hold her sign-in at the gate; answer the side door, her client and the reply."""

    def hold() -> tuple[Any, Any, Any]:
        made = auth(Password(), gate)
        visitor = client(made)
        visitor.sign_up()
        return inside(made), visitor, visitor.sign_in()

    return hold


def test_a_step_that_the_proof_covers_is_not_asked(
    auth: Callable[..., Auth], client: Callable[..., Any], inside: Callable[[Auth], Any], gate: Gate
) -> None:
    """A1: whoever proved the second factor beforehand goes straight to a session, with the level that follows."""
    made = auth(Password(), gate)
    client(made).sign_up()
    world = inside(made)
    account = _account(world)

    outcome = world.run(sign_in.complete(world.ctx(), account, Proof(("pwd",)) + FACTOR, via="bearer"))

    assert isinstance(outcome, SignedIn)
    assert (outcome.session.amr, outcome.session.aal) == (["pwd", "otp"], 2)
    assert gate.step.codes[1:] == []


def test_steps_are_asked_one_after_the_other_and_each_once(
    auth: Callable[..., Auth], client: Callable[..., Any], inside: Callable[[Auth], Any]
) -> None:
    """A1: with two declared steps both stand between the password and a session, in the order of the rooms."""
    terms, passkey = Gate(Ask("terms", [])), Gate(Ask("passkey", []))
    made = auth(Password(), terms, passkey)
    visitor = client(made)
    first = visitor.sign_up()

    second = visitor.post("/gate/terms", {"challenge_id": first.json["challenge"]["id"], "code": terms.step.codes[-1]})
    in_between = inside(made).rows(sessions.sessions)
    third = visitor.post(
        "/gate/passkey", {"challenge_id": second.json["challenge"]["id"], "code": passkey.step.codes[-1]}
    )

    assert [reply.json["challenge"]["kind"] for reply in (first, second)] == ["terms", "passkey"]
    assert in_between == []
    assert third.status == 200
    assert (len(terms.step.codes), len(passkey.step.codes)) == (1, 1)


def test_a_step_is_answered_once_and_counts_wrong_answers(held: Callable[[], tuple[Any, Any, Any]], gate: Gate) -> None:
    """T2: the challenge of a step is spent by its answer; wrong ones are counted and make no session."""
    world, visitor, reply = held()
    answered = {"challenge_id": reply.json["challenge"]["id"], "code": gate.step.codes[-1]}
    wrong = {**answered, "code": str((int(answered["code"]) + 1) % 10**6).zfill(6)}

    replies = [visitor.post("/gate/totp", body) for body in (wrong, answered, answered)]

    assert [reply.status for reply in replies] == [400, 200, 400]
    assert [replies[n].code for n in (0, 2)] == ["invalid_challenge"] * 2
    [row] = world.rows(challenges.challenges, challenges.challenges.c.id == answered["challenge_id"])
    assert row.attempts == 2
    assert len(world.rows(sessions.sessions)) == 1


@pytest.mark.parametrize("change", [{"credential_epoch": 1}, {"disabled_at": datetime(2030, 1, 1, tzinfo=UTC)}])
def test_what_changes_in_between_ends_the_sign_in(
    held: Callable[[], tuple[Any, Any, Any]], gate: Gate, change: dict[str, Any]
) -> None:
    """T9: a password change (a new epoch) or a disabling between factor and step leaves no session."""
    world, visitor, reply = held()
    world.write(lambda tx: tx.execute(sa.update(accounts.users).values(**change)))

    passed = visitor.post("/gate/totp", {"challenge_id": reply.json["challenge"]["id"], "code": gate.step.codes[-1]})

    assert (passed.status, passed.code) == (401, "invalid_credentials")
    assert world.rows(sessions.sessions) == []


def test_a_deleted_account_ends_the_sign_in(held: Callable[[], tuple[Any, Any, Any]], gate: Gate) -> None:
    """T9: nobody is signed in whose account is gone meanwhile."""
    world, visitor, reply = held()
    world.write(lambda tx: tx.execute(sa.delete(accounts.users)))

    passed = visitor.post("/gate/totp", {"challenge_id": reply.json["challenge"]["id"], "code": gate.step.codes[-1]})

    assert (passed.status, passed.code) == (401, "invalid_credentials")


def test_an_epoch_between_reading_and_storing_yields_a_dead_session(
    auth: Callable[..., Auth], client: Callable[..., Any], inside: Callable[[Auth], Any]
) -> None:
    """T9: a session stored under an epoch that has just passed opens nothing."""
    made = auth()
    client(made).sign_up()
    world = inside(made)
    account = _account(world)
    world.write(lambda tx: tx.execute(sa.update(accounts.users).values(credential_epoch=1)))

    outcome = world.run(sign_in.complete(world.ctx(), account, Proof(("pwd",)), via="bearer"))

    assert client(made).get("/me", bearer=outcome.access_token).status == 401


def test_a_disabled_account_completes_nothing(
    auth: Callable[..., Auth], client: Callable[..., Any], inside: Callable[[Auth], Any], gate: Gate
) -> None:
    """A1: a proof for a disabled account neither makes a session nor begins a step."""
    made = auth(Password(), gate)
    client(made).sign_up()
    world = inside(made)
    begun = len(gate.step.codes)
    world.write(lambda tx: tx.execute(sa.update(accounts.users).values(disabled_at=datetime(2030, 1, 1, tzinfo=UTC))))

    with pytest.raises(InvalidCredentials):
        world.run(sign_in.complete(world.ctx(), _account(world), Proof(("pwd",)), via="bearer"))

    assert len(gate.step.codes) == begun


def test_a_steps_challenge_of_another_tenant_is_unknown(held: Callable[[], tuple[Any, Any, Any]], gate: Gate) -> None:
    """A sign-in that is on its way in one tenant is not carried on in another."""
    world, _visitor, reply = held()

    with pytest.raises(InvalidChallenge):
        world.run(
            pass_step(
                world.ctx(tenant="south"),
                step=gate.step,
                challenge_id=reply.json["challenge"]["id"],
                code=gate.step.codes[-1],
            )
        )


# --- stepping up ---


def test_renewing_adds_proof_and_never_takes_any_away(
    auth: Callable[..., Auth], client: Callable[..., Any], inside: Callable[[Auth], Any], clock: FrozenClock
) -> None:
    """T7: a step-up keeps id and level, adds the method, moves `auth_time`, and replaces the secret."""
    made = auth(Sessions(), Password())
    visitor = client(made)
    token = visitor.sign_up().json["access_token"]
    world = inside(made)
    who = made.blocking.sessions.current(access_token=token)
    clock.advance(400)

    stronger = world.run(sign_in.renew(world.ctx(who=who), FACTOR))
    again = made.blocking.sessions.current(access_token=stronger.access_token)
    weaker = world.run(sign_in.renew(world.ctx(who=again), Proof(("pwd",))))

    assert stronger.session.id == weaker.session.id == who.session.id
    assert (weaker.session.amr, weaker.session.aal) == (["pwd", "email", "otp"], 2)
    assert stronger.session.auth_time == clock.now() > who.session.auth_time
    dead = [token, stronger.access_token]
    assert [made.blocking.sessions.current(access_token=text) for text in dead] == [None, None]
    assert made.blocking.sessions.current(access_token=weaker.access_token) is not None


def test_nobody_and_an_ended_session_cannot_step_up(
    auth: Callable[..., Auth], client: Callable[..., Any], inside: Callable[[Auth], Any]
) -> None:
    """T7: without a live session there is nothing to renew."""
    made = auth()
    token = client(made).sign_up().json["access_token"]
    who = made.blocking.sessions.current(access_token=token)
    made.blocking.sessions.revoke_session(who.session.id)
    world = inside(made)

    for asking in (None, who):
        with pytest.raises(NotAuthenticated):
            world.run(sign_in.renew(world.ctx(who=asking), FACTOR))


def test_outcomes_print_no_secret(auth: Callable[..., Auth], client: Callable[..., Any], gate: Gate) -> None:
    """O3: neither a sign-in that is held up nor one that is done prints its tokens or cookies."""
    held_up, free = auth(Password(), gate), auth(Password())
    client(held_up).sign_up()

    held = held_up.blocking.password.sign_in(email="ada@example.com", password=PASSWORD, transport="cookie")
    done = free.blocking.password.sign_in(email="ada@example.com", password=PASSWORD, transport="bearer")

    assert done.access_token not in repr(done)
    assert done.refresh_token not in repr(done)
    assert gate.step.codes[-1] not in repr(held).replace(held.challenge.id, "")


def _account(world: Any) -> Any:
    [row] = world.rows(accounts.users)
    return world.read(accounts.by_id, "default", row.id, accounts.PLAIN)
