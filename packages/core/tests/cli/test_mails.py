"""`authcore mails`: which mails there are, and a browser's view of each."""

from __future__ import annotations

import http.client
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from authcore import Auth, Brand, Password
from authcore.cli.preview import Preview, server
from authcore.drive import Drive
from authcore.feature import Feature, MailTemplate, SmsTemplate

Mounted = Callable[..., Result]
MakeAuth = Callable[..., Auth]
PNG = b"\x89PNG\r\n\x1a\n" + b"a small picture"


class Texted(Feature):
    """A room that sends a text message, and a mail from which a name is missing."""

    name = "texted"

    def __init__(self, folder: Path) -> None:
        (folder / "texted.sms.txt").write_text('{% extends "base.sms.txt" %}{% block text %}Hello{% endblock %}')
        for suffix in ("subject.txt", "txt", "html"):
            (folder / f"broken.{suffix}").write_text("{{ data.missing }}")
        self.sms = (SmsTemplate("sign_in_code", "texted", folder, family="login"),)  # type: ignore[misc]
        self.mails = (MailTemplate("broken", "broken", folder),)  # type: ignore[misc]


def test_every_kind_is_listed(auth: MakeAuth, mounted: Mounted, tmp_path: Path) -> None:
    """Each kind of mail and text message stands there with its name, what it carries and its template."""
    listed = mounted(auth(Password(), Texted(tmp_path)), "mails", "list")

    rows = [line.split() for line in listed.output.splitlines()]
    assert listed.exit_code == 0
    assert ["sign_up", "-", "code", "auth-sign-up"] in rows
    assert ["sign_in_code", "login.pincode", "code", "texted", "(text", "message)"] in rows
    assert listed.output.endswith("Languages: en, de, fr.\n")


@pytest.fixture
def browse(auth: MakeAuth, tmp_path: Path) -> Iterator[Callable[..., tuple[int, dict[str, str], str]]]:
    """Serve the preview on a free port, and answer status, headers and text of a path."""
    logo = tmp_path / "logo.png"
    logo.write_bytes(PNG)
    made = auth(Password(), Texted(tmp_path), product="Laden <b>", brand=Brand(logo=logo))
    with server(Preview(made.runtime(Drive.BLOCKING)), 0) as serving:
        thread = threading.Thread(target=serving.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()

        def get(path: str, host: str | None = None) -> tuple[int, dict[str, str], str]:
            connection = http.client.HTTPConnection("127.0.0.1", serving.server_port, timeout=10)
            connection.request("GET", path, headers={"Host": host} if host else {})
            answer = connection.getresponse()
            read = answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read().decode()
            connection.close()
            return read

        yield get
        serving.shutdown()
        thread.join()


def test_every_link_of_the_index_leads_to_a_mail(browse: Any) -> None:
    """The index leads to each kind in each language, and each page to its parts; all of them answer."""
    status, _, index = browse("/")
    pages = [path for path in re.findall(r'href="(/[^"]+)"', index) if "broken" not in path]

    found = {path: browse(path) for path in pages}
    parts = {path for _, _, text in found.values() for path in re.findall(r'(?:href|src)="(/mail/[^"]+)"', text)}

    assert status == 200
    assert {"/mail/sign_up/en", "/mail/sign_up/de", "/mail/sign_up/fr", "/sms/sign_in_code/de"} <= set(pages)
    assert all(answer[0] == 200 for answer in found.values())
    assert {f"/mail/sign_up/de/{part}" for part in ("html", "text", "source")} <= parts
    assert all(browse(path)[0] == 200 for path in parts)


def test_a_page_shows_the_mail_as_it_is_sent(browse: Any) -> None:
    """Subject, text and HTML are the mail's, markup is shown as text, and the logo is seen."""
    _, _, page = browse("/mail/sign_up/de")
    _, headers, html = browse("/mail/sign_up/de/html")
    _, text_headers, text = browse("/mail/sign_up/de/text")

    assert "<h1>Bestätigen Sie Ihre Adresse für Laden &lt;b&gt;</h1>" in page
    assert "482913 ist Ihr Code für Laden <b>." in text
    assert 'src="data:image/png;base64,' in html
    assert headers["content-type"] == "text/html; charset=utf-8"
    assert text_headers["content-type"] == "text/plain; charset=utf-8"
    assert "default-src 'none'" in headers["content-security-policy"]


@pytest.mark.parametrize(
    "path",
    [
        "/mail/nothing/en",
        "/mail/sign_up/xx",
        "/mail/sign_up/en/nothing",
        "/sms/sign_up/en",
        "/x",
        "/mail/../../etc/passwd",
    ],
)
def test_what_is_not_there_is_not_found(browse: Any, path: str) -> None:
    """Unknown kinds, languages, parts and paths are 404."""
    assert browse(path)[0] == 404


def test_a_broken_template_says_what_is_wrong(browse: Any) -> None:
    """A mail that does not render answers the reason, and the others are shown still."""
    status, _, text = browse("/mail/broken/en")

    assert status == 500
    assert "missing" in text
    assert browse("/mail/sign_up/en")[0] == 200


def test_only_this_machine_is_answered(browse: Any) -> None:
    """Another site that resolves to loopback reads nothing (DNS rebinding)."""
    status, _, text = browse("/", host="evil.example")

    assert (status, text) == (421, "Only this machine is answered.\n")


def test_a_taken_port_is_named(auth: MakeAuth, mounted: Mounted) -> None:
    """The sentence names the port and the option."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        refused = mounted(auth(), "mails", "preview", "--port", str(port))

    assert refused.exit_code == 1
    assert f"Port {port} cannot be used" in refused.output
    assert "--port" in refused.output


def test_the_command_serves_until_it_is_interrupted(folder: Path, environment: dict[str, str]) -> None:
    """It prints where, serves there without a database, and ends with status 0."""
    command = [sys.executable, "-u", "-m", "authcore", "mails", "preview", "--port", "0", "--app", "app:auth"]
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True) as serving:
        try:
            assert serving.stdout is not None
            port = int(re.findall(r"http://127\.0\.0\.1:(\d+)/", serving.stdout.readline())[0])
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            connection.request("GET", "/mail/sign_up/en/text")
            text = connection.getresponse().read().decode()
            connection.close()
            serving.send_signal(2)
            rest, _ = serving.communicate(timeout=30)
        finally:
            serving.kill()

    assert "482913 is your code" in text
    assert (rest, serving.returncode) == ("Stopped.\n", 0)
    assert not (folder / "app.db").exists()
