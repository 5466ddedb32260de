"""The property test's histories through the store and a real PostgreSQL.

What the tables hold after batches of any size is what the oracle says, and `rebuild`, with chunks
of any size, leaves every derived table as it is, bit for bit.
"""

import os
import random

import pytest

from oracle import fold_world
from property.checking import differences
from property.histories import BORDER, draw_world, numbered
from property.tables import DERIVED, databases, dump, ingest, migrated_server, rows

WORLDS = int(os.environ.get("MODELTRAIL_DATABASE_WORLDS", "25"))
FIRST_SEED = int(os.environ.get("MODELTRAIL_PROPERTY_SEED", "1")) + 100_000


@pytest.fixture(scope="module")
def cluster():
    with migrated_server() as server:
        yield server


@pytest.fixture
def new_database(cluster):
    with databases(cluster) as make:
        yield make


def _store_in_pieces(database, rng, events):
    """Stores the events in one or more runs of any batch size, some with a rebuild behind."""
    while events:
        count = rng.choice((len(events), len(events), rng.randrange(len(events)) + 1))
        options = ["--batch", rng.choice((1, 2, 7, 40, 2000))]
        options += rng.choice(([], [], [], ["--repeat"], ["--rebuild", 3]))
        answer = ingest(database, events[:count], *options)
        assert (answer["outcome"], answer["stored"]) == ("stored", count), answer
        events = events[count:]


def test_tables_equal_oracle_and_rebuild_changes_nothing(new_database):
    stored = row_count = 0
    for seed in range(FIRST_SEED, FIRST_SEED + WORLDS):
        rng = random.Random(seed)
        entries = draw_world(seed)
        events = [entry for entry in entries if entry is not BORDER]
        database = new_database()
        _store_in_pieces(database, rng, events)
        refused = database.psql("SELECT * FROM modeltrail.event WHERE quarantined <> ''")
        assert not refused, f"seed {seed}: {refused[:3]}"
        found = rows(database)
        lines = differences(fold_world(numbered(entries)), found)
        assert not lines, f"seed {seed}:\n" + "\n".join(lines)
        before = dump(database)
        ingest(database, [], "--rebuild", rng.choice((0, 1, 5)))
        after = dump(database)
        for name in DERIVED:
            assert before[name] == after[name], f"seed {seed}: rebuild changed {name}"
        stored += len(events)
        row_count += sum(map(len, found.values()))
        database.drop()
    print(f"{stored} events in {WORLDS} worlds, {row_count} rows")
