"""The sender's thread, as a guest of Django's connections."""

from __future__ import annotations

import threading

from authcore import Auth
from authcore.backends import fork
from authcore.backends.sender import Outbox
from authcore_django.database import DjangoDatabase


class DjangoOutbox(Outbox):
    """Close the thread's own connection after each look; a fork waits for that (rule O5)."""

    def __init__(self, auth: Auth, source: DjangoDatabase) -> None:
        super().__init__(auth)
        self.source = source
        self._looking = fork.Mutex()

    def drain(self) -> int:
        """Send everything that is due; answer how many effects were claimed."""
        if threading.current_thread() is not self._thread:
            return super().drain()
        # SQLite's library would take a lock that was copied in mid-transaction for one that the child holds for ever.
        with self._looking:
            try:
                return super().drain()
            finally:
                self.source.wrapper.close()
