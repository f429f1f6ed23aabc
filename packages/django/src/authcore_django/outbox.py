"""The sender's thread, as a guest of Django's connections."""

from __future__ import annotations

import threading

from authcore import Auth
from authcore.backends.sender import Outbox
from authcore_django.database import DjangoDatabase


class DjangoOutbox(Outbox):
    """Hand back the thread's own connection after each look, as Django does after each request."""

    def __init__(self, auth: Auth, source: DjangoDatabase) -> None:
        super().__init__(auth)
        self.source = source

    def drain(self) -> int:
        """Send everything that is due; answer how many effects were claimed."""
        try:
            return super().drain()
        finally:
            if threading.current_thread() is self._thread:
                self.source.wrapper.close_if_unusable_or_obsolete()
