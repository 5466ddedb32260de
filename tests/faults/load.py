"""A synthetic API server's audit log that grows while a collector tails it. It is written the way the real one
writes (tests/recording), so that a kill test needs no Kubernetes."""

import json
import random
import threading
import time
import uuid
from datetime import datetime, timedelta, timezone

START = datetime(2026, 1, 1, tzinfo=timezone.utc)


class GrowingAuditLog:
    """Appends `rate` requests a second to `path` from a thread until it is stopped."""

    def __init__(self, path, seed, rate=400, workloads=40):
        self.path, self.rate, self.random = path, rate, random.Random(seed)
        self.audit_ids, self.truth, self.position = [], {}, 1000
        self.workloads = [(f"model-{i}", str(uuid.UUID(int=self.random.getrandbits(128), version=4))) for i in range(workloads)]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        path.touch()

    def _line(self):
        name, uid = self.random.choice(self.workloads)
        self.position += 1
        created, generation, _ = self.truth.get(uid, (False, 0, None))
        version = f"{self.random.randrange(9)}.{self.random.randrange(9)}.0"
        self.truth[uid] = (True, generation + 1, version)
        audit_id = str(uuid.UUID(int=self.random.getrandbits(128), version=4))
        self.audit_ids.append(audit_id)
        at = (START + timedelta(milliseconds=self.position)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        model = {
            "apiVersion": "mlops.seldon.io/v1alpha1", "kind": "Model",
            "metadata": {"name": name, "namespace": "dev", "uid": uid, "resourceVersion": str(self.position),
                         "generation": generation + 1},
            "spec": {"storageUri": f"s3://models/{name}/{version}"},
        }
        return json.dumps({
            "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "RequestResponse", "auditID": audit_id,
            "stage": "ResponseComplete",
            "requestURI": f"/apis/mlops.seldon.io/v1alpha1/namespaces/dev/models/{name}",
            "verb": "update" if created else "create", "user": {"username": self.random.choice(["alice", "bob"])},
            "sourceIPs": ["127.0.0.1"], "userAgent": "kubectl",
            "objectRef": {"resource": "models", "namespace": "dev", "name": name, "apiGroup": "mlops.seldon.io",
                          "apiVersion": "v1alpha1"},
            "responseStatus": {"code": 200}, "responseObject": model,
            "requestReceivedTimestamp": at, "stageTimestamp": at,
        }, separators=(",", ":"))

    def _run(self):
        with open(self.path, "a") as out:
            while not self._stop.wait(0.05):
                for _ in range(max(1, self.rate // 20)):
                    out.write(self._line() + "\n")
                out.flush()

    def start(self):
        self._thread.start()

    def stop(self):
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def expected_deployments(self):
        return sorted((name, self.truth[uid][2]) for name, uid in self.workloads if uid in self.truth)
