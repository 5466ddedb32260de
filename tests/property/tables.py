"""Worlds stored through the store's own batches, and the tables that come of them."""

import json
import subprocess
from contextlib import contextmanager

from oracle import COLUMNS
from support.build import run
from support.postgres import Database, Postgres

from .checking import comparable, driver

DERIVED = (*COLUMNS, "checkpoint")


@contextmanager
def migrated_server():
    """A server whose disk may lie: nothing here is about crashes, and what is timed is work. Holds a migrated template."""
    server = Postgres(fsync=False)
    try:
        server.start()
        template = server.create_database("template")
        done = run("modeltrail-store", "migrate", database=template)
        assert done.returncode == 0, done.stderr
        yield server
    finally:
        server.remove()


@contextmanager
def databases(server):
    """Gives a function that makes migrated databases of the template."""
    made = []

    def make():
        made.append(Database(server, f"world_{len(made)}"))
        server.psql(f"CREATE DATABASE {made[-1].name} TEMPLATE template")
        return made[-1]

    try:
        yield make
    finally:
        for database in made:
            server.drop_database(database.name)


def ingest(database, events, *options):
    """Stores the events in batches; the driver's last word."""
    argv = [driver("driver_store_ingest"), database.dsn(), *map(str, options)]
    lines = "".join(json.dumps(event) + "\n" for event in events)
    done = subprocess.run(argv, input=lines, env=database.env(), capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def dump(database):
    """Every derived table, whole, as text."""
    return {name: sorted(database.psql(f"SELECT t::text FROM modeltrail.{name} t")) for name in DERIVED}


def rows(database):
    """The derived tables as the oracle writes them."""
    return {table: [{column: _as_oracle(column, value) for column, value in row.items()} for row in
                    database.query(f"SELECT {', '.join(columns)} FROM modeltrail.{table}")]
            for table, columns in COLUMNS.items()}


def _as_oracle(column, value):
    if isinstance(value, str):
        value = value.removeprefix("\\x") if column == "row_key" else value.replace("+00:00", "Z")
    return comparable(column, value)
