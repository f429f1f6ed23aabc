"""From what `Sessions(cookie=…, bearer=…)` says to the store of access credentials."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from authcore.context import AppSettings
from authcore.ports import Ports
from authcore.services.strategies import SECRET_ALGORITHMS, JwtStrategy, SealedStrategy, algorithm_of
from authcore.stores import CredentialStore


def store_of(
    choice: Any, app: AppSettings, ports: Ports, longest: timedelta, *, blocks: bool
) -> CredentialStore | None:
    """Answer the store of one drive, or None for the ledger of sessions itself. The choice is validated already.

    `longest` is the longest life of a token; `blocks` says that the drive's database does.
    """
    if choice == "sql":
        return None
    if isinstance(choice, JwtStrategy):
        return _jwt(choice, app, ports, longest, blocks=blocks)
    if isinstance(choice, SealedStrategy):
        from authcore.backends.credentials.sealed import SealedCredentialStore

        keys = app.keys if choice.keys is None else list(choice.keys)
        return SealedCredentialStore(keys=keys, clock=ports.clock, random=ports.random)
    store: CredentialStore = choice
    return store


def _jwt(choice: JwtStrategy, app: AppSettings, ports: Ports, longest: timedelta, *, blocks: bool) -> CredentialStore:
    from authcore.backends.credentials.jwt import JwtCredentialStore

    keys: Any = choice.keys
    algorithm = algorithm_of(choice)
    if keys is None and algorithm not in SECRET_ALGORITHMS:
        from authcore.services.signing_keys import SigningKeys

        keys = SigningKeys(
            ports.db, app.keys, ports.random, ports.clock, algorithm=algorithm, longest=longest, blocks=blocks
        )
    return JwtCredentialStore(
        keys=app.keys if keys is None else keys,
        algorithm=algorithm if keys is None else None,
        issuer=app.base_url if choice.issuer is None else choice.issuer,
        audience=choice.audience,
        clock=ports.clock,
        random=ports.random,
    )


def memory(ports: Ports) -> CredentialStore:
    """Answer a store of this process alone."""
    from authcore.backends.credentials.memory import MemoryCredentialStore

    return MemoryCredentialStore(clock=ports.clock)
