"""The digests of Flask-Security: another hash over base64 of HMAC-SHA512, keyed with `SECURITY_PASSWORD_SALT`."""

from __future__ import annotations

import base64
import hmac
from typing import ClassVar

from authcore.backends.hashing.cost import Digest, Parser, Wrapped
from authcore.errors import ConfigurationError
from authcore.values import Value

PREFIX = "$flask-security"


class FlaskSecurity(Value, frozen=True):
    """What the application that hashed has in its configuration."""

    hidden: ClassVar = frozenset({"password_salt"})
    password_salt: str  # SECURITY_PASSWORD_SALT

    def check(self) -> None:
        """Raise ConfigurationError for what is no such salt."""
        given: object = self.password_salt
        if not isinstance(given, str) or not given:
            raise ConfigurationError("FlaskSecurity(password_salt=…) is the text of SECURITY_PASSWORD_SALT.")

    def mark(self, digest: str) -> str:
        """Answer the digest as it is brought in: alone it would look like one of a bare password."""
        return digest if digest.startswith(PREFIX) else PREFIX + digest

    def parse(self, text: str, inner: Parser) -> Digest | None:
        """Take a marked digest apart."""
        found = inner(text.removeprefix(PREFIX)) if text.startswith(PREFIX + "$") else None
        if found is None:
            return None
        return Digest(Keyed(PREFIX, found.cost, self.password_salt.encode()), found.salt, found.tag)


class Keyed(Wrapped, frozen=True):
    """A hash over the keyed password."""

    hidden: ClassVar = frozenset({"key"})
    key: bytes

    def prepare(self, password: bytes) -> bytes:
        """Answer base64 of HMAC-SHA512, 88 characters."""
        return base64.b64encode(hmac.digest(self.key, password, "sha512"))
