"""The room's own failures."""

from __future__ import annotations

from authcore.errors import Conflict


class AccountExists(Conflict):
    """The address has an account; told only where sign-up needs no code."""

    code = "account_exists"
    message = "There is an account with this address. Sign in instead."


class PasswordExists(Conflict):
    """The account has a password: it is changed, not set."""

    code = "password_exists"
    message = "There is a password already. Change it instead."


class PasswordMissing(Conflict):
    """The account has no password: a first one is set, not changed."""

    code = "password_missing"
    message = "There is no password yet. Set one instead."


class PasswordTooYoung(Conflict):
    """The password was changed a short while ago, and the application asks to keep it for a time."""

    code = "password_too_young"
    message = "The password was changed a short while ago. Keep it for now."


class AddressMissing(Conflict):
    """The account has no e-mail address that could be signed in with."""

    code = "address_missing"
    message = "The account has no e-mail address to sign in with. Add one first."
