"""`authcore sessions end-all`: everything at once, or only counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from click.testing import Result

from authcore import Auth, Password, Tenant

Mounted = Callable[..., Result]


@pytest.fixture
def made(auth: Callable[..., Auth], client: Callable[..., Any]) -> Auth:
    """An application with a user who is signed in twice, and another one."""
    found = auth(Password(require_code=False))
    program = client(found)
    program.sign_up()
    program.sign_in()
    program.sign_up(email="bob@example.com")
    return found


@pytest.mark.parametrize(
    ("named", "ends"),
    [
        (["--user", "ada@example.com"], 2),
        (["--user", "ada@example.com", "--tenant", "default"], 2),
        (["--tenant", "default"], 3),
        (["--tenant", "other"], 0),
        (["--application"], 3),
    ],
)
def test_everything_ends_after_a_dry_run_counted_it(made: Auth, mounted: Mounted, named: list[str], ends: int) -> None:
    """T9: a dry run changes nothing, the command says how many it ended, and then there are none."""
    first = mounted(made, "sessions", "end-all", *named, "--dry-run")
    then = mounted(made, "sessions", "end-all", *named)
    again = mounted(made, "sessions", "end-all", *named, "--dry-run")

    assert [(run.exit_code, run.output) for run in (first, then, again)] == [
        (0, f"Would end: {ends}.\n"),
        (0, f"Ended: {ends}.\n"),
        (0, "Would end: 0.\n"),
    ]


@pytest.mark.parametrize(("of", "left"), [(["--user", "ada@example.com"], 1), ([], 0)])
def test_a_tenants_end_leaves_the_others(
    auth: Callable[..., Auth], client: Callable[..., Any], mounted: Mounted, of: list[str], left: int
) -> None:
    """`--tenant` alone is all of a tenant; beside `--user` it says whose user that is."""
    made = auth(Password(require_code=False), tenant=lambda request: Tenant(request.headers.get("x-tenant", "acme")))
    program = client(made)
    for email, tenant in (("ada@example.com", "acme"), ("bob@example.com", "acme"), ("ada@example.com", "globex")):
        program.post("/sign-up", {"email": email, "password": "three quiet herons wade"}, x_tenant=tenant)

    unnamed = mounted(made, "sessions", "end-all", "--user", "ada@example.com")
    ended = mounted(made, "sessions", "end-all", *of, "--tenant", "acme")

    assert (unnamed.exit_code, ended.exit_code, ended.output) == (1, 0, f"Ended: {2 - left}.\n")
    assert "in the default tenant: --tenant names another." in unnamed.output
    sessions = {name: made.blocking.for_tenant(name).sessions for name in ("acme", "globex")}
    assert {name: each.bump_epoch(tenant=True, dry_run=True) for name, each in sessions.items()} == {
        "acme": left,
        "globex": 1,
    }


@pytest.mark.parametrize("beside", [["--user", "ada@example.com"], ["--application"]])
def test_an_empty_tenant_is_refused_beside_another(made: Auth, mounted: Mounted, beside: list[str]) -> None:
    """A variable that is empty does not stand for the default tenant."""
    refused = mounted(made, "sessions", "end-all", *beside, "--tenant", "")

    assert refused.exit_code == 2
    assert "--tenant is ''" in refused.output
    assert made.blocking.sessions.bump_epoch(application=True, dry_run=True) == 3


@pytest.mark.parametrize("named", [[], ["--application", "--tenant", "default"], ["--tenant", ""]])
def test_one_of_three_is_named(made: Auth, mounted: Mounted, named: list[str]) -> None:
    """A slip ends nothing."""
    refused = mounted(made, "sessions", "end-all", *named)

    assert refused.exit_code != 0
    assert "Name one of --user, --tenant and --application." in refused.output
    assert made.blocking.sessions.bump_epoch(application=True, dry_run=True) == 3


def test_an_unknown_user_is_said_to_be_unknown(made: Auth, mounted: Mounted) -> None:
    """The command names whom it did not find."""
    refused = mounted(made, "sessions", "end-all", "--user", "eve@example.com")

    assert refused.exit_code == 1
    assert "There is no user 'eve@example.com'." in refused.output
