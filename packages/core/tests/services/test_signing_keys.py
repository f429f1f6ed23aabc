"""Signing keys in the database: many nodes, one ring, and no token refused while keys change (rule O4)."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from authcore.backends.sources import source_of
from authcore.backends.system import SystemRandom
from authcore.drive import run_blocking
from authcore.errors import Conflict, NotFound
from authcore.ports import Database
from authcore.services import signing_keys
from authcore.services.keys import KeyRing
from authcore.services.signing_keys import AHEAD, KEEP, RELOAD, RENEW, SLACK, SigningKeys
from authcore.services.verified import JwtReader
from authcore.stores import InvalidConfig, InvalidToken
from authcore.testing.ports import FrozenClock

jwt = pytest.importorskip("jwt", reason="the extra authcore[jwt] is not installed")

OLD, NEW = "the old secret of the application", "the new secret of the application"
LONGEST = timedelta(minutes=15)


@pytest.fixture
def db(any_database: str) -> Iterator[Database]:
    """A database with the one table, on each server."""
    source = source_of(any_database, create_missing=False)
    port = source.blocking()
    run_blocking(port.write(lambda tx: signing_keys.signing_keys.create(tx)))
    yield port
    source.dispose()  # type: ignore[attr-defined]


class Node:
    """One process of several: its own view of the keys, its own clock."""

    def __init__(self, db: Database, clock: FrozenClock, *secrets: str, ahead: float = 0, **more: Any) -> None:
        self.clock = FrozenClock(clock.now() + timedelta(seconds=ahead))
        keys = KeyRing(secrets or (OLD,))
        self.keys = SigningKeys(db, keys, SystemRandom(), self.clock, longest=LONGEST, **more)
        self.reader = JwtReader(
            self.keys, typ="at+jwt", issuer="me", audience="me", clock=self.clock, leeway=abs(ahead) + 5
        )
        self.made = 0

    def issue(self) -> str:
        """Make a token that lives as long as one may."""
        at = int(self.clock.now().timestamp())
        self.made += 1
        claims = {"iss": "me", "aud": "me", "sub": "ada", "jti": str(self.made), "iat": at}
        ring = run_blocking(self.keys.ring())
        return ring.sign({**claims, "exp": at + int(LONGEST.total_seconds())}, typ="at+jwt")

    def reads(self, token: str) -> bool:
        """Tell whether a token is read."""
        try:
            run_blocking(self.reader.read(token))
        except InvalidToken:
            return False
        return True


def kid(token: str) -> str:
    """The key that signed a token."""
    return str(jwt.get_unverified_header(token)["kid"])


def rows(db: Database) -> list[signing_keys.SigningKey]:
    """Every key, the newest first."""
    return run_blocking(db.read(signing_keys.listed))


def test_the_first_key_is_made_at_the_first_use(db: Database, clock: FrozenClock) -> None:
    """Nobody has to make one: it signs at once, and what it is made of stands nowhere in clear."""
    node = Node(db, clock)

    assert node.reads(node.issue())

    [row] = rows(db)
    assert (row.number, row.algorithm, row.active_at, row.expires_at) == (1, "ES256", clock.now(), None)
    assert b"PRIVATE KEY" not in row.private_key
    assert "private_key" not in repr(row)


@pytest.mark.parametrize("algorithm", ["ES384", "EdDSA", "RS256"])
def test_keys_have_the_algorithm_that_is_set(db: Database, clock: FrozenClock, algorithm: str) -> None:
    """A pair of any kind is kept; the public halves make the document."""
    node = Node(db, clock, algorithm=algorithm)

    token = node.issue()

    assert node.reads(token)
    [found] = run_blocking(node.keys.ring()).jwks()["keys"]
    assert (found["alg"], found["kid"]) == (algorithm, kid(token))


def test_a_secret_makes_no_pair(db: Database, clock: FrozenClock) -> None:
    """HS256 has no public half to publish: it is refused with a sentence."""
    with pytest.raises(InvalidConfig, match="ES256"):
        Node(db, clock, algorithm="HS256").issue()


def test_of_many_nodes_one_makes_the_first_key(db: Database, clock: FrozenClock) -> None:
    """T2: nodes that start together sign with the one key that was first."""
    nodes = [Node(db, clock) for _ in range(8)]

    with ThreadPoolExecutor(8) as pool:
        tokens = list(pool.map(Node.issue, nodes))

    assert len(rows(db)) == 1
    assert all(node.reads(token) for node in nodes for token in tokens)


def test_no_token_is_refused_while_keys_change(db: Database, clock: FrozenClock) -> None:
    """O4: four nodes with clocks apart issue and read each other's tokens, second by second, through two rotations."""
    nodes = [Node(db, clock, ahead=ahead) for ahead in (0, -2, 2, 0)]
    alive: list[tuple[str, int]] = []
    refused, signed_by = [], []
    for second in range(0, 360, 3):
        if second in (30, 150):
            run_blocking(nodes[0].keys.rotate())
        tokens = [node.issue() for node in nodes]
        signed_by.append({kid(token) for token in tokens})
        alive = [(token, end) for token, end in alive if end > second] + [(token, second + 840) for token in tokens]
        sample = alive[:: max(1, len(alive) // 40)] + alive[-4:]
        refused += [second for node in nodes for token, _ in sample if not node.reads(token)]
        for node in nodes:
            node.clock.advance(3)

    assert refused == []
    assert len(set().union(*signed_by)) == 3
    # Between the clocks of the nodes two keys sign; a moment later one does.
    assert [len(kids) for kids in signed_by].count(2) in range(1, 7)
    assert [row.number for row in rows(db)] == [3, 2, 1]


def test_a_key_is_published_before_it_signs(db: Database, clock: FrozenClock) -> None:
    """O4: another key stands in the document at once and signs AHEAD later, when every node has read it."""
    node = Node(db, clock)
    first = kid(node.issue())

    row = run_blocking(node.keys.rotate())

    assert run_blocking(node.keys.ring()).kids == {first, row.kid}
    assert row.active_at == clock.now() + AHEAD
    assert 2 * RELOAD <= AHEAD
    node.clock.advance(AHEAD.total_seconds() - 0.001)
    assert kid(node.issue()) == first
    node.clock.advance(0.001)
    assert kid(node.issue()) == row.kid


def test_the_key_before_verifies_until_its_last_token_is_over(db: Database, clock: FrozenClock) -> None:
    """O4: and no longer; the row goes when it has been over for a week."""
    node = Node(db, clock)
    node.issue()
    run_blocking(node.keys.rotate())
    node.clock.advance(AHEAD.total_seconds() - 1)
    last = node.issue()

    node.clock.advance(LONGEST.total_seconds() - 1)
    assert node.reads(last)
    node.clock.advance(2 + SLACK.total_seconds())
    assert kid(last) not in run_blocking(node.keys.ring()).kids

    now = node.clock.now()
    assert run_blocking(db.write(signing_keys.clean, now - KEEP, 500)) == 0
    assert run_blocking(db.write(signing_keys.clean, now + timedelta(seconds=1), 500)) == 1
    assert [row.number for row in rows(db)] == [2]


def test_a_node_looks_again_after_a_while(db: Database, clock: FrozenClock) -> None:
    """A node reads the table once in RELOAD, and in between asks nobody."""
    node, other = Node(db, clock), Node(db, clock)
    ring = run_blocking(node.keys.ring())
    run_blocking(other.keys.ring())
    run_blocking(other.keys.rotate())

    node.clock.advance(RELOAD.total_seconds() - 0.001)
    assert node.keys.known(node.clock.now()) is ring
    node.clock.advance(0.001)
    assert node.keys.known(node.clock.now()) is None
    assert len(run_blocking(node.keys.ring()).kids) == 2


def test_the_ring_stays_the_same_while_the_keys_do(db: Database, clock: FrozenClock) -> None:
    """What was verified stays known over a look that finds nothing else."""
    node = Node(db, clock)
    ring = run_blocking(node.keys.ring())

    node.clock.advance(RELOAD.total_seconds())

    assert run_blocking(node.keys.ring()) is ring


def test_an_unknown_key_is_looked_for_at_most_once_in_a_while(db: Database, clock: FrozenClock) -> None:
    """A key that signs at once is found by the token that names it; strangers make nobody read at every request."""
    node, other = Node(db, clock), Node(db, clock)
    run_blocking(node.keys.ring())
    run_blocking(other.keys.ring())
    run_blocking(other.keys.rotate(at_once=True))
    other.clock.advance(1)
    token = other.issue()

    node.clock.advance(RENEW.total_seconds() - 0.001)
    assert not node.reads(token)
    node.clock.advance(0.001)
    assert node.reads(token)
    assert run_blocking(node.keys.renewed()) is None


def test_a_retired_key_ends_with_its_tokens(db: Database, clock: FrozenClock) -> None:
    """A key that leaked is replaced at once and ended: where it happens at once, elsewhere within RELOAD."""
    node, other = Node(db, clock), Node(db, clock)
    token = node.issue()
    assert node.reads(token)
    assert other.reads(token)

    run_blocking(node.keys.rotate(at_once=True))
    run_blocking(node.keys.retire(kid(token)))

    assert not node.reads(token)
    other.clock.advance(RELOAD.total_seconds())
    assert not other.reads(token)


def test_the_key_that_signs_is_not_retired(db: Database, clock: FrozenClock) -> None:
    """Nobody ends the only key by mistake, nor one that is published; an unknown one is told."""
    node = Node(db, clock)
    first = kid(node.issue())
    coming = run_blocking(node.keys.rotate()).kid

    for name in (first, coming):
        with pytest.raises(Conflict, match="rotate --now"):
            run_blocking(node.keys.retire(name))
    with pytest.raises(NotFound, match="keys list"):
        run_blocking(node.keys.retire("other"))
    assert node.reads(node.issue())


def test_the_applications_secret_is_replaced_under_it(db: Database, clock: FrozenClock) -> None:
    """S33: `secret=[new, old]` seals the keys anew at the next look, so the old secret can go."""
    before = Node(db, clock)
    token = before.issue()

    both = Node(db, clock, NEW, OLD)
    assert both.reads(token)
    assert both.reads(both.issue())

    after = Node(db, clock, NEW)
    assert after.reads(token)
    assert kid(after.issue()) == kid(token)


def test_a_key_under_a_secret_that_is_gone_is_a_sentence(db: Database, clock: FrozenClock) -> None:
    """Without the secret nothing is signed in its stead; another key makes it work again."""
    Node(db, clock).issue()
    node = Node(db, clock, NEW)
    with pytest.raises(InvalidConfig, match="rotate --now"):
        node.issue()

    run_blocking(node.keys.rotate(at_once=True))

    assert node.reads(node.issue())


def test_a_row_with_anothers_key_signs_nothing(db: Database, clock: FrozenClock) -> None:
    """A sealed key moved to another row, or changed, is not taken for that row's."""
    node = Node(db, clock)
    node.issue()
    run_blocking(node.keys.rotate(at_once=True))
    newest, oldest = rows(db)
    table = signing_keys.signing_keys
    moved = table.update().where(table.c.number == newest.number).values(private_key=oldest.private_key)
    run_blocking(db.write(lambda tx: tx.execute(moved) and None))

    with pytest.raises(InvalidConfig):
        Node(db, clock).issue()


def test_of_two_rotations_at_once_one_is_refused(db: Database, clock: FrozenClock) -> None:
    """T2: however many rotate together, each key that was answered stands there, and exactly one is the next."""
    nodes = [Node(db, clock) for _ in range(6)]
    nodes[0].issue()

    def rotate(node: Node) -> str | None:
        try:
            return run_blocking(node.keys.rotate()).kid
        except Conflict:
            return None

    with ThreadPoolExecutor(6) as pool:
        answered = [found for found in pool.map(rotate, nodes) if found]

    stored = rows(db)
    assert answered
    assert {row.kid for row in stored[:-1]} == set(answered)
    assert [row.expires_at is None for row in stored] == [True] + [False] * (len(stored) - 1)
