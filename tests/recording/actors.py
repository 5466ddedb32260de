"""Who acts in the story, each with the tool they would use, and the book of what they did."""

import contextlib
import json
import time

from support import kube
from support.kube_client import Client

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


class Unexpected(Exception):
    """A request of the story was answered otherwise than the story says."""


class Book:
    """Which requests belong to which step: the audit IDs, as the API server returned them."""

    def __init__(self, pause: float):
        self.steps: list[dict] = []
        self._pause = pause

    @contextlib.contextmanager
    def step(self, name: str):
        """One step of the story. Steps lie apart in time, because objects count in seconds."""
        self.steps.append({"step": name, "requests": []})
        yield
        time.sleep(self._pause)

    def note(self, cluster: str, user: str, audit_id: str, code: int) -> None:
        self.steps[-1]["requests"].append(
            {"cluster": cluster, "user": user, "code": code, "audit_id": audit_id})


class Actor:
    """One user at one cluster. Every call checks the answer against what the story expects."""

    def __init__(self, cluster: kube.Cluster, user: str, book: Book, agent: str, manager: str):
        self._cluster, self._user, self._book, self._manager = cluster, user, book, manager
        self._client: Client = cluster.client(user, agent)

    def _expect(self, code: int, answer: tuple) -> dict:
        got, body = answer
        self._book.note(self._cluster.name, self._user, self._client.audit_id, got)
        if got != code:
            raise Unexpected(f"{self._user} at {self._cluster.name}: {got}, not {code}: {body}")
        return body

    def client_apply(self, obj: dict, code: int | None = None, dry_run=False) -> None:
        """`kubectl apply` as it works by default, and Argo CD too: create with a last-applied
        annotation, or patch what differs from it."""
        meta = obj["metadata"]
        written = json.dumps(obj, separators=(",", ":"))
        found, live = self._client.get(obj["kind"], meta["namespace"], meta["name"])
        annotations = meta.get("annotations", {}) | {LAST_APPLIED: written}
        obj = obj | {"metadata": meta | {"annotations": annotations}}
        if found == 404:
            answer = self._client.create(obj, dry_run, self._manager)
            self._expect(code or 201, answer)
            return
        before = json.loads(live["metadata"].get("annotations", {}).get(LAST_APPLIED, "{}"))
        patch = merge_patch_between(before, obj, live)
        version = obj["apiVersion"].rpartition("/")[2]
        self._expect(code or 200, self._client.merge_patch(
            obj["kind"], meta["namespace"], meta["name"], patch, version=version, dry_run=dry_run,
            manager=self._manager))

    def server_apply(self, obj: dict, code: int = 200) -> dict:
        """Server-side apply: `kubectl apply --server-side`."""
        return self._expect(code, self._client.apply(obj, manager=self._manager))

    def replace(self, obj: dict, code: int = 200) -> dict:
        """PUT of the whole object, at the resourceVersion it carries."""
        return self._expect(code, self._client.update(obj, manager=self._manager))

    def patch(self, kind, namespace, name, patch: dict, code: int = 200) -> None:
        self._expect(code, self._client.merge_patch(kind, namespace, name, patch,
                                                    manager="kubectl-patch"))

    def scale(self, kind, namespace, name, replicas: int) -> None:
        self._expect(200, self._client.scale(kind, namespace, name, replicas))

    def delete(self, kind, namespace, name, code: int = 200) -> None:
        self._expect(code, self._client.delete(kind, namespace, name))

    def read(self, kind, namespace, name) -> dict:
        code, body = self._client.get(kind, namespace, name)
        if code != 200:
            raise Unexpected(f"{self._user} cannot read {kind}/{name}: {body}")
        return body

    def report_status(self, kind, namespace, name, status: dict) -> None:
        self._expect(200, self._client.patch_status(kind, namespace, name, status, self._manager))


def merge_patch_between(before: dict, wanted: dict, live: dict) -> dict:
    """The three-way merge of `kubectl apply` for custom resources: set what is wanted and not
    live, remove what was applied before and is not wanted any more."""
    patch = {key: None for key in before if key not in wanted and key in live}
    for key, value in wanted.items():
        if isinstance(value, dict) and isinstance(live.get(key), dict):
            inner = merge_patch_between(before.get(key, {}), value, live[key])
            if inner:
                patch[key] = inner
        elif live.get(key) != value:
            patch[key] = value
    return patch


class SeldonOperator:
    """Reports that SeldonDeployments are up, as Seldon Core 1's operator does."""

    def __init__(self, cluster: kube.Cluster, book: Book):
        self._actor = Actor(cluster, kube.SELDON_MANAGER, book, "manager/v1.17.1", "manager")

    def available(self, namespace: str, name: str) -> None:
        live = self._actor.read("SeldonDeployment", namespace, name)
        count = sum(predictor.get("replicas", 1) for predictor in live["spec"]["predictors"])
        self._actor.report_status("SeldonDeployment", namespace, name, {
            "state": "Available",
            "replicas": count,
            "conditions": [{"type": "Ready", "status": "True"}],
        })


class SeldonScheduler:
    """Reports that Core 2 objects are ready, as its controller manager does."""

    def __init__(self, cluster: kube.Cluster, book: Book):
        self._actor = Actor(cluster, kube.SELDON_V2_MANAGER, book, "manager/v2.6.0", "manager")

    def ready(self, kind: str, namespace: str, name: str) -> None:
        generation = self._actor.read(kind, namespace, name)["metadata"]["generation"]
        status = {"conditions": [{"type": f"{kind}Ready", "status": "True"},
                                 {"type": "Ready", "status": "True"}],
                  "observedGeneration": generation}
        if kind == "Model":
            status["replicas"] = 1
        self._actor.report_status(kind, namespace, name, status)


class KServeController:
    """Rewrites old predictors and keeps revisions and their traffic, as KServe does on Knative."""

    def __init__(self, cluster: kube.Cluster, book: Book):
        self._actor = Actor(cluster, kube.KSERVE_MANAGER, book, "manager/v0.15.2", "manager")

    def rewrite_predictor(self, namespace: str, name: str, predictor: dict) -> None:
        """An update that changes the form of the predictor and nothing that it serves."""
        live = self._actor.read("InferenceService", namespace, name)
        self._actor.replace(live | {"spec": {"predictor": predictor}})

    def creating(self, namespace: str, name: str, revision: int) -> None:
        """The new revision exists and is not ready; the one before still takes everything."""
        old = _revision(name, revision - 1)
        traffic = [{"latestRevision": True, "percent": 100, "revisionName": old}]
        self._report(namespace, name, "False", created=_revision(name, revision), ready=old,
                     traffic=traffic)

    def ready(self, namespace: str, name: str, revision: int, percent: int = 100) -> None:
        """The newest revision takes `percent`, the one before it the rest."""
        newest = _revision(name, revision)
        traffic = [{"latestRevision": True, "percent": percent, "revisionName": newest}]
        if percent < 100:
            traffic.append({"latestRevision": False, "percent": 100 - percent,
                            "revisionName": _revision(name, revision - 1), "tag": "prev"})
        self._report(namespace, name, "True", created=newest, ready=newest, traffic=traffic)

    def loaded(self, namespace: str, name: str) -> None:
        """A TrainedModel is in its server's memory."""
        generation = self._actor.read("TrainedModel", namespace, name)["metadata"]["generation"]
        self._actor.report_status("TrainedModel", namespace, name, {
            "conditions": [{"type": "Ready", "status": "True"}], "observedGeneration": generation})

    def _report(self, namespace: str, name: str, is_ready: str, created: str, ready: str,
                traffic: list[dict]) -> None:
        live = self._actor.read("InferenceService", namespace, name)
        before = live.get("status", {}).get("components", {}).get("predictor", {})
        predictor = {"latestCreatedRevision": created, "latestReadyRevision": ready,
                     "traffic": traffic} | _rolled_out(before, traffic)
        self._actor.report_status("InferenceService", namespace, name, {
            "observedGeneration": live["metadata"]["generation"],
            "components": {"predictor": predictor},
            "conditions": [{"type": "PredictorReady", "status": is_ready},
                           {"type": "Ready", "status": is_ready}],
            "url": f"http://{name}.{namespace}.example.com",
        })


def _revision(name: str, number: int) -> str:
    return f"{name}-predictor-{number:05}"


def _rolled_out(before: dict, traffic: list[dict]) -> dict:
    """KServe remembers the revision that took all traffic last, and the one before that."""
    latest = before.get("latestRolledoutRevision")
    newest = traffic[0]["revisionName"]
    if traffic[0]["percent"] < 100 or newest == latest:
        return {}
    previous = {"previousRolledoutRevision": latest} if latest else {}
    return {"latestRolledoutRevision": newest} | previous
