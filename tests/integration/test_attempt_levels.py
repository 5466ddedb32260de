"""What was tried and came to nothing, and who removed what, at three levels of access to a real API server: the same
writes, and what each level must say of them."""

import time

import pytest
from support import rbac
from support.attribution import install_policy
from support.process import free_port
from support.system import System
from support.webhook import Authority, admission_configuration

RISK, GONE = "risk-dev", "risk-prod"
NAMESPACE_CONTROLLER = "system:serviceaccount:kube-system:namespace-controller"
GARBAGE_COLLECTOR = "system:serviceaccount:kube-system:generic-garbage-collector"
ATTEMPTS = """
    SELECT workload, applied_by, verb, outcome, code, message IS NOT NULL AS says_why, is_dry_run, via
    FROM modeltrail_v1.attempts WHERE applied_by <> 'admin' AND NOT (verb = 'create' AND workload = 'Model/churn') ORDER BY attempted_at"""
REMOVALS = """
    SELECT workload, deployed_by, applied_by, attribution FROM modeltrail_v1.changes
    WHERE change_type = 'removed' ORDER BY workload"""


def model(name, namespace=RISK, version="1.0.0", **meta):
    return {"apiVersion": "mlops.seldon.io/v1alpha1", "kind": "Model", "metadata": {"name": name, "namespace": namespace} | meta,
            "spec": {"storageUri": f"s3://models/{name}/{version}", "requirements": ["sklearn"]}}


def service(name):
    return {"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService", "metadata": {"name": name, "namespace": RISK},
            "spec": {"predictor": {"model": {"modelFormat": {"name": "sklearn"}, "storageUri": f"s3://models/{name}/1.0.0"}}}}


def kubernetes(cluster, folder):
    return f'kubernetes: {{kubeconfig: "{cluster.kubeconfig(folder / "kubeconfig")}", namespaces: [{RISK}, {GONE}]}}'


def audit(cluster):
    return f'audit_log: {{path: "{cluster.audit_log}"}}'


def metadata_only(folder):
    path = folder / "metadata.yaml"
    path.write_text("apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules: [{level: Metadata}]\n")
    return path


def admission(folder):
    """The source, and the configuration that makes an API server call it."""
    authority, port = Authority(folder / "ca"), free_port()
    certificate, key = authority.issue("server")
    source = f'admission: {{listen: "127.0.0.1:{port}", tls_cert: "{certificate}", tls_key: "{key}"}}'
    return source, admission_configuration(port, authority)


def install_webhook(cluster, configuration, system):
    """And waits until it is called: it takes a moment to be in force."""
    path = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
    answered(cluster.client("admin").request("POST", path, configuration), 201)
    alice, deadline = cluster.client("alice"), time.monotonic() + 30
    while system.database.psql("SELECT count(*) FROM modeltrail.request WHERE evidence = 'admission'") == [("0",)]:
        assert time.monotonic() < deadline, system.log("c1")
        answered(alice.create(model("churn"), dry_run=True), 201)
        time.sleep(0.2)


def answered(answer, *codes):
    assert answer[0] in codes, answer
    return answer[1]


def try_in_vain(cluster):
    """Refused, failed, dry runs; each is of a name of its own. `fraud` is there."""
    alice, carol = cluster.client("alice"), cluster.client("carol")
    live = answered(alice.create(model("fraud")), 201)
    answered(carol.create(model("refused")), 403)
    answered(alice.create(model("fraud", version="2.0.0")), 409)
    answered(alice.merge_patch("Model", RISK, "fraud", {"metadata": {"labels": {"a": "no label!"}}}), 422)
    answered(alice.create(model("dry"), dry_run=True), 201)
    answered(alice.apply(model("fraud", version="3.0.0"), dry_run=True), 200)
    answered(alice.delete("Model", RISK, "fraud", dry_run=True), 200)
    answered(alice.merge_patch("Model", RISK, "fraud", {"spec": {"storageUri": "s3://models/fraud/4.0.0"}}), 200)
    answered(alice.update(live | model("fraud", version="5.0.0", resourceVersion=live["metadata"]["resourceVersion"])), 409)


def remove(cluster):
    """A collection by bob; what alice's InferenceService owned; a namespace that carol deletes."""
    alice, bob, carol = (cluster.client(user) for user in ("alice", "bob", "carol"))
    for name in ("one", "two"):
        answered(alice.create(model(name, labels={"go": "yes"})), 201)
    owner = answered(alice.create(service("owner")), 201)
    reference = {"apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": "owner", "uid": owner["metadata"]["uid"], "controller": True}
    answered(alice.create(model("owned", ownerReferences=[reference])), 201)
    answered(alice.create(model("housed", GONE)), 201)
    answered(bob.request("DELETE", f"/apis/mlops.seldon.io/v1alpha1/namespaces/{RISK}/models", labelSelector="go=yes"), 200)
    answered(alice.delete("InferenceService", RISK, "owner"), 200)
    answered(cluster.client(GARBAGE_COLLECTOR).delete("Model", RISK, "owned"), 200)
    # Once it is terminating nothing more is made in it.
    answered(carol.delete("Namespace", None, GONE), 200)
    answered(cluster.client(NAMESPACE_CONTROLLER).request("DELETE", f"/apis/mlops.seldon.io/v1alpha1/namespaces/{GONE}/models"), 200)


@pytest.fixture
def system(tmp_path, database):
    system = System(tmp_path / "system", database, {"c1": ("c1", [RISK, GONE])})
    system.start_store()
    yield system
    system.stop()


def prepare(cluster):
    for namespace in (RISK, GONE):
        cluster.create_namespace(namespace)
        for user in ("alice", "bob", GARBAGE_COLLECTOR, NAMESPACE_CONTROLLER):
            cluster.grant(user, rbac.WRITER, namespace)
        cluster.grant("collector", rbac.READER, namespace)
    cluster.grant("carol", [{"apiGroups": [""], "resources": ["namespaces"], "verbs": ["delete"]}], GONE)


def run(system, cluster, sources, before=lambda: None):
    system.start_collector("c1", sources)
    system.wait_for("SELECT count(*) >= 2 FROM modeltrail.listing WHERE resource = 'models.mlops.seldon.io'", "t")
    before()
    try_in_vain(cluster)
    remove(cluster)
    system.wait_for("SELECT count(*) FROM modeltrail_v1.changes WHERE change_type = 'removed'", 5, timeout=60)


# workload, who, verb, outcome, code, whether it says why, dry run: in the order of the requests.
# Who may not create is refused before anybody reads the object's name.
REFUSED = ("Model", "carol", "create", "refused", 403, False)
TAKEN = ("Model/fraud", "alice", "create", "failed", 409, False)
INVALID = ("Model/fraud", "alice", "patch", "failed", 422, False)
STALE = ("Model/fraud", "alice", "update", "failed", 409, False)
DRY = [("Model/dry", "alice", "create", "dry_run", 201, True), ("Model/fraud", "alice", "patch", "dry_run", 200, True),
       ("Model/fraud", "alice", "delete", "dry_run", 200, True)]
AUDITED = [REFUSED, TAKEN, INVALID, *DRY, STALE]
# Of a review no answer is known, and a patch is an update.
REVIEWED = [(workload, who, {"patch": "update"}.get(verb, verb), outcome, None, dry) for workload, who, verb, outcome, _, dry in DRY]


def attempts(system):
    return [(r["workload"], r["applied_by"], r["verb"], r["outcome"], r["code"], r["is_dry_run"]) for r in system.rows(ATTEMPTS)]


def removals(system):
    return {r["workload"]: (r["deployed_by"], r["applied_by"], r["attribution"]) for r in system.rows(REMOVALS)}


def expected_removals(collection):
    """By bob's collection with that strength; by those who caused what controllers did."""
    return {"Model/one": ("bob", "bob", collection), "Model/two": ("bob", "bob", collection),
            "InferenceService/owner": ("alice", "alice", "exact"),
            "Model/owned": ("alice", GARBAGE_COLLECTOR, "unique"), "Model/housed": ("carol", NAMESPACE_CONTROLLER, "unique")}


def agree(system, wanted_attempts, wanted_removals):
    """What is told comes in a moment after the changes themselves."""
    deadline = time.monotonic() + 30
    while (attempts(system), removals(system)) != (wanted_attempts, wanted_removals) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert attempts(system) == wanted_attempts
    assert removals(system) == wanted_removals


def assert_says_why(system):
    """Who is refused or fails is told why."""
    assert all(row["says_why"] for row in system.rows(ATTEMPTS) if row["outcome"] != "dry_run")
    assert "cannot create" in system.rows("SELECT message FROM modeltrail_v1.attempts WHERE outcome = 'refused'")[0]["message"]


USERS = [GARBAGE_COLLECTOR, NAMESPACE_CONTROLLER]


@pytest.mark.slow
def test_with_answers(new_cluster, system, tmp_path):
    cluster = new_cluster("c1", extra_users=USERS)
    prepare(cluster)
    run(system, cluster, [kubernetes(cluster, tmp_path), audit(cluster)])
    agree(system, AUDITED, expected_removals("unique"))
    assert_says_why(system)


@pytest.mark.slow
def test_at_metadata_with_the_policy(new_cluster, system, tmp_path):
    cluster = new_cluster("c1", extra_users=USERS, audit_policy=metadata_only(tmp_path))
    install_policy(cluster)
    prepare(cluster)
    run(system, cluster, [kubernetes(cluster, tmp_path), audit(cluster)])
    agree(system, AUDITED, expected_removals("unique"))
    assert_says_why(system)


@pytest.mark.slow
def test_by_admission(new_cluster, system, tmp_path):
    cluster = new_cluster("c1", extra_users=USERS)
    prepare(cluster)
    source, configuration = admission(tmp_path)
    run(system, cluster, [kubernetes(cluster, tmp_path), source], lambda: install_webhook(cluster, configuration, system))
    agree(system, REVIEWED, expected_removals("exact"))
    # What became of a write that was reviewed and failed nobody tells: it is a request, and no attempt.
    assert system.database.psql("SELECT verb, outcome, changes FROM modeltrail_v1.requests WHERE workload = 'Model/fraud'"
                                " AND verb = 'create' ORDER BY requested_at") == [("create", None, "1"), ("create", None, "0")]


@pytest.mark.slow
def test_what_is_reviewed_and_audited_is_one_attempt(new_cluster, system, tmp_path):
    cluster = new_cluster("c1", extra_users=USERS, audit_policy=metadata_only(tmp_path))
    install_policy(cluster)
    prepare(cluster)
    source, configuration = admission(tmp_path)
    run(system, cluster, [kubernetes(cluster, tmp_path), audit(cluster), source],
        lambda: install_webhook(cluster, configuration, system))
    agree(system, AUDITED, expected_removals("exact"))
    assert system.database.psql("SELECT DISTINCT via FROM modeltrail_v1.attempts WHERE applied_by <> 'admin'"
                                " AND workload <> 'Model/churn'") == [("audit_log",)]
    assert system.database.psql("SELECT outcome, evidence FROM modeltrail_v1.requests WHERE workload = 'Model/fraud'"
                                " AND verb = 'create' ORDER BY requested_at") == [("accepted", "audit"), ("failed", "audit")]
