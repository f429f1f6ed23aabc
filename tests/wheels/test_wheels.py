"""What a user installs: the built wheels, in an empty environment, without the checkout on the path."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from pages import ROOT
from quickstarts import program

PROJECTS = ("core", "flask", "fastapi", "django", "litestar")
# What the walk through an application needs beside the application: a test client's own library.
CLIENTS = {"Flask": [], "FastAPI": ["httpx2"], "Litestar": [], "Django": []}


def run(*command: str, cwd: Path) -> str:
    """Run a command without this environment's Python variables, and answer what it printed."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    done = subprocess.run(command, cwd=cwd, env=clean, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheels of every distribution, built from a copy of the checkout."""
    out = tmp_path_factory.mktemp("dist")
    for project in (*(ROOT / "packages" / name for name in PROJECTS), ROOT / "conformance"):
        copy = out / "source" / project.name
        shutil.copytree(project, copy, ignore=shutil.ignore_patterns("__pycache__", "dist"))
        run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "-o", str(out), str(copy), cwd=out)
    return out


def wheel(dist: Path, name: str) -> Path:
    """Answer the wheel of a distribution."""
    (found,) = dist.glob(f"{name.replace('-', '_')}-0.2.0-*.whl")
    return found


@pytest.mark.parametrize("framework", ["Flask", "FastAPI", "Litestar", "Django"])
def test_the_wheels_install_and_the_quickstart_runs(framework: str, dist: Path, tmp_path: Path) -> None:
    """`authcore[flask]` … installs from the files into an empty environment and serves the README's quickstart.

    The files are named on the command line, so that nothing called authcore is ever looked up in an index.
    """
    extra = framework.lower()
    core, adapter = wheel(dist, "authcore"), wheel(dist, f"authcore-{extra}")
    run(sys.executable, "-m", "venv", "empty", cwd=tmp_path)
    python = str(tmp_path / "empty" / "bin" / "python")
    wanted = [f"authcore[{extra}] @ {core.as_uri()}", str(adapter), *CLIENTS[framework]]

    run(python, "-m", "pip", "install", "-q", "--disable-pip-version-check", *wanted, cwd=tmp_path)
    shutil.copy(ROOT / "docs" / "tests" / "walkthrough.py", tmp_path)
    (tmp_path / "program.py").write_text(program(framework), encoding="utf-8")

    run(python, "-W", "error", "program.py", cwd=tmp_path)
    where = run(python, "-c", "import authcore; print(authcore.__file__, authcore.__version__)", cwd=tmp_path)
    assert str(tmp_path) in where
    assert where.strip().endswith("0.2.0")


def test_every_wheel_says_that_it_is_typed(dist: Path) -> None:
    """Each distribution ships `py.typed` and its licence."""
    from zipfile import ZipFile

    for name in (*(f"authcore-{project}" for project in PROJECTS[1:]), "authcore", "authcore-conformance"):
        names = ZipFile(wheel(dist, name)).namelist()
        assert any(file.endswith("/py.typed") for file in names), name
        assert any(file.endswith("licenses/LICENSE") for file in names), name


def test_the_core_ships_its_data(dist: Path) -> None:
    """Templates, the list of common passwords and the migrations stand in the core's wheel."""
    from zipfile import ZipFile

    names = ZipFile(wheel(dist, "authcore")).namelist()
    for wanted in (
        "authcore/features/password/common.txt",
        "authcore/features/password/templates/auth-sign-up.html",
        "authcore/services/templates/base.html",
        "authcore/migrations/env.py",
    ):
        assert wanted in names
