"""Wall clocks that jump a year, go back second by second, or stand still, on the collectors', the store's and
PostgreSQL's side, under load: order, chains and intervals stay right, nothing waits for a wrong clock, and when the
clock is right again so are the answers. MODELTRAIL_FAULT_SEED repeats a run."""

import json
import os
import random
import signal
import threading
import time
from datetime import datetime, timedelta, timezone
from unittest.mock import patch

import pytest
from faults.checker import check_log_is_dense, check_marks, check_requests
from faults.load import Growing, GrowingAuditLog
from support.clock import YEAR, Clock
from support.fake_kube import FakeKube
from support.postgres import Postgres
from support.process import Daemon
from support.system import System
from support.watched import Watched
from support.wire import ZERO, WireCollector, observed

SEED = int(os.environ.get("MODELTRAIL_FAULT_SEED", "20261127"))
NAMESPACE = {"cluster": "c2", "namespace": "dev", "uid": "21111111-2222-4333-8444-555555555555", "position": "1",
             "at": "2026-01-01T00:00:00Z", "labels": {}, "removed": False}
MOVES = {"a year ahead": YEAR, "a year back": -YEAR, "back second by second": None}


class Clocked(System):
    """The programs, each side with a clock of its own."""

    def __init__(self, folder, database, collectors):
        folder.mkdir(parents=True, exist_ok=True)
        self.clocks = {}
        for side in ("collector", "store"):
            (folder / side).mkdir()
            self.clocks[side] = Clock(folder / side)
        super().__init__(folder, database, collectors)

    def store_environment(self):
        return super().store_environment() | self.clocks["store"].environment()

    def start_collector(self, name, sources=None, **more):
        if sources is not None:
            self.write_collector_config(name, sources, **more)
        environment = dict(os.environ) | self.clocks["collector"].environment()
        self.daemons[name] = Daemon(self.collector_argv(name), self.folder / f"{name}.log", env=environment)
        return self.daemons[name]


@pytest.fixture
def clocked_postgres():
    """A cluster whose clock can be set, as `.clock`."""
    cluster = Postgres()
    cluster.clock = Clock(cluster.folder)
    with patch.dict(os.environ, cluster.clock.environment()):
        cluster.start()
    yield cluster
    cluster.remove()


class ChangingCluster(Growing):
    """Objects come, change and go, some ten times a second."""

    def __init__(self, kube):
        super().__init__(pause=0.1)
        self.kube, self.random, self.names = kube, random.Random(SEED), []

    def grow(self):
        if len(self.names) < 6:
            self.names.append(f"model-{self.kube.rv}")
            self.kube.create(self.names[-1])
        elif self.random.random() < 0.3:
            self.kube.delete(self.names.pop(0))
        else:
            self.kube.update(self.random.choice(self.names))


class Scene:
    """Two collectors under load: `c1` reads an audit log that grows, `k1` watches a cluster that changes."""

    def __init__(self, folder, cluster):
        self.began = datetime.now(timezone.utc)
        self.cluster, self.random = cluster, random.Random(SEED)
        self.database = cluster.create_database("clocks")
        # Tables that are minutes old have no statistics, and compiling for wrong estimates takes longer than asking.
        self.database.psql("ALTER DATABASE clocks SET jit = off")
        self.system = Clocked(folder, self.database, {"c1": ("c1", None), "k1": ("k1", None)})
        self.clocks = self.system.clocks | {"postgres": cluster.clock}
        self.log = GrowingAuditLog(folder / "audit.log", SEED, rate=200)
        self.fake = FakeKube()
        self.watched = Watched(self.system, "k1", self.fake)
        self.changes = ChangingCluster(self.fake)

    def __enter__(self):
        self.fake.__enter__()
        self.system.start_store()
        self.start_c1()
        self.start_k1()
        self.log.start()
        self.changes.start()
        self.live_again()
        return self

    def __exit__(self, *_):
        self.end_load()
        self.system.stop()
        self.fake.__exit__()

    def start_c1(self):
        self.system.start_collector("c1", [f'audit_log: {{path: "{self.log.path}"}}'])

    def start_k1(self):
        self.watched.start(namespaces=())

    def end_load(self):
        self.changes.stop()
        self.log.stop()

    def restart(self, side, how):
        if side == "store":
            self.system.end("store", how)
            self.system.start_store()
        elif side == "collector":
            for name, start in (("c1", self.start_c1), ("k1", self.start_k1)):
                self.system.end(name, how)
                start()
        else:
            self.cluster.stop() if how == signal.SIGTERM else self.cluster.kill_immediate()
            with patch.dict(os.environ, self.cluster.clock.environment()):
                self.cluster.start()

    def stored(self):
        return int(self.database.psql("SELECT count(*) FROM modeltrail.request")[0][0])

    def progress(self, timeout=30):
        """Seconds until what is written now is stored."""
        began, wanted = time.monotonic(), len(self.log.audit_ids)
        while self.stored() < wanted:
            assert time.monotonic() < began + timeout, self.logs()
            time.sleep(0.05)
        return time.monotonic() - began

    def live_again(self, timeout=30):
        """Seconds until a "no" about the watched cluster is a "no" again."""
        began = time.monotonic()
        self.watched.until(lambda: self.watched.absent() == 1, "live again", timeout)
        return time.monotonic() - began

    def logs(self):
        return {name: daemon.log_tail(6) for name, daemon in self.system.daemons.items()}

    def settle(self):
        self.end_load()
        self.system.wait_for("SELECT count(*) FROM modeltrail.request", len(self.log.audit_ids), timeout=60)
        self.watched.synced()
        # What is compared must not move.
        for name in ("c1", "k1"):
            assert self.system.end(name) == 0, self.system.log(name)[-2000:]

    def check(self):
        check_log_is_dense(self.database)
        check_marks(self.database)
        requests = check_requests(self.database, "c1", self.log.audit_ids)
        rows = self.database.query("SELECT model, version FROM modeltrail_v1.deployments WHERE cluster = 'c1'")
        assert sorted((r["model"], r["version"]) for r in rows) == self.log.expected_deployments()
        check_order(self.database)
        return requests


def none(database, sql):
    """Fails with the rows that should not be."""
    rows = database.query(f"{sql} LIMIT 5")
    assert rows == [], f"{sql}: {json.dumps(rows, indent=1)}"


def check_order(database):
    """Recording goes with the log; intervals are none that end before they begin; one component has one version at
    a time, in the order of positions."""
    none(database, "SELECT * FROM (SELECT log_index, recorded_at, lag(recorded_at) OVER (ORDER BY log_index) AS before"
                   " FROM modeltrail.event) e WHERE recorded_at < before")
    none(database, "SELECT * FROM modeltrail.placement WHERE valid_to < valid_from")
    none(database, "SELECT * FROM modeltrail.route WHERE valid_to < valid_from")
    none(database, "SELECT * FROM (SELECT uid, component, from_position, valid_from,"
                   " lag(valid_to) OVER w AS ended, lag(to_position) OVER w AS ended_position, row_number() OVER w AS n"
                   " FROM modeltrail.placement WHERE state <> 'lingering'"
                   " WINDOW w AS (PARTITION BY cluster, resource, uid, component ORDER BY from_position)) p"
                   " WHERE n > 1 AND (ended IS NULL OR ended > valid_from OR ended_position > from_position)")


def check_times(scene):
    """All of it happened between the beginning of the test and now, whatever any clock said."""
    begin = f"timestamptz '{scene.began - timedelta(seconds=2)}'"
    none(scene.database, "SELECT * FROM modeltrail.placement WHERE cluster = 'k1' AND"
                         f" (valid_from NOT BETWEEN {begin} AND now() OR valid_to NOT BETWEEN {begin} AND now())")


def check_coverage(scene):
    """Nobody looked before the test began, and nobody has looked at what is yet to come."""
    begin = f"timestamptz '{scene.began - timedelta(seconds=2)}'"
    none(scene.database, "SELECT * FROM modeltrail_v1.coverage WHERE covered_to > now()")
    none(scene.database, f"SELECT * FROM modeltrail_v1.coverage WHERE cluster = 'k1' AND covered_from < {begin}")


@pytest.mark.slow
@pytest.mark.parametrize("move", MOVES)
@pytest.mark.parametrize("side", ["collector", "store", "postgres"])
def test_a_clock_is_set(tmp_path, clocked_postgres, side, move):
    """A jump, a restart of that side within it, a history that does not suffice within it, and the way back."""
    with Scene(tmp_path, clocked_postgres) as scene:
        clock = scene.clocks[side]
        waits = [scene.progress()]
        clock.run_at(-1) if MOVES[move] is None else clock.set(MOVES[move])
        waits.append(scene.progress())
        check_moved(scene, side)
        check_coverage_now(scene)
        scene.restart(side, scene.random.choice([signal.SIGTERM, signal.SIGKILL]))
        waits.append(scene.progress())
        scene.fake.compact()
        scene.fake.cut_watches()
        time.sleep(2)
        waits.append(scene.progress())
        check_coverage_now(scene)
        clock.set(0)
        live = scene.live_again()
        waits.append(scene.progress())
        scene.settle()
        requests = scene.check()
        check_coverage(scene)
        check_times(scene)
        print(f"{side} {move}: requests {requests}, stored within {max(waits):.1f} s, live again in {live:.1f} s")
        assert max(waits) < 20 and live < 30


def check_moved(scene, side):
    """That side goes by the clock that was set: without it all else proves nothing."""
    ahead = scene.clocks[side].ahead()
    if side == "collector":
        scene.watched.until(lambda: "the clock was set" in scene.system.log("k1"), "the collector notices")
        return
    if side == "postgres":
        text = scene.database.psql("SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS')")[0][0]
    else:
        scene.system.end("store")
        scene.system.start_store()
        text = scene.system.log("store").splitlines()[-1].split()[0].removeprefix("ts=")[:19]
    shown = datetime.fromisoformat(text + "+00:00") - datetime.now(timezone.utc)
    assert abs(shown.total_seconds() - ahead) < 30, (text, ahead)


def check_coverage_now(scene):
    """While a clock is wrong: never beyond the database's now."""
    none(scene.database, "SELECT * FROM modeltrail_v1.coverage WHERE covered_to > now()")


@pytest.mark.slow
def test_a_clock_is_set_between_two_runs(tmp_path, clocked_postgres):
    """The collectors end while their clock is a year off, and begin when it is right."""
    with Scene(tmp_path, clocked_postgres) as scene:
        for offset in (-YEAR, YEAR):
            scene.clocks["collector"].set(offset)
            scene.restart("collector", signal.SIGKILL)
            scene.fake.compact()
            scene.fake.cut_watches()
            time.sleep(2)
            for name in ("c1", "k1"):
                scene.system.end(name)
            scene.clocks["collector"].set(0)
            scene.start_c1()
            scene.start_k1()
            scene.live_again()
        scene.settle()
        scene.check()
        check_coverage(scene)
        check_times(scene)


@pytest.mark.slow
def test_a_spool_is_born_before_the_one_before_it(tmp_path, clocked_postgres):
    """A new spool, made while the clock is a year back, is no fork; a copy of the old one stays one."""
    with Scene(tmp_path, clocked_postgres) as scene:
        scene.progress()
        scene.system.end("k1")
        spool, old = tmp_path / "k1.db", tmp_path / "old.db"
        spool.rename(old)
        scene.clocks["collector"].set(-YEAR)
        scene.start_k1()
        newest = "SELECT count(DISTINCT epoch) FROM modeltrail.event WHERE collector = 'k1'"
        scene.system.wait_for(newest, 2)
        epochs = scene.database.query("SELECT epoch, seq FROM modeltrail.mark WHERE collector = 'k1' ORDER BY epoch")
        assert len(epochs) == 2 and epochs[1]["epoch"] == epochs[0]["epoch"] + 1, epochs
        scene.clocks["collector"].set(0)
        scene.live_again()
        scene.system.end("k1")
        spool.unlink()
        old.rename(spool)
        scene.start_k1()
        scene.watched.until(lambda: "fork" in scene.system.log("k1"), "the old spool is refused")
        time.sleep(1)
        assert scene.database.query("SELECT epoch, seq FROM modeltrail.mark WHERE collector = 'k1' ORDER BY epoch")[0] \
            == epochs[0]
        scene.end_load()
        scene.system.wait_for("SELECT count(*) FROM modeltrail.request", len(scene.log.audit_ids), timeout=60)
        scene.system.end("k1")
        scene.check()
        check_coverage(scene)


@pytest.mark.slow
def test_nothing_waits_for_the_wall_clock(tmp_path, clocked_postgres):
    """Acknowledgements, beats and new connections take as long as ever while all clocks jump or stand still."""
    with Scene(tmp_path, clocked_postgres) as scene:
        usual = max(scene.progress() for _ in range(5))
        waits, beats, connects = [], [], []
        for clocks in ("jumping", "standing"):
            ends = time.monotonic() + 25
            heard, last = time.monotonic(), None
            if clocks == "standing":
                for clock in scene.clocks.values():
                    clock.set(0)
                    clock.run_at(0)
            while time.monotonic() < ends:
                if clocks == "jumping":
                    scene.random.choice(list(scene.clocks.values())).set(scene.random.choice([-YEAR, 0, YEAR]))
                waits.append(scene.progress())
                now = scene.database.psql("SELECT xmin FROM modeltrail.mark WHERE collector = 'k1'")
                if now != last:
                    beats.append(time.monotonic() - heard)
                    heard, last = time.monotonic(), now
            began = time.monotonic()
            scene.restart("store", signal.SIGKILL)
            scene.progress()
            connects.append(time.monotonic() - began)
        print(f"stored within {max(waits):.2f} s (usual {usual:.2f} s), marks moved every {max(beats):.1f} s at most,"
              f" connected and caught up {max(connects):.1f} s after a kill")
        assert len(waits) > 50 and max(waits) < 20 and max(beats) < 25 and max(connects) < 30
        for clock in scene.clocks.values():
            clock.set(0)
        scene.settle()
        scene.check()


def test_a_look_is_as_old_as_its_sender_says(tmp_path, database):
    """A fast clock does not make an old look a new one, nor a slow one a newer look than it says."""
    system = System(tmp_path, database, {"eu-1": ("c1", None)})
    system.start_store()
    wire = WireCollector(system.endpoint, bytes.fromhex(system.store_key), system.secret("eu-1"))
    try:
        assert wire.hello()["kind"] == "welcome"
        for skew, age, seen in ((0, 5, 5), (3600, 600, 600), (3600, -10, 0), (-3600, 5, 3605)):
            at = datetime.now(timezone.utc) + timedelta(seconds=skew)
            since = 86400 - max(skew, 0)  # a fast clock's beginning stays, a slow one's is raised to what it means
            look = {"aspect": "state", "cluster": "c1", "namespace": None, "resource": "models.mlops.seldon.io",
                    "watched_since": (at - timedelta(days=1)).isoformat(), "through": (at - timedelta(seconds=age)).isoformat()}
            wire.send({"kind": "beat", "epoch": str(wire.epoch), "at": at.isoformat()}, json.dumps([look]).encode())
            ages = (f"SELECT abs(extract(epoch FROM seen_at - (through->0->>'through')::timestamptz) - {seen}) < 3"
                    f" AND abs(extract(epoch FROM seen_at - (through->0->>'watched_since')::timestamptz) - {since}) < 3"
                    f" AND abs(extract(epoch FROM clock_skew) - {skew}) < 3 FROM modeltrail.mark WHERE collector = 'eu-1'")
            system.wait_for(ages, "t", timeout=10)
    finally:
        wire.close()
        system.stop()


def listed_now(seconds_ago=0):
    """A model and the listing that has it, seen by a clock of so many seconds ago."""
    at = (datetime.now(timezone.utc) - timedelta(seconds=seconds_ago)).isoformat()
    uid, resource = "11111111-2222-4333-8444-555555555555", "models.mlops.seldon.io"
    model = observed(uid, 1, at=at, at_source="collector_clock")
    listing = {"cluster": "c1", "resource": resource, "kind": "Model", "namespace": None, "position": "2",
               "listed_at": at, "watched_since": None, "selector": None, "members": [uid]}
    return at, [("workload.observed", model), ("scope.listed", listing)]


def send_as_of(wire, at, events):
    lines = wire.next_lines(events)
    wire.send({"kind": "data", "epoch": str(wire.epoch), "first": "1", "n": len(lines), "chain": ZERO.hex(), "at": at},
              b"".join(line + b"\n" for line in lines))


COVERED_TO = "SELECT upper(covered) FROM modeltrail.coverage_of(1::smallint, 'c1', 'dev', 'models.mlops.seldon.io', 'state')"


def test_a_listing_covers_until_it_was_made_and_no_longer(tmp_path, database):
    """A frame that lay somewhere cannot be told from one of a slow clock. Its times are raised as upper bounds; that
    somebody looked until then must not be believed."""
    system = System(tmp_path, database, {"eu-1": ("c1", None)})
    system.start_store()
    wire = WireCollector(system.endpoint, bytes.fromhex(system.store_key), system.secret("eu-1"))
    try:
        assert wire.hello()["kind"] == "welcome"
        at, events = listed_now(seconds_ago=600)
        send_as_of(wire, at, events)
        assert wire.receive()["kind"] == "ack"
        assert database.psql(f"SELECT listed_at > '{at}'::timestamptz + interval '599 s', looked_at = '{at}'"
                             " FROM modeltrail.listing") == [("t", "t")]
        assert database.psql(COVERED_TO) == [(None,)]  # it has no beginning before its end
        assert system.ask("where", "ghost", "--cluster", "c1").returncode == 6
    finally:
        wire.close()
        system.stop()


@pytest.mark.slow
def test_a_database_that_stalls_makes_no_clock_slow(tmp_path, database):
    """While a transaction waits for a minute, what others sent waits too: they are not late by it."""
    system = System(tmp_path, database, {"eu-1": ("c1", None), "eu-2": ("c2", None)})
    system.start_store()
    wires = [WireCollector(system.endpoint, bytes.fromhex(system.store_key), system.secret(name), name=name)
             for name in ("eu-1", "eu-2")]
    try:
        for wire in wires:
            assert wire.hello()["kind"] == "welcome"
        lock = "BEGIN; SELECT FROM modeltrail.writer_lock FOR UPDATE; SELECT pg_sleep(64); COMMIT"
        holder = threading.Thread(target=database.psql, args=(lock,))
        holder.start()
        system.wait_for("SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(64)%' AND wait_event = 'PgSleep'", "1")
        wires[1].send_lines(wires[1].next_lines([("namespace.observed", NAMESPACE)], cluster="c2"))
        time.sleep(1)
        at, events = listed_now()
        send_as_of(wires[0], at, events)
        holder.join()
        assert wires[0].receive(30)["kind"] == "ack"
        assert database.psql("SELECT recorded_at > occurred_at + interval '60 s' FROM modeltrail.event"
                             " WHERE collector = 'eu-1' LIMIT 1") == [("t",)]
        assert database.psql(f"SELECT at = '{at}' FROM modeltrail.state") == [("t",)]
        assert database.psql(f"SELECT listed_at = '{at}', looked_at IS NULL FROM modeltrail.listing") == [("t", "t")]
        assert database.psql(COVERED_TO.replace("upper(covered)", f"upper(covered) = '{at}'")) == [("t",)]
    finally:
        for wire in wires:
            wire.close()
        system.stop()


@pytest.mark.slow
def test_skew_is_measured_and_shown(tmp_path, clocked_postgres):
    with Scene(tmp_path, clocked_postgres) as scene:

        def skew(noun, key):
            done = scene.system.ask("list", noun, "-o", "json")
            item, = [i for i in json.loads(done.stdout)["items"] if i[key] == "k1"]
            sql = f"SELECT extract(epoch FROM interval '{item['clock_skew']}')"
            return float(scene.database.psql(sql)[0][0])

        def doctor():
            done = scene.system.ask("doctor", "-o", "json")
            check, = [i for i in json.loads(done.stdout)["items"] if i["check_name"] == "clocks"]
            return check["status"], check["detail"]

        assert -2 < skew("clusters", "cluster") <= 0 and doctor()[0] == "ok"
        for ahead in (90, -3600):
            scene.clocks["collector"].set(ahead)
            for noun, key in (("clusters", "cluster"), ("collectors", "collector")):
                scene.watched.until(lambda: ahead - 2 < skew(noun, key) <= ahead, f"{noun} show {ahead}")
            status, detail = doctor()
            assert status == "warn" and "k1" in detail, detail
        scene.clocks["collector"].set(0)
        scene.watched.until(lambda: doctor()[0] == "ok", "the doctor is content")
