"""Load for the webhooks, from the driver in C: what is sent, and what became of each."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

from .build import build_folder
from .process import Daemon

CONNECTIONS = 32  # an API server keeps one to a webhook, but there are several of them, and HTTP/1.1 takes turns


def driver(name: str) -> str:
    return str(build_folder() / "drivers" / f"driver_collector_webhook_{name}")


@dataclass
class Try:
    """One sending of one request, in seconds since the load began. Code 0: nobody answered."""

    id: str
    code: int
    due: float
    sent: float
    done: float

    @property
    def took(self) -> float:
        return self.done - self.sent


def write_requests(path: Path, requests) -> Path:
    """`requests` are (id, path, body in bytes)."""
    with open(path, "wb") as out:
        for name, where, body in requests:
            out.write(f"{name} {where} {len(body)}\n".encode() + body + b"\n")
    return path


class Load:
    """Requests of a file on their way; `finish` waits for the last answer."""

    def __init__(self, port: int, ca_file, requests: Path, rate: float, retry: float = 0,
                 connections: int = CONNECTIONS):
        argv = [driver("load"), f"https://127.0.0.1:{port}", ca_file, requests, connections, rate, retry]
        self.output = requests.with_suffix(".out")
        with open(self.output, "wb") as out:
            self._child = subprocess.Popen([str(word) for word in argv], stdout=out)
        self.tries: list[Try] = []
        self.connections = 0

    def finish(self, timeout: float = 120) -> "Load":
        try:
            assert self._child.wait(timeout) == 0
        finally:
            self._child.kill()
        *lines, last = self.output.read_text().splitlines()
        self.connections = int(last.removeprefix("connections "))
        for line in lines:
            name, code, *instants = line.split()
            self.tries.append(Try(name, int(code), *(int(each) / 1e6 for each in instants)))
        return self

    def rate(self) -> float:
        """Answers with 200 a second, from the first sending to the last of them."""
        answered = [each for each in self.tries if each.code == 200]
        return len(answered) / (max(each.done for each in answered) - min(each.sent for each in self.tries))


def percentile(values, part: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


class StaticServer:
    """The same library with nothing behind it: what this machine has to give, at this moment."""

    def __init__(self, folder: Path, port: int, pair):
        self._daemon = Daemon([driver("static"), port, *pair], folder / "static.log")
        self._daemon.wait_until(lambda: "serves" in self._daemon.log_tail())

    def stop(self) -> None:
        assert self._daemon.end() == 0


def compact(document) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()
