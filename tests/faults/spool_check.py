"""A spool file, a store's memory and an audit log side by side: what was lost, doubled, or torn from its chain."""

import hashlib
import json
import shutil
import sqlite3
from pathlib import Path
from typing import NamedTuple

from faults.checker import Counts, Mismatch

AUDITED = "dev.modeltrail.request.audited.v1"


class Spool(NamedTuple):
    """What a spool file holds, as SQLite recovers it."""

    epoch: int
    last: int
    acked: int
    base: int
    base_chain: bytes
    lines: list  # of events base + 1 .. last
    cursors: dict

    def chain_at(self, seq: int) -> bytes:
        chain = self.base_chain
        for line in self.lines[: seq - self.base]:
            chain = hashlib.sha256(chain + line).digest()
        return chain


def read_spool(path: Path, scratch: Path) -> Spool | None:
    """Reads a copy, so that looking recovers nothing in the file itself. None: no spool was made yet."""
    scratch.mkdir(exist_ok=True)
    copy = scratch / "copy.db"
    for ending in ("", "-wal", "-journal"):
        (scratch / f"copy.db{ending}").unlink(missing_ok=True)
        if Path(f"{path}{ending}").exists():
            shutil.copy(f"{path}{ending}", f"{copy}{ending}")
    if not copy.exists():
        return None
    database = sqlite3.connect(copy)
    try:
        verdict = database.execute("PRAGMA integrity_check").fetchone()[0]
        if verdict != "ok":
            raise Mismatch(f"the spool is not a sound database: {verdict}")
        return _read(database)
    except sqlite3.DatabaseError as error:
        raise Mismatch(f"the spool cannot be read: {error}") from error
    finally:
        database.close()


def _read(database) -> Spool | None:
    if database.execute("PRAGMA user_version").fetchone()[0] == 0:
        return None
    state = database.execute("SELECT epoch, next_seq, acked, base_seq, base_chain, chain FROM spool").fetchone()
    if state is None:
        return None
    epoch, next_seq, acked, base, base_chain, chain = state
    rows = database.execute("SELECT seq, line, chain FROM event ORDER BY seq").fetchall()
    if [row[0] for row in rows] != list(range(base + 1, next_seq)):
        raise Mismatch(f"the spool's events are not {base + 1}..{next_seq - 1}")
    spool = Spool(epoch, next_seq - 1, acked, base, base_chain, [bytes(row[1]) for row in rows],
                  dict(database.execute("SELECT key, value FROM cursor")))
    if spool.chain_at(spool.last) != chain:
        raise Mismatch("the spool's chain is not that of its events")
    return spool


def check_against_store(spool: Spool | None, epochs: dict) -> None:
    """What the store has acknowledged of the spool's history is the beginning of it: no fork, no gap."""
    newest = max((number for number, epoch in epochs.items() if epoch.acked), default=None)
    if newest is None:
        return
    if spool is None or spool.epoch != newest:
        raise Mismatch(f"the store has events of epoch {newest}, the spool has forgotten it")
    stored = epochs[newest]
    if stored.acked > spool.last:
        raise Mismatch(f"fork: the store has {stored.acked} events, the spool ever made {spool.last}")
    if stored.acked < spool.base:
        raise Mismatch(f"gap: the store has {stored.acked} events, the spool begins behind {spool.base}")
    if stored.chains[stored.acked] != spool.chain_at(stored.acked):
        raise Mismatch(f"fork: the chains differ at event {stored.acked}")


def audit_id(line: bytes) -> str | None:
    event = json.loads(line)
    return event["data"]["audit_id"] if event["type"] == AUDITED else None


class Memory:
    """The audited requests of a fake store's lines; each line is parsed once, however often one asks."""

    def __init__(self, store):
        self.store, self._seen, self.ids = store, {}, []

    def refresh(self) -> list[str]:
        for number, epoch in list(self.store.epochs.items()):
            seen = self._seen.get(number, 0)
            fresh = epoch.lines[seen:]  # the store's thread goes on appending
            self._seen[number] = seen + len(fresh)
            self.ids += [name for name in map(audit_id, fresh) if name]
        return self.ids


def compare(have: list[str], wanted: list[str], events: int) -> Counts:
    """Each wanted request exactly once, and no other."""
    found = set(have)
    strange = len(found - set(wanted))
    return Counts(events=events, lost=len(set(wanted) - found), duplicated=len(have) - len(found) + strange)


def check_cursor(spool: Spool | None, memory: Memory, log: Path, log_ids: list[str]) -> Counts:
    """What the cursor has moved past is in the store or in the spool, once; and nothing else is."""
    have = list(memory.refresh())
    passed = []
    if spool is not None:
        stored = memory.store.epochs.get(spool.epoch)
        behind = max((stored.acked if stored else 0) - spool.base, 0)
        have += [name for name in map(audit_id, spool.lines[behind:]) if name]
        for key, value in spool.cursors.items():
            if not key.startswith("audit_log:"):
                continue
            cursor = json.loads(value)
            if "offset" in cursor:
                with open(log, "rb") as source:
                    passed = log_ids[: source.read(int(cursor["offset"])).count(b"\n")]
    return compare(have, passed, len(have))
