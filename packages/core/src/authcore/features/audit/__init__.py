"""Every event as a row: who by a pseudonym, what, when, from where, with what outcome."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from authcore.errors import ConfigurationError
from authcore.feature import Feature, Retention
from authcore.features.audit.calls import AuditCalls
from authcore.features.audit.schemas import AuditEntry
from authcore.services import journal
from authcore.services.journal import JournalSettings

__all__ = ["Audit", "AuditCalls", "AuditEntry"]


class Audit(Feature):
    """Keep every event for `keep`, with the client's address as `ip` says: "truncated", "full" or "none"."""

    name = "audit"
    calls = AuditCalls
    tables = (journal.events, journal.pseudonyms)

    def __init__(
        self, *, keep: timedelta = journal.KEEP, ip: Literal["truncated", "full", "none"] = "truncated"
    ) -> None:
        _check(keep)
        if ip not in ("truncated", "full", "none"):
            raise ConfigurationError("Audit(ip=…) is one of 'truncated', 'full' and 'none'.")
        self.settings = JournalSettings(ip=ip)
        self.retentions = (Retention("events", keep, journal.clean),)  # type: ignore[misc]


def _check(keep: object) -> None:
    if not isinstance(keep, timedelta) or keep <= timedelta():
        raise ConfigurationError("Audit(keep=…) is a positive timedelta, such as timedelta(days=365).")
