"""Reads the file in which a collector keeps its events, and holds it against itself."""

import hashlib
import shutil
import sqlite3
import tempfile
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from faults.counts import Mismatch


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


# What a spool stands for that was not made yet.
NO_SPOOL = Spool(epoch=0, last=0, acked=0, base=0, base_chain=bytes(32), lines=[], cursors={})


def read_spool(path: Path) -> Spool | None:
    """The spool of a collector that is down, whole in itself. It is read from a copy: what a killed program left in its
    journal must stay as it is. None: no spool was made yet."""
    with _copy(path) as database:
        if database is None:
            return None
        verdict = database.execute("PRAGMA integrity_check").fetchone()[0]
        if verdict != "ok":
            raise Mismatch(f"the spool is not a sound database: {verdict}")
        return _read(database)


def read_acknowledged(path: Path) -> tuple[int, int] | None:
    """The epoch, and how far it is acknowledged: of a spool that nobody writes, without looking at its events."""
    with _copy(path) as database:
        return database and database.execute("SELECT epoch, acked FROM spool").fetchone()


@contextmanager
def _copy(path: Path):
    """A copy as a database, or None where there is no spool."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy.db"
        for ending in ("", "-wal", "-journal"):
            if Path(f"{path}{ending}").exists():
                shutil.copyfile(f"{path}{ending}", f"{copy}{ending}")
        if not copy.exists():
            yield None
            return
        try:
            with closing(sqlite3.connect(copy)) as database:
                is_made = database.execute("PRAGMA user_version").fetchone()[0] != 0
                yield database if is_made else None
        except sqlite3.DatabaseError as error:
            raise Mismatch(f"the spool cannot be read: {error}") from error


def _read(database) -> Spool | None:
    state = database.execute("SELECT epoch, next_seq, acked, base_seq, base_chain, chain FROM spool").fetchone()
    rows = database.execute("SELECT seq, chain, line FROM event ORDER BY seq").fetchall()
    if state is None:  # between the making of its tables and its first state
        if rows:
            raise Mismatch(f"the spool has {len(rows)} events and no state")
        return None
    epoch, next_seq, acked, base, base_chain, newest_chain = state
    last, chain = base, base_chain
    for seq, stored, line in rows:
        last, chain = last + 1, hashlib.sha256(chain + line).digest()
        if (seq, stored) != (last, chain):
            raise Mismatch(f"the spool's event {seq} is not event {last} of its chain")
    if (last, chain) != (next_seq - 1, newest_chain):
        raise Mismatch(f"the spool ends at event {last}, and its state is that of event {next_seq - 1}")
    return Spool(epoch, last, acked, base, base_chain, [line for *_, line in rows],
                 dict(database.execute("SELECT key, value FROM cursor")))
