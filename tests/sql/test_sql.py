"""The schema: pgTAP files, rights, the frozen contract, plans over a large store, and the generated page.

`python3 tests/sql/test_sql.py --update` writes contract.snapshot anew. Within v1 that may only append.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from support.postgres import Postgres, PsqlError  # noqa: E402

SNAPSHOT = HERE / "contract.snapshot"
PGTAP = sorted(path.name for path in HERE.glob("*.sql"))
EXAMPLES = sorted((ROOT / "sql" / "examples").glob("*.sql"))

SNAPSHOT_SQL = """
    SELECT object_name, column_name, data_type FROM modeltrail_v1.data_dictionary
    WHERE object_type <> 'view' ORDER BY object_name COLLATE "C", ordinal NULLS FIRST, data_type"""


def run_file(database, path, user="postgres", **variables):
    """Runs a file in one transaction, as the migration runner does; any error raises."""
    argv = ["psql", "-X", "-q", "-A", "-t", "-1", "-v", "ON_ERROR_STOP=1", "-f", str(path)]
    for name, value in variables.items():
        argv += ["-v", f"{name}={value}"]
    done = subprocess.run(argv, env=database.env(user), capture_output=True, text=True)
    if done.returncode != 0:
        raise PsqlError(f"{path.name}: {done.stderr.strip()}")
    return done.stdout


def migrate(database, user="postgres"):
    for path in sorted((ROOT / "sql" / "migrations").glob("*.sql")):
        run_file(database, path, user)


@pytest.fixture(scope="module")
def migrated(postgres):
    """A migrated, empty store with pgTAP; whoever fills it rolls back."""
    database = postgres.create_database("sql_contract")
    migrate(database)
    database.psql("CREATE EXTENSION pgtap")
    yield database
    database.drop()


@pytest.fixture(scope="module")
def filled(postgres):
    """A store with the small fixture."""
    database = postgres.create_database("sql_small")
    migrate(database)
    run_file(database, HERE / "fixtures" / "small.sql")
    yield database
    database.drop()


@pytest.fixture(scope="module")
def large(postgres):
    """A fifth of 1 M events over 20,000 workloads, with the same plans; MODELTRAIL_SQL_EVENTS=1000000 is all."""
    database = postgres.create_database("sql_large")
    migrate(database)
    events = int(os.environ.get("MODELTRAIL_SQL_EVENTS", "200000"))
    run_file(database, HERE / "fixtures" / "large.sql", events=events, workloads=20000)
    database.psql("VACUUM ANALYZE")
    yield database
    database.drop()


@pytest.mark.parametrize("name", PGTAP)
def test_pgtap(migrated, name):
    """Every line of the file's TAP says ok, and as many ran as were planned."""
    argv = ["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-f", str(HERE / name)]
    done = subprocess.run(argv, env=migrated.env(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    planned = [int(line[3:]) for line in lines if re.fullmatch(r"1\.\.\d+", line)]
    passed = [line for line in lines if re.match(r"ok \d", line)]
    failed = [line for line in lines if line.startswith(("not ok", "#"))]
    assert not failed, "\n".join(failed)
    assert planned == [len(passed)]


def test_migrations_run_without_superuser(postgres):
    """Managed services give CREATEROLE and the database, no more."""
    postgres.psql(
        "CREATE ROLE admin LOGIN CREATEROLE NOSUPERUSER; CREATE DATABASE sql_managed OWNER admin"
    )
    database = type(postgres.create_database("sql_unused"))(postgres, "sql_managed")
    try:
        migrate(database, user="admin")
        owners = database.query(
            "SELECT DISTINCT pg_get_userbyid(relowner) AS owner FROM pg_class WHERE relnamespace IN"
            " ('modeltrail'::regnamespace, 'modeltrail_v1'::regnamespace) AND relkind IN ('r', 'p', 'v')"
        )
        assert owners == [{"owner": "modeltrail_owner"}]
        postgres.psql("CREATE ROLE analyst LOGIN IN ROLE modeltrail_reader")
        assert database.query("SELECT events FROM modeltrail_v1.status", user="analyst") == [{"events": 0}]
        with pytest.raises(PsqlError, match="permission denied"):
            database.psql("SELECT * FROM modeltrail.event", user="analyst")
        with pytest.raises(PsqlError, match="permission denied"):
            database.psql("SELECT * FROM modeltrail_v1.raw_events", user="analyst")
    finally:
        database.drop()
        postgres.drop_database("sql_unused")
        postgres.psql("REVOKE modeltrail_reader FROM analyst; DROP ROLE IF EXISTS analyst")
        postgres.psql("REVOKE modeltrail_owner FROM admin; DROP ROLE admin")


def snapshot_of(database):
    return ["\t".join(cell or "" for cell in row) for row in database.psql(SNAPSHOT_SQL)]


def by_object(lines):
    objects = {}
    for line in lines:
        objects.setdefault(line.split("\t")[0], []).append(line)
    return objects


def test_contract_only_grows(migrated):
    """Columns are appended at the end, or not at all; functions keep their arguments."""
    frozen = by_object(SNAPSHOT.read_text().splitlines())
    current = by_object(snapshot_of(migrated))
    for name, lines in frozen.items():
        assert current.get(name, [])[: len(lines)] == lines, f"{name} broke the contract of v1"


def test_contract_snapshot_is_complete(migrated):
    assert SNAPSHOT.read_text().splitlines() == snapshot_of(migrated), (
        "the contract grew; hint: python3 tests/sql/test_sql.py --update"
    )


def test_reserved_columns_are_in_place(migrated):
    """The columns that design and commands name, in their order, come first."""
    chain = ("deployed_by deployed_by_kind applied_by impersonated requested_by approved_by ticket via"
             " source_revision source_path evidence attribution")
    placed = (
        "deployment_id model version artifact artifact_digest identity_source environment environment_order"
        " cluster namespace workload workload_uid component role traffic_percent state replicas image"
        f" deployed_at deployed_after ready_at valid_from valid_to time_source {chain} observation"
        " last_observed_at recorded_at revised_at")
    expected = {
        "deployments": placed,
        "deployment_history": placed,
        "changes": "change_id event_id change_type reason happened_at happened_after time_source model"
                   " from_version to_version from_artifact to_artifact from_traffic_percent"
                   " to_traffic_percent environment cluster namespace workload component role"
                   f" {chain} recorded_at revised_at",
        "attempts": "attempt_id event_id attempted_at applied_by person verb code outcome message cluster"
                    " namespace workload via user_agent source_ip",
        "matrix": "model environment environment_order status versions workloads clusters stale_clusters",
        "coverage": "cluster namespace kind aspect covered_from covered_to is_live gap_reason",
        "routes": "cluster namespace route target role percent valid_from valid_to",
    }
    current = by_object(snapshot_of(migrated))
    for view, names in expected.items():
        columns = [line.split("\t")[1] for line in current[view]]
        assert columns[: len(names.split())] == names.split(), view


# The examples ask about the recording that the demo shows; the small fixture has the same on another day.
IN_SMALL = {"fraud-scorer": "fraud", "2026-11-23 03:49:10": "2026-03-02 11:30:00",
            "2026-11-23 03:40:00": "2026-03-02 12:45:00", "2026-11-23 03:49:00": "2026-03-02 09:05:00"}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_run(filled, path):
    """The queries that docs/sql.md shows run as a reader and find something."""
    filled.psql("DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'example_reader') THEN"
                " CREATE ROLE example_reader LOGIN IN ROLE modeltrail_reader; END IF; END $$")
    sql = path.read_text()
    for word, small in IN_SMALL.items():
        sql = sql.replace(word, small)
    assert filled.psql(sql, user="example_reader")


def test_page_is_up_to_date(migrated):
    """docs/sql.md is what the generator prints of this schema."""
    done = subprocess.run([str(ROOT / "scripts" / "generate-sql-docs"), "--print"],
                          env=migrated.env(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (ROOT / "docs" / "sql.md").read_text() == done.stdout, (
        "docs/sql.md is old; hint: scripts/generate-sql-docs")


def nodes(plan):
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)


def plan_of(database, sql):
    text = database.psql(f"SET ROLE modeltrail_reader; EXPLAIN (FORMAT JSON) {sql}")[0][0]
    return list(nodes(json.loads(text)[0]["Plan"]))


LARGE_TABLES = {"placement", "change", "state", "request", "attribution", "event", "event_000000"}
POINT_QUERIES = {
    "where": "SELECT * FROM modeltrail_v1.deployments WHERE model = 'model-77'",
    "where version": "SELECT * FROM modeltrail_v1.deployments WHERE model = 'model-77' AND version = '17'",
    "where uri": "SELECT * FROM modeltrail_v1.deployments WHERE artifact = 's3://models/model-77/17'",
    "where as of": "SELECT * FROM modeltrail_v1.deployments_at(now() - interval '20 days') WHERE model = 'model-77'",
    "where in cluster": "SELECT * FROM modeltrail_v1.deployments WHERE model = 'model-77' AND cluster = 'c7'"
                        " AND environment = 'prod'",
    "history": "SELECT * FROM modeltrail_v1.changes WHERE model = 'model-77' ORDER BY happened_at DESC",
    "deployment history": "SELECT * FROM modeltrail_v1.deployment_history WHERE model = 'model-77'",
    "show deployment": "SELECT * FROM modeltrail_v1.deployment_history WHERE deployment_id = 'd-00000000000003e8'",
    "show change": "SELECT * FROM modeltrail_v1.changes WHERE change_id = 'c-00000000000003e8'",
    "last hours": "SELECT * FROM modeltrail_v1.changes WHERE happened_at > now() - interval '2 hours'",
    "show event": "SELECT * FROM modeltrail_v1.events WHERE collector = 'eu-1' AND epoch = 1700000000000 AND seq = 5001",
    "request of a change": "SELECT q.* FROM modeltrail_v1.changes c LEFT JOIN LATERAL regexp_match(c.request_event_id,"
                           " '^(.*):([0-9]+):([0-9]+)$') AS id (part) ON true LEFT JOIN modeltrail_v1.requests q"
                           " ON q.collector = id.part[1] AND q.epoch = id.part[2]::bigint AND q.seq = id.part[3]::bigint"
                           " WHERE c.change_id = 'c-00000000000003e8'",
}


@pytest.mark.parametrize("question", POINT_QUERIES)
def test_point_queries_read_indexes(large, question):
    """A question about one thing never walks a large table."""
    walked = {node["Relation Name"] for node in plan_of(large, POINT_QUERIES[question])
              if node["Node Type"] == "Seq Scan"}
    assert not walked & LARGE_TABLES


def test_chain_reads_indexes(large):
    """A function hides its plan, so the walks are counted: the chain behind a credited change makes none."""
    change, = large.psql("SELECT c.change_id FROM modeltrail.change c JOIN modeltrail.attribution a"
                         " USING (log, cluster, resource, uid, position) ORDER BY 1 LIMIT 1")[0]
    large.psql("SELECT pg_stat_reset()")
    large.psql(f"SET ROLE modeltrail_reader; SELECT * FROM modeltrail_v1.readings('{change}')")
    links = large.psql(f"SET ROLE modeltrail_reader; SELECT link FROM modeltrail_v1.chain('{change}')")
    assert "request" in {link for link, in links}
    scans = {row["relname"]: int(row["seq_scan"]) for row in large.query(
        "SELECT relname, seq_scan FROM pg_stat_user_tables WHERE schemaname = 'modeltrail' AND seq_scan + idx_scan > 0")}
    assert scans, "the statistics came too late"
    assert not {name for name, count in scans.items() if count > 0} & LARGE_TABLES


BULK_QUERIES = {
    "deployments": ("SELECT * FROM modeltrail_v1.deployments", 3),
    "as of": ("SELECT * FROM modeltrail_v1.deployments_at(now() - interval '20 days')", 3),
    "one cluster": ("SELECT * FROM modeltrail_v1.deployments WHERE cluster = 'c3' AND environment = 'prod'", 3),
    "matrix": ("SELECT * FROM modeltrail_v1.matrix", 2),
    "history": ("SELECT * FROM modeltrail_v1.deployment_history", 4),
    "changes": ("SELECT * FROM modeltrail_v1.changes", 3),
    "requests": ("SELECT * FROM modeltrail_v1.requests", 2),
    "people": ("SELECT * FROM modeltrail_v1.people", 1),
}


@pytest.mark.parametrize("question", BULK_QUERIES)
def test_bulk_queries_look_scopes_up_once(large, question):
    """Environment and coverage are fetched per scope, people per name, not per row: each look-up is memoized."""
    sql, expected = BULK_QUERIES[question]
    plan = plan_of(large, sql)
    assert sum(node["Node Type"] == "Memoize" for node in plan) >= expected


def test_names_are_stepped_through(large):
    """The names of all requests are found without reading all requests."""
    plan = plan_of(large, "SELECT * FROM modeltrail_v1.identities")
    assert "Recursive Union" in {node["Node Type"] for node in plan}
    assert not {node.get("Relation Name") for node in plan if node["Node Type"] == "Seq Scan"} & LARGE_TABLES


def update_snapshot():
    cluster = Postgres(fsync=False)
    try:
        database = cluster.start().create_database("snapshot")
        migrate(database)
        SNAPSHOT.write_text("".join(line + "\n" for line in snapshot_of(database)))
    finally:
        cluster.remove()


if __name__ == "__main__":
    if sys.argv[1:] != ["--update"]:
        sys.exit("usage: test_sql.py --update (writes contract.snapshot); the tests run under pytest")
    update_snapshot()
