"""Compares sources, spools, acknowledgements and tables after a fault: lost, doubled, unexplained."""

import hashlib
import re
import subprocess
from collections import Counter
from dataclasses import dataclass, field

from faults.counts import Counts, Mismatch
from faults.spool_file import NO_SPOOL, read_spool

ZERO = bytes(32)
AUDIT_ID = re.compile(rb'"audit_id":"([^"]+)"')


def copy_rows(database, sql):
    """Rows of a query as lists of text, streamed: millions do not fit into one answer."""
    argv = ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", f"COPY ({sql}) TO STDOUT"]
    with subprocess.Popen(argv, env=database.env(), stdout=subprocess.PIPE) as child:
        for line in child.stdout:
            yield line.rstrip(b"\n").split(b"\t")
    if child.returncode != 0:
        raise Mismatch(f"psql failed on {sql}")


@dataclass
class Stream:
    """One epoch of a collector, as the log has it."""

    seq: int = 0
    chain: bytes = ZERO
    holes: int = 0
    requests: Counter = field(default_factory=Counter)  # audit id: how many events
    digests: dict = field(default_factory=dict)  # seq: of the newest lines


KEPT_DIGESTS = 20000  # more than any spool of a test retains


def read_streams(database):
    """{(collector, epoch): Stream}, recomputed from the stored bytes."""
    streams = {}
    rows = copy_rows(
        database,
        "SELECT e.collector, e.epoch, e.seq, encode(b.body, 'hex') FROM modeltrail.event e"
        " JOIN modeltrail.event_body b USING (log, log_index) WHERE e.collector <> '_store'"
        " ORDER BY e.collector, e.epoch, e.seq",
    )
    for collector, epoch, seq, body in rows:
        stream = streams.setdefault((collector.decode(), int(epoch)), Stream())
        line = bytes.fromhex(body.decode())
        stream.holes += int(seq) - stream.seq - 1
        stream.seq = int(seq)
        stream.chain = hashlib.sha256(stream.chain + line).digest()
        stream.digests[stream.seq] = hashlib.sha256(line).digest()
        stream.digests.pop(stream.seq - KEPT_DIGESTS, None)
        if b".request.audited." in line[:400] and (found := AUDIT_ID.search(line)):
            stream.requests[found[1]] += 1
    return streams


def check_marks(database, streams=None):
    """Every mark's seq and chain are those of the stored events, recomputed from their bodies; seq has no hole."""
    streams = read_streams(database) if streams is None else streams
    marks = database.query(
        "SELECT collector, epoch, seq, encode(chain, 'hex') AS chain FROM modeltrail.mark WHERE collector <> '_store'"
    )
    unmarked = set(streams) - {(mark["collector"], mark["epoch"]) for mark in marks}
    if unmarked:
        raise Mismatch(f"events without a mark: {sorted(unmarked)}")
    for mark in marks:
        stream = streams.get((mark["collector"], mark["epoch"]), Stream())
        if stream.holes or stream.seq != mark["seq"]:
            raise Mismatch(f"{mark['collector']}: stored sequence numbers are not 1..{mark['seq']}")
        if stream.chain.hex() != mark["chain"]:
            raise Mismatch(f"{mark['collector']}: the chain of the mark is not the chain of the bodies")


def check_log_is_dense(database):
    """log_index is 1..n without a hole, and each event has its body."""
    row = database.query(
        "SELECT count(*) AS n, coalesce(max(log_index), 0) AS newest,"
        " (SELECT count(*) FROM modeltrail.event_body) AS bodies FROM modeltrail.event"
    )[0]
    if not row["n"] == row["newest"] == row["bodies"]:
        raise Mismatch(f"the log is not dense: {row}")
    return row["n"]


def check_requests(database, cluster, audit_ids):
    """Each audited request is stored exactly once: nothing lost, nothing doubled."""
    counts = count_requests(database, cluster, audit_ids)
    if not counts.is_clean:
        raise Mismatch(f"{cluster}: {counts.notes}")
    return len(audit_ids)


def count_requests(database, cluster, audit_ids):
    # By the view behind `requests`: what two collectors saw, or one in two epochs, counts once.
    rows = copy_rows(database, f"SELECT audit_id FROM modeltrail.write_request WHERE cluster = '{cluster}'")
    have = Counter(row[0].decode() for row in rows)
    lost = set(audit_ids) - set(have)
    strange = set(have) - set(audit_ids)
    doubled = sum(count - 1 for count in have.values())
    counts = Counts(lost=len(lost), duplicated=doubled + len(strange))
    if not counts.is_clean:
        counts.notes.append(f"{cluster}: requests lost {sorted(lost)[:3]}, doubled {doubled}, from nowhere {len(strange)}")
    return counts


def count_doubled_events(streams):
    """A source's line that became two events of one epoch was read twice."""
    counts = Counts()
    for name, stream in streams.items():
        doubled = sum(count - 1 for count in stream.requests.values())
        if doubled:
            counts.duplicated += doubled
            counts.notes.append(f"{name}: {doubled} requests are two events of one epoch")
    return counts


def count_states(database, cluster, wanted):
    """`wanted` is a set of (uid, position) that the source had; the table holds each once and nothing else."""
    rows = copy_rows(database, f"SELECT uid, position FROM modeltrail.state WHERE cluster = '{cluster}' AND NOT removed")
    have = Counter((row[0].decode(), int(row[1])) for row in rows)
    lost = set(wanted) - set(have)
    strange = set(have) - set(wanted)
    doubled = sum(count - 1 for count in have.values())
    counts = Counts(lost=len(lost), duplicated=doubled + len(strange))
    if not counts.is_clean:
        counts.notes.append(f"{cluster}: states lost {sorted(lost)[:3]} ({len(lost)}), doubled {doubled}, "
                            f"from nowhere {sorted(strange)[:3]} ({len(strange)})")
    return counts


def count_quarantined(database):
    """Events that could not be used: holes in what is answered."""
    counts = Counts()
    for row in database.query("SELECT event_id, quarantined FROM modeltrail.event WHERE quarantined IS NOT NULL"):
        counts.gaps += 1
        counts.notes.append(f"quarantined: {row}")
    return counts


def is_empty(path):
    """Everything in the spool is acknowledged."""
    spool = read_spool(path) or NO_SPOOL
    return spool.acked == spool.last


def check_spool(path, collector, streams):
    """A drained spool ends where the log does, and holds the lines that the log holds."""
    spool = read_spool(path) or NO_SPOOL
    stream = streams.get((collector, spool.epoch), Stream())
    if spool.last != stream.seq or spool.acked != stream.seq:
        raise Mismatch(f"{collector}: its spool stands at {spool.last}, acknowledged {spool.acked}, "
                       f"the log at {stream.seq}")
    if spool.chain_at(spool.last) != stream.chain:
        raise Mismatch(f"{collector}: the spool's chain is not the log's")
    digests = {seq: hashlib.sha256(line).digest() for seq, line in enumerate(spool.lines, spool.base + 1)}
    differing = [seq for seq, digest in digests.items() if stream.digests.get(seq, digest) != digest]
    if differing:
        raise Mismatch(f"{collector}: lines {differing[:3]} differ between spool and log")
