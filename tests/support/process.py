"""Child processes that write to a log file, and waiting for what they bring up."""

import signal
import socket
import subprocess
import time
from pathlib import Path


class NotReady(Exception):
    """Something did not come up in time; the message carries the end of its log."""


def free_port() -> int:
    """A loopback port nobody listens on now; the gap until its use is small."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Daemon:
    """One child process. Only it is ever signalled, by its own pid."""

    def __init__(self, argv: list, log: Path, **popen):
        self.argv = [str(word) for word in argv]
        self.log = Path(log)
        with open(self.log, "ab") as out:
            self._child = subprocess.Popen(
                self.argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, **popen
            )

    @property
    def pid(self) -> int:
        return self._child.pid

    def is_running(self) -> bool:
        return self._child.poll() is None

    def send(self, what: signal.Signals) -> None:
        """A signal, and no waiting."""
        self._child.send_signal(what)

    def end(self, how: signal.Signals = signal.SIGTERM, timeout: float = 20) -> int:
        """Signals the child and waits for it; one that ignores a polite signal is killed."""
        if self.is_running():
            self._child.send_signal(how)
        try:
            return self._child.wait(timeout)
        except subprocess.TimeoutExpired:
            self._child.kill()
            return self._child.wait()

    def wait_until(self, is_ready, timeout: float = 30, every: float = 0.05) -> None:
        """Polls `is_ready` until it is true; a child that ended early is reported at once."""
        deadline = time.monotonic() + timeout
        while not is_ready():
            if not self.is_running() or time.monotonic() > deadline:
                ended = "did not become ready" if self.is_running() else "ended"
                raise NotReady(f"{self.argv[0]} {ended}:\n{self.log_tail()}")
            time.sleep(every)

    def log_tail(self, lines: int = 15) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
