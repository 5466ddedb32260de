"""Disks that fail and disks that are full: one scripted run of a collector, with a fault at its k-th call.

A run reads an audit log to its end (--once), deletes what it need not retain, and ends. How it ends with a fault is its
outcome: `unnoticed` (exit 0, as if nothing was), `waited` (it said that a source waits, and ended well once the fault
was gone), `stopped` (exit 1, with the reason in the last line of its log). After each, an undisturbed run must bring
the store the rest, once."""

import os
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from faults.counts import Counts, Mismatch
from faults.power import SYNC, read_journal, shim_environment
from faults.spool_check import Memory, check_against_store, check_cursor, compare
from faults.spool_file import read_spool
from support.build import program
from support.collector import Collector, audit_text
from support.fake_store import FakeStore
from support.process import free_port

WAITS = "source waits: nothing more can be accepted"


class Fault(NamedTuple):
    """The k-th call of a kind fails; `mode` is once or on."""

    call: str
    at: int
    what: str
    mode: str

    def __str__(self):
        return " ".join(map(str, self))


class DiskRig:
    """One collector on the shim's disk, one store that remembers; the history goes on from run to run."""

    def __init__(self, folder: Path, retain_events=20, source=None):
        self.folder = Path(os.path.realpath(folder))
        (self.folder / "disk").mkdir(parents=True)
        self.log, self.log_ids = self.folder / "audit.log", []
        self.log.touch()
        self.store = FakeStore(free_port()).start()
        self.memory = Memory(self.store)
        self.spool = self.folder / "disk" / "spool.db"
        self.fault, self.quota, self.journal = (self.folder / name for name in ("fault", "quota", "journal"))
        self.environment = shim_environment(self.spool, fault=self.fault, quota=self.quota, journal=self.journal)
        self.collector = Collector(self.folder, self.store,
                                   [source or {"audit_log": {"path": str(self.log), "complete": True}}],
                                   spool=str(self.spool), retain_events=retain_events)
        self.child: subprocess.Popen | None = None
        self.outcomes: Counter = Counter()

    def close(self):
        if self.child and self.child.poll() is None:
            self.child.kill()
            self.child.wait()
        self.store.stop()

    def grow(self, count: int):
        """Appends requests to the audit log; each makes two events, 3 KB in all."""
        numbers = range(len(self.log_ids), len(self.log_ids) + count)
        with open(self.log, "a") as out:
            out.write(audit_text(numbers))
        self.log_ids += [f"audit-{number}" for number in numbers]

    def start(self, *args):
        argv = [program("modeltrail-collector"), "--config", self.collector.config, *args]
        self.collector.log.write_text("")
        with open(self.collector.log, "ab") as out:
            self.child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=self.environment)

    def says(self) -> str:
        return self.collector.log.read_text(errors="replace")

    def wait(self, is_so, what, timeout=20):
        deadline = time.monotonic() + timeout
        while not is_so():
            if time.monotonic() > deadline:
                raise Mismatch(f"not in {timeout} s: {what}\n{self.says()[-2000:]}")
            time.sleep(0.005)

    def has_ended(self) -> bool:
        return self.child.poll() is not None

    def is_stored(self) -> bool:
        return len(self.memory.refresh()) >= len(self.log_ids)

    def run(self, *args) -> str:
        """Runs --once to its end, taking the fault away once a source waits for that; gives the outcome."""
        self.start("--once", *args)
        self.wait(lambda: self.has_ended() or WAITS in self.says(), "it ends or waits")
        waited = WAITS in self.says()
        self.fault.unlink(missing_ok=True)
        self.wait(self.has_ended, "it ends")
        if self.child.returncode == 0:
            return "waited" if waited else "unnoticed"
        if self.child.returncode == 1 and "level=error" in self.says().splitlines()[-1]:
            return "stopped"
        raise Mismatch(f"the collector ended with {self.child.returncode}:\n{self.says()[-2000:]}")

    def check(self) -> Counts:
        spool = read_spool(self.spool)
        check_against_store(spool, self.store.epochs)
        return check_cursor(spool, self.memory, self.log, self.log_ids)

    def finish(self, *args) -> Counts:
        """The undisturbed run, and the comparison of log and store."""
        outcome = self.run(*args)
        if outcome != "unnoticed":
            raise Mismatch(f"an undisturbed run {outcome}:\n{self.says()[-2000:]}")
        self.store.check()
        counts = compare(self.memory.refresh(), self.log_ids, len(self.log_ids))
        counts.gaps = len(self.store.of_type("scope.gap"))
        return counts

    def disturbed(self, fault: Fault) -> str:
        """One run with a fault and one without; gives the outcome of the first."""
        self.fault.write_text(str(fault))
        outcome = self.run()
        self.outcomes[fault.call, fault.what, fault.mode, outcome] += 1
        for counts in (self.check(), self.finish()):
            if not counts.is_clean:
                raise Mismatch(f"fault '{fault}', {outcome}: {counts}")
        return outcome


def count_calls(folder: Path, events: int, is_new: bool) -> dict[str, int]:
    """How many writes and syncs an undisturbed run makes: of a new spool, or of one with a history."""
    rig = DiskRig(folder)
    try:
        if not is_new:
            prepare(rig)
        rig.journal.unlink(missing_ok=True)
        rig.grow(events)
        rig.finish()
        kinds = Counter(kind for kind, *_ in read_journal(rig.journal))
        return {"sync": kinds[SYNC], "write": kinds[2] + kinds[3] + kinds[4]}
    finally:
        rig.close()


def prepare(rig: DiskRig):
    """A history long enough for the next run to delete something, of which this run must delete nothing."""
    rig.grow(300)
    rig.finish("--retain-events", "10000")


def disturb(folder: Path, fault: Fault, events: int, is_new: bool) -> str:
    """The scripted run with one fault, on a rig of its own."""
    rig = DiskRig(folder)
    try:
        if not is_new:
            prepare(rig)
        rig.grow(events)
        return rig.disturbed(fault)
    finally:
        rig.close()
