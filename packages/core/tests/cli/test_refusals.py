"""Bad input on the command line, in settings, in the environment: one sentence on stderr, and nothing left behind."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., "subprocess.CompletedProcess[str]"]

MISUSED = {
    "no application": (["routes"], {}, "--app app:auth"),
    "no colon": (["routes", "--app", "app"], {}, "write module:attribute"),
    "no attribute": (["--app", "app:", "routes"], {}, "write module:attribute"),
    "no such module": (["routes", "--app", "nowhere:auth"], {}, "'nowhere'"),
    "no such submodule": (["routes", "--app", "app.deep:auth"], {}, "'app.deep'"),
    "relative module": (["routes", "--app", ".app:auth"], {}, "write module:attribute"),
    "no such attribute": (["routes", "--app", "app:nothing"], {}, "app has no nothing"),
    "no Auth": (["routes", "--app", "app:number"], {}, "which is an int"),
    "a framework's application": (["routes", "--app", "app:wsgi"], {}, "which is a Wsgi: name its Auth"),
    "a function that needs arguments": (["routes", "--app", "app:send"], {}, "which is a function with arguments"),
    "a function that answers no Auth": (["routes", "--app", "app:dict"], {}, "app has no dict"),
    "environment: no colon": (["routes"], {"AUTHCORE_APP": "app"}, "AUTHCORE_APP is 'app'"),
    "environment: no such module": (["doctor"], {"AUTHCORE_APP": "nowhere:auth"}, "AUTHCORE_APP names"),
}
REFUSED = {
    "settings: short secret": (["routes"], {"SECRET": "short"}, "at least 32 characters"),
    "settings: no URL": (["db", "upgrade"], {"DATABASE": "nonsense"}, "database is no URL"),
    "settings: unknown database": (["db", "upgrade"], {"DATABASE": "oracle://host/x"}, "SQLite and PostgreSQL"),
    "settings: under the floor": (["doctor"], {"MIN_LENGTH": "7"}, "Password(min_length=7)"),
    "settings: not a number": (["doctor"], {"MIN_LENGTH": "many"}, "invalid literal"),
    "no folder for the file": (["db", "upgrade"], {"DATABASE": "sqlite:////nowhere/app.db"}, "make the folder first"),
    "no database to read": (["db", "check"], {}, "`authcore db upgrade` makes it"),
    "no database to name": (["db", "current"], {}, "`authcore db upgrade` makes it"),
    "no database to send from": (["outbox", "run", "--once"], {}, "`authcore db upgrade` makes it"),
    "a file that is no database": (["db", "upgrade"], {"DATABASE": "sqlite:///app.py"}, "not a database"),
    "a file for a folder": (["db", "upgrade"], {"DATABASE": "sqlite:///app.py/app.db"}, "make the folder first"),
    "a driver that nobody knows": (["routes"], {"DATABASE": "sqlite+nothing:///app.db"}, "sqlite:// alone"),
    "unknown version": (["db", "sql", "--from", "9999"], {}, "'9999'"),
}
UNPARSED = {
    "unknown command": ["nothing"],
    "unknown option": ["db", "upgrade", "--hard"],
    "extra argument": ["secret", "please"],
    "option without value": ["routes", "--app"],
}


@pytest.mark.parametrize(("arguments", "variables", "said"), MISUSED.values(), ids=MISUSED)
def test_an_application_that_is_not_named_well_is_misuse(
    authcore: Run, folder: Path, arguments: list[str], variables: dict[str, str], said: str
) -> None:
    """An application that cannot be meant ends with status 2 and one sentence that says what to write."""
    ended = authcore(*arguments, **variables)

    assert ended.returncode == 2
    assert_one_sentence(ended, said)
    assert_untouched(folder)


@pytest.mark.parametrize(("arguments", "variables", "said"), REFUSED.values(), ids=REFUSED)
def test_what_the_application_or_its_database_refuses_is_a_sentence(
    authcore: Run, folder: Path, arguments: list[str], variables: dict[str, str], said: str
) -> None:
    """A wrong setting, and a database that is not there, end with status 1 and one sentence."""
    ended = authcore(*arguments, AUTHCORE_APP="app:auth", **variables)

    assert ended.returncode == 1
    assert_one_sentence(ended, said)
    assert_untouched(folder)


@pytest.mark.parametrize("arguments", UNPARSED.values(), ids=UNPARSED)
def test_what_the_command_line_does_not_know_is_misuse(authcore: Run, folder: Path, arguments: list[str]) -> None:
    """What cannot be parsed ends with status 2, with the usage of the command, and runs nothing."""
    ended = authcore(*arguments, AUTHCORE_APP="app:auth")

    assert ended.returncode == 2
    assert "Error: " in ended.stderr
    assert "Traceback" not in ended.stderr
    assert ended.stdout == ""
    assert_untouched(folder)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import os\nauth = os.environ['NOT_SET']\n", "at other.py:2: KeyError: 'NOT_SET'"),
        ("def :\n", "SyntaxError"),
        ("import not_installed_anywhere\n", "No module named 'not_installed_anywhere'"),
        ("raise SystemExit\n", "SystemExit: without a word"),
        ("raise OSError('one\\ntwo\\x1b[2J\\u2028three\\rfour')\n", "OSError: one two?[2J three four"),
        ("async def auth(): ...\n", "which is a coroutine: name its Auth"),
    ],
    ids=["missing variable", "no Python", "missing package", "leaves", "writes to the terminal", "async"],
)
def test_an_application_that_does_not_start_is_named_with_its_place(
    authcore: Run, folder: Path, text: str, said: str
) -> None:
    """What stops the application's own start is told in one sentence, with the line where it happened."""
    (folder / "other.py").write_text(text)

    ended = authcore("routes", "--app", "other:auth")

    assert ended.returncode == (2 if "async" in text else 1)
    assert_one_sentence(ended, said)


def test_a_folder_that_is_gone_is_told(authcore: Run, folder: Path, environment: dict[str, str]) -> None:
    """A shell may stand in a folder that somebody removed."""
    (folder / "gone").mkdir()
    command = f"rmdir ../gone && {sys.executable} -m authcore routes --app app:auth"

    ended = subprocess.run(
        command, shell=True, cwd=folder / "gone", env=environment, capture_output=True, text=True, check=False
    )

    assert ended.returncode == 2
    assert_one_sentence(ended, "working directory cannot be read")


def test_a_terminal_without_unicode_is_written_to(authcore: Run, folder: Path) -> None:
    """Sentences hold signs that an old locale lacks: they are replaced, and nothing crashes."""
    (folder / "other.py").write_text(
        "from authcore import Auth, Password\nauth = Auth(dev_mode=True, secret='\\xfc')\n"
    )

    ended = authcore("routes", "--app", "other:auth", PYTHONIOENCODING="ascii", LC_ALL="C", PYTHONUTF8="0")

    assert ended.returncode == 1
    assert_one_sentence(ended, "at least 32 characters")


def test_an_unreachable_server_is_named(authcore: Run) -> None:
    """A database server that does not answer is told in the driver's words, without a password."""
    pytest.importorskip("psycopg", reason="the PostgreSQL driver is an extra")

    ended = authcore("db", "upgrade", AUTHCORE_APP="app:auth", DATABASE="postgresql://ada:hidden@127.0.0.1:1/x")

    assert ended.returncode == 1
    assert_one_sentence(ended, "The database does not answer: ")
    assert "hidden" not in ended.stderr


def assert_one_sentence(ended: subprocess.CompletedProcess[str], said: str) -> None:
    """Require one line on stderr with these words, and nothing on stdout."""
    assert said in ended.stderr
    assert ended.stderr.startswith("Error: ")
    assert ended.stderr.count("\n") == 1
    assert ended.stdout == ""


def assert_untouched(folder: Path) -> None:
    """Require that nothing but the application is in its folder."""
    assert [path.name for path in folder.iterdir()] == ["app.py"]
