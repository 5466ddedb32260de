"""Faults that end programs: `kill -9` at any instant and at named places, crashes of PostgreSQL, two stores."""

from faults.world import AUDITED, POOLER, World

STORE_PLACES = ("commit_before", "commit_sent", "commit_after", "ack_before", "ack_after")
COLLECTOR_PLACES = ("spool_sync_before", "spool_sync_after", "delete_before", "frame_before", "frame_after")


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
            for name in victims:
                if name in world.collectors and rng.random() < 0.2:
                    world.check_acknowledged(name)
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
    """PostgreSQL stops as in a crash (`-m immediate`) and starts again."""
    with World(rng, rate).start() as world:
        for _ in range(rounds):
            world.pause()
            world.crash_postgres()
        return world.check()


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
            world.pause(0.1, 0.6)
            world.revive(name)
        return world.check()
