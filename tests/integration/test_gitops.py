"""GitOps tools' own objects on a real API server, commits beside them, and what the tables then hold."""

import json
import random
import signal
import time

import pytest
from support import rbac
from support.git import Repository, manifest
from support.kube import ADMIN, COLLECTOR
from support.kube_client import EXTENSIONS, KINDS, Resource
from support.system import System

ARGO, KUSTOMIZE, HELM, SOURCE = ("argoproj.io", "kustomize.toolkit.fluxcd.io", "helm.toolkit.fluxcd.io", "source.toolkit.fluxcd.io")
TOOLS = {
    "Application": Resource(ARGO, "v1alpha1", "applications"),
    "Kustomization": Resource(KUSTOMIZE, "v1", "kustomizations"),
    "HelmRelease": Resource(HELM, "v2", "helmreleases"),
    "GitRepository": Resource(SOURCE, "v1", "gitrepositories"),
}
READER = rbac.READER + [{"apiGroups": [ARGO, KUSTOMIZE, HELM, SOURCE],
                         "resources": [r.plural for r in TOOLS.values()], "verbs": ["get", "list", "watch"]}]
URL = "https://git.example/models.git"


@pytest.fixture
def kinds(monkeypatch):
    for kind, resource in TOOLS.items():
        monkeypatch.setitem(KINDS, kind, resource)


def definition(kind, resource):
    """Minimal: what the tools write is kept whole, and status is a subresource of none, as in Argo CD."""
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {"apiVersion": f"{EXTENSIONS}/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": f"{resource.plural}.{resource.group}"},
            "spec": {"group": resource.group, "scope": "Namespaced",
                     "names": {"kind": kind, "plural": resource.plural, "singular": kind.lower()},
                     "versions": [{"name": resource.version, "served": True, "storage": True,
                                   "schema": {"openAPIV3Schema": schema}}]}}


@pytest.fixture
def cluster(new_cluster, kinds):
    cluster = new_cluster("c1")
    for kind, resource in TOOLS.items():
        cluster._must_apply(definition(kind, resource))
    admin = cluster.client(ADMIN)
    for name in ("risk-prod", "argocd", "flux-system"):
        cluster.create_namespace(name)
    for kind in TOOLS:
        cluster._apiserver.wait_until(lambda kind=kind: admin.list(kind, limit=1)[0] == 200)
    return cluster


@pytest.fixture
def system(tmp_path, database):
    system = System(tmp_path, database, {"c1": ("c1", None), "dev": ("dev", None)}, repositories={"c1": [URL]})
    system.start_store()
    yield system
    system.stop()


def kubernetes(cluster, folder, **options):
    path = cluster.kubeconfig(folder / "kubeconfig")
    return json.dumps({"kubernetes": {"kubeconfig": str(path), "timing": {"look_again_ms": 500, "watched_ms": 500}} | options})


def application(revisions, **status):
    history = [{"id": n, "revision": revision, "deployedAt": f"2026-01-0{n + 1}T00:00:00Z",
                "initiatedBy": {"username": "alice"} if n % 2 else {"automated": True},
                "source": {"repoURL": URL, "path": "prod", "targetRevision": "main"}}
               for n, revision in enumerate(revisions)]
    return {"apiVersion": f"{ARGO}/v1alpha1", "kind": "Application", "metadata": {"name": "risk", "namespace": "argocd"},
            "spec": {"source": {"repoURL": "https://bot:hunter2@git.example/models.git", "path": "prod", "targetRevision": "main"},
                     "destination": {"server": "https://kubernetes.default.svc", "namespace": "risk-prod"}},
            "status": {"history": history} | status}


def operation(phase, revision, started, automated=True):
    return {"phase": phase, "startedAt": started, "finishedAt": started, "syncResult": {"revision": revision},
            "operation": {"initiatedBy": {"automated": automated}, "sync": {"revision": revision}}}


SYNCS = ("SELECT sync_id, revision, initiated_by, automated, path, to_char(at, 'YYYY-MM-DD HH24:MI:SS') AS at FROM modeltrail.gitops_sync"
         " WHERE part = 'sync' AND kind = 'Application' ORDER BY log_index, ordinal")


def test_an_application_tells_each_sync_once(cluster, system, tmp_path):
    cluster.grant(COLLECTOR, READER)
    admin = cluster.client(ADMIN)
    admin.apply(application(["aaa", "bbb"], operationState=operation("Succeeded", "bbb", "2026-01-02T00:00:00Z")))
    system.start_collector("c1", [kubernetes(cluster, tmp_path)])
    count = "SELECT count(*) FROM modeltrail.gitops_sync WHERE part = 'sync'"
    system.wait_for(count, 2)
    for number in range(5):  # what changes nothing is not told
        admin.merge_patch("Application", "argocd", "risk", {"status": {"reconciledAt": f"2026-01-03T00:00:0{number}Z"}})
    admin.apply(application(["aaa", "bbb", "ccc"], operationState=operation("Succeeded", "ccc", "2026-01-03T00:00:00Z")))
    system.wait_for(count, 3)
    # A self-heal is in no history: an automated operation at the same revision.
    admin.apply(application(["aaa", "bbb", "ccc"], operationState=operation("Succeeded", "ccc", "2026-01-03T08:00:00Z")))
    system.wait_for("SELECT count(*) FROM modeltrail.gitops_sync WHERE part = 'operation'", 3)
    assert system.rows(SYNCS) == [
        {"sync_id": str(n), "revision": revision, "initiated_by": "alice" if n % 2 else None, "automated": not n % 2,
         "path": "prod", "at": f"2026-01-0{n + 1} 00:00:00"} for n, revision in enumerate(["aaa", "bbb", "ccc"])]
    assert system.rows("SELECT revision, automated, phase FROM modeltrail.gitops_sync WHERE part = 'operation' ORDER BY log_index") == [
        {"revision": revision, "automated": True, "phase": "Succeeded"} for revision in ("bbb", "ccc", "ccc")]
    system.end("c1")
    admin.apply(application(["aaa", "bbb", "ccc", "ddd"]))
    system.start_collector("c1")
    system.wait_for(count, 4)
    admin.delete("Application", "argocd", "risk")
    system.wait_for("SELECT count(*) FROM modeltrail.gitops_sync WHERE removed", 1)  # its source; what it synced was told
    events = system.rows("SELECT convert_from(body, 'UTF8') AS body FROM modeltrail.event_body")
    assert not any("hunter2" in event["body"] for event in events)
    # No workload, no scope of its own, and nothing of it in the way of a "no".
    assert system.rows("SELECT * FROM modeltrail.workload") == []
    for table in ("listing", "gap", "watched"):
        assert system.rows(f"SELECT * FROM modeltrail.{table} WHERE resource LIKE '%argoproj%' OR resource LIKE '%fluxcd%'") == []


READING = "SELECT part, is_local, target_namespace, recurses, shaping FROM modeltrail.gitops_sync WHERE kind = '{}' ORDER BY log_index, ordinal"


def test_how_a_source_is_read_is_told_when_it_changes(cluster, system, tmp_path):
    """Each of it decides whether a commit is the cause of a change, so a spec that says another is told again."""
    cluster.grant(COLLECTOR, READER)
    admin = cluster.client(ADMIN)
    system.start_collector("c1", [kubernetes(cluster, tmp_path)])
    told, specs = [], [
        ({"recurse": True}, {}, {"server": "https://kubernetes.default.svc", "namespace": "risk-prod"}),
        ({"recurse": True}, {}, {"server": "https://kubernetes.default.svc", "namespace": "risk-dev"}),
        ({"recurse": True}, {}, {"server": "https://c2.example", "namespace": "risk-dev"}),
        ({"recurse": True}, {}, {"name": "in-cluster", "namespace": "risk-dev"}),
        ({}, {}, {"name": "in-cluster", "namespace": "risk-dev"}),
        ({"jsonnet": {}}, {}, {"name": "in-cluster", "namespace": "risk-dev"}),  # says nothing: not told
        ({}, {"helm": {"valueFiles": ["prod.yaml"]}}, {"name": "in-cluster", "namespace": "risk-dev"}),
    ]
    for directory, more, destination in specs:
        obj = application([])
        obj["spec"] = {"source": {"repoURL": URL, "path": "prod", "directory": directory} | more, "destination": destination}
        assert admin.apply(obj)[0] in (200, 201)
        row = {"part": "source", "is_local": destination.get("server") != "https://c2.example",
               "target_namespace": destination["namespace"], "recurses": directory.get("recurse", False),
               "shaping": "helm" if more else None}
        told += [] if "jsonnet" in directory else [row]
        system.wait_for("SELECT count(*) FROM modeltrail.gitops_sync", len(told))
    # What was synced before has its own source; an operation names none, but the object applies where it applies.
    obj = application(["aaa", "bbb"], operationState=operation("Succeeded", "bbb", "2026-01-02T00:00:00Z"))
    obj["status"]["history"][0]["source"]["directory"] = {"recurse": True, "exclude": "*.json"}
    assert admin.apply(obj)[0] == 200
    own = {"is_local": True, "target_namespace": "risk-prod"}
    told += [own | {"part": "source", "recurses": False, "shaping": None},
             own | {"part": "sync", "recurses": True, "shaping": "exclude"},
             own | {"part": "sync", "recurses": False, "shaping": None},
             own | {"part": "operation", "recurses": None, "shaping": None}]
    system.wait_for("SELECT count(*) FROM modeltrail.gitops_sync", len(told))
    assert system.rows(READING.format("Application")) == told


def test_kill_loses_and_doubles_no_sync(cluster, system, tmp_path):
    """An application that is synced again and again, a history of ten, and a collector that is killed meanwhile."""
    cluster.grant(COLLECTOR, READER)
    admin, chance = cluster.client(ADMIN), random.Random(5)
    system.start_collector("c1", [kubernetes(cluster, tmp_path)])
    for number in range(40):
        history = [{"id": n, "revision": f"r{n}", "deployedAt": f"2026-01-01T00:{n // 2:02}:00Z"} for n in range(number + 1)]
        obj = application([], operationState=operation("Succeeded", f"r{number}", f"2026-01-01T01:{number:02}:00Z"))
        obj["status"]["history"] = history[-10:]  # two share each instant
        assert admin.apply(obj)[0] in (200, 201)
        time.sleep(chance.random() * 0.1)
        if number % 5 == 4:
            system.end("c1", signal.SIGKILL)
            system.start_collector("c1")
            time.sleep(chance.random() * 0.3)
    system.wait_for("SELECT count(DISTINCT sync_id) FROM modeltrail.gitops_sync WHERE part = 'sync'", 40)
    # One is told again when the second of its instant comes, and no other.
    times = "SELECT max(n) FROM (SELECT count(*) AS n FROM modeltrail.gitops_sync WHERE part = 'sync' GROUP BY sync_id) t"
    assert system.database.psql(times)[0][0] in ("1", "2")
    assert system.rows("SELECT count(*) AS n FROM modeltrail.gitops_sync WHERE part = 'sync' AND sync_id::int % 2 = 1"
                       " GROUP BY sync_id HAVING count(*) > 1") == []


def test_flux_objects_tell_revision_and_source(cluster, system, tmp_path):
    cluster.grant(COLLECTOR, READER)
    admin = cluster.client(ADMIN)
    meta = {"name": "models", "namespace": "flux-system"}
    ready = [{"type": "Ready", "status": "True", "reason": "ReconciliationSucceeded", "lastTransitionTime": "2026-01-01T00:00:00Z"}]
    assert admin.apply({"apiVersion": f"{SOURCE}/v1", "kind": "GitRepository", "metadata": meta,
                        "spec": {"url": "ssh://git@git.example/models", "ref": {"branch": "main"}},
                        "status": {"artifact": {"revision": "main@sha1:abc", "lastUpdateTime": "2026-01-02T00:00:00Z"}}})[0] == 201
    assert admin.apply({"apiVersion": f"{KUSTOMIZE}/v1", "kind": "Kustomization", "metadata": meta,
                        "spec": {"path": "./prod", "sourceRef": {"kind": "GitRepository", "name": "models"}},
                        "status": {"lastAppliedRevision": "main@sha1:abc", "lastAttemptedRevision": "main@sha1:abc", "conditions": ready}})[0] == 201
    assert admin.apply({"apiVersion": f"{HELM}/v2", "kind": "HelmRelease", "metadata": meta,
                        "spec": {"chart": {"spec": {"chart": "fraud", "version": "1.x", "sourceRef": {"kind": "HelmRepository", "name": "charts", "namespace": "shared"}}}},
                        "status": {"history": [{"version": 2, "chartVersion": "1.4.0", "lastDeployed": "2026-01-03T00:00:00Z"}]}})[0] == 201
    system.start_collector("c1", [kubernetes(cluster, tmp_path)])
    system.wait_for("SELECT count(*) FROM modeltrail.gitops_sync WHERE part = 'sync'", 3)
    rows = {row["kind"]: row for row in system.rows("SELECT kind, sync_id, revision, automated FROM modeltrail.gitops_sync WHERE part = 'sync'")}
    assert {kind: (row["sync_id"], row["revision"], row["automated"]) for kind, row in rows.items()} == {
        "GitRepository": (None, "main@sha1:abc", True), "Kustomization": (None, "main@sha1:abc", True), "HelmRelease": ("2", "1.4.0", True)}
    sources = {row["kind"]: row for row in system.rows("SELECT kind, url, source, path, chart, target FROM modeltrail.gitops_sync WHERE part = 'source'")}
    assert sources["GitRepository"]["url"] == "ssh://git.example/models" and sources["GitRepository"]["target"] == "main"
    assert (sources["Kustomization"]["source"], sources["Kustomization"]["path"]) == ("GitRepository/flux-system/models", "./prod")
    assert (sources["HelmRelease"]["source"], sources["HelmRelease"]["chart"]) == ("HelmRepository/shared/charts", "fraud")
    # Each is told once more when it applies elsewhere, or other than as it stands; and with it its sync if
    # that has no time, by which it would be known again.
    more = {"targetNamespace": "risk-prod", "kubeConfig": {"secretRef": {"name": "c2"}}}
    assert admin.merge_patch("Kustomization", "flux-system", "models", {"spec": more | {"patches": [{"patch": "x"}]}})[0] == 200
    assert admin.merge_patch("HelmRelease", "flux-system", "models", {"spec": more})[0] == 200
    system.wait_for("SELECT count(*) FROM modeltrail.gitops_sync WHERE part = 'source'", 5)
    here = {"is_local": True, "target_namespace": None, "recurses": True}
    there = {"is_local": False, "target_namespace": "risk-prod", "recurses": True}
    assert system.rows(READING.format("HelmRelease")) == [
        here | {"part": "source", "shaping": "helm"}, here | {"part": "sync", "shaping": None},
        there | {"part": "source", "shaping": "helm"}]
    assert system.rows(READING.format("Kustomization")) == [
        here | {"part": "source", "shaping": None}, here | {"part": "sync", "shaping": None},
        here | {"part": "operation", "recurses": None, "shaping": None}, there | {"part": "source", "shaping": "patches"},
        there | {"part": "sync", "shaping": None}, there | {"part": "operation", "recurses": None, "shaping": None}]
    assert system.rows(READING.format("GitRepository"))[0] == {
        "part": "source", "is_local": None, "target_namespace": None, "recurses": True, "shaping": None}


def workload(name, labels=None, annotations=None):
    node = {"name": "classifier", "implementation": "SKLEARN_SERVER", "modelUri": f"s3://models/{name}/1.0.0"}
    return {"apiVersion": "machinelearning.seldon.io/v1", "kind": "SeldonDeployment",
            "metadata": {"name": name, "namespace": "risk-prod", "labels": labels or {}, "annotations": annotations or {}},
            "spec": {"predictors": [{"name": "main", "replicas": 1, "graph": node}]}}


def test_workloads_say_where_they_come_from(cluster, system, tmp_path):
    """Without the right to read the tools' objects the cluster is watched all the same, and covered."""
    cluster.grant(COLLECTOR, rbac.READER)
    admin = cluster.client(ADMIN)

    def tracked(name, names=None):
        return {"argocd.argoproj.io/tracking-id": f"argocd_risk:machinelearning.seldon.io/SeldonDeployment:risk-prod/{names or name}"}

    flux = {"kustomize.toolkit.fluxcd.io/name": "models", "kustomize.toolkit.fluxcd.io/namespace": "flux-system"}
    instance = {"app.kubernetes.io/instance": "risk"}
    admin.apply(workload("tracked", annotations=tracked("tracked")), manager="argocd-controller")
    admin.apply(workload("copied", annotations=tracked("copied", "tracked")), manager="kubectl")
    admin.apply(workload("flux", labels=flux), manager="kustomize-controller")
    admin.apply(workload("instance", labels=instance))
    admin.apply(workload("helm", labels=instance, annotations={"meta.helm.sh/release-name": "risk"}))
    admin.apply(workload("claimed", annotations={"modeltrail.io/ticket": "RISK-7", "modeltrail.io/requested-by": "alice@corp"}))
    admin.merge_patch("SeldonDeployment", "risk-prod", "claimed", {"metadata": {"labels": {"x": "y"}}}, manager="late-writer")
    system.start_collector("c1", [kubernetes(cluster, tmp_path)])
    system.wait_for("SELECT count(*) FROM modeltrail.state", 6)
    rows = {row["name"]: row["origin"] if isinstance(row["origin"], dict) else json.loads(row["origin"]) for row in system.rows(
        "SELECT name, origin FROM modeltrail.state JOIN modeltrail.workload USING (uid)")}
    gitops = {name: (origin["gitops"]["tool"], origin["gitops"]["application"], origin["gitops"]["evidence"])
              for name, origin in rows.items() if "gitops" in origin}
    assert gitops == {"tracked": ("argocd", "argocd/risk", "tracking_id"), "flux": ("flux", "flux-system/models", "labels"),
                      "instance": ("argocd", "risk", "instance_label")}
    assert rows["claimed"]["claims"] == {"ticket": "RISK-7", "requested_by": "alice@corp", "approved_by": None}
    assert rows["claimed"]["manager"]["name"] == "late-writer" and rows["tracked"]["manager"]["name"] == "argocd-controller"
    assert rows["tracked"]["manager"]["operation"] == "Apply"
    done = system.ask("where", "no-such-model", "--cluster", "c1")
    assert done.returncode == 1, (done.returncode, done.stdout, done.stderr)
    trouble = "SELECT trouble FROM modeltrail.mark WHERE collector = 'c1'"
    assert system.database.psql(trouble) in ([("",)], [(None,)], []), system.database.psql(trouble)
    assert "applications.argoproj.io" in system.log("c1")


def test_a_namespace_says_that_seldon_writes_to_git(cluster, system, tmp_path):
    cluster.grant(COLLECTOR, READER)
    admin = cluster.client(ADMIN)

    def mark(label, annotation):
        meta = {"labels": {"seldon.gitops": label}, "annotations": {"git-repo": annotation}}
        assert admin.merge_patch("Namespace", None, "risk-prod", {"metadata": meta})[0] == 200

    def said(number):
        rows = "SELECT gitops_tool, gitops_repository FROM modeltrail.namespace_label WHERE namespace = 'risk-prod' ORDER BY position"
        system.wait_for("SELECT count(*) FROM modeltrail.namespace_label WHERE namespace = 'risk-prod'", number)
        return [tuple(row.values()) for row in system.rows(rows)]

    system.start_collector("c1", [kubernetes(cluster, tmp_path)])
    assert said(1) == [(None, None)]
    mark("enabled", "https://bot:hunter2@git.example/models.git")
    assert said(2)[-1] == ("seldon", URL)  # as the git source and Argo CD's applications name it
    mark("disabled", URL)
    assert said(3)[-1] == (None, None)
    mark("enabled", None)
    assert said(4)[-1] == ("seldon", None)
    assert "hunter2" not in json.dumps(system.rows("SELECT convert_from(body, 'UTF8') AS body FROM modeltrail.event_body"))


def test_commits_become_rows(system, tmp_path):
    repository = Repository(tmp_path / "models")
    first = repository.commit("Deploy\n\nTicket: RISK-1\n", {"prod/a.yaml": manifest("a", "s3://a/1"), "README": "x"})
    repository.run("checkout", "-q", "-b", "side")
    side = repository.commit("Raise", {"prod/a.yaml": manifest("a", "s3://a/2")}, author="Bob <bob@example.com>")
    repository.run("checkout", "-q", "main")
    repository.commit("other", {"b.txt": "x"})
    merge = repository.merge("side")
    source = json.dumps({"git": {"url": str(repository.folder), "repository": URL, "folders": {"prod": "prod"}}})
    system.collect_once("c1", [source])
    rows = {row["commit_id"]: row for row in system.rows("SELECT * FROM modeltrail.commit")}
    assert len(rows) == 4 and {row["repository"] for row in rows.values()} == {URL}
    assert (rows[first]["tickets"], rows[first]["signature"], rows[first]["author_email"]) == (["RISK-1"], "none", "alice@example.com")
    assert rows[side]["mainline"] is False and rows[merge]["brought"] == [side]
    paths = system.rows("SELECT commit_id, path, folder, rendered, api_group, kind, namespace, name, object_change"
                        " FROM modeltrail.commit_path ORDER BY log_index, ordinal")
    assert paths[0] == {"commit_id": first, "path": "prod/a.yaml", "folder": "prod", "rendered": True,
                        "api_group": "machinelearning.seldon.io", "kind": "SeldonDeployment", "namespace": "risk-prod", "name": "a",
                        "object_change": "added"}
    assert [(row["commit_id"], row["object_change"]) for row in paths] == [(first, "added"), (side, "modified"), (merge, "modified")]
    repository.run("mv", "prod/a.yaml", "prod/fraud.yaml")
    repository.run("rm", "-q", "b.txt")
    moved = repository.commit("Rename")
    repository.write("shadow/fraud.yaml", manifest("a", "s3://a/2"))
    away = repository.commit("Elsewhere", remove=["prod/fraud.yaml"])
    source = json.dumps({"git": {"url": str(repository.folder), "repository": URL, "folders": {"prod": "prod", "shadow": "shadow"}}})
    system.collect_once("c1", [source])
    paths = system.rows("SELECT commit_id, path, object_change, moved_from, moved_to FROM modeltrail.commit_path"
                        " WHERE object_change = 'moved' ORDER BY log_index, ordinal")
    assert [tuple(row.values()) for row in paths] == [
        (moved, "prod/a.yaml", "moved", None, "prod/fraud.yaml"), (moved, "prod/fraud.yaml", "moved", "prod/a.yaml", None), (away, "prod/fraud.yaml", "moved", None, "shadow/fraud.yaml"),
        (away, "shadow/fraud.yaml", "moved", "prod/fraud.yaml", None)]
    # Read again by another spool: the store takes it, a row each.
    for file in tmp_path.glob("c1.db*"):
        if file.is_file():
            file.unlink()
    system.collect_once("c1", [source])
    assert system.rows("SELECT count(*) AS n FROM modeltrail.commit") == [{"n": 12}]
    assert system.rows("SELECT count(*) AS n FROM modeltrail.event WHERE quarantined IS NOT NULL") == [{"n": 0}]


def test_only_a_collector_that_may_declares_commits(system, tmp_path):
    """A collector of a dev cluster says who wrote what in another's repository: nobody hears it until it is allowed."""
    repository = Repository(tmp_path / "models")
    told = [repository.commit(f"number {n}", {"a.yaml": manifest("a", f"s3://a/{n}")}, author="Alice <alice@example.com>")
            for n in range(3)]
    git = {"url": str(repository.folder), "repository": URL}
    system.collect_once("dev", [json.dumps({"git": git})])
    refused = system.rows("SELECT DISTINCT quarantined AS reason FROM modeltrail.event WHERE collector = 'dev'")
    assert refused == [{"reason": f"dev may not declare commits of {URL}; hint: name it in 'repositories' of its entry"
                                  " in the store's allow-list"}]
    for table in ("commit", "commit_path"):
        assert system.rows(f"SELECT * FROM modeltrail.{table}") == []
    # Allowed now. What was refused is past: it is told again when somebody says so, and once.
    system.repositories["dev"] = ["https://git.example/other.git", "*"]
    system.write_store_config()
    system.end("store")
    system.start_store()
    ids = "SELECT commit_id FROM modeltrail.commit ORDER BY log_index"
    system.collect_once("dev", [json.dumps({"git": git})])
    assert system.rows(ids) == []
    for _ in range(2):
        system.collect_once("dev", [json.dumps({"git": git | {"again": 1}})])
    assert [row["commit_id"] for row in system.rows(ids)] == told
    logged = system.rows("SELECT convert_from(b.body, 'UTF8')::json -> 'data' -> 'collectors' AS list FROM modeltrail.event e"
                         " JOIN modeltrail.event_body b USING (log, log_index)"
                         " WHERE e.type = 'dev.modeltrail.allowlist.loaded.v1' ORDER BY e.log_index")
    assert [[one["repositories"] for one in row["list"]] for row in logged] == [
        [[URL], []], [[URL], ["https://git.example/other.git", "*"]]]
