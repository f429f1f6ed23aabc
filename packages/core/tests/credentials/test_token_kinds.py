"""The matrix of token confusion: over each store a token of one kind does what is its own, and nothing else (T5)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from stores import SECRET, STATELESS, STORES, Held, held

from authcore.credentials import CredentialManager, CredentialState, InvalidToken, Jwt

OWN = "magic.recovery"
HOUR = timedelta(hours=1)
Attempt = Callable[[str], bool]
SPENDING = [name for name, each in STATELESS.items() if each.shared]
"""Stores that hold nothing, and can spend."""


class Kinds:
    """Tokens of each kind over one store, and what each kind is for."""

    def __init__(self, made: Held) -> None:
        self.made = made
        self.manager: CredentialManager = made.manager()
        self.tokens = {"access": self.access, "refresh": self.refresh, OWN: self.own}
        self.attempts: dict[str, Attempt] = {
            "access": self.validates,
            "refresh": self.refreshes,
            OWN: self.spends,
        }

    def access(self) -> str:
        """Answer an access token."""
        return str(self.made.run(self.manager.issue("ada")).access_token)

    def refresh(self) -> str:
        """Answer a refresh token."""
        return str(self.made.run(self.manager.issue("ada")).refresh_token)

    def own(self) -> str:
        """Answer a token of a kind of the application's own."""
        now = self.made.clock.now()
        state = CredentialState(user_id="ada", kind=OWN, issued_at=now, expires_at=now + HOUR)
        return str(self.made.run(self.made.store.persist(state)))

    def validates(self, token: str) -> bool:
        """Tell whether a token opens a guard."""
        return self.made.run(self.manager.validate(token)) is not None

    def refreshes(self, token: str) -> bool:
        """Tell whether a token is answered by a pair."""
        try:
            return self.made.run(self.manager.refresh(token)).refresh_token is not None
        except InvalidToken:
            return False

    def spends(self, token: str) -> bool:
        """Tell whether the application spends a token as one of its kind."""
        state = self.made.run(self.made.store.retrieve(token))
        return state is not None and state.kind == OWN and self.made.run(self.made.store.consume(token)) == state


def matrix(kinds: Kinds) -> set[tuple[str, str]]:
    """Answer which kind of token succeeds at what, a fresh token for each; what it fails at leaves it as it was."""
    found = set()
    for kind, make in kinds.tokens.items():
        for purpose, attempt in kinds.attempts.items():
            token = make()
            if attempt(token):
                found.add((kind, purpose))
            else:
                assert kinds.attempts[kind](token), (kind, purpose)
    return found


@pytest.mark.parametrize("name", [*STORES, *SPENDING])
def test_each_kind_of_token_opens_its_own(name: str, request: pytest.FixtureRequest) -> None:
    """T5: access, refresh and an application's own kind succeed on the diagonal alone, and are not spent beside it."""
    with held(name, request) as made:
        kinds = Kinds(made)

        found = matrix(kinds)

    assert found == {(kind, kind) for kind in kinds.tokens}


@pytest.mark.parametrize("name", [name for name in SPENDING if name.startswith("jwt")])
@pytest.mark.parametrize("typ", ["app+jwt", "magic.recovery+jwt", "jwt"])
def test_own_tokens_under_the_same_secret_open_their_own(name: str, typ: str, request: pytest.FixtureRequest) -> None:
    """T5, S46: under one secret, issuer, audience and denylist `Jwt` tokens and credentials never stand in for one
    another, whatever the application's `typ` is like.
    """
    with held(name, request) as made:
        kinds = Kinds(made)
        tokens: Any = Jwt(secret=SECRET, typ=typ, denylist=made.denylist, clock=made.clock)
        kinds.tokens["own"] = lambda: str(made.run(tokens.encode({"sub": "ada"})))
        kinds.attempts["own"] = lambda token: made.run(tokens.attempt(token)) is not None

        found = matrix(kinds)

    assert found == {(kind, kind) for kind in kinds.tokens}
