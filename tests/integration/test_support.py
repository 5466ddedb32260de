"""The fixtures themselves: when these fail, no other failure means anything."""

import signal

import pytest

from support import kube as kube_support
from support import rbac
from support.postgres import PsqlError

NAMESPACE = "support"


def seldon(name, version="v1", uri="s3://models-dev/fraud-scorer/1.3.0"):
    return {
        "apiVersion": f"machinelearning.seldon.io/{version}",
        "kind": "SeldonDeployment",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"predictors": [{"name": "main", "graph": {"name": "classifier",
                                                           "modelUri": uri}}]},
    }


@pytest.fixture(scope="module")
def cluster(kube):
    """The shared API server, with alice writing and the collector reading in one namespace."""
    kube.create_namespace(NAMESPACE, {"team": "risk"})
    kube.grant("alice", rbac.WRITER, NAMESPACE)
    kube.grant(kube_support.COLLECTOR, rbac.READER, NAMESPACE)
    kube.grant(kube_support.SELDON_MANAGER, rbac.CONTROLLER)
    return kube


def test_databases_are_fresh_and_speak_in_rows(database):
    database.psql("CREATE TABLE t (a int, b text)")
    database.psql("INSERT INTO t VALUES (1, E'two\\nlines'), (2, NULL), (3, '')")
    assert database.psql("SELECT a, b FROM t ORDER BY a") == [
        ("1", "two\nlines"), ("2", None), ("3", "")]
    assert database.query("SELECT a, b FROM t WHERE a = 1;") == [{"a": 1, "b": "two\nlines"}]
    assert database.query("SELECT a FROM t WHERE false") == []
    assert database.psql("SELECT b FROM t WHERE a = 3; SELECT 7") == [("",), ("7",)]
    with pytest.raises(PsqlError, match="nowhere"):
        database.psql("SELECT * FROM nowhere")


def test_a_crash_keeps_what_was_committed(postgres, database):
    database.psql("CREATE TABLE t AS SELECT 42 AS a")
    postgres.kill_immediate()
    with pytest.raises(PsqlError):
        database.psql("SELECT 1")
    postgres.start()
    assert database.psql("SELECT a FROM t") == [("42",)]


def test_every_version_of_a_kind_is_one_object(cluster):
    alice = cluster.client("alice")
    code, made = alice.create(seldon("versions", "v1alpha2"))
    assert code == 201
    code, read = alice.get("SeldonDeployment", NAMESPACE, "versions")
    assert (code, read["apiVersion"]) == (200, "machinelearning.seldon.io/v1")
    assert read["metadata"]["uid"] == made["metadata"]["uid"]


def test_the_audit_log_holds_the_result_of_a_write(cluster):
    alice = cluster.client("alice")
    code, made = alice.apply(seldon("audited"))
    assert code == 201
    events = {event["auditID"]: event for event in cluster.audit_events()}
    event = events[alice.audit_id]
    assert (event["user"]["username"], event["verb"]) == ("alice", "patch")
    assert event["responseObject"]["metadata"]["resourceVersion"] == \
        made["metadata"]["resourceVersion"]


def test_rights_end_where_they_were_granted(cluster):
    bob, collector = cluster.client("bob"), cluster.client(kube_support.COLLECTOR)
    assert bob.apply(seldon("refused"))[0] == 403
    assert collector.list("SeldonDeployment", NAMESPACE)[0] == 200
    assert collector.get("Namespace", name=NAMESPACE)[0] == 200
    assert collector.get("Namespace", name="default")[0] == 403
    assert collector.list("SeldonDeployment")[0] == 403
    assert collector.apply(seldon("refused"))[0] == 403


def test_status_scale_and_dry_run(cluster):
    alice, manager = cluster.client("alice"), cluster.client(kube_support.SELDON_MANAGER)
    where = ("SeldonDeployment", NAMESPACE, "subresources")
    alice.create(seldon("subresources"))
    assert manager.patch_status(*where, {"state": "Available"})[0] == 200
    assert alice.patch_status(*where, {"state": "Failed"})[0] == 403
    assert alice.scale(*where, 3)[0] == 200
    _, tried = alice.merge_patch(*where, {"spec": {"replicas": 9}}, dry_run=True)
    assert tried["spec"]["replicas"] == 9
    _, kept = alice.get(*where)
    assert (kept["spec"]["replicas"], kept["status"]["state"]) == (3, "Available")


def test_a_watch_follows_a_list(cluster):
    alice = cluster.client("alice")
    _, listed = alice.list("Model", NAMESPACE)
    watch = alice.watch("Model", NAMESPACE, listed["metadata"]["resourceVersion"])
    alice.create({"apiVersion": "mlops.seldon.io/v1alpha1", "kind": "Model",
                  "metadata": {"name": "watched", "namespace": NAMESPACE},
                  "spec": {"storageUri": "gs://bucket/iris"}})
    alice.delete("Model", NAMESPACE, "watched")
    assert [next(watch)["type"] for _ in range(2)] == ["ADDED", "DELETED"]


def test_an_api_server_killed_comes_back_with_its_data(new_cluster, tmp_path):
    cluster = new_cluster("c2")
    admin = cluster.client(kube_support.ADMIN)
    admin.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    _, made = admin.apply(seldon("survivor"))
    cluster.kill_apiserver()
    with pytest.raises(OSError):
        admin.get("SeldonDeployment", NAMESPACE, "survivor")
    cluster.start_apiserver()
    code, kept = admin.get("SeldonDeployment", NAMESPACE, "survivor")
    assert (code, kept["metadata"]) == (200, made["metadata"])
    kubeconfig = cluster.kubeconfig(tmp_path / "kubeconfig").read_text()
    assert "current-context: c2" in kubeconfig and cluster.server in kubeconfig


def test_a_daemon_that_ends_early_is_reported(tmp_path):
    from support.process import Daemon, NotReady

    daemon = Daemon(["sh", "-c", "echo broken; exit 7"], tmp_path / "log")
    with pytest.raises(NotReady, match="broken"):
        daemon.wait_until(lambda: False)
    assert daemon.end(signal.SIGTERM) == 7
