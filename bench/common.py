"""What the benches share: the tests' private PostgreSQL, API server and whole system, release builds, medians."""

import contextlib
import ctypes
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))
os.environ.setdefault("MODELTRAIL_BUILD", str(ROOT / "build/release"))


def temporary_folder():
    return Path(tempfile.mkdtemp(prefix="modeltrail-bench-", dir="/var/tmp"))


def median(values):
    return statistics.median(values)


def spread(values, unit=""):
    """Median with least and most, the way docs/performance.md quotes figures."""
    return f"{median(values):.2f}{unit} ({min(values):.2f} to {max(values):.2f})"


def verdict(name, ratios):
    """The line by which one bench's answer can be found among its output."""
    print(f"RATIO {name} {median(ratios):.2f}")


def find_kubectl(named=None) -> str:
    """A kubectl: the one named, the one on PATH, or one built from the tests' Go module in a copy of it."""
    if named or shutil.which("kubectl"):
        return named or shutil.which("kubectl")
    target = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "modeltrail/kubectl"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        copy = temporary_folder()
        shutil.copytree(ROOT / "tests/apiserver", copy / "module")
        subprocess.run(
            ["go", "build", "-mod=mod", "-o", str(target), "k8s.io/kubernetes/cmd/kubectl"],
            cwd=copy / "module", check=True, env=dict(os.environ, CGO_ENABLED="0"),
        )
        shutil.rmtree(copy)
    return str(target)


def resident_mb(pid) -> float:
    """The peak resident memory of a process in MiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"no VmHWM of {pid}")


def resident_now_mb(pid) -> float:
    """The resident memory of a process in MiB, now."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") / 2**20


class Connection:
    """One kept-open connection through libpq, so that polling does not measure the start of psql."""

    COMMAND_OK, TUPLES_OK = 1, 2

    def __init__(self, conninfo):
        self.pq = pq = ctypes.CDLL("libpq.so.5")
        for name, result in (("PQconnectdb", ctypes.c_void_p), ("PQexec", ctypes.c_void_p), ("PQgetvalue", ctypes.c_char_p), ("PQerrorMessage", ctypes.c_char_p)):
            getattr(pq, name).restype = result
        self.handle = ctypes.c_void_p(pq.PQconnectdb(conninfo.encode()))
        if pq.PQstatus(self.handle) != 0:
            raise RuntimeError(pq.PQerrorMessage(self.handle).decode())

    def value(self, sql):
        """The first cell of the answer as text; None when there is no row."""
        answer = ctypes.c_void_p(self.pq.PQexec(self.handle, sql.encode()))
        try:
            if self.pq.PQresultStatus(answer) not in (self.COMMAND_OK, self.TUPLES_OK):
                raise RuntimeError(self.pq.PQerrorMessage(self.handle).decode())
            return self.pq.PQgetvalue(answer, 0, 0).decode() if self.pq.PQntuples(answer) else None
        finally:
            self.pq.PQclear(answer)

    def close(self):
        self.pq.PQfinish(self.handle)


@contextlib.contextmanager
def api_server(folder):
    """A real API server without an audit log; etcd does not fsync, since it is not what is measured."""
    from support.kube import COLLECTOR, Cluster, find_assets
    from support.rbac import READER

    os.environ["ETCD_UNSAFE_NO_FSYNC"] = "true"
    policy = folder / "no-audit.yaml"
    policy.write_text("apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: None}]\n")
    cluster = Cluster(find_assets(), folder / "kube", audit_policy=policy)
    try:
        cluster.start()
        cluster.create_namespace("dev")
        cluster.grant(COLLECTOR, READER)
        yield cluster
    finally:
        cluster.stop()
