"""authcore on Django's own connection: what is counted stays counted, what joins a transaction goes with it."""

import threading
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db import IntegrityError as DjangoIntegrityError
from django.db import connections, transaction
from django.test import AsyncClient, Client, TestCase
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from authcore import Sessions
from authcore.drive import run_blocking
from authcore.errors import InvalidCredentials, Unavailable
from authcore.ports import Count

PASSWORD = "a passphrase of some length"
PERSON = {"email": "ada@example.com", "password": PASSWORD}
Declare = Any
Post = Any
SignUp = Any


def rows(alias: str, model: str) -> Any:
    """Answer the rows of one of authcore's tables."""
    from django.apps import apps

    return apps.get_model("authcore", model)._base_manager.using(alias)


# --- refusals that count ---


def test_a_failed_sign_in_is_counted(project: str, atomic_requests: None, post: Post, sign_up: SignUp) -> None:
    """Under ATOMIC_REQUESTS the failure stands in its row after the 401."""
    sign_up()

    answers = [post("/auth/sign-in", {**PERSON, "password": "another passphrase"}) for _ in range(2)]

    assert {answer.code for answer in answers} == {(401, "invalid_credentials")}
    assert [row.failures for row in rows(project, "Attempt").all()] == [2]


def test_a_wrong_code_is_counted(alias: str, declare: Declare, atomic_requests: None, post: Post) -> None:
    """Under ATOMIC_REQUESTS the attempt stands in its row after the 400."""
    declare(database_alias=alias, features=["authcore.Password"])
    pending = post("/auth/sign-up", {**PERSON, "transport": "bearer"}).json["challenge"]["id"]

    answer = post("/auth/sign-up/verify", {"challenge_id": pending, "code": "000000"})

    assert answer.code == (400, "invalid_challenge")
    assert [row.attempts for row in rows(alias, "Challenge").all()] == [1]


def test_a_reused_refresh_token_ends_its_family(
    alias: str, declare: Declare, atomic_requests: None, post: Post
) -> None:
    """Under ATOMIC_REQUESTS the session is revoked and one event written, after the 401."""
    strict = Sessions(grace=timedelta(0))
    declare(database_alias=alias, features=[("authcore.Password", {"require_code": False}), strict])
    token = post("/auth/sign-up", {**PERSON, "transport": "bearer"}).json["refresh_token"]

    answers = [post("/auth/refresh", {"refresh_token": token}) for _ in range(3)]

    assert [answer.status for answer in answers] == [200, 401, 401]
    assert [row.revoked_at is not None for row in rows(alias, "Session").all()] == [True]
    assert rows(alias, "Event").filter(name="RefreshReused").count() == 1


def test_a_counting_flow_inside_a_transaction_is_refused(project: str) -> None:
    """A sign-in inside the application's `atomic()` says why, before it has looked at anything."""
    from authcore_django import get_auth

    with transaction.atomic(using=project), pytest.raises(RuntimeError, match="non_atomic_requests") as caught:
        get_auth().blocking.password.sign_in(**PERSON)

    assert "forget the count" in str(caught.value)
    assert rows(project, "Attempt").count() == 0


def test_every_way_to_count_is_refused_inside_a_transaction(alias: str, declare: Declare) -> None:
    """Without limits too: failures, codes and refresh tokens are counted in a transaction of their own, or not."""
    from authcore.backends.kv_sql import SqlKeyValue
    from authcore.features.password import store
    from authcore.services import challenges, sessions
    from authcore_django import get_auth

    declare(database_alias=alias, limits=False)
    ports = get_auth().blocking_core().runtime.ports
    stores = (store.count_failure, store.verify, challenges.spend, sessions.rotate)
    limits = SqlKeyValue(ports.db, ports.clock)
    flows: list[Any] = [partial(ports.db.write, counts) for counts in stores]

    for flow in [*flows, partial(limits.increment, [Count("a", 1, 60)])]:
        with transaction.atomic(using=alias), pytest.raises(RuntimeError, match="counts attempts"):
            run_blocking(flow())


def test_without_autocommit_counting_is_refused(project: str) -> None:
    """What comes before the application's own commit is its transaction too, which may be rolled back."""
    from authcore_django import get_auth

    transaction.set_autocommit(False, using=project)
    try:
        with pytest.raises(RuntimeError, match="in autocommit"):
            get_auth().blocking.password.sign_in(**PERSON)
    finally:
        transaction.rollback(using=project)
        transaction.set_autocommit(True, using=project)

    assert rows(project, "Attempt").count() == 0


def test_without_autocommit_a_count_that_opens_the_connection_is_refused(project: str) -> None:
    """A project whose settings say AUTOCOMMIT=False has no connection yet when it first counts."""
    from authcore.backends.kv_sql import SqlKeyValue
    from authcore_django import get_auth

    ports = get_auth().blocking_core().runtime.ports
    connection = connections[project]
    connection.close()
    connection.settings_dict["AUTOCOMMIT"] = False
    try:
        with pytest.raises(RuntimeError, match="in autocommit"):
            run_blocking(SqlKeyValue(ports.db, ports.clock).increment([Count("a", 1, 60)]))
    finally:
        connection.settings_dict["AUTOCOMMIT"] = True
        connection.close()


# --- what takes part ---


def test_a_mail_waits_in_the_applications_transaction(alias: str, declare: Declare) -> None:
    """The outbox's row comes and goes with the transaction that signed somebody up; only a committed one is sent."""
    from authcore.backends.mail import MemoryMailer
    from authcore_django import get_auth

    mailer = MemoryMailer()
    declare(database_alias=alias, features=["authcore.Password"], limits=False, mailer=mailer)
    effects = rows(alias, "Effect")
    found = []

    for outcome in ("roll back", "commit"):
        with transaction.atomic(using=alias):
            get_auth().blocking.password.sign_up(**PERSON)
            inside = effects.count()
            transaction.set_rollback(outcome == "roll back", using=alias)
        get_auth().outbox.drain()
        found.append((inside, effects.count(), rows(alias, "Challenge").count(), len(mailer.mails)))

    assert found == [(1, 0, 0, 0), (1, 1, 1, 1)]


def test_the_sender_is_woken_by_the_applications_commit(project: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody looks for a mail before it can be seen, nor for one that was rolled back."""
    from authcore_django import get_auth

    auth = get_auth()
    woken: list[str] = []
    auth.blocking_core().runtime  # noqa: B018 - which looks once for what an earlier process left
    monkeypatch.setattr(auth, "_wake", lambda: woken.append("wake"))
    runtime = auth.runtime(auth.blocking_core()._drive)

    for rolled_back in (True, False):
        with transaction.atomic(using=project):
            runtime.ports.db.after_commit(runtime.wake_sender)
            inside = list(woken)
            transaction.set_rollback(rolled_back, using=project)

    assert (inside, woken) == ([], ["wake"])


def test_in_a_broken_transaction_nothing_is_asked(project: str) -> None:
    """After an error that the application has swallowed, authcore refuses as Django's own queries do."""
    from authcore_project.models import Note

    from authcore_django import get_auth

    db = get_auth().blocking_core().runtime.ports.db

    with transaction.atomic(using=project):
        Note.objects.using(project).create(pk=1, text="one")
        with pytest.raises(DjangoIntegrityError), transaction.atomic(using=project, savepoint=False):
            Note.objects.using(project).create(pk=1, text="two")
        for flow in (db.read(one), db.write(one)):
            with pytest.raises(transaction.TransactionManagementError, match="until the end of the 'atomic' block"):
                run_blocking(flow)

    assert run_blocking(db.read(one)) == 1


def one(tx: Any) -> int:
    """Answer 1, by way of the database."""
    return int(tx.execute(text("SELECT 1")).scalar_one())


def test_other_writes_take_part_in_the_applications_transaction(project: str, sign_up: SignUp) -> None:
    """What authcore wrote inside `atomic()` is rolled back, or committed, with the application's own rows."""
    from authcore_project.models import Note

    from authcore_django import get_auth

    sign_up()
    user = rows(project, "User").get().id
    live = rows(project, "Session").filter(revoked_at=None)

    def both() -> tuple[int, int]:
        return live.count(), Note.objects.using(project).count()

    counts = [both()]
    for outcome in ("roll back", "commit"):
        with transaction.atomic(using=project):
            Note.objects.using(project).create(text=outcome)
            get_auth().blocking.sessions.revoke_all_sessions(user)
            counts.append(both())
            transaction.set_rollback(outcome == "roll back", using=project)
        counts.append(both())

    assert counts == [(1, 0), (0, 1), (1, 0), (0, 1), (0, 1)]


def test_a_failure_of_authcores_leaves_the_applications_transaction_intact(project: str) -> None:
    """A store function that fails is rolled back to where it began, and the transaction goes on."""
    from authcore_project.models import Note

    from authcore_django import get_auth

    db = get_auth().blocking_core().runtime.ports.db

    with transaction.atomic(using=project):
        Note.objects.using(project).create(text="kept")
        with pytest.raises(IntegrityError):
            run_blocking(db.write(lambda tx: tx.execute(text("INSERT INTO authcore_kv (key) VALUES (NULL)"))))
        Note.objects.using(project).create(text="kept too")

    assert Note.objects.using(project).count() == 2


def test_callbacks_wait_for_the_applications_commit(project: str) -> None:
    """What must happen after the commit does not happen before it, and at once outside a transaction."""
    from authcore_django import get_auth

    db, told = get_auth().blocking_core().runtime.ports.db, []

    with transaction.atomic(using=project):
        db.after_commit(lambda: told.append("inside"))
        inside = list(told)
    db.after_commit(lambda: told.append("outside"))

    assert (inside, told) == ([], ["inside", "outside"])


# --- other transactions in the way ---


class Troubled:
    """A store function that another transaction stops at its first runs."""

    def __init__(self, times: int) -> None:
        self.times, self.runs = times, 0

    def __call__(self, tx: Any) -> str:
        self.runs += 1
        if self.runs <= self.times:
            tx.exec_driver_sql("DO $$ BEGIN RAISE EXCEPTION 'serialize' USING ERRCODE = '40001'; END $$")
        return "done"


@pytest.fixture
def db(postgres: str, declare: Declare) -> Any:
    """Answer the port on PostgreSQL."""
    from authcore_django import get_auth

    declare(database_alias=postgres)
    return get_auth().blocking_core().runtime.ports.db


def test_a_transaction_of_authcores_own_is_run_again(db: Any) -> None:
    """A serialization failure runs the body again, at most three times."""
    twice, always = Troubled(2), Troubled(100)

    answer = run_blocking(db.write(twice))
    with pytest.raises(Unavailable):
        run_blocking(db.write(always))

    assert (answer, twice.runs, always.runs) == ("done", 3, 4)


def test_a_transaction_of_the_applications_is_not_run_again(db: Any, postgres: str) -> None:
    """Inside `atomic()` it is a failure at once: what came before it would not be run again."""
    troubled = Troubled(1)

    with transaction.atomic(using=postgres), pytest.raises(Unavailable):
        run_blocking(db.write(troubled))

    assert troubled.runs == 1


def test_writers_on_sqlite_wait_for_each_other(declare: Declare, bare: str) -> None:
    """Threads that read before they write lose nothing, even where the project's own transactions are deferred."""
    from authcore_django import get_auth

    declare(database_alias=bare)
    runtime = get_auth().blocking_core().runtime
    errors: list[BaseException] = []

    def count() -> None:
        try:
            for _ in range(25):
                run_blocking(runtime.ports.db.write(read_then_write))
        except BaseException as error:
            errors.append(error)
        finally:
            connections[bare].close()

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert errors == []
    assert rows(bare, "KeyValue").get(key="counter").number == 100


def read_then_write(tx: Any) -> None:
    """Add one, the way that a plain BEGIN cannot serialise."""
    found = tx.execute(text("SELECT number FROM authcore_kv WHERE key = 'counter'")).scalar_one_or_none()
    if found is None:
        tx.execute(text("INSERT INTO authcore_kv (key, number, expires_at) VALUES ('counter', 1, 1)"))
    else:
        tx.execute(text("UPDATE authcore_kv SET number = :number WHERE key = 'counter'"), {"number": found + 1})


# --- Django's own tests ---


class RollsBack:
    """What one test signs up, the other must not find: the order does not matter."""

    databases = ("default", "postgres")
    alias = ""

    @pytest.fixture(autouse=True)
    def _project(self, postgres: str, declare: Declare) -> None:
        declare(database_alias=self.alias)

    def test_sync(self) -> None:
        """The test client signs up inside the test's transaction, and is counted."""
        self._sign_up(Client())
        refused = Client().post("/auth/sign-in", {**PERSON, "password": "x" * 20}, "application/json")

        assert refused.status_code == 401
        assert rows(self.alias, "User").count() == rows(self.alias, "Attempt").count() == 1

    async def test_async(self) -> None:
        """The async client's flows see the test's transaction, and only its thread."""
        answer = await AsyncClient().post(
            "/auth/sign-up", PERSON, "application/json", headers={"origin": "http://testserver"}
        )
        users = [user.email async for user in rows(self.alias, "User").all()]

        assert answer.status_code == 201
        assert users == ["ada@example.com"]

    def test_guarded(self) -> None:
        """The session that the client keeps opens the application's views."""
        client = Client()
        self._sign_up(client)

        assert client.get("/hello").json()["hello"] == "ada@example.com"

    def _sign_up(self, client: Client) -> None:
        answer = client.post("/auth/sign-up", PERSON, "application/json", headers={"origin": "http://testserver"})
        assert answer.status_code == 201, answer.content


class TestOnSqlite(RollsBack, TestCase):
    """Django's TestCase on SQLite."""

    alias = "default"


class TestOnPostgres(RollsBack, TestCase):
    """Django's TestCase on PostgreSQL."""

    alias = "postgres"


def test_the_calls_raise_what_the_routes_answer(project: str) -> None:
    """A Python call outside a transaction counts, and raises the core's error."""
    from authcore_django import get_auth

    with pytest.raises(InvalidCredentials):
        get_auth().blocking.password.sign_in(**PERSON)

    assert rows(project, "Attempt").get().failures == 1
