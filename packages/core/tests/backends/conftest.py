"""Databases for the tests of the backends: SQLite in a file and in memory, and a PostgreSQL that really runs."""

from __future__ import annotations

import ipaddress
import os
import secrets
import ssl
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError

from authcore.backends.argon2 import CHEAP
from authcore.backends.build import Backends, Plan
from authcore.drive import Drive
from authcore.ports import Ports
from authcore.testing.ports import FrozenClock

POSTGRES = os.environ.get("AUTHCORE_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/postgres")
MISSING = (
    "PostgreSQL does not answer: start one (docker run -p 5432:5432 -e POSTGRES_HOST_AUTH_METHOD=trust postgres) "
    "or name it in AUTHCORE_TEST_POSTGRES."
)

Make = Callable[..., Backends]


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """Answer the URL of a database that is made for this run and dropped after it."""
    server = make_url(POSTGRES).set(drivername="postgresql+psycopg")
    name = f"authcore_test_{secrets.token_hex(6)}"
    admin = create_engine(server, isolation_level="AUTOCOMMIT", connect_args={"connect_timeout": 3})
    try:
        with admin.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
    except OperationalError:
        if os.environ.get("CI") == "true":
            pytest.fail(MISSING)
        pytest.skip(MISSING)
    yield server.set(drivername="postgresql", database=name).render_as_string(hide_password=False)
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """Answer the URL of a file that does not exist yet."""
    return f"sqlite:///{tmp_path / 'app.db'}"


@pytest.fixture(params=["file", "memory", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    """Answer the URL of each database in turn."""
    if request.param == "memory":
        return "sqlite://"
    name = "sqlite_url" if request.param == "file" else "postgres_url"
    return str(request.getfixturevalue(name))


@pytest.fixture(params=["file", "postgresql"])
def shared_url(request: pytest.FixtureRequest) -> str:
    """Answer the URL of each database that several processes can open."""
    return str(request.getfixturevalue("sqlite_url" if request.param == "file" else "postgres_url"))


@pytest.fixture
def make() -> Iterator[Make]:
    """Answer a function that builds backends, which are disposed of afterwards."""
    made: list[Backends] = []

    def build(database: Any, **settings: Any) -> Backends:
        made.append(Backends(Plan(database, **{"hashing": CHEAP, **settings})))
        return made[-1]

    yield build
    for backends in made:
        backends.dispose()


@pytest.fixture
def clock() -> FrozenClock:
    """Answer a clock that stands still."""
    return FrozenClock()


@pytest.fixture
def ports(make: Make, url: str, clock: FrozenClock) -> Ports:
    """Answer blocking ports over each database, with its tables."""
    backends = make(url, clock=clock)
    backends.create_tables()
    return backends.ports(Drive.BLOCKING)


class Tls:
    """A certificate for localhost and 127.0.0.1: what a server shows, and what a client trusts."""

    def __init__(self, folder: Path) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "authcore tests")])
        names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        now = datetime.now(UTC)
        builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        certificate = builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (folder / "server.pem").write_bytes(private + certificate)
        self.server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.server.load_cert_chain(folder / "server.pem")
        self.client = ssl.create_default_context(cadata=certificate.decode())


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    """Answer a server's and a client's side of TLS."""
    return Tls(tmp_path_factory.mktemp("tls"))
