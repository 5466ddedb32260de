"""deploy/kubernetes/attribution-policy.yaml on a real API server: what each request's audit event says of its object."""

import json
import threading

import pytest
import yaml
from support import rbac
from support.attribution import at_metadata, audit_of, install_policy
from support.collector import Collector
from support.fake_store import FakeStore
from support.kube_client import api_path
from support.process import free_port
from support.system import System

GROUPS = ["machinelearning.seldon.io", "mlops.seldon.io", "serving.kserve.io"]


def audit_policy(level: str) -> str:
    return yaml.safe_dump({"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"], "rules": [
        {"level": "None", "users": ["system:apiserver"]}, {"level": "None", "verbs": ["get", "list", "watch"]},
        {"level": level, "resources": [{"group": group} for group in GROUPS] + [{"group": "", "resources": ["namespaces"]}]},
        {"level": "Metadata"}]})


@pytest.fixture
def cluster_at(new_cluster, tmp_path):
    def start(level: str):
        (tmp_path / "policy.yaml").write_text(audit_policy(level))
        cluster = new_cluster(audit_policy=tmp_path / "policy.yaml")
        install_policy(cluster)
        return cluster
    return start


@pytest.fixture
def store():
    fake = FakeStore(free_port()).start()
    yield fake
    fake.stop()


def collect(tmp_path, store, events: list[dict]) -> dict[str, dict]:
    """The requests that a collector finds in the events, by audit id."""
    (tmp_path / "audit.log").write_text("".join(json.dumps(event) + "\n" for event in events))
    done = Collector(tmp_path, store, [{"audit_log": {"path": str(tmp_path / "audit.log")}}]).once()
    assert done.returncode == 0, done.stderr
    assert store.of_type("input.rejected") == []
    return {data["audit_id"]: data for data in store.of_type("request.audited")}


def model(name=None, uri="s3://a/1", **meta) -> dict:
    names = {"name": name} if name else {"generateName": "made-"}
    return {"apiVersion": "mlops.seldon.io/v1alpha1", "kind": "Model", "metadata": names | {"namespace": "risk"} | meta,
            "spec": {"storageUri": uri}}


class Story:
    """Does one request after another and keeps what a collector must say of each."""

    def __init__(self, cluster):
        self.cluster, self.admin = cluster, cluster.client("admin")
        self.rows = []

    def uid(self, name: str, kind="Model", namespace="risk") -> str:
        return self.admin.get(kind, namespace, name)[1]["metadata"]["uid"]

    def note(self, what: str, answer, code: int, uid, generation, **more) -> dict:
        assert answer[0] == code, (what, answer)
        self.rows.append((what, self.admin.audit_id, {"code": code, "uid": uid, "generation": generation} | more))
        return answer[1]

    def tell(self) -> None:
        """generation: what the request raised it to."""
        admin, note = self.admin, self.note
        born = admin.create(model("m"))
        uid = born[1]["metadata"]["uid"]
        note("create", born, 201, uid, "1", verb="create", name="m")
        whole = admin.get("Model", "risk", "m")[1]
        whole["spec"]["storageUri"] = "s3://a/2"
        note("update", admin.update(whole), 200, uid, "2")
        note("update that conflicts", admin.update(whole), 409, uid, None)
        note("patch", admin.merge_patch("Model", "risk", "m", {"spec": {"storageUri": "s3://a/3"}}), 200, uid, "3")
        note("label", admin.merge_patch("Model", "risk", "m", {"metadata": {"labels": {"a": "b"}}}), 200, uid, None)
        note("nothing", admin.merge_patch("Model", "risk", "m", {"metadata": {"labels": {"a": "b"}}}), 200, uid, None)
        note("apply", admin.apply(model("m", "s3://a/4")), 200, uid, "4")
        applied = admin.apply(model("n"))
        other = applied[1]["metadata"]["uid"]
        note("apply that creates", applied, 201, other, "1", verb="patch")
        note("dry run", admin.apply(model("n", "s3://a/9"), dry_run=True), 200, other, None, dry_run=True)
        note("dry run of a delete", admin.delete("Model", "risk", "n", dry_run=True), 200, other, None, dry_run=True)
        note("scale", admin.scale("Model", "risk", "m", 3), 200, uid, None, subresource="scale")
        note("status", admin.patch_status("Model", "risk", "m", {"replicas": 3}), 200, None, None, subresource="status")
        made = admin.create(model())
        note("generated name", made, 201, made[1]["metadata"]["uid"], "1")
        note("create of what exists", admin.create(model("n")), 409, None, None)
        claimed = admin.create(model("claimed", uid="11111111-2222-4333-8444-555555555555"))
        note("create with a uid of its own", claimed, 201, claimed[1]["metadata"]["uid"], "1")
        self.refusals()
        self.removals(other)

    def refusals(self) -> None:
        alice = self.cluster.client("alice")
        answer = alice.merge_patch("Model", "risk", "n", {"spec": {"storageUri": "s3://a/8"}})
        self.admin.audit_id = alice.audit_id
        self.note("forbidden", answer, 403, None, None, principal="alice")
        bad = self.admin.merge_patch("Model", "risk", "n", {"apiVersion": "mlops.seldon.io/v9"})
        self.note("invalid", bad, 422, None, None)
        stale = self.admin.merge_patch("Model", "risk", "n", {"metadata": {"resourceVersion": "1"}, "spec": {"storageUri": "s3://a/7"}})
        self.note("patch of what has changed", stale, 409, None, None)  # refused before admission

    def removals(self, other: str) -> None:
        admin, note = self.admin, self.note
        note("delete", admin.delete("Model", "risk", "n"), 200, other, None, verb="delete")
        note("delete of nothing", admin.delete("Model", "risk", "n"), 404, None, None)
        held = admin.create(model("held", finalizers=["x/y"]))[1]["metadata"]["uid"]
        note("delete that is held", admin.delete("Model", "risk", "held"), 200, held, None)
        free = {"metadata": {"finalizers": None}}
        note("last finalizer", admin.merge_patch("Model", "risk", "held", free), 200, held, None)
        note("collection", admin.request("DELETE", api_path("Model", "risk")), 200, None, None, verb="deletecollection",
             name=None, namespace="risk")
        space = admin.get("Namespace", None, "risk")[1]["metadata"]["uid"]
        note("namespace", admin.delete("Namespace", None, "risk"), 200, space, None, resource="namespaces", kind="Namespace",
             name="risk", namespace="risk", verb="delete")


# Requests whose answer is the object: its generation is sent whether it was raised or not, and so is a status write's uid.
ANSWERED = {"label": "3", "nothing": "3", "status": "5", "delete that is held": "2", "last finalizer": "2"}


@pytest.mark.parametrize("level", ["Metadata", "Request", "RequestResponse"])
def test_each_request_names_its_object(cluster_at, tmp_path, store, level):
    cluster = cluster_at(level)
    cluster.create_namespace("risk")
    story = Story(cluster)
    story.tell()
    found = collect(tmp_path, store, [audit_of(cluster, audit_id) for _, audit_id, _ in story.rows])
    uid = story.rows[0][2]["uid"]
    for what, audit_id, expected in story.rows:
        wanted = {"level": level, "dry_run": False} | expected
        if level == "RequestResponse" and what in ANSWERED:
            wanted |= {"generation": ANSWERED[what], "uid": wanted["uid"] or uid}
        told = found[audit_id]
        assert {key: told[key] for key in wanted} == wanted, what
        assert told["removes"] == (level == "RequestResponse" and what == "delete"), what
    if level != "RequestResponse":
        assert store.of_type("workload.observed") == [] and all(told["position"] is None for told in found.values())


def at_once(count: int, work) -> None:
    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_writers_that_meet_are_told_apart(cluster_at, tmp_path, store):
    """A patch that is tried again keeps its first annotations: those of the try that was done must still be found.

    The answers, which level Metadata hides, are the truth.
    """
    cluster = cluster_at("RequestResponse")
    cluster.create_namespace("risk")
    cluster.client("admin").create(model("m"))

    def patch(number: int) -> None:
        client = cluster.client("admin")
        for turn in range(40):
            client.merge_patch("Model", "risk", "m", {"spec": {"storageUri": f"s3://{number}/{turn}"}})

    def bear(number: int) -> None:
        client = cluster.client("admin")
        for turn in range(25):
            client.apply(model(f"b{turn}", f"s3://{number}/{turn}"), manager=f"m{number}")

    at_once(3, patch)
    at_once(3, bear)
    last = cluster.client("admin")
    last.create(model("last"))
    audit_of(cluster, last.audit_id)
    events = [event for event in cluster.audit_events()
              if event["objectRef"].get("resource") == "models" and event["verb"] == "patch" and event["responseStatus"]["code"] < 300]
    found = collect(tmp_path, store, [at_metadata(event) for event in events])
    tried_again = 0
    for event in events:
        told, meta = found[event["auditID"]], event["responseObject"]["metadata"]
        assert told["uid"] == meta["uid"]
        assert told["generation"] in (str(meta["generation"]), None)
        tried_again += sum("/generation-" in key for key in event["annotations"]) > 1
    assert len(events) == 3 * 40 + 3 * 25 and tried_again > 10
    # Each generation of the object that was patched has its one request, or its maker is not told.
    raised = sorted(int(found[event["auditID"]]["generation"]) for event in events
                    if event["objectRef"]["name"] == "m" and found[event["auditID"]]["generation"])
    assert len(set(raised)) == len(raised) > 100


def test_changes_are_credited_exactly_at_metadata(cluster_at, tmp_path, database):
    """The watch tells what, the log at level Metadata who; the policy's uid and generation join them."""
    cluster = cluster_at("Metadata")
    cluster.create_namespace("risk")
    users = ("alice", "bob", "carol")
    for user in users:
        cluster.grant(user, rbac.WRITER, "risk")
    cluster.grant("collector", rbac.READER, "risk")
    clients = [cluster.client(user) for user in users]
    system = System(tmp_path / "system", database, {"c1": ("c1", ["risk"])})
    try:
        system.start_store()
        config = cluster.kubeconfig(tmp_path / "kubeconfig")
        system.start_collector("c1", [f'kubernetes: {{kubeconfig: "{config}", namespaces: [risk]}}',
                                      f'audit_log: {{path: "{cluster.audit_log}", namespaces: [risk]}}'])
        listed = "SELECT count(*) > 0 FROM modeltrail.listing WHERE resource = 'models.mlops.seldon.io'"
        system.wait_for(listed, "t")  # what comes before is seen together
        made = []
        for number in range(24):
            client, name, version = clients[number % 3], f"m{number % 8}", f"1.{number // 8}.0"
            code, _ = client.apply(model(name, f"s3://models/{name}/{version}"), manager=f"by-{number % 3}")
            assert code == (201 if number < 8 else 200)
            assert client.merge_patch("Model", "risk", name, {"metadata": {"labels": {"seen": str(number)}}})[0] == 200
            made.append((name, version, users[number % 3], "exact", "audit"))
        assert clients[0].delete("Namespace", None, "risk")[0] == 403
        exact = "SELECT count(*) FROM modeltrail_v1.changes WHERE attribution = 'exact'"
        system.wait_for(exact, 24)
        rows = system.rows("SELECT model, to_version, applied_by, attribution, evidence FROM modeltrail_v1.changes")
        assert sorted(tuple(row.values()) for row in rows) == sorted(made)
        system.wait_for("SELECT count(*) FROM modeltrail_v1.attempts WHERE workload = 'Namespace/risk' AND outcome = 'refused'"
                        " AND applied_by = 'alice' AND namespace = 'risk'", 1)
        levels = system.rows("SELECT DISTINCT level, resource FROM modeltrail.request ORDER BY 2")
        assert [tuple(row.values()) for row in levels] == [("Metadata", "models.mlops.seldon.io"), ("Metadata", "namespaces")]
    finally:
        system.stop()
