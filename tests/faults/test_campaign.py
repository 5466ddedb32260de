"""A slice of the campaign of `scripts/faults`: some rounds of every kind, with the programs under test. A failure
prints the command that repeats its world. docs/reliability.md has the figures of the whole."""

import os
import random
import shlex

import pytest
from faults import campaign
from faults.campaign import KINDS, command, run_world
from faults.counts import Counts
from faults.loss import Loss, count_untold
from faults.world import World, shim
from support.system import System

SEED = int(os.environ.get("MODELTRAIL_FAULT_SEED") or random.SystemRandom().randrange(10**9))
RATE = 300  # requests a second
# Rounds of each kind: some thirty seconds' worth.
SLICE = {
    "kill": 20, "place": 20, "crash": 6, "stores": 12, "twins": 15, "clone": 3, "version": 10, "commit": 15, "restore": 2,
    "forget": 1, "network": 6, "acks": 4,
}
# What was acknowledged is taken back there.
GO_BACK = {"restore", "forget"}
# The same through PgBouncer: what ends connections between store and PostgreSQL, some ten seconds' worth.
POOLED = {"kill": 10, "crash": 2, "commit": 6}
# Minutes of silence, for the whole campaign alone; and disks, which have test_power.py and test_disk.py.
LEFT_OUT = {"ack-minute", "power", "disk"}


@pytest.mark.slow
@pytest.mark.parametrize("lie, kind", [("undone", "twins"), ("early", "crash")])
def test_a_store_that_lies_is_found_out(monkeypatch, lie, kind):
    """The checker sees losses when there are some, though what is retained heals them in the end: here the store
    acknowledges what it has taken back, or what no disk has yet."""
    honest = System.start_store

    def lying(self, name="store", env=None, wait=True):
        return honest(self, name, shim("lie", MODELTRAIL_LIE=lie) | (env or {}), wait)

    monkeypatch.setattr(System, "start_store", lying)
    counts = run_world(kind, 2 if kind == "crash" else 3, SEED, 0, RATE)
    assert counts.lost > 0
    assert any("acknowledged" in note or "the store" in note for note in counts.notes), counts.notes


def test_every_kind_has_its_slice():
    assert set(SLICE) | LEFT_OUT == set(KINDS)


def test_a_gap_tells_of_what_was_lost_and_of_nothing_else():
    loss = Loss("c", ("c1", "dev", ""), 70, begun=100.0, first=110.0, last=120.0, noticed=130.0)
    state = {"collector": "c", "cluster": "c1", "namespace": "dev", "resource": "", "aspect": "state",
             "reason": "the store lost events that this collector no longer had", "from_s": 105.0, "to_s": 125.0}
    actor = state | {"aspect": "actor"}
    assert count_untold([loss], [state, actor]).is_clean
    for wrong in ({"from_s": 111.0}, {"to_s": 119.0}, {"from_s": 99.0}, {"to_s": 131.0}, {"namespace": "risk"},
                  {"collector": "d"}, {"resource": "models"}, {"reason": "bored"}):
        counts = count_untold([loss], [state | wrong, actor])
        assert (counts.lost, counts.gaps) == (70, 1), wrong
    assert count_untold([loss], [state]).lost == 70
    assert count_untold([loss], [state, actor, actor]).gaps == 1 == count_untold([], [actor]).gaps


@pytest.mark.parametrize("asked", [[], ["--pgbouncer", "--rate", "70"]])
def test_the_printed_command_repeats_the_world_that_failed(monkeypatch, capsys, asked):
    """Whatever other kinds ran beside it, and however many worlds."""
    seen = []

    def breaks_sometimes(name):
        def kind(rng, rounds, rate):
            world = (name, rng.random(), rounds, rate, World.through_pgbouncer)
            seen.append(world)
            return Counts(events=1, lost=int(len(seen) == 4))
        return kind

    monkeypatch.setattr(World, "through_pgbouncer", False)  # the campaign sets it; put back by the end
    monkeypatch.setattr(campaign, "KINDS", {name: (breaks_sometimes(name), 40) for name in ("kill", "crash")})
    assert campaign.main(["--rounds", "190", "--seed", "5", *asked]) == 1
    # 95 rounds of each kind: worlds of 40, 40 and 15; the fourth is the first of the second kind.
    assert [world[2] for world in seen] == [40, 40, 15] * 2 and len(set(seen)) == 6
    name, _, _, rate, pooled = failed = seen[3]
    assert (name, rate, pooled) == (("crash", 70, True) if asked else ("crash", 400, False))
    printed = capsys.readouterr().out.partition("to repeat it: scripts/faults ")[2].splitlines()[0]
    campaign.main(shlex.split(printed))
    # The last world of a kind is a shorter one.
    campaign.main(shlex.split(command("crash", 15, 5, 2, rate).removeprefix("scripts/faults")))
    assert seen[6:] == [failed, seen[5]], printed


@pytest.mark.slow
@pytest.mark.parametrize("kind", SLICE)
def test_nothing_is_lost_doubled_or_unexplained(kind):
    print(command(kind, SLICE[kind], SEED, 0, RATE))
    counts = run_world(kind, SLICE[kind], SEED, 0, RATE)
    assert counts.is_clean, counts.notes
    assert counts.events > 0 and sum(counts.faults.values()) >= SLICE[kind]
    assert (counts.checks > 0) == (kind not in GO_BACK)


@pytest.mark.slow
@pytest.mark.parametrize("kind", POOLED)
def test_nor_through_pgbouncer(monkeypatch, kind):
    monkeypatch.setattr(World, "through_pgbouncer", True)
    print(command(kind, POOLED[kind], SEED, 0, RATE))
    counts = run_world(kind, POOLED[kind], SEED, 0, RATE)
    assert counts.is_clean, counts.notes
    assert counts.events > 0 and sum(counts.faults.values()) >= POOLED[kind]
