"""The demo's mailbox: it keeps each mail and each text message in a file, and the page shows them."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from authcore.ports import Mail, Sms

LATEST = 50  # mails that the page shows
MAIL = ("kind", "to", "sender", "subject", "text", "html", "code", "url", "locale", "key")
SMS = ("kind", "to", "text", "code", "locale", "key")


class Mailbox:
    """Append each mail to a file as a line of JSON, so that it is still there after a restart."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)

    @property
    def texts(self) -> Texts:
        """Answer what keeps text messages beside the mails."""
        return Texts(self)

    def send(self, mail: Mail) -> None:
        """Keep one mail."""
        self.append("mail", {field: getattr(mail, field) for field in MAIL})

    def append(self, channel: str, what: dict[str, Any]) -> None:
        """Append a line in one write; only the file's owner may read it, since it holds codes."""
        line = {"channel": channel, "at": datetime.now(UTC).isoformat(), **what}
        file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(file, "wb", buffering=0) as appended:
            appended.write(json.dumps(line).encode() + b"\n")

    def mails(self) -> list[dict[str, Any]]:
        """Answer the mails, the latest first; a line that broke off with a power cut is left out."""
        if not self._path.exists():
            return []
        found = [_parsed(line) for line in self._path.read_text().splitlines()[-LATEST:]]
        return [mail for mail in reversed(found) if mail is not None]


class Texts:
    """Keep each text message in a mailbox."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox

    def send(self, sms: Sms) -> None:
        """Keep one message."""
        self._mailbox.append("sms", {field: getattr(sms, field) for field in SMS})


def _parsed(line: str) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
