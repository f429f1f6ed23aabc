"""The room's own failures."""

from __future__ import annotations

from authcore.errors import Conflict


class TooManyEmails(Conflict):
    """The account has as many addresses as it may have."""

    code = "too_many_emails"
    message = "Remove an address first: the account has as many as it may have."


class PrimaryEmail(Conflict):
    """The primary address cannot be removed; another one must become the primary one before."""

    code = "primary_email"
    message = "Make another address the primary one first."


class EmailsTooNew(Conflict):
    """Every address that would stay is newer than the one to be removed, and has not stood long enough."""

    code = "emails_too_new"
    message = "The addresses that would stay are too new: wait until one of them has stood for some days."


class LastIdentifier(Conflict):
    """Nothing would be left by which the account's owner could sign in."""

    code = "last_identifier"
    message = "This is the last way to sign in: add another one first."
