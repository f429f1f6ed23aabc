"""What the commands do: by name, by variable, and mounted for one application."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from authcore import Auth, __version__
from authcore.testing.ports import FrozenClock

Run = Callable[..., "subprocess.CompletedProcess[str]"]
Mounted = Callable[..., Result]
MakeAuth = Callable[..., Auth]


def test_version_names_the_version(authcore: Run) -> None:
    """`authcore --version` needs no application."""
    ended = authcore("--version")

    assert (ended.returncode, ended.stdout, ended.stderr) == (0, f"authcore {__version__}\n", "")


def test_secret_prints_256_random_bits(authcore: Run) -> None:
    """`authcore secret` needs no application and never prints the same secret twice."""
    first, second = authcore("secret"), authcore("secret")

    assert first.returncode == second.returncode == 0
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}\n", first.stdout)
    assert first.stdout != second.stdout


@pytest.mark.parametrize(
    ("arguments", "variables"),
    [
        (["--app", "app:auth", "routes"], {}),
        (["routes", "--app", "app:auth"], {}),
        (["routes", "--app", "app:make"], {}),
        (["routes"], {"AUTHCORE_APP": "app:auth"}),
        (["routes", "--app", "app:auth"], {"AUTHCORE_APP": "nowhere:auth"}),
    ],
    ids=["before", "after", "function", "variable", "option over variable"],
)
def test_the_application_is_found(authcore: Run, arguments: list[str], variables: dict[str, str]) -> None:
    """The application is named before the command or after it, by a function that makes it, or by AUTHCORE_APP."""
    ended = authcore(*arguments, **variables)

    assert ended.returncode == 0
    assert "/auth/sign-in" in ended.stdout
    assert ended.stderr == ""


def test_a_framework_binds_its_application(auth: MakeAuth, mounted: Mounted, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mounted for one application, a command is about that one, whatever AUTHCORE_APP says."""
    monkeypatch.setenv("AUTHCORE_APP", "nowhere:auth")
    here, there = auth(prefix="/here"), auth(prefix="/there")

    first, second = mounted(here, "routes"), mounted(there, "routes")

    assert "/here/sign-in" in first.output
    assert "/here/sign-in" not in second.output


def test_routes_lists_every_route(auth: MakeAuth, mounted: Mounted) -> None:
    """`authcore routes` has a line for each route: method, path below the prefix, what it needs, what it does."""
    application = auth()

    lines = mounted(application, "routes").output.splitlines()

    assert len(lines) == 1 + len(application.router.routes)
    assert lines[0].split() == ["METHOD", "PATH", "NEEDS", "SUMMARY"]
    assert "DELETE  /auth/sessions/{id} " in "\n".join(lines)
    assert re.search(r"DELETE +/auth/sessions +fresh session +\S", "\n".join(lines))
    assert re.search(r"POST +/auth/sign-in +- +\S", "\n".join(lines))


def test_openapi_prints_the_document(auth: MakeAuth, mounted: Mounted) -> None:
    """`authcore openapi` prints what `GET /openapi.json` answers."""
    application = auth()

    printed = json.loads(mounted(application, "openapi").output)

    assert printed == application.openapi


def test_upgrade_makes_the_tables_once(authcore: Run) -> None:
    """`db upgrade` makes the tables, says so, and does nothing the second time; `db current` and `db check` agree."""
    first = authcore("db", "upgrade", AUTHCORE_APP="app:auth")
    second = authcore("db", "upgrade", AUTHCORE_APP="app:auth")

    assert (first.returncode, first.stdout) == (0, "The tables are at 0001; before: no version.\n")
    assert (second.returncode, second.stdout) == (0, "The tables are at 0001 already.\n")
    assert authcore("db", "current", AUTHCORE_APP="app:auth").stdout == "0001\n"
    assert authcore("db", "check", AUTHCORE_APP="app:auth").returncode == 0


def test_clean_removes_what_is_over(auth: MakeAuth, mounted: Mounted, clock: FrozenClock) -> None:
    """`clean` says how much of each kind it removed: a sign-up that nobody finished, and its mail."""
    application = auth()
    application.blocking.password.sign_up(email="ada@example.com", password="three quiet herons wade")
    application.outbox.drain()
    clock.advance(40 * 86_400)

    removed, again = mounted(application, "clean"), mounted(application, "clean")

    assert (removed.exit_code, again.exit_code) == (0, 0)
    assert "1 challenges" in removed.output
    assert "1 effects" in removed.output
    assert "1 challenges" not in again.output


def test_clean_of_a_missing_file_makes_none(authcore: Run, folder: Path) -> None:
    """Looking for what is over in a file that is not there is refused, and leaves no file behind."""
    before = sorted(folder.iterdir())

    ended = authcore("clean", AUTHCORE_APP="app:auth")

    assert ended.returncode == 1
    assert sorted(path for path in folder.iterdir() if path.name != "__pycache__") == before


def test_check_names_what_differs(auth: MakeAuth, mounted: Mounted, inside: Callable[..., Any]) -> None:
    """`db check` ends with status 1 and a line for each difference."""
    application = auth()
    application.create_tables()
    inside(application).write(lambda tx: tx.exec_driver_sql("DROP INDEX ix_authcore_session_user_id"))

    checked = mounted(application, "db", "check")

    assert checked.exit_code == 1
    assert checked.output == "missing index ix_authcore_session_user_id on authcore_session\n"


def test_check_asks_for_an_upgrade(auth: MakeAuth, mounted: Mounted, tmp_path: Path) -> None:
    """`db check` of a database without tables ends with status 1 and names the command that makes them."""
    (tmp_path / "auth.db").touch()

    checked = mounted(auth(), "db", "check")

    assert checked.exit_code == 1
    assert "run `authcore db upgrade`" in checked.output


def test_sql_makes_the_same_tables(auth: MakeAuth, mounted: Mounted, tmp_path: Path) -> None:
    """`db sql` prints statements that make, run by hand, exactly what `db upgrade` makes."""
    import sqlite3

    printed = mounted(auth(), "db", "sql").output
    assert not (tmp_path / "auth.db").exists()

    with sqlite3.connect(tmp_path / "auth.db") as connection:
        connection.executescript(printed)
    connection.close()

    assert mounted(auth(), "db", "check").exit_code == 0


def test_a_foreign_schema_is_refused(auth: MakeAuth, mounted: Mounted) -> None:
    """Where a framework's own migrations make the tables, `db` names the framework's command and changes nothing."""
    checked = mounted(auth(database=_Foreign()), "db", "upgrade")

    assert checked.exit_code == 1
    assert "framework's own migrations" in checked.output


class _Foreign:
    """A source of an adapter's own that brings its own migrations."""

    def blocking(self) -> Any:
        raise AssertionError("the command reads nothing")

    def inline(self) -> None:
        return None

    def create_tables(self, metadata: Any) -> None:
        raise AssertionError("the command makes nothing")
