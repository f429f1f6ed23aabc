"""Where access credentials live in a run of the suite: behaviour is the same whatever it is."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable
from typing import Any

from msgspec.structs import replace

from authcore import Sessions
from authcore.feature import Feature
from authcore.ports import Clock

NAMES = ("sql", "memory", "redis", "jwt", "sealed")
REDIS = "redis://127.0.0.1:6379/0"


class Strategy:
    """What one world says of access credentials, in every application that it starts."""

    def __init__(self, name: str, clock: Clock, *, asyncio: bool) -> None:
        self._chosen: dict[str, Any] = _chosen(name, clock, asyncio)

    def into(self, features: Iterable[Feature]) -> list[Feature]:
        """Answer features whose sessions live here, where a scenario says nothing of it itself."""
        found = list(features)
        for feature in found:
            if isinstance(feature, Sessions) and self._chosen and _says_nothing(feature):
                feature.settings = replace(feature.settings, **self._chosen)
        return found


def _says_nothing(feature: Sessions) -> bool:
    return bool(feature.settings.cookie == "sql" and feature.settings.bearer == "sql")


def _chosen(name: str, clock: Clock, asyncio: bool) -> dict[str, Any]:
    if name == "memory":
        from authcore.credentials import MemoryCredentialStore

        store: Any = MemoryCredentialStore(clock=clock)
        return {"cookie": store, "bearer": store}
    if name == "redis":
        store = _redis(clock, asyncio)
        return {"cookie": store, "bearer": store}
    return {} if name == "sql" else {"bearer": name}


def _redis(clock: Clock, asyncio: bool) -> Any:
    from authcore.credentials import RedisCredentialStore

    if asyncio:
        from redis.asyncio import Redis
    else:
        from redis import Redis  # type: ignore[assignment]
    client = Redis.from_url(os.environ.get("AUTHCORE_TEST_REDIS", REDIS))
    return RedisCredentialStore(client, prefix=f"authcore:suite:{secrets.token_hex(6)}", clock=clock)
