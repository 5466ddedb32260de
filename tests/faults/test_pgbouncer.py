"""Everything through PgBouncer in transaction mode: nothing may rest on a session. Kills and failovers through it are
in test_campaign.py and test_replication.py."""

import json
import subprocess

import pytest
from support.build import ROOT, program, run
from support.pgbouncer import PgBouncer
from support.postgres import Postgres
from support.replication import Pair
from support.system import System

RECORDING = ROOT / "tests" / "recording"


@pytest.fixture(scope="module")
def server():
    """A server of this module's own, with its pooler's roles and settings."""
    cluster = Postgres()
    yield cluster.start()
    cluster.remove()


@pytest.fixture
def pooler(server):
    pooler = PgBouncer(server).start()
    yield pooler
    pooler.remove()


def test_two_migrations_at_once(pooler):
    """Sessions are shared, so a lock of the session would be anybody's."""
    database = pooler.database("migrations")
    runners = [subprocess.Popen([program("modeltrail-store"), "migrate"], env=database.env(),
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    said = [runner.communicate(timeout=60) for runner in runners]
    assert [runner.returncode for runner in runners] == [0, 0, 0], said
    applied = [int(out.split("version ")[1].split(", ")[1].split()[0]) for out, _ in said]
    assert sum(applied) == database.query("SELECT count(*) AS n FROM modeltrail_migration.applied")[0]["n"], said
    held = database.query("SELECT count(*) AS n FROM pg_locks WHERE locktype = 'advisory'")[0]["n"]
    assert held == 0
    # What was set for the migrations is not left behind in a session that others get.
    for name in ("client_min_messages", "role"):
        shown = subprocess.run(["psql", "-X", "-A", "-t", "-c", f"SHOW {name}"], env=database.env(),
                               capture_output=True, text=True, check=True).stdout.strip()
        assert shown == {"client_min_messages": "notice", "role": "none"}[name]


def test_the_recorded_story(pooler, tmp_path):
    """Both clusters, central file, rebuild, answers: what a database gives that is spoken to directly."""
    database = pooler.database("story")
    system = System(tmp_path, database, {"c1": ("c1", None), "c2": ("c2", None)})
    try:
        system.start_store()
        for name in ("c1", "c2"):
            system.collect_once(name, [f'audit_log: {{path: "{RECORDING}/{name}/audit.log", complete: true}}'])
        system.apply(RECORDING / "modeltrail.yaml")
        before = answers(system)
        expected = json.loads((RECORDING / "expected.json").read_text())
        wanted = {(row["cluster"], row["namespace"], row["component"], row["version"]) for row in expected["deployments"]}
        assert {(row["cluster"], row["namespace"], row["component"], row["version"]) for row in before} == wanted
        done = run("modeltrail-store", "rebuild", database=database, user="postgres")
        assert done.returncode == 0, done.stderr
        assert answers(system) == before
    finally:
        system.stop()


def answers(system):
    done = system.ask("list", "deployments", "-o", "json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["items"]


@pytest.mark.slow
def test_a_pooler_before_each_server(tmp_path):
    """Two poolers, each before one server of a pair: the one before the standby is refused until it is promoted."""
    pair = Pair(synchronous=True)
    poolers = [PgBouncer(server).start() for server in (pair.standby, pair.primary)]
    database = pair.database("poolers")
    try:
        done = run("modeltrail-store", "migrate", database=database)
        assert done.returncode == 0, done.stderr
        both = "port=" + ",".join(str(pooler.port) for pooler in poolers)
        words = ["list", "clusters", "--dsn", f"host=127.0.0.1,127.0.0.1 {both} dbname=poolers user=postgres"]
        for _ in range(2):
            done = run("modeltrail", *words[:-1], words[-1] + " target_session_attrs=read-write")
            assert done.returncode == 1 and "no cluster found" in done.stderr, done.stderr
            assert "answered by a standby" not in done.stderr
            if pair.primary._server:
                pair.fail_over()
    finally:
        for pooler in poolers:
            pooler.remove()
        pair.remove()
