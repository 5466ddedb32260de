"""`kill -9` of collector and store and immediate stops of PostgreSQL, in random order under load: nothing that was
accepted is lost, nothing is doubled. MODELTRAIL_FAULT_ROUNDS and MODELTRAIL_FAULT_SEED repeat or lengthen a run."""

import os
import random
import signal
import time

import pytest
from faults.checker import check_log_is_dense, check_marks, check_requests
from faults.load import GrowingAuditLog
from support.postgres import Postgres
from support.system import System

ROUNDS = int(os.environ.get("MODELTRAIL_FAULT_ROUNDS", "10"))
SEED = int(os.environ.get("MODELTRAIL_FAULT_SEED", "20261123"))


@pytest.fixture
def own_postgres():
    """A cluster of this test's own, since it is going to be killed."""
    cluster = Postgres()
    yield cluster.start()
    cluster.remove()


class Faults:
    """Kills one thing at a time and brings it up again after a random while."""

    def __init__(self, system, cluster, rng):
        self.system, self.cluster, self.random = system, cluster, rng
        self.done = {"collector": 0, "store": 0, "postgres": 0}

    def one(self):
        # Each thing is killed at least once in the first three rounds, then by chance.
        fresh = [what for what, count in self.done.items() if count == 0]
        what = self.random.choice(fresh or list(self.done))
        self.done[what] += 1
        getattr(self, what)()

    def pause(self):
        time.sleep(self.random.uniform(0.05, 0.6))

    def collector(self):
        self.system.end("c1", signal.SIGKILL)
        self.pause()
        self.system.start_collector("c1")

    def store(self):
        self.system.end("store", signal.SIGKILL)
        self.pause()
        self.system.start_store()

    def postgres(self):
        self.cluster.kill_immediate()
        self.pause()
        self.cluster.start()


@pytest.mark.slow
def test_kills_lose_and_double_nothing(tmp_path, own_postgres):
    print(f"rounds {ROUNDS}, seed {SEED}")
    rng = random.Random(SEED)
    database = own_postgres.create_database("kills")
    system = System(tmp_path, database, {"c1": ("c1", None)})
    log = GrowingAuditLog(tmp_path / "audit.log", SEED)
    faults = Faults(system, own_postgres, rng)
    try:
        system.start_store()
        system.start_collector("c1", [f'audit_log: {{path: "{log.path}", complete: true}}'])
        log.start()
        for _ in range(ROUNDS):
            time.sleep(rng.uniform(0.2, 1.0))
            faults.one()
        log.stop()
        count = "SELECT count(*) FROM modeltrail.request"
        system.wait_for(count, len(log.audit_ids), timeout=90)
        assert all(faults.done.values()), faults.done
        events = check_log_is_dense(database)
        check_marks(database)
        requests = check_requests(database, "c1", log.audit_ids)
        rows = database.query("SELECT model, version FROM modeltrail_v1.deployments")
        assert sorted((r["model"], r["version"]) for r in rows) == log.expected_deployments()
        print(f"kills {faults.done}, events {events}, requests {requests}, lost 0, doubled 0")
    finally:
        log.stop()
        system.stop()
