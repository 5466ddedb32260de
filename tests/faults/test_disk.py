"""A disk under the spool that fails at any call, or is full. MODELTRAIL_FAULT_EVERY=1 tries every call (some minutes);
CI tries each N-th, from a beginning that MODELTRAIL_FAULT_SEED chooses."""

import itertools
import os
import random
import signal
import subprocess
import time

import pytest
from faults.disk import WAITS, DiskRig, Fault, count_calls, disturb
from support.fake_kube import FakeKube

EVERY = int(os.environ.get("MODELTRAIL_FAULT_EVERY", "80"))
SEED = int(os.environ.get("MODELTRAIL_FAULT_SEED", "20261127"))
EVENTS = 40
DISK_BYTES = 4 << 20
# What a fault may end in. A failed hint (room ahead of need) and a failed sync of the folder by SQLite itself go
# unnoticed; our own sync of the folder does not.
ALLOWED = {
    ("write", "EIO"): {"stopped", "unnoticed"},
    ("write", "ENOSPC"): {"waited", "stopped", "unnoticed"},
    ("write", "SHORT"): {"unnoticed"},
    ("sync", "EIO"): {"stopped", "unnoticed"},
    ("sync", "ENOSPC"): {"stopped", "unnoticed"},
}


def faults(calls: dict, rng: random.Random):
    for (call, what), mode in itertools.product(ALLOWED, ("once", "on")):
        for at in range(1 + rng.randrange(min(EVERY, calls[call])), calls[call] + 1, EVERY):
            yield Fault(call, at, what, mode)


@pytest.mark.slow
@pytest.mark.parametrize("is_new", [True, False], ids=["new spool", "old spool"])
def test_a_failing_disk_loses_and_doubles_nothing(tmp_path, is_new):
    rng = random.Random(SEED)
    calls = count_calls(tmp_path / "count", EVENTS, is_new)
    assert calls["write"] > 50 and calls["sync"] > 5, calls
    tried = {}
    for number, fault in enumerate(faults(calls, rng)):
        outcome = disturb(tmp_path / str(number), fault, EVENTS, is_new)
        tried[fault] = outcome
        assert outcome in ALLOWED[fault.call, fault.what], (fault, outcome)
        # A spool that was already made waits for room, whenever it is; only the making of a new one cannot.
        assert is_new or (fault.call, fault.what) != ("write", "ENOSPC") or outcome != "stopped", (fault, outcome)
    outcomes = sorted(set(tried.values()))
    print(f"every {EVERY}, seed {SEED}: calls {calls}, faults {len(tried)}, outcomes "
          + ", ".join(f"{name} {list(tried.values()).count(name)}" for name in outcomes))
    assert {"stopped", "unnoticed"} <= set(outcomes)


class SmallDisk:
    """4 MB: a tmpfs where one may be mounted, else the shim's quota. `kind` says which."""

    def __init__(self, rig):
        self.rig, self.folder = rig, rig.folder / "disk"
        argv = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "modeltrail-test", self.folder]
        self.is_mounted = subprocess.run(argv, capture_output=True).returncode == 0
        self.kind = "tmpfs" if self.is_mounted else "quota"
        self.give(DISK_BYTES)

    def give(self, size: int):
        """How much of the disk is for the spool; the rest is others'."""
        if not self.is_mounted:
            self.rig.quota.write_text(str(size))
            return
        others = self.folder / "others"
        others.unlink(missing_ok=True)
        with open(others, "wb", buffering=0) as out:
            try:
                while size < DISK_BYTES and out.write(bytes(min(DISK_BYTES - size, 4096))):
                    size += 4096
            except OSError:
                pass  # the spool has the rest

    def take_all(self):
        """Others take all that is free."""
        used = sum(path.stat().st_blocks * 512 for path in self.folder.glob("spool.db*"))
        self.give(0 if self.is_mounted else used)

    def remove(self):
        if self.is_mounted:
            subprocess.run(["umount", "-l", self.folder], check=True)


@pytest.fixture
def full(tmp_path):
    """A collector on a small disk, whose store is down and whose source has more than fits."""
    rig = DiskRig(tmp_path / "rig", retain_events=10000)
    disk = SmallDisk(rig)
    print(f"the disk is a {disk.kind}")
    try:
        rig.store.stop()
        rig.grow(2500)
        rig.start()
        rig.wait(lambda: WAITS in rig.says(), "it waits for room")
        yield rig, disk
    finally:
        rig.close()
        disk.remove()


def drain(rig):
    rig.store.start()
    rig.wait(rig.is_stored, "all is stored", timeout=60)
    assert rig.child.poll() is None, rig.says()[-2000:]
    assert "source goes on" in rig.says()


def end(rig):
    """A clean end, and all is there once."""
    rig.child.send_signal(signal.SIGTERM)
    assert rig.child.wait(20) == 0, rig.says()[-2000:]
    assert rig.check().is_clean
    assert rig.finish().is_clean


def test_a_full_disk_waits_and_drains(full):
    rig, _ = full
    assert "its disk is full" in rig.says()
    rig.grow(100)
    waits = 0
    while waits != rig.says().count(WAITS):  # small pieces may fit for a while
        waits = rig.says().count(WAITS)
        time.sleep(2.5)
    # It goes on trying, and says once each time that it waits.
    assert rig.child.poll() is None and rig.says().count("source goes on") == waits - 1
    drain(rig)
    # More than the disk holds goes through it.
    for _ in range(2):
        rig.grow(1000)
        rig.wait(rig.is_stored, "all is stored", timeout=60)
    end(rig)


def test_a_full_disk_and_a_kill(full):
    rig, _ = full
    rig.child.kill()
    rig.child.wait()
    assert rig.check().is_clean
    rig.start()
    rig.wait(lambda: WAITS in rig.says(), "it waits for room again")
    drain(rig)
    end(rig)


def test_a_disk_without_a_byte_left(full):
    """Others take all that is free: the deletion of what the store has taken still finds its room in the log."""
    rig, disk = full
    disk.take_all()
    time.sleep(1.5)
    drain(rig)
    end(rig)


def test_a_clean_end_on_a_full_disk(full):
    """The log is deleted at a clean end, and others may take its room: then nothing fits until they give it back."""
    rig, disk = full
    rig.child.send_signal(signal.SIGTERM)
    assert rig.child.wait(20) == 0, rig.says()[-2000:]
    disk.take_all()
    rig.start()
    rig.wait(lambda: WAITS in rig.says(), "it waits for room again")
    rig.store.start()
    time.sleep(2)
    assert rig.child.poll() is None, rig.says()[-2000:]
    disk.give(DISK_BYTES)
    rig.wait(rig.is_stored, "all is stored", timeout=60)
    end(rig)


def test_a_watch_goes_on_after_a_full_disk(tmp_path):
    """The first transaction of a run finds no room, while nothing has come from the API server yet."""
    with FakeKube() as kube:
        kubeconfig = kube.write_kubeconfig(tmp_path / "kubeconfig")
        rig = DiskRig(tmp_path / "rig", source={"kubernetes": {"kubeconfig": str(kubeconfig), "namespaces": ["risk"]}})

        def is_known(obj):
            seen = [(data["uid"], data["position"]) for data in rig.store.of_type("workload.observed")]
            return (obj["metadata"]["uid"], obj["metadata"]["resourceVersion"]) in seen

        try:
            first = kube.create("first")
            rig.start()
            rig.wait(lambda: is_known(first), "the first object is stored")
            rig.child.kill()
            rig.child.wait()
            rig.fault.write_text(str(Fault("write", 1, "ENOSPC", "on")))
            rig.start()
            rig.wait(lambda: WAITS in rig.says(), "it waits for room")
            second = kube.create("second")
            rig.fault.unlink()
            rig.wait(lambda: is_known(second), "the second object is stored")
        finally:
            rig.close()
