"""Everything that a fault can hit, as real programs: PostgreSQL, stores, collectors, and the sources that they watch.
A world runs under load while faults happen to it; then it drains, and the checker compares."""

import random
import shutil
import signal
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from faults import acknowledged, checker
from faults.counts import Counts, Mismatch
from faults.load import Growing, GrowingAuditLog
from faults.loss import GAPS, count_untold
from support.build import build_folder
from support.fake_kube import FakeKube
from support.pgbouncer import PgBouncer, PooledDatabase
from support.postgres import Postgres
from support.process import NotReady
from support.system import System

# Collectors: one with an audit log, another one with the same, one with a watch.
AUDITED, TWIN, WATCHED = "audited", "twin", "watched"
POOLER = "pgbouncer"  # where a world has one
DRAIN_SECONDS = 90


def shim(name: str, **variables) -> dict:
    """The variables that put tests/shims/NAME.c in front of a program."""
    return {"LD_PRELOAD": str(build_folder() / "shims" / f"{name}.so"),
            "ASAN_OPTIONS": "verify_asan_link_order=0:detect_leaks=0"} | variables


class GrowingCluster(Growing):
    """Changes Models of a FakeKube `rate` times a second; `written` is what a watch must have seen."""

    def __init__(self, kube: FakeKube, seed: int, rate: float = 20, objects: int = 8):
        super().__init__(pause=1 / rate)
        self.kube, self.random, self.written = kube, random.Random(seed), set()
        self.names = [f"watched-{i}" for i in range(objects)]
        for name in self.names:
            self._note(self.kube.create(name, plural="models"))

    def _note(self, obj):
        self.written.add((obj["metadata"]["uid"], int(obj["metadata"]["resourceVersion"])))

    def grow(self):
        self._note(self.kube.update(self.random.choice(self.names), plural="models"))

    def expected_deployments(self):
        with self.kube.lock:
            return sorted((name, f"v{obj['metadata']['resourceVersion']}")
                          for (plural, _, name), obj in self.kube.objects.items() if plural == "models")


class World:
    """One PostgreSQL of its own, a store, a collector with an audit log, and one with a watch. `store_address` may lead
    through proxies; the checker always asks PostgreSQL itself."""

    through_pgbouncer = False  # whether the programs reach PostgreSQL through PgBouncer: of all worlds of a run

    def __init__(self, rng: random.Random, rate=400, watch=True, settings=None, workloads=40, retain=None, twin=False):
        self.random = rng
        self.folder = Path(tempfile.mkdtemp(prefix="modeltrail-faults-"))
        self.postgres = Postgres(settings=settings)
        self.postgres.start()
        self.database = self.postgres.create_database("faults")
        self.pooler = PgBouncer(self.postgres).start() if self.through_pgbouncer else None
        programs = PooledDatabase(self.pooler, self.database) if self.pooler else self.database
        names = {AUDITED: ("c1", ["dev"]), TWIN: ("c1", ["dev"]), WATCHED: ("c2", ["risk"])}
        self.system = System(self.folder, programs, names)
        self.others = []  # further audit logs of the same cluster, which do not grow
        self.audit = GrowingAuditLog(self.folder / "audit.log", rng.getrandbits(32), rate, workloads)
        self.kube = FakeKube() if watch else None
        self.cluster = None
        # In a share of the worlds next to nothing is retained, so that nothing heals what a store has lost.
        self.retain = rng.choice((None, None, 0, 20)) if retain is None else retain
        self.goes_back = False  # the faults of this world take back what was acknowledged
        self.proxies = []
        self.store_address = None  # None: the store's own
        self.losses = []  # what the faults of this world have lost for good: all that gaps may tell of
        self.rereads = False  # an epoch that begins with a gap has its unsent events, and reads its sources anew
        self.counts = Counts()
        self.is_closed = False
        self.collectors = [AUDITED] + [TWIN] * twin + [WATCHED] * watch

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # ---- coming and going ----

    def start(self):
        """Nothing goes on of a world that did not come up: no `with` has it yet."""
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def _start(self):
        if self.kube:
            self.kube.__enter__()
            self.cluster = GrowingCluster(self.kube, self.random.getrandbits(32))
            self.kube.write_kubeconfig(self.folder / "kubeconfig")
        self.system.start_store()
        for name in self.collectors:
            self.write_collector(name)
            self.system.start_collector(name)
        self.audit.start()
        if self.cluster:
            # What was overwritten before the first list nobody can have seen.
            self.system.wait_for("SELECT count(*) FROM modeltrail.state WHERE cluster = 'c2'", len(self.cluster.written))
            self.cluster.start()

    def write_collector(self, name, store=None):
        sources = {AUDITED: [f'audit_log: {{path: "{self.audit.path}", complete: true, namespaces: [dev]}}'],
                   WATCHED: [f'kubernetes: {{kubeconfig: "{self.folder}/kubeconfig", namespaces: [risk]}}']}
        sources[TWIN] = sources[AUDITED]
        more = {"timeout_ms": 1000} | ({} if self.retain is None else {"retain_events": self.retain})
        self.system.write_collector_config(name, sources[name], store=store or self.store_address, **more)

    def stop_sources(self):
        self.audit.stop()
        if self.cluster:
            self.cluster.stop()

    def close(self):
        if self.is_closed:
            return
        self.is_closed = True
        self.stop_sources()
        for daemon in list(self.system.daemons.values()):
            daemon.end(signal.SIGKILL)
        for proxy in self.proxies:
            proxy.close()
        if self.kube and self.cluster:
            self.kube.__exit__()
        if self.pooler:
            self.pooler.remove()
        self.postgres.remove()
        shutil.rmtree(self.folder, ignore_errors=True)

    # ---- faults that several kinds need ----

    def wait_until(self, is_so, what, timeout=30):
        deadline = time.monotonic() + timeout
        while not is_so():
            if time.monotonic() > deadline:
                logs = {name: daemon.log_tail(8) for name, daemon in self.system.daemons.items()}
                raise Mismatch(f"waited {timeout} s in vain: {what}\n{logs}")
            time.sleep(0.01)

    def pause(self, least=0.02, most=0.3):
        """A while of work; every fourth ends with a look at what is acknowledged."""
        time.sleep(self.random.uniform(least, most))
        if self.random.random() < 0.25:
            self.check_acknowledged()

    def kill(self, name):
        """SIGKILL."""
        if name == POOLER:
            self.pooler.stop(signal.SIGKILL)
        else:
            self.system.end(name, signal.SIGKILL)
        what = "collector" if name in self.system.collectors else "store" if name in self.system.stores else name
        self.counts.faults[f"kill {what}"] += 1

    def check_acknowledged(self):
        """What is acknowledged is committed, at this moment; needs PostgreSQL. A store that acknowledged too early mends
        it soon, so the best moment is one at which no store can commit."""
        if self.goes_back:
            return
        daemons = self.system.daemons
        spools = {name: acknowledged.read(self.folder / f"{name}.db", daemons.get(name)) for name in self.collectors}
        spools = {name: stands for name, stands in spools.items() if stands}
        self.counts.add(acknowledged.count_missing(spools, self.database))
        self.counts.checks += bool(spools)

    def revive(self, name):
        if name == POOLER:
            self.pooler.start()
        elif name in self.system.stores:
            self.system.start_store(name)
        else:
            self.system.start_collector(name)

    def crash_postgres(self):
        """Half of the time the stores stand still when it is back, until it is known what has outlived the crash."""
        self.postgres.kill_immediate()
        self.counts.faults["postgres crash"] += 1
        time.sleep(self.random.uniform(0.02, 0.3))
        with ExitStack() as stack:
            if self.random.random() < 0.5:
                for name in self.system.stores:
                    stack.enter_context(acknowledged.held(self.system.daemons[name]))
            self.postgres.start()
            self.check_acknowledged()

    def die_at(self, name, place, nth, timeout=4.0):
        """Restarts a program that kills itself when it comes by a place for the n-th time; true when it did."""
        self.system.end(name, signal.SIGKILL)
        variables = shim("failpoint", MODELTRAIL_FAILPOINT=f"{place}:{nth}")
        if name in self.system.stores:
            daemon = self.system.start_store(name, env=variables, wait=False)
        else:
            daemon = self.system.start_collector(name, env=variables)
        deadline = time.monotonic() + timeout
        while daemon.is_running() and time.monotonic() < deadline:
            time.sleep(0.01)
        died = not daemon.is_running()
        how = daemon.end(signal.SIGKILL)
        if how != -signal.SIGKILL:
            raise Mismatch(f"{name} ended with {how} instead of at {place}: {daemon.log_tail(3)}")
        del self.system.daemons[name]
        self.check_acknowledged()
        self.counts.faults[f"die at {place}" if died else "kill instead of a place"] += 1
        self.revive(name)
        return died

    # ---- the end ----

    def stored(self):
        """How many events the log has."""
        return int(self.database.psql("SELECT coalesce(max(log_index), 0) FROM modeltrail.event")[0][0])

    def audit_ids(self):
        return [audit_id for log in (self.audit, *self.others) for audit_id in log.audit_ids]

    def missing(self):
        """How many requests and states the tables do not have yet."""
        requests = self.database.psql("SELECT count(DISTINCT audit_id) FROM modeltrail.request")[0][0]
        missing = max(0, len(self.audit_ids()) - int(requests))
        if self.cluster:
            states = self.database.psql("SELECT count(*) FROM modeltrail.state WHERE cluster = 'c2'")[0][0]
            missing += max(0, len(self.cluster.written) - int(states))
        return missing

    def drain(self, timeout=DRAIN_SECONDS):
        """Waits until the tables have what the sources had, or nothing has come for so long: then the checker counts."""
        self.stop_sources()
        missing, deadline = self.missing(), time.monotonic() + timeout
        while missing and time.monotonic() < deadline:
            time.sleep(0.5)
            before, missing = missing, self.missing()
            if missing < before:
                deadline = time.monotonic() + timeout
        for name in self.collectors:
            self.empty_spool(name, time.monotonic() + timeout)

    def empty_spool(self, name, deadline):
        """Ends a collector; one that ended before its last ack came is given another chance."""
        self.system.end(name)
        while not checker.is_empty(self.folder / f"{name}.db") and time.monotonic() < deadline:
            self.system.start_collector(name)
            time.sleep(1)
            self.system.end(name)

    def check(self):
        """Stops the collectors and compares everything; gives and keeps the counts."""
        self.drain()
        counts = self.counts
        counts.events += checker.check_log_is_dense(self.database)
        streams = checker.read_streams(self.database)
        checker.check_marks(self.database, streams)
        if not self.rereads:
            counts.add(checker.count_doubled_events(streams))
        counts.add(checker.count_requests(self.database, "c1", self.audit_ids()))
        counts.add(count_untold(self.losses, self.database.query(GAPS)))
        counts.add(checker.count_quarantined(self.database))
        if self.cluster:
            counts.add(checker.count_states(self.database, "c2", self.cluster.written))
        for name in self.collectors:
            checker.check_spool(self.folder / f"{name}.db", name, streams)
            if not self.goes_back:
                counts.add(acknowledged.count_broken(name, self.system.log(name)))
        self.check_answers()
        return counts

    def check_answers(self):
        """What stands where in the end, as users see it."""
        rows = self.database.query("SELECT cluster, model, version FROM modeltrail_v1.deployments ORDER BY 1, 2, 3")
        wanted = [("c1", *row) for log in (self.audit, *self.others) for row in log.expected_deployments()]
        if self.cluster:
            wanted += [("c2", *row) for row in self.cluster.expected_deployments()]
        have = [(row["cluster"], row["model"], row["version"]) for row in rows]
        if sorted(have) != sorted(wanted):
            raise Mismatch(f"the deployments differ: {sorted(set(have) ^ set(wanted))[:6]}")


__all__ = ["AUDITED", "POOLER", "TWIN", "WATCHED", "GrowingCluster", "NotReady", "World", "shim"]
