"""The store's transaction on a real PostgreSQL: exactly once, quarantine, beliefs, rebuild, apply."""

import hashlib
import json
import random
import string
import subprocess
import threading
import time

import pytest

from oracle import COLUMNS, fold_world
from property.checking import INSTANTS, comparable, differences, driver
from property.histories import BORDER, draw_world, numbered
from support.build import run
from support.postgres import PsqlError

TYPE = "dev.modeltrail.workload.observed.v1"
DERIVED = ("placement", "route", "change", "attribution", "checkpoint")
FACTS = ("workload", "state", "listing", "gap", "watched", "request", "namespace_label", "central",
         "environment", "environment_map", "person", "person_map")


@pytest.fixture
def store(database):
    """A database with the schema, and what the tests do with it."""
    done = run("modeltrail-store", "migrate", database=database)
    assert done.returncode == 0, done.stderr
    return Store(database)


class Store:
    def __init__(self, database):
        self.database = database

    def ingest(self, lines, *flags, fails=False):
        """Runs lines (bytes, text or events) through the driver; gives what it printed."""
        text = b"".join(line_of(line) + b"\n" for line in lines)
        done = subprocess.run([driver("driver_store_ingest"), self.database.dsn(), *map(str, flags)],
                              input=text, capture_output=True, timeout=300)
        if fails and done.returncode:
            return None
        assert done.returncode == 0, done.stderr.decode()[-3000:]
        return json.loads(done.stdout)

    def one(self, sql):
        return self.database.psql(sql)[0][0]

    def dump(self, tables):
        """Every row of the tables, bit for bit."""
        return {table: self.database.psql(f"SELECT t::text FROM modeltrail.{table} t ORDER BY 1")
                for table in tables}

    def oracle_rows(self):
        """The derived tables as the oracle writes them."""
        return {table: [as_oracle(row) for row in
                        self.database.query(f"SELECT {', '.join(columns)} FROM modeltrail.{table}")]
                for table, columns in COLUMNS.items()}

    def quarantined(self):
        return {int(seq): reason for seq, reason in self.database.psql(
            "SELECT seq, quarantined FROM modeltrail.event WHERE quarantined IS NOT NULL")}

    def apply(self, folder, text, *flags):
        path = folder / "modeltrail.yaml"
        path.write_text(text)
        return run("modeltrail-store", "apply", path, *flags, database=self.database)


def line_of(line):
    if isinstance(line, bytes):
        return line
    return (line if isinstance(line, str) else json.dumps(line)).encode()


def as_oracle(row):
    made = {}
    for column, value in row.items():
        if isinstance(value, str) and column in INSTANTS:
            value = value.replace("+00:00", "Z")
        if isinstance(value, str) and value.startswith("\\x"):
            value = value[2:]
        made[column] = comparable(column, value)
    return made


def observed(position=1, uid=1, **members):
    """A workload.observed event of a small Model."""
    data = {
        "cluster": "c1", "namespace": "risk", "name": f"model-{uid}", "kind": "Model",
        "uid": f"{uid:08x}-0000-4000-8000-000000000000", "resource": "models.mlops.seldon.io",
        "position": str(position), "generation": "1", "extractor": 1, "removed": False,
        "at": f"2026-01-01T00:00:{position % 60:02d}Z", "at_source": "managed_fields",
        "placements": [{"component": "model", "role": "live", "uri": f"s3://m/x/v{position}"}],
        "object": {"spec": {"storageUri": "s3://m/x"}},
    }
    return {"type": TYPE, "data": data | members}


def asked(principal, second):
    """A request.audited event: an update that was accepted."""
    at = f"2026-01-01T00:00:{second:02d}Z"
    return {"type": "dev.modeltrail.request.audited.v1", "data": {
        "cluster": "c1", "audit_id": f"a{second}", "stage": "ResponseComplete", "verb": "update",
        "resource": "models.mlops.seldon.io", "kind": "Model", "namespace": "risk", "name": "model-1",
        "removes": False, "code": 200, "dry_run": False, "at": at, "principal": principal, "via": "audit_log"}}


def world(seed):
    events = [entry for entry in draw_world(seed) if entry is not BORDER]
    for event in events:
        if "central" in event["type"]:
            event["time"] = "2026-01-01T00:00:00Z"
    return events


@pytest.mark.parametrize("seed", range(100, 103))
def test_rows_are_the_oracles_in_any_batches_and_after_rebuild(postgres, database, seed):
    events = world(seed)
    dumps = {}
    run("modeltrail-store", "migrate", database=database)
    for size in (1, 7, 1000):
        copy = postgres.create_database(f"{database.name}_{size}")
        try:
            assert run("modeltrail-store", "migrate", database=copy).returncode == 0
            one = Store(copy)
            done = one.ingest(events, "--batch", size)
            assert done["acked"] == len(events) and one.quarantined() == {}
            assert differences(fold_world(numbered(events)), one.oracle_rows()) == []
            dumps[size] = one.dump(DERIVED + FACTS)
            for chunk in (3, 0):
                one.ingest([], "--rebuild", chunk)
                assert one.dump(DERIVED) == {t: dumps[size][t] for t in DERIVED}, f"chunk {chunk}"
        finally:
            copy.drop()
    assert dumps[1] == dumps[7] == dumps[1000]
    assert dumps[1]["placement"] and dumps[1]["change"]


def test_repeats_are_acknowledged_and_not_stored(store):
    events = [observed(position) for position in range(1, 41)]
    done = store.ingest(events, "--batch", 7, "--repeat")
    assert done["outcome"] == "stored" and done["acked"] == 40
    before = store.dump(("event", "mark") + DERIVED + FACTS)
    # Resent from the start, in frames of another size: inside, across and behind the mark.
    done = store.ingest(events + [observed(41)], "--first", 1, "--batch", 9)
    assert done["outcome"] == "stored" and done["acked"] == 41
    after = store.dump(("event",))
    assert len(after["event"]) == 41 and set(before["event"]) < set(after["event"])


def test_what_differs_from_what_is_stored_is_a_fork(store):
    events = [observed(position) for position in range(1, 21)]
    store.ingest(events)
    before = store.dump(("event", "mark"))
    changed = events[:4] + [observed(5, name="other")] + events[5:]
    for batch in (20, 5, 10, 6):
        done = store.ingest(changed, "--first", 1, "--batch", batch)
        assert (done["outcome"], done["acked"]) == ("fork", 20), batch
    # A frame that ends before the mark, alone: no later one reaches up to the mark's chain and gives it away.
    done = store.ingest(changed[:5], "--first", 1)
    assert done["outcome"] == "fork" and "event 5 differs" in done["message"]
    done = store.ingest([observed(21)], "--first", 21)  # the chain before it is not known
    assert done["outcome"] == "fork" and "chain" in done["message"]
    assert store.dump(("event", "mark")) == before


def test_gap_and_old_epoch_are_refused(store):
    store.ingest([observed(1)], "--epoch", 5)
    done = store.ingest([observed(2)], "--epoch", 5, "--first", 3)
    assert (done["outcome"], done["acked"]) == ("gap", 1)
    done = store.ingest([observed(2)], "--epoch", 4)
    assert done["outcome"] == "fork" and "5" in done["message"]
    done = store.ingest([observed(2)], "--epoch", 6)
    assert (done["outcome"], done["acked"]) == ("stored", 1)
    assert store.one("SELECT count(*) FROM modeltrail.event") == "2"


def deep(levels):
    return '{"type":"t","data":' + '{"a":' * levels + "1" + "}" * levels + "}"


def hostile():
    """Lines that cannot be used, each with a word of the reason."""
    def wrong(**members):
        event = observed()
        event["data"].update(members)
        return event

    yield b"", "JSON"
    yield b"not json at all", "JSON"
    yield b'{"type":"\xff\xfe","data":{}}', "UTF-8"
    yield '{"type":"t","data":{"name":"a\\u0000b"}}', "u0000"
    yield deep(10_000), "deep"
    yield '{"type":"t","data":{"n":1e1000000}}', "exponent"
    yield "[1,2,3]", "object"
    yield "x" * (1 << 20) + "y", "larger"
    yield '{"type":"t","data":{"name":"one","name":"two"}}', "twice"
    yield {"type": "t", "data": {f"m{n}": n for n in range(200)}}, "members"
    yield wrong(position="12x"), "position"
    yield wrong(position="99999999999999999999"), "position"
    yield wrong(position="-4"), "position"
    yield wrong(position=None), "position"
    yield wrong(uid="no-uuid"), "UUID"
    yield wrong(uid=7), "string"
    yield wrong(at="yesterday"), "at"
    yield wrong(at="0001-01-01T00:00:00Z"), "1970"
    yield wrong(not_before="0000-01-01T00:00:00Z"), "1970"
    yield wrong(cluster="c2"), "may not speak"
    yield wrong(namespace="other"), "may not speak"
    yield wrong(name="n" * 5000), "too long"
    yield wrong(placements={"component": "x"}), "array"
    yield wrong(placements=[{"component": "x", "uri": "u" * 40_000}]), "too long"
    yield wrong(routes=[{"target": "a" * 300, "target_kind": "Model", "role": "r"}]), "too long"
    yield wrong(extractor=1e300), "extractor"
    yield {"type": "dev.modeltrail.unheard.of.v9", "data": {}}, "unknown type"
    yield {"type": "dev.modeltrail.central.applied.v1", "data": {}}, "only the store"
    yield {"type": "dev.modeltrail.scope.listed.v1", "data": {"cluster": "c1", "members": ["x"]}}, "data."
    yield {"type": "dev.modeltrail.scope.listed.v1", "data": {
        "cluster": "c1", "namespace": "risk", "resource": "r", "kind": "K", "position": "1",
        "listed_at": "2026-01-01T00:00:00Z", "members": ["x"]}}, "UUID"
    yield {"type": "dev.modeltrail.scope.listed.v1", "data": {
        "cluster": "c1", "namespace": None, "resource": "r", "kind": "K", "position": "1",
        "listed_at": "2026-01-01T00:00:00Z", "members": []}}, "may not speak"
    yield {"type": "dev.modeltrail.input.rejected.v1",
           "data": {"cluster": "c1", "where": "audit", "reason": "line was cut"}}, "line was cut"


@pytest.mark.parametrize("batch", (1, 1000))
def test_hostile_events_are_quarantined_and_the_stream_goes_on(store, batch):
    cases = list(hostile())
    lines, expected = [], {}
    for number, (line, word) in enumerate(cases):
        lines.append(observed(number + 1, uid=1 + number))
        lines.append(line)
        expected[len(lines)] = word
    lines.append(observed(1, uid=5000))
    done = store.ingest(lines, "--batch", batch, "--allow", "c1/risk")
    assert done["acked"] == len(lines)
    reasons = store.quarantined()
    assert set(reasons) == set(expected)
    for seq, word in expected.items():
        assert word in reasons[seq], (lines[seq - 1][:80] if isinstance(lines[seq - 1], (str, bytes)) else seq)
    assert store.one("SELECT count(*) FROM modeltrail.placement") == str(len(cases) + 1)
    # Their bytes are kept, and nothing of them is parsed.
    stored = {int(seq): body for seq, body in store.database.psql(
        "SELECT e.seq, encode(b.body, 'hex') FROM modeltrail.event e JOIN modeltrail.event_body b"
        " USING (log, log_index) WHERE e.quarantined IS NOT NULL AND b.data IS NULL")}
    assert set(stored) == set(expected)
    assert bytes.fromhex(stored[4]) == lines[3]


def test_envelopes_that_are_not_theirs_are_quarantined(store):
    data = observed()["data"]
    good = {"specversion": "1.0", "id": "driver:1:%d", "source": "/x", "type": TYPE, "data": data}
    wrong = [({"id": "driver:1:99"}, "id is not"), ({"id": "other:1:%d"}, "id is not"), ({"id": 4}, "id is not"),
             ({"specversion": "2.0"}, "specversion"), ({"type": None}, "type"), ({"type": "t" * 500}, "type"),
             ({"time": "noon"}, "time"), ({"data": None}, "data"), ({"data": [1]}, "data"), ({}, None)]
    lines = [json.dumps(good | change).replace("%d", str(seq)) for seq, (change, _) in enumerate(wrong, 1)]
    assert store.ingest(lines, "--keep")["acked"] == len(wrong)
    reasons = store.quarantined()
    assert set(reasons) == set(range(1, len(wrong)))
    for seq, (_, word) in enumerate(wrong[:-1], 1):
        assert word in reasons[seq], seq
    ids = [row for row, in store.database.psql("SELECT event_id FROM modeltrail.event ORDER BY seq")]
    assert ids == [f"driver:1:{seq}" for seq in range(1, len(wrong) + 1)]


def test_strings_from_outside_are_data(store):
    names = ["'; DROP TABLE modeltrail.event; --", "\x1b[31mred\x1b[0m", "=cmd|' /C calc'!A0", 'a"b\\c',
             "{}", "NULL", "tab\tnew\nline", "\\.", "\\N", "\u202egnp.exe", "{a,b}", "%s%n"]
    events = [observed(i + 1, uid=i + 1, name=name, placements=[
        {"component": name, "role": "live", "uri": name, "labels": {"modeltrail.io/model": name}}])
        for i, name in enumerate(names)]
    store.ingest(events, "--allow", "c1/risk")
    assert store.quarantined() == {}
    for table, column in (("workload", "name"), ("placement", "component"), ("change", "component")):
        found = {row[column] for row in store.database.query(f"SELECT {column} FROM modeltrail.{table}")}
        assert found == set(names), table
    before = store.dump(DERIVED)
    store.ingest([], "--rebuild", 0)
    assert store.dump(DERIVED) == before


def test_what_only_the_database_refuses_is_found_and_quarantined(store):
    noise = random.Random(1)
    long_name = "".join(noise.choices(string.ascii_letters + string.digits, k=20_000))
    events = [observed(position, uid=position) for position in range(1, 31)]
    # A model's name of 20,000 random letters fits no index.
    events[17] = observed(18, uid=18, placements=[
        {"component": "model", "role": "live", "uri": f"models:/{long_name}/1"}])
    done = store.ingest(events)
    assert (done["acked"], done["outcome"]) == (30, "stored")
    assert list(store.quarantined()) == [18]
    assert "54000" in store.quarantined()[18]
    assert store.one("SELECT count(*) FROM modeltrail.placement") == "29"
    assert store.one("SELECT count(*) FROM modeltrail.event") == "30"


def test_a_batch_cut_off_anywhere_is_settled_by_sending_it_again(store):
    events = world(7) + [observed(position, uid=77) for position in range(1, 120)]
    stop = threading.Event()

    def cut():
        while not stop.wait(0.05):
            store.database.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                                " WHERE application_name = 'store_ingest'"
                                f" AND datname = '{store.database.name}'")

    cutter = threading.Thread(target=cut)
    cutter.start()
    try:
        tries, deadline = 0, time.monotonic() + 20
        while store.ingest(events, "--first", 1, "--batch", 3, fails=True) is None:
            tries += 1
            if time.monotonic() > deadline:
                stop.set()
    finally:
        stop.set()
        cutter.join()
    assert tries > 2
    seqs = [int(seq) for seq, in store.database.psql("SELECT seq FROM modeltrail.event ORDER BY log_index")]
    assert seqs == list(range(1, len(events) + 1))
    before = store.dump(DERIVED)
    store.ingest([], "--rebuild", 5)
    assert store.dump(DERIVED) == before


def test_leaf_hashes_can_be_recomputed_from_the_documented_form(store):
    store.ingest([observed(1), {"type": "odd \"type\" \n", "data": {}}, "rubbish",
                  observed(2) | {"time": "2026-01-02T03:04:05.000006Z"},
                  observed(3) | {"time": "2026-01-02T03:04:05Z"}])
    rows = store.database.query(
        "SELECT collector, epoch, seq, event_id, type, encode(body_digest, 'hex') AS digest,"
        " encode(leaf_hash, 'hex') AS leaf, encode(salt || body, 'hex') AS salted, octet_length(salt) AS salt,"
        " extract(epoch FROM occurred_at)::text AS at,"
        " to_char(occurred_at, 'YYYY-MM-DD\"T\"HH24:MI:SS') AS second,"
        " to_char(occurred_at, 'US') AS micros FROM modeltrail.event JOIN modeltrail.event_body"
        " USING (log, log_index) ORDER BY seq")
    assert [row["type"] for row in rows] == [TYPE, "odd \"type\" \n", "unknown", TYPE, TYPE]
    for row in rows:
        assert hashlib.sha256(bytes.fromhex(row["salted"])).hexdigest() == row["digest"]
        moment = None
        if row["at"] is not None:
            fraction = "" if row["micros"] == "000000" else "." + row["micros"]
            moment = row["second"] + fraction + "Z"
        envelope = json.dumps(
            {"body": row["digest"], "collector": row["collector"], "epoch": str(row["epoch"]),
             "id": row["event_id"], "seq": str(row["seq"]), "time": moment, "type": row["type"]},
            sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        assert hashlib.sha256(b"\0" + envelope.encode()).hexdigest() == row["leaf"]
        assert row["salt"] == 16
    assert [row["at"] is None for row in rows] == [True, True, True, False, False]


def test_log_and_facts_are_append_only_for_everybody(store):
    store.ingest([observed(1)])
    partition = store.one("SELECT tableoid::regclass FROM modeltrail.event")
    for table in FACTS + ("event", "event_body", partition.removeprefix("modeltrail.")):
        for change in ("DELETE FROM {}", "TRUNCATE {} CASCADE", "UPDATE {} SET log = 1"):
            for replica in ("", "SET session_replication_role = replica;"):
                with pytest.raises(PsqlError, match="append-only"):
                    store.database.psql(replica + change.format(f"modeltrail.{table}"))
    store.database.psql(f"DROP TABLE {partition}")  # how the owner ends old history


def test_recorded_at_never_goes_back(store):
    store.ingest([observed(1)])
    # A clock that was ahead: the next batch may not be recorded before it.
    store.database.psql(
        "INSERT INTO modeltrail.event SELECT log, 2, '2100-01-01', collector, epoch, 0, type, event_id,"
        " occurred_at, NULL, body_digest, leaf_hash FROM modeltrail.event")
    store.ingest([observed(2)])
    times = [row for row, in store.database.psql("SELECT recorded_at FROM modeltrail.event ORDER BY log_index")]
    assert times == sorted(times) and times[2].startswith("2100")


def test_partitions_are_made_ahead(store):
    store.database.psql(
        "INSERT INTO modeltrail.event (log_index, recorded_at, collector, epoch, seq, type, event_id,"
        " body_digest, leaf_hash) VALUES (9499990, now(), 'x', 1, 1, 't', 'x:1:1', '', '')")
    store.ingest([observed(position, uid=position) for position in range(1, 31)], "--batch", 30)
    assert store.one("SELECT to_regclass('modeltrail.event_000002')") is not None
    assert store.one("SELECT max(log_index) FROM modeltrail.event_body") == "9500020"


CENTRAL = """
environments:
  - {name: dev, order: 1, scopes: [c1/risk]}
  - {name: prod, order: 2, scopes: [c1/prod, c2]}
artifacts: ["s3://m-{environment}/{model}/{version}"]
people:
  - {person: bob@corp.example, principals: [bob, "arn:x"]}
  - {service: deployer, kind: ci, principals: ["system:serviceaccount:ci:deployer"]}
"""


def test_apply_shows_logs_and_is_idempotent(store, tmp_path):
    done = store.apply(tmp_path, CENTRAL, "--dry-run")
    assert done.returncode == 0 and "+ scope c1/risk is dev" in done.stdout
    assert store.one("SELECT count(*) FROM modeltrail.event") == "0"
    done = store.apply(tmp_path, CENTRAL)
    assert done.returncode == 0 and "+ principal bob is bob@corp.example (human)" in done.stdout, done.stderr
    done = store.apply(tmp_path, CENTRAL)
    assert "unchanged" in done.stdout
    assert store.one("SELECT count(*) FROM modeltrail.event") == "1"
    assert " as database user postgres" in store.one("SELECT applied_by FROM modeltrail.central")
    changed = CENTRAL.replace("c1/risk", "c1/test").replace("order: 2", "order: 3")
    done = store.apply(tmp_path, changed)
    assert sorted(done.stdout.splitlines()) == sorted([
        "- environment prod, order 2", "+ environment prod, order 3",
        "- scope c1/risk is dev", "+ scope c1/test is dev", "applied"])
    rows = store.database.psql("SELECT cluster, namespace, from_at = '-infinity', log_index, environment"
                               " FROM modeltrail.environment_map ORDER BY log_index, 1, 2")
    assert rows == [("c1", "prod", "t", "1", "prod"), ("c1", "risk", "t", "1", "dev"),
                    ("c2", "", "t", "1", "prod"),
                    ("c1", "risk", "f", "2", None), ("c1", "test", "t", "2", "dev")]
    assert store.quarantined() == {}


def listed(position, *uids):
    return {"type": "dev.modeltrail.scope.listed.v1", "data": {
        "cluster": "c1", "resource": "models.mlops.seldon.io", "kind": "Model", "namespace": "risk",
        "position": str(position), "listed_at": f"2026-01-01T00:{position // 60:02d}:{position % 60:02d}Z",
        "watched_since": None, "selector": None, "uid_from": None, "uid_to": None,
        "members": [f"{uid:08x}-0000-4000-8000-000000000000" for uid in uids]}}


@pytest.mark.parametrize("events", [
    [observed(100, placements=[]), listed(200), observed(150)],
    [observed(100, placements=[]), listed(200), listed(300, 1), observed(250)],
    [observed(100, placements=[]), listed(300), listed(200), observed(150)],
    [observed(100), observed(110, placements=[]), listed(300), listed(200), observed(150)],
], ids=["gone", "back", "gone earlier", "ended, then gone earlier"])
def test_listings_concern_workloads_without_rows_too(store, events):
    for event in events:
        store.ingest([event], "--batch", 1)
    live = store.dump(DERIVED)
    store.ingest([], "--rebuild", 0)
    assert store.dump(DERIVED) == live


def test_the_newest_file_holds_from_the_instant_that_it_names(store, tmp_path):
    def file(environment, since=None):
        scope = f"environments:\n  - {{name: {environment}, order: 1, scopes: [c1/risk]}}\n"
        return scope + (f"from: {since}\n" if since else "")

    def stage(at):
        return store.one(f"SELECT environment FROM modeltrail.environment_at(1::smallint, 'c1', 'risk', '{at}')")

    for text in (file("dev"), file("prod"), file("qa", "2020-01-01T00:00:00Z")):
        assert store.apply(tmp_path, text).stdout.endswith("applied\n")
    # Over the change to prod, which an older file made later.
    assert [stage(at) for at in ("now", "2020-01-01", "2019-12-31")] == ["qa", "qa", "dev"]
    assert store.one("SELECT environment FROM modeltrail.mapped_scope WHERE namespace = 'risk'") == "qa"
    # The same mapping from an earlier instant on says something new; said again it does not.
    assert "+ scopes and people that change hold from 2019-01-01" in store.apply(tmp_path, file("qa", "2019-01-01T00:00:00Z")).stdout
    assert [stage(at) for at in ("2019-12-31", "2018-12-31")] == ["qa", "dev"]
    assert "unchanged" in store.apply(tmp_path, file("qa", "2019-01-01T00:00:00Z")).stdout
    # One that is no longer named is unmapped from there on.
    assert store.apply(tmp_path, "from: 2021-01-01T00:00:00Z\n").returncode == 0
    assert [stage(at) for at in ("2020-12-31", "2021-01-01")] == ["qa", "risk"]


def test_new_patterns_name_everything_anew(store, tmp_path):
    uris = ["s3://m-dev/fraud/v7", "s3://other/fraud/v7"]
    store.ingest([observed(i + 1, uid=i + 1, placements=[{"component": "model", "uri": uri}])
                  for i, uri in enumerate(uris * 300)])
    assert store.one("SELECT count(*) FROM modeltrail.placement WHERE model = 'fraud'") == "0"
    assert store.apply(tmp_path, CENTRAL).returncode == 0
    assert store.one("SELECT count(*) FROM modeltrail.placement WHERE model = 'fraud' AND version = 'v7'"
                     " AND revised_index = 601") == "300"
    before = store.dump(DERIVED)
    store.ingest([], "--rebuild", 0)
    assert store.dump(DERIVED) == before
    # Another process, whose first batch must go on with the same rules.
    store.ingest([observed(1, uid=9000, placements=[{"component": "model", "uri": uris[0]}])])
    assert store.one("SELECT count(*) FROM modeltrail.placement WHERE model = 'fraud'") == "301"


@pytest.mark.parametrize("text, words", [
    ("environments:\n  - {name: dev}\n  - {name: dev}\n", ("line 3", "dev", "twice", "line 2")),
    ("environments:\n  - {name: a, scopes: [c1]}\n  - {name: b, scopes: [c1]}\n", ("line 3", "scope 'c1'")),
    ("enviroments: []\n", ("enviroments", "line 1")),
    ("environments:\n  - {name: a, oder: 1}\n", ("oder", "line 2")),
    ("environments:\n  - {name: a, order: first}\n", ("line 2", "whole number")),
    ("environments:\n  - {name: a, scopes: [c1/x/y]}\n", ("line 2", "CLUSTER/NAMESPACE")),
    ("artifacts:\n  - s3://{bucket}/{model}\n", ("line 2", "placeholders")),
    ("artifacts: [s3://fixed/path]\n", ("line 1", "{model}")),
    ("people:\n  - {person: a, kind: robot, principals: [x]}\n", ("line 2", "kind")),
    ("people:\n  - {person: a, principals: [x]}\n  - {service: b, principals: [x]}\n", ("line 3", "'x'")),
    ("people:\n  - {person: a, service: b, principals: [x]}\n", ("line 2", "either")),
    ("people:\n  - {person: a, principals: []}\n", ("line 2", "at least one")),
    ("people:\n  - {person: a, kind: ci, principals: [x]}\n", ("line 2", "human or shared", "'service'")),
    ("people:\n  - {service: a, kind: shared, principals: [x]}\n", ("line 2", "kind", "'person'")),
    ("people:\n  - person: a\n    principals: [x, 'system:serviceaccount:ci:bot']\n", ("line 3", "service account", "hint", "'service:'")),
    ("people:\n  - {person: a, from: noon, principals: [x]}\n", ("line 2", "time")),
    ("people:\n  - {person: a, rules: x}\n", ("line 2", "list")),
    ("people:\n  - person: a\n    rules: ['^b$', '^(c$']\n", ("line 3", "'^(c$'", "without ')'")),
    ("people:\n  - person: a\n    rules: ['^b{9,3}$']\n", ("line 3", "'^b{9,3}$'", "repetition")),
    ("people:\n  - person: a\n    rules: ['^((((a{1,255}){1,255}){1,255}){1,255})$']\n", ("line 3", "a{1,255}")),
    ("people:\n  - person: a\n    rules: ['^b[z-a]$']\n", ("line 3", "'^b[z-a]$'", "range")),
    ("people:\n  - person: a\n    rules: ['corp$']\n", ("line 3", "'^' to '$'", "hint")),
    ("people:\n  - {person: a, rules: ['^b$']}\n  - {person: c, rules: ['^b$']}\n", ("line 3", "rule '^b$'", "line 2")),
    ("people:\n  - {person: '\\2@x', rules: ['^(b)$']}\n", ("line 2", "group")),
    ("people:\n  - {person: '\\1@x', principals: [b], rules: ['^(b)$']}\n", ("line 2", "principals")),
    ("people:\n  - person: a\n    rules: [" + ", ".join(f"'^u{n}$'" for n in range(1001)) + "]\n", ("line 3", "1000 rules")),
    ("from: soon\n", ("line 1", "time")),
])
def test_mistakes_in_the_central_file_are_named_with_their_line(store, tmp_path, text, words):
    done = store.apply(tmp_path, text)
    assert done.returncode != 0
    assert all(word in done.stderr for word in words), done.stderr
    assert store.one("SELECT count(*) FROM modeltrail.event") == "0"


def people(*entries, since=None):
    return "people:\n" + "".join(f"  - {{{entry}}}\n" for entry in entries) + (f"from: {since}\n" if since else "")


ARN = "^arn:aws:sts::[0-9]+:assumed-role/MLPlatform/([^/]+)$"
CAROL_ARN = "arn:aws:sts::111122223333:assumed-role/MLPlatform/carol"


@pytest.fixture
def who(store):
    """Whose a principal is at an instant: person, kind, how it was found."""
    return lambda name, at="now": tuple(store.database.psql(
        f"SELECT person, kind, matched_by FROM modeltrail.person_of(1::smallint, '{name}', '{at}')")[0])


def test_a_principal_goes_before_a_rule_and_a_rule_before_an_address(store, who, tmp_path):
    text = people(
        f"person: '\\1@corp.example', rules: ['{ARN}', '^oidc:(.+)$']",
        "person: bob@corp.example, principals: [bob, 'Bob.B@gmail.example', 'oidc:bob2']",
        "service: nightly, kind: ci, rules: ['^oidc:night-[0-9]+$', '^system:serviceaccount:ci:.*$']",
        "person: everybody, kind: shared, principals: [root]", "person: sa, rules: ['^system:.*$']")
    done = store.apply(tmp_path, text)
    assert done.returncode == 0, done.stderr
    assert who(CAROL_ARN) == ("carol@corp.example", "human", "rule")
    assert who(CAROL_ARN + "/x") == (CAROL_ARN + "/x", "human", "none")
    assert who("oidc:bob2") == ("bob@corp.example", "human", "principal")
    assert who("oidc:night-7") == ("night-7@corp.example", "human", "rule"), "the first rule of the file"
    assert who("root") == ("everybody", "shared", "principal")
    assert who("BOB@Corp.Example") == who("bob.b@GMAIL.example") == ("bob@corp.example", "human", "email")
    assert who("bob@corp.example.org")[2] == who("Bob")[2] == who("bob ")[2] == "none"
    # A service account is what a service's rule says, and no human for a rule of people.
    assert who("system:serviceaccount:ci:x") == ("nightly", "ci", "rule")
    assert who("system:serviceaccount:ml:x") == ("system:serviceaccount:ml:x", "service", "none")
    assert who("system:node:n1") == ("sa", "human", "rule")


def test_an_address_of_two_people_is_nobodys(store, who, tmp_path):
    assert store.apply(tmp_path, people("person: a, principals: [Ops@x.example]",
                                        "person: b, principals: [ops@x.example]")).returncode == 0
    assert who("ops@x.example") == ("b", "human", "principal")
    assert who("OPS@x.example") == ("OPS@x.example", "human", "none")


def test_a_mapping_holds_since_the_file_that_says_so(store, who, tmp_path):
    """The first reaches back, later ones do not, and one that is dropped ends."""
    assert store.apply(tmp_path, people("person: bob, principals: [login7]")).returncode == 0
    assert who("login7", "1999-01-01")[0] == "bob"
    assert store.apply(tmp_path, people("person: carol, principals: [login7]", since="2026-03-01T00:00:00Z")).returncode == 0
    assert [who("login7", at)[0] for at in ("2026-02-28", "2026-03-01")] == ["bob", "carol"]
    assert store.apply(tmp_path, people("person: dave, principals: [x]", since="2026-04-01T00:00:00Z")).returncode == 0
    assert [who("login7", at) for at in ("2026-02-28", "2026-03-31", "2026-04-01")] == [
        ("bob", "human", "principal"), ("carol", "human", "principal"), ("login7", "human", "none")]
    # The newest file governs from its instant on, over what older ones say later.
    assert store.apply(tmp_path, people("person: eve, principals: [login7]", since="2026-01-01T00:00:00Z")).returncode == 0
    assert [who("login7", at)[0] for at in ("2025-12-31", "2026-01-01", "2026-03-15", "now")] == ["bob", "eve", "eve", "eve"]


def test_an_entry_says_since_when_it_holds(store, who, tmp_path):
    text = people("person: bob, principals: [login7], from: 2026-03-01T01:00:00+01:00", f"person: '\\1', rules: ['{ARN}'], from: 2026-03-01T00:00:00Z")
    done = store.apply(tmp_path, text, "--dry-run")
    assert "+ principal login7 is bob (human) from 2026-03-01T00:00:00Z" in done.stdout
    assert rf"+ rule 1, whoever matches {ARN}, is \1 (human) from 2026-03-01T00:00:00Z" in done.stdout
    assert store.apply(tmp_path, text).stdout.endswith("applied\n")
    for name in ("login7", CAROL_ARN):
        assert [who(name, at)[2] for at in ("2026-02-28T23:59:59Z", "infinity")] == ["none", {"login7": "principal"}.get(name, "rule")]
    # Said again, in the same words or with others around them, it is the same mapping.
    assert "unchanged" in store.apply(tmp_path, text).stdout
    before = store.dump(("person_map",))
    for n in range(3):
        assert store.apply(tmp_path, text + f"environments:\n  - {{name: e{n}}}\n").stdout.endswith("applied\n")
    assert store.dump(("person_map",)) == before


def test_the_order_of_rules_is_that_of_the_file_in_force(store, who, tmp_path):
    one, two, three = "person: a, rules: ['^u.*$']", "person: b, rules: ['^u1$']", "person: c, rules: ['^u1.*$']"
    assert store.apply(tmp_path, people(one)).returncode == 0
    assert store.apply(tmp_path, people(two, one, since="2026-03-01T00:00:00Z")).returncode == 0
    # The new rule reaches back too, behind those that held then.
    assert [who("u1", at)[0] for at in ("2026-02-28", "2026-03-01")] == ["a", "b"]
    assert store.apply(tmp_path, people(one, two, since="2026-04-01T00:00:00Z")).returncode == 0
    assert [who("u1", at)[0] for at in ("2026-02-28", "2026-03-01", "2026-04-01")] == ["a", "b", "a"]
    assert store.apply(tmp_path, people(three, since="2026-05-01T00:00:00Z")).returncode == 0
    assert [who("u1", at)[0] for at in ("2026-02-28", "2026-03-01", "2026-04-01", "2026-05-01")] == ["a", "b", "a", "c"]
    assert [who("u2", at)[0] for at in ("2026-04-30", "2026-05-01")] == ["a", "u2"]


def test_a_mapping_changes_answers_and_no_fact(store, tmp_path):
    """One event; requests stay as they are, and a rebuild gives the same."""
    store.ingest([observed(1), asked("alice", 1), asked("bob", 2)])
    def rows():
        return store.database.psql("SELECT principal, person, person_kind, matched_by FROM modeltrail.request_actor ORDER BY log_index")
    requests = store.dump(("request", "attribution", "change"))
    assert [row[1] for row in rows()] == ["alice", "bob"]
    assert store.apply(tmp_path, people("person: '\\1@corp.example', rules: ['^(alice|bob)$'], from: '2026-01-01T00:00:02Z'")).returncode == 0
    assert rows() == [("alice", "alice", "human", "none"), ("bob", "bob@corp.example", "human", "rule")]
    assert store.one("SELECT count(*) FROM modeltrail.event WHERE type LIKE '%central%'") == "1"
    assert store.dump(("request", "attribution", "change")) == requests
    before = store.dump(DERIVED + FACTS)
    store.ingest([], "--rebuild", 0)
    after = store.dump(DERIVED + FACTS)
    assert after == before and [row[1] for row in rows()] == ["alice", "bob@corp.example"]


def test_what_another_hand_put_into_the_log_fails_no_answer(store, who):
    """Facts that `apply` would have refused: they map nobody."""
    store.database.psql("INSERT INTO modeltrail.central (log_index, applied_by, applied_at, content) VALUES (1, 'x', now(), '{}');"
                        "INSERT INTO modeltrail.person (log_index, person, kind, principal, is_rule, rank) VALUES"
                        " (1, 'eve', 'human', 'system:serviceaccount:a:b', false, 0), (1, 'eve', 'human', '((', true, 1), (1, '\\9\\', 'human', '^u$', true, 2);"
                        "SELECT modeltrail.map_people(1::smallint, 1)")
    assert who("system:serviceaccount:a:b") == ("system:serviceaccount:a:b", "service", "none")
    assert who("((")[2] == "none"
    assert who("u")[2] == "rule"
    assert store.one("SELECT count(*) FROM modeltrail_v1.identities") == "0"


def test_a_mark_that_cannot_be_read_stops(store):
    """Nobody knows what was stored then: neither acknowledged nor stored again."""
    store.ingest([observed(1)])
    store.database.psql("UPDATE modeltrail.mark SET chain = '\\x00' WHERE collector = 'driver'")
    before = store.dump(("event", "mark"))
    for flags in ((), ("--first", 2)):
        done = subprocess.run([driver("driver_store_ingest"), store.database.dsn(), *map(str, flags)],
                              input=line_of(observed(2)) + b"\n", capture_output=True, timeout=60)
        assert done.returncode == 1
        assert b"table mark holds a row that cannot be read (stop)" in done.stderr
    assert store.dump(("event", "mark")) == before


def test_a_repeat_whose_bodies_are_gone_is_a_fork(store):
    """Whether it is a repeat cannot be told without them."""
    store.ingest([observed(position) for position in (1, 2, 3)])
    partition = store.one("SELECT tableoid::regclass FROM modeltrail.event_body LIMIT 1")
    store.database.psql(f"DROP TABLE {partition}")  # as old history ends
    done = store.ingest([observed(position) for position in (1, 2, 3, 4)], "--first", 1, "--batch", 2)
    assert done["outcome"] == "fork" and "no longer stored in full" in done["message"], done


def test_a_central_file_that_is_too_large_is_refused(store, tmp_path):
    people = "\n".join(f"  - {{person: p{n}, principals: [{', '.join(f'u{n}-{i}' for i in range(100))}]}}"
                       for n in range(2000))
    done = store.apply(tmp_path, f"people:\n{people}\n")
    assert done.returncode == 1 and "larger than" in done.stderr, done.stderr
    assert store.one("SELECT count(*) FROM modeltrail.event") == "0"
