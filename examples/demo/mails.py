"""The demo's mailbox: a mailer that keeps each mail in a file, and the page's view of it."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from authcore.ports import Mail

LATEST = 50  # mails that the page shows
FIELDS = ("kind", "to", "subject", "text", "code", "url", "key")


class Mailbox:
    """Append each mail to a file as a line of JSON, so that it is still there after a restart."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)

    def send(self, mail: Mail) -> None:
        """Append one mail in one write; only the file's owner may read it, since it holds codes."""
        line = {"at": datetime.now(UTC).isoformat(), **{field: getattr(mail, field) for field in FIELDS}}
        file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(file, "wb", buffering=0) as appended:
            appended.write(json.dumps(line).encode() + b"\n")

    def mails(self) -> list[dict[str, Any]]:
        """Answer the mails, the latest first; a line that broke off with a power cut is left out."""
        if not self._path.exists():
            return []
        found = [_parsed(line) for line in self._path.read_text().splitlines()[-LATEST:]]
        return [mail for mail in reversed(found) if mail is not None]


def _parsed(line: str) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
