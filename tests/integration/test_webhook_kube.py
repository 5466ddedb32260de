"""The webhooks as a real API server calls them, configured by the manifests that we ship."""

import itertools
import time
import uuid

import pytest
import yaml
from support import kube as kube_support
from support import rbac
from support.build import ROOT
from support.collector import Collector
from support.fake_store import FakeStore
from support.kube_client import MODEL_KINDS
from support.process import free_port
from support.webhook import Authority, Caller, admission_configuration

MANIFESTS = ROOT / "deploy" / "kubernetes"
NAMESPACE = "asked"
WEBHOOKS = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"


@pytest.fixture(scope="module")
def room(kube_assets, tmp_path_factory):
    """An API server that sends its audit events and reviews to a collector with a fake store."""
    made = Room(kube_assets, tmp_path_factory.mktemp("webhook"))
    try:
        yield made.start()
    finally:
        made.stop()


class Room:
    def __init__(self, assets, folder):
        self.folder = folder
        self.port = free_port()
        self.authority = Authority(folder / "ca")
        self.client = self.authority.issue("apiserver", "clientAuth")
        self.pair = self.authority.issue("server")
        self.token = folder / "token"
        self.token.write_text("audit-token")
        self.store = FakeStore(free_port()).start()
        listen = {"listen": f"127.0.0.1:{self.port}", "tls_cert": str(self.pair[0]), "tls_key": str(self.pair[1])}
        self.collector = Collector(folder, self.store, [
            {"admission": listen},
            {"audit_webhook": listen | {"client_ca": str(self.authority.certificate),
                                        "token_file": str(self.token)}}])
        self.cluster = kube_support.Cluster(
            assets, folder / "kube",
            extra_flags=[f"--audit-webhook-config-file={self.audit_config()}",
                         "--audit-webhook-batch-max-wait=200ms"])

    def audit_config(self):
        """The kubeconfig that we ship, with this test's address and files."""
        config = yaml.safe_load((MANIFESTS / "audit-webhook.yaml").read_text())
        config["clusters"][0]["cluster"] = {"server": f"https://127.0.0.1:{self.port}/audit",
                                            "certificate-authority": str(self.authority.certificate)}
        user = config["users"][0]["user"]
        assert set(user) == {"token", "client-certificate", "client-key"}
        user |= {"token": self.token.read_text(), "client-certificate": str(self.client[0]),
                 "client-key": str(self.client[1])}
        path = self.folder / "audit-webhook.yaml"
        path.write_text(yaml.safe_dump(config))
        return path

    def start(self):
        self.collector.start()
        self.cluster.start()
        admin = self.cluster.client("admin")
        self.cluster.create_namespace(NAMESPACE)
        self.cluster.grant("alice", rbac.WRITER, NAMESPACE)
        code, body = admin.request("POST", WEBHOOKS, admission_configuration(self.port, self.authority))
        assert code == 201, body
        self.wait_until_called()
        return self

    def wait_until_called(self):
        """A configuration takes a moment to be in force."""
        alice = self.cluster.client("alice")
        deadline = time.monotonic() + 30
        while not self.store.of_type("request.reviewed"):
            assert time.monotonic() < deadline, self.collector.log.read_text()
            alice.create(model(f"probe-{uuid.uuid4()}"), dry_run=True)
            time.sleep(0.2)

    def stop(self):
        self.cluster.stop()
        if self.collector.daemon:
            self.collector.stop()
        self.store.stop()

    def told(self, noun_verb, name):
        return [data for data in self.store.of_type(noun_verb) if data["name"] == name]

    def wait(self, is_so, timeout=30):
        self.collector.wait(is_so, timeout)


def model(name, uri="s3://a/1", namespace=NAMESPACE, **meta):
    return {"apiVersion": "mlops.seldon.io/v1alpha1", "kind": "Model",
            "metadata": {"name": name, "namespace": namespace} | meta, "spec": {"storageUri": uri}}


def once(rows):
    """Without immediate repeats: an API server that finds its cached object to be stale asks once more."""
    return [now for now, _ in itertools.groupby(rows)]


def row(data):
    return (data["verb"], data["generation"], data["dry_run"], data["principal"])


def test_each_write_gives_one_review(room):
    alice, name = room.cluster.client("alice"), f"m-{uuid.uuid4()}"
    code, made = alice.create(model(name))
    assert code == 201
    assert alice.merge_patch("Model", NAMESPACE, name, {"spec": {"storageUri": "s3://a/2"}})[0] == 200
    _, now = alice.get("Model", NAMESPACE, name)
    now["spec"]["storageUri"] = "s3://a/3"
    assert alice.update(now)[0] == 200
    assert alice.merge_patch("Model", NAMESPACE, name, {"metadata": {"labels": {"a": "b"}}})[0] == 200
    assert alice.merge_patch("Model", NAMESPACE, name, {"spec": {"storageUri": "s3://a/dry"}}, dry_run=True)[0] == 200
    assert alice.apply(model(name, "s3://a/4"))[0] == 200
    assert alice.delete("Model", NAMESPACE, name, dry_run=True)[0] == 200
    assert alice.delete("Model", NAMESPACE, name)[0] == 200
    # Refused before admission: there is no review of it.
    assert room.cluster.client("bob").create(model(name))[0] == 403
    room.wait(lambda: ("delete", None, False, "alice") in map(row, room.told("request.reviewed", name)))
    reviews = room.told("request.reviewed", name)
    assert once(map(row, reviews)) == [
        ("create", "1", False, "alice"), ("update", "2", False, "alice"), ("update", "3", False, "alice"),
        ("update", None, False, "alice"), ("update", None, True, "alice"), ("update", "4", False, "alice"),
        ("delete", None, True, "alice"), ("delete", None, False, "alice")]
    assert {data["uid"] for data in reviews} == {made["metadata"]["uid"]}
    assert {data["resource"] for data in reviews} == {"models.mlops.seldon.io"}
    assert {data["namespace"] for data in reviews} == {NAMESPACE}


def test_a_create_with_a_generated_name_and_a_refused_one(room):
    alice = room.cluster.client("alice")
    prefix = f"g-{uuid.uuid4()}-"
    code, made = alice.request("POST", f"/apis/mlops.seldon.io/v1alpha1/namespaces/{NAMESPACE}/models",
                               {"apiVersion": "mlops.seldon.io/v1alpha1", "kind": "Model",
                                "metadata": {"generateName": prefix}, "spec": {"storageUri": "s3://a/b"}})
    assert code == 201
    name = made["metadata"]["name"]
    room.wait(lambda: room.told("request.reviewed", name))
    (data,) = room.told("request.reviewed", name)
    assert (data["uid"], data["generation"]) == (made["metadata"]["uid"], "1")
    # A create of what is there: whether the write succeeds, a review does not know.
    assert alice.create(model(name))[0] == 409
    time.sleep(1)
    assert all(data["code"] is None for data in room.told("request.reviewed", name))


def test_deletecollection_and_namespaces_are_told_object_by_object(room):
    admin = room.cluster.client("admin")
    place = f"ns-{uuid.uuid4()}"
    room.cluster.create_namespace(place)
    made = {admin.create(model(name, namespace=place))[1]["metadata"]["uid"]: name for name in ("a1", "a2", "a3")}
    path = f"/apis/mlops.seldon.io/v1alpha1/namespaces/{place}/models"
    assert admin.request("DELETE", path)[0] == 200

    def told():
        return [data for data in room.store.of_type("request.reviewed") if data["namespace"] == place]

    room.wait(lambda: len([data for data in told() if data["verb"] == "delete"]) == 3)
    assert {data["uid"]: data["name"] for data in told() if data["verb"] == "delete"} == made
    assert admin.delete("Namespace", None, place)[0] == 200
    room.wait(lambda: [data for data in told() if data["resource"] == "namespaces"])
    (data,) = [data for data in told() if data["resource"] == "namespaces"]
    assert (data["verb"], data["kind"], data["name"], data["principal"]) == ("delete", "Namespace", place, "admin")


def test_another_version_and_scale(room):
    alice, name = room.cluster.client("alice"), f"v-{uuid.uuid4()}"
    old = {"apiVersion": "machinelearning.seldon.io/v1alpha2", "kind": "SeldonDeployment",
           "metadata": {"name": name, "namespace": NAMESPACE},
           "spec": {"replicas": 1, "predictors": [{"name": "main", "graph": {"name": "c", "modelUri": "s3://a/b"}}]}}
    code, made = alice.create(old)
    assert code == 201, made
    code, body = alice.scale("SeldonDeployment", NAMESPACE, name, 2)
    assert code == 200, body
    room.wait(lambda: len(room.told("request.reviewed", name)) == 2)
    created, scaled = room.told("request.reviewed", name)
    assert created["api_version"] == "machinelearning.seldon.io/v1alpha2"
    assert (created["resource"], created["generation"]) == ("seldondeployments.machinelearning.seldon.io", "1")
    assert (scaled["subresource"], scaled["generation"], scaled["uid"]) == ("scale", None, made["metadata"]["uid"])


def test_the_manifest_names_all_kinds(room):
    rules = admission_configuration(room.port, room.authority)["webhooks"][0]["rules"]
    named = {(rule["apiGroups"][0], resource) for rule in rules for resource in rule["resources"]}
    plural = {(resource.group, resource.plural) for resource in MODEL_KINDS.values()}
    assert named == plural | {(group, f"{name}/scale") for group, name in plural} | {("", "namespaces")}


def test_audit_events_come_by_webhook_as_they_stand_in_the_log(room):
    alice, name = room.cluster.client("alice"), f"w-{uuid.uuid4()}"
    assert alice.create(model(name))[0] == 201
    assert alice.merge_patch("Model", NAMESPACE, name, {"spec": {"storageUri": "s3://a/2"}})[0] == 200
    assert alice.create(model(name), dry_run=True)[0] in (201, 409)
    assert alice.delete("Model", NAMESPACE, name)[0] == 200
    assert room.cluster.client("bob").delete("Model", NAMESPACE, name)[0] == 403
    room.wait(lambda: len(room.told("request.audited", name)) == 5)
    logged = {event["auditID"]: event for event in room.cluster.audit_events()
              if event["stage"] == "ResponseComplete" and event["objectRef"].get("name") == name}
    told = {data["audit_id"]: data for data in room.told("request.audited", name)}
    assert set(told) == set(logged)
    for audit_id, data in told.items():
        event = logged[audit_id]
        assert (data["verb"], data["code"], data["principal"], data["via"]) == \
            (event["verb"], event["responseStatus"]["code"], event["user"]["username"], "audit_webhook")
        assert data["at"] == event["requestReceivedTimestamp"]


def test_a_collector_that_is_away_holds_nobody_up_and_gets_the_audit_events_later(room):
    """Reviews of that time are lost, as failurePolicy Ignore wants it; audit events are kept by the API server."""
    alice, name = room.cluster.client("alice"), f"away-{uuid.uuid4()}"
    assert room.collector.stop() == 0
    began = time.monotonic()
    assert alice.create(model(name))[0] == 201
    assert time.monotonic() - began < 3
    room.collector.start()
    room.wait(lambda: room.told("request.audited", name), timeout=60)
    assert room.told("request.reviewed", name) == []
    assert alice.merge_patch("Model", NAMESPACE, name, {"spec": {"storageUri": "s3://a/2"}})[0] == 200
    room.wait(lambda: room.told("request.reviewed", name))
