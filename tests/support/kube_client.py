"""A small Kubernetes client on the standard library: what the tests and the recorder write with.

Every call returns (code, body); nothing raises on an HTTP status, because refusals are part of
what is tested. Kinds are named as in manifests.
"""

import http.client
import json
import ssl
from pathlib import Path
from typing import Iterator, NamedTuple
from urllib.parse import urlencode, urlsplit

import yaml


class Resource(NamedTuple):
    """Where the API keeps a kind; `version` is the one used when nothing else is asked for."""

    group: str
    version: str
    plural: str


SELDON, MLOPS, KSERVE = "machinelearning.seldon.io", "mlops.seldon.io", "serving.kserve.io"
RBAC, EXTENSIONS = "rbac.authorization.k8s.io", "apiextensions.k8s.io"

MODEL_KINDS = {
    "SeldonDeployment": Resource(SELDON, "v1", "seldondeployments"),
    "Model": Resource(MLOPS, "v1alpha1", "models"),
    "Experiment": Resource(MLOPS, "v1alpha1", "experiments"),
    "Pipeline": Resource(MLOPS, "v1alpha1", "pipelines"),
    "Server": Resource(MLOPS, "v1alpha1", "servers"),
    "InferenceService": Resource(KSERVE, "v1beta1", "inferenceservices"),
    "TrainedModel": Resource(KSERVE, "v1alpha1", "trainedmodels"),
    "InferenceGraph": Resource(KSERVE, "v1alpha1", "inferencegraphs"),
    "LLMInferenceService": Resource(KSERVE, "v1alpha2", "llminferenceservices"),
}

KINDS = MODEL_KINDS | {
    "Namespace": Resource("", "v1", "namespaces"),
    "ConfigMap": Resource("", "v1", "configmaps"),
    "Secret": Resource("", "v1", "secrets"),
    "Role": Resource(RBAC, "v1", "roles"),
    "RoleBinding": Resource(RBAC, "v1", "rolebindings"),
    "ClusterRole": Resource(RBAC, "v1", "clusterroles"),
    "ClusterRoleBinding": Resource(RBAC, "v1", "clusterrolebindings"),
    "CustomResourceDefinition": Resource(EXTENSIONS, "v1", "customresourcedefinitions"),
}


def api_path(kind, namespace=None, name=None, subresource=None, version=None) -> str:
    """The URL path of a collection, an object, or a subresource of an object."""
    resource = KINDS[kind]
    version = version or resource.version
    parts = [f"/apis/{resource.group}/{version}" if resource.group else f"/api/{version}"]
    if namespace:
        parts.append(f"namespaces/{namespace}")
    parts.append(resource.plural)
    parts.extend(part for part in (name, subresource) if part)
    return "/".join(parts)


def _path_of(obj: dict, subresource=None, with_name=True) -> str:
    meta = obj["metadata"]
    name = meta["name"] if with_name else None
    version = obj["apiVersion"].rpartition("/")[2]
    return api_path(obj["kind"], meta.get("namespace"), name, subresource, version)


class Client:
    """One user on one API server, over one kept-alive connection. One thread at a time."""

    def __init__(self, server: str, token: str, ca_file, user_agent: str = "kubectl/v1.34.4"):
        self.server = server
        self.token = token
        self.user_agent = user_agent
        self.audit_id: str | None = None
        """The audit ID of the latest request: the API server returns it in a header."""
        self._tls = ssl.create_default_context(cafile=str(ca_file))
        self._connection: http.client.HTTPSConnection | None = None

    def _connect(self, timeout: float) -> http.client.HTTPSConnection:
        address = urlsplit(self.server)
        return http.client.HTTPSConnection(
            address.hostname, address.port, timeout=timeout, context=self._tls
        )

    def close(self) -> None:
        if self._connection:
            self._connection.close()
            self._connection = None

    def request(self, method, path, body=None, content_type="application/json", **query):
        """One request with raw path and query parameters; (code, parsed JSON or text)."""
        query = {key: value for key, value in query.items() if value not in (None, False)}
        url = f"{path}?{urlencode(query)}" if query else path
        payload = None if body is None else json.dumps(body)
        reused = self._connection is not None
        try:
            return self._exchange(method, url, payload, content_type)
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
            # A kept-alive connection that died while idle says nothing about the server.
            self.close()
            if not reused:
                raise
            return self._exchange(method, url, payload, content_type)

    def _exchange(self, method, url, payload, content_type):
        self._connection = self._connection or self._connect(timeout=30)
        try:
            self._connection.request(method, url, payload, self._headers(payload and content_type))
            response = self._connection.getresponse()
            data = response.read()
        except OSError:
            self.close()
            raise
        self.audit_id = response.headers.get("Audit-Id")
        is_json = response.headers.get_content_type() == "application/json"
        return response.status, json.loads(data) if is_json else data.decode(errors="replace")

    def _headers(self, content_type: str | None) -> dict:
        headers = {"Accept": "application/json", "User-Agent": self.user_agent}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        if content_type:
            headers["Content-Type"] = content_type
        return headers

    def get(self, kind, namespace=None, name=None, subresource=None, version=None):
        return self.request("GET", api_path(kind, namespace, name, subresource, version))

    def list(self, kind, namespace=None, version=None, **query):
        return self.request("GET", api_path(kind, namespace, version=version), **query)

    def create(self, obj: dict, dry_run=False, manager="kubectl-create"):
        return self.request("POST", _path_of(obj, with_name=False), obj,
                            fieldManager=manager, dryRun=dry_run and "All")

    def update(self, obj: dict, subresource=None, dry_run=False, manager="kubectl-replace"):
        """PUT of a whole object; its metadata.resourceVersion, when set, is the precondition."""
        return self.request("PUT", _path_of(obj, subresource), obj,
                            fieldManager=manager, dryRun=dry_run and "All")

    def apply(self, obj: dict, dry_run=False, manager="kubectl", force=True):
        """Server-side apply."""
        return self.request("PATCH", _path_of(obj), obj, "application/apply-patch+yaml",
                            fieldManager=manager, force=force and "true",
                            dryRun=dry_run and "All")

    def merge_patch(self, kind, namespace, name, patch: dict, subresource=None, version=None,
                    dry_run=False, manager="kubectl-patch"):
        return self.request("PATCH", api_path(kind, namespace, name, subresource, version), patch,
                            "application/merge-patch+json",
                            fieldManager=manager, dryRun=dry_run and "All")

    def patch_status(self, kind, namespace, name, status: dict, manager="manager"):
        """What a controller does: a merge into status, through the status subresource."""
        return self.merge_patch(kind, namespace, name, {"status": status}, "status",
                                manager=manager)

    def scale(self, kind, namespace, name, replicas: int):
        """`kubectl scale`: through the scale subresource."""
        return self.merge_patch(kind, namespace, name, {"spec": {"replicas": replicas}}, "scale",
                                manager="kubectl")

    def delete(self, kind, namespace, name, dry_run=False):
        return self.request("DELETE", api_path(kind, namespace, name), dryRun=dry_run and "All")

    def watch(self, kind, namespace=None, resource_version="0", timeout: float = 30,
              **query) -> Iterator[dict]:
        """Watch events as they come; ends when the server ends it or nothing came for `timeout`."""
        params = {"watch": "1", "resourceVersion": resource_version} | query
        connection = self._connect(timeout)
        try:
            connection.request("GET", f"{api_path(kind, namespace)}?{urlencode(params)}",
                               headers=self._headers(None))
            for line in connection.getresponse():
                yield json.loads(line)
        except TimeoutError:
            return
        finally:
            connection.close()


def write_kubeconfig(path, server: str, ca_file, token: str, context: str, user: str,
                     namespace: str | None = None) -> Path:
    """A kubeconfig with one context, named after the cluster it leads to."""
    where = {"cluster": context, "user": user} | ({"namespace": namespace} if namespace else {})
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": context,
        "contexts": [{"name": context, "context": where}],
        "clusters": [{"name": context, "cluster": {"server": server,
                                                   "certificate-authority": str(ca_file)}}],
        "users": [{"name": user, "user": {"token": token}}],
    }
    path = Path(path)
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    return path
