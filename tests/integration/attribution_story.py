"""The history that is attributed at four levels of access: who changed which model to what, at a real API server.

Every row of the table below is one request and one change; what a test expects is written beside it, not computed.
"""

from typing import NamedTuple

from support import rbac
from support.kube import ARGOCD, CI

BOB = "arn:aws:sts::111122223333:assumed-role/MLPlatform/bob"
NAMESPACES = ("risk-dev", "risk-prod")
USERS = ("alice", BOB, "carol", CI, ARGOCD)
AGENTS = {CI: "ci-deployer/1.8.0", ARGOCD: "argocd-application-controller/v2.14.2"}
TICKET = {"modeltrail.io/requested-by": "carol@corp.example", "modeltrail.io/ticket": "RISK-7"}


class Step(NamedTuple):
    """One write. `user` is who the API server authenticated; `verb` how: create, apply, patch, replace or delete."""

    user: str
    verb: str
    namespace: str
    workload: str
    version: str | None  # that it asks for; None: the object is deleted
    change: str  # the change that it makes


def _life(namespace, workload, *writes):
    """The writes of one object in order: (user, verb) each, its versions counted up."""
    for number, (user, verb) in enumerate(writes):
        change = "deployed" if number == 0 else "removed" if verb == "delete" else "upgraded"
        yield Step(user, verb, namespace, workload, None if verb == "delete" else f"1.{number}.0", change)


# Objects take turns, so that the same second holds writes of several people.
LIVES = [
    list(_life("risk-dev", "Model/churn", ("alice", "create"), (BOB, "patch"), ("alice", "patch"), ("carol", "apply"),
               (BOB, "replace"), ("alice", "patch"), ("carol", "patch"), (BOB, "patch"), ("alice", "delete"))),
    list(_life("risk-dev", "SeldonDeployment/fraud", (BOB, "create"), ("alice", "patch"), (BOB, "patch"), (CI, "apply"),
               ("alice", "replace"), ("carol", "patch"), (BOB, "patch"), ("alice", "patch"), (BOB, "delete"))),
    list(_life("risk-dev", "InferenceService/credit", (CI, "apply"), (CI, "apply"), ("alice", "patch"), (CI, "apply"),
               ("carol", "replace"), (CI, "apply"), (CI, "apply"), ("alice", "patch"), (CI, "apply"))),
    list(_life("risk-prod", "Model/churn", (ARGOCD, "create"), (ARGOCD, "patch"), ("carol", "patch"), (ARGOCD, "patch"),
               (ARGOCD, "patch"), (ARGOCD, "patch"), (ARGOCD, "patch"), ("carol", "patch"), (ARGOCD, "patch"))),
    list(_life("risk-prod", "SeldonDeployment/fraud", (ARGOCD, "create"), (ARGOCD, "patch"), (ARGOCD, "apply"),
               ("carol", "patch"), (ARGOCD, "patch"), (ARGOCD, "patch"), (BOB, "patch"), (ARGOCD, "patch"), (ARGOCD, "delete"))),
    list(_life("risk-prod", "InferenceService/credit", (ARGOCD, "create"), (ARGOCD, "patch"), (ARGOCD, "patch"),
               (CI, "apply"), (ARGOCD, "patch"), ("alice", "patch"), (ARGOCD, "patch"), (ARGOCD, "patch"), ("carol", "delete"))),
    list(_life("risk-dev", "Model/sentiment", ("carol", "apply"), ("carol", "apply"), (BOB, "apply"), ("alice", "apply"),
               ("carol", "apply"), (BOB, "apply"), ("alice", "patch"), (BOB, "patch"), ("carol", "patch"))),
]
STEPS = [step for turn in zip(*LIVES) for step in turn]
assert len(STEPS) == 63


def _spec(kind, name, version):
    uri = f"s3://models/{name}/{version}"
    if kind == "Model":
        return "mlops.seldon.io/v1alpha1", {"storageUri": uri, "requirements": ["sklearn"]}
    if kind == "SeldonDeployment":
        graph = {"name": "classifier", "implementation": "SKLEARN_SERVER", "modelUri": uri}
        return "machinelearning.seldon.io/v1", {"predictors": [{"name": "main", "replicas": 1, "graph": graph}]}
    model = {"modelFormat": {"name": "sklearn"}, "storageUri": uri}
    return "serving.kserve.io/v1beta1", {"predictor": {"model": model}}


def manifest(step):
    kind, name = step.workload.split("/")
    version, spec = _spec(kind, name, step.version)
    annotations = TICKET if step.user == CI else {}
    if step.user == ARGOCD:
        annotations = {"argocd.argoproj.io/tracking-id": f"{name}:{version.partition('/')[0]}/{kind}:{step.namespace}/{name}"}
    return {"apiVersion": version, "kind": kind, "spec": spec,
            "metadata": {"name": name, "namespace": step.namespace, "annotations": annotations}}


def prepare(cluster):
    for namespace in NAMESPACES:
        cluster.create_namespace(namespace)
    for user in USERS:
        cluster.grant(user, rbac.WRITER, *NAMESPACES)
    cluster.grant("collector", rbac.READER, *NAMESPACES)


def _write(client, step):
    kind, name = step.workload.split("/")
    if step.verb == "delete":
        return client.delete(kind, step.namespace, name)
    wanted = manifest(step)
    if step.verb == "create":
        return client.create(wanted)
    if step.verb == "apply":
        return client.apply(wanted)
    if step.verb == "replace":
        _, live = client.get(kind, step.namespace, name)
        return client.update(live | {"spec": wanted["spec"]})
    return client.merge_patch(kind, step.namespace, name, {"spec": wanted["spec"], "metadata": {
        "annotations": wanted["metadata"]["annotations"]}})


def tell(cluster, pause=lambda number: None):
    """Makes all writes in order; between two the caller may wait."""
    clients = {user: cluster.client(user, AGENTS.get(user, "kubectl/v1.34.4 (linux/amd64)")) for user in USERS}
    for number, step in enumerate(STEPS):
        code, body = _write(clients[step.user], step)
        assert code in (200, 201), (step, code, body)
        pause(number)
    for client in clients.values():
        client.close()


def expected(attribution, named=True):
    """What `changes` must hold: (namespace, workload, change, version, principal, attribution), in each object's order."""
    return [(step.namespace, step.workload, step.change, step.version, step.user if named else None, attribution)
            for life in LIVES for step in life]
