"""What cannot be a store, a strategy or a manager is refused where it is given, with a sentence (rule T4)."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from stores import SECRET

from authcore.backends.credentials.jwt import JwtCredentialStore
from authcore.backends.credentials.own_tokens import Jwt
from authcore.backends.credentials.redis import RedisCredentialStore, RedisDenylist
from authcore.backends.credentials.sealed import SealedCredentialStore, derive_key
from authcore.credentials import (
    CredentialCalls,
    CredentialManager,
    InvalidConfig,
    InvalidToken,
    MemoryCredentialStore,
    MemoryDenylist,
    RefreshConfig,
    SqlCredentialStore,
    SqlDenylist,
    TableCredentialStore,
)
from authcore.errors import ConfigurationError
from authcore.features.sessions import Sessions
from authcore.services.jwt import JwtKey
from authcore.services.jwt_ring import JwtKeys
from authcore.services.strategies import JwtStrategy, SealedStrategy

KEY = secrets.token_bytes(32)
INF = float("inf")


def named(value: object) -> str:
    """Answer a parameter's name, which is the same in every process that collects it."""
    return re.sub(" at 0x[0-9a-f]+", "", ascii(value))


class Client:
    """A Redis client, as far as a constructor looks."""

    def get(self, name: str) -> None:
        """Answer nothing."""

    def eval(self, script: str, numkeys: int, *keys_and_args: Any) -> None:
        """Answer nothing."""


@pytest.mark.parametrize("via", ["cookie", "bearer"])
@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (JwtStrategy(algorithm="none"), "algorithm is 'none': write one of ES256, .*, RS512"),
        (JwtStrategy(algorithm="hs256"), "algorithm is 'hs256': write one of "),
        (JwtStrategy(algorithm=5), "algorithm is 5: write one of "),  # type: ignore[arg-type]
        (JwtStrategy(keys=[]), "keys is empty, .*: write keys="),
        (JwtStrategy(keys="short"), "keys is a list of JwtKey values"),
        (JwtStrategy(keys=["short"]), "keys is a list of JwtKey values"),
        (JwtStrategy(keys={"a": 1}), "keys is a list of JwtKey values"),
        (JwtStrategy(issuer=3), "issuer is 3: write a printable text"),  # type: ignore[arg-type]
        (JwtStrategy(issuer=""), "issuer is '': write a printable text"),
        (JwtStrategy(audience=3), "audience is 3: write a printable text"),  # type: ignore[arg-type]
        (JwtStrategy(audience=""), "audience is '': write a printable text"),
        (SealedStrategy(keys=[b"x" * 16]), "A key is 32 random bytes"),
        (SealedStrategy(keys=[b"x" * 32]), "A key repeats a few bytes"),
        (SealedStrategy(keys=[]), "is empty: give at least one key"),
        (SealedStrategy(keys=KEY), r"write keys=\[key\]"),  # type: ignore[arg-type]
        (SealedStrategy(keys=5), r"write keys=\[key\]"),  # type: ignore[arg-type]
    ],
)
def test_a_wrong_strategy_refuses_to_start(via: str, wrong: Any, says: str) -> None:
    """T4: Sessions(…) names the transport and the strategy, and says what to write."""
    with pytest.raises(ConfigurationError, match=rf"Sessions\({via}={type(wrong).__name__}\(…\)\): .*{says}"):
        Sessions(**{via: wrong})


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda: JwtStrategy(keys=[_public()]), "is public, and the first one signs: put JwtKey.private"),
        (lambda: JwtStrategy(keys=JwtKeys([_public()])), "is public, and the first one signs"),
        (lambda: JwtStrategy(keys=[_public(), JwtKey.make("ES256")]), "is public, and the first one signs"),
        (lambda: JwtStrategy(algorithm="HS256", keys=[JwtKey.make("ES256")]), "write algorithm='ES256'"),
        (lambda: JwtStrategy(keys=[JwtKey.make("ES256", kid="a"), JwtKey.make("ES256", kid="a")]), "same kid"),
    ],
)
def test_keys_that_do_not_sign_refuse_to_start(wrong: Callable[[], JwtStrategy], says: str) -> None:
    """T4: the first key has its private half, and the algorithm that is named."""
    pytest.importorskip("jwt", reason="the extra authcore[jwt] is not installed")

    with pytest.raises(ConfigurationError, match=says):
        Sessions(bearer=wrong())


def _public() -> JwtKey:
    from cryptography.hazmat.primitives.asymmetric import ec

    return JwtKey.public(ec.generate_private_key(ec.SECP256R1()).public_key())


def test_keys_of_one_s_own_say_the_algorithm() -> None:
    """`algorithm` beside keys may be left away, and the keys before may have had another one."""
    pytest.importorskip("jwt", reason="the extra authcore[jwt] is not installed")
    keys = [JwtKey.make("EdDSA"), JwtKey.make("ES256"), _public()]

    for right in (JwtStrategy(keys=keys), JwtStrategy(keys=keys, algorithm="EdDSA"), JwtStrategy(keys=keys[0])):
        assert Sessions(bearer=right).settings.bearer is right


@pytest.mark.parametrize("wrong", ["redis://ada:hunter2@127.0.0.1", None, JwtStrategy, Client()])
def test_what_is_no_strategy_refuses_to_start(wrong: object) -> None:
    """The sentence names what may stand there, and repeats no secret (O3)."""
    with pytest.raises(ConfigurationError, match=r"Sessions\(bearer=…\) is .*RedisCredentialStore") as raised:
        Sessions(bearer=wrong)

    assert "hunter2" not in str(raised.value)


def test_a_word_that_is_no_strategy_is_shown() -> None:
    """What is misspelled is found in the sentence."""
    with pytest.raises(ConfigurationError, match=r"Sessions\(cookie=…\) is 'redis': write one of 'sql', 'memory'"):
        Sessions(cookie="redis")


def test_two_algorithms_in_the_database_refuse_to_start() -> None:
    """One table of keys serves both transports, so the second algorithm would never sign."""
    two = {"cookie": JwtStrategy(algorithm="ES256"), "bearer": JwtStrategy(algorithm="EdDSA")}

    with pytest.raises(ConfigurationError, match=r"ES256 and EdDSA.* write the same algorithm= twice"):
        Sessions(**two, cookie_refresh=True)


@pytest.mark.parametrize("other", [JwtStrategy(algorithm="ES256"), JwtStrategy(), JwtStrategy(algorithm="HS512")])
def test_algorithms_that_share_no_table_go_together(other: JwtStrategy) -> None:
    """The same algorithm twice, or one under the application's secret, is right."""
    assert Sessions(cookie=JwtStrategy(algorithm="ES256"), bearer=other, cookie_refresh=True)


def test_another_algorithm_with_keys_of_its_own_goes_too() -> None:
    """Keys that an application brings stand in no table."""
    pytest.importorskip("jwt", reason="the extra authcore[jwt] is not installed")
    own = JwtStrategy(keys=[JwtKey.make("EdDSA")])

    assert Sessions(cookie=JwtStrategy(algorithm="ES256"), bearer=own, cookie_refresh=True)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: RedisCredentialStore("redis://127.0.0.1"), "client is of type str: give a Redis client"),  # type: ignore[arg-type]
        (lambda: RedisCredentialStore(None), "client is of type NoneType: give a Redis client"),  # type: ignore[arg-type]
        (lambda: RedisCredentialStore(Client), "client is the class Client: give a Redis client"),  # type: ignore[arg-type]
        (lambda: RedisCredentialStore(Client(), prefix=5), "prefix is 5"),  # type: ignore[arg-type]
        (lambda: RedisDenylist("x"), "client is of type str: give a Redis client"),  # type: ignore[arg-type]
        (lambda: SqlCredentialStore(5), "database is of type int: give a URL"),  # type: ignore[arg-type]
        (lambda: SqlCredentialStore(sa.Engine), "database is the class Engine: give a URL"),  # type: ignore[arg-type]
        (lambda: SqlDenylist(None), "database is of type NoneType: give a URL"),  # type: ignore[arg-type]
        (lambda: TableCredentialStore(object()), "table is of type object: give an object with the six"),  # type: ignore[arg-type]
        (lambda: SealedCredentialStore(KEY, denylist=Client()), "denylist is of type Client: give"),  # type: ignore[arg-type]
        (lambda: SealedCredentialStore(keys=KEY), r"write keys=\[key\]"),  # type: ignore[arg-type]
        (lambda: derive_key(None, salt=KEY), "passphrase is a text"),  # type: ignore[arg-type]
        (lambda: JwtCredentialStore(keys="short"), "keys is a list of JwtKey"),  # type: ignore[arg-type]
        (lambda: Jwt(keys=["short"]), "keys is a list of JwtKey"),  # type: ignore[list-item]
        (lambda: Jwt(secret=SECRET, issuer=""), "issuer is ''"),
        (lambda: Jwt(secret=SECRET, audience=3), "audience is 3"),  # type: ignore[arg-type]
        (lambda: Jwt(secret=SECRET, denylist=Client()), "denylist is of type Client"),  # type: ignore[arg-type]
        (lambda: Jwt(secret=SECRET, typ=None), "typ is None"),  # type: ignore[arg-type]
    ],
)
def test_a_store_over_nothing_is_not_made(make: Callable[[], object], says: str) -> None:
    """Each says at once what it takes."""
    with pytest.raises(InvalidConfig, match=says):
        make()


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"secret": None}, "secret is text of at least 32"),
        ({"secret": b"x" * 40}, "secret is text of at least 32"),
        ({"secret": [SECRET, None]}, "secret is text of at least 32"),
        ({"store": None}, "store is of type NoneType: give a credential store"),
        ({"store": MemoryCredentialStore}, "store is the class MemoryCredentialStore: give a credential store"),
        ({"store": Client()}, "store is of type Client: give a credential store"),
        ({"denylist": Client()}, "denylist is of type Client: give a denylist"),
        ({"denylist": MemoryDenylist}, "denylist is the class MemoryDenylist: give a denylist"),
        ({"clock": lambda: 3}, r"clock is of type function: give an object with now\(\)"),
        ({"random": secrets}, r"random is of type module: give an object with bytes"),
    ],
    ids=named,
)
def test_a_manager_over_nothing_is_not_made(wrong: dict[str, Any], says: str) -> None:
    """Every wrong setting of a manager is InvalidConfig, which says what to give."""
    with pytest.raises(InvalidConfig, match=says):
        CredentialManager(**{"store": MemoryCredentialStore(), "secret": SECRET, **wrong})


def test_a_refresh_token_lives_no_longer_than_its_family() -> None:
    """A ttl beyond the absolute end is refused, as Sessions(…) refuses it."""
    with pytest.raises(InvalidConfig, match=r"RefreshConfig\(absolute_ttl=…\) cannot be shorter than ttl"):
        RefreshConfig(ttl=timedelta(days=30), absolute_ttl=timedelta(days=1))


@pytest.fixture(params=["memory", "sql", "sealed"])
def manager(request: pytest.FixtureRequest) -> Any:
    """A manager over each kind of store."""
    denylist = MemoryDenylist()
    stores: dict[str, Callable[[], Any]] = {
        "memory": MemoryCredentialStore,
        "sql": lambda: SqlCredentialStore("sqlite://"),
        "sealed": lambda: SealedCredentialStore(KEY, denylist=denylist),
    }
    return CredentialManager(store=stores[request.param](), secret=SECRET, denylist=denylist).blocking


@pytest.mark.parametrize("given", [None, 5, b"token", "\ud800", "\0"], ids=ascii)
def test_what_is_no_text_is_no_token(manager: Any, given: Any) -> None:
    """It is answered as any text that is none."""
    assert manager.validate(given) is None
    assert manager.revoke(given) is False
    with pytest.raises(InvalidToken):
        manager.refresh(given)


@pytest.mark.parametrize("given", [None, 5, b"token", "\ud800", "\0"], ids=ascii)
def test_what_is_no_text_is_no_token_of_an_application(given: Any) -> None:
    """S46: `decode` raises InvalidToken, `attempt` answers None, `blacklist` False."""
    pytest.importorskip("jwt", reason="the extra authcore[jwt] is not installed")
    tokens = Jwt(secret=SECRET, denylist=MemoryDenylist()).blocking

    assert (tokens.attempt(given), tokens.blacklist(given)) == (None, False)
    with pytest.raises(InvalidToken):
        tokens.decode(given)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"user_id": "u\0"}, "user_id is a text"),
        ({"user_id": "\ud800"}, "user_id is a text"),
        ({"user_id": 5}, "user_id is a text"),
        ({"device_id": 5}, "device_id is a text"),
        ({"device_id": "\0"}, "device_id is a text"),
        ({"claims": [1]}, "The claims are of type list: give a dict"),
        ({"claims": {"x": float("nan")}}, "nan is no number there"),
        ({"claims": {"x": [{"y": -INF}]}}, "-inf is no number there"),
        ({"claims": {"x": ("\0",)}}, "a text holds NUL"),
        ({"claims": {"\ud800": 1}}, "a text holds NUL or a lone surrogate"),
        ({"claims": {(1, 2): 1}}, "The claims are no JSON"),
        ({"metadata": {"ip": "192.0.2.1"}}, "metadata is a CredentialMetadata"),
    ],
    ids=named,
)
def test_what_no_store_can_keep_is_not_issued(manager: Any, wrong: dict[str, Any], says: str) -> None:
    """What one database refuses, and what JSON would change in silence, no store takes."""
    with pytest.raises(InvalidConfig, match=says):
        manager.issue(**{"user_id": "ada", **wrong})


def test_claims_too_deep_are_not_issued(manager: Any) -> None:
    """A nest of lists is refused, not a RecursionError."""
    nest: list[Any] = []
    for _ in range(5000):
        nest = [nest]

    with pytest.raises(InvalidConfig, match="nested too deeply"):
        manager.issue("ada", claims={"x": nest})


def test_an_application_s_token_says_what_it_was_given() -> None:
    """S46: a claim that JSON would turn into null is refused."""
    pytest.importorskip("jwt", reason="the extra authcore[jwt] is not installed")
    tokens = Jwt(secret=SECRET).blocking

    for wrong in ({"sub": "ada", "x": INF}, [1], None):
        with pytest.raises(InvalidConfig, match="The claims are"):
            tokens.encode(wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("given", [datetime(2031, 1, 1), None, 5], ids=str)
def test_a_denial_ends_at_a_time_with_a_zone(manager: Any, given: Any) -> None:
    """S42: a naive time is refused with a sentence."""
    with pytest.raises(InvalidConfig, match="expires_at is an aware datetime"):
        manager.deny("id", given)


@pytest.mark.parametrize("name", ["memory", "sql"])
def test_nobody_has_a_user_id_that_cannot_be_kept(name: str) -> None:
    """Such an id has no credentials, in a database that cannot even be asked for it; what is no text is refused."""
    store: Any = MemoryCredentialStore() if name == "memory" else SqlCredentialStore("sqlite://")
    manager: CredentialCalls[Any] = CredentialManager(store=store, secret=SECRET).blocking

    for nobody in ("u\0", "\ud800"):
        assert manager.list_for_user(nobody) == []
        assert manager.revoke_all_for_user(nobody) == 0
        assert manager.revoke_family(nobody, "family") == 0
    with pytest.raises(InvalidConfig, match="user_id is a text"):
        manager.list_for_user(None)  # type: ignore[arg-type]
