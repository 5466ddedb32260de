"""Faults of identity: two collectors over one scope, one spool on two machines, programs of another wire version."""

import shutil
import signal

from faults.load import GrowingAuditLog
from faults.world import AUDITED, TWIN, World
from support.build import build_folder


def twins(rng, rounds, rate):
    """Two collectors with names of their own read the same audit log; either is killed. What both saw counts once."""
    with World(rng, rate, watch=False, twin=True).start() as world:
        for _ in range(rounds):
            world.pause()
            name = rng.choice([AUDITED, TWIN])
            world.kill(name)
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
    """The collector is downgraded to the wire version before this one, and upgraded again, with the same spool."""
    old = build_folder() / "tests" / "modeltrail-collector-wire-before"
    with World(rng, rate, watch=False).start() as world:
        for _ in range(rounds):
            world.pause(0.2, 0.6)
            world.system.end(AUDITED, rng.choice([signal.SIGKILL, signal.SIGTERM]))
            world.system.programs[AUDITED] = old if world.system.programs.get(AUDITED) is None else None
            world.system.start_collector(AUDITED)
            world.counts.faults["downgrade" if world.system.programs[AUDITED] else "upgrade"] += 1
        return world.check()
