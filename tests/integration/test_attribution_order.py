"""Evidence of one history in other orders than it came: the rows are the same.

What collectors said while the stories were told at a real API server (attribution_telling.py) is stored anew in fresh
databases, and the answers are compared with those of the database that it first came to.
"""

import json
import random
import subprocess

import pytest
from property.checking import driver
from support.build import run
from support.postgres import Database, Postgres
from support.system import System

VIEWS = ("changes", "deployment_history", "deployments", "attempts")
# Of when it became known and as which event of which collector; and, in the last line, what beats say, which are no
# events: how fresh a live answer is.
LEFT_OUT = {"recorded_at", "revised_at", "event_id", "request_event_id", "attempt_id",
            "observation", "last_observed_at"}
BATCHES = (2000, 200, 40)
pytestmark = pytest.mark.slow


class Event(dict):
    """What the log has of an event: type, data, time, and its place there, which the driver passes over."""

    def source(self) -> str:
        """Where its collector had it from."""
        noun, data = self["type"].removeprefix("dev.modeltrail."), self["data"]
        if noun.startswith("request.audited") or data.get("at_source") == "audit" or data.get("source") == "audit_log":
            return "audit"
        if noun.startswith("request.reviewed") or data.get("source") == "admission":
            return "webhook"
        return {"gitops.": "syncs", "commit.": "commits", "central": "people"}.get(noun[:7], "watch")


def recorded(database) -> list[Event]:
    rows = database.psql("SELECT convert_from(b.body, 'UTF8') FROM modeltrail.event e JOIN modeltrail.event_body b USING (log, log_index)"
                         " WHERE e.type <> 'dev.modeltrail.allowlist.loaded.v1' ORDER BY e.log_index")
    lines = [json.loads(row) for row, in rows]
    return [Event(((key, line[key]) for key in ("type", "data", "time") if key in line), place=place)
            for place, line in enumerate(lines)]


@pytest.fixture(scope="module")
def events(telling):
    """In the order in which they came, some of every source."""
    found = recorded(telling.system.database)
    assert {event.source() for event in found} == {"watch", "audit", "webhook", "syncs", "commits", "people"}
    return found


@pytest.fixture(scope="module")
def template():
    """Migrated, on a server whose disk may lie."""
    server = Postgres(fsync=False)
    try:
        made = server.start().create_database("template")
        done = run("modeltrail-store", "migrate", database=made)
        assert done.returncode == 0, done.stderr
        yield made
    finally:
        server.remove()


@pytest.fixture
def fresh(template):
    server = template.cluster
    server.psql(f"CREATE DATABASE fresh TEMPLATE {template.name}")
    yield Database(server, "fresh")
    server.drop_database("fresh")


def ingest(database, events, batch=2000, epoch=1):
    argv = [driver("driver_store_ingest"), database.dsn(), "--batch", str(batch), "--epoch", str(epoch)]
    text = "".join(json.dumps(event) + "\n" for event in events)
    done = subprocess.run(argv, input=text, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0 and json.loads(done.stdout)["stored"] == len(events), done.stderr[-2000:]


def answers(database) -> dict[str, list]:
    """The rows of each view, without what is left out."""
    found = {}
    for view in VIEWS:
        columns = [name for name, in database.psql(
            "SELECT column_name FROM information_schema.columns WHERE table_schema = 'modeltrail_v1'"
            f" AND table_name = '{view}' ORDER BY ordinal_position") if name not in LEFT_OUT]
        rows = database.psql(f"SELECT {', '.join(columns)} FROM modeltrail_v1.{view}")
        found[view] = sorted(json.dumps(dict(zip(columns, row))) for row in rows)
    return found


@pytest.fixture(scope="module")
def collected(telling):
    found = answers(telling.system.database)
    assert all(found.values())
    return found


def check(database, collected):
    assert database.psql("SELECT type, quarantined FROM modeltrail.event WHERE quarantined IS NOT NULL") == []
    found = answers(database)
    for view in VIEWS:
        lost, new = (sorted(set(a) - set(b)) for a, b in ((collected[view], found[view]), (found[view], collected[view])))
        assert (lost, new) == ([], []), view
        assert len(found[view]) == len(collected[view]), view


def by_source(events, *first, last=()) -> list[Event]:
    """Those sources first, in this order, and those last; each in the order in which it came."""
    def place(event):
        source = event.source()
        return first.index(source) if source in first else len(first) + (1 + last.index(source) if source in last else 0)
    return sorted(events, key=place)


def commits_in_order(events) -> list[Event]:
    """Commits change places among themselves: they are told parents before children, whatever comes in between."""
    commits = iter(sorted((event for event in events if event.source() == "commits"), key=lambda event: event["place"]))
    return [next(commits) if event.source() == "commits" else event for event in events]


ORDERS = {
    "as it came": lambda events: events,
    "audit file last": lambda events: by_source(events, "webhook", "watch", last=("audit",)),
    "audit file first, syncs before commits last": lambda events: by_source(events, "audit", last=("syncs", "commits")),
    "commits first, people last": lambda events: by_source(events, "commits", "syncs", "watch", "webhook", last=("people",)),
    "commits and syncs last": lambda events: by_source(events, "watch", last=("commits", "syncs")),
    "the newest first": lambda events: commits_in_order(events[::-1]),
}


@pytest.mark.parametrize("order", ORDERS)
def test_the_order_of_arrival_changes_no_row(fresh, events, collected, order):
    ingest(fresh, ORDERS[order](events), batch=BATCHES[len(order) % len(BATCHES)])
    check(fresh, collected)


def test_webhook_and_file_twice_change_no_row(fresh, events, collected):
    """As after a collector lost its spool: a new epoch tells anew what the old one had told."""
    ingest(fresh, events)
    ingest(fresh, [event for event in events if event.source() in ("audit", "webhook")], batch=40, epoch=2)
    check(fresh, collected)


@pytest.mark.parametrize("seed", [1, 2])
def test_all_twice_and_shuffled_changes_no_row(fresh, events, collected, seed):
    chance = random.Random(seed)
    twice = [event for event in events + events if event.source() != "people"]
    chance.shuffle(twice)
    people = [event for event in events if event.source() == "people"]
    ingest(fresh, commits_in_order(twice[:500] + people + twice[500:]), batch=chance.choice(BATCHES))
    check(fresh, collected)


def as_openshift_prints_it(source, folder) -> dict:
    """`oc adm node-logs` puts the node's name before each line (docs/attribution.md, OpenShift)."""
    options = source["audit_log"]
    copy = folder / "node-logs"
    with open(options["path"]) as log:
        copy.write_text("".join(f"master-0 {line}" for line in log))
    return {"audit_log": options | {"path": str(copy), "format": "openshift"}}


@pytest.mark.parametrize("shape", [lambda source, folder: source, as_openshift_prints_it], ids=["kubernetes", "openshift"])
def test_an_audit_file_that_is_read_later_changes_no_row(telling, tmp_path, fresh, events, collected, shape):
    """By collectors of its own, when all else had long been stored."""
    ingest(fresh, [event for event in events if event.source() != "audit"])
    audited = telling.audited()
    found = answers(fresh)
    assert found["changes"] != collected["changes"]
    system = System(tmp_path, fresh, {f"later-{level}": (level, None) for level in audited})
    system.start_store()
    try:
        for level in audited:
            system.collect_once(f"later-{level}", [json.dumps(shape(telling.audit(level), tmp_path))])
    finally:
        system.stop()
    check(fresh, collected)
