"""The property test's histories through the store and a real PostgreSQL.

What the tables hold after batches of any size is what the oracle says, and `rebuild`, with chunks
of any size, leaves every derived table as it is, bit for bit.
"""

import json
import os
import random
import subprocess

import pytest

from oracle import COLUMNS, fold_world
from property.checking import comparable, differences, driver
from property.histories import BORDER, draw_world, numbered
from support.build import run
from support.postgres import Database, Postgres

WORLDS = int(os.environ.get("MODELTRAIL_DATABASE_WORLDS", "25"))
FIRST_SEED = int(os.environ.get("MODELTRAIL_PROPERTY_SEED", "1")) + 100_000
DERIVED = (*COLUMNS, "checkpoint")


@pytest.fixture(scope="module")
def cluster():
    """A server whose disk may lie: nothing here is about crashes. Holds a migrated template."""
    server = Postgres(fsync=False)
    try:
        server.start()
        template = server.create_database("template")
        done = run("modeltrail-store", "migrate", database=template)
        assert done.returncode == 0, done.stderr
        yield server
    finally:
        server.remove()


@pytest.fixture
def world_database(cluster):
    """Makes a fresh, migrated database for a seed."""
    made = []

    def make(seed):
        name = f"world_{seed}"
        cluster.psql(f"CREATE DATABASE {name} TEMPLATE template")
        made.append(name)
        return Database(cluster, name)

    yield make
    for name in made:
        cluster.drop_database(name)


def _ingest(database, events, *options):
    """Stores the events through the store's own batches; the driver's last word."""
    argv = [driver("driver_store_ingest"), database.dsn(), *map(str, options)]
    lines = "".join(json.dumps(event) + "\n" for event in events)
    done = subprocess.run(
        argv, input=lines, env=database.env(), capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def _rows(database):
    """The derived tables with values as the oracle writes them."""
    tables = {}
    for name, columns in COLUMNS.items():
        chosen = ", ".join(_selected(column) for column in columns)
        rows = database.psql(f"SELECT {chosen} FROM modeltrail.{name}")
        tables[name] = [
            {column: _value(column, cell) for column, cell in zip(columns, row)} for row in rows
        ]
    return tables


def _selected(column):
    if column == "row_key":
        return "encode(row_key, 'hex')"
    if column.endswith(("_at", "_after", "valid_from", "valid_to")):
        return (f"to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')")
    return column


def _value(column, cell):
    if column == "stopped":
        return cell == "t"
    return comparable(column, cell)


def _dump(database):
    """Every derived table, whole, as text."""
    return {
        name: sorted(database.psql(f"SELECT t::text FROM modeltrail.{name} t")) for name in DERIVED
    }


def _store_in_pieces(database, rng, events):
    """Stores the events in one or more runs of any batch size, some with a rebuild behind."""
    while events:
        count = rng.choice((len(events), len(events), rng.randrange(len(events)) + 1))
        options = ["--batch", rng.choice((1, 2, 7, 40, 2000))]
        options += rng.choice(([], [], [], ["--repeat"], ["--rebuild", 3]))
        answer = _ingest(database, events[:count], *options)
        assert (answer["outcome"], answer["stored"]) == ("stored", count), answer
        events = events[count:]


def test_tables_equal_oracle_and_rebuild_changes_nothing(world_database):
    stored = rows = 0
    for seed in range(FIRST_SEED, FIRST_SEED + WORLDS):
        rng = random.Random(seed)
        entries = draw_world(seed)
        events = [entry for entry in entries if entry is not BORDER]
        database = world_database(seed)
        _store_in_pieces(database, rng, events)
        refused = database.psql("SELECT * FROM modeltrail.event WHERE quarantined <> ''")
        assert not refused, f"seed {seed}: {refused[:3]}"
        found = _rows(database)
        lines = differences(fold_world(numbered(entries)), found)
        assert not lines, f"seed {seed}:\n" + "\n".join(lines)
        before = _dump(database)
        _ingest(database, [], "--rebuild", rng.choice((0, 1, 5)))
        after = _dump(database)
        for name in DERIVED:
            assert before[name] == after[name], f"seed {seed}: rebuild changed {name}"
        stored += len(events)
        rows += sum(map(len, found.values()))
        database.drop()
    print(f"{stored} events in {WORLDS} worlds, {rows} rows")
