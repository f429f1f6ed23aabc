"""A feature is a room: one folder that holds everything about one capability, opened by this value."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from msgspec.structs import replace
from sqlalchemy import Table
from sqlalchemy.engine import Connection

from authcore.calls import Calls
from authcore.errors import ConfigurationError
from authcore.route import Route
from authcore.values import Value

if TYPE_CHECKING:
    from authcore.context import Context
    from authcore.services.challenges import Challenge
    from authcore.services.sign_in import Proof, SignInState


class MailTemplate(Value, frozen=True):
    """A kind of mail: `<folder>/<name>.html`, `.txt` and `.subject.txt` are its templates.

    `sender` overrides the application's address for this kind.
    """

    kind: str
    name: str
    folder: Path
    sender: str | None = None


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


class SignInStep(Protocol):
    """What may stand between a proved first factor and a session."""

    kind: str
    """The challenge's kind on the wire, such as `email_code` or `totp`."""

    async def required(self, ctx: Context, state: SignInState) -> bool:
        """Tell whether this sign-in must pass the step."""
        ...

    async def begin(self, ctx: Context, state: SignInState) -> Challenge:
        """Make the challenge that carries the sign-in on."""
        ...


class Reauthentication(Value, frozen=True):
    """A way to prove again who is signed in, by one secret: `field` names it in the body of `/reauthenticate`."""

    field: str
    prove: Callable[[Context, str], Awaitable[Proof]]


class Feature:
    """A room's table of contents. A subclass sets the class values and, in `__init__`, its settings.

    `calls` are the room's flows as Python calls, `listeners` pairs an event type with a function of (context, event).
    """

    name: ClassVar[str]
    calls: ClassVar[type[Calls[Any]] | None] = None
    routes: ClassVar[tuple[Route, ...]] = ()
    tables: ClassVar[tuple[Table, ...]] = ()
    mails: ClassVar[tuple[MailTemplate, ...]] = ()
    steps: ClassVar[tuple[SignInStep, ...]] = ()
    reauthentications: ClassVar[tuple[Reauthentication, ...]] = ()
    listeners: ClassVar[tuple[tuple[type, Callable[..., Any]], ...]] = ()
    retentions: ClassVar[tuple[Retention, ...]] = ()

    settings: Any = None
    """A frozen value whose type is the key under which flows find it."""

    def findings(self, app: Any) -> Sequence[str]:
        """Answer sentences about settings that hold but weaken something; `authcore doctor` prints them."""
        return ()
