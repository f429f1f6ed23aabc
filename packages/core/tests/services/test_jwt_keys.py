"""Keys and rings of JSON Web Tokens: what is signed, what is read, and all that is refused (rules T3, T4)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from authcore.errors import ConfigurationError
from authcore.services.jwt import _ORDERS, ALGORITHMS, MAX_TOKEN, JwtKey, make_private_key
from authcore.services.jwt_ring import JwtKeys, UnknownKey, keys_of
from authcore.services.keys import KeyRing
from authcore.stores import InvalidConfig, InvalidToken, TokenExpired

jwt = pytest.importorskip("jwt", reason="the extra authcore[jwt] is not installed")

NOW = datetime(2030, 1, 1, tzinfo=UTC)
AT = int(NOW.timestamp())
SECRET = "correct horse battery staple, and 20 words more: 0123456789abcdef"
EXPECTED = {"typ": "at+jwt", "issuer": "https://example.com", "audience": "api", "now": NOW}
CLAIMS = {"iss": "https://example.com", "aud": "api", "sub": "ada", "jti": "one", "iat": AT, "exp": AT + 900}
PRIVATE = sorted(algorithm for algorithm in ALGORITHMS if not algorithm.startswith("HS"))


@cache
def key(algorithm: str) -> JwtKey:
    """One key of each algorithm for the whole file: RSA takes its time."""
    return (
        JwtKey.secret(SECRET, algorithm)
        if algorithm.startswith("HS")
        else JwtKey.private(private(algorithm), algorithm)
    )


@cache
def private(algorithm: str) -> Any:
    """A private key of each family."""
    return private("RS256") if algorithm[:2] in ("RS", "PS") and algorithm != "RS256" else make_private_key(algorithm)


def pem(private_key: Any) -> str:
    """The private half as PEM."""
    return private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def public_pem(private_key: Any) -> str:
    """The public half as PEM."""
    return private_key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def b64(raw: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    """The bytes of base64url without padding."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def forged(header: str | bytes | dict[str, Any], payload: str | bytes | dict[str, Any] | None = None) -> str:
    """A token with a right HS256 signature over any header and payload at all."""
    parts = [
        b64(part if isinstance(part, bytes) else (part if isinstance(part, str) else json.dumps(part)).encode())
        for part in (header, CLAIMS if payload is None else payload)
    ]
    message = ".".join(parts)
    return f"{message}.{b64(hmac.digest(SECRET.encode(), message.encode(), 'sha256'))}"


def head(**more: Any) -> dict[str, Any]:
    """The header of the ring below, changed."""
    return {"alg": "HS256", "kid": RING.signer.kid, "typ": "at+jwt", **more}


RING = JwtKeys([key("HS256")])


def refused(token: Any, ring: JwtKeys = RING) -> bool:
    """Tell whether a ring refuses a token, by the one error."""
    try:
        ring.verify(token, **EXPECTED)
    except InvalidToken:
        return True
    return False


# --- signing and reading ---


@pytest.mark.parametrize("algorithm", sorted(ALGORITHMS))
def test_every_algorithm_signs_and_verifies(algorithm: str) -> None:
    """S55, T4: a token of each algorithm is read again, and its header names key, algorithm and kind."""
    ring = JwtKeys([key(algorithm)])

    token = ring.sign(CLAIMS, typ="at+jwt")

    assert ring.verify(token, **EXPECTED) == CLAIMS
    assert jwt.get_unverified_header(token) == {"alg": algorithm, "kid": ring.signer.kid, "typ": "at+jwt"}


@pytest.mark.parametrize("algorithm", PRIVATE)
def test_another_library_reads_them(algorithm: str) -> None:
    """S55: who has the public key verifies without authcore."""
    token = JwtKeys([key(algorithm)]).sign(CLAIMS, typ="at+jwt")

    read = jwt.decode(
        token,
        public_pem(private(algorithm)),
        [algorithm],
        audience="api",
        options={"verify_exp": False, "verify_iat": False},
    )

    assert read == CLAIMS


@pytest.mark.parametrize("algorithm", PRIVATE)
def test_a_public_key_verifies_and_does_not_sign(algorithm: str) -> None:
    """S55: a public key, as PEM, reads what the private one signed; to sign with it is a sentence."""
    ring = JwtKeys([JwtKey.public(public_pem(private(algorithm)), algorithm)])

    token = JwtKeys([key(algorithm)]).sign(CLAIMS, typ="at+jwt")

    assert ring.verify(token, **EXPECTED) == CLAIMS
    with pytest.raises(InvalidConfig, match="private_key"):
        ring.sign(CLAIMS, typ="at+jwt")


@pytest.mark.parametrize("how", ["text", "bytes", "object", "encrypted"])
def test_private_keys_come_as_pem_or_as_objects(how: str) -> None:
    """S55: a private key is PEM text or bytes, with its password, or an object of `cryptography`."""
    from cryptography.hazmat.primitives.serialization import BestAvailableEncryption

    made = private("ES256")
    sealed = made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"open sesame"))
    given_as = {"text": pem(made), "bytes": pem(made).encode(), "object": made, "encrypted": sealed}

    read = JwtKey.private(given_as[how], password=b"open sesame" if how == "encrypted" else None)

    assert read.kid == key("ES256").kid
    assert JwtKeys([read]).verify(JwtKeys([key("ES256")]).sign(CLAIMS, typ="at+jwt"), **EXPECTED) == CLAIMS


def test_the_claims_are_a_dict_of_the_callers_own() -> None:
    """What one caller does to the claims, the next does not see."""
    token = RING.sign({**CLAIMS, "roles": ["reader"]}, typ="at+jwt")

    RING.verify(token, **EXPECTED)["roles"].append("admin")

    assert RING.verify(token, **EXPECTED)["roles"] == ["reader"]


# --- keys that are refused ---


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: JwtKey.secret("short"), "asks for 32"),
        (lambda: JwtKey.secret(b"0123456789" * 3), "asks for 32"),
        (lambda: JwtKey.secret(SECRET[:40], "HS384"), "asks for 48"),
        (lambda: JwtKey.secret(SECRET[:63], "HS512"), "asks for 64"),
        (lambda: JwtKey.secret("ab" * 32), "repeats"),
        (lambda: JwtKey.secret(SECRET, "RS256"), "private_key"),
        (lambda: JwtKey.secret(SECRET, "none"), "write one of|has no secret"),
        (lambda: JwtKey.secret(5), "text or bytes"),
        (lambda: JwtKey.secret(public_pem(private("RS256"))), "PEM is for"),
        (lambda: JwtKey.private(rsa.generate_private_key(65537, 2048), "RS256"), "at least 3072"),
        (lambda: JwtKey.public(rsa.generate_private_key(65537, 2048).public_key(), "PS256"), "at least 3072"),
        (lambda: JwtKey.private(private("ES256"), "ES384"), "secp384r1"),
        (lambda: JwtKey.private(ec.generate_private_key(ec.SECP256K1()), "ES256"), "secp256r1"),
        (lambda: JwtKey.private(private("ES256"), "RS256"), "RSA"),
        (lambda: JwtKey.private(private("RS256"), "EdDSA"), "Ed25519"),
        (lambda: JwtKey.private(private("ES256"), "HS256"), "secret"),
        (lambda: JwtKey.private(private("ES256"), "none"), "write one of"),
        (lambda: JwtKey.private("no key at all", "ES256"), "-----BEGIN"),
        (lambda: JwtKey.private(public_pem(private("ES256")), "ES256"), "-----BEGIN"),
        (lambda: JwtKey.public(pem(private("ES256")), "ES256"), "-----BEGIN"),
        (lambda: JwtKey.private(7, "ES256"), "no private key"),
        (lambda: JwtKey.private(private("ES256"), kid="a b"), "kid"),
        (lambda: make_private_key("HS256"), "no private key"),
        (lambda: JwtKeys([]), "no key"),
        (lambda: JwtKeys([key("HS256"), key("HS256")]), "same kid"),
        (lambda: JwtKeys([key("HS256")], signer="other"), "signer"),
        (lambda: JwtKeys.of(KeyRing([SECRET]), "x", "ES256"), "HS256"),
        (lambda: keys_of("x"), "Give one of"),
        (lambda: keys_of("x", secret=SECRET, private_key=private("ES256")), "Give one of"),
        (lambda: keys_of("x", secret=[]), "no key"),
        (lambda: keys_of("x", private_key=private("ES256")), "secret"),
        (
            lambda: keys_of(
                "x",
                private_key=private("ES256"),
                public_key=make_private_key("ES256").public_key(),
                algorithm="ES256",
            ),
            "public half",
        ),
    ],
)
def test_missing_and_weak_keys_are_refused_with_a_sentence(make: Callable[[], Any], says: str) -> None:
    """S55, T4: it refuses to start, as `invalid_config`, and says what to write."""
    with pytest.raises(InvalidConfig, match=says) as raised:
        make()

    assert raised.value.code == "invalid_config"
    assert isinstance(raised.value, ConfigurationError)
    assert SECRET[:20] not in str(raised.value)


def test_a_key_shows_nothing_of_itself() -> None:
    """O3: neither the secret nor a number of the private key stands in a repr."""
    assert repr(key("HS256")) == f"JwtKey(kid={key('HS256').kid!r}, algorithm='HS256', signs=True)"
    assert SECRET not in repr(vars(JwtKeys([key("HS256")])))


# --- algorithms and headers ---


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
def test_a_public_key_is_no_secret(algorithm: str) -> None:
    """T4: HS256 with the public key as the secret, the classic confusion, is refused; so is a header without alg."""
    ring = JwtKeys([key(algorithm)])
    for secret in (public_pem(private(algorithm)).encode(), public_pem(private(algorithm)).strip().encode()):
        for alg in ("HS256", "hs256", algorithm, None):
            header = {"alg": alg, "kid": ring.signer.kid, "typ": "at+jwt"}
            message = f"{b64(json.dumps(header).encode())}.{b64(json.dumps(CLAIMS).encode())}"
            assert refused(f"{message}.{b64(hmac.digest(secret, message.encode(), 'sha256'))}", ring)


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "", None, "HS384", "HS512", "RS256", ["HS256"], 256])
def test_the_key_has_the_algorithm(alg: Any) -> None:
    """T4: whatever the header asks for, even under a right signature, only the key's own algorithm is read."""
    assert refused(forged(head(alg=alg)))
    assert refused(forged(head(alg=alg)).rpartition(".")[0] + ".")
    assert not refused(forged(head()))


@pytest.mark.parametrize(
    "kid", ["", None, "other", "../../etc/passwd", "' OR 1=1 --", 7, ["HS256"], "\u0000", "x" * 300]
)
def test_kid_is_opaque(kid: Any) -> None:
    """T4: a kid names a key of the ring or none; nothing is looked up by it."""
    assert refused(forged(head(kid=kid)))
    assert refused(forged({name: value for name, value in head().items() if name != "kid"}))


def test_an_unknown_kid_is_told_apart_for_who_may_have_missed_a_key() -> None:
    """A ring that is read from elsewhere learns from UnknownKey that it is to look again; the code is the same."""
    with pytest.raises(UnknownKey) as raised:
        RING.verify(forged(head(kid="other")), **EXPECTED)

    assert raised.value.code == "invalid_token"


def test_the_key_of_another_kid_does_not_verify() -> None:
    """T4: of two keys of one algorithm, the one that the header names decides."""
    other = JwtKey.secret(SECRET[::-1], kid="second")
    ring = JwtKeys([key("HS256"), other])

    token = JwtKeys([JwtKey.secret(SECRET[::-1], kid=key("HS256").kid)]).sign(CLAIMS, typ="at+jwt")

    assert refused(token, ring)


@pytest.mark.parametrize(
    "more",
    [
        {"jwk": {"kty": "oct", "k": b64(b"a secret of the attacker's own, 32 bytes")}},
        {"jku": "https://evil.example/jwks.json"},
        {"x5u": "https://evil.example/cert.pem"},
        {"x5c": ["MIIB"]},
    ],
)
def test_keys_that_a_token_brings_are_never_read(more: dict[str, Any]) -> None:
    """T4: `jwk`, `jku`, `x5u` and `x5c` change nothing: the ring's key decides, and the attacker's does not."""
    attacker = b"a secret of the attacker's own, 32 bytes"
    message = f"{b64(json.dumps(head(**more)).encode())}.{b64(json.dumps(CLAIMS).encode())}"

    assert refused(f"{message}.{b64(hmac.digest(attacker, message.encode(), 'sha256'))}")
    assert not refused(forged(head(**more)))


@pytest.mark.parametrize("more", [{"crit": ["exp"]}, {"crit": []}, {"crit": None}, {"b64": False}, {"b64": True}])
def test_what_is_critical_is_not_understood(more: dict[str, Any]) -> None:
    """RFC 7515 4.1.11: a header with critical extensions is refused, rightly signed or not."""
    assert refused(forged(head(**more)))


@pytest.mark.parametrize("typ", ["JWT", "rt+jwt", "AT+JWT", "application/at+jwt", "", None, 1, "at+jwt "])
def test_typ_is_exact(typ: Any) -> None:
    """T4, T5: a token of another kind opens nothing, however close its name is."""
    assert refused(forged(head(typ=typ)))


@pytest.mark.parametrize(
    "header",
    [
        '{"alg":"none","alg":"HS256","kid":"KID","typ":"at+jwt"}',
        '{"alg":"HS256","kid":"KID","typ":"rt+jwt","typ":"at+jwt"}',
        '["HS256"]',
        "null",
        "not json",
        '{"alg":"HS256","kid":"KID","typ":"at+jwt"',
        '{"alg":"HS256","kid":"KID","typ":"at+jwt","n":NaN}',
        "[" * 5000,
    ],
)
def test_headers_that_parsers_read_differently_are_refused(header: str) -> None:
    """T3: a name twice, or no JSON object, is refused under a right signature too."""
    assert refused(forged(header.replace("KID", RING.signer.kid)))


def test_a_header_in_another_order_is_read() -> None:
    """Other signers order their headers as they like; the signature covers what they wrote."""
    assert (
        RING.verify(forged(json.dumps({"typ": "at+jwt", "kid": RING.signer.kid, "alg": "HS256"})), **EXPECTED) == CLAIMS
    )


def test_headers_are_remembered_only_of_who_has_the_key() -> None:
    """A stranger's headers fill no memory."""
    ring = JwtKeys([key("HS256")])
    for number in range(1000):
        refused(forged(head(n=number))[:-2] + "AA", ring)

    assert ring._heads == {}


# --- claims and times ---


@pytest.mark.parametrize("name", ["exp", "iat", "jti", "sub", "iss", "aud"])
def test_each_of_the_six_claims_is_required(name: str) -> None:
    """T4: without one of `exp iat jti sub iss aud` a rightly signed token is none."""
    assert refused(forged(head(), {claim: value for claim, value in CLAIMS.items() if claim != name}))
    assert refused(forged(head(), {**CLAIMS, name: None}))


@pytest.mark.parametrize(
    "wrong",
    [
        {"exp": AT + 900.0},
        {"exp": str(AT + 900)},
        {"exp": True},
        {"exp": -1},
        {"exp": 10**30},
        {"exp": 1e300},
        {"iat": AT + 0.5},
        {"iat": False},
        {"iat": str(AT)},
        {"iat": AT + 61},
        {"nbf": AT + 1},
        {"nbf": "0"},
        {"nbf": None},
        {"jti": ""},
        {"jti": 7},
        {"sub": ""},
        {"sub": 7},
        {"iss": "https://example.com/"},
        {"iss": ["https://example.com"]},
        {"aud": "other"},
        {"aud": ["other"]},
        {"aud": []},
        {"aud": {"api": 1}},
    ],
)
def test_claims_of_another_kind_are_refused(wrong: dict[str, Any]) -> None:
    """T4: times are integers, ids are texts, issuer and audience are exact."""
    assert refused(forged(head(), {**CLAIMS, **wrong}))


@pytest.mark.parametrize("right", [{"aud": ["other", "api"]}, {"nbf": AT}, {"iat": AT + 60}, {"iat": 0}])
def test_what_the_standard_allows_is_read(right: dict[str, Any]) -> None:
    """RFC 7519: several audiences, `nbf`, and a clock that is a little ahead."""
    assert RING.verify(forged(head(), {**CLAIMS, **right}), **EXPECTED) == {**CLAIMS, **right}


@pytest.mark.parametrize(
    "payload",
    [
        json.dumps(CLAIMS)[:-1] + ',"sub":"eve"}',
        "[]",
        '"text"',
        "",
        "{",
        b"\xff\xfe",
        '{"a":' * 40 + "1" + "}" * 40,
    ],
)
def test_payloads_that_parsers_read_differently_are_refused(payload: str | bytes) -> None:
    """T3: a claim twice, or no JSON object, is refused under a right signature too."""
    assert refused(forged(head(), payload))


@pytest.mark.parametrize("leeway", [0, 5])
def test_a_token_ends_at_its_second(leeway: int) -> None:
    """S55: by the injected clock it lives until `exp`, and not at it; leeway moves that by its seconds."""
    token = RING.sign({**CLAIMS, "exp": AT + 10}, typ="at+jwt")
    end = NOW + timedelta(seconds=10 + leeway)

    assert RING.verify(token, **{**EXPECTED, "now": end - timedelta(microseconds=1)}, leeway=leeway)
    with pytest.raises(TokenExpired):
        RING.verify(token, **{**EXPECTED, "now": end}, leeway=leeway)


def test_signatures_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """S31, O4: a wrong HMAC is told by `hmac.compare_digest`, whose time says nothing of where it differs."""
    compared: list[tuple[bytes, bytes]] = []
    real = hmac.compare_digest
    monkeypatch.setattr(hmac, "compare_digest", lambda one, two: compared.append((one, two)) or real(one, two))
    token = RING.sign(CLAIMS, typ="at+jwt")
    wrong = token.rpartition(".")[0] + "." + b64(bytes(32))

    assert refused(wrong)

    assert [bytes(32) in pair for pair in compared] == [True]


# --- one spelling ---


@pytest.mark.parametrize(
    "other",
    [
        lambda token: token + "=",
        lambda token: token + "\n",
        lambda token: " " + token,
        lambda token: token.replace(".", " .", 1),
        lambda token: token.replace(".", "..", 1),
        lambda token: token + ".",
        lambda token: token.rpartition(".")[0],
        lambda token: token.rpartition(".")[0] + ".",
        lambda token: token[:-1],
        lambda token: token + "A",
        lambda token: "",
        lambda token: ".",
        lambda token: "..",
        lambda token: token.encode(),
        lambda token: None,
        lambda token: 7,
        lambda token: token[:-1] + "é",
        lambda token: token + "\ud800",
        lambda token: token * 40,
        lambda token: "a" * 100_000,
    ],
)
def test_no_other_spelling_is_read(other: Callable[[str], Any]) -> None:
    """T3: padding, white space, a part more or less, and what is no text at all are refused."""
    assert refused(other(RING.sign(CLAIMS, typ="at+jwt")))


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512", "RS256", "PS256", "ES256", "ES512", "EdDSA"])
def test_the_spare_bits_of_the_last_character_are_zero(algorithm: str) -> None:
    """T3: base64url decoders drop the last bits of a signature; here each of its other spellings is refused."""
    ring = JwtKeys([key(algorithm)])
    token = ring.sign(CLAIMS, typ="at+jwt")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

    read = [last for last in alphabet if not refused(token[:-1] + last, ring)]

    assert read == [token[-1]]


@pytest.mark.parametrize("algorithm", ["HS256", "ES256", "ES384", "ES512", "EdDSA"])
def test_no_changed_character_is_accepted(algorithm: str) -> None:
    """T3: whatever character is put in another's place, the token is refused."""
    ring = JwtKeys([key(algorithm)])
    token = ring.sign(CLAIMS, typ="at+jwt")

    @settings(max_examples=150, deadline=None)
    @given(place=st.integers(0, len(token) - 1), char=st.sampled_from("AQgwBZaz09-_.=+/ \n\u00e9"))
    def check(place: int, char: str) -> None:
        changed = token[:place] + char + token[place + 1 :]
        assert changed == token or refused(changed, ring)

    check()


@pytest.mark.parametrize("algorithm", ["ES256", "ES384", "ES512"])
def test_the_twin_of_an_ecdsa_signature_is_refused_where_it_was_signed(algorithm: str) -> None:
    """T3: (r, order - s) is as right as (r, s): who signs makes the lower one and reads no other."""
    # A wrong order would make wrong twins, which the public key below refuses.
    ring, order = JwtKeys([key(algorithm)]), _ORDERS[algorithm]

    for number in range(8):
        token = ring.sign({**CLAIMS, "jti": str(number)}, typ="at+jwt")
        message, _, tag = token.rpartition(".")
        raw = unb64(tag)
        half = len(raw) // 2
        twin = b64(raw[:half] + (order - int.from_bytes(raw[half:], "big")).to_bytes(half, "big"))

        assert int.from_bytes(raw[half:], "big") * 2 < order
        assert refused(f"{message}.{twin}", ring)
        # The twin is a right signature: a reader with the public key alone takes both, by one jti.
        public = JwtKeys([JwtKey.public(public_pem(private(algorithm)), algorithm)])
        assert public.verify(f"{message}.{twin}", **EXPECTED)["jti"] == str(number)


def test_a_token_that_nobody_would_carry_is_not_made() -> None:
    """Servers cut long headers: what would be longer than they carry is a sentence when it is signed."""
    with pytest.raises(InvalidConfig, match=str(MAX_TOKEN)):
        RING.sign({**CLAIMS, "much": "x" * MAX_TOKEN}, typ="at+jwt")
    with pytest.raises(InvalidConfig, match="no JSON"):
        RING.sign({**CLAIMS, "odd": object()}, typ="at+jwt")


# --- rings ---


def test_the_first_signs_and_all_verify() -> None:
    """S33: a ring of [new, old] signs with the first and reads both; without the old one its tokens are none."""
    old, new = JwtKey.secret(SECRET), JwtKey.secret(SECRET[::-1])
    before = JwtKeys([old]).sign(CLAIMS, typ="at+jwt")

    ring = JwtKeys([new, old])

    assert ring.verify(before, **EXPECTED) == CLAIMS
    assert jwt.get_unverified_header(ring.sign(CLAIMS, typ="at+jwt"))["kid"] == new.kid
    assert refused(before, JwtKeys([new]))


def test_keys_of_several_algorithms_stand_in_one_ring() -> None:
    """A ring may change its algorithm: each key is read by its own, and no other's."""
    ring = JwtKeys([key("EdDSA"), key("ES256"), key("HS256"), key("RS256")])

    for algorithm in ("EdDSA", "ES256", "HS256", "RS256"):
        assert ring.verify(JwtKeys([key(algorithm)]).sign(CLAIMS, typ="at+jwt"), **EXPECTED) == CLAIMS


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_the_applications_secret_makes_a_ring(algorithm: str) -> None:
    """S33, O4: `secret=[new, old]` rotates tokens; keys differ by purpose, and are not the secret itself."""
    old, both = (
        KeyRing(["an old secret of an application"]),
        KeyRing(["a new secret of an application", "an old secret of an application"]),
    )
    before = JwtKeys.of(old, "sessions", algorithm).sign(CLAIMS, typ="at+jwt")

    ring = JwtKeys.of(both, "sessions", algorithm)

    assert ring.verify(before, **EXPECTED) == CLAIMS
    assert ring.kids == frozenset(both.ids())
    assert ring.signer.kid == both.ids()[0]
    assert refused(before, JwtKeys.of(both, "credentials", algorithm))
    raw = hmac.digest(b"an old secret of an application", before.rpartition(".")[0].encode(), hashlib.sha256)
    assert b64(raw) != before.rpartition(".")[2]


# --- the public document ---


def test_the_document_has_public_keys_alone() -> None:
    """RFC 7517: one JWK for each pair, with its kid and algorithm; of secrets and private halves nothing."""
    ring = JwtKeys([key(algorithm) for algorithm in ("HS256", "RS256", "ES256", "ES384", "ES512", "EdDSA")])

    keys = ring.jwks()["keys"]

    assert [each["alg"] for each in keys] == ["RS256", "ES256", "ES384", "ES512", "EdDSA"]
    assert {each["use"] for each in keys} == {"sig"}
    assert {name for each in keys for name in each} == {"kty", "kid", "use", "alg", "n", "e", "crv", "x", "y"}
    assert SECRET not in json.dumps(keys)


@pytest.mark.parametrize("algorithm", ["RS256", "PS512", "ES256", "ES384", "ES512", "EdDSA"])
def test_an_independent_reader_verifies_by_the_document(algorithm: str) -> None:
    """RFC 7517, 7518, 8037: PyJWT's own reader of JWK sets finds the key by its kid and verifies with it."""
    ring = JwtKeys([key(algorithm)])
    token = ring.sign(CLAIMS, typ="at+jwt")

    found = jwt.PyJWKSet.from_dict(ring.jwks())[jwt.get_unverified_header(token)["kid"]]
    read = jwt.decode(token, found, [algorithm], audience="api", options={"verify_exp": False, "verify_iat": False})

    assert read == CLAIMS


def test_coordinates_are_whole_octets() -> None:
    """RFC 7518 6.2.1.2: a coordinate that begins with zeros keeps them."""
    sizes = {"ES256": 32, "ES384": 48, "ES512": 66}
    for algorithm, size in sizes.items():
        for _ in range(100):
            found = JwtKey.make(algorithm).jwk()
            assert found is not None
            assert (len(unb64(found["x"])), len(unb64(found["y"]))) == (size, size)


def test_the_kid_of_a_pair_is_its_thumbprint() -> None:
    """RFC 7638: every node names a pair alike, without being told."""
    found = key("ES256").jwk()
    assert found is not None
    members = json.dumps({name: found[name] for name in ("crv", "kty", "x", "y")}, separators=(",", ":"))

    assert found["kid"] == b64(hashlib.sha256(members.encode()).digest())
    assert re.fullmatch(r"[0-9a-f]{16}", key("HS256").kid)
    assert key("HS256").kid not in hashlib.sha256(SECRET.encode()).hexdigest()
