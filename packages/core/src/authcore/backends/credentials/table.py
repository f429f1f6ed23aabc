"""Credentials in an application's own table, by the six calls of `CredentialTable` (S62)."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import msgspec

from authcore.backends.credentials import states
from authcore.backends.system import SystemClock, SystemRandom
from authcore.ports import Clock, Randomness
from authcore.services import demands
from authcore.stores import CredentialExists, CredentialMetadata, CredentialState, CredentialTable, Listed

_CALLS = ("insert_one", "find_one", "find_many", "replace_one", "delete_one", "delete_many")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class TableCredentialStore:
    """A CredentialStore over a table that an application reads and writes itself, by sync or async calls.

    `blocks` says whether the calls wait in the calling thread; by default they do unless they are `async def`.
    """

    stateless: ClassVar[bool] = False

    def __init__(
        self,
        table: CredentialTable,
        *,
        clock: Clock | None = None,
        random: Randomness | None = None,
        blocks: bool | None = None,
    ) -> None:
        demands.offering("table", table, _CALLS, f"give an object with the six calls {', '.join(_CALLS)}")
        self._table = table
        self._clock = clock or SystemClock()
        self._random = random or SystemRandom()
        self._blocks = not inspect.iscoroutinefunction(table.find_one) if blocks is None else blocks

    @property
    def blocks(self) -> bool:
        """Tell whether the table's calls wait in the calling thread."""
        return self._blocks

    @property
    def awaits(self) -> bool:
        """Tell whether the table's calls are awaited on an event loop."""
        return inspect.iscoroutinefunction(self._table.find_one)

    async def persist(self, state: CredentialState, *, ttl: timedelta | None = None, seed: bytes | None = None) -> str:
        """Insert a credential and answer its token; raise InvalidToken for an expired state, CredentialExists."""
        state = states.kept(state, self._clock.now(), ttl)
        token = states.make(self._random, seed)
        row = _row(states.known(token).hex(), state)
        # What has expired holds no place: `_find` removes it, and its seed may be used again.
        if not await self._insert(row) and (await self._find(token) or not await self._insert(row)):
            raise CredentialExists.of(token)
        return token

    async def retrieve(self, token: str) -> CredentialState | None:
        """Answer what a live token stands for; an expired row is deleted on the way."""
        row = await self._find(token)
        return None if row is None else _state(row)

    async def consume(self, token: str) -> CredentialState | None:
        """Answer what a live token stands for and delete it: the deleted count decides who gets it (rule T2)."""
        row = await self._find(token)
        if row is None or await _value(self._table.delete_one(row["token"])) != 1:
            return None
        return _state(row)

    async def update(self, token: str, state: CredentialState) -> str | None:
        """Replace the state of a live token; answer the same token."""
        state = states.kept(state, self._clock.now())
        row = await self._find(token)
        if row is None:
            return None
        replaced = await _value(self._table.replace_one({"token": row["token"]}, _row(row["token"], state)))
        return token if replaced == 1 else None

    async def revoke(self, token: str) -> bool:
        """Delete a live token; tell whether it was live."""
        return await self.consume(token) is not None

    async def revoke_family(self, user_id: str, family: str) -> int:
        """Delete every live credential of a family; answer how many."""
        return await self._end_many({"user_id": user_id, "parent_credential_id": family})

    async def revoke_all_for_user(self, user_id: str) -> int:
        """Delete every live credential of a user; answer how many were live."""
        return await self._end_many({"user_id": user_id})

    async def list_for_user(self, user_id: str) -> Sequence[Listed]:
        """Answer the live credentials of a user, the latest first."""
        now = self._now()
        rows = await _value(self._table.find_many({"user_id": user_id}))
        listed = [Listed(row["token"], _state(row)) for row in rows if row["expires_at"] > now]
        return sorted(listed, key=lambda each: (each.state.issued_at, each.credential_id), reverse=True)

    def credential_id(self, token: str) -> str | None:
        """Answer the SHA-256 of a well-formed token, in hex."""
        return states.credential_id(token)

    async def clean_expired(self) -> int:
        """Delete what has expired; answer how many. The six calls know no order, so it reads the whole table."""
        return await self._drop_expired({})

    async def _find(self, token: str) -> Mapping[str, Any] | None:
        digest = states.credential_id(token)
        row = None if digest is None else await _value(self._table.find_one({"token": digest}))
        if row is not None and row["expires_at"] <= self._now():
            await _value(self._table.delete_one(row["token"]))
            return None
        return row

    async def _insert(self, row: Mapping[str, Any]) -> bool:
        try:
            await _value(self._table.insert_one(row))
        except KeyError:
            return False
        return True

    async def _end_many(self, where: Mapping[str, Any]) -> int:
        # The count is of live ones. What is committed while the first call runs is found by the second.
        await self._drop_expired(where)
        ended: int = await _value(self._table.delete_many(where))
        return ended + int(await _value(self._table.delete_many(where)))

    async def _drop_expired(self, where: Mapping[str, Any]) -> int:
        now, gone = self._now(), 0
        for row in await _value(self._table.find_many(where)):
            if row["expires_at"] <= now:
                gone += await _value(self._table.delete_one(row["token"]))
        return gone

    def _now(self) -> int:
        return _since(self._clock.now())


async def _value(answer: Any) -> Any:
    return await answer if inspect.isawaitable(answer) else answer


def _row(digest: str, state: CredentialState) -> dict[str, Any]:
    return {
        "token": digest,
        "user_id": state.user_id,
        "issued_at": _since(state.issued_at),
        "expires_at": _since(state.expires_at),
        "kind": state.kind,
        "claims": msgspec.to_builtins(state.claims),
        "metadata": msgspec.to_builtins(state.metadata),
        "parent_credential_id": state.parent_credential_id,
        "rotated_at": None if state.rotated_at is None else _since(state.rotated_at),
    }


def _state(row: Mapping[str, Any]) -> CredentialState:
    return CredentialState(
        user_id=row["user_id"],
        issued_at=_when(row["issued_at"]),
        expires_at=_when(row["expires_at"]),
        kind=row["kind"],
        claims=row["claims"],
        metadata=msgspec.convert(row["metadata"], CredentialMetadata),
        parent_credential_id=row["parent_credential_id"],
        rotated_at=None if row["rotated_at"] is None else _when(row["rotated_at"]),
    )


def _since(when: datetime) -> int:
    return (when - _EPOCH) // _MICROSECOND


def _when(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)
