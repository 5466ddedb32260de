"""Faults between store and PostgreSQL: a connection that ends around a COMMIT, and a database that goes back."""

import shutil
import signal
import subprocess
import time

from faults.loss import GAPS, Loss
from faults.pg_proxy import WAYS, CommitCutter
from faults.world import AUDITED, World


def commits(rng, rounds, rate):
    """The connection is cut just before COMMIT is forwarded, just after, or when its answer is on the way. Where there
    is a pooler it is the connection before it or the one behind it, by turns."""
    with World(rng, rate) as world:
        cutters = put_cutters(world)
        world.start()
        for number in range(rounds):
            cutter = cutters[number // len(WAYS) % len(cutters)]
            # Half of the time the store cannot come back before it is known what is committed.
            cutter.refuses_after_cut = rng.random() < 0.5
            before = sum(cutter.cuts.values())
            cutter.arm(WAYS[number % len(WAYS)])
            world.wait_until(lambda: sum(cutter.cuts.values()) > before, "a COMMIT came by")
            time.sleep(rng.uniform(0, 0.1))
            world.check_acknowledged()
            cutter.refusing = False
            world.pause(0, 0.1)
        counts = world.check()
        for place, cutter in enumerate(cutters):
            for way, done in cutter.cuts.items():
                counts.faults[f"commit cut {way}" + " behind the pooler" * place] += done
        assert sum(sum(cutter.cuts.values()) for cutter in cutters) == rounds, [cutter.cuts for cutter in cutters]
        return counts


def put_cutters(world):
    """Cutters of COMMIT: one before what the store connects to, and one behind the pooler, where there is one."""
    cutters = [CommitCutter(world.pooler.port if world.pooler else world.postgres.port)]
    if world.pooler:
        cutters.append(CommitCutter(world.postgres.port))
        world.pooler.point_at(cutters[1].port)
    world.proxies += cutters
    # The store alone: no COMMIT of another program takes its cut.
    usual = world.database.env("test_store")
    world.system.store_environment = lambda: usual | {"PGHOST": "127.0.0.1", "PGPORT": str(cutters[0].port)}
    return cutters


def restores(rng, rounds, rate):
    """The database is set back to a copy of some seconds ago: marks go back, and retained events are sent again."""
    with World(rng, rate, retain=10000) as world:
        world.goes_back = True
        world.start()
        for _ in range(rounds):
            copy_database(world)
            world.pause(0.3, 1.5)
            restore_database(world)
            world.pause(0.3, 1.0)
        return world.check()


def forgets(rng, rounds, rate):
    """The same, with spools that retain next to nothing: gaps tell of the loss, a new epoch begins, and the sources are
    read anew."""
    with World(rng, rate, watch=False, retain=1, workloads=400) as world:
        world.rereads = world.goes_back = True
        world.start()
        for _ in range(rounds):
            copy_database(world)
            # A spool keeps some hundred acknowledged events beyond what it must: more is lost.
            before = newest_mark(world)
            world.wait_until(lambda: newest_mark(world) > before + 1500, "events are stored", timeout=60)
            forget(world)
        counts = world.check()
        counts.faults["gaps named"] += len(world.database.query(GAPS))
        counts.faults["events forgotten"] += sum(loss.count for loss in world.losses)
        return counts


def forget(world):
    """Sets the database back, with what is lost by that known: nobody stores anything meanwhile."""
    epoch = newest_mark(world, "epoch")
    world.system.end("store", signal.SIGKILL)
    stored = world.database.psql("SELECT seq, extract(epoch FROM recorded_at) FROM modeltrail.event"
                                 f" WHERE collector = '{AUDITED}' AND epoch = {epoch}")
    restore_database(world)
    kept = newest_mark(world)
    lost = [float(at) for seq, at in stored if int(seq) > kept]
    world.system.start_store("store")
    world.wait_until(lambda: newest_mark(world, "epoch") > epoch, "a new epoch begins", timeout=60)
    world.losses.append(Loss(AUDITED, ("c1", "dev", ""), len(lost), epoch / 1000, min(lost), max(lost), time.time()))


def newest_mark(world, column="seq"):
    rows = world.database.psql(f"SELECT {column} FROM modeltrail.mark WHERE collector = '{AUDITED}' ORDER BY epoch DESC LIMIT 1")
    return int(rows[0][0]) if rows else 0


def copy_database(world):
    world.postgres.stop()
    copy = world.folder / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    subprocess.run(["cp", "-a", world.postgres.data, copy], check=True)
    world.postgres.start()


def restore_database(world):
    world.postgres.kill_immediate()
    shutil.rmtree(world.postgres.data)
    subprocess.run(["cp", "-a", world.folder / "copy", world.postgres.data], check=True)
    world.postgres.start()
    world.counts.faults["database set back"] += 1
