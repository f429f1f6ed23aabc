"""What `Auth(hashing=…, pepper=…)` means: what makes digests, and which ones are read."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from authcore.backends.hashing import argon2id, bcrypt, pbkdf2, scrypt
from authcore.backends.hashing.argon2id import HashParameters
from authcore.backends.hashing.bcrypt import Bcrypt
from authcore.backends.hashing.brought import django, passlib, werkzeug
from authcore.backends.hashing.cost import Cost, Digest, Parameters, Parser, Reader, whole_numbers
from authcore.backends.hashing.pbkdf2 import Pbkdf2
from authcore.backends.hashing.pepper import PepperRing, without
from authcore.backends.hashing.scrypt import Scrypt
from authcore.errors import ConfigurationError

LONGEST = 512  # characters of a digest
_MOST_SALT, _MOST_TAG = 64, 128  # bytes
_KINDS = (HashParameters, Bcrypt, Scrypt, Pbkdf2)
_PARSERS: tuple[Parser, ...] = (
    argon2id.parse,
    bcrypt.parse,
    scrypt.parse,
    pbkdf2.parse,
    django.parse,
    passlib.parse,
    werkzeug.parse,
)
_log = logging.getLogger("authcore.hashing")


@dataclass(frozen=True, slots=True)
class Hashing:
    """What makes digests, and the keyed formats of other systems that are read beside all the others."""

    parameters: Parameters = field(default_factory=HashParameters)
    reads: Sequence[Reader] = ()
    peppers: Sequence[str] = field(default=(), repr=False)  # newest first


class Formats:
    """What a Hashing can read, and what it makes."""

    def __init__(self, hashing: Hashing) -> None:
        self._peppers = PepperRing(hashing.peppers)
        self._readers: tuple[Any, ...] = (*hashing.reads, self._peppers)
        self.chosen: Cost = self._peppers.over(_as_written(hashing.parameters))

    def read(self, text: str) -> Digest | None:
        """Take a digest apart; None if it opens for nobody here."""
        if len(text) > LONGEST:
            return None
        return _first(text) or next(filter(None, (self._keyed(reader, text) for reader in self._readers)), None)

    def salt(self, text: str) -> bytes | None:
        """Answer the salt inside a digest, also where its pepper is gone; None if it is not readable."""
        found = self.read(text) or self.read(without(text))
        return None if found is None else found.salt

    def _keyed(self, reader: Reader | PepperRing, text: str) -> Digest | None:
        try:
            return reader.parse(text, _first)
        except ValueError:
            return None


def checked(given: Any, *, dev: bool) -> Hashing:
    """Answer the Hashing that an application asks for; raise ConfigurationError."""
    hashing = given if isinstance(given, Hashing) else Hashing(HashParameters() if given is None else given)
    if hashing.peppers:
        raise ConfigurationError("Hashing(peppers=…) is not written by hand: write Auth(pepper=…) beside hashing.")
    _check_kind(hashing.parameters)
    _check_readers(hashing.reads)
    if isinstance(hashing.parameters, Bcrypt):
        bcrypt.check_installed()
    if not dev:
        hashing.parameters.check()
        if told := hashing.parameters.warning():
            _log.warning("%s", told)
    if not _is_bearable(hashing.parameters):
        raise ConfigurationError(f"Auth(hashing={hashing.parameters!r}) is out of bounds: a worker could not bear it.")
    return hashing


def _check_kind(parameters: Any) -> None:
    if not isinstance(parameters, _KINDS):
        kind = parameters.__name__ if isinstance(parameters, type) else type(parameters).__name__
        raise ConfigurationError(
            f"Auth(hashing=…) is a named value of authcore.backends.hashing, such as ARGON2ID_BALANCED, "
            f"a HashParameters(…), or left out, not {kind}."
        )
    if isinstance(parameters, Pbkdf2):
        pbkdf2.check_hash(parameters.hash)
    if isinstance(parameters, Scrypt):
        scrypt.check_power(parameters.n)
    whole_numbers(parameters, (each.name for each in fields(parameters) if each.name != "hash"))


def _is_bearable(parameters: Cost) -> bool:
    return (
        parameters.salt_bytes <= _MOST_SALT and parameters.hash_bytes <= _MOST_TAG and _parsed(parameters) is not None
    )


def _check_readers(readers: Any) -> None:
    if not isinstance(readers, tuple | list):
        raise ConfigurationError("Hashing(reads=…) is a list, such as [FlaskSecurity(password_salt='…')].")
    for reader in readers:
        if isinstance(reader, type) or not hasattr(reader, "parse") or not hasattr(reader, "check"):
            raise ConfigurationError(f"Hashing(reads=[…]) holds {type(reader).__name__}: write a Firebase(…).")
        reader.check()


def _as_written(parameters: Parameters) -> Cost:
    """Answer the cost that a digest of these parameters is read with: one that is equal needs no other hash."""
    found = _parsed(parameters)
    return parameters if found is None else found.cost


def _parsed(parameters: Cost) -> Digest | None:
    return _first(parameters.encode(bytes(parameters.salt_bytes), bytes(parameters.hash_bytes)))


def _first(text: str) -> Digest | None:
    for parse in _PARSERS:
        try:
            found = parse(text)
        except ValueError:
            continue
        if found is not None:
            return found
    return None
