"""Compares what was put into a source with what the tables hold: lost, doubled, unexplained."""

import hashlib


class Mismatch(AssertionError):
    """The promise did not hold; the message says where."""


def check_marks(database):
    """Every mark's seq and chain are those of the stored events, recomputed from their bodies; seq has no hole."""
    marks = database.query(
        "SELECT collector, epoch, seq, encode(chain, 'hex') AS chain FROM modeltrail.mark WHERE collector <> '_store'"
    )
    for mark in marks:
        bodies = database.query(
            "SELECT e.seq, encode(b.body, 'hex') AS body FROM modeltrail.event e"
            " JOIN modeltrail.event_body b USING (log, log_index)"
            f" WHERE e.collector = '{mark['collector']}' AND e.epoch = {mark['epoch']} ORDER BY e.seq"
        )
        numbers = [row["seq"] for row in bodies]
        if numbers != list(range(1, mark["seq"] + 1)):
            raise Mismatch(f"{mark['collector']}: stored sequence numbers are not 1..{mark['seq']}")
        chain = bytes(32)
        for row in bodies:
            chain = hashlib.sha256(chain + bytes.fromhex(row["body"])).digest()
        if chain.hex() != mark["chain"]:
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
    rows = database.query(f"SELECT audit_id FROM modeltrail.request WHERE cluster = '{cluster}'")
    have = [row["audit_id"] for row in rows]
    lost = set(audit_ids) - set(have)
    doubled = len(have) - len(set(have))
    strange = set(have) - set(audit_ids)
    if lost or doubled or strange:
        raise Mismatch(f"{cluster}: lost {len(lost)}, doubled {doubled}, from nowhere {len(strange)}")
    return len(have)
