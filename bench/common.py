"""What the benches share: the tests' private PostgreSQL and whole system, release builds, medians."""

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
