"""Faults of the disk under a collector's spool: power cuts, and calls that fail."""

import signal
import time

from faults.counts import Mismatch
from faults.disk import WAITS, Fault
from faults.power import Platter, shim_environment
from faults.world import World

PATIENCE = 5.0  # seconds for a fault to come by
TRIES = 10
EFFECT = 1.0  # seconds for what follows from it


class Disk:
    """The shim's disk under one collector of a world."""

    def __init__(self, world, name):
        self.world, self.name = world, name
        self.fault, self.hits = world.folder / f"{name}.fault", world.folder / f"{name}.hits"
        self.platter = Platter(world.folder / f"{name}.db", world.folder / f"{name}.journal")
        self.log = world.folder / f"{name}.log"

    def begin(self, **settings):
        """Puts the shim under a collector that ran without it."""
        if self.world.system.end(self.name) != 0:
            raise Mismatch(f"{self.name} did not end well: {self.log.read_text()[-500:]}")
        self.platter.take_as_synced()
        self.environment = shim_environment(self.platter.spool, fault=self.fault, hits=self.hits, **settings)
        self.start()

    def start(self):
        self.fault.unlink(missing_ok=True)
        self.world.system.start_collector(self.name, env=self.environment)

    def arm(self, fault):
        self.said = self.log.stat().st_size
        self.hits.unlink(missing_ok=True)
        self.fault.write_text(str(fault))

    def says(self, words):
        return words in self.log.read_text(errors="replace")[self.said:]

    def was_hit(self):
        """A call has failed since the fault was armed."""
        return self.hits.exists()

    def wait(self, is_so, timeout=PATIENCE):
        deadline = time.monotonic() + timeout
        while not is_so() and time.monotonic() < deadline:
            time.sleep(0.005)
        return is_so()

    def has_ended(self):
        return not self.world.system.daemons[self.name].is_running()

    def revive(self):
        """Starts it again when a fault has ended it, which may be a moment after the fault was taken away."""
        time.sleep(0.1)
        if not self.has_ended():
            return
        how = self.take_down()
        if how != 1:
            raise Mismatch(f"{self.name} ended with {how}: {self.log.read_text()[-500:]}")
        self.start()

    def take_down(self, how=signal.SIGKILL):
        return self.world.system.end(self.name, how)


def power(rng, rounds, rate):
    """Power cuts: a collector dies at some call, and what it had not synced is lost, torn, or there."""
    with World(rng, rate, retain=50).start() as world:
        disks = [Disk(world, name) for name in world.collectors]
        for disk in disks:
            disk.begin(journal=disk.platter.journal)
        for _ in range(rounds):
            disk = rng.choice(disks)
            while True:
                died_by_itself = die(rng, disk)
                # A kill alone leaves what was not synced at risk; the shim's own kill only, since another may come
                # between a call and its note.
                if not died_by_itself or rng.random() < 0.7:
                    break
                disk.start()
            disk.platter.cut(rng)
            world.counts.faults["power cut"] += 1
            world.check_acknowledged()
            disk.start()
        return world.check()


def die(rng, disk):
    disk.arm(Fault("any", int(10 ** rng.uniform(0, 2.3)), "KILL", "once"))
    disk.wait(disk.has_ended)
    died = disk.has_ended()
    how = disk.take_down()
    if how != -signal.SIGKILL:
        raise Mismatch(f"{disk.name} ended with {how}: {disk.log.read_text()[-500:]}")
    return died


def disk(rng, rounds, rate):
    """Calls that fail: EIO and ENOSPC, of writes and syncs, once or for a while."""
    with World(rng, rate, retain=50).start() as world:
        disks = [Disk(world, name) for name in world.collectors]
        for one in disks:
            one.begin()
        for _ in range(rounds):
            fail(rng, rng.choice(disks), world.counts)
            world.check_acknowledged()
        for one in disks:
            one.revive()
        return world.check()


def fail(rng, disk, counts):
    """One fault that comes to pass, with what came of it; SQLite hides some (a hint, the sync of its folder)."""
    fault = arm_until_hit(rng, disk)
    disk.wait(lambda: disk.has_ended() or disk.says(WAITS), EFFECT)
    outcome = "waited" if disk.says(WAITS) else "stopped" if disk.has_ended() else "unnoticed"
    counts.faults[f"{fault.call} {fault.what} {outcome}"] += 1
    disk.fault.unlink()
    if fault.call == "sync" and outcome == "waited":
        raise Mismatch(f"{disk.name} goes on after '{fault}': {disk.log.read_text()[-500:]}")
    disk.revive()


def arm_until_hit(rng, disk):
    """A fault whose call never comes is none: then another one is tried."""
    for _ in range(TRIES):
        fault = Fault(rng.choice(("write", "sync")), int(10 ** rng.uniform(0, 1.7)), rng.choice(("EIO", "ENOSPC")),
                      rng.choice(("once", "on")))
        disk.arm(fault)
        if disk.wait(disk.was_hit):
            return fault
        disk.fault.unlink()
    raise Mismatch(f"no call of {disk.name} failed in {TRIES} tries: {disk.log.read_text()[-500:]}")
