"""A collector of a test's own, and audit lines to feed it."""

import json
import uuid
from pathlib import Path

from support.build import program, run
from support.process import Daemon


def deployment(uid: str, name: str, position: int, version: str, namespace: str = "dev") -> dict:
    """A small SeldonDeployment as the API server answers with it."""
    return {
        "apiVersion": "machinelearning.seldon.io/v1", "kind": "SeldonDeployment",
        "metadata": {"name": name, "namespace": namespace, "uid": uid, "generation": 1,
                     "resourceVersion": str(position),
                     "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"predictors": [{"name": "main", "graph": {
            "name": "classifier", "implementation": "SKLEARN_SERVER",
            "modelUri": f"s3://models/{name}/{version}"}}]},
    }


def uid_of(name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, name))


def time_of(number: int) -> str:
    """Number 0 is 2026-01-01T00:00:00Z; one second each."""
    days, seconds = divmod(number, 86400)
    hours, seconds = divmod(seconds, 3600)
    minutes, seconds = divmod(seconds, 60)
    assert days < 31
    return f"2026-01-{days + 1:02}T{hours:02}:{minutes:02}:{seconds:02}.000000Z"


def audit_event(number: int, name: str | None = None, **changes) -> dict:
    """The audit event of the create of one SeldonDeployment."""
    name = name or f"model-{number}"
    event = {
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "RequestResponse",
        "auditID": f"audit-{number}", "stage": "ResponseComplete", "verb": "create",
        "requestURI": "/apis/machinelearning.seldon.io/v1/namespaces/dev/seldondeployments",
        "user": {"username": "alice", "groups": ["data-science"]}, "sourceIPs": ["192.0.2.1"],
        "userAgent": "kubectl", "responseStatus": {"metadata": {}, "code": 201},
        "objectRef": {"resource": "seldondeployments", "namespace": "dev", "name": name,
                      "apiGroup": "machinelearning.seldon.io", "apiVersion": "v1"},
        "responseObject": deployment(uid_of(name), name, 1000 + number, "v1"),
        "requestReceivedTimestamp": time_of(number), "stageTimestamp": time_of(number),
    }
    return event | changes


def audit_text(numbers, **changes) -> str:
    return "".join(json.dumps(audit_event(number, **changes)) + "\n" for number in numbers)


class Collector:
    """Configuration, key and spool in `folder`; the process comes and goes."""

    def __init__(self, folder: Path, stores, sources: list[dict], name="eu-1", cluster="c1",
                 key=None, **settings):
        self.folder = Path(folder)
        self.spool = self.folder / f"{name}.db"
        self.log = self.folder / f"{name}.log"
        self.config = self.folder / f"{name}.yaml"
        key_file = key or self.folder / f"{name}.key"
        if not key_file.exists():
            made = run("modeltrail-collector", "keygen", key_file)
            assert made.returncode == 0, made.stderr
            self.public = made.stdout.strip()
        stores = stores if isinstance(stores, list) else [stores]
        settings = {"timeout_ms": 2000} | settings
        # JSON is YAML.
        self.config.write_text(json.dumps({
            "collector": name, "cluster": cluster, "store": [store.address for store in stores],
            "store_key": stores[0].store_key, "key_file": str(key_file),
            "spool": str(self.spool), "sources": sources, **settings}))
        self.daemon: Daemon | None = None

    def start(self, *args) -> "Collector":
        self.daemon = Daemon([program("modeltrail-collector"), "--config", self.config, *args],
                             self.log)
        return self

    def once(self, timeout: float = 60):
        """Runs with --once to its end; gives what subprocess.run gives."""
        return run("modeltrail-collector", "--config", self.config, "--once", timeout=timeout)

    def wait(self, is_so, timeout: float = 20) -> None:
        self.daemon.wait_until(is_so, timeout)

    def stop(self) -> int:
        return self.daemon.end()

    def says(self, words: str) -> bool:
        return self.log.exists() and words in self.log.read_text(errors="replace")
