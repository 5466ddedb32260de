"""Requests that name no uid, through the store and its views: who is named, and what is folded for it."""

import json
import subprocess

import pytest

from property.checking import driver
from support.build import run

RESOURCE = "models.mlops.seldon.io"
NAMESPACE_CONTROLLER = "system:serviceaccount:kube-system:namespace-controller"


@pytest.fixture
def store(database):
    done = run("modeltrail-store", "migrate", database=database)
    assert done.returncode == 0, done.stderr
    return Store(database)


class Store:
    """Every call is a batch of its own."""

    def __init__(self, database):
        self.database = database

    def ingest(self, *events):
        text = "".join(json.dumps(event) + "\n" for event in events)
        done = subprocess.run([driver("driver_store_ingest"), self.database.dsn()], input=text,
                              capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr[-3000:]

    def changes(self):
        """{change: who} of every change, in order."""
        return [tuple(row.values()) for row in self.database.query(
            "SELECT change_type, deployed_by, applied_by, attribution, evidence"
            " FROM modeltrail_v1.changes ORDER BY happened_at, change_type")]

    def checkpoints_written(self):
        """What tells whether a workload was folded: its rows' versions."""
        return self.database.psql("SELECT uid, xmin FROM modeltrail.placement ORDER BY 1, 2::text")


def clock(second):
    return f"2026-01-01T00:{second // 60:02d}:{second % 60:02d}"


def observed(position, second, generation=1, uid=1, **members):
    """As a watch with managed fields tells it."""
    data = {
        "cluster": "c1", "namespace": "risk", "name": "fraud", "kind": "Model",
        "uid": f"{uid:08x}-0000-4000-8000-000000000000", "resource": RESOURCE,
        "position": str(position), "generation": str(generation), "extractor": 1, "removed": False,
        "at": clock(second) + ".999999Z", "at_source": "managed_fields",
        "not_before": clock(second) + "Z",
        "placements": [{"component": "model", "role": "live", "uri": f"s3://m/x/v{generation}"}],
        "object": {"spec": {}},
    }
    return {"type": "dev.modeltrail.workload.observed.v1", "data": data | members}


def request(verb, second, who, noun="audited", **members):
    """At level Metadata: who, when and which object."""
    data = {
        "cluster": "c1", "namespace": "risk", "name": "fraud", "kind": "Model", "resource": RESOURCE,
        "audit_id": f"{noun}-{verb}-{second}-{who}", "stage": "ResponseComplete", "verb": verb,
        "uid": None, "position": None, "generation": None, "removes": False, "dry_run": False,
        "code": 201 if verb == "create" else 200, "at": clock(second) + ".100000Z",
        "principal": who, "via": "audit_log",
    }
    return {"type": f"dev.modeltrail.request.{noun}.v1", "data": data | members}


def test_named_requests_join_whenever_they_arrive(store):
    created, patched = request("create", 10, "alice"), request("patch", 60, "bob")
    expected = [("deployed", "alice", "alice", "unique", "audit"),
                ("upgraded", "bob", "bob", "unique", "audit")]
    store.ingest(created)  # nobody has seen the object yet
    store.ingest(observed(100, 10))
    store.ingest(observed(200, 60, generation=2))
    assert store.changes()[0] == expected[0]
    store.ingest(patched)  # behind the position that it made
    assert store.changes() == expected
    store.ingest(observed(300, 300, generation=2))
    store.ingest(created, patched)  # read again
    assert store.changes() == expected


def reviewed(verb, second, who, generation=None):
    return request(verb, second, who, "reviewed", stage="Review", code=None, via="admission",
                   uid=f"{1:08x}-0000-4000-8000-000000000000",
                   generation=None if generation is None else str(generation))


def test_what_another_webhook_refused_is_not_credited_with_what_came_later(store):
    store.ingest(observed(100, 10), reviewed("create", 10, "alice", 1))
    store.ingest(reviewed("update", 60, "alice", 2))  # refused
    store.ingest(observed(200, 900, generation=2))  # an hour later, while the webhook was away
    assert store.changes() == [("deployed", "alice", "alice", "exact", "admission"),
                               ("upgraded", None, None, "not_collected", None)]
    store.ingest(reviewed("update", 900, "bob", 2))  # it comes late
    assert store.changes()[1] == ("upgraded", "bob", "bob", "exact", "admission")
    store.ingest(reviewed("delete", 1000, "alice"))  # refused: it lives on
    store.ingest(observed(300, 2000, generation=2))
    store.ingest(observed(400, 3000, generation=2, removed=True))
    assert store.changes()[2] == ("removed", None, None, "not_collected", None)


def test_finalizers_may_hold_what_was_deleted(store):
    store.ingest(observed(100, 10), reviewed("create", 10, "alice", 1), reviewed("delete", 60, "bob"))
    same = observed(100, 10)["data"]["placements"]  # a deletion raises the generation, and changes no spec
    store.ingest(observed(200, 60, generation=2, placements=same, deleting=True))
    store.ingest(observed(300, 2000, generation=2, placements=same, deleting=True))
    store.ingest(observed(400, 3000, generation=2, placements=same, removed=True))
    assert store.changes()[1] == ("removed", "bob", "bob", "exact", "admission")
    (row,) = store.database.psql("SELECT array_agg(detail->'deleting' ORDER BY position) FROM modeltrail.state")
    assert row == ("{NULL,true,true,NULL}",)


def test_two_within_a_second_name_nobody(store):
    store.ingest(observed(100, 10), request("create", 10, "alice"))
    store.ingest(observed(200, 60, generation=2), request("patch", 60, "alice"))
    assert store.changes()[1] == ("upgraded", "alice", "alice", "unique", "audit")
    store.ingest(request("patch", 61, "bob"))
    assert store.changes()[1] == ("upgraded", None, None, "ambiguous", None)


def test_a_review_joins_by_generation(store):
    members = {"uid": observed(1, 1)["data"]["uid"], "code": None, "stage": "Review",
               "via": "admission"}
    store.ingest(request("update", 59, "bob", "reviewed", generation="2", **members))
    store.ingest(observed(100, 10), observed(200, 60, generation=2))
    assert store.changes()[1] == ("upgraded", "bob", "bob", "exact", "admission")
    store.ingest(request("update", 58, "carol", "reviewed", generation="2", **members))
    assert store.changes()[1] == ("upgraded", None, None, "ambiguous", None)
    store.ingest(request("patch", 60, "carol", uid=members["uid"], generation="2"))
    assert store.changes()[1] == ("upgraded", "carol", "carol", "exact", "audit")


def test_whoever_deleted_the_namespace_removed_what_was_in_it(store):
    store.ingest(observed(100, 10), request("create", 10, "alice"))
    store.ingest(observed(200, 60, removed=True, at_source="collector_clock"))
    assert store.changes()[1][1:4] == (None, None, "not_collected")
    store.ingest(request("deletecollection", 60, NAMESPACE_CONTROLLER, name=None))
    assert store.changes()[1] == (
        "removed", NAMESPACE_CONTROLLER, NAMESPACE_CONTROLLER, "unique", "audit")
    deleted = request("delete", 55, "bob", resource="namespaces", kind="Namespace", name="risk")
    store.ingest(deleted)
    assert store.changes()[1] == ("removed", "bob", NAMESPACE_CONTROLLER, "unique", "audit")


def test_a_name_that_was_used_before_folds_no_older_history(store):
    for uid in (1, 2, 3):
        start = uid * 100
        store.ingest(observed(start, start, uid=uid), observed(start + 50, start + 50, uid=uid,
                                                               removed=True))
    store.ingest(observed(400, 400, uid=4))
    before = store.checkpoints_written()
    store.ingest(request("create", 400, "dora"))
    after = store.checkpoints_written()
    assert [row for row in after if row[0].startswith(("00000001", "00000002", "00000003"))] == [
        row for row in before if row[0].startswith(("00000001", "00000002", "00000003"))]
    assert store.changes()[-1] == ("deployed", "dora", "dora", "unique", "audit")
    # The third lived at this time.
    store.ingest(request("delete", 350, "eve"))
    assert ("removed", "eve", "eve", "unique", "audit") in store.changes()
    assert [row for row in store.checkpoints_written() if row[0].startswith("00000001")] == [
        row for row in before if row[0].startswith("00000001")]


def test_what_an_owner_owned_goes_with_it(store):
    owner = "0000000a-0000-4000-8000-000000000000"
    store.ingest(observed(100, 10, owner_uid=owner), request("create", 10, "alice"))
    store.ingest(request("delete", 58, "bob", resource="inferencegraphs.example.com", uid=owner))
    store.ingest(observed(200, 60, removed=True),
                 request("delete", 59, "system:serviceaccount:kube-system:generic-garbage-collector"))
    assert store.changes()[1] == (
        "removed", "bob", "system:serviceaccount:kube-system:generic-garbage-collector", "unique",
        "audit")


def test_an_owner_that_is_known_by_name_alone_leaves_the_garbage_collector(store):
    """At Metadata without the policy a delete tells no uid, and another object may have had that name."""
    collector = "system:serviceaccount:kube-system:generic-garbage-collector"
    store.ingest(observed(100, 10, owner_uid="0000000a-0000-4000-8000-000000000000"), request("create", 10, "alice"))
    store.ingest(request("delete", 58, "bob", resource="inferencegraphs.example.com", name="owner"),
                 observed(200, 60, removed=True), request("delete", 59, collector))
    assert store.changes()[1] == ("removed", collector, collector, "unique", "audit")


def test_one_that_may_have_been_it_is_no_alarm(store):
    """Found with a spec of any age, at level Metadata: whoever wrote it last is told as a candidate, and not named."""
    store.ingest(observed(100, 100, generation=7))
    assert store.changes()[0][1:4] == (None, None, "not_collected")
    store.ingest(request("patch", 40, "alice"), request("patch", 99, "bob"))
    assert store.changes()[0][1:4] == (None, None, "ambiguous")
    assert [row[0] for row in store.database.psql(
        "SELECT r.principal FROM modeltrail.attribution a JOIN modeltrail.request r ON r.log_index = a.request_index")] == ["bob"]


def test_whoever_labelled_what_was_found_did_not_deploy_it(store):
    """Level RequestResponse, read from the middle of a history: the answer to a label is all that is known at first."""
    uid = observed(1, 1)["data"]["uid"]
    answered = {"uid": uid, "level": "RequestResponse"}
    store.ingest(observed(100, 100, generation=7, at=clock(100) + ".100000Z", at_source="audit"),
                 request("patch", 100, "bob", position="100", generation="7", **answered))
    [change] = store.database.query(
        "SELECT change_id, change_type, reason, deployed_by, applied_by, attribution FROM modeltrail_v1.changes")
    assert list(change.values())[1:] == ["deployed", "initial", None, None, "ambiguous"]
    notes = [row["note"] for row in store.database.query(
        f"SELECT note FROM modeltrail_v1.chain('{change['change_id']}') WHERE link IN ('request', 'end') ORDER BY step")]
    assert notes[0].endswith("can have made it, and nothing proves it")
    assert notes[1] == "ends at the request: it can have made it and nothing proves it, so nobody is named"
    assert [row["deployed_by"] for row in store.database.query("SELECT deployed_by FROM modeltrail_v1.deployments")] == [None]
    # What he changes next, he is seen changing.
    store.ingest(observed(200, 200, generation=8, at=clock(200) + ".100000Z", at_source="audit"),
                 request("patch", 200, "bob", position="200", generation="8", **answered))
    assert store.changes()[1] == ("upgraded", "bob", "bob", "exact", "audit")


def test_an_older_log_names_who_created_what_was_found(store):
    """The label's answer is read today, the creation's a day later; then the first known position is its own."""
    uid = observed(1, 1)["data"]["uid"]
    store.ingest(observed(100, 100), request("patch", 100, "bob", uid=uid, position="100", generation="1"))
    assert store.changes()[0][:4] == ("deployed", None, None, "ambiguous")
    # An apply that creates is a patch, and answered with 201.
    created = request("patch", 10, "alice", uid=uid, position="50", generation="1", code=201)
    store.ingest(created)
    assert store.changes() == [("deployed", "alice", "alice", "exact", "audit")]
    store.ingest(observed(50, 10))
    assert store.changes() == [("deployed", "alice", "alice", "exact", "audit")]
