"""The fold against the oracle: random worlds, row by row and column by column.

MODELTRAIL_PROPERTY_SEED moves the seeds, MODELTRAIL_PROPERTY_WORLDS says how many worlds (eight
histories each) are drawn. A failure names the seed and prints the smallest world that shows it.
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
WORLDS = int(os.environ.get("MODELTRAIL_PROPERTY_WORLDS", "250"))
KEPT = sorted((Path(__file__).parent / "kept").glob("*.jsonl"))


@pytest.fixture(scope="module")
def trials():
    """What became of every world."""
    program = driver("driver_fold_run")
    seeds = range(FIRST_SEED, FIRST_SEED + WORLDS)
    with ProcessPoolExecutor() as pool:
        return list(pool.map(try_world, [program] * WORLDS, seeds, chunksize=8))


def test_fold_equals_oracle(trials):
    for trial in trials:
        if trial.failure:
            entries = draw_world(trial.seed)
            pytest.fail(report(driver("driver_fold_run"), entries, trial.seed), pytrace=False)
    print(f"{sum(trial.histories for trial in trials)} histories")


def test_folds_were_resumed_and_made_in_full(trials):
    resumed, full = sum(each.resumed for each in trials), sum(each.full for each in trials)
    print(f"{resumed} folds resumed, {full} in full")
    assert resumed > full / 10, "the histories hardly reach the resuming fold"


def test_every_case_of_the_rules_was_drawn(trials):
    cases = Counter(case for trial in trials for case, count in trial.cases.items() if count)
    for case in EVERY_CASE:
        print(f"{cases[case]:5} of {WORLDS} worlds  {case}")
    missing = [case for case in EVERY_CASE if not cases[case]]
    assert not missing, f"never drawn in {WORLDS} worlds: {missing}"


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.stem)
def test_smallest_world_of_each_mutant(path):
    """The smallest worlds that tell each of mutants.py from the fold."""
    failure = disagreement(driver("driver_fold_run"), entries_of(path.read_text()))
    assert not failure, failure
