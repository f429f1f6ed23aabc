"""What an application gives to stores and to their manager, checked where it is given; each raises InvalidConfig."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

from authcore.decode import is_storable
from authcore.services.json_values import fault
from authcore.services.jwt import InvalidKey, JwtKey
from authcore.services.keys import KEY_SIZE, KeyRing
from authcore.stores import InvalidConfig

_SOURCE = ("known", "ring", "renewed")
_DATABASE = ("dialect", "get_backend_name", "create_tables", "after_commit")
DENYLIST = ("add", "has", "blocks")
WRITE_DENYLIST = "give a denylist, such as MemoryDenylist(), SqlDenylist(database) or RedisDenylist(client)"


def offering(name: str, given: object, names: Sequence[str], write: str) -> None:
    """Refuse what is no object with these methods and properties; `write` says what to give instead."""
    if isinstance(given, type) or not all(hasattr(given, each) for each in names):
        raise InvalidConfig(f"{name} is {kind_of(given)}: {write}.")


def kind_of(given: object) -> str:
    """Answer what a value is, without the value: it may be a secret."""
    return f"the class {given.__name__}" if isinstance(given, type) else f"of type {type(given).__name__}"


def denylist(given: object) -> None:
    """Refuse what is neither a denylist nor None."""
    if given is not None:
        offering("denylist", given, DENYLIST, WRITE_DENYLIST)


def database(given: object) -> None:
    """Refuse what names no database; a text is read as a URL later."""
    named = isinstance(given, str) or any(hasattr(given, each) for each in _DATABASE)
    if isinstance(given, type) or not named:
        raise InvalidConfig(
            f"database is {kind_of(given)}: give a URL, such as 'sqlite:///app.db', or an engine of SQLAlchemy."
        )


def text(name: str, given: object) -> None:
    """Refuse what is no printable text, such as the `issuer` of tokens."""
    if not isinstance(given, str) or not given or not given.isprintable():
        raise InvalidConfig(f"{name} is {given!r}: write a printable text, such as 'https://example.com'.")


def claims(given: object) -> None:
    """Refuse claims that JSON, or a database, would not hold as they are."""
    if not isinstance(given, Mapping):
        raise InvalidConfig(f"The claims are {kind_of(given)}: give a dict whose keys are texts.")
    wrong = fault(dict(given))
    if wrong is not None:
        raise InvalidConfig(f"The claims are no JSON: {wrong}.")


def jwt_keys(given: object) -> None:
    """Refuse, as InvalidKey, what is neither a JwtKey, nor a list of them, nor where a ring comes from."""
    if isinstance(given, JwtKey | KeyRing) or all(hasattr(given, each) for each in _SOURCE):
        return
    if not _is_list(given) or not all(isinstance(each, JwtKey) for each in given):
        raise InvalidKey(
            "keys is a list of JwtKey values, the newest first: write keys=[JwtKey.private(pem, 'ES256')], or "
            "keys=[JwtKey.secret(secret)] for HS256."
        )
    if not given:
        raise InvalidKey(
            "keys is empty, and with no key nothing is signed: write keys=[JwtKey.private(pem, 'ES256')], or leave "
            "keys away."
        )


def sealing_keys(given: object) -> KeyRing:
    """Answer the ring of keys that seal and open, 32 random bytes each."""
    if not _is_list(given):
        raise InvalidConfig("keys is a list: write keys=[key], or keys=[new, old], each of 32 random bytes.")
    if not given:
        raise InvalidConfig("keys=[…] is empty: give at least one key of 32 random bytes, the newest first.")
    for key in given:
        if type(key) is not bytes or len(key) != KEY_SIZE:
            raise InvalidConfig("A key is 32 random bytes; of a passphrase derive_key(passphrase, salt) makes one.")
        if len(set(key)) < 10:
            raise InvalidConfig("A key repeats a few bytes: make one by secrets.token_bytes(32).")
    return KeyRing([key.hex() for key in given])


def is_name(given: object, longest: int) -> bool:
    """Tell whether a text of 1 to `longest` characters is given that every database takes."""
    return isinstance(given, str) and 0 < len(given) <= longest and is_storable(given)


def _is_list(given: object) -> TypeGuard[Sequence[Any]]:
    return isinstance(given, Sequence) and not isinstance(given, str | bytes | bytearray)
