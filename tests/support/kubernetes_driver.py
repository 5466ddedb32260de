"""Runs the driver of the Kubernetes source and computes from its events what a reader would believe."""

import json
import os
import signal
import subprocess
import threading
import time

from .build import ROOT

DRIVER = "driver_collector_kubernetes"


def driver_path():
    """The built driver: beside the programs, wherever the build folder is."""
    named = os.environ.get("MODELTRAIL_BUILD")
    folders = [ROOT / "build" / name for name in ("dev", "release", "asan")]
    for folder in ([named] if named else folders):
        path = ROOT / folder / "drivers" / DRIVER
        if path.is_file():
            return path
    raise FileNotFoundError(f"{DRIVER} is not built; hint: cmake --workflow --preset dev")


class Belief:
    """What follows from a stream of events: the inventory of docs/rules.md 4 and 5, and the gaps."""

    def __init__(self):
        self.events: list[dict] = []
        self.looks: list[dict] = []

    def add(self, line: dict) -> None:
        if "looks" in line:
            self.looks = line["looks"]
        else:
            self.events.append(line | {"type": line["type"].split(".", 2)[2].rsplit(".", 1)[0]})

    def of(self, kind: str) -> list[dict]:
        return [event["data"] for event in list(self.events) if event["type"] == kind]

    def inventory(self) -> dict[str, int]:
        """uid -> newest position of what exists, as far as the events tell."""
        observed = self.of("workload.observed")
        listings = self.of("scope.listed")
        newest, life, removed = {}, {}, set()
        for seen in observed:
            uid, position = seen["uid"], int(seen["position"])
            life[uid] = max(life.get(uid, 0), position)
            if seen.get("removed"):
                removed.add(uid)
            elif position >= newest.get(uid, (0,))[0]:
                newest[uid] = (position, seen["resource"], seen["namespace"])
        for listing in listings:
            for uid in listing["members"]:
                life[uid] = max(life.get(uid, 0), int(listing["position"]))
        return {uid: position for uid, (position, resource, namespace) in newest.items()
                if uid not in removed
                and not any(self._closes(listing, uid, resource, namespace, life[uid])
                            for listing in listings)}

    @staticmethod
    def _closes(listing, uid, resource, namespace, life) -> bool:
        within = ((listing.get("uid_from") or "") <= uid
                  and (not listing.get("uid_to") or uid <= listing["uid_to"]))
        return (listing["resource"] == resource and within
                and listing["namespace"] in (None, namespace)
                and int(listing["position"]) > life and uid not in listing["members"])

    def open_gaps(self) -> list[dict]:
        """Gaps that no later event with the same beginning has ended."""
        gaps: dict[tuple, dict] = {}
        for gap in self.of("scope.gap"):
            gaps[gap["resource"], gap["namespace"], gap["from"]] = gap
        return [gap for gap in gaps.values() if not gap["to"]]

    def look(self, resource: str, namespace=None) -> dict | None:
        for look in self.looks:
            if look["resource"] == resource and look["namespace"] == namespace:
                return look
        return None


class KubernetesDriver:
    """The driver as a child process; `with` ends it politely and checks that it ends cleanly."""

    def __init__(self, kubeconfig, *namespaces, log=None, **options):
        flags = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
        self.belief = Belief()
        self._log = open(log, "ab") if log else subprocess.DEVNULL
        self._child = subprocess.Popen(
            [driver_path(), f"--kubeconfig={kubeconfig}", *flags, *namespaces],
            stdout=subprocess.PIPE, stderr=self._log, stdin=subprocess.DEVNULL, text=True)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self._child.stdout:
            self.belief.add(json.loads(line))

    @property
    def pid(self) -> int:
        return self._child.pid

    def __enter__(self):
        return self

    def __exit__(self, failed, *_):
        code = self.end()
        if not failed:
            assert code == 0, f"the driver ended with {code}"

    def end(self, how=signal.SIGTERM) -> int:
        self._child.send_signal(how)
        code = self._child.wait(20)
        self._reader.join(5)
        self._child.stdout.close()
        if self._log is not subprocess.DEVNULL:
            self._log.close()
        return code

    def wait_until(self, holds, timeout=20, what="") -> None:
        deadline = time.monotonic() + timeout
        while not holds():
            assert self._child.poll() is None, f"the driver ended: {self._child.returncode}"
            if time.monotonic() > deadline:
                raise AssertionError(f"not in {timeout} s: {what or holds}")
            time.sleep(0.02)

    def wait_for_inventory(self, truth, timeout=20) -> None:
        """Waits until the belief equals `truth()`."""
        try:
            self.wait_until(lambda: self.belief.inventory() == truth(), timeout)
        except AssertionError:
            assert self.belief.inventory() == truth()
            raise

    def wait_for_look(self, resource, namespace=None, timeout=20) -> dict:
        self.wait_until(lambda: self.belief.look(resource, namespace), timeout, f"look {resource}")
        return self.belief.look(resource, namespace)
