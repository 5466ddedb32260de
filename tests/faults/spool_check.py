"""A spool file, a store's memory and an audit log side by side: what was lost, doubled, or torn from its chain."""

import json
from pathlib import Path

from faults.counts import Counts, Mismatch
from faults.spool_file import Spool

AUDITED = "dev.modeltrail.request.audited.v1"


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
