"""Faults that end programs: `kill -9` at any instant and at named places, crashes of PostgreSQL, two stores."""

import os
import signal

from faults import acknowledged
from faults.world import AUDITED, POOLER, World

STORE_PLACES = ("commit_before", "commit_sent", "commit_after", "ack_before", "ack_after")
COLLECTOR_PLACES = ("spool_sync_before", "spool_sync_after", "delete_before", "frame_before", "frame_after")

WAL_WRITER = "SELECT pid, wait_event_type FROM pg_stat_activity WHERE backend_type = 'walwriter'"


def kills(rng, rounds, rate):
    """`kill -9` of collector, store, or both, at random instants under load; and of the pooler, where there is one."""
    with World(rng, rate).start() as world:
        for _ in range(rounds):
            world.pause()
            choices = [["store"], [AUDITED], [rng.choice(world.collectors), "store"]]
            victims = rng.choice(choices + ([[POOLER], [POOLER, "store"]] if world.pooler else []))
            for name in victims:
                world.kill(name)
            world.pause(0, 0.1)
            if "store" in victims:
                world.check_acknowledged()  # nobody can commit now
            for name in victims:
                world.revive(name)
        return world.check()


def places(rng, rounds, rate):
    """Programs that die at a named place: around the spool's fsync, COMMIT, the ack, a frame, a deletion."""
    with World(rng, rate, watch=False, retain=50).start() as world:
        for number in range(rounds):
            world.pause(0, 0.1)
            # Each place in turn, so that no seed leaves one out.
            place = (STORE_PLACES + COLLECTOR_PLACES)[number % (len(STORE_PLACES) + len(COLLECTOR_PLACES))]
            name = "store" if place in STORE_PLACES else AUDITED
            world.die_at(name, place, rng.randint(1, 3 if place == "delete_before" else 12))
        return world.check()


def crashes(rng, rounds, rate):
    """PostgreSQL stops as in a crash (`-m immediate`) and starts again, each time with the store at work. Half of the
    time nobody but COMMIT has written its log before, so that what a COMMIT has not waited for is lost."""
    with World(rng, rate).start() as world:
        for _ in range(rounds):
            writer = stop_wal_writer(world) if rng.random() < 0.5 else None
            before = world.stored()
            world.wait_until(lambda: world.stored() > before, "events are stored")
            world.pause()
            if writer:
                os.kill(writer, signal.SIGKILL)  # one that stands still would not heed the crash
            world.crash_postgres()
        return world.check()


def stop_wal_writer(world):
    """It writes the log of PostgreSQL without being asked, which hides a COMMIT that does not. Gives its process."""
    world.wait_until(lambda: world.database.psql(WAL_WRITER), "PostgreSQL's writer is there")
    while True:
        (pid, doing), = world.database.psql(WAL_WRITER)
        os.kill(int(pid), signal.SIGSTOP)
        world.wait_until(lambda: acknowledged.stands_still(pid), "PostgreSQL's writer stops")
        # At rest before and after: it holds no lock that a COMMIT waits for.
        if doing == "Activity" == world.database.psql(WAL_WRITER)[0][1]:
            return int(pid)
        os.kill(int(pid), signal.SIGCONT)
        world.wait_until(lambda: not acknowledged.stands_still(pid), "PostgreSQL's writer goes on")


def stores(rng, rounds, rate):
    """Two stores on one database; one is killed while collectors may go to either."""
    with World(rng, rate) as world:
        world.store_address = [world.system.endpoint, world.system.add_store("store2")]
        world.start()
        world.system.start_store("store2")
        for _ in range(rounds):
            world.pause()
            name = rng.choice(["store", "store2"])
            world.kill(name)
            world.check_acknowledged()
            world.pause(0.1, 0.6)
            world.revive(name)
        return world.check()
