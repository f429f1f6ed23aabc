"""A demo as a person starts it: a process, what it prints, and how it ends."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
SERVE = ROOT / "examples" / "demo" / "serve.py"
LAST_LINE = "Ctrl+C ends it; the data stay.\n"
START = 60  # seconds that a demo may take until it has printed its last line


class Demo:
    """A demo in a folder of its own, which may be started, killed and started again."""

    def __init__(self, framework: str, folder: Path) -> None:
        self.framework = framework
        self.database = folder / f"{framework}.db"
        self.address = ""
        self.printed = ""
        self._output = folder / "output.txt"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, port: int = 0) -> None:
        """Serve on a port, by default a free one, and wait for what it prints."""
        command = [sys.executable, str(SERVE), "--framework", self.framework, "--port", str(port)]
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(
                [*command, "--database", str(self.database)], stdout=output, stderr=subprocess.STDOUT
            )
        self.printed = printed(self._process, self._output, LAST_LINE)
        self.address = re.findall(r"http://127\.0\.0\.1:\d+", self.printed)[0]

    @property
    def port(self) -> int:
        """The port on which it serves."""
        return int(self.address.rsplit(":", 1)[1])

    @property
    def lines(self) -> list[str]:
        """The lines that it printed for a shell."""
        return re.findall(r"^  (curl .*)$", self.printed, re.MULTILINE)

    def age_sign_ins(self) -> None:
        """Let every sign-in so far lie back."""
        with sqlite3.connect(self.database) as database:
            database.execute("UPDATE authcore_session SET auth_time = 0")
        database.close()

    def kill(self) -> None:
        """End it as a power cut would."""
        self.end(signal.SIGKILL)

    def end(self, by: signal.Signals = signal.SIGINT) -> tuple[int, str]:
        """End it by a signal, and answer its status and what it printed after its first lines."""
        assert self._process is not None
        self._process.send_signal(by)
        status = self._process.wait(timeout=20)
        return status, self._output.read_text()[len(self.printed) :]


def printed(process: subprocess.Popen[bytes], output: Path, last: str, limit: float = START) -> str:
    """Wait until a process has printed that, and answer all it printed so far."""
    deadline = time.monotonic() + limit
    while last not in (text := output.read_text()):
        assert process.poll() is None, text
        assert time.monotonic() < deadline, text
        time.sleep(0.05)
    return text


def clean_environment(**more: str) -> dict[str, str]:
    """Answer the environment without what makes this Python another one."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    return {**kept, **more}
