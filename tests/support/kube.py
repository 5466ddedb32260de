"""A real API server on loopback: etcd and kube-apiserver with RBAC, token users and an audit log.

No controllers run, so whoever needs a `status` writes it. Killing the API server keeps etcd's data.
"""

import json
import signal
import subprocess
from pathlib import Path

import yaml

from . import rbac
from .build import ROOT
from .kube_client import KINDS, Client, write_kubeconfig
from .process import Daemon, free_port

HERE = Path(__file__).resolve().parent
ADMIN, COLLECTOR = "admin", "collector"
CI = "system:serviceaccount:ci:deployer"
ARGOCD = "system:serviceaccount:argocd:argocd-application-controller"
SELDON_MANAGER = "system:serviceaccount:seldon-system:seldon-manager"
SELDON_V2_MANAGER = "system:serviceaccount:seldon-mesh:seldon-v2-controller-manager"
KSERVE_MANAGER = "system:serviceaccount:kserve:kserve-controller-manager"
PEOPLE = {"alice": "data-science", "bob": "data-science", "carol": "ml-platform"}
CONTROLLERS = (SELDON_MANAGER, SELDON_V2_MANAGER, KSERVE_MANAGER)


class Unavailable(Exception):
    """No API server can be had on this machine, and why."""


def find_assets() -> Path:
    """The folder with kube-apiserver and etcd; builds the former when it has to."""
    done = subprocess.run(
        [ROOT / "scripts" / "kube-apiserver-build"], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )
    if done.returncode == 3:
        raise Unavailable(done.stderr.strip())
    done.check_returncode()
    return Path(done.stdout.strip())


def _is_discoverable(admin: Client, kind: str) -> bool:
    """Discovery lags behind the kind's own path, and a collector asks discovery first."""
    resource = KINDS[kind]
    code, body = admin.request("GET", f"/apis/{resource.group}/{resource.version}")
    return code == 200 and any(r["name"] == resource.plural for r in body["resources"])


def _groups_of(user: str) -> list[str]:
    if user == ADMIN:
        return ["system:masters"]
    if user.startswith("system:serviceaccount:"):
        return ["system:serviceaccounts", f"system:serviceaccounts:{user.split(':')[2]}"]
    return [PEOPLE[user]] if user in PEOPLE else []


class Cluster:
    """One API server with its etcd. `folder` holds data, certificates, audit log and logs."""

    def __init__(self, assets: Path, folder, name: str = "c1", audit_policy=None,
                 extra_flags=(), extra_users=()):
        self.assets = Path(assets)
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.name = name
        self.users = [ADMIN, COLLECTOR, *PEOPLE, CI, ARGOCD, *CONTROLLERS, *extra_users]
        self.port, self._etcd_port, self._peer_port = free_port(), free_port(), free_port()
        self.server = f"https://127.0.0.1:{self.port}"
        self.audit_log = self.folder / "audit.log"
        self.ca_file = self.folder / "certs" / "apiserver.crt"
        self._audit_policy = audit_policy or HERE / "audit-policy.yaml"
        self._extra_flags = list(extra_flags)
        self._etcd: Daemon | None = None
        self._apiserver: Daemon | None = None
        self._write_secrets()

    def _write_secrets(self) -> None:
        """The key that signs service account tokens, and the static tokens of our users."""
        self._signing_key = self.folder / "service-accounts.key"
        subprocess.run(["openssl", "genrsa", "-out", self._signing_key, "2048"],
                       check=True, capture_output=True)
        self._token_file = self.folder / "tokens.csv"
        lines = [f'{self.token(user)},{user},uid-{number},"{",".join(_groups_of(user))}"\n'
                 for number, user in enumerate(self.users)]
        self._token_file.write_text("".join(lines))

    @staticmethod
    def token(user: str) -> str:
        return "token-" + user.replace(":", "-")

    def start(self) -> "Cluster":
        """Starts both, waits for /readyz, and installs the kinds (again is harmless)."""
        self.start_etcd()
        self.start_apiserver()
        self.install_crds()
        return self

    def start_etcd(self) -> None:
        client, peer = (f"http://127.0.0.1:{port}" for port in (self._etcd_port, self._peer_port))
        self._etcd = Daemon(
            [self.assets / "etcd", "--data-dir", self.folder / "etcd", "--log-level=error",
             f"--listen-client-urls={client}", f"--advertise-client-urls={client}",
             f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}",
             f"--initial-cluster=default={peer}"],
            self.folder / "etcd.log",
        )

    def start_apiserver(self) -> None:
        flags = {
            "etcd-servers": f"http://127.0.0.1:{self._etcd_port}",
            "bind-address": "127.0.0.1",
            # Loopback on purpose, on machines without a network too; hence no endpoint for it.
            "advertise-address": "127.0.0.1",
            "endpoint-reconciler-type": "none",
            "secure-port": self.port,
            "cert-dir": self.folder / "certs",
            "service-cluster-ip-range": "10.0.0.0/24",
            "service-account-issuer": "https://kubernetes.default.svc",
            "service-account-key-file": self._signing_key,
            "service-account-signing-key-file": self._signing_key,
            "token-auth-file": self._token_file,
            "authorization-mode": "RBAC",
            "audit-policy-file": self._audit_policy,
            "audit-log-path": self.audit_log,
        }
        argv = [f"--{name}={value}" for name, value in flags.items()]
        self._apiserver = Daemon(
            [self.assets / "kube-apiserver", *argv, *self._extra_flags],
            self.folder / "apiserver.log",
        )
        self._apiserver.wait_until(self._is_ready, timeout=60)

    def _is_ready(self) -> bool:
        if not self.ca_file.exists():
            return False
        try:
            code, _ = self.client(ADMIN).request("GET", "/readyz")
        except OSError:
            return False
        return code == 200

    def kill_apiserver(self) -> None:
        """`kill -9`; etcd stays. `start_apiserver()` brings it back on the same port."""
        self._apiserver.end(signal.SIGKILL)

    def stop(self) -> None:
        for daemon in (self._apiserver, self._etcd):
            if daemon:
                daemon.end(signal.SIGKILL)

    def install_crds(self) -> None:
        """Creates the kinds of tests/support/crds and waits until each one answers."""
        admin = self.client(ADMIN)
        for path in sorted((HERE / "crds").glob("*.yaml")):
            admin.apply(yaml.safe_load(path.read_text()))
        self._apiserver.wait_until(lambda: self._all_kinds_answer(admin))

    @staticmethod
    def _all_kinds_answer(admin: Client) -> bool:
        paths = (HERE / "crds").glob("*.yaml")
        kinds = [yaml.safe_load(path.read_text())["spec"]["names"]["kind"] for path in paths]
        return all(admin.list(kind, limit=1)[0] == 200 and _is_discoverable(admin, kind) for kind in kinds)

    def client(self, user: str, user_agent: str = "kubectl/v1.34.4 (linux/amd64)") -> Client:
        return Client(self.server, self.token(user), self.ca_file, user_agent)

    def kubeconfig(self, path, user: str = COLLECTOR, namespace: str | None = None) -> Path:
        """A kubeconfig for `user`; its context has the cluster's name."""
        return write_kubeconfig(path, self.server, self.ca_file, self.token(user), self.name, user,
                                namespace)

    def create_namespace(self, name: str, labels: dict | None = None) -> None:
        meta = {"name": name} | ({"labels": labels} if labels else {})
        self._must_apply({"apiVersion": "v1", "kind": "Namespace", "metadata": meta})

    def grant(self, user: str, rights: list[dict], *namespaces: str) -> None:
        """Gives `user` rights (rbac.READER, rbac.WRITER, ...) in namespaces, or, with none named,
        in the whole cluster."""
        for manifest in rbac.grant(user, rights, *namespaces):
            self._must_apply(manifest)

    def _must_apply(self, manifest: dict) -> None:
        code, body = self.client(ADMIN).apply(manifest)
        assert code in (200, 201), body

    def audit_events(self) -> list[dict]:
        """Everything in the current audit log file, oldest first."""
        return [json.loads(line) for line in self.audit_log.read_text().splitlines()]
