"""Rule A2: an address without an account costs what one with an account costs, whenever its digest was stored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import argon2
import pytest

from authcore import Account, Auth, Password, SignedIn
from authcore.backends.argon2 import CHEAP, HashParameters
from authcore.errors import InvalidCredentials
from authcore.features.password import decoys, flow, store
from authcore.services import accounts, admission, passwords
from authcore.testing.ports import FrozenClock

OLD, PRESENT = CHEAP, replace(CHEAP, memory_kib=64, time_cost=2)
PASSWORD = "three quiet herons wade"
NAMES = ("ada", "bea", "carl", "dora", "emil", "fay", "gus", "hedy", "ida", "jo", "kay", "lise", "max", "nora", "otto")
NAMES += ("pia", "quinn", "rosa", "sam", "tove", "ulf", "vera", "willa")


@contextmanager
def costs(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Collect the memory, in KiB, of every digest that is compared."""
    seen: list[int] = []
    real = flow._verify

    async def watched(ctx: Any, digest: str | None, decoy: str, password: str) -> Any:
        seen.append(argon2.extract_parameters(digest or decoy).memory_cost)
        return await real(ctx, digest, decoy, password)

    with monkeypatch.context() as patch:
        patch.setattr(flow, "_verify", watched)
        yield seen


def stored(cost: HashParameters, number: int) -> str:
    """Answer a digest of some cost, which is nobody else's."""
    return cost.encode(number.to_bytes(16, "big"), bytes(32))


def refused(made: Auth, email: str) -> None:
    """Fail to sign in."""
    with pytest.raises(InvalidCredentials):
        made.blocking.password.sign_in(email=email, password="four loud herons wade")


def fill(world: Any, number: int, digest: Callable[[int], str], *, names: Sequence[str] = ("user",)) -> None:
    """Store users with passwords."""
    for each in range(number):
        email = f"{names[each % len(names)]}{each:04}@example.com"
        new = world.run(admission.new_user(world.ctx(), way="administration", email=email, verified=True))
        assert world.write(store.register, new, digest(each), None, ())


def test_after_the_parameters_changed_nobody_is_told_by_the_cost(
    auth: Callable[..., Auth], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A2: where every stored digest has earlier parameters, an unknown address is compared at those too."""
    before = auth(Password(require_code=False), hashing=OLD, limits=False)
    for number in range(3):
        before.blocking.password.sign_up(email=f"known{number}@example.com", password=PASSWORD)
    after = auth(hashing=PRESENT, limits=False)

    with costs(monkeypatch) as seen:
        for number in range(3):
            refused(after, f"known{number}@example.com")
            refused(after, f"unknown{number}@example.com")

    assert seen == [OLD.memory_kib] * 6


def test_for_an_address_without_an_account_as_many_rows_are_read(
    auth: Callable[..., Auth], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A2: a row that is not there is read faster than one that is, so somebody else's is."""
    made = auth(Password(require_code=False), limits=False)
    made.blocking.password.sign_up(email="ada@example.com", password=PASSWORD)
    rows: list[str] = []
    real = accounts.account_of
    monkeypatch.setattr(accounts, "account_of", lambda row, shape: (rows.append(row.email), real(row, shape))[1])

    refused(made, "ada@example.com")
    refused(made, "nobody@example.com")

    assert rows == ["ada@example.com"] * 2


def test_the_row_that_stands_in_opens_nothing(auth: Callable[..., Auth]) -> None:
    """The password of whoever's row is read for a name that nobody has signs nobody in, and forgets no failures."""
    made = auth(Password(require_code=False), Account(username=True), limits=False)
    made.blocking.password.sign_up(email="ada@example.com", password=PASSWORD)
    refused(made, "ada@example.com")

    for name in ({"email": "nobody@example.com"}, {"username": "nobody"}):
        with pytest.raises(InvalidCredentials):
            made.blocking.password.sign_in(password=PASSWORD, **name)

    assert not made.blocking.password.unlock(email="other@example.com")
    assert made.blocking.password.unlock(email="nobody@example.com")
    assert made.blocking.password.unlock(email="ada@example.com")


def test_a_mixture_is_matched_in_its_proportions(
    auth: Callable[..., Auth], inside: Callable[[Auth], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A2: where a part of the digests is of earlier days, so is that part of what stands in, whatever came first."""
    made = auth(hashing=PRESENT, limits=False, key_value="memory")
    fill(inside(made), 120, lambda n: stored(OLD if n % 2 else PRESENT, n), names=NAMES)

    with costs(monkeypatch) as seen:
        for number in range(120):
            refused(made, f"nobody{number}@example.com")

    shares = Counter(seen)
    assert set(shares) == {OLD.memory_kib, PRESENT.memory_kib}
    assert 0.25 < shares[OLD.memory_kib] / 120 < 0.75


def test_an_address_keeps_its_cost(
    auth: Callable[..., Auth], inside: Callable[[Auth], Any], clock: FrozenClock
) -> None:
    """A2: asked again, also later and by another process, an address costs the same: else it would be no account's."""
    one, other = inside(auth(hashing=PRESENT)), inside(auth(hashing=PRESENT))
    fill(one, 40, lambda number: stored(PRESENT if number % 2 else OLD, number))

    def cost(world: Any, number: int) -> Any:
        return argon2.extract_parameters(world.run(decoys.choose(world.ctx(), f"nobody{number}@example.com")))

    first = [cost(one, number) for number in range(40)]
    clock.advance(decoys.KEEP.total_seconds() + 1)
    later, elsewhere = [cost(one, number) for number in range(40)], [cost(other, number) for number in range(40)]

    assert len(set(map(str, first))) == 2
    assert first == later == elsewhere


def test_a_sample_serves_many_sign_ins(
    auth: Callable[..., Auth], clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store is asked once in five minutes, whoever asks, with an account and without."""
    made = auth(Password(require_code=False), limits=False)
    made.blocking.password.sign_up(email="ada@example.com", password=PASSWORD)
    asked: list[str] = []
    real = decoys.stored
    monkeypatch.setattr(decoys, "stored", lambda tx, tenant: (asked.append(tenant), real(tx, tenant))[1])

    for _ in range(3):
        refused(made, "ada@example.com")
        refused(made, "nobody@example.com")
    at_first = list(asked)
    clock.advance(decoys.KEEP.total_seconds())
    refused(made, "ada@example.com")

    assert at_first == ["default"]
    assert asked == ["default"] * 2


def test_without_any_stored_digest_the_present_cost_stands_in(
    auth: Callable[..., Auth], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A2: the first address that is ever tried costs what a password would that is stored here."""
    made = auth(hashing=PRESENT)

    with costs(monkeypatch) as seen:
        refused(made, "nobody@example.com")

    assert seen == [PRESENT.memory_kib]


def test_another_tenants_digests_are_no_model(auth: Callable[..., Auth], inside: Callable[[Auth], Any]) -> None:
    """A2: tenants may have come at different times, so each has a sample of its own."""
    world = inside(auth(hashing=PRESENT))
    fill(world, 3, lambda number: stored(OLD, number))

    here, there = (
        argon2.extract_parameters(world.run(decoys.choose(world.ctx(tenant=tenant), "nobody@example.com")))
        for tenant in ("default", "south")
    )

    assert (here.memory_cost, there.memory_cost) == (OLD.memory_kib, PRESENT.memory_kib)


def test_the_sample_keeps_no_stored_digest(auth: Callable[..., Auth], inside: Callable[[Auth], Any]) -> None:
    """O3: what stays in memory is made up; salts and tags of people's passwords are forgotten."""
    made = auth(Password(require_code=False))
    signed_up = made.blocking.password.sign_up(email="ada@example.com", password=PASSWORD)
    assert isinstance(signed_up, SignedIn)
    world = inside(made)

    decoy = world.run(decoys.choose(world.ctx(), "nobody@example.com"))

    digest = world.read(passwords.digest_of, signed_up.user.id)
    assert decoy.rsplit("$", 2)[0] == digest.rsplit("$", 2)[0]
    assert not set(decoy.rsplit("$", 2)[1:]) & set(digest.rsplit("$", 2)[1:])


def test_a_digest_that_nobody_reads_stands_for_the_present_cost(
    auth: Callable[..., Auth], inside: Callable[[Auth], Any]
) -> None:
    """A2: to check an unreadable digest costs a fresh hash, so its decoy does."""
    world = inside(auth(hashing=PRESENT))
    fill(world, 1, lambda number: "!")

    decoy = world.run(decoys.choose(world.ctx(), "nobody@example.com"))

    assert argon2.extract_parameters(decoy).memory_cost == PRESENT.memory_kib
