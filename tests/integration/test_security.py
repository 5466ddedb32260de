"""Who may write into the store, and what hostile input does: nothing stored that should not be, a clear
message, and the others go on (docs/architecture.md, invariants 4, 6, 7; docs/rules.md 26, 27, 29)."""

import json
import os
import signal
import socket
import subprocess
import time
import uuid

import pytest
from support.build import build_folder
from support.process import free_port
from support.system import System
from support.wire import ZERO, WireCollector, assert_unheard, chain_over, event_line, observed

UID = "11111111-2222-4333-8444-555555555555"


@pytest.fixture
def system(tmp_path, database):
    system = System(tmp_path / "with space", database, {"eu-1": ("c1", ["dev", "prod"]), "eu-2": ("c2", None)})
    system.start_store()
    yield system
    system.stop()


@pytest.fixture
def connect(system):
    opened = []

    def connect(name="eu-1", secret="own", **more):
        key = system.secret(name) if secret == "own" else secret
        opened.append(WireCollector(system.endpoint, bytes.fromhex(system.store_key), key, name=name, **more))
        return opened[-1]

    yield connect
    for collector in opened:
        collector.close()


def stored(system, where="collector <> '_store'"):
    return int(system.database.psql(f"SELECT count(*) FROM modeltrail.event WHERE {where}")[0][0])


def assert_serves(system, connect, epoch):
    """An honest collector is served: others' faults have not harmed it."""
    honest = connect("eu-2", epoch=epoch)
    assert honest.hello()["kind"] == "welcome"
    answer = honest.publish([("workload.observed", observed(str(uuid.uuid4()), 5, cluster="c2"))], cluster="c2")
    assert answer["kind"] == "ack"


def test_an_honest_collector_is_acknowledged_after_commit(system, connect):
    collector = connect()
    welcome = collector.hello()
    assert (welcome["kind"], welcome["acked"], welcome["chain"]) == ("welcome", "0", ZERO.hex())
    answer = collector.publish([("workload.observed", observed(UID, 7))])
    assert answer == {"kind": "ack", "acked": "1"}
    assert stored(system) == 1
    rows = system.rows("SELECT model, version FROM modeltrail_v1.deployments")
    assert rows == [{"model": "fraud", "version": "1.0.0"}]


def test_an_unknown_key_is_refused(system, connect):
    stranger = connect(secret=os.urandom(32))
    assert stranger.hello(timeout=2) is None
    assert stored(system) == 0
    assert "unknown key" in system.log("store")
    assert_serves(system, connect, 2)


def test_the_null_mechanism_is_refused(system, connect):
    stranger = connect(secret=None)
    assert stranger.hello(timeout=2) is None
    assert stored(system) == 0
    system.daemons["store"].wait_until(lambda: "handshake failed" in system.log("store"), 5)
    assert_serves(system, connect, 2)


def test_raw_garbage_is_refused(system, connect):
    for garbage in (b"GET / HTTP/1.1\r\n\r\n", os.urandom(5000), b"\xff" + b"\0" * 63):
        with socket.create_connection(("127.0.0.1", system.port)) as raw:
            raw.sendall(garbage)
            time.sleep(0.2)
    assert stored(system) == 0
    assert_serves(system, connect, 2)
    assert "handshake failed" in system.log("store")


def test_another_collectors_name_is_refused(system, connect):
    liar = connect("eu-1")
    answer = liar.hello(name="eu-2")
    assert (answer["kind"], answer["reason"]) == ("nack", "not_allowed")
    assert "names another collector" in answer["message"]
    assert stored(system) == 0
    assert_serves(system, connect, 2)


@pytest.mark.parametrize(
    "data",
    [
        observed(UID, 7, namespace="secret"),
        observed(UID, 7, cluster="c2"),
    ],
    ids=["namespace", "cluster"],
)
def test_a_scope_that_it_may_not_speak_for_is_quarantined(system, connect, data):
    collector = connect()
    collector.hello()
    good = observed(str(uuid.uuid4()), 8)
    assert collector.publish([("workload.observed", data), ("workload.observed", good)])["acked"] == "2"
    assert stored(system, "quarantined LIKE '%may not%' OR quarantined LIKE '%not allowed%'") == 1
    assert len(system.rows("SELECT * FROM modeltrail_v1.deployments")) == 1
    assert system.rows("SELECT * FROM modeltrail.state WHERE cluster = 'c2' OR uid = '%s'" % UID) == []


def test_a_gap_of_all_is_one_of_all_that_it_may_speak_for(system, connect):
    """A store that lost events gets it from every collector, and refusing it would leave the time covered."""
    collector = connect()
    collector.hello()
    gap = {"cluster": "c1", "aspect": "state", "namespace": None, "resource": None, "from": "2026-01-01T00:00:00Z",
           "to": "2026-01-02T00:00:00Z", "reason": "the store lost events"}
    collector.publish([("scope.gap", gap), ("scope.gap", gap | {"cluster": "c2"})])
    assert stored(system, "quarantined IS NOT NULL") == 1, "of another cluster it still may not speak"
    allowed = sorted(system.collectors["eu-1"][1])
    rows = system.rows("SELECT namespace, cluster FROM modeltrail.gap ORDER BY namespace")
    assert rows == [{"namespace": name, "cluster": "c1"} for name in allowed]


def test_a_whole_cluster_listing_by_a_namespaced_collector_closes_nothing(system, connect):
    collector = connect()
    collector.hello()
    listing = {
        "cluster": "c1", "resource": "models.mlops.seldon.io", "kind": "Model", "namespace": None, "position": "99",
        "listed_at": "2026-01-02T00:00:00Z", "watched_since": None, "selector": None, "members": [],
        "uid_from": None, "uid_to": None,
    }
    collector.publish([("workload.observed", observed(UID, 7)), ("scope.listed", listing)])
    assert stored(system, "quarantined IS NOT NULL") == 1
    assert len(system.rows("SELECT * FROM modeltrail_v1.deployments")) == 1


def test_a_session_belongs_to_its_key(system, connect):
    """Routing ids are the peer's choice: another key that connects under one of a collector that is gone must
    not go on in its session."""
    first = connect("eu-1", routing_id=b"X")
    assert first.hello()["kind"] == "welcome"
    first.close()
    time.sleep(0.3)
    thief = connect("eu-2", routing_id=b"X", epoch=1000)
    thief.send_lines([event_line("eu-1", 1000, 1, "workload.observed", observed(UID, 1))])
    answer = thief.receive()
    assert (answer["kind"], answer["reason"]) == ("nack", "gap")
    assert stored(system) == 0


def test_without_a_zap_handler_nobody_gets_in(tmp_path, connect, system):
    """CURVE fails open unless the domain is enforced: a listener without its handler admits not even a good key;
    the same listener with it does."""
    for flags, received in (([], False), (["--zap"], True)):
        port = free_port()
        argv = [f"{build_folder()}/drivers/driver_store_listener", f"tcp://127.0.0.1:{port}", tmp_path / "with space/store.key",
                system.keys["eu-1"], *flags]
        listening = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
        assert listening.stdout.readline() == "listening\n"
        collector = WireCollector(f"tcp://127.0.0.1:{port}", bytes.fromhex(system.store_key), system.secret("eu-1"))
        collector.hello(timeout=0.1)
        said = listening.communicate(timeout=30)[0]
        collector.close()
        assert ("received from eu-1" in said) == received, flags


def test_gap_fork_and_repeat(system, connect):
    collector = connect()
    collector.hello()
    lines = collector.next_lines([("workload.observed", observed(UID, p)) for p in (1, 2, 3)])
    collector.send_lines(lines)
    assert collector.receive()["acked"] == "3"
    # A repeat after reconnecting: what is stored already is acknowledged by welcome, and not stored again.
    again = connect()
    assert again.hello(next_seq=1)["acked"] == "3"
    again.send_lines(lines, first=1, chain=ZERO)
    assert again.receive()["kind"] == "nack"
    assert stored(system) == 3
    # A gap.
    third = connect()
    third.hello(next_seq=4, chain=collector.chain)
    third.send_lines([event_line("eu-1", 1000, 9, "workload.observed", observed(UID, 9))], first=9, chain=collector.chain)
    answer = third.receive()
    assert (answer["kind"], answer["reason"], answer["acked"]) == ("nack", "gap", "3")
    # A spool that was copied: same name and epoch, another history.
    other = [event_line("eu-1", 1000, n, "workload.observed", observed(UID, 50 + n)) for n in (1, 2, 3)]
    fork = connect()
    answer = fork.hello(next_seq=4, chain=chain_over(ZERO, other))
    assert (answer["kind"], answer["reason"]) == ("nack", "fork")
    # A newer epoch exists: the older spool is a fork too.
    newer = connect(epoch=2000)
    newer.hello()
    newer.publish([("workload.observed", observed(UID, 4))])
    old = connect(epoch=1000)
    answer = old.hello(next_seq=4, chain=collector.chain)
    assert (answer["kind"], answer["reason"]) == ("nack", "fork")
    assert stored(system) == 4


def test_a_new_hello_counts_what_the_old_connection_brought(system, connect):
    """Both are found in one turn of a busy store; events that are then sent again must not look like others."""
    first, other = connect(), connect("eu-2")
    first.hello()
    other.hello()
    lines = first.next_lines([("workload.observed", observed(UID, p)) for p in range(1, 11)])
    locker = subprocess.Popen(["psql", "-qX", "-c", "BEGIN; SELECT FROM modeltrail.writer_lock FOR UPDATE; SELECT pg_sleep(2); COMMIT"],
                              env=system.database.env(), stdout=subprocess.DEVNULL)
    time.sleep(0.5)
    # Another collector's batch waits for the lock while both messages arrive.
    elsewhere = observed(str(uuid.uuid4()), 1, cluster="c2")
    other.send_lines(other.next_lines([("workload.observed", elsewhere)], "c2"))
    time.sleep(0.3)
    first.send_lines(lines)
    again = connect()
    answer = again.hello(next_seq=1, timeout=20)
    assert locker.wait() == 0
    assert (answer["kind"], answer["acked"]) == ("welcome", "10")
    assert stored(system) == 11


def test_a_revoked_key_stops_at_once(system, connect):
    collector = connect()
    collector.hello()
    assert collector.publish([("workload.observed", observed(UID, 1))])["kind"] == "ack"
    system.write_store_config(without=["eu-1"])
    os.kill(system.daemons["store"].pid, signal.SIGHUP)
    assert_unheard(collector, observed(UID, 2))
    assert stored(system) == 1


@pytest.mark.parametrize("nothing", ["", " []", " null", " ~"], ids=["none", "list", "null", "tilde"])
def test_the_last_collector_is_taken_out_by_hand(system, connect, nothing):
    """What an editor leaves behind `collectors:` is an empty list, at SIGHUP and at the start."""
    collector = connect()
    collector.hello()
    assert collector.publish([("workload.observed", observed(UID, 1))])["kind"] == "ack"
    system.write_store_config(without=system.collectors)
    config = system.folder / "store.yaml"
    config.write_text(config.read_text().rstrip() + nothing + "\n")
    assert "nobody may speak" not in system.log("store")
    os.kill(system.daemons["store"].pid, signal.SIGHUP)
    assert_unheard(collector, observed(UID, 2))
    assert system.log("store").count("nobody may speak") == 1
    system.end("store")
    system.start_store()
    assert system.log("store").count("nobody may speak") == 2
    assert connect().hello(timeout=2) is None
    assert stored(system) == 1


@pytest.mark.parametrize("cut", ["collectors", "collectors: eu-1"], ids=["no list", "a text"])
def test_a_list_that_is_no_list_changes_nothing(system, connect, cut):
    collector = connect()
    collector.hello()
    config = system.folder / "store.yaml"
    config.write_text(config.read_text().split("collectors")[0] + (cut + "\n" if ":" in cut else ""))
    os.kill(system.daemons["store"].pid, signal.SIGHUP)
    system.daemons["store"].wait_until(lambda: "the old one stays" in system.log("store"), 10)
    assert collector.publish([("workload.observed", observed(UID, 1))])["kind"] == "ack"


def test_a_rotated_key_stops_at_once(system, connect):
    """The collector stays in the allow-list, under another key."""
    old = connect()
    old.hello()
    assert old.publish([("workload.observed", observed(UID, 1))])["kind"] == "ack"
    system.keys["eu-1"] = system._make_key("eu-1-new")
    system.write_store_config()
    os.kill(system.daemons["store"].pid, signal.SIGHUP)
    chain = old.chain
    assert_unheard(old, observed(UID, 2))
    assert stored(system) == 1
    new = connect(secret=system.secret("eu-1-new"))
    assert new.hello(next_seq=2, chain=chain)["kind"] == "welcome"


HOSTILE_NAMES = [
    "'; DROP TABLE modeltrail.event; --",
    "\x1b[2J\x1b[31mred",
    "=cmd|'/c calc'!A1",
    "\u202egnp.exe",
    "tab\tnew\nline\\N",
    "x" * 100_000,
]


@pytest.mark.parametrize("name", HOSTILE_NAMES, ids=["sql", "escape", "formula", "bidi", "copy", "long"])
def test_hostile_names_are_data(system, connect, name):
    collector = connect()
    collector.hello()
    uri = f"s3://models/{name[:2000]}/1.0.0"
    events = [
        ("workload.observed", observed(str(uuid.uuid4()), 1, uri=uri, name=name)),
        ("workload.observed", observed(UID, 2, name="after")),
    ]
    assert collector.publish(events)["acked"] == "2"
    assert stored(system) == 2
    listed = system.ask("list", "deployments", "-o", "table")
    assert "after" in listed.stdout
    assert not any(ord(c) < 32 and c != "\n" for c in listed.stdout)
    assert "\u202e" not in listed.stdout
    csv = system.ask("list", "deployments", "-o", "csv", "--columns", "model")
    assert not any(line.startswith(("=", "+", "@")) for line in csv.stdout.splitlines())


def raw_line(seq, fragment: bytes) -> bytes:
    """An event line whose data are these bytes, however wrong."""
    head = event_line("eu-1", 1000, seq, "workload.observed", "DATA")
    return head.replace(b'"DATA"', fragment)


HOSTILE_BYTES = {
    "invalid utf-8": b'{"name":"\xff\xfe"}',
    "escaped nul": b'{"name":"a\\u0000b"}',
    "deep": b"[" * 10_000 + b"]" * 10_000,
    "huge number": b'{"position":1e1000000}',
    "long string": b'{"name":"' + b"x" * 900_000 + b'"}',
    "not json": b"{{{",
    "no data": b"null",
    "position no integer": b'{"cluster":"c1","namespace":"dev","position":"abc"}',
}


@pytest.mark.parametrize("fragment", HOSTILE_BYTES.values(), ids=HOSTILE_BYTES.keys())
def test_hostile_bytes_are_quarantined_and_the_stream_goes_on(system, connect, fragment):
    collector = connect()
    collector.hello()
    lines = [
        event_line("eu-1", 1000, 1, "workload.observed", observed(UID, 1)),
        raw_line(2, fragment),
        event_line("eu-1", 1000, 3, "workload.observed", observed(UID, 2, uri="s3://models/fraud/2.0.0")),
    ]
    collector.send_lines(lines)
    assert collector.receive(20) == {"kind": "ack", "acked": "3"}
    assert stored(system) == 3
    bodies = system.rows(
        "SELECT e.quarantined, encode(b.body, 'hex') AS body FROM modeltrail.event e"
        " JOIN modeltrail.event_body b USING (log, log_index) WHERE e.seq = 2 AND e.collector = 'eu-1'"
    )
    assert bodies[0]["quarantined"]
    assert bytes.fromhex(bodies[0]["body"]) == lines[1]
    assert system.rows("SELECT version FROM modeltrail_v1.deployments") == [{"version": "2.0.0"}]


def test_a_frame_over_the_limit_breaks_only_its_connection(system, connect):
    collector = connect()
    collector.hello()
    collector.send_lines([raw_line(1, b'"' + b"x" * 5_000_000 + b'"')])
    answer = collector.receive(2)
    assert answer is None or answer["kind"] == "nack"
    assert stored(system) == 0
    assert_serves(system, connect, 2)


def forged_delete(uid, **changes):
    """A request.audited data object that says that a dev Model was deleted, claimed for prod."""
    data = {
        "cluster": "c1", "audit_id": "x", "stage": "ResponseComplete", "verb": "delete",
        "resource": "models.mlops.seldon.io", "kind": "Model", "subresource": None, "namespace": "prod",
        "name": "fraud", "uid": uid, "position": None, "generation": None, "removes": True, "code": 200,
        "message": None, "dry_run": False, "at": "2026-01-01T01:00:00Z", "principal": "mallory", "groups": [],
        "impersonated_by": None, "user_agent": "x", "source_ip": "192.0.2.4", "via": "audit_log",
    }
    data.update(changes)
    return data


@pytest.fixture
def tenants(tmp_path, database):
    """Two collectors of one cluster: eu-1 may speak for dev, eu-2 for prod."""
    system = System(tmp_path / "s", database, {"eu-1": ("c1", ["dev"]), "eu-2": ("c1", ["prod"])})
    system.start_store()
    opened = [WireCollector(system.endpoint, bytes.fromhex(system.store_key), system.secret(name), name=name)
              for name in ("eu-1", "eu-2")]
    for collector in opened:
        collector.hello()
    yield system, *opened
    for collector in opened:
        collector.close()
    system.stop()


def beliefs(system):
    return (system.rows("SELECT namespace, workload, model, version FROM modeltrail_v1.deployments ORDER BY 1, 2"),
            system.rows("SELECT namespace, change_type, deployed_by, to_version FROM modeltrail_v1.changes"))


@pytest.mark.parametrize("frames", [1, 3], ids=["one batch", "a batch each"])
def test_a_uid_of_another_namespace_is_nobody_elses(tenants, frames):
    """A key for prod names the uid of a dev model, in whatever namespace it may: dev's model stays as it is, and
    what is honest in the same batch is taken."""
    system, dev, prod = tenants
    dev.publish([("workload.observed", observed(UID, 5))])
    before = beliefs(system)
    honest = str(uuid.uuid4())
    forged = [
        ("workload.observed", observed(UID, 9, namespace="prod", uri="s3://m/evil/6.6.6")),
        ("request.audited", forged_delete(UID)),
        ("workload.observed", observed(honest, 10, namespace="prod")),
    ]
    for i in range(0, 3, 3 // frames):
        answer = prod.publish(forged[i:i + 3 // frames])
    assert answer == {"kind": "ack", "acked": "3"}
    reason = f"uid {UID} is a workload of another namespace"
    assert system.rows("SELECT seq, quarantined FROM modeltrail.event WHERE collector = 'eu-2' ORDER BY seq") == [
        {"seq": 1, "quarantined": reason}, {"seq": 2, "quarantined": reason}, {"seq": 3, "quarantined": None}]
    rows, changes = beliefs(system)
    assert [row for row in rows if row["namespace"] == "dev"] == before[0]
    assert [row for row in changes if row["namespace"] == "dev"] == before[1]
    assert [row["namespace"] for row in rows] == ["dev", "prod"]
    assert system.rows("SELECT * FROM modeltrail.request") == []


def test_a_request_that_came_before_its_uid_is_not_credited_elsewhere(tenants):
    """Nobody had observed the uid when the forged requests came: they are facts, and credited with nothing."""
    system, dev, prod = tenants
    prod.publish([("request.audited", forged_delete(UID)),
                  ("request.audited", forged_delete(UID, verb="create", removes=False, position="5", generation="1"))])
    dev.publish([("workload.observed", observed(UID, 5))])
    before = beliefs(system)
    assert len(before[0]) == 1
    assert [row["deployed_by"] for row in before[1]] == [None]
    assert len(system.rows("SELECT * FROM modeltrail.request")) == 2
    # Neither when its history is read anew.
    system.database.psql("DELETE FROM modeltrail.checkpoint")
    dev.publish([("workload.observed", observed(UID, 6))])
    assert beliefs(system) == before


def test_a_listing_closes_only_what_is_in_its_namespace(tenants):
    system, dev, prod = tenants
    dev.publish([("workload.observed", observed(UID, 5))])
    before = beliefs(system)
    for members in ([], [UID]):
        prod.publish([("scope.listed", {
            "cluster": "c1", "resource": "models.mlops.seldon.io", "kind": "Model", "namespace": "prod",
            "position": "99", "listed_at": "2026-01-02T00:00:00Z", "watched_since": None, "selector": None,
            "members": members, "uid_from": None, "uid_to": None})])
        assert beliefs(system) == before


LATE = "2100-01-01T00:00:00Z"


def test_a_fast_clock_does_not_cover_the_future(system, connect):
    """What is told of had happened when we heard of it, whatever the collector's clock says."""
    fast = connect()
    fast.hello()
    scope = {"cluster": "c1", "namespace": "dev", "resource": "models.mlops.seldon.io"}
    fast.publish([
        ("workload.observed", observed(UID, 5, at=LATE, not_before=LATE)),
        ("request.audited", forged_delete(UID, namespace="dev", at=LATE, removes=False)),
        ("scope.watched", {**scope, "aspect": "state", "source": "watch", "kind": "Model",
                           "watched_since": "2026-01-01T00:00:00Z", "through": LATE, "installed": True}),
        ("scope.listed", {**scope, "kind": "Model", "position": "99", "listed_at": LATE, "watched_since": None,
                          "selector": None, "members": [], "uid_from": None, "uid_to": None}),
        ("namespace.observed", {"cluster": "c1", "namespace": "dev", "position": "3", "at": LATE, "labels": {}}),
    ])
    assert stored(system, "quarantined IS NOT NULL") == 0
    for table, column in (("state", "at"), ("state", "not_before"), ("request", "at"), ("watched", "through"),
                          ("listing", "listed_at"), ("namespace_label", "at")):
        assert system.rows(f"SELECT count(*) FILTER (WHERE f.{column} = e.recorded_at) AS n, count(*) AS of"
                           f" FROM modeltrail.{table} f JOIN modeltrail.event e USING (log, log_index)"
                           ) == [{"n": 1, "of": 1}], (table, column)
    assert system.rows("SELECT count(*) AS n FROM modeltrail_v1.changes WHERE happened_at > now()") == [{"n": 0}]


def test_a_beat_does_not_reach_beyond_now(system, connect):
    fast = connect()
    fast.hello()
    look = {"aspect": "state", "cluster": "c1", "resource": "models.mlops.seldon.io"}
    past = {**look, "namespace": "prod", "watched_since": "2020-01-01T00:00:00Z", "through": "2025-01-01T00:00:00Z"}
    late = {**look, "namespace": "dev", "watched_since": "2020-01-01T00:00:00Z", "through": LATE}
    fast.send({"kind": "beat", "epoch": "1000"}, json.dumps([past, late]).encode())
    system.daemons["store"].wait_until(lambda: system.rows("SELECT * FROM modeltrail.look"), 5)
    rows = system.rows("SELECT namespace, through <= now() AS past, through > now() - interval '1 minute' AS fresh"
                       " FROM modeltrail.look ORDER BY 1 DESC")
    assert rows == [{"namespace": "prod", "past": True, "fresh": False},
                    {"namespace": "dev", "past": True, "fresh": True}]
    assert system.rows("SELECT count(*) AS n FROM modeltrail_v1.coverage WHERE covered_to > now()") == [{"n": 0}]
    fast.send({"kind": "beat", "epoch": "1000"}, b"[]")
    system.daemons["store"].wait_until(lambda: not system.rows("SELECT * FROM modeltrail.look"), 5)
