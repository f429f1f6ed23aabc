"""The room's own failures."""

from __future__ import annotations

from authcore.errors import Conflict


class AlreadySignedIn(Conflict):
    """The request carries a session already, of a guest or of an account, which another would take the place of."""

    code = "already_signed_in"
    message = "Somebody is signed in: sign out first."
