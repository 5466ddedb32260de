"""The history that is attributed at several levels of access: who changed which model to what, at a real API server.

Every row of the table below is one request and one change; what a test expects is written beside it, not computed. Each
level has namespaces of its own on one API server, and the same happens in all of them.
"""

from typing import NamedTuple

from support import rbac
from support.kube import ARGOCD, CI

BOB = "arn:aws:sts::111122223333:assumed-role/MLPlatform/bob"
STAGES = ("dev", "prod")
USERS = ("alice", BOB, "carol", CI, ARGOCD)
STRANGER = "bob"  # as whom nobody granted anything
AGENTS = {CI: "ci-deployer/1.8.0", ARGOCD: "argocd-application-controller/v2.14.2"}
TICKET = {"modeltrail.io/requested-by": "carol@corp.example", "modeltrail.io/ticket": "RISK-7"}


class Step(NamedTuple):
    """One write. `user` is who the API server authenticated; `verb` how: create, apply, patch, replace or delete."""

    user: str
    verb: str
    stage: str  # of the level's namespaces
    workload: str
    version: str | None  # that it asks for; None: the object is deleted
    change: str  # the change that it makes


def _life(stage, workload, *writes):
    """The writes of one object in order: (user, verb) each, its versions counted up."""
    for number, (user, verb) in enumerate(writes):
        change = "deployed" if number == 0 else "removed" if verb == "delete" else "upgraded"
        yield Step(user, verb, stage, workload, None if verb == "delete" else f"1.{number}.0", change)


# Objects take turns, so that the same second holds writes of several people.
LIVES = [
    list(_life("dev", "Model/churn", ("alice", "create"), (BOB, "patch"), ("alice", "patch"), ("carol", "apply"),
               (BOB, "replace"), ("alice", "patch"), ("carol", "patch"), (BOB, "patch"), ("alice", "delete"))),
    list(_life("dev", "SeldonDeployment/fraud", (BOB, "create"), ("alice", "patch"), (BOB, "patch"), (CI, "apply"),
               ("alice", "replace"), ("carol", "patch"), (BOB, "patch"), ("alice", "patch"), (BOB, "delete"))),
    list(_life("dev", "InferenceService/credit", (CI, "apply"), (CI, "apply"), ("alice", "patch"), (CI, "apply"),
               ("carol", "replace"), (CI, "apply"), (CI, "apply"), ("alice", "patch"), (CI, "apply"))),
    list(_life("prod", "Model/churn", (ARGOCD, "create"), (ARGOCD, "patch"), ("carol", "patch"), (ARGOCD, "patch"),
               (ARGOCD, "patch"), (ARGOCD, "patch"), (ARGOCD, "patch"), ("carol", "patch"), (ARGOCD, "patch"))),
    list(_life("prod", "SeldonDeployment/fraud", (ARGOCD, "create"), (ARGOCD, "patch"), (ARGOCD, "apply"),
               ("carol", "patch"), (ARGOCD, "patch"), (ARGOCD, "patch"), (BOB, "patch"), (ARGOCD, "patch"), (ARGOCD, "delete"))),
    list(_life("prod", "InferenceService/credit", (ARGOCD, "create"), (ARGOCD, "patch"), (ARGOCD, "patch"),
               (CI, "apply"), (ARGOCD, "patch"), ("alice", "patch"), (ARGOCD, "patch"), (ARGOCD, "patch"), ("carol", "delete"))),
    list(_life("dev", "Model/sentiment", ("carol", "apply"), ("carol", "apply"), (BOB, "apply"), ("alice", "apply"),
               ("carol", "apply"), (BOB, "apply"), ("alice", "patch"), (BOB, "patch"), ("carol", "patch"))),
]
STEPS = [step for turn in zip(*LIVES) for step in turn]
assert len(STEPS) == 63


def namespaces(level):
    return [f"{level}-{stage}" for stage in STAGES]


def spec(kind, name, version):
    """(apiVersion, spec) of a model at a version."""
    uri = f"s3://models/{name}/{version}"
    if kind == "Model":
        return "mlops.seldon.io/v1alpha1", {"storageUri": uri, "requirements": ["sklearn"]}
    if kind == "SeldonDeployment":
        graph = {"name": "classifier", "implementation": "SKLEARN_SERVER", "modelUri": uri}
        return "machinelearning.seldon.io/v1", {"predictors": [{"name": "main", "replicas": 1, "graph": graph}]}
    model = {"modelFormat": {"name": "sklearn"}, "storageUri": uri}
    return "serving.kserve.io/v1beta1", {"predictor": {"model": model}}


def manifest(level, step):
    kind, name = step.workload.split("/")
    namespace = f"{level}-{step.stage}"
    version, wanted = spec(kind, name, step.version)
    annotations = TICKET if step.user == CI else {}
    if step.user == ARGOCD:  # of an application of which nobody sees the object
        annotations = {"argocd.argoproj.io/tracking-id": f"{name}:{version.partition('/')[0]}/{kind}:{namespace}/{name}"}
    return {"apiVersion": version, "kind": kind, "spec": wanted,
            "metadata": {"name": name, "namespace": namespace, "annotations": annotations}}


def prepare(cluster, levels):
    for level in levels:
        for namespace in namespaces(level):
            cluster.create_namespace(namespace)
        for user in USERS:
            cluster.grant(user, rbac.WRITER, *namespaces(level))


def _write(client, level, step):
    kind, name = step.workload.split("/")
    namespace = f"{level}-{step.stage}"
    if step.verb == "delete":
        return client.delete(kind, namespace, name)
    wanted = manifest(level, step)
    if step.verb == "create":
        return client.create(wanted)
    if step.verb == "apply":
        return client.apply(wanted)
    if step.verb == "replace":
        _, live = client.get(kind, namespace, name)
        return client.update(live | {"spec": wanted["spec"]})
    return client.merge_patch(kind, namespace, name, {"spec": wanted["spec"], "metadata": {
        "annotations": wanted["metadata"]["annotations"]}})


def tell(cluster, levels):
    """Makes all writes in order, each in all levels."""
    clients = {user: cluster.client(user, AGENTS.get(user, "kubectl/v1.34.4 (linux/amd64)")) for user in USERS}
    for step in STEPS:
        for level in levels:
            code, body = _write(clients[step.user], level, step)
            assert code in (200, 201), (level, step, code, body)
    for level in levels:
        _attempt(cluster, level, clients["alice"])
    for client in clients.values():
        client.close()


def _attempt(cluster, level, alice):
    """What changes nothing: somebody is refused, a dry run, a create of what exists."""
    last = Step("alice", "create", "dev", "Model/sentiment", "2.0.0", "deployed")
    wanted = manifest(level, last)
    stranger = cluster.client(STRANGER)
    assert stranger.apply(wanted)[0] == 403
    assert alice.apply(wanted, dry_run=True)[0] == 200
    assert alice.create(wanted)[0] == 409
    stranger.close()


ATTEMPTS = {("refused", STRANGER), ("dry_run", "alice"), ("failed", "alice")}


def expected(level, attribution, named=True):
    """What `changes` must hold: (namespace, workload, change, version, principal, attribution), in each object's order."""
    return [(f"{level}-{step.stage}", step.workload, step.change, step.version, step.user if named else None, attribution)
            for life in LIVES for step in life]
