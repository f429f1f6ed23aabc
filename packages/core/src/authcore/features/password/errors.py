"""The room's own failures."""

from __future__ import annotations

from authcore.errors import Conflict


class AccountExists(Conflict):
    """The address has an account; told only where sign-up needs no code."""

    code = "account_exists"
    message = "There is an account with this address. Sign in instead."
