"""What a store answers to frames that are wrong, and how it ends when it cannot go on (docs/events.md, Frames)."""

import json
import os
import signal
import subprocess
import time

import pytest
from support.build import program, run
from support.process import Daemon
from support.system import System
from support.wire import ZERO, WireCollector, event_line, observed

UID = "11111111-2222-4333-8444-555555555555"
LOOK = {"aspect": "state", "cluster": "c1", "namespace": "dev", "resource": "models.mlops.seldon.io",
        "watched_since": "2026-01-01T00:00:00Z", "through": "2026-01-01T00:00:05Z"}


@pytest.fixture
def system(tmp_path, database):
    system = System(tmp_path / "store", database, {"eu-1": ("c1", ["dev"])})
    system.start_store()
    yield system
    system.stop()


@pytest.fixture
def connect(system):
    opened = []

    def connect(**more):
        opened.append(WireCollector(system.endpoint, bytes.fromhex(system.store_key), system.secret("eu-1"), **more))
        return opened[-1]

    yield connect
    for collector in opened:
        collector.close()


def stored(system):
    return int(system.database.psql("SELECT count(*) FROM modeltrail.event WHERE collector = 'eu-1'")[0][0])


def line(collector, seq, position=1):
    return event_line(collector.name, collector.epoch, seq, "workload.observed", observed(UID, position))


def nacked(answer, reason, words):
    assert answer and (answer["kind"], answer["reason"]) == ("nack", reason), answer
    assert words in answer["message"]


def data(collector, n=1, body=None, timeout=5.0, **changes):
    header = {"kind": "data", "epoch": str(collector.epoch), "first": "1", "n": n, "chain": ZERO.hex()}
    collector.send(header | changes, line(collector, 1) + b"\n" if body is None else body)
    return collector.receive(timeout)


def test_an_older_or_newer_wire_is_refused_by_name(connect):
    collector = connect()
    for least, most in ((900, 1000), (0, 0)):
        collector.send({"kind": "hello", "collector": "eu-1", "program": "test", "wire_min": least, "wire_max": most,
                        "epoch": "1000", "next_seq": "1", "chain": ZERO.hex()})
        nacked(collector.receive(), "not_allowed", "no common wire version")
    assert collector.hello()["kind"] == "welcome"


@pytest.mark.parametrize("change, reason, words", [
    ({"epoch": "1001"}, "not_allowed", "another epoch"),
    ({"first": "2"}, "gap", "first is not acked + 1"),
    ({"chain": "ab" * 32}, "fork", "the chain differs"),
    ({"n": 0}, "too_large", "number of events"),
    ({"n": 2}, "too_large", "number of events"),
    ({"n": 100000}, "too_large", "number of events"),
    ({"body": b"{}"}, "too_large", "number of events"),
    ({"body": b"{}\n{}\n"}, "too_large", "number of events"),
], ids=str)
def test_a_wrong_frame_is_refused_and_what_follows_too(system, connect, change, reason, words):
    collector = connect()
    collector.hello()
    nacked(data(collector, **change), reason, words)
    assert data(collector, timeout=0.3) is None  # as one that was under way when the nack was sent
    assert stored(system) == 0
    again = connect()
    assert again.hello()["kind"] == "welcome"
    assert data(again) == {"kind": "ack", "acked": "1"}


def test_frames_that_cannot_be_read_are_answered(connect):
    collector = connect()
    for payload in (b"", b"no JSON", b"{}", b'{"kind":"ack"}'):
        collector.socket.send(payload)
        assert collector.receive()["kind"] == "nack"
    collector.socket.send_multipart([b"{}", b"{}"])  # several frames count as one that is empty
    assert collector.receive()["kind"] == "nack"
    collector.socket.send_multipart([b"{}", b"{}", b"{}"])
    assert collector.receive()["kind"] == "nack"
    assert collector.hello()["kind"] == "welcome"


def test_kinds_that_a_store_sends_are_ignored(connect):
    collector = connect()
    collector.hello()
    collector.send({"kind": "ack", "acked": "7"})
    assert collector.receive(0.3) is None
    assert data(collector) == {"kind": "ack", "acked": "1"}


@pytest.mark.parametrize("looks, words", [
    (b"{}", "array"), (b"[", "beat"), (b"[1]", "look"),
    (json.dumps([LOOK | {"aspect": "weather"}]).encode(), "unknown aspect"),
    (json.dumps([LOOK | {"cluster": "c2"}]).encode(), "may not speak for c2/dev"),
], ids=str)
def test_a_bad_beat_is_ignored_and_said(system, connect, looks, words):
    collector = connect()
    collector.hello()
    collector.send({"kind": "beat", "epoch": "1000"}, looks)
    assert data(collector) == {"kind": "ack", "acked": "1"}
    said = [line for line in system.log("store").splitlines() if "beat ignored" in line]
    assert said and words in said[0]


def test_a_beat_covers_nothing_that_the_database_has_lost(system, connect):
    """As after an asynchronous failover. An idle collector learns of it by its beat."""
    collector = connect()
    collector.hello()
    assert data(collector) == {"kind": "ack", "acked": "1"}
    system.database.psql("UPDATE modeltrail.mark SET seq = 0, chain = decode(repeat('00', 32), 'hex') WHERE collector = 'eu-1'")
    collector.send({"kind": "beat", "epoch": "1000"}, json.dumps([LOOK]).encode())
    nacked(collector.receive(), "gap", "the database has less than what was acknowledged")
    assert system.database.psql("SELECT through FROM modeltrail.mark WHERE collector = 'eu-1'") == [(None,)]
    again = connect()
    assert again.hello()["acked"] == "0"
    again.send({"kind": "beat", "epoch": "1000"}, json.dumps([LOOK]).encode())
    system.wait_for("SELECT count(*) FROM modeltrail.mark WHERE through IS NOT NULL AND collector = 'eu-1'", 1)


def test_a_program_name_that_is_cut_within_a_character_is_left_out(system, connect):
    """63 bytes of it are kept."""
    collector = connect()
    collector.send({"kind": "hello", "collector": "eu-1", "program": "x" * 62 + "\u00e9", "wire_min": 1, "wire_max": 1,
                    "epoch": "1000", "next_seq": "1", "chain": ZERO.hex()})
    assert collector.receive()["kind"] == "welcome"
    collector.send({"kind": "beat", "epoch": "1000"}, json.dumps([LOOK]).encode())
    system.wait_for("SELECT count(*) FROM modeltrail.mark WHERE through IS NOT NULL AND program IS NULL", 1)


def test_a_configuration_that_cannot_be_reloaded_leaves_the_old_one(system, connect):
    config = system.folder / "store.yaml"
    good = config.read_text()
    config.write_text(good + "nonsense: yes\n")
    os.kill(system.daemons["store"].pid, signal.SIGHUP)
    system.daemons["store"].wait_until(lambda: "configuration not reloaded" in system.log("store"), 5)
    assert connect().hello()["kind"] == "welcome"
    config.write_text(good)


def test_a_port_that_is_taken_is_said(system):
    done = run("modeltrail-store", "run", "--config", system.folder / "store.yaml", database=system.database)
    assert done.returncode == 1
    assert f"cannot listen on {system.endpoint}" in done.stderr


def test_a_schema_that_goes_away_ends_the_store(system, connect):
    """Trying again would go on for ever, and a person must act."""
    collector = connect()
    collector.hello()
    system.database.psql("ALTER TABLE modeltrail.event RENAME TO elsewhere")
    collector.send_lines([line(collector, 1)])
    daemon = system.daemons.pop("store")
    deadline = time.monotonic() + 15
    while daemon.is_running() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert daemon.end() == 1
    assert "42P01" in system.log("store")


def test_an_older_schema_ends_the_store_at_start(tmp_path, system):
    system.end("store")
    system.database.psql("DELETE FROM modeltrail_migration.applied WHERE version > 1")
    daemon = Daemon([program("modeltrail-store"), "run", "--config", system.folder / "store.yaml"],
                    tmp_path / "log", env=system.store_environment())
    deadline = time.monotonic() + 15
    while daemon.is_running() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert daemon.end() == 1
    assert "migrate" in (tmp_path / "log").read_text()


def test_what_the_database_refuses_is_found_among_several_frames(system, connect):
    """SQLSTATE 22 blames the data: the batch is halved, by frames and then by events, until one is left over."""
    system.database.psql(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.data IS NOT NULL AND"
        " position('poison'::bytea IN NEW.body) > 0 THEN RAISE EXCEPTION 'refused' USING ERRCODE = '22000'; END IF;"
        " RETURN NEW; END $$;"
        "CREATE TRIGGER refuse BEFORE INSERT ON modeltrail.event_body FOR EACH ROW EXECUTE FUNCTION refuse()")
    collector = connect()
    collector.hello()
    locker = subprocess.Popen(
        ["psql", "-qX", "-c", "BEGIN; SELECT FROM modeltrail.writer_lock FOR UPDATE; SELECT pg_sleep(2); COMMIT"],
        env=system.database.env(), stdout=subprocess.DEVNULL)
    time.sleep(0.5)
    # The first frame waits for the lock; the others become one batch behind it.
    for frame in range(4):
        names = ["poison" if (frame, n) == (2, 1) else f"m{n}" for n in range(3)]
        collector.send_lines(collector.next_lines(
            [("workload.observed", observed(f"{frame}{n}111111-2222-4333-8444-555555555555", 1, name=name))
             for n, name in enumerate(names)]))
    assert locker.wait() == 0
    deadline = time.monotonic() + 20
    while (answer := collector.receive()) and answer["acked"] != "12" and time.monotonic() < deadline:
        assert answer["kind"] == "ack"
    assert answer == {"kind": "ack", "acked": "12"}
    assert stored(system) == 12
    rows = system.database.psql("SELECT seq, quarantined FROM modeltrail.event WHERE quarantined IS NOT NULL")
    assert [seq for seq, _ in rows] == ["8"] and "22000" in rows[0][1]


def test_a_database_that_is_away_longer_and_longer(system, connect):
    """The store says so, tries again ever more seldom, and keeps what it has taken."""
    collector = connect()
    collector.hello()
    system.database.psql("ALTER ROLE test_store NOLOGIN")
    try:
        system.database.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                             " WHERE application_name = 'modeltrail-store' AND datname = current_database()")
        collector.send_lines([line(collector, 1)])
        collector.send({"kind": "beat", "epoch": "1000"}, b"[]")
        system.daemons["store"].wait_until(lambda: system.log("store").count("database trouble") >= 3, 20)
        assert stored(system) == 0
    finally:
        system.database.psql("ALTER ROLE test_store LOGIN")
    assert collector.receive(30) == {"kind": "ack", "acked": "1"}
    waits = [int(word.split("=")[1]) for word in system.log("store").split() if word.startswith("wait_ms=")]
    assert waits == sorted(waits) and len(set(waits)) > 1
