"""Back-pressure and bounds: what fifty collectors at full speed, a stalled PostgreSQL, strangers and collectors that
break the rules can take of the store's memory; whether anybody starves; what a full spool does.

Memory is measured on the release build, since a sanitizer's own would drown it."""

import contextlib
import itertools
import json
import os
import shutil
import signal
import socket
import sqlite3
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
import zmq
from faults.checker import check_log_is_dense, check_marks
from support.build import build_folder, run
from support.collector import Collector, audit_text, time_of
from support.fake_store import FakeStore
from support.process import Daemon, free_port
from support.system import System
from support.wire import WireCollector

MIB = 1 << 20
COLLECTORS = int(os.environ.get("MODELTRAIL_FLOOD_COLLECTORS", "50"))
SECONDS = float(os.environ.get("MODELTRAIL_FLOOD_SECONDS", "5"))  # of each: running, stalled, running again
BOUND = (128 + 2 * COLLECTORS) * MIB


@pytest.fixture
def plain_build(monkeypatch):
    """The release build, in place of a sanitized one."""
    folder = build_folder()
    if b"__asan_init" in (folder / "modeltrail-store").read_bytes():
        folder = folder.parent / "release"
        assert (folder / "modeltrail-store").exists(), "no release build; hint: cmake --build --preset release"
    monkeypatch.setenv("MODELTRAIL_BUILD", str(folder))
    return folder


@pytest.fixture
def new_system(tmp_path, database, plain_build):
    """A running store for named collectors, each with a cluster of its own, with more lines of configuration."""
    with contextlib.ExitStack() as ends:
        def start(names, **settings):
            system = System(tmp_path / "system", database, {name: (f"c-{name}", None) for name in names})
            ends.callback(system.stop)
            with open(system.folder / "store.yaml", "a") as config:
                config.writelines(f"{key}: {value}\n" for key, value in settings.items())
            system.start_store()
            return system
        yield start


def memory(system, what="VmRSS") -> float:
    """The store's resident memory in MiB: now, or its peak (VmHWM)."""
    for line in Path(f"/proc/{system.daemons['store'].pid}/status").read_text().splitlines():
        if line.startswith(what + ":"):
            return int(line.split()[1]) / 1024
    raise AssertionError(f"no {what}")


def connect(system, name, **more):
    return WireCollector(system.endpoint, bytes.fromhex(system.store_key), system.secret(name), name, **more)


@contextlib.contextmanager
def stalled(system):
    """The database takes no batch: its writer lock is held. Everything else of it works."""
    holder = subprocess.Popen(["psql", "-qXAt"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                              env=system.database.env())
    try:
        holder.stdin.write("BEGIN;\nSELECT 'held' FROM modeltrail.writer_lock FOR UPDATE;\n")
        holder.stdin.flush()
        assert holder.stdout.readline() == "held\n"
        yield
    finally:
        holder.stdin.close()
        holder.wait()


class Flood:
    """tests/drivers/collector_flood.c: the real spool and publisher, many times."""

    def __init__(self, system, build, count, line_bytes, backlog_bytes):
        # Fifty spools would measure the disk.
        shm = "/dev/shm" if os.path.isdir("/dev/shm") else None
        self.spools = tempfile.TemporaryDirectory(prefix="modeltrail-flood-", dir=shm)
        self.output = system.folder / "flood.out"
        self.daemon = Daemon([build / "drivers/driver_collector_flood", system.endpoint, system.store_key,
                              system.folder, self.spools.name, count, line_bytes, backlog_bytes], self.output)

    def finish(self):
        """Ends it once everything is acknowledged; {name: [(events, committed, acked)]} in seconds."""
        self.stopped = time.monotonic()
        assert self.daemon.end(signal.SIGTERM, timeout=150) == 0, self.daemon.log_tail()
        commits = {}
        for line in self.output.read_text().splitlines():
            words = line.split()
            if len(words) == 4 and words[1].isdigit():
                commits.setdefault(words[0], []).append((int(words[1]), int(words[2]) / 1000, int(words[3]) / 1000))
        return commits

    def end(self):
        self.daemon.end(signal.SIGKILL)
        self.spools.cleanup()


def quantile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def latencies(commits, share):
    """Of each collector, the quantile of commit-to-ack: from the spool's commit of events until their ack."""
    return {name: quantile([acked - done for _, done, acked in own], share) for name, own in commits.items()}


def check_nobody_starves(commits, stopped):
    """By time and by share: behind the end of the flood everybody is served, so what was acknowledged until then counts."""
    p99 = latencies(commits, 0.99)
    ratio = max(p99.values()) / statistics.median(p99.values())
    amounts = [max((events for events, _, acked in own if acked <= stopped), default=0) for own in commits.values()]
    print(f"commit-to-ack p50 {statistics.median(latencies(commits, 0.5).values()):.2f} s, p99 of the median collector "
          f"{statistics.median(p99.values()):.2f} s, of the slowest {max(p99.values()):.2f} s, ratio {ratio:.2f}, "
          f"events of a collector until the flood ends {min(amounts)} to {max(amounts)}")
    assert ratio <= 3
    assert min(amounts) * 3 >= statistics.median(amounts)


def flood(new_system, build, line_bytes, backlog_bytes):
    """Runs, stalls and runs again; gives the system, what was committed and acknowledged, and when the flood ended. All
    of it is stored once, and in order."""
    names = [f"f{i}" for i in range(1, COLLECTORS + 1)]
    system = new_system(names, memory_max_bytes=BOUND)
    flood = Flood(system, build, COLLECTORS, line_bytes, backlog_bytes)
    try:
        time.sleep(SECONDS)
        with stalled(system):
            time.sleep(SECONDS)
        time.sleep(SECONDS)
        commits = flood.finish()
    finally:
        flood.end()
    assert sorted(commits) == sorted(names)
    assert check_log_is_dense(system.database) - own_events(system) == sum(own[-1][0] for own in commits.values())
    check_marks(system.database)
    return system, commits, flood.stopped


@pytest.mark.slow
def test_fifty_collectors_and_a_stalled_database_keep_to_the_bound(new_system, plain_build):
    """With all windows full."""
    system, _, _ = flood(new_system, plain_build, line_bytes=16_000, backlog_bytes=2_300_000)
    peak = memory(system, "VmHWM")
    print(f"{COLLECTORS} collectors, bound {BOUND / MIB:.0f} MiB, peak {peak:.0f} MiB, after it {memory(system):.0f} MiB")
    assert peak * MIB <= BOUND


@pytest.mark.slow
def test_no_collector_of_fifty_starves(new_system, plain_build):
    """With small frames, so that each collector has many turns."""
    _, commits, stopped = flood(new_system, plain_build, line_bytes=2000, backlog_bytes=100_000)
    check_nobody_starves(commits, stopped)


def own_events(system):
    return system.rows("SELECT count(*) AS n FROM modeltrail.event WHERE collector = '_store'")[0]["n"]


def test_a_collector_that_waits_for_no_ack_is_bounded(new_system):
    """Frames of 1 MiB one behind the other, of which the first is held up by the database: what the store does not
    take stays with the sender."""
    system = new_system(["a", "b"], memory_max_bytes=144 * MIB)
    rude, other = connect(system, "a"), connect(system, "b")
    try:
        assert rude.hello()["kind"] == other.hello()["kind"] == "welcome"
        rude.socket.sndhwm = 4
        pad = "x" * 3900
        with stalled(system):
            sent = 0
            while sent < 250 and rude.socket.poll(3000, zmq.POLLOUT):
                rude.send_lines(rude.next_lines([("scope.gap", {"pad": pad})] * 256, "c-a"))
                sent += 1
            peak = memory(system)
        print(f"{sent} frames of 1 MiB sent, {peak:.0f} MiB")
        assert peak <= 144
        assert 4 < sent < 250
        assert other.publish([("scope.gap", {})], "c-b", timeout=30)["kind"] == "ack"
    finally:
        rude.close()
        other.close()


def test_events_that_are_all_tree_are_bounded(new_system):
    """An array of half a million numbers in 1 MiB: its tree takes forty times that."""
    names = ["a", "b", "c", "d", "e", "f"]
    system = new_system(names, memory_max_bytes=(128 + 16) * MIB)
    collectors = [connect(system, name) for name in names]
    tree = [0] * (MIB // 2 - 200)
    try:
        for collector in collectors:
            assert collector.hello()["kind"] == "welcome"
        with stalled(system):
            for _ in range(2):
                for collector in collectors:
                    collector.send_lines(collector.next_lines([("scope.gap", {"tree": tree})], f"c-{collector.name}"))
            time.sleep(5)
        for collector in collectors:
            while (answer := collector.receive(60))["acked"] != "2":
                assert answer["kind"] == "ack"
        print(f"twelve events that are all tree: peak {memory(system, 'VmHWM'):.0f} MiB, after it {memory(system):.0f} MiB")
        assert memory(system, "VmHWM") <= 144
    finally:
        for collector in collectors:
            collector.close()


def test_collectors_that_come_and_go_while_the_database_stalls_leave_nothing(new_system):
    system = new_system(["a", "b"])
    first = connect(system, "a")
    try:
        assert first.hello()["kind"] == "welcome"
        with stalled(system):
            first.send_lines(first.next_lines([("scope.gap", {})], "c-a"))
            time.sleep(0.5)
            before = memory(system)
            for _ in range(300):
                passing = connect(system, "b")
                passing.hello(timeout=0.02)
                passing.close()
            grown = memory(system) - before
        print(f"300 connections grew the store by {grown:.2f} MiB")
        assert grown < 1.5
        assert first.receive(20)["kind"] == "ack"
        last = connect(system, "b")
        assert last.hello(timeout=10)["kind"] == "welcome"
        last.close()
        # They are gone: nobody says that they connected.
        assert system.log("store").count("collector connected") < 20
    finally:
        first.close()


def test_strangers_take_little_and_are_let_go(new_system):
    system = new_system(["a"])
    files = Path(f"/proc/{system.daemons['store'].pid}/fd")
    few, before = len(list(files.iterdir())), memory(system)
    strangers = [socket.create_connection(("127.0.0.1", system.port)) for _ in range(1000)]
    try:
        time.sleep(1)
        known = connect(system, "a")
        assert known.hello()["kind"] == "welcome"
        assert known.publish([("scope.gap", {})], "c-a")["kind"] == "ack"
        known.close()
        grown = memory(system) - before
        print(f"1,000 strangers take {grown:.1f} MiB")
        assert grown < 16
        deadline = time.monotonic() + 15
        while len(list(files.iterdir())) > few + 2:
            assert time.monotonic() < deadline, "strangers are still connected"
            time.sleep(0.2)
    finally:
        for stranger in strangers:
            stranger.close()


def greet(system, name, least, most):
    """What the store answers to a collector of these wire versions."""
    collector = connect(system, name)
    try:
        collector.send({"kind": "hello", "collector": name, "program": "test", "wire_min": least, "wire_max": most,
                        "epoch": "1000", "next_seq": "1", "chain": "00" * 32})
        return collector.receive()
    finally:
        collector.close()


def test_the_highest_common_wire_version_is_spoken(new_system):
    system = new_system(["a"])
    old = greet(system, "a", 1, 1)
    assert (old["kind"], old["wire"]) == ("welcome", 1) and "window" not in old
    for least, most in ((1, 2), (2, 2), (1, 9), (2, 9)):
        new = greet(system, "a", least, most)
        assert (new["kind"], new["wire"]) == ("welcome", 2) and int(new["window"]) == 2 * MIB
    for least, most in ((3, 9), (0, 0)):
        refused = greet(system, "a", least, most)
        assert refused["kind"] == "nack" and "no common wire version" in refused["message"]


def test_memory_is_shared_out_as_windows(new_system):
    names = [f"f{i}" for i in range(1, 41)]
    system = new_system(names, memory_max_bytes=200 * MIB)
    new = int(greet(system, "f1", 1, 2)["window"])
    assert MIB < new < 2 * MIB
    # Those of version 1 take what they like, so the others get less, and not all of them have room.
    old = 0
    while (answer := greet(system, f"f{old + 2}", 1, 1))["kind"] == "welcome":
        old += 1
    assert "memory_max_bytes" in answer["message"] and 0 < old < 30
    less = int(greet(system, "f1", 1, 2)["window"])
    assert MIB < less < new


def test_an_old_collector_without_room_is_refused_and_named(new_system):
    """And nobody else: one that has its room comes back to it, and a newer one is told what it may take."""
    names = [f"f{i}" for i in range(1, 41)]
    system = new_system(names, memory_max_bytes=200 * MIB)
    welcomed = list(itertools.takewhile(lambda name: greet(system, name, 1, 1)["kind"] == "welcome", names))
    refused = names[len(welcomed)]
    assert 0 < len(welcomed) < len(names)
    answer = greet(system, refused, 1, 1)
    assert (answer["kind"], answer["reason"]) == ("nack", "not_allowed")
    assert answer["message"] == ("no memory for one more collector of wire version 1; hint: upgrade it, or raise the"
                                 " store's memory_max_bytes")
    assert greet(system, welcomed[-1], 1, 1)["kind"] == "welcome"  # it replaces its own older session
    assert greet(system, refused, 1, 1)["kind"] == "nack"
    assert greet(system, refused, 1, 2)["kind"] == "welcome"
    assert "no memory for one more collector of wire version 1" in system.log("store")
    # Room that is given back is taken.
    assert greet(system, welcomed[-1], 1, 2)["wire"] == 2
    assert greet(system, names[-1], 1, 1)["kind"] == "welcome"


def test_a_bound_that_cannot_be_kept_is_refused(new_system):
    system = new_system(["a", "b"])
    config = system.folder / "small.yaml"
    config.write_text((system.folder / "store.yaml").read_text() + "memory_max_bytes: 100000000\n")
    done = run("modeltrail-store", "run", "--config", config)
    assert done.returncode == 2 and "at least" in done.stderr and "2 collectors" in done.stderr


# ---- the collector's spool ----------------------------------------------------------------------------------------


def disk_bytes(spool):
    """What the spool and its files beside it take on disk."""
    return sum(path.stat().st_blocks * 512 for path in spool.parent.glob(spool.name + "*"))


def append(folder, numbers):
    with open(folder / "audit.log", "a") as log:
        log.write(audit_text(numbers))


def spool_state(spool, folder):
    """The source's place, the number of events and their bytes, as a copy of a running collector's files has them."""
    for path in spool.parent.glob(spool.name + "*"):
        shutil.copy(path, folder)
    with contextlib.closing(sqlite3.connect(folder / spool.name)) as copy:
        ((value,),) = copy.execute("SELECT value FROM cursor WHERE key LIKE 'audit_log:%'").fetchall()
        ((events, size),) = copy.execute("SELECT count(*), sum(length(line)) FROM event").fetchall()
        return int(json.loads(value)["offset"]), events, size


def test_a_full_spool_stops_its_source_and_claims_nothing(tmp_path):
    """Bounded on disk, with its write-ahead log; the file is read no further, the looks stand still, and it goes on by
    itself."""
    limit = 8 * MIB
    store = FakeStore(free_port()).start()
    collector = Collector(tmp_path, store, [{"audit_log": {"path": str(tmp_path / "audit.log"), "complete": True}}],
                          spool_max_bytes=limit)
    try:
        append(tmp_path, range(10))
        collector.start()
        collector.wait(lambda: store.beats and store.beats[-1])
        store.stop()
        append(tmp_path, range(10, 6000))
        collector.wait(lambda: collector.says("is full"))
        time.sleep(1.5)
        copies = tmp_path / "copies"
        copies.mkdir()
        offset, events, size = spool_state(collector.spool, copies)
        assert size <= limit and offset < (tmp_path / "audit.log").stat().st_size
        most = 0
        for number in range(6000, 6030):
            append(tmp_path, [number])
            time.sleep(0.1)
            most = max(most, disk_bytes(collector.spool))
        # Acknowledged events that were only retained make way meanwhile. A source tries again what did not fit, in steps
        # that are bounded by time: a shorter one may fit into the room that is left, and nothing beyond it.
        later = spool_state(collector.spool, copies)
        assert later[0] - offset <= limit - size and later[1] >= events - 20 and later[2] <= limit
        print(f"spool_max_bytes {limit / MIB:.0f} MiB, on disk {most / MIB:.1f} MiB")
        assert most <= 2 * limit + 17 * MIB  # pages and rows around the lines; SQLite's log of a thousand pages
        beats = len(store.beats)
        store.nack_hello = "draining"  # reachable, and takes nothing
        store.start()
        time.sleep(2)
        assert len(store.beats) == beats
        store.nack_hello = None
        collector.wait(lambda: len(store.of_type("request.audited")) == 6030, timeout=60)
        assert collector.says("source goes on")
        collector.wait(lambda: store.beats[-1][0]["through"][:19] == time_of(6029)[:19])
        assert collector.stop() == 0
        store.check()
    finally:
        if collector.daemon:
            collector.stop()
        store.stop()
