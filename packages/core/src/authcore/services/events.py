"""What happened: a closed list of typed events, kept as rows and told to listeners.

A room does one thing for each event, in three places:

    happened = events.occur(ctx, events.PasswordChanged(ctx.tenant.id, ctx.now(), user))  # before the transaction
    events.write(tx, happened)                                                            # in the one that decides
    await events.tell(ctx, happened)                                                     # after its commit

`occur` draws what the row needs, `write` keeps the row and calls the listeners `in_transaction`, `tell` calls all other
listeners. `occur_all`, `write_all` and `tell_all` do so for several events of one transaction.

What only the transaction knows is given to `write`, which answers the event that `tell` then takes:
`occur(ctx, events.Logout)`, `event = events.write(tx, happened, user=user, session_id=id_)`, `tell(ctx, event)`.

`occur(ctx, event, void=True)` writes the same row for an account that does not exist, and tells nobody (rule A2).

Where no transaction decides, as for `Attempting`, `await events.emit(ctx, event)` does all three, in a transaction of
its own.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any, ClassVar, Literal

import msgspec
from sqlalchemy.engine import Connection

from authcore.context import Context
from authcore.ports import counting
from authcore.services import journal
from authcore.services.accounts import User
from authcore.services.journal import Pen
from authcore.values import Value

_log = logging.getLogger("authcore.events")


class Event(msgspec.Struct, frozen=True):
    """Something that happened at `at`, in a tenant."""

    outcome: ClassVar[Literal["success", "failure", "denied", "open"]] = "success"
    tenant: str
    at: datetime


# --- signing up and in ---


class Registered(Event, frozen=True):
    """A user was made."""

    user: User


class Verified(Event, frozen=True):
    """A user's address was proven."""

    user: User


class Attempting(Event, frozen=True):
    """Somebody tries to sign in; told before anything is counted or looked up, whether there is an account or not."""

    outcome: ClassVar = "open"
    email: str


class Failed(Event, frozen=True):
    """A sign-in was refused; whether there is an account is not told."""

    outcome: ClassVar = "failure"
    email: str


class Lockout(Event, frozen=True):
    """A sign-in was refused because of too many attempts."""

    outcome: ClassVar = "denied"
    email: str


class Authenticated(Event, frozen=True):
    """A user proved who it is, by every factor that is asked: just before `Login`, and at a re-authentication."""

    user: User


class Login(Event, frozen=True):
    """A session was made."""

    user: User
    session_id: str


class LoginFromNewDevice(Event, frozen=True):
    """A session was made on a device that the user had not used before."""

    user: User
    session_id: str


class Reauthenticated(Event, frozen=True):
    """The user of a session proved again who it is."""

    user: User
    session_id: str


class UserInvited(Event, frozen=True):
    """An address or a phone was invited."""

    email: str | None = None
    phone: str | None = None


class AnonymousUpgraded(Event, frozen=True):
    """An anonymous user became, or was merged into, a user; `anonymous_id` is the id that it had."""

    user: User
    anonymous_id: str


# --- sessions ---


class Logout(Event, frozen=True):
    """A user ended the session that asked."""

    user: User
    session_id: str


class CurrentDeviceLogout(Event, frozen=True):
    """A user ended the session of the device that asked, and no other; told beside `Logout`."""

    user: User
    session_id: str


class OtherDeviceLogout(Event, frozen=True):
    """A user ended its sessions on all other devices; told beside `SessionsEnded`."""

    user: User


class SessionsEnded(Event, frozen=True):
    """Sessions of a user were ended from elsewhere."""

    user_id: str
    count: int


class EpochBumped(Event, frozen=True):
    """Everything of a tenant, or of the whole application, was ended at once."""

    scope: Literal["tenant", "application"]
    count: int


class RefreshReused(Event, frozen=True):
    """A replaced refresh token was presented: its family has ended."""

    outcome: ClassVar = "denied"
    user_id: str
    session_id: str


class RememberTokenReused(Event, frozen=True):
    """A replaced remember token was presented: those of the user have ended."""

    outcome: ClassVar = "denied"
    user_id: str


# --- passwords ---


class PasswordSet(Event, frozen=True):
    """An account that had none got its first password."""

    user: User


class PasswordChanged(Event, frozen=True):
    """A user replaced its password by another."""

    user: User


class PasswordResetLinkSent(Event, frozen=True):
    """A link or a code that resets a password was mailed."""

    email: str


class PasswordReset(Event, frozen=True):
    """A password was replaced by who proved the mailbox."""

    user: User


class PasswordChangeRequired(Event, frozen=True):
    """A user must choose another password at the next sign-in."""

    user: User


class PasswordCompromised(Event, frozen=True):
    """A password is known to others."""

    user: User


class BreachCheckFailed(Event, frozen=True):
    """The service that knows breached passwords could not be asked."""

    outcome: ClassVar = "failure"


class AccountUnlocked(Event, frozen=True):
    """The failures that let a password rest were forgotten."""

    user: User


# --- the account ---


class EmailChanged(Event, frozen=True):
    """A user's address is another."""

    user: User
    old_email: str | None


class EmailAdded(Event, frozen=True):
    """Another address opens a user's account."""

    user: User
    email: str


class EmailRemoved(Event, frozen=True):
    """One of a user's addresses opens the account no more."""

    user: User
    email: str


class EmailChangeUndone(Event, frozen=True):
    """A user's address is again the one before."""

    user: User


class PhoneChanged(Event, frozen=True):
    """A user's phone was added, replaced or removed."""

    user: User


class UsernameChanged(Event, frozen=True):
    """A user's name for signing in was set, replaced or removed."""

    user: User


class ProfileUpdated(Event, frozen=True):
    """A user's display name or custom fields were changed."""

    user: User


class UserDisabled(Event, frozen=True):
    """An account was disabled."""

    user: User


class UserEnabled(Event, frozen=True):
    """A disabled account was enabled."""

    user: User


class DeletionRequested(Event, frozen=True):
    """An account will be deleted once its grace period is over."""

    user: User


class DeletionCancelled(Event, frozen=True):
    """An account that was to be deleted stays."""

    user: User


class UserDeleted(Event, frozen=True):
    """An account and what is known of it are gone: its last event, which erases its pseudonym."""

    user_id: str


EVENTS: tuple[type[Event], ...] = (
    AccountUnlocked,
    AnonymousUpgraded,
    Attempting,
    Authenticated,
    BreachCheckFailed,
    CurrentDeviceLogout,
    DeletionCancelled,
    DeletionRequested,
    EmailAdded,
    EmailChangeUndone,
    EmailChanged,
    EmailRemoved,
    EpochBumped,
    Failed,
    Lockout,
    Login,
    LoginFromNewDevice,
    Logout,
    OtherDeviceLogout,
    PasswordChangeRequired,
    PasswordChanged,
    PasswordCompromised,
    PasswordReset,
    PasswordResetLinkSent,
    PasswordSet,
    PhoneChanged,
    ProfileUpdated,
    Reauthenticated,
    RefreshReused,
    Registered,
    RememberTokenReused,
    SessionsEnded,
    UserDeleted,
    UserDisabled,
    UserEnabled,
    UserInvited,
    UsernameChanged,
    Verified,
)
REFUSALS = ("failure", "denied")
KEPT_ALWAYS = (RefreshReused, RememberTokenReused)
"""Thefts are written without the audit room as well, committed before the refusal (rule T6)."""


class Listeners:
    """The application's own functions of events; those under `Event` itself are called with every event."""

    def __init__(self) -> None:
        self._after: dict[type[Event], list[Callable[[Any], Any]]] = {}
        self._inside: dict[type[Event], list[Callable[[Connection, Any], Any]]] = {}

    def add(self, event: type[Event], listener: Callable[..., Any], *, in_transaction: bool = False) -> None:
        """Call a function with each event of a type."""
        kept: dict[type[Event], list[Callable[..., Any]]] = self._inside if in_transaction else self._after
        kept.setdefault(event, []).append(listener)

    def after(self, event: type[Event]) -> tuple[Callable[[Any], Any], ...]:
        """Answer what is called after the commit."""
        return (*self._after.get(event, ()), *self._after.get(Event, ()))

    def inside(self, event: type[Event]) -> tuple[Callable[[Connection, Any], Any], ...]:
        """Answer what is called in the transaction."""
        return (*self._inside.get(event, ()), *self._inside.get(Event, ()))


class Occurred(Value, frozen=True):
    """An event, or its type where only the transaction knows more, with what its row needs and who hears of it."""

    event: Event | type[Event]
    tenant: str
    at: datetime
    pen: Pen | None
    inside: tuple[Callable[[Connection, Any], Any], ...]
    void: bool = False


def occur(ctx: Context, event: Event | type[Event], *, void: bool = False) -> Occurred:
    """Draw, before the transaction that decides, what `write` needs in it."""
    kind = event if isinstance(event, type) else type(event)
    kept, erases = kind in KEPT_ALWAYS or journal.is_kept(ctx), kind is UserDeleted
    pen = journal.draw(ctx, kept=kept, erases=erases) if kept or erases else None
    inside = () if void else ctx.runtime.listeners.inside(kind)
    return Occurred(event, ctx.tenant.id, ctx.now(), pen, inside, void)


def occur_all(ctx: Context, *events: Event | type[Event]) -> tuple[Occurred, ...]:
    """Draw what several events of one transaction need; their rows are read in this order."""
    drawn = [occur(ctx, event) for event in events]
    # Within a millisecond ids are in no order, and those of one transaction often have one time.
    ids = iter(sorted(each.pen.id for each in drawn if each.pen is not None))
    return tuple(each if each.pen is None else _with_id(each, each.pen, next(ids)) for each in drawn)


def _with_id(happened: Occurred, pen: Pen, id_: str) -> Occurred:
    return msgspec.structs.replace(happened, pen=msgspec.structs.replace(pen, id=id_))


def write(tx: Connection, happened: Occurred, **found: Any) -> Event:
    """Keep the row, call the listeners `in_transaction`, and answer the event with what was `found` meanwhile.

    What a listener raises rolls the transaction back and is raised to whoever asked.
    """
    event = _known(happened, found)
    if happened.pen is not None:
        journal.write(tx, happened.pen, event, "void" if happened.void else event.outcome)
    for listener in happened.inside:
        _call_inside(listener, tx, event)
    return event


def write_all(tx: Connection, happened: Iterable[Occurred], **found: Any) -> tuple[Event, ...]:
    """Write several events of one transaction, in their order."""
    return tuple(write(tx, each, **found) for each in happened)


def _known(happened: Occurred, found: dict[str, Any]) -> Event:
    if isinstance(happened.event, type):
        return happened.event(happened.tenant, happened.at, **found)
    return msgspec.structs.replace(happened.event, **found) if found else happened.event


def _call_inside(listener: Callable[[Connection, Any], Any], tx: Connection, event: Event) -> None:
    answer = listener(tx, event)
    if inspect.isawaitable(answer):
        if inspect.iscoroutine(answer):
            answer.close()
        raise TypeError(f"{listener!r} listens in the transaction, where nothing can be awaited: make it synchronous.")


async def tell(ctx: Context, happened: Occurred | Event) -> None:
    """Tell the listeners, after the commit; one that fails harms nobody and stands in the log.

    Of an event of which `write` found out more, tell what `write` answered.
    """
    if isinstance(happened, Occurred):
        if happened.void:
            return
        happened = _known(happened, {})
    # Within a transaction of the application's own, the commit is still to come.
    turn = _Turn(ctx, happened)
    ctx.db.after_commit(turn.committed)
    if turn.has_come:
        await _tell(ctx, happened)
    turn.waits = True


async def tell_all(ctx: Context, happened: Iterable[Occurred | Event]) -> None:
    """Tell of several events, in their order."""
    for each in happened:
        await tell(ctx, each)


class _Turn:
    """Whether what was written can be seen; if that comes later, the listeners are told then."""

    def __init__(self, ctx: Context, event: Event) -> None:
        self._ctx, self._event = ctx, event
        self.has_come = self.waits = False

    def committed(self) -> None:
        """Note that the commit was; tell the listeners if nobody waits for that."""
        self.has_come = True
        if self.waits:
            _run(_tell(self._ctx, self._event))


def _run(told: Any) -> None:
    # Only blocking code has a transaction that outlives a flow, and there a coroutine ends in its first step.
    try:
        told.send(None)
    except StopIteration:
        return
    told.close()
    _log.error("A listener waited after a commit where nothing can wait.")


async def _tell(ctx: Context, event: Event) -> None:
    for call in _calls(ctx, event):
        try:
            await call()
        except Exception:
            _log.exception("A listener of %s failed.", type(event).__name__)


def _calls(ctx: Context, event: Event) -> Iterator[Callable[[], Any]]:
    """Answer the rooms' listeners, which are flows, and then the application's, which are hooks."""
    for feature in ctx.runtime.features:
        for kind, flow in feature.listeners:
            if kind in (type(event), Event):
                yield lambda flow=flow: flow(ctx, event)  # type: ignore[misc]
    for listener in ctx.runtime.listeners.after(type(event)):
        yield lambda listener=listener: ctx.hooks.call(listener, event)  # type: ignore[misc]


async def emit(ctx: Context, event: Event) -> None:
    """Write an event that no transaction decides in one of its own, then tell the listeners."""
    happened = occur(ctx, event)
    if happened.pen is not None or happened.inside:
        await ctx.db.write(_write_refusal if event.outcome in REFUSALS else write, happened)
    await tell(ctx, happened)


@counting
def _write_refusal(tx: Connection, happened: Occurred) -> None:
    write(tx, happened)


async def dispatch(ctx: Context, event: Event) -> None:
    """Tell of an event that happened in the application's own code, as the rooms tell of theirs (S119)."""
    if not isinstance(event, EVENTS):
        raise TypeError(f"{type(event).__name__} is no event of authcore: dispatch one of authcore.events.")
    await emit(ctx, event)
