"""An event as it is read again."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from authcore.values import Value


class AuditEntry(Value, frozen=True):
    """A row of the audit: `who` is the user's pseudonym, `subject` the HMAC of an e-mail address or a phone, in hex."""

    id: str
    at: datetime
    tenant: str
    name: str
    outcome: str
    who: str | None
    subject: str | None
    session_id: str | None
    ip: str | None
    agent: str | None
    data: dict[str, Any]

    @property
    def classes(self) -> dict[str, str]:
        """Answer as what each value about a person is kept; all others are of class "none"."""
        classes = {**_CLASSES, "ip": "truncated" if self.ip and "/" in self.ip else "full"}
        found = {name: kept for name, kept in classes.items() if getattr(self, name) is not None}
        return found | {name: value["class"] for name, value in self.data.items()}

    def to_json(self) -> dict[str, Any]:
        """Answer the row as JSON shows it, each value of `data` without its class."""
        row = {name: getattr(self, name) for name in self.__struct_fields__}
        data = {name: value["value"] for name, value in self.data.items()}
        return {**row, "at": self.at.isoformat().replace("+00:00", "Z"), "data": data, "classes": self.classes}


_CLASSES = {"who": "pseudonym", "subject": "keyed", "session_id": "pseudonym", "ip": "truncated", "agent": "coarse"}
