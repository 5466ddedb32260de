"""First list of 10,000 SeldonDeployments into an acknowledged log, beside `kubectl get --raw` of the same list.

Method: a real API server holds the objects (3 KB each as JSON, with status and managedFields). A round measures `kubectl get --raw` of
the whole list from its start to its end, and then a collector with an empty spool and a store on a fresh database, both with fsync: from the
collector's start until PostgreSQL has every object and the collector has heard so. The ratio is the collector's time over
kubectl's. Memory is the collector's peak (VmHWM). The idle collector watches another, empty API server for a minute."""

import argparse
import concurrent.futures
import shutil
import subprocess
import threading
import time

from common import Connection, api_server, find_kubectl, median, resident_mb, resident_now_mb, spread, temporary_folder, verdict

from support.kube import ADMIN
from support.postgres import Postgres
from support.system import System

PATH = "/apis/machinelearning.seldon.io/v1/seldondeployments"
CREATORS = 8


def deployment(number):
    """A SeldonDeployment as a team would write it: a main predictor, a canary in every tenth, resources, environment."""
    name = f"model-{number:05d}"

    def predictor(label, version, traffic):
        return {
            "name": label, "replicas": 2, "traffic": traffic, "labels": {"version": version, "team": "risk"},
            "graph": {"name": "classifier", "type": "MODEL", "implementation": "SKLEARN_SERVER", "modelUri": f"s3://models/{name}/{version}",
                      "envSecretRefName": "bucket", "parameters": [{"name": "method", "type": "STRING", "value": "predict_proba"}], "children": []},
            "componentSpecs": [{"spec": {"containers": [{
                "name": "classifier",
                "resources": {"requests": {"cpu": "500m", "memory": "1Gi"}, "limits": {"cpu": "1", "memory": "2Gi"}},
                "env": [{"name": "LOG_LEVEL", "value": "INFO"}, {"name": "WORKERS", "value": "4"}],
                "readinessProbe": {"httpGet": {"path": "/health/ping", "port": "http"}, "initialDelaySeconds": 20, "periodSeconds": 5}}]}}],
        }

    canary = number % 10 == 0
    predictors = [predictor("main", f"{number % 7 + 1}.0.0", 80 if canary else 100)]
    if canary:
        predictors.append(predictor("next", f"{number % 7 + 1}.1.0", 20))
    return {
        "apiVersion": "machinelearning.seldon.io/v1", "kind": "SeldonDeployment",
        "metadata": {"name": name, "namespace": "dev", "labels": {"app": name, "team": "risk", "app.kubernetes.io/managed-by": "Helm"},
                     "annotations": {"project": "scoring", "owner": "risk@corp.example"}},
        "spec": {"name": name, "annotations": {"deployment_version": "v1"}, "predictors": predictors},
    }


def status(name):
    return {"state": "Available", "replicas": 2, "address": {"url": f"http://{name}.dev.svc.cluster.local:8000/api/v1.0/predictions"},
            "deploymentStatus": {f"{name}-main-0-classifier": {"availableReplicas": 2, "replicas": 2}},
            "conditions": [{"type": kind, "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"} for kind in ("DeploymentsReady", "ServicesReady", "Ready")]}


def create_all(cluster, count):
    local = threading.local()

    def create(number):
        if not hasattr(local, "client"):
            local.client = cluster.client(ADMIN)
        code, body = local.client.create(deployment(number))
        assert code == 201, body
        name = body["metadata"]["name"]
        code, body = local.client.patch_status("SeldonDeployment", "dev", name, status(name))
        assert code == 200, body

    with concurrent.futures.ThreadPoolExecutor(CREATORS) as pool:
        list(pool.map(create, range(count)))


def kubectl_round(kubectl, kubeconfig, out):
    begun = time.monotonic()
    with open(out, "wb") as sink:
        subprocess.run([kubectl, "--kubeconfig", kubeconfig, "get", "--raw", PATH], stdout=sink, check=True)
    return time.monotonic() - begun


def collector_spooled(folder):
    """How far the collector's own spool has heard the store: its file is read through a copy, never locked."""
    import sqlite3
    with sqlite3.connect(f"file:{folder}/eu-1.db?mode=ro", uri=True) as spool:
        return spool.execute("SELECT next_seq - 1, acked FROM spool").fetchone()


def collector_round(postgres, kubeconfig, number, count):
    """Seconds until all is acknowledged, and the collector's peak memory."""
    folder = temporary_folder()
    database = postgres.create_database(f"list_{number}")
    system = System(folder, database, {"eu-1": ("c1", None)})
    system.start_store()
    watching = Connection(database.dsn())
    begun = time.monotonic()
    daemon = system.start_collector("eu-1", [f'kubernetes: {{kubeconfig: "{kubeconfig}", context: c1}}'])
    # The listing of the kind comes behind all of its objects, so its row says that they are there.
    listed = "SELECT 1 FROM modeltrail.listing WHERE resource = 'seldondeployments.machinelearning.seldon.io' LIMIT 1"
    while watching.value(listed) is None:
        assert daemon.is_running() and time.monotonic() - begun < 120, daemon.log_tail()
        time.sleep(0.01)
    took = time.monotonic() - begun
    peak = resident_mb(daemon.pid)
    stored = int(watching.value("SELECT count(DISTINCT uid) FROM modeltrail.state"))
    assert stored == count, f"{stored} of {count} objects are in the database"
    watching.close()
    system.stop()
    last, acked = collector_spooled(folder)
    assert acked == last, f"{acked} of {last} events acknowledged"
    database.drop()
    shutil.rmtree(folder)
    return took, peak


def idle_memory(postgres, seconds):
    """Resident memory of a fresh collector on an empty cluster, after a minute."""
    folder = temporary_folder()
    with api_server(folder) as cluster:
        system = System(folder / "system", postgres.create_database("idle"), {"eu-1": ("c1", None)})
        system.start_store()
        kubeconfig = cluster.kubeconfig(folder / "kubeconfig")
        daemon = system.start_collector("eu-1", [f'kubernetes: {{kubeconfig: "{kubeconfig}", context: c1}}'])
        time.sleep(seconds)
        found = resident_now_mb(daemon.pid), resident_mb(daemon.pid)
        system.stop()
    shutil.rmtree(folder)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--objects", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--idle-seconds", type=int, default=60)
    parser.add_argument("--kubectl")
    options = parser.parse_args()
    kubectl = find_kubectl(options.kubectl)
    folder = temporary_folder()
    postgres = Postgres(settings={"shared_buffers": "512MB", "max_wal_size": "4GB"}).start()
    try:
        with api_server(folder) as cluster:
            begun = time.monotonic()
            create_all(cluster, options.objects)
            print(f"{options.objects:,} objects created in {time.monotonic() - begun:.0f} s", flush=True)
            kubeconfig = cluster.kubeconfig(folder / "kubeconfig")
            rounds = []
            for number in range(options.rounds):
                plain = kubectl_round(kubectl, kubeconfig, folder / "list.json")
                ours, peak = collector_round(postgres, kubeconfig, number, options.objects)
                rounds.append((plain, ours, ours / plain, peak))
                print(f"round {number}: kubectl {plain:.2f} s, collector {ours:.2f} s, ratio {ours / plain:.2f}, peak {peak:.1f} MB", flush=True)
            print(f"the list has {(folder / 'list.json').stat().st_size / 1e6:.1f} MB")
        idle, idle_peak = idle_memory(postgres, options.idle_seconds)
    finally:
        postgres.remove()
        shutil.rmtree(folder, ignore_errors=True)
    plain, ours, ratio, peak = zip(*rounds)
    print(f"median of {len(rounds)}: kubectl {spread(plain, ' s')}, collector {spread(ours, ' s')}, ratio {spread(ratio)}")
    print(f"collector's memory: peak {median(peak):.1f} MB, most {max(peak):.1f} MB; idle {idle:.1f} MB (peak {idle_peak:.1f} MB)")
    verdict("list", ratio)


if __name__ == "__main__":
    main()
