"""The property test must notice a wrong fold: every named mutant is killed by its worlds."""

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from oracle import fold_world
from property.checking import DriverFailed, differences, run_fold
from property.histories import draw_world, numbered
from property.mutants import MUTANTS, Unfit, Workshop

FIRST_SEED = int(os.environ.get("MODELTRAIL_PROPERTY_SEED", "1"))
WORLDS = 250


def _is_wrong(program, world):
    """True when the program's rows are not the oracle's."""
    entries, wanted = world
    try:
        return any(
            differences(wanted, run_fold(program, entries, *flags).tables)
            for flags in (["--full"], [])
        )
    except (DriverFailed, subprocess.TimeoutExpired):
        return True


def _verdict(workshop, corpus, mutant):
    """The number of worlds it took to kill the mutant; why it could not be made; or None."""
    try:
        program = workshop.build(mutant)
    except Unfit as reason:
        return f"cannot be made: {reason}"
    for number, world in enumerate(corpus, 1):
        if _is_wrong(program, world):
            return number
    return None


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory):
    """Mutant -> verdict, and what the fold without any edit gets."""
    workshop = Workshop(tmp_path_factory.mktemp("mutants"))
    unchanged = workshop.build_all()
    corpus = []
    for seed in range(FIRST_SEED, FIRST_SEED + WORLDS):
        entries = draw_world(seed)
        corpus.append((entries, fold_world(numbered(entries))))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = dict(zip(MUTANTS, pool.map(partial(_verdict, workshop, corpus), MUTANTS)))
        found[None] = sum(pool.map(partial(_is_wrong, unchanged), corpus))
    return found


def test_fold_without_edit_is_right(verdicts):
    assert verdicts[None] == 0


def test_names_are_unique_and_rules_are_covered():
    names = [mutant.name for mutant in MUTANTS]
    assert len(set(names)) == len(names) >= 12
    rules = {name.split()[0] for name in names}
    assert {f"R{number}" for number in (1, 2, 3, 4, 5, *range(8, 20), 25)} <= rules


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_mutant_is_killed(verdicts, mutant):
    verdict = verdicts[mutant]
    print(f"killed by world {verdict}")
    assert verdict is not None, f"no world of {WORLDS} noticed"
    assert isinstance(verdict, int), verdict
