"""Users without an account: a session first, an account later or never."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, ClassVar

from authcore.errors import ConfigurationError
from authcore.feature import Feature, Sweep
from authcore.features.anonymous import flow
from authcore.features.anonymous.calls import AnonymousCalls
from authcore.features.anonymous.routes import ROUTES
from authcore.route import Route
from authcore.services import sessions
from authcore.services.accounts import User
from authcore.services.guests import GuestSettings

__all__ = ["Anonymous", "AnonymousCalls"]


class Anonymous(Feature):
    """Give a session to who has no account, and make it the account's once there is one.

    `merge` is a function, sync or async, of (anonymous user, user): it is called when a guest signs in to an account
    that exists already. `keep` is how long a guest stays whose session is over.
    """

    name = "anonymous"
    calls = AnonymousCalls
    routes: ClassVar[tuple[Route, ...]] = ROUTES
    sweeps: ClassVar[tuple[Sweep, ...]] = (Sweep("anonymous", flow.sweep),)

    def __init__(
        self, *, merge: Callable[[User, User], Any] | None = None, keep: timedelta = timedelta(days=30)
    ) -> None:
        if merge is not None and not callable(merge):
            raise ConfigurationError("Anonymous(merge=…) is a function of the anonymous user and the user.")
        _check_keep(keep)
        self.settings = GuestSettings(merge, keep)


def _check_keep(keep: object) -> None:
    # Sessions that are over are kept no longer, and tell since when nobody can be the guest.
    if not isinstance(keep, timedelta) or not timedelta(hours=1) <= keep <= sessions.KEEP:
        raise ConfigurationError("Anonymous(keep=…) lies between timedelta(hours=1) and timedelta(days=30).")
