"""Writing a profile and a username."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

from msgspec import UNSET, UnsetType
from sqlalchemy import bindparam, select, update
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from authcore.errors import NotAuthenticated, field_error
from authcore.features.account.errors import LastIdentifier
from authcore.features.account.store import identifiers
from authcore.services import accounts, events, revocations
from authcore.services.accounts import USERNAME, User, UserShape, users
from authcore.services.events import Event, Occurred
from authcore.values import Value

_mine = (users.c.id == bindparam("id_"), users.c.tenant == bindparam("tenant_"))
_READ = select(users.c.display_name, users.c.locale, users.c.fields, users.c.username).where(*_mine).with_for_update()
_WRITE = (
    update(users)
    .where(*_mine)
    .values(
        display_name=bindparam("name_"),
        locale=bindparam("locale_"),
        fields=bindparam("fields_"),
        updated_at=bindparam("now_"),
    )
)
_RENAME = update(users).where(*_mine).values(username=bindparam("name_"), updated_at=bindparam("now_"))

Given = str | None | UnsetType


class Update(Value, frozen=True, kw_only=True):
    """What changes of a user; what is UNSET stays."""

    hidden: ClassVar = frozenset({"fields"})
    tenant: str
    user_id: str
    now: datetime
    display_name: Given
    locale: Given
    username: Given
    fields: Mapping[str, Any]
    updated: Occurred
    renamed: Occurred

    @property
    def of_profile(self) -> bool:
        """Tell whether anything but the username changes."""
        return bool(self.fields) or self.display_name is not UNSET or self.locale is not UNSET


def write(tx: Connection, made: Update, shape: UserShape) -> tuple[User, list[Event]]:
    """Write what changes, all of it or nothing; raise InvalidFields for a username that is somebody's."""
    mine = {"id_": made.user_id, "tenant_": made.tenant}
    row = tx.execute(_READ, mine).one_or_none()
    if row is None:
        raise NotAuthenticated()
    if made.of_profile:
        own = {**(row.fields or {}), **made.fields}
        values = {
            "name_": row.display_name if made.display_name is UNSET else made.display_name,
            "locale_": row.locale if made.locale is UNSET else made.locale,
            "fields_": own or None,
        }
        tx.execute(_WRITE, {**mine, **values, "now_": made.now})
    revocations.changed(tx, made.user_id, made.now)
    renames = made.username is not UNSET and made.username != row.username
    if renames:
        _rename(tx, made, row.username)
    return _told(tx, made, shape, renames)


def _rename(tx: Connection, made: Update, old: str | None) -> None:
    username = made.username if isinstance(made.username, str) else None
    if username is not None:
        _take(tx, made, username)
    if old is not None:
        accounts.drop_identity(tx, made.tenant, USERNAME, accounts.canonical_username(old), made.user_id)
    if username is None and not identifiers.may_sign_in(tx, made.tenant, made.user_id):
        raise LastIdentifier()
    tx.execute(_RENAME, {"id_": made.user_id, "tenant_": made.tenant, "name_": username, "now_": made.now})


def _take(tx: Connection, made: Update, username: str) -> None:
    try:
        with tx.begin_nested():
            accounts.add_identity(tx, made.tenant, USERNAME, username, made.user_id, made.now)
    except IntegrityError:
        # Usernames are public: that one is taken is no secret.
        raise field_error("username", "taken", "This username is taken.") from None


def _told(tx: Connection, made: Update, shape: UserShape, renames: bool) -> tuple[User, list[Event]]:
    account = accounts.by_id(tx, made.tenant, made.user_id, shape)
    if account is None:
        raise NotAuthenticated()
    happened = [made.updated] * made.of_profile + [made.renamed] * renames
    return account.user, [events.write(tx, each, user=account.user) for each in happened]
