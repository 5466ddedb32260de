"""`modeltrail` against a real PostgreSQL: formats, times, exit codes, hostile strings.

The facts and beliefs are put in by hand, as docs/fold.md says they follow from each other; the clock
of the story is the database's, so that coverage can be live.
"""

import csv
import io
import json
import re
import subprocess
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from support.build import ROOT, modeltrail, run

HOSTILE = "=cmd|'/c calc'!A1\x1b[31m\u202etxt\u009b,\"q\"\ttab\nline"
UIDS = {name: f"00000000-0000-4000-8000-{number:012d}" for number, name in enumerate(
    ("fraud-dev", "fraud-prod", "hostile", "experiment", "gone"), start=1)}
CORE2 = "models.mlops.seldon.io"
SCHEMA = [path.read_text() for path in sorted((ROOT / "sql" / "migrations").glob("*.sql"))]
NOW = datetime.now(timezone.utc).replace(microsecond=0)


def ago(**delta) -> str:
    return (NOW - timedelta(**delta)).isoformat()


def literal(value) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, (dict, list)):
        value = json.dumps(value)
    return "'" + str(value).replace("'", "''") + "'"


class Story:
    """Rows for a database, in the order in which they were said."""

    def __init__(self):
        self.statements = []
        self.events = 0

    def insert(self, table, **row):
        names = ", ".join(row)
        values = ", ".join(map(literal, row.values()))
        self.statements.append(f"INSERT INTO modeltrail.{table} ({names}) VALUES ({values});")

    def event(self, type_, data, collector="eu-1", at=None, quarantined=None, body=None):
        """Logs one event and returns its log index."""
        self.events += 1
        index = self.events
        body = body or json.dumps({"specversion": "1.0", "data": data})
        self.insert("event", log_index=index, recorded_at=at or ago(days=10), collector=collector,
                    epoch=1700000000000, seq=index, type=f"dev.modeltrail.{type_}.v1",
                    event_id=f"{collector}:1700000000000:{index}", occurred_at=at,
                    quarantined=quarantined, body_digest="\\x00", leaf_hash="\\x00")
        self.statements.append(
            "INSERT INTO modeltrail.event_body (log_index, salt, body, data) VALUES "
            f"({index}, '\\x00', convert_to({literal(body)}, 'UTF8'), "
            f"{literal(None if quarantined else data)});")
        return index

    def workload(self, key, namespace, name, kind="Model", resource=CORE2):
        index = self.event("workload.observed", {"cluster": "c1", "namespace": namespace,
                                                 "kind": kind, "name": name})
        self.insert("workload", cluster="c1", resource=resource, uid=UIDS[key], log_index=index,
                    kind=kind, namespace=namespace, name=name)
        return index

    def placement(self, key, model, version, position, index, valid_from, valid_to=None,
                  to_position=None, **more):
        row = {"cluster": "c1", "resource": CORE2, "uid": UIDS[key],
               "row_key": f"\\x{position:02x}", "from_position": position,
               "placement_id": f"d-{UIDS[key][-4:]}{position:012d}", "component": "model",
               "model": model, "version": version, "artifact": f"s3://bucket/{version}",
               "identity_source": "label", "role": "live", "stopped": "false",
               "state": "serving", "to_position": to_position, "valid_from": valid_from,
               "valid_to": valid_to, "deployed_position": position, "deployed_at": valid_from,
               "time_source": "audit", "recorded_index": index, "revised_index": index}
        row |= more
        self.insert("placement", **({"ready_at": valid_from if row["state"] == "serving" else None} | row))

    def change(self, key, kind, position, index, at, model, from_version, to_version):
        self.insert("change", cluster="c1", resource=CORE2, uid=UIDS[key], position=position,
                    component="model", change_id=f"c-{UIDS[key][-4:]}{position:012d}",
                    change_type=kind, happened_at=at, time_source="audit",
                    from_model=model if from_version else None,
                    to_model=model if to_version else None,
                    from_version=from_version, to_version=to_version, role="live",
                    recorded_index=index, revised_index=index)

    def request(self, key, name, namespace, principal, at, code=200, position=None, message=None,
                dry_run="false"):
        index = self.event("request.audited", {"cluster": "c1", "namespace": namespace, "verb": "update",
                                               "kind": "Model", "name": name}, at=at)
        self.insert("request", log_index=index, cluster="c1", audit_id=f"audit-{index}",
                    stage="ResponseComplete", verb="update", resource=CORE2, kind="Model",
                    namespace=namespace, name=name, uid=UIDS[key], position=position,
                    removes="false", code=code, message=message, dry_run=dry_run, at=at,
                    principal=principal, via="audit_log", evidence="audit")
        return index

    def credit(self, key, position, request):
        self.insert("attribution", cluster="c1", resource=CORE2, uid=UIDS[key], position=position,
                    request_index=request, strength="exact")

    def watch(self, since, through, aspects=("state", "actor"), collector="eu-1", cluster="c1"):
        looks = [{"aspect": aspect, "cluster": cluster, "namespace": None, "resource": None,
                  "watched_since": since, "through": through} for aspect in aspects]
        self.insert("mark", collector=collector, epoch=1700000000000, seq=self.events,
                    chain="\\x00", program="0.1.0", seen_at=through, through=looks)


def fraud_story() -> Story:
    """fraud-scorer: v1 then v2 in dev, v1 in prod beside an experiment; one refused request."""
    story = Story()
    index = story.event("central.applied", {}, collector="_store")
    story.insert("central", log_index=index, applied_by="root", applied_at=ago(days=20), content={})
    for order, name in enumerate(("dev", "prod", "qa")):
        story.insert("environment", log_index=index, name=name, sort_order=order)
    for name in ("dev", "prod"):
        story.insert("environment_map", cluster="c1", namespace=f"risk-{name}",
                     from_at="-infinity", log_index=index, environment=name)
    for principal in ("alice", "alice@users.example"):
        story.insert("person", log_index=index, person="alice@corp.example", kind="human",
                     principal=principal)
    story.insert("person", log_index=index, person="dora@corp.example", kind="human", principal="uid=7,ou=ml")
    story.statements.append(f"SELECT modeltrail.map_people(1::smallint, {index});")
    dev = story.workload("fraud-dev", "risk-dev", "fraud")
    upgraded = story.request("fraud-dev", "fraud", "risk-dev", "alice", ago(days=3), position=20)
    story.placement("fraud-dev", "fraud-scorer", "v1", 10, dev, ago(days=10), ago(days=3), 20)
    story.placement("fraud-dev", "fraud-scorer", "v2", 20, upgraded, ago(days=3))
    story.change("fraud-dev", "deployed", 10, dev, ago(days=10), "fraud-scorer", None, "v1")
    story.change("fraud-dev", "upgraded", 20, upgraded, ago(days=3), "fraud-scorer", "v1", "v2")
    story.credit("fraud-dev", 20, upgraded)
    prod = story.workload("fraud-prod", "risk-prod", "fraud")
    put = story.request("fraud-prod", "fraud", "risk-prod", "alice@users.example", ago(days=5),
                        position=12)
    story.placement("fraud-prod", "fraud-scorer", "v1", 12, prod, ago(days=5))
    story.change("fraud-prod", "deployed", 12, prod, ago(days=5), "fraud-scorer", None, "v1")
    story.credit("fraud-prod", 12, put)
    story.request("fraud-prod", "fraud", "risk-prod", "alice", ago(days=2), code=403,
                  message="alice may not update models")
    story.workload("experiment", "risk-prod", "ab", "Experiment", "experiments.mlops.seldon.io")
    story.insert("route", cluster="c1", resource="experiments.mlops.seldon.io",
                 uid=UIDS["experiment"], target_kind="Model", target="fraud", role="candidate",
                 from_position=30, percent="50.0", valid_from=ago(days=4), recorded_index=1,
                 revised_index=1)
    gone = story.workload("gone", "risk-dev", "churn")
    story.placement("gone", "churn", "v9", 15, gone, ago(days=8), ago(days=6), 16)
    return story


def apply(database, story):
    database.psql("\n".join([*SCHEMA, "BEGIN;", *story.statements, "COMMIT;"]))
    database.psql("DO $$ BEGIN CREATE ROLE cli_reader LOGIN; EXCEPTION WHEN duplicate_object THEN "
                  "END $$; DO $$ BEGIN CREATE ROLE cli_auditor LOGIN; EXCEPTION WHEN "
                  "duplicate_object THEN END $$; DO $$ BEGIN CREATE ROLE cli_nobody LOGIN; "
                  "EXCEPTION WHEN duplicate_object THEN END $$;"
                  "GRANT modeltrail_reader TO cli_reader; GRANT modeltrail_auditor TO cli_auditor;")


@pytest.fixture(scope="module")
def fraud(postgres):
    """A database whose one cluster is watched now."""
    database = postgres.create_database("cli_fraud")
    story = fraud_story()
    story.watch(ago(days=30), ago())
    apply(database, story)
    beaten[database.name] = 0
    yield database
    database.drop()


@pytest.fixture(scope="module")
def stale(postgres):
    """The same, last watched an hour ago, without a who-source, with a hostile workload."""
    database = postgres.create_database("cli_stale")
    story = fraud_story()
    index = story.workload("hostile", "risk-dev", HOSTILE)
    story.placement("hostile", HOSTILE, HOSTILE, 40, index, ago(days=1))
    story.event("input.rejected", None, quarantined="no JSON", body="{\x01 not json")
    story.watch(ago(days=7), ago(hours=1), aspects=("state",))
    apply(database, story)
    yield database
    database.drop()


@pytest.fixture(scope="module")
def two(postgres):
    """Two clusters: model ledger is in dev of c1, and in prod and an environment without order of c2."""
    database = postgres.create_database("cli_two")
    story = fraud_story()
    here = story.workload("hostile", "risk-dev", "ledger")
    story.placement("hostile", "ledger", "1", 60, here, ago(days=2))
    story.insert("environment_map", cluster="c2", namespace="risk", from_at="-infinity", log_index=1, environment="prod")
    for position, (key, namespace, version, state) in enumerate((
            ("fraud-prod", "risk", "1", "serving"), ("gone", "aaa", "2", "pending")), start=61):
        story.insert("workload", cluster="c2", resource=CORE2, uid=UIDS[key], log_index=here, kind="Model",
                     namespace=namespace, name="ledger")
        story.placement(key, "ledger", version, position, here, ago(days=1), cluster="c2", state=state)
    story.watch(ago(days=30), ago())
    story.watch(ago(days=30), ago(), collector="eu-2", cluster="c2")
    apply(database, story)
    beaten[database.name] = 0
    yield database
    database.drop()


@pytest.fixture(scope="module")
def gapped(postgres):
    """The same as fraud, watched since 30 days, but for one day that nobody saw."""
    database = postgres.create_database("cli_gapped")
    story = fraud_story()
    for aspect in ("state", "actor"):
        index = story.event("scope.gap", {"cluster": "c1"})
        story.insert("gap", log_index=index, collector="eu-1", cluster="c1", aspect=aspect, namespace="",
                     resource="", from_at=ago(days=12), to_at=ago(days=11), reason="log lost")
    story.watch(ago(days=30), ago())
    apply(database, story)
    beaten[database.name] = 0
    yield database
    database.drop()


@pytest.fixture(scope="module")
def odd(postgres):
    """Models that are named like a URI, like a digest, and with '@'."""
    database = postgres.create_database("cli_odd")
    story = fraud_story()
    index = story.workload("hostile", "risk-dev", "odd")
    story.request("fraud-dev", "fraud", "risk-dev", "bob", ago(days=1), position=20)
    for position, name in enumerate(("s3://x/y", "sha256:00", "a@b@1"), start=50):
        story.placement("hostile", name, "2", position, index, ago(days=1), component=f"model-{position}")
    story.watch(ago(days=30), ago())
    apply(database, story)
    beaten[database.name] = 0
    yield database
    database.drop()


beaten: dict[str, float] = {}  # databases whose clusters are watched now, and when their collectors last said so


def beat(database):
    """Live collectors go on looking; a look that lies ahead would count for nothing."""
    last = beaten.get(database.name)
    if last is None or time.monotonic() < last + 30:
        return
    beaten[database.name] = time.monotonic()
    database.psql("UPDATE modeltrail.mark SET seen_at = clock_timestamp(), through = (SELECT jsonb_agg(look"
                  " || jsonb_build_object('through', clock_timestamp())) FROM jsonb_array_elements(through) look)")


def ask(database, *args, code=0, user="cli_reader", **options):
    beat(database)
    done = modeltrail(*args, database=database, user=user, **options)
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    return done


def items(database, *args, **options):
    document = json.loads(ask(database, *args, "-o", "json", **options).stdout)
    assert document["apiVersion"] == "modeltrail/v1"
    assert document["kind"].endswith("List")
    assert datetime.fromisoformat(document["as_of"])
    assert set(document["coverage"]) == {"complete", "unknown_scopes"}
    return document["items"]


# --- what the commands say ---------------------------------------------------------------------


def test_where_tells_version_time_actor_and_route(fraud):
    done = ask(fraud, "where", "fraud-scorer")
    lines = done.stdout.splitlines()
    assert lines[0].split()[:4] == ["ENVIRONMENT", "CLUSTER", "NAMESPACE", "WORKLOAD"]
    dev, prod = (line.split() for line in lines[1:3])
    assert dev == ["dev", "c1", "risk-dev", "Model/fraud", "model", "fraud-scorer", "v2", "live",
                   "-", "serving", "3d", "alice@corp.example", "exact"]
    assert prod[6] == "v1" and prod[10] == "5d"
    assert lines[3:] == ["c1/risk-prod/Model/fraud via Experiment/ab 50 %"]
    assert done.stderr == ""


def test_where_by_version_uri_and_digest(fraud):
    assert [row["environment"] for row in items(fraud, "where", "fraud-scorer@v1")] == ["prod"]
    assert [row["version"] for row in items(fraud, "where", "s3://bucket/v2")] == ["v2"]
    ask(fraud, "where", "sha256:00", code=1)


def test_where_finds_models_named_like_something_else(odd):
    for word in ("s3://x/y", "sha256:00", "a@b@1"):
        assert [row["model"] for row in items(odd, "where", word)] == [word]
    assert [row["version"] for row in items(odd, "where", "a@b@1@2")] == ["2"]
    assert items(odd, "where", "s3://x/y", "--as-of", "1h")[0]["version"] == "2"


def test_variables_are_checked_too(fraud):
    assert "UTF-8" in ask(fraud, "where", "x", code=2, env={"MODELTRAIL_CLUSTER": "\udcff"}).stderr


def test_columns_by_their_headings(fraud):
    out = ask(fraud, "where", "fraud-scorer@v1", "--columns", "since,DEPLOYED BY,applied_by", "--no-headers").stdout
    assert out.splitlines()[0].split() == ["5d", "alice@corp.example", "alice@users.example"]
    change = items(fraud, "list", "changes")[0]
    assert "did you mean 'deployment_id'" in ask(fraud, "where", "x", "--columns", "id", code=2).stderr
    assert items(fraud, "list", "changes", "--columns", "id")[0] == {"change_id": change["change_id"]}


def test_where_items_have_the_views_columns(fraud):
    row = items(fraud, "where", "fraud-scorer@v1")[0]
    columns = fraud.query("SELECT column_name AS name FROM information_schema.columns WHERE "
                          "table_schema = 'modeltrail_v1' AND table_name = 'deployments'")
    assert {column["name"] for column in columns} == set(row) - {"routes"}
    assert row["routes"] == [{"route": "Experiment/ab", "role": "candidate", "percent": 50.0}]


def test_who_finds_every_name_and_counts(fraud):
    rows = items(fraud, "who", "alice@corp.example")
    assert [(row["activity"], row["outcome"]) for row in rows] == [
        ("update", "refused"), ("upgraded", "done"), ("deployed", "done")]
    assert items(fraud, "who", "alice") == items(fraud, "who", "alice@users.example") == rows
    assert items(fraud, "who", "ALICE@Corp.Example") == rows, "an address is one in any case"
    done = ask(fraud, "who", "alice")
    assert done.stderr == "note: by environment: dev 1, prod 2\n" and len(done.stdout.splitlines()) == 4


def test_who_counts_by_environment(fraud, odd):
    rows = items(fraud, "who", "alice", "--counts")
    assert [(row["environment"], row["changes"], row["attempts"], row["other_requests"]) for row in rows] == [
        ("dev", 1, 0, 0), ("prod", 1, 1, 0)]
    assert rows[1]["first_at"] < rows[1]["last_at"]
    assert json.loads(ask(fraud, "who", "alice", "--counts", "-o", "json").stdout)["kind"] == "ActivityCountList"
    row, = items(odd, "who", "bob", "--counts")
    assert (row["changes"], row["attempts"], row["other_requests"]) == (0, 0, 1)
    done = ask(fraud, "who", "alice", "--counts", "--environment", "prod", "-o", "table")
    assert done.stdout.split()[:4] == ["ENVIRONMENT", "CHANGES", "ATTEMPTS", "OTHERS"] and len(done.stdout.splitlines()) == 2
    ask(fraud, "who", "nobody", "--counts", code=1)


def test_who_goes_by_the_mapping_of_the_instant(postgres):
    """A login that changed hands is asked for by either person, by itself, and by what a rule made of it."""
    database = postgres.create_database("cli_hands")
    story = fraud_story()
    for position, (name, days) in enumerate((("pool7", 9), ("pool7", 4), ("idp:erin", 3)), start=70):
        asked = story.request("gone", "churn", "risk-dev", name, ago(days=days), position=position)
        story.change("gone", "upgraded", position, asked, ago(days=days), "churn", "1", str(position))
        story.credit("gone", position, asked)
    for since, person in ((30, "bob"), (6, "Carol@corp.example")):
        index = story.event("central.applied", {}, collector="_store")
        story.insert("central", log_index=index, applied_by="root", applied_at=ago(days=since), content={})
        story.insert("person", log_index=index, person=person, kind="human", principal="pool7")
        story.insert("person", log_index=index, person="\\1@corp.example", kind="human", principal="^idp:(.*)$",
                     is_rule="true", rank=1)
        story.statements.append(f"SELECT modeltrail.map_people(1::smallint, {index});")
    story.watch(ago(days=30), ago())
    apply(database, story)
    beaten[database.name] = 0
    versions = {word: [row["to_version"] for row in items(database, "who", word)]
                for word in ("bob", "carol@corp.example", "pool7", "erin@corp.example", "idp:erin", "Erin@Corp.example")}
    assert versions == {"bob": ["70"], "carol@corp.example": ["71"], "pool7": ["71", "70"], "erin@corp.example": ["72"],
                        "idp:erin": ["72"], "Erin@Corp.example": ["72"]}
    people = {row["person"]: row for row in items(database, "list", "people")}
    assert (people["bob"]["changes"], people["bob"]["principals"], people["bob"]["is_mapped"]) == (1, [], False)
    assert people["Carol@corp.example"]["principals"] == ["pool7"]
    database.drop()


def test_who_shows_what_moved_no_model(odd):
    """Accepted, credited with no change: a repeated apply, and Bob's alone."""
    row, = items(odd, "who", "bob")
    assert (row["activity"], row["outcome"], row["code"], row["workload"]) == ("update", "accepted", 200, "Model/fraud")
    assert row["id"].startswith("r-") and row["model"] is None
    rows = items(odd, "list", "requests")
    assert [(row["principal"], row["outcome"], row["changes"]) for row in rows] == [
        ("bob", "accepted", 0), ("alice", "refused", 0), ("alice", "accepted", 1), ("alice@users.example", "accepted", 1)]
    assert len(items(odd, "list", "requests", "--since", "4d")) == 3
    shown, = items(odd, "show", row["id"], user="cli_auditor")
    assert shown["principal"] == "bob" and shown["raw"]["data"]["name"] == "fraud"
    ask(odd, "show", "r-999999", code=1)


def test_history_is_newest_first_with_evidence(fraud):
    rows = items(fraud, "history", "fraud-scorer")
    assert [(row["change_type"], row["environment"]) for row in rows] == [
        ("upgraded", "dev"), ("deployed", "prod"), ("deployed", "dev")]
    assert rows[0]["evidence"] == "audit" and rows[0]["deployed_by"] == "alice@corp.example"
    assert rows[2]["deployed_by"] is None
    assert len(items(fraud, "history", "fraud-scorer@v2")) == 1
    assert len(items(fraud, "history", "fraud-scorer", "--since", "4d")) == 1
    assert len(items(fraud, "history", "fraud-scorer", "--until", "4d")) == 2


def test_matrix_pivots_for_people_only(fraud):
    lines = ask(fraud, "matrix").stdout.splitlines()
    assert [line.split() for line in lines] == [["MODEL", "dev", "prod", "qa"],
                                                ["fraud-scorer", "v2", "v1", "-"]]
    rows = items(fraud, "matrix")
    assert [(row["environment"], row["versions"]) for row in rows] == [("dev", ["v2"]),
                                                                       ("prod", ["v1"])]
    assert len(ask(fraud, "matrix", "-o", "wide").stdout.splitlines()) == 3


@pytest.mark.parametrize("scope", [(), ("--cluster", "c1")])
def test_matrix_of_a_part_equals_the_view(fraud, scope):
    view = fraud.query("SELECT * FROM modeltrail_v1.matrix ORDER BY model, environment_order")
    assert items(fraud, "matrix", *scope) == [dict(row) for row in view]


def test_matrix_at_an_instant(fraud):
    lines = ask(fraud, "matrix", "--as-of", "7d").stdout.splitlines()
    assert [line.split() for line in lines[1:]] == [["churn", "v9", "-", "-"],
                                                    ["fraud-scorer", "v1", "-", "-"]]


def test_matrix_limit_counts_models(two):
    done = ask(two, "matrix", "--limit", "1")
    assert [line.split() for line in done.stdout.splitlines()[1:]] == [["fraud-scorer", "v2", "v1", "-"]]
    assert "only the first 1 rows" in done.stderr
    assert ask(two, "matrix", "--limit", "2").stderr == "" and len(items(two, "matrix", "--limit", "1")) == 1
    assert ask(two, "matrix", "-o", "name").stdout.split() == ["fraud-scorer", "ledger"]


@pytest.mark.parametrize("scope", [(), ("--cluster", "c1,c2"), ("--as-of", "1h")])
def test_matrix_says_what_is_only_pending(two, scope):
    lines = ask(two, "matrix", *scope).stdout.splitlines()
    assert lines[0].split() == ["MODEL", "dev", "prod", "qa", "aaa"]
    assert lines[2].split() == ["ledger", "1", "1", "-", "2", "(pending)"]


def models(database, *args, noun="models"):
    return [(row["model"], row["deployments"], row["environments"], row["clusters"])
            for row in items(database, "list", noun, *args) if row["is_deployed"]]


@pytest.mark.parametrize("when", [(), ("--as-of", "1h")])
def test_models_of_a_part_are_those_in_all_of_it(two, when):
    assert models(two, *when) == [("fraud-scorer", 2, ["dev", "prod"], ["c1"]),
                                  ("ledger", 3, ["dev", "prod", "aaa"], ["c1", "c2"])]
    assert models(two, "--environment", "prod", "--cluster", "c1", *when) == [("fraud-scorer", 1, ["prod"], ["c1"])]
    assert models(two, "--environment", "prod,aaa", "--cluster", "c2", *when) == [("ledger", 2, ["prod", "aaa"], ["c2"])]
    assert models(two, "--environment", "prod", "--cluster", "c2", *when, noun="versions") == [
        ("ledger", 1, ["prod"], ["c2"])]
    ask(two, "list", "models", "--environment", "dev", "--cluster", "c2", *when, code=1)
    ask(two, "list", "versions", "--environment", "dev", "--cluster", "c2", *when, code=1)
    names = ask(two, "list", "versions", "-o", "name", *when).stdout.split()
    assert names == ["churn@v9", "fraud-scorer@v1", "fraud-scorer@v2", "ledger@1", "ledger@2"]


def test_models_at_an_instant(two):
    assert models(two, "--as-of", "7d") == [("churn", 1, ["dev"], ["c1"]), ("fraud-scorer", 1, ["dev"], ["c1"])]
    rows = {(row["model"], row["version"]): row for row in items(two, "list", "versions", "--as-of", "4d")}
    assert set(rows) == {("churn", "v9"), ("fraud-scorer", "v1")}
    assert datetime.fromisoformat(rows["churn", "v9"]["removed_at"]) == NOW - timedelta(days=6)
    assert rows["fraud-scorer", "v1"]["removed_at"] is None and rows["fraud-scorer", "v1"]["deployments"] == 2


def test_environments_of_a_cluster_show_its_own_part(two):
    rows = {row["environment"]: row for row in items(two, "list", "environments", "--cluster", "c2")}
    assert set(rows) == {"prod", "aaa"}
    assert (rows["prod"]["clusters"], rows["prod"]["scopes"]) == (["c2"], ["c2/risk"])
    assert (rows["prod"]["models"], rows["prod"]["deployments"]) == (1, 1)
    assert items(two, "list", "environments")[1]["deployments"] == 2


@pytest.mark.parametrize("noun", ["models", "versions", "deployments", "changes", "events", "people",
                                  "environments", "clusters", "collectors", "coverage",
                                  "attempts", "requests"])
@pytest.mark.parametrize("form", ["table", "wide", "json", "jsonl", "csv", "tsv", "name"])
def test_every_noun_in_every_format(fraud, noun, form):
    out = ask(fraud, "list", noun, "-o", form).stdout
    if form == "json":
        assert json.loads(out)["items"]
    elif form == "jsonl":
        assert all(isinstance(json.loads(line), dict) for line in out.splitlines())
    else:
        assert len(out.splitlines()) >= 1


@pytest.mark.parametrize("noun, view", [
    ("models", "models"), ("versions", "model_versions"), ("changes", "changes"),
    ("events", "events"), ("people", "people"), ("environments", "environments"),
    ("clusters", "clusters"), ("collectors", "collectors"), ("coverage", "coverage"),
    ("attempts", "attempts"), ("requests", "requests")])
def test_list_has_the_views_columns(fraud, noun, view):
    columns = fraud.query("SELECT column_name AS name FROM information_schema.columns WHERE "
                          f"table_schema = 'modeltrail_v1' AND table_name = '{view}'")
    row = items(fraud, "list", noun)[0]
    assert set(row) == {column["name"] for column in columns}


# --- show ---------------------------------------------------------------------------------------


def test_show_gives_the_chain_and_the_raw_object(fraud):
    change = items(fraud, "history", "fraud-scorer")[0]
    page = ask(fraud, "show", change["change_id"], user="cli_auditor").stdout
    assert f"change_id             {change['change_id']}" in page
    assert "\nraw\n" in page and '"specversion": "1.0"' in page
    row, = items(fraud, "show", change["change_id"], user="cli_auditor")
    assert row["event"]["event_id"] == change["event_id"]
    assert row["raw"]["data"]["name"] == "fraud"
    shown, = items(fraud, "show", change["event_id"], user="cli_auditor")
    assert shown["event_id"] == change["event_id"] and shown["raw"] == row["raw"]


def test_show_leads_to_the_request(fraud):
    """Event 3 observed the workload, and the request that made it v2 came in another one."""
    change = next(row for row in items(fraud, "history", "fraud-scorer") if row["environment"] == "prod")
    assert change["request_event_id"] != change["event_id"]
    deployment = items(fraud, "where", "fraud-scorer", "--environment", "prod")[0]
    assert deployment["audit_id"] == change["audit_id"] == f"audit-{change['request_event_id'].split(':')[2]}"
    for word in (change["change_id"], deployment["deployment_id"]):
        row, = items(fraud, "show", word, user="cli_auditor")
        assert row["request"]["event_id"] == change["request_event_id"]
        assert row["request"]["audit_id"] == change["audit_id"]
        assert row["request"]["principal"] == "alice@users.example" and row["request"]["code"] == 200
        assert "verb" not in row["raw"]["data"] and row["raw_request"]["data"]["verb"] == "update"
        assert "\nrequest\n" in ask(fraud, "show", word, "--no-raw").stdout
    unknown = next(row for row in items(fraud, "history", "fraud-scorer") if row["deployed_by"] is None)
    assert items(fraud, "show", unknown["change_id"], user="cli_auditor")[0]["request"] is None


def test_show_deployment_and_attempt(fraud):
    deployment = items(fraud, "where", "fraud-scorer@v2")[0]["deployment_id"]
    row, = items(fraud, "show", deployment, user="cli_auditor")
    assert [change["change_type"] for change in row["changes"]] == ["upgraded"]
    assert row["raw"]["specversion"] == "1.0"
    attempt = items(fraud, "list", "attempts")[0]["attempt_id"]
    assert items(fraud, "show", attempt, user="cli_auditor")[0]["code"] == 403


def test_show_without_the_auditors_right(fraud):
    change = items(fraud, "history", "fraud-scorer")[0]["change_id"]
    done = ask(fraud, "show", change, code=4)
    assert change in done.stdout and "\nraw\n" not in done.stdout
    assert "hint:" in done.stderr and "modeltrail_auditor" in done.stderr
    assert ask(fraud, "show", change, "--no-raw").stderr == ""


def test_show_quarantined_bytes_and_unknown_ids(stale):
    event = next(row for row in items(stale, "list", "events") if row["is_quarantined"])
    row, = items(stale, "show", event["event_id"], user="cli_auditor")
    assert row["raw"].startswith("{")
    assert "unknown" in ask(stale, "show", "c-0000000000000000", code=6).stderr
    assert "no id" in ask(stale, "show", "nonsense", code=2).stderr


def test_show_of_ids_that_are_not_there(fraud, stale):
    for word in ("c-0000000000000000", "d-0000000000000000", "a-999999", "r-999999", "eu-1:1700000000000:999999"):
        assert "no " in ask(fraud, "show", word, code=1).stderr
        assert "incomplete" in ask(stale, "show", word, code=6).stderr
    for word in ("c-zzz", "c-", "d-000000000000000", "c-00000000000000001", "C-0000000000000000", "a-", "a-1x", "a-1-"):
        assert "is no id" in ask(stale, "show", word, code=2).stderr


# --- times --------------------------------------------------------------------------------------


def test_as_of_borders_are_half_open(fraud):
    moment = NOW - timedelta(days=3)
    at = lambda instant: [row["version"] for row in items(
        fraud, "where", "fraud-scorer", "--environment", "dev", "--as-of", instant.isoformat())]
    assert at(moment) == ["v2"]
    assert at(moment - timedelta(microseconds=1)) == ["v1"]
    assert at(moment + timedelta(microseconds=1)) == ["v2"]


def test_a_date_is_the_end_of_its_day_in_its_zone(fraud):
    day = (NOW - timedelta(days=3)).date()
    done = ask(fraud, "where", "fraud-scorer", "--as-of", str(day))
    assert f"note: as of {day}T23:59:59.999999Z" in done.stderr
    done = ask(fraud, "where", "fraud-scorer", "--as-of", str(day), "--timezone", "Asia/Tokyo")
    assert f"note: as of {day}T14:59:59.999999Z" in done.stderr
    done = ask(fraud, "history", "fraud-scorer", "--since", str(day), "--until", str(day))
    assert f"from {day}T00:00:00Z until {day}T23:59:59.999999Z" in done.stderr
    assert done.stdout.count("upgraded") == 1


def test_today_has_not_ended_and_the_future_has_no_answer(fraud):
    today = datetime.now(timezone.utc).date()
    document = json.loads(ask(fraud, "where", "fraud-scorer", "--as-of", str(today), "-o",
                              "json").stdout)
    assert datetime.fromisoformat(document["as_of"]) < datetime.now(timezone.utc) + timedelta(minutes=1)
    tomorrow = today + timedelta(days=1)
    assert "future" in ask(fraud, "where", "x", "--as-of", str(tomorrow), code=2).stderr
    ask(fraud, "history", "fraud-scorer", "--until", str(today))
    done = ask(fraud, "history", "fraud-scorer", "--until", str(tomorrow), code=2)
    assert f"--until {tomorrow}T00:00:00Z is in the future" in done.stderr


def test_as_of_shows_absolute_times(fraud):
    out = ask(fraud, "where", "fraud-scorer", "--as-of", "1d").stdout
    assert (NOW - timedelta(days=3)).strftime("%Y-%m-%dT%H:%M:%SZ") in out


# --- formats ------------------------------------------------------------------------------------


def test_csv_is_rfc4180_with_formulas_disarmed(stale):
    raw = subprocess_bytes(stale, "where", HOSTILE, "-o", "csv", "--columns", "model,cluster")
    assert raw.startswith(b"model,cluster\r\n") and raw.endswith(b",c1\r\n")
    header, row = csv.reader(io.StringIO(raw.decode(), newline=""))
    assert header == ["model", "cluster"] and row == ["'" + HOSTILE, "c1"]


def test_tsv_keeps_rows_and_columns(stale):
    raw = subprocess_bytes(stale, "where", HOSTILE, "-o", "tsv", "--columns", "model,cluster")
    header, row = raw.decode().rstrip("\n").split("\n")
    assert header == "model\tcluster"
    assert row == HOSTILE.replace("\t", "\\t").replace("\n", "\\n") + "\tc1"


def subprocess_bytes(database, *args) -> bytes:
    from support.build import program

    return subprocess.run([program("modeltrail"), *args], env=database.env("cli_reader"),
                          capture_output=True, check=True).stdout


@pytest.mark.parametrize("args", [("where", HOSTILE), ("where", HOSTILE, "-o", "wide"), ("matrix",),
                                  ("list", "models", "-o", "name"), ("list", "models")])
def test_screens_show_hostile_strings_escaped(stale, args):
    out = ask(stale, *args).stdout
    assert not set(out) & set("\x1b\u202e\u009b\t")
    assert "\\x1b[31m\\u202etxt\\x9b" in out


def test_json_is_exact_and_still_safe_to_print(stale):
    out = ask(stale, "where", HOSTILE, "-o", "json").stdout
    assert not set(out) & set("\x1b\u202e\u009b\t")
    assert json.loads(out)["items"][0]["model"] == HOSTILE
    lines = ask(stale, "where", HOSTILE, "-o", "jsonl").stdout.splitlines()
    assert [json.loads(line)["version"] for line in lines] == [HOSTILE]


def test_hostile_words_are_data(stale):
    for word in ("'; DROP TABLE modeltrail.event; --", "$1", "\\", "%s%n", "x" * 5000):
        done = modeltrail("where", word, database=stale, user="cli_reader")
        assert done.returncode == 6, done.stderr
    assert "\x1b" not in ask(stale, "where", "\x1b[2J", code=6).stderr


def test_columns_headers_limit_and_names(fraud):
    out = ask(fraud, "list", "deployments", "--columns", "version,environment", "--no-headers").stdout
    assert [line.split() for line in out.splitlines()] == [["v2", "dev"], ["v1", "prod"]]
    done = ask(fraud, "list", "deployments", "--limit", "1", "-o", "name")
    assert len(done.stdout.splitlines()) == 1 and "--limit" in done.stderr
    assert ask(fraud, "list", "environments", "-o", "name").stdout.split() == ["dev", "prod", "qa"]
    row = items(fraud, "list", "models", "--columns", "model")[0]
    assert row == {"model": "churn"}


def test_no_colour_when_it_is_not_a_terminal(fraud):
    assert "\x1b" not in ask(fraud, "where", "fraud-scorer").stdout


def test_colour_on_a_terminal_unless_refused(fraud):
    command = f"{program_path()} where fraud-scorer"
    env = fraud.env("cli_reader") | {"TERM": "xterm"}
    env.pop("NO_COLOR", None)
    run = lambda **more: subprocess.run(["script", "-qec", command, "/dev/null"], env=env | more,
                                        capture_output=True, text=True, check=True).stdout
    assert "\x1b[" in run()
    assert "\x1b" not in run(NO_COLOR="1")


def program_path() -> str:
    from support.build import program

    return program("modeltrail")


# --- exit codes ---------------------------------------------------------------------------------


def test_no_is_one_only_when_covered(fraud, stale):
    done = ask(fraud, "where", "nothing-like-it", code=1)
    assert "no deployment found for 'nothing-like-it'" in done.stderr
    done = ask(stale, "where", "nothing-like-it", code=6)
    assert "unknown" in done.stderr and "not observed since" in done.stderr
    ask(stale, "where", "nothing-like-it", "--as-of", "2d", code=1)
    ask(stale, "where", "nothing-like-it", "--as-of", "9d", code=6)
    ask(fraud, "where", "churn", code=1)


@pytest.fixture(scope="module")
def quiet(postgres):
    """The same as fraud; the test says when it was looked at."""
    database = postgres.create_database("cli_quiet")
    story = fraud_story()
    story.watch(ago(days=30), ago())
    apply(database, story)
    yield database
    database.drop()


@pytest.mark.parametrize("question, code", [
    (("where", "nothing-like-it"), 1), (("where", "nothing-like-it", "--as-of", "0s"), 1),
    (("where", "nothing-like-it", "--as-of", "1m"), 6), (("where", "nothing-like-it", "--as-of", "10m"), 1),
    (("where", "fraud-scorer", "--as-of", "1m"), 0), (("list", "attempts", "--workload", "none"), 1),
    (("list", "attempts", "--workload", "none", "--since", "1h"), 1),
    (("list", "attempts", "--workload", "none", "--until", "1m"), 6),
    (("list", "attempts", "--workload", "none", "--until", "10m"), 1)])
def test_an_instant_behind_the_last_look_is_unknown(quiet, question, code):
    """Only of now a look of the last three minutes is enough (rule 22)."""
    quiet.psql("UPDATE modeltrail.mark SET seen_at = now(), through = (SELECT jsonb_agg(look"
               " || jsonb_build_object('through', now() - interval '2 minutes')) FROM jsonb_array_elements(through) look)")
    done = ask(quiet, *question, code=code)
    awaited = re.search(r"incomplete: .*c1 \(eu-1: not observed since 20\S+Z; its (next look is awaited"
                        r"|audit log or webhook has shown no newer event)\)", done.stderr)
    assert bool(awaited) == ("1m" in question), done.stderr


RANGES = [("history", "nothing"), ("who", "nobody"), ("list", "changes", "--workload", "none"),
          ("list", "attempts", "--workload", "none")]


@pytest.mark.parametrize("question", RANGES, ids=" ".join)
@pytest.mark.parametrize("span, code, reason", [
    ((), 6, "log lost"), (("--since", "20d"), 6, "log lost"), (("--since", "13d", "--until", "10d"), 6, "log lost"),
    (("--since", "10d"), 1, ""), (("--until", "13d"), 1, ""), (("--as-of", "13d"), 1, ""),
    (("--since", "20d", "--as-of", "13d"), 1, ""), (("--since", "40d", "--until", "20d"), 6, "not observed before"),
    (("--until", "40d"), 6, "not observed before")])
def test_a_no_about_a_range_needs_all_of_it(gapped, question, span, code, reason):
    done = ask(gapped, *question, *span, code=code)
    assert reason in done.stderr and ("incomplete: 1 scope" in done.stderr) == (code == 6)
    coverage = json.loads(ask(gapped, *question, *span, "-o", "json", code=code).stdout)["coverage"]
    assert coverage["complete"] == (code == 1)
    assert [scope["cluster"] for scope in coverage["unknown_scopes"]] == ["c1"] * (code == 6)


@pytest.mark.parametrize("question", RANGES, ids=" ".join)
def test_a_no_without_a_begin_says_since_when(fraud, question):
    since = (NOW - timedelta(days=30)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert f"without a gap since {since}" in ask(fraud, *question, code=1).stderr
    document = json.loads(ask(fraud, *question, "-o", "json", code=1).stdout)
    assert datetime.fromisoformat(document["observed_since"]) == NOW - timedelta(days=30)
    document = json.loads(ask(fraud, *question, "--since", "1d", "-o", "json", code=1).stdout)
    assert "observed_since" not in document


def test_as_of_ends_a_range(fraud):
    rows = items(fraud, "history", "fraud-scorer", "--as-of", "4d")
    assert rows == items(fraud, "history", "fraud-scorer", "--until", "4d") and len(rows) == 2
    assert len(items(fraud, "who", "alice", "--as-of", "4d")) == 1
    document = json.loads(ask(fraud, "history", "fraud-scorer", "--as-of", "4d", "-o", "json").stdout)
    assert datetime.fromisoformat(document["as_of"]) < NOW - timedelta(days=3)


def test_the_answer_says_when_the_limit_cut_it(fraud):
    for limit, cut in (("2", True), ("3", False)):
        assert json.loads(ask(fraud, "history", "fraud-scorer", "--limit", limit, "-o", "json").stdout)["truncated"] == cut


def test_a_declared_environment_without_a_scope_is_empty(fraud):
    ask(fraud, "where", "fraud-scorer", "--environment", "qa", code=1)


def test_yes_beside_stale_scopes_says_so(stale):
    done = ask(stale, "where", "fraud-scorer")
    assert done.stderr.count("\n") == 1 and "incomplete" in done.stderr
    document = json.loads(ask(stale, "where", "fraud-scorer", "-o", "json").stdout)
    assert document["coverage"]["complete"] is False
    assert document["coverage"]["unknown_scopes"][0]["cluster"] == "c1"


def test_scopes_never_seen_are_unknown(fraud):
    for flag in ("--environment", "--cluster"):
        assert "never seen" in ask(fraud, "where", "fraud-scorer", flag, "prdo", code=6).stderr
    # The whole cluster is watched, so a namespace that it does not have is known to be empty.
    ask(fraud, "where", "fraud-scorer", "--namespace", "prdo", code=1)
    assert "did you mean 'prod'" in ask(fraud, "where", "fraud-scorer", "--environment", "prdo",
                                        code=6).stderr


def test_who_needs_a_who_source_for_a_no(fraud, stale):
    ask(fraud, "who", "nobody", code=1)
    ask(stale, "who", "nobody", code=6)


def test_hints_name_the_nearest(fraud):
    assert "did you mean 'fraud-scorer'?" in ask(fraud, "where", "fruad-scorer", code=1).stderr
    assert "did you mean 'alice@corp.example'?" in ask(fraud, "who", "alice@corp.exmple",
                                                       code=1).stderr
    for word, meant in (("alce", "alice"), ("ALICE", "alice"), ("alice@users.exmple", "alice@users.example"),
                        ("dora", "dora@corp.example"), ("dor", "dora@corp.example")):
        assert f"did you mean '{meant}'?" in ask(fraud, "who", word, code=1).stderr, word
    assert "modeltrail history churn" in ask(fraud, "where", "churn", code=1).stderr


@pytest.mark.parametrize("args, words", [
    (("where", "\udcff"), "UTF-8"), (("who", "a\udcc3"), "UTF-8"), (("where", "x", "--cluster", "\udcff"), "UTF-8"),
    (("where", ""), "empty"), (("who", ""), "empty"), (("history", ""), "empty"), (("show", ""), "empty"),
    (("where", "m@"), "no version"), (("history", "m@"), "no version"), (("where", "@"), "no version"),
    (("where", "x", "--timezone", "Mars"), "Mars"), (("history", "x", "--timezone", "Mars", "--since", "1d"), "Mars"),
    ((), "modeltrail help"), (("wher", "x"), "did you mean 'where'"), (("where",), "takes"),
    (("where", "a", "b"), "takes"), (("matrix", "x"), "takes no word"),
    (("diff", "dev", "prod"), "not there yet"), (("watch",), "not there yet"),
    (("where", "x", "--known-at", "3d"), "unknown option"),
    (("where", "x", "--since", "3d"), "unknown option"),
    (("list", "people", "--environment", "x"), "list people"), (("list", "modles"), "'models'"),
    (("where", "x", "-o", "jsn"), "did you mean 'json'"), (("where", "x", "--columns", "modl"),
                                                          "did you mean 'model'"),
    (("where", "x", "--as-of", "yesterday"), "--as-of"), (("where", "x", "--limit", "0"), "--limit"),
    (("where", "x", "--timezone", "Mars/Olympus", "--as-of", "2026-01-01"), "Mars"),
    (("where", "x", "--environment", ""), "empty"), (("where", "x", "--dsn"), "needs a value"),
    (("where", "x", "--dsn", "dbname=a", "--service", "b"), "exclude"),
    (("history", "s3://bucket/v1"), "modeltrail where"), (("help", "whre"), "'where'"),
    (("history", "x", "--since", "1d", "--until", "2d"), "--since"),
    (("where", "x", "--columns", "model,cluster,model"), "named twice"),
    (("history", "x", "--as-of", "1d", "--until", "2d"), "both name the end"),
    (("where", "x", "--timezone", "Mars"), "no such time zone"), (("where", "x", "--until", "1d"), "hint: --as-of"),
    (("list", "events", "--as-of", "1d"), "hint: --until"), (("list", "people", "--as-of", "1d"), "for now only"),
])
def test_usage_errors(fraud, args, words):
    done = ask(fraud, *args, code=2)
    assert done.stdout == "" and words in done.stderr and done.stderr.startswith("error: ")


def test_unreachable_store(fraud):
    env = {"PGHOST": "127.0.0.1", "PGPORT": "1"}
    for more in (env, {"PGDATABASE": "no_such_database"}, {"PGHOST": "/nowhere/" + "long" * 15}):
        done = ask(fraud, "where", "x", code=3, env=more)
        assert "cannot connect" in done.stderr and "hint: check PGHOST, PGPORT" in done.stderr
        assert "\\x0a" not in done.stderr and "\\x09" not in done.stderr and "help connection\n" in done.stderr
    ask(fraud, "where", "x", "--service", "no'such", code=3)


def test_permission(fraud):
    done = ask(fraud, "where", "fraud-scorer", code=4, user="cli_nobody")
    assert "modeltrail_reader" in done.stderr
    done = ask(fraud, "where", "fraud-scorer", code=4, user="no_such_role")
    assert "hint: check user and password" in done.stderr


def test_refused_logins(database):
    """A role without a password where one is asked for, and one that pg_hba.conf rejects."""
    hba = database.psql("SHOW hba_file")[0][0]
    rules = Path(hba).read_text()
    database.psql("CREATE ROLE cli_secret LOGIN; CREATE ROLE cli_rejected LOGIN")
    try:
        Path(hba).write_text("local all cli_secret scram-sha-256\nlocal all cli_rejected reject\n" + rules)
        database.psql("SELECT pg_reload_conf()")
        for user, word in (("cli_secret", "no password supplied"), ("cli_rejected", "rejects connection")):
            done = ask(database, "where", "x", code=4, user=user, env={"PGPASSFILE": "/nowhere"})
            assert word in done.stderr and "hint: check user and password" in done.stderr
    finally:
        Path(hba).write_text(rules)
        database.psql("SELECT pg_reload_conf(); DROP ROLE cli_secret; DROP ROLE cli_rejected")


def test_schema_that_is_not_there(database):
    done = ask(database, "where", "x", code=5, user="postgres")
    assert "modeltrail-store migrate" in done.stderr


def test_connection_options(fraud, tmp_path):
    services = tmp_path / "services.conf"
    services.write_text(f"[audit]\nhost={fraud.cluster.host}\nport={fraud.cluster.port}\n"
                        f"dbname={fraud.name}\nuser=cli_reader\n")
    nowhere = {"PGDATABASE": "no_such_database"}
    ask(fraud, "where", "fraud-scorer", "--dsn", fraud.dsn("cli_reader"), env=nowhere)
    ask(fraud, "where", "fraud-scorer", "--service", "audit",
        env={"PGSERVICEFILE": str(services), "PGHOST": "", "PGPORT": "", "PGUSER": "",
             "PGDATABASE": ""})
    ask(fraud, "where", "fraud-scorer", env=nowhere | {"MODELTRAIL_DSN": fraud.dsn("cli_reader")})


def test_an_answer_that_cannot_be_written_is_no_success(fraud):
    with open("/dev/full", "w") as full:
        done = subprocess.run([program_path(), "list", "events"], env=fraud.env("cli_reader"),
                              stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 70 and "cannot write" in done.stderr


# --- doctor, help, manual -----------------------------------------------------------------------


def test_doctor_on_a_healthy_and_an_ill_store(fraud, stale):
    checks = {row["check_name"]: row for row in items(fraud, "doctor")}
    assert checks["coverage"]["status"] == "ok" and checks["settings"]["status"] == "ok"
    ill = {row["check_name"]: row for row in items(stale, "doctor", code=1)}
    assert ill["coverage"]["status"] == "fail" and "c1" in ill["coverage"]["detail"]
    assert ill["quarantine"]["status"] == "warn"
    assert ill["actors"]["status"] == "warn"
    assert all(row["next_step"] for row in ill.values() if row["status"] != "ok")
    assert ask(stale, "doctor", code=1).stdout.splitlines()[1].startswith("ok")


def test_doctor_sees_unsafe_settings(fraud):
    env = {"PGOPTIONS": "-c synchronous_commit=off"}
    checks = {row["check_name"]: row for row in items(fraud, "doctor", code=1, env=env)}
    assert "synchronous_commit = off" in checks["settings"]["detail"]


def test_help_needs_no_database():
    run = lambda *args: subprocess.run([program_path(), *args], env={"PGHOST": "/nowhere"},
                                       capture_output=True, text=True)
    overview = run("help").stdout
    manual = (ROOT / "docs" / "man" / "modeltrail.1.scd").read_text()
    commands = [line.split()[0] for line in
                overview.partition("commands:\n")[2].partition("\n\n")[0].splitlines()]
    assert {"where", "who", "history", "matrix", "list", "show", "doctor", "version",
            "help"} == set(commands)
    for command in commands:
        page = run("help", command)
        assert page.returncode == 0 and page.stderr == "" and f"modeltrail {command}" in page.stdout
        assert page.stdout == run(command, "--help").stdout or command == "help"
        assert f"*{command}*" in manual
        for option in page.stdout.partition("options:\n")[2].split():
            if option.startswith("--"):
                assert f"*{option}*" in manual, option
    for topic in ("times", "formats", "connection", "words", "exit-codes"):
        assert run("help", topic).returncode == 0 and f"*{topic}*" in manual
    words = [line.split()[0] for line in run("help", "words").stdout.splitlines() if line.startswith("  ")]
    assert {"lingering", "not_collected", "transformer", "dry_run", "inferred"} <= set(words)
    assert all(f"_{word}_" in manual for word in words)
    assert "deployed_by" in run("list", "deployments", "--help").stdout
    assert run("version").stdout == run("--version").stdout != ""


def test_no_question_is_compiled(database):
    """A planner without statistics thinks that the views cost much; compiling them takes ten seconds and more."""
    done = run("modeltrail-store", "migrate", database=database)
    assert done.returncode == 0, done.stderr
    for name, value in {"session_preload_libraries": "auto_explain", "auto_explain.log_min_duration": "0",
                        "jit_above_cost": "0"}.items():
        database.psql(f'ALTER DATABASE "{database.name}" SET {name} = \'{value}\'')
    log = database.cluster.folder / "server.log"
    before = log.read_text()
    assert modeltrail("list", "clusters", database=database).returncode == 1
    plans = log.read_text()[len(before):].split("Query Text: ")[1:]
    views = [plan for plan in plans if "modeltrail" in plan]
    assert len(views) >= 2 and not any("JIT:" in plan for plan in views)
    database.psql("SELECT count(*) FROM modeltrail_v1.clusters")
    assert "JIT:" in log.read_text().split("Query Text: ")[-1]
