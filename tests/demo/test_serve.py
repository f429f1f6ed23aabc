"""The command that serves a demo: what it prints, what it refuses, and how it ends."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import pytest
from serving import LAST_LINE, ROOT, SERVE, Demo, clean_environment, printed

COPIED = ("Makefile", "pyproject.toml", "packages", "conformance", "examples")
LEFT_OUT = shutil.ignore_patterns("__pycache__", "node_modules", "dist", "tests", ".*")
INSTALL = 300  # seconds that a first `make demo` may take where the index is slow
ALONE = {
    "flask": ["flask", "--app", "flask_app.app", "run", "--port"],
    "fastapi": ["uvicorn", "fastapi_app.app:app", "--port"],
    "django": ["django", "runserver", "--noreload", "--settings", "django_app.settings"],
    "litestar": ["litestar", "--app", "litestar_app.app:app", "run", "--port"],
}


def test_the_printed_lines_do_the_same_from_a_shell(own_demo: Demo, tmp_path: Path) -> None:
    """Pasted one by one, four lines sign up, read the mail, enter the code and are greeted."""
    assert len(own_demo.lines) == 4

    said = [shell(line, tmp_path) for line in own_demo.lines]

    (email,) = set(re.findall(r"ada-\w+@example\.com", own_demo.printed))
    assert '"challenge_required"' in said[0]
    assert email in said[1]
    assert '"signed_in"' in said[2]
    assert re.sub(r"\s", "", said[3]) == f'{{"hello":"{email}"}}'


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM], ids=lambda by: by.name)
def test_a_signal_ends_it_without_a_word(own_demo: Demo, by: signal.Signals) -> None:
    """Ctrl+C, and what a service manager sends, end it with status 0 and no traceback, after requests as well."""
    assert "authcore demo" in fetch(own_demo.address)
    assert '"user":null' in fetch(f"{own_demo.address}/auth/session")

    status, said = own_demo.end(by)

    assert (status, said.strip()) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--framework", "pyramid"], "invalid choice: 'pyramid'"),
        (["--port", "http"], "'http' is no port: give a number from 0 to 65535"),
        (["--port", "65536"], "'65536' is no port"),
        (["--port", "-1"], "'-1' is no port"),
        (["--port", ""], "'' is no port"),
        (["--prot", "8000"], "unrecognized arguments: --prot 8000"),
        (["--port", "0", "--database", "{folder}"], "is a folder"),
        (["--port", "0", "--database", "{folder}/note.txt"], "cannot be used as a SQLite database"),
        (["--port", "0", "--database", "{folder}/note.txt/demo.db"], "cannot hold the database"),
    ],
)
def test_a_bad_argument_is_told_in_one_sentence(arguments: list[str], sentence: str, tmp_path: Path) -> None:
    """Nothing starts: one line says what is wrong, the status is 2, and nothing is left behind."""
    note = tmp_path / "note.txt"
    note.write_text("no database")

    done = serve(*[argument.format(folder=tmp_path) for argument in arguments])

    assert sentence in refusal(done)
    assert list(tmp_path.iterdir()) == [note]
    assert note.read_text() == "no database"


def test_a_port_that_is_taken_is_told_in_one_sentence(tmp_path: Path) -> None:
    """The line names the port and says what to do; no database is made."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        done = serve("--port", str(port), "--database", str(tmp_path / "demo.db"))

    assert f"port {port} of 127.0.0.1 cannot be had (Address already in use): choose another one" in refusal(done)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["pyramid", "", "flask django", "%"])
def test_make_demo_names_the_frameworks(name: str, tmp_path: Path) -> None:
    """Another framework is refused in one sentence before anything is installed."""
    shutil.copy(ROOT / "Makefile", tmp_path)

    done = subprocess.run(["make", "demo", f"FRAMEWORK={name}"], cwd=tmp_path, capture_output=True, text=True)

    first, last = done.stderr.splitlines()
    assert first == f"make demo: FRAMEWORK is one of flask fastapi django litestar, not '{name}'"
    assert (done.returncode, last.startswith("make: ***")) == (2, True)
    assert [file.name for file in tmp_path.iterdir()] == ["Makefile"]


def test_make_demo_needs_nothing_but_python(tmp_path: Path) -> None:
    """In a clean copy of the repository it makes its own environment, serves, and greets whoever signs up."""
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tmp_path / name, ignore=LEFT_OUT)
        else:
            shutil.copy(source, tmp_path)
    output = tmp_path / "output.txt"

    with running(["make", "demo", "PORT=0"], tmp_path, output, clean_environment()) as process:
        lines = re.findall(r"^  (curl .*)$", printed(process, output, LAST_LINE, INSTALL), re.MULTILINE)
        said = [shell(line, tmp_path) for line in lines]

    assert '"hello"' in said[3]


@pytest.mark.parametrize("framework", ALONE)
def test_an_example_runs_without_the_demo_s_command(framework: str, tmp_path: Path) -> None:
    """Each example is an application like any other: its framework's own command serves it from `examples/`."""
    port = free_port()
    output = tmp_path / "output.txt"
    environment = clean_environment(
        PYTHONPATH=str(ROOT / "examples"), BASE_URL=f"http://127.0.0.1:{port}", PYTHONUNBUFFERED="1"
    )
    command = [sys.executable, "-m", *ALONE[framework], str(port)]
    if framework == "django":
        migrate = [sys.executable, "-m", "django", "migrate", "--settings", "django_app.settings", "-v", "0"]
        subprocess.run(migrate, cwd=tmp_path, env=environment, check=True)

    with running(command, tmp_path, output, environment) as process:
        printed(process, output, str(port))
        assert "authcore demo" in fetch(f"http://127.0.0.1:{port}/")
        with pytest.raises(HTTPError, match="401"):
            urlopen(f"http://127.0.0.1:{port}/hello")


# --- processes ---


def serve(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    return subprocess.run([sys.executable, str(SERVE), *arguments], capture_output=True, text=True, timeout=60)


def refusal(done: subprocess.CompletedProcess[str]) -> str:
    """Assert that a command refused in one sentence, and answer it."""
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("demo: ")
    return line


def shell(line: str, folder: Path) -> str:
    """Run one line in a shell of its own."""
    return subprocess.run(["sh", "-c", line], cwd=folder, capture_output=True, text=True, check=True, timeout=60).stdout


@contextmanager
def running(
    command: list[str], folder: Path, output: Path, environment: dict[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command in a process group of its own, and end the whole group as Ctrl+C does."""
    with output.open("wb") as printing:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=printing, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGINT)
        process.wait(timeout=20)


def free_port() -> int:
    """Answer a port that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def fetch(address: str) -> str:
    """Wait until an address answers, and answer its body."""
    for _ in range(100):
        try:
            with urlopen(address) as answer:
                return str(answer.read().decode())
        except URLError as error:
            if not isinstance(error.reason, ConnectionError):
                raise
        time.sleep(0.1)
    raise AssertionError(f"{address} does not answer")
