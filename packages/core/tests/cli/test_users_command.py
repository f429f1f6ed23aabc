"""`authcore users …`: whose users, by `--tenant`."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import Result

from authcore import Auth, Password, Tenant

Mounted = Callable[..., Result]
ADA = "ada@example.com"
ACME = ("--tenant", "acme")
DONE = {
    "disable": "Disabled.",
    "enable": "It was enabled already.",
    "unlock": "Nothing was counted.",
    "require-password-change": "The next sign-in asks for another password.",
    "mark-compromised": "The password opens nothing; a reset replaces it.",
    "end-sessions": "Ended: 1.",
}


@pytest.fixture
def made(auth: Callable[..., Auth], client: Callable[..., Any]) -> Auth:
    """An application with tenants, of which one has a user who is signed in."""
    found = auth(Password(require_code=False), tenant=lambda request: Tenant("acme"))
    client(found).sign_up()
    return found


@pytest.mark.parametrize(("command", "said"), DONE.items())
def test_a_command_is_about_a_tenants_user(made: Auth, mounted: Mounted, command: str, said: str) -> None:
    """Each command looks in the tenant that --tenant names."""
    done = mounted(made, "users", command, ADA, *ACME)

    assert (done.exit_code, done.output) == (0, f"{said}\n")


def test_a_tenants_users_are_made_listed_shown_and_deleted(made: Auth, mounted: Mounted) -> None:
    """What one tenant's commands make is not in another's list."""
    made_ = mounted(made, "users", "create", "bob@example.com", *ACME)
    listed, others = mounted(made, "users", "list", *ACME), mounted(made, "users", "list")
    shown = mounted(made, "users", "show", "bob@example.com", *ACME)
    deleted = mounted(made, "users", "delete", "bob@example.com", "--yes", *ACME)

    assert sorted(line.split()[-1] for line in listed.output.splitlines()) == [ADA, "bob@example.com"]
    assert others.output == ""
    assert json.loads(shown.output)["user"]["id"] == made_.output.strip()
    assert deleted.output == "Deleted.\n"
    assert made.blocking.for_tenant("acme").administration.find(email="bob@example.com") is None


def test_whoever_is_not_found_is_said_to_be_missing_where(
    made: Auth, auth: Callable[..., Auth], mounted: Mounted
) -> None:
    """The sentence names the tenant, or how to name it; an application without tenants hears nothing of them."""
    somewhere = [mounted(made, "users", "show", ADA, *named) for named in ((), ("--tenant", "globex"))]
    alone = mounted(auth(Password()), "users", "show", ADA)

    assert [run.exit_code for run in (*somewhere, alone)] == [1, 1, 1]
    assert [run.output for run in (*somewhere, alone)] == [
        f"Error: There is no user '{ADA}' in the default tenant: --tenant names another.\n",
        f"Error: There is no user '{ADA}' in the tenant 'globex'.\n",
        f"Error: There is no user '{ADA}'.\n",
    ]


@pytest.mark.parametrize("command", [("list",), ("create", "bob@example.com"), ("show", ADA), ("disable", ADA)])
@pytest.mark.parametrize("wrong", ["", "x" * 65])
def test_what_can_be_no_tenant_is_refused(made: Auth, mounted: Mounted, command: tuple[str, ...], wrong: str) -> None:
    """A variable that is empty does not stand for the default tenant."""
    refused = mounted(made, "users", *command, "--tenant", wrong)

    assert refused.exit_code == 2
    assert f"--tenant is {wrong!r}: write the id of a tenant, such as --tenant acme." in refused.output
