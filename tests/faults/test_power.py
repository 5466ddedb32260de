"""Power cuts under the spool: MODELTRAIL_FAULT_CUTS and MODELTRAIL_FAULT_SEED lengthen or repeat a run."""

import os
import random

import pytest
from faults.counts import Mismatch
from faults.power import SYNC, Nothing, PowerRig, read_journal
from faults.spool_check import check_against_store
from faults.spool_file import read_spool

CUTS = int(os.environ.get("MODELTRAIL_FAULT_CUTS", "40"))
SEED = int(os.environ.get("MODELTRAIL_FAULT_SEED", "20261127"))


@pytest.fixture
def rig(tmp_path):
    rig = PowerRig(tmp_path / "power")
    yield rig
    rig.close()


@pytest.mark.slow
def test_power_cuts_lose_and_double_nothing(rig):
    print(f"cuts {CUTS}, seed {SEED}")
    rng = random.Random(SEED)
    for number in range(CUTS):
        counts = rig.cut(rng)
        assert counts.is_clean, f"cut {number}, seed {SEED}: {counts}"
    counts = rig.finish()
    print(f"cuts {rig.cuts}, kills {rig.kills}, {counts}")
    assert counts.is_clean and counts.events == len(rig.log_ids) > 0
    assert rig.cuts == CUTS and rig.kills > 0


def syncs(rig) -> list[int]:
    """Which of the calls of a first life, numbered from 1, are syncs."""
    rig.fault.write_text("any 1000000 KILL once")
    rig.grow(5)
    rig.end_idle()
    return [number for number, (kind, *_) in enumerate(read_journal(rig.journal), 1) if kind == SYNC]


def test_only_what_is_synced_is_sent_even_after_a_kill(tmp_path):
    """A kill between a transaction's write and its sync leaves events that the next run sees and the disk has not:
    they must be synced before the store hears of them."""
    probe = PowerRig(tmp_path / "probe")
    numbers = syncs(probe)
    probe.close()
    assert len(numbers) > 5
    for at in numbers:
        rig = PowerRig(tmp_path / str(at))
        try:
            rig.fault.write_text(f"any {at} KILL once")
            rig.grow(5)
            rig.end_idle()  # killed there
            rig.fault.unlink()
            rig.end_idle()
            assert rig.is_stored()
            rig.platter.cut(Nothing())
            check_against_store(read_spool(rig.spool), rig.store.epochs)
            assert rig.finish().is_clean
        finally:
            rig.close()


def test_a_disk_that_lies_is_found_out(tmp_path):
    """The checker sees losses when there are some: here the disk says that it has synced, and has not."""
    rig = PowerRig(tmp_path / "lies", lies=True)
    rng = random.Random(SEED)
    try:
        with pytest.raises(Mismatch, match="fork|forgotten|gap|spool"):
            for _ in range(20):
                counts = rig.cut(rng)
                if not counts.is_clean:
                    raise Mismatch("lost from the spool")
    finally:
        rig.close()
