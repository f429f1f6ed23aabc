"""Who exists: users, and the identifiers by which a tenant knows them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

import msgspec
from msgspec import UNSET, UnsetType
from sqlalchemy import Boolean, Column, Integer, String, Table, and_, bindparam, delete, func, insert, select, update
from sqlalchemy.engine import Connection

from authcore.decode import convert
from authcore.errors import field_error
from authcore.services import revocations
from authcore.tables import PERSONAL, Json, Key, UtcDateTime, metadata
from authcore.values import Value

users = Table(
    "authcore_user",
    metadata,
    Column("id", Key(), primary_key=True, info=PERSONAL),
    Column("tenant", Key(64), nullable=False),
    Column("email", String(320), nullable=True, info=PERSONAL),
    Column("email_verified_at", UtcDateTime, nullable=True, info=PERSONAL),
    Column("display_name", String(200), nullable=True, info=PERSONAL),
    Column("username", Key(64), nullable=True, info=PERSONAL),
    Column("phone", Key(32), nullable=True, info=PERSONAL),
    Column("locale", Key(35), nullable=True, info=PERSONAL),
    Column("fields", Json, nullable=True, info=PERSONAL),
    Column("anonymous", Boolean, nullable=False),
    Column("disabled_at", UtcDateTime, nullable=True),
    Column("delete_at", UtcDateTime, nullable=True, index=True),
    Column("credential_epoch", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False, info=PERSONAL),
    Column("updated_at", UtcDateTime, nullable=False, info=PERSONAL),
)
"""`credential_epoch` counts what ends every session at once: each session remembers the one it was made under.
`phone` is E.164 and proven, `fields` holds the application's own, `delete_at` is when an account that is to go goes."""

identities = Table(
    "authcore_identity",
    metadata,
    Column("tenant", Key(64), primary_key=True),
    Column("provider", Key(64), primary_key=True),
    Column("identifier", Key(), primary_key=True, info=PERSONAL),
    Column("user_id", Key(), nullable=False, index=True, info=PERSONAL),
    Column("created_at", UtcDateTime, nullable=False, info=PERSONAL),
)
"""An identity is (tenant, provider, identifier): unique by the primary key, under a comparison of bytes."""

EMAIL_PASSWORD = "email_password"  # noqa: S105 - the name of a provider
"""The provider of every address that opens an account: by password, code or link (S1)."""
EMAIL_RESERVED = "email_reserved"
"""The provider of an address that a user has left and may come back to: it opens nothing, and is nobody else's."""
USERNAME, PHONE = "username", "phone"
MAX_EMAIL = 254  # RFC 5321 4.5.3.1.3, with the brackets of a path left out
# RFC 5322 3.2.3: a dot-atom, so neither quotes nor commas nor brackets.
_LOCAL = re.compile(r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*\Z")
_ENCODED = "=?"  # RFC 2047 2: mail programs decode what begins so, into another address
_USERNAME = re.compile(r"[a-z][a-z0-9._-]{2,31}\Z")
_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)\Z")


class User(msgspec.Struct, frozen=True, kw_only=True):
    """A user as every client sees one. Times are UTC; `phone` is E.164 (RFC 3966 5.1.4).

    An application adds its own in a subclass, `class Member(User, frozen=True, kw_only=True): plan: str = "free"`,
    given as `Auth(user=Member)`.
    """

    id: str
    email: str | None
    email_verified: bool
    display_name: str | None
    anonymous: bool
    created_at: datetime
    updated_at: datetime
    username: str | UnsetType = UNSET
    phone: str | UnsetType = UNSET


class UserShape(Value, frozen=True):
    """The type of an application's users: `User`, or its subclass with fields of its own.

    `extra` is a struct of those fields alone, `editable` of those that the user may set (each a `T | UnsetType`).
    """

    kind: type[User]
    extra: type[msgspec.Struct] | None = None
    editable: type[msgspec.Struct] | None = None

    def user(
        self,
        id_: str,
        email: str | None,
        email_verified_at: datetime | None,
        display_name: str | None,
        anonymous: bool,
        created_at: datetime,
        updated_at: datetime,
        username: str | None,
        phone: str | None,
        fields: Mapping[str, Any] | None,
    ) -> User:
        """Answer the user of the values of `USER_COLUMNS`, in their order."""
        more = _extra_values(self.extra, fields or {}) if self.extra is not None else {}
        return self.kind(
            id=id_,
            email=email,
            email_verified=email_verified_at is not None,
            display_name=display_name,
            anonymous=anonymous,
            created_at=created_at,
            updated_at=updated_at,
            username=UNSET if username is None else username,
            phone=UNSET if phone is None else phone,
            **more,
        )

    def of(self, row: Any) -> User:
        """Answer the user of a row that holds the columns of `authcore_user`."""
        return self.user(*(getattr(row, column.name) for column in USER_COLUMNS))


def _extra_values(extra: type[msgspec.Struct], fields: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return msgspec.structs.asdict(convert(fields, extra))
    except msgspec.ValidationError:
        # What was stored under an earlier declaration and no longer fits reads as the field's default.
        fitting = {name: value for name, value in fields.items() if _fits(extra, name, value)}
        return msgspec.structs.asdict(convert(fitting, extra))


def _fits(extra: type[msgspec.Struct], name: str, value: Any) -> bool:
    try:
        convert({name: value}, extra)
    except msgspec.ValidationError:
        return False
    return True


PLAIN = UserShape(User)


class Guest(Value, frozen=True):
    """A user without an account who may become one, as it stood under an epoch; `fields` are as they are stored."""

    hidden: ClassVar = frozenset({"fields"})
    user: User
    epoch: int
    tenant: str
    locale: str | None
    fields: Mapping[str, Any]


class NewUser(Value, frozen=True):
    """What a user is made of, before there is one. `admission.new_user` alone makes it.

    With a `guest` no row is made: the guest's becomes the account, under the same id.
    """

    hidden: ClassVar = frozenset({"fields"})
    id: str
    tenant: str
    email: str | None
    email_verified_at: datetime | None
    display_name: str | None
    created_at: datetime
    username: str | None = None
    phone: str | None = None
    locale: str | None = None
    fields: Mapping[str, Any] | None = None
    anonymous: bool = False
    shape: UserShape = PLAIN
    guest: Guest | None = None

    def user(self) -> User:
        """Answer the user as clients see it."""
        return self.shape.user(
            self.id,
            self.email,
            self.email_verified_at,
            self.display_name,
            self.anonymous,
            self.guest.user.created_at if self.guest else self.created_at,
            self.created_at,
            self.username,
            self.phone,
            self.fields,
        )

    def account(self) -> Account:
        """Answer the account, as it stands once `create` has made it."""
        epoch = self.guest.epoch + 1 if self.guest else 0
        return Account(self.user(), epoch, False, locale=self.locale)

    def identifiers(self) -> list[tuple[str, str]]:
        """Answer what the tenant shall know the user by, as (provider, identifier)."""
        username = self.username and canonical_username(self.username)
        named = ((EMAIL_PASSWORD, self.email), (USERNAME, username), (PHONE, self.phone))
        return [(provider, identifier) for provider, identifier in named if identifier]


def canonical_email(text: str) -> str:
    """Answer the one spelling of an address: trimmed, ASCII lower case, IDNA domain; raise InvalidFields (rule A5)."""
    local, at, domain = text.strip(" \t\r\n").rpartition("@")
    if not at or not local.isascii():
        raise _invalid_email()
    address = f"{local.lower()}@{_ascii_domain(domain)}"
    if len(address) > MAX_EMAIL or len(local) > 64 or not _LOCAL.match(local.lower()):
        raise _invalid_email()
    if _ENCODED in local:
        raise _invalid_email()
    return address


def _ascii_domain(domain: str) -> str:
    ascii_domain = domain.lower() if domain.isascii() else _idna(domain)
    labels = ascii_domain.split(".")
    if len(labels) < 2 or not all(_LABEL.match(label) for label in labels) or labels[-1].isdigit():
        raise _invalid_email()
    return ascii_domain


def _idna(domain: str) -> str:
    import idna

    try:
        return idna.encode(domain, uts46=True).decode()
    except idna.IDNAError:
        raise _invalid_email() from None


def _invalid_email() -> Exception:
    return field_error("email", "invalid", "This is no e-mail address.")


def canonical_username(text: str) -> str:
    """Answer the one spelling of a username: NFKC, case folded; raise InvalidFields.

    3 to 32 letters, digits, `.`, `_` and `-` of ASCII, beginning with a letter: no two look alike, none is an address.
    """
    name = unicodedata.normalize("NFKC", text[:200]).strip().casefold()
    if not _USERNAME.match(name):
        raise field_error("username", "invalid", "Use 3 to 32 letters, digits, '.', '_' or '-', a letter first.")
    return name


USER_COLUMNS = (
    users.c.id,
    users.c.email,
    users.c.email_verified_at,
    users.c.display_name,
    users.c.anonymous,
    users.c.created_at,
    users.c.updated_at,
    users.c.username,
    users.c.phone,
    users.c.fields,
)
"""The columns that `UserShape.user` takes, in its order."""

ACCOUNT_COLUMNS = (
    *USER_COLUMNS,
    users.c.credential_epoch,
    users.c.disabled_at,
    users.c.delete_at,
    users.c.locale,
)
"""The columns that `account_of` reads."""
_BY_ID = select(*ACCOUNT_COLUMNS).where(users.c.id == bindparam("id_"), users.c.tenant == bindparam("tenant_"))
_OWNER = select(identities.c.user_id).where(
    identities.c.tenant == bindparam("tenant_"),
    identities.c.provider == bindparam("provider_"),
    identities.c.identifier == bindparam("identifier_"),
)
_ANYBODY = (
    select(identities.c.user_id)
    .where(identities.c.tenant == bindparam("tenant_"), identities.c.provider == EMAIL_PASSWORD)
    .order_by(identities.c.identifier)
    .limit(1)
)
asked = select(_OWNER.scalar_subquery().label("owner")).subquery("asked")
"""Who has an identifier: one row, whose `owner` is null where nobody has it."""
owner_or_anybody = asked.join(users, users.c.id == func.coalesce(asked.c.owner, _ANYBODY.scalar_subquery()))
"""Rule A2: for an identifier that nobody has, somebody else's row is read, or the time of the read would tell."""
_BY_IDENTIFIER = select(*ACCOUNT_COLUMNS, asked.c.owner).select_from(owner_or_anybody)
_IDENTIFIERS = (
    select(identities.c.provider, identities.c.identifier)
    .where(identities.c.tenant == bindparam("tenant_"), identities.c.user_id == bindparam("user_"))
    .order_by(identities.c.created_at, identities.c.identifier)
)
_DROP_IDENTITY = delete(identities).where(
    identities.c.tenant == bindparam("tenant_"),
    identities.c.provider == bindparam("provider_"),
    identities.c.identifier == bindparam("identifier_"),
    identities.c.user_id == bindparam("user_"),
)
# A name alone opens nothing: it needs the password.
_DROP_FURTHER = delete(identities).where(
    identities.c.user_id == bindparam("user_"),
    identities.c.provider != USERNAME,
    ~and_(
        identities.c.provider == EMAIL_PASSWORD,
        identities.c.identifier == select(users.c.email).where(users.c.id == bindparam("user_")).scalar_subquery(),
    ),
)
_FORGET_PHONE = update(users).where(users.c.id == bindparam("user_")).values(phone=None)
_INSERT_USER, _INSERT_IDENTITY = insert(users), insert(identities)
_the_guest = (
    users.c.id == bindparam("id_"),
    users.c.tenant == bindparam("tenant_"),
    users.c.anonymous.is_(True),
    users.c.disabled_at.is_(None),
    users.c.delete_at.is_(None),
)
_GUEST = select(*ACCOUNT_COLUMNS).where(*_the_guest)
# The epoch ends the session of before (rule T7), and of two upgrades at once lets one through.
_UPGRADE = (
    update(users)
    .where(*_the_guest, users.c.credential_epoch == bindparam("epoch_"))
    .values(
        email=bindparam("email_"),
        email_verified_at=bindparam("verified_"),
        display_name=bindparam("name_"),
        username=bindparam("username_"),
        phone=bindparam("phone_"),
        locale=bindparam("locale_"),
        fields=bindparam("fields_"),
        anonymous=False,
        credential_epoch=users.c.credential_epoch + 1,
        updated_at=bindparam("now_"),
    )
)
_RETIRE = (
    update(users)
    .where(*_the_guest, users.c.credential_epoch == bindparam("epoch_"))
    .values(credential_epoch=users.c.credential_epoch + 1, updated_at=bindparam("now_"))
)
_IDENTITY = (
    select(identities.c.user_id)
    .where(
        identities.c.tenant == bindparam("tenant_"),
        identities.c.provider.in_((bindparam("provider_"), bindparam("reserved_"))),
        identities.c.identifier == bindparam("identifier_"),
    )
    .order_by(identities.c.provider)
    .limit(1)
)
_VERIFY = (
    update(users)
    .where(users.c.id == bindparam("id_"), users.c.email_verified_at.is_(None))
    .values(email_verified_at=bindparam("now_"), updated_at=bindparam("now_"))
)


class Account(Value, frozen=True):
    """A user with what sessions hang on. `disabled` is also who is about to be deleted, at `delete_at`."""

    user: User
    epoch: int
    disabled: bool
    delete_at: datetime | None = None
    locale: str | None = None

    def greeting(self, address: str) -> str | None:
        """Answer the name that a mail to an address greets by; None unless the address is proven.

        Who signs up writes both: an address that nobody has proven gets no words of theirs.
        """
        return self.user.display_name if self.user.email_verified and self.user.email == address else None


def account_of(row: Any, shape: UserShape) -> Account:
    """Answer the account of a row that holds the columns of `authcore_user`."""
    closed = row.disabled_at is not None or row.delete_at is not None
    return Account(shape.of(row), row.credential_epoch, closed, row.delete_at, row.locale)


def by_id(tx: Connection, tenant: str, user_id: str, shape: UserShape) -> Account | None:
    """Answer a tenant's account."""
    row = tx.execute(_BY_ID, {"id_": user_id, "tenant_": tenant}).one_or_none()
    return account_of(row, shape) if row else None


def by_identifier(
    tx: Connection, tenant: str, identifier: str, shape: UserShape, provider: str = EMAIL_PASSWORD
) -> Account | None:
    """Answer the account that a tenant knows by an identifier, in one read; the work is one for all (rule A2)."""
    known = {"tenant_": tenant, "provider_": provider, "identifier_": identifier}
    row = tx.execute(_BY_IDENTIFIER, known).one_or_none()
    account = account_of(row, shape) if row is not None else None
    return account if row is not None and row.owner is not None else None


def owner(tx: Connection, tenant: str, provider: str, identifier: str) -> str | None:
    """Answer the id of the user whom a tenant knows by an identifier: whom it opens."""
    return _who(tx, tenant, provider, identifier, provider)


def holder(tx: Connection, tenant: str, provider: str, identifier: str) -> str | None:
    """Answer the id of the user for whom an identifier is taken: by its owner, or for who may still come back to it."""
    return _who(tx, tenant, provider, identifier, EMAIL_RESERVED if provider == EMAIL_PASSWORD else provider)


def _who(tx: Connection, tenant: str, provider: str, identifier: str, reserved: str) -> str | None:
    known = {"tenant_": tenant, "provider_": provider, "reserved_": reserved, "identifier_": identifier}
    found: str | None = tx.execute(_IDENTITY, known).scalar_one_or_none()
    return found


def identifiers(tx: Connection, tenant: str, user_id: str) -> list[tuple[str, str]]:
    """Answer what a tenant knows a user by, as (provider, identifier), the oldest first."""
    rows = tx.execute(_IDENTIFIERS, {"tenant_": tenant, "user_": user_id})
    return [(row.provider, row.identifier) for row in rows]


def create(tx: Connection, new: NewUser) -> bool:
    """Make the user with its identities, unless the tenant knows one of them already; tell whether it was made.

    A guest's row becomes the account, unless the guest is one no more. Raises IntegrityError if another transaction
    made the same identity at the same time.
    """
    named = new.identifiers()
    if any(holder(tx, new.tenant, provider, identifier) is not None for provider, identifier in named):
        return False
    if new.guest is None:
        _insert(tx, new)
    elif not _upgrade(tx, new, new.guest):
        return False
    for provider, identifier in named:
        add_identity(tx, new.tenant, provider, identifier, new.id, new.created_at)
    return True


def _insert(tx: Connection, new: NewUser) -> None:
    tx.execute(
        _INSERT_USER,
        {
            "id": new.id,
            "tenant": new.tenant,
            "email": new.email,
            "email_verified_at": new.email_verified_at,
            "display_name": new.display_name,
            "username": new.username,
            "phone": new.phone,
            "locale": new.locale,
            "fields": dict(new.fields) if new.fields else None,
            "anonymous": new.anonymous,
            "disabled_at": None,
            "delete_at": None,
            "credential_epoch": 0,
            "created_at": new.created_at,
            "updated_at": new.created_at,
        },
    )


def _upgrade(tx: Connection, new: NewUser, guest: Guest) -> bool:
    known = {"id_": new.id, "tenant_": new.tenant, "epoch_": guest.epoch, "now_": new.created_at}
    made = {
        "email_": new.email,
        "verified_": new.email_verified_at,
        "name_": new.display_name,
        "username_": new.username,
        "phone_": new.phone,
        "locale_": new.locale,
        "fields_": dict(new.fields) if new.fields else None,
    }
    return _over(tx, guest, new.created_at, tx.execute(_UPGRADE, {**known, **made}).rowcount)


def guest(tx: Connection, tenant: str, user_id: str, shape: UserShape) -> Guest | None:
    """Answer a user who has no account yet, None for anybody else."""
    row = tx.execute(_GUEST, {"id_": user_id, "tenant_": tenant}).one_or_none()
    return Guest(shape.of(row), row.credential_epoch, tenant, row.locale, row.fields or {}) if row else None


def retire(tx: Connection, guest: Guest, now: datetime) -> bool:
    """End every session of a guest who is about to be somebody else; tell whether this caller did."""
    known = {"id_": guest.user.id, "tenant_": guest.tenant, "epoch_": guest.epoch, "now_": now}
    return _over(tx, guest, now, tx.execute(_RETIRE, known).rowcount)


def _over(tx: Connection, guest: Guest, now: datetime, ended: int) -> bool:
    if ended:
        revocations.user_ended(tx, guest.user.id, guest.epoch + 1, now)
    return ended == 1


def add_identity(tx: Connection, tenant: str, provider: str, identifier: str, user_id: str, now: datetime) -> None:
    """Let a tenant know a user by an identifier; raise IntegrityError if it knows somebody by it."""
    identity = {"tenant": tenant, "provider": provider, "identifier": identifier}
    tx.execute(_INSERT_IDENTITY, {**identity, "user_id": user_id, "created_at": now})


def drop_identity(tx: Connection, tenant: str, provider: str, identifier: str, user_id: str) -> bool:
    """Let a tenant forget a user's identifier; tell whether it was the user's."""
    known = {"tenant_": tenant, "provider_": provider, "identifier_": identifier, "user_": user_id}
    return tx.execute(_DROP_IDENTITY, known).rowcount == 1


def drop_further(tx: Connection, user_id: str) -> None:
    """Let every tenant forget what opens a user's account beside its first address: others, the phone, providers."""
    tx.execute(_DROP_FURTHER, {"user_": user_id})
    tx.execute(_FORGET_PHONE, {"user_": user_id})


def mark_verified(tx: Connection, user_id: str, now: datetime) -> bool:
    """Note that the user's address is proven; tell whether it was not before."""
    if tx.execute(_VERIFY, {"id_": user_id, "now_": now}).rowcount == 0:
        return False
    revocations.changed(tx, user_id, now)
    return True
