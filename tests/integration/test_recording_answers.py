"""The recorded audit logs of two real API servers, through real collectors and a real store, against answers
that were written by hand (tests/recording/expected.json)."""

import json
import subprocess
from pathlib import Path

import pytest
from support.build import program
from support.system import System

RECORDING = Path(__file__).resolve().parents[1] / "recording"
EXPECTED = json.loads((RECORDING / "expected.json").read_text())
STEPS = json.loads((RECORDING / "steps.json").read_text())


def principal(by):
    return EXPECTED["principals"].get(by, by)


@pytest.fixture(scope="module")
def system(tmp_path_factory, postgres):
    """Replayed once; the tests below only read."""
    database = postgres.create_database("recording_answers")
    system = System(tmp_path_factory.mktemp("recording answers"), database, {"c1": ("c1", None), "c2": ("c2", None)})
    system.start_store()
    system.apply(RECORDING / "modeltrail.yaml")
    for name in ("c1", "c2"):
        system.collect_once(name, [f'audit_log: {{path: "{RECORDING}/{name}/audit.log", complete: true}}'])
    yield system
    system.stop()
    database.drop()


DEPLOYMENT = ["cluster", "namespace", "environment", "workload", "component", "model", "version", "role"]


def test_open_deployments(system):
    rows = system.rows(
        f"SELECT {', '.join(DEPLOYMENT)}, traffic_percent, applied_by, attribution FROM modeltrail_v1.deployments"
    )
    have = sorted(json.dumps({**row, "traffic_percent": row["traffic_percent"]}, sort_keys=True) for row in rows)
    want = sorted(
        json.dumps(
            {
                **{key: d[key] for key in DEPLOYMENT},
                "traffic_percent": d["traffic_percent"],
                "applied_by": principal(d["by"]),
                "attribution": "exact",
            },
            sort_keys=True,
        )
        for d in EXPECTED["deployments"]
    )
    assert have == want


def audit_ids_of(step):
    """The audit IDs of a step's own requests (its controller's status writes left out)."""
    requests = next(s for s in STEPS if s["step"] == step)["requests"]
    return [r["audit_id"] for r in requests if "-manager" not in r["user"]]


def audit_events():
    events = {}
    for cluster in ("c1", "c2"):
        for line in (RECORDING / cluster / "audit.log").read_text().splitlines():
            event = json.loads(line)
            events[event["auditID"]] = event
    return events


def test_since_when_is_the_requests_own_instant(system):
    """deployed_at is when the API server received the step's request, to the microsecond."""
    events = audit_events()
    rows = {
        (r["cluster"], r["namespace"], r["workload"], r["component"], r["version"]): r
        for r in system.rows(
            "SELECT cluster, namespace, workload, component, version, time_source,"
            " to_char(deployed_at, 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') AS deployed_at FROM modeltrail_v1.deployments"
        )
    }
    for d in EXPECTED["deployments"]:
        row = rows[(d["cluster"], d["namespace"], d["workload"], d["component"], d["version"])]
        received = {events[i]["requestReceivedTimestamp"] for i in audit_ids_of(d["since"])}
        assert row["deployed_at"] in received, d
        assert row["time_source"] == "audit"


def test_every_step_makes_its_changes_and_no_other(system):
    rows = system.rows(
        "SELECT change_type, component, from_version, to_version, from_traffic_percent, to_traffic_percent, cluster,"
        " namespace, workload, applied_by, attribution FROM modeltrail_v1.changes"
    )
    have = sorted(
        (
            r["cluster"], r["namespace"], r["workload"], r["component"], r["change_type"],
            str(r["from_version"]), str(r["to_version"]), str(r["applied_by"]), r["attribution"],
        )
        for r in rows
    )
    want = sorted(
        (
            s["cluster"], s["namespace"], s["workload"], c["component"], c["change_type"],
            str(c["from_version"]), str(c["to_version"]), principal(s["by"]), "exact",
        )
        for s in EXPECTED["steps"]
        for c in s["changes"]
    )
    assert have == want


def test_canary_traffic(system):
    rows = system.rows(
        "SELECT component, change_type, from_traffic_percent, to_traffic_percent FROM modeltrail_v1.changes"
        " WHERE change_type = 'reconfigured'"
    )
    have = sorted((r["component"], float(r["from_traffic_percent"]), float(r["to_traffic_percent"])) for r in rows)
    assert have == [
        ("canary", 10.0, 50.0), ("predictor", 90.0, 50.0), ("predictor", 100.0, 90.0),
    ]


def test_attempts_change_nothing_and_are_rows(system):
    rows = system.rows("SELECT verb, code, outcome, applied_by, cluster, namespace FROM modeltrail_v1.attempts")
    have = sorted((r["cluster"], r["namespace"], r["verb"], int(r["code"]), r["outcome"], r["applied_by"]) for r in rows)
    want = sorted(
        (s["cluster"], s["namespace"], s["attempt"]["verb"], s["attempt"]["code"], s["attempt"]["outcome"],
         principal(s["by"]))
        for s in EXPECTED["steps"]
        if "attempt" in s
    )
    assert have == want


def who(system, person):
    done = system.ask("who", person, "-o", "json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["items"]


def test_what_moved_no_model_is_its_authors_too(system):
    """Each accepted write of a step is somebody's: by its changes, or as the request itself."""
    events = audit_events()
    silent = [s for s in EXPECTED["steps"] if not s["changes"] and "attempt" not in s]
    assert {"fraud-staging-repeat", "fraud-prod-scale", "churn-staging-experiment"} <= {s["step"] for s in silent}
    rows = {row["audit_id"]: row for row in system.rows("SELECT * FROM modeltrail_v1.requests")}
    for step in silent:
        for audit_id in audit_ids_of(step["step"]):
            row = rows[audit_id]
            assert (row["outcome"], row["changes"], row["applied_by"]) == ("accepted", 0, principal(step["by"])), step
            assert row["user_agent"] == events[audit_id]["userAgent"]
            assert row["request_id"] in {item["id"] for item in who(system, principal(step["by"]))}, step
    assert not {row["subresource"] for row in rows.values()} & {"status"}


def test_every_change_leads_to_its_request(system):
    rows = system.rows("SELECT change_id, audit_id, request_event_id, applied_by FROM modeltrail_v1.changes")
    events = audit_events()
    for row in rows:
        assert events[row["audit_id"]]["user"]["username"] == row["applied_by"] or "impersonatedUser" in events[row["audit_id"]]
    done = system.ask("show", rows[0]["change_id"], "--no-raw", "-o", "json")
    request = json.loads(done.stdout)["items"][0]["request"]
    assert request["event_id"] == rows[0]["request_event_id"] and request["changes"] >= 1
    assert request["source_ip"] == events[rows[0]["audit_id"]]["sourceIPs"][0]


def test_every_upgrade_shows_what_differs(system):
    """Real objects: the difference goes from one artifact to the other, but where a canary was promoted."""
    rows = system.rows("SELECT change_id, from_artifact, to_artifact, deployed_by FROM modeltrail_v1.changes"
                       " WHERE change_type IN ('upgraded', 'rolled_back') AND from_artifact LIKE 's3:%'")
    assert len(rows) >= 3
    for row in rows:
        shown, = json.loads(system.ask("show", row["change_id"], "-o", "json").stdout)["items"]
        moved = {(item.get("from"), item.get("to")) for item in shown["diff"]}
        paths = {item["path"] for item in shown["diff"]}
        assert (row["from_artifact"], row["to_artifact"]) in moved or paths == {"spec.predictor.canaryTrafficPercent"}
        assert "metadata.resourceVersion" in shown["diff_left_out"]
        links = [link["link"] for link in shown["chain"]]
        assert links[:3] == ["object", "request", "person"] and links[-1] == "end"
        assert shown["chain"][2]["person"] == row["deployed_by"] and shown["chain"][1]["strength"] == "exact"


def test_routes(system):
    rows = system.rows(
        "SELECT cluster, namespace, route, target, role, percent FROM modeltrail_v1.routes WHERE valid_to IS NULL"
    )
    have = sorted((r["cluster"], r["namespace"], r["route"], r["target"], r["role"], float(r["percent"])) for r in rows)
    want = sorted(
        (r["cluster"], r["namespace"], r["route"], r["target"], r["role"], float(r["percent"]))
        for r in EXPECTED["routes"]
    )
    assert have == want


def test_people_are_named_by_the_central_file(system):
    rows = system.rows(
        "SELECT DISTINCT applied_by, deployed_by, deployed_by_kind FROM modeltrail_v1.deployments ORDER BY 1"
    )
    assert [tuple(r.values()) for r in rows] == [
        ("alice", "alice@corp.example", "human"),
        ("arn:aws:sts::111122223333:assumed-role/MLPlatform/carol", "carol@corp.example", "human"),
        ("bob", "bob@corp.example", "human"),
        ("carol", "carol@corp.example", "human"),
        ("system:serviceaccount:argocd:argocd-application-controller", "argocd", "gitops"),
        ("system:serviceaccount:ci:deployer", "ci-deployer", "ci"),
    ]


def test_answers_at_past_instants(system):
    """Between the upgrade of production and its rollback, 1.4.0 lived there; before all, nothing did."""
    events = audit_events()
    received = [events[i]["requestReceivedTimestamp"] for i in audit_ids_of("fraud-prod-rollback")]
    just_before = system.rows(
        f"SELECT to_char('{min(received)}'::timestamptz - interval '1 us', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') AS at"
    )[0]["at"]
    for at, version in ((just_before, "1.4.0"), (min(received), "1.3.0")):
        done = system.ask("where", "fraud-scorer", "--environment", "prod", "--cluster", "c1", "--as-of", at, "-o", "json")
        assert done.returncode == 0, done.stderr
        items = [i for i in json.loads(done.stdout)["items"] if i["role"] == "live"]
        assert [i["version"] for i in items] == [version]
    done = system.ask("where", "fraud-scorer", "--as-of", "2001-01-01")
    assert done.returncode == 6  # nobody watched then: unknown, not no


def test_state_at_past_instants(system):
    """Before, during and after the upgrade of credit-risk in dev: what the rows end as says nothing of it."""
    events = audit_events()
    upgrade = next(s for s in STEPS if s["step"] == "credit-dev-upgrade")["requests"]
    asked, old_ready, new_ready = sorted(events[r["audit_id"]]["requestReceivedTimestamp"] for r in upgrade)
    before = system.rows(
        f"SELECT to_char('{asked}'::timestamptz - interval '5 s', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') AS at"
    )[0]["at"]
    for at, states, cell in (
        (before, {"2.0.0": "serving"}, "2.0.0"),
        (asked, {"2.0.0": "lingering", "2.1.0": "pending"}, "2.0.0, 2.1.0"),
        (new_ready, {"2.1.0": "serving"}, "2.1.0"),
    ):
        only = ["--environment", "dev", "--cluster", "c1", "--as-of", at]
        done = system.ask("where", "credit-risk", *only, "-o", "json")
        assert done.returncode == 0, done.stderr
        items = json.loads(done.stdout)["items"]
        assert {i["version"]: i["state"] for i in items} == states, at
        for item in items:
            assert (item["ready_at"] is None) == (item["state"] == "pending"), item
        done = system.ask("matrix", *only, "--no-headers")
        assert done.returncode == 0, done.stderr
        line = next(line for line in done.stdout.splitlines() if line.startswith("credit-risk "))
        assert line.removeprefix("credit-risk").strip() == cell, at


@pytest.mark.parametrize("path", sorted((RECORDING.parents[1] / "sql" / "examples").glob("*.sql")), ids=lambda p: p.stem)
def test_examples_of_the_documentation_find_something(system, path):
    assert system.database.psql(path.read_text())


def test_planted_secrets_are_nowhere(system, postgres):
    """Invariant 4: not in the spools, the logs, the configuration's folder, or a dump of the database."""
    files = [p for p in system.folder.rglob("*") if p.is_file()]
    assert any(p.suffix == ".db" for p in files)
    dump = subprocess.run(
        [f"{postgres.bindir}/pg_dump", "--no-owner"], env=system.database.env(), capture_output=True, check=True
    ).stdout
    bodies = system.rows("SELECT encode(body, 'hex') AS body FROM modeltrail.event_body")
    haystacks = {str(p): p.read_bytes() for p in files}
    haystacks["dump"] = dump
    haystacks["bodies"] = b"\n".join(bytes.fromhex(row["body"]) for row in bodies)
    recorded = b"".join((RECORDING / c / "audit.log").read_bytes() for c in ("c1", "c2"))
    for secret in EXPECTED["secrets"]:
        assert secret.encode() in recorded  # else this test could not fail
        for name, haystack in haystacks.items():
            assert secret.encode() not in haystack, f"{secret} in {name}"


def test_a_second_replay_stores_nothing_twice(system):
    before = system.database.psql("SELECT count(*) FROM modeltrail.event")[0][0]
    changes = system.rows("SELECT change_id FROM modeltrail_v1.changes ORDER BY 1")
    system.collect_once("c1", [f'audit_log: {{path: "{RECORDING}/c1/audit.log", complete: true}}'])
    # Events of the second look (scope.watched) may come; no observation or request comes again.
    again = system.database.psql(
        f"SELECT count(*) FROM modeltrail.event WHERE log_index > {before} AND type NOT LIKE '%scope.watched%'"
    )[0][0]
    assert again == "0"
    assert system.rows("SELECT change_id FROM modeltrail_v1.changes ORDER BY 1") == changes


def test_rebuild_gives_the_same_rows(system):
    tables = {"placement": "", "route": "", "change": "", "attribution": "", "checkpoint": ""}

    def snapshot():
        return {t: system.rows(f"SELECT md5(string_agg(t::text, chr(10) ORDER BY t::text)) AS h, count(*) FROM modeltrail.{t} t") for t in tables}

    before = snapshot()
    assert before["placement"][0]["count"] not in (0, "0")
    done = subprocess.run(
        [program("modeltrail-store"), "rebuild", "--config", str(system.folder / "store.yaml")],
        env=system.database.env(), capture_output=True, text=True,
    )
    assert done.returncode == 0, done.stderr
    assert snapshot() == before
