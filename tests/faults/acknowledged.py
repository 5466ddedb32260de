"""What collectors believe to be acknowledged, held against the tables while everything runs (invariant 1)."""

import re
import signal
import time
from contextlib import contextmanager

from faults.counts import Counts, Mismatch
from faults.spool_file import read_acknowledged

# A collector says one of these when a welcome shows less than was acknowledged. Retained events then heal what the
# store has lost, so that in the end no table shows it any more: the words are the evidence.
BROKEN = re.compile(r"the store went back|the store lost events")


@contextmanager
def held(daemon):
    """A program that stands still (SIGSTOP) meanwhile, so that its files are as a kill would leave them."""
    daemon.send(signal.SIGSTOP)
    try:
        deadline = time.monotonic() + 5
        while daemon.is_running() and not stands_still(daemon.pid):
            if time.monotonic() > deadline:
                raise Mismatch(f"process {daemon.pid} does not stop")
            time.sleep(0.001)
        yield
    finally:
        daemon.send(signal.SIGCONT)


def stands_still(pid):
    """The process is stopped, or gone."""
    try:
        with open(f"/proc/{pid}/stat") as status:
            return status.read().rpartition(")")[2].split()[0] in "TZX"
    except FileNotFoundError:
        return True


def read(path, daemon=None):
    """(epoch, acknowledged) of a spool, or None when there is none yet; `daemon` is who uses it, if anybody does."""
    if daemon is None or not daemon.is_running():
        return read_acknowledged(path)
    with held(daemon):
        return read_acknowledged(path)


def count_missing(spools, database):
    """How many acknowledged events are not committed. `spools` is {collector: (epoch, acknowledged)}, read before this is called: what
    is committed only grows, so a mark that is read later can be ahead of an acknowledgement, and never behind."""
    counts = Counts()
    rows = database.query("SELECT collector, epoch, seq FROM modeltrail.mark")
    committed = {(row["collector"], row["epoch"]): row["seq"] for row in rows}
    for name, (epoch, acked) in spools.items():
        have = committed.get((name, epoch), 0)
        if acked > have:
            counts.lost += acked - have
            counts.notes.append(f"{name}: {acked} acknowledged, {have} committed")
    return counts


def count_broken(name, log):
    """Each time that a collector found less in the store than was acknowledged counts as lost."""
    said = BROKEN.findall(log)
    return Counts(lost=len(said), notes=[f"{name}: {words}" for words in sorted(set(said))])
