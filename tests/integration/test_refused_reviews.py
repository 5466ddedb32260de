"""What another webhook refuses, ours has let pass: on a real API server nobody is named for what came later."""

import json
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from support import rbac
from support.process import free_port
from support.system import System
from support.webhook import Authority, admission_configuration

NAMESPACE = "refused"
WEBHOOKS = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
BEYOND_SLACK_S = 8  # a review is a proof within 5 s of the change
pytestmark = pytest.mark.slow


class Refuser:
    """A webhook that refuses whatever alice asks for on objects whose name says so."""

    def __init__(self, folder):
        self.authority, self.port = Authority(folder), free_port()
        self.server = ThreadingHTTPServer(("127.0.0.1", self.port), self._handler())
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(*map(str, self.authority.issue("server")))
        self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @staticmethod
    def _handler():
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["request"]
                refuses = asked["userInfo"]["username"] == "alice" and asked["operation"] != "CREATE" and \
                    asked["name"].startswith("kept")
                answer = json.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
                                     "response": {"uid": asked["uid"], "allowed": not refuses}}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        return Handler

    def configuration(self):
        made = admission_configuration(self.port, self.authority)
        made["metadata"]["name"] = "refuser.example.com"
        return made

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class Room:
    def __init__(self, cluster, database, folder):
        self.cluster, self.folder = cluster, folder
        self.system = System(folder / "system", database, {"c1": ("c1", None)})
        self.refuser = Refuser(folder / "refuser")
        self.admin, self.alice, self.bob = (cluster.client(user) for user in ("admin", "alice", "bob"))

    def start(self):
        self.cluster.create_namespace(NAMESPACE)
        for user in ("alice", "bob"):
            self.cluster.grant(user, rbac.WRITER, NAMESPACE)
        self.cluster.grant("collector", rbac.READER)
        authority, port = Authority(self.folder / "ca"), free_port()
        certificate, key = authority.issue("server")
        self.system.start_store()
        self.system.start_collector("c1", [json.dumps(source) for source in (
            {"kubernetes": {"kubeconfig": str(self.cluster.kubeconfig(self.folder / "kubeconfig")),
                            "namespaces": [NAMESPACE]}},
            {"admission": {"listen": f"127.0.0.1:{port}", "tls_cert": str(certificate), "tls_key": str(key)}})])
        self.configurations = [admission_configuration(port, authority), self.refuser.configuration()]
        return self

    def reviews(self):
        return int(self.system.database.psql("SELECT count(*) FROM modeltrail.request WHERE evidence = 'admission'")[0][0])

    def call_webhooks(self):
        for configuration in self.configurations:
            assert self.admin.request("POST", WEBHOOKS, configuration)[0] == 201
        self._wait(lambda: self._probe() != 200 and self.reviews() > 0)

    def forget_webhooks(self):
        """As while the collector's pod is away."""
        for configuration in self.configurations:
            assert self.admin.request("DELETE", f"{WEBHOOKS}/{configuration['metadata']['name']}")[0] == 200
        self._wait(lambda: self._probe() == 200)
        time.sleep(1)

    def _probe(self):
        return self.alice.merge_patch("Model", NAMESPACE, "kept-probe", {"spec": {"storageUri": "s3://a/9"}},
                                      dry_run=True)[0]

    @staticmethod
    def _wait(is_so):
        deadline = time.monotonic() + 30
        while not is_so():
            assert time.monotonic() < deadline
            time.sleep(0.2)

    def create(self, name, **meta):
        code, body = self.alice.create({
            "apiVersion": "mlops.seldon.io/v1alpha1", "kind": "Model",
            "metadata": {"name": name, "namespace": NAMESPACE} | meta, "spec": {"storageUri": "s3://a/1"}})
        assert code == 201, body

    def patch(self, client, name, what):
        return client.merge_patch("Model", NAMESPACE, name, what)[0]

    def changes(self):
        return self.system.database.psql(
            "SELECT workload, change_type, deployed_by, attribution FROM modeltrail_v1.changes"
            " WHERE workload <> 'Model/kept-probe' ORDER BY workload, happened_at, change_type")


@pytest.fixture
def room(new_cluster, database, tmp_path):
    made = Room(new_cluster("c1"), database, tmp_path)
    yield made.start()
    made.refuser.stop()


def test_who_was_refused_is_not_named_for_what_others_did_later(room):
    room.create("kept-probe")
    room.call_webhooks()
    for name in ("kept-changed", "kept-removed"):
        room.create(name)
    room.create("held", finalizers=["x/y"])
    new = {"spec": {"storageUri": "s3://a/2"}}
    assert room.patch(room.alice, "kept-changed", new) == 400
    assert room.alice.delete("Model", NAMESPACE, "kept-removed")[0] == 400
    assert room.alice.delete("Model", NAMESPACE, "held")[0] == 200
    time.sleep(BEYOND_SLACK_S)
    assert room.patch(room.bob, "kept-removed", {"metadata": {"labels": {"a": "b"}}}) == 200
    assert room.patch(room.bob, "held", {"metadata": {"labels": {"a": "b"}}}) == 200
    room.forget_webhooks()
    assert room.patch(room.bob, "kept-changed", new) == 200
    assert room.bob.delete("Model", NAMESPACE, "kept-removed")[0] == 200
    assert room.patch(room.bob, "held", {"metadata": {"finalizers": None}}) == 200
    room.system.wait_for("SELECT count(*) FROM modeltrail_v1.changes WHERE workload <> 'Model/kept-probe'", "6")
    assert room.changes() == [
        ("Model/held", "deployed", "alice", "exact"),
        ("Model/held", "removed", "alice", "exact"),  # she asked for it, and finalizers held it
        ("Model/kept-changed", "deployed", "alice", "exact"),
        ("Model/kept-changed", "upgraded", None, "ambiguous"),
        ("Model/kept-removed", "deployed", "alice", "exact"),
        ("Model/kept-removed", "removed", None, "ambiguous")]
