"""The audit_log source as a process: real recorded logs, rotation, archives, restarts, bad lines, coverage."""

import gzip
import json
import os
import signal
import time
import uuid
from collections import Counter

import pytest
from support.build import ROOT
from support.collector import Collector, audit_event, audit_text, deployment, time_of, uid_of
from support.fake_store import FakeStore
from support.process import free_port

RECORDING = ROOT / "tests" / "recording"


@pytest.fixture
def store():
    fake = FakeStore(free_port()).start()
    yield fake
    fake.stop()


@pytest.fixture
def new_collector(tmp_path, store):
    made = []

    def make(path=None, name="eu-1", **options):
        source = {"path": str(path or tmp_path / "audit.log")} | options
        made.append(Collector(tmp_path, store, [{"audit_log": source}], name=name))
        return made[-1]

    yield make
    for collector in made:
        if collector.daemon:
            collector.daemon.end(signal.SIGKILL)


def requests(store) -> list[str]:
    return [data["audit_id"] for data in store.of_type("request.audited")]


def expect(*numbers) -> list[str]:
    return [f"audit-{number}" for number in numbers]


def succeed(done):
    assert done.returncode == 0, done.stderr


WRITES = {"create", "update", "patch", "delete", "deletecollection"}
GROUPS = {"machinelearning.seldon.io", "mlops.seldon.io", "serving.kserve.io"}


@pytest.mark.parametrize("cluster", ["c1", "c2"])
def test_recorded_log_gives_what_a_plain_reader_finds(store, new_collector, cluster):
    """An independent reading of the recording in Python must find the same requests and positions."""
    path = RECORDING / cluster / "audit.log"
    events = [json.loads(line) for line in path.read_text().splitlines()]
    ours = [event for event in events if event["stage"] == "ResponseComplete"
            and event["verb"] in WRITES and event["objectRef"].get("apiGroup") in GROUPS]
    succeed(new_collector(path, complete=True).once())
    store.check()
    assert requests(store) == [event["auditID"] for event in ours]
    observed = [event["responseObject"]["metadata"] for event in ours
                if event["responseStatus"]["code"] < 300 and "dryRun" not in event["requestURI"]
                and event["objectRef"].get("subresource") != "scale"
                and event["responseObject"]["kind"] != "Status"]
    found = store.of_type("workload.observed")
    assert [(data["uid"], data["position"]) for data in found] == \
        [(meta["uid"], meta["resourceVersion"]) for meta in observed]
    for data, event in zip(store.of_type("request.audited"), ours):
        assert data["principal"] == event["user"]["username"]
        assert data["verb"] == event["verb"]
        assert data["code"] == event["responseStatus"]["code"]
        assert data["dry_run"] == ("dryRun=All" in event["requestURI"])
        assert data["source_ip"] == event["sourceIPs"][-1]
    assert store.of_type("input.rejected") == []
    watched = store.of_type("scope.watched")
    assert [data["aspect"] for data in watched] == ["actor", "state"]
    received = [event["requestReceivedTimestamp"] for event in events]
    assert {(data["watched_since"], data["through"]) for data in watched} == \
        {(received[0], max(received))}
    # The observation of a write comes before its request.
    types = [event["type"].split(".")[2] for event in store.events()]
    first = types.index("request")
    assert types[first - 1] == "workload"


@pytest.mark.parametrize("query, is_dry", [
    ("dryRun=All", True), ("%64ryRun=All", True), ("a=1&dryR%75n=%41ll", True), ("fieldManager=x&dryRun=All", True),
    ("fieldManager=dryRun", False), ("%zz=1", False), ("dryRun=%zz", False), ("dry%5Run=All", False),
    ("dryRun;=All", False), ("%zz=1&dryRun=All", True), ("dryRun+=All", False)])
def test_a_dry_run_is_what_the_api_server_takes_for_one(kube, tmp_path, store, new_collector, query, is_dry):
    """Asked of a real API server: what it did is the truth, however the query is written."""
    admin = kube.client("admin")
    name = f"dry-{uuid.uuid4()}"
    model = {"apiVersion": "mlops.seldon.io/v1alpha1", "kind": "Model", "metadata": {"name": name},
             "spec": {"storageUri": "s3://a/b"}}
    models = "/apis/mlops.seldon.io/v1alpha1/namespaces/default/models"
    assert admin.request("POST", f"{models}?{query}", model)[0] == 201
    asked = admin.audit_id
    assert (admin.request("GET", f"{models}/{name}")[0] == 404) == is_dry
    lines = []
    deadline = time.monotonic() + 20
    while not any('"ResponseComplete"' in line for line in lines) and time.monotonic() < deadline:
        time.sleep(0.05)
        lines = [line for line in kube.audit_log.read_text().splitlines() if asked in line]
    (tmp_path / "audit.log").write_text("\n".join(lines) + "\n")
    succeed(new_collector().once())
    (request,) = store.of_type("request.audited")
    assert request["dry_run"] == is_dry
    assert len(store.of_type("workload.observed")) == (not is_dry)


def test_without_complete_a_log_covers_only_who(tmp_path, store, new_collector):
    (tmp_path / "audit.log").write_text(audit_text([5, 3, 9]))
    succeed(new_collector().once())
    (watched,) = store.of_type("scope.watched")
    assert watched["aspect"] == "actor"
    assert (watched["watched_since"], watched["through"]) == \
        ("2026-01-01T00:00:05Z", "2026-01-01T00:00:09Z")


def test_a_long_watch_does_not_claim_the_time_before_the_log(tmp_path, store, new_collector):
    watch = audit_event(0, verb="watch", stageTimestamp=time_of(3600))
    (tmp_path / "audit.log").write_text(json.dumps(watch) + "\n" + audit_text([3700]))
    succeed(new_collector().once())
    (watched,) = store.of_type("scope.watched")
    assert watched["watched_since"] == "2026-01-01T01:00:00Z"


def test_namespaces_limit_events_and_coverage(tmp_path, store, new_collector):
    other = audit_event(1)
    other["objectRef"]["namespace"] = "prod"
    other["responseObject"] = deployment(uid_of("x"), "x", 7, "v1", "prod")
    (tmp_path / "audit.log").write_text(audit_text([0]) + json.dumps(other) + "\n")
    succeed(new_collector(namespaces=["dev"], complete=True).once())
    assert requests(store) == expect(0)
    assert [(data["aspect"], data["namespace"]) for data in store.of_type("scope.watched")] == \
        [("actor", "dev"), ("state", "dev")]


def test_bad_lines_are_reported_and_passed(tmp_path, store, new_collector):
    bad = [b"no json", b"{}", b'{"kind":"Event","auditID":"\xff"}', b"[" * 10000,
           b'{"kind":"Event","auditID":"a\\u0000"}', json.dumps(audit_event(7))[:200].encode()]
    with open(tmp_path / "audit.log", "wb") as log:
        for number, line in enumerate(bad):
            log.write(audit_text([number]).encode() + line + b"\n")
        log.write(b"\n" + audit_text([99]).encode())
    succeed(new_collector().once())
    store.check()
    assert requests(store) == expect(*range(len(bad)), 99)
    rejected = store.of_type("input.rejected")
    assert [int(data["bytes"]) for data in rejected] == [len(line) for line in bad]
    assert all(data["where"].startswith(f"audit_log {tmp_path}/audit.log@") for data in rejected)


def test_archives_plain_and_gzip_in_order_of_time(tmp_path, store, new_collector):
    with gzip.open(tmp_path / "audit-b.log.gz", "wt") as log:
        log.write(audit_text(range(0, 5)))
    (tmp_path / "audit-a.log").write_text(audit_text(range(5, 8)).rstrip("\n"))
    with gzip.open(tmp_path / "audit-0.log.gz", "wt") as log:
        log.write(audit_text(range(8, 11)))
    succeed(new_collector(tmp_path / "audit-*.log*").once())
    store.check()
    assert requests(store) == expect(*range(11))
    # Again: nothing twice. With one more: only that one.
    succeed(new_collector(tmp_path / "audit-*.log*").once())
    (tmp_path / "audit-9.log").write_text(audit_text([11]))
    succeed(new_collector(tmp_path / "audit-*.log*").once())
    store.check()
    assert requests(store) == expect(*range(12))


def test_once_without_a_file_says_so(tmp_path, store, new_collector):
    done = new_collector().once()
    assert done.returncode == 1
    assert f'reason="audit_log: no file at {tmp_path}/audit.log; hint: ' in done.stderr


def test_follows_rotation_by_rename(tmp_path, store, new_collector):
    log = tmp_path / "audit.log"
    log.write_text(audit_text([0]))
    collector = new_collector().start()
    collector.wait(lambda: requests(store) == expect(0))
    written = 1
    for rotation in range(5):
        for _ in range(3):
            with open(log, "a") as out:
                out.write(audit_text([written]))
            written += 1
        if rotation % 2:
            collector.wait(lambda: len(requests(store)) == written)
        os.rename(log, tmp_path / f"audit-2026-01-02T03-04-0{rotation}.000.log")
    log.write_text(audit_text([written]))
    collector.wait(lambda: len(requests(store)) == written + 1)
    assert collector.stop() == 0
    store.check()
    assert requests(store) == expect(*range(written + 1))
    assert store.of_type("scope.gap") == []


def test_line_is_taken_when_it_is_complete(tmp_path, store, new_collector):
    log = tmp_path / "audit.log"
    text = audit_text(range(3))
    collector = new_collector().start()
    for start in range(0, len(text), 700):
        with open(log, "a") as out:
            out.write(text[start:start + 700])
        collector.wait(lambda: len(requests(store)) >= text[:start].count("\n"))
    collector.wait(lambda: len(requests(store)) == 3)
    assert collector.stop() == 0
    assert store.of_type("input.rejected") == []
    assert requests(store) == expect(*range(3))


def test_stopped_over_rotation_and_compression(tmp_path, store, new_collector):
    log = tmp_path / "audit.log"
    log.write_text(audit_text(range(4)))
    collector = new_collector().start()
    collector.wait(lambda: len(requests(store)) == 4)
    assert collector.stop() == 0
    with open(log, "a") as out:
        out.write(audit_text([4]))
    with gzip.open(tmp_path / "audit.log.2.gz", "wb") as packed:
        packed.write(log.read_bytes())
    log.unlink()
    (tmp_path / "audit.log.1").write_text(audit_text([5, 6]))
    log.write_text(audit_text([7]))
    collector.start()
    collector.wait(lambda: len(requests(store)) == 8)
    assert collector.stop() == 0
    store.check()
    assert requests(store) == expect(*range(8))
    assert store.of_type("scope.gap") == []


def test_copy_and_truncate(tmp_path, store, new_collector):
    log = tmp_path / "audit.log"
    log.write_text(audit_text(range(4)))
    collector = new_collector().start()
    collector.wait(lambda: len(requests(store)) == 4)
    (tmp_path / "audit.log.1").write_text(audit_text(range(5)))
    log.write_text(audit_text(range(5, 15)))
    collector.wait(lambda: len(requests(store)) == 15)
    assert collector.stop() == 0
    assert requests(store) == expect(*range(15))


def test_a_log_rotated_away_unread_is_a_gap(tmp_path, store, new_collector):
    log = tmp_path / "audit.log"
    log.write_text(audit_text(range(3)))
    collector = new_collector(complete=True).start()
    collector.wait(lambda: len(requests(store)) == 3)
    assert collector.stop() == 0
    log.write_text(audit_text(range(60, 62)))
    collector.start()
    collector.wait(lambda: len(requests(store)) == 5)
    gaps = store.of_type("scope.gap")
    assert [(gap["aspect"], gap["from"], gap["to"]) for gap in gaps] == [
        (aspect, "2026-01-01T00:00:02Z", "2026-01-01T00:01:00Z") for aspect in ("actor", "state")]
    # Coverage begins anew behind the gap.
    collector.wait(lambda: store.beats and store.beats[-1]
                   and store.beats[-1][0]["watched_since"] == "2026-01-01T00:01:00Z")
    assert collector.stop() == 0


def test_two_sources_in_one_spool(tmp_path, store):
    for number in range(2):
        (tmp_path / f"{number}.log").write_text(audit_text(range(number * 100, number * 100 + 50)))
    sources = [{"audit_log": {"path": str(tmp_path / f"{number}.log")}} for number in range(2)]
    succeed(Collector(tmp_path, store, sources).once())
    store.check()
    assert Counter(requests(store)) == Counter(expect(*range(50), *range(100, 150)))


def test_planted_secrets_do_not_reach_the_spool(tmp_path, store, new_collector):
    event = audit_event(0)
    event["responseObject"]["spec"]["oauth_secret"] = "s3cr3t-one"
    event["requestObject"] = {"password": "s3cr3t-two"}
    event["responseObject"]["metadata"]["annotations"] = {
        "kubectl.kubernetes.io/last-applied-configuration": '{"x":"s3cr3t-three"}'}
    (tmp_path / "audit.log").write_text(json.dumps(event) + "\nnot json s3cr3t-four\n")
    collector = new_collector()
    succeed(collector.once())
    assert requests(store) == expect(0)
    spooled = b"".join(path.read_bytes() for path in tmp_path.glob("eu-1.db*"))
    sent = b"".join(line for epoch in store.epochs.values() for line in epoch.lines)
    assert b"s3cr3t" not in spooled and b"s3cr3t" not in sent


SELDON = "seldondeployments.machinelearning.seldon.io"


def as_lines(*events) -> str:
    return "".join((event if isinstance(event, str) else json.dumps(event)) + "\n"
                   for event in events)


def gaps_of(store, *keys) -> list[tuple]:
    keys = keys or ("aspect", "namespace", "resource", "from", "to")
    return [tuple(gap[key] for key in keys) for gap in store.of_type("scope.gap")]


def at(number: int) -> str:
    return f"2026-01-01T00:00:{number:02}Z"


def scale_event(number: int, name: str, **changes) -> dict:
    reference = audit_event(number, name)["objectRef"] | {"subresource": "scale"}
    return audit_event(number, name, verb="patch", objectRef=reference, responseObject={
        "kind": "Scale", "apiVersion": "autoscaling/v1", "spec": {"replicas": 0},
        "metadata": {"name": name, "namespace": "dev", "uid": uid_of(name),
                     "resourceVersion": str(1000 + number)}},
        responseStatus={"metadata": {}, "code": 200}, **changes)


@pytest.mark.parametrize("bad", [json.dumps(audit_event(2))[:300], "no json", "{}"])
@pytest.mark.parametrize("complete", [True, False])
def test_an_unusable_line_is_a_gap_between_its_neighbours(tmp_path, store, new_collector, bad,
                                                          complete):
    (tmp_path / "audit.log").write_text(
        as_lines(audit_event(1), bad, bad, audit_event(4), audit_event(5), bad, audit_event(7)))
    succeed(new_collector(complete=complete).once())
    store.check()
    assert len(store.of_type("input.rejected")) == 3
    aspects = ["actor", "state"] if complete else ["actor"]
    assert gaps_of(store) == [(aspect, None, None, at(first), to) for first, last in [(1, 4), (5, 7)]
                              for to in (None, at(last)) for aspect in aspects]
    assert {(seen["watched_since"], seen["through"]) for seen in store.of_type("scope.watched")} == \
        {(at(1), at(7))}


def test_the_gap_of_an_unusable_last_line_ends_in_the_next_run(tmp_path, store, new_collector):
    log = tmp_path / "audit.log"
    log.write_text(as_lines("bad before anything is covered", audit_event(1), "bad"))
    succeed(new_collector().once())
    assert gaps_of(store, "from", "to") == [(at(1), None)]
    with log.open("a") as more:
        more.write(as_lines(audit_event(1, "same-instant"), audit_event(3)))
    succeed(new_collector().once())
    assert gaps_of(store, "from", "to") == [(at(1), None), (at(1), at(3))]


def test_an_unusable_object_hides_its_namespace_until_it_is_seen_again(tmp_path, store,
                                                                       new_collector):
    unusable = deployment(uid_of("m"), "m", 11, "v2")
    unusable["spec"]["predictors"] = [
        {"name": f"p{number}", "graph": {"name": "c", "implementation": "SKLEARN_SERVER",
                                         "modelUri": f"s3://models/m/{'x' * 900}{number}"}}
        for number in range(3000)]
    log = tmp_path / "audit.log"
    log.write_text(as_lines(
        audit_event(1, "m"), audit_event(2, "m", verb="update", responseObject=unusable),
        audit_event(3, "other"), audit_event(4, "m", verb="update", responseObject=unusable)))
    succeed(new_collector(complete=True).once())
    assert len(store.of_type("input.rejected")) == 2
    assert gaps_of(store) == [("state", "dev", SELDON, at(2), None)]
    with log.open("a") as more:  # what is hidden outlives a restart
        more.write(as_lines(audit_event(6, "m", verb="update")))
    succeed(new_collector(complete=True).once())
    assert gaps_of(store)[1:] == [("state", "dev", SELDON, at(2), at(6))]


def test_a_scale_hides_the_object_until_it_is_seen_again(tmp_path, store, new_collector):
    failed = scale_event(1, "m") | {"responseStatus": {"metadata": {}, "code": 409}}
    dry_run = scale_event(1, "m", requestURI="/apis/x?dryRun=All")
    status = audit_event(7, "m", verb="update", objectRef=audit_event(7, "m")["objectRef"]
                         | {"subresource": "status"})
    gone = audit_event(9, "n", verb="delete", responseObject={
        "kind": "Status", "details": {"uid": uid_of("n")}},
        responseStatus={"metadata": {}, "code": 200})
    (tmp_path / "audit.log").write_text(as_lines(
        audit_event(0, "m"), failed, dry_run, scale_event(2, "m"), scale_event(3, "m"),
        audit_event(4, "other"), scale_event(5, "n"), status, audit_event(8, "m"), gone))
    succeed(new_collector(complete=True).once())
    assert gaps_of(store) == [("state", "dev", SELDON, *span) for span in [
        (at(2), None), (at(5), None), (at(2), at(7)), (at(5), at(9))]]


def test_without_complete_a_scale_is_no_gap(tmp_path, store, new_collector):
    (tmp_path / "audit.log").write_text(as_lines(audit_event(0, "m"), scale_event(2, "m")))
    succeed(new_collector().once())
    assert gaps_of(store) == []


@pytest.mark.parametrize("finalizers, grace, removed", [
    (None, 0, True), ([], None, True), (["x/y"], 0, False), (None, 30, False)])
def test_the_write_of_the_last_finalizer_removes(tmp_path, store, new_collector, finalizers, grace,
                                                 removed):
    answer = deployment(uid_of("m"), "m", 13, "v1")
    answer["metadata"] |= {"deletionTimestamp": "2026-01-01T00:00:02Z"}
    answer["metadata"] |= {} if grace is None else {"deletionGracePeriodSeconds": grace}
    held = json.loads(json.dumps(answer))
    held["metadata"] |= {"resourceVersion": "12", "finalizers": ["x/y"]}
    answer["metadata"] |= {} if finalizers is None else {"finalizers": finalizers}
    (tmp_path / "audit.log").write_text(as_lines(
        audit_event(1, "m"), audit_event(2, "m", verb="delete", responseObject=held),
        audit_event(3, "m", verb="patch", responseObject=answer)))
    succeed(new_collector().once())
    assert [seen["removed"] for seen in store.of_type("workload.observed")] == \
        [False, False, removed]
