"""Two PostgreSQL servers in streaming replication, the primary killed under load. With synchronous replication
nothing is lost; without it what is lost is sent again from the spools, or named as a gap. All of it holds as well when
store and users come through PgBouncer in transaction mode."""

import json
import signal
import time
from datetime import datetime, timedelta, timezone

import pytest
from faults.checker import check_log_is_dense, check_marks, check_requests
from faults.load import GrowingAuditLog
from support.auto_failover import AutoFailover
from support.pgbouncer import PgBouncer, PooledPairDatabase
from support.replication import Pair, kill_all
from support.system import System

SEED = 20261127
REQUESTS = "SELECT count(*) FROM modeltrail.request"


def instant(text):
    return datetime.fromisoformat(text)


class LiveAuditLog(GrowingAuditLog):
    """The same with the times of the wall clock, so that gaps and coverage can be asked about."""

    def _line(self):
        event = json.loads(super()._line())
        at = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        event["requestReceivedTimestamp"] = event["stageTimestamp"] = at
        return json.dumps(event, separators=(",", ":")) + "\n"


class Run:
    """A store that knows several servers, and a collector that tails a growing audit log. The programs come by `way`,
    which may be `database` itself; the test asks the servers."""

    def __init__(self, folder, database, way, stores=1, **collector):
        self.database = database
        self.system = System(folder, way, {"c1": ("c1", None)})
        for number in range(2, stores + 1):
            self.system.add_store(f"store{number}")
        self.log = LiveAuditLog(folder / "audit.log", SEED, rate=200)
        self.settings = {"timeout_ms": 2000, "store": list(self.system.stores.values())} | collector

    def start(self):
        for name in self.system.stores:
            self.system.start_store(name)
        self.system.start_collector("c1", [f'audit_log: {{path: "{self.log.path}", complete: true}}'], **self.settings)
        self.log.start()

    def stored(self):
        return int(self.database.psql(REQUESTS)[0][0])

    def wait_more(self, count, timeout=30):
        """Until so many more requests are stored and acknowledged by the primary."""
        deadline, goal = time.monotonic() + timeout, self.stored() + count
        while self.stored() < goal:
            assert time.monotonic() < deadline, self.system.log("c1")[-2000:] + self.system.log("store")[-2000:]
            time.sleep(0.05)

    def finish(self):
        """Lets the load end and everything arrive; what the checker says."""
        self.log.stop()
        self.system.wait_for(REQUESTS, len(self.log.audit_ids), timeout=60)
        return self.check()

    def check(self):
        check_marks(self.database)
        return check_log_is_dense(self.database), check_requests(self.database, "c1", self.log.audit_ids)

    def marks(self):
        return self.database.query("SELECT epoch, seq FROM modeltrail.mark WHERE collector = 'c1' ORDER BY epoch")

    def looks(self):
        """How far the store says that the collector has looked."""
        return self.database.query("SELECT look->>'through' AS through FROM modeltrail.mark,"
                                   " jsonb_array_elements(through) look WHERE collector = 'c1'")

    def gaps(self):
        return self.database.query("SELECT aspect, from_at, to_at, reason FROM modeltrail.gap ORDER BY aspect")

    def remove(self):
        self.log.stop()
        self.system.stop()


def reach_directly(_, database):
    return [], database


def reach_by_a_pooler_each(_, database):
    """PgBouncer beside each server. That of the standby is there all the time, and is passed over."""
    poolers = [PgBouncer(cluster).start() for cluster in database.clusters]
    return poolers, PooledPairDatabase(poolers, database)


def reach_by_one_pooler(pair, database):
    """PgBouncer before the primary, sent to the new one when it was promoted: its clients never notice."""
    pooler = PgBouncer(pair.primary).start()
    pair.on_promotion.append(lambda primary: pooler.point_at(primary.port))
    return [pooler], PooledPairDatabase([pooler], database)


@pytest.fixture
def new_run(tmp_path, reach):
    """A factory: new_run(pair) is a run on a pair of servers, and removes both, unless others use the pair too."""
    made = []

    def make(pair, is_shared=False, **settings):
        if not is_shared:
            made.append(pair)
        database = pair.database(reach.__name__)
        poolers, way = reach(pair, database)
        made.extend(poolers)
        made.append(Run(tmp_path, database, way, **settings))
        return made[-1]

    yield make
    for one in reversed(made):
        one.remove()


@pytest.mark.parametrize("reach", [reach_directly, reach_by_a_pooler_each])
@pytest.mark.slow
def test_synchronous_replication_loses_nothing(new_run):
    """The store that the collector speaks to dies with the primary; the other one follows to the standby."""
    pair = Pair(synchronous=True)
    run = new_run(pair, stores=2, retain_events=0)
    run.start()
    run.wait_more(400)
    run.system.end("store", signal.SIGKILL)
    pair.fail_over()
    acknowledged = run.stored()
    run.wait_more(200)
    run.system.start_store()
    run.system.end("store2", signal.SIGKILL)
    run.wait_more(200)
    events, requests = run.finish()
    assert len(run.marks()) == 1 and not run.gaps()
    assert "the store went back" not in run.system.log("c1")
    print(f"stored when it failed over {acknowledged}, events {events}, requests {requests}, lost 0, doubled 0")


@pytest.mark.parametrize("reach", [reach_directly, reach_by_one_pooler])
@pytest.mark.slow
def test_what_an_asynchronous_standby_lacks_is_sent_again(new_run):
    pair = Pair(synchronous=False)
    run = new_run(pair)
    run.start()
    run.wait_more(200)
    pair.cut_replication()
    before = run.marks()
    run.wait_more(600)
    acked = run.stored()
    pair.fail_over()
    went_back = acked - run.stored()
    assert went_back >= 500, "the standby had what it was meant to lack"
    run.wait_more(went_back + 200)
    events, requests = run.finish()
    assert "the store went back, retained events are sent again" in run.system.log("c1")
    assert [mark["epoch"] for mark in run.marks()] == [before[0]["epoch"]] and not run.gaps()
    print(f"acknowledged and lost by the failover {went_back}, all sent again: events {events},"
          f" requests {requests}, lost 0, doubled 0")


@pytest.mark.parametrize("reach", [reach_by_one_pooler])
@pytest.mark.slow
def test_an_idle_collector_sends_again_what_the_standby_lacks(new_run):
    """No frame is there to be refused, and no connection ends: the next beat shows that the store went back, and
    covers nothing until all is there again."""
    pair = Pair(synchronous=False)
    run = new_run(pair)
    run.start()
    run.wait_more(100)
    pair.cut_replication()
    run.wait_more(200)
    lost_at = datetime.now(timezone.utc)
    run.log.stop()
    run.system.wait_for(REQUESTS, len(run.log.audit_ids))
    pair.fail_over()
    went_back = len(run.log.audit_ids) - run.stored()
    assert went_back >= 150, "the standby had what it was meant to lack"
    deadline, lacking = time.monotonic() + 30, went_back
    while lacking:
        assert time.monotonic() < deadline, f"{lacking} lacking: " + run.system.log("c1")[-2000:]
        looks = run.looks()
        lacking = len(run.log.audit_ids) - run.stored()
        assert not lacking or all(instant(look["through"]) < lost_at for look in looks), (lacking, looks)
    events, requests = run.finish()
    assert len(run.marks()) == 1 and not run.gaps()
    print(f"acknowledged and lost by the failover {went_back}, all sent again: events {events}, requests {requests}")


@pytest.fixture(scope="module")
def formation():
    """After each test its nodes are as before: two failovers change the roles twice."""
    formation = AutoFailover()
    yield formation
    formation.remove()


@pytest.mark.parametrize("reach", [reach_directly, reach_by_a_pooler_each])
@pytest.mark.slow
def test_auto_failover_loses_nothing(formation, new_run):
    """pg_auto_failover promotes by itself; the dead server comes back as a standby, and the roles change again."""
    run = new_run(formation, is_shared=True, retain_events=0)
    run.start()
    for _ in range(2):
        run.wait_more(200)
        dead = formation.primary()
        kill_all(dead)
        run.wait_more(200, timeout=60)
        dead.start()
        formation.wait_states(["primary", "secondary"])
    events, requests = run.finish()
    assert len(run.marks()) == 1 and not run.gaps()
    assert "the store went back" not in run.system.log("c1")
    print(f"two failovers, events {events}, requests {requests}, lost 0, doubled 0")


@pytest.mark.parametrize("reach", [reach_directly, reach_by_a_pooler_each])
@pytest.mark.slow
def test_what_no_spool_has_any_more_is_a_gap(new_run):
    pair = Pair(synchronous=False)
    run = new_run(pair, retain_events=50)
    run.start()
    run.wait_more(200)
    pair.cut_replication()
    first_lost = datetime.now(timezone.utc)
    run.wait_more(1000)
    # The source forgets as well: nothing can be read anew.
    run.log.stop()
    run.system.wait_for(REQUESTS, len(run.log.audit_ids))
    last_lost = datetime.now(timezone.utc)
    ids, acked = list(run.log.audit_ids), run.stored()
    run.log.path.unlink()
    run.log = LiveAuditLog(run.log.path, SEED + 1)
    pair.fail_over()
    lost = acked - run.stored()
    assert lost >= 900
    run.log.start()
    run.wait_more(200)
    run.log.stop()
    run.system.wait_for(f"{REQUESTS} WHERE audit_id = '{run.log.audit_ids[-1]}'", 1)
    run.system.end("c1")
    _check_gap(run, ids, first_lost, last_lost)
    print(f"acknowledged and lost by the failover {lost}, gaps {run.gaps()}")


def _check_gap(run, ids, first_lost, last_lost):
    check_marks(run.database)
    check_log_is_dense(run.database)
    assert len(run.marks()) == 2, "no new epoch"
    # The gap reaches over all that was lost, and is not much wider.
    gaps = run.gaps()
    assert [gap["aspect"] for gap in gaps] == ["actor", "state"]
    for gap in gaps:
        assert first_lost - timedelta(seconds=15) <= instant(gap["from_at"]) <= first_lost, gaps
        assert last_lost <= instant(gap["to_at"]) <= last_lost + timedelta(seconds=30), gaps
    # What the collector still had came behind the gap; the others are lost. The sources were read anew, so the
    # log may have a request twice; an answer has it once.
    stored = [row["audit_id"] for row in run.database.query("SELECT audit_id FROM modeltrail_v1.requests")]
    assert len(stored) == len(set(stored))
    assert set(ids) - set(stored) and set(stored) <= set(ids) | set(run.log.audit_ids)
    # An answer about the lost time is no "no".
    lost_at = (first_lost + (last_lost - first_lost) / 2).strftime("%Y-%m-%dT%H:%M:%SZ")
    answer = run.system.ask("where", "nothing-of-this-name", "--cluster", "c1", "--as-of", lost_at)
    assert answer.returncode == 6, answer
    assert "the store lost events that this collector no longer had" in answer.stderr
