"""The collector's spool, publisher and loop as a process, against a store that misbehaves."""

import contextlib
import hashlib
import json
import os
import random
import signal
import sqlite3
import time

import pytest
from support.build import run
from support.collector import Collector, audit_event, audit_text, uid_of
from support.fake_store import FakeStore, hexed, new_keys
from support.process import free_port


@pytest.fixture
def new_store():
    stores = []

    def start(**options):
        stores.append(FakeStore(free_port(), **options).start())
        return stores[-1]

    yield start
    for store in stores:
        store.stop()


@pytest.fixture
def store(new_store):
    return new_store()


@pytest.fixture
def new_collector(tmp_path):
    made = []

    def make(stores, sources=None, **settings):
        sources = sources or [{"audit_log": {"path": str(tmp_path / "audit.log")}}]
        made.append(Collector(tmp_path, stores, sources, **settings))
        return made[-1]

    yield make
    for collector in made:
        if collector.daemon:
            collector.daemon.end(signal.SIGKILL)


def requests(store) -> list[str]:
    return [data["audit_id"] for data in store.of_type("request.audited")]


def expect(count: int, start: int = 0) -> list[str]:
    return [f"audit-{number}" for number in range(start, start + count)]


def append(tmp_path, numbers) -> None:
    with open(tmp_path / "audit.log", "a") as log:
        log.write(audit_text(numbers))


def test_hello_then_data_then_nothing_more_to_say(tmp_path, store, new_collector):
    append(tmp_path, range(3))
    done = new_collector(store).once()
    assert done.returncode == 0, done.stderr
    store.check()
    hello = store.hellos[0]
    assert (hello["collector"], hello["wire_min"], hello["wire_max"]) == ("eu-1", 1, 2)
    assert requests(store) == expect(3)
    assert [data["uid"] for data in store.of_type("workload.observed")] == \
        [uid_of(f"model-{n}") for n in range(3)]
    # A second run has the cursor: it says hello where it ended, and sends nothing.
    again = new_collector(store).once()
    assert again.returncode == 0, again.stderr
    assert store.hellos[1]["next_seq"] == str(len(store.events()) + 1)
    assert store.hellos[1]["chain"] == store.epochs[int(hello["epoch"])].chains[-1].hex()
    assert requests(store) == expect(3)


def test_many_events_in_few_frames(tmp_path, store, new_collector):
    append(tmp_path, range(5000))
    done = new_collector(store).once()
    assert done.returncode == 0, done.stderr
    store.check()
    assert requests(store) == expect(5000)
    assert store.largest <= 4 * 1024 * 1024
    assert all(frame["n"] <= 2000 for frame in store.frames)
    assert len(store.frames) < 200


def test_follows_and_beats_with_what_it_has_seen(tmp_path, store, new_collector):
    append(tmp_path, range(2))
    collector = new_collector(store).start()
    collector.wait(lambda: len(requests(store)) == 2)
    append(tmp_path, range(2, 4))
    collector.wait(lambda: len(requests(store)) == 4)
    collector.wait(lambda: store.beats and store.beats[-1] == [{
        "aspect": "actor", "cluster": "c1", "namespace": None, "resource": None,
        "watched_since": "2026-01-01T00:00:00Z", "through": "2026-01-01T00:00:03Z"}])
    assert collector.stop() == 0
    store.check()


def test_acks_that_get_lost_cost_nothing(tmp_path, store, new_collector):
    store.swallow_acks = 2
    append(tmp_path, range(50))
    done = new_collector(store, timeout_ms=300).once()
    assert done.returncode == 0, done.stderr
    assert "does not acknowledge" in done.stderr
    store.check()
    assert requests(store) == expect(50)


def test_frames_that_get_lost_are_sent_again(tmp_path, store, new_collector):
    store.swallow_frames = 1
    append(tmp_path, range(3000))
    done = new_collector(store, timeout_ms=300).once()
    assert done.returncode == 0, done.stderr
    store.check()
    assert requests(store) == expect(3000)


@pytest.mark.parametrize("reason", ["gap", "draining"])
def test_goes_on_after_a_nack(tmp_path, store, new_collector, reason):
    store.nack_next = reason
    append(tmp_path, range(20))
    done = new_collector(store).once()
    assert done.returncode == 0, done.stderr
    assert f"nack {reason}" in done.stderr
    store.check()
    assert requests(store) == expect(20)


def test_fails_over_to_another_store(tmp_path, new_store, new_collector):
    first = new_store()
    second = new_store(keys=(first.public, first._secret))
    first.nack_hello = "draining"
    append(tmp_path, range(5))
    done = new_collector([first, second]).once()
    assert done.returncode == 0, done.stderr
    assert first.events() == []
    assert requests(second) == expect(5)


def test_two_dead_stores_are_said_once_each(tmp_path, new_store, new_collector):
    first = new_store()
    second = new_store(keys=(first.public, first._secret))
    first.stop()
    second.stop()
    append(tmp_path, range(2))
    collector = new_collector([first, second]).start()
    collector.wait(lambda: collector.says(first.address) and collector.says(second.address))
    time.sleep(2)
    assert collector.log.read_text().count("cannot connect") == 2
    second.start()
    collector.wait(lambda: len(requests(second)) == 2)
    assert collector.stop() == 0


def test_store_that_comes_late_and_goes_and_comes_back(tmp_path, store, new_collector):
    store.stop()
    append(tmp_path, range(10))
    collector = new_collector(store).start()
    collector.wait(lambda: collector.says("cannot connect to store"))
    store.start()
    collector.wait(lambda: len(requests(store)) == 10)
    store.stop()
    append(tmp_path, range(10, 30))
    time.sleep(1)
    store.start()
    collector.wait(lambda: len(requests(store)) == 30)
    store.check()
    assert requests(store) == expect(30)
    assert collector.stop() == 0
    # Said once, not at every attempt.
    assert collector.log.read_text().count("cannot connect to store") == 2


def test_store_that_went_back_gets_retained_events(tmp_path, store, new_collector):
    append(tmp_path, range(40))
    assert new_collector(store).once().returncode == 0
    before = store.events()
    (epoch,) = store.epochs.values()
    epoch.cut(7)
    append(tmp_path, range(40, 42))
    done = new_collector(store).once()
    assert done.returncode == 0, done.stderr
    assert "went back" in done.stderr
    store.check()
    assert store.events()[:len(before)] == before
    assert requests(store) == expect(42)


def test_store_that_lost_more_than_is_retained_gets_a_gap_and_everything_anew(
        tmp_path, store, new_collector):
    append(tmp_path, range(1500))
    settings = {"retain_events": 100}
    collector = new_collector(store, **settings).start()
    collector.wait(lambda: len(requests(store)) == 1500)
    append(tmp_path, range(1500, 1502))  # lets the spool trim
    collector.wait(lambda: len(requests(store)) == 1502)
    collector.wait(lambda: store.beats)
    assert collector.stop() == 0
    (old,) = store.epochs
    store.epochs[old].cut(5)
    collector.start()
    collector.wait(lambda: len(store.epochs) == 2 and len(requests(store)) >= 1502 + 2)
    collector.wait(lambda: set(expect(1502)) <= set(requests(store)))
    assert collector.stop() == 0
    store.check()
    new = max(store.epochs)
    assert new > old
    gaps = store.of_type("scope.gap")
    assert [gap["aspect"] for gap in gaps[:2]] == ["state", "actor"]
    assert all(gap["namespace"] is None and gap["from"] < gap["to"] for gap in gaps[:2])
    assert collector.says("a new epoch begins")


def test_fork_is_loud_and_nothing_is_sent(tmp_path, store, new_collector):
    append(tmp_path, range(5))
    assert new_collector(store).once().returncode == 0
    store.corrupt_chain = True
    append(tmp_path, range(5, 8))
    sent = len(store.frames)
    done = new_collector(store).once()
    assert done.returncode == 1
    assert "level=error" in done.stderr and "fork" in done.stderr
    assert len(store.frames) == sent
    # Followed rather than once: it stays, keeps spooling, and is well again when the store is.
    collector = new_collector(store).start()
    collector.wait(lambda: collector.says("fork"))
    append(tmp_path, range(8, 9))
    time.sleep(0.6)
    assert collector.daemon.is_running()
    assert len(store.frames) == sent
    assert collector.stop() == 0
    store.corrupt_chain = False
    assert new_collector(store).once().returncode == 0
    store.check()
    assert requests(store) == expect(9)


def test_restored_spool_is_a_fork(tmp_path, store, new_collector):
    append(tmp_path, range(5))
    collector = new_collector(store)
    assert collector.once().returncode == 0
    copy = collector.spool.read_bytes()
    append(tmp_path, range(5, 9))
    assert collector.once().returncode == 0
    collector.spool.write_bytes(copy)
    # The same log again would give the same events, and no harm; but this one is gone.
    (tmp_path / "audit.log").write_text(audit_text(range(5)))
    done = collector.once()
    assert done.returncode == 1
    assert "more events of this epoch than this spool ever made" in done.stderr


def test_refusal_is_said_and_tried_again_later(tmp_path, store, new_collector):
    store.nack_hello = "not_allowed"
    append(tmp_path, range(2))
    collector = new_collector(store).start()
    collector.wait(lambda: collector.says("nack not_allowed"))
    assert collector.daemon.is_running()
    assert store.frames == []
    assert collector.stop() == 0


def test_unknown_key_is_told_with_a_hint(tmp_path, new_store, new_collector):
    store = new_store(allowed={new_keys()[0]})
    append(tmp_path, range(2))
    collector = new_collector(store).start()
    collector.wait(lambda: collector.says("refused this collector's key"))
    assert store.hellos == []
    assert collector.stop() == 0


@pytest.mark.parametrize("reason", ["not_allowed", "too_large"])
def test_once_ends_when_the_store_refuses(tmp_path, store, new_collector, reason):
    """A batch job must end; what it read waits in the spool for the next one."""
    store.nack_hello = reason
    append(tmp_path, range(2))
    collector = new_collector(store)
    done = collector.once(timeout=20)
    assert done.returncode == 1
    assert f"refused: nack {reason}" in done.stderr
    store.nack_hello = None
    assert collector.once().returncode == 0
    assert requests(store) == expect(2)


def test_once_ends_when_no_store_knows_its_key(tmp_path, store, new_store, new_collector):
    stranger = new_store(allowed={new_keys()[0]})
    append(tmp_path, range(2))
    done = new_collector(stranger).once(timeout=20)
    assert done.returncode == 1
    assert "refused this collector's key" in done.stderr.splitlines()[-1]


def test_once_asks_the_other_store_when_one_refuses(tmp_path, new_store, new_collector):
    """It may have heard of the key already; one that is away says nothing about it."""
    keys = new_keys()
    stranger, gone = new_store(keys=keys, allowed={new_keys()[0]}), new_store(keys=keys)
    append(tmp_path, range(2))
    collector = new_collector([stranger, gone])
    assert collector.once().returncode == 0
    assert requests(gone) == expect(2)
    gone.stop()
    append(tmp_path, range(2, 4))
    done = collector.once(timeout=20)
    assert done.returncode == 1 and "refused this collector's key" in done.stderr.splitlines()[-1]


def test_wrong_store_key_is_told_with_a_hint(tmp_path, store, new_collector):
    append(tmp_path, range(2))
    collector = new_collector(store)
    text = collector.config.read_text()
    collector.config.write_text(text.replace(store.store_key, hexed(new_keys()[0])))
    collector.start()
    collector.wait(lambda: collector.says("CURVE handshake") and collector.says("store_key"))
    assert store.hellos == []
    assert collector.stop() == 0


def test_full_spool_stops_reading_and_goes_on_when_there_is_room(tmp_path, store, new_collector):
    store.stop()
    append(tmp_path, range(5000))
    collector = new_collector(store, spool_max_bytes=8 * 1024 * 1024).start()
    collector.wait(lambda: collector.says("is full"))
    time.sleep(2.5)
    # Once each time that it becomes full, not at every attempt: in 2.5 s there would be a dozen of those.
    assert 1 <= collector.log.read_text().count("nothing more can be accepted") <= 3
    assert collector.spool.stat().st_size < 24 * 1024 * 1024
    store.start()
    collector.wait(lambda: len(requests(store)) == 5000, timeout=40)
    collector.wait(lambda: collector.says("source goes on"))
    assert collector.stop() == 0
    store.check()
    assert requests(store) == expect(5000)


def test_spool_of_another_is_refused(tmp_path, store, new_collector):
    append(tmp_path, range(1))
    assert new_collector(store).once().returncode == 0
    done = run("modeltrail-collector", "--config", tmp_path / "eu-1.yaml", "--once",
               "--cluster", "c2")
    assert done.returncode == 1
    assert "belongs to cluster 'c1'" in done.stderr


def test_spool_in_use_is_refused(tmp_path, store, new_collector):
    append(tmp_path, range(1))
    collector = new_collector(store).start()
    collector.wait(lambda: len(requests(store)) == 1)
    done = collector.once()
    assert done.returncode == 1
    assert "in use" in done.stderr and "hint" in done.stderr
    assert collector.stop() == 0


def spooled(path) -> dict[tuple[int, int], bytes]:
    """(epoch, seq) -> line of all that a stopped collector's spool holds, its chain checked."""
    with contextlib.closing(sqlite3.connect(path)) as spool:
        if not spool.execute("SELECT 1 FROM sqlite_master WHERE name = 'spool'").fetchone():
            return {}  # killed before it began
        state = spool.execute("SELECT epoch, chain, base_chain FROM spool").fetchone()
        if state is None:
            return {}  # between the making of its tables and its first state
        epoch, chain, base_chain = state
        lines = {}
        for seq, stored, line in spool.execute("SELECT seq, chain, line FROM event ORDER BY seq"):
            base_chain = hashlib.sha256(base_chain + line).digest()
            assert base_chain == stored
            lines[epoch, seq] = line
        assert base_chain == chain
        return lines


def test_kill_under_load_loses_and_doubles_nothing(tmp_path, store, new_collector):
    """kill -9 of the collector, and a store that comes and goes, at random moments."""
    chance = random.Random(7)
    collector = new_collector(store)
    written = 0
    for _ in range(12):
        collector.start()
        for _ in range(chance.randint(1, 6)):
            count = chance.randint(1, 400)
            append(tmp_path, range(written, written + count))
            written += count
            time.sleep(chance.random() * 0.08)
        if chance.random() < 0.4:
            store.stop()
            time.sleep(chance.random() * 0.1)
            store.start()
        collector.daemon.end(signal.SIGKILL)
        kept = spooled(collector.spool)
        for number, epoch in store.epochs.items():
            for seq, line in enumerate(epoch.lines, 1):
                assert kept.get((number, seq), line) == line
    done = collector.once()
    assert done.returncode == 0, done.stderr
    store.check()
    assert len(store.epochs) == 1
    assert requests(store) == expect(written)


def test_keygen_does_not_replace_a_key(tmp_path):
    first = run("modeltrail-collector", "keygen", tmp_path / "k")
    assert first.returncode == 0 and len(first.stdout.strip()) == 64
    assert (tmp_path / "k").stat().st_mode & 0o777 == 0o600
    second = run("modeltrail-collector", "keygen", tmp_path / "k")
    assert second.returncode == 1 and "exists" in second.stderr


@pytest.mark.parametrize("args, words", [
    ([], "--config FILE is needed"),
    (["--nonsense"], "unknown option '--nonsense'"),
    (["--config", "/nonexistent"], "cannot open /nonexistent"),
    (["keygen"], "keygen takes 1 argument, not 0; hint: modeltrail-collector keygen FILE"),
    (["keygen", "a", "b"], "keygen takes 1 argument, not 2"),
    (["foo"], "unknown command 'foo'; hint: "),
    (["foo", "--config", "/nonexistent"], "unknown command 'foo'"),
])
def test_usage_errors_exit_2(args, words):
    done = run("modeltrail-collector", *args)
    assert done.returncode == 2
    assert words in done.stderr


def test_a_configuration_may_come_through_a_pipe(tmp_path, store, new_collector):
    """It is read once. One that nobody writes to is empty, and not waited for."""
    (tmp_path / "audit.log").write_text(audit_text(range(3)))
    collector = new_collector(store)
    argv = ["modeltrail-collector", "--config", "/dev/stdin", "--once"]
    done = run(*argv, input=collector.config.read_text())
    assert done.returncode == 0, done.stderr
    assert requests(store) == expect(3)
    os.mkfifo(tmp_path / "config")
    done = run("modeltrail-collector", "--config", tmp_path / "config", timeout=10)
    assert done.returncode == 2 and "is empty" in done.stderr


def test_help_and_version():
    shown = run("modeltrail-collector", "--help")
    assert shown.returncode == 0 and "--once" in shown.stdout and "keygen FILE" in shown.stdout
    assert run("modeltrail-collector", "--version").stdout.startswith("modeltrail-collector ")


def test_an_oversized_object_does_not_stall_the_stream(tmp_path, store, new_collector):
    big = audit_event(1)
    big["responseObject"]["spec"]["padding"] = "x" * 5_000_000
    with open(tmp_path / "audit.log", "w") as log:
        log.write(audit_text([0]) + json.dumps(big) + "\n" + audit_text([2]))
    done = new_collector(store).once()
    assert done.returncode == 0, done.stderr
    store.check()
    assert requests(store) == expect(3)
    assert max(len(line) for epoch in store.epochs.values() for line in epoch.lines) <= 1024 * 1024
