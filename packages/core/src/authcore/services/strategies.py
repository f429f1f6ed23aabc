"""What `Sessions(cookie=…, bearer=…)` takes: where access credentials live, validated."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from authcore.errors import ConfigurationError
from authcore.services import demands
from authcore.services.jwt import ALGORITHMS
from authcore.services.jwt_ring import JwtKeys, keys_of
from authcore.stores import InvalidConfig
from authcore.values import Value

NAMES = ("sql", "memory", "jwt", "sealed")
SECRET_ALGORITHMS = ("HS256", "HS384", "HS512")
_STORE = ("persist", "retrieve", "consume", "update", "revoke", "revoke_family", "revoke_all_for_user", "credential_id")


class JwtStrategy(Value, frozen=True, kw_only=True):
    """Access credentials as JSON Web Tokens (RFC 9068), which a guard verifies without asking anybody.

    `algorithm` is HS256, HS384, HS512, RS…, PS… (256, 384, 512), ES256, ES384, ES512 or EdDSA. Without `keys` it is
    HS256 unless it is given: keys of HS… are derived from the application's secret, and others are made, kept sealed in
    the database, and replaced by `authcore keys rotate`. `keys` are JwtKey values, the newest first, which signs; an
    `algorithm` beside them must be its own. `issuer` is the base URL, and `audience` the issuer, unless they are given.
    """

    hidden: ClassVar = frozenset({"keys"})
    algorithm: str | None = None
    keys: Any = None
    issuer: str | None = None
    audience: str | None = None


class SealedStrategy(Value, frozen=True, kw_only=True):
    """Access credentials that only the application can read: AES-256-GCM, everything inside (rule T8).

    Without `keys`, 32 bytes each with the newest first, they are derived from the application's secret.
    """

    hidden: ClassVar = frozenset({"keys"})
    keys: Sequence[bytes] | None = None


_SHORT = {"jwt": JwtStrategy(), "sealed": SealedStrategy()}


def checked(name: str, given: Any) -> Any:
    """Answer a strategy: "sql", "memory", a JwtStrategy, a SealedStrategy, or a CredentialStore.

    Raises ConfigurationError, saying what to write.
    """
    if isinstance(given, str) and given in NAMES:
        return _SHORT.get(given, given)
    if isinstance(given, JwtStrategy | SealedStrategy):
        try:
            _check(given)
        except InvalidConfig as error:
            raise ConfigurationError(f"Sessions({name}={type(given).__name__}(…)): {error}") from None
        return given
    if isinstance(given, type) or not all(callable(getattr(given, method, None)) for method in _STORE):
        raise ConfigurationError(
            f"Sessions({name}=…) is {_shown(given)}: write one of {', '.join(map(repr, NAMES))}, a "
            "JwtStrategy(…), a SealedStrategy(…), or a credential store such as RedisCredentialStore(client)."
        )
    return given


def _shown(given: object) -> str:
    # A word is shown; what is longer may hold a password (rule O3).
    return repr(given) if isinstance(given, str) and given.isalpha() and len(given) <= 12 else demands.kind_of(given)


def _check(strategy: JwtStrategy | SealedStrategy) -> None:
    if isinstance(strategy, SealedStrategy):
        if strategy.keys is not None:
            demands.sealing_keys(strategy.keys)
        return
    if strategy.algorithm is not None and strategy.algorithm not in ALGORITHMS:
        raise InvalidConfig(f"algorithm is {strategy.algorithm!r}: write one of {', '.join(sorted(ALGORITHMS))}.")
    for name in ("issuer", "audience"):
        if getattr(strategy, name) is not None:
            demands.text(name, getattr(strategy, name))
    if strategy.keys is not None:
        _check_keys(strategy)


def _check_keys(strategy: JwtStrategy) -> None:
    demands.jwt_keys(strategy.keys)
    ring = keys_of("credentials", strategy.keys)
    if not isinstance(ring, JwtKeys):
        return
    signer = ring.signer
    if not signer.signs:
        raise InvalidConfig(
            f"The key {signer.kid} is public, and the first one signs: put JwtKey.private(pem, {signer.algorithm!r}) "
            "before it."
        )
    if strategy.algorithm not in (None, signer.algorithm):
        raise InvalidConfig(
            f"algorithm is {strategy.algorithm!r}, and the first key has {signer.algorithm}: write "
            f"algorithm={signer.algorithm!r}, or leave algorithm away."
        )


def algorithm_of(strategy: JwtStrategy) -> str:
    """Answer the algorithm of the keys that a strategy without keys of its own makes."""
    return "HS256" if strategy.algorithm is None else strategy.algorithm


def check_pair(cookie: Any, bearer: Any) -> None:
    """Raise ConfigurationError for two algorithms whose keys are kept in the database, which keeps one signing key."""
    pair = [each for each in (cookie, bearer) if isinstance(each, JwtStrategy) and each.keys is None]
    kept = [algorithm for each in pair if (algorithm := algorithm_of(each)) not in SECRET_ALGORITHMS]
    if len(set(kept)) > 1:
        raise ConfigurationError(
            f"Sessions(cookie=…, bearer=…) name {kept[0]} and {kept[1]}, and one key in the database signs for both: "
            "write the same algorithm= twice, or give one of them keys=[…] of its own."
        )


def is_stateless(strategy: Any) -> bool:
    """Tell whether tokens of a checked strategy say everything themselves."""
    return isinstance(strategy, JwtStrategy | SealedStrategy) or bool(getattr(strategy, "stateless", False))


def is_awaited(strategy: Any) -> bool:
    """Tell whether what a strategy asks is awaited on an event loop."""
    return bool(getattr(strategy, "awaits", False))


def check_drive(strategies: Iterable[Any], drive: str) -> None:
    """Raise ConfigurationError for a store that must be awaited where `async_drive` lets flows run in threads."""
    for awaited in filter(is_awaited, strategies if drive != "asyncio" else ()):
        raise ConfigurationError(
            f"Sessions(…) holds a {type(awaited).__name__} that is awaited, and flows run in threads: give it what "
            "blocks, such as redis.Redis(…), or write Auth(async_drive='asyncio') for a framework on an event loop."
        )
