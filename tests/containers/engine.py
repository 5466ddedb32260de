"""A private podman engine behind its Docker API, for docker-compose, with images made from Debian packages."""

import os
import shutil
import subprocess
import threading
import time
from pathlib import Path

LIMITS = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"]
NEEDED = ["podman", "docker-compose", "mmdebstrap", "runc"]


def missing_programs():
    """The programs without which no stack can be brought up here."""
    return [name for name in NEEDED if shutil.which(name) is None]


class Engine:
    """podman with its own storage below `folder`; ends what it started."""

    def __init__(self, folder: Path):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        config = folder / "containers.conf"
        config.write_text(
            '[engine]\nruntime = "runc"\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n'
            '[network]\nnetwork_backend = "netavark"\n'
        )
        self.environment = dict(os.environ, CONTAINERS_CONF=str(config))
        self.global_flags = ["--root", str(folder / "storage"), "--runroot", str(folder / "run")]
        self.socket = folder / "podman.sock"
        self.environment["DOCKER_HOST"] = f"unix://{self.socket}"
        self.service = None
        self.checking = None

    def podman(self, *arguments, check=True):
        return subprocess.run(
            ["podman", *self.global_flags, *arguments],
            env=self.environment, check=check, text=True, capture_output=True,
        )

    def import_base(self, tag: str):
        """Makes the Debian base image that the Dockerfiles start from, unless it is there already."""
        if self.podman("image", "exists", tag, check=False).returncode == 0:
            return
        archive = self.folder / "base.tar"
        subprocess.run(
            ["mmdebstrap", "--quiet", "--variant=minbase", "bookworm", str(archive)], check=True
        )
        self.podman("import", str(archive), tag)
        archive.unlink()

    def build(self, tag: str, dockerfile: Path, context: Path):
        """Builds with the host's network; mmdebstrap gave the base image the host's package sources."""
        done = self.podman(
            "build", "--network", "host", *LIMITS, "--tag", tag,
            "--file", str(dockerfile), str(context), check=False,
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]

    def start(self):
        self.service = subprocess.Popen(
            ["podman", *self.global_flags, "system", "service", "--time=0", f"unix://{self.socket}"],
            env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        for _ in range(100):
            if self.socket.exists():
                break
            time.sleep(0.1)
        assert self.socket.exists(), "podman system service did not start"
        self.checking = threading.Event()
        threading.Thread(target=self._run_health_checks, daemon=True).start()

    def _run_health_checks(self):
        """podman leaves health checks to systemd timers; without systemd somebody must run them."""
        while not self.checking.wait(1.0):
            names = self.podman("ps", "--format", "{{.Names}}", "--filter", "name=postgres", check=False)
            for name in names.stdout.split():
                self.podman("healthcheck", "run", name, check=False)

    def compose(self, project: str, files, *arguments, timeout=300):
        flags = [part for file in files for part in ("--file", str(file))]
        return subprocess.run(
            ["docker-compose", "--project-name", project, *flags, *arguments],
            env=self.environment, text=True, capture_output=True, timeout=timeout, stdin=subprocess.DEVNULL,
        )

    def stop(self):
        if self.checking:
            self.checking.set()
        if self.service:
            self.service.terminate()
            self.service.wait(timeout=20)
