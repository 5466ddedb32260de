"""Managed clusters' audit deliveries through the real collector: as files, as standard input, and torn."""

import base64
import gzip
import json
import os
import subprocess
import zlib

import pytest
import yaml
from support.build import ROOT, program
from support.collector import Collector
from support.fake_store import FakeStore
from support.process import free_port

SAMPLES = ROOT / "tests" / "samples" / "audit"
EXPECTED = yaml.safe_load((SAMPLES / "expected.yaml").read_text())
# What an expectation that does not say otherwise means.
PLAIN = {"cluster": "c1", "stage": "ResponseComplete", "resource": "inferenceservices.serving.kserve.io",
         "kind": "InferenceService", "api_version": "serving.kserve.io/v1beta1", "subresource": None, "namespace": "risk",
         "name": "fraud", "uid": None, "position": None, "generation": None, "code": None, "reason": None, "message": None,
         "dry_run": False, "removes": False, "groups": None, "impersonated_by": None,
         "user_agent": "kubectl/v1.34.4 (linux/amd64) kubernetes/1234567", "source_ip": "203.0.113.9", "via": "audit_log",
         "patch_type": None}


@pytest.fixture
def store():
    fake = FakeStore(free_port()).start()
    yield fake
    fake.stop()


@pytest.fixture
def collect(tmp_path, store):
    """Runs a collector once over a path, or over standard input."""
    def run(path, vendor, stdin=None, **options):
        source = {"path": str(path), "format": vendor} | options
        collector = Collector(tmp_path, store, [{"audit_log": source}])
        done = subprocess.run([program("modeltrail-collector"), "--config", collector.config, "--once"], input=stdin,
                              capture_output=True, timeout=60)
        assert done.returncode == 0, done.stderr.decode()
        store.check()
        return done.stderr.decode()
    return run


def requests(store) -> list[dict]:
    return store.of_type("request.audited")


def ids(store) -> list[int]:
    return [int(data["audit_id"][-12:]) for data in requests(store)]


def pack(line: bytes) -> bytes:
    return base64.b64encode(gzip.compress(line))


def check(store, name: str) -> None:
    expected = EXPECTED[name]
    wanted = [PLAIN | one | {"audit_id": f"00000000-0000-4000-8000-{one['audit_id']:012}"} for one in expected["requests"]]
    assert requests(store) == wanted
    assert store.of_type("input.rejected") == [] and store.of_type("scope.gap") == []
    assert store.of_type("workload.observed") == [] and store.of_type("namespace.observed") == []
    watched = [{"since": seen["watched_since"], "through": seen["through"]} for seen in store.of_type("scope.watched")]
    assert watched == ([expected["watched"]] if "watched" in expected else [])


@pytest.mark.parametrize("name", EXPECTED)
def test_a_vendors_delivery_gives_its_requests(store, collect, name):
    collect(SAMPLES / name, name.split("/")[0])
    check(store, name)


@pytest.mark.parametrize("name", EXPECTED)
def test_the_same_from_standard_input(tmp_path, store, collect, name):
    collect("-", name.split("/")[0], stdin=(SAMPLES / name).read_bytes())
    check(store, name)
    assert not list(tmp_path.glob(".stdin*"))


def test_standard_input_is_read_anew_each_time(store, collect):
    collect("-", "aks", stdin=(SAMPLES / "aks/PT1H.jsonl").read_bytes())
    collect("-", "aks", stdin=(SAMPLES / "aks/event-hub.jsonl").read_bytes())
    collect("-", "aks", stdin=b"")
    assert ids(store) == [1, 2, 3, 4]
    assert store.of_type("scope.gap") == []


@pytest.mark.parametrize("shape", ["lines", "lines in gzip", "one behind the other in gzip"])
def test_a_subscription_as_kinesis_and_firehose_store_it(tmp_path, store, collect, shape):
    lines = (SAMPLES / "eks/subscription.jsonl").read_bytes().splitlines()
    path = tmp_path / "delivered"
    path.write_bytes({
        "lines": b"".join(pack(line) + b"\n" for line in lines),
        "lines in gzip": gzip.compress(b"".join(pack(line) + b"\n" for line in lines)),
        "one behind the other in gzip": b"".join(gzip.compress(line) for line in lines)}[shape])
    collect(path, "eks")
    check(store, "eks/subscription.jsonl")


@pytest.mark.parametrize("name", ["gke/entries.jsonl", "aks/PT1H.jsonl", "eks/filter-log-events.jsonl"])
def test_an_array_in_one_line(tmp_path, store, collect, name):
    lines = [json.loads(line) for line in (SAMPLES / name).read_text().splitlines()]
    (tmp_path / "log").write_text(json.dumps(lines))
    collect(tmp_path / "log", name.split("/")[0])
    check(store, name)


def test_a_delivery_is_read_on_where_it_was_left(tmp_path, store, collect):
    lines = (SAMPLES / "gke/entries.jsonl").read_text().splitlines(keepends=True)
    log = tmp_path / "log"
    for upto in (2, 5, len(lines)):
        log.write_text("".join(lines[:upto]))
        collect(log, "gke")
    assert requests(store) == [PLAIN | one | {"audit_id": f"00000000-0000-4000-8000-{one['audit_id']:012}"}
                               for one in EXPECTED["gke/entries.jsonl"]["requests"]]


def test_events_of_other_clusters_are_passed_over(tmp_path, store, collect):
    lines = [json.loads(line) for line in (SAMPLES / "gke/entries.jsonl").read_text().splitlines()]
    lines[1]["resource"]["labels"]["cluster_name"] = "prod-us"
    (tmp_path / "log").write_text("".join(json.dumps(line) + "\n" for line in lines))
    collect(tmp_path / "log", "gke", vendor_cluster="prod-eu")
    assert ids(store) == [one["audit_id"] for one in EXPECTED["gke/entries.jsonl"]["requests"] if one["audit_id"] != 2]
    assert store.of_type("input.rejected") == []


def test_events_of_a_cluster_that_nobody_spoke_of_are_refused(tmp_path, store, collect):
    """Who set up one sink for two clusters must hear of it, also when they come a day apart."""
    lines = [json.loads(line) for line in (SAMPLES / "gke/entries.jsonl").read_text().splitlines()]
    lines[1]["resource"]["labels"]["cluster_name"] = "prod-us"
    log = tmp_path / "log"
    log.write_text(json.dumps(lines[0]) + "\n")
    collect(log, "gke")
    log.write_text("".join(json.dumps(line) + "\n" for line in lines[:2]))
    collect(log, "gke")
    assert ids(store) == [1]
    (rejected,) = store.of_type("input.rejected")
    assert rejected["reason"].startswith("event of cluster prod-us in the delivery of prod-eu")


def bomb() -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    packed = b"".join(packer.compress(b" " * (1 << 20)) for _ in range(100)) + packer.flush()
    return base64.b64encode(packed)


GOOD = pack((SAMPLES / "eks/subscription.jsonl").read_bytes().splitlines()[1])
DEEP = b'{"records":' + b"[" * 5000
HOSTILE = {
    "eks": [b"no base64!", b"AAAA", GOOD[:-40], GOOD[:100] + b"A" * 8 + GOOD[108:], pack(b"{}"), pack(b"[1]"), pack(b"nothing"), bomb(),
            b'{"messageType":"DATA_MESSAGE","logStream":"kube-apiserver-audit-1","logEvents":7}',
            b'{"messageType":"DATA_MESSAGE","logStream":"kube-apiserver-audit-1","logEvents":[{"id":"1"}]}',
            b'{"messageType":"DATA_MESSAGE","logStream":"kube-apiserver-audit-1","logEvents":[{"message":"{\\"kind\\":"}]}',
            b'{"messageType":"SOMETHING"}', b"2026-01-01T00:00:00Z {", b"20260101", b'{"messageType":"CONTROL_MESSAGE"} x',
            b'{"messageType":"CONTROL_MESSAGE"}\0'],
    "gke": [b"{}", b"[]x", b"[1]", b"{", b'{"protoPayload":{"serviceName":"k8s.io"}}', DEEP,
            b'{"protoPayload":{"serviceName":"k8s.io","authenticationInfo":7},"insertId":7,"timestamp":"soon"}',
            b'{"protoPayload":{"serviceName":"k8s.io"},"resource":{"labels":{"cluster_name":"' + "\u00fc".encode() * 200 + b'"}}}'],
    "aks": [b"{}", b'{"records":[{}]}', b'{"records":[{"category":"kube-audit"}]}', b'{"records":[7]}', DEEP,
            b'{"category":"kube-audit","properties":{"log":"{\\"kind\\":\\"Event\\""}}', b'{"category":"kube-audit","properties":"x"}',
            b'{"category":"kube-audit","properties":{"log":"\\u0000"}}', b"\xff\xfe"],
}


@pytest.mark.parametrize("vendor", HOSTILE)
def test_hostile_lines_are_holes_and_do_not_stop_what_follows(tmp_path, store, collect, vendor):
    sample = {"eks": "eks/subscription.jsonl", "gke": "gke/entries.jsonl", "aks": "aks/PT1H.jsonl"}[vendor]
    good = (SAMPLES / sample).read_bytes().splitlines()
    lines = [good[0]] + [one for bad in HOSTILE[vendor] for one in (bad, good[1])] + good[2:]
    (tmp_path / "log").write_bytes(b"".join(line + b"\n" for line in lines))
    collect(tmp_path / "log", vendor)
    rejected = store.of_type("input.rejected")
    assert len(rejected) == len(HOSTILE[vendor]), [one["reason"] for one in rejected]
    assert all(one["where"].startswith(f"audit_log {tmp_path}/log@") for one in rejected)
    assert set(ids(store)) == {one["audit_id"] for one in EXPECTED[sample]["requests"]}


def test_a_torn_line_hides_what_may_have_come_out_of_order(tmp_path, store, collect):
    """Several API servers' events come mixed: the hole is wider than between its neighbours."""
    def entry(minute: int) -> str:
        one = json.loads((SAMPLES / "gke/entries.jsonl").read_text().splitlines()[0])
        one["timestamp"] = f"2026-03-02T{9 + minute // 60:02}:{minute % 60:02}:00Z"
        return json.dumps(one) + "\n"
    (tmp_path / "log").write_text(entry(0) + entry(60) + "torn\n" + entry(70) + entry(74) + entry(76) + entry(120))
    collect(tmp_path / "log", "gke")
    assert [(gap["aspect"], gap["from"], gap["to"]) for gap in store.of_type("scope.gap")] == [
        ("actor", "2026-03-02T09:45:00Z", None), ("actor", "2026-03-02T09:45:00Z", "2026-03-02T10:16:00Z")]
    (watched,) = store.of_type("scope.watched")
    assert (watched["watched_since"], watched["through"]) == ("2026-03-02T09:00:00Z", "2026-03-02T10:45:00Z")


def test_standard_input_needs_once(tmp_path, store):
    collector = Collector(tmp_path, store, [{"audit_log": {"path": "-"}}])
    done = subprocess.run([program("modeltrail-collector"), "--config", collector.config], capture_output=True, text=True, timeout=20)
    assert done.returncode != 0 and "hint: --once" in done.stderr


def test_a_slow_pipe_is_waited_for(tmp_path, store):
    collector = Collector(tmp_path, store, [{"audit_log": {"path": "-", "format": "aks"}}])
    text = (SAMPLES / "aks/PT1H.jsonl").read_bytes()
    out, into = os.pipe()
    with subprocess.Popen([program("modeltrail-collector"), "--config", collector.config, "--once"], stdin=out,
                          stderr=subprocess.PIPE) as running:
        os.close(out)
        for at in range(0, len(text), 1500):
            os.write(into, text[at:at + 1500])
            with pytest.raises(subprocess.TimeoutExpired):
                running.wait(0.3)
        os.close(into)
        assert running.wait(20) == 0, running.stderr.read()
    assert ids(store) == [1, 2]
