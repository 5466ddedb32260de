"""The Kubernetes source against a real API server, with no more rights than a namespaced Role."""

import sqlite3

import pytest

from support import kube as kube_support
from support import rbac
from support.build import program
from support.collector import Collector
from support.fake_kube import FakeKube
from support.fake_store import FakeStore
from support.kubernetes_driver import KubernetesDriver
from support.process import Daemon, free_port

SELDON = "seldondeployments.machinelearning.seldon.io"
NAMESPACE = "watched"


def seldon(name, namespace=NAMESPACE, uri="s3://models-dev/fraud-scorer/1.3.0"):
    return {
        "apiVersion": "machinelearning.seldon.io/v1",
        "kind": "SeldonDeployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"predictors": [{"name": "main", "graph": {"name": "classifier",
                                                           "modelUri": uri}}]},
    }


class Truth:
    """What the API server says there is, read with the rights of an administrator."""

    def __init__(self, cluster, namespace=NAMESPACE):
        self.admin = cluster.client(kube_support.ADMIN)
        self.namespace = namespace

    def __call__(self):
        found = {}
        for kind in ("SeldonDeployment", "Model", "InferenceService"):
            _, listed = self.admin.list(kind, self.namespace)
            found |= {item["metadata"]["uid"]: int(item["metadata"]["resourceVersion"])
                      for item in listed["items"]}
        return found


@pytest.fixture
def cluster(new_cluster):
    """An API server of the test's own; alice writes and the collector reads in one namespace."""
    cluster = new_cluster("c1")
    cluster.create_namespace(NAMESPACE, {"modeltrail.io/environment": "dev"})
    cluster.create_namespace("hidden")
    cluster.grant("alice", rbac.WRITER, NAMESPACE, "hidden")
    return cluster


@pytest.fixture
def kubeconfig(cluster, tmp_path):
    return cluster.kubeconfig(tmp_path / "kubeconfig")


def test_a_namespaced_role_is_enough(cluster, kubeconfig, tmp_path):
    cluster.grant(kube_support.COLLECTOR, rbac.READER, NAMESPACE)
    alice, truth = cluster.client("alice"), Truth(cluster)
    for number in range(7):
        assert alice.create(seldon(f"before-{number}"))[0] == 201
    alice.create(seldon("unseen", "hidden"))
    with KubernetesDriver(kubeconfig, NAMESPACE, page=3, log=tmp_path / "log") as driver:
        driver.wait_for_inventory(truth)
        driver.wait_for_look(SELDON, NAMESPACE)
        alice.apply(seldon("before-1", uri="s3://models-dev/fraud-scorer/1.4.0"))
        alice.delete("SeldonDeployment", NAMESPACE, "before-2")
        alice.delete("SeldonDeployment", NAMESPACE, "before-3")
        alice.create(seldon("before-3"))
        alice.create({"apiVersion": "mlops.seldon.io/v1alpha1", "kind": "Model",
                      "metadata": {"name": "m", "namespace": NAMESPACE},
                      "spec": {"storageUri": "gs://bucket/iris"}})
        driver.wait_for_inventory(truth)
        assert driver.belief.of("scope.gap") == []
        [labels] = [seen["labels"] for seen in driver.belief.of("namespace.observed")]
        assert labels["modeltrail.io/environment"] == "dev"
        changed = [seen for seen in driver.belief.of("workload.observed")
                   if seen["name"] == "before-1"][-1]
        assert changed["placements"][0]["uri"].endswith("1.4.0")
    denied = [event for event in cluster.audit_events()
              if event["user"]["username"] == kube_support.COLLECTOR
              and event.get("responseStatus", {}).get("code") == 403]
    assert denied == [], "it asked for something that a namespaced Role does not give"


def test_without_the_label_right_there_are_just_no_labels(cluster, kubeconfig):
    models_only = [rule for rule in rbac.READER if rule["resources"] != ["namespaces"]]
    cluster.grant(kube_support.COLLECTOR, models_only, NAMESPACE)
    cluster.client("alice").create(seldon("one"))
    with KubernetesDriver(kubeconfig, NAMESPACE) as driver:
        driver.wait_for_inventory(Truth(cluster))
        driver.wait_for_look(SELDON, NAMESPACE)
        assert driver.belief.of("namespace.observed") == []
        assert driver.belief.of("scope.gap") == []


def test_a_whole_cluster(cluster, kubeconfig):
    cluster.grant(kube_support.COLLECTOR, rbac.READER)
    alice, everywhere = cluster.client("alice"), Truth(cluster, None)
    alice.create(seldon("one"))
    alice.create(seldon("two", "hidden"))
    with KubernetesDriver(kubeconfig) as driver:
        driver.wait_for_inventory(everywhere)
        driver.wait_for_look(SELDON, None)
        cluster.create_namespace("later", {"modeltrail.io/environment": "prod"})
        driver.wait_until(lambda: "later" in [
            seen["namespace"] for seen in driver.belief.of("namespace.observed")])
        alice.delete("SeldonDeployment", "hidden", "two")
        driver.wait_for_inventory(everywhere)
        assert driver.belief.of("scope.gap") == []


def test_the_api_server_killed_and_restarted(cluster, kubeconfig, tmp_path):
    cluster.grant(kube_support.COLLECTOR, rbac.READER, NAMESPACE)
    alice, truth = cluster.client("alice"), Truth(cluster)
    for number in range(5):
        alice.create(seldon(f"model-{number}"))
    with KubernetesDriver(kubeconfig, NAMESPACE, log=tmp_path / "log") as driver:
        driver.wait_for_inventory(truth)
        for turn in range(2):
            cluster.kill_apiserver()
            cluster.start_apiserver()
            alice.close()  # its connection died with the server
            truth.admin.close()
            alice.apply(seldon("model-1", uri=f"s3://models-dev/fraud-scorer/2.{turn}"))
            alice.delete("SeldonDeployment", NAMESPACE, f"model-{2 + turn}")
            alice.create(seldon(f"model-{2 + turn}"))
            driver.wait_for_inventory(truth, timeout=60)
            driver.wait_until(lambda: not driver.belief.open_gaps(), 60, "the other kinds are listed")


def test_rights_withdrawn_and_given_back(cluster, kubeconfig):
    cluster.grant(kube_support.COLLECTOR, rbac.READER, NAMESPACE)
    alice, truth = cluster.client("alice"), Truth(cluster)
    alice.create(seldon("one"))
    options = {"look_again_ms": 500, "watch_s": 2}
    with KubernetesDriver(kubeconfig, NAMESPACE, **options) as driver:
        driver.wait_for_inventory(truth)
        [_, binding] = rbac.grant(kube_support.COLLECTOR, rbac.READER, NAMESPACE)
        admin = cluster.client(kube_support.ADMIN)
        assert admin.delete("RoleBinding", NAMESPACE, binding["metadata"]["name"])[0] == 200
        driver.wait_until(lambda: SELDON in [gap["resource"] for gap in driver.belief.open_gaps()])
        assert "forbidden" in driver.belief.open_gaps()[0]["reason"]
        alice.delete("SeldonDeployment", NAMESPACE, "one")
        alice.create(seldon("two"))
        cluster.grant(kube_support.COLLECTOR, rbac.READER, NAMESPACE)
        driver.wait_for_inventory(truth)
        driver.wait_until(lambda: not driver.belief.open_gaps())


@pytest.mark.parametrize("verb, plural", [("discover", None), ("get", "namespaces")])
def test_a_wish_to_wait_is_heard(tmp_path, verb, plural):
    """By what asks beside the streams, too: discovery, and the look at a namespace's labels."""
    with FakeKube() as fake:
        fake.fail_next(verb, 429, plural, Retry_After=2)
        config = fake.write_kubeconfig(tmp_path / "kubeconfig")
        with KubernetesDriver(config, "risk", watch_s=3, look_again_ms=100) as driver:
            driver.wait_until(lambda: fake.count(verb, 429))
            refused, path = next((when, path) for when, _, path, code in fake.requests if code == 429)
            def later():
                return [when for when, _, its, _ in fake.requests if its == path and when > refused]
            driver.wait_until(later)
            assert later()[0] - refused >= 2


@pytest.mark.parametrize("namespaces, warns", [(1, False), (30, True)])
def test_open_files_are_raised_and_too_many_watches_told(tmp_path, namespaces, warns):
    """The soft limit holds nobody back; where the hard one would, a person is told before watches fail."""
    with FakeKube() as fake:
        config = fake.write_kubeconfig(tmp_path / "kubeconfig")
        store = FakeStore(free_port()).start()
        source = {"kubeconfig": str(config), "namespaces": [f"ns-{number}" for number in range(namespaces)]}
        collector = Collector(tmp_path, store, [{"kubernetes": source}])
        daemon = Daemon(["prlimit", "--nofile=64:256", program("modeltrail-collector"), "--config",
                         collector.config], collector.log)
        try:
            daemon.wait_until(lambda: fake.count("list", 200) > 0)
            (limits,) = [line.split() for line in open(f"/proc/{daemon.pid}/limits") if "open files" in line]
            assert limits[3:5] == ["256", "256"]
            assert collector.says("more open files than are allowed") == warns
        finally:
            daemon.end()
            store.stop()


def known_uids(spool) -> set[str]:
    with sqlite3.connect(f"file:{spool}?mode=ro", uri=True) as reader:
        return {uid for uid, in reader.execute("SELECT uid FROM known WHERE scope LIKE '%/seldondeployments%'")}


def test_what_vanished_unseen_is_forgotten(tmp_path):
    """Deleted while nobody watched: the next list says so, and the spool does not remember it for ever."""
    with FakeKube() as fake:
        for number in range(12):
            fake.create(f"m-{number}")
        config = fake.write_kubeconfig(tmp_path / "kubeconfig")
        store = FakeStore(free_port()).start()
        timing = {"watch_s": 5, "look_again_ms": 300, "watched_ms": 300, "page_size": 5}
        source = {"kubeconfig": str(config), "namespaces": ["risk"], "timing": timing}
        collector = Collector(tmp_path, store, [{"kubernetes": source}]).start()
        try:
            collector.wait(lambda: len(store.of_type("workload.observed")) >= 12)
            fake.hold()
            for number in range(0, 12, 2):
                fake.delete(f"m-{number}")
            fake.compact()
            fake.release()
            left = {obj["metadata"]["uid"] for obj in fake.objects.values()}
            collector.wait(lambda: {uid for data in store.of_type("scope.listed") for uid in data["members"]
                                    if set(data["members"]) == left})
        finally:
            collector.daemon.end()
            store.stop()
        assert len(left) == 6
        assert known_uids(collector.spool) == left
