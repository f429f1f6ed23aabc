"""Issue, validate, refresh and revoke credentials over any store, without rooms and without HTTP.

Stores are loaded when they are asked for: an application pays for the one that it uses.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from datetime import timedelta
from importlib import import_module
from typing import TYPE_CHECKING, Any

import msgspec

from authcore.calls import Asyncio, Blocking, Calls, M, call
from authcore.drive import AsyncHooks, BlockingHooks, ThreadHooks, offloaded, run_blocking, run_in_thread, to_thread
from authcore.ports import Clock, Hooks, Randomness
from authcore.services import demands, orchestrator
from authcore.services.keys import KeyRing
from authcore.services.orchestrator import (
    CredentialContext,
    IssuedCredentials,
    Parts,
    RefreshConfig,
    Settings,
    generate_secret,
)
from authcore.services.orchestrator.values import Method, OnLimit
from authcore.stores import (
    CredentialError,
    CredentialExists,
    CredentialMetadata,
    CredentialState,
    CredentialStore,
    CredentialTable,
    Denylist,
    InvalidConfig,
    InvalidToken,
    Listed,
    MaxConcurrentReached,
    RedisClient,
    RefreshReuseDetected,
    StatelessOperationUnsupported,
    TokenExpired,
    TokenRevoked,
)

if TYPE_CHECKING:
    from authcore.backends.credentials.denylists import MemoryDenylist, SqlDenylist
    from authcore.backends.credentials.jwt import JwtCredentialStore
    from authcore.backends.credentials.memory import MemoryCredentialStore
    from authcore.backends.credentials.own_tokens import Jwt
    from authcore.backends.credentials.redis import RedisCredentialStore, RedisDenylist
    from authcore.backends.credentials.sealed import SealedCredentialStore, derive_key
    from authcore.backends.credentials.sql import SqlCredentialStore
    from authcore.backends.credentials.table import TableCredentialStore
    from authcore.services.jwt import JwtKey
    from authcore.services.jwt_ring import JwtKeys
    from authcore.services.signing_keys import SigningKeys

_LATER = {
    "Jwt": "backends.credentials.own_tokens",
    "JwtCredentialStore": "backends.credentials.jwt",
    "JwtKey": "services.jwt",
    "JwtKeys": "services.jwt_ring",
    "MemoryCredentialStore": "backends.credentials.memory",
    "MemoryDenylist": "backends.credentials.denylists",
    "RedisCredentialStore": "backends.credentials.redis",
    "RedisDenylist": "backends.credentials.redis",
    "SealedCredentialStore": "backends.credentials.sealed",
    "SigningKeys": "services.signing_keys",
    "SqlCredentialStore": "backends.credentials.sql",
    "SqlDenylist": "backends.credentials.denylists",
    "TableCredentialStore": "backends.credentials.table",
    "derive_key": "backends.credentials.sealed",
}
"""Names that are loaded when they are asked for, and the module of each below `authcore`."""

__all__ = [
    "CredentialCalls",
    "CredentialContext",
    "CredentialError",
    "CredentialExists",
    "CredentialManager",
    "CredentialMetadata",
    "CredentialState",
    "CredentialStore",
    "CredentialTable",
    "Denylist",
    "InvalidConfig",
    "InvalidToken",
    "IssuedCredentials",
    "Jwt",
    "JwtCredentialStore",
    "JwtKey",
    "JwtKeys",
    "Listed",
    "MaxConcurrentReached",
    "MemoryCredentialStore",
    "MemoryDenylist",
    "RedisClient",
    "RedisCredentialStore",
    "RedisDenylist",
    "RefreshConfig",
    "RefreshReuseDetected",
    "SealedCredentialStore",
    "SigningKeys",
    "SqlCredentialStore",
    "SqlDenylist",
    "StatelessOperationUnsupported",
    "TableCredentialStore",
    "TokenExpired",
    "TokenRevoked",
    "derive_key",
    "generate_secret",
]

_MIN_SECRET = 32  # characters
_STORE = (
    "stateless",
    "blocks",
    "persist",
    "retrieve",
    "consume",
    "update",
    "revoke",
    "revoke_family",
    "revoke_all_for_user",
    "list_for_user",
    "credential_id",
)


class CredentialCalls(Calls[M]):
    """What a manager of credentials does, as calls that block or that are awaited."""

    issue = call(orchestrator.issue)
    validate = call(orchestrator.validate)
    refresh = call(orchestrator.refresh)
    revoke = call(orchestrator.revoke)
    revoke_family = call(orchestrator.revoke_family)
    revoke_all_for_user = call(orchestrator.revoke_all_for_user)
    list_for_user = call(orchestrator.list_for_user)
    deny = call(orchestrator.deny)


class CredentialManager(CredentialCalls[Asyncio]):
    """Issue, validate, refresh and revoke credentials over a store (S30, S37).

    `manager.blocking.issue(…)` answers directly. `await manager.asyncio.issue(…)` is for an event loop: what blocks
    runs in a worker thread. `await manager.issue(…)` is the flow itself, for flows: it never leaves the thread.

    `secret` is text of at least 32 characters, or a list, newest first: `generate_secret()` makes one. It derives
    the successors of refresh tokens, so all nodes share it. `refresh=None` issues access tokens alone. `denylist` is
    asked at each validation and refresh; a store that holds nothing needs one to rotate and to revoke.
    `max_concurrent` limits the sign-ins of a user: `on_limit` says whether one more is rejected, or ends the oldest.
    `method` is what contexts say. Raises InvalidConfig, and StatelessOperationUnsupported for what the store never can.
    """

    def __init__(
        self,
        *,
        store: CredentialStore,
        secret: str | Sequence[str],
        access_ttl: timedelta = timedelta(minutes=15),
        refresh: RefreshConfig | None = RefreshConfig(),  # noqa: B008 - frozen
        denylist: Denylist | None = None,
        max_concurrent: int | None = None,
        on_limit: OnLimit = "reject",
        method: Method = "token",
        clock: Clock | None = None,
        random: Randomness | None = None,
    ) -> None:
        from authcore.backends.system import SystemClock, SystemRandom

        demands.offering("store", store, _STORE, "give a credential store, such as SqlCredentialStore(database)")
        demands.denylist(denylist)
        if clock is not None:
            demands.offering("clock", clock, ("now",), "give an object with now(), or leave clock away")
        if random is not None:
            demands.offering("random", random, ("bytes",), "give an object with bytes(size, label), or leave it away")
        self._parts = Parts(
            store=store,
            denylist=denylist,
            keys=KeyRing(_secrets(secret)),
            clock=clock or SystemClock(),
            random=random or SystemRandom(),
            hooks=AsyncHooks(),
            settings=Settings(
                access_ttl=access_ttl, refresh=refresh, max_concurrent=max_concurrent, on_limit=on_limit, method=method
            ),
        )
        _check_store(self._parts)
        super().__init__(lambda flow: flow(self._parts))

    def __repr__(self) -> str:
        return f"CredentialManager(store={type(self._parts.store).__name__}, settings={self._parts.settings!r})"

    @property
    def blocking(self) -> CredentialCalls[Blocking]:
        """Answer the calls that answer directly; a store that has to wait raises FlowSuspended."""
        parts = _with(self._parts, BlockingHooks())
        return CredentialCalls(lambda flow: run_blocking(flow(parts)))

    @property
    def asyncio(self) -> CredentialCalls[Asyncio]:
        """Answer the calls to await on an event loop, which none of them blocks."""
        return CredentialCalls(self._on_loop)

    def _on_loop(self, flow: Callable[[Any], Coroutine[Any, Any, Any]]) -> Awaitable[Any]:
        parts = self._parts
        ports = [port for port in (parts.store, parts.denylist) if port is not None]
        if all(port.blocks for port in ports):
            return run_in_thread(flow(_with(parts, ThreadHooks())), to_thread)
        # Some wait by themselves, so each of the others is a hop of its own.
        return flow(msgspec.structs.replace(parts, store=offloaded(parts.store), denylist=offloaded(parts.denylist)))


def _with(parts: Parts, hooks: Hooks) -> Parts:
    return msgspec.structs.replace(parts, hooks=hooks)


def _secrets(secret: str | Sequence[str]) -> list[str]:
    secrets: list[Any] = list(secret) if isinstance(secret, list | tuple) else [secret]
    if not secrets or any(not isinstance(each, str) or len(each) < _MIN_SECRET for each in secrets):
        raise InvalidConfig(
            f"secret is text of at least {_MIN_SECRET} characters, or a list of such, newest first: "
            "generate_secret() makes one."
        )
    return secrets


def _check_store(parts: Parts) -> None:
    if not parts.store.stateless:
        return
    refresh = parts.settings.refresh
    if parts.settings.max_concurrent is not None:
        raise StatelessOperationUnsupported(
            "max_concurrent counts what a store holds: give one that holds credentials."
        )
    if refresh is None or refresh.rotation == "none":
        return
    if parts.denylist is None:
        raise StatelessOperationUnsupported(
            "This store holds nothing, so rotation needs denylist=…: or write rotation='none', or refresh=None."
        )
    if refresh.on_reuse == "user":
        raise StatelessOperationUnsupported("on_reuse='user' needs a store that holds credentials: write 'family'.")


def __getattr__(name: str) -> Any:
    """Answer a store, loaded at its first use (PEP 562)."""
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"authcore.{_LATER[name]}"), name)
    globals()[name] = found
    return found
