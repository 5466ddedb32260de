"""The fold against the oracle: random worlds, row by row and column by column.

MODELTRAIL_PROPERTY_SEED moves the seeds, MODELTRAIL_PROPERTY_WORLDS says how many worlds (eight
histories each) are drawn; a failure names the seed and prints the smallest world that still shows it.
"""

import os
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from property.cases import EVERY_CASE
from property.checking import disagreement, driver, entries_of, report, try_world
from property.histories import draw_world

FIRST_SEED = int(os.environ.get("MODELTRAIL_PROPERTY_SEED", "1"))
WORLDS = int(os.environ.get("MODELTRAIL_PROPERTY_WORLDS", "400"))
KEPT = sorted((Path(__file__).parent / "kept").glob("*.jsonl"))


@pytest.fixture(scope="module")
def outcome():
    """What became of all worlds: (first seed that failed or None, case -> worlds that hold it)."""
    program = driver("driver_fold_run")
    failed, cases = None, Counter()
    with ProcessPoolExecutor() as pool:
        seeds = range(FIRST_SEED, FIRST_SEED + WORLDS)
        for seed, failure, found in pool.map(try_world, [program] * WORLDS, seeds, chunksize=8):
            cases.update(case for case, count in found.items() if count)
            if failure and failed is None:
                failed = seed
    return failed, cases


def test_fold_equals_oracle(outcome):
    failed, _ = outcome
    if failed is not None:
        pytest.fail(report(driver("driver_fold_run"), draw_world(failed), failed), pytrace=False)


def test_every_case_of_the_rules_was_drawn(outcome):
    _, cases = outcome
    for case in EVERY_CASE:
        print(f"{cases[case]:5} of {WORLDS} worlds  {case}")
    missing = [case for case in EVERY_CASE if not cases[case]]
    assert not missing, f"never drawn in {WORLDS} worlds: {missing}"


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.stem)
def test_world_that_once_failed(path):
    failure = disagreement(driver("driver_fold_run"), entries_of(path.read_text()))
    assert not failure, failure
