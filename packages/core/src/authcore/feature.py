"""A feature is a room: one folder that holds everything about one capability, opened by this value."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from msgspec.structs import replace
from sqlalchemy import Table
from sqlalchemy.engine import Connection

from authcore.calls import Calls
from authcore.errors import ConfigurationError
from authcore.route import Route
from authcore.values import Value

if TYPE_CHECKING:
    from authcore.context import Context
    from authcore.services.accounts import Account
    from authcore.services.mailed import Mailed
    from authcore.services.sign_in import Proof, Remembered, SignInState


Family = Literal["recovery", "invite", "login", "mfa", "notify_new_device"]
Carries = Literal["code", "link", "name"]
_NAMES: Mapping[tuple[str, str], str] = {
    ("recovery", "link"): "recovery.magic_link",
    ("recovery", "code"): "recovery.pincode",
    ("invite", "link"): "invite.magic_link",
    ("invite", "code"): "invite.pincode",
    ("login", "link"): "login.magic_link",
    ("login", "code"): "login.pincode",
    ("mfa", "code"): "mfa.code",
    ("notify_new_device", ""): "notify_new_device",
}
"""The closed names of what mails and text messages are for (S89, S90), by family and by what the message carries."""


def event_name(family: Family | None, *, code: bool, link: bool) -> str | None:
    """Answer the closed name (S89, S90) of a message: a link goes before the code beside it; None outside families."""
    carried = ["link"] * link + ["code"] * code + [""]
    return next((_NAMES[family, what] for what in carried if family and (family, what) in _NAMES), None)


class MailTemplate(Value, frozen=True):
    """A kind of mail: `<folder>/<name>.html`, `.txt` and `.subject.txt` are its templates.

    `sender` overrides the application's address for this kind. `family` gives its name among S89's. `carries` says what
    it may carry ("name" is the greeting by display name), and `sample` is an example of `MailPayload.data`: the preview
    and the tests render with both.
    """

    kind: str
    name: str
    folder: Path
    sender: str | None = None
    family: Family | None = None
    carries: tuple[Carries, ...] = ()
    sample: Mapping[str, Any] = {}


class SmsTemplate(Value, frozen=True):
    """A kind of text message with a code: `<folder>/<name>.sms.txt` is its template, which extends `base.sms.txt`."""

    kind: str
    name: str
    folder: Path
    family: Family | None = None
    sample: Mapping[str, Any] = {}


def sender_address(owner: str, given: object) -> str:
    """Answer an address that mails may come from; raise ConfigurationError naming whose setting it is."""
    if not isinstance(given, str) or not given.isprintable() or "@" not in given:
        raise ConfigurationError(
            f"{owner}(mail_from={given!r}) is no address: write 'name@example.com' or 'Name <name@example.com>'."
        )
    return given


def mails_from(owner: str, mails: Sequence[MailTemplate], sender: str | None) -> tuple[MailTemplate, ...]:
    """Answer a room's mails with its own sender; None leaves the application's. Raise ConfigurationError."""
    if sender is not None:
        sender = sender_address(owner, sender)
    return tuple(replace(mail, sender=sender) for mail in mails)


class Retention(Value, frozen=True):
    """Rows that nobody needs any more once they have been over for as long as `keep`.

    `clean` is a store function of (connection, time, most): it removes at most `most` rows from before the time, and
    answers how many.
    """

    name: str
    keep: timedelta
    clean: Callable[[Connection, datetime, int], int]


class Sweep(Value, frozen=True):
    """What is over and takes more than its rows to remove: `run` is a flow of (context, most) that ends at most `most`
    of them, in every tenant, and answers how many.
    """

    name: str
    run: Callable[[Context, int], Awaitable[int]]


class SignInStep:
    """What may stand between a proved first factor and a session; a room's own is a subclass."""

    kind: ClassVar[str]
    """The challenge's kind on the wire, such as `email_code` or `totp`."""

    last: ClassVar[bool] = False
    """True for what changes the account: it stands behind every step that proves who signs in."""

    async def required(self, ctx: Context, state: SignInState) -> bool:
        """Tell whether this sign-in must pass the step."""
        raise NotImplementedError

    async def spare(self, ctx: Context, state: SignInState) -> SignInState | None:
        """Spend what the client presented to be spared the step; answer the state in which it is passed, or None."""
        return None

    async def begin(self, ctx: Context, state: SignInState) -> Mailed:
        """Begin the challenge that carries the sign-in on; its answer comes back by `sign_in.resume`."""
        raise NotImplementedError

    async def remember(self, ctx: Context, account: Account, state: SignInState) -> Remembered | None:
        """Make what spares the step next time, after the session was made; None where the step has no such thing."""
        return None

    async def give_back(self, ctx: Context, state: SignInState) -> None:
        """Make good again what `spare` spent: the sign-in was right, and no session could be made."""


class Reauthentication(Value, frozen=True):
    """A way to prove again who is signed in, by one secret: `field` names it in the body of `/reauthenticate`."""

    field: str
    prove: Callable[[Context, str], Awaitable[Proof]]


class Feature:
    """A room's table of contents. A subclass sets the class values and, in `__init__`, its settings.

    `calls` are the room's flows as Python calls, `listeners` pairs an event type with a function of (context, event).
    A room whose settings ask for text messages sets `self.sms` in its `__init__`: without a sender of them the
    application refuses to start.
    """

    name: ClassVar[str]
    calls: ClassVar[type[Calls[Any]] | None] = None
    routes: ClassVar[tuple[Route, ...]] = ()
    tables: ClassVar[tuple[Table, ...]] = ()
    mails: ClassVar[tuple[MailTemplate, ...]] = ()
    sms: ClassVar[tuple[SmsTemplate, ...]] = ()
    steps: ClassVar[tuple[SignInStep, ...]] = ()
    reauthentications: ClassVar[tuple[Reauthentication, ...]] = ()
    listeners: ClassVar[tuple[tuple[type, Callable[..., Any]], ...]] = ()
    retentions: ClassVar[tuple[Retention, ...]] = ()
    sweeps: ClassVar[tuple[Sweep, ...]] = ()
    requires: ClassVar[tuple[str, ...]] = ()

    shares: tuple[Any, ...] = ()
    """Settings that services read, each found by its type as `settings` is."""

    settings: Any = None
    """A frozen value whose type is the key under which flows find it."""

    def findings(self, app: Any) -> Sequence[str]:
        """Answer sentences about settings that hold but weaken something; `authcore doctor` prints them."""
        return ()
