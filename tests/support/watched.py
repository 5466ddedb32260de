"""A fake API server, a real collector that watches it, and what the database then says of that cluster."""

import json
import time

from .hostile_scenarios import SELDON

# What takes minutes in a cluster takes seconds here.
TIMING = {"watch_s": 3, "grace_ms": 500, "look_again_ms": 300, "watched_ms": 500, "page_size": 5}


class Watched:
    """A fake API server, its collector, and what the database says of that cluster."""

    def __init__(self, system, name, fake):
        self.system, self.name, self.fake = system, name, fake

    def start(self, token_file=None, namespaces=("risk",)):
        kubeconfig = self.fake.write_kubeconfig(self.system.folder / f"{self.name}.kubeconfig", token_file)
        source = {"kubeconfig": str(kubeconfig), "timing": TIMING}
        if namespaces:
            source["namespaces"] = list(namespaces)
        self.system.start_collector(self.name, [json.dumps({"kubernetes": source})])
        return self

    def stop(self):
        assert self.system.daemons[self.name].is_running(), self.system.log(self.name)[-3000:]
        assert self.system.end(self.name) == 0, self.system.log(self.name)[-3000:]

    def inventory(self):
        """uid -> version: the fake names a version after the resourceVersion that brought it."""
        rows = self.system.rows(
            f"SELECT workload_uid, version FROM modeltrail_v1.deployments WHERE cluster = '{self.name}'"
        )
        return {row["workload_uid"]: row["version"] for row in rows}

    def until(self, holds, what, timeout=40):
        deadline = time.monotonic() + timeout
        while not holds():
            if time.monotonic() > deadline:
                log = self.system.log(self.name)[-2000:]
                raise AssertionError(f"not in {timeout} s: {what}\n{log}")
            time.sleep(0.15)

    def wait_for(self, truth):
        def wanted():
            return {uid: f"v{position}" for uid, position in truth().items()}

        try:
            self.until(lambda: self.inventory() == wanted(), "the inventory is the truth")
        except AssertionError:
            assert self.inventory() == wanted(), self.system.log(self.name)[-2000:]

    def synced(self):
        self.wait_for(self.fake.truth)

    def absent(self, *more):
        """What `where` says of a model that is not there: no, or unknown."""
        done = self.system.ask("where", "no-such-model", "--cluster", self.name, *more)
        assert done.stdout == "" and "no deployment found" in done.stderr, done
        return done.returncode

    def gaps(self, resource=SELDON):
        """The newest word on each gap."""
        return self.system.rows(
            "SELECT DISTINCT ON (from_at) from_at, to_at, reason FROM modeltrail.gap"
            f" WHERE cluster = '{self.name}' AND resource = '{resource}' AND aspect = 'state'"
            " ORDER BY from_at, log_index DESC"
        )

    def coverage(self, resource=SELDON):
        """Intervals of `list coverage`, oldest first."""
        done = self.system.ask("list", "coverage", "--cluster", self.name, "-o", "json")
        items = json.loads(done.stdout)["items"]
        return sorted(
            (item for item in items if item["resource"] == resource and item["aspect"] == "state"),
            key=lambda item: item["covered_from"] or "",
        )

    def rejected(self):
        return self.system.rows(
            "SELECT type, is_quarantined, quarantine_reason FROM modeltrail_v1.events"
            f" WHERE collector = '{self.name}' AND type LIKE '%.input.rejected.%'"
        )
