"""Sources that grow while collectors watch them. The audit log is written the way a real API server writes it
(tests/recording), so that a fault needs no Kubernetes."""

import random
import threading
import uuid
from datetime import datetime, timedelta, timezone

START = datetime(2026, 1, 1, tzinfo=timezone.utc)

# As json.dumps would write it without blanks; made by hand, since millions are wanted.
LINE = (
    '{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"RequestResponse","auditID":"%(audit_id)s",'
    '"stage":"ResponseComplete",'
    '"requestURI":"/apis/mlops.seldon.io/v1alpha1/namespaces/%(namespace)s/models/%(name)s","verb":"%(verb)s",'
    '"user":{"username":"%(user)s"},"sourceIPs":["127.0.0.1"],"userAgent":"kubectl",'
    '"objectRef":{"resource":"models","namespace":"%(namespace)s","name":"%(name)s","apiGroup":"mlops.seldon.io",'
    '"apiVersion":"v1alpha1"},"responseStatus":{"code":200},"responseObject":{"apiVersion":"mlops.seldon.io/v1alpha1",'
    '"kind":"Model","metadata":{"name":"%(name)s","namespace":"%(namespace)s","uid":"%(uid)s",'
    '"resourceVersion":"%(position)d","generation":%(generation)d},'
    '"spec":{"storageUri":"s3://models/%(name)s/%(version)s"}},'
    '"requestReceivedTimestamp":"%(at)s","stageTimestamp":"%(at)s"}\n'
)


class Growing:
    """Calls `grow` every `pause` seconds from a thread, from start to stop."""

    def __init__(self, pause):
        self._pause, self._stop = pause, threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def grow(self):
        raise NotImplementedError

    def _run(self):
        while not self._stop.wait(self._pause):
            self.grow()

    def start(self):
        self._thread.start()

    def stop(self):
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()


class GrowingAuditLog(Growing):
    """Appends `rate` requests a second to `path` until it is stopped. Each is one write to a Model: two events.
    `audit_ids` and `truth` are what the tables must hold in the end."""

    def __init__(self, path, seed, rate=400, workloads=40, namespace="dev", name="model", position=1000):
        super().__init__(pause=0.05)
        self.path, self.rate, self.random, self.namespace = path, rate, random.Random(seed), namespace
        self.audit_ids, self.truth, self.position = [], {}, position
        self.prefix, self.workloads = name, [(f"{name}-{i}", self._uuid()) for i in range(workloads)]
        path.touch()

    def _uuid(self):
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))

    def _line(self):
        name, uid = self.random.choice(self.workloads)
        self.position += 1
        _, generation, _ = self.truth.get(uid, (False, 0, None))
        version = f"{self.random.randrange(9)}.{self.random.randrange(9)}.0"
        self.truth[uid] = (True, generation + 1, version)
        audit_id = self._uuid()
        self.audit_ids.append(audit_id)
        at = (START + timedelta(milliseconds=self.position)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return LINE % {
            "audit_id": audit_id, "namespace": self.namespace, "name": name, "uid": uid, "at": at,
            "verb": "update" if generation else "create", "user": self.random.choice(["alice", "bob"]),
            "position": self.position, "generation": generation + 1, "version": version,
        }

    def write(self, count):
        """Appends `count` requests now."""
        with open(self.path, "a") as out:
            out.write("".join(self._line() for _ in range(count)))

    def grow(self):
        self.write(max(1, self.rate // 20))

    def expected_deployments(self):
        return sorted((name, self.truth[uid][2]) for name, uid in self.workloads if uid in self.truth)
