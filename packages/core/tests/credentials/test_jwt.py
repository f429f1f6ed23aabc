"""Credentials as JSON Web Tokens, and an application's own tokens beside them (S31, S46, S47, S55, rules T4, T5)."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from blockbuster import blockbuster_ctx

from authcore.backends.credentials.denylists import MemoryDenylist, SqlDenylist
from authcore.backends.credentials.jwt import JwtCredentialStore, kind_of, typ_of
from authcore.backends.credentials.own_tokens import Jwt
from authcore.backends.sources import source_of
from authcore.backends.system import SystemRandom
from authcore.drive import run_blocking as run
from authcore.errors import ConfigurationError
from authcore.services.jwt import JwtKey
from authcore.services.jwt_ring import JwtKeys
from authcore.services.keys import KeyRing
from authcore.services.signing_keys import SigningKeys
from authcore.stores import (
    CredentialState,
    InvalidConfig,
    InvalidToken,
    StatelessOperationUnsupported,
    TokenExpired,
    TokenRevoked,
)
from authcore.testing.ports import FrozenClock

jwt = pytest.importorskip("jwt", reason="the extra authcore[jwt] is not installed")

SECRET = "correct horse battery staple, and 20 words more"
MINUTE = timedelta(minutes=1)


def state(clock: FrozenClock, **more: Any) -> CredentialState:
    """A state that lives for a minute."""
    now = clock.now()
    return CredentialState(**{"user_id": "ada", "issued_at": now, "expires_at": now + MINUTE, **more})


def parts(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The header and the claims of a token, unverified."""
    head, body, _ = token.split(".")
    return tuple(json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))) for part in (head, body))  # type: ignore[return-value]


def signed(head: dict[str, Any], claims: dict[str, Any]) -> str:
    """A token under the right secret."""
    pieces = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in (head, claims)]
    tag = hmac.digest(SECRET.encode(), ".".join(pieces).encode(), "sha256")
    return ".".join([*pieces, base64.urlsafe_b64encode(tag).rstrip(b"=").decode()])


# --- the store ---


def test_a_credential_is_a_standard_token(clock: FrozenClock) -> None:
    """S31, S55, RFC 9068: HS256 by default, a jti of its own, and the claims that every reader knows."""
    store = JwtCredentialStore(secret=SECRET, issuer="https://example.com", audience="api", clock=clock)

    token = run(store.persist(state(clock)))

    head, claims = parts(token)
    at = int(clock.now().timestamp())
    assert head == {"alg": "HS256", "kid": JwtKey.secret(SECRET).kid, "typ": "at+jwt"}
    assert claims == {
        "iss": "https://example.com",
        "aud": "api",
        "sub": "ada",
        "jti": store.credential_id(token),
        "iat": at,
        "exp": at + 60,
    }
    assert len(claims["jti"]) == 22
    assert claims["jti"] != parts(run(store.persist(state(clock))))[1]["jti"]


@pytest.mark.parametrize(
    "algorithm",
    ["HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"],
)
def test_a_store_has_one_algorithm(clock: FrozenClock, algorithm: str) -> None:
    """S55: each algorithm keeps credentials, and no store reads those of another."""
    key = JwtKey.secret(SECRET * 2, algorithm, kid="one") if algorithm[0] == "H" else JwtKey.make(algorithm, kid="one")
    store = JwtCredentialStore(keys=[key], clock=clock)
    other = JwtCredentialStore(keys=[JwtKey.secret(SECRET, kid="one")], clock=clock)

    token = run(store.persist(state(clock)))

    assert run(store.retrieve(token)) == state(clock)
    assert run(other.retrieve(token)) is None
    assert run(store.retrieve(run(other.persist(state(clock))))) is None


def test_a_public_key_reads_and_makes_nothing(clock: FrozenClock) -> None:
    """S55: who holds the public half alone validates; to make a token is a sentence."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    from authcore.services.jwt import make_private_key

    private = make_private_key("EdDSA")
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    token = run(JwtCredentialStore(private_key=private, algorithm="EdDSA", clock=clock).persist(state(clock)))
    reader = JwtCredentialStore(public_key=public, algorithm="EdDSA", clock=clock)

    assert run(reader.retrieve(token)) == state(clock)
    with pytest.raises(InvalidConfig, match="private_key"):
        run(reader.persist(state(clock)))


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({}, "Give one of"),
        ({"secret": None}, "Give one of"),
        ({"secret": "short"}, "asks for 32"),
        ({"secret": SECRET, "algorithm": "HS512"}, "asks for 64"),
        ({"secret": SECRET, "algorithm": "ES256"}, "has no secret"),
        ({"secret": SECRET, "algorithm": "none"}, "write one of|has no secret"),
        ({"private_key": "x"}, "secret|-----BEGIN"),
        ({"private_key": "x", "algorithm": "RS256"}, "-----BEGIN"),
        ({"keys": []}, "no key"),
        ({"keys": KeyRing([SECRET]), "algorithm": "RS256"}, "HS256"),
    ],
)
def test_missing_keys_are_invalid_config(given: dict[str, Any], says: str) -> None:
    """S55: without a key of the algorithm neither the store nor the application's tokens start."""
    for kind in (JwtCredentialStore, Jwt):
        with pytest.raises(InvalidConfig, match=says) as raised:
            kind(**given)
        assert raised.value.code == "invalid_config"
        assert isinstance(raised.value, ConfigurationError)


def test_secrets_rotate(clock: FrozenClock) -> None:
    """S33: with secret=[new, old] index 0 signs and all verify."""
    old = JwtCredentialStore(secret=SECRET, clock=clock)
    both = JwtCredentialStore(secret=[SECRET[::-1], SECRET], clock=clock)
    token = run(old.persist(state(clock)))

    assert run(both.retrieve(token)) == state(clock)
    assert run(old.retrieve(run(both.persist(state(clock))))) is None


@pytest.mark.parametrize("differs", [{"issuer": "other"}, {"audience": "other"}])
def test_another_issuers_or_audiences_credential_is_none(clock: FrozenClock, differs: dict[str, str]) -> None:
    """T4: two applications that share a secret share no credentials."""
    names = {"issuer": "me", "audience": "api"}
    token = run(JwtCredentialStore(secret=SECRET, clock=clock, **names).persist(state(clock)))

    assert run(JwtCredentialStore(secret=SECRET, clock=clock, **{**names, **differs}).retrieve(token)) is None


def test_each_kind_has_a_typ_of_its_own() -> None:
    """T4, T5: `typ` says the kind, one for each, and is read back as nothing else."""
    kinds = [
        "access",
        "refresh",
        "magic.recovery",
        "at+jwt",
        "ac.access+jwt",
        "access+jwt",
        "%2F",
        "/",
        "ä",
        " ",
        "JWT",
    ]
    typs = {kind: typ_of(kind) for kind in kinds}

    assert typs["access"] == "at+jwt"
    assert typs["refresh"] == "rt+jwt"
    assert typs["magic.recovery"] == "ac.magic.recovery+jwt"
    assert len(set(typs.values())) == len(kinds)
    assert {kind_of(typ): typ for typ in typs.values()} == typs
    for typ in ("JWT", "", "ac.+jwt"[:3], "ac.access+jwt", "ac.refresh+jwt", "ac.%2f+jwt", "AT+JWT", "app+jwt"):
        assert kind_of(typ) is None


def test_a_token_of_another_kind_stays_one(clock: FrozenClock) -> None:
    """T5: the header that says another kind is another text, so it is none."""
    store = JwtCredentialStore(secret=SECRET, clock=clock)
    refresh = run(store.persist(state(clock, kind="refresh")))
    head, claims = parts(refresh)
    access_head = run(store.persist(state(clock))).split(".")[0]

    assert run(store.retrieve(".".join([access_head, *refresh.split(".")[1:]]))) is None
    for typ in ("JWT", "app+jwt", "ac.access+jwt", "RT+JWT"):
        assert run(store.retrieve(signed({**head, "typ": typ}, claims))) is None
    assert run(store.retrieve(signed(head, claims))) == state(clock, kind="refresh")


@pytest.mark.parametrize(
    "wrong",
    [
        {"claims": []},
        {"claims": "x"},
        {"metadata": {"ip": 7}},
        {"family": 7},
        {"iat_us": "1"},
        {"exp_us": 1.5},
        {"exp_us": 10**30},
        {"exp_us": 4_000_000_000_000_000},  # later than what every reader of `exp` believes
        {"nbf": 4_000_000_000},
        {"iat": 1_999_999_999},
        {"rotated_us": True},
        {"exp": None},
        {"sub": 7},
        {"jti": None},
    ],
)
def test_claims_that_are_no_state_are_none(clock: FrozenClock, wrong: dict[str, Any]) -> None:
    """What somebody else signed under the same secret, and of no such form, is no credential, and no failure."""
    store = JwtCredentialStore(secret=SECRET, clock=clock)
    head, claims = parts(run(store.persist(state(clock))))

    assert run(store.retrieve(signed(head, {**claims, **wrong}))) is None
    assert store.credential_id(signed(head, {**claims, **wrong})) is None


def test_the_twin_of_a_token_shares_its_end(clock: FrozenClock) -> None:
    """T3: the other ECDSA signature of a revoked token is revoked, since both are one jti."""
    from authcore.services.jwt import _ORDERS, make_private_key

    private, denylist = make_private_key("ES256"), MemoryDenylist(clock=clock)
    issuer = JwtCredentialStore(private_key=private, algorithm="ES256", denylist=denylist, clock=clock)
    reader = JwtCredentialStore(public_key=private.public_key(), algorithm="ES256", denylist=denylist, clock=clock)
    token = run(issuer.persist(state(clock)))
    head, body, tag = token.split(".")
    raw = base64.urlsafe_b64decode(tag + "==")
    s = (_ORDERS["ES256"] - int.from_bytes(raw[32:], "big")).to_bytes(32, "big")
    twin = ".".join([head, body, base64.urlsafe_b64encode(raw[:32] + s).rstrip(b"=").decode()])

    assert run(issuer.retrieve(twin)) is None
    assert run(reader.retrieve(twin)) == state(clock)
    assert reader.credential_id(twin) == issuer.credential_id(token)
    assert run(issuer.revoke(token))
    assert run(reader.retrieve(twin)) is None


# --- the application's own tokens ---


def own(clock: FrozenClock, **more: Any) -> Jwt:
    """An application's tokens."""
    return Jwt(**{"secret": SECRET, "clock": clock, **more})


def test_own_claims_come_back(clock: FrozenClock) -> None:
    """S46, S47: HS256, 15 minutes, a unique jti, the issuer; the application's claims among them."""
    tokens = own(clock, issuer="shop")

    token = run(tokens.encode({"sub": "order-7", "file": [1, {"a": None}], "nbf": 5}))

    head, _ = parts(token)
    at = int(clock.now().timestamp())
    claims = run(tokens.decode(token))
    assert (head["alg"], head["typ"]) == ("HS256", "app+jwt")
    assert claims.pop("jti") != run(tokens.decode(run(tokens.encode({"sub": "order-7"}))))["jti"]
    assert claims == {
        "iss": "shop",
        "aud": "shop",
        "sub": "order-7",
        "file": [1, {"a": None}],
        "nbf": 5,
        "iat": at,
        "exp": at + 900,
    }


@pytest.mark.parametrize("ttl", [timedelta(seconds=30), "30s", timedelta(seconds=29, microseconds=1)])
def test_own_tokens_end(clock: FrozenClock, ttl: timedelta | str) -> None:
    """S46: after its ttl, rounded up to a second, a token is `token_expired`, and an attempt at it is None."""
    tokens = own(clock)
    token = run(tokens.encode({"sub": "x"}, ttl=ttl))

    clock.advance(29.999)
    assert run(tokens.attempt(token)) == run(tokens.decode(token))
    clock.advance(0.001)
    with pytest.raises(TokenExpired) as raised:
        run(tokens.decode(token))
    assert raised.value.code == "token_expired"
    assert run(tokens.attempt(token)) is None


def test_own_tokens_are_ended_before_their_time(clock: FrozenClock) -> None:
    """S46: a blacklisted token is `token_revoked`, until it would have ended; the second time nothing was live."""
    denylist = MemoryDenylist(clock=clock)
    tokens = own(clock, denylist=denylist)
    token, other = run(tokens.encode({"sub": "x"})), run(tokens.encode({"sub": "x"}))
    run(tokens.decode(token))

    assert [run(tokens.blacklist(token)) for _ in range(2)] == [True, False]

    with pytest.raises(TokenRevoked) as raised:
        run(tokens.decode(token))
    assert raised.value.code == "token_revoked"
    assert run(tokens.attempt(token)) is None
    assert run(tokens.attempt(other)) is not None
    assert run(tokens.blacklist("no token")) is False
    clock.advance(900)
    assert run(tokens.blacklist(other)) is False
    assert run(denylist.cleanup()) == 1


def test_without_a_denylist_nothing_is_blacklisted(clock: FrozenClock) -> None:
    """S57: as with the store, it raises."""
    tokens = own(clock)

    with pytest.raises(StatelessOperationUnsupported):
        run(tokens.blacklist(run(tokens.encode({"sub": "x"}))))


def test_leeway_counts_for_the_end_and_for_its_denial(clock: FrozenClock) -> None:
    """A token inside its leeway is live, so it can be ended, and stays so until the leeway is over."""
    tokens = own(clock, leeway=10, denylist=MemoryDenylist(clock=clock))
    token = run(tokens.encode({"sub": "x"}, ttl="1m"))
    clock.advance(65)
    assert run(tokens.attempt(token)) is not None

    assert run(tokens.blacklist(token))

    clock.advance(4)
    with pytest.raises(TokenRevoked):
        run(tokens.decode(token))
    clock.advance(1)
    with pytest.raises(TokenExpired):
        run(tokens.decode(token))


@pytest.mark.parametrize(
    ("claims", "says"),
    [
        ({}, "sub"),
        ({"sub": ""}, "sub"),
        ({"sub": 7}, "sub"),
        *(({"sub": "x", name: "1"}, name) for name in ("iss", "aud", "exp", "iat", "jti")),
        ({"sub": "x", "y": object()}, "JSON"),
        ({"sub": "x" * 9000}, "8192"),
    ],
)
def test_claims_that_cannot_be_are_refused(clock: FrozenClock, claims: dict[str, Any], says: str) -> None:
    """T4: what is set by `encode` is not the application's to set, and somebody is always meant."""
    with pytest.raises(InvalidConfig, match=says):
        run(own(clock).encode(claims))


@pytest.mark.parametrize(
    "make",
    [
        lambda clock: own(clock, access_token_expires=timedelta(0)),
        lambda clock: own(clock, access_token_expires="-5m"),
        lambda clock: own(clock, access_token_expires="soon"),
        lambda clock: run(own(clock).encode({"sub": "x"}, ttl=timedelta(0))),
        lambda clock: run(own(clock).encode({"sub": "x"}, ttl=timedelta(seconds=-1))),
        lambda clock: run(own(clock).encode({"sub": "x"}, ttl="0s")),
        *(
            lambda clock, typ=typ: own(clock, typ=typ)
            for typ in ("at+jwt", "rt+jwt", "AT+JWT", "ac.access+jwt", "AC.x+jwt", "ac.", "", "a b", "x" * 65, "ä")
        ),
    ],
)
def test_settings_that_cannot_be_are_refused(clock: FrozenClock, make: Callable[[FrozenClock], Any]) -> None:
    """S46, T5: a ttl is positive, and no typ of authcore's is the application's to use."""
    with pytest.raises(InvalidConfig):
        make(clock)


def test_own_tokens_open_nothing_of_authcores(clock: FrozenClock) -> None:
    """T5: under the same secret, issuer and audience a credential is no own token, and the other way round."""
    store, tokens = JwtCredentialStore(secret=SECRET, clock=clock), own(clock)
    credential, mine = run(store.persist(state(clock))), run(tokens.encode({"sub": "ada"}))

    assert run(tokens.attempt(credential)) is None
    assert run(store.retrieve(mine)) is None
    assert store.credential_id(mine) is None
    assert run(own(clock, typ="download+jwt").attempt(mine)) is None


def test_keys_of_the_application_differ_by_purpose(clock: FrozenClock) -> None:
    """T5: of one KeyRing, credentials and own tokens have keys of their own."""
    keys = KeyRing([SECRET])
    credential = run(JwtCredentialStore(keys=keys, clock=clock).persist(state(clock)))

    with pytest.raises(InvalidToken):
        JwtKeys.of(keys, "application").open(credential)
    assert JwtKeys.of(keys, "credentials").open(credential).typ == "at+jwt"


@pytest.mark.parametrize("text", ["", "no token", "a.b.c", "\ud800", "x" * 100_000])
def test_what_is_no_token_is_invalid(clock: FrozenClock, text: str) -> None:
    """S46: anything else is `invalid_token`."""
    tokens = own(clock)

    with pytest.raises(InvalidToken) as raised:
        run(tokens.decode(text))
    assert raised.value.code == "invalid_token"
    assert run(tokens.attempt(text)) is None


def test_one_denylist_serves_both(clock: FrozenClock) -> None:
    """S42: credentials and own tokens in one denylist never meet, whatever their ids."""
    denylist = MemoryDenylist(clock=clock)
    store = JwtCredentialStore(secret=SECRET, clock=clock, denylist=denylist)
    tokens = own(clock, denylist=denylist)
    mine = run(tokens.encode({"sub": "x"}))
    head, claims = parts(run(store.persist(state(clock))))
    credential = signed(head, {**claims, "jti": parts(mine)[1]["jti"]})
    assert run(store.retrieve(credential)) is not None

    run(tokens.blacklist(mine))

    assert run(store.retrieve(credential)) is not None


def test_a_source_of_keys_serves_both(clock: FrozenClock) -> None:
    """O4: store and own tokens take a ring that changes, and find a key that was made meanwhile."""

    class Source:
        def __init__(self, *keys: JwtKey) -> None:
            self.now_known, self.coming = JwtKeys(keys), JwtKeys(keys)

        def known(self, now: object) -> JwtKeys:
            return self.now_known

        async def ring(self) -> JwtKeys:
            return self.now_known

        async def renewed(self) -> JwtKeys:
            self.now_known = self.coming
            return self.now_known

    old, new = JwtKey.secret(SECRET), JwtKey.secret(SECRET[::-1])
    source = Source(old)
    store, tokens = JwtCredentialStore(keys=source, clock=clock), own(clock, secret=None, keys=source)
    fresh = run(JwtCredentialStore(keys=new, clock=clock).persist(state(clock)))
    assert store.credential_id(fresh) is None
    assert run(store.retrieve(fresh)) is None

    source.coming = JwtKeys([new, old])

    assert run(store.retrieve(fresh)) == state(clock)
    assert store.credential_id(fresh) is not None
    assert store.verified_by(clock.now()) is source.coming
    assert run(tokens.attempt(run(own(clock, secret=SECRET[::-1]).encode({"sub": "x"})))) is not None


def test_own_tokens_block_or_are_awaited(clock: FrozenClock, any_database: str) -> None:
    """S46: the same calls answer directly, or are awaited while nothing blocks the loop."""
    denylist = SqlDenylist(any_database, clock=clock)
    tokens = own(clock, denylist=denylist)
    token = tokens.blocking.encode({"sub": "x"})
    assert tokens.blocking.decode(token)["sub"] == "x"

    async def life() -> list[Any]:
        other = await tokens.asyncio.encode({"sub": "y"})
        with blockbuster_ctx():
            return [
                (await tokens.asyncio.decode(other))["sub"],
                await tokens.asyncio.blacklist(other),
                await tokens.asyncio.attempt(other),
            ]

    assert anyio.run(life) == ["y", True, None]
    assert tokens.blocking.blacklist(token) is True
    assert tokens.blocking.attempt(token) is None
    assert SECRET not in repr(tokens)
    denylist.dispose()


def test_keys_in_the_database_are_read_beside_the_loop(clock: FrozenClock, tmp_path: Path) -> None:
    """O4: own tokens under keys that are kept in SQL, with a denylist that is awaited, block no loop."""

    class Awaited:
        blocks = False

        def __init__(self) -> None:
            self.inner = MemoryDenylist(clock=clock)

        async def add(self, id_: str, expires_at: datetime) -> bool:
            await anyio.lowlevel.checkpoint()
            return await self.inner.add(id_, expires_at)

        async def has(self, id_: str) -> bool:
            await anyio.lowlevel.checkpoint()
            return await self.inner.has(id_)

        async def cleanup(self) -> int:
            return await self.inner.cleanup()

    source = source_of(f"sqlite:///{tmp_path / 'keys.db'}", create_missing=True)
    keys = SigningKeys(source.blocking(), KeyRing([SECRET]), SystemRandom(), clock)
    tokens = own(clock, secret=None, keys=keys, denylist=Awaited())

    async def life() -> list[Any]:
        with blockbuster_ctx():
            token = await tokens.asyncio.encode({"sub": "y"})
            told = [(await tokens.asyncio.decode(token))["sub"], await tokens.asyncio.blacklist(token)]
            return [*told, await tokens.asyncio.attempt(token)]

    assert anyio.run(life) == ["y", True, None]
    source.dispose()  # type: ignore[attr-defined]
