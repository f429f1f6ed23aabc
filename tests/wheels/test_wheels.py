"""What a user installs: the built wheels, in an empty environment, without the checkout on the path."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest
from packaging.metadata import Metadata
from packaging.requirements import Requirement
from pages import ROOT, section
from quickstarts import README, program
from trove_classifiers import classifiers

VERSION = "0.2.0"
ADAPTERS = ("flask", "fastapi", "django", "litestar")
SOURCES = {
    "authcore": ROOT / "packages" / "core",
    **{f"authcore-{name}": ROOT / "packages" / name for name in ADAPTERS},
    "authcore-conformance": ROOT / "conformance",
}
# What the walk through an application needs beside the application: a test client's own library.
CLIENTS = {"Flask": [], "FastAPI": ["httpx2"], "Litestar": [], "Django": []}
NEVER_BUILT = shutil.ignore_patterns("__pycache__", "node_modules", "dist", ".*")
_LINK = re.compile(r"\]\(([^)]+)\)")


@pytest.fixture(scope="session")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheels of every distribution, built from a copy of the checkout."""
    out = tmp_path_factory.mktemp("dist")
    for name, source in SOURCES.items():
        copy = out / "source" / name
        shutil.copytree(source, copy, ignore=NEVER_BUILT)
        run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "-o", str(out), str(copy), cwd=out)
    return out


@pytest.mark.parametrize("framework", CLIENTS)
def test_the_wheels_install_and_the_quickstart_runs(framework: str, dist: Path, tmp_path: Path) -> None:
    """`authcore[flask]` … installs from the files into an empty environment and serves the README's quickstart.

    The files are named on the command line, so that nothing called authcore is ever looked up in an index.
    """
    extra = framework.lower()
    python = empty(tmp_path)
    core, adapter = wheel(dist, "authcore"), wheel(dist, f"authcore-{extra}")

    install(python, f"authcore[{extra}] @ {core.as_uri()}", str(adapter), *CLIENTS[framework])

    walk(python, framework, tmp_path)
    assert " outbox " in run(str(python.parent / "authcore"), "--help", cwd=tmp_path)


def test_the_suite_installs_from_the_wheels(dist: Path, tmp_path: Path) -> None:
    """`authcore[conformance]` brings the suite: pytest finds the plugin and its tests by their package's name."""
    python = empty(tmp_path)

    install(
        python, f"authcore[conformance] @ {wheel(dist, 'authcore').as_uri()}", str(wheel(dist, "authcore-conformance"))
    )

    plugins = run(str(python), "-m", "pytest", "--version", "--version", cwd=tmp_path)
    assert f"authcore-conformance-{VERSION}" in plugins


def test_the_readme_s_lines_install_from_a_checkout_and_from_wheels(tmp_path: Path) -> None:
    """The lines of "Install" work as they stand: the first by itself, and the last after either way to build."""
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    for name in ("packages", "conformance"):
        shutil.copytree(ROOT / name, checkout / name, ignore=NEVER_BUILT)
    shutil.copy(ROOT / "pyproject.toml", checkout)
    (block,) = re.findall(r"^```sh\n(.*?)^```", section(README, "## Install"), re.MULTILINE | re.DOTALL)
    editable, build, by_pip, built = block.splitlines()

    ways = {"editable": [editable], "built": [build, built], "built-by-pip": [by_pip, built]}
    for place, lines in ways.items():
        (tmp_path / place).mkdir()
        shutil.rmtree(checkout / "dist", ignore_errors=True)
        python = empty(tmp_path / place)
        for line in lines:
            # uv builds with this environment's hatchling: which index uv reaches is not the question here.
            run(
                "sh",
                "-c",
                line,
                cwd=checkout,
                first_on_path=python.parent,
                UV_NO_BUILD_ISOLATION="1",
                UV_PYTHON=sys.executable,
                PIP_LOG=str(tmp_path / place / "pip.log"),
            )
        assert "authcore" not in looked_up(tmp_path / place / "pip.log")
        walk(python, "Flask", tmp_path / place, installed=place != "editable")


@pytest.mark.parametrize("name", SOURCES)
def test_a_wheel_holds_its_package_whole_and_nothing_else(name: str, dist: Path) -> None:
    """Each file of the package is in: code, `py.typed`, templates, migrations, lists, golden files; no test is."""
    source = SOURCES[name] / "src"
    package = {str(path.relative_to(source)) for path in source.rglob("*") if path.is_file() and path.suffix != ".pyc"}

    names = set(ZipFile(wheel(dist, name)).namelist())

    about = f"{name.replace('-', '_')}-{VERSION}.dist-info"
    assert {file for file in names if not file.startswith(f"{about}/")} == package
    assert f"{name.replace('-', '_')}/py.typed" in names
    assert f"{about}/licenses/LICENSE" in names


def test_the_data_of_the_packages_is_where_it_is_looked_for(dist: Path) -> None:
    """The list of common passwords, the templates, both histories of migrations and the golden files ship."""
    wanted = {
        "authcore": [
            "authcore/services/common_passwords.txt",
            "authcore/features/password/templates/auth-sign-up.html",
            "authcore/services/templates/base.html",
            "authcore/migrations/env.py",
        ],
        "authcore-django": ["authcore_django/migrations/0001_initial.py"],
        "authcore-conformance": ["authcore_conformance/golden/signing_up-cookie.json"],
    }

    for name, files in wanted.items():
        assert set(files) <= set(ZipFile(wheel(dist, name)).namelist())


@pytest.mark.parametrize("name", SOURCES)
def test_the_metadata_is_fit_for_an_index(name: str, dist: Path) -> None:
    """It is valid; the classifiers exist, the README is Markdown whose links work anywhere, Python is 3.11 or newer."""
    about = f"{name.replace('-', '_')}-{VERSION}.dist-info/METADATA"

    metadata = Metadata.from_email(ZipFile(wheel(dist, name)).read(about), validate=True)

    assert (metadata.name, str(metadata.version), metadata.license_expression) == (name, VERSION, "MIT")
    assert metadata.summary
    assert set(metadata.classifiers or []) <= classifiers
    assert metadata.requires_python is not None
    assert [minor for minor in range(9, 15) if f"3.{minor}" in metadata.requires_python] == [11, 12, 13, 14]
    assert metadata.description_content_type == "text/markdown"
    assert (metadata.description or "").startswith(f"# {name}\n")
    assert [link for link in _LINK.findall(metadata.description or "") if "://" not in link] == []


@pytest.mark.parametrize("name", SOURCES)
def test_the_packages_ask_for_each_other_in_one_version(name: str, dist: Path) -> None:
    """Whatever is called authcore is asked for in exactly this version, and nothing by an address."""
    about = f"{name.replace('-', '_')}-{VERSION}.dist-info/METADATA"
    metadata = Metadata.from_email(ZipFile(wheel(dist, name)).read(about))

    asked: list[Requirement] = metadata.requires_dist or []

    own = {str(one.specifier) for one in asked if one.name.startswith("authcore")}
    assert own == {f"=={VERSION}"}
    assert [one for one in asked if one.url] == []
    if name == "authcore":
        assert {*ADAPTERS, "conformance"} <= set(metadata.provides_extra or [])


# --- environments ---


def run(*command: str, cwd: Path, first_on_path: Path | None = None, **more: str) -> str:
    """Run a command without this environment's Python variables, and answer what it printed."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    path = [str(first_on_path)] if first_on_path else []
    clean["PATH"] = os.pathsep.join([*path, clean["PATH"], str(Path(sys.executable).parent)])
    done = subprocess.run(command, cwd=cwd, env={**clean, **more}, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def empty(folder: Path) -> Path:
    """Make an empty environment, and answer its interpreter."""
    run(sys.executable, "-m", "venv", "empty", cwd=folder)
    return folder / "empty" / "bin" / "python"


def install(python: Path, *wanted: str) -> None:
    """Install by plain pip, which must look for nothing called authcore."""
    log = python.parent / "pip.log"
    run(str(python), "-m", "pip", "install", "-q", *wanted, cwd=python.parent, PIP_LOG=str(log))
    assert "authcore" not in looked_up(log)


def looked_up(log: Path) -> set[str]:
    """Answer the names whose versions pip searched in the index, by the first part of each."""
    names = set(re.findall(r"location\(s\) to search for versions of (\w+)", log.read_text(encoding="utf-8")))
    assert names, "pip's log no longer says what it searched"
    return names


def wheel(dist: Path, name: str) -> Path:
    """Answer the wheel of a distribution."""
    (found,) = dist.glob(f"{name.replace('-', '_')}-{VERSION}-*.whl")
    return found


def walk(python: Path, framework: str, folder: Path, *, installed: bool = True) -> None:
    """Run the README's quickstart, and assert that authcore came from where it should."""
    shutil.copy(ROOT / "docs" / "tests" / "walkthrough.py", folder)
    (folder / "program.py").write_text(program(framework), encoding="utf-8")

    run(str(python), "-W", "error", "program.py", cwd=folder)

    where = run(str(python), "-c", "import authcore; print(authcore.__file__, authcore.__version__)", cwd=folder)
    assert where.startswith(str(folder)) == installed
    assert where.strip().endswith(f" {VERSION}")
    assert str(ROOT) not in where
