"""A hostile API server, seen from the other end: after each fault the deployments in PostgreSQL are the truth, or
`modeltrail` says what is unknown. A key that may speak for one namespace speaks for no other."""

import json
import re
import time
from datetime import datetime, timedelta

import pytest
from support.fake_kube import FakeKube
from support.hostile_scenarios import SCENARIOS, SELDON, harm, seed
from support.system import System
from support.watched import Watched

MODEL = "models.mlops.seldon.io"
FOUND, NO, UNKNOWN = 0, 1, 6
MORE = ["rotated", "late", "forbidden", "taken", "restored", "neighbour", "greedy", "boundless"]


def name_of(scenario):
    return scenario.__name__.replace("_", "-")


@pytest.fixture(scope="module")
def system(postgres, tmp_path_factory):
    """One store for all: each test has a cluster and a collector of its own in it."""
    database = postgres.create_database("hostile_end_to_end")
    names = [name_of(scenario) for scenario in SCENARIOS] + MORE
    system = System(tmp_path_factory.mktemp("hostile"), database, {name: (name, ["risk"]) for name in names})
    system.start_store()
    yield system
    alive = system.daemons["store"].is_running()
    system.stop()
    database.drop()
    assert alive, "the store did not survive"


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
    assert newest["gap_reason"] and not newest["is_live"], newest  # of several gaps in a row it says the first


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
    watched.until(lambda: any(span["covered_to"] > span["covered_from"] for span in watched.coverage()),
                  "it was watched behind its list")
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
    assert checks["gaps"]["status"] == "fail" and "went-back" in checks["gaps"]["detail"]
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
    assert quarantine["status"] == "fail" and f"{name} (" in quarantine["detail"]
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
