"""The bodies of the room's routes."""

from __future__ import annotations

from authcore.services.bodies import DeviceBody


class Arrive(DeviceBody, frozen=True, kw_only=True):
    """Get a session without an account."""
