"""From the API server's commit to visible in SQL, beside `kubectl get --watch` seeing the same change.

Method: one writer updates SeldonDeployments, one change at a time with a pause after each, so that the times are latencies and not a queue. The
clock of a change starts when its request is sent: the commit lies between that and the answer, and a watcher may be quicker than the
answer, so both sides include the API server's own work. The change is visible in SQL when a kept-open
connection, asking again and again with a short sleep, finds the new position in modeltrail.change; and it is seen by kubectl when the line with the new
resourceVersion has left `kubectl get --watch`. Both watch in the same run."""

import argparse
import shutil
import statistics
import subprocess
import threading
import time

from common import Connection, api_server, find_kubectl, temporary_folder, verdict

from support.kube import ADMIN
from support.postgres import Postgres
from support.system import System

OBJECTS = 20
PATIENCE = 30


def deployment(number, version):
    return {
        "apiVersion": "machinelearning.seldon.io/v1", "kind": "SeldonDeployment",
        "metadata": {"name": f"model-{number}", "namespace": "dev"},
        "spec": {"predictors": [{"name": "main", "graph": {"name": "classifier", "implementation": "SKLEARN_SERVER",
                                                            "modelUri": f"s3://models/model-{number}/{version}.0.0"}}]},
    }


class Watcher(threading.Thread):
    """`kubectl get --watch` in its own thread; remembers when each resourceVersion came."""

    def __init__(self, kubectl, kubeconfig):
        super().__init__(daemon=True)
        argv = [kubectl, "--kubeconfig", kubeconfig, "-n", "dev", "get", "seldondeployments.machinelearning.seldon.io", "--watch", "--no-headers",
                "-o", "custom-columns=V:.metadata.resourceVersion"]
        self.child = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
        self.seen = {}

    def run(self):
        for line in self.child.stdout:
            self.seen[line.strip()] = time.monotonic()

    def wait(self, version):
        deadline = time.monotonic() + PATIENCE
        while version not in self.seen:
            assert time.monotonic() < deadline, f"kubectl did not see {version}"
            time.sleep(0.0005)
        return self.seen[version]

    def stop(self):
        self.child.terminate()
        self.child.wait()


class Seer(threading.Thread):
    """Asks PostgreSQL for the positions it has not seen yet, every couple of milliseconds, on a connection of its own."""

    SQL = "SELECT max(position) FROM modeltrail.change"

    def __init__(self, conninfo, every):
        super().__init__(daemon=True)
        self.connection = Connection(conninfo)
        self.every, self.newest, self.running, self.changed = every, 0, True, threading.Condition()
        self.times = []

    def run(self):
        while self.running:
            newest = int(self.connection.value(self.SQL) or 0)
            if newest > self.newest:
                with self.changed:
                    self.times.append((newest, time.monotonic()))
                    self.newest = newest
                    self.changed.notify_all()
            time.sleep(self.every)

    def wait(self, position):
        with self.changed:
            assert self.changed.wait_for(lambda: self.newest >= position, PATIENCE), f"position {position} did not come to the database"
        return next(at for newest, at in self.times if newest >= position)


def measure(client, watcher, seer, changes, pause):
    """(answer, kubectl, SQL) in seconds behind the sending of each request."""
    found = []
    for number in range(changes):
        patch = deployment(number % OBJECTS, number + 2)
        sent = time.monotonic()
        code, body = client.merge_patch("SeldonDeployment", "dev", f"model-{number % OBJECTS}", {"spec": patch["spec"]})
        answered = time.monotonic()
        assert code == 200, body
        version = body["metadata"]["resourceVersion"]
        found.append((answered - sent, watcher.wait(version) - sent, seer.wait(int(version)) - sent))
        time.sleep(pause)
    return found


def quantile(values, share):
    return statistics.quantiles(values, n=100, method="inclusive")[share - 1] * 1000


def report(name, values):
    print(f"{name}: p50 {quantile(values, 50):.1f} ms, p90 {quantile(values, 90):.1f} ms, p99 {quantile(values, 99):.1f} ms, most {max(values) * 1000:.1f} ms")


def one_run(cluster, postgres, kubectl, folder, options):
    client = cluster.client(ADMIN)
    for number in range(OBJECTS):
        code, body = client.create(deployment(number, 1))
        assert code == 201, body
    kubeconfig = cluster.kubeconfig(folder / "kubeconfig")
    system = System(folder / "system", postgres.create_database("latency"), {"eu-1": ("c1", None)})
    system.start_store()
    system.start_collector("eu-1", [f'kubernetes: {{kubeconfig: "{kubeconfig}", context: c1}}'])
    system.wait_for("SELECT count(*) FROM modeltrail.workload", OBJECTS)
    watcher = Watcher(kubectl, kubeconfig)
    watcher.start()
    seer = Seer(system.database.dsn(), options.poll)
    seer.start()
    time.sleep(3)  # both watches stand
    try:
        measure(client, watcher, seer, 20, options.pause)  # plans and caches are warm
        return [measure(client, watcher, seer, options.changes, options.pause) for _ in range(options.rounds)]
    finally:
        seer.running = False
        seer.join()
        watcher.stop()
        system.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--changes", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pause", type=float, default=0.05, help="seconds between two changes")
    parser.add_argument("--poll", type=float, default=0.001, help="seconds between two questions to PostgreSQL")
    parser.add_argument("--kubectl")
    options = parser.parse_args()
    kubectl = find_kubectl(options.kubectl)
    folder = temporary_folder()
    postgres = Postgres().start()
    try:
        with api_server(folder) as cluster:
            rounds = one_run(cluster, postgres, kubectl, folder, options)
    finally:
        postgres.remove()
        shutil.rmtree(folder, ignore_errors=True)
    for number, times in enumerate(rounds):
        for name, values in zip(("answer ", "kubectl", "SQL    "), zip(*times)):
            report(f"round {number}: {name}", values)
    answer, seen, stored = zip(*[time for times in rounds for time in times])
    report("all: answer ", answer)
    report("all: kubectl", seen)
    report("all: SQL    ", stored)
    report("all: SQL behind kubectl", [late - early for early, late in zip(seen, stored)])
    for share in (50, 99):
        verdict(f"visible-p{share}", [quantile([t[2] for t in times], share) / quantile([t[1] for t in times], share) for times in rounds])


if __name__ == "__main__":
    main()
