"""The room's own failures."""

from __future__ import annotations

from authcore.errors import Conflict


class AlreadyVerified(Conflict):
    """The user's address is proven, so there is nothing to mail."""

    code = "already_verified"
    message = "Your e-mail address is verified already."


class NoEmail(Conflict):
    """The user has no address that could be proven."""

    code = "no_email"
    message = "Your account has no e-mail address."
