"""Who exists: users, and the identifiers by which a tenant knows them."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Boolean, Column, Integer, String, Table, bindparam, insert, select, update
from sqlalchemy.engine import Connection

from authcore.context import Context
from authcore.errors import field_error
from authcore.services.ids import uuid7
from authcore.tables import PERSONAL, Key, UtcDateTime, metadata
from authcore.values import Value

users = Table(
    "authcore_user",
    metadata,
    Column("id", Key(), primary_key=True, info=PERSONAL),
    Column("tenant", Key(64), nullable=False),
    Column("email", String(320), nullable=True, info=PERSONAL),
    Column("email_verified_at", UtcDateTime, nullable=True, info=PERSONAL),
    Column("display_name", String(200), nullable=True, info=PERSONAL),
    Column("anonymous", Boolean, nullable=False),
    Column("disabled_at", UtcDateTime, nullable=True),
    Column("credential_epoch", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False, info=PERSONAL),
    Column("updated_at", UtcDateTime, nullable=False, info=PERSONAL),
)
"""`credential_epoch` counts what ends every session at once: each session remembers the one it was made under."""

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
MAX_EMAIL = 254  # RFC 5321 4.5.3.1.3, with the brackets of a path left out
# RFC 5322 3.2.3: a dot-atom, so neither quotes nor commas nor brackets.
_LOCAL = re.compile(r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*\Z")
_ENCODED = "=?"  # RFC 2047 2: mail programs decode what begins so, into another address
_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)\Z")


class User(msgspec.Struct, frozen=True, kw_only=True):
    """A user as every client sees one. Times are UTC."""

    id: str
    email: str | None
    email_verified: bool
    display_name: str | None
    anonymous: bool
    created_at: datetime
    updated_at: datetime


class NewUser(Value, frozen=True):
    """What a user is made of, before there is one."""

    id: str
    tenant: str
    email: str
    email_verified_at: datetime | None
    display_name: str | None
    created_at: datetime

    @classmethod
    def draft(cls, ctx: Context, *, email: str, verified: bool, display_name: str | None) -> NewUser:
        """Draw an id and take the time, before the transaction."""
        now = ctx.now()
        user_id = uuid7(now, ctx.random, "user")
        return cls(user_id, ctx.tenant.id, email, now if verified else None, display_name, now)

    def user(self) -> User:
        """Answer the user as clients see it."""
        return User(
            id=self.id,
            email=self.email,
            email_verified=self.email_verified_at is not None,
            display_name=self.display_name,
            anonymous=False,
            created_at=self.created_at,
            updated_at=self.created_at,
        )


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


USER_COLUMNS = (
    users.c.id,
    users.c.email,
    users.c.email_verified_at,
    users.c.display_name,
    users.c.anonymous,
    users.c.created_at,
    users.c.updated_at,
)


def user_from(
    id_: str,
    email: str | None,
    email_verified_at: datetime | None,
    display_name: str | None,
    anonymous: bool,
    created_at: datetime,
    updated_at: datetime,
) -> User:
    """Answer the user of the values of `USER_COLUMNS`, in their order."""
    return User(
        id=id_,
        email=email,
        email_verified=email_verified_at is not None,
        display_name=display_name,
        anonymous=anonymous,
        created_at=created_at,
        updated_at=updated_at,
    )


def user_of(row: Any) -> User:
    """Answer the user of a row that holds the columns of `authcore_user`."""
    return user_from(
        row.id,
        row.email,
        row.email_verified_at,
        row.display_name,
        row.anonymous,
        row.created_at,
        row.updated_at,
    )


_BY_ID = select(*USER_COLUMNS, users.c.credential_epoch, users.c.disabled_at).where(
    users.c.id == bindparam("id_"), users.c.tenant == bindparam("tenant_")
)
_INSERT_USER, _INSERT_IDENTITY = insert(users), insert(identities)
_IDENTITY = select(identities.c.user_id).where(
    identities.c.tenant == bindparam("tenant_"),
    identities.c.provider == bindparam("provider_"),
    identities.c.identifier == bindparam("identifier_"),
)
_VERIFY = (
    update(users)
    .where(users.c.id == bindparam("id_"), users.c.email_verified_at.is_(None))
    .values(email_verified_at=bindparam("now_"), updated_at=bindparam("now_"))
)


class Account(Value, frozen=True):
    """A user with what sessions hang on."""

    user: User
    epoch: int
    disabled: bool


def by_id(tx: Connection, tenant: str, user_id: str) -> Account | None:
    """Answer a tenant's account."""
    row = tx.execute(_BY_ID, {"id_": user_id, "tenant_": tenant}).one_or_none()
    return Account(user_of(row), row.credential_epoch, row.disabled_at is not None) if row else None


def owner(tx: Connection, tenant: str, provider: str, identifier: str) -> str | None:
    """Answer the id of the user whom a tenant knows by an identifier."""
    found: str | None = tx.execute(
        _IDENTITY, {"tenant_": tenant, "provider_": provider, "identifier_": identifier}
    ).scalar_one_or_none()
    return found


def create(tx: Connection, new: NewUser) -> bool:
    """Make the user with its identity, unless the tenant knows the address already; tell whether it was made.

    Raises IntegrityError if another transaction made the same identity at the same time.
    """
    if owner(tx, new.tenant, EMAIL_PASSWORD, new.email) is not None:
        return False
    tx.execute(
        _INSERT_USER,
        {
            "id": new.id,
            "tenant": new.tenant,
            "email": new.email,
            "email_verified_at": new.email_verified_at,
            "display_name": new.display_name,
            "anonymous": False,
            "disabled_at": None,
            "credential_epoch": 0,
            "created_at": new.created_at,
            "updated_at": new.created_at,
        },
    )
    identity = {"tenant": new.tenant, "provider": EMAIL_PASSWORD, "identifier": new.email}
    tx.execute(_INSERT_IDENTITY, {**identity, "user_id": new.id, "created_at": new.created_at})
    return True


def mark_verified(tx: Connection, user_id: str, now: datetime) -> None:
    """Note that the user's address is proven."""
    tx.execute(_VERIFY, {"id_": user_id, "now_": now})
