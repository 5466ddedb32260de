"""Every k-th allocation fails, in the store's batch and in the collector's steps. Whatever it was for, the program ends
cleanly or goes on, nothing is half-applied, and a run without the fault from the same state makes exactly what a run
that never failed makes. MODELTRAIL_TORTURE_ALL=1 takes every allocation; MODELTRAIL_FAULT_SEED chooses others."""

import gzip
import json

from faults.checker import check_log_is_dense, check_marks
from faults.spool_file import NO_SPOOL, read_spool
from property.checking import driver
from property.histories import BORDER, draw_world
from support.build import program, run
from support.collector import Collector, audit_event, audit_text
from support.fake_kube import FakeKube
from support.fake_store import FakeStore
from support.kubernetes_driver import Belief, driver_path
from support.process import free_port
from support.torture import Run, Torture

# ---- the store's batch --------------------------------------------------------------------------

BATCH = 4
ROWS = {  # what may differ between two runs is left out: salts, hashes over them, recorded_at
    "event": "log_index, collector, epoch, seq, type, event_id, occurred_at, quarantined",
    "event_body": "log_index, body, data",
    "mark": "collector, epoch, seq, chain",
}
TABLES = ("workload", "state", "listing", "gap", "watched", "request", "namespace_label", "placement", "route",
          "change", "attribution", "checkpoint")


class Batches:
    """Two batches of one small world; each k gets it as another collector that speaks of other clusters."""

    def __init__(self, database):
        done = run("modeltrail-store", "migrate", database=database)
        assert done.returncode == 0, done.stderr
        self.database = database
        self.events = [entry for entry in draw_world(100, 2) if entry is not BORDER and "central" not in entry["type"]]
        self.events = self.events[:2 * BATCH - 1]
        self.events[0]["data"]["object"] = {"large": "x" * 100_000}  # more than libpq's buffer

    def argv(self, name):
        return [driver("driver_store_ingest"), self.database.dsn(), "--batch", BATCH, "--collector", name,
                "--first", 1, "--timeout", 5000]

    def lines(self, name):
        events = [json.dumps(event).replace('"cluster": "', f'"cluster": "{name}-') for event in self.events]
        return "\n".join(events[:4] + ['{"not": "usable"}'] + events[4:]).encode() + b"\n"

    def stored(self, name):
        """How many events of this collector are there, when all that tells of it says the same."""
        (events, bodies, mark), = self.database.psql(
            f"SELECT count(*), count(b.log_index), coalesce((SELECT max(seq) FROM modeltrail.mark"
            f" WHERE collector = '{name}'), 0) FROM modeltrail.event e"
            f" LEFT JOIN modeltrail.event_body b USING (log, log_index) WHERE e.collector = '{name}'")
        assert events == bodies == mark, f"{name}: {events} events, {bodies} bodies, the mark at {mark}"
        return int(events)

    def dump(self):
        columns = ROWS | {table: "t.*" for table in TABLES}
        return {table: self.database.psql(f"SELECT row({some})::text FROM modeltrail.{table} t ORDER BY 1")
                for table, some in columns.items()}


def repair(batches, name, folder):
    done = Run(batches.argv(name), folder, text=batches.lines(name))
    assert done.code == 0, done.err
    assert json.loads(done.out)["acked"] == 2 * BATCH and batches.stored(name) == 2 * BATCH
    return done


def test_store_batch(postgres, database, tmp_path):
    batches = Batches(database)
    names = ["whole"]
    with Torture("store batch", repair(batches, "whole", tmp_path).count) as torture:
        for k, from_on in torture.choices():
            names.append(f"k{k}{'on' if from_on else ''}")
            failed = Run(batches.argv(names[-1]), tmp_path, k, from_on, text=batches.lines(names[-1]))
            outcome = torture.note(failed)
            stored = batches.stored(names[-1])
            may_be = (2 * BATCH,) if outcome == "went on" else (0, BATCH, 2 * BATCH)
            assert stored in may_be, f"{failed}: {stored} events, half a batch"
            repair(batches, names[-1], tmp_path)
    assert check_log_is_dense(database) == len(names) * 2 * BATCH
    check_marks(database)
    other = postgres.create_database(f"{database.name}_whole")
    try:
        never_failed = Batches(other)
        for name in names:
            repair(never_failed, name, tmp_path)
        assert batches.dump() == never_failed.dump()
    finally:
        other.drop()


# ---- the collector's step -----------------------------------------------------------------------


class AuditStep:
    """A collector that reads an archive and a log to their end; each run begins with a new spool."""

    def __init__(self, folder):
        self.folder = folder
        self.store = FakeStore(free_port()).start()
        with gzip.open(folder / "audit.log.1.gz", "wt") as archive:
            archive.write(audit_text(range(3)))
        unusable = audit_event(4)
        unusable["responseObject"]["metadata"]["uid"] = "no uuid"
        (folder / "audit.log").write_text(
            audit_text([3]) + json.dumps(unusable) + "\nnot JSON\n" + audit_text([5, 6], userAgent="a\u00e9\\b"))
        self.collector = Collector(folder, self.store, [{"audit_log": {"path": str(folder / "audit.log*")}}],
                                   timeout_ms=1000)

    def forget(self):
        for file in self.folder.glob("eu-1.db*"):
            file.unlink()
        self.store.epochs.clear()

    def run(self, k=0, from_on=False):
        argv = [program("modeltrail-collector"), "--config", self.collector.config, "--once"]
        return Run(argv, self.folder, k, from_on)

    def spooled(self):
        """How many events are in the file, which is whole."""
        spool = read_spool(self.collector.spool) or NO_SPOOL
        assert spool.base == 0, "nothing is old enough to be deleted"
        return spool.last

    def told(self):
        """What the store was told, without what the clock decides, and without what a restart says again: how far the
        log was read (a beat may have been all that knew it)."""
        self.store.check()
        told = []
        for event in self.store.events():
            data = event["data"] | {"to": None} if "gap" in event["type"] else event["data"]
            one = (event["type"], event.get("subject"), data)
            if "watched" not in event["type"] or one not in told:
                told.append(one)
        return told


def test_collector_step_of_an_audit_log(tmp_path):
    step = AuditStep(tmp_path)
    try:
        whole = step.run()
        assert whole.code == 0, whole.err
        told = step.told()
        assert sum("request.audited" in event[0] for event in told) >= 6
        with Torture("collector step, audit log", whole.count) as torture:
            for k, from_on in torture.choices():
                step.forget()
                failed = step.run(k, from_on)
                torture.note(failed)
                assert len(step.told()) <= step.spooled(), f"{failed}: the store was told what is not in the spool"
                again = step.run()
                assert again.code == 0, f"{failed}: {again.err}"
                assert step.told() == told, f"{failed}: other events than those of a run that never failed"
                step.spooled()
    finally:
        step.store.stop()


class WatchStep:
    """The Kubernetes source against a fake API server: it lists and watches until it knows what there is, and is
    stopped then. What it printed is what it made durable, like its cursors."""

    OPTIONS = {"watch_s": 3, "grace_ms": 500, "look_again_ms": 300, "watched_ms": 500, "page": 2}

    def __init__(self, folder, fake):
        self.folder, self.fake, self.state = folder, fake, folder / "state"
        self.config = fake.write_kubeconfig(folder / "kubeconfig")
        fake.namespace_labels["risk"] = {"modeltrail.io/environment": "dev"}
        for number in range(5):
            fake.create(f"model-{number}")

    def run(self, k=0, from_on=False, before=""):
        """Gives the run and the belief that its events and those before it make."""
        updated = []

        def knows(out):
            lines = out[:out.rfind("\n") + 1]  # the last one may be under way
            belief = belief_of(before + lines)
            if belief.inventory() != self.fake.truth() or belief.open_gaps() or not belief.looks:
                return False
            if not updated:
                updated.append(self.fake.update("model-2"))  # for the watch
            return belief.inventory() == self.fake.truth()

        options = [f"--{name.replace('_', '-')}={value}" for name, value in self.OPTIONS.items()]
        argv = [driver_path(), f"--kubeconfig={self.config}", f"--state={self.state}", *options, "risk"]
        done = Run(argv, self.folder, k, from_on, until=knows, timeout=40)
        return done, belief_of(before + done.out)


def belief_of(text):
    belief = Belief()
    for line in text.splitlines():
        belief.add(json.loads(line))
    return belief


def test_collector_step_of_a_watch(tmp_path):
    with FakeKube(gzip_lists=True) as fake:
        step = WatchStep(tmp_path, fake)
        whole, belief = step.run()
        assert whole.code == 0 and belief.inventory() == fake.truth(), whole.err
        with Torture("collector step, Kubernetes", whole.count) as torture:
            for k, from_on in torture.choices():
                step.state.unlink(missing_ok=True)
                failed, belief = step.run(k, from_on)
                torture.note(failed)
                again, belief = step.run(before=failed.out)
                assert again.code == 0 and belief.inventory() == fake.truth(), f"{failed}: {again.err}"
                assert belief.of("input.rejected") == [], f"{failed}: an object was refused for want of memory"
