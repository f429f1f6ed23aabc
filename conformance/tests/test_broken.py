"""The suite is tested: a driver that is wrong in one way fails it, where that way is tested."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

CORE = "authcore_conformance.core_driver:CoreDriver"
SUITE = "authcore_conformance.suite"

CAUGHT = {
    "DropsTheSecondCookie": (
        *("test_sessions_refresh", "test_a_pair_of_cookies_rotates"),
        "assert ['__Host-authcore_refresh'] == ['__Host-auth",
    ),
    "AlwaysFine": (
        *("test_password", "test_a_code_is_spent_once"),
        "assert (200, 'invalid_challenge') == (400, 'invalid_challenge')",
    ),
    "IgnoresTheMethod": (
        *("test_transport", "test_other_methods_are_told_which_are_allowed"),
        "assert (422, 'invalid_fields') == (405, 'method_not_allowed')",
    ),
    "ManglesBytes": ("test_golden", "test_a_transcript_is_the_golden_one", '{"status": "signed_in", "user": {'),
    "BlocksTheLoop": (
        *("test_counting", "test_a_wrong_code_leaves_its_attempt"),
        "the driver ran the core on its event loop, which stood still meanwhile",
    ),
    "DeclaresAStaleGap": (
        *("test_guards", "test_a_guard_lets_the_member_in"),
        "[XPASS(strict)] own_routes: guards come later",
    ),
    "TakesTheLastCookie": ("test_transport_cookies", "test_two_cookies_of_one_name_are_refused", "Reply(status=200"),
    "ForgivesSlashes": ("test_transport", "test_what_is_no_route_is_not_found", "/': (405, b'{"),
    "SwallowsNeighbours": ("test_transport", "test_the_prefix_ends_at_a_slash", '{"error":{"code":"not_found"'),
    "BelievesForwarding": ("test_transport_address", "test_nobody_says_who_they_are", "assert '1.2.3.4' == '9.9.9.9'"),
    "ReadsFormsFirst": ("test_transport_bodies", "test_a_body_without_a_type_is_refused", "Reply(status=200"),
    "ForgetsTheOrigin": ("test_guards", "test_a_guard_checks_the_origin", "assert 200 == 403"),
    "ForgetsTheScopes": ("test_guards", "test_every_scope_is_needed", "assert (200, 200) == (403, 200)"),
    "ForgetsTheGuard": (
        *("test_guards", "test_a_named_guard_reads_its_own_credential_alone"),
        "assert (200, 200) == (200, 401)",
    ),
    "InsistsOnSomebody": ("test_guards", "test_an_optional_guard_lets_nobody_in", "'not_authenticated'"),
    "KnowsTheForeign": ("test_guards", "test_a_foreign_request_is_nobodys", "{'email': 'ada@example.com'}"),
    "RemembersTooLong": ("test_guards", "test_an_ended_session_is_refused_at_once", "Reply(status=200"),
    "LooksUpTwice": ("test_guards", "test_who_is_signed_in_is_looked_up_once", "assert 2 == 1"),
    "AnswersOptionsItself": ("test_transport", "test_options_lists_the_methods", "assert (200, b'') == (204, b'')"),
    "RaisesUnanswered": (
        *("test_guards", "test_an_error_from_a_handler_is_answered_in_its_own_words"),
        "assert 500 == 409",
    ),
}
"""Which module and test of the suite must catch which driver, and what it must say."""

UNBROKEN = {CORE: "core-sqlite", "authcore_conformance.core_driver:ThreadsCoreDriver": "core-threads-sqlite"}
"""What the broken drivers are but for their faults, and what test ids call it."""


def run(folder: Path, *arguments: str, **environment: str) -> tuple[int, str]:
    """Run pytest in a process and a folder of its own; answer its exit status and all that it printed."""
    paths = os.pathsep.join([str(folder), str(Path(__file__).parent)])
    env = {**os.environ, "PYTHONPATH": paths, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **environment}
    options = ("-q", "-W", "error", "-p", "no:cacheprovider", "-p", "authcore_conformance.plugin", "--pyargs")
    command = [sys.executable, "-m", "pytest", *options, *arguments]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=300, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Answer what pytest says of every broken driver, and of the core, at the tests that must catch them."""
    drivers = [*UNBROKEN, *(f"broken_drivers:{name}" for name in CAUGHT)]
    named = [part for driver in drivers for part in ("--authcore-driver", driver)]
    tests = sorted({f"{SUITE}.{module}::{test}" for module, test, _ in CAUGHT.values()})
    chosen = " or ".join([f"({name} and {test})" for name, (_, test, _) in CAUGHT.items()] + list(UNBROKEN.values()))
    status, output = run(tmp_path_factory.mktemp("broken"), *tests, *named, "-k", chosen, "-rfEp", "--tb=short")
    assert status == pytest.ExitCode.TESTS_FAILED, output
    return output


@pytest.mark.parametrize("name", CAUGHT)
def test_a_broken_driver_fails(report: str, name: str) -> None:
    """Each broken driver fails where its fault is tested, and for its fault."""
    _, test, words = CAUGHT[name]
    _, *parts = re.split(r"^_+ (.+) _+$", report, flags=re.MULTILINE)
    said = [text for title, text in zip(parts[::2], parts[1::2], strict=True) if f"{test}[{name}-sqlite" in title]

    assert re.search(rf"^(FAILED|ERROR) \S*::{test}\[{name}-sqlite", report, re.MULTILINE), report
    assert any(words in text for text in said), said


@pytest.mark.parametrize("unbroken", UNBROKEN.values())
def test_the_core_passes_the_same_tests(report: str, unbroken: str) -> None:
    """What catches the broken drivers lets the core pass: it is their fault and not the test's."""
    lines = [line for line in report.splitlines() if f"[{unbroken}" in line]

    assert [line for line in lines if not line.startswith("PASSED")] == []
    assert {line.split("::")[1].partition("[")[0] for line in lines} == {test for _, test, _ in CAUGHT.values()}


def test_every_broken_driver_is_tried() -> None:
    """No broken driver is left out, and none is tried that is not there."""
    text = (Path(__file__).parent / "broken_drivers.py").read_text()

    named = set(re.findall(r"^class (\w+)\(", text, re.MULTILINE))

    assert named == {*CAUGHT, "Broken", "DeclaresAnUnknownGap", "HasNoMode"}


def test_a_true_gap_is_an_expected_failure(tmp_path: Path) -> None:
    """A gap that is real stands as xfail, with its reason, and the rest of the suite counts."""
    (tmp_path / "honest.py").write_text(
        "from authcore_conformance.core_driver import CoreDriver\n"
        "class Honest(CoreDriver):\n"
        "    gaps = {'any_method': 'the server answers those itself'}\n"
        "    def send(self, request):\n"
        "        if request.method == 'BREW':\n"
        "            raise ValueError('BREW')\n"
        "        return super().send(request)\n"
    )

    status, output = run(
        tmp_path, f"{SUITE}.test_transport", "--authcore-driver", "honest:Honest", "-rx", "-k", "method"
    )

    assert status == pytest.ExitCode.OK, output
    assert re.search(r"\d passed, \d+ deselected, 1 xfailed", output)
    assert "any_method: the server answers those itself" in output


@pytest.mark.parametrize(
    ("driver", "sentence"),
    [
        ("broken_drivers:DeclaresAnUnknownGap", "its gap 'patience' is no capability"),
        ("broken_drivers:HasNoMode", "its mode is 'quickly'; write blocking, threads or asyncio"),
        ("broken_drivers:Nobody", "write module:Class of a driver"),
        ("no_such_module:Driver", "write module:Class of a driver"),
        ("broken_drivers", "write module:Class of a driver"),
        ("authcore_conformance.plugin:REFERENCE", "this is no class"),
        ("builtins:dict", "this is no driver, for it has no name, mode, gaps, start, send, stop"),
        ("fractions:Decimal", "this is no driver"),
        ("builtins:memoryview", "it cannot be made without arguments"),
    ],
)
def test_what_is_no_driver_is_told_in_a_sentence(tmp_path: Path, driver: str, sentence: str) -> None:
    """A wrong name and a wrong declaration end the run at once, and say what to write."""
    status, output = run(tmp_path, f"{SUITE}.test_meta", "--authcore-driver", driver)

    assert status == pytest.ExitCode.USAGE_ERROR
    assert sentence in output
    assert [line for line in output.splitlines() if sentence in line] == output.splitlines()[2:-1]
    assert "Traceback" not in output


@pytest.mark.parametrize("asked", [SUITE, f"{SUITE}.test_meta"])
def test_a_driver_is_needed(tmp_path: Path, asked: str) -> None:
    """Without a driver the suite says once how to name one, instead of failing in each of its modules."""
    status, output = run(tmp_path, asked)

    assert status == pytest.ExitCode.USAGE_ERROR
    assert output.count("\nERROR") == output.count("pass --authcore-driver module:Class") == 1


def test_a_driver_is_found_in_the_current_folder(tmp_path: Path) -> None:
    """The command `pytest` leaves the current folder out of the path, where an author's driver most often stands."""
    (tmp_path / "nearby.py").write_text("from authcore_conformance.core_driver import CoreDriver as Nearby\n")
    command = [sys.executable, "-c", "import sys; sys.path.remove(''); import pytest; sys.exit(pytest.main())"]
    options = ("-q", "-p", "no:cacheprovider", "-p", "authcore_conformance.plugin", "--pyargs", f"{SUITE}.test_meta")

    done = subprocess.run(
        [*command, *options, "--authcore-driver", "nearby:Nearby"],
        cwd=tmp_path,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert done.returncode == pytest.ExitCode.OK, done.stdout + done.stderr


def test_a_driver_may_stand_in_the_settings(tmp_path: Path) -> None:
    """`authcore_drivers` in the ini file names drivers as the option does."""
    (tmp_path / "pytest.ini").write_text(f"[pytest]\nauthcore_drivers = {CORE}\n")

    status, output = run(tmp_path, f"{SUITE}.test_meta")

    assert status == pytest.ExitCode.OK, output
    assert re.search(r"^\d+ passed", output, re.MULTILINE)


@pytest.mark.parametrize(("ci", "outcome"), [("", "skipped"), ("true", "error")])
def test_a_missing_server_is_told(tmp_path: Path, ci: str, outcome: str) -> None:
    """Without PostgreSQL its tests are skipped with a sentence, and fail in CI."""
    options = (f"{SUITE}.test_meta", "--authcore-driver", CORE, "--authcore-database", "postgresql", "-rsE")

    _, output = run(tmp_path, *options, CI=ci, AUTHCORE_TEST_POSTGRES="postgresql://nobody@127.0.0.1:1/none")

    assert re.search(rf"^\d {outcome}s? in", output, re.MULTILINE)
    assert "PostgreSQL does not answer" in output


def test_asyncio_needs_a_server(tmp_path: Path) -> None:
    """A driver of mode asyncio on SQLite alone would test nothing: that is told instead."""
    asyncio = "authcore_conformance.core_driver:AsyncioCoreDriver"

    status, output = run(tmp_path, f"{SUITE}.test_meta", "--authcore-driver", asyncio)

    assert status != pytest.ExitCode.OK
    assert "Drivers of mode asyncio need --authcore-database postgresql" in output


def test_golden_files_are_the_references(tmp_path: Path) -> None:
    """Only the reference writes golden files: an adapter cannot make its own answers the measure."""
    other = "authcore_conformance.core_driver:ThreadsCoreDriver"

    status, output = run(tmp_path, f"{SUITE}.test_golden", "--authcore-driver", other, "--authcore-golden-write")

    assert status == pytest.ExitCode.USAGE_ERROR
    assert f"--authcore-golden-write is for {CORE} alone" in output
