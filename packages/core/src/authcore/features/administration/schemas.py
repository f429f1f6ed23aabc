"""What server code is told of an account."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from authcore.services.accounts import User

State = Literal[
    "active", "pending", "anonymous", "locked", "must_change_password", "compromised", "disabled", "to_be_deleted"
]
"""What an account can do. `pending` has an address that nobody has proven, `locked` a password that rests after 100
failures, `compromised` one that opens nothing; the first of the list from behind that holds is told."""


class AccountInfo(msgspec.Struct, frozen=True, kw_only=True):
    """An account as its administration sees it. `identifiers` are (provider, identifier); times are UTC."""

    user: User
    state: State
    has_password: bool
    identifiers: list[tuple[str, str]]
    disabled_at: datetime | None
    delete_at: datetime | None
