"""A slice of the campaign of `scripts/faults`: some rounds of every kind, with the programs under test. A failure
prints the command that repeats its world. docs/reliability.md has the figures of the whole."""

import os
import random

import pytest
from faults.campaign import KINDS, run_world
from faults.world import World

SEED = int(os.environ.get("MODELTRAIL_FAULT_SEED") or random.SystemRandom().randrange(10**9))
# Rounds of each kind: some thirty seconds' worth.
SLICE = {
    "kill": 20, "place": 20, "crash": 6, "stores": 12, "twins": 15, "clone": 3, "version": 10, "commit": 15, "restore": 2,
    "forget": 1, "network": 6, "acks": 4,
}
# The same through PgBouncer: what ends connections between store and PostgreSQL, some ten seconds' worth.
POOLED = {"kill": 10, "crash": 2, "commit": 6}
# Minutes of silence, for the whole campaign alone; and disks, which have test_power.py and test_disk.py.
LEFT_OUT = {"ack-minute", "power", "disk"}


def test_every_kind_has_its_slice():
    assert set(SLICE) | LEFT_OUT == set(KINDS)


@pytest.mark.slow
@pytest.mark.parametrize("kind", SLICE)
def test_nothing_is_lost_doubled_or_unexplained(kind):
    print(f"scripts/faults --rounds {SLICE[kind]} --kind {kind} --seed {SEED}")
    counts = run_world(kind, SLICE[kind], SEED, 0, 300)
    assert counts.is_clean, counts.notes
    assert counts.events > 0 and sum(counts.faults.values()) >= SLICE[kind]


@pytest.mark.slow
@pytest.mark.parametrize("kind", POOLED)
def test_nor_through_pgbouncer(monkeypatch, kind):
    monkeypatch.setattr(World, "through_pgbouncer", True)
    print(f"scripts/faults --rounds {POOLED[kind]} --kind {kind} --seed {SEED} --pgbouncer")
    counts = run_world(kind, POOLED[kind], SEED, 0, 300)
    assert counts.is_clean, counts.notes
    assert counts.events > 0 and sum(counts.faults.values()) >= POOLED[kind]
