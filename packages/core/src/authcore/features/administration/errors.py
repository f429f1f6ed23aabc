"""The room's own failures."""

from __future__ import annotations

from authcore.errors import Conflict


class UserExists(Conflict):
    """The tenant knows somebody by one of the identifiers already. Told to server code alone."""

    code = "user_exists"
    message = "There is a user with this address, name or phone."
