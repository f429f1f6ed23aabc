"""`authcore doctor`: findings and the status."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from authcore import Auth, Password, Sessions

Mounted = Callable[..., Result]
PRODUCTION = {
    "secret": "a secret of these tests, long enough",
    "base_url": "https://example.com",
    "mailer": print,
    "outbox": "external",
}
Make = Callable[..., Auth]


@pytest.fixture
def production(tmp_path: Path) -> Iterator[Make]:
    """Make an Auth as one runs in production, with tables."""
    made: list[Auth] = []

    def make(*features: Any, **settings: Any) -> Auth:
        url = f"sqlite:///{tmp_path / 'auth.db'}"
        made.append(Auth(**{"database": url, "features": features or (Password(),), **PRODUCTION, **settings}))
        made[-1].create_tables()
        return made[-1]

    yield make
    for each in made:
        each.dispose()


def test_nothing_to_say_is_status_0(production: Make, mounted: Mounted) -> None:
    """An application that is ready has no finding."""
    examined = mounted(production(), "doctor")

    assert (examined.exit_code, examined.output) == (0, "Nothing found.\n")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"limits": False}, "limits=False"),
        ({"limits": {"sign_in.address": 201}}, "limits={'sign_in.address': 201}: 200 sign-ins by password in 600 s"),
        ({"key_value": "memory"}, "key_value='memory'"),
        ({"cookie_domain": "example.com"}, "cookie_domain='example.com'"),
        ({"trusted_proxies": ["0.0.0.0/0"]}, "trusted_proxies holds '0.0.0.0/0'"),
        ({"features": [Password(min_length=8)]}, "min_length"),
        ({"features": [Password(), Sessions(bearer="memory")]}, "Sessions(bearer='memory')"),
        ({"features": [Password(require_code=False)]}, "account_exists"),
    ],
    ids=["limits", "loosened", "key_value", "cookie_domain", "trusted_proxies", "min_length", "memory", "require_code"],
)
def test_each_weakness_is_a_sentence(production: Make, mounted: Mounted, settings: dict[str, Any], said: str) -> None:
    """A setting that holds but weakens something is one line, and status 1."""
    examined = mounted(production(**settings), "doctor")

    assert examined.exit_code == 1
    assert examined.output.count("\n- ") == 0
    assert examined.output.startswith("- ")
    assert said in examined.output


def test_dev_mode_is_a_finding(auth: Callable[..., Auth], mounted: Mounted) -> None:
    """dev_mode is named: what it leaves out must not reach strangers."""
    application = auth()
    application.create_tables()

    examined = mounted(application, "doctor")

    assert examined.exit_code == 1
    assert "dev_mode=True" in examined.output


def test_missing_tables_are_a_finding(tmp_path: Path, mounted: Mounted) -> None:
    """A database without the tables is named with the command that makes them, and is not made by asking."""
    application = Auth(database=f"sqlite:///{tmp_path / 'auth.db'}", **PRODUCTION)

    examined = mounted(application, "doctor")

    assert examined.exit_code == 1
    assert "authcore db upgrade" in examined.output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("declared", "said"), [([], True), (["10.0.0.0/8"], False)], ids=["undeclared", "declared"])
def test_r3_an_undeclared_proxy_is_a_finding(
    production: Make, mounted: Mounted, client: Any, declared: list[str], said: bool
) -> None:
    """R3: a private peer whose forwarding headers nobody declared is named, with the setting to write."""
    application = production(trusted_proxies=declared)
    proxied = client(application, peer="10.1.2.3")
    proxied.post("/sign-in", {"email": "ada@example.com", "password": "x" * 20}, x_forwarded_for="203.0.113.9")

    examined = mounted(application, "doctor")

    assert ("trusted_proxies=['10.1.2.3']" in examined.output) is said
    assert examined.exit_code == int(said)


def test_tighter_limits_are_no_finding(production: Make, mounted: Mounted) -> None:
    """A6: an allowance below the default, or at it, weakens nothing."""
    app = production(limits={"sign_in.address": 20, "sign_up.address": 30})

    assert mounted(app, "doctor").exit_code == 0
