"""A store that speaks the collector's wire and can be told to misbehave (docs/events.md, Frames).

It keeps events in memory, checks what the real store checks (order, chain, epoch), and runs in a thread.
"""

import hashlib
import json
import threading
from dataclasses import dataclass, field

import zmq
import zmq.auth.thread
from zmq.utils import z85

ZERO = bytes(32)


def new_keys() -> tuple[bytes, bytes]:
    """A CURVE pair (public, secret) in Z85."""
    return zmq.curve_keypair()


def hexed(key: bytes) -> str:
    return z85.decode(key).hex()


@dataclass
class Epoch:
    """What was committed of one collector's epoch."""

    lines: list = field(default_factory=list)
    chains: list = field(default_factory=lambda: [ZERO])  # after 0, 1, 2 ... events

    @property
    def acked(self) -> int:
        return len(self.lines)

    def append(self, line: bytes) -> None:
        self.lines.append(line)
        self.chains.append(hashlib.sha256(self.chains[-1] + line).digest())

    def cut(self, count: int) -> None:
        """Forgets all but the first `count` events, as a restored database does."""
        del self.lines[count:]
        del self.chains[count + 1:]


class FakeStore:
    def __init__(self, port: int, keys=None, allowed=None):
        self.port = port
        self.address = f"tcp://127.0.0.1:{port}"
        self.public, self._secret = keys or new_keys()
        self._allowed = allowed  # Z85 public keys; None: everybody
        self.epochs: dict[int, Epoch] = {}
        self.hellos: list[dict] = []
        self.frames: list[dict] = []  # headers of data frames, in order of arrival
        self.beats: list[list] = []
        self.problems: list[str] = []
        self.swallow_acks = 0  # commit so many frames without a word
        self.swallow_frames = 0  # lose so many frames
        self.nack_next: str | None = None  # reason
        self.nack_hello: str | None = None  # reason, until reset
        self.corrupt_chain = False  # welcome shows another chain
        self.largest = 0  # bytes of the largest frame
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> "FakeStore":
        self._stop.clear()
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), daemon=True)
        self._thread.start()
        assert ready.wait(10), "fake store did not start"
        return self

    def stop(self) -> None:
        """Goes away; what was committed stays for the next start()."""
        self._stop.set()
        self._thread.join(10)

    @property
    def store_key(self) -> str:
        return hexed(self.public)

    def events(self) -> list[dict]:
        """Every committed event of every epoch, in order."""
        return [json.loads(line) for number in sorted(self.epochs)
                for line in self.epochs[number].lines]

    def of_type(self, noun_verb: str) -> list[dict]:
        return [event["data"] for event in self.events()
                if event["type"] == f"dev.modeltrail.{noun_verb}.v1"]

    def _run(self, ready: threading.Event) -> None:
        context = zmq.Context()
        gate = zmq.auth.thread.ThreadAuthenticator(context)
        gate.start()
        if self._allowed is None:
            gate.configure_curve(domain="*", location=zmq.auth.CURVE_ALLOW_ANY)
        else:
            gate.configure_curve_callback(domain="*", credentials_provider=self)
        router = context.socket(zmq.ROUTER)
        router.curve_server = True
        router.curve_publickey, router.curve_secretkey = self.public, self._secret
        router.zap_domain = b"modeltrail"
        router.linger = 0
        router.setsockopt(zmq.MAXMSGSIZE, 4 * 1024 * 1024)
        router.bind(self.address)
        ready.set()
        self._peers: dict[bytes, int] = {}  # routing id -> epoch of its hello
        try:
            while not self._stop.is_set():
                if router.poll(20):
                    peer, *parts = router.recv_multipart()
                    if len(parts) != 1:
                        self.problems.append(f"message of {len(parts)} frames")
                        continue
                    for answer in self._take(peer, parts[0]):
                        router.send_multipart([peer, json.dumps(answer).encode() + b"\n"])
        finally:
            router.close()
            gate.stop()
            context.term()

    def callback(self, domain, key) -> bool:
        return z85.encode(key) in self._allowed

    def _take(self, peer: bytes, frame: bytes) -> list[dict]:
        self.largest = max(self.largest, len(frame))
        head, _, body = frame.partition(b"\n")
        header = json.loads(head)
        if header["kind"] == "hello":
            return self._hello(peer, header)
        if peer not in self._peers:
            self.problems.append(f"{header['kind']} before hello")
            return []
        if header["kind"] == "beat":
            self.beats.append(json.loads(body))
            return []
        if header["kind"] == "data":
            return self._data(peer, header, body)
        self.problems.append(f"unexpected {header['kind']}")
        return []

    def _hello(self, peer: bytes, header: dict) -> list[dict]:
        self.hellos.append(header)
        if self.nack_hello:
            return [self._nack(Epoch(), self.nack_hello)]
        number = int(header["epoch"])
        if self.epochs and number < max(self.epochs):
            return [self._nack(Epoch(), "fork")]
        epoch = self.epochs.setdefault(number, Epoch())
        if int(header["next_seq"]) == epoch.acked + 1 and \
                header["chain"] != epoch.chains[-1].hex() and not self.corrupt_chain:
            return [self._nack(epoch, "fork")]
        self._peers = {peer: number}
        chain = "ab" * 32 if self.corrupt_chain else epoch.chains[-1].hex()
        return [{"kind": "welcome", "wire": 1, "acked": str(epoch.acked), "chain": chain}]

    @staticmethod
    def _nack(epoch: Epoch, reason: str) -> dict:
        return {"kind": "nack", "acked": str(epoch.acked), "reason": reason,
                "message": f"told to say {reason}"}

    def _data(self, peer: bytes, header: dict, body: bytes) -> list[dict]:
        self.frames.append(header)
        epoch = self.epochs[self._peers[peer]]
        lines = body.split(b"\n")
        if lines.pop() != b"" or len(lines) != header["n"]:
            self.problems.append("count of lines differs from n")
        if self.swallow_frames > 0:
            self.swallow_frames -= 1
            return []
        if self.nack_next:
            reason, self.nack_next = self.nack_next, None
            return [self._nack(epoch, reason)]
        first = int(header["first"])
        if first != epoch.acked + 1:
            return [self._nack(epoch, "gap")]
        if bytes.fromhex(header["chain"]) != epoch.chains[-1]:
            self.problems.append(f"chain before {first} differs")
            return [self._nack(epoch, "fork")]
        for line in lines:
            epoch.append(line)
        if self.swallow_acks > 0:
            self.swallow_acks -= 1
            return []
        return [{"kind": "ack", "acked": str(epoch.acked)}]

    def check(self) -> None:
        """Every rule that holds whatever happened: ids, order, chain, no broken frame."""
        assert self.problems == []
        for number, epoch in self.epochs.items():
            chain = ZERO
            for seq, line in enumerate(epoch.lines, 1):
                event = json.loads(line)
                assert event["id"].split(":")[1:] == [str(number), str(seq)]
                chain = hashlib.sha256(chain + line).digest()
            assert chain == epoch.chains[-1]
