"""Runs faults by name: `scripts/faults --rounds N --seed S [--kind KIND ...] [--pgbouncer]`.

The rounds are dealt out to the kinds, and each kind's to worlds, numbered within their kind; each world has a seed of
its own, made of the run's seed, the kind and its number. So one world can be repeated alone, whatever ran beside it: a
world that fails prints the command.
"""

import argparse
import os
import random
import shlex
import sys
import time
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from faults import kinds_collector, kinds_database, kinds_disk, kinds_kill, kinds_network  # noqa: E402
from faults.counts import Counts  # noqa: E402
from faults.world import World  # noqa: E402

# By name: what does it, and how many rounds of it one world takes. A world that forgets reads its whole source anew.
KINDS = {
    "kill": (kinds_kill.kills, 40),
    "place": (kinds_kill.places, 40),
    "crash": (kinds_kill.crashes, 20),
    "stores": (kinds_kill.stores, 40),
    "twins": (kinds_collector.twins, 40),
    "clone": (kinds_collector.clones, 8),
    "version": (kinds_collector.versions, 40),
    "commit": (kinds_database.commits, 60),
    "restore": (kinds_database.restores, 8),
    "forget": (kinds_database.forgets, 2),
    "power": (kinds_disk.power, 40),
    "disk": (kinds_disk.disk, 40),
    "network": (kinds_network.network, 20),
    "acks": (kinds_network.acks, 10),
    "ack-minute": (kinds_network.ack_minute, 4),
}


def parse(words):
    parser = argparse.ArgumentParser(
        prog="scripts/faults", description="Makes faults happen to real programs under load, and counts what was lost.")
    parser.add_argument("--rounds", type=int, default=20, help="faults in all, dealt out to the kinds (default 20)")
    parser.add_argument("--seed", type=int, default=None, help="repeats a run (default: a new one, printed)")
    parser.add_argument("--kind", action="append", choices=sorted(KINDS), metavar="KIND",
                        help=f"only these; may be repeated: {', '.join(KINDS)}")
    parser.add_argument("--pgbouncer", action="store_true",
                        help="the programs reach PostgreSQL through PgBouncer in transaction mode")
    parser.add_argument("--rate", type=int, default=400, help="requests a second of the audit log (default 400)")
    parser.add_argument("--world", type=int, default=None, metavar="N", help="only the world of this number, of each kind")
    return parser.parse_args(words)


def worlds(kinds, rounds):
    """(kind, number, rounds) of each world."""
    for place, kind in enumerate(kinds):
        left = rounds // len(kinds) + (place < rounds % len(kinds))
        most = KINDS[kind][1]
        for number in range(-(-left // most)):
            yield kind, number, min(left - number * most, most)


def command(kind, rounds, seed, number, rate):
    """What repeats one world: so many rounds of its kind end with it."""
    before = os.environ.get("MODELTRAIL_BEFORE")
    words = [f"MODELTRAIL_BEFORE={shlex.quote(before)}"] * bool(before and kind == "version")
    words += ["scripts/faults", "--rounds", number * KINDS[kind][1] + rounds, "--seed", seed, "--kind", kind,
              "--world", number, "--rate", rate]
    return " ".join(map(str, words + ["--pgbouncer"] * World.through_pgbouncer))


def run_world(kind, rounds, seed, number, rate):
    rng = random.Random(f"{seed}/{kind}/{number}")
    began = time.monotonic()
    try:
        counts = KINDS[kind][0](rng, rounds, rate)
    except Exception as problem:
        # What the checker cannot count, a chain or a hole, is worse than any number.
        traceback.print_exc()
        counts = Counts(lost=1, notes=[f"{type(problem).__name__}: {problem}"])
    done = ", ".join(f"{what} {count}" for what, count in sorted(counts.faults.items()))
    print(f"{kind} {number}: {counts.line(rounds)} ({done}; checks {counts.checks}, {time.monotonic() - began:.0f} s)", flush=True)
    for note in counts.notes:
        print(f"  {note}", flush=True)
    if not counts.is_clean:
        print(f"  to repeat it: {command(kind, rounds, seed, number, rate)}", flush=True)
    return counts


def main(words):
    options = parse(words)
    kinds = options.kind or list(KINDS)
    World.through_pgbouncer = options.pgbouncer
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(10**9)
    programs = os.environ.get("MODELTRAIL_BUILD", "build/release")
    if before := os.environ.get("MODELTRAIL_BEFORE"):
        programs += f", before them {before}"
    if options.pgbouncer:
        programs += ", through PgBouncer"
    print(f"seed {seed}, kinds {' '.join(kinds)}, rate {options.rate}, programs {programs}", flush=True)
    total, done = Counts(), 0
    for kind, number, rounds in worlds(kinds, options.rounds):
        if options.world in (None, number):
            total.add(run_world(kind, rounds, seed, number, options.rate))
            done += rounds
    print("faults: " + ", ".join(f"{what} {count}" for what, count in sorted(total.faults.items()))
          + f"; acknowledgements compared {total.checks} times")
    print(total.line(done))
    return 0 if total.is_clean and total.events > 0 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
