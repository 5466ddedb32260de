"""A hostile API server, seen from the other end: after each fault the deployments in PostgreSQL are the truth, or
`modeltrail` says what is unknown. Hostile content is stored, quarantined or reported, and shown escaped."""

import csv
import hashlib
import io
import json
import os
import pty
import re
import subprocess
import time
import uuid
from datetime import datetime, timedelta

import pytest
from support.build import program
from support.collector import audit_event, deployment, time_of, uid_of
from support.fake_kube import FakeKube
from support.hostile_scenarios import SCENARIOS, SELDON, harm, seed
from support.system import System

MODEL = "models.mlops.seldon.io"
# What takes minutes in a cluster takes seconds here.
TIMING = {"watch_s": 3, "grace_ms": 500, "look_again_ms": 300, "watched_ms": 500, "page_size": 5}
FOUND, NO, UNKNOWN = 0, 1, 6
MORE = ["rotated", "late", "forbidden", "taken", "restored", "neighbour", "listed", "watched", "greedy", "boundless"]


def name_of(scenario):
    return scenario.__name__.replace("_", "-")


@pytest.fixture(scope="module")
def system(postgres, tmp_path_factory):
    """One store for all: each test has a cluster and a collector of its own in it."""
    database = postgres.create_database("hostile_end_to_end")
    names = [name_of(scenario) for scenario in SCENARIOS] + MORE
    scopes = {name: (name, ["risk"]) for name in names} | {"audited": ("audited", None)}
    system = System(tmp_path_factory.mktemp("hostile"), database, scopes)
    system.start_store()
    yield system
    alive = system.daemons["store"].is_running()
    system.stop()
    database.drop()
    assert alive, "the store did not survive"


class Watched:
    """A fake API server, its collector, and what the database says of that cluster."""

    def __init__(self, system, name, fake):
        self.system, self.name, self.fake = system, name, fake

    def start(self, token_file=None, namespaces=("risk",)):
        kubeconfig = self.fake.write_kubeconfig(self.system.folder / f"{self.name}.kubeconfig", token_file)
        source = {"kubeconfig": str(kubeconfig), "timing": TIMING}
        if namespaces:
            source["namespaces"] = list(namespaces)
        self.system.start_collector(self.name, [json.dumps({"kubernetes": source})])
        return self

    def stop(self):
        assert self.system.daemons[self.name].is_running(), self.system.log(self.name)[-3000:]
        assert self.system.end(self.name) == 0, self.system.log(self.name)[-3000:]

    def inventory(self):
        """uid -> version: the fake names a version after the resourceVersion that brought it."""
        rows = self.system.rows(
            f"SELECT workload_uid, version FROM modeltrail_v1.deployments WHERE cluster = '{self.name}'"
        )
        return {row["workload_uid"]: row["version"] for row in rows}

    def until(self, holds, what, timeout=20):
        deadline = time.monotonic() + timeout
        while not holds():
            if time.monotonic() > deadline:
                log = self.system.log(self.name)[-2000:]
                raise AssertionError(f"not in {timeout} s: {what}\n{log}")
            time.sleep(0.15)

    def wait_for(self, truth):
        def wanted():
            return {uid: f"v{position}" for uid, position in truth().items()}

        try:
            self.until(lambda: self.inventory() == wanted(), "the inventory is the truth")
        except AssertionError:
            assert self.inventory() == wanted(), self.system.log(self.name)[-2000:]

    def synced(self):
        self.wait_for(self.fake.truth)

    def absent(self, *more):
        """What `where` says of a model that is not there: no, or unknown."""
        done = self.system.ask("where", "no-such-model", "--cluster", self.name, *more)
        assert done.stdout == "" and "no deployment found" in done.stderr, done
        return done.returncode

    def gaps(self, resource=SELDON):
        """The newest word on each gap."""
        return self.system.rows(
            "SELECT DISTINCT ON (from_at) from_at, to_at, reason FROM modeltrail.gap"
            f" WHERE cluster = '{self.name}' AND resource = '{resource}' AND aspect = 'state'"
            " ORDER BY from_at, log_index DESC"
        )

    def coverage(self, resource=SELDON):
        """Intervals of `list coverage`, oldest first."""
        done = self.system.ask("list", "coverage", "--cluster", self.name, "-o", "json")
        items = json.loads(done.stdout)["items"]
        return sorted(
            (item for item in items if item["resource"] == resource and item["aspect"] == "state"),
            key=lambda item: item["covered_from"] or "",
        )

    def rejected(self):
        return self.system.rows(
            "SELECT type, is_quarantined, quarantine_reason FROM modeltrail_v1.events"
            f" WHERE collector = '{self.name}' AND type LIKE '%.input.rejected.%'"
        )


@pytest.fixture
def watch(system):
    """A factory of clusters with a fake API server and a running collector."""
    made = []

    def start(name, collecting=True, **options):
        fake = FakeKube(**options)
        fake.__enter__()
        made.append(Watched(system, name, fake))
        seed(fake)
        return made[-1].start() if collecting else made[-1]

    yield start
    for watched in made:
        try:
            if watched.name in system.daemons:
                watched.stop()
        finally:
            watched.fake.__exit__()


def instant(text):
    return datetime.fromisoformat(text)


def between(gap):
    """An instant inside a closed gap."""
    begin, end = instant(gap["from_at"]), instant(gap["to_at"])
    assert begin < end
    return (begin + (end - begin) / 2).isoformat()


def assert_unknown_within(watched, part_of_reason):
    """The closed gap is a hole in the coverage, and a "no" inside of it is not said."""
    watched.until(
        lambda: any(part_of_reason in gap["reason"] and gap["to_at"] for gap in watched.gaps()),
        f"a gap because of {part_of_reason} has an end",
    )
    gap = next(gap for gap in watched.gaps() if part_of_reason in gap["reason"])
    assert watched.absent("--as-of", between(gap)) == UNKNOWN
    intervals = watched.coverage()
    assert len(intervals) >= 2, intervals
    assert any(
        instant(before["covered_to"]) <= instant(gap["to_at"]) <= instant(after["covered_from"]) + timedelta(0, 0, 1)
        and part_of_reason in (before["gap_reason"] or "")
        for before, after in zip(intervals, intervals[1:])
    ), (gap, intervals)
    assert watched.absent() == NO


def assert_unknown_now(watched, part_of_reason, resource=SELDON):
    """What is not observed any more is said: exit 6, and the reason, in every place where a person looks."""
    watched.until(lambda: watched.absent() == UNKNOWN, "a name that is not there is unknown")
    done = watched.system.ask("where", "no-such-model", "--cluster", watched.name)
    assert part_of_reason in done.stderr, done.stderr
    answer = watched.system.ask("where", "no-such-model", "--cluster", watched.name, "-o", "json")
    told = json.loads(answer.stdout)["coverage"]
    assert not told["complete"]
    assert any(part_of_reason in scope["reason"] for scope in told["unknown_scopes"]), told
    newest = watched.coverage(resource)[-1]
    assert part_of_reason in (newest["gap_reason"] or ""), newest
    assert not newest["is_live"], newest


MET = {
    "http_410": lambda fake: fake.count("watch", 410),
    "too_many_requests": lambda fake: fake.count("watch", 429) == 2,
    "server_errors": lambda fake: fake.count("watch", 503) and fake.count("watch", 500),
    "refused_while_starting": lambda fake: fake.count("watch", 403),
    "cut_line": lambda fake: not fake._half_next_line,
    "expired_continue": lambda fake: fake.count("list", 410),
    "mixed_pages": lambda fake: not fake._mix_next_page,
    "list_breaks_midway": lambda fake: fake.break_lists == 0,
}


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_after_the_fault_the_truth_or_unknown(watch, scenario):
    watched = watch(name_of(scenario))
    watched.synced()
    watched.until(lambda: watched.absent() == NO, "before the fault everything is covered")
    expected = scenario(watched.fake, watched.synced)
    watched.wait_for(lambda: expected.truth)
    assert MET.get(scenario.__name__, bool)(watched.fake) or scenario.__name__ not in MET
    if expected.gap is None:
        assert watched.gaps() == []
        assert watched.absent() == NO
    elif expected.closed:
        assert_unknown_within(watched, expected.gap)
    else:
        assert_unknown_now(watched, expected.gap)
    watched.until(lambda: len(watched.rejected()) >= expected.rejected, "what was unusable is reported")
    assert all(event["is_quarantined"] for event in watched.rejected())
    if expected.closed:  # and it goes on
        watched.fake.update("model-07")
        watched.fake.create("afterwards")
        poisoned = {uid: at for uid, at in expected.truth.items() if at != watched.fake.truth().get(uid)}
        poisoned.pop(watched.fake.uid("model-07"), None)
        watched.wait_for(lambda: watched.fake.truth() | poisoned)


def test_a_rotated_token(watch, tmp_path):
    """401 on everything until the token file, which changed meanwhile, was read again: no gap."""
    token_file = tmp_path / "token"
    watched = watch("rotated", collecting=False)
    fake = watched.fake
    token_file.write_text(fake.token + "\n")
    watched.start(token_file)
    watched.synced()
    fake.token = "second-token"
    fake.cut_watches()
    harm(fake)
    watched.until(lambda: fake.count("watch", 401), "the old token is refused")
    token_file.write_text(fake.token)
    watched.synced()
    assert watched.gaps() == []
    assert watched.absent() == NO


def test_a_token_that_comes_late(watch, tmp_path):
    """Until the API server answers nothing is known, and nothing is said but that."""
    token_file = tmp_path / "token"
    token_file.write_text("not-yet")
    watched = watch("late", collecting=False)
    watched.start(token_file)
    watched.until(lambda: watched.fake.count("discover", 401) >= 2, "the token is refused")
    assert watched.absent() == UNKNOWN
    assert watched.inventory() == {}
    assert "401" in watched.system.log("late")
    token_file.write_text(watched.fake.token)
    watched.synced()
    watched.until(lambda: watched.absent() == NO, "all is covered")


def test_a_refused_kind(watch):
    """403 on one kind: the others are known, that kind is not, and the answer says which."""
    watched = watch("forbidden", collecting=False)
    fake = watched.fake
    fake.forbidden.add("models")
    watched.start()
    watched.synced()
    assert_unknown_now(watched, "forbidden", MODEL)
    assert [gap["to_at"] for gap in watched.gaps(MODEL)] == [None]
    found = watched.system.ask("where", "model-04", "--cluster", "forbidden")
    assert found.returncode == FOUND and "model-04" in found.stdout
    assert "forbidden" in found.stderr  # a yes with an uncovered neighbour says so
    harm(fake)
    watched.synced()
    assert watched.coverage(SELDON)[-1]["is_live"]
    fake.forbidden.clear()
    fake.create("late", plural="models")
    watched.synced()
    watched.until(lambda: watched.absent() == NO, "the kind is covered")


def test_rights_taken_away(watch):
    """What was known stays as it was last seen; that it may not be so any more is said."""
    watched = watch("taken")
    fake = watched.fake
    watched.synced()
    believed = fake.truth()
    fake.forbidden.add("seldondeployments")
    fake.cut_watches()
    fake.delete("model-04")
    assert_unknown_now(watched, "forbidden")
    watched.wait_for(lambda: believed)
    stale = watched.system.ask("where", "model-04", "--cluster", "taken")
    assert stale.returncode == FOUND and "incomplete" in stale.stderr
    fake.forbidden.clear()
    watched.synced()
    assert_unknown_within(watched, "forbidden")


def test_a_restored_cluster_is_covered_again(watch):
    """After etcd went back nothing is removed and all is unknown, until every object is ahead of what was known."""
    watched = watch("restored")
    fake = watched.fake
    before = fake.snapshot()
    watched.synced()
    for _ in range(3):
        fake.update("model-01")
    watched.synced()
    believed = fake.truth()
    fake.hold()
    fake.restore(before)
    fake.release()
    assert_unknown_now(watched, "went back")
    watched.wait_for(lambda: believed)
    for number in range(5):
        fake.update(f"model-{number + 2:02}")
    fake.update("model-01")
    watched.synced()
    assert_unknown_within(watched, "went back")


def test_the_neighbours_are_unharmed(watch):
    """One cluster whose history went back leaves another one covered, beside it in the same store."""
    watched = watch("neighbour")
    watched.synced()
    watched.until(lambda: watched.absent() == NO, "the neighbour is covered")
    doctor = watched.system.ask("doctor", "-o", "json")
    checks = {check["check_name"]: check for check in json.loads(doctor.stdout)["items"]}
    assert checks["gaps"]["status"] == "warn" and "went-back" in checks["gaps"]["detail"]
    assert "neighbour" not in checks["gaps"]["detail"]


# ---- a collector that looks at more than its key may speak for ----

FACTS = ("workload", "listing", "gap", "watched", "look", "namespace_label", "request")


def assert_nothing_of(system, cluster, namespace, *uids):
    """No fact, no belief, no coverage of a scope; `namespace` '' is the whole cluster."""
    for uid in uids:
        assert system.rows(f"SELECT * FROM modeltrail.state WHERE uid = '{uid}'") == []
    for table in FACTS:
        rows = system.rows(f"SELECT * FROM modeltrail.{table} WHERE cluster = '{cluster}' AND namespace = '{namespace}'")
        assert rows == [], table
    for view in ("deployments", "deployment_history", "changes", "coverage"):
        rows = system.rows(
            f"SELECT * FROM modeltrail_v1.{view} WHERE cluster = '{cluster}'"
            f" AND coalesce(namespace, '') = '{namespace}'"
        )
        assert rows == [], view


def assert_said(watched):
    """The quarantine, and why, where a person looks."""
    system, name = watched.system, watched.name
    doctor = json.loads(system.ask("doctor", "-o", "json").stdout)["items"]
    quarantine = next(check for check in doctor if check["check_name"] == "quarantine")
    assert quarantine["status"] == "warn" and f"{name} (" in quarantine["detail"]
    collectors = json.loads(system.ask("list", "collectors", "-o", "json").stdout)["items"]
    assert next(one for one in collectors if one["collector"] == name)["quarantined"] > 0
    events = system.ask("list", "events", "-o", "table", "--columns", "collector,quarantine_reason", "--limit", "99999")
    assert re.search(rf"^{name} .*may not speak for", events.stdout, re.MULTILINE), events.stdout[-2000:]


def test_a_collector_that_looks_at_too_many_namespaces(watch):
    watched = watch("greedy", collecting=False)
    fake = watched.fake
    fake.create("hidden", namespace="secret")
    fake.create("hidden", namespace="secret", plural="models")
    secret = {fake.uid("hidden", "secret"), fake.uid("hidden", "secret", "models")}

    def allowed():
        return {uid: at for uid, at in fake.truth().items() if uid not in secret}

    watched.start(namespaces=("risk", "secret"))
    watched.wait_for(allowed)
    watched.until(lambda: watched.absent("--namespace", "risk") == NO, "its own namespace is covered")
    harm(fake)
    fake.update("hidden", namespace="secret")
    watched.wait_for(allowed)
    time.sleep(1.5)  # some beats and scope.watched events more
    assert_nothing_of(watched.system, "greedy", "secret", *secret)
    assert_said(watched)
    assert watched.absent("--namespace", "secret") == UNKNOWN
    assert watched.absent("--namespace", "risk") == NO


def test_a_collector_that_looks_at_the_whole_cluster(watch):
    """Of its own namespace the objects are taken, but not the word that there are no others."""
    watched = watch("boundless", collecting=False)
    fake = watched.fake
    fake.create("hidden", namespace="secret")
    hidden = fake.uid("hidden", "secret")

    def allowed():
        return {uid: at for uid, at in fake.truth().items() if uid != hidden}

    watched.start(namespaces=None)
    watched.wait_for(allowed)
    time.sleep(1.5)
    assert_nothing_of(watched.system, "boundless", "secret", hidden)
    assert_nothing_of(watched.system, "boundless", "")
    assert_said(watched)
    assert watched.absent("--namespace", "risk") == UNKNOWN
    fake.delete("model-04")  # DELETED is about an object, and that one is ours
    watched.wait_for(allowed)


# ---- hostile content ----

STRINGS = {
    "sql": "'; DROP TABLE modeltrail.event; --",
    "terminal": "\x1b[2J\x1b]0;owned\x07\x1b[31mred",
    "c1": "\u009b31mred",
    "formula": "=cmd|'/c calc'!A1",
    "sum": "@SUM(1+1)",
    "bidi": "\u202egnp.exe",
    "lines": "tab\tnew\nline\r\\N",
    "quotes": "\"'`$(exit 1)`",
    "printf": "%s%n%1$s",
    "html": "<script>alert(1)</script>",
}
# These nobody stores: PostgreSQL has no place for them.
UNSTORABLE = {"nul": "a\0b", "surrogate": "\ud800", "invalid-utf-8": "@@utf-8@@"}
HUGE = "x" * 5_000_000
# What json.dumps does not write.
REPLACED = {
    b"@@utf-8@@": b"\xff\xfe",
    b'"@@deep@@"': b"[" * 10_000 + b"]" * 10_000,
    b'"@@deep-object@@"': b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    b'"@@number@@"': b"1e1000000",
}
SHAPES = ("deep", "deep-object", "number")


def manifest(name, uri="s3://models/x/v1", **metadata):
    graph = {"name": "classifier", "modelUri": uri}
    return {
        "apiVersion": "machinelearning.seldon.io/v1", "kind": "SeldonDeployment", "metadata": {"name": name} | metadata,
        "spec": {"predictors": [{"name": "main", "graph": graph}]},
    }


def stored_objects():
    """(object, what the deployment must say of it): the strings themselves, nothing more or less."""
    for key, text in STRINGS.items():
        uri = f"s3://models/{text}/v1"
        yield manifest(text), {"model": text}
        yield manifest(f"model-{key}", labels={"modeltrail.io/model": text}), {"model": text}
        yield manifest(f"version-{key}", labels={"modeltrail.io/version": text}), {"version": text}
        yield manifest(f"uri-{key}", uri=uri), {"artifact": uri}
        yield manifest(f"note-{key}", annotations={"note": text, text: "note"}), {"model": f"note-{key}"}
    yield manifest("note-huge", annotations={"note": HUGE}), {"model": "note-huge"}


def refused_objects():
    for key, text in (STRINGS | UNSTORABLE).items():
        yield manifest(f"uid-{key}", uid=text)
        yield manifest(f"position-{key}", resourceVersion=text)
    for key, text in (UNSTORABLE | {"huge": HUGE}).items():
        yield manifest(text)
        yield manifest(f"model-{key}", labels={"modeltrail.io/model": text})
        yield manifest(f"version-{key}", labels={"modeltrail.io/version": text})
        yield manifest(f"uri-{key}", uri=f"s3://models/{text}/v1")
    for key in SHAPES:
        shape = f"@@{key}@@"
        yield manifest(f"uri-{key}", uri=shape)
        yield manifest(f"label-{key}", labels={"modeltrail.io/model": shape})
        yield manifest(f"generation-{key}", generation=shape)
        yield manifest(f"status-{key}") | {"status": {"observedGeneration": shape}}
        in_spec = manifest(f"spec-{key}")
        in_spec["spec"]["predictors"][0]["replicas"] = shape
        yield in_spec


def served(value) -> bytes:
    text = json.dumps(value).encode()
    for plain, hostile in REPLACED.items():
        text = text.replace(plain, hostile)
    return text


def rejected_digests(system, name):
    rows = system.rows(
        "SELECT encode(body_bytes, 'hex') AS body FROM modeltrail_v1.raw_events"
        f" WHERE collector = '{name}' AND type LIKE '%.input.rejected.%'"
    )
    return {json.loads(bytes.fromhex(row["body"]))["data"]["digest"] for row in rows}


@pytest.fixture(scope="module")
def hostile_content(system):
    """Hostile objects that are there when the collector begins, and, in another cluster, that come later."""
    answers = {}
    for name in ("listed", "watched"):
        with FakeKube() as fake:
            fake.replaced = REPLACED
            fake.namespace_labels["risk"] = {"modeltrail.io/environment": STRINGS["terminal"] + name}
            watched = Watched(system, name, fake)
            if name == "watched":
                fake.create("first")
                watched.start()
                watched.synced()
            good = [(fake.put(obj), wanted) for obj, wanted in stored_objects()]
            bad = [fake.put(obj) for obj in refused_objects()]
            last = fake.put(manifest("zzz-after", uri="s3://models/after/v2"))  # lists are in the order of names
            if name == "listed":
                watched.start()
            system.wait_for(
                "SELECT version FROM modeltrail_v1.deployments"
                f" WHERE workload_uid = '{last['metadata']['uid']}'", "v2", 60)
            digests = [{hashlib.sha256(served(form)).hexdigest()
                        for form in (obj, {"type": "ADDED", "object": obj})} for obj in bad]

            def all_are_reported():
                reported = rejected_digests(system, name)
                return all(forms & reported for forms in digests)

            watched.until(all_are_reported, "every object that cannot be used is reported by its digest", 40)
            watched.stop()
        answers[name] = good, bad
    return answers


@pytest.mark.parametrize("name", ["listed", "watched"])
def test_hostile_content_is_stored_or_reported(system, hostile_content, name):
    good, bad = hostile_content[name]
    rows = system.rows(
        "SELECT workload_uid, model, version, artifact FROM modeltrail_v1.deployments"
        f" WHERE cluster = '{name}'"
    )
    have = {row["workload_uid"]: row for row in rows}
    for obj, wanted in good:
        assert have[obj["metadata"]["uid"]].items() >= wanted.items()
    assert not have.keys() & {obj["metadata"]["uid"] for obj in bad}
    assert len(have) == len(good) + (2 if name == "watched" else 1)
    assert system.rows("SELECT * FROM modeltrail_v1.events WHERE is_quarantined AND quarantine_reason = ''") == []
    left_out = system.rows(
        "SELECT count(*) AS n FROM modeltrail_v1.raw_events WHERE body LIKE '%xxxxxxxxxxxxxxxxxxxxxx%'"
    )
    assert left_out == [{"n": 0}]  # by digest and size


ESCAPED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")


def on_a_terminal(system, *words):
    """(exit code, everything that the terminal gets)."""
    ours, theirs = pty.openpty()
    env = system.database.env("test_auditor") | {"NO_COLOR": "1", "TERM": "xterm"}
    child = subprocess.Popen([program("modeltrail"), *words], env=env, stdin=subprocess.DEVNULL, stdout=theirs,
                             stderr=theirs)
    os.close(theirs)
    got = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:  # the other end is closed
            break
        if not piece:
            break
        got += piece
    os.close(ours)
    return child.wait(30), got.decode().replace("\r\n", "\n")


ANSWERS = [
    ("list", "deployments"), ("list", "models"), ("list", "versions"), ("list", "changes"), ("list", "environments"),
    ("list", "events"), ("list", "people"), ("list", "attempts"), ("matrix",), ("who", STRINGS["terminal"]),
    ("where", STRINGS["terminal"]), ("where", f"s3://models/{STRINGS['bidi']}/v1"), ("history", STRINGS["lines"]),
]


@pytest.mark.parametrize("form", ["table", "wide", "json", "jsonl", "csv", "tsv", "name"])
def test_hostile_content_is_shown_escaped(system, hostile_content, hostile_requests, form):
    for words in ANSWERS:
        limit = () if words == ("matrix",) else ("--limit", "99999")
        code, shown = on_a_terminal(system, *words, "-o", form, *limit)
        assert code == FOUND, (words, shown[-500:])
        found = ESCAPED.search(shown if form != "csv" else shown.replace("\r", ""))
        assert not found, (words, shown[max(0, found.start() - 80):found.end() + 20])
        assert form == "tsv" or "\t" not in shown


def test_hostile_content_survives_in_files(system, hostile_content):
    """JSON and CSV into a file give back what was put in; no spreadsheet takes a cell for a formula."""
    listed = ("list", "models", "--limit", "99999", "-o")
    items = json.loads(system.ask(*listed, "json").stdout)["items"]
    assert {item["model"] for item in items} >= set(STRINGS.values())
    done = subprocess.run([program("modeltrail"), *listed, "csv"], env=system.database.env("test_auditor"),
                          capture_output=True, timeout=60)
    rows = list(csv.DictReader(io.StringIO(done.stdout.decode(), newline="")))
    assert not [cell for row in rows for cell in row.values() if cell.startswith(tuple("=+-@\t\r"))]
    assert {row["model"].removeprefix("'") for row in rows} >= {text.removeprefix("'") for text in STRINGS.values()}


# ---- hostile requests, from an audit log ----


@pytest.fixture(scope="module")
def hostile_requests(system):
    good, lines = [], []
    for number, (key, text) in enumerate(STRINGS.items()):
        event = audit_event(2 * number, f"audited-{key}", user={"username": text, "groups": [text]}, userAgent=text,
                            sourceIPs=[text])
        event["responseObject"] = deployment(uid_of(f"audited-{key}"), text, 5000 + number, "v1")
        event["responseObject"]["metadata"]["creationTimestamp"] = time_of(2 * number)[:19] + "Z"
        good.append((uid_of(f"audited-{key}"), text))
        refused = audit_event(2 * number + 1, text, user={"username": text}, responseStatus={
            "code": 403, "reason": text, "message": text})
        refused["responseObject"] = {"kind": "Status", "apiVersion": "v1", "code": 403, "message": text}
        refused["objectRef"]["name"] = text
        lines += [served(event) + b"\n", served(refused) + b"\n"]
    bad = []
    for key, text in (UNSTORABLE | {shape: f"@@{shape}@@" for shape in SHAPES}).items():
        event = audit_event(900, f"bad-{key}", auditID=f"bad-{key}")
        event["responseObject"]["spec"]["x"] = text
        bad.append(served(event))
        lines.append(served(event) + b"\n")
    huge = audit_event(901, "huge-user", user={"username": HUGE})
    lines.append(json.dumps(huge).encode() + b"\n")
    after = audit_event(999, "audited-after")
    after["responseObject"]["metadata"]["creationTimestamp"] = time_of(999)[:19] + "Z"
    lines.append(json.dumps(after).encode() + b"\n")
    log = system.folder / "audit.log"
    log.write_bytes(b"".join(lines))
    system.collect_once("audited", [f'audit_log: {{path: "{log}", complete: true}}'])
    return good, bad


def test_hostile_requests_are_stored_or_reported(system, hostile_requests):
    good, bad = hostile_requests
    rows = system.rows("SELECT workload_uid, model, applied_by FROM modeltrail_v1.deployments WHERE cluster = 'audited'")
    have = {row["workload_uid"]: row for row in rows}
    for uid, text in good:
        assert (have[uid]["model"], have[uid]["applied_by"]) == (text, text)
    assert have[uid_of("audited-after")]["applied_by"] == "alice"
    attempts = system.rows("SELECT applied_by, message FROM modeltrail_v1.attempts WHERE cluster = 'audited'")
    assert {(row["applied_by"], row["message"]) for row in attempts} == {(text, text) for _, text in good}
    assert rejected_digests(system, "audited") >= {hashlib.sha256(line).hexdigest() for line in bad}


def test_the_logs_speak_to_no_terminal(system, hostile_content, hostile_requests):
    for name in ("store", "listed", "watched", "audited"):
        found = ESCAPED.search(system.log(name))
        assert not found, system.log(name)[max(0, found.start() - 200):found.end() + 50]
