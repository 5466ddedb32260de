"""Story, recording and expectation must fit each other, or tests that rest on them mean nothing."""

import json
from pathlib import Path

import pytest

RECORDING = Path(__file__).resolve().parents[1] / "recording"


def load(name):
    return json.loads((RECORDING / name).read_text())


@pytest.fixture(scope="module")
def expected():
    return load("expected.json")


@pytest.fixture(scope="module")
def events():
    """Every recorded audit event by (cluster, audit ID)."""
    return {(cluster, event["auditID"]): event
            for cluster in ("c1", "c2")
            for event in map(json.loads,
                             (RECORDING / cluster / "audit.log").read_text().splitlines())}


def test_every_step_was_recorded_as_expected(expected, events):
    recorded = load("steps.json")
    assert [step["step"] for step in recorded] == [step["step"] for step in expected["steps"]]
    for took, step in zip(recorded, expected["steps"]):
        request = took["requests"][0]
        event = events[request["cluster"], request["audit_id"]]
        ref = event["objectRef"]
        principal = expected["principals"].get(step["by"], step["by"])
        assert (request["cluster"], ref["namespace"]) == (step["cluster"], step["namespace"])
        assert event["user"]["username"] == principal, step["step"]
        assert ref["name"] == step["workload"].partition("/")[2]
        attempt = step.get("attempt", {"verb": event["verb"], "outcome": None})
        assert event["verb"] == attempt["verb"]
        assert ("dryRun=All" in event["requestURI"]) == (attempt["outcome"] == "dry_run")
        assert event["responseStatus"]["code"] == request["code"] == attempt.get(
            "code", request["code"])
        assert (request["code"] < 400) == (attempt["outcome"] in (None, "dry_run"))


def test_what_is_open_at_the_end_follows_from_the_changes(expected):
    """An independent count: play the changes and see which versions stay."""
    open_versions = {}
    for step in expected["steps"]:
        for change in step["changes"]:
            key = (step["cluster"], step["namespace"], step["workload"], change["component"])
            assert open_versions.get(key) == change["from_version"], step["step"]
            open_versions[key] = change["to_version"]
    left = {key: version for key, version in open_versions.items() if version}
    assert left == {(row["cluster"], row["namespace"], row["workload"], row["component"]):
                    row["version"] for row in expected["deployments"]}


def test_the_logs_begin_with_their_namespaces(events):
    labels = {event["objectRef"]["name"]: event["responseObject"]["metadata"]["labels"]
              for event in events.values()
              if event.get("objectRef", {}).get("resource") == "namespaces"}
    assert labels["risk-prod"]["modeltrail.io/environment"] == "prod"
    assert set(labels) == {"risk-dev", "risk-staging", "risk-prod", "scoring"}


def test_a_repeated_apply_returns_the_same_position(events):
    steps = {step["step"]: step["requests"] for step in load("steps.json")}
    again = events["c1", steps["fraud-staging-repeat"][0]["audit_id"]]
    status_write = events["c1", steps["fraud-staging-upgrade"][1]["audit_id"]]
    assert again["responseObject"]["metadata"]["resourceVersion"] == \
        status_write["responseObject"]["metadata"]["resourceVersion"]


def test_secrets_were_planted(expected):
    for cluster in ("c1", "c2"):
        text = (RECORDING / cluster / "audit.log").read_text()
        assert all(secret in text for secret in expected["secrets"])
