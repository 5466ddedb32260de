"""Power cuts: the shim (tests/shims/disk.c) writes down what a collector does to its spool's files; from that a disk is
rebuilt as it may stand after a power cut, and the collector goes on with it.

The model of the disk: what a file held when it was last synced is there. Of each later write any of its sectors (512
bytes, or pages of 4 KiB) may be there or not; a new size may be lost; what lies in a hole may be zeros or rubbish. New
and deleted names last once the folder is synced, before that a beginning of them may have. A kill without a power cut
keeps everything, and what it left unsynced goes on to be at risk.
"""

import os
import random
import signal
import struct
import subprocess
import time
from pathlib import Path

from faults.counts import Counts, Mismatch
from faults.spool_check import Memory, check_against_store, check_cursor, compare
from faults.spool_file import read_spool
from support.build import build_folder, program
from support.collector import Collector, audit_text
from support.fake_store import FakeStore
from support.process import free_port

RECORD = struct.Struct("<IIqq")
CREATE, WRITE, TRUNCATE, EXTEND, SYNC, UNLINK = range(1, 7)


def shim_environment(spool: Path, **settings) -> dict:
    """The environment in which a collector runs on the shim's disk."""
    sanitizer = os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
    shim = {"LD_PRELOAD": str(build_folder() / "shims" / "disk.so"), "ASAN_OPTIONS": sanitizer.strip(":"),
            "DISK_PATH": str(spool)}
    return os.environ | shim | {f"DISK_{name.upper()}": str(value) for name, value in settings.items()}


def read_journal(path: Path):
    """Yields (kind, name, offset, bytes); offset is the size for TRUNCATE and EXTEND."""
    data = path.read_bytes() if path.exists() else b""
    at = 0
    while at < len(data):
        kind, name_length, offset, length = RECORD.unpack_from(data, at)
        at += RECORD.size
        name = data[at:at + name_length].decode()
        at += name_length
        yield kind, name, offset, data[at:at + length]
        at += length


class File:
    """What is certainly on the disk of one file, and what was asked for since."""

    def __init__(self, durable=b""):
        self.durable, self.pending = bytearray(durable), []

    def sync(self):
        for kind, offset, data in self.pending:
            _apply(self.durable, kind, offset, data)
        self.pending = []

    def after_cut(self, rng: random.Random) -> bytes:
        content = bytearray(self.durable)
        sector, share = rng.choice((512, 4096)), rng.choice((0, 0.1, 0.5, 0.9, 1))
        rubbish = rng.random() < 0.3
        for kind, offset, data in self.pending:
            if kind != WRITE:
                if rng.random() < share:
                    _apply(content, kind, offset, data)
                continue
            for begin, piece in _sectors(offset, data, sector):
                if rng.random() < share:
                    _apply(content, WRITE, begin, piece, rng if rubbish else None)
        return bytes(content)


def _sectors(offset, data, sector):
    at = 0
    while at < len(data):
        length = min(sector - (offset + at) % sector, len(data) - at)
        yield offset + at, data[at:at + length]
        at += length


def _apply(content: bytearray, kind, offset, data, rubbish=None):
    if kind == WRITE:
        hole = max(0, offset - len(content))
        content.extend(rubbish.randbytes(hole) if rubbish else bytes(hole))
        content[offset:offset + len(data)] = data
    elif kind == TRUNCATE and offset < len(content):
        del content[offset:]
    elif offset > len(content):
        content.extend(bytes(offset - len(content)))


class Platter:
    """The disk under one spool: a journal replayed on what the last cut left."""

    def __init__(self, spool: Path, journal: Path):
        self.spool, self.journal = spool, journal
        self.start = {}  # name -> bytes

    def take_as_synced(self):
        """What is there now is there for good."""
        self.start = {path.name: path.read_bytes() for path in self._paths()}
        self.journal.unlink(missing_ok=True)

    def _paths(self):
        return list(self.spool.parent.glob(self.spool.name + "*"))

    def _replay(self):
        """(names and files as the synced folder has them, names changed since)"""
        now = {name: File(data) for name, data in self.start.items()}
        durable, changes = dict(now), []
        for kind, name, offset, data in read_journal(self.journal):
            if kind == CREATE:
                now[name] = File()
                changes.append((name, now[name]))
            elif kind == UNLINK:
                now.pop(name, None)
                changes.append((name, None))
            elif kind == SYNC and name == ".":
                durable, changes = dict(now), []
            elif kind == SYNC:
                now[name].sync()
            else:
                now[name].pending.append((kind, offset, data))
        return durable, changes

    def cut(self, rng: random.Random):
        """Puts back what a disk may hold now."""
        files, changes = self._replay()
        for name, file in changes[: rng.randint(0, len(changes))]:
            if file is None:
                files.pop(name, None)
            else:
                files[name] = file
        self.start = {name: file.after_cut(rng) for name, file in files.items()}
        for path in self._paths():
            path.unlink()
        for name, data in self.start.items():
            (self.spool.parent / name).write_bytes(data)
        self.journal.unlink(missing_ok=True)


class Nothing(random.Random):
    """For a cut: a disk that kept nothing which was not synced."""

    def choice(self, options):
        return 0 if 0 in options else options[0]

    def randint(self, low, high):
        return low


class PowerRig:
    """One audit log, one collector on the shim's disk, and a store that remembers; the history goes on from round to
    round. With `lies`, the disk says that it has synced and has not."""

    def __init__(self, folder: Path, lies=False):
        self.folder = Path(os.path.realpath(folder))
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "disk").mkdir(exist_ok=True)
        self.log, self.log_ids = self.folder / "audit.log", []
        self.log.touch()
        self.store = FakeStore(free_port()).start()
        self.memory = Memory(self.store)
        self.collector = Collector(self.folder, self.store, [{"audit_log": {"path": str(self.log), "complete": True}}],
                                   spool=str(self.folder / "disk" / "spool.db"), retain_events=100)
        self.spool = self.folder / "disk" / "spool.db"
        self.fault, self.journal = self.folder / "fault", self.folder / "journal"
        self.platter = Platter(self.spool, self.journal)
        settings = {"fault": self.fault, "journal": self.journal} | ({"lies": 1} if lies else {})
        self.environment = shim_environment(self.spool, **settings)
        self.cuts = self.kills = 0

    def close(self):
        self.store.stop()

    def grow(self, count: int):
        """Appends requests to the audit log."""
        numbers = range(len(self.log_ids), len(self.log_ids) + count)
        with open(self.log, "a") as out:
            out.write(audit_text(numbers))
        self.log_ids += [f"audit-{number}" for number in numbers]

    def start(self) -> subprocess.Popen:
        argv = [program("modeltrail-collector"), "--config", self.collector.config]
        with open(self.collector.log, "ab") as out:
            return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=self.environment)

    def is_stored(self) -> bool:
        return len(self.memory.refresh()) >= len(self.log_ids)

    def wait(self, child, is_over, timeout=20):
        """Until it is so, or the child has ended."""
        deadline = time.monotonic() + timeout
        while child.poll() is None and not is_over():
            if time.monotonic() > deadline:
                child.kill()
                child.wait()
                raise Mismatch(f"not in {timeout} s:\n{self.tail()}")
            time.sleep(0.002)

    def tail(self) -> str:
        return self.collector.log.read_text(errors="replace")[-2000:]

    def run(self, rng: random.Random):
        """A life of the collector that ends at a random call, or, when it made fewer, by a signal."""
        self.fault.write_text(f"any {int(10 ** rng.uniform(0, 3))} KILL once")
        if rng.random() < 0.7:
            self.grow(rng.randint(1, 60))
        child = self.start()
        self.wait(child, self.is_stored)
        if child.poll() is None and rng.random() < 0.5:
            self.grow(rng.randint(1, 20))
            self.wait(child, self.is_stored)
        self.end(child, rng.choice((signal.SIGTERM, signal.SIGKILL)))

    def end_idle(self):
        """A life that ends by a kill once all is stored, if not before."""
        child = self.start()
        self.wait(child, self.is_stored)
        self.end(child, signal.SIGKILL)

    def end(self, child, how):
        if child.poll() is None:
            child.send_signal(how)
        code = child.wait(20)
        # A SIGTERM ends a program that has not begun to listen to signals.
        if code not in (0, -signal.SIGKILL, -signal.SIGTERM):
            raise Mismatch(f"the collector ended with {code}:\n{self.tail()}")
        self.kills += code != 0

    def check(self) -> Counts:
        """Raises Mismatch when the spool is not sound, or not the store's."""
        spool = read_spool(self.spool)
        check_against_store(spool, self.store.epochs)
        return check_cursor(spool, self.memory, self.log, self.log_ids)

    def cut(self, rng: random.Random) -> Counts:
        """Lives until a power cut: some die by a kill only, which the disk survives."""
        while True:
            self.run(rng)
            if rng.random() < 0.7:
                break
            counts = self.check()
            if not counts.is_clean:
                return counts
        self.platter.cut(rng)
        self.cuts += 1
        return self.check()

    def finish(self) -> Counts:
        """Lets the collector go on undisturbed, and compares the log with the store."""
        self.fault.unlink(missing_ok=True)
        child = self.start()
        self.wait(child, self.is_stored)
        self.end(child, signal.SIGTERM)
        self.store.check()
        counts = compare(self.memory.refresh(), self.log_ids, len(self.log_ids))
        counts.gaps = len(self.store.of_type("scope.gap"))
        return counts
