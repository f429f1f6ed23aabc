"""The room's own failures."""

from __future__ import annotations

from authcore.errors import AuthError


class BagTooLarge(AuthError):
    """What an application put into a data bag does not fit: `Sessions(bag_size=…)` says how much does."""

    code = "bag_too_large"
    status = 422
    message = "There is too much in this session's data."
