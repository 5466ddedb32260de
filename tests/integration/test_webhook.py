"""The admission and audit_webhook sources as a process: what is answered is durable, and nobody is held up."""

import gzip
import json
import os
import signal
import socket
import sqlite3
import threading
import time

import pytest
from support.collector import Collector, audit_event
from support.fake_store import FakeStore
from support.process import free_port
from support.system import System
from support.webhook import Authority, Caller, event_list, review


@pytest.fixture
def store():
    fake = FakeStore(free_port()).start()
    yield fake
    if fake._thread.is_alive():
        fake.stop()


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="session")
def server_pair(authority):
    return authority.issue("server")


class Room:
    """A collector that listens, and callers for it."""

    def __init__(self, folder, store, authority, pair):
        self.folder, self.store, self.authority, self.pair = folder, store, authority, pair
        self.port = free_port()
        self.collector = None

    def start(self, admission={}, audit={}, pair=None, **settings):
        certificate, key = pair or self.pair
        common = {"listen": f"127.0.0.1:{self.port}", "tls_cert": str(certificate), "tls_key": str(key)}
        sources = [{name: common | options} for name, options in
                   (("admission", admission), ("audit_webhook", audit)) if options is not None]
        self.collector = Collector(self.folder, self.store, sources, **settings)
        return self.restart()

    def restart(self):
        self.collector.start()
        self.collector.wait(lambda: self.answers())
        return self

    def answers(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=5).close()
        except OSError:
            return False
        return True

    def caller(self, **options):
        return Caller(self.port, self.authority.certificate, **options)

    def spooled(self, noun_verb):
        """What the spool holds, acknowledged or not, read beside the collector."""
        with sqlite3.connect(f"file:{self.collector.spool}?mode=ro", uri=True) as spool:
            lines = [json.loads(line) for (line,) in spool.execute("SELECT line FROM event ORDER BY seq")]
        return [line["data"] for line in lines if line["type"] == f"dev.modeltrail.{noun_verb}.v1"]


@pytest.fixture
def room(tmp_path, store, authority, server_pair):
    made = Room(tmp_path, store, authority, server_pair)
    yield made
    if made.collector and made.collector.daemon:
        made.collector.daemon.end(signal.SIGKILL)


def ids(events):
    return [data["audit_id"] for data in events]


def test_a_review_is_allowed_and_recorded(room, store):
    room.start()
    asked = review(1)
    code, answer = room.caller().post("/admission?timeout=2s", asked)
    assert (code, answer) == (200, {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
                                    "response": {"uid": asked["request"]["uid"], "allowed": True}})
    room.collector.wait(lambda: store.of_type("request.reviewed"))
    (data,) = store.of_type("request.reviewed")
    meta = asked["request"]["object"]["metadata"]
    expected = {
        "cluster": "c1", "audit_id": asked["request"]["uid"], "stage": "Review", "verb": "create",
        "resource": "models.mlops.seldon.io", "kind": "Model", "api_version": "mlops.seldon.io/v1alpha1",
        "namespace": "dev", "name": "model-1", "uid": meta["uid"], "generation": "1", "position": None,
        "code": None, "dry_run": False, "removes": False, "principal": "alice",
        "groups": ["data-science", "system:authenticated"], "via": "admission", "impersonated_by": None,
        "subresource": None, "message": None, "source_ip": None, "user_agent": None}
    assert {key: data[key] for key in expected} == expected


def test_what_is_covered_goes_from_the_first_to_the_newest(room, store):
    room.start(audit=None)
    caller = room.caller()
    for number in range(3):
        assert caller.post("/admission", review(number))[0] == 200
    room.collector.wait(lambda: len(store.of_type("request.reviewed")) == 3)
    times = [data["at"] for data in store.of_type("request.reviewed")]
    # After a restart nothing is claimed of the time between, and what was claimed is said for good.
    assert room.collector.stop() == 0
    room.restart()
    assert room.caller().post("/admission", review(9))[0] == 200
    room.collector.wait(lambda: store.of_type("scope.watched"))
    (watched,) = store.of_type("scope.watched")
    assert (watched["aspect"], watched["source"], watched["watched_since"], watched["through"]) == \
        ("actor", "admission", times[0], times[2])
    room.collector.wait(lambda: len(store.of_type("request.reviewed")) == 4)
    newest = store.of_type("request.reviewed")[-1]["at"]

    def looks():
        return [(look["aspect"], look["watched_since"], look["through"]) for beat in store.beats[-1:] for look in beat]

    room.collector.wait(lambda: looks() == [("actor", newest, newest)], timeout=30)


def test_events_of_a_list_are_taken_as_lines_of_a_log(room, store):
    room.start()
    events = [audit_event(number) for number in range(5)]
    assert room.caller().post("/audit", event_list(events)) == (200, "")
    # Again, as after an answer that was lost; and one more.
    assert room.caller().post("/audit", event_list([*events, audit_event(9)]))[0] == 200
    room.collector.wait(lambda: len(store.of_type("request.audited")) == 6)
    audited = store.of_type("request.audited")
    assert ids(audited) == [f"audit-{number}" for number in (0, 1, 2, 3, 4, 9)]
    assert {data["via"] for data in audited} == {"audit_webhook"}
    assert len(store.of_type("workload.observed")) == 6
    assert room.collector.stop() == 0
    room.restart()
    room.collector.wait(lambda: store.of_type("scope.watched"))
    (watched,) = store.of_type("scope.watched")
    assert (watched["source"], watched["watched_since"], watched["through"]) == \
        ("audit_webhook", "2026-01-01T00:00:00Z", "2026-01-01T00:00:09Z")


def test_a_bad_item_is_told_and_the_others_are_taken(room, store):
    room.start()
    items = [audit_event(1), {"level": "Metadata"}, audit_event(3)]
    assert room.caller().post("/audit", event_list(items))[0] == 200
    room.collector.wait(lambda: len(store.of_type("request.audited")) == 2)
    (rejected,) = store.of_type("input.rejected")
    assert rejected["where"] == "audit_webhook"
    (gap,) = store.of_type("scope.gap")
    assert (gap["aspect"], gap["from"], gap["to"]) == ("actor", "2026-01-01T00:00:01Z", "2026-01-01T00:00:03Z")


DEEP = b'{"a":' * 300 + b"1" + b"}" * 300
HOSTILE = {
    "empty": (b"", 400), "no json": (b"no json", 400), "an array": (b"[]", 400), "deep": (DEEP, 400),
    "torn": (json.dumps(review(1)).encode()[:-5], 400), "NUL": (b'{"a":"\\u0000"}', 400),
    "bad UTF-8": (b'{"kind":"\xff"}', 400), "another kind": (b'{"kind":"Status","apiVersion":"v1"}', 400),
    "no uid": (b'{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{}}', 400),
    "no user": (json.dumps(review(1, userInfo=None)).encode(), 400),
    "twice": (json.dumps(review(1)).encode() * 2, 400),
    "too large": (b'{"a":"' + b"x" * (4 << 20) + b'"}', 413),
    "one under the limit": (b'{"a":"' + b"x" * ((4 << 20) - 8) + b'"}', 400),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_reviews_are_refused_and_counted(room, store, what):
    room.start()
    body, expected = HOSTILE[what]
    good = room.caller()
    assert good.post("/admission", review(1))[0] == 200
    assert room.caller().post("/admission", body)[0] == expected
    assert good.post("/admission", review(2))[0] == 200
    room.collector.wait(lambda: len(store.of_type("request.reviewed")) == 2)
    assert store.of_type("input.rejected") == []
    word = "1 too large" if expected == 413 else "1 unreadable"
    room.collector.wait(lambda: room.collector.says(word))


HOSTILE_LISTS = {
    "empty": b"", "no members": b"{}", "deep": b"[" * 1000, "a review": json.dumps(review(1)).encode(),
    "torn": json.dumps(event_list([audit_event(1)])).encode()[:-1],
    "no array": b'{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":{}}',
}


@pytest.mark.parametrize("what", HOSTILE_LISTS)
def test_hostile_lists_are_refused(room, store, what):
    room.start()
    assert room.caller().post("/audit", HOSTILE_LISTS[what])[0] == 400
    assert room.caller().post("/audit", event_list([audit_event(1)]))[0] == 200
    room.collector.wait(lambda: ids(store.of_type("request.audited")) == ["audit-1"])


def test_other_ways_to_ask_are_refused(room):
    room.start(audit=None)
    caller = room.caller()
    packed = gzip.compress(json.dumps(review(1)).encode())
    assert caller.post("/admission", packed, **{"Content-Encoding": "gzip"})[0] == 400
    assert caller.post("/admission", packed)[0] == 400
    assert caller.post("/audit", event_list([]))[0] == 404
    assert caller.post("/", b"x" * 100000)[0] == 404
    caller.headers["Content-Length"] = "0"
    with caller.raw() as channel:
        channel.sendall(b"GET /admission HTTP/1.1\r\nHost: x\r\n\r\n")
        assert channel.recv(100).startswith(b"HTTP/1.1 405 ")
    # Without TLS nothing is said at all.
    with socket.create_connection(("127.0.0.1", room.port), timeout=20) as plain:
        plain.sendall(b"POST /admission HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        try:
            assert b"200" not in plain.recv(1000)
        except ConnectionResetError:
            pass


def test_slow_callers_are_cut_off_and_others_are_not(room, store):
    room.start(audit=None)
    slow = room.caller().raw()
    slow.sendall(b"POST /admission HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n")
    in_headers = room.caller().raw()
    in_headers.sendall(b"POST /admission HTTP/1.1\r\nX: ")
    silent = socket.create_connection(("127.0.0.1", room.port))
    good, began, longest = room.caller(), time.monotonic(), 0
    ended = {}
    number = 0
    while len(ended) < 3 and time.monotonic() < began + 30:
        for name, channel in (("slow", slow), ("headers", in_headers), ("silent", silent)):
            if name in ended:
                continue
            try:
                channel.settimeout(0.01)
                if name != "silent":
                    channel.sendall(b"x")
                if channel.recv(100) == b"":
                    ended[name] = time.monotonic() - began
            except (TimeoutError, socket.timeout):
                pass
            except OSError:
                ended[name] = time.monotonic() - began
        asked = time.monotonic()
        assert good.post("/admission", review(number))[0] == 200
        longest, number = max(longest, time.monotonic() - asked), number + 1
        time.sleep(0.2)
    assert set(ended) == {"slow", "headers", "silent"}, ended
    assert all(8 < seconds < 15 for seconds in ended.values()), ended
    assert longest < 2
    room.collector.wait(lambda: room.collector.says("too slow"))


def test_a_crowd_of_idlers_makes_room(room, store):
    room.start(audit=None)
    crowd = [socket.create_connection(("127.0.0.1", room.port)) for _ in range(400)]
    good = room.caller()
    for number in range(20):
        assert good.post("/admission", review(number))[0] == 200
    more = [socket.create_connection(("127.0.0.1", room.port)) for _ in range(300)]
    for number in range(20, 40):
        assert good.post("/admission", review(number))[0] == 200
    assert room.caller().post("/admission", review(40))[0] == 200
    for idler in crowd + more:
        idler.close()


def test_token_and_client_certificate_are_asked_for_where_they_are_configured(room, authority, tmp_path, store):
    token = tmp_path / "token"
    token.write_text("s3cret-token\n")
    room.start(audit={"client_ca": str(authority.certificate), "token_file": str(token)})
    client = authority.issue("apiserver", "clientAuth")
    other = Authority(tmp_path / "other").issue("stranger", "clientAuth")
    wrong_use = authority.issue("not-a-client", "serverAuth")
    body = event_list([audit_event(1)])
    assert room.caller().post("/admission", review(1))[0] == 200  # neither is asked for there
    assert room.caller(token="s3cret-token").post("/audit", body)[0] == 403
    assert room.caller(token="s3cret-token", client=wrong_use).post("/audit", body)[0] == 403
    assert room.caller(client=client).post("/audit", body)[0] == 401
    assert room.caller(client=client, token="s3cret-tokem").post("/audit", body)[0] == 401
    assert room.caller(client=client, token="s3cret").post("/audit", body)[0] == 401
    try:
        assert room.caller(client=other, token="s3cret-token").post("/audit", body)[0] == 403
    except OSError:
        pass  # refused in the handshake
    assert store.of_type("request.audited") == []
    assert room.caller(client=client, token="s3cret-token").post("/audit", body)[0] == 200
    token.write_text("the-next-one")
    room.collector.daemon.send(signal.SIGHUP)
    room.collector.wait(lambda: room.caller(client=client, token="the-next-one").post("/audit", body)[0] == 200)
    assert room.caller(client=client, token="s3cret-token").post("/audit", body)[0] == 401
    assert not room.collector.says("s3cret")


def replace(path, source):
    """As an atomic exchange, which kubelet and cert-manager do."""
    fresh = path.with_suffix(".new")
    fresh.write_bytes(source.read_bytes())
    os.replace(fresh, path)


@pytest.mark.parametrize("by_signal", [True, False])
def test_certificates_are_exchanged_without_a_break(room, authority, tmp_path, by_signal, store):
    certificate, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    pairs = [authority.issue(f"server-{number}-{by_signal}") for number in range(3)]
    replace(certificate, pairs[0][0])
    replace(key, pairs[0][1])
    room.start(audit=None, pair=(certificate, key))
    old = room.caller()
    assert old.post("/admission", review(0))[0] == 200
    first = room.caller().serial()
    # Half of the next pair: nothing changes, and the log says so.
    replace(certificate, pairs[1][0])
    if by_signal:
        room.collector.daemon.send(signal.SIGHUP)
    room.collector.wait(lambda: room.collector.says("the old ones stay"))
    assert room.caller().serial() == first
    assert old.post("/admission", review(1))[0] == 200
    replace(key, pairs[1][1])
    if by_signal:
        room.collector.daemon.send(signal.SIGHUP)
    room.collector.wait(lambda: room.caller().serial() != first)
    # Who was connected is served, and comes back to the new one.
    assert old.post("/admission", review(2))[0] == 200
    assert old.answer_headers["Connection"] == "close"
    assert old.post("/admission", review(3))[0] == 200
    assert old.answer_headers["Connection"] is None
    room.collector.wait(lambda: len(store.of_type("request.reviewed")) == 4)


class Load:
    """Callers that ask without a pause, each on a connection of its own, at a rate in all."""

    def __init__(self, room, path, make, rate, threads=16):
        self.room, self.path, self.make = room, path, make
        self.period, self.threads_count = threads / rate, threads
        self.answered, self.times, self.others = [], [], []
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self._run, args=(n,)) for n in range(threads)]

    def _run(self, n):
        caller, number, due = self.room.caller(), n, time.monotonic()
        while not self.stopping.is_set():
            body, name = self.make(number)
            begin = time.monotonic()
            try:
                code, answer = caller.post(self.path, body)
            except OSError:
                code = 0
            self.times.append(time.monotonic() - begin)
            # A review that waited for a second is let pass without being recorded.
            in_time = self.times[-1] < 0.9 or self.path != "/admission"
            (self.answered if code == 200 and in_time else self.others).append(name)
            number += self.threads_count
            due += self.period
            time.sleep(max(0, due - time.monotonic()))

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join()


def a_review(number):
    asked = review(f"load-{number}")
    return json.dumps(asked), asked["request"]["uid"]


def a_list(number):
    return json.dumps(event_list([audit_event(number)])), f"audit-{number}"


@pytest.mark.parametrize("path, make, noun", [("/admission", a_review, "request.reviewed"),
                                              ("/audit", a_list, "request.audited")])
def test_what_was_answered_survives_kills_while_the_store_is_away(room, store, path, make, noun):
    room.start()
    with Load(room, path, make, rate=1000) as load:
        time.sleep(1)
        store.stop()
        for _ in range(3):
            time.sleep(1)
            room.collector.daemon.end(signal.SIGKILL)
            room.restart()
        time.sleep(1)
    assert len(load.answered) > 300
    store.start()
    room.collector.wait(lambda: set(load.answered) <= set(ids(store.of_type(noun))), timeout=60)
    store.check()


def large_event(number):
    event = audit_event(number, name=f"m-{number}")
    event["responseObject"]["spec"]["padding"] = os.urandom(4000).hex()
    return event


def fill(caller, make, step):
    """Sends lists until one is put off."""
    for number in range(0, 5000, step):
        code, _ = caller.post("/audit", event_list(make(number)))
        if code != 200:
            assert code == 503
            return
    raise AssertionError("it took everything")


def test_a_full_spool_lets_writes_pass_and_says_so(room, store):
    room.start(spool_max_bytes=8 << 20)
    store.stop()
    caller = room.caller()
    fill(caller, lambda number: [large_event(number + n) for n in range(20)], 20)
    assert caller.answer_headers["Retry-After"] == "3"
    lost, slowest, started = [], 0, time.monotonic()
    for n in range(600):  # the last list has left room for some
        asked, begin = review(f"lost-{n}"), time.monotonic()
        code, answer = caller.post("/admission", asked)
        slowest = max(slowest, time.monotonic() - begin)
        assert code == 200 and answer["response"] == {"uid": asked["request"]["uid"], "allowed": True}
        lost.append(asked["request"]["uid"])
    assert slowest < 1.5
    assert time.monotonic() - started < 30
    store.start()

    def is_back():
        caller.post("/audit", event_list([audit_event(500, name="back")]))
        code, _ = caller.post("/admission", review("back"))
        # Looked for in the bytes: to parse megabytes each time would keep the fake store from its work.
        return code == 200 and any(b"model-back" in line for epoch in store.epochs.values() for line in epoch.lines[-200:])

    room.collector.daemon.wait_until(is_back, timeout=60, every=0.5)
    found = set(ids(store.of_type("request.reviewed")))
    missing = [uid for uid in lost if uid not in found]
    gaps = [gap for gap in store.of_type("scope.gap") if "admission reviews" in gap["reason"]]
    assert missing and gaps
    assert sum(int(gap["reason"].split()[0]) for gap in gaps) >= len(missing)
    assert {gap["aspect"] for gap in gaps} == {"actor"}
    # Each receiver tells its own gap, in its own time.
    room.collector.daemon.wait_until(
        lambda: any("lists of audit events" in gap["reason"] for gap in store.of_type("scope.gap")), timeout=30, every=0.5)


def test_what_cannot_be_served_ends_the_start(tmp_path, store, authority, server_pair):
    """With the reason, before anything is accepted."""
    certificate, key = map(str, server_pair)
    _, other_key = authority.issue("another")
    (tmp_path / "empty").write_text(" \n")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        good = {"listen": f"127.0.0.1:{free_port()}", "tls_cert": certificate, "tls_key": key}
        cases = [
            ([{"admission": good | {"listen": f"127.0.0.1:{port}"}}], f"cannot listen at 127.0.0.1:{port}"),
            ([{"admission": good | {"listen": "localhost:1"}}], "ADDRESS:PORT in numbers"),
            ([{"admission": good | {"listen": "127.0.0.1"}}], "ADDRESS:PORT in numbers"),
            ([{"admission": good | {"tls_key": str(other_key)}}], "cannot serve TLS with"),
            ([{"admission": good | {"tls_cert": "/nowhere"}}], "/nowhere"),
            ([{"admission": good}, {"admission": good}], "two sources serve /admission"),
            ([{"admission": good}, {"audit_webhook": good | {"tls_key": str(other_key)}}], "different certificates"),
            ([{"audit_webhook": good | {"token_file": str(tmp_path / "empty")}}], "is empty"),
            ([{"audit_webhook": good | {"client_ca": key}}], "holds no certificate"),
        ]
        for number, (sources, words) in enumerate(cases):
            collector = Collector(tmp_path, store, sources, name=f"eu-{number}").start()
            assert collector.daemon._child.wait(20) == 1, words
            assert collector.says(words), collector.log.read_text()


def test_reviews_and_lists_reach_the_tables(database, tmp_path, authority, server_pair):
    """Through a real store: a review is a request of its own evidence, and a dry run of one is an attempt."""
    system = System(tmp_path, database, {"eu-1": ("c1", ["dev"])})
    port = free_port()
    listen = json.dumps({"listen": f"127.0.0.1:{port}", "tls_cert": str(server_pair[0]),
                         "tls_key": str(server_pair[1]), "namespaces": ["dev"]})
    try:
        system.start_store()
        collector = system.start_collector("eu-1", [f"admission: {listen}", f"audit_webhook: {listen}"])
        collector.wait_until(lambda: "webhook listens" in (tmp_path / "eu-1.log").read_text())
        caller = Caller(port, authority.certificate)
        assert caller.post("/admission", review(1))[0] == 200
        assert caller.post("/admission", review(2, dryRun=True))[0] == 200
        assert caller.post("/admission", review(3, namespace="prod"))[0] == 200  # none of ours
        assert caller.post("/audit", event_list([audit_event(1)]))[0] == 200
        system.wait_for("SELECT count(*) FROM modeltrail.request", 3)
        rows = system.rows("SELECT evidence, via, stage, verb, principal, generation, code, dry_run FROM modeltrail.request"
                           " ORDER BY evidence, dry_run")
        assert [tuple(row.values() if isinstance(row, dict) else row) for row in rows] == [
            ("admission", "admission", "Review", "create", "alice", 1, None, False),
            ("admission", "admission", "Review", "create", "alice", None, None, True),
            ("audit", "audit_webhook", "ResponseComplete", "create", "alice", 1, 201, False)]
        system.wait_for("SELECT count(*) FROM modeltrail_v1.events WHERE is_quarantined", 0)
        assert system.end("eu-1") == 0
        # What was covered is said for good at the next start.
        system.start_collector("eu-1")
        system.wait_for("SELECT count(*) FROM modeltrail.watched WHERE aspect = 'actor'"
                        " AND source IN ('admission', 'audit_webhook')", 2)
    finally:
        for name in list(system.daemons):
            system.end(name)
