"""A collector in a few lines of Python: speaks the wire of docs/events.md, well or badly on purpose."""

import hashlib
import json
import time

import zmq
from zmq.utils import z85

ZERO = bytes(32)


def event_line(collector, epoch, seq, kind, data, cluster="c1") -> bytes:
    """One CloudEvents line as common/event.c writes it."""
    return json.dumps(
        {
            "specversion": "1.0",
            "id": f"{collector}:{epoch}:{seq}",
            "source": f"/modeltrail/{cluster}/{collector}",
            "type": f"dev.modeltrail.{kind}.v1",
            "time": "2026-01-01T00:00:00Z",
            "datacontenttype": "application/json",
            "data": data,
        },
        separators=(",", ":"),
        ensure_ascii=False,
    ).encode()


def chain_over(chain: bytes, lines) -> bytes:
    for line in lines:
        chain = hashlib.sha256(chain + line).digest()
    return chain


class WireCollector:
    """One DEALER connection. `secret` is a 32-byte CURVE secret key, or None for the NULL mechanism."""

    def __init__(self, endpoint, store_key: bytes, secret: bytes | None, name="eu-1", epoch=1000, routing_id=None):
        self.name, self.epoch = name, epoch
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.DEALER)
        self.socket.linger = 0
        if routing_id is not None:
            self.socket.routing_id = routing_id
        if secret is not None:
            self.socket.curve_secretkey = z85.encode(secret)
            self.socket.curve_publickey = zmq.curve_public(z85.encode(secret))
            self.socket.curve_serverkey = z85.encode(store_key)
        self.socket.connect(endpoint)
        self.seq, self.chain = 0, ZERO

    def close(self):
        if not self.socket.closed:
            self.socket.close()
            self.context.term()

    def send(self, header: dict, body: bytes = b""):
        self.socket.send(json.dumps(header).encode() + b"\n" + body)

    def receive(self, timeout=5.0):
        """The next frame's header, or None when none comes."""
        if not self.socket.poll(int(timeout * 1000)):
            return None
        return json.loads(self.socket.recv().split(b"\n", 1)[0])

    def send_hello(self, next_seq=None, chain=None, name=None):
        self.send(
            {
                "kind": "hello", "collector": name or self.name, "program": "test", "wire_min": 1, "wire_max": 1,
                "epoch": str(self.epoch), "next_seq": str(next_seq or self.seq + 1),
                "chain": (chain or self.chain).hex(),
            }
        )

    def hello(self, next_seq=None, chain=None, name=None, timeout=5.0):
        self.send_hello(next_seq, chain, name)
        return self.receive(timeout)

    def drain(self, quiet=1.0):
        """The headers of all frames that come until none has come for `quiet` seconds."""
        answers = []
        while (answer := self.receive(quiet)) is not None:
            answers.append(answer)
        return answers

    def send_lines(self, lines, first=None, chain=None):
        """Sends lines as the next data frame and moves seq and chain on; does not wait for the answer."""
        body = b"".join(line + b"\n" for line in lines)
        self.send(
            {
                "kind": "data", "epoch": str(self.epoch), "first": str(first or self.seq + 1), "n": len(lines),
                "chain": (self.chain if chain is None else chain).hex(),
            },
            body,
        )
        if first is None:
            self.seq += len(lines)
            self.chain = chain_over(self.chain, lines)

    def next_lines(self, events, cluster="c1"):
        """Lines for (kind, data) pairs with the next sequence numbers."""
        return [
            event_line(self.name, self.epoch, self.seq + 1 + i, kind, data, cluster)
            for i, (kind, data) in enumerate(events)
        ]

    def publish(self, events, cluster="c1", timeout=20.0):
        """Sends events and waits until all are acknowledged; returns the last frame's header."""
        self.send_lines(self.next_lines(events, cluster))
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            answer = self.receive(deadline - time.monotonic())
            if answer is None or answer["kind"] != "ack" or int(answer["acked"]) >= self.seq:
                return answer
        return None


def assert_unheard(collector, data):
    """The store has dismissed this connection, whose key was taken back: it answers a hello and an event with
    refusals, and with nothing else."""
    for ask in (
        lambda: collector.receive(10),  # unasked, and not to be taken for the answer to what follows
        lambda: collector.hello(timeout=10),
        lambda: collector.publish([("workload.observed", data)]),
    ):
        answer = ask()
        assert answer is not None and (answer["kind"], answer.get("reason")) == ("nack", "not_allowed"), answer
    assert collector.receive(0.5) is None


def observed(uid, position, uri="s3://models/fraud/1.0.0", cluster="c1", namespace="dev", **changes):
    """A workload.observed data object of a Core 2 Model, changed by keywords."""
    data = {
        "cluster": cluster, "resource": "models.mlops.seldon.io", "kind": "Model", "namespace": namespace,
        "name": "fraud", "uid": uid, "position": str(position), "generation": "1", "observed_generation": None,
        "extractor": 1, "at": "2026-01-01T00:00:00Z", "at_source": "collector_clock", "removed": False,
        "ready": None, "failed": False,
        "placements": [
            {"component": "model", "role": "live", "traffic_percent": None, "stopped": False, "replicas": 1,
             "uri": uri, "labels": {}, "revisioned": False}
        ],
        "routes": [], "revisions": None, "object": {"metadata": {"uid": uid}}, "redacted": [],
    }
    data.update(changes)
    return data
