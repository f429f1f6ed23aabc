"""A browser as W3C WebDriver drives it: HTTP to the machine's chromedriver, no library between."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, TypeVar

Found = TypeVar("Found")
WAIT = 15  # seconds that a page may take to show what is waited for
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the key that the standard gives to a reference to an element
FLAGS = (
    "--headless=new",
    "--no-sandbox",  # Chromium has none for root, as whom a container runs
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
# A person sees these names; what is hidden has none.
VISIBLE = "const seen = (one) => one.checkVisibility(); const named = (one) => one.textContent.trim();"
FIELD = f"""{VISIBLE}
    return [...document.querySelectorAll("label")].find((one) => seen(one) && named(one) === arguments[0])?.control"""
PRESSED = f"""{VISIBLE}
    const label = (one) => one.getAttribute("aria-label") ?? named(one);
    return [...document.querySelectorAll("button, a, summary")]
        .find((one) => seen(one) && !one.disabled && label(one) === arguments[0])"""

OPTION = f"""{VISIBLE}
    const label = [...document.querySelectorAll("label")].find((one) => seen(one) && named(one) === arguments[0]);
    return [...(label?.control.options ?? [])].find((one) => one.label === arguments[1])"""
FRAME = "return [...document.querySelectorAll('iframe')].find((one) => one.title === arguments[0])"
CONTROLS = f"""{VISIBLE}
    const reachable = document.querySelector("dialog[open]") ?? document;
    const kinds = "button, a, input:not([aria-hidden]), select, summary, output, iframe, img:not([alt=''])";
    return [...reachable.querySelectorAll(kinds)]
        .filter(seen).map((one) => [one, one.outerHTML])"""
ERRORS = """
    const described = (one) => document.getElementById(one.getAttribute("aria-describedby").split(" ")[0]);
    return [...document.querySelectorAll("[aria-invalid]")]
        .map((one) => [one.labels[0].textContent.trim(), described(one).textContent])"""


GONE = (
    "element click intercepted",
    "element not interactable",
    "invalid element state",
    "stale element reference",
)


class Gone(AssertionError):
    """What was found is hidden again: the page has moved on, and a person would look once more."""


def missing() -> str | None:
    """Say what is missing for a browser and how to install it, or None."""
    if _chromium() and shutil.which("chromedriver"):
        return None
    return "Chromium and its driver are missing: apt-get install chromium chromium-driver"


def _chromium() -> str | None:
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@contextmanager
def chromedriver() -> Iterator[int]:
    """Run chromedriver and answer its port."""
    command = [shutil.which("chromedriver") or "chromedriver", "--port=0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        try:
            yield next(
                int(port[1]) for line in process.stdout if (port := re.search(r"successfully on port (\d+)", line))
            )
        finally:
            process.terminate()


@contextmanager
def browser(port: int, size: tuple[int, int]) -> Iterator[Browser]:
    """Open a browser with a profile of its own and pages of that size, and close it."""
    with tempfile.TemporaryDirectory(prefix="profile-", ignore_cleanup_errors=True) as profile:
        opened = Browser(port, [*FLAGS, f"--user-data-dir={profile}"], size)
        try:
            yield opened
        finally:
            opened.close()


class Browser:
    """One browser with its windows; what a person would look for by its name is found by its name."""

    def __init__(self, port: int, flags: list[str], size: tuple[int, int]) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=60)
        self._size = size
        options = {"binary": _chromium(), "args": flags}
        wanted = {"browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        self._session = ""
        self._session = self._send("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})["sessionId"]

    def close(self) -> None:
        """End the browser."""
        self._send("DELETE", "")
        self._connection.close()

    def forget(self) -> None:
        """Be as a browser that was just opened: no cookie, and one window that remembers nothing."""
        self._devtools("Network.clearBrowserCookies")
        opened = self._send("POST", "/window/new", {"type": "tab"})["handle"]
        for handle in self._send("GET", "/window/handles"):
            if handle != opened:
                self._send("POST", "/window", {"handle": handle})
                self._send("DELETE", "/window")
        self._enter(opened)
        self.console()

    # --- what a person does ---

    def open(self, address: str) -> None:
        """Go to an address."""
        self._send("POST", "/url", {"url": address})

    def reload(self) -> None:
        """Load the page again."""
        self._send("POST", "/refresh", {})

    def fill(self, label: str, text: str) -> None:
        """Type into the field of that label, instead of what stands there."""
        self._wait(lambda: self._typed(label, text), f"a field {label!r}")

    def _typed(self, label: str, text: str) -> bool:
        field = self.run(FIELD, label)
        if field is None:
            return False
        try:
            self._send("POST", f"/element/{field[ELEMENT]}/clear", {})
            self._send("POST", f"/element/{field[ELEMENT]}/value", {"text": text})
        except Gone:
            return False
        return True

    def press(self, name: str) -> None:
        """Click the button or link of that name."""
        self._wait(lambda: self._clicked(PRESSED, name), f"a button or link {name!r}")

    def tick(self, label: str) -> None:
        """Click the box of that label."""
        self._wait(lambda: self._clicked(FIELD, label), f"a box {label!r}")

    def choose(self, label: str, option: str) -> None:
        """Choose from the list of that label."""
        self._wait(lambda: self._clicked(OPTION, label, option), f"an option {option!r} of {label!r}")

    def _clicked(self, script: str, *names: str) -> bool:
        found = self.run(script, *names)
        if found is None:
            return False
        try:
            self._send("POST", f"/element/{found[ELEMENT]}/click", {})
        except Gone:  # nothing was clicked
            return False
        return True

    def keep_downloads(self, folder: Path) -> None:
        """Write the files that pages hand over into a folder."""
        self._devtools("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder))

    @contextmanager
    def frame(self, title: str) -> Iterator[None]:
        """Be inside the frame of that title, then back in its page."""
        found = self._wait(lambda: self.run(FRAME, title), f"a frame {title!r}")
        self._send("POST", "/frame", {"id": found})
        try:
            yield
        finally:
            self._send("POST", "/frame", {"id": None})

    @contextmanager
    def other_window(self) -> Iterator[None]:
        """Be in the window that a link opened, then close it and be back."""
        here = self._send("GET", "/window")
        others = lambda: [one for one in self._send("GET", "/window/handles") if one != here]  # noqa: E731
        (there,) = self._wait(others, "another window")
        self._enter(there)
        yield
        self._send("DELETE", "/window")
        self._send("POST", "/window", {"handle": here})

    # --- what a person sees ---

    def address(self) -> str:
        """Answer what stands in the address bar."""
        return str(self._send("GET", "/url"))

    def title(self) -> str:
        """Answer the page's title."""
        return str(self._send("GET", "/title"))

    def text(self) -> str:
        """Answer the text that is seen."""
        return str(self.run("return document.body.innerText"))

    def see(self, *texts: str) -> None:
        """Wait until each of these is seen."""
        for text in texts:
            self.match(re.escape(text))

    def gone(self, text: str) -> None:
        """Wait until this is no longer seen."""
        self._wait(lambda: text not in self.text(), f"a page without {text!r}")

    def match(self, pattern: str) -> str:
        """Wait for a text like that, and answer it."""
        return self._wait(lambda: re.search(pattern, self.text(), re.DOTALL), f"a text like {pattern!r}")[0]

    def errors(self) -> dict[str, str]:
        """Answer the fields that are marked as wrong, and what each is described by."""
        return dict(self.run(ERRORS))

    def unnamed(self) -> list[str]:
        """Answer the controls that are seen and that a screen reader has no name for."""
        (found,) = self._wait(self._named, "a page that stands still")
        # What was hidden while its name was asked for has none, and is no longer seen.
        seen = {html for _, html in self.run(CONTROLS)}
        return [html for html, name in found if not name and html in seen]

    def _named(self) -> tuple[list[tuple[str, str]]] | None:
        try:
            controls = self.run(CONTROLS)
            return ([(html, self._send("GET", f"/element/{one[ELEMENT]}/computedlabel")) for one, html in controls],)
        except Gone:
            return None

    def buttons(self) -> list[str]:
        """Answer the names of the buttons that are seen."""
        return list(self.run("return [...document.querySelectorAll('button')].map((one) => one.textContent.trim())"))

    def overflow(self) -> int:
        """Answer how many pixels the page is wider than the window."""
        return int(self.run("const page = document.documentElement; return page.scrollWidth - page.clientWidth"))

    def console(self) -> list[str]:
        """Answer what the console said since the last time, warnings and errors alone."""
        lines = self._send("POST", "/se/log", {"type": "browser"})
        return [line["message"] for line in lines if line["level"] in ("SEVERE", "WARNING")]

    def cookies(self) -> list[dict[str, Any]]:
        """Answer the cookies of the page."""
        return list(self._send("GET", "/cookie"))

    def run(self, script: str, *arguments: Any) -> Any:
        """Run a script in the page and answer what it returns."""
        return self._send("POST", "/execute/sync", {"script": script, "args": arguments})

    def wait(self, script: str) -> Any:
        """Run a script until it returns something, and answer that."""
        return self._wait(lambda: self.run(script), f"a result of {script!r}")

    def screenshot(self, file: Path) -> None:
        """Write the page as an image, in its whole length."""
        image = self._devtools("Page.captureScreenshot", captureBeyondViewport=True)
        file.write_bytes(base64.b64decode(image["data"]))

    # --- the wire ---

    def _enter(self, handle: str) -> None:
        """Be in a window, and give its page the size: a window cannot be narrower than 500 px, a phone's page is."""
        self._send("POST", "/window", {"handle": handle})
        width, height = self._size
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        self._devtools("Emulation.setDeviceMetricsOverride", **size)

    def _devtools(self, command: str, **parameters: Any) -> Any:
        return self._send("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def _wait(self, ask: Callable[[], Found | None], wanted: str) -> Found:
        deadline = time.monotonic() + WAIT
        while not (found := ask()):
            if time.monotonic() > deadline:
                raise AssertionError(f"{wanted} did not appear in:\n{self.text()}")
            time.sleep(0.05)
        return found

    def _send(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        if self._session:
            path = f"/session/{self._session}{path}"
        data = None if body is None else json.dumps(body).encode()
        self._connection.request(method, path, data, {"Content-Type": "application/json"})
        value = json.loads(self._connection.getresponse().read())["value"]
        if isinstance(value, dict) and "stacktrace" in value:
            kind = Gone if value["error"] in GONE else AssertionError
            raise kind(f"{method} {path}: {value['error']}: {value['message']}")
        return value
