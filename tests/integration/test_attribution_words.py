"""Why nobody is named (rule 19), by each source that tells who: what it has not reached yet is pending, what it passed
without a word is missing, and what it never looked at is not_collected."""

import json
from datetime import datetime, timedelta, timezone

import pytest
from support.collector import audit_event
from support.process import free_port
from support.system import System
from support.webhook import Authority, Caller, event_list, review
from support.wire import WireCollector, observed

NOW = datetime.now(timezone.utc).replace(microsecond=0)


def instant(at):
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Scene:
    """A who-source as a process, and a watch of the test's own that tells what changed when."""

    def __init__(self, folder, database):
        self.folder = folder
        self.system = System(folder / "system", database, {"who": ("c1", None), "watch": ("c1", None)})
        self.system.start_store()
        self.watch = WireCollector(self.system.endpoint, bytes.fromhex(self.system.store_key), self.system.secret("watch"), name="watch")
        assert self.watch.hello()["kind"] == "welcome"
        self.objects = 0

    def listen(self, source):
        """Starts the source as a webhook; gives a caller of it."""
        authority, port = Authority(self.folder / "ca"), free_port()
        certificate, key = authority.issue("server")
        daemon = self.system.start_collector(
            "who", [f'{source}: {{listen: "127.0.0.1:{port}", tls_cert: "{certificate}", tls_key: "{key}"}}'])
        daemon.wait_until(lambda: "webhook listens" in self.system.log("who"))
        return Caller(port, authority.certificate)

    def change(self, at):
        """An object is born at an instant that its managed fields tell, and nobody is told for it."""
        self.objects += 1
        name = f"quiet-{self.objects}"
        self.watch.publish([("workload.observed", observed(
            f"0000000{self.objects}-0000-4000-8000-000000000000", 100 + self.objects, name=name, at=instant(at),
            at_source="managed_fields", not_before=instant(at - timedelta(milliseconds=1))))])
        return name

    def becomes(self, name, word):
        self.system.wait_for(f"SELECT attribution FROM modeltrail_v1.changes WHERE workload = 'Model/{name}'", word, timeout=60)

    def stop(self):
        self.watch.close()
        self.system.stop()


@pytest.fixture
def scene(tmp_path, database):
    made = Scene(tmp_path, database)
    yield made
    made.stop()


def test_by_admission(scene):
    caller = scene.listen("admission")

    def asked(number):
        """A review of something else; gives when it came, by the collector's clock."""
        assert caller.post("/admission", review(number))[0] == 200
        scene.system.wait_for(f"SELECT count(*) FROM modeltrail.request WHERE name = 'model-{number}'", 1)
        return datetime.fromisoformat(scene.system.rows(f"SELECT at FROM modeltrail.request WHERE name = 'model-{number}'")[0]["at"])

    first = asked(1)
    before = scene.change(first - timedelta(minutes=1))
    later = scene.change(first + timedelta(milliseconds=1))
    scene.becomes(before, "not_collected")
    scene.becomes(later, "pending")
    assert asked(2) > first + timedelta(milliseconds=1)
    scene.becomes(later, "missing")
    scene.becomes(before, "not_collected")


def test_by_audit_webhook(scene):
    caller = scene.listen("audit_webhook")

    def told(minutes):
        event = audit_event(1, name="other") | {"requestReceivedTimestamp": instant(NOW - timedelta(minutes=minutes)),
                                                "auditID": f"audit-{minutes}"}
        assert caller.post("/audit", event_list([event]))[0] == 200

    told(30)
    before, later = scene.change(NOW - timedelta(minutes=31)), scene.change(NOW - timedelta(minutes=20))
    scene.becomes(before, "not_collected")
    scene.becomes(later, "pending")
    told(10)
    scene.becomes(later, "missing")
    scene.becomes(before, "not_collected")


def delivered(at, name):
    """A line of EKS's log group: a patch by alice, at level Metadata."""
    event = {"kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Metadata", "auditID": f"audit-{name}", "stage": "ResponseComplete",
             "requestURI": f"/apis/mlops.seldon.io/v1alpha1/namespaces/dev/models/{name}", "verb": "patch", "user": {"username": "alice"},
             "objectRef": {"apiGroup": "mlops.seldon.io", "apiVersion": "v1alpha1", "resource": "models", "namespace": "dev", "name": name},
             "responseStatus": {"code": 200}, "requestReceivedTimestamp": instant(at), "stageTimestamp": instant(at)}
    return json.dumps(event) + "\n"


def test_by_a_delivery(scene):
    """A vendor promises no order: the newest quarter of an hour that was read is not covered yet."""
    path = scene.folder / "delivery.log"
    path.write_text(delivered(NOW - timedelta(minutes=60), "first") + delivered(NOW - timedelta(minutes=30), "second"))
    scene.system.start_collector("who", [f'audit_log: {{path: "{path}", format: eks}}'])
    scene.system.wait_for("SELECT count(*) FROM modeltrail.request", 2)
    before, covered, held = (scene.change(NOW - timedelta(minutes=minutes)) for minutes in (61, 50, 40))
    scene.becomes(before, "not_collected")
    scene.becomes(covered, "missing")
    scene.becomes(held, "pending")
    with path.open("a") as log:
        log.write(delivered(NOW - timedelta(minutes=20), "third"))
    scene.becomes(held, "missing")
    scene.becomes(before, "not_collected")
    # One that may have been it is no alarm, however late it is delivered; the time joins it where the name does.
    with path.open("a") as log:
        log.write(delivered(NOW - timedelta(minutes=50), "quiet-2").replace('"patch"', '"create"').replace("200", "201"))
    scene.becomes(covered, "unique")
