"""Stopping, reloading and migrating under load: in time, and without losing anything (modeltrail-store(1), SIGNALS)."""

import os
import random
import re
import signal
import socket
import struct
import subprocess
import time
from pathlib import Path

import pytest
from faults.checker import check_log_is_dense, check_marks, check_requests
from faults.load import GrowingAuditLog
from support.build import program, run
from support.postgres import Postgres
from support.process import Daemon
from support.system import System

SEED = int(os.environ.get("MODELTRAIL_FAULT_SEED", "20270101"))
DRAINS_S = 5
MIGRATIONS = sorted((Path(__file__).resolve().parents[2] / "sql/migrations").glob("*.sql"))


class Load:
    """A store and a collector that follows a growing audit log."""

    def __init__(self, folder, database, system=System):
        self.database = database
        self.system = system(folder, database, {"eu-1": ("c1", None)})
        self.log = GrowingAuditLog(self.system.folder / "audit.log", SEED, rate=400)
        self.system.start_store()
        self.store_log = self.system.daemons["store"].log

    def start(self, **more):
        self.system.start_collector("eu-1", [f'audit_log: {{path: "{self.log.path}"}}'], **more)
        self.log.start()
        self.flows()

    def stored(self):
        return int(self.database.psql("SELECT count(*) FROM modeltrail.request")[0][0])

    def wait_for(self, count, timeout=60):
        deadline = time.monotonic() + timeout
        while self.stored() < count:
            assert time.monotonic() < deadline, (self.system.log("eu-1")[-2000:], self.system.log("store")[-2000:])
            time.sleep(0.05)

    def flows(self):
        """Waits until something that is written from now on is committed."""
        self.wait_for(len(self.log.audit_ids) + 1)

    def end(self, name):
        """SIGTERM; how long it took. It must have been a clean end."""
        began = time.monotonic()
        code = self.system.end(name)
        took = time.monotonic() - began
        assert code == 0, self.system.log(name)[-2000:]
        print(f"{name} ended {took * 1000:.0f} ms after SIGTERM")
        return took

    def backends(self):
        rows = self.database.psql("SELECT pid FROM pg_stat_activity WHERE application_name = 'modeltrail-store'"
                                  " AND datname = current_database()")
        return [int(pid) for (pid,) in rows]

    def check(self):
        self.log.stop()
        self.wait_for(len(self.log.audit_ids))
        check_log_is_dense(self.database)
        check_marks(self.database)
        events = check_requests(self.database, "c1", self.log.audit_ids)
        assert self.database.psql("SELECT count(*) FROM modeltrail.mark WHERE collector = 'eu-1'") == [("1",)]
        print(f"seed {SEED}, events {events}, lost 0, doubled 0")

    def stop(self):
        self.log.stop()
        self.system.stop()


@pytest.fixture
def load(tmp_path, database):
    load = Load(tmp_path / "load", database)
    yield load
    load.stop()


@pytest.fixture
def own_postgres():
    cluster = Postgres()
    yield cluster.start()
    cluster.remove()


# ---- SIGTERM, the store ---------------------------------------------------------------------------


def test_the_store_drains_under_load(load):
    load.start()
    rng = random.Random(SEED)
    for _ in range(5):
        time.sleep(rng.uniform(0, 0.5))
        assert load.end("store") < DRAINS_S
        load.system.start_store()
        load.flows()
    assert "nack draining: the store is stopping" in load.system.log("eu-1")
    load.check()


def test_a_draining_store_sends_its_collectors_to_another(load):
    system = load.system
    other = system.add_store("other")
    system.start_store("other")
    load.start(store=[system.endpoint, other])
    began = time.monotonic()
    os.kill(system.daemons["store"].pid, signal.SIGTERM)
    system.daemons["eu-1"].wait_until(
        lambda: any(other in line and "connected to store" in line for line in system.log("eu-1").splitlines()), 10, 0.01)
    took = time.monotonic() - began
    print(f"at the other store {took * 1000:.0f} ms after SIGTERM")
    assert took < DRAINS_S
    assert system.end("store") == 0
    load.flows()
    load.check()


def test_the_store_drains_while_postgresql_stands_still(load):
    """At any moment of a batch: whatever it waits for, or sends into a socket that is full."""
    load.start()
    rng = random.Random(SEED)
    for _ in range(5):
        time.sleep(rng.uniform(0, 0.3))
        [pid] = load.backends()
        os.kill(pid, signal.SIGSTOP)
        try:
            time.sleep(rng.uniform(0, 1))
            assert load.end("store") < DRAINS_S
        finally:
            os.kill(pid, signal.SIGCONT)
        load.system.start_store()
        load.flows()
    load.check()


def test_the_store_drains_while_another_holds_the_lock(load):
    load.start()
    locker = subprocess.Popen(
        ["psql", "-qX", "-c", "BEGIN; SELECT FROM modeltrail.writer_lock FOR UPDATE; SELECT pg_sleep(8); COMMIT"],
        env=load.database.env(), stdout=subprocess.DEVNULL)
    time.sleep(1)
    assert load.end("store") < DRAINS_S
    assert locker.wait() == 0
    load.system.start_store()
    load.flows()
    load.check()


def test_a_second_signal_waits_for_nothing(load):
    load.start()
    [pid] = load.backends()
    os.kill(pid, signal.SIGSTOP)
    try:
        time.sleep(0.5)
        os.kill(load.system.daemons["store"].pid, signal.SIGTERM)
        time.sleep(0.2)
        assert load.end("store") < 2
    finally:
        os.kill(pid, signal.SIGCONT)


def test_the_store_drains_while_postgresql_is_away(tmp_path, own_postgres):
    load = Load(tmp_path / "load", own_postgres.create_database("away"))
    try:
        load.start()
        own_postgres.kill_immediate()
        time.sleep(1)
        assert load.end("store") < DRAINS_S
        own_postgres.start()
        load.system.start_store()
        load.flows()
        load.check()
    finally:
        load.stop()


def test_the_store_drains_while_it_waits_for_its_first_connection(tmp_path, database):
    """A server that takes the connection and never says a word."""
    system = System(tmp_path, database, {"eu-1": ("c1", None)})
    with socket.create_server(("127.0.0.1", 0)) as silent:
        argv = [program("modeltrail-store"), "run", "--config", tmp_path / "store.yaml", "--database",
                f"host=127.0.0.1 port={silent.getsockname()[1]} dbname=x user=x"]
        store = Daemon(argv, tmp_path / "store.log", env=system.store_environment())
        silent.settimeout(20)
        accepted, _ = silent.accept()
        began = time.monotonic()
        assert store.end() == 0
        took = time.monotonic() - began
        accepted.close()
    print(f"store ended {took * 1000:.0f} ms after SIGTERM")
    assert took < DRAINS_S


# ---- SIGTERM, the collector -----------------------------------------------------------------------


def test_the_collector_drains_under_load(load):
    load.start()
    rng = random.Random(SEED)
    for _ in range(5):
        time.sleep(rng.uniform(0, 0.5))
        assert load.end("eu-1") < DRAINS_S
        load.system.start_collector("eu-1")
        load.flows()
    load.check()


@pytest.mark.parametrize("what", ["store", "postgres"])
def test_the_collector_drains_while_its_store_stands_still(load, what):
    load.start()
    pid = load.system.daemons["store"].pid if what == "store" else load.backends()[0]
    os.kill(pid, signal.SIGSTOP)
    try:
        time.sleep(1)
        assert load.end("eu-1") < DRAINS_S
    finally:
        os.kill(pid, signal.SIGCONT)
    load.system.start_collector("eu-1")
    load.flows()
    load.check()


# ---- SIGHUP ---------------------------------------------------------------------------------------


def reload(load, words="allow-list reloaded"):
    before = load.system.log("store").count(words)
    os.kill(load.system.daemons["store"].pid, signal.SIGHUP)
    load.system.daemons["store"].wait_until(lambda: load.system.log("store").count(words) > before, 20, 0.01)


def test_reloading_under_load_disturbs_nobody(load):
    load.start()
    [before] = load.backends()
    rng = random.Random(SEED)
    for _ in range(20):
        time.sleep(rng.uniform(0, 0.2))
        reload(load)
    load.flows()
    assert before not in load.backends() and len(load.backends()) == 1  # a connection of its own each time
    assert load.system.log("eu-1").count("connected to store") == 1
    good = (load.system.folder / "store.yaml").read_text()
    (load.system.folder / "store.yaml").write_text(good + "nonsense: 1\n")
    reload(load, "configuration not reloaded")
    load.flows()
    (load.system.folder / "store.yaml").write_text(good)
    load.check()


class Certificates:
    """A certificate authority, a server certificate, and client certificates by number."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir(mode=0o755)
        self._openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=ca", "-days", "2",
                      "-keyout", "ca.key", "-out", "ca.crt")
        self.make("server", 1, "localhost")

    def _openssl(self, *words):
        subprocess.run(["openssl", *words], cwd=self.folder, check=True, capture_output=True)

    def make(self, name, serial, subject):
        self._openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={subject}",
                      "-keyout", f"{name}.new", "-out", f"{name}.csr")
        self._openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-set_serial", str(serial),
                      "-days", "2", "-out", f"{name}.crt")
        os.rename(self.folder / f"{name}.new", self.folder / f"{name}.key")
        (self.folder / f"{name}.key").chmod(0o600)


@pytest.fixture
def tls(tmp_path):
    certificates = Certificates(tmp_path / "tls")
    cluster = Postgres()
    for name in ("server.key", "server.crt", "ca.crt"):
        copy = cluster.folder / name
        copy.write_bytes((certificates.folder / name).read_bytes())
        copy.chmod(0o600)
        if cluster.account:
            os.chown(copy, cluster.account.pw_uid, cluster.account.pw_gid)
    cluster.settings |= {"ssl": "on", "ssl_cert_file": cluster.folder / "server.crt", "ssl_key_file": cluster.folder / "server.key",
                         "ssl_ca_file": cluster.folder / "ca.crt"}
    yield certificates, cluster.start()
    cluster.remove()


def test_a_new_certificate_is_used_after_sighup(tmp_path, tls):
    certificates, cluster = tls
    certificates.make("client", 101, "test_store")

    class Encrypted(System):
        def store_environment(self):
            return super().store_environment() | {
                "PGHOST": "127.0.0.1", "PGSSLMODE": "require", "PGSSLCERT": str(certificates.folder / "client.crt"),
                "PGSSLKEY": str(certificates.folder / "client.key")}

    load = Load(tmp_path / "load", cluster.create_database("tls"), Encrypted)

    def serials():
        return load.database.psql("SELECT client_serial FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)"
                                  " WHERE application_name = 'modeltrail-store'")

    try:
        load.start()
        assert serials() == [("101",)]
        certificates.make("client", 102, "test_store")
        load.flows()
        assert serials() == [("101",)]
        reload(load)
        load.flows()
        assert serials() == [("102",)]
        (certificates.folder / "client.crt").write_text("half a certificate")
        reload(load, "the old one stays")
        load.flows()
        assert serials() == [("102",)]
        load.check()
    finally:
        load.stop()


# ---- migrations -----------------------------------------------------------------------------------

TOKEN = re.compile(r"BEGIN ATOMIC.*?\nEND(?=;)|--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|\"[^\"]*\"|\$(\w*)\$.*?\$\1\$|;|(?:(?!BEGIN ATOMIC)[^-/'\"$;])+|.",
                   re.DOTALL)


def statements(sql):
    """The statements of a text, each with the semicolon that ends it; together they are the text."""
    found, current, empty = [], "", True
    for token in TOKEN.finditer(sql):
        word = token[0]
        current += word
        empty = empty and (word.startswith(("--", "/*")) or not word.strip(" \n\t;"))
        if word == ";" and not empty:
            found.append(current)
            current, empty = "", True
    return found + [current] if not empty else found


class Killer:
    """Stands between `migrate` and PostgreSQL, and kills the program when the server has done its k-th statement: a
    text of several is sent on up to there only, which to the server is the same as a client that died then."""

    def __init__(self, cluster):
        self.server = ("127.0.0.1", cluster.port)
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]

    def run(self, database, k):
        """The statement at which it was killed; None when it came to its end before."""
        env = database.env() | {"PGHOST": "127.0.0.1", "PGPORT": str(self.port), "PGSSLMODE": "disable",
                                "PGGSSENCMODE": "disable"}
        child = subprocess.Popen([program("modeltrail-store"), "migrate"], env=env, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, text=True)
        client, _ = self.listening.accept()
        server = socket.create_connection(self.server)
        last = self._pump(client, server, k, child)
        client.close()
        server.close()
        said = child.communicate(timeout=60)[1]
        assert child.returncode == (0 if last is None else -signal.SIGKILL), said
        return last

    def _pump(self, client, server, left, child):
        answers = server.makefile("rb")
        questions = client.makefile("rb")
        server.sendall(self._startup(questions))
        self._answer(answers, client)
        while kind := questions.read(1):
            body = questions.read(struct.unpack("!I", size := questions.read(4))[0] - 4)
            if kind == b"X":
                break
            parts = statements(body[:-1].decode()) if kind == b"Q" else []
            count = len(parts) if kind == b"Q" else int(kind == b"S")
            if kind == b"Q" and left <= count:
                body = "".join(parts[:left]).encode() + b"\0"
                size = struct.pack("!I", len(body) + 4)
            server.sendall(kind + size + body)
            if not count:
                continue
            if left <= count:
                done = self._answer(answers, None)
                assert kind == b"S" or done == left, (done, left, parts[:left][-1])
                child.kill()
                return parts[left - 1] if parts else "a statement with parameters"
            left -= count
            self._answer(answers, client)
        return None

    @staticmethod
    def _startup(questions):
        size = questions.read(4)
        return size + questions.read(struct.unpack("!I", size)[0] - 4)

    @staticmethod
    def _answer(answers, client):
        """Passes on what the server says until it is ready again; how many statements it has done."""
        done = 0
        while True:
            kind = answers.read(1)
            size = answers.read(4)
            body = answers.read(struct.unpack("!I", size)[0] - 4)
            assert kind != b"E", body
            done += kind == b"C"
            if client is not None:
                client.sendall(kind + size + body)
            if kind == b"Z":
                return done


def dump(database):
    """The whole database as text, without what differs from one run to the next."""
    done = subprocess.run(["pg_dump", "--no-owner", "--restrict-key=x"], env=database.env(), capture_output=True, text=True)
    if done.returncode != 0:  # an older pg_dump needs no such key
        done = subprocess.run(["pg_dump", "--no-owner"], env=database.env(), capture_output=True, text=True, check=True)
    return re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+\+\d\d", "TIME", done.stdout)


@pytest.fixture
def undisturbed(postgres):
    database = postgres.create_database("undisturbed")
    assert run("modeltrail-store", "migrate", database=database).returncode == 0
    yield dump(database)
    database.drop()


def applied(database):
    there = database.psql("SELECT to_regclass('modeltrail_migration.applied') IS NOT NULL")[0][0] == "t"
    return int(database.psql("SELECT count(*) FROM modeltrail_migration.applied")[0][0]) if there else 0


# Every so many statements; MODELTRAIL_FAULT_EVERY=1 takes each of them.
EVERY = int(os.environ.get("MODELTRAIL_FAULT_EVERY", "12"))


@pytest.mark.slow
def test_a_migration_killed_at_any_statement_resumes(database, undisturbed):
    """Each run is killed some statements later than the one before; one that got a migration done is followed by one
    that is killed near its beginning, so that no migration is left out."""
    killer = Killer(database.cluster)
    kills, k, reached = 0, 1, 0
    while (last := killer.run(database, k)) is not None:
        kills += 1
        before, reached = reached, applied(database)
        k = k + EVERY if reached == before else 1 + kills % EVERY
    assert applied(database) == len(MIGRATIONS)
    print(f"kills {kills}, migrations {len(MIGRATIONS)}")
    assert kills >= sum(statements_of(n) for n in range(1, len(MIGRATIONS) + 1)) // EVERY
    assert dump(database) == undisturbed


def statements_of(number):
    return len(statements(MIGRATIONS[number - 1].read_text()))


def test_two_migrations_at_a_time_do_the_work_once(database, undisturbed):
    both = [subprocess.Popen([program("modeltrail-store"), "migrate"], env=database.env(), stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = [child.communicate(timeout=120) for child in both]
    assert [child.returncode for child in both] == [0, 0], said
    counts = sorted(int(re.search(r"(\d+) migrations? applied", out)[1]) for out, _ in said)
    # The lock is one of each transaction, so that they may take turns; each migration is done once.
    assert sum(counts) == len(MIGRATIONS)
    assert dump(database) == undisturbed
