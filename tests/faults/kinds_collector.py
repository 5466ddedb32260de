"""Faults of identity: two collectors over one scope, one spool on two machines, programs of another wire version."""

import os
import shutil
import signal
from pathlib import Path

from faults.frame_proxy import put_between
from faults.load import GrowingAuditLog
from faults.world import AUDITED, TWIN, World


def twins(rng, rounds, rate):
    """Two collectors with names of their own read the same audit log; either is killed. What both saw counts once."""
    with World(rng, rate, watch=False, twin=True).start() as world:
        for _ in range(rounds):
            world.pause()
            name = rng.choice([AUDITED, TWIN])
            world.kill(name)
            world.check_acknowledged()
            world.pause(0, 0.3)
            world.revive(name)
        return world.check()


def clones(rng, rounds, rate):
    """A spool is copied to another machine, where another audit log feeds it under the same name and key. Whoever
    comes second is refused; moving the original's spool away, as the message says, brings everything."""
    with World(rng, rate, watch=False).start() as world:
        # A new epoch begins with reading everything again, and says nothing of a gap, since nothing is missing.
        for number in range(rounds):
            world.pause(0.3, 0.8)
            clone_round(world, number)
        return world.check()


def clone_round(world, number):
    system = world.system
    system.end(AUDITED)
    spool = world.folder / f"{AUDITED}.db"
    for suffix in ("", "-wal"):
        if (source := spool.with_name(spool.name + suffix)).exists():
            shutil.copyfile(source, world.folder / f"clone.db{suffix}")
    other = GrowingAuditLog(world.folder / f"clone-{number}.log", world.random.getrandbits(32), namespace="dev",
                            workloads=3, name=f"clone{number}", position=world.audit.position + 10**6 * (number + 1))
    other.write(20)
    world.others.append(other)
    run_clone(world, other)
    forks = system.log(AUDITED).count("fork")
    system.start_collector(AUDITED)
    world.wait_until(lambda: system.log(AUDITED).count("fork") > forks, "the original is refused as a fork")
    system.end(AUDITED, signal.SIGKILL)
    world.check_acknowledged()
    for suffix in ("", "-wal"):
        spool.with_name(spool.name + suffix).unlink(missing_ok=True)
    world.counts.faults["spool cloned, fork refused"] += 1
    system.start_collector(AUDITED)


def run_clone(world, other):
    """The clone, on its own machine, with what it finds there, until all of it is acknowledged."""
    text = (world.folder / f"{AUDITED}.yaml").read_text()
    text = text.replace(f'"{world.folder}/{AUDITED}.db"', f'"{world.folder}/clone.db"')
    text = text.replace(f'"{world.audit.path}"', f'"{other.path}"')
    (world.folder / "clone.yaml").write_text(text)
    world.system.start_collector("clone")
    wanted = f"SELECT count(*) FROM modeltrail.request WHERE name LIKE '{other.prefix}-%'"
    world.system.wait_for(wanted, len(other.audit_ids))
    world.system.end("clone")


def versions(rng, rounds, rate):
    """The collector is downgraded and upgraded again, with the same spool: to the program of MODELTRAIL_BEFORE, a build
    of the version before, where there is one, and else to the wire version before this one: somebody on the wire
    takes the newer one out of its hello."""
    before = os.environ.get("MODELTRAIL_BEFORE")
    with World(rng, rate, watch=False) as world:
        system, proxy = world.system, put_between(world)
        world.start()
        for number in range(rounds):
            world.pause(0.2, 0.6)
            downgrades = number % 2 == 0
            system.end(AUDITED, rng.choice([signal.SIGKILL, signal.SIGTERM]))
            world.check_acknowledged()
            if before:
                system.programs[AUDITED] = Path(before) / "modeltrail-collector" if downgrades else None
            proxy.wire_max = 1 if downgrades and not before else None
            hellos = proxy.welcomes[1 if downgrades else 2]
            system.start_collector(AUDITED)
            world.wait_until(lambda: proxy.welcomes[1 if downgrades else 2] > hellos, "a welcome of that version")
            world.counts.faults["downgrade" if downgrades else "upgrade"] += 1
        return world.check()
