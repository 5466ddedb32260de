"""Argo CD and Flux as an API server sees them: their own objects, written in the order in which they write them."""

import time
from datetime import datetime, timezone
from pathlib import Path

import yaml

from . import rbac
from .kube_client import KINDS, Resource

ARGO, KUSTOMIZE, SOURCE = "argoproj.io", "kustomize.toolkit.fluxcd.io", "source.toolkit.fluxcd.io"
FLUX = "system:serviceaccount:flux-system:kustomize-controller"
TOOLS = {
    "Application": Resource(ARGO, "v1alpha1", "applications"),
    "Kustomization": Resource(KUSTOMIZE, "v1", "kustomizations"),
    "GitRepository": Resource(SOURCE, "v1", "gitrepositories"),
}
_RESOURCES = [plural for tool in TOOLS.values() for plural in (tool.plural, tool.plural + "/status")]
READER = rbac.READER + [{"apiGroups": [ARGO, KUSTOMIZE, SOURCE], "resources": _RESOURCES, "verbs": ["get", "list", "watch"]}]
CONTROLLER = [{"apiGroups": [ARGO, KUSTOMIZE, SOURCE], "resources": _RESOURCES,
               "verbs": ["get", "list", "watch", "create", "update", "patch"]}]


def install(cluster) -> None:
    """The tools' kinds; waits until they answer."""
    KINDS.update(TOOLS)
    admin = cluster.client("admin")
    for path in sorted((Path(__file__).parent / "gitops_crds").glob("*.yaml")):
        code, body = admin.apply(yaml.safe_load(path.read_text()))
        assert code in (200, 201), body
    deadline = time.monotonic() + 30
    while any(admin.list(kind, limit=1)[0] != 200 for kind in TOOLS):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def now() -> str:
    """To the second, as both tools write times."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _done(answer) -> None:
    code, body = answer
    assert code in (200, 201), body


class Application:
    """An Argo CD application and what its controller writes of one sync: the operation that runs, a line of history
    if all of the application was synced, the operation that ended."""

    def __init__(self, client, home: str, name: str, url: str, path: str, namespace: str):
        """`home`: the namespace that the tool itself lives in."""
        self.client, self.home, self.name = client, home, name
        self.source = {"repoURL": url, "path": path, "targetRevision": "main"}
        self.history: list[dict] = []
        _done(client.create({
            "apiVersion": f"{ARGO}/v1alpha1", "kind": "Application", "metadata": {"name": name, "namespace": home},
            "spec": {"project": "default", "source": self.source,
                     "destination": {"server": "https://kubernetes.default.svc", "namespace": namespace}}},
            manager="argocd-server"))

    def tracking(self, obj: dict) -> dict:
        """The annotation that the tool puts onto an object of this application, which is at home with it."""
        group, meta = obj["apiVersion"].partition("/")[0], obj["metadata"]
        return {"argocd.argoproj.io/tracking-id": f"{self.name}:{group}/{obj['kind']}:{meta['namespace']}/{meta['name']}"}

    def begin(self, revision: str, by: str | None = None, only: list[dict] | None = None) -> None:
        """`by`: who pressed the button, and asked for the branch; nobody: the tool itself. `only`: objects of a
        self-heal.

        The controller's write is a merge patch that takes away the end of the operation before and nothing else: its
        result, and who started it, stay until they are overwritten.
        """
        self.revision = revision
        sync = {"revision": "main" if by else revision, "prune": True}
        if only:
            sync["resources"] = [
                {"group": obj["apiVersion"].partition("/")[0], "kind": obj["kind"],
                 "namespace": obj["metadata"]["namespace"], "name": obj["metadata"]["name"]} for obj in only]
        self.is_partial = only is not None
        self.operation = {"phase": "Running", "startedAt": now(), "message": "waiting for completion",
                          "operation": {"initiatedBy": {"username": by} if by else {"automated": True}, "sync": sync}}
        self._write({"operationState": self.operation | {"finishedAt": None}})

    def synced(self) -> None:
        """Everything is applied."""
        if not self.is_partial:
            number = self.history[-1]["id"] + 1 if self.history else 0
            self.history.append({
                "id": number, "revision": self.revision, "source": self.source, "deployStartedAt": self.operation["startedAt"],
                "deployedAt": now(), "initiatedBy": self.operation["operation"]["initiatedBy"]})
            self._write({"history": self.history[-10:]})

    def finish(self) -> None:
        ended = {"phase": "Succeeded", "finishedAt": now(), "message": "successfully synced",
                 "syncResult": {"revision": self.revision, "source": self.source}}
        self._write({"operationState": self.operation | ended, "sync": {"status": "Synced", "revision": self.revision}})

    def _write(self, status: dict) -> None:
        _done(self.client.merge_patch("Application", self.home, self.name, {"status": status},
                                      manager="argocd-application-controller"))


class Kustomization:
    """A Flux Kustomization with the repository that it takes from, as releases since 2.7 write them."""

    def __init__(self, client, home: str, name: str, url: str, path: str, namespace: str):
        self.client, self.home, self.name, self.history = client, home, name, []
        meta = {"name": name, "namespace": home}
        _done(client.create({"apiVersion": f"{SOURCE}/v1", "kind": "GitRepository", "metadata": meta,
                             "spec": {"url": url, "ref": {"branch": "main"}, "interval": "1m"}}, manager="flux"))
        _done(client.create({"apiVersion": f"{KUSTOMIZE}/v1", "kind": "Kustomization", "metadata": meta,
                             "spec": {"path": f"./{path}", "targetNamespace": namespace, "prune": True, "interval": "1m",
                                      "sourceRef": {"kind": "GitRepository", "name": name}}}, manager="flux"))

    def labels(self) -> dict:
        """Those that the tool puts onto the objects that it applies."""
        return {f"{KUSTOMIZE}/name": self.name, f"{KUSTOMIZE}/namespace": self.home}

    def begin(self, revision: str) -> None:
        self.revision = f"main@sha1:{revision}"
        self.began = now()
        _done(self.client.patch_status("GitRepository", self.home, self.name, {
            "artifact": {"revision": self.revision, "lastUpdateTime": self.began}}, manager="source-controller"))
        self._write({"conditions": [self._ready("Unknown", "Progressing")]})

    def synced(self) -> None:
        pass

    def finish(self) -> None:
        self.history.insert(0, {"firstReconciled": now(), "lastReconciled": now(), "totalReconciliations": 1,
                                "lastReconciledStatus": "ReconciliationSucceeded", "metadata": {"revision": self.revision}})
        self._write({"lastAppliedRevision": self.revision, "lastAttemptedRevision": self.revision,
                     "history": self.history[:5], "conditions": [self._ready("True", "ReconciliationSucceeded")]})

    @staticmethod
    def _ready(status: str, reason: str) -> dict:
        return {"type": "Ready", "status": status, "reason": reason, "lastTransitionTime": now()}

    def _write(self, status: dict) -> None:
        _done(self.client.patch_status("Kustomization", self.home, self.name, status, manager="kustomize-controller"))
