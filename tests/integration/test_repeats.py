"""Facts that come again under a new epoch, as when a store forgot and its collectors read anew.

The rows must be what the oracle makes of all facts, and it must not cost a history each time.
"""

import copy
import random
from datetime import datetime, timedelta, timezone

import pytest

from oracle import fold_world
from property.checking import differences
from property.histories import BORDER, draw_world, numbered
from property.tables import databases, dump, ingest, migrated_server, rows

WORLDS = 20
REQUEST, OBSERVED = (f"dev.modeltrail.{noun}.v1" for noun in ("request.audited", "workload.observed"))
# Each batch once folded whole histories: 13 times the time of the first reading, and more of longer ones.
REQUESTS, WORKLOADS, BATCH = 4000, 10, 100
TIMES = 5


@pytest.fixture(scope="module")
def cluster():
    with migrated_server() as server:
        yield server


@pytest.fixture
def new_database(cluster):
    with databases(cluster) as make:
        yield make


def told_again(rng, events):
    """Some of the events once more, in another order now and then; some say a little else."""
    again = [copy.deepcopy(event) for event in events if "central" not in event["type"]]
    kept = rng.choice((1, 1, 0.5))
    again = [event for event in again if rng.random() < kept]
    if rng.random() < 0.3:
        rng.shuffle(again)
    if rng.random() < 0.5:
        for event in again:
            if rng.random() < 0.3:
                change(rng, event)
    return again


def change(rng, event):
    """Another source says the same of an object, or nearly: what decides it is another matter each
    time."""
    data = event["data"]
    if event["type"] == REQUEST:
        data.update(rng.choice(({}, {"code": 201}, {"verb": "patch"}, {"at": later(rng, data["at"])},
                                {"at": later(rng, data["at"], -3)})))
    elif event["type"] == OBSERVED:
        kind = rng.randrange(6)
        if kind == 0:
            data["at"], data["at_source"] = later(rng, data["at"]), "collector_clock"
        elif kind == 1:
            data["extractor"] = max(0, data["extractor"] + rng.choice((-1, 1)))
        elif kind == 2:
            data["not_before"] = later(rng, data["at"], -5)
        elif kind == 3:
            data["spec_at"], data["spec_source"] = later(rng, data["at"], -2), "managed_fields"
        elif kind == 4:
            data["removed"] = not data.get("removed", False)
        else:
            data["at"] = later(rng, data["at"], 0)


def later(rng, text, shift=1):
    at = datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(timezone.utc)
    at += timedelta(seconds=shift) + timedelta(milliseconds=rng.choice((-700, 0, 700)))
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def test_repeats_make_the_rows_that_the_oracle_makes(new_database):
    """Also with what a rebuild, which knows nothing of repeats, makes of them."""
    for seed in range(300_000, 300_000 + WORLDS):
        rng = random.Random(seed)
        events = [entry for entry in draw_world(seed) if entry is not BORDER]
        database = new_database()
        ingest(database, events, "--batch", rng.choice((7, 40, 2000)))
        for epoch in (2, 3):
            again = told_again(rng, events)
            ingest(database, again, "--batch", rng.choice((1, 7, 40)), "--epoch", epoch)
            events = events + again
        assert not database.psql("SELECT * FROM modeltrail.event WHERE quarantined <> ''")
        lines = differences(fold_world(numbered(events)), rows(database))
        assert not lines, f"seed {seed}:\n" + "\n".join(lines)
        before = dump(database)
        ingest(database, [], "--rebuild", 3)
        assert dump(database) == before, f"seed {seed}: rebuild changed the rows"


def histories(requests, workloads, removed=False):
    """Long histories as an audit log tells them: a request and the state that it made, each time."""
    rng = random.Random(1)
    events, generations = [], [0] * workloads
    for position in range(1, requests + 1):
        number = rng.randrange(workloads)
        generations[number] += 1
        head = subject(number) | {"position": str(position), "generation": str(generations[number])}
        events.append(request(head, position, "update" if generations[number] > 1 else "create"))
        uri = f"s3://models/m{number}/v{rng.randrange(99)}"
        events.append({"type": OBSERVED, "data": head | {
            "extractor": 1, "removed": False, "at": instant(position), "at_source": "audit",
            "placements": [{"component": "model", "role": "live", "uri": uri}]}})
    if removed:
        events += [request(subject(number), requests + 1 + number, "delete", removes=True)
                   for number in range(workloads)]
    return events


def subject(number):
    return {"cluster": "c1", "namespace": "risk", "name": f"m{number}", "kind": "Model",
            "uid": f"{number + 1:08x}-0000-4000-8000-000000000000",
            "resource": "models.mlops.seldon.io"}


def request(head, number, verb, removes=False):
    return {"type": REQUEST, "data": head | {
        "audit_id": f"a{number}", "stage": "ResponseComplete", "verb": verb, "code": 200,
        "removes": removes, "dry_run": False, "at": instant(number), "principal": "alice",
        "via": "kubectl", "groups": []}}


def instant(number):
    at = datetime(2026, 1, 1, tzinfo=timezone.utc) + timedelta(milliseconds=number)
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@pytest.mark.parametrize("removed", (False, True), ids=("alive", "removed"))
def test_reading_anew_costs_no_history_for_each_batch(new_database, removed):
    events = histories(REQUESTS, WORKLOADS, removed)
    database = new_database()
    first = ingest(database, events, "--batch", BATCH)
    before = dump(database)
    # Statistics as after the first reading's end: autovacuum may come, or not.
    database.psql("ANALYZE")
    second = ingest(database, events, "--batch", BATCH, "--epoch", 2)
    assert dump(database) == before
    assert second["stored"] == first["stored"] == len(events)
    print(f"first {first['store_ms']} ms, again {second['store_ms']} ms")
    assert second["store_ms"] < TIMES * first["store_ms"]
