"""Hostile content, from API server and audit log to the screen: stored as it is or reported by its digest, shown
escaped in every format; the stream goes on and every program stays up."""

import csv
import hashlib
import io
import json
import os
import pty
import re
import subprocess

import pytest
from support.build import program
from support.collector import audit_event, deployment, time_of, uid_of
from support.fake_kube import FakeKube
from support.system import System
from support.watched import Watched

FOUND = 0


@pytest.fixture(scope="module")
def system(postgres, tmp_path_factory):
    database = postgres.create_database("hostile_content")
    scopes = {"listed": ("listed", ["risk"]), "watched": ("watched", ["risk"]), "audited": ("audited", None)}
    system = System(tmp_path_factory.mktemp("hostile"), database, scopes)
    system.start_store()
    yield system
    alive = system.daemons["store"].is_running()
    system.stop()
    database.drop()
    assert alive, "the store did not survive"



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
