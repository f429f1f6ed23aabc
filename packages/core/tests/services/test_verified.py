"""Tokens verified before: a cache that forgets, expires, and never mixes two rings or two callers."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from authcore.drive import run_blocking
from authcore.services.jwt import JwtKey
from authcore.services.jwt_ring import JwtKeys
from authcore.services.verified import JwtReader, VerifiedTokens
from authcore.stores import InvalidToken, TokenExpired
from authcore.testing.ports import FrozenClock

SECRET = "correct horse battery staple, and 20 words more"


@pytest.fixture
def clock() -> FrozenClock:
    """A clock that the test moves."""
    return FrozenClock()


def test_it_holds_at_most_its_size(clock: FrozenClock) -> None:
    """Of any number of tokens at most `size` stay, the latest among them."""
    kept: VerifiedTokens[int] = VerifiedTokens(10)

    for number in range(1000):
        kept.put(f"token {number}", number, clock.now() + timedelta(hours=1))
        assert len(kept) <= 10

    assert [kept.get(f"token {number}", clock.now()) for number in (0, 989, 999)] == [None, None, 999]


def test_what_is_asked_for_stays(clock: FrozenClock) -> None:
    """A token that is used again and again is not dropped for those that came once."""
    kept: VerifiedTokens[str] = VerifiedTokens(10)
    kept.put("used", "value", clock.now() + timedelta(hours=1))

    for number in range(100):
        kept.put(f"token {number}", "once", clock.now() + timedelta(hours=1))
        assert kept.get("used", clock.now()) == "value"


def test_an_entry_ends_with_its_token(clock: FrozenClock) -> None:
    """Expiry is judged at each hit, by the clock that is given."""
    kept: VerifiedTokens[str] = VerifiedTokens()
    kept.put("token", "value", clock.now() + timedelta(seconds=5))

    assert kept.get("token", clock.now() + timedelta(seconds=4, microseconds=999_999)) == "value"
    assert kept.get("token", clock.now() + timedelta(seconds=5)) is None
    assert kept.get("token\ud800", clock.now()) is None


jwt = pytest.importorskip("jwt", reason="the extra authcore[jwt] is not installed")


class Source:
    """A KeySource whose ring the test changes; `stale` has to be asked for."""

    def __init__(self, ring: JwtKeys) -> None:
        self.now_known = ring
        self.after: JwtKeys | None = None
        self.stale = False
        self.asked = 0

    def known(self, now: datetime) -> JwtKeys | None:
        """Answer the ring, unless it is stale."""
        return None if self.stale else self.now_known

    async def ring(self) -> JwtKeys:
        """Answer the ring."""
        return self.now_known

    async def renewed(self) -> JwtKeys | None:
        """Answer what came after."""
        self.asked += 1
        if self.after is not None:
            self.now_known = self.after
        return self.after


def reader(source: Any, clock: FrozenClock, **more: Any) -> JwtReader:
    """A reader of access tokens."""
    return JwtReader(source, **{"typ": "at+jwt", "issuer": "me", "audience": "me", "clock": clock, **more})


def token(ring: JwtKeys, clock: FrozenClock, **more: Any) -> str:
    """A token that lives for a minute."""
    at = int(clock.now().timestamp())
    claims = {"iss": "me", "aud": "me", "sub": "ada", "jti": "one", "iat": at, "exp": at + 60, "roles": ["reader"]}
    return ring.sign({**claims, **more}, typ="at+jwt")


def test_a_token_is_verified_once(clock: FrozenClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second time no signature is computed; the claims are the same, and each caller's own."""
    ring = JwtKeys([JwtKey.secret(SECRET)])
    read, text, verified = reader(ring, clock), token(ring, clock), []
    real = ring.open
    monkeypatch.setattr(ring, "open", lambda given: verified.append(given) or real(given))

    first = run_blocking(read.read(text))
    first["roles"].append("admin")
    again = run_blocking(read.read(text))

    assert verified == [text]
    assert again["roles"] == ["reader"]
    assert read.known(text, clock.now()) == again


def test_what_was_never_verified_is_not_known(clock: FrozenClock) -> None:
    """`known` verifies nothing: it answers None, for a right token too."""
    ring = JwtKeys([JwtKey.secret(SECRET)])

    assert reader(ring, clock).known(token(ring, clock), clock.now()) is None


@pytest.mark.parametrize("leeway", [0, 5])
def test_a_known_token_expires_to_the_second(clock: FrozenClock, leeway: int) -> None:
    """S55: also what is in the cache ends at `exp`, and leeway counts there as well."""
    ring = JwtKeys([JwtKey.secret(SECRET)])
    read, text = reader(ring, clock, leeway=leeway), token(ring, clock)
    run_blocking(read.read(text))

    clock.advance(60 + leeway - 0.001)
    assert run_blocking(read.read(text))["sub"] == "ada"
    clock.advance(0.001)
    with pytest.raises(TokenExpired):
        run_blocking(read.read(text))


def test_another_spelling_is_another_token(clock: FrozenClock) -> None:
    """T3: what differs in one character was not verified before, whatever decoders make of it."""
    ring = JwtKeys([JwtKey.secret(SECRET)])
    read, text = reader(ring, clock), token(ring, clock)
    run_blocking(read.read(text))

    for other in (text + "=", text + " ", text[:-1] + ("A" if text[-1] != "A" else "B")):
        with pytest.raises(InvalidToken):
            run_blocking(read.read(other))


@pytest.mark.parametrize("differs", [{"typ": "rt+jwt"}, {"issuer": "you"}, {"audience": "you"}])
def test_a_reader_knows_only_its_own(clock: FrozenClock, differs: dict[str, str]) -> None:
    """T5: a token that one reader has verified is refused by a reader of another kind, issuer or audience."""
    ring = JwtKeys([JwtKey.secret(SECRET)])
    text = token(ring, clock)
    run_blocking(reader(ring, clock).read(text))

    other = reader(ring, clock, **differs)

    for _ in range(2):
        with pytest.raises(InvalidToken):
            run_blocking(other.read(text))


def test_when_a_key_goes_what_it_signed_is_forgotten(clock: FrozenClock) -> None:
    """O4: a cached token does not outlive the key that signed it."""
    old, new = JwtKey.secret(SECRET), JwtKey.secret(SECRET[::-1])
    source = Source(JwtKeys([old]))
    read, text = reader(source, clock), token(source.now_known, clock)
    run_blocking(read.read(text))

    source.now_known = JwtKeys([new])

    assert read.known(text, clock.now()) is None
    with pytest.raises(InvalidToken):
        run_blocking(read.read(text))


def test_an_unknown_key_is_looked_for_once(clock: FrozenClock) -> None:
    """A token by a key that another node has just made is read after one look; a made-up kid is refused after one."""
    old, new = JwtKey.secret(SECRET), JwtKey.secret(SECRET[::-1])
    source = Source(JwtKeys([old]))
    read, text = reader(source, clock), token(JwtKeys([new]), clock)
    with pytest.raises(InvalidToken):
        run_blocking(read.read(text))

    source.after = JwtKeys([new, old])

    assert run_blocking(read.read(text))["sub"] == "ada"
    assert source.asked == 2


def test_a_stale_ring_is_asked_for(clock: FrozenClock) -> None:
    """`known` answers nothing over a ring that may have changed; `read` asks for it."""
    source = Source(JwtKeys([JwtKey.secret(SECRET)]))
    read, text = reader(source, clock), token(source.now_known, clock)
    run_blocking(read.read(text))

    source.stale = True

    assert read.known(text, clock.now()) is None
    assert run_blocking(read.read(text))["sub"] == "ada"
